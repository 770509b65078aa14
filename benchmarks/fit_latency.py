"""Fits the default latency model to recorded figures and prints its table.

Usage: python benchmarks/fit_latency.py FOLDER, where FOLDER/latencies.csv has one row per recorded
exchange: provider, status, output_tokens and one or more duration columns in milliseconds.

The model: first token after a log-normal time, then so many seconds per token. `seconds_per_token` is
the Theil-Sen slope of duration over output tokens; the rest of each duration is the time before the
first token, whose median is printed, and whose spread is that of its logarithm within one model: the
median absolute deviation from the model's own median, scaled to a standard deviation. (Over all models
of a provider it would mostly tell how different the models are.)
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections import defaultdict
from itertools import combinations
from math import log
from pathlib import Path

DURATIONS = (
    "wall_ms",
    "e2e_ms",
    "openai_processing_ms",
    "bedrock_invocation_latency_ms",
    "google_server_timing_ms",
    "x_envoy_upstream_service_time_ms",
    "kong_upstream_latency_ms",
)
NAMES = {"google-gemini": "gemini", "google-vertex": "vertex_ai", "azure-openai": "azure"}
ROWS_MIN = 20
MODEL_ROWS_MIN = 5
MAD_TO_DEVIATION = 1.4826
PAIRS_MAX = 20_000
SHORTEST_S = 0.05


Point = tuple[str, int, float]


def rows(folder: Path) -> dict[str, list[Point]]:
    """Model, output tokens and seconds of every success, per provider and for all together."""
    found: dict[str, list[Point]] = defaultdict(list)
    with (folder / "latencies.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            told = [float(row[column]) for column in DURATIONS if row[column]]
            # A stream's own clock at the provider stops at its first byte, not at its end.
            if row["status"] != "200" or not told or not row["output_tokens"] or row["stream"] == "True":
                continue
            point = (row["model"], int(row["output_tokens"]), told[0] / 1000)
            found[NAMES.get(row["provider"], row["provider"])].append(point)
            found["*"].append(point)
    return found


def fit(points: list[Point]) -> tuple[float, float, float]:
    """Median first-token seconds, its log spread within a model, and seconds per token."""
    pairs = [
        (one, other) for one, other in combinations(points, 2) if one[1] != other[1] and one[0] == other[0]
    ]
    pairs = pairs[:: max(1, len(pairs) // PAIRS_MAX)]
    slope = max(0.0, statistics.median((b[2] - a[2]) / (b[1] - a[1]) for a, b in pairs))
    firsts = [(model, max(SHORTEST_S, seconds - tokens * slope)) for model, tokens, seconds in points]
    by_model: dict[str, list[float]] = defaultdict(list)
    for model, first_s in firsts:
        by_model[model].append(log(first_s))
    deviations = [
        abs(each - statistics.median(logs))
        for logs in by_model.values()
        if len(logs) >= MODEL_ROWS_MIN
        for each in logs
    ]
    spread = MAD_TO_DEVIATION * statistics.median(deviations)
    return statistics.median(first_s for _, first_s in firsts), spread, slope


def main() -> None:
    """Print one line per provider with enough rows."""
    for provider, points in sorted(rows(Path(sys.argv[1])).items()):
        if len(points) >= ROWS_MIN:
            median_s, spread, seconds_per_token = fit(points)
            print(
                f'    "{provider}": LatencyModel({median_s:.3f}, {spread:.2f}, {seconds_per_token:.4f}),'
                f"  # {len(points)} exchanges"
            )


if __name__ == "__main__":
    main()
