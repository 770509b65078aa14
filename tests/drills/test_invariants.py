"""The invariants: for each a journal that keeps it, and ones that break it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from failover.chaos.judging.invariants import INVARIANTS
from failover.chaos.judging.invariants.attempts_within_limit import AttemptsWithinLimit
from failover.chaos.judging.invariants.base import VIOLATIONS_TOLD
from failover.chaos.judging.invariants.calls_end_once import CallsEndOnce
from failover.chaos.judging.invariants.charges_exact import ChargesExact
from failover.chaos.judging.invariants.deadline_kept import DeadlineKept
from failover.chaos.judging.invariants.limits_kept import LimitsKept
from failover.chaos.judging.invariants.open_breaker_respected import OpenBreakerRespected
from failover.chaos.judging.invariants.permits_settled import PermitsSettled
from failover.chaos.judging.invariants.preferred_returns import PreferredReturns
from failover.chaos.judging.invariants.retired_left_alone import RetiredLeftAlone
from failover.chaos.judging.invariants.retry_after_honoured import RetryAfterHonoured
from failover.chaos.judging.invariants.retry_allowed import RetryAllowed
from failover.chaos.judging.invariants.retry_budget_kept import RetryBudgetKept
from failover.chaos.judging.invariants.truncated_never_served import TruncatedNeverServed
from failover.chaos.routes import Routes
from failover.core.failures import FailureKind
from failover.core.policy import BreakerPolicy, RetryBudgetPolicy, StreamRecovery
from failover.core.vocabulary import AttemptCause, ByDate, Operation, Outcome, Reason, Route, Target
from tests.drills.journals import (
    DEARER,
    FALLBACK,
    LAST_RESORT,
    OUTAGE,
    RETRY,
    Journal,
    Told,
    calm,
    checked,
    judged,
    route,
    scenario,
    weathered,
)

CONNECTION, OVERLOADED = FailureKind.CONNECTION, FailureKind.OVERLOADED
RATE_LIMITED, TIMEOUT = FailureKind.RATE_LIMITED, FailureKind.TIMEOUT
TRUNCATED = FailureKind.TRUNCATED_STREAM


def kept(kind, journal, where=None, on=None):
    result = checked(kind, journal, where, on)
    assert not result.violations
    return result.checked


def broken(kind, journal, where=None, on=None):
    [violation] = checked(kind, journal, where, on).violations
    return violation


@pytest.mark.parametrize("kind", INVARIANTS)
def test_a_sound_drill_keeps_every_invariant(kind):
    assert checked(kind, weathered(), scenario(OUTAGE)).kept


def test_every_invariant_has_a_name_of_its_own():
    assert len({kind.name for kind in INVARIANTS}) == len(INVARIANTS) == 15


def test_a_violation_names_the_time_the_call_and_the_target():
    journal = Journal().at(7.0)
    journal.call().asks("gpt")
    assert broken(PermitsSettled, journal) == (
        "at 7.000 s, call 1, target gpt: attempt 1 of 7.000 s never ended"
    )


def test_of_many_violations_the_first_are_told_and_the_rest_counted():
    journal = Journal()
    for _ in range(VIOLATIONS_TOLD + 5):
        journal.call()
    told = checked(CallsEndOnce, journal).violations
    assert len(told) == VIOLATIONS_TOLD + 1
    assert told[-1] == "and 5 more"


@pytest.mark.parametrize("kind", INVARIANTS)
def test_memory_is_that_of_the_calls_in_flight(kind):
    invariant = kind(scenario(OUTAGE), Routes.only(route()))
    for event in weathered().events:
        invariant.see(event)
    kept_of_calls = [
        value
        for name, value in vars(invariant).items()
        if isinstance(value, dict) and set(value) & {str(number) for number in range(90)}
    ]
    assert kept_of_calls == []


# Permits


def test_each_attempt_is_counted_as_a_permit():
    assert kept(PermitsSettled, calm()) == 30


def test_an_attempt_ends_once():
    journal = Journal()
    journal.call().asks("gpt").answers().answers().ends("gpt")
    assert "ended without running" in broken(PermitsSettled, journal)


def test_an_attempt_does_not_start_twice():
    journal = Journal()
    call = journal.call().asks("gpt")
    journal.write(call.started)
    call.answers()
    assert "started while it was running" in broken(PermitsSettled, journal)


def test_an_attempt_ends_where_it_was_sent():
    journal = Journal()
    journal.call().asks("gpt").answers(target="claude").ends("claude")
    assert "ended at another target" in broken(PermitsSettled, journal)


# Calls


def test_a_call_that_never_ends_is_told_at_the_end():
    journal = Journal()
    journal.call()
    assert "never ended" in broken(CallsEndOnce, journal.at(9.0))


def test_a_call_ends_once():
    journal = Journal()
    call = journal.call()
    call.ends(error="NoEligibleTargetError")
    call.ends(error="NoEligibleTargetError")
    assert "ended without running" in broken(CallsEndOnce, journal)


@pytest.mark.parametrize(
    ("target", "error", "words"), [(None, None, "neither"), ("gpt", "LocalError", "both")]
)
def test_a_call_ends_with_a_reply_or_an_error(target, error, words):
    journal = Journal()
    journal.call().ends(target, error)
    assert words in broken(CallsEndOnce, journal)


def test_nothing_is_sent_outside_of_a_call():
    journal = Journal()
    call = journal.call()
    call.ends(error="DeadlineExceededError")
    call.asks("gpt")
    assert "a call that is not running" in broken(CallsEndOnce, journal)


def test_a_call_does_not_start_while_it_runs():
    journal = Journal()
    journal.call()
    journal.write(journal.events[0])
    assert "started while it was running" in checked(CallsEndOnce, journal).violations[0]


def test_a_call_knows_when_it_started():
    journal = Journal()
    call = journal.call()
    call.started_s = 3.0
    call.ends("gpt")
    assert "says 3.000 s" in broken(CallsEndOnce, journal)


# The deadline


@pytest.mark.parametrize("late_s", [0.0, 1.0])
def test_no_attempt_starts_at_or_after_the_deadline(late_s):
    journal = Journal()
    journal.call(deadline_s=10.0).after(10.0 + late_s).asks("gpt")
    assert "at or after the deadline, 10.000 s" in broken(DeadlineKept, journal)


def test_an_attempt_may_start_just_before_the_deadline():
    journal = Journal()
    journal.call(deadline_s=10.0).after(9.999).asks("gpt").answers(after_s=0.001).ends("gpt")
    assert kept(DeadlineKept, journal) == 1


def test_an_attempt_gets_at_most_what_is_left():
    journal = Journal()
    journal.call(deadline_s=10.0).after(4.0).asks("gpt", total_limit_s=7.0)
    assert "may run beyond" in broken(DeadlineKept, journal)


def test_nobody_sleeps_past_the_deadline():
    journal = Journal()
    journal.call(deadline_s=10.0).waits(11.0)
    assert "waits until 11.000 s" in broken(DeadlineKept, journal)


def test_a_call_ends_by_its_deadline():
    journal = Journal()
    journal.call(deadline_s=10.0).asks("gpt").answers(after_s=12.0).ends("gpt")
    assert "ended after its deadline" in broken(DeadlineKept, journal)


# Breakers


def test_nothing_goes_through_an_open_breaker():
    journal = Journal().breaker("gpt", "closed", "open", 10.0)
    journal.call().asks("gpt")
    assert "went through an open breaker" in broken(OpenBreakerRespected, journal)


def test_an_open_breaker_stops_only_its_own_target():
    journal = Journal().breaker("gpt", "closed", "open", 10.0).served("claude")
    assert kept(OpenBreakerRespected, journal) == 1


def test_only_probes_pass_a_half_open_breaker():
    journal = Journal().breaker("gpt", "closed", "open", 10.0).at(10.0).breaker("gpt", "open", "half-open")
    journal.call().asks("gpt")
    assert "is no probe" in broken(OpenBreakerRespected, journal)


def test_a_breaker_does_not_half_open_before_its_time():
    journal = Journal().breaker("gpt", "closed", "open", 10.0).at(9.0).breaker("gpt", "open", "half-open")
    assert "half-opened before 10.000 s" in broken(OpenBreakerRespected, journal)


def test_who_cannot_do_the_job_keeps_no_breaker_of_the_others_closed():
    """Only `gpt` can embed: it is asked again a moment after it opened, though `claude` stands."""

    def half_opened_after(seconds: float, reason: Reason) -> Journal:
        journal = Journal()
        others = (("claude", reason), ("mistral", reason))
        journal.call(order=("gpt",), passed_over=others).ends(error="AllTargetsFailedError")
        return journal.breaker("gpt", "closed", "open", 10.0).at(seconds).breaker("gpt", "open", "half-open")

    unable, cooling = Reason.OTHER_VECTOR_SPACE, Reason.COOLDOWN
    assert kept(OpenBreakerRespected, half_opened_after(1.0, unable)) == 0
    assert "half-opened" in broken(OpenBreakerRespected, half_opened_after(0.5, unable))
    assert "half-opened" in broken(OpenBreakerRespected, half_opened_after(1.0, cooling))


@pytest.mark.parametrize(
    "away",
    [
        lambda journal: journal.breaker("mistral", "closed", "open", 20.0),
        lambda journal: journal.cools_down("mistral", 20.0),
        lambda journal: journal.retires("mistral"),
    ],
    ids=["open", "cooling", "retired"],
)
def test_while_every_target_is_away_a_breaker_may_half_open_a_moment_after_it_opened(away):
    def half_opened_after(seconds: float) -> Journal:
        others = Journal().breaker("claude", "closed", "open", 20.0)
        journal = away(others.breaker("gpt", "closed", "open", 10.0))
        return journal.at(seconds).breaker("gpt", "open", "half-open")

    assert kept(OpenBreakerRespected, half_opened_after(1.0)) == 0
    assert "half-opened" in broken(OpenBreakerRespected, half_opened_after(0.5))


def on_trial(*, answers: bool) -> Journal:
    """Everybody is away: mistral's cooldown is over, and one attempt finds out whether it is left alone."""
    journal = Journal().breaker("claude", "closed", "open", 20.0).cools_down("mistral", 7.0)
    journal.at(7.0).breaker("gpt", "closed", "open", 17.0)
    call = journal.call().asks("mistral")
    if answers:
        call.answers(0.5)
    return journal


