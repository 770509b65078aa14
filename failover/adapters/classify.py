"""From any exception to exactly one failure: what the provider really sent, else what the transport says,
else what the client library made of it. litellm hides a reset behind a 500 and an overload behind another
class, so the chain of causes is walked to the bottom.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from failover.adapters.classify_reply import classify_reply
from failover.adapters.evidence import parameter_in
from failover.adapters.exception_kinds import (
    CANCELLATIONS,
    CLIENT,
    CUT,
    MORE_TELLING,
    PROGRAMMING,
    TRANSPORT,
    names_of,
)
from failover.adapters.wire import WireReply
from failover.core.failures import Failure, FailureKind
from failover.core.vocabulary import Target

_LONGEST_CHAIN, _MESSAGE_CHARS = 20, 20_000
_STATUSES, _REFUSED, _SUCCEEDED = range(100, 600), range(400, 600), range(200, 300)
_WRAPPED = re.compile(r"\b(?:[\w.]+(?:Error|Exception|Timeout)\b\s*[:-]\s*)+")
_UNSPECIFIC = frozenset({FailureKind.BAD_REQUEST, FailureKind.SERVER_ERROR, FailureKind.CONNECTION})
_TAKES_A_SEND = frozenset({FailureKind.CONNECTION, FailureKind.SERVER_ERROR, FailureKind.MALFORMED_REPLY})
_SPOKEN_BY_MANY = frozenset({"openai", "custom_openai", "openai_like", "litellm_proxy"})


def classify_exception(target: Target, error: BaseException, now_wall_s: float = 0.0) -> Failure:
    """The failure that `error` shows of an attempt at `target`. Total: it never raises.

    `now_wall_s` is Unix time, for waiting hints that name a moment. What is not known is `local`: nobody is
    blamed for it. Source of the classes: litellm.exceptions, the openai SDK, httpx, aiohttp, botocore.
    """
    try:
        return _classified(target, error, now_wall_s)
    except Exception:  # noqa: BLE001 - an exception whose own attributes raise is a bad adapter's
        return Failure(FailureKind.LOCAL)


def _classified(target: Target, error: BaseException, now_wall_s: float) -> Failure:
    if not CANCELLATIONS.isdisjoint(names_of(error)):
        return Failure(FailureKind.CANCELLED)
    chain = list(_chain(error))
    found = _found(_provider(target), chain, now_wall_s)
    if found.kind in _TAKES_A_SEND and any(_failed_at_translating(link) for link in chain):
        return Failure(FailureKind.UNSUPPORTED_PARAMETER, code="untranslatable")
    return _as_stream(error, found)


def _found(provider: str, chain: list[BaseException], now_wall_s: float) -> Failure:
    for link in chain:
        found = _from_reply(provider, link, now_wall_s) or _from_transport(link)
        if found is not None:
            return _sharpened(chain, found)
    return _from_client(provider, chain, now_wall_s)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and what caused it, outermost first; cycles and endless chains end."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _LONGEST_CHAIN:
        link = waiting.pop(0)
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        original = getattr(link, "original_exception", None)
        cause = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        grouped = link.exceptions[:1] if isinstance(link, BaseExceptionGroup) else ()
        waiting += [original if isinstance(original, BaseException) else None, cause, *grouped]


def _provider(target: Target) -> str:
    """litellm's prefix names the provider, unless it only names the dialect; then the config's name does."""
    prefix = target.model.partition("/")[0] if "/" in target.model else ""
    return target.provider if not prefix or prefix in _SPOKEN_BY_MANY else prefix


def _from_reply(provider: str, link: BaseException, now_wall_s: float) -> Failure | None:
    """What the provider really sent, where the exception still holds it. litellm's stand-ins are empty."""
    response = getattr(link, "response", None)
    status = getattr(response, "status_code", None)
    if response is None or not isinstance(status, int) or isinstance(status, bool):
        return None
    try:
        body = response.content
    except Exception:  # noqa: BLE001 - a streamed response that nobody read holds no body to go by
        return None
    if not isinstance(body, bytes) or not body.strip():
        return None
    found = classify_reply(
        provider, WireReply(status, _lowered(getattr(response, "headers", None)), body), now_wall_s
    )
    return found or Failure(FailureKind.MALFORMED_REPLY, status=status)


def _from_transport(link: BaseException) -> Failure | None:
    for name in names_of(link):
        if name in TRANSPORT:
            kind, phase = TRANSPORT[name]
            cut = kind is FailureKind.CONNECTION and CUT.search(_message(link)) is not None
            return Failure(FailureKind.TRUNCATED_STREAM if cut else kind, phase=phase)
    return None


