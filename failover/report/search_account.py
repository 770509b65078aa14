"""What a search tried and found: for people, and as `failover/search@1` for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from failover.chaos.search.asking import Prepared
from failover.chaos.search.words import broken, injection_in_words
from failover.report.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = "failover/search@1"

Row = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Searched:
    """One route's search, as far as it came. `file`, `replays` by mode: where something was found."""

    prepared: Prepared
    wall_s: float
    interrupted: bool = False
    file: Path | None = None
    replays: Mapping[str, str] | None = None


def print_search(console: Console, searched: Searched) -> None:
    """One block: what was found, in words, or what was tried in vain; then what it covered."""
    from rich.table import Table
    from rich.text import Text

    hunt = searched.prepared.hunt
    word, style = ("FOUND", "bold red") if hunt.found else ("NOTHING", "bold green")
    story = hunt.trials.story
    about = f"route {printable(searched.prepared.route.name)}  (simulate, seed {story.seed})"
    console.print(Text.assemble((f"{word:<8}", style), about), soft_wrap=True)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for label, value in (*_finding(searched), *_covered(searched)):
        table.add_row(Text(f"  {label}"), Text(printable(value)))
    console.print(table)
    for label, command in _commands(searched):
        # Never wrapped: it is there to be copied.
        line = Text(f"  {label}: {printable(command)}")
        console.print(line, soft_wrap=True, no_wrap=True, overflow="ignore", crop=False)
    console.print()


def _finding(searched: Searched) -> Iterator[Row]:
    found = searched.prepared.hunt.found
    if found is None:
        return
    yield "breaks", f"{broken(found.violation.name)} ({found.violation.name})"
    for injection in found.trial.injections or ():
        yield "when", injection_in_words(injection)
    if not found.trial.injections:
        yield "when", "always: no fault is needed"
    yield "why", found.violation.what
    others = [each.name for each in found.trial.violations if each.name != found.violation.name]
    if others:
        yield "also", f"breaks {', '.join(others)}"
    so_far = "" if found.whole else "; smaller ones were not all tried"
    yield "found", f"in drill {found.after_drills}, made small in {found.shrink_drills} more{so_far}"
    if searched.file is not None:
        yield "file", str(searched.file)
    for mode, answer in (searched.replays or {}).items():
        yield mode, f"shows it from the file too: {answer}"


def _covered(searched: Searched) -> Iterator[Row]:
    prepared = searched.prepared
    covered, space, story = prepared.hunt.trials.covered, prepared.hunt.space, prepared.hunt.trials.story
    rate = f", {covered.drills / searched.wall_s:.0f} drills/s" if searched.wall_s else ""
    took = f"{searched.wall_s:.1f} s{rate}{', interrupted' if searched.interrupted else ''}"
    yield "tried", f"{covered.drills} drills, {covered.requests} requests, {covered.events} events in {took}"
    yield "kinds", _counts({grid.kind: covered.exercised.get(grid.kind, 0) for grid in space.grids})
    if prepared.left_out:
        yield "left out", f"nothing of {', '.join(prepared.left_out)} can be drawn for this route"
    yield "hit", ", ".join(sorted(covered.selectors)) or "nothing"
    yield "happened", _counts({word: count for word, count in covered.happened.items() if count})
    never = [word for word, count in covered.happened.items() if not count]
    if never:
        yield "never", ", ".join(never)
    yield "limits", _limits(story.expect, story.spare)
    for name, margin in covered.worst.items():
        if name.partition(".")[0] in story.expect:
            yield "nearest", f"{name}: {abs(margin):.6g}"
    if prepared.hunt.found is None:
        tried = f"no schedule of at most {space.faults_max} injections that was tried broke anything"
        yield "this means", f"{tried}; that is no proof: others were not tried"


def _limits(expect: Mapping[str, Any], spare: int) -> str:
    said = ", ".join(f"{key} {_limit(value)}" for key, value in expect.items())
    left = f" where faults leave {spare} target{'s' if spare > 1 else ''} alone" if spare else ""
    return f"the invariants always; {said}{left}"


def _limit(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {limit:g}" for name, limit in value.items())
    return f"{value:g}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing"


def _commands(searched: Searched) -> Iterator[Row]:
    prepared = searched.prepared
    found, seed = prepared.hunt.found, prepared.hunt.trials.story.seed
    if searched.file is not None:
        yield "reproduce", f"failover drill {searched.file} --seed {seed} --mode simulate"
    drills = prepared.hunt.trials.covered.drills if found is None else found.after_drills
    yield "search again", prepared.command(max(1, drills))


def json_search(searches: Sequence[Searched]) -> str:
    """A JSON list with one object for each route that was searched."""
    import orjson

    document = [_plain(searched) for searched in searches]
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _plain(searched: Searched) -> dict[str, Any]:
    prepared, hunt = searched.prepared, searched.prepared.hunt
    covered, story, found = hunt.trials.covered, hunt.trials.story, hunt.found
    drills = covered.drills if found is None else found.after_drills
    return {
        "schema": SCHEMA,
        "config": str(prepared.asked.config),
        "route": prepared.route.name,
        "seed": story.seed,
        "budget": {"drills": hunt.budget.drills, "seconds": hunt.budget.seconds},
        "expect": story.expect,
        "spare": story.spare,
        "interrupted": searched.interrupted,
        "drills": covered.drills,
        "requests": covered.requests,
        "events": covered.events,
        "kinds": {grid.kind: covered.exercised.get(grid.kind, 0) for grid in hunt.space.grids},
        "left_out": list(prepared.left_out),
        "selectors": sorted(covered.selectors),
        "happened": covered.happened,
        "found": None if found is None else _plain_finding(searched),
        "wall_s": searched.wall_s,
        "search_again": prepared.command(max(1, drills)),
    }


def _plain_finding(searched: Searched) -> dict[str, Any]:
    found = searched.prepared.hunt.found
    if found is None:
        return {}
    return {
        "name": found.violation.name,
        "means": broken(found.violation.name),
        "what": found.violation.what,
        "inject": list(found.trial.injections),
        "after_drills": found.after_drills,
        "shrink_drills": found.shrink_drills,
        "whole": found.whole,
        "file": None if searched.file is None else str(searched.file),
        "replays": dict(searched.replays or {}),
    }
