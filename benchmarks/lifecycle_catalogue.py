"""Makes the shipped catalogue of retirements, `failover/shipped_data/lifecycle.csv`, of a folder of facts.

    python -m benchmarks.lifecycle_catalogue ../shared/facts

The folder holds `deprecations.csv`: one row per model and provider, with the source of each. Models get the
names that litellm knows them by; what is no model (a parameter, a beta, a mode) is left out, and said.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

CATALOGUE = Path(__file__).parents[1] / "failover" / "shipped_data" / "lifecycle.csv"
COLUMNS = (
    *("model", "announced", "deprecated", "retired", "replacement"),
    *("shape", "confidence", "source", "note"),
)

PREFIXES = {
    "alibaba": "dashscope",
    "google": "gemini",
    "vertex": "vertex_ai",
}
"""litellm's name of a provider, where it is another one."""

AZURE_OPENAI = (
    *("gpt-", "o1", "o3", "o4", "codex-", "sora"),
    *("text-embedding", "tts", "whisper", "model-router"),
)
"""What Azure serves as `azure/…`; the models of others are `azure_ai/…` to litellm."""

SHAPES = {
    "hard_error": "hard_error",
    "hard_error_or_redirect": "hard_error",
    "disputed_redirect_or_404": "hard_error",
    "reroute_and_rebill": "redirect",
}

COLLAPSED = "deprecations.info"
REGIONAL = frozenset({"azure", "bedrock", "vertex"})
"""Whose dates differ by region and version: of theirs the collapsed feed gives the earliest."""

SHORT = {
    "deprecations.info feed (repo": "deprecations.info at b1885cd, 2026-07-24",
    "modeldeprecations.dev catalogue": "modeldeprecations.dev at 9d33116, 2026-08-21",
}
"""How the two large sources are called here, by how they begin in the facts."""

READ_ON = {COLLAPSED: "2026-07-24", "modeldeprecations.dev": "2026-08-21"}
"""A model that is deprecated, and no one says since when, was so when its source was read."""

Row = Mapping[str, str]


def main() -> int:
    """Write the catalogue, and say what was left out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("facts", type=Path, help="the folder that holds deprecations.csv")
    parser.add_argument("--out", type=Path, default=CATALOGUE)
    asked = parser.parse_args()
    with (asked.facts / "deprecations.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    text, left_out = catalogue(rows)
    asked.out.write_text(text, "utf-8")
    print(f"{len(rows)} rows read, {text.count(chr(10)) - 1} written to {asked.out}")
    for why, count in Counter(left_out.values()).items():
        print(f"  left out, {why}: {count}")
    return 0


def catalogue(rows: list[Row]) -> tuple[str, dict[str, str]]:
    """The file's text, and why each row that is not in it is left out, by provider and model."""
    kept: dict[str, dict[str, str]] = {}
    left_out: dict[str, str] = {}
    for row in rows:
        why = _why_not(row)
        if why:
            left_out[f"{row['provider']}/{row['model']}"] = why
            continue
        entry = _entry(row, _note(row, rows))
        if entry["model"] in kept:
            raise SystemExit(f"{entry['model']} stands twice in the facts: say which of the two holds")
        kept[entry["model"]] = entry
    return "".join(_lines(kept)), left_out


def _lines(kept: Mapping[str, Row]) -> Iterator[str]:
    class _Lines(list[str]):
        write = list.append

    lines = _Lines()
    writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept[model] for model in sorted(kept))
    yield from lines


def _why_not(row: Row) -> str:
    if " " in row["model"]:
        return "a parameter, a beta, a mode or a checkpoint, and no model"
    if row["model"].endswith("-completions"):
        return "an endpoint of a model that has a row of its own"
    if row["provider"] == "bedrock" and "." not in row["model"]:
        return "a name that Bedrock does not take, beside the one that it does"
    return ""


def _note(row: Row, rows: list[Row]) -> str:
    if row["note"] != "as above":
        return row["note"]
    alike = ((each["provider"], each["retired_on"]) == (row["provider"], row["retired_on"]) for each in rows)
    notes = (each["note"] for each, is_alike in zip(rows, alike, strict=True) if is_alike)
    return next((note for note in notes if note not in {"", "as above"}), "")


def _entry(row: Row, note: str) -> dict[str, str]:
    source = row["source"]
    collapsed = row["provider"] in REGIONAL and source.startswith(COLLAPSED)
    deprecated = ""
    if not row["retired_on"]:
        read_on = next(day for name, day in READ_ON.items() if source.startswith(name))
        deprecated = row["announced"] or read_on
    if collapsed:
        note = "; ".join(filter(None, ("the earliest date of several regions or versions", note)))
    return {
        "model": _name(row),
        "announced": row["announced"],
        "deprecated": deprecated,
        "retired": row["retired_on"],
        "replacement": row["replacement"],
        "shape": SHAPES[row["after_retirement"]],
        "confidence": "low" if collapsed else "high",
        "source": next((short for long, short in SHORT.items() if source.startswith(long)), source),
        "note": note,
    }


def _name(row: Row) -> str:
    provider = PREFIXES.get(row["provider"], row["provider"])
    if provider == "azure" and not row["model"].startswith(AZURE_OPENAI):
        provider = "azure_ai"
    return f"{provider}/{row['model']}"


if __name__ == "__main__":
    sys.exit(main())
