"""Which software drills: two machines agree on a drill only where they run the same."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Software:
    """Versions, and a digest of our own source: a checkout changes more often than its version."""

    failover: str
    litellm: str
    python: str
    source: str

    def unlike(self, other: Software) -> str:
        """In words, what `other` has otherwise; empty where it is the same."""
        told = []
        for each in fields(self):
            ours, theirs = getattr(self, each.name), getattr(other, each.name)
            if ours != theirs:
                what = "source of failover" if each.name == "source" else each.name
                told.append(f"{what} {theirs}, here it is {ours}")
        return "; ".join(told)


@cache
def software() -> Software:
    """What this process runs."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(file.relative_to(PACKAGE).as_posix().encode())
        digest.update(file.read_bytes())
    return Software(
        importlib.metadata.version("failover"),
        importlib.metadata.version("litellm"),
        "{}.{}".format(*sys.version_info),
        digest.hexdigest()[:12],
    )
