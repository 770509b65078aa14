"""The search itself: Hypothesis proposes schedules, drills judge them, Hypothesis shrinks what broke.

It goes in rounds. A round begins anew from a seed of its own, proposes schedules at random and then climbs
from the best of them towards a violation (`hypothesis.target`); the next round begins elsewhere, so that no
search spends its whole budget on one hill.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.errors import HypothesisException, Unsatisfiable

from failover.chaos.search.schedules import Injections, Space, schedules
from failover.chaos.search.trials import Trial, Trials, Violation

ROUND_DRILLS = 200
SHRINK_DRILLS = 400
"""A violation is shrunk in at most so many drills; a few dozen usually do."""


class _BrokenError(Exception):
    """For Hypothesis: this schedule is what is looked for."""


class _Over(BaseException):  # noqa: N818  # neither an error nor a failure: Hypothesis must let it pass
    """The budget is spent."""


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop looking: after so many drills or so many real seconds. Exactly one is set."""

    drills: int | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Found:
    """A violation, and the smallest schedule seen to show it. `whole`: nothing smaller was found."""

    violation: Violation
    trial: Trial
    first: Injections
    after_drills: int
    shrink_drills: int = 0
    whole: bool = False


@dataclass(slots=True)
class Hunt:
    """One search. `guided` False: at random only, to measure what climbing brings."""

    trials: Trials
    space: Space
    budget: Budget
    progress: Callable[[Hunt], None] = lambda _hunt: None
    guided: bool = True
    found: Found | None = None
    rounds: int = 0
    began_s: float = 0.0
    found_s: float = 0.0

    def run(self) -> Found | None:
        """Look until something is found and shrunk, or the budget is spent.

        Ctrl-C passes through: `found` then holds the smallest schedule so far.
        """
        self.began_s = time.perf_counter()
        if not self.without_a_fault():
            try:
                while self.found is None:
                    self._round()
            except _Over:
                pass
        return self.found

    def without_a_fault(self) -> bool:
        """Whether something is broken with no injection at all."""
        trial = self.trials.of(())
        if trial.violations:
            self._note(trial)
        return bool(trial.violations)

    def _round(self) -> None:
        phases = [Phase.generate, Phase.shrink, *([Phase.target] if self.guided else [])]
        settings = hypothesis.settings(
            max_examples=ROUND_DRILLS,
            phases=phases,
            database=None,
            deadline=None,
            derandomize=False,
            report_multiple_bugs=False,
            print_blob=False,
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        proposed = hypothesis.given(schedules(self.space))(self._try)
        look = hypothesis.seed(self._seed())(settings(proposed))
        self.rounds += 1
        try:
            look()
        except (_BrokenError, Unsatisfiable, HypothesisException):
            if self.found is None:
                raise
            self.found.whole = True

    def _seed(self) -> int:
        return self.trials.story.seed * 1_000_003 + self.rounds

    def _try(self, injections: Injections) -> None:
        if not self.trials.is_known(injections):
            self._stop_when_over()
        trial = self.trials.of(injections)
        self.progress(self)
        if self.guided:
            for name, score in trial.scores.items():
                hypothesis.target(score, label=name)
        if self._counts(trial):
            self._note(trial)
            raise _BrokenError

    def _counts(self, trial: Trial) -> bool:
        """Anything will do until something is found; from then on only the same again."""
        if self.found is None:
            return bool(trial.violations)
        return any(each.name == self.found.violation.name for each in trial.violations)

    def _note(self, trial: Trial) -> None:
        drills = self.trials.covered.drills
        if self.found is None:
            self.found_s = time.perf_counter()
            self.found = Found(trial.violations[0], trial, trial.injections, drills)
            return
        name = self.found.violation.name
        self.found.violation = next(each for each in trial.violations if each.name == name)
        self.found.trial = trial
        self.found.shrink_drills = drills - self.found.after_drills

    def _stop_when_over(self) -> None:
        drills, now_s = self.trials.covered.drills, time.perf_counter()
        if self.found is not None:
            # Shrinking may take as long again, and never for ever.
            if drills - self.found.after_drills >= SHRINK_DRILLS:
                raise _Over
            if self.budget.seconds is not None and now_s - self.found_s >= self.budget.seconds:
                raise _Over
        elif self.budget.drills is not None and drills >= self.budget.drills:
            raise _Over
        elif self.budget.seconds is not None and now_s - self.began_s >= self.budget.seconds:
            raise _Over


