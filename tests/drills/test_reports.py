"""The reports: what people read fits and says why, what machines read is sound, and nothing is obeyed."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from failover.chaos.judging.oracle import Possible
from failover.chaos.judging.verdict import Refused, Skipped, compose, to_json
from failover.core.failures import FailureKind
from failover.core.prices import NUSD_PER_USD
from failover.report.json_report import json_report
from failover.report.junit import junit_report
from failover.report.printable import printable
from failover.report.terminal import print_skipped, print_verdict
from failover.report.totals import summary
from tests.drills.journals import FACTS, OUTAGE, Journal, calm, judged, scenario, verdict_on, weathered

HOSTILE = "[red]x[/red] <b>&\x1b[31m\x00\ud800"

PASSED = verdict_on(weathered(), scenario(OUTAGE, name="weathered"))
FAILED = verdict_on(weathered(), scenario(OUTAGE, name="too-slow", expect={"latency_p95_max_s": 0.1}))
UNKNOWN = verdict_on(calm(), scenario(OUTAGE, name="never-met"))
SKIPPED = Skipped("real-traffic", "its cassettes are not here")
REFUSED = Refused("misspelt", ("a.yaml:3: route: there is no such route", "a.yaml:9: again"))


def shown(print_it, *what, width=80, terminal=False):
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, highlight=False, color_system=None)
    print_it(console, *what)
    return file.getvalue()


def told(verdict, **how):
    return " ".join(shown(print_verdict, verdict, **how).split())


def test_a_passed_drill_shows_its_figures():
    text = told(PASSED)
    assert text.startswith("PASSED weathered (simulate, seed 7)")
    assert "served 100.000 % of 82 requests; oracle 100.000 %, regret 0.000 %" in text
    assert "attempts 83, 1.012 for each request; 1 fallbacks, 0 retries" in text
    assert "fault detected after 0.5 s, recovered after 0.5 s" in text
    assert "reproduce" not in text


def test_a_failed_drill_says_why_and_how_to_see_it_again():
    text = told(FAILED)
    assert text.startswith("FAILED too-slow")
    assert "why expectation latency_p95_max_s: 0.1 was asked," in text
    assert f"reproduce: {FACTS.reproduce}" in text


def test_an_unknown_drill_says_why_nothing_was_shown():
    text = told(UNKNOWN)
    assert text.startswith("UNKNOWN never-met")
    assert "unknown nothing was exercised" in text
    assert FACTS.reproduce in text


def violated(times):
    journal = calm()
    for _ in range(times):
        journal.call()
    return verdict_on(journal)


def test_violations_are_shown_up_to_a_few():
    assert "call 32" in told(violated(2))
    assert "and more" not in told(violated(3))
    text = told(violated(9))
    assert "call 33" in text
    assert "call 34" not in text
    assert "and more: the JSON report lists them" in text


def test_a_drill_without_fault_tells_of_no_detection():
    assert "detected" not in told(verdict_on(calm()))


def test_streams_show_their_first_token():
    journal = calm()
    journal.call().asks("gpt").streams(after_s=1.0).answers().ends("gpt")
    assert "first token p95 0.996 s, p50 0.996 s" in told(verdict_on(journal))


@pytest.mark.parametrize(
    ("priced", "words"),
    [(2, "regret $1000.0000 for 1000 served, 0.500 s for each"), (0, "regret - for 1000 served")],
)
def test_what_was_spent_and_waited_beyond_the_least_possible_is_told(priced, words):
    looked_at = Possible(0, 2, priced, 4 * NUSD_PER_USD, 2 * NUSD_PER_USD, 3.0, 2.0)
    facts = replace(FACTS, possible=looked_at)
    assert words in told(compose(scenario(), judged(calm()), facts))


def test_what_nobody_looked_at_shows_no_regret():
    assert "for 1000 served" not in told(PASSED)


def test_an_unknown_price_is_said():
    journal = Journal().prices("gpt")
    journal.call().asks("claude").answers(tokens=(1, 1), cost_nusd=None).ends("claude")
    assert "cost not known: no price for claude" in told(verdict_on(journal))


def test_nothing_measured_shows_dashes():
    text = told(verdict_on(Journal(), scenario(OUTAGE)))
    assert "served - of 0 requests" in text
    assert "latency p95 -, p50 -, p99 -" in text


@pytest.mark.parametrize("verdict", [PASSED, FAILED, UNKNOWN, violated(30)])
@pytest.mark.parametrize("width", [60, 80])
def test_nothing_but_the_command_is_wider_than_the_terminal(verdict, width):
    lines = shown(print_verdict, verdict, width=width).splitlines()
    assert [line for line in lines if len(line.rstrip()) > width and "reproduce" not in line] == []


def test_the_command_stands_on_one_line_to_be_copied():
    long = replace(FAILED, reproduce=f"failover drill {'a' * 300}.yaml --seed 7")
    assert f"reproduce: {long.reproduce}\n" in shown(print_verdict, long)


def test_away_from_a_terminal_the_report_is_plain():
    assert "\x1b" not in shown(print_verdict, FAILED)


def test_a_skipped_scenario_says_why():
    text = shown(print_skipped, SKIPPED.name, SKIPPED.reason)
    assert text.split() == ["SKIPPED", "real-traffic:", "its", "cassettes", "are", "not", "here"]


def test_the_last_line_counts():
    text = summary([PASSED, PASSED, FAILED, UNKNOWN], [SKIPPED], 1.26)
    assert text == "2 passed, 1 failed, 1 unknown, 1 skipped in 1.3 s"


def test_the_last_line_counts_what_was_invalid():
    assert summary([], [], 0.0, [REFUSED]) == "1 invalid in 0.0 s"
    assert summary([], [], 0.0) == "nothing was drilled in 0.0 s"


HOSTILE_VERDICT = replace(FAILED, scenario=HOSTILE, reasons=(HOSTILE,), reproduce=HOSTILE)


@pytest.mark.parametrize("terminal", [True, False])
def test_what_looks_like_markup_is_printed_as_it_is(terminal):
    text = shown(print_verdict, HOSTILE_VERDICT, terminal=terminal)
    text += shown(print_skipped, HOSTILE, HOSTILE, terminal=terminal)
    assert text.count(r"[red]x[/red] <b>&\x1b[31m\x00\ud800") == 5


@given(st.text())
def test_printable_text_has_nothing_that_a_terminal_obeys(text):
    safe = printable(text)
    assert safe.isprintable()
    assert printable(safe) == safe
    safe.encode("utf-8")


# JSON


def test_the_json_report_is_a_list_with_one_object_per_drill():
    document = json.loads(json_report([PASSED, FAILED]))
    assert document == [to_json(PASSED), to_json(FAILED)]


def test_the_json_report_of_nothing_is_an_empty_list():
    assert json_report([]) == "[]\n"


# JUnit


def suite(*verdicts, skipped=(), refused=()):
    document = ET.fromstring(junit_report(verdicts, skipped, refused))  # noqa: S314  we wrote it ourselves
    assert document.tag == "testsuites"
    [only] = document
    return only


def test_junit_counts_what_it_holds():
    only = suite(PASSED, FAILED, UNKNOWN, skipped=[SKIPPED], refused=[REFUSED])
    assert {key: only.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5",
        "failures": "1",
        "errors": "2",
        "skipped": "1",
    }
    assert len(only) == 5
    assert len(only.findall("testcase/failure")) == 1
    assert len(only.findall("testcase/error")) == 2
    assert len(only.findall("testcase/skipped")) == 1


def test_a_test_case_is_a_drill():
    [case] = suite(PASSED)
    assert case.attrib == {
        "classname": "failover.drill.simulate",
        "name": "weathered (seed 7)",
        "time": "0.250",
    }
    assert [child.tag for child in case] == ["system-out"]
    assert case.findtext("system-out") == f"reproduce: {FACTS.reproduce}"


def test_a_failure_holds_every_reason():
    [case] = suite(replace(FAILED, reasons=("first", "second")))
    failure = case.find("failure")
    assert failure.attrib == {"type": "failed", "message": "first"}
    assert failure.text == "first\nsecond"


def test_what_is_unknown_or_invalid_is_an_error():
    unknown, invalid = suite(UNKNOWN, refused=[REFUSED])
    assert unknown.find("error").get("type") == "unknown"
    assert invalid.find("error").text == "\n".join(REFUSED.complaints)


def test_a_skip_says_why():
    [case] = suite(skipped=[SKIPPED])
    assert case.find("skipped").get("message") == SKIPPED.reason


def test_no_text_breaks_the_document():
    only = suite(HOSTILE_VERDICT, skipped=[Skipped(HOSTILE, HOSTILE)], refused=[Refused(HOSTILE, (HOSTILE,))])
    assert only[0].find("failure").text == printable(HOSTILE)
    assert only[1].get("name") == printable(HOSTILE)


def test_a_violation_of_one_call_is_told_to_machines_whole():
    journal = calm()
    journal.call().asks("gpt").fails(FailureKind.TIMEOUT)
    [document] = json.loads(json_report([verdict_on(journal)]))
    held = {each["name"]: each["violations"] for each in document["invariants"]}
    assert len(held["calls_end_once"]) == 1
    assert held["permits_settled"] == []
