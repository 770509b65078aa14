"""The documentation is executed: its examples run, its links resolve, and no command goes unnamed.

Two marks, invisible to readers, stand on the line before a fenced block:

- `<!-- runs -->` before a block of Python: it is run. The blocks of a page share their names, from top to
  bottom, like one session; `await` may stand at the top level.
- `<!-- writes NAME -->` before any block: the blocks that run find it as the file NAME where they are run.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failover.cli import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = [page for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if page.is_file()]
MARKED = re.compile(
    r"^<!-- (?P<mark>runs|writes (?P<file>[\w./-]+)) -->\n+```(?P<language>\w*)[^\n]*\n(?P<block>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
FENCED = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _prose(page: Path) -> str:
    return FENCED.sub("", page.read_text("utf-8"))


def _everything() -> str:
    return "\n".join(page.read_text("utf-8") for page in PAGES)


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    headings = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def _broken_links(page: Path) -> Iterator[str]:
    for link in (first or second for first, second in LINK.findall(_prose(page))):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            yield link


def _execute(block: str, page: str, line: int, names: dict[str, Any]) -> None:
    # The blank lines put the page's own line numbers into a traceback.
    code = compile("\n" * line + block, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    pending = eval(code, names)  # noqa: S307  our own documentation
    if inspect.iscoroutine(pending):
        asyncio.run(pending)


def test_there_is_a_readme() -> None:
    """The first thing anyone opens."""
    assert (ROOT / "README.md").is_file()


def test_the_documentation_has_an_example_that_runs() -> None:
    """Without one, the test below holds nothing."""
    assert any(found["mark"] == "runs" for found in MARKED.finditer(_everything()))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From top to bottom, in an empty folder that holds the files the page shows."""
    monkeypatch.chdir(tmp_path)
    text = page.read_text("utf-8")
    found = list(MARKED.finditer(text))
    for block in found:
        if block["file"]:
            file = tmp_path / block["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block["block"], "utf-8")
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in found:
        if block["mark"] == "runs":
            assert block["language"] == "python"
            _execute(block["block"], _name(page), text.count("\n", 0, block.start("block")), names)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_marks_of_a_page_stand_before_a_block(page: Path) -> None:
    """A mark that is misspelt or in the wrong place would silently hold nothing."""
    text = page.read_text("utf-8")
    marks = re.findall(r"<!--\s*(?:runs?|writes?)\b", FENCED.sub("", text))
    assert len(marks) == len(list(MARKED.finditer(text)))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Files and headings of this repository; the rest of the world is not ours to keep."""
    broken = list(_broken_links(page))
    assert not broken, f"{_name(page)} links to nothing: {broken}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    """What is not written down is found by nobody."""
    assert re.search(rf"\bfailover {command}\b", _everything()), (
        f"name `failover {command}` in README or docs"
    )


def test_every_documented_command_exists() -> None:
    """In code and in `backticks`, `failover x` names a command."""
    named = set(re.findall(r"(?:^|[`$])\s*failover ([a-z]+)\b", _everything(), re.MULTILINE))
    assert named <= set(COMMANDS), f"documented, but no command: {sorted(named - set(COMMANDS))}"


def test_every_documented_make_target_exists() -> None:
    """And the test command of the README is the one that the merge gate runs."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|[`$])\s*make ([a-z]+)\b", _everything(), re.MULTILINE))
    assert named <= targets, f"documented, but no target: {sorted(named - targets)}"
    assert "test" in named, "the README says `make test`, as .ci/run does"
