"""Two configs over the same worlds: what changes, and whether it is for the better.

Chance is keyed by seed and not by config, so each scenario and seed is a pair: whatever differs
within it, the config did. So it takes far fewer seeds to see a difference than two campaigns
apart would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from failover.chaos.campaign.interval import Interval, mean_interval
from failover.chaos.judging.verdict import Conclusion, Verdict

SCHEMA = "failover/comparison@1"

Pair = tuple[Verdict, Verdict]
"""One scenario, mode and seed under the base config, and under the other."""


class Change(StrEnum):
    """What the other config does to a measure. `unclear`: it differs, with too few seeds to judge."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of a drill. `unit`: `ratio`, `s`, `usd` or `factor`."""

    name: str
    unit: str
    more_is_better: bool
    of: Callable[[Verdict], float | None]


MEASURES = (
    Measure("success_ratio", "ratio", True, lambda verdict: verdict.success_ratio),  # noqa: FBT003  # a table
    Measure("regret_success_ratio", "ratio", False, lambda verdict: verdict.regret.success_ratio),  # noqa: FBT003  # a table
    Measure("latency_p95_s", "s", False, lambda verdict: verdict.latency_s.p95),  # noqa: FBT003  # a table
    Measure("first_token_p95_s", "s", False, lambda verdict: verdict.first_token_s.p95),  # noqa: FBT003  # a table
    Measure("cost_per_1k_usd", "usd", False, lambda verdict: verdict.cost_per_1k_usd),  # noqa: FBT003  # a table
    Measure("amplification", "factor", False, lambda verdict: verdict.amplification),  # noqa: FBT003  # a table
)


@dataclass(frozen=True, slots=True)
class MeasureComparison:
    """`base` and `other` are means over the `seeds` where both are known; `difference` is other - base.

    `interval` holds the true mean difference with 95 % confidence; None with fewer than six seeds.
    """

    name: str
    unit: str
    seeds: int
    base: float
    other: float
    difference: float
    interval: Interval | None
    change: Change


@dataclass(frozen=True, slots=True)
class Turned:
    """A drill whose verdict differs, with the commands that show each side."""

    scenario: str
    mode: str
    seed: int
    base: Conclusion
    other: Conclusion
    reproduce_base: str
    reproduce_other: str


