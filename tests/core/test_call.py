"""The rules of a call: its time, and whom it asks, in which order, how often."""

from __future__ import annotations

import pytest

from failover.core.messages import Limits
from failover.core.policy import RetryBudgetPolicy
from failover.core.vocabulary import AttemptCause, Reason
from failover.errors import AllTargetsFailedError, DeadlineExceededError
from tests.core.story import (
    CONNECTION,
    CONTEXT_LENGTH,
    OVERLOADED,
    SERVER_ERROR,
    TIMEOUT,
    UNAUTHORIZED,
    Story,
    target,
)

NO_REFILL = RetryBudgetPolicy(share=0.0, floor_per_s=0.0)
GPT = target("gpt", provider="openai")
GPT_MINI = target("gpt-mini", provider="openai")


def causes(story):
    return [event.cause for event in story.events if event.event == "attempt_started"]


# Time


def limits(call):
    return call.send.limits


def test_an_attempt_gets_what_is_left_of_the_deadline():
    call = Story("gpt", "claude", deadline_s=10.0).call().sends_to("gpt").after(4.0).fails(TIMEOUT)
    assert limits(call.sends_to("claude")).total_s == 6.0


def test_while_another_could_still_answer_a_silent_target_gets_half_of_what_is_left():
    call = Story("gpt", "claude", "mistral", deadline_s=8.0).call().sends_to("gpt")
    assert limits(call).total_s == 4.0
    assert limits(call.after(4.0).fails(TIMEOUT).sends_to("claude")).total_s == 2.0
    assert limits(call.after(2.0).fails(TIMEOUT).sends_to("mistral")).total_s == 2.0


def test_a_target_that_is_away_takes_no_time_from_the_others():
    call = Story("gpt", "claude", "mistral", deadline_s=8.0).cools_down("mistral", 9.0).call().sends_to("gpt")
    assert limits(call.fails(TIMEOUT).sends_to("claude")).total_s == 8.0


def test_a_target_too_small_for_the_request_takes_no_time_from_the_others():
    sizes = {"small": 8, "large": 99, "smaller": 4}
    story = Story(*(target(name, context_window_tokens=size) for name, size in sizes.items()), deadline_s=8.0)
    assert limits(story.call().sends_to("small").fails(CONTEXT_LENGTH).sends_to("large")).total_s == 8.0


def test_the_last_attempt_that_the_policy_allows_gets_all_that_is_left():
    assert limits(Story("gpt", "claude", attempts=1, deadline_s=8.0).call().sends_to("gpt")).total_s == 8.0


def test_a_stream_must_begin_early_enough_for_another_and_may_then_flow_to_the_deadline():
    story = Story("gpt", "claude", deadline_s=8.0)
    assert limits(story.call(stream=True).sends_to("gpt")) == Limits(4.0, 4.0, 8.0, 8.0)


def test_a_target_gets_at_least_the_time_it_usually_takes():
    story = Story("gpt", "claude", deadline_s=10.0)
    story.state("gpt").total.observe(8.0, 0.0)
    assert 8.0 <= limits(story.call().sends_to("gpt")).total_s <= 10.0


def test_an_attempt_gets_no_more_than_its_own_limits():
    call = Story("gpt", attempt_s=8.0, connect_s=1.0, first_token_s=2.0, idle_s=3.0).call(stream=True)
    assert call.sends_to("gpt").send.limits == Limits(1.0, 2.0, 3.0, 8.0)


def test_every_limit_is_cut_to_what_is_left():
    call = Story("gpt", deadline_s=0.5).call(stream=True).sends_to("gpt")
    assert call.send.limits == Limits(0.5, 0.5, 0.5, 0.5)


def test_a_whole_reply_shows_nothing_before_its_end():
    assert (
        Story("gpt", first_token_s=2.0, attempt_s=8.0).call().sends_to("gpt").send.limits.first_token_s == 8.0
    )


