"""When the request itself is to blame: who may still be asked, and what its caller is told."""

from __future__ import annotations

from failover.core.vocabulary import Reason
from failover.errors import AllTargetsFailedError, RequestRejectedError
from tests.core.story import (
    BAD_REQUEST,
    CONNECTION,
    CONTENT_FILTERED,
    CONTEXT_LENGTH,
    OVERLOADED,
    REQUEST_TOO_LARGE,
    Story,
    target,
)


def test_a_bad_request_is_taken_to_nobody_else():
    Story("gpt", "claude").call().sends_to("gpt").fails(BAD_REQUEST).raises(RequestRejectedError)


def test_a_request_too_long_for_a_window_goes_only_to_a_larger_one():
    sizes = {"small": 8_000, "same": 8_000, "unknown": None, "large": 200_000}
    story = Story(*(target(name, context_window_tokens=size) for name, size in sizes.items()))
    call = story.call().sends_to("small").fails(CONTEXT_LENGTH).sends_to("large").succeeds()
    passed = [(each.target.name, each.reason) for each in call.call.story(0.0).passed_over]
    assert passed == [("same", Reason.WINDOW_TOO_SMALL), ("unknown", Reason.WINDOW_TOO_SMALL)]


def test_a_request_too_long_for_every_window_is_the_callers_to_change():
    story = Story(target("large", context_window_tokens=9), target("small", context_window_tokens=8))
    story.call().sends_to("large").fails(CONTEXT_LENGTH).raises(RequestRejectedError)


def test_a_request_that_a_larger_target_may_take_when_it_is_back_need_not_change():
    story = Story(*(target(name, context_window_tokens=size) for name, size in (("small", 8), ("large", 99))))
    call = story.cools_down("large", 90.0).call().sends_to("small").fails(CONTEXT_LENGTH)
    assert call.raises(AllTargetsFailedError).retry_after_s == 90.0


def test_a_request_that_its_policy_keeps_from_a_larger_target_need_not_change():
    chain = [target(name, context_window_tokens=size) for name, size in (("small", 8), ("large", 99))]
    story = Story(*chain, attempts=1)
    story.call().sends_to("small").fails(CONTEXT_LENGTH).raises(AllTargetsFailedError)


def test_a_window_of_unknown_size_proves_nobody_larger():
    story = Story("gpt", target("large", context_window_tokens=9))
    story.call().sends_to("gpt").fails(CONTEXT_LENGTH).raises(RequestRejectedError)


def test_a_request_too_large_for_a_limit_goes_only_to_a_larger_one():
    limits = {"small": 1_000, "smaller": 500, "large": 9_000}
    story = Story(*(target(name, tokens_per_minute=limit) for name, limit in limits.items()))
    story.call().sends_to("small").fails(REQUEST_TOO_LARGE).sends_to("large").succeeds()


def test_a_request_too_long_and_too_large_goes_only_where_it_fits_both():
    sizes = {"gpt": (8, 10), "claude": (99, 20), "short": (4, 90), "both": (50, 90)}
    chain = [
        target(name, context_window_tokens=window, tokens_per_minute=limit)
        for name, (window, limit) in sizes.items()
    ]
    call = Story(*chain).call().sends_to("gpt").fails(CONTEXT_LENGTH).sends_to("claude")
    call.fails(REQUEST_TOO_LARGE).sends_to("both")


def test_a_filtered_request_is_taken_nowhere_else_by_default():
    Story("gpt", "claude").call().sends_to("gpt").fails(CONTENT_FILTERED).raises(RequestRejectedError)


def test_a_filtered_request_falls_back_where_the_route_says_so():
    call = Story("gpt", "claude", on_content_filtered="fallback").call()
    call.sends_to("gpt").fails(CONTENT_FILTERED).sends_to("claude").fails(CONTENT_FILTERED)
    call.raises(RequestRejectedError)


def test_who_says_not_to_send_again_is_not_asked_again():
    """`x-should-retry: false`, as OpenAI and Anthropic send it."""
    story = Story("gpt")
    call = story.call().sends_to("gpt").fails(OVERLOADED, may_retry=False)
    call.raises(AllTargetsFailedError)
    call = story.call().sends_to("gpt").fails(CONNECTION, may_retry=False)
    call.raises(AllTargetsFailedError)
