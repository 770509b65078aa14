"""The house has floors: imports point down only, and the core touches nothing that it cannot be handed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground up. A module may import its own room and the rooms before it.
# A `*` takes whatever stands in a package; a new module of the core is named, since its floor matters.
ROOMS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("core.quick",),
    ("core", "core.policy"),
    ("core.capabilities",),
    ("core.vocabulary",),
    ("core.headroom", "core.limits"),
    ("core.counting",),
    ("core.records",),
    ("core.failures",),
    ("core.substitution", "core.refusals", "core.doubts"),
    ("core.calendar_events",),
    ("core.rates", "core.peaks"),
    ("core.spend_events", "core.world_events"),
    ("core.events",),
    ("core.messages",),
    ("core.prices",),
    ("core.lifecycle",),
    ("core.terms",),
    ("core.governance",),
    ("core.stats", "core.ramp"),
    ("core.breaker_storage",),
    ("core.breaker",),
    ("core.fate",),
    ("core.evidence",),
    ("core.spend",),
    ("core.alarms",),
    ("core.backoff",),
    ("core.budget",),
    ("core.target_state",),
    ("core.retiring",),
    ("core.learned",),
    ("core.controls",),
    ("core.spending",),
    ("core.strategies",),
    ("core.standing_back",),
    ("core.decide",),
    ("core.warmth",),
    ("core.asked", "core.floors", "core.purse"),
    ("core.leave",),
    ("core.candidates",),
    ("core.logbook",),
    ("core.endings", "core.attempt_limits"),
    ("core.attempts",),
    ("core.hedging",),
    ("core.call",),
    ("tokens",),
    ("adapters", "adapters.*"),
    ("cassettes", "cassettes.*"),
    ("documents", "documents.*", "config", "config.*", "config_*"),
    ("price_map",),
    ("price_sources", "price_sources.*"),
    ("known_models", "canaries", "catalogue", "lifecycles", "outlook"),
    ("ledger", "ledger.*"),
    ("audit", "audit.*"),
    (
        "router",
        "router_*",
        "attempts",
        "driver",
        "errands",
        "in_force",
        "needs",
        "openai_*",
        "outbox",
        "reloading",
        "reply",
        "snapshot",
        "stream",
        "sync_*",
        "thread_driver",
        "watchdog",
        "watched_strategies",
    ),
    ("telemetry", "telemetry.*"),
    ("shipped",),
    ("chaos", "chaos.*"),
    ("costs", "costs.*"),
    ("plan", "plan.*"),
    ("report", "report.*"),
    ("testing", "testing.*"),
    ("pytest_plugin", "cli", "cli.*", "__main__"),
    ("",),  # failover/__init__.py, the front door
)

# Only to annotate: an error carries what the core observed, and the core raises none of them.
MAY_NAME_HIGHER_TYPES = {"errors"}

FROM_OUTSIDE = {
    "core.breaker_storage": {"pybreaker"},
    "core.breaker": {"pybreaker"},
    "core.backoff": {"tenacity"},
}

INSTEAD = {
    "time": "take `now` as an argument",
    "random": "take an `Rng` as an argument",
    "uuid": "take the identity as an argument",
    "secrets": "take the identity as an argument",
    "asyncio": "answer with a command; a driver waits",
    "threading": "answer with a command; a driver locks",
    "concurrent": "answer with a command; a driver runs it",
    "socket": "answer with a command; an adapter sends",
    "ssl": "answer with a command; an adapter sends",
    "http": "answer with a command; an adapter sends",
    "urllib": "answer with a command; an adapter sends",
    "os": "take the value as an argument",
    "pathlib": "take the content as an argument",
    "io": "take the content as an argument",
    "subprocess": "answer with a command; a driver runs it",
    "logging": "return an event; who subscribes may log it",
    "litellm": "only adapters know litellm: take a `Failure`, a `Usage` or a price as an argument",
}
CLOCK_METHODS = {"now", "utcnow", "today"}

MUTABLE_LITERALS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_MAKERS = {"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "count"}
MUTATORS = {"add", "append", "clear", "extend", "insert", "pop", "remove", "setdefault", "update", "discard"}


@dataclass(frozen=True)
class Import:
    """One import statement: the full name of what is imported, and where."""

    name: str
    line: int
    only_types: bool


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package, by its name inside `failover` (empty: the front door)."""
    found = {}
    for path in sorted((ROOT / "failover").rglob("*.py")):
        parts = path.relative_to(ROOT / "failover").with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = ast.parse(path.read_text("utf-8"))
    return found


def floor(module: str) -> int | None:
    """The index of the first room that has a place for `module`; an exact name beats a pattern."""
    for matches in (str.__eq__, fnmatch):
        for index, room in enumerate(ROOMS):
            if any(matches(module, place) for place in room):
                return index
    return None


def _type_checking_nodes(tree: ast.Module) -> set[ast.AST]:
    guards = (node for node in ast.walk(tree) if isinstance(node, ast.If))
    guarded = (guard for guard in guards if "TYPE_CHECKING" in ast.unparse(guard.test))
    return {node for guard in guarded for statement in guard.body for node in ast.walk(statement)}


def _imported_names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=str(source), names=names):  # ruff forbids relative imports
            for alias in names:
                inner = f"{source}.{alias.name}"
                yield inner if inner.removeprefix("failover.") in modules() else source
        case ast.Call(func=called, args=[ast.Constant(value=str(name)), *_]):
            if ast.unparse(called).split(".")[-1] in {"import_module", "__import__"}:
                yield name


