"""Budgets and manners of the whole tree, held by a test since nobody remembers them."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from statistics import quantiles

import pytest

import failover

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK = (ROOT / "requirements" / "dev.lock").read_text("utf-8")

MODULE_LINES = 300
MODULE_LINES_HARD = 500
# Modules past the budget, with the length they may not exceed any more. It stays empty unless argued.
TOLERATED: dict[str, int] = {}
FUNCTION_LINES_P90 = 25
FUNCTION_LINES_HARD = 60
TESTS_TO_CODE = (1.0, 1.6)
FRONT_DOOR_NAMES = 15
BANNED_WORDS = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}

PACKAGE = sorted((ROOT / "failover").rglob("*.py"))
PYTHON = sorted([*PACKAGE, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])

# Written in pieces where the pattern would otherwise find itself.
TRACES = {
    "a path of one machine": r"(?<![\w.:/-])/(?:root|work|home|Users)/\w|\b[A-Z]:\\Users\\",
    "an address of a package registry": r"pypi\.(?:org|python)|python" + r"hosted|registry\.npmjs|jfrog\.io",
    "an address of a local index": r"file:" + r"///",
    "an OpenAI, Anthropic or OpenRouter key": r"\bsk-[A-Za-z0-9_-]{20,}",
    "a Google key": r"\bAIza[0-9A-Za-z_-]{30,}",
    "a Groq key": r"\bgsk_[A-Za-z0-9]{20,}",
    "an AWS key": r"\bAKIA[0-9A-Z]{16}\b",
    "an organisation id": r"\borg-[A-Za-z0-9]{24}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE" + r" KEY",
}
UNFINISHED = r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b"

# Each silences a tool: with which code, and why. A reason is at least two words.
SUPPRESSION = re.compile(r"#\s*(?:(?:ruff|flake8):\s*noqa|noqa|type:\s*ignore|pragma:\s*no\b|mypy:)")
REASONED = re.compile(
    r"#\s*(?:ruff:\s*)?noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*[\s:#—–-]+\w+\W+\w+"
    r"|#\s*type:\s*ignore\[[\w, -]+\]\s+#\s*\w+\W+\w+"
    r"|#\s*pragma:\s*no (?:cover|branch)[\s:#—–-]+\w+\W+\w+"
)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    """Comments only: what stands in a string is no suppression."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


