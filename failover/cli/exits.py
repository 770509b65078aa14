"""How every command ends: 0 holds, 1 deviated, 2 unknown or invalid input, 130 interrupted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

import click

from failover.errors import CassetteError, ConfigError, LedgerError

HOLDS, DEVIATED, INVALID, INTERRUPTED = 0, 1, 2, 130

EXTRA = {
    "orjson": "drill",
    "rich": "drill",
    "vcr": "drill",
    "plotly": "report",
    "hypothesis": "search",
    "time_machine": "subjects",
    "dask": "dask",
    "distributed": "dask",
    "genai_prices": "prices",
}
"""What extras bring, by the names it is imported under, and which extra that is."""


def missing(module: str) -> str:
    """What to do about a library of an extra that is not there."""
    return f"{module} is not installed: pip install 'failover[{EXTRA[module]}]'"


def run(body: Callable[[], int]) -> NoReturn:
    """Run a command's body and exit with its code; bad input ends in words, never in a traceback."""
    try:
        code = body()
        sys.stdout.flush()
    except ConfigError as error:
        count = len(error.complaints)
        click.echo(f"{error}\n{count} complaint{'s' if count > 1 else ''}; nothing was done", err=True)
        code = INVALID
    except (CassetteError, LedgerError) as error:
        click.echo(str(error), err=True)
        code = INVALID
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        click.echo(missing(error.name), err=True)
        code = INVALID
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has seen enough; the interpreter must not complain when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = HOLDS
    sys.exit(code)
