"""The pytest plugin: scenario files are tests, and `virtual_time` runs an async test on virtual time.

Every run of pytest loads this module where failover is installed: it imports nothing but pytest itself,
and looks at nothing but YAML files that it was pointed at (`docs/testing.md`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from failover.chaos.modes.virtual_loop import VirtualLoop
    from failover.testing.virtual import VirtualTime

VIRTUAL_TIME = "virtual_time"
SEED = "failover_seed"
GIVEN = "failover_given"
LOOPS = pytest.StashKey["_VirtualLoops"]()
_LITELLM_WARNS = (
    "ignore:Item '.*' on TypedDict class:UserWarning",
    "ignore:Accessing the 'model_.*fields'",
)
"""pydantic's warnings about litellm's own types: whose test it is could not help them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of scenario files that are run as tests."""
    group = parser.getgroup("failover", "failover: scenario files as tests")
    group.addoption(
        "--failover-config", metavar="FILE", help="Drill this config instead of the one a scenario names."
    )
    group.addoption("--failover-seed", metavar="N", type=int, default=0, help="The first seed. Default: 0.")
    group.addoption(
        "--failover-seeds", metavar="N", type=int, default=1, help="Drill with so many seeds. Default: 1."
    )
    group.addoption(
        "--failover-mode",
        choices=("simulate", "replay"),
        help="Drill in this mode only. Default: in each that the scenario allows.",
    )
    parser.addini(
        "failover_scenarios",
        "Folders and files of scenarios: every YAML file there that is no config is a test.",
        type="paths",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse numbers that make no sense before anything is collected."""
    if config.getoption("--failover-seeds") < 1:
        raise pytest.UsageError("--failover-seeds: at least one seed is needed")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A collector for a YAML file that holds a scenario, None for every other file."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    from failover.testing.collection import ScenarioFile, is_wanted

    if not is_wanted(file_path, parent.config):
        return None
    collector: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return collector


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist what was asked for: its own command line says it otherwise."""
    from failover.testing.collection import given

    node.workerinput[GIVEN] = [str(path) for path in given(node.config)]


@pytest.hookimpl(wrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None]:
    """A test with `virtual_time` gets a virtual loop, one with `failover_seed` runs with each seed."""
    config = metafunc.config
    if SEED in metafunc.fixturenames:
        first, count = config.getoption("--failover-seed"), config.getoption("--failover-seeds")
        seeds = range(first, first + count)
        metafunc.parametrize(SEED, seeds, ids=[f"seed{seed}" for seed in seeds], indirect=True)
    if VIRTUAL_TIME not in metafunc.fixturenames or not _asks_for_loops(config):
        return (yield)
    loops = config.stash.setdefault(LOOPS, _VirtualLoops())
    # Only while pytest-asyncio asks about this test: every other keeps the loop that it has.
    config.pluginmanager.register(loops)
    try:
        return (yield)
    finally:
        config.pluginmanager.unregister(loops)


def pytest_itemcollected(item: pytest.Item) -> None:
    """A test on virtual time is not failed by warnings about litellm's own types."""
    if VIRTUAL_TIME in getattr(item, "fixturenames", ()):
        for warning in _LITELLM_WARNS:
            item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture
def virtual_time(request: pytest.FixtureRequest) -> Iterator[VirtualTime]:
    """The async test runs on virtual time: `await asyncio.sleep(3600)` takes none, and deadlocks are told.

    Its value tells the time (`now_s`) and waits for one (`await virtual_time.until(90)`).
    """
    if request.node.get_closest_marker("asyncio") is None:
        pytest.fail("virtual_time is for async tests of pytest-asyncio: see asyncio_mode", pytrace=False)
    if not _asks_for_loops(request.config):
        pytest.fail("virtual_time needs pytest-asyncio 1.4 or newer", pytrace=False)
    from failover.chaos.modes.virtual_loop import threads_inlined
    from failover.testing.virtual import VirtualTime

    with threads_inlined():
        yield VirtualTime(request.config.stash[LOOPS].now_s())


@pytest.fixture
def failover_seed(request: pytest.FixtureRequest) -> int:
    """A seed of `--failover-seed` and `--failover-seeds`; the test runs once with each."""
    seed: int = request.param
    return seed


class _VirtualLoops:
    """What pytest-asyncio asks for the loop of a test on virtual time."""

    def __init__(self) -> None:
        self._made: VirtualLoop | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_asyncio_loop_factories(self) -> Mapping[str, Any]:
        """Nothing but virtual time."""
        return {"virtual": self.make}

    def make(self) -> VirtualLoop:
        """A new loop."""
        from failover.chaos.modes.virtual_loop import VirtualLoop

        self._made = VirtualLoop()
        return self._made

    def now_s(self) -> float:
        """What time it is before the test: later than 0 where its loop served others of the same scope."""
        return 0.0 if self._made is None or self._made.is_closed() else self._made.time()


def _asks_for_loops(config: pytest.Config) -> bool:
    """Whether pytest-asyncio is there, and new enough to take a loop from others."""
    return hasattr(config.hook, "pytest_asyncio_loop_factories")
