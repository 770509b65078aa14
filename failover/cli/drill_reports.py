"""Which reports `failover drill` was asked for, and writing them, also when it was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from failover.cli.outlets import STANDARD_OUTPUT, write_report

if TYPE_CHECKING:
    from failover.chaos.judging.verdict import Refused, Skipped, Verdict
    from failover.chaos.pictured import Pictured

_FILE = click.Path(path_type=Path, allow_dash=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)

Command = TypeVar("Command", bound=Callable[..., Any])


def report_options(command: Command) -> Command:
    """The options that name a report; `Reports.taken_from` takes their values."""
    for name, type_, words in (
        ("--json", _FILE, "Write the verdicts as JSON; - is standard output."),
        ("--junit", _FILE, "Write the verdicts as JUnit XML; - as above."),
        ("--markdown", _FILE, "Write a summary for a pull request; - as above."),
        ("--html", _FILE, "Write one page with charts; - as above."),
        ("--report", _FOLDER, "Write all of these and the journals to this folder."),
    )[::-1]:
        key = f"{name.removeprefix('--')}_{'folder' if type_ is _FOLDER else 'file'}"
        command = click.option(name, key, type=type_, help=words)(command)
    return command


@dataclass(frozen=True, slots=True)
class Reports:
    """Where each report goes; None: it was not asked for. `-` is standard output."""

    json_file: Path | None = None
    junit_file: Path | None = None
    markdown_file: Path | None = None
    html_file: Path | None = None
    report_folder: Path | None = None

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Reports:
        """The reports among a command's options, which are taken out of them. Raises `click.UsageError`."""
        reports = cls(*(options.pop(name) for name in cls.__slots__))
        if reports.machine.count(STANDARD_OUTPUT) > 1:
            words = "only one of --json, --junit, --markdown and --html can go to standard output"
            raise click.UsageError(words)
        return reports

    @property
    def machine(self) -> tuple[Path | None, ...]:
        """What machines read: where one of them is standard output, people read standard error."""
        return self.json_file, self.junit_file, self.markdown_file, self.html_file

    @property
    def pictured(self) -> bool:
        """Whether any of them shows more than verdicts."""
        return any(each is not None for each in (self.markdown_file, self.html_file, self.report_folder))

    def journals(self, asked: Path | None) -> Path | None:
        """The folder for journals: what was asked for, else one within the folder of the reports."""
        if asked is not None or self.report_folder is None:
            return asked
        return self.report_folder / "journals"

    def check(self) -> None:
        """Before anything is drilled: raises `ModuleNotFoundError` where charts cannot be drawn."""
        if (self.html_file or self.report_folder) and find_spec("plotly") is None:
            raise ModuleNotFoundError("No module named 'plotly'", name="plotly")


def write_reports(
    reports: Reports,
    verdicts: Sequence[Verdict],
    pictures: Sequence[Pictured],
    skipped: Sequence[Skipped],
    refused: Sequence[Refused],
) -> None:
    """Write all that was asked for. A verdict without its picture is told without. Raises `OSError`."""
    pictured = {id(picture.verdict): picture for picture in pictures}
    drills = [pictured.get(id(verdict), verdict) for verdict in verdicts]
    if reports.json_file is not None:
        write_report(reports.json_file, _json(verdicts))
    if reports.junit_file is not None:
        write_report(reports.junit_file, _junit(verdicts, skipped, refused))
    if reports.markdown_file is not None:
        write_report(reports.markdown_file, _markdown(drills, skipped, refused))
    if reports.html_file is not None:
        write_report(reports.html_file, _html(drills, skipped, refused))
    if reports.report_folder is not None:
        folder = reports.report_folder
        write_report(folder / "verdicts.json", _json(verdicts))
        write_report(folder / "junit.xml", _junit(verdicts, skipped, refused))
        write_report(folder / "report.md", _markdown(drills, skipped, refused))
        write_report(folder / "pictures.json", _pictures(pictures))
        write_report(folder / "report.html", _html(drills, skipped, refused))


def _json(verdicts: Sequence[Verdict]) -> str:
    from failover.report.json_report import json_report

    return json_report(verdicts)


def _junit(verdicts: Sequence[Verdict], skipped: Sequence[Skipped], refused: Sequence[Refused]) -> str:
    from failover.report.junit import junit_report

    return junit_report(verdicts, skipped, refused)


def _markdown(
    drills: Sequence[Verdict | Pictured], skipped: Sequence[Skipped], refused: Sequence[Refused]
) -> str:
    from failover.report.markdown import markdown_report

    return markdown_report(drills, skipped, refused)


def _html(
    drills: Sequence[Verdict | Pictured], skipped: Sequence[Skipped], refused: Sequence[Refused]
) -> str:
    from datetime import UTC, datetime
    from importlib.metadata import version

    from failover.report.html import html_report

    made = f"Made by failover {version('failover')} on {datetime.now(UTC):%Y-%m-%d at %H:%M} UTC."
    return html_report(drills, skipped, refused, made=made)


def _pictures(pictures: Sequence[Pictured]) -> str:
    from failover.report.picture_report import picture_report

    return picture_report(pictures)
