"""Verdicts for people: tables that fit 80 columns, in colour where it is a terminal, plain elsewhere.

Words come from files and may look like markup or hold escape sequences: all of them are printed as text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from failover.chaos.judging.verdict import Conclusion, Verdict
from failover.report.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STYLES = {Conclusion.PASSED: "bold green", Conclusion.FAILED: "bold red", Conclusion.UNKNOWN: "bold yellow"}
SKIPPED_STYLE = "bold blue"

VIOLATIONS_SHOWN = 3

Row = tuple[str, str]


def print_verdict(console: Console, verdict: Verdict) -> None:
    """One block: figures; where it did not pass, every reason and the command that shows it again."""
    from rich.table import Table
    from rich.text import Text

    about = f"{printable(verdict.scenario)}  ({verdict.mode}, seed {verdict.seed})"
    console.print(_headline(verdict.verdict.value.upper(), STYLES[verdict.verdict], about), soft_wrap=True)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for label, value in _rows(verdict):
        table.add_row(Text(f"  {label}"), Text(printable(value)))
    console.print(table)
    if verdict.verdict is not Conclusion.PASSED:
        # Never wrapped: it is there to be copied.
        command = Text(f"  reproduce: {printable(verdict.reproduce)}")
        console.print(command, soft_wrap=True, no_wrap=True, overflow="ignore", crop=False)
    console.print()


def print_skipped(console: Console, name: str, reason: str) -> None:
    """A scenario that was not drilled, and why."""
    about = f"{printable(name)}: {printable(reason)}"
    console.print(_headline("SKIPPED", SKIPPED_STYLE, about), soft_wrap=True)
    console.print()


def _headline(word: str, style: str, about: str) -> Text:
    from rich.text import Text

    return Text.assemble((f"{word:<8}", style), about)


def _rows(verdict: Verdict) -> Iterator[Row]:
    yield "served", _served(verdict)
    yield "attempts", _attempts(verdict)
    yield "cost", _cost(verdict)
    latency, first_token = verdict.latency_s, verdict.first_token_s
    yield "latency", f"p95 {_seconds(latency.p95)}, p50 {_seconds(latency.p50)}, p99 {_seconds(latency.p99)}"
    if first_token.p95 is not None:
        yield "first token", f"p95 {_seconds(first_token.p95)}, p50 {_seconds(first_token.p50)}"
    if len(verdict.routes) > 1:
        for name, route in verdict.routes.items():
            each = f"{_percent(route.success_ratio)} of {route.requests}, p95 {_seconds(route.latency_s.p95)}"
            yield "route", f"{name}: {each}"
    if verdict.regret.cost_usd is not None or verdict.regret.latency_s is not None:
        yield "regret", _regret(verdict)
    if any(injection.is_fault for injection in verdict.coverage.injections):
        detected, recovered = _after(verdict.detected_after_s), _after(verdict.recovered_after_s)
        yield "fault", f"detected {detected}, recovered {recovered}"
    word = "unknown" if verdict.verdict is Conclusion.UNKNOWN else "why"
    for reason in verdict.reasons:
        yield word, reason
    yield from _more_violations(verdict)


def _more_violations(verdict: Verdict) -> Iterator[Row]:
    """The first violation of each invariant stands in the reason; the next ones here."""
    for invariant in verdict.invariants:
        if len(invariant.violations) > 1:
            for violation in invariant.violations[1:VIOLATIONS_SHOWN]:
                yield invariant.name, violation
            if len(invariant.violations) > VIOLATIONS_SHOWN:
                yield invariant.name, "and more: the JSON report lists them"


def _served(verdict: Verdict) -> str:
    line = f"{_percent(verdict.success_ratio)} of {verdict.requests} requests"
    best, regret = verdict.oracle.success_ratio, verdict.regret.success_ratio
    return line if best is None else f"{line}; oracle {_percent(best)}, regret {_percent(regret)}"


def _attempts(verdict: Verdict) -> str:
    each = "-" if verdict.amplification is None else f"{verdict.amplification:.3f}"
    line = f"{verdict.attempts}, {each} for each request"
    hedges = f", {verdict.hedges} hedges" if verdict.hedges else ""
    sent = f"; {verdict.unwitting} unwittingly to who might not have them" if verdict.unwitting else ""
    return f"{line}; {verdict.fallbacks} fallbacks, {verdict.retries} retries{hedges}{sent}"


def _cost(verdict: Verdict) -> str:
    if verdict.cost_usd is None:
        unpriced = [name for name, target in verdict.targets.items() if target.cost_usd is None]
        return f"not known: no price for {', '.join(unpriced)}"
    each = "-" if verdict.cost_per_1k_usd is None else f"${verdict.cost_per_1k_usd:.4f}"
    return f"${verdict.cost_usd:.4f}, {each} for 1000 requests"


def _regret(verdict: Verdict) -> str:
    """What the served spent and waited beyond the least possible."""
    cost_usd, latency_s = verdict.regret.cost_usd, verdict.regret.latency_s
    spent = "-" if cost_usd is None else f"${cost_usd / verdict.served * 1000.0:.4f}"
    return f"{spent} for 1000 served, {_seconds(latency_s)} for each"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100.0:.3f} %"


def _seconds(value_s: float | None) -> str:
    return "-" if value_s is None else f"{value_s:.3f} s"


def _after(value_s: float | None) -> str:
    return "-" if value_s is None else f"after {value_s:.1f} s"
