"""What a call tells: its events in order, and an error that carries the whole story."""

from __future__ import annotations

import pytest

from failover.core.failures import Phase
from failover.core.prices import DatedPrice, PriceBook
from failover.core.records import AttemptRecord
from failover.core.vocabulary import AttemptCause, Operation, Outcome, Reason, Usage
from failover.errors import (
    AllTargetsFailedError,
    CallError,
    Complaint,
    ConfigError,
    DeadlineExceededError,
    LocalError,
    NoEligibleTargetError,
    RequestRejectedError,
    StreamInterruptedError,
)
from tests.core.story import (
    BAD_REQUEST,
    LOCAL,
    OVERLOADED,
    RATE_LIMITED,
    REGION_BLOCKED,
    TIMEOUT,
    TRUNCATED_STREAM,
    UNAUTHORIZED,
    Story,
)

PRICES = PriceBook({name: (DatedPrice(1_000_000, 2_000_000),) for name in ("gpt", "claude")})


# Events


def test_a_call_tells_what_it_is_about_and_how_it_was_decided():
    story = Story("gpt", "claude", "mistral").cools_down("mistral", 5.0)
    story.state("gpt").ramp.begin(0.0)
    story.call(operation=Operation.RESPONSES).sends_to("claude")
    [told] = [event for event in story.events if event.event == "call_started"]
    assert (told.operation, told.order, told.held_back, told.passed_over) == (
        "responses",
        ("claude", "gpt"),
        ("gpt",),
        (("mistral", "cooldown"),),
    )


def test_events_are_told_in_the_order_they_happen():
    story = Story("gpt", "claude").cools_down("claude", 1.0)
    call = story.call(stream=True).sends_to("gpt").fails(TIMEOUT).waits_until(1.0).wakes()
    call.sends_to("claude").streams().succeeds()
    assert story.told() == [
        "call_started",
        "attempt_started",
        "attempt_ended",
        "wait_started",
        "attempt_started",
        "first_token_received",
        "attempt_ended",
        "call_ended",
    ]


def test_the_first_event_tells_the_decision():
    story = Story("gpt", "claude", deadline_s=9.0).cools_down("gpt", 5.0)
    story.after(1.0).call().sends_to("claude")
    started = story.events[0]
    assert (started.order, started.passed_over, started.deadline_s) == (
        ("claude",),
        (("gpt", Reason.COOLDOWN),),
        10.0,
    )


def test_what_is_learned_is_told_too():
    story = Story("gpt", "claude")
    story.call().sends_to("gpt").fails(RATE_LIMITED, retry_after_s=5.0).sends_to("claude").fails(UNAUTHORIZED)
    assert {"cooldown_started", "breaker_changed"} <= set(story.told())


def test_the_last_event_tells_who_served_after_how_many_attempts_at_what_cost():
    story = Story("gpt", "claude", prices=PRICES)
    call = story.call().sends_to("gpt").fails(TRUNCATED_STREAM, usage=Usage(1000, 10))
    call.after(2.0).sends_to("claude").succeeds(Usage(1000, 100))
    last = story.events[-1]
    assert (last.target, last.error, last.attempts, last.cost_nusd) == ("claude", None, 2, 1020 + 1200)


def test_the_reply_carries_every_attempt_and_its_charge():
    story = Story("gpt", "claude", prices=PRICES)
    call = story.call().sends_to("gpt").after(1.0).fails(OVERLOADED, status=529)
    record = call.sends_to("claude").after(2.0).succeeds(Usage(1000, 100)).call.story(story.now)
    failure = AttemptRecord("gpt", AttemptCause.FIRST, Outcome.FAILURE, "overloaded", 529, 0.0, 1.0, None, 0)
    facts = ("claude", AttemptCause.FALLBACK, Outcome.SUCCESS, None, None, 1.0, 2.0, None, 1200)
    success = AttemptRecord(*facts, usage=Usage(1000, 100))
    assert record.attempts == (failure, success)
    assert (record.target, record.duration_s, record.cost_nusd) == ("claude", 3.0, 1200)


def test_an_attempt_is_charged_at_the_price_of_the_day():
    dearer = PriceBook({"gpt": (DatedPrice(1_000_000, 0), DatedPrice(3_000_000, 0, valid_from_s=1005.0))})
    story = Story("gpt", prices=dearer, epoch_s=1000.0)
    story.after(2.0).call().sends_to("gpt").after(1.0).succeeds(Usage(1000, 0))
    story.call().sends_to("gpt").after(2.0).succeeds(Usage(1000, 0))
    assert [event.cost_nusd for event in story.events if event.event == "call_ended"] == [1000, 3000]