def test_who_is_on_trial_after_a_cooldown_is_away():
    half_opened = on_trial(answers=False).at(8.5).breaker("gpt", "open", "half-open")
    assert kept(OpenBreakerRespected, half_opened) == 1


@pytest.mark.parametrize(
    "journal", [on_trial(answers=True).at(8.5), on_trial(answers=False).at(9.5)], ids=["answered", "too long"]
)
def test_a_trial_keeps_others_away_until_it_is_answered_and_not_for_long(journal):
    journal.breaker("gpt", "open", "half-open")
    assert "half-opened before" in broken(OpenBreakerRespected, journal)


def test_a_trial_that_speaks_keeps_nobody_away():
    journal = Journal().breaker("claude", "closed", "open", 20.0).cools_down("mistral", 7.0)
    journal.at(7.0).breaker("gpt", "closed", "open", 17.0)
    journal.call().asks("mistral").streams(0.5)
    journal.at(8.5).breaker("gpt", "open", "half-open")
    assert "half-opened before" in broken(OpenBreakerRespected, journal)


def test_who_cannot_do_the_job_at_all_is_away():
    journal = Journal().breaker("claude", "closed", "open", 20.0).breaker("gpt", "closed", "open", 10.0)
    journal.call(passed_over=(("mistral", Reason.WINDOW_TOO_SMALL),))
    assert kept(OpenBreakerRespected, journal.at(1.0).breaker("gpt", "open", "half-open")) == 0


