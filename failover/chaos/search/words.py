"""A schedule and what it broke, in plain words: for a scenario's title and for who reads the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from failover.core.vocabulary import FaultDomain

BREAKS: Mapping[str, str] = {
    "crash": "The router raises what it never should",
    "permits_settled": "An attempt never ends, or ends twice",
    "calls_end_once": "A caller is never answered, or answered twice",
    "deadline_kept": "A call goes on beyond its deadline",
    "open_breaker_respected": "Something is sent through an open breaker",
    "attempts_within_limit": "A call makes more attempts than the policy allows",
    "retry_allowed": "A target is asked again after a failure that forbids it",
    "retry_after_honoured": "A target is asked again before the time it asked for",
    "retry_budget_kept": "Retries go beyond the retry budget",
    "truncated_never_served": "Half an answer is served as a whole one",
    "charges_exact": "A charge is not what the tokens cost",
    "retired_left_alone": "A retired target is still asked",
    "limits_kept": "A target is sent more than its limits allow",
    "preferred_returns": "The preferred target never serves again",
    "success_ratio_min": "Too few requests are served",
    "regret_success_ratio_max": "Requests are lost that somebody could have served",
    "latency_p95_max_s": "Answers come too late",
    "first_token_p95_max_s": "First tokens come too late",
    "cost_per_1k_max_usd": "Requests cost too much",
    "amplification_max": "Too many attempts are made for each request",
    "detected_within_s": "The fault is noticed too late",
    "recovered_within_s": "The preferred target serves again too late",
    "served_share_min": "A target serves too little",
    "served_share_max": "A target serves too much",
}
"""By the name of the invariant or the limit; others are named as they are."""

SELECTORS = {domain.value for domain in FaultDomain}
PLACED = {"kind", "at_s", "for_s", "share", "ramp_s"} | SELECTORS


def broken(name: str) -> str:
    """What it means for the user that the invariant or the limit called `name` does not hold."""
    return BREAKS.get(name.partition(".")[0], f"{name} does not hold")


def title(name: str, injections: Iterable[Mapping[str, Any]]) -> str:
    """What breaks, and in which schedule."""
    told = "; ".join(map(injection_in_words, injections))
    return f"{broken(name)}: {told}" if told else f"{broken(name)}, without any fault"


def injection_in_words(injection: Mapping[str, Any]) -> str:
    """`outage (as hang) of target gpt, from 30 s to 40 s, half of its attempts`."""
    selector = next(f"{key} {injection[key]}" for key in injection if key in SELECTORS)
    own = ", ".join(f"{key} {_value(value)}" for key, value in injection.items() if key not in PLACED)
    at_s, for_s = injection.get("at_s", 0), injection.get("for_s")
    parts = [f"{injection['kind']}{f' ({own})' if own else ''} of {selector}"]
    parts.append(f"from {at_s:g} s on" if for_s is None else f"from {at_s:g} s to {at_s + for_s:g} s")
    if injection.get("share", 1.0) != 1.0:
        parts.append(f"{injection['share'] * 100:g} % of attempts")
    if injection.get("ramp_s"):
        parts.append(f"growing over {injection['ramp_s']:g} s")
    return ", ".join(parts)


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
