"""The found schedule as a scenario file to commit: it fails until what it found is mended."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from itertools import count
from math import inf
from pathlib import Path
from typing import Any

import yaml

from failover.chaos.search.hunt import Found
from failover.chaos.search.objectives import single
from failover.chaos.search.trials import Story
from failover.chaos.search.words import title

FOLDER = Path("scenarios")
DIGEST_LETTERS = 6


def write(found: Found, story: Story, command: str, output: Path | None) -> Path:
    """Write the file and return its path. One that says something else is never overwritten.

    Where the name is taken a number is appended. Raises `OSError`.
    """
    wanted = output or FOLDER / f"found-{found.violation.name.replace('.', '-')}-{_digest(found, story)}.yaml"
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for file in _numbered(wanted):
        text = scenario_text(found, story, command, file)
        try:
            with file.open("x", encoding="utf-8") as stream:
                stream.write(text)
        except FileExistsError:
            if not _says(file, text):
                continue
        return file
    raise AssertionError(wanted)


def scenario_text(found: Found, story: Story, command: str, file: Path) -> str:
    """What the file says. It expects only what was violated, so that it passes when that is mended."""
    violation, injections = found.violation, found.trial.injections
    cassettes = {} if story.cassettes is None else {"cassettes": _from(file, story.cassettes)}
    document = story.section(
        injections,
        title=title(violation.name, injections),
        config=_from(file, story.config),
        expect=single(story.expect, violation.name),
        **cassettes,
    )
    lines = [
        _comment(f"Found by: {command}"),
        _comment(f"It broke {violation.name}: {violation.what}"),
        _comment(f"See it again: failover drill {file.name} --seed {story.seed} --mode simulate"),
    ]
    inject = document.pop("inject")
    expect = document.pop("expect")
    lines += [f"{key}: {_flow(value)}" for key, value in document.items()]
    if inject:
        lines += ["inject:", *(f"  - {_flow(injection)}" for injection in inject)]
    if expect:
        lines.append(f"expect: {_flow(expect)}")
    return "\n".join([*lines, ""])


def _numbered(file: Path) -> Iterator[Path]:
    yield file
    for number in count(2):
        yield file.with_name(f"{file.stem}-{number}{file.suffix}")


def _says(file: Path, text: str) -> bool:
    return file.is_file() and file.read_bytes() == text.encode()


def _digest(found: Found, story: Story) -> str:
    parts = [story.config.name, dict(story.workload), found.trial.injections, story.seed]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:DIGEST_LETTERS]


def _from(file: Path, path: Path) -> str:
    return Path(os.path.relpath(path.absolute(), file.absolute().parent)).as_posix()


def _flow(value: Mapping[str, Any] | str) -> str:
    dumped: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=inf, allow_unicode=True
    )
    return dumped.removesuffix("...\n").strip()


def _comment(text: str) -> str:
    return "# " + "".join(letter if letter.isprintable() else "?" for letter in text)
