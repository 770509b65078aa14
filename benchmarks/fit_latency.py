"""Fits the latency model to recorded exchanges, and shows how well it fits.

Usage: python -m benchmarks.fit_latency FOLDER [--html FILE] [--module]. FOLDER/latencies.csv has one row per
exchange: provider, model, endpoint, stream, status, output_tokens, repo, and one or more columns of
milliseconds. Printed are two tables in Markdown, the fitted figures and the check of them, and whether the
tail is needed at all. `--html` writes a page that plots recorded against drawn quantiles; `--module`
prints the table of `failover/chaos/world/fitted_latency.py` instead. A run takes about two minutes.
"""

from __future__ import annotations

import argparse
from dataclasses import astuple
from pathlib import Path

from benchmarks.latencies.checking import QUANTILES, Check, checked, quantile
from benchmarks.latencies.fitting import fitted
from benchmarks.latencies.groups import Group, groups
from benchmarks.latencies.plotting import write_plot
from benchmarks.latencies.recorded import Recorded, recorded

CHECKED_ROWS_MIN = 20
P99_ROWS_MIN = 100
KINDS = {"whole": lambda of: of.whole, "first byte": lambda of: of.first}

Checked = list[tuple[Group, str, Check]]


def named(group: Group) -> str:
    """The patterns of a row, for a table."""
    return " ".join(f"`{pattern}`" for pattern in group.patterns)


def figures(group: Group) -> str:
    """One row of the table of fitted figures."""
    model = group.model
    cells = (
        f"{model.first_token_s:.3f}",
        f"{model.spread:.2f}",
        f"{model.token_s:.4f}",
        f"{model.token_spread:.2f}",
        f"{model.tail_factor:.2f}",
        f"{len(group.of.whole)} + {len(group.of.first)}",
    )
    return f"| {named(group)} | " + " | ".join(cells) + " |"


def fit_line(group: Group, kind: str, check: Check) -> str:
    """One row of the table of recorded against drawn quantiles."""
    rows = len(check.recorded_s)
    cells = [
        f"{quantile(check.recorded_s, share):.2f} / {quantile(check.drawn_s, share):.2f}"
        if share < QUANTILES[-1] or rows >= P99_ROWS_MIN
        else ""
        for share in QUANTILES
    ]
    held_out = "" if check.held_out_distance is None else f"{check.held_out_distance:.2f}"
    distance = f"{check.distance:.2f} ({check.chance_distance:.2f})"
    words = [f"`{group.patterns[0]}`", kind, str(rows), *cells, distance, held_out]
    return "| " + " | ".join(words) + " |"


def module_lines(found: list[Group]) -> list[str]:
    """The table as Python."""
    lines = ["FITTED: tuple[tuple[tuple[str, ...], LatencyModel], ...] = ("]
    for group in found:
        patterns = "".join(f'"{pattern}", ' for pattern in group.patterns)
        model = ", ".join(map(str, astuple(group.model)))
        lines.append(f"    (({patterns}), LatencyModel({model})),")
    return [*lines, ")"]


def checks(found: list[Group]) -> Checked:
    """Every row against what it was fitted to, whole answers and first bytes, where there are enough."""
    everybody = found[-1].model
    return [
        (group, kind, checked(group, everybody, pick))
        for group in found
        for kind, pick in KINDS.items()
        if len(pick(group.of)) >= CHECKED_ROWS_MIN
    ]


def show(of: Recorded, repeated: int, found: list[Group], seen: Checked) -> None:
    """Print everything."""
    counts = f"{len(of.whole)} whole answers and {len(of.first)} first bytes of streams"
    print(f"{counts}; {repeated} rows that repeat another were left out\n")
    print("| model | first token, s | spread | s per token | its spread | tail factor | rows |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print("\n".join(figures(group) for group in found))
    print(
        "\nrecorded / drawn, in seconds; the distance, what chance allows it, and that of held-out halves:\n"
    )
    print("| model | what | rows | p50 | p90 | p95 | p99 | distance | held out |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    print("\n".join(fit_line(*each) for each in seen))
    gain = fitted(of).log_likelihood - fitted(of, tail=False).log_likelihood
    print(f"\nlogarithm of likelihood gained by the tail over a pure log-normal, all rows: {gain:.0f}")


def main() -> None:
    """Fit, and print what was asked for."""
    parser = argparse.ArgumentParser(description="Fits the latency model to recorded exchanges.")
    parser.add_argument("folder", type=Path, help="holds latencies.csv")
    parser.add_argument("--html", type=Path, help="write a page with a plot of every fit")
    parser.add_argument("--module", action="store_true", help="print the table as Python, and nothing else")
    asked = parser.parse_args()
    if not (asked.folder / "latencies.csv").is_file():
        parser.error(f"{asked.folder} holds no latencies.csv")
    of, repeated = recorded(asked.folder)
    found = groups(of)
    if asked.module:
        print("\n".join(module_lines(found)))
        return
    seen = checks(found)
    show(of, repeated, found, seen)
    if asked.html is not None:
        write_plot(asked.html, [(f"{group.patterns[0]}, {kind}", check) for group, kind, check in seen])
        print(f"plots: {asked.html}")


if __name__ == "__main__":
    main()