def test_a_request_may_bring_its_own_deadline():
    assert Story("gpt").call(deadline_s=3.0).sends_to("gpt").send.limits.total_s == 3.0


def test_no_attempt_starts_at_the_deadline():
    call = Story("gpt", "claude", deadline_s=10.0).call().sends_to("gpt").after(10.0).fails(TIMEOUT)
    call.raises(DeadlineExceededError)


def test_a_timeout_that_falls_short_of_the_deadline_by_a_rounding_error_starts_no_other_attempt():
    story = Story("gpt", "claude", deadline_s=10.0, attempt_s=99.0).after(1.1)
    call = story.call().sends_to("gpt").after(0.1).fails(CONNECTION).sends_to("gpt")
    call.after(call.send.limits.total_s)
    assert story.now < 1.1 + 10.0
    call.fails(TIMEOUT).raises(DeadlineExceededError)


def test_a_request_without_time_is_sent_to_nobody():
    Story("gpt").call(deadline_s=0.0).raises(DeadlineExceededError)


def test_a_target_too_slow_for_what_is_left_is_passed_over_for_a_quicker_one():
    story = Story("gpt", "claude", deadline_s=5.0).usually_takes("gpt", 6.0).usually_takes("claude", 1.0)
    call = story.call(stream=True).sends_to("claude")
    assert [each.reason for each in call.call.story(0.0).passed_over] == [Reason.TOO_SLOW]


def test_a_target_too_slow_for_what_is_left_is_asked_when_nobody_is_known_to_be_quicker():
    story = (
        Story("gpt", "claude", "mistral", deadline_s=5.0)
        .usually_takes("gpt", 6.0)
        .usually_takes("claude", 7.0)
    )
    story.call(stream=True).sends_to("gpt")


def test_a_quicker_target_that_is_away_by_now_is_no_reason_to_pass_over():
    story = Story("gpt", "claude", "mistral", deadline_s=5.0)
    story.usually_takes("claude", 6.0).usually_takes("mistral", 1.0)
    call = story.call(stream=True).sends_to("gpt")
    story.cools_down("mistral", 9.0)
    call.fails(OVERLOADED).sends_to("claude")


def test_a_quicker_target_that_is_too_small_is_no_reason_to_pass_over():
    small, large = (target(name, context_window_tokens=size) for name, size in (("small", 8), ("large", 99)))
    story = Story(small, large, target("quick", context_window_tokens=4), deadline_s=5.0)
    story.usually_takes("large", 6.0).usually_takes("quick", 1.0)
    story.call(stream=True).sends_to("small").fails(CONTEXT_LENGTH).sends_to("large")


def test_a_target_too_slow_for_what_is_left_is_not_retried_at_once_where_another_is_quicker():
    story = Story("gpt", "claude", deadline_s=8.0).usually_takes("gpt", 6.0).usually_takes("claude", 1.0)
    story.call(stream=True).sends_to("gpt").after(5.0).fails(CONNECTION).sends_to("claude")


# Whom to ask


def test_the_first_target_that_answers_serves():
    Story("gpt", "claude").call().sends_to("gpt").succeeds()


def test_a_failure_falls_back_to_the_next_target():
    Story("gpt", "claude").call().sends_to("gpt").fails(OVERLOADED).sends_to("claude").succeeds()


def test_a_target_that_went_away_during_the_call_is_passed_over():
    story = Story("gpt", "claude", "mistral")
    call = story.call().sends_to("gpt")
    story.cools_down("claude", 99.0)
    call.fails(TIMEOUT).sends_to("mistral")


def test_the_first_fallback_to_another_fault_domain_is_free():
    story = Story("gpt", "claude").spends_the_retry_budget()
    story.call().sends_to("gpt").fails(TIMEOUT).sends_to("claude")


