"""When a call waits, for whom, and when it no longer does."""

from __future__ import annotations

from failover.core.breaker import CLOSED, OPEN
from failover.core.policy import BreakerPolicy, LastResort, RetryBudgetPolicy
from failover.core.vocabulary import AttemptCause
from failover.errors import (
    AllTargetsFailedError,
    DeadlineExceededError,
    NoEligibleTargetError,
    RequestRejectedError,
)
from tests.core.story import (
    CONNECTION,
    CONTEXT_LENGTH,
    MODEL_GONE,
    OVERLOADED,
    RATE_LIMITED,
    REGION_BLOCKED,
    TIMEOUT,
    Story,
    target,
)

NO_REFILL = RetryBudgetPolicy(share=0.0, floor_per_s=0.0)


# A target that was asked in this call


def test_a_rate_limited_target_waits_out_its_hint_when_nobody_else_is_eligible():
    call = Story("gpt").call().sends_to("gpt").fails(RATE_LIMITED, retry_after_s=7.0)
    call.waits_until(7.0).wakes().sends_to("gpt").succeeds()


def test_a_rate_limited_target_is_not_waited_for_while_another_is_eligible():
    Story("gpt", "claude").call().sends_to("gpt").fails(RATE_LIMITED, retry_after_s=0.1).sends_to("claude")


def test_a_hint_past_the_deadline_is_not_waited_for():
    call = Story("gpt", deadline_s=7.0).call().sends_to("gpt").fails(RATE_LIMITED, retry_after_s=7.0)
    assert call.raises(AllTargetsFailedError).retry_after_s == 7.0


def test_nobody_waits_past_the_deadline_for_a_jittered_retry():
    call = Story("gpt", deadline_s=5.0).call().sends_to("gpt").after(4.9).fails(OVERLOADED)
    call.raises(AllTargetsFailedError)


def test_a_target_never_asked_goes_before_a_second_ask_when_both_are_ready():
    story = Story("gpt", "claude", "mistral").cools_down("claude", 5.0)
    call = story.call().sends_to("gpt").fails(RATE_LIMITED, retry_after_s=3.0)
    call.sends_to("mistral").after(6.0).fails(TIMEOUT).sends_to("claude")


def test_a_connection_left_without_budget_gets_its_second_chance_at_the_end():
    story = Story("gpt", retry_budget=RetryBudgetPolicy(share=0.0, floor_per_s=1.0)).spends_the_retry_budget()
    story.call().sends_to("gpt").fails(CONNECTION).raises(AllTargetsFailedError)
    story.cools_down("gpt", 2.0)
    call = story.call().waits_until(2.0).wakes().sends_to("gpt")
    story.spends_the_retry_budget()
    story.cools_down("gpt", 3.0)
    call.fails(CONNECTION).waits_until(5.0).wakes().sends_to("gpt")


def test_a_retry_waits_for_the_breaker_that_its_failure_opened():
    story = Story("gpt")
    for _ in range(2):
        story.call().sends_to("gpt").fails(OVERLOADED).after(1.0).wakes().sends_to("gpt").fails(OVERLOADED)
    call = story.call().sends_to("gpt").fails(OVERLOADED).waits_until(story.now + 1.0).wakes()
    call.sends_to("gpt").succeeds()


# Targets that are all away


def test_a_call_whose_targets_are_all_away_waits_for_the_soonest():
    story = Story("gpt", "claude").cools_down("gpt", 9.0).opens_the_breaker_of("claude", 4.0)
    story.call().waits_until(4.0).wakes().sends_to("claude").succeeds()
    [started] = [event for event in story.events if event.event == "attempt_started"]
    assert (started.cause, started.probe) == (AttemptCause.LAST_RESORT, True)


def test_where_the_route_says_fail_a_call_whose_targets_are_all_away_raises_at_once():
    story = Story("gpt", last_resort=LastResort.FAIL).cools_down("gpt", 4.0)
    assert story.call().raises(NoEligibleTargetError).retry_after_s == 4.0


def test_where_the_route_says_fail_a_target_that_returned_during_the_call_is_asked():
    story = Story("gpt", "claude", last_resort=LastResort.FAIL).cools_down("gpt", 4.0)
    story.call().sends_to("claude").after(5.0).fails(TIMEOUT).sends_to("gpt")


def test_where_the_route_says_fail_an_asked_target_may_still_be_asked_again():
    story = Story("gpt", "claude", last_resort=LastResort.FAIL).cools_down("claude", 99.0)
    story.call().sends_to("gpt").fails(OVERLOADED).waits_until(0.125).wakes().sends_to("gpt")


def test_nobody_waits_for_a_target_that_returns_after_the_deadline():
    story = Story("gpt", deadline_s=5.0).cools_down("gpt", 5.0)
    assert story.call().raises(NoEligibleTargetError).retry_after_s == 5.0


def test_nobody_waits_for_a_target_that_is_retired():
    story = Story("gpt")
    story.call().sends_to("gpt").fails(REGION_BLOCKED).raises(AllTargetsFailedError)
    assert story.call().raises(NoEligibleTargetError).retry_after_s is None