def test_who_is_passed_over_for_a_moment_is_not_away_for_that():
    journal = Journal().breaker("claude", "closed", "open", 20.0).breaker("gpt", "closed", "open", 10.0)
    journal.call(passed_over=(("mistral", Reason.LIMIT_REACHED),))
    journal.at(1.0).breaker("gpt", "open", "half-open")
    assert "half-opened before" in broken(OpenBreakerRespected, journal)


def test_at_most_so_many_probes_run_at_once():
    journal = Journal().breaker("gpt", "open", "half-open")
    for _ in range(3):
        journal.call().asks("gpt", probe=True)
    two_probes = route(breaker=BreakerPolicy(probes=2))
    assert "makes 3 probes at once, 2 may run" in broken(OpenBreakerRespected, journal, on=two_probes)


def test_a_probe_that_ended_makes_room():
    journal = Journal().breaker("gpt", "open", "half-open")
    for _ in range(3):
        journal.call().asks("gpt", probe=True).answers()
    assert kept(OpenBreakerRespected, journal) == 3


def test_a_probe_of_an_older_generation_takes_no_room():
    journal = Journal().breaker("gpt", "open", "half-open")
    journal.call().asks("gpt", probe=True)
    journal.breaker("gpt", "half-open", "open", 5.0).at(5.0).breaker("gpt", "open", "half-open")
    journal.call().asks("gpt", probe=True)
    assert kept(OpenBreakerRespected, journal) == 2


