"""What an image means to a provider that litellm cannot be played: judged by our classifier alone.

litellm signs requests to some clouds, or reaches them by clients of its own. In production its errors are
classified by the wire all the same, so only what litellm itself would make of a reply is missing here.
"""

from __future__ import annotations

import httpx

from failover.adapters.classify import classify_exception
from failover.adapters.classify_reply import classify_reply
from failover.adapters.told_usage import usage_in
from failover.adapters.wire import ConnectionFault
from failover.chaos.world.events import events_of
from failover.chaos.world.image import Image
from failover.chaos.world.outcome import Course, Outcome
from failover.core.failures import Failure
from failover.core.vocabulary import Target


def judged_alone(target: Target, image: Image, *, stream: bool) -> Outcome:
    """The outcome of `image`; of a stream, its first event is taken for its first token."""
    failure = _failure(target, image)
    if image.reply is None or not stream:
        return Outcome(failure, None if image.reply is None else usage_in(image.reply.body))
    events = events_of(image.reply.body)
    last = max(0, len(events) - 1)
    usage = usage_in(image.reply.body)
    if failure is not None:
        return Outcome(failure, usage, course=Course(len(events), (), last))
    course = Course(len(events), tuple(range(len(events))), last, usage=usage_in(events[0]), resumable=True)
    return Outcome(None, usage, course=course)


def _failure(target: Target, image: Image) -> Failure | None:
    if image.reply is not None:
        return classify_reply(target.provider, image.reply)
    refused = image.fault is ConnectionFault.REFUSED
    request = httpx.Request("POST", "https://provider.invalid")
    error = (
        httpx.ConnectError("refused", request=request) if refused else httpx.ReadError("", request=request)
    )
    return classify_exception(target, error)
