"""The Markdown report: short enough for a comment whatever was drilled, and nothing in it is obeyed."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.chaos.judging.verdict import Refused, Skipped
from failover.report import markdown
from failover.report.markdown import code, fenced, in_table, markdown_report, prose
from tests.drills.journals import FACTS, OUTAGE, Journal, calm, scenario, verdict_on
from tests.drills.pictures import HOSTILE, failing, passing, pictured

GITHUB_MOST = 65_536


def test_every_drill_has_a_row_those_that_failed_first():
    rows = [line for line in markdown_report([passing(), failing()]).splitlines() if line.startswith("| ")]
    assert [row.split("|")[2].strip() for row in rows] == [
        "scenario",
        "---",
        "`too-tight` simulate, seed 7",
        "`held` simulate, seed 7",
    ]
    assert all(row.count("|") == rows[0].count("|") for row in rows)


def test_what_did_not_pass_says_why_and_how_to_see_it_again():
    text = markdown_report([failing(), passing()])
    assert "## Drills: 1 passed, 1 failed" in text
    assert "### ✘ `too-tight` failed" in text
    assert "- Attempts for each request: 1.01205, expected: at most 1" in text
    assert f"```sh\n{FACTS.reproduce}\n```" in text
    assert "### ✔" not in text


def test_a_sketch_shows_when_the_fault_was():
    rows = re.search(r"```text\n(.*?)\n(.*?)\n```", markdown_report([failing()]), re.DOTALL)
    assert rows[1].startswith("███·······▇██")
    assert rows[1].endswith("  served")
    assert (
        rows[2] == f"{'·' * 10}{'A' * 10}{'·' * 40}  A outage of target gpt, from 100 s to 200 s (hits gpt)"
    )


def test_a_verdict_without_its_picture_has_no_sketch():
    assert "```text" not in markdown_report([failing().verdict])


def test_rules_that_are_broken_show_their_first_violations():
    journal = calm()
    for _ in range(9):
        journal.call()
    text = markdown_report([verdict_on(journal)])
    assert text.count("never ended") == markdown.VIOLATIONS_MOST
    assert "and more: the JSON report lists them" in text


def test_what_was_skipped_or_refused_is_counted_and_told():
    text = markdown_report([], [Skipped("live", "no cassettes")], [Refused("misspelt", ("a.yaml:3: wrong",))])
    assert text.startswith("## Drills: 1 skipped, 1 invalid")
    assert "### `misspelt` could not be drilled" in text
    assert r"- a.yaml\:3: wrong" in text


def many_injections():
    inject = [{**OUTAGE, "at_s": 100 + number} for number in range(20)]
    one = failing()
    bands = tuple(replace(one.timeline.bands[0], starts_s=each["at_s"]) for each in inject)
    return replace(one, timeline=replace(one.timeline, bands=bands))


def test_of_many_injections_the_first_are_drawn():
    assert "and 10 more injections" in markdown_report([many_injections()])


@pytest.mark.parametrize("drills", [[failing()] * 3000, [many_injections()] * 100, [passing()] * 3000])
def test_it_fits_a_comment_whatever_was_drilled_and_says_what_was_cut(drills):
    text = markdown_report(drills)
    assert len(text.encode()) < 2 * GITHUB_MOST
    assert len(text) < GITHUB_MOST
    assert "more drills are not in this table" in text or "more are not told here" in text


@pytest.mark.parametrize("field", ["scenario", "reproduce"])
def test_a_name_of_any_length_still_fits(field):
    drill = replace(failing(), verdict=replace(failing().verdict, **{field: "x|`" * 100_000}))
    assert len(markdown_report([drill] * 50)) < GITHUB_MOST


def test_hostile_names_stay_text():
    drill = failing()
    verdict = replace(drill.verdict, scenario=HOSTILE, reasons=(HOSTILE,), reproduce=HOSTILE)
    text = markdown_report([replace(drill, verdict=verdict)], [], [Refused(HOSTILE, (HOSTILE,))])
    outside = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", text)
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", outside)
    assert "<img" not in outside
    assert "<script" not in outside
    assert "@team" not in outside
    assert "[a](" not in outside


def test_an_empty_run_is_told_too():
    assert markdown_report([]) == "## Drills: nothing was drilled\n"
    assert "| `story`" in markdown_report([pictured(Journal(), scenario())])


@given(st.text())
def test_nothing_ends_a_code_span(words):
    span = code(words)
    fence = re.match("`+", span)[0]
    assert span.endswith(fence)
    assert fence not in span[len(fence) : -len(fence)] or len(span) < 3 * len(fence)
    assert re.search(r"(?<!\\)\|", in_table(span)) is None


@given(st.text(alphabet="`a\n~"))
def test_nothing_ends_a_code_block(words):
    first, *inner, last = fenced(words).splitlines()
    fence = first.removesuffix("text")
    assert last == fence
    assert not any(line.startswith(fence) for line in inner)


@given(st.text())
def test_prose_holds_no_markup(words):
    shown = prose(words).replace("<!-- -->", "")
    assert not set(shown) & set("<>\n")
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]|~$]", shown)