# Attempts


def test_a_call_makes_no_more_attempts_than_the_policy_allows():
    journal = Journal()
    call = journal.call()
    for name in ("gpt", "claude", "mistral"):
        call.asks(name, FALLBACK).fails(OVERLOADED)
    call.ends(error="AllTargetsFailedError")
    assert kept(AttemptsWithinLimit, journal, on=route(attempts=3)) == 3
    assert "number 3, at most 2" in broken(AttemptsWithinLimit, journal, on=route(attempts=2))


def test_a_call_counts_its_attempts_right():
    journal = Journal()
    journal.call().asks("gpt").answers().ends("gpt", attempts=2)
    assert "says it made 2 attempts, 1 were seen" in broken(AttemptsWithinLimit, journal)


# Retries


def test_a_stale_connection_is_retried_once():
    journal = Journal()
    journal.call().asks("gpt").fails(CONNECTION).asks("gpt", RETRY).answers().ends("gpt")
    assert kept(RetryAllowed, journal) == 1


def test_a_target_is_asked_at_most_twice():
    journal = Journal()
    call = journal.call().asks("gpt").fails(CONNECTION).asks("gpt", RETRY).fails(CONNECTION)
    call.asks("gpt", RETRY)
    assert "though it was asked 2 times" in broken(RetryAllowed, journal)


def test_a_timeout_is_never_retried():
    journal = Journal()
    journal.call().asks("gpt").fails(TIMEOUT).asks("gpt", RETRY)
    assert "after timeout, which is never retried" in broken(RetryAllowed, journal)


def test_who_may_have_refused_to_go_on_is_asked_from_the_beginning():
    journal = Journal()
    journal.call().asks("gpt").fails(FailureKind.BAD_REQUEST).asks("gpt", RETRY)
    assert kept(RetryAllowed, journal, on=route(stream_recovery=StreamRecovery.RESUME)) == 1
    assert "after bad_request, which is never retried" in broken(RetryAllowed, journal)


def test_what_did_not_fail_is_not_asked_again():
    journal = Journal()
    journal.call().asks("gpt").answers().asks("gpt", RETRY)
    assert "did not fail" in broken(RetryAllowed, journal)


def test_what_still_runs_is_not_asked_again():
    journal = Journal()
    journal.call().asks("gpt").asks("gpt", RETRY)
    assert "still runs" in broken(RetryAllowed, journal)


def test_another_call_may_ask_what_this_one_may_not():
    journal = Journal()
    journal.call().asks("gpt").fails(TIMEOUT).ends(error="AllTargetsFailedError")
    assert kept(RetryAllowed, journal.served("gpt")) == 0


# Waiting hints


def test_a_target_is_left_alone_until_its_cooldown_ends():
    journal = Journal().cools_down("gpt", 10.0).at(9.9)
    journal.call().asks("gpt")
    assert "came before 10.000 s" in broken(RetryAfterHonoured, journal)


def test_a_target_may_be_asked_when_its_cooldown_ends():
    assert kept(RetryAfterHonoured, Journal().cools_down("gpt", 10.0).at(10.0).served("gpt")) == 1


def test_a_shorter_hint_does_not_cut_a_longer_one():
    journal = Journal().cools_down("gpt", 10.0).cools_down("gpt", 2.0).at(5.0)
    journal.call().asks("gpt")
    assert broken(RetryAfterHonoured, journal)


def test_a_hint_without_cooldown_holds_within_its_call():
    journal = Journal()
    journal.call().asks("gpt").fails(OVERLOADED, retry_after_s=5.0).after(1.0).asks("gpt", RETRY)
    assert "came before 5.500 s" in broken(RetryAfterHonoured, journal)


def test_a_hint_without_cooldown_holds_for_no_other_call():
    journal = Journal()
    journal.call().asks("gpt").fails(OVERLOADED, retry_after_s=5.0).ends(error="AllTargetsFailedError")
    assert kept(RetryAfterHonoured, journal.served("gpt")) == 0