def imports_of(module: str) -> list[Import]:
    """Every import of `module`, also those inside functions and by name."""
    tree = modules()[module]
    only_types = _type_checking_nodes(tree)
    return [
        Import(name, getattr(node, "lineno", 0), node in only_types)
        for node in ast.walk(tree)
        for name in _imported_names(node)
    ]


def own_imports_of(module: str) -> list[tuple[str, Import]]:
    """The imports of `module` that stay in the house, with the module they name."""
    return [
        (name.name.removeprefix("failover").removeprefix("."), name)
        for name in imports_of(module)
        if name.name.split(".")[0] == "failover"
    ]


CORE = sorted(name for name in modules() if name == "core" or name.startswith("core."))


def test_every_module_belongs_to_a_room() -> None:
    """A new module says which floor it lives on before it says anything else."""
    homeless = [module for module in modules() if floor(module) is None]
    assert not homeless, f"add {homeless} to ROOMS in {__file__}: as low as their imports allow"


@pytest.mark.parametrize("module", modules())
def test_imports_point_down(module: str) -> None:
    """What is below cannot know what is above it."""
    here = floor(module)
    complaints = [
        f"line {found.line}: `{module}` imports `{target or 'the front door'}`, which is above it; "
        "move what both need down, or hand it in as an argument"
        for target, found in own_imports_of(module)
        if not (found.only_types and module in MAY_NAME_HIGHER_TYPES)
        and here is not None
        and (floor(target) if floor(target) is not None else -1) > here
    ]
    assert not complaints, "\n".join(complaints)


def test_rooms_have_no_cycles() -> None:
    """Two modules that import each other are one module, or three."""
    graph = {
        module: {target for target, found in own_imports_of(module) if target not in {module, ""}}
        for module in modules()
        if module not in MAY_NAME_HIGHER_TYPES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"{' -> '.join(error.args[1])}: move what both need into a third module below them")


@pytest.mark.parametrize("module", CORE)
def test_the_core_imports_nothing_it_could_be_handed(module: str) -> None:
    """It waits for nothing, reads no clock, draws no number: the same inputs give the same decision."""
    allowed = FROM_OUTSIDE.get(module, set()) | {"failover"}
    complaints = []
    for found in imports_of(module):
        top = found.name.split(".")[0]
        if top in INSTEAD:
            complaints.append(f"line {found.line}: the core imports no `{top}`: {INSTEAD[top]}")
        elif top not in sys.stdlib_module_names and top not in allowed:
            complaints.append(f"line {found.line}: `{top}` comes from outside: keep it at the edge")
    assert not complaints, f"{module}:\n" + "\n".join(complaints)


@pytest.mark.parametrize("module", CORE)
def test_the_core_reads_no_clock(module: str) -> None:
    """`datetime` may be computed with, never asked for the time."""
    complaints = [
        f"line {node.lineno}: `{ast.unparse(node)}` reads the clock: take `now` as an argument"
        for node in ast.walk(modules()[module])
        if isinstance(node, ast.Attribute)
        and node.attr in CLOCK_METHODS
        and ast.unparse(node.value).split(".")[-1] in {"datetime", "date"}
    ]
    assert not complaints, f"{module}:\n" + "\n".join(complaints)


def _bindings(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from ((ast.unparse(target), node.value) for target in node.targets)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield ast.unparse(node.target), node.value


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).split(".")[-1] in MUTABLE_MAKERS
    return isinstance(value, MUTABLE_LITERALS)


def _is_constant(name: str) -> bool:
    return name == name.upper() or name == "__all__"


def _changes(tree: ast.Module, names: set[str]) -> Iterator[tuple[int, str]]:
    """Where a module-level table is written to after it was made."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()) if name in names:
                yield node.lineno, name
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if (
                name in names and method in MUTATORS
            ):
                yield node.lineno, name
            case ast.Global(names=changed):
                yield from ((node.lineno, name) for name in changed)


@pytest.mark.parametrize("module", modules())
def test_no_module_holds_mutable_state(module: str) -> None:
    """Several routers live in one process: what they learn belongs to them, not to a module."""
    tree = modules()[module]
    mutable = {name for name, value in _bindings(tree) if _is_mutable(value)}
    complaints = [
        f"`{name}` is module-level state: make it an attribute of who owns it, or an UPPER_CASE constant"
        for name in sorted(mutable)
        if not _is_constant(name)
    ]
    complaints += [
        f"line {line}: `{name}` is changed at run time: make it an attribute of who owns it"
        for line, name in _changes(tree, mutable)
    ]
    assert not complaints, f"{module}:\n" + "\n".join(complaints)


HELP = """
from click.testing import CliRunner
from failover.cli import main
assert CliRunner().invoke(main, ["--help"]).exit_code == 0
"""


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        pytest.param(
            "import failover",
            {"litellm", "pydantic", "vcr", "hypothesis", "httpx", "click", "yaml", "rich"},
            id="import failover",
        ),
        pytest.param(
            HELP,
            {"litellm", "pydantic", "vcr", "hypothesis", "httpx", "orjson", "rich"},
            id="failover --help",
        ),
    ],
)
def test_what_is_heavy_loads_when_first_used(statement: str, unwanted: set[str]) -> None:
    """Importing costs milliseconds, and works where only the base requirements are installed."""
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(  # noqa: S603  our own interpreter and our own words
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = sorted(unwanted & set(done.stdout.split()))
    assert not loaded, f"{loaded} are loaded too early: import them in the functions that use them"
