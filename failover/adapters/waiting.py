"""Every form in which providers say how long to stay away, in seconds.

Sources: RFC 9110 section 10.2.3 (`Retry-After`); the rate-limit pages of OpenAI, Anthropic, Azure OpenAI,
Groq and OpenRouter; google.rpc.RetryInfo. Each form was also seen in recorded exchanges.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST_S = 366 * 86_400.0
"""A longer wait is taken for garbage."""

_EPOCH_MS_FROM, _EPOCH_S_FROM = 1e11, 1e9
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{1,9})?(?:ms|s|m|h|d))+")
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,9})?")
_PROSE = re.compile(
    r"\b(?:try again|retry|wait)(?: (?:in|after|for))? (?:about |at least )?"
    r"(?:(?P<short>(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h|d))+)(?![a-z])"
    r"|(?P<count>\d{1,9}(?:\.\d{1,9})?) ?(?P<unit>milliseconds?|seconds?|minutes?|hours?|days?))",
    re.IGNORECASE,
)
_PROSE_UNIT_S = {"millisecond": 0.001, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_PROSE_CHARS, _DATE_CHARS, _DEEPEST = 4_000, 64, 6


def waiting_s(headers: Mapping[str, str], body: Any, now_wall_s: float = 0.0) -> float | None:
    """The provider's waiting hint in seconds, never negative, None where it gave none.

    `headers` have lower-case names, `body` is parsed JSON or text, `now_wall_s` is Unix time. Where the
    clock is not known (0), the reply's own `Date` stands in for it.
    """
    now_s = told_now_s(headers, now_wall_s)
    for hint in (
        _asked_s(headers, now_s),
        _retry_info_s(body),
        _resets_s(headers, now_s),
        _resets_s(_quoted_headers(body), now_s),
        _prose_s(body),
    ):
        if hint is not None:
            return hint
    return None


def duration_s(text: str) -> float | None:
    """Seconds in a duration such as `6m0s`, `120ms` or `3s`; None for anything else."""
    stripped = text.strip().lower()
    if not _DURATION.fullmatch(stripped):
        return None
    return _sane(sum(float(count) * _UNIT_S[unit] for count, unit in _PART.findall(stripped)))


def told_now_s(headers: Mapping[str, str], now_wall_s: float) -> float | None:
    """Unix time: the clock's, or that of the reply's `Date` where the clock is not known (0)."""
    return now_wall_s if now_wall_s > 0 and math.isfinite(now_wall_s) else _date_s(headers.get("date", ""))


def _sane(seconds: float | None) -> float | None:
    if seconds is None or not math.isfinite(seconds) or seconds > LONGEST_S:
        return None
    return max(0.0, seconds)


def number_of(text: str) -> float | None:
    """A plain number that is not negative; None for anything else."""
    stripped = text.strip()
    return float(stripped) if _NUMBER.fullmatch(stripped) else None


def _date_s(text: str) -> float | None:
    """Unix time of an HTTP date or an RFC 3339 time; a row of digits is neither."""
    if len(text) > _DATE_CHARS or not any(character.isalpha() for character in text):
        return None
    try:
        moment = parsedate_to_datetime(text.strip())
    except (ValueError, TypeError, IndexError, OverflowError):
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _until_s(moment_s: float | None, now_s: float | None) -> float | None:
    return None if moment_s is None or now_s is None else _sane(moment_s - now_s)


def _asked_s(headers: Mapping[str, str], now_s: float | None) -> float | None:
    """`retry-after-ms` refines `retry-after`; where they contradict each other the longer one holds.

    Azure sends `retry-after: 1` with `retry-after-ms: 0`, Cerebras only the milliseconds.
    """
    text = headers.get("retry-after", "")
    whole_s = _sane(number_of(text)) if _NUMBER.fullmatch(text.strip()) else _until_s(_date_s(text), now_s)
    milliseconds = number_of(headers.get("retry-after-ms", ""))
    precise_s = None if milliseconds is None else _sane(milliseconds / 1000)
    if whole_s is None or precise_s is None:
        return precise_s if whole_s is None else whole_s
    refines = precise_s > 0 and abs(precise_s - whole_s) < 1
    return precise_s if refines else max(precise_s, whole_s)


def _objects(body: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Every JSON object in `body`, outermost first, to a bounded depth."""
    if depth > _DEEPEST:
        return
    if isinstance(body, Mapping):
        yield body
    children = body.values() if isinstance(body, Mapping) else body if isinstance(body, list) else ()
    for child in children:
        yield from _objects(child, depth + 1)


def _retry_info_s(body: Any) -> float | None:
    """`retryDelay` of google.rpc.RetryInfo, a duration such as `3s`."""
    for found in _objects(body):
        delay = found.get("retryDelay")
        if isinstance(delay, str) and (seconds := duration_s(delay)) is not None:
            return seconds
    return None


def _quoted_headers(body: Any) -> Mapping[str, str]:
    """OpenRouter repeats the upstream's headers in `error.metadata.headers`."""
    for found in _objects(body):
        metadata = found.get("metadata")
        quoted = metadata.get("headers") if isinstance(metadata, Mapping) else None
        if isinstance(quoted, Mapping):
            return {str(name).lower(): str(value) for name, value in quoted.items()}
    return {}


def _resets_s(headers: Mapping[str, str], now_s: float | None) -> float | None:
    """The latest reset among the quotas that are used up: others say nothing about this refusal."""
    waits = [
        wait
        for name, value in headers.items()
        if "ratelimit" in name and "remaining" in name and number_of(value) == 0
        if (wait := _reset_beside_s(headers, name, now_s)) is not None
    ]
    return max(waits, default=None)


def _reset_beside_s(headers: Mapping[str, str], name: str, now_s: float | None) -> float | None:
    text = headers.get(name.replace("remaining", "reset"), "")
    wait_s = reset_s(text, now_s)
    # Who tells a renewal period in seconds (Azure OpenAI) tells plain resets in milliseconds.
    in_milliseconds = name.replace("remaining", "renewalperiod") in headers and number_of(text) == wait_s
    return wait_s / 1000 if wait_s is not None and in_milliseconds else wait_s


def reset_s(text: str, now_s: float | None) -> float | None:
    """A reset is a duration, plain seconds, Unix time in seconds or milliseconds, or RFC 3339."""
    number = number_of(text)
    if number is None:
        seconds = duration_s(text)
        return _until_s(_date_s(text), now_s) if seconds is None else seconds
    if number >= _EPOCH_MS_FROM:
        return _until_s(number / 1000, now_s)
    return _until_s(number, now_s) if number >= _EPOCH_S_FROM else _sane(number)


def _prose_s(body: Any) -> float | None:
    """Last resort: "Please try again in 9m38.016s", "Please retry after 20 seconds"."""
    texts = [body] if isinstance(body, str) else [_said(found) for found in _objects(body)]
    for text in texts:
        match = _PROSE.search(text[:_PROSE_CHARS])
        if match is None:
            continue
        if match["short"]:
            return duration_s(match["short"])
        return _sane(float(match["count"]) * _PROSE_UNIT_S[match["unit"].lower().rstrip("s")])
    return None


def _said(found: Mapping[str, Any]) -> str:
    parts = (found.get(key) for key in ("message", "Message", "detail", "error", "raw"))
    return " ".join(part for part in parts if isinstance(part, str))
