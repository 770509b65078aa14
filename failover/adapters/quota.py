"""What a provider's rate-limit headers say is left, in every dialect they come in.

Sources: the rate-limit pages of OpenAI, Anthropic, Azure OpenAI, Mistral, Groq, Cerebras, Cohere, Fireworks,
Together and OpenRouter; the IETF drafts `RateLimit header fields for HTTP`, old and new. Most of them were
also seen in recorded exchanges. A header's name is read word by word, so that a new window or a new
provider of the same family needs no change here; a name with a word that is not known is no reading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from failover.adapters.waiting import number_of, reset_s, told_now_s
from failover.core.headroom import Counted, Headroom, QuotaWindow

_NAME = re.compile(
    r"(?:(?:x|anthropic)-)?(?P<family>ratelimitbysize|ratelimit|tokenlimit)-(?P<words>[a-z0-9-]{1,60})"
)
_FIELDS = frozenset({"limit", "remaining", "reset", "renewalperiod"})
_COUNTED = {
    "requests": Counted.REQUESTS,
    "request": Counted.REQUESTS,
    "req": Counted.REQUESTS,
    "tokens": Counted.TOKENS,
    "token": Counted.TOKENS,
}
_SIDES = {
    "input": Counted.INPUT_TOKENS,
    "prompt": Counted.INPUT_TOKENS,
    "output": Counted.OUTPUT_TOKENS,
    "generated": Counted.OUTPUT_TOKENS,
}
_PERIODS_S = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0, "month": 2_678_400.0}
_QUALIFIERS = frozenset({"project"})
_COHERE = {
    "x-trial-endpoint-call-limit": ("trial-endpoint-call", "limit"),
    "x-trial-endpoint-call-remaining": ("trial-endpoint-call", "remaining"),
}
_LEADING = re.compile(r"\s*(\d{1,15})(?![\d.])")
_ITEM = re.compile(r"(?:^|[;,\s])(?P<key>limit|remaining|reset|r|t|q)\s*=\s*(?P<value>\d{1,15})(?![\d.])")
_POLICY_NAME = re.compile(r'"(?P<name>[^"]{1,60})"')
_MOST_CHARS, _MOST_HEADERS = 400, 40


class _Window(NamedTuple):
    """Which window a header is about: its stem, what it counts, its length where the name tells."""

    stem: str
    counted: Counted
    period_s: float | None


Fields = dict[str, str]


def headroom_of(headers: Mapping[str, str], now_wall_s: float = 0.0) -> Headroom | None:
    """What is left, None where nothing is told. `headers` have lower-case names; never raises.

    `now_wall_s` is Unix time; where it is not known (0), the reply's own `Date` stands in for it.
    """
    told = [name for name in headers if "limit" in name or "-call-" in name][:_MOST_HEADERS]
    if not told:
        return None
    found: dict[_Window, Fields] = {}
    for name in told:
        placed = _placed(name)
        if placed is not None:
            window, field = placed
            found.setdefault(window, {})[field] = headers[name]
    _combined(headers, found)
    now_s = told_now_s(headers, now_wall_s)
    windows = [_read(window, fields, now_s) for window, fields in found.items()]
    known = tuple(window for window in windows if window is not None)
    return Headroom(known) if known else None


@lru_cache(maxsize=512)
def _placed(name: str) -> tuple[_Window, str] | None:
    """Which window a header is about, and which of its figures it holds."""
    if name in _COHERE:
        stem, field = _COHERE[name]
        return _Window(stem, Counted.REQUESTS, 60.0), field
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    words = match["words"].split("-")
    fields = [word for word in words if word in _FIELDS]
    rest = [word for word in words if word not in _FIELDS]
    window = _window(match["family"], rest)
    return None if window is None or len(fields) != 1 else (window, fields[0])


def _window(family: str, words: list[str]) -> _Window | None:
    counted = Counted.REQUESTS if family == "ratelimit" else Counted.TOKENS
    period_s = side = None
    for word in words:
        if word in _COUNTED:
            counted = _COUNTED[word]
        elif word in _SIDES:
            side = _SIDES[word]
        elif word in _PERIODS_S:
            period_s = _PERIODS_S[word]
        elif word not in _QUALIFIERS:
            return None
    if side is not None and counted is Counted.TOKENS:
        counted = side
    return _Window("-".join((family, *words)), counted, period_s)


def _combined(headers: Mapping[str, str], found: dict[_Window, Fields]) -> None:
    """`RateLimit: limit=100, remaining=50, reset=30`, and its successor `"name";r=50;t=30`.

    The limit of the latter stands in `RateLimit-Policy`, which tells of several windows by name.
    """
    words = {"r": "remaining", "t": "reset", "q": "limit"}
    windows: dict[str, Fields] = {}
    for header in ("ratelimit-policy", "ratelimit"):
        for part in _parts(headers.get(header, "")[:_MOST_CHARS]):
            named = _POLICY_NAME.findall(part)
            fields = windows.setdefault(named[-1] if named else "", {})
            for key, value in _ITEM.findall(part):
                fields.setdefault(words.get(key, key), value)
    for name, fields in windows.items():
        if "remaining" in fields:
            found[_Window(f"ratelimit {name}", Counted.REQUESTS, None)] = fields


def _parts(text: str) -> list[str]:
    """Old: one window, its figures set apart by commas; new: a comma begins the next window."""
    return text.split(",") if '"' in text else [text]


def _read(window: _Window, fields: Fields, now_s: float | None) -> QuotaWindow | None:
    remaining = _count(fields.get("remaining", ""))
    if remaining is None:
        return None
    limit = _count(fields.get("limit", ""))
    return QuotaWindow(
        name=window.stem,
        counted=window.counted,
        remaining=remaining,
        limit=limit or None,
        resets_in_s=_resets_in_s(fields, window.period_s, now_s),
    )


def _count(text: str) -> int | None:
    """A whole number; `100, 100;w=60` tells the one in force first."""
    match = _LEADING.match(text)
    return None if match is None else int(match[1])


def _resets_in_s(fields: Fields, period_s: float | None, now_s: float | None) -> float | None:
    """Seconds to the reset; where only the window's length is told, that much at most."""
    text = fields.get("reset", "")[:_MOST_CHARS]
    wait_s = reset_s(text, now_s)
    renewal_s = number_of(fields.get("renewalperiod", ""))
    if renewal_s is not None:
        # Who tells a renewal period in seconds (Azure OpenAI) tells resets in milliseconds: of 120 requests
        # a minute one was used, and it says 500.
        period_s = renewal_s
        if wait_s is not None and number_of(text) is not None:
            wait_s /= 1000
    if wait_s is None or period_s is None:
        return period_s if wait_s is None else wait_s
    return min(wait_s, period_s)