# The retry budget


def storm(retries, every_s=0.0):
    journal = Journal()
    for _ in range(retries):
        call = journal.call().asks("gpt").fails(CONNECTION, after_s=0.0).asks("gpt", RETRY)
        call.answers(after_s=0.0).ends("gpt")
        journal.now += every_s
    return journal


def test_a_burst_of_retries_is_paid_for():
    no_share = route(retry_budget=RetryBudgetPolicy(share=0.0, floor_per_s=1.0))
    assert kept(RetryBudgetKept, storm(20), on=no_share) == 20


def test_a_storm_of_retries_is_not():
    no_share = route(retry_budget=RetryBudgetPolicy(share=0.0, floor_per_s=1.0))
    assert "beyond the retry budget" in broken(RetryBudgetKept, storm(21), on=no_share)


def test_requests_and_time_pay_for_retries():
    by_share = route(retry_budget=RetryBudgetPolicy(share=1.0, floor_per_s=0.0))
    by_time = route(retry_budget=RetryBudgetPolicy(share=0.0, floor_per_s=1.0))
    assert kept(RetryBudgetKept, storm(100), on=by_share) == 100
    assert kept(RetryBudgetKept, storm(100, every_s=1.0), on=by_time) == 100


def test_a_quiet_hour_pays_for_no_storm():
    journal = storm(1)
    journal.now += 3600.0
    later = storm(40)
    journal.events += [replace(event, at_s=event.at_s + journal.now) for event in later.events]
    no_share = route(retry_budget=RetryBudgetPolicy(share=0.0, floor_per_s=1.0))
    assert checked(RetryBudgetKept, journal, on=no_share).violations


def test_the_first_fallback_to_another_provider_is_free():
    journal = Journal()
    for _ in range(100):
        call = journal.call().asks("gpt").fails(OVERLOADED, after_s=0.0).asks("claude", FALLBACK)
        call.answers(after_s=0.0).ends("claude")
    nothing = route(retry_budget=RetryBudgetPolicy(share=0.0, floor_per_s=0.0))
    assert kept(RetryBudgetKept, journal, on=nothing) == 0


def test_a_fallback_within_the_same_provider_and_a_second_one_are_not():
    twins = Route(
        "chat", ((Target("gpt", "openai"), Target("gpt-2", "openai"), Target("claude", "anthropic")),)
    )
    journal = Journal()
    call = journal.call().asks("gpt").fails(OVERLOADED).asks("gpt-2", FALLBACK).fails(OVERLOADED)
    call.asks("claude", FALLBACK).answers().ends("claude")
    assert kept(RetryBudgetKept, journal, on=twins) == 1
    second = Journal()
    call = second.call().asks("gpt").fails(OVERLOADED).asks("claude", FALLBACK).fails(OVERLOADED)
    call.asks("mistral", FALLBACK).answers().ends("mistral")
    assert kept(RetryBudgetKept, second) == 1


def test_a_last_resort_costs_nothing():
    journal = Journal()
    journal.call().asks("gpt", LAST_RESORT).answers().ends("gpt")
    assert kept(RetryBudgetKept, journal) == 0


# Answers


def test_a_truncated_stream_never_serves():
    journal = Journal()
    journal.call().asks("gpt").fails(TRUNCATED).ends("gpt")
    assert "its answer was a truncated_stream" in broken(TruncatedNeverServed, journal)


def test_a_failure_does_not_pass_for_a_success():
    journal = Journal()
    journal.call().asks("gpt").answers(failure=TRUNCATED).ends(error="StreamInterruptedError")
    assert "passes for a success" in broken(TruncatedNeverServed, journal)


def test_who_serves_must_have_succeeded():
    journal = Journal()
    journal.call().asks("gpt").answers().ends("claude")
    assert "no attempt succeeded" in broken(TruncatedNeverServed, journal)


def test_a_call_may_be_rescued_after_a_truncated_stream():
    journal = Journal()
    call = journal.call().asks("gpt").fails(TRUNCATED).asks("claude", FALLBACK)
    call.answers().ends("claude")
    assert kept(TruncatedNeverServed, journal) == 1


# Money