def test_nobody_waits_for_a_target_that_is_too_small():
    story = Story(target("large", context_window_tokens=9), target("small", context_window_tokens=8))
    story.cools_down("small", 1.0)
    story.call().sends_to("large").fails(CONTEXT_LENGTH).raises(RequestRejectedError)


def test_a_target_that_returns_late_but_in_time_is_asked_even_if_it_is_usually_slow():
    story = Story("gpt", deadline_s=5.0).usually_takes("gpt", 6.0).cools_down("gpt", 1.0)
    story.call(stream=True).waits_until(1.0).wakes().sends_to("gpt")


def test_a_call_in_its_last_seconds_opens_no_breaker_of_a_target_that_usually_takes_longer():
    story = Story("gpt", deadline_s=5.0, breaker=BreakerPolicy(failures=1))
    story.usually_takes("gpt", 1.0).cools_down("gpt", 4.0)
    call = story.call(stream=True).waits_until(4.0).wakes().sends_to("gpt")
    call.after(1.0).fails(TIMEOUT).raises(DeadlineExceededError)
    assert story.state("gpt").breaker.state == CLOSED
    assert story.state("gpt").in_flight == 0


def test_a_call_with_time_enough_does():
    story = Story("gpt", deadline_s=5.0, breaker=BreakerPolicy(failures=1)).usually_takes("gpt", 1.0)
    story.call(stream=True).sends_to("gpt").after(5.0).fails(TIMEOUT).raises(DeadlineExceededError)
    assert story.state("gpt").breaker.state == OPEN


def test_a_call_in_its_last_seconds_that_is_refused_blames_as_any_other():
    story = Story("gpt", deadline_s=5.0, breaker=BreakerPolicy(failures=1))
    story.usually_takes("gpt", 1.0).cools_down("gpt", 4.0)
    call = story.call(stream=True).waits_until(4.0).wakes().sends_to("gpt")
    call.after(0.1).fails(OVERLOADED)
    assert story.state("gpt").breaker.state == OPEN


def test_a_quick_target_that_returns_later_is_waited_for_rather_than_one_too_slow():
    story = Story("slow", "quick", deadline_s=10.0).usually_takes("slow", 30.0).usually_takes("quick", 1.0)
    story.cools_down("slow", 1.0).cools_down("quick", 2.0)
    story.call(stream=True).waits_until(2.0).wakes().sends_to("quick")


def test_a_last_resort_after_a_failure_draws_on_the_budget_like_any_further_fallback():
    story = Story("gpt", "claude", "mistral", retry_budget=NO_REFILL).spends_the_retry_budget()
    story.cools_down("claude", 1.0).cools_down("mistral", 2.0)
    call = story.call().sends_to("gpt").fails(TIMEOUT).waits_until(1.0).wakes().sends_to("claude")
    call.after(2.0).fails(TIMEOUT).raises(AllTargetsFailedError)


def test_a_call_woken_too_early_waits_on():
    story = Story("gpt").cools_down("gpt", 4.0)
    call = story.call().waits_until(4.0)
    call.after(1.0).hears_the_clock().does_nothing().wakes().sends_to("gpt")


def test_a_call_woken_after_its_deadline_ends():
    story = Story("gpt", deadline_s=5.0).cools_down("gpt", 4.0)
    story.call().waits_until(4.0).after(6.0).wakes().raises(DeadlineExceededError)


def test_a_wake_while_an_attempt_runs_changes_nothing():
    call = Story("gpt", "claude").call().sends_to("gpt")
    call.hears_the_clock().does_nothing()
    call.succeeds()


# Probes


def test_a_probe_running_elsewhere_is_polled():
    story = Story("gpt").opens_the_breaker_of("gpt", 0.0)
    probing = story.call().sends_to("gpt")
    waiting = story.call().waits_until(0.25).wakes().waits_until(0.5)
    probing.succeeds()
    waiting.wakes().sends_to("gpt").succeeds()


def test_a_probe_that_never_ends_is_polled_no_longer_than_the_deadline():
    story = Story("gpt", deadline_s=2.0).opens_the_breaker_of("gpt", 0.0)
    story.call().sends_to("gpt")
    waiting = story.call()
    for turn in range(1, 8):
        waiting.waits_until(turn * 0.25).wakes()
    waiting.raises(NoEligibleTargetError)


def test_a_cancelled_probe_leaves_its_slot_to_whoever_waits():
    story = Story("gpt").opens_the_breaker_of("gpt", 0.0)
    probing = story.call().sends_to("gpt")
    waiting = story.call().waits_until(0.25)
    probing.leaves().cancels()
    waiting.wakes().sends_to("gpt").succeeds()


def test_a_target_whose_model_seems_gone_is_probed_a_minute_later():
    story = Story("gpt", deadline_s=90.0)
    story.call().sends_to("gpt").fails(MODEL_GONE).raises(AllTargetsFailedError)
    story.call().waits_until(60.0).wakes().sends_to("gpt").succeeds()
