"""What one attempt teaches about other targets."""

from __future__ import annotations

import pytest

from failover.core.breaker import CLOSED, HALF_OPEN, OPEN
from failover.core.events import CooldownStarted
from failover.core.failures import Failure, FailureKind, Scope
from failover.core.learned import Learned
from failover.core.vocabulary import Outcome, Reason, Route
from tests.core.school import BACKOFF, BIG, EVERYBODY, SMALL, School
from tests.core.story import (
    BAD_REQUEST,
    LOCAL,
    MODEL_GONE,
    OVERLOADED,
    QUOTA_EXHAUSTED,
    RATE_LIMITED,
    REGION_BLOCKED,
    UNAUTHORIZED,
    chain_of,
    target,
)

SHARING = {
    Scope.NOBODY: {"big"},
    Scope.REQUEST: {"big"},
    Scope.TARGET: {"big"},
    Scope.TARGET_PARAMETER: {"big"},
    Scope.MODEL: {"big", "big-other-key", "big-eu"},
    Scope.CREDENTIAL: {"big", "small"},
    Scope.CREDENTIAL_MODEL: {"big"},
    Scope.PROVIDER: EVERYBODY - {"namesake"},
    Scope.PROVIDER_REGION: {"big", "big-other-key", "small"},
}


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_reaches_exactly_those_that_share_its_domains(scope):
    assert {state.target.name for state in School().learned.sharing(scope, BIG)} == SHARING[scope]


@pytest.mark.parametrize(
    ("kind", "away"),
    [
        (RATE_LIMITED, {"big"}),
        (FailureKind.ACCELERATION_LIMITED, {"big", "small"}),
        (QUOTA_EXHAUSTED, {"big", "small"}),
        (UNAUTHORIZED, {"big", "small"}),
        (MODEL_GONE, {"big", "big-other-key", "big-eu"}),
        (REGION_BLOCKED, EVERYBODY - {"namesake"}),
        (OVERLOADED, set()),
        (BAD_REQUEST, set()),
        (LOCAL, set()),
    ],
)
def test_a_failure_keeps_us_away_from_those_it_blames_and_nobody_else(kind, away):
    school = School()
    school.fails("big", kind)
    assert school.away() == away


def test_plain_functions_have_no_model_to_share():
    school = School(target("score", model=""), target("rank", model="", provider="score-inc"))
    school.fails("score", MODEL_GONE)
    assert school.away() == {"score"}


def test_the_providers_hint_sets_the_cooldown():
    school = School()
    school.fails("big", RATE_LIMITED, now=1.0, retry_after_s=7.0)
    assert school.state("big").cooldown_until_s == 8.0
    assert school.events == [CooldownStarted(1.0, Scope.CREDENTIAL_MODEL, ("big",), 8.0)]


def test_without_a_hint_the_backoff_sets_the_cooldown():
    school = School()
    school.fails("big", RATE_LIMITED, now=1.0)
    assert school.state("big").cooldown_until_s == 3.0


def test_a_hint_of_no_wait_is_believed():
    school = School()
    school.fails("big", RATE_LIMITED, now=1.0, retry_after_s=0.0)
    assert school.away(now=1.0) == set()


def test_of_two_cooldowns_the_longer_is_kept():
    school = School()
    first, second = school.asks("big"), school.asks("big")
    school.fails("big", RATE_LIMITED, permit=first, retry_after_s=60.0)
    school.fails("big", RATE_LIMITED, permit=second, now=1.0, retry_after_s=5.0)
    assert school.state("big").cooldown_until_s == 60.0


def test_a_cooldown_counts_no_failure():
    school = School()
    for _ in range(50):
        assert school.fails("big", RATE_LIMITED, retry_after_s=1.0) is Outcome.ABANDONED
    assert school.state("big").breaker.state == CLOSED


def test_a_success_starts_the_count_of_cooldowns_afresh():
    school = School()
    school.fails("big", RATE_LIMITED)
    school.succeeds("big", now=5.0)
    assert school.state("big").cooldowns == 0


def test_a_quota_is_tried_again_at_its_reset():
    school = School()
    school.fails("big", QUOTA_EXHAUSTED, retry_after_s=30.0)
    assert (school.away(29.0), school.away(30.0)) == ({"big", "small"}, set())


def test_a_revoked_key_is_probed_after_a_long_time():
    school = School()
    school.fails("big", UNAUTHORIZED)
    assert (school.away(299.0), school.away(300.0)) == ({"big", "small"}, set())
    assert school.asks("small", 300.0).probe


