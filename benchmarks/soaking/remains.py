"""What a process holds: memory to the byte, open files and sockets."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import resource
import sys
import tempfile
from pathlib import Path
from statistics import linear_regression

BYTES_PER_CALL_MOST = 1.0
WARM_UP_SHARE = 0.2
"""Memory is judged after this share of the calls: by then windows, pools and free lists are full."""


class Memory:
    """Samples of memory at rest: calls before it, bytes in use, resident bytes."""

    def __init__(self) -> None:
        self._samples: list[tuple[int, int, int]] = []

    def sample(self, calls: int) -> None:
        """Take one; nothing should be running."""
        gc.collect()
        resident = resident_bytes()
        self._samples.append((calls, used_bytes() or resident, resident))

    def per_call(self) -> tuple[float, float]:
        """By how many bytes in use, and resident ones, each call after the warm-up made it grow."""
        warm = [each for each in self._samples if each[0] >= WARM_UP_SHARE * self._samples[-1][0]]
        calls = [each[0] for each in warm]
        if len(calls) < 3:  # fewer points make no slope
            return 0.0, 0.0
        used = linear_regression(calls, [each[1] for each in warm]).slope
        return used, linear_regression(calls, [each[2] for each in warm]).slope

    def mib(self, which: int) -> tuple[float, float]:
        """In use (1) or resident (2), at the first sample and at the last one."""
        return self._samples[0][which] / 2**20, self._samples[-1][which] / 2**20


_MALLOC = (
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keep",
)


class _Malloc(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in _MALLOC)


def used_bytes() -> int | None:
    """What Python's allocator and the C library have handed out; None where they do not tell.

    Resident memory comes and goes by the megabyte as arenas are filled and left: to see a byte per call in
    it would take ten million calls.
    """
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
        mallinfo.restype = _Malloc
        statistics = _allocator_statistics()
    except (AttributeError, OSError):
        return None
    told = re.search(r"# bytes in allocated blocks\s*=\s*([\d,]+)", statistics)
    if told is None:
        return None
    malloc = mallinfo()
    return int(told[1].replace(",", "")) + int(malloc.uordblks) + int(malloc.hblkhd)


def _allocator_statistics() -> str:
    """CPython prints them to the C library's standard error, and nowhere else."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            sys._debugmallocstats()  # noqa: SLF001  CPython tells it nowhere else
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        return file.read().decode("ascii", errors="replace")


def resident_bytes() -> int:
    """What the process holds of the machine's memory; where only its peak is told, that."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text("ascii").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def open_files() -> set[str]:
    """Every open file and socket, as far as the platform tells."""
    folder = Path("/proc/self/fd")
    found = set()
    for each in folder.iterdir() if folder.exists() else ():
        try:
            found.add(f"{each.name} {each.readlink()}")
        except FileNotFoundError:
            continue  # the one through which the folder is read
    return found