def _from_client(provider: str, chain: list[BaseException], now_wall_s: float) -> Failure:
    """By the client's class and the status, headers and message that it kept."""
    status = next((status for link in reversed(chain) if (status := _status(link)) is not None), None)
    by_class = next((CLIENT[name] for link in chain for name in names_of(link) if name in CLIENT), None)
    if status in _SUCCEEDED or any(_failed_at_reading(link) for link in chain[1:]):
        return Failure(FailureKind.MALFORMED_REPLY, status=status if status in _SUCCEEDED else None)
    if status is None and by_class is None:
        keyless = any("api_key" in _message(link) for link in chain if "OpenAIError" in names_of(link))
        return Failure(FailureKind.UNAUTHORIZED if keyless else FailureKind.LOCAL)
    if (
        by_class is not None
        and by_class[0] is FailureKind.CONNECTION
        and (bug := _bug_beneath(chain)) is not None
    ):
        return Failure(bug)
    told = _told(provider, chain, status, now_wall_s)
    if told is None or (by_class is not None and by_class[0] is FailureKind.TIMEOUT and not told.code):
        kind, phase = by_class or (FailureKind.LOCAL, None)
        return Failure(kind, status=status, phase=phase)
    if (
        by_class is not None
        and by_class[0] is FailureKind.CONNECTION
        and told.kind is FailureKind.SERVER_ERROR
    ):
        return replace(told, kind=FailureKind.CONNECTION, status=None)
    return _sharpened(chain, told)


def _told(provider: str, chain: list[BaseException], status: int | None, now_wall_s: float) -> Failure | None:
    if status not in _REFUSED or status is None:
        return None
    headers = next((kept for link in chain if (kept := _headers(link))), {})
    body = next((quoted for link in reversed(chain) if (quoted := _body(link))), b"")
    return classify_reply(provider, WireReply(status, headers, body), now_wall_s)


def _sharpened(chain: list[BaseException], found: Failure) -> Failure:
    """litellm knows some context-window and content-policy phrases that a bare 400 does not show us."""
    if found.kind not in _UNSPECIFIC:
        return found
    for link in chain:
        kind, _ = next((CLIENT[name] for name in names_of(link) if name in CLIENT), (found.kind, None))
        if kind in MORE_TELLING:
            unsupported = kind is FailureKind.UNSUPPORTED_PARAMETER
            return replace(
                found, kind=kind, parameter=parameter_in(_message(link)) if unsupported else found.parameter
            )
    return found


def _as_stream(error: BaseException, found: Failure) -> Failure:
    """A connection that broke after the first chunk cut the stream."""
    broke = "MidStreamFallbackError" in names_of(error) and not getattr(error, "is_pre_first_chunk", True)
    unspecific = found.kind in _UNSPECIFIC or found.kind in {FailureKind.LOCAL, FailureKind.OVERLOADED}
    return (
        replace(found, kind=FailureKind.TRUNCATED_STREAM)
        if broke and unspecific and not found.code
        else found
    )


def _bug_beneath(chain: list[BaseException]) -> FailureKind | None:
    """litellm's `APIConnectionError` is also its catch-all: a mistake in code lies beneath."""
    for link in chain[1:]:
        if not PROGRAMMING.isdisjoint(names_of(link)):
            return FailureKind.MALFORMED_REPLY if _failed_at_reading(link) else FailureKind.LOCAL
    return None


def _failed_at_reading(link: BaseException) -> bool:
    """Whether the code that failed was turning a reply into an answer: then the reply is to blame."""
    traceback = link.__traceback__ if not PROGRAMMING.isdisjoint(names_of(link)) else None
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_name
        if "response" in name and "response_format" not in name:
            return True
        traceback = traceback.tb_next
    return False


def _failed_at_translating(link: BaseException) -> bool:
    """Whether litellm was putting the request into its provider's dialect: then nothing was sent.

    It shows such a failure as a lost connection, or as a reply that does not parse. What it cannot say
    to one provider, such as a tool call whose arguments are no JSON, another may take as it is.
    """
    traceback = link.__traceback__
    while traceback is not None:
        if "transform_request" in traceback.tb_frame.f_code.co_name:
            return True
        traceback = traceback.tb_next
    return False


def _status(link: BaseException) -> int | None:
    for name in ("status_code", "status", "code"):
        value = getattr(link, name, None)
        number = int(value) if isinstance(value, str) and re.fullmatch(r"[1-5]\d\d", value) else value
        if isinstance(number, int) and not isinstance(number, bool) and number in _STATUSES:
            return number
    return None


def _headers(link: BaseException) -> dict[str, str]:
    holders = (link, getattr(link, "response", None))
    names = ("litellm_response_headers", "headers")
    kept = (_lowered(getattr(holder, name, None)) for holder in holders for name in names)
    return next((found for found in kept if found), {})


def _lowered(headers: Any) -> dict[str, str]:
    items = headers.items() if isinstance(headers, Mapping) else ()
    return {str(name).lower(): str(value) for name, value in items}


def _body(link: BaseException) -> bytes:
    """The provider's body as the exception quotes it: `body`, or JSON inside the message, or the message."""
    body = getattr(link, "body", None)
    if isinstance(body, Mapping) and body:
        return json.dumps(body if "error" in body else {"error": dict(body)}, default=str).encode()
    text = body if isinstance(body, str) and body else _message(link)
    start = text.find("{")
    if start >= 0:
        try:
            return json.dumps(json.JSONDecoder().raw_decode(text[start:])[0]).encode()
        except (ValueError, RecursionError):
            pass
    return _WRAPPED.sub("", text).encode("utf-8", "replace")


def _message(link: BaseException) -> str:
    message = getattr(link, "message", None)
    return (message if isinstance(message, str) and message else str(link))[:_MESSAGE_CHARS]
