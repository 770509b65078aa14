"""Keeping standbys warm: who is cold, who is asked, and for how much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.call import Call
from failover.core.failures import Failure
from failover.core.lifecycle import Calendar, Lifecycle
from failover.core.messages import Failed, Send, Succeeded
from failover.core.prices import DatedPrice, PriceBook
from failover.core.vocabulary import AttemptCause, ByDate, Request, Usage
from failover.core.warmth import (
    CANARY_ROUTE,
    MONTH_S,
    Skipped,
    WarmRules,
    Warmth,
    canary_route,
    monthly_nusd,
    of_canary,
)
from tests.core.story import OVERLOADED, Story

PRICE = DatedPrice(1_000_000_000, 1_000_000_000)
QUOTE_NUSD = 9_000
HOUR_S = 3600.0


def story_of(*names, priced=True, **limits):
    prices = PriceBook(dict.fromkeys(names, (PRICE,)) if priced else {})
    return Story(*names, prices=prices, **limits)


def rules(*names, every_s=HOUR_S, most=10**9):
    return WarmRules(every_s, most, names)


def cold(warmth, story, asked):
    states, skipped = warmth.round(asked, story.learned, story.facts, story.now)
    return [state.target.name for state in states], {name: why.value for name, why in skipped.items()}


def canary(story, name):
    route = canary_route(story.state(name), story.learned)
    call = Call(Request("warm-1"), route, story.learned, story.facts, story.rng, of_canary(story.record))
    return call, call.start(story.now)


def test_whom_nobody_asked_is_cold_and_is_asked_once_in_its_time():
    story, warmth = story_of("gpt", "claude"), Warmth()
    asked = rules("gpt", "claude")
    assert cold(warmth, story, asked) == (["gpt", "claude"], {})
    assert cold(warmth, story.after(HOUR_S - 1), asked) == ([], {})
    assert cold(warmth, story.after(1), asked) == (["gpt", "claude"], {})


def test_who_answered_a_caller_is_warm():
    story, warmth = story_of("gpt", "claude").after(10.0), Warmth()
    story.call().sends_to("gpt").succeeds()
    assert cold(warmth, story, rules("gpt", "claude"))[0] == ["claude"]


def test_only_who_is_named_is_kept_warm():
    assert cold(Warmth(), story_of("gpt", "claude"), rules("claude"))[0] == ["claude"]


@pytest.mark.parametrize("by_date", [ByDate.BAR, ByDate.PASS_OVER])
def test_who_ended_is_not_kept_warm(by_date):
    story = story_of("gpt")
    story.state("gpt").ends(Calendar({"gpt": Lifecycle(retired_s=5.0, by_date=by_date)}).endings["gpt"])
    assert cold(Warmth(), story.after(5.0), rules("gpt")) == ([], {"gpt": Skipped.RETIRED})


def test_who_is_drained_or_away_is_not_asked():
    story = story_of("gpt", "claude").opens_the_breaker_of("gpt", 60.0)
    story.state("claude").drained = True
    assert cold(Warmth(), story, rules("gpt", "claude")) == ([], {"gpt": "away", "claude": "away"})


def test_whose_price_nobody_knows_is_not_asked():
    assert cold(Warmth(), story_of("gpt", priced=False), rules("gpt")) == ([], {"gpt": "price_unknown"})


@given(st.integers(0, 5 * QUOTE_NUSD), st.lists(st.floats(1.0, MONTH_S), min_size=1, max_size=12))
def test_no_thirty_days_are_quoted_more_than_the_limit(most, waits_s):
    story, warmth, sent = story_of("gpt"), Warmth(), []
    for wait_s in waits_s:
        names, _ = cold(warmth, story.after(wait_s), rules("gpt", every_s=1.0, most=most))
        sent += [story.now] * len(names)
        recent = [at_s for at_s in sent if at_s > story.now - MONTH_S]
        assert len(recent) * QUOTE_NUSD == warmth.spent_nusd(story.now) <= most


def test_over_the_limit_is_told():
    assert cold(Warmth(), story_of("gpt"), rules("gpt", most=QUOTE_NUSD - 1))[1] == {"gpt": "over_budget"}


def test_a_canary_is_an_attempt_and_no_call():
    story = story_of("gpt")
    call, (send,) = canary(story, "gpt")
    assert isinstance(send, Send)
    call.handle(Succeeded(1, Usage(8, 1)), 0.5)
    assert story.told() == ["attempt_started", "attempt_ended"]
    assert story.events[0].cause is AttemptCause.KEEP_WARM
    assert story.events[1].cost_nusd == QUOTE_NUSD
    assert story.state("gpt").history.served_s == 0.0


def test_a_canary_says_nothing_of_usual_speed_or_length():
    story = story_of("gpt")
    before = story.learned.tokens_out["chat"].overall.value
    call, _ = canary(story, "gpt")
    call.handle(Succeeded(1, Usage(8, 1)), 0.5)
    assert story.state("gpt").total.value_s is None
    assert story.learned.tokens_out["chat"].overall.value == before


def test_a_canary_that_fails_is_not_tried_again_and_counts_against_its_target():
    story = story_of("gpt", "claude")
    call, _ = canary(story, "gpt")
    call.handle(Failed(1, Failure(OVERLOADED)), 0.5)
    assert call.done
    assert story.told() == ["attempt_started", "attempt_ended"]


def test_a_canary_without_a_listener_is_told_to_nobody():
    assert of_canary(None) is None


def test_canaries_share_one_route_of_their_own_and_number_themselves():
    story, warmth = story_of("gpt"), Warmth()
    first = canary_route(story.state("gpt"), story.learned)
    second = canary_route(story.state("gpt"), story.learned)
    assert first == second
    assert (first.name, first.policy.attempts, first.is_canary) == (CANARY_ROUTE, 1, True)
    assert [warmth.next_id(), warmth.next_id()] == ["warm-1", "warm-2"]


def test_a_month_costs_its_rounds():
    assert monthly_nusd(86_400.0, 7) == 210