def test_a_later_and_shorter_hint_does_not_cut_the_long_time_of_a_key():
    school = School()
    first, second = school.asks("big"), school.asks("small")
    school.fails("big", UNAUTHORIZED, permit=first)
    school.fails("small", QUOTA_EXHAUSTED, permit=second, now=1.0, retry_after_s=5.0)
    assert school.away(299.0) == {"big", "small"}


def test_a_refusal_of_a_key_that_arrives_after_it_was_renewed_changes_nothing():
    school = School()
    late = school.asks("big")
    school.fails("big", UNAUTHORIZED)
    school.succeeds("big", now=300.0)
    school.succeeds("small", now=300.0)
    school.fails("big", UNAUTHORIZED, permit=late, now=301.0)
    assert school.away(301.0) == set()


def test_a_revoked_key_is_told_once_however_many_attempts_it_fails():
    school = School()
    permits = [school.asks("big") for _ in range(3)]
    for permit in permits:
        school.fails("big", UNAUTHORIZED, permit=permit)
    assert [(event.target, event.state_to) for event in school.events] == [("big", OPEN), ("small", OPEN)]


def test_a_probe_that_finds_the_key_still_revoked_opens_its_breaker_once():
    school = School(BIG)
    for now in (0.0, 300.0):
        school.fails("big", UNAUTHORIZED, now=now)
    assert [(event.state_to, event.open_until_s) for event in school.events] == [
        (OPEN, 300.0),
        (HALF_OPEN, None),
        (OPEN, 600.0),
    ]


def test_a_bad_request_proves_that_its_target_works():
    school = School()
    for _ in range(5):
        school.fails("big", OVERLOADED)
    assert school.fails("big", BAD_REQUEST, now=10.0) is Outcome.SUCCESS
    assert school.state("big").breaker.state == CLOSED


@pytest.mark.parametrize("kind", [LOCAL, FailureKind.CANCELLED])
def test_what_is_nobodys_fault_returns_the_probes_slot(kind):
    school = School()
    for _ in range(5):
        school.fails("big", OVERLOADED)
    assert school.fails("big", kind, now=10.0) is Outcome.ABANDONED
    assert school.state("big").breaker.state == HALF_OPEN
    assert school.state("big").eligible(10.0)


def test_a_cancelled_attempt_says_nothing_of_its_target():
    school = School()
    permit = school.asks("big")
    school.learned.abandon(school.state("big"), permit, 1.0)
    assert permit.settled is Outcome.ABANDONED
    assert school.state("big").in_flight == 0


def test_an_attempt_is_in_flight_until_it_ends():
    school = School()
    permit = school.asks("big")
    assert school.state("big").in_flight == 1
    school.fails("big", OVERLOADED, permit=permit)
    assert school.state("big").in_flight == 0


def test_whoever_is_passed_over_is_told_why_and_until_when():
    school = School()
    school.state("big").cooldown_until_s = 5.0
    school.state("small").breaker.trip(0.0, 7.0)
    school.state("big-eu").breaker.trip(0.0, 1.0)
    school.asks("big-eu", now=1.0)
    why = [school.state(name).passed_over(1.0) for name in ("big", "small", "big-eu")]
    assert [(each.reason, each.until_s) for each in why] == [
        (Reason.COOLDOWN, 5.0),
        (Reason.BREAKER_OPEN, 7.0),
        (Reason.PROBE_RUNNING, None),
    ]


def test_a_last_resort_probe_within_the_open_time_is_told_as_a_probe():
    school = School()
    for _ in range(5):
        school.fails("big", OVERLOADED)
    school.asks("big", now=2.0)
    assert school.state("big").passed_over(3.0).reason is Reason.PROBE_RUNNING


def test_a_target_of_two_routes_is_learned_about_once():
    routes = [Route(name, chain_of("gpt")) for name in ("chat", "search")]
    learned = Learned(routes)
    assert list(learned.states) == ["gpt"]
    assert list(learned.budgets) == ["chat", "search"]


def test_it_learns_the_same_when_nobody_listens():
    learned = Learned([Route("chat", chain_of(BIG, SMALL))])
    state = learned.states["big"]
    learned.blame(state, learned.acquire(state, 0.0), Failure(UNAUTHORIZED), 0.0, BACKOFF)
    assert not learned.states["small"].eligible(1.0)
