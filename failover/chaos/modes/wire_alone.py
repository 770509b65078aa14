"""What an image means to a provider that litellm cannot be played: judged by our classifier alone.

litellm signs requests to some clouds, or reaches them by clients of its own. In production its errors are
classified by the wire all the same, so only what litellm itself would make of a reply is missing here.
"""

from __future__ import annotations

import json
from http import HTTPStatus

import httpx

from failover.adapters.classify import classify_exception
from failover.adapters.classify_reply import classify_reply
from failover.adapters.doubts import wrong_model
from failover.adapters.terminal import StreamWatch, is_streamed
from failover.adapters.told_usage import usage_in
from failover.adapters.wire import ConnectionFault, WireReply
from failover.chaos.world.events import events_of
from failover.chaos.world.image import Image
from failover.chaos.world.outcome import Course, Outcome, Taken, so_far
from failover.chaos.world.wire_shapes import dialect_of
from failover.core.failures import Failure, FailureKind
from failover.core.vocabulary import Target


def judged_alone(target: Target, image: Image, *, stream: bool) -> Outcome:
    """The outcome of `image`; of a stream, its first event is taken for its first token."""
    failure = _failure(target, image, stream=stream)
    if image.reply is None:
        return Outcome(failure)
    doubts = () if failure is not None else wrong_model(target, image.reply.body)
    if not stream:
        return Outcome(failure, usage_in(image.reply.body), doubts)
    events = events_of(image.reply.body)
    last, usage = max(0, len(events) - 1), usage_in(image.reply.body)
    if not events or (failure is not None and failure.kind is not FailureKind.TRUNCATED_STREAM):
        return Outcome(failure, usage, course=Course(len(events), (), last))
    pieces = tuple(range(len(events)))
    known = so_far(events, {0: Taken(resumable=True)})
    course = Course(len(events), pieces, last, doubts=doubts, so_far=known)
    return Outcome(failure, usage, course=course)


def _failure(target: Target, image: Image, *, stream: bool) -> Failure | None:
    if image.reply is not None and image.fault is not None and stream:
        return Failure(FailureKind.TRUNCATED_STREAM, status=image.reply.status)
    if image.reply is not None and image.fault is None:
        seen = classify_reply(dialect_of(target), image.reply)
        if seen is not None or image.reply.status >= HTTPStatus.BAD_REQUEST:
            return seen
        return _unfinished(image.reply) if stream else _unanswered(image.reply)
    refused = image.fault is ConnectionFault.REFUSED
    request = httpx.Request("POST", "https://provider.invalid")
    kind = httpx.ConnectError if refused else httpx.ReadError
    return classify_exception(target, kind("injected", request=request))


def _unfinished(reply: WireReply) -> Failure | None:
    """A stream that its provider did not end was cut."""
    watch = StreamWatch()
    watch.feed(reply.body)
    cut = is_streamed(reply.headers.get("content-type", "")) and not watch.ended
    return Failure(FailureKind.TRUNCATED_STREAM, status=reply.status) if cut or watch.broken else None


def _unanswered(reply: WireReply) -> Failure | None:
    """A whole success holds an answer under one of the names that it has anywhere."""
    try:
        told = json.loads(reply.body)
    except ValueError:
        return None  # a sound, a text: whatever it is, the classifier let it pass
    answered = isinstance(told, list) or (isinstance(told, dict) and not ANSWERS.isdisjoint(told))
    return None if answered else Failure(FailureKind.MALFORMED_REPLY, status=reply.status)


ANSWERS = frozenset(
    {"choices", "candidates", "content", "output", "data", "embeddings", "results", "text", "completion"}
)