@cache
def published() -> list[Path]:
    """Every file that is or would be committed; in a tree without git, every file that is not built."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607  git is on the path
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        names = listing.stdout.split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    built = re.compile(r"/(?:\.(?!ci/)|__pycache__/|dist/|build/)")
    return [path for path in ROOT.rglob("*") if path.is_file() and not built.search(f"/{_name(path)}")]


def _lengths() -> dict[str, int]:
    """The length of every function of the package in lines, its docstring not counted."""
    found = {}
    for path in PACKAGE:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if ast.get_docstring(node) is not None:
                    length -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
                found[f"{_name(path)}:{node.lineno} {node.name}"] = length
    return found


@pytest.mark.parametrize("path", PACKAGE, ids=_name)
def test_a_module_is_read_in_one_sitting(path: Path) -> None:
    """Three hundred lines; more is two modules."""
    limit = TOLERATED.get(_name(path), MODULE_LINES)
    length = len(_lines(path))
    assert length <= limit, f"{length} lines, {limit} are allowed: split {_name(path)} by what it is about"


def test_the_list_of_tolerated_modules_only_shrinks() -> None:
    """A module that came back within the budget leaves the list; none is past the hard stop."""
    assert {name for name, limit in TOLERATED.items() if limit > MODULE_LINES_HARD} == set()
    assert {name for name in TOLERATED if len(_lines(ROOT / name)) <= MODULE_LINES} == set()


def test_functions_are_short() -> None:
    """Nine of ten fit in 25 lines, and none needs more than 60."""
    lengths = _lengths()
    too_long = {name: length for name, length in lengths.items() if length > FUNCTION_LINES_HARD}
    assert not too_long, f"past {FUNCTION_LINES_HARD} lines: {too_long}"
    p90 = quantiles(lengths.values(), n=10)[-1]
    longest = sorted(lengths, key=lengths.__getitem__, reverse=True)[:10]
    assert p90 <= FUNCTION_LINES_P90, f"one in ten has more than {p90:.0f} lines; the longest: {longest}"


def test_tests_weigh_about_as_much_as_the_code() -> None:
    """Fewer leave rules unheld; many more say things twice."""
    written = {"code": 0, "tests": 0}
    for path in PYTHON:
        kind = {"failover": "code", "tests": "tests"}.get(path.relative_to(ROOT).parts[0])
        if kind:
            written[kind] += sum(1 for line in _lines(path) if line.strip())
    ratio = written["tests"] / written["code"]
    low, high = TESTS_TO_CODE
    assert low <= ratio <= high, f"{written} non-blank lines: {ratio:.2f}, asked are {low} to {high}"


@pytest.mark.parametrize("path", PYTHON, ids=_name)
def test_a_module_is_named_after_what_it_is_about(path: Path) -> None:
    """A drawer for anything gets filled with anything."""
    words = set(re.split(r"[_/.]", _name(path).lower()))
    assert not words & BANNED_WORDS, f"{_name(path)}: name it after what it is about"


@pytest.mark.parametrize("path", PYTHON, ids=_name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """The first thing read is a sentence."""
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), f"{_name(path)} has no docstring"


@pytest.mark.parametrize("path", PYTHON, ids=_name)
def test_what_silences_a_tool_says_why(path: Path) -> None:
    """`# noqa: S603  our own words`, `# type: ignore[misc]  # pybreaker says so`: a code and a reason."""
    bare = [
        f"{_name(path)}:{line}: {comment}"
        for line, comment in _comments(path)
        if SUPPRESSION.search(comment) and not REASONED.search(comment)
    ]
    assert not bare, "give the code and, after it on the same line, the reason:\n" + "\n".join(bare)


@cache
def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


def _found(pattern: str) -> list[str]:
    return [
        f"{_name(path)}:{_text(path).count(chr(10), 0, hit.start()) + 1}"
        for path in published()
        for hit in re.finditer(pattern, _text(path))
    ]


@pytest.mark.parametrize("what", TRACES)
def test_nothing_published_holds(what: str) -> None:
    """Neither secrets nor the place a file was written at. A test makes its fake keys at run time."""
    hits = _found(TRACES[what])
    assert not hits, f"{what} stands in {hits}"


def test_nothing_is_left_for_later() -> None:
    """What is not done is an issue or a sentence in the documentation, not a mark in a file."""
    hits = [hit for hit in _found(UNFINISHED) if not hit.startswith("cassettes/")]
    assert not hits, f"unfinished: {hits}"


def test_the_front_door_is_small() -> None:
    """Fifteen names at most; who needs more knows which room to ask."""
    names = failover.__all__
    assert 0 < len(names) <= FRONT_DOOR_NAMES
    assert len(set(names)) == len(names)


def _public_parts(name: str) -> Iterator[tuple[str, object]]:
    thing = getattr(failover, name)
    yield name, thing
    if isinstance(thing, type):
        for part, value in vars(thing).items():
            if not part.startswith("_") and (callable(value) or isinstance(value, property | classmethod)):
                yield f"{name}.{part}", value


def test_everything_at_the_front_door_is_documented() -> None:
    """Classes, functions and methods; the signature a dataclass writes itself is no documentation."""
    mute = [
        part
        for name in failover.__all__
        for part, thing in _public_parts(name)
        if (callable(thing) or isinstance(thing, property | classmethod))
        and (not thing.__doc__ or thing.__doc__.startswith(f"{part}("))
    ]
    assert not mute, f"no docstring: {mute}"


def test_the_changelog_tells_of_this_version() -> None:
    """An entry for users, with at least one line in it."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    sections = dict(re.findall(r"^## \[([^\]]+)\][^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert re.search(r"^- \S", sections.get(PROJECT["version"], ""), re.MULTILINE)


def _plain(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


def test_the_lock_pins_every_requirement_with_hashes_and_no_address() -> None:
    """It installs with `--require-hashes` from whatever index the reader uses; `make lock` writes it."""
    pin = r"^([a-z0-9][\w.-]*)==\S+[^\n]*\n(?: +--hash=sha256:[0-9a-f]{64}[ \\]*\n)+"
    pins = re.findall(pin, LOCK, re.MULTILINE)
    extras = PROJECT["optional-dependencies"].values()
    asked = {_plain(name) for name in chain(PROJECT["dependencies"], *extras)}
    missing = asked - set(pins) - {PROJECT["name"]}
    assert not missing, f"run `make lock`: {sorted(missing)}"
    assert len(pins) == len(re.findall(r"^[a-z0-9]", LOCK, re.MULTILINE))
    assert "://" not in LOCK
