"""Whether both modes of one world agree: what a simulation says happens is what happens in a replay."""

from __future__ import annotations

from failover.chaos.judging.verdict import Verdict

DECIDED = (
    "requests",
    "served",
    "attempts",
    "fallbacks",
    "retries",
    "hedges",
    "cost_usd",
    "errors",
    "targets",
    "verdict",
)
"""What follows from decisions. Durations need not be equal to the last bit."""


def disagreement(one: Verdict, other: Verdict) -> str:
    """Where two verdicts on one scenario and seed differ, in a sentence; empty where they agree."""
    told = [
        f"{name} {mine} and {theirs}"
        for name in DECIDED
        if (mine := getattr(one, name)) != (theirs := getattr(other, name))
    ]
    if not told:
        return ""
    about = (
        f"{one.scenario}, seed {one.seed}: {one.mode} and {other.mode} disagree, which is a bug of failover"
    )
    return f"{about}: {'; '.join(told)}"
