"""What the words of a verdict mean, for who does not know the code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from failover.chaos.judging.expectations import ExpectationResult
from failover.chaos.judging.invariants import INVARIANTS
from failover.chaos.judging.verdict import Conclusion
from failover.report.figures import dollars, percent, seconds

CONCLUSIONS: Mapping[Conclusion, str] = {
    Conclusion.PASSED: "It held: every expectation was met and every rule was kept.",
    Conclusion.FAILED: "It did not hold.",
    Conclusion.UNKNOWN: "Nothing was shown, so it is not called passed.",
}

SIGNS: Mapping[Conclusion, str] = {
    Conclusion.PASSED: "✔",
    Conclusion.FAILED: "✘",
    Conclusion.UNKNOWN: "?",
}


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"


@dataclass(frozen=True, slots=True)
class _Expected:
    what: str
    bound: str
    shown: Callable[[float | None], str]


_EXPECTED: Mapping[str, _Expected] = {
    "success_ratio_min": _Expected("requests that were served", "at least", percent),
    "regret_success_ratio_max": _Expected(
        "requests lost that an all-knowing router would have served", "at most", percent
    ),
    "latency_p95_max_s": _Expected("time in which 95 % of the answers were complete", "at most", seconds),
    "first_token_p95_max_s": _Expected("time in which 95 % of the first tokens came", "at most", seconds),
    "cost_per_1k_max_usd": _Expected("cost of 1000 requests", "at most", dollars),
    "amplification_max": _Expected("attempts for each request", "at most", _number),
    "detected_within_s": _Expected("time until the router turned away from the fault", "at most", seconds),
    "recovered_within_s": _Expected(
        "time after the fault until the preferred target served again", "at most", seconds
    ),
    "served_share_min": _Expected("answers that came from {}", "at least", percent),
    "served_share_max": _Expected("answers that came from {}", "at most", percent),
    "sometimes": _Expected("times that this happened: {}", "at least", _number),
}

_HAPPENED: Mapping[str, str] = {
    "breaker_opened": "a breaker opened",
    "breaker_closed": "a breaker closed again",
    "probe": "a single request probed a broken target",
    "fallback": "a request went on to the next target",
    "retry": "a request asked the same target again",
    "hedge": "a second target was asked while the first was silent",
    "last_resort": "a target was asked although it was to be left alone, since nobody else was left",
    "wait": "a request had to wait",
    "cooldown": "a target was left alone because it asked for that",
    "retired": "a target was taken for gone",
    "fate_shared": "several targets were judged by what one showed",
    "outage_suspected": "a refusal was taken for an outage",
}


@dataclass(frozen=True, slots=True)
class Told:
    """An expectation in words: `requests that were served`, `at least 99.9 %`, `94.692 %`."""

    what: str
    limit: str
    measured: str

    @property
    def sentence(self) -> str:
        """`Requests that were served: 94.692 %, expected were at least 99.9 %.`"""
        return f"{self.what[:1].upper()}{self.what[1:]}: {self.measured}, expected: {self.limit}"


def told(result: ExpectationResult) -> Told:
    """An expectation that is not known here is told by its own name and plain numbers."""
    key, _, of = result.name.partition(".")
    expected = _EXPECTED.get(key)
    if expected is None:
        return Told(result.name, _number(result.limit), _number(result.measured))
    measured = "nothing to measure" if result.measured is None else expected.shown(result.measured)
    what = expected.what.replace("{}", _HAPPENED.get(of, of))
    return Told(what, f"{expected.bound} {expected.shown(result.limit)}", measured)


@cache
def rule(name: str) -> str:
    """What an invariant asks, in the sentence that its own module begins with."""
    for invariant in INVARIANTS:
        if invariant.name == name:
            return (sys.modules[invariant.__module__].__doc__ or name).strip().splitlines()[0]
    return name


GLOSSARY: Mapping[str, str] = {
    "target": "A model at a provider, with its credential: what requests are sent to.",
    "attempt": "One send of a request to one target. A request may take several.",
    "fault": "What the drill breaks on purpose: a shaded band with a letter in every chart.",
    "breaker": "Keeps requests away from a target that fails. Open: nothing is sent. Half-open: single "
    "requests probe whether it works again. Closed: in use.",
    "cooldown": "A time for which a target asked to be left alone.",
    "oracle": "An imagined router that knows the future. What it could not have served, nobody could.",
    "regret": "How far we stayed behind the oracle: what a better router could still have won.",
    "first token": "The first piece of a streamed answer: when the reader sees something.",
    "p50, p95, p99": "Half, 95 %, and 99 % of all took at most so long.",
    "detected": "From the start of the first fault until a target was kept away because of it.",
    "recovered": "From the end of the last fault until the preferred target served again.",
    "seed": "What chance depends on: the same seed gives the same drill, event by event.",
    "mode": "simulate: the deciding code in virtual time. replay: the whole router, also in virtual time.",
    "rules": "What must hold in every drill (invariants). One that is broken is a bug of the router.",
    "expectations": "What this scenario asks for beside the rules.",
}
