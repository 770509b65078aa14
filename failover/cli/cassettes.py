"""`failover cassettes PATH…`: what do these cassettes hold, and how does the router see it?"""

from __future__ import annotations

import json
import shutil
import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from failover.cli.exits import HOLDS, INVALID, run
from failover.errors import CassetteError

if TYPE_CHECKING:
    from failover.cassettes.listing import Row

_STDOUT = "-"
_COLUMNS = (
    "file",
    "n",
    "provider",
    "model",
    "endpoint",
    "stream",
    "status",
    "outcome",
    "scope",
    "retry after",
)
_PLAIN_WIDTH = 10_000


@click.command(name="cassettes")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "json_file", metavar="FILE", help="Write the list as JSON; - is standard output.")
def command(paths: tuple[Path, ...], json_file: str | None) -> None:
    """List the episodes of the vcrpy cassettes in each PATH (file or folder), and how the router sees them.

    Exit code: 0 when every cassette could be read, 2 when one could not.
    """
    run(lambda: _list(paths, json_file))


def _list(paths: tuple[Path, ...], json_file: str | None) -> int:
    # rich and yaml load here, so that `failover --help` stays quick.
    from failover.cassettes.episodes import load_folder
    from failover.cassettes.listing import listing_of

    rows: list[Row] = []
    problems: list[str] = []
    for path in paths:
        try:
            found = listing_of(load_folder(path))
        except CassetteError as error:
            problems += str(error).splitlines()
            continue
        if not found:
            problems.append(f"{path}: holds no cassette (*.yaml, *.yml, *.json) with an exchange in it")
        rows += found
    if problems:
        for problem in problems:
            click.echo(f"error: {problem}", err=True)
        return INVALID
    return _write(rows, json_file)


def _write(rows: list[Row], json_file: str | None) -> int:
    if json_file is None:
        _print_table(rows, sys.stdout)
        return HOLDS
    text = json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    if json_file == _STDOUT:
        sys.stdout.write(text)
        return HOLDS
    try:
        Path(json_file).write_text(text, encoding="utf-8")
    except OSError as error:
        click.echo(f"error: {json_file}: cannot be written: {error.strerror or 'no access'}", err=True)
        return INVALID
    _print_table(rows, sys.stdout)
    return HOLDS


def _print_table(rows: list[Row], stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Drawn first and written at once: rich ends the process itself when a pipe closes under it.
    drawn = StringIO()
    terminal = stream.isatty()
    width = shutil.get_terminal_size().columns if terminal else _PLAIN_WIDTH
    console = Console(file=drawn, highlight=False, force_terminal=terminal, width=width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        right = column in {"n", "status", "retry after"}
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        style = "red" if row["kind"] else "green"
        outcome = Text(row["kind"] or row["outcome"], style=style)
        table.add_row(*(Text(cell) for cell in _shown(row)), outcome, row["scope"] or "", _wait(row))
    console.print(table)
    console.print(Text(_summary(rows)))
    stream.write(drawn.getvalue())


def _summary(rows: list[Row]) -> str:
    from failover.cassettes.listing import totals_of

    totals = totals_of(rows)
    told = f"{totals.episodes} episodes in {totals.files} cassettes, {totals.failures} failures"
    kinds = ", ".join(f"{kind} {count}" for kind, count in totals.kinds)
    return f"{told}: {kinds}" if kinds else told


def _shown(row: Row) -> tuple[str, ...]:
    streamed = "stream" if row["stream"] else ""
    n, status = str(row["n"]), str(row["status"])
    return (row["file"], n, row["provider"], row["model"], row["endpoint"], streamed, status)


def _wait(row: Row) -> str:
    return "" if row["retry_after_s"] is None else f"{row['retry_after_s']:g} s"
