"""`failover audit`: who saw which data, and whether the trail is as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from failover.cli.exits import DEVIATED, HOLDS, run

if TYPE_CHECKING:
    from failover.audit.reading import Found

_PATH = click.Path(path_type=Path)
_ANCHOR = click.option(
    "--anchor", metavar="RECORDS:SHA256", help="An end that was noted earlier: it must still be there."
)


class _ShowsByDefault(click.Group):
    """`failover audit FILE` is short for `failover audit show FILE`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(name="audit", cls=_ShowsByDefault)
def command() -> None:
    """Read an audit trail: `failover audit FILE`, `failover audit verify FILE`.

    Exit code: 0 when every record is as it was written, 1 when one is not, 2 when FILE cannot be read.
    """


@command.command()
@click.argument("file", type=_PATH)
def show(file: Path) -> None:
    """Print which target saw how many attempts of which data class."""
    run(lambda: _show(file))


@command.command()
@click.argument("file", type=_PATH)
@_ANCHOR
def verify(file: Path, anchor: str | None) -> None:
    """Hold every record against the one before it.

    What was cut off the end shows only against an anchor: note the one printed here somewhere else.
    """
    run(lambda: _verify(file, anchor))


def _show(path: Path) -> int:
    from failover.audit.reading import read_trail
    from failover.cli.tables import show as table

    found = read_trail(path)
    rows = [
        (name or "(none named)", target, str(count)) for (name, target), count in sorted(found.seen.items())
    ]
    table(f"{path}: who saw what", ("data class", "target", "attempts"), rows)
    return _conclusion(path, found)


def _verify(path: Path, anchor: str | None) -> int:
    from failover.audit.reading import read_trail

    return _conclusion(path, read_trail(path, anchor))


def _conclusion(path: Path, found: Found) -> int:
    if found.broken:
        click.echo(f"{path}: NOT as it was written: {found.broken}; what follows was not read")
        return DEVIATED
    if not found.head.records:
        click.echo(f"{path}: holds no record")
        return DEVIATED
    span = f"{found.first_at} to {found.last_at}, opened {found.openings} times"
    click.echo(f"{path}: {found.head.records} records in order, {span}")
    if found.lost:
        click.echo(f"{found.lost} attempts could not be written down: the trail says so, not what they were")
    if found.torn:
        click.echo(f"{found.torn} times the last record had been cut short; its attempt had not been sent")
    click.echo(f"its end: {found.head}")
    return HOLDS
