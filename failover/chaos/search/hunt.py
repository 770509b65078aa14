"""The search itself: Hypothesis proposes schedules, drills judge them, Hypothesis shrinks what broke.

It goes in rounds, so that no search spends its whole budget on one hill. Each begins anew from a seed of its
own and proposes schedules at random. Every second round climbs in its second half (`hypothesis.target`), from
the schedules that came nearest to breaking a limit. A broken invariant gives no warning that could be
climbed: climbing towards many paths, or many attempts, found planted bugs later than chance alone did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis.errors import HypothesisException, Unsatisfiable

from failover.chaos.search.schedules import Injections, Space, schedules
from failover.chaos.search.trials import Trial, Trials, Violation

ROUND_DRILLS = 200
MAY_BE_LEFT_OUT = {"share", "ramp_s"}
SHRINK_DRILLS = 400
"""A violation is shrunk in at most so many drills; a few dozen usually do."""


class _BrokenError(Exception):
    """For Hypothesis: this schedule is what is looked for."""


class _Over(BaseException):
    """The budget is spent: no failure, so Hypothesis must let it pass."""


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


def _with_less(injections: Injections) -> Iterator[Injections]:
    """The same without one injection, or with one thing left to its default."""
    for index in range(len(injections) if len(injections) > 1 else 0):
        yield (*injections[:index], *injections[index + 1 :])
    for index, injection in enumerate(injections):
        for key in sorted(MAY_BE_LEFT_OUT & injection.keys()):
            less = {name: value for name, value in injection.items() if name != key}
            yield (*injections[:index], less, *injections[index + 1 :])


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
                self._leave_out()
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
        climbs = self.guided and self.rounds % 2 == 0
        phases = [Phase.generate, Phase.shrink, *([Phase.target] if climbs else [])]
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

    def _leave_out(self) -> None:
        """Drop what is not needed, one thing at a time: two injections that say the same, say.

        Hypothesis can be stuck where leaving one out would have to change another's choices.
        """
        found = self.found
        while found is not None:
            for less in _with_less(found.trial.injections):
                if not self.trials.is_known(less):
                    self._stop_when_over()
                trial = self.trials.of(less)
                self.progress(self)
                if self._counts(trial):
                    self._note(trial)
                    break
            else:
                found.whole = True
                return

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
        most, seconds, since_s = self.budget.drills, self.budget.seconds, self.began_s
        if self.found is not None:
            # Making it small may take as long again, and never for ever.
            most, since_s = self.found.after_drills + SHRINK_DRILLS, self.found_s
        if (most is not None and drills >= most) or (seconds is not None and now_s - since_s >= seconds):
            raise _Over
