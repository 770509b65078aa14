"""What `failover drill` has reached so far, and how it ends: totals, reports, exit code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from failover.cli.drill_asked import Asked
from failover.cli.drill_reports import write_reports
from failover.cli.exits import DEVIATED, EXTRA, HOLDS, INVALID, missing
from failover.cli.outlets import console_on, human_stream, write_line, write_report

if TYPE_CHECKING:
    from failover.chaos.campaign.comparison import Comparison
    from failover.chaos.campaign.job import Crashed, Job, JobResult
    from failover.chaos.judging.verdict import Refused, Skipped, Verdict
    from failover.chaos.pictured import Pictured


@dataclass(slots=True)
class Reached:
    """`running` is the scenario whose result is awaited; `pairs` are those of a comparison.

    `pictures` are those of all drills, of many seeds only that of each scenario's worst: a page of
    thousands shows nothing.
    """

    asked: Asked
    verdicts: list[Verdict] = field(default_factory=list)
    pictures: dict[object, Pictured] = field(default_factory=dict)
    skipped: dict[Skipped, None] = field(default_factory=dict)
    refused: dict[Refused, None] = field(default_factory=dict)
    complaints: dict[str, None] = field(default_factory=dict)
    pairs: list[tuple[Verdict, Verdict]] = field(default_factory=list)
    disagreements: list[str] = field(default_factory=list)
    running: str = ""
    invalid: bool = False
    comparison: Comparison | None = None
    _unpaired: dict[tuple[Path, int, str], Verdict] = field(default_factory=dict)

    def take(self, result: JobResult) -> None:
        """Take in what came of one job; what is wrong with the input is told once, whoever meets it."""
        from failover.chaos.campaign.job import Crashed
        from failover.chaos.judging.verdict import Refused, Skipped

        match result.outcome:
            case Skipped() as skipped:
                self.skipped[skipped] = None
            case Refused(complaints=complaints) as refused:
                self.refused[refused] = None
                self.complain(complaints)
            case Crashed() as crashed:
                self.refused[Refused(crashed.name, (crashed.error,))] = None
                self._tell(result.job, crashed)
            case verdict:
                self.verdicts.append(verdict)
                self._keep(result)
                if self.asked.compare is not None or self.asked.mode == "both":
                    self._pair(result.job, verdict)

    def complain(self, complaints: Iterable[str]) -> None:
        """Each complaint once: many drills may share one broken config."""
        from failover.report.printable import printable

        self.invalid = True
        for complaint in complaints:
            if complaint not in self.complaints:
                self.complaints[complaint] = None
                click.echo("\n".join(map(printable, complaint.splitlines())), err=True)

    def conclude(self, wall_s: float, *, struck: bool) -> bool:
        """Tell the totals and write what was asked for; whether that went well."""
        if self.pairs:
            self._compare()
        self._tell_end(wall_s, struck=struck)
        if self.comparison is not None:
            self._tell_comparison(self.comparison)
        try:
            self._write()
        except OSError as error:
            click.echo(f"the report could not be written: {error}", err=True)
            return False
        return True

    def exit_code(self) -> int:
        """Deviated goes before invalid. A comparison deviates where something got worse."""
        if self.comparison is not None:
            worse = self.comparison.change.value == "worse"
            return DEVIATED if worse else INVALID if self.invalid else HOLDS
        words = {verdict.verdict.value for verdict in self.verdicts}
        if "failed" in words or self.disagreements:
            return DEVIATED
        return INVALID if self.invalid or "unknown" in words else HOLDS

    @property
    def _people(self) -> IO[str]:
        return human_stream(*self.asked.reports.machine)

    def _keep(self, result: JobResult) -> None:
        from failover.chaos.campaign.seeds import worst_first

        picture = result.picture
        if picture is None:
            return
        key = len(self.verdicts) if self.asked.seeds == 1 else (result.job.path, result.job.mode)
        known = self.pictures.get(key)
        if known is None or worst_first(picture.verdict) < worst_first(known.verdict):
            self.pictures[key] = picture

    def _pair(self, job: Job, verdict: Verdict) -> None:
        """Two configs of one world are compared, and two modes of it must agree."""
        from failover.chaos.campaign.agreement import disagreement

        first = job.configured == "base" if self.asked.compare is not None else job.mode == "simulate"
        key = job.path, job.seed, job.mode if self.asked.compare is not None else ""
        if first:
            self._unpaired[key] = verdict
            return
        other = self._unpaired.pop(key, None)
        if other is None:
            return
        if self.asked.compare is not None:
            self.pairs.append((other, verdict))
        elif differs := disagreement(other, verdict):
            self.disagreements.append(differs)

    def _tell(self, job: Job, crashed: Crashed) -> None:
        from failover.report.printable import printable

        self.invalid = True
        if crashed.missing in EXTRA:
            self.complain([missing(crashed.missing)])
        elif crashed.error not in self.complaints:
            self.complaints[crashed.error] = None
            click.echo(crashed.trace, err=True)
            about = printable(str(job))
            click.echo(f"this is a bug of failover: nothing was found out about {about}", err=True)

    def _compare(self) -> None:
        from failover.chaos.campaign.comparison import compare

        base = "" if self.asked.config is None else str(self.asked.config)
        self.comparison = compare(base, str(self.asked.compare), self.pairs)

    def _tell_comparison(self, comparison: Comparison) -> None:
        from failover.report.comparison import comparison_terminal

        if not self.asked.quiet or self.exit_code() != HOLDS:
            comparison_terminal(console_on(self._people), comparison)

    def _tell_end(self, wall_s: float, *, struck: bool) -> None:
        """The totals. Without rich, which may be half imported when Ctrl-C strikes."""
        if not (self.verdicts or self.skipped or self.refused or struck):
            return
        from failover.report.closing import closing
        from failover.report.printable import printable
        from failover.report.totals import summary

        for disagreement in self.disagreements:
            write_line(self._people, printable(disagreement))
        line = summary(self.verdicts, list(self.skipped), wall_s, list(self.refused))
        if struck:
            where = f" while drilling {printable(self.running)}" if self.running else " before any drill"
            line = f"interrupted{where}; so far: {line}"
        if struck or not self.asked.quiet or self.exit_code() != HOLDS:
            lines = [] if self.asked.compare else closing(self.verdicts, list(self.skipped))
            write_line(self._people, "\n".join([*lines, line]))

    def _write(self) -> None:
        from failover.chaos.judging.verdict import Refused

        if self.asked.compare is not None:
            self._write_comparison()
            return
        stopped = [Refused(self.running, ("stopped before its end",))] if self.running else []
        pictures = list(self.pictures.values())
        refused = [*self.refused, *stopped]
        write_reports(self.asked.reports, self.verdicts, pictures, list(self.skipped), refused)

    def _write_comparison(self) -> None:
        from failover.report.comparison import comparison_json, comparison_markdown

        reports = self.asked.reports
        if self.comparison is not None and reports.json_file is not None:
            write_report(reports.json_file, comparison_json(self.comparison))
        if self.comparison is not None and reports.markdown_file is not None:
            write_report(reports.markdown_file, comparison_markdown(self.comparison))
