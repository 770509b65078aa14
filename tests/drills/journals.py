"""Journals written by hand, in the words of the domain: what happened, and nothing that made it happen."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from failover.chaos.judging.invariants import Invariant, InvariantResult
from failover.chaos.judging.judge import Judge, Judgement
from failover.chaos.judging.oracle import Possible
from failover.chaos.judging.verdict import DrillFacts, Verdict, compose
from failover.chaos.routes import Routes
from failover.chaos.scenario import Scenario, ScenarioSection
from failover.core.calendar_events import RetirementAhead, RetirementReached
from failover.core.events import (
    AttemptEnded,
    AttemptStarted,
    BreakerChanged,
    CallEnded,
    CallStarted,
    CooldownStarted,
    Event,
    FateShared,
    FirstTokenReceived,
    OutageSuspected,
    TargetRetired,
    WaitStarted,
)
from failover.core.failures import FailureKind, Scope
from failover.core.policy import Policy
from failover.core.prices import DatedPrice
from failover.core.vocabulary import (
    AttemptCause,
    ByDate,
    Operation,
    Outcome,
    Reason,
    RetirementShape,
    Route,
    Target,
    Usage,
)
from failover.core.world_events import InjectionEnded, InjectionStarted, PriceInForce
from failover.documents import Document

FIRST, RETRY, FALLBACK = AttemptCause.FIRST, AttemptCause.RETRY, AttemptCause.FALLBACK
LAST_RESORT = AttemptCause.LAST_RESORT
PRICE = DatedPrice(1_000_000_000, 4_000_000_000)
TARGETS = (Target("gpt", "openai"), Target("claude", "anthropic"), Target("mistral", "mistral"))

OUTAGE = {"kind": "outage", "target": "gpt", "at_s": 100, "for_s": 100}
DEARER = {"kind": "price_change", "target": "gpt", "at_s": 100, "for_s": 100, "factor": 2}


def scenario(*inject: dict[str, Any], name: str = "story", **facts: Any) -> Scenario:
    """A scenario of ten minutes on the route `chat`."""
    workload = {"route": "chat", "rate_per_s": 1, "for_s": 600, **facts.pop("workload", {})}
    section = {"title": "A story", "config": "failover.yaml", "workload": workload, "inject": inject, **facts}
    model = ScenarioSection.model_validate(section)
    return Scenario(model, Path("scenarios") / f"{name}.yaml", Document(f"{name}.yaml", {}))


def route(strategy: str = "priority", **policy: Any) -> Route:
    """`gpt`, then `claude`, then `mistral`, each a tier of its own."""
    return Route("chat", tuple((target,) for target in TARGETS), strategy, Policy(**policy))


class Journal:
    """Events in order; `now` moves with what is written."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: list[Event] = []
        self.calls = 0

    def write(self, *events: Event) -> Self:
        """Anything."""
        self.events += events
        return self

    def at(self, now: float) -> Self:
        """It is `now`."""
        self.now = now
        return self

    def prices(self, *names: str) -> Self:
        """The price of these targets becomes known."""
        return self.write(*(PriceInForce(self.now, name, *_rates(PRICE)) for name in names))

    def starts(self, index: int = 0) -> Self:
        """An injection begins."""
        return self.write(InjectionStarted(self.now, index, "outage", "target gpt"))

    def ends(self, index: int = 0) -> Self:
        """An injection is over."""
        return self.write(InjectionEnded(self.now, index, "outage", "target gpt"))

    def breaker(self, target: str, state_from: str, state_to: str, until_s: float | None = None) -> Self:
        """A breaker moves."""
        return self.write(BreakerChanged(self.now, target, state_from, state_to, until_s))

    def cools_down(self, target: str, until_s: float) -> Self:
        """A target asks to be left alone."""
        return self.write(CooldownStarted(self.now, Scope.TARGET, (target,), until_s))

    def retires(self, target: str) -> Self:
        """A target is gone."""
        return self.write(TargetRetired(self.now, target, FailureKind.MODEL_GONE))

    def reaches_its_end(self, target: str, by_date: ByDate = ByDate.PASS_OVER) -> Self:
        """The date of a target's end comes."""
        hard = RetirementShape.HARD_ERROR
        return self.write(RetirementReached(self.now, target, by_date, hard, "", "a list"))

    def warns_of_its_end(self, target: str) -> Self:
        """A target's end comes nearer."""
        hard = RetirementShape.HARD_ERROR
        return self.write(RetirementAhead(self.now, target, 7, hard, "", "a list"))

    def shares_fate(self, *targets: str, until_s: float) -> Self:
        """What one target learned is believed of others."""
        return self.write(FateShared(self.now, Scope.PROVIDER, "openai", targets, until_s))

    def suspects(self, target: str) -> Self:
        """A refusal is not believed."""
        return self.write(OutageSuspected(self.now, target, FailureKind.UNAUTHORIZED, 1))

    def call(
        self,
        deadline_s: float = 30.0,
        order: tuple[str, ...] = ("gpt", "claude", "mistral"),
        passed_over: tuple[tuple[str, Reason], ...] = (),
        operation: Operation = Operation.COMPLETION,
        data_class: str = "",
    ) -> Told:
        """A request arrives now."""
        self.calls += 1
        facts = (order, passed_over, (), operation, data_class)
        self.write(CallStarted(self.now, str(self.calls), "chat", self.now + deadline_s, *facts))
        return Told(self, str(self.calls), self.now + deadline_s)

    def served(self, by: str = "gpt", *, times: int = 1, every_s: float = 1.0) -> Self:
        """Requests that `by` answers at once, one after another."""
        for _ in range(times):
            self.call(order=(by,)).asks(by).answers(after_s=0.5).ends(by)
            self.now += every_s - 0.5
        return self


