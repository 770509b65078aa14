"""`failover drill --html --markdown --report`: what is written where, and in which form."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from referencing import Registry, Resource

from failover.chaos import drill, finding, pictured
from failover.cli import drill_reports
from failover.cli.drill import command
from failover.report.json_report import json_report
from failover.report.picture_report import picture_report, pictures_json_schema
from tests.drills import pictures
from tests.drills.journals import calm, scenario, verdict_on
from tests.drills.worlds import LITELLM_WARNS, written

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def schema(name):
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))


class Drills:
    """Two drills, the second of which may be struck by Ctrl-C; `asked` are the arguments of each."""

    def __init__(self, monkeypatch):
        self.asked, self.strikes = [], False
        monkeypatch.setattr(finding, "find_scenarios", lambda _: [scenario(name="a"), scenario(name="b")])
        monkeypatch.setattr(drill, "run_drill", lambda _, **asked: self._run(pictured=False, **asked).verdict)
        monkeypatch.setattr(pictured, "pictured_drill", lambda _, **asked: self._run(pictured=True, **asked))

    def _run(self, **asked):
        self.asked.append(asked)
        if self.strikes and len(self.asked) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return pictures.failing() if len(self.asked) == 1 else pictures.passing()


@pytest.fixture
def drills(monkeypatch):
    return Drills(monkeypatch)


def run(*words):
    return CliRunner().invoke(command, ["scenarios", *map(str, words)])


def test_without_a_picture_to_draw_none_is_gathered(drills, tmp_path):
    run("--json", tmp_path / "v.json", "--junit", tmp_path / "v.xml")
    assert [asked["pictured"] for asked in drills.asked] == [False, False]
    assert [asked["journal"] for asked in drills.asked] == [None, None]


@pytest.mark.parametrize("option", ["--html", "--markdown", "--report"])
def test_a_report_that_shows_more_than_verdicts_has_them_gathered(drills, tmp_path, option):
    assert run(option, tmp_path / "new" / "r").exit_code == 1
    assert [asked["pictured"] for asked in drills.asked] == [True, True]


def test_a_folder_takes_every_report_and_the_journals(drills, tmp_path):
    folder = tmp_path / "out"
    assert run("--report", folder).exit_code == 1
    assert {file.name for file in folder.iterdir()} == {
        *("verdicts.json", "pictures.json", "junit.xml", "report.md", "report.html", "journals"),
    }
    assert drills.asked[0]["journal"] == folder / "journals" / "a.simulate.seed-0.jsonl"
    assert len(json.loads((folder / "verdicts.json").read_text("utf-8"))) == 2
    assert "1 of 2 drills failed" in (folder / "report.html").read_text("utf-8")


def test_journals_go_where_they_were_asked_for(drills, tmp_path):
    run("--report", tmp_path / "out", "--journal", tmp_path / "elsewhere")
    assert drills.asked[0]["journal"].parent == tmp_path / "elsewhere"


def test_markdown_on_standard_output_sends_people_to_standard_error(drills):
    done = run("--markdown", "-")
    assert done.stdout.startswith("## Drills: 1 passed, 1 failed")
    assert "1 passed, 1 failed in" in done.stderr


@pytest.mark.parametrize("second", ["--json", "--junit", "--html"])
def test_only_one_report_goes_to_standard_output(drills, second):
    done = run("--markdown", "-", second, "-")
    assert done.exit_code == 2
    assert "only one of --json, --junit, --markdown and --html" in done.stderr
    assert drills.asked == []


def test_ctrl_c_writes_what_was_reached(drills, tmp_path):
    drills.strikes = True
    assert run("--report", tmp_path).exit_code == 130
    assert "`too-tight`" in (tmp_path / "report.md").read_text("utf-8")
    assert "stopped before its end" in (tmp_path / "report.html").read_text("utf-8")
    assert len(json.loads((tmp_path / "pictures.json").read_text("utf-8"))) == 1


def test_a_missing_charting_library_is_told_before_anything_is_drilled(drills, monkeypatch, tmp_path):
    monkeypatch.setattr(drill_reports, "find_spec", lambda _name: None)
    done = run("--html", tmp_path / "r.html")
    assert (done.exit_code, done.stderr) == (2, "plotly is not installed: pip install 'failover[report]'\n")
    assert drills.asked == []
    assert run("--markdown", tmp_path / "r.md").exit_code == 1


def test_a_report_that_cannot_be_written_is_said(drills, tmp_path):
    (tmp_path / "file").touch()
    done = run("--html", tmp_path / "file" / "r.html")
    assert done.exit_code == 2
    assert "the report could not be written" in done.stderr


@pytest.mark.parametrize("words", [pytest.param([], marks=LITELLM_WARNS)])
def test_a_real_drill_writes_every_report(tmp_path, words):
    story = written(tmp_path)
    done = CliRunner().invoke(command, [str(story), "--report", str(tmp_path / "out"), *words])
    assert done.exit_code in {0, 1, 2}
    [picture] = json.loads((tmp_path / "out" / "pictures.json").read_text("utf-8"))
    [verdict] = json.loads((tmp_path / "out" / "verdicts.json").read_text("utf-8"))
    assert picture["journal_sha256"] == verdict["journal_sha256"]
    assert sum(picture["timeline"]["arrivals"]) == verdict["requests"]
    lines = (tmp_path / "out" / "journals" / "story.simulate.seed-0.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == verdict["events"]


# The published forms


def test_the_schema_of_the_pictures_is_up_to_date():
    text = json.dumps(pictures_json_schema(), indent=2) + "\n"
    assert (SCHEMAS / "pictures.schema.json").read_text("utf-8") == text, (
        "write json.dumps(pictures_json_schema(), indent=2) + '\\n' to it"
    )


def test_the_schema_accepts_the_pictures():
    document = json.loads(picture_report([pictures.failing(), pictures.passing()]))
    jsonschema.Draft202012Validator.check_schema(schema("pictures"))
    jsonschema.validate(document, schema("pictures"))
    assert document[0]["schema"] == "failover/picture@1"
    assert picture_report([]) == "[]\n"


def test_the_schema_of_the_json_report_is_a_list_of_verdicts():
    verdict = Resource.from_contents(schema("verdict"))
    registry = Registry().with_resource("verdict.schema.json", verdict)
    validator = jsonschema.Draft202012Validator(schema("verdicts"), registry=registry)
    validator.validate(json.loads(json_report([verdict_on(calm())])))
    assert not validator.is_valid([{"schema": "failover/verdict@1"}])