def test_a_fallback_within_the_fault_domain_draws_on_the_budget():
    story = Story(GPT, GPT_MINI, retry_budget=NO_REFILL).spends_the_retry_budget(but=1)
    story.call().sends_to("gpt").fails(TIMEOUT).sends_to("gpt-mini")
    story.call().sends_to("gpt").fails(TIMEOUT).raises(AllTargetsFailedError)


def test_further_fallbacks_draw_on_the_budget():
    story = Story("gpt", "claude", "mistral", retry_budget=NO_REFILL).spends_the_retry_budget(but=1)
    story.call().sends_to("gpt").fails(TIMEOUT).sends_to("claude").fails(TIMEOUT).sends_to("mistral")
    story.call().sends_to("gpt").fails(TIMEOUT).sends_to("claude").fails(TIMEOUT).raises(
        AllTargetsFailedError
    )


def test_without_budget_the_free_fallback_skips_what_shares_the_fault():
    story = Story(GPT, GPT_MINI, "claude", retry_budget=NO_REFILL).spends_the_retry_budget()
    story.call().sends_to("gpt").fails(TIMEOUT).sends_to("claude")


def test_a_target_skipped_for_want_of_budget_is_not_asked_for_nothing_later():
    story = Story(GPT, GPT_MINI, "claude", retry_budget=NO_REFILL).spends_the_retry_budget()
    call = story.call().sends_to("gpt").fails(TIMEOUT).sends_to("claude")
    call.fails(TIMEOUT).raises(AllTargetsFailedError)


def test_no_target_is_asked_twice_in_one_order():
    call = Story("gpt", "claude").call().sends_to("gpt").fails(TIMEOUT).sends_to("claude").fails(UNAUTHORIZED)
    call.raises(AllTargetsFailedError)


@pytest.mark.parametrize("kind", [OVERLOADED, SERVER_ERROR])
def test_an_overloaded_target_is_asked_once_more_after_a_jittered_wait(kind):
    call = Story("gpt").call().sends_to("gpt").fails(kind).waits_until(0.125).wakes()
    call.sends_to("gpt").fails(kind).raises(AllTargetsFailedError)


def test_a_retry_waits_until_no_other_target_is_left():
    call = Story("gpt", "claude").call().sends_to("gpt").fails(OVERLOADED).sends_to("claude")
    call.after(1.0).fails(TIMEOUT).sends_to("gpt")


def test_a_retry_draws_on_the_budget():
    story = Story("gpt", retry_budget=NO_REFILL).spends_the_retry_budget()
    story.call().sends_to("gpt").fails(OVERLOADED).waits_until(0.125).wakes().raises(AllTargetsFailedError)


def test_a_failed_connection_is_retried_at_once_at_the_same_target():
    story = Story("gpt", "claude")
    call = story.call().sends_to("gpt").fails(CONNECTION).sends_to("gpt").fails(CONNECTION).sends_to("claude")
    call.succeeds()
    assert causes(story) == [AttemptCause.FIRST, AttemptCause.RETRY, AttemptCause.FALLBACK]


def test_a_connection_is_not_retried_where_the_breaker_just_opened():
    story = Story("gpt", "claude")
    for _ in range(2):
        story.call().sends_to("gpt").fails(CONNECTION).sends_to("gpt").fails(CONNECTION).sends_to(
            "claude"
        ).succeeds()
    story.call().sends_to("gpt").fails(CONNECTION).sends_to("claude").succeeds()


def test_without_budget_a_failed_connection_falls_back():
    story = Story("gpt", "claude", retry_budget=NO_REFILL).spends_the_retry_budget()
    story.call().sends_to("gpt").fails(CONNECTION).sends_to("claude").succeeds()


def test_there_are_no_more_attempts_than_the_policy_allows():
    call = Story("gpt", "claude", "mistral", attempts=2).call()
    call.sends_to("gpt").fails(TIMEOUT).sends_to("claude").fails(TIMEOUT).raises(AllTargetsFailedError)
