"""Tables of a command: drawn where people look, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec

import click

Rows = Sequence[Sequence[str]]


def show(title: str, headings: Sequence[str], rows: Rows) -> None:
    """A table: drawn where people look, plain lines elsewhere."""
    if sys.stdout.isatty() and find_spec("rich"):
        _draw(title, headings, rows)
        return
    click.echo(title)
    for line in _aligned(headings, rows):
        click.echo(f"  {line}")


def _draw(title: str, headings: Sequence[str], rows: Rows) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row), style="red" if "NO" in row else None)
    Console().print(table)


def _aligned(headings: Sequence[str], rows: Rows) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