def an_hour(*, listening):
    """A bit of everything; all that was wanted on the way."""
    story = Story("gpt", "claude", listening=listening, deadline_s=20.0)
    wanted = []
    for kind in (OVERLOADED, TIMEOUT, RATE_LIMITED, REGION_BLOCKED):
        call = story.call(stream=True)
        wanted.append(call.wanted)
        for message in (kind, TIMEOUT):
            if call.wanted and hasattr(call.wanted[0], "target"):
                call.send = call.wanted[0]
                wanted.append(call.fails(message).wanted)
        wanted += [call.after(9.0).hears_the_clock().wanted, call.leaves().wanted]
    waiting = story.cools_down("claude", 3.0).call(stream=True).waits_until(story.now + 3.0)
    wanted.append(waiting.wakes().sends_to("claude").streams().succeeds().wanted)
    return [str(each) for each in wanted]


def test_whether_anybody_listens_changes_no_command():
    assert an_hour(listening=True) == an_hour(listening=False)


# Errors


def all_failed(story):
    return story.call().sends_to("gpt").fails(TIMEOUT, phase=Phase.CONNECT).raises(AllTargetsFailedError)


def out_of_time(story):
    return story.call(deadline_s=3.0).sends_to("gpt").after(3.0).fails(TIMEOUT).raises(DeadlineExceededError)


def rejected(story):
    return (
        story.call().sends_to("gpt").fails(BAD_REQUEST, status=400, code="bad").raises(RequestRejectedError)
    )


def our_own(story):
    return story.call().sends_to("gpt").fails(LOCAL).raises(LocalError)


def broken(story):
    call = story.call(stream=True).sends_to("gpt").streams().fails(TRUNCATED_STREAM)
    return call.raises(StreamInterruptedError)


ENDINGS = [all_failed, out_of_time, rejected, our_own, broken]


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_error_carries_every_attempt(ending):
    error = ending(Story("gpt"))
    assert [name for name, _ in error.failures] == ["gpt"]
    assert [attempt.target for attempt in error.failover.attempts] == ["gpt"]
    assert (error.route, error.failover.target) == ("chat", None)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_error_carries_everybody_passed_over(ending):
    error = ending(Story("gpt", "claude").cools_down("claude", 99.0))
    assert [(each.target.name, each.reason) for each in error.failover.passed_over] == [
        ("claude", Reason.COOLDOWN)
    ]
    assert error.passed_over == error.failover.passed_over


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_last_event_names_the_error(ending):
    story = Story("gpt")
    error = ending(story)
    assert story.events[-1].error == type(error).__name__


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (all_failed, "route 'chat': every target that could be asked failed (gpt: timeout connect)"),
        (out_of_time, "route 'chat': the deadline of 3 s passed (gpt: timeout)"),
        (rejected, "route 'chat': gpt rejects this request (bad_request 400 bad);"),
        (our_own, "route 'chat': gpt failed on our side, before any provider could be blamed (local);"),
        (broken, "route 'chat': the stream of gpt broke after its first token (truncated_stream);"),
    ],
)
def test_an_error_says_what_happened_in_words_of_ours(ending, words):
    assert str(ending(Story("gpt"))).startswith(words)


def test_when_nobody_was_ready_in_time_the_error_says_so():
    assert "nobody was ready in time" in str(Story("gpt").call(deadline_s=0.0).raises(DeadlineExceededError))


def test_when_nobody_may_be_asked_the_error_names_every_reason_and_the_soonest_return():
    story = Story("gpt", "claude", deadline_s=5.0).cools_down("gpt", 9.0).opens_the_breaker_of("claude", 7.0)
    error = story.call().raises(NoEligibleTargetError)
    assert error.retry_after_s == 7.0
    assert "(gpt: cooldown; claude: breaker_open); a target may be back in 7.0 s" in str(error)


def test_the_soonest_return_counts_from_now_and_not_from_the_failure():
    story = Story("gpt", "claude", deadline_s=10.0)
    call = story.call().sends_to("gpt").fails(RATE_LIMITED, retry_after_s=30.0).sends_to("claude")
    assert call.after(4.0).fails(TIMEOUT).raises(AllTargetsFailedError).retry_after_s == 26.0


def test_the_soonest_return_is_never_before_now():
    story = Story("gpt", "claude", deadline_s=10.0, attempts=2)
    call = story.call().sends_to("gpt").fails(RATE_LIMITED, retry_after_s=1.0).sends_to("claude")
    assert call.after(4.0).fails(TIMEOUT).raises(AllTargetsFailedError).retry_after_s == 0.0


def test_every_error_of_a_call_is_a_call_error():
    assert all(isinstance(ending(Story("gpt")), CallError) for ending in ENDINGS)


def test_a_complaint_says_where_and_what():
    here = Complaint("failover.yaml", 3, "routes.chat", "unknown target")
    anywhere = Complaint("failover.yaml", 0, "", "is empty")
    error = ConfigError([here, anywhere])
    assert str(error) == "failover.yaml:3: routes.chat: unknown target\nfailover.yaml: is empty"
    assert error.complaints == (here, anywhere)
