"""The table of failures: one row for each kind, and no other."""

from __future__ import annotations

import pytest

from failover.core.failures import (
    DISPOSITIONS,
    Disposition,
    Failure,
    FailureKind,
    NextTarget,
    SameTarget,
    Scope,
    StayAway,
)

# Same target again, next target, who is blamed, how it stays away: as the design's sixth section says.
# `wrong_model` reaches the core only where the policy calls it a failure; then somebody else is asked.
# `truncated_stream` is the row before the commit point; after it the call ends.
EXPECTED = """
rate_limited           once_after_cooldown  yes            credential_model  cooldown
acceleration_limited   never                yes            credential        cooldown
quota_exhausted        never                yes            credential        long
overloaded             once_with_jitter     yes            target            breaker
server_error           once_with_jitter     yes            target            breaker
connection             once_at_once         yes            provider_region   breaker
timeout                never                yes            target            breaker
unauthorized           never                yes            credential        long
region_blocked         never                yes            provider          until_reload
model_gone             never                yes            model             retirement
context_length         never                larger_window  request           nothing
content_filtered       never                by_policy      request           nothing
request_too_large      never                larger_limit   request           nothing
bad_request            never                no             request           nothing
unsupported_parameter  never                yes            target_parameter  nothing
malformed_reply        once_with_jitter     yes            target            breaker
truncated_stream       once_with_jitter     yes            target            breaker
wrong_model            never                yes            target            nothing
cancelled              never                no             nobody            nothing
local                  never                no             nobody            nothing
"""
ROWS = [line.split() for line in EXPECTED.split("\n") if line]


def test_every_kind_of_failure_has_exactly_one_row():
    assert set(DISPOSITIONS) == set(FailureKind)
    assert sorted(row[0] for row in ROWS) == sorted(FailureKind)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_row_says_what_the_design_says(row):
    kind, same, following, scope, away = row
    expected = Disposition(SameTarget(same), NextTarget(following), Scope(scope), StayAway(away))
    assert Failure(FailureKind(kind)).disposition == expected


def test_a_failure_blames_whom_its_row_blames():
    assert Failure(FailureKind.UNAUTHORIZED).scope is Scope.CREDENTIAL