def test_an_attempt_costs_its_tokens_at_the_price_in_force():
    journal = Journal().prices("gpt")
    journal.call().asks("gpt").answers(tokens=(1000, 500)).ends("gpt")
    assert journal.events[-1].cost_nusd == 3_000_000
    assert kept(ChargesExact, journal) == 1


def test_a_nano_dollar_too_much_is_seen():
    journal = Journal().prices("gpt")
    journal.call().asks("gpt").answers(tokens=(1000, 500), cost_nusd=3_000_001).ends("gpt")
    assert "was charged 3000001 nano-dollars, 3000000 were owed" in broken(ChargesExact, journal)


def test_a_call_costs_what_its_attempts_cost():
    journal = Journal().prices("gpt")
    journal.call().asks("gpt").answers(tokens=(1000, 500)).ends("gpt", cost_nusd=0)
    assert "its attempts cost 3000000" in broken(ChargesExact, journal)


def test_without_a_price_nothing_may_be_charged():
    journal = Journal()
    journal.call().asks("gpt").answers(tokens=(1000, 500)).ends("gpt")
    assert "None were owed" in broken(ChargesExact, journal)
    unknown = Journal()
    unknown.call().asks("gpt").answers(tokens=(1000, 500), cost_nusd=None).ends("gpt")
    assert kept(ChargesExact, unknown) == 1


def untold(operation, **said):
    journal = Journal().prices("gpt")
    journal.call(operation=operation).asks("gpt").answers(**said).ends("gpt")
    return journal


def test_an_answer_that_tells_no_tokens_has_an_unknown_cost_unless_it_is_a_chat():
    assert kept(ChargesExact, untold(Operation.SPEECH, cost_nusd=None)) == 1
    assert kept(ChargesExact, untold(Operation.COMPLETION, cost_nusd=0)) == 1
    assert "0 were owed" in broken(ChargesExact, untold(Operation.COMPLETION, cost_nusd=None))
    told = untold(Operation.EMBEDDING, tokens=(1000, 0), cost_nusd=None)
    assert "1000000 were owed" in broken(ChargesExact, told)


# Limits of one's own


def limited(**limits):
    return Route("chat", ((Target("gpt", "openai", **limits),), (Target("claude", "anthropic"),)))


def test_a_minute_holds_as_many_attempts_as_are_allowed():
    journal = Journal().served("gpt", times=2, every_s=10.0).at(60.0).served("gpt")
    assert kept(LimitsKept, journal, on=limited(requests_per_minute=2)) == 3


def test_one_more_in_a_minute_is_a_violation():
    journal = Journal().served("gpt", times=2, every_s=10.0).at(59.9).served("gpt")
    told = broken(LimitsKept, journal, on=limited(requests_per_minute=2))
    assert "attempt 1 is number 3 in a minute, 2 are allowed" in told


def test_one_more_at_once_is_a_violation():
    journal = Journal()
    first = journal.call().asks("gpt")
    second = journal.call().asks("gpt")
    first.answers().ends("gpt")
    second.answers().ends("gpt")
    assert "makes 2 at once, 1 may run" in broken(LimitsKept, journal, on=limited(concurrency=1))
    assert kept(LimitsKept, journal, on=limited(concurrency=2)) == 2


def test_an_attempt_that_ended_makes_room():
    journal = Journal().served("gpt", times=3)
    assert kept(LimitsKept, journal, on=limited(concurrency=1)) == 3


def test_targets_without_limits_are_not_looked_at():
    assert kept(LimitsKept, calm(), on=route()) == 0
    assert kept(LimitsKept, Journal().served("claude"), on=limited(concurrency=1)) == 0


# Retirement


def test_a_retired_target_is_left_alone():
    journal = Journal().served("gpt").retires("gpt").served("claude")
    assert kept(RetiredLeftAlone, journal) == 1
    journal.call().asks("gpt")
    assert "retired at 1.000 s" in broken(RetiredLeftAlone, journal)


def test_a_target_that_is_due_is_left_alone_while_others_are_left():
    journal = Journal().at(1.0)
    early = journal.call()
    journal.reaches_its_end("gpt")
    early.asks("gpt").answers().ends("gpt")
    journal.call(order=("claude",)).asks("claude").fails(OVERLOADED).asks("gpt", LAST_RESORT).ends("gpt")
    journal.call(order=("gpt",)).asks("gpt").answers().ends("gpt")
    assert kept(RetiredLeftAlone, journal) == 4
    journal.call(order=("claude", "gpt")).asks("gpt")
    assert "due since 1.000 s, and others were left" in broken(RetiredLeftAlone, journal)


