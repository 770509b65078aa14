"""The HTML report as it is written: one file, titles that are findings, and names that stay text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos.judging.timeline import Band
from failover.chaos.judging.verdict import Refused, Skipped
from failover.core.failures import FailureKind
from failover.report import findings, html, plain_words
from failover.report.charts import TARGETS_MOST, charts
from failover.report.figures import counted, dollars, listed, moment, percent, seconds, trimmed
from failover.report.html import html_report
from failover.report.markup import Markup, join, prose, script_json, tag, text
from tests.drills.journals import FACTS, FALLBACK, OUTAGE, Journal, calm, scenario, verdict_on
from tests.drills.pictures import BAND, HOSTILE, failing, passing, pictured, stormy

COLOURS = {"@ink": "#000", "@grid": "#ccc", "@paper": "#fff", "@muted": "#888", "@fault": "#fdd"}
COLOURS |= {"@change": "#ddf", "@edge": "#964"}


class Page(HTMLParser):
    """What a browser would make of a page: its elements, and its text without scripts and styles."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.words, self.ids, self.links = [], [], [], []
        self._inside = ""
        self.feed(source)
        self.text = " ".join(" ".join(self.words).replace("\xa0", " ").split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        self.ids += [value for key, value in attrs if key == "id"]
        self.links += [value for key, value in attrs if key in {"href", "src"}]

    def handle_data(self, data):
        if self._inside not in {"script", "style"}:
            self.words.append(data)

    def handle_endtag(self, tag):
        self._inside = ""


def page(*drills, **more):
    """The page without its charting library."""
    source = html_report(drills, **more)
    start = max(re.finditer(r"<script>", source), key=lambda found: len(source) - found.start() > 4e6).start()
    return Page(source[:start])


def told(*drills, **more):
    return page(*drills, **more).text


def drawn(drill):
    return {chart.key: chart for chart in charts(drill.verdict, drill.timeline)}


def painted(value):
    if isinstance(value, dict):
        return {key: painted(part) for key, part in value.items()}
    if isinstance(value, list):
        return [painted(part) for part in value]
    return COLOURS.get(value, value) if isinstance(value, str) else value


# The page


def test_the_page_says_how_the_run_went_before_anything_else():
    assert told(passing(), failing()).startswith(
        "1 of 2 drills failed 1 of 2 drills failed Drills of failover"
    )
    assert html.headline([passing()], [], []) == "The drill passed"
    assert html.headline([passing(), passing()], [], []) == "All 2 drills passed"
    assert html.headline([verdict_on(Journal())], [], []) == "1 of 1 drill showed nothing"
    assert html.headline([], [], []) == "Nothing was drilled"


def test_every_drill_has_a_row_that_leads_to_its_section():
    found = page(passing(), failing())
    assert [link for link in found.links if link != "#top"] == ["#drill-1", "#drill-2"]
    assert {"drill-1", "drill-2", "top"} <= set(found.ids)


def test_no_address_is_fetched_and_only_our_scripts_run():
    found = page(failing())
    assert all(link.startswith("#") for link in found.links)
    [policy] = [facts["content"] for name, facts in found.tags if facts.get("http-equiv")]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.split(";")[1]
    assert not [facts for _, facts in found.tags if any(key.startswith("on") for key in facts)]


def test_a_failed_drill_says_why_in_plain_words_and_how_to_see_it_again():
    text_shown = told(failing())
    assert "It did not hold. Requests that were served: 98.795 %, expected: at least 100 %" in text_shown
    assert FACTS.reproduce in text_shown
    assert "The journal where it did not hold" in text_shown
    assert "NOT served: AllTargetsFailedError" in text_shown


def test_a_passed_drill_holds_no_journal():
    text_shown = told(passing())
    assert "It held: every expectation was met and every rule was kept." in text_shown
    assert "The journal where" not in text_shown


def test_an_unknown_drill_says_why_nothing_was_shown():
    text_shown = told(verdict_on(calm(), scenario(OUTAGE)))
    assert "Nothing was shown, so it is not called passed. nothing was exercised" in text_shown


def test_a_broken_rule_is_told_in_its_own_sentence():
    journal = calm()
    for _ in range(25):
        journal.call()
    text_shown = told(verdict_on(journal))
    assert "Rule broken, calls_end_once: at " in text_shown
    assert "Every call ends exactly once, with a reply or with an error" in text_shown
    assert re.search(r"and 5 more \d+ 25 ", text_shown)


def test_what_was_not_drilled_is_told():
    text_shown = told(skipped=[Skipped("live", "no cassettes")], refused=[Refused("bad", ("a:1: x", "y"))])
    assert "live : no cassettes" in text_shown
    assert "bad : a:1: x; y" in text_shown


def test_a_verdict_without_its_picture_has_no_charts(monkeypatch):
    assert "How it went" not in told(failing().verdict)
    monkeypatch.setattr(html, "PICTURED_MOST", 1)
    text_shown = told(passing(), failing(), made="Made by hand.")
    assert text_shown.count("How it went") == 1
    assert "Only the first 1 drills of this table have charts below." in text_shown
    assert "Made by hand." in text_shown


def test_one_moment_that_explains_two_limits_is_shown_once():
    expect = {"success_ratio_min": 1.0, "regret_success_ratio_max": 0.0}
    text_shown = told(pictured(stormy(), scenario(OUTAGE, expect=expect), BAND))
    title = "expectation success_ratio_min, expectation regret_success_ratio_max : The first call"
    assert text_shown.count("The first call that was not served.") == text_shown.count(title) == 1


@pytest.mark.parametrize("made", [failing, passing])
def test_hostile_names_are_text_wherever_they_stand(made):
    drill = made()
    verdict = replace(
        drill.verdict,
        scenario=HOSTILE,
        reasons=(HOSTILE,),
        reproduce=HOSTILE,
        targets={HOSTILE: next(iter(drill.verdict.targets.values()))},
    )
    bands = (replace(BAND, kind=HOSTILE, selector=HOSTILE, hits=(HOSTILE,)),)
    lines = tuple(replace(line, name=HOSTILE) for line in drill.timeline.targets)
    absences = tuple(replace(each, target=HOSTILE) for each in drill.timeline.absences)
    timeline = replace(drill.timeline, bands=bands, targets=lines, absences=absences)
    hostile = replace(drill, verdict=verdict, timeline=timeline, title=HOSTILE)
    found = page(hostile, skipped=[Skipped(HOSTILE, HOSTILE)], refused=[Refused(HOSTILE, (HOSTILE,))])
    assert {name for name, _ in found.tags}.isdisjoint({"img", "iframe", "object", "link", "base"})
    assert found.text.count(HOSTILE) > 12


# Charts


@pytest.mark.parametrize("drill", [failing(), passing(), pictured(Journal(), scenario())])
def test_plotly_accepts_every_chart(drill):
    for chart in charts(drill.verdict, drill.timeline):
        assert go.Figure(painted(json.loads(json.dumps(chart.figure)))).layout.xaxis.range


def test_charts_show_what_happened_and_nothing_else():
    assert list(drawn(failing())) == ["requests", "traffic", "failures", "breakers", "latency", "cost"]
    streamed = Journal()
    streamed.call().asks("gpt").streams(after_s=1.0).answers(cost_nusd=None).ends("gpt")
    assert list(drawn(pictured(streamed))) == ["requests", "traffic", "breakers", "first-token", "latency"]


def test_every_injection_is_a_band_with_its_letter_in_every_chart():
    for chart in drawn(failing()).values():
        layout = chart.figure["layout"]
        assert [note["text"] for note in layout["annotations"]] == ["<b>A</b>"]
        assert {(shape["type"], shape["x0"]) for shape in layout["shapes"]} == {
            ("rect", 100.0),
            ("line", 100.0),
            ("line", 200.0),
        }


def test_the_oracles_curves_are_drawn_when_it_was_asked():
    asked = pictured(calm(), scenario(), oracle=((0.0, 5, 0.25),))
    assert drawn(asked)["cost"].figure["data"][-1]["name"] == "cheapest possible (oracle)"
    assert drawn(asked)["latency"].figure["data"][-1]["name"] == "half within, at best possible (oracle)"
    assert len(drawn(pictured(calm()))["cost"].figure["data"]) == 1


def test_no_two_targets_look_alike_and_many_are_drawn_together():
    names = [f"target-{number}" for number in range(9)]
    journal = Journal()
    for name in names:
        journal.served(name, times=2)
    rows = drawn(pictured(journal))["traffic"].figure["data"]
    looks = {(row["fillcolor"], row.get("fillpattern", {}).get("shape")) for row in rows}
    assert len(looks) == len(rows) == TARGETS_MOST
    assert rows[-1]["name"] == "4 others"


def test_long_drills_are_told_in_hours():
    long = pictured(calm(), scenario(workload={"for_s": 86_400}), replace(BAND, starts_s=7200.0, ends_s=None))
    layout = drawn(long)["requests"].figure["layout"]
    assert layout["xaxis"]["range"] == [0.0, 24.0]
    assert layout["shapes"][0]["x0"] == 2.0
    assert layout["shapes"][0]["x1"] == 24.0


def test_of_many_absences_none_is_drawn_wider_than_it_was():
    journal = calm()
    for number in range(300):
        journal.at(100.0 + number).breaker("gpt", "closed", "open").at(100.5 + number).breaker(
            "gpt", "open", "closed"
        )
    for drill, width_px in ((pictured(journal), 0), (failing(), 1)):
        assert drawn(drill)["breakers"].figure["data"][1]["marker"]["line"]["width"] == width_px


@pytest.mark.parametrize(("for_s", "unit"), [(600, "5 s"), (86_400, "10 min"), (20, "0.2 s")])
def test_a_chart_says_how_long_a_column_lasts(for_s, unit):
    drill = pictured(calm(), scenario(workload={"for_s": for_s}))
    assert drawn(drill)["requests"].unit == f"requests per {unit}"


def test_absences_that_were_not_kept_are_said():
    drill = failing()
    cut = replace(drill, timeline=replace(drill.timeline, absences_until_s=150.0))
    assert "none is shown after 150 s" in drawn(cut)["breakers"].how


def test_plotlys_own_markup_does_nothing_in_names():
    journal = calm()
    journal.call().asks("<b>x</b>").fails(FailureKind.TIMEOUT).ends(error="X")
    [row] = drawn(pictured(journal))["failures"].figure["data"]
    assert row["name"] == "&lt;b&gt;x&lt;/b&gt;"


# Findings


def story_of(journal, *bands, **facts):
    drill = pictured(journal, scenario(*([OUTAGE] * len(bands)), **facts), *bands)
    return " ".join(findings.story(drill.verdict, drill.timeline))


def test_the_story_tells_who_was_away_and_who_took_over():
    assert story_of(stormy(), BAND) == (
        "82 of 83 requests were served; 1 that arrived between 100 s and 105 s was not. "
        "gpt was kept away from 100.5 s to 200.5 s, and claude served 99 % of the requests meanwhile. "
        "The router turned away from the first fault after 0.5 s. "
        "The preferred target served again 0.5 s after the last fault had ended."
    )


def test_a_calm_story_says_so():
    assert story_of(calm()) == (
        "All 30 requests were served. Nobody was kept away; gpt served 100 % of the answers."
    )
    assert story_of(Journal()) == "No request arrived. Nobody served anything."


def test_many_absences_are_summed_up():
    journal = calm()
    for target in ("gpt", "claude", "mistral"):
        journal.at(100.0).call().asks(target).answers().ends(target)
        journal.cools_down(target, 110.0)
    assert story_of(journal).endswith("; so was mistral.")


def test_an_unknown_price_names_the_target():
    journal = calm()
    journal.call().asks("claude").answers(tokens=(1, 1), cost_nusd=None).ends("claude")
    drill = pictured(journal)
    finding = findings.cost_finding(drill.verdict, drill.timeline)
    assert finding == "The cost is not known: there is no price for claude"


def test_the_worst_moment_is_told_where_it_stands_out():
    journal = calm().at(300.0)
    for _ in range(25):
        journal.call().asks("gpt").answers(after_s=9.0).ends("gpt")
        journal.at(300.0)
    for _ in range(500):
        journal.at(60.0).call().asks("gpt").answers().ends("gpt")
    drill = pictured(journal)
    assert findings.latency_finding(drill.verdict, drill.timeline).endswith(
        "; it was worst around 302.5 s: 95 % in 8.99 s"
    )


def test_failures_are_told_by_target_and_kind():
    journal = calm()
    call = journal.call().asks("gpt").fails(FailureKind.RATE_LIMITED)
    call.asks("claude", FALLBACK).answers().ends("claude")
    assert findings.failures_finding(verdict_on(journal)) == "1 attempt at gpt failed (1 rate limited)"
    assert findings.failures_finding(verdict_on(calm())) == "No attempt failed"


def test_a_band_says_what_it_is_and_whom_it_hits():
    band = Band("price_change", "model x", is_fault=False, share=0.5, starts_s=3.0, ends_s=None, hits=())
    assert (
        findings.band_words(band)
        == "price change of model x, 50 % of attempts, from 3 s to the end (hits nobody)"
    )
    assert [findings.letter(index) for index in (0, 25, 26, 53)] == ["A", "Z", "A1", "B2"]


@pytest.mark.parametrize("result", failing().verdict.expectations)
def test_every_expectation_has_words(result):
    assert result.name not in plain_words.told(result).sentence


def test_an_expectation_without_words_is_told_by_its_name():
    result = replace(failing().verdict.expectations[0], name="novel_max", limit=2.0, measured=None)
    assert plain_words.told(result).sentence == "Novel_max: –, expected: 2"
    assert plain_words.rule("novel") == "novel"


# Figures and markup


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (percent(1.0), "100 %"),
        (percent(0.9999999), "99.999 %"),
        (percent(0.5), "50 %"),
        (percent(None), "–"),
        (seconds(0.0), "0 s"),
        (seconds(0.1234), "0.123 s"),
        (seconds(3.0), "3 s"),
        (seconds(30.04), "30 s"),
        (seconds(None), "–"),
        (moment(300.0), "300 s"),
        (moment(7500.0), "2 h 05 min"),
        (dollars(12.345), "$12.35"),
        (dollars(0.1), "$0.10"),
        (dollars(0.12345), "$0.1235"),
        (dollars(None), "–"),
        (counted(1, "drill"), "1 drill"),
        (listed([]), ""),
        (listed(["a", "b", "c"]), "a, b and c"),
        (trimmed(100.0, 0), "100"),
    ],
)
def test_figures_are_told_with_their_unit(shown, words):
    assert shown == words


def test_text_becomes_markup_only_by_saying_so():
    assert tag("b", "<i>", Markup("<i>"), class_='x"y', hidden=True, title=None) == (
        '<b class="x&quot;y" hidden>&lt;i&gt;<i></b>'
    )
    assert tag("br") == "<br>"
    assert join("a&", Markup("b&")) == "a&amp;b&"
    assert prose("30 s of 5 % at 3 sx") == "30&nbsp;s of 5&nbsp;% at 3 sx"


@given(st.text())
def test_no_text_is_markup(words):
    assert not set(text(words)) & set("<>\"'")


@given(st.text())
def test_no_json_ends_its_script(words):
    document = json.dumps(words, ensure_ascii=False).encode("utf-8", "replace")
    safe = script_json(document)
    assert not set(safe) & set("<>&\u2028\u2029")
    assert json.loads(safe) == json.loads(document)
