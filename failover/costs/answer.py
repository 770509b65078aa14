"""The answer: a row for the days as they are, for each price that doubles, each target lost, each story."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

import orjson
from pydantic import TypeAdapter

from failover.chaos.injections import AnyInjection, Injection
from failover.chaos.meeting import meeting, touches
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario
from failover.config import Config
from failover.costs.bill import Bill, bill_of
from failover.costs.budgets import BudgetRow, budget_rows
from failover.costs.question import Question
from failover.costs.sampling import Sampler

SCHEMA = "failover/cost@1"
COUNTS_SHARE = 0.01
"""Whoever gets less of the bill, or serves less of the requests, has no row of its own."""

_INJECTION: TypeAdapter[Injection] = TypeAdapter(AnyInjection)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that may happen, and the bill then. `of_now` is the bill as a multiple of the first row's."""

    name: str
    bill: Bill
    of_now: float | None


@dataclass(frozen=True, slots=True)
class StoryRow:
    """A story that happens `times` in the days asked about: the whole bill over many draws of it, in dollars.

    `worst_usd` is the dearest draw. `thinned`: which share of its requests was simulated. `why_not` says
    why it was not: then there are no figures.
    """

    name: str
    expected_usd: float | None
    p95_usd: float | None
    worst_usd: float | None
    served_share: float | None
    thinned: float = 1.0
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`failover/cost@1`. `most_usd` is a bound: every request makes every attempt that its policy allows, at
    the dearest target, and pays for all of them.
    """

    schema: str
    config: str
    begins: str
    days: float
    requests: int
    simulated: int
    now: Bill
    rows: tuple[Row, ...]
    stories: tuple[StoryRow, ...]
    budgets: tuple[BudgetRow, ...]
    dearest: str
    attempts_most: int
    most_usd: float | None


def answer(
    question: Question, sampler: Sampler, config: Config, told: Callable[[str], None] = lambda _what: None
) -> Answer:
    """Simulate it all. `told` hears what is simulated next. Raises as `run_drill` does."""
    routes, _ = meeting(sampler.scenario(), config, "simulate")
    requests = question.requests_per_day * question.days
    told("the days as they are")
    now = bill_of(list(sampler.days()), requests)
    rows = tuple(_rows(sampler, routes, now, requests, told))
    alone = {row.name: row.bill for row in rows if row.name.startswith(_ALONE)}
    dearest = max(alone, key=lambda name: alone[name].usd or 0.0, default="")
    attempts = max(route.policy.attempts for route in routes.called)
    most_usd = alone[dearest].usd if dearest else now.usd
    return Answer(
        schema=SCHEMA,
        config=str(question.config),
        begins=f"{datetime.fromtimestamp(question.begins_s, UTC):%Y-%m-%d}",
        days=question.days,
        requests=round(requests),
        simulated=question.requests,
        now=now,
        rows=rows,
        stories=tuple(_stories(question, sampler, routes, now, told)),
        budgets=tuple(budget_rows(config.budgets, now, routes, question.days)),
        dearest=dearest.removeprefix(_ALONE),
        attempts_most=attempts,
        most_usd=None if most_usd is None or now.unpriced else most_usd * attempts,
    )


def answer_json(found: Answer) -> str:
    """`failover/cost@1` as text, keys in the order of the fields, with a line break at its end."""
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def cost_json_schema() -> dict[str, Any]:
    """The JSON Schema of an answer."""
    return TypeAdapter(Answer).json_schema()


_ALONE = "all at "


def _stories(
    question: Question, sampler: Sampler, routes: Routes, now: Bill, told: Callable[[str], None]
) -> Iterator[StoryRow]:
    for story in question.under:
        told(story.title)
        yield _story(question, sampler, routes, story, now)


def _rows(
    sampler: Sampler, routes: Routes, now: Bill, requests: float, told: Callable[[str], None]
) -> Iterator[Row]:
    paid = [name for name, each in now.targets.items() if now.usd and each.usd >= COUNTS_SHARE * now.usd]
    used = [name for name, each in now.targets.items() if each.served_share >= COUNTS_SHARE]
    names = [target.name for target in routes.targets()]
    changes: list[tuple[str, list[Injection]]] = []
    if len(names) > 1:
        changes.append(("every price doubles", [_doubled(name) for name in names]))
    changes += [(f"the price of {name} doubles", [_doubled(name)]) for name in paid]
    if len(names) > 1:
        changes += [(f"without {name}", [_lost(name)]) for name in used]
        changes += [(f"{_ALONE}{name}", [_lost(each) for each in names if each != name]) for name in names]
    for name, injections in changes:
        told(name)
        bill = bill_of(list(sampler.days(injections)), requests)
        of_now = None if bill.usd is None or not now.usd else bill.usd / now.usd
        yield Row(name, bill, of_now)


def _story(question: Question, sampler: Sampler, routes: Routes, story: Scenario, now: Bill) -> StoryRow:
    if not any(touches(injection, routes) for injection in story.injections):
        return StoryRow(
            story.name, None, None, None, None, why_not="nothing that happens in it touches these routes"
        )
    if now.usd is None:
        return StoryRow(story.name, None, None, None, None, why_not="a price is unknown")
    extra_usd, served, thinned = [], [], 1.0
    for seed in range(question.seed, question.seed + question.seeds):
        calm, thinned = sampler.story(story, seed, ())
        bad, _ = sampler.story(story, seed, story.injections)
        # The same worlds with and without it: the difference is the story's, and not chance's.
        extra_usd.append(((bad.cost_usd or 0.0) - (calm.cost_usd or 0.0)) / thinned)
        served.append(bad.success_ratio or 0.0)
    ordered = sorted(now.usd + question.times * each for each in extra_usd)
    return StoryRow(
        story.name,
        expected_usd=fmean(ordered),
        p95_usd=ordered[-(-len(ordered) * 95 // 100) - 1],
        worst_usd=ordered[-1],
        served_share=fmean(served),
        thinned=thinned,
    )


def _doubled(target: str) -> Injection:
    return _INJECTION.validate_python({"kind": "price_change", "target": target, "at_s": 0, "factor": 2})


def _lost(target: str) -> Injection:
    return _INJECTION.validate_python({"kind": "outage", "target": target, "at_s": 0, "as": "503"})
