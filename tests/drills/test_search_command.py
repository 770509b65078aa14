"""`failover search`: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from failover.chaos.search.trials import Trials
from failover.cli.drill import command as drill_command
from failover.cli.search import command
from tests.drills.worlds import CONFIG

ROOT = Path(__file__).parents[2]
SHORT = ("--for", 120, "--rate", 1)
EASY = (*SHORT, "--drills", 30, "--objective", "amplification_max=1.01", "--no-replay")
HARD = (*SHORT, "--drills", 5, "--objective", "amplification_max=9")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where somebody stands who has a config."""
    (tmp_path / "failover.yaml").write_text(CONFIG, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words, config="failover.yaml"):
    return CliRunner().invoke(command, [config, *map(str, words)])


def test_nothing_found_is_no_proof_and_says_what_was_tried(folder):
    done = run(*HARD)
    assert done.exit_code == 0
    assert done.stdout.startswith("NOTHING route chat  (simulate, seed 0)")
    assert "5 drills" in done.stdout
    assert "that is no proof" in " ".join(done.stdout.split())
    assert not (folder / "scenarios").exists()


def test_what_is_found_is_told_and_written_and_a_drill_shows_it_again(folder):
    done = run(*EASY)
    assert done.exit_code == 1
    assert "FOUND   route chat" in done.stdout
    assert "Too many attempts are made for each request (amplification_max)" in done.stdout
    (file,) = (folder / "scenarios").iterdir()
    story = yaml.safe_load(file.read_text("utf-8"))
    assert story["title"].startswith("Too many attempts are made for each request: ")
    assert story["config"] == "../failover.yaml"
    assert len(story["inject"]) == 1
    reproduce = re.search(r"reproduce: failover drill (\S+) --seed 0 --mode simulate\n", done.stdout)
    assert reproduce
    again = CliRunner().invoke(drill_command, [reproduce[1], "--seed", "0"])
    assert again.exit_code == 1
    assert "expectation amplification_max: 1.01 was asked" in again.stdout


def test_the_command_it_names_finds_the_same_again(folder):
    first = run(*EASY, "--seed", 4)
    words = re.search(r"search again: failover search failover.yaml (.*)\n", first.stdout)
    assert words
    again = run(*words[1].split(), "--no-replay")
    assert again.exit_code == 1
    # It says the same, so no second file is written.
    assert len(list((folder / "scenarios").iterdir())) == 1


def test_the_output_is_where_it_was_asked_for_and_never_overwritten(folder):
    (folder / "mine.yaml").write_text("precious", "utf-8")
    assert run(*EASY, "--output", "mine.yaml").exit_code == 1
    assert (folder / "mine.yaml").read_text("utf-8") == "precious"
    assert (folder / "mine-2.yaml").exists()


def test_the_account_can_be_read_by_a_machine(folder):
    done = run(*EASY, "--json", "-")
    (account,) = json.loads(done.stdout)
    assert account["schema"] == "failover/search@1"
    assert account["found"]["name"] == "amplification_max"
    assert account["found"]["replays"] == {"simulate": "yes"}
    assert Path(account["found"]["file"]).is_file()
    assert "FOUND" in done.stderr
    (nothing,) = json.loads(run(*HARD, "--json", "-").stdout)
    assert (nothing["found"], nothing["drills"]) == (None, 5)


def test_quiet_tells_only_what_was_found(folder):
    assert run(*HARD, "--quiet").output == ""
    assert run(*EASY, "--quiet").stdout.startswith("FOUND")


def test_unasked_each_route_is_searched_until_something_is_found(folder):
    config = f"{CONFIG}  other: {{chain: [claude]}}\n"
    (folder / "failover.yaml").write_text(config, "utf-8")
    text = run(*HARD).stdout
    assert ["route chat" in text, "route other" in text] == [True, True]
    assert text.count("tried       2 drills") == 2
    text = run(*EASY).stdout
    assert ["route chat" in text, "route other" in text] == [True, False]