class Told:
    """What happens to one call."""

    def __init__(self, journal: Journal, call: str, deadline_s: float) -> None:
        self.journal = journal
        self.name = call
        self.started_s = journal.now
        self.deadline_s = deadline_s
        self.attempts = 0
        self.cost_nusd: int | None = 0
        self.started: AttemptStarted

    def after(self, seconds: float) -> Self:
        """Time passes."""
        self.journal.now += seconds
        return self

    def asks(self, target: str, cause: AttemptCause = FIRST, *, probe: bool = False, **said: Any) -> Self:
        """An attempt starts."""
        self.attempts += 1
        now = self.journal.now
        facts = {"attempt": self.attempts, "total_limit_s": max(0.0, self.deadline_s - now), **said}
        self.started = AttemptStarted(
            at_s=now, call=self.name, target=target, cause=cause, probe=probe, **facts
        )
        self.journal.write(self.started)
        return self

    def streams(self, after_s: float) -> Self:
        """The first token arrives."""
        self.journal.now += after_s
        self.journal.write(
            FirstTokenReceived(self.journal.now, self.name, self.attempts, self.started.target)
        )
        return self

    def answers(self, after_s: float = 0.5, tokens: tuple[int, int] = (0, 0), **said: Any) -> Self:
        """The attempt under way is answered whole."""
        return self._over(after_s, Outcome.SUCCESS, None, tokens, said)

    def fails(
        self, kind: FailureKind, after_s: float = 0.5, tokens: tuple[int, int] = (0, 0), **said: Any
    ) -> Self:
        """The attempt under way fails."""
        return self._over(after_s, Outcome.FAILURE, kind, tokens, said)

    def waits(self, until_s: float) -> Self:
        """Nobody may be asked before."""
        self.journal.write(WaitStarted(self.journal.now, self.name, until_s))
        return self

    def ends(self, target: str | None = None, error: str | None = None, **said: Any) -> Journal:
        """Served by `target`, or ended with `error`."""
        facts = {"attempts": self.attempts, "cost_nusd": self.cost_nusd, **said}
        ended = CallEnded(
            at_s=self.journal.now,
            call=self.name,
            route="chat",
            started_s=self.started_s,
            target=target,
            error=error,
            **facts,
        )
        return self.journal.write(ended)

    def _over(
        self,
        after_s: float,
        outcome: Outcome,
        failure: FailureKind | None,
        tokens: tuple[int, int],
        said: dict[str, Any],
    ) -> Self:
        self.journal.now += after_s
        started = self.started
        facts: dict[str, Any] = {
            "target": started.target,
            "attempt": started.attempt,
            "outcome": outcome,
            "permit": outcome,
            "failure": failure,
            "status": None,
            "retry_after_s": None,
            "cost_nusd": PRICE.charge_nusd(Usage(*tokens)),
            **said,
        }
        ended = AttemptEnded(
            at_s=self.journal.now,
            call=self.name,
            started_s=started.at_s,
            first_token_s=None,
            tokens_in=tokens[0],
            tokens_out=tokens[1],
            **facts,
        )
        unknown = self.cost_nusd is None or ended.cost_nusd is None
        self.cost_nusd = None if unknown else self.cost_nusd + ended.cost_nusd
        self.journal.write(ended)
        return self


def _rates(price: DatedPrice) -> tuple[int, int]:
    return price.input_nusd_per_mtok, price.output_nusd_per_mtok


def checked(
    kind: type[Invariant], journal: Journal, where: Scenario | None = None, on: Route | None = None
) -> InvariantResult:
    """What one invariant says of a journal."""
    invariant = kind(where or scenario(), Routes.only(on or route()))
    for event in journal.events:
        invariant.see(event)
    return invariant.end(journal.now)


def judged(journal: Journal, where: Scenario | None = None, on: Route | None = None) -> Judgement:
    """What the judge says of a journal."""
    judge = Judge(where or scenario(), Routes.only(on or route()))
    for event in journal.events:
        judge.see(event)
    return judge.finish(journal.now)


FACTS = DrillFacts(
    seed=7,
    mode="simulate",
    events=4,
    possible=Possible(0, 0, 0, 0, 0, 0.0, 0.0),
    episodes={"recorded": 1, "borrowed": 1, "synthetic": 1},
    journal_sha256="0" * 64,
    wall_s=0.25,
    reproduce="failover drill scenarios/story.yaml --seed 7 --mode simulate",
)


def verdict_on(journal: Journal, where: Scenario | None = None, on: Route | None = None) -> Verdict:
    """The verdict on a journal, with an oracle that serves everything."""
    return compose(where or scenario(), judged(journal, where, on), FACTS)


def calm() -> Journal:
    """Thirty requests that nothing disturbs."""
    return Journal().prices("gpt", "claude", "mistral").served(times=30)


def weathered() -> Journal:
    """A steady state, an outage that the breaker sees, and the return of the preferred target."""
    journal = calm().at(100.0).starts()
    call = journal.call().asks("gpt").fails(FailureKind.SERVER_ERROR)
    journal.breaker("gpt", "closed", "open", journal.now + 10.0)
    call.asks("claude", FALLBACK).answers().ends("claude")
    journal.served("claude", times=20).at(200.0).ends()
    journal.breaker("gpt", "open", "half-open")
    journal.call().asks("gpt", probe=True).answers().ends("gpt")
    return journal.breaker("gpt", "half-open", "closed").served(times=30).at(600.0)
