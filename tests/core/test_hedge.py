"""Hedges: a second target is asked while the first is still silent, seldom, and never for nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.budget import HEDGE_BURST, HedgeBudget
from failover.core.controls import successor
from failover.core.failures import Failure
from failover.core.messages import Cancel, Commit, Failed, FirstToken, Return, Send, Succeeded
from failover.core.policy import HedgePolicy, StreamRecovery
from failover.core.prices import DatedPrice, PriceBook
from failover.core.stats import Recent
from failover.core.vocabulary import AttemptCause, Outcome, Usage
from failover.errors import AllTargetsFailedError, RequestRejectedError
from tests.core.story import BAD_REQUEST, OVERLOADED, TIMEOUT, TRUNCATED_STREAM, CallStory, Story

OFTEN = HedgePolicy(after_quantile=0.9, share=1.0, usd_share=None)
ONE_DOLLAR = (DatedPrice(1_000_000_000, 1_000_000_000),)


def hedging(*chain: str, hedge: HedgePolicy = OFTEN, **options) -> Story:
    """A story whose first target was seen to answer within 1 s, but one in ten times in 2 s."""
    story = Story(*(chain or ("gpt", "claude")), hedge=hedge, deadline_s=60.0, **options)
    for turn in range(Recent.LEAST):
        observed_s = 2.0 if turn % 10 == 9 else 1.0
        story.state("gpt").observe(observed_s, observed_s, 0.0)
        story.learned.deposit("chat")
    return story


def hedged(story: Story, **asked) -> CallStory:
    """A call whose first target stayed silent, so that the second was asked as well."""
    call = story.call(**asked).sends_and_wakes("gpt", after_s=1.0).after(1.0).wakes()
    first = call.send
    call.sends_to("claude")
    call.first = first
    return call


def ended(story: Story):
    return [(event.target, event.outcome) for event in story.events if event.event == "attempt_ended"]


def test_a_silent_target_is_hedged_after_the_quantile_of_its_own_times():
    story = hedging()
    hedged(story)
    causes = [event.cause for event in story.events if event.event == "attempt_started"]
    assert causes == [AttemptCause.FIRST, AttemptCause.HEDGE]


def test_who_answers_in_time_is_not_hedged():
    call = hedging().call().sends_and_wakes("gpt", after_s=1.0).after(0.9).succeeds()
    call.after(0.1).hears_the_clock().does_nothing()


def test_a_stream_that_flows_is_not_hedged():
    call = hedging().call(stream=True).sends_and_wakes("gpt", after_s=1.0).after(0.5).streams()
    call.after(0.5).hears_the_clock().does_nothing()


def test_the_first_answer_wins_and_the_loser_is_abandoned():
    story = hedging()
    call = hedged(story).after(0.5)
    call.hears(Succeeded(call.send.attempt, Usage(10, 10)))
    assert call.wanted == (Cancel(call.first.attempt), Return(call.send.attempt))
    assert ended(story) == [("gpt", Outcome.ABANDONED), ("claude", Outcome.SUCCESS)]
    assert [story.state(name).in_flight for name in ("gpt", "claude")] == [0, 0]


def test_the_race_of_streams_ends_at_the_first_token():
    call = hedged(hedging(), stream=True).after(0.5)
    call.hears(FirstToken(call.send.attempt))
    assert call.wanted == (Cancel(call.first.attempt), Commit(call.send.attempt))
    call.succeeds()


def test_the_first_target_may_still_win():
    call = hedged(hedging()).after(0.5)
    call.hears(Succeeded(call.first.attempt))
    assert call.wanted == (Cancel(call.send.attempt), Return(call.first.attempt))


@pytest.mark.parametrize("who", ["first", "hedge"])
def test_when_one_fails_the_other_goes_on(who):
    call = hedged(hedging())
    fails, stays = (call.first, call.send) if who == "first" else (call.send, call.first)
    call.hears(Failed(fails.attempt, Failure(OVERLOADED))).does_nothing()
    call.hears(Succeeded(stays.attempt))
    assert call.wanted == (Return(stays.attempt),)


def test_when_both_fail_the_call_goes_on_to_who_is_left():
    call = hedged(hedging("gpt", "claude", "mistral"))
    call.hears(Failed(call.first.attempt, Failure(TIMEOUT))).does_nothing()
    call.fails(TIMEOUT).sends_to("mistral").fails(TIMEOUT).raises(AllTargetsFailedError)


def test_a_request_that_is_refused_ends_both():
    call = hedged(hedging())
    call.hears(Failed(call.send.attempt, Failure(BAD_REQUEST)))
    cancel, raised = call.wanted
    assert cancel == Cancel(call.first.attempt)
    assert type(raised.error) is RequestRejectedError


def test_a_caller_who_leaves_cancels_both():
    story = hedging()
    call = hedged(story).leaves()
    assert call.wanted == (Cancel(call.first.attempt), Cancel(call.send.attempt))
    assert {outcome for _, outcome in ended(story)} == {Outcome.ABANDONED}


def test_a_call_hedges_once():
    story = hedging("gpt", "claude", "mistral")
    call = hedged(story)
    call.hears(Failed(call.first.attempt, Failure(TIMEOUT))).does_nothing()
    call.after(5.0).hears_the_clock().does_nothing()


def test_a_fallback_is_hedged_at_its_own_time_not_at_that_of_the_first():
    story = hedging("gpt", "claude", "mistral")
    call = story.call().sends_and_wakes("gpt", after_s=1.0).after(0.5).fails(OVERLOADED).sends_to("claude")
    call.after(0.5).hears_the_clock().does_nothing()


@pytest.mark.parametrize("stream", [False, True])
def test_before_enough_answers_were_seen_nobody_is_hedged(stream):
    Story("gpt", "claude", hedge=OFTEN).call(stream=stream).sends_to("gpt")


def test_a_request_that_is_not_replay_safe_is_not_hedged():
    hedging().call(replay_safe=False).sends_to("gpt")


def test_a_probe_is_not_hedged():
    story = hedging("gpt", "claude").opens_the_breaker_of("gpt", 3.0).opens_the_breaker_of("claude", 300.0)
    story.after(3.0).call().sends_to("gpt")


def test_a_hedge_is_no_probe():
    story = hedging().opens_the_breaker_of("claude", 0.5)
    story.call().sends_and_wakes("gpt", after_s=1.0).after(1.0).wakes().does_nothing()


def test_who_stands_back_for_its_ramp_is_no_hedge():
    story = hedging()
    story.state("claude").ramp.begin(0.0)
    story.call().sends_and_wakes("gpt", after_s=1.0).after(0.5)
    story.call().sends_and_wakes("gpt", after_s=1.0).after(1.0).wakes().does_nothing()


def test_a_target_that_is_away_is_left_out_for_the_next():
    story = hedging("gpt", "claude", "mistral").cools_down("claude", 300.0)
    call = story.call().sends_and_wakes("gpt", after_s=1.0).after(1.0).wakes().sends_to("mistral")
    call.fails(OVERLOADED).does_nothing()


def test_the_last_attempt_is_not_hedged():
    hedging(attempts=1).call().sends_to("gpt")


def test_nobody_is_hedged_when_the_time_is_up():
    story = hedging()
    call = story.call(deadline_s=1.5).sends_and_wakes("gpt", after_s=1.0)
    call.after(1.5).hears_the_clock().does_nothing()


def test_a_hedge_that_would_come_after_the_attempts_limit_is_none():
    hedging(attempt_s=0.5).call().sends_to("gpt")


def test_a_broken_stream_is_not_hedged():
    story = hedging("claude", "gpt", stream_recovery=StreamRecovery.RESTART)
    call = story.call(stream=True).sends_to("claude").streams().fails(TRUNCATED_STREAM)
    call.sends_and_wakes("gpt", after_s=1.0).after(1.0).wakes().does_nothing()


# What hedges may cost


def test_hedges_draw_on_the_retry_budget():
    story = hedging().spends_the_retry_budget()
    story.call().sends_and_wakes("gpt", after_s=1.0).after(0.0)
    story.spends_the_retry_budget()
    story.learned.budgets["chat"].balance = -5.0
    story.call().sends_and_wakes("gpt", after_s=1.0).after(1.0).wakes().does_nothing()


def test_hedges_are_a_share_of_the_requests():
    story = hedging(hedge=HedgePolicy(after_quantile=0.9, share=0.25, usd_share=None))
    story.learned.hedges["chat"] = HedgeBudget(story.route.policy.hedge)
    sent = []
    for _ in range(8):
        call = story.call().sends_and_wakes("gpt", after_s=1.0).after(1.0).wakes()
        sent.append(any(isinstance(command, Send) for command in call.wanted))
        call.leaves()
        story.learned.budgets["chat"].balance = 10.0
    assert sent == [False, False, False, True] * 2


@pytest.mark.parametrize(("spent_usd", "sends"), [(0, False), (30, False), (50, True)])
def test_dollars_for_hedges_are_a_share_of_what_is_spent(spent_usd, sends):
    prices = PriceBook(dict.fromkeys(("gpt", "claude"), ONE_DOLLAR))
    hedge = HedgePolicy(after_quantile=0.9, share=1.0, usd_share=0.05)
    story = hedging(hedge=hedge, prices=prices)
    for _ in range(spent_usd):
        story.call().sends_and_wakes("gpt", after_s=1.0).succeeds(Usage(500_000, 500_000))
    asked = {"tokens_in": 1_000_000, "tokens_out": 1_000_000}
    call = story.call(**asked).sends_and_wakes(
        "gpt", after_s=story.state("gpt").quantile_s(0.9, stream=False)
    )
    call.wakes()
    assert bool(call.wanted) is sends


def test_where_dollars_do_not_limit_them_charges_change_nothing():
    prices = PriceBook({"gpt": ONE_DOLLAR})
    story = hedging(prices=prices)
    story.call().sends_and_wakes("gpt", after_s=1.0).succeeds(Usage(500, 500))
    hedged(story)


def test_where_dollars_limit_them_a_target_of_unknown_price_is_no_hedge():
    story = hedging(hedge=HedgePolicy(after_quantile=0.9, share=1.0))
    story.call().sends_and_wakes("gpt", after_s=1.0).after(1.0).wakes().does_nothing()


def test_another_config_with_the_same_policy_keeps_the_allowance():
    story = hedging()
    after = successor(story.learned, [story.route], 0.0)
    assert after.hedges["chat"] is story.learned.hedges["chat"]


@given(
    share=st.floats(0.01, 1.0),
    steps=st.lists(st.sampled_from(["request", "hedge"]), max_size=300),
)
def test_there_are_never_more_hedges_than_requests_paid_for(share, steps):
    budget = HedgeBudget(HedgePolicy(share=share, usd_share=None))
    requests = hedges = 0
    for step in steps:
        if step == "request":
            budget.deposit()
            requests += 1
        elif budget.affords(None):
            budget.withdraw(None)
            hedges += 1
    assert hedges <= share * requests + 1e-9


def test_a_quiet_time_saves_up_few_hedges():
    budget = HedgeBudget(HedgePolicy(share=1.0, usd_share=None))
    for _ in range(1000):
        budget.deposit()
    hedges = 0
    while budget.affords(None):
        budget.withdraw(None)
        hedges += 1
    assert hedges == HEDGE_BURST


# Quantiles


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_a_quantile_is_a_time_that_was_seen_and_bounds_its_share(values_s, quantile):
    recent = Recent()
    for value_s in values_s:
        recent.observe(value_s)
    kept = values_s[-Recent.KEPT :]
    found_s = recent.quantile_s(quantile)
    if len(kept) < Recent.LEAST:
        assert found_s is None
    else:
        assert found_s in kept
        assert sum(value_s <= found_s for value_s in kept) >= quantile * len(kept) - 1e-9