def test_a_route_that_cannot_be_drilled_is_left_out_unless_asked_for(folder):
    config = f"{CONFIG}  plain: {{chain: [mine]}}\n"
    mine = 'targets:\n  mine: {callable: "math:sqrt"}'
    (folder / "failover.yaml").write_text(config.replace("targets:", mine), "utf-8")
    done = run(*HARD)
    assert (done.exit_code, "route plain" in done.stdout) == (0, False)
    assert done.stderr.startswith("left out: ")
    assert "route plain calls plain functions, which cannot be drilled" in done.stderr
    assert run(*HARD, "--route", "plain").exit_code == 2


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--route", "chart"), "--route: failover.yaml has no route 'chart'; did you mean 'chat'?"),
        (
            ("--kinds", "slowdown,outtage"),
            "--kinds: unknown kind of injection 'outtage'; did you mean 'outage'?",
        ),
        (("--objective", "amplification=2"), "--objective: unknown objective 'amplification'; did you mean"),
        (
            ("--objective", "served_share_min.gtp=1"),
            "--objective: served_share_min: the route has no target 'gtp'",
        ),
        (("--for", "30"), "--for: too short: at 2 requests per second"),
        (("--budget-s", "5", "--drills", "5"), "--budget-s and --drills are two ways to say when to stop"),
        (("--cassettes", "nowhere"), "there is no such folder of cassettes"),
        (("--drills", "0"), "0 is not in the range"),
        (("--seed", "1e99"), "is not a valid integer"),
        (("--seed", "9" * 60), "is not in the range"),
    ],
)
def test_wrong_input_is_refused_in_words(folder, words, complaint):
    done = run(*words)
    assert done.exit_code == 2
    assert complaint in " ".join(done.stderr.split())
    assert "Traceback" not in done.output


def test_all_that_is_wrong_is_told_at_once(folder):
    done = run("--objective", "a=1", "--kinds", "b", "--route", "c")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()[:3]] == [
        "--route",
        "--objective",
        "--kinds",
    ]


def test_a_finding_that_cannot_be_written_is_shown(folder):
    (folder / "file").write_text("", "utf-8")
    done = run(*EASY, "--output", "file/found.yaml")
    assert done.exit_code == 1
    assert "the scenario could not be written: " in done.stderr
    assert "\ntitle: 'Too many attempts" in done.stderr
    assert "FOUND" in done.stdout


def test_a_config_that_is_none_is_refused(folder):
    done = run(config="nowhere.yaml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("nowhere.yaml: there is no such file\n")


def test_a_route_that_does_not_work_in_calm_cannot_be_searched(folder):
    (folder / "failover.yaml").write_text(CONFIG.replace("deadline_s: 30", "deadline_s: 0.5"), "utf-8")
    done = run(*HARD)
    assert done.exit_code == 2
    assert "route chat does not work without any fault" in done.stderr


def test_ctrl_c_tells_what_was_reached(folder, monkeypatch):
    strike(monkeypatch, after=4)
    done = run(*HARD)
    assert done.exit_code == 130
    assert "NOTHING route chat" in done.stdout
    assert "3 drills" in done.stdout
    assert "interrupted" in done.stdout


def test_ctrl_c_still_writes_the_smallest_schedule_so_far(folder, monkeypatch):
    hunted = (*EASY, "--objective", "amplification_max=1.08")
    found = json.loads(run(*hunted, "--json", "-", "--output", "first.yaml").stdout)[0]["found"]
    assert found["shrink_drills"] > 3
    strike(monkeypatch, after=found["after_drills"] + 3)
    done = run(*hunted)
    assert done.exit_code == 130
    assert "smaller ones were not all tried" in " ".join(done.stdout.split())
    (file,) = (folder / "scenarios").iterdir()
    assert CliRunner().invoke(drill_command, [str(file)]).exit_code == 1


def strike(monkeypatch, *, after):
    """Ctrl-C in the middle of that drill."""
    drilled, count = Trials._drilled, [0]  # noqa: SLF001  there is no other place in the middle of a drill

    def struck(self, injections):
        count[0] += 1
        if count[0] == after:
            os.kill(os.getpid(), signal.SIGINT)
        return drilled(self, injections)

    monkeypatch.setattr(Trials, "_drilled", struck)


def test_without_hypothesis_it_says_what_to_install(folder, monkeypatch):
    for module in [name for name in sys.modules if name.startswith("failover.chaos.search.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    done = run(*HARD)
    assert done.exit_code == 2
    assert "hypothesis is not installed: pip install 'failover[search]'" in done.stderr


def test_the_search_is_the_same_in_any_process_and_leaves_nothing_behind(folder):
    def account(where, hash_seed):
        where.mkdir()
        words = [sys.executable, "-m", "failover", "search", str(folder / "failover.yaml"), *map(str, EASY)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(  # noqa: S603  our own words
            [*words, "--json", "-"], cwd=where, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert [path.name for path in where.iterdir()] == ["scenarios"]
        return re.sub(r'"(wall_s|seconds)": [\d.e-]+', "", done.stdout)

    assert account(folder / "here", "1") == account(folder / "there", "2")