@dataclass(frozen=True, slots=True)
class ScenarioComparison:
    """One scenario in one mode, over its seeds. `base` and `other` count the verdicts of each side.

    Measures that either side never had are left out.
    """

    scenario: str
    mode: str
    seeds: int
    base: Mapping[str, int]
    other: Mapping[str, int]
    measures: tuple[MeasureComparison, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`failover/comparison@1`. `docs/campaigns.md` explains each field.

    `no_longer_pass` counts drills that passed under the base config and do not under the other,
    `now_pass` the reverse. `base` is empty where each scenario's own config was drilled.
    """

    schema: str
    base: str
    other: str
    drills: int
    no_longer_pass: int
    now_pass: int
    served_less: tuple[str, ...]
    served_more: tuple[str, ...]
    change: Change
    answer: str
    scenarios: tuple[ScenarioComparison, ...]
    turned: tuple[Turned, ...]


def compare(base: str, other: str, pairs: Iterable[Pair]) -> Comparison:
    """What changes from config `base` to config `other`; pairs may come in any order of scenarios."""
    groups: dict[tuple[str, str, str], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(_group(pair[0]), []).append(pair)
    scenarios = tuple(_scenario(group) for group in groups.values())
    turned = tuple(_turned(*pair) for group in groups.values() for pair in group if _differs(pair))
    lost = sum(each.base is Conclusion.PASSED for each in turned)
    won = sum(each.other is Conclusion.PASSED for each in turned)
    less, more = _served(scenarios, Change.WORSE), _served(scenarios, Change.BETTER)
    drills = sum(each.seeds for each in scenarios)
    change = _overall(scenarios, worse=bool(lost or less), better=bool(won or more))
    answer = _answer(change, drills, lost, won, _told_served(len(scenarios), less, more))
    return Comparison(SCHEMA, base, other, drills, lost, won, less, more, change, answer, scenarios, turned)


def compare_measure(measure: Measure, pairs: Sequence[Pair]) -> MeasureComparison | None:
    """One measure over the seeds of one scenario; None where no seed has it on both sides."""
    sides = [(measure.of(base), measure.of(other)) for base, other in pairs]
    known = [(base, other) for base, other in sides if base is not None and other is not None]
    if not known:
        return None
    differences = [other - base for base, other in known]
    interval = mean_interval(differences)
    return MeasureComparison(
        name=measure.name,
        unit=measure.unit,
        seeds=len(known),
        base=fmean(base for base, _ in known),
        other=fmean(other for _, other in known),
        difference=fmean(differences),
        interval=interval,
        change=_change(differences, interval, more_is_better=measure.more_is_better),
    )


def _group(verdict: Verdict) -> tuple[str, str, str]:
    # Two folders may hold scenarios of one name: the command names the file.
    return verdict.scenario, verdict.mode, verdict.reproduce.partition(" --seed ")[0]


def _change(differences: Sequence[float], interval: Interval | None, *, more_is_better: bool) -> Change:
    if not any(differences):
        return Change.SAME
    if interval is None:
        return Change.UNCLEAR
    if interval.low <= 0.0 <= interval.high:
        return Change.SAME
    return Change.BETTER if (interval.low > 0.0) is more_is_better else Change.WORSE


def _scenario(pairs: Sequence[Pair]) -> ScenarioComparison:
    compared = (compare_measure(measure, pairs) for measure in MEASURES)
    return ScenarioComparison(
        scenario=pairs[0][0].scenario,
        mode=pairs[0][0].mode,
        seeds=len(pairs),
        base=_counts(base for base, _ in pairs),
        other=_counts(other for _, other in pairs),
        measures=tuple(each for each in compared if each is not None),
    )


def _counts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    counts = Counter(verdict.verdict for verdict in verdicts)
    return {conclusion.value: counts[conclusion] for conclusion in Conclusion}


def _differs(pair: Pair) -> bool:
    return pair[0].verdict is not pair[1].verdict


def _turned(base: Verdict, other: Verdict) -> Turned:
    commands = base.reproduce, other.reproduce
    return Turned(base.scenario, base.mode, base.seed, base.verdict, other.verdict, *commands)


def _served(scenarios: Iterable[ScenarioComparison], change: Change) -> tuple[str, ...]:
    """The scenarios whose share of requests served changes so."""
    return tuple(
        each.scenario
        for each in scenarios
        for measure in each.measures
        if measure.name == "success_ratio" and measure.change is change
    )


def _overall(scenarios: Iterable[ScenarioComparison], *, worse: bool, better: bool) -> Change:
    """Survivability: whether drills pass and requests are served. Worse counts before better."""
    if worse:
        return Change.WORSE
    if better:
        return Change.BETTER
    return Change.UNCLEAR if _served(scenarios, Change.UNCLEAR) else Change.SAME


_WORDS = {
    Change.WORSE: "it makes it worse",
    Change.BETTER: "it makes it better",
    Change.SAME: "nothing that shows",
    Change.UNCLEAR: "it changes something, and six seeds at least are needed to say what",
}


def _answer(change: Change, drills: int, lost: int, won: int, served: str) -> str:
    of = f"of {drills} drill{'s' if drills > 1 else ''}"
    no_longer, now = "does" if lost == 1 else "do", "does" if won == 1 else "do"
    told = f"{lost} passed and no longer {no_longer}, {won} did not pass and now {now}"
    return f"{_WORDS[change]}: {of} {told}; {served}"


def _told_served(scenarios: int, less: Sequence[str], more: Sequence[str]) -> str:
    if not less and not more:
        return "no scenario shows more or fewer requests served"
    told = [
        f"{word} requests are served in {len(names)} of {scenarios} scenarios ({', '.join(names)})"
        for word, names in (("fewer", less), ("more", more))
        if names
    ]
    return ", ".join(told)
