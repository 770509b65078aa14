"""Recorded exchanges of real providers, as far as they tell how long an answer took."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

CLOCKS = (
    "wall_ms",
    "openai_processing_ms",
    "bedrock_invocation_latency_ms",
    "google_server_timing_ms",
    "x_envoy_upstream_service_time_ms",
    "kong_upstream_latency_ms",
)
"""The client's own clock where there is one, else the provider's, which leaves out the network."""
PROVIDERS = {
    "google-gemini": "gemini",
    "google-vertex": "vertex_ai",
    "azure-openai": "azure",
    "vercel-gateway": "vercel_ai_gateway",
}
OPENS_AT_ONCE = {"responses"}
"""Endpoints whose streams begin with an event that says no more than that they were called."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One success: `tokens_out` is 0 where `took_s` is the time to a stream's first byte.

    `suite` is the test suite that recorded it.
    """

    model: str
    tokens_out: int
    took_s: float
    suite: str

    @property
    def provider(self) -> str:
        """The provider, as litellm calls it."""
        return self.model.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Recorded:
    """The answers of one group of models: those that came whole, and first bytes of streams."""

    whole: tuple[Answer, ...]
    first: tuple[Answer, ...]

    def of(self, *patterns: str) -> Recorded:
        """The answers of models whose litellm name matches one of the patterns."""
        return Recorded(_matching(self.whole, patterns), _matching(self.first, patterns))

    def without(self, *patterns: str) -> Recorded:
        """The others."""
        mine = self.of(*patterns)
        whole, first = set(map(id, mine.whole)), set(map(id, mine.first))
        return Recorded(
            tuple(each for each in self.whole if id(each) not in whole),
            tuple(each for each in self.first if id(each) not in first),
        )

    def halves(self) -> tuple[Recorded, Recorded]:
        """Two parts of about one size, each with all that a suite recorded, or with nothing of it."""
        counts = Counter(each.suite for each in (*self.whole, *self.first))
        sides: tuple[set[str], set[str]] = (set(), set())
        weights = [0, 0]
        for suite, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
            side = int(weights[1] < weights[0])
            sides[side].add(suite)
            weights[side] += count
        one, other = (
            Recorded(
                tuple(each for each in self.whole if each.suite in side),
                tuple(each for each in self.first if each.suite in side),
            )
            for side in sides
        )
        return one, other


def _matching(answers: Iterable[Answer], patterns: tuple[str, ...]) -> tuple[Answer, ...]:
    return tuple(each for each in answers if any(fnmatchcase(each.model, pattern) for pattern in patterns))


def recorded(folder: Path) -> tuple[Recorded, int]:
    """What FOLDER/latencies.csv tells, and how many of its rows repeat another to the last digit.

    A suite that runs one recording in several tests keeps several copies of it: they count once.
    """
    with (folder / "latencies.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    distinct = {tuple(row.values()): row for row in rows}
    whole, first = [], []
    for row in distinct.values():
        told = [float(row[clock]) / 1000.0 for clock in CLOCKS if row[clock]]
        if row["status"] != "200" or not told or not row["model"] or told[0] <= 0.0:
            continue
        if "mbed" in row["endpoint"] or row["endpoint"] == "countTokens":
            continue
        provider = PROVIDERS.get(row["provider"], row["provider"])
        model = f"{provider}/{row['model'].removeprefix('models/')}"
        if row["stream"] == "True":
            if row["endpoint"] not in OPENS_AT_ONCE:
                first.append(Answer(model, 0, told[0], row["repo"]))
        elif row["output_tokens"]:
            whole.append(Answer(model, int(row["output_tokens"]), told[0], row["repo"]))
    return Recorded(tuple(whole), tuple(first)), len(rows) - len(distinct)
