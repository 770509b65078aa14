"""`failover drill`: what it prints, what it writes, and how it ends. What runs a drill is a stand-in here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from failover.chaos import drill, finding, meeting
from failover.cli.drill import command
from failover.cli.interruption import Interruption
from failover.errors import CassetteError, Complaint, ConfigError
from tests.drills.journals import OUTAGE, Journal, calm, scenario, verdict_on, weathered

ROOT = Path(__file__).parents[2]


def passing(where):
    return verdict_on(calm(), where)


def failing(where):
    slow = scenario(OUTAGE, name=where.name, expect={"latency_p95_max_s": 0.1})
    return verdict_on(weathered(), slow)


def showing_nothing(where):
    return verdict_on(Journal(), where)


def skipping(_where):
    raise meeting.SkippedDrill("its cassettes are not here")


def misread(_where):
    raise ConfigError(
        [Complaint("failover.yaml", 3, "routes", "wrong"), Complaint("failover.yaml", 4, "", "x")]
    )


def without_cassettes(_where):
    raise CassetteError("cassettes: there is no such folder")


def interrupted(where):
    os.kill(os.getpid(), signal.SIGINT)
    raise AssertionError(where)


def swallowing(where):
    """A library that takes Ctrl-C for any other error, as an import of 3.11 may."""
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt as error:
        raise RuntimeError(where.name) from error


def crashing(where):
    raise ZeroDivisionError(where.name)


class Drills:
    """A stand-in for `run_drill` and `find_scenarios`: scenarios by name, and what becomes of each."""

    def __init__(self, monkeypatch):
        self.asked = []
        self.outcomes = {}
        self.scenarios = []
        monkeypatch.setattr(finding, "find_scenarios", lambda _paths: self.scenarios)
        monkeypatch.setattr(drill, "run_drill", self.run_drill)

    def have(self, **outcomes):
        for name, outcome in outcomes.items():
            self.add(scenario(name=name), outcome)

    def add(self, where, outcome):
        self.scenarios.append(where)
        self.outcomes[where.name] = outcome

    def run_drill(self, where, **asked):
        self.asked.append({"scenario": where.name, **asked})
        return self.outcomes[where.name](where)


@pytest.fixture
def drills(monkeypatch):
    return Drills(monkeypatch)


def run(*words):
    return CliRunner().invoke(command, ["scenarios", *map(str, words)])


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ({"a": passing}, 0),
        ({"a": passing, "b": skipping}, 0),
        ({"a": skipping}, 0),
        ({"a": passing, "b": failing}, 1),
        ({"a": passing, "b": showing_nothing}, 2),
        ({"a": showing_nothing, "b": failing}, 1),
        ({"a": misread}, 2),
        ({"a": without_cassettes}, 2),
        ({"a": misread, "b": failing}, 1),
        ({"a": interrupted}, 130),
        ({"a": failing, "b": interrupted}, 130),
        ({"a": crashing}, 2),
        ({}, 2),
    ],
)
def test_the_exit_code_says_how_it_went(drills, outcomes, code):
    drills.have(**outcomes)
    assert run().exit_code == code


def test_every_drill_is_told_and_counted(drills):
    drills.have(a=passing, b=failing, c=showing_nothing, d=skipping)
    text = run().stdout
    places = [text.index(word) for word in ("PASSED  a", "FAILED  b", "UNKNOWN c", "SKIPPED d")]
    assert places == sorted(places)
    assert "1 passed, 1 failed, 1 unknown, 1 skipped in " in text


def test_quiet_tells_only_what_did_not_pass(drills):
    drills.have(a=passing, b=skipping)
    assert run("--quiet").output == ""
    drills.have(c=failing)
    text = run("--quiet").output
    assert text.startswith("FAILED  c")
    assert "1 passed, 1 failed, 1 skipped" in text


def test_what_is_asked_reaches_the_drill(drills, tmp_path):
    drills.have(a=passing)
    words = ["--config", "other.yaml", "--cassettes", "tapes", "--seed", -3, "--mode", "replay"]
    assert run(*words, "--journal", tmp_path / "journals").exit_code == 0
    assert drills.asked == [
        {
            "scenario": "a",
            "seed": -3,
            "mode": "replay",
            "config": Path("other.yaml"),
            "cassettes": Path("tapes"),
            "journal": tmp_path / "journals" / "a.replay.seed--3.jsonl",
        }
    ]
    assert (tmp_path / "journals").is_dir()


def test_scenarios_of_one_name_write_journals_of_their_own(drills, tmp_path):
    drills.have(a=passing)
    drills.have(a=passing)
    run("--journal", tmp_path)
    assert [asked["journal"].name for asked in drills.asked] == [
        "a.simulate.seed-0.jsonl",
        "a.simulate.seed-0.2.jsonl",
    ]


def test_a_mode_that_the_scenario_does_not_name_is_skipped(drills):
    drills.add(scenario(name="live", modes=["replay"]), passing)
    done = run("--mode", "simulate")
    assert done.exit_code == 0
    assert "SKIPPED live: asked to simulate, and it is only for: replay" in done.stdout
    assert drills.asked == []


@pytest.mark.parametrize(("modes", "first"), [(["replay"], "replay"), (["replay", "simulate"], "simulate")])
def test_unasked_the_mode_is_one_that_the_scenario_names(drills, modes, first):
    drills.add(scenario(name="a", modes=modes), passing)
    run()
    assert drills.asked[0]["mode"] == first


def test_complaints_go_to_standard_error_once_each(drills):
    drills.have(a=misread, b=misread, c=passing)
    done = run()
    assert done.stderr == "failover.yaml:3: routes: wrong\nfailover.yaml:4: x\n"
    assert "PASSED  c" in done.stdout
    assert "1 passed, 2 invalid" in done.stdout


def test_files_that_cannot_be_read_are_told_all_at_once(monkeypatch):
    monkeypatch.setattr(finding, "find_scenarios", misread)
    done = run()
    assert done.exit_code == 2
    assert done.stderr.splitlines() == ["failover.yaml:3: routes: wrong", "failover.yaml:4: x"]


def test_json_on_standard_output_sends_people_to_standard_error(drills):
    drills.have(a=passing, b=failing)
    done = run("--json", "-")
    assert [verdict["verdict"] for verdict in json.loads(done.stdout)] == ["passed", "failed"]
    assert "1 passed, 1 failed" in done.stderr


def test_reports_are_written_where_asked(drills, tmp_path):
    drills.have(a=passing, b=failing, c=skipping, d=misread)
    run("--json", tmp_path / "new" / "v.json", "--junit", tmp_path / "v.xml")
    assert len(json.loads((tmp_path / "new" / "v.json").read_text("utf-8"))) == 2
    suite = ET.parse(tmp_path / "v.xml").getroot()[0]  # noqa: S314  we wrote it ourselves
    assert (suite.get("tests"), suite.get("skipped"), suite.get("errors")) == ("4", "1", "1")


def test_two_reports_do_not_share_standard_output(drills):
    drills.have(a=passing)
    done = run("--json", "-", "--junit", "-")
    assert done.exit_code == 2
    assert drills.asked == []


def test_a_report_that_cannot_be_written_is_said(drills, tmp_path):
    (tmp_path / "file").touch()
    drills.have(a=passing)
    done = run("--json", tmp_path / "file" / "v.json")
    assert done.exit_code == 2
    assert "the report could not be written" in done.stderr


@pytest.mark.parametrize("strike", [interrupted, swallowing])
def test_ctrl_c_tells_and_writes_what_was_reached(drills, tmp_path, strike):
    drills.have(a=passing, b=strike, c=passing)
    done = run("--json", tmp_path / "v.json", "--junit", tmp_path / "v.xml")
    assert done.exit_code == 130
    assert "interrupted while drilling b; so far: 1 passed" in done.stdout
    assert "Traceback" not in done.output
    assert len(drills.asked) == 2
    assert [verdict["scenario"] for verdict in json.loads((tmp_path / "v.json").read_text("utf-8"))] == ["a"]
    cases = ET.parse(tmp_path / "v.xml").getroot()[0]  # noqa: S314  we wrote it ourselves
    assert cases[1].find("error").get("message") == "stopped before its end"


def test_ctrl_c_before_any_drill_is_told(monkeypatch):
    monkeypatch.setattr(finding, "find_scenarios", interrupted)
    done = run()
    assert done.exit_code == 130
    assert "interrupted before any drill; so far: nothing was drilled" in done.stdout


def test_while_closing_ctrl_c_is_only_noted():
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        interruption.closing = True
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.struck
    assert signal.getsignal(signal.SIGINT) is before


def test_a_bug_ends_in_a_traceback_and_not_in_a_verdict(drills, tmp_path):
    drills.have(a=passing, b=crashing)
    done = run("--json", tmp_path / "v.json")
    assert done.exit_code == 2
    assert "ZeroDivisionError: b" in done.stderr
    assert "this is a bug of failover" in done.stderr
    assert len(json.loads((tmp_path / "v.json").read_text("utf-8"))) == 1


def test_a_missing_extra_is_told_how_to_install(monkeypatch):
    def needs_rich(_paths):
        raise ModuleNotFoundError("No module named 'rich'", name="rich")

    monkeypatch.setattr(finding, "find_scenarios", needs_rich)
    done = run()
    assert done.exit_code == 2
    assert done.stderr == "rich is not installed: pip install 'failover[drill]'\n"


def test_markup_in_a_name_is_printed_as_it_is(drills):
    drills.add(scenario(name="[bold]x\x1b[31m"), passing)
    assert r"PASSED  [bold]x\x1b[31m" in run().stdout


READER_LEAVES = """
import sys
from pathlib import Path
from failover.chaos import drill, finding, meeting
from failover.cli import main
from tests.drills.journals import calm, scenario, verdict_on
finding.find_scenarios = lambda paths: [scenario(name=str(number)) for number in range(3000)]
verdict = verdict_on(calm())
drill.run_drill = lambda where, **asked: verdict
sys.argv = ["failover", "drill", "scenarios", "--jobs", "1", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("words", [[], ["--json", "-", "--quiet"]])
def test_a_reader_who_leaves_early_changes_no_exit_code(words):
    process = subprocess.Popen(  # noqa: S603  our own interpreter and our own words
        [sys.executable, "-c", textwrap.dedent(READER_LEAVES), *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "."},
    )
    process.stdout.read(1)
    process.stdout.close()
    told = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() == 0
    assert "Traceback" not in told
    assert "BrokenPipe" not in told
