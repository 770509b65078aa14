"""Scenario files as tests of pytest: which files are meant, and what becomes of each."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr

    from failover.chaos.scenario import Scenario

_KEYS = re.compile(
    rb"^[\"']?(title|config|workload|inject|expect|providers|targets|routes)[\"']?[ \t]*:", re.MULTILINE
)
_CONFIG_KEYS = {b"providers", b"targets", b"routes"}
_SEARCHED_BYTES = 2**20
_EXTRA = {"orjson", "rich", "vcr"}
"""What the extra `drill` brings."""


def given(config: pytest.Config) -> list[Path]:
    """The files and folders that this run was pointed at: by arguments or by `testpaths`.

    The whole tree is no folder that anybody points at: `pytest` and `pytest .` find the YAML files of
    everything else there.
    """
    sent = getattr(config, "workerinput", {}).get("failover_given")
    if sent is not None:
        return [Path(each) for each in sent]
    if config.args_source is pytest.Config.ArgsSource.INVOCATION_DIR:
        return []
    here = config.invocation_params.dir
    paths = [Path(os.path.normpath(here / argument.partition("::")[0])) for argument in config.args]
    return [path for path in paths if path != config.rootpath and path not in config.rootpath.parents]


def is_wanted(file: Path, config: pytest.Config) -> bool:
    """Whether the YAML `file` is meant to be a test.

    Where somebody said that scenarios are (the file itself as an argument, or the ini option
    `failover_scenarios`) everything is one that is no config, so that a misspelt one is complained
    about. In other folders of the command line only what looks like one: `workload` or `inject`, and
    another key of a scenario.
    """
    asked = given(config)
    declared: list[Path] = [Path(os.path.normpath(path)) for path in config.getini("failover_scenarios")]
    if file not in asked and not _inside(file, [*asked, *declared]):
        return False
    keys = _top_keys(file)
    if keys & _CONFIG_KEYS:
        return False
    if file in asked or _inside(file, declared):
        return True
    return bool(keys & {b"workload", b"inject"}) and len(keys) > 1


def _inside(file: Path, folders: Iterable[Path]) -> bool:
    return any(folder == file or folder in file.parents for folder in folders)


def _top_keys(file: Path) -> set[bytes]:
    """Those of our keys that stand at the beginning of a line: nothing is parsed for it."""
    try:
        with file.open("rb") as stream:
            return set(_KEYS.findall(stream.read(_SEARCHED_BYTES)))
    except OSError:
        return set()


class ScenarioFile(pytest.File):
    """A scenario file: one test for each mode and seed."""

    def collect(self) -> Iterator[ScenarioItem]:
        """The tests. What is wrong with the file is told all at once, without a traceback."""
        with _told_in_words(self.CollectError, self.config):
            from failover.chaos.scenario import load_scenario

            scenario = load_scenario(self.path)
        options = self.config.option
        seeds = range(options.failover_seed, options.failover_seed + options.failover_seeds)
        modes = (options.failover_mode,) if options.failover_mode else scenario.modes
        for mode in modes:
            for seed in seeds:
                which = f"{mode}-seed{seed}" if len(seeds) > 1 else mode
                name = f"{scenario.name}[{which}]"
                yield ScenarioItem.from_parent(self, name=name, scenario=scenario, mode=mode, seed=seed)


class NotPassedError(Exception):
    """A drill did not pass; the message is all there is to read."""


class ScenarioItem(pytest.Item):
    """One drill: passes when it passed; fails when it failed or showed nothing."""

    def __init__(self, *, scenario: Scenario, mode: str, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self._scenario = scenario
        self._mode = mode
        self._seed = seed

    def runtest(self) -> None:
        """Drill. The digest of the journal goes into the JUnit report, as a property."""
        if self._mode not in self._scenario.modes:
            pytest.skip(f"asked to {self._mode}, and it is only for: {', '.join(self._scenario.modes)}")
        with _told_in_words(NotPassedError, self.config), _at_peace():
            from failover.chaos.drill import run_drill
            from failover.chaos.meeting import SkippedDrill
            from failover.testing.drills import DrillFailedError

            config = self.config.option.failover_config
            chosen = None if config is None else self.config.invocation_params.dir / config
            try:
                verdict = run_drill(self._scenario, seed=self._seed, mode=self._mode, config=chosen)
            except SkippedDrill as skipped:
                pytest.skip(str(skipped))
        self.user_properties.append(("journal_sha256", verdict.journal_sha256))
        if verdict.verdict.value != "passed":
            raise DrillFailedError(verdict)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None
    ) -> str | TerminalRepr:
        """The verdict as people read it; a traceback only where it is our own bug."""
        from failover.testing.drills import DrillFailedError

        if isinstance(excinfo.value, NotPassedError | DrillFailedError):
            return _from_here(str(excinfo.value), self.config)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands, for reports."""
        return self.path, 0, self.name


@contextmanager
def _told_in_words(kind: type[Exception], config: pytest.Config) -> Iterator[None]:
    """Errors of whoever wrote the files come out as `kind`, with nothing but their words."""
    try:
        yield
    except Exception as error:
        words = _words(error)
        if words is None:
            raise
        raise kind(_from_here(words, config)) from error


def _from_here(text: str, config: pytest.Config) -> str:
    """The text with its paths as they are typed here: whoever reads a log has the tree elsewhere."""
    return text.replace(f"{config.invocation_params.dir}{os.sep}", "")


def _words(error: Exception) -> str | None:
    if isinstance(error, ModuleNotFoundError) and error.name in _EXTRA:
        return f"{error.name} is not installed: pip install 'failover[pytest]'"
    from failover.errors import CassetteError, ConfigError

    return str(error) if isinstance(error, ConfigError | CassetteError) else None


@contextmanager
def _at_peace() -> Iterator[None]:
    """Warnings of the client libraries are not the scenario's; nobody looks for tokenizers on the network."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as environment:
        warnings.simplefilter("ignore")
        environment.setenv("HF_HUB_OFFLINE", os.environ.get("HF_HUB_OFFLINE", "1"))
        yield
