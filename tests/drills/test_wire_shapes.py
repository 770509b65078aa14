"""Errors on the wire, worded as each provider words them: the classifier takes each for what was meant."""

from __future__ import annotations

import pytest

from failover.adapters.classify_reply import classify_reply
from failover.chaos.world.wire_shapes import BODIES, MESSAGES, error_image
from failover.core.failures import FailureKind
from tests.drills.worlds import MEANT

PROVIDERS = sorted({*BODIES, "openai", "azure", "groq", "deepseek", "openrouter", "somebody-new"})


def test_every_status_that_can_be_injected_has_a_meaning() -> None:
    assert MEANT.keys() == MESSAGES.keys()


@pytest.mark.parametrize("status", MEANT)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_injected_error_is_taken_for_what_it_means(provider, status) -> None:
    reply = error_image(provider, status).reply
    assert reply is not None
    failure = classify_reply(provider, reply)
    assert failure is not None
    assert (failure.kind, failure.status, failure.retry_after_s) == (MEANT[status], status, None)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_injected_rate_limit_is_understood_with_its_wait(provider) -> None:
    reply = error_image(provider, 429, 7.0).reply
    assert reply is not None
    failure = classify_reply(provider, reply)
    assert failure is not None
    assert (failure.kind, failure.retry_after_s) == (FailureKind.RATE_LIMITED, 7.0)


def test_the_same_error_is_the_very_same_image() -> None:
    """Outcomes are found out once per image."""
    assert error_image("openai", 503) is error_image("openai", 503)
