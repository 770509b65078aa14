"""Where a command's reports go: files, standard output, and readers that leave early."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

STANDARD_OUTPUT = Path("-")


def human_stream(*machine: Path | None) -> IO[str]:
    """Where people read: standard output, or standard error where a machine reads the former."""
    return sys.stderr if STANDARD_OUTPUT in machine else sys.stdout


def console_on(stream: IO[str]) -> Console:
    """A console that survives a reader who leaves (`| head`) and a terminal without some letters."""
    from rich.console import Console

    class _Lasting(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            _forget(stream)

    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return _Lasting(file=stream, highlight=False, markup=False, emoji=False)


def write_line(stream: IO[str], line: str) -> None:
    """Write to a stream whose reader may have left."""
    try:
        stream.write(f"{line}\n")
        stream.flush()
    except BrokenPipeError:
        _forget(stream)


def write_report(file: Path, text: str) -> None:
    """Write to `file`, making its folder where it is missing; `-` is standard output. Raises OSError."""
    if file == STANDARD_OUTPUT:
        write_line(sys.stdout, text.removesuffix("\n"))
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8", errors="backslashreplace")


def _forget(stream: IO[str]) -> None:
    """Nobody reads any more: what is still buffered must not raise when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
