"""Injections in Python, worded as in a scenario file; what is wrong with one is said when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Injecting = Mapping[str, Any]
"""One entry of a scenario's `inject`: its keys and values."""


def injection(kind: str, provider: str | None = None, /, **fields: Any) -> Injecting:
    """Any injection of the catalogue by its kind, with the fields of `docs/scenarios.md`.

    A word alone is the provider that it hits; name another fault domain by its key (`target="gpt"`,
    `edge="cloudflare"`). A field that is a word of Python is written with `_` behind it: `as_="503"`.
    """
    named = {} if provider is None else {"provider": provider}
    return {"kind": kind, **named, **{name.rstrip("_"): value for name, value in fields.items()}}


def outage(provider: str | None = None, /, **fields: Any) -> Injecting:
    """Nothing but errors: `as_` is `500`, `502`, `503`, `504`, `529`, `refused`, `reset` or `hang`."""
    return injection("outage", provider, **fields)


def slowdown(provider: str | None = None, /, **fields: Any) -> Injecting:
    """The same answers, later: `factor` times, or `first_token_extra_s` before the first token."""
    return injection("slowdown", provider, **fields)


def rate_limit(provider: str | None = None, /, **fields: Any) -> Injecting:
    """The provider's own 429, with `retry_after_s` or without a hint."""
    return injection("rate_limit", provider, **fields)


def deprecation(provider: str | None = None, /, **fields: Any) -> Injecting:
    """The model is withdrawn: the provider's own "no such model"."""
    return injection("deprecation", provider, **fields)


def price_change(provider: str | None = None, /, **fields: Any) -> Injecting:
    """Both prices are multiplied by `factor`."""
    return injection("price_change", provider, **fields)
