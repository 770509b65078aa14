"""What `failover drill` shows while it runs: a block for each drill or for all seeds of one, and progress."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from failover.chaos.campaign.job import JobResult
from failover.chaos.campaign.seeds import summarize
from failover.chaos.judging.verdict import Conclusion, Skipped, Verdict
from failover.cli.drill_asked import Asked
from failover.report.printable import printable
from failover.report.seeds import print_seeds
from failover.report.terminal import print_skipped, print_verdict

if TYPE_CHECKING:
    from rich.console import Console

LINE_EVERY_S = 10.0
"""How often a log that is no terminal is told how far it is."""


class Teller:
    """Prints each drill, or with several seeds one block when all of a scenario's are there."""

    def __init__(self, asked: Asked, console: Console) -> None:
        self._asked = asked
        self._console = console
        self._group: list[JobResult] = []

    def tell(self, result: JobResult) -> None:
        """Take in the next result, in order."""
        if self._asked.compare is not None:
            return
        self._group.append(result)
        if len(self._group) == self._asked.seeds:
            self.flush()

    def flush(self) -> None:
        """Print what is there, also where the rest will not come."""
        outcomes = [result.outcome for result in self._group]
        self._group.clear()
        for skipped in dict.fromkeys(each for each in outcomes if isinstance(each, Skipped)):
            if not self._asked.quiet:
                print_skipped(self._console, skipped.name, skipped.reason)
        verdicts = [each for each in outcomes if isinstance(each, Verdict)]
        if all(each.verdict is Conclusion.PASSED for each in verdicts) and (
            self._asked.quiet or not verdicts
        ):
            return
        if self._asked.seeds == 1:
            print_verdict(self._console, verdicts[0])
        else:
            print_seeds(self._console, summarize(verdicts))


class Progress:
    """How far it is: a bar on a terminal, a line every ten seconds in a log, nothing with `quiet`."""

    def __init__(self, console: Console, total: int, *, quiet: bool) -> None:
        self._console = console
        self._total = total
        self._quiet = quiet
        self._done = self._not_passed = 0
        self._shown: Any = None
        self._task: Any = None
        self._told_s = self._began_s = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            if self._total == 1:
                self._shown = self._console.status("")
            else:
                self._shown, self._task = _bar(self._console, self._total)
            self._shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown is not None:
            self._shown.stop()

    def awaits(self, name: str) -> None:
        """The result of a drill of this scenario comes next."""
        from rich.text import Text

        if self._shown is not None:
            if self._task is None:
                self._shown.update(Text(printable(name)))
            else:
                self._shown.update(self._task, description=printable(name), completed=self._done)

    def advance(self, result: JobResult) -> None:
        """One more is there."""
        self._done += 1
        outcome = result.outcome
        passed = isinstance(outcome, Skipped) or getattr(outcome, "verdict", None) is Conclusion.PASSED
        self._not_passed += not passed
        now_s = time.monotonic()
        if self._shown is None and not self._quiet and now_s - self._told_s >= LINE_EVERY_S:
            self._told_s = now_s
            took = f"{now_s - self._began_s:.0f} s"
            told = f"drilled {self._done} of {self._total} in {took}; {self._not_passed} did not pass"
            self._console.print(told, soft_wrap=True)


def _bar(console: Console, total: int) -> tuple[Any, Any]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    # A scenario's name is no markup, whatever it looks like.
    name = TextColumn("{task.description}", markup=False)
    shown = Bar(
        name, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    )
    return shown, shown.add_task("", total=total)
