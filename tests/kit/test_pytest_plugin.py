"""Scenario files as tests of pytest, and tests on virtual time; pytest itself runs them here."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

# Loaded before pytester takes its picture of the modules: else each inner run would make new ones.
import failover.chaos.drill
import failover.chaos.modes.replay
import failover.report.terminal
import failover.testing.collection
import failover.testing.drilled
import failover.testing.drills
import failover.testing.scripted
import failover.testing.virtual  # noqa: F401  # the same
from failover.adapters.loading import load_litellm
from tests.drills.worlds import CONFIG, STORY

pytest_plugins = "pytester"

ROOT = Path(__file__).parents[2]
INSTALLED = any(found.name == "failover" for found in importlib.metadata.entry_points(group="pytest11"))
# An installed plugin is loaded by its own name: twice under two names it would be refused.
PLUGIN = tuple(
    word
    for plugin in (
        "failover" if INSTALLED else "failover.pytest_plugin",
        *("no:randomly", "no:cacheprovider", "no:langsmith_plugin", "no:llmock"),
    )
    for word in ("-p", plugin)
)
INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """Before pytester takes its picture of the modules, too: litellm does not survive being loaded twice."""
    load_litellm()


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a scenario that passes quickly, beside its config."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "remembered"))
    folder = pytester.mkdir("scenarios")
    (folder / "failover.yaml").write_text(CONFIG, "utf-8")
    (folder / "cassettes").mkdir()
    wrote(pytester, "scenarios/story.yaml", modes=["simulate"])
    (pytester.path / "pytest.ini").write_text(INI, "utf-8")
    return pytester


def wrote(project: pytest.Pytester, name: str, **changes) -> None:
    """The story with these keys changed; None takes a key away."""
    story = {**yaml.safe_load(STORY), "steady_state": {"requests_min": 10}, **changes}
    kept = {key: value for key, value in story.items() if value is not None}
    (project.path / name).write_text(yaml.safe_dump(kept), "utf-8")


def ran(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_inprocess(*PLUGIN, *arguments)


def collected(project: pytest.Pytester, *arguments: str) -> list[str]:
    """The tests that would run, in order."""
    lines = ran(project, "--collect-only", "-q", *arguments).outlines
    return [line for line in lines if "::" in line]


STORY_ID = "scenarios/story.yaml::story[simulate]"


def test_a_folder_of_scenarios_is_a_folder_of_tests(project) -> None:
    """One for each mode that a scenario allows; the config beside them is none."""
    wrote(project, "scenarios/whole.yaml")
    whole = [f"scenarios/whole.yaml::whole[{mode}]" for mode in ("simulate", "replay")]
    assert collected(project, "scenarios") == [STORY_ID, *whole]
    assert collected(project, "scenarios", "--failover-mode", "simulate") == [STORY_ID, whole[0]]
    assert collected(project, "scenarios/whole.yaml") == whole
    assert collected(project, whole[1]) == [whole[1]]


def test_each_seed_is_a_test_of_its_own(project) -> None:
    expected = [f"scenarios/story.yaml::story[simulate-seed{seed}]" for seed in (7, 8, 9)]
    assert collected(project, "scenarios", "--failover-seed", "7", "--failover-seeds", "3") == expected


@pytest.mark.parametrize(
    "content",
    [
        "services: {web: {image: x}}",
        "title: A page\nconfig: theirs.yaml\n",
        "workload: heavy\n",
        "a: [1\n",
        "",
        "\0",
    ],
    ids=["compose", "a page", "one key", "broken", "empty", "binary"],
)
def test_other_yaml_is_left_alone(project, content) -> None:
    (project.path / "scenarios" / "other.yml").write_text(content, "utf-8")
    assert collected(project, "scenarios") == [STORY_ID]


@pytest.mark.parametrize(
    "arguments", [[], ["."], ["scenarios/failover.yaml"]], ids=["all", "dot", "a config"]
)
def test_nobody_gets_tests_that_they_did_not_point_at(project, arguments) -> None:
    assert collected(project, *arguments) == []


def test_a_folder_that_the_configuration_names_is_always_looked_at(project) -> None:
    """There a file with a misspelt key is a mistake, and never passed over."""
    (project.path / "pytest.ini").write_text(f"{INI}failover_scenarios = scenarios\n", "utf-8")
    assert collected(project) == [STORY_ID]
    (project.path / "scenarios" / "typo.yaml").write_text("titel: x\nworklaod: {}\n", "utf-8")
    result = ran(project)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR collecting scenarios/typo.yaml*", "*unknown key 'titel'*'title'*"])


def test_testpaths_point_at_scenarios_too(project) -> None:
    (project.path / "pytest.ini").write_text(f"{INI}testpaths = scenarios\n", "utf-8")
    assert collected(project) == [STORY_ID]


def test_what_is_wrong_with_a_file_is_told_at_once_and_without_a_traceback(project) -> None:
    wrote(project, "scenarios/wrong.yaml", config=None, confg="failover.yaml", workload={"rate_per_s": -5})
    result = ran(project, "scenarios/wrong.yaml")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "scenarios/wrong.yaml:*the key 'config' is missing",
            "scenarios/wrong.yaml:*did you mean 'config'?",
            "scenarios/wrong.yaml:*must be greater than 0, got -5",
        ],
        consecutive=False,
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_every_verdict_is_an_outcome_that_can_be_read(project) -> None:
    """Passed, failed, nothing shown, skipped, and a config that is not there."""
    simulated = {"modes": ["simulate"]}
    wrote(project, "scenarios/slow.yaml", expect={"latency_p95_max_s": 0.01}, **simulated)
    wrote(project, "scenarios/void.yaml", inject=[{"kind": "outage", "provider": "openai"}], **simulated)
    wrote(project, "scenarios/absent.yaml", cassettes="no", when_cassettes_absent="skip", **simulated)
    wrote(project, "scenarios/lost.yaml", config="lost-config.yaml", **simulated)
    result = ran(project, "scenarios", "-rA", "--junitxml", "junit.xml")
    result.assert_outcomes(passed=1, failed=3, skipped=1)
    result.stdout.fnmatch_lines_random(
        [
            "PASSED scenarios/story.yaml::story*",
            "failed: expectation latency_p95_max_s: 0.01 was asked, * was measured",
            "FAILED  slow  (simulate, seed 0)",
            "  reproduce: failover drill scenarios/slow.yaml --seed 0 --mode simulate",
            "nothing was shown: no steady state: *",
            "scenarios/lost-config.yaml: there is no such file",
            "SKIPPED * its cassettes are not here: *",
        ]
    )
    result.stdout.no_fnmatch_line("*Error*")
    assert "journal_sha256" in (project.path / "junit.xml").read_text("utf-8")


def test_another_config_can_be_drilled_and_a_mode_that_is_not_allowed_is_skipped(project) -> None:
    (project.path / "mine.yaml").write_text(CONFIG.replace("chat:", "talk:"), "utf-8")
    result = ran(project, "scenarios", "--failover-config", "mine.yaml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*mine.yaml has no route 'chat'; it has: talk*"])
    ran(project, "scenarios", "--failover-mode", "replay").assert_outcomes(skipped=1)


def test_a_number_of_seeds_that_makes_no_sense_is_refused(project) -> None:
    result = ran(project, "--failover-seeds", "0")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--failover-seeds: at least one seed is needed"])


def test_an_async_test_runs_on_virtual_time_with_its_fixtures_and_no_other_does(project) -> None:
    project.makepyfile(
        """
        import asyncio
        import pytest
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def slow(virtual_time):
            await asyncio.sleep(100)
            yield virtual_time.now_s
            await asyncio.sleep(100)

        async def test_a_year_takes_no_time(virtual_time):
            await asyncio.sleep(365 * 86_400)
            assert virtual_time.now_s == 365 * 86_400

        async def test_fixtures_too(slow, virtual_time):
            await virtual_time.until(150)
            await virtual_time.until(50)
            assert (slow, virtual_time.now_s) == (100, 150)

        async def test_work_in_threads_runs_inline(virtual_time):
            assert await asyncio.to_thread(lambda: 42) == 42

        @pytest.mark.usefixtures("virtual_time")
        class TestAll:
            async def test_by_a_mark(self):
                await asyncio.sleep(3600)
                assert asyncio.get_running_loop().time() == 3600

        @pytest.mark.parametrize("hours", [1, 2])
        async def test_with_parameters(virtual_time, hours):
            await asyncio.sleep(hours * 3600)

        async def test_real_time_stays_real():
            assert type(asyncio.get_running_loop()).__name__ != "VirtualLoop"

        async def test_seeds(virtual_time, failover_seed):
            assert failover_seed in (4, 5)
        """
    )
    result = ran(project, "--failover-seed", "4", "--failover-seeds", "2", "-v")
    result.assert_outcomes(passed=9)
    result.stdout.fnmatch_lines(["*::test_a_year_takes_no_time PASSED*", "*test_seeds[[]seed5] PASSED*"])


def test_waiting_for_ever_fails_and_names_the_line_that_waits(project) -> None:
    project.makepyfile(
        """
        import asyncio

        async def waits():
            await asyncio.Event().wait()

        async def test_waits(virtual_time):
            await waits()
        """
    )
    result = ran(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*DeadlockError*waiting for ever: Task-*.py:4 in waits)*"])


def test_virtual_time_says_what_it_is_not_for(project) -> None:
    project.makepyfile("def test_plain(virtual_time): pass")
    result = ran(project)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["virtual_time is for async tests of pytest-asyncio*"])
    old = project.runpytest_inprocess(*PLUGIN, "-p", "no:asyncio", "-c", str(project.makeini("[pytest]")))
    old.assert_outcomes(errors=1)


def test_a_loop_that_a_project_chose_for_its_tests_stays_theirs(project) -> None:
    project.makeconftest(
        """
        import asyncio

        class Theirs(asyncio.SelectorEventLoop):
            pass

        def pytest_asyncio_loop_factories(config, item):
            return {"theirs": Theirs}
        """
    )
    project.makepyfile(
        """
        import asyncio
        import pytest

        pytestmark = pytest.mark.asyncio

        async def test_theirs():
            assert type(asyncio.get_running_loop()).__name__ == "Theirs"

        async def test_ours(virtual_time):
            assert type(asyncio.get_running_loop()).__name__ == "VirtualLoop"
        """
    )
    ran(project, "--asyncio-mode", "strict").assert_outcomes(passed=2)


def test_virtual_time_begins_at_zero_also_where_tests_share_a_loop(project) -> None:
    project.makepyfile(
        """
        import asyncio
        import pytest

        loops = set()

        @pytest.mark.parametrize("number", range(3))
        async def test_ours(virtual_time, number):
            assert virtual_time.now_s == 0
            await asyncio.sleep(3600)

        @pytest.mark.parametrize("number", range(3))
        async def test_theirs(number):
            loops.add(asyncio.get_running_loop())
            assert len(loops) == 1
        """
    )
    ran(project, "-o", "asyncio_default_test_loop_scope=session").assert_outcomes(passed=6)


def test_workers_collect_and_run_the_same(project) -> None:
    """A worker's command line is made by xdist, and names other paths than the user's."""
    project.mkdir("nightly")
    (project.path / "nightly" / "failover.yaml").write_text(CONFIG, "utf-8")
    wrote(project, "nightly/absent.yaml", cassettes="no", when_cassettes_absent="skip", modes=["replay"])
    project.makepyfile(test_bare="def test_bare(): pass")
    result = project.runpytest_subprocess(*PLUGIN, "-n", "1", "nightly", "test_bare.py")
    result.assert_outcomes(passed=1, skipped=1)


def test_the_plugin_is_registered_and_costs_nothing_where_it_is_not_used(project) -> None:
    package = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert package["project"]["entry-points"]["pytest11"] == {"failover": "failover.pytest_plugin"}
    script = (
        "import sys, pytest; had = {*sys.modules}; import failover.pytest_plugin; print({*sys.modules} - had)"
    )
    done = subprocess.run(  # noqa: S603  our own interpreter and our own words
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ast.literal_eval(done.stdout) == {"failover", "failover.pytest_plugin"}