def test_a_target_whose_date_bars_is_not_asked_in_any_case():
    journal = Journal().at(1.0).reaches_its_end("gpt", ByDate.BAR)
    journal.call(order=("gpt",)).asks("gpt", LAST_RESORT)
    assert "retired at 1.000 s" in broken(RetiredLeftAlone, journal)


def test_a_date_that_is_ignored_binds_nobody():
    journal = Journal().reaches_its_end("gpt", ByDate.IGNORE)
    journal.call().asks("gpt")
    assert kept(RetiredLeftAlone, journal) == 0


def test_nobody_waits_for_a_canary():
    journal = Journal()
    journal.served("claude")
    canary = Told(journal, "warm-1", 30.0)
    canary.asks("gpt", AttemptCause.KEEP_WARM)
    assert kept(CallsEndOnce, journal) == 1


# Liveness


def gone_for_good(**facts):
    journal = calm().at(100.0).starts().served("claude", times=30).at(200.0).ends()
    return journal.served("claude", times=30).at(600.0), scenario(OUTAGE, **facts)


def test_the_preferred_target_returns():
    assert kept(PreferredReturns, weathered(), scenario(OUTAGE)) == 1


def test_a_target_given_up_for_ever_is_a_violation():
    assert "never served again after the last fault ended at 200 s" in broken(
        PreferredReturns, *gone_for_good()
    )


def unjudged() -> list[tuple[str, Callable[[Journal], object], dict[str, object]]]:
    return [
        ("too little time is left", lambda _: None, {"workload": {"for_s": 250}}),
        ("too few requests are left", lambda _: None, {"steady_state": {"requests_min": 31}}),
        ("it is retired", lambda journal: journal.retires("gpt"), {}),
        ("it is hit by what goes on", lambda journal: journal.starts(0), {}),
        ("it asked for a long time", _long_cooldown, {}),
    ]


def _long_cooldown(journal: Journal) -> None:
    ended = next(event for event in journal.events if event.event == "injection_ended")
    cooldown = Journal().at(190.0).cools_down("gpt", 580.0).events
    journal.events[journal.events.index(ended) : journal.events.index(ended)] = cooldown


@pytest.mark.parametrize(
    ("change", "facts"), [pytest.param(change, facts, id=why) for why, change, facts in unjudged()]
)
def test_a_return_is_not_asked_for_where(change, facts):
    journal, where = gone_for_good(**facts)
    change(journal)
    assert kept(PreferredReturns, journal, where) == 0


def test_a_return_is_not_asked_for_before_the_time_that_a_later_fault_asked_for():
    journal = calm().at(100.0).starts(0).at(110.0).ends(0).served("gpt", times=30)
    journal.at(200.0).starts(1).cools_down("gpt", 580.0).at(210.0).ends(1).served("claude", times=30)
    assert kept(PreferredReturns, journal.at(600.0), scenario(OUTAGE, OUTAGE)) == 0


def test_a_return_is_not_asked_for_without_a_steady_state():
    journal = Journal().starts().at(100.0).ends().served("claude", times=30)
    assert kept(PreferredReturns, journal, scenario(OUTAGE)) == 0


def test_a_return_is_not_asked_for_where_only_a_price_changed():
    journal, _ = gone_for_good()
    assert kept(PreferredReturns, journal, scenario(DEARER)) == 0


def test_a_strategy_that_learns_may_prefer_another_of_the_tier_afterwards():
    journal, where = gone_for_good()
    one_tier = Route("chat", ((Target("gpt", "openai"), Target("claude", "anthropic")),), "latency")
    assert kept(PreferredReturns, journal, where, one_tier) == 1
    assert broken(PreferredReturns, journal, where, replace(route(), strategy="latency"))


def test_the_judge_asks_every_invariant():
    journal = Journal()
    journal.call().asks("gpt", total_limit_s=99.0).answers(outcome=Outcome.SUCCESS).ends("gpt")
    names = [result.name for result in judged(journal).invariants]
    assert names == [kind.name for kind in INVARIANTS]
    assert [result.name for result in judged(journal).invariants if not result.kept] == ["deadline_kept"]
