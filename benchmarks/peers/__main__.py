"""The same stories for every client, replayed over the same worlds, side by side.

Usage: python -m benchmarks.peers [STORY…]. Prints a table per story: the verdict, the share served, what an
omniscient router could have served beyond that, attempts for each request, latency, and which of the story's
expectations and the invariants did not hold.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.peers import subjects
from failover.chaos.drill import run_drill
from failover.chaos.judging.verdict import Verdict
from failover.chaos.scenario import load_scenario
from failover.chaos.subjects.named import NamedSubject

FOLDER = Path(__file__).parent
PEERS = (
    NamedSubject("litellm.Router", subjects.litellm_router),
    NamedSubject("pydantic-ai FallbackModel", subjects.pydantic_ai_fallback),
    NamedSubject("a loop over litellm", subjects.bare_loop),
)
COLUMNS = (
    "client",
    "verdict",
    "served",
    "regret",
    "attempts per request",
    "latency p95",
    "errors",
    "not met",
)
HEAD = f"| {' | '.join(COLUMNS)} |\n{'| --- ' * len(COLUMNS)}|"


def row(name: str, verdict: Verdict) -> str:
    """One line of the table."""
    served, regret = verdict.success_ratio or 0.0, verdict.regret.success_ratio or 0.0
    errors = ", ".join(f"{count} {error}" for error, count in verdict.errors.items())
    missed = [each.name for each in verdict.expectations if not each.ok]
    missed += [each.name for each in verdict.invariants if each.violations]
    shares = (
        f"{served:.2%} | {regret:.2%} | {verdict.amplification:.2f} | {verdict.latency_s.p95 or 0.0:.1f} s"
    )
    return f"| {name} | {verdict.verdict} | {shares} | {errors} | {', '.join(missed)} |"


def main() -> None:
    """Drill every story, or those named, with every client."""
    # litellm counts tokens where nobody told them, and would look for tokenizers on the network.
    os.environ["HF_HUB_OFFLINE"] = "1"
    names = sys.argv[1:] or sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "config")
    for name in names:
        scenario = load_scenario(FOLDER / f"{name}.yaml")
        print(f"\n**{scenario.title}**\n\n{HEAD}", flush=True)
        for peer in (None, *PEERS):
            verdict = run_drill(scenario, seed=1, mode="replay", subject=peer)
            print(row("failover" if peer is None else peer.name, verdict), flush=True)


if __name__ == "__main__":
    main()
