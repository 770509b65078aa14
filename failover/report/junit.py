"""Verdicts for CI servers: JUnit's XML, one test case per drill."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from failover.chaos.judging.verdict import Conclusion, Refused, Skipped, Verdict
from failover.report.printable import printable

SUITE = "failover drill"


def junit_report(
    verdicts: Sequence[Verdict], skipped: Sequence[Skipped], refused: Sequence[Refused] = ()
) -> str:
    """The document as text: failed is a failure, unknown and invalid are errors."""
    unknown = sum(verdict.verdict is Conclusion.UNKNOWN for verdict in verdicts)
    counts = {
        "tests": str(len(verdicts) + len(skipped) + len(refused)),
        "failures": str(sum(verdict.verdict is Conclusion.FAILED for verdict in verdicts)),
        "errors": str(unknown + len(refused)),
        "skipped": str(len(skipped)),
        "time": f"{sum(verdict.wall_s for verdict in verdicts):.3f}",
    }
    suites = ET.Element("testsuites", {"name": SUITE, **counts})
    suite = ET.SubElement(suites, "testsuite", {"name": SUITE, **counts})
    for verdict in verdicts:
        _judged(suite, verdict)
    for skip in skipped:
        ET.SubElement(_case(suite, skip.name, "skipped", 0.0), "skipped", message=printable(skip.reason))
    for refusal in refused:
        case = _case(suite, refusal.name, "invalid", 0.0)
        _say(case, "error", "invalid", refusal.complaints)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _judged(suite: ET.Element, verdict: Verdict) -> None:
    name = f"{verdict.scenario} (seed {verdict.seed})"
    case = _case(suite, name, verdict.mode, verdict.wall_s)
    if verdict.verdict is Conclusion.FAILED:
        _say(case, "failure", "failed", verdict.reasons)
    elif verdict.verdict is Conclusion.UNKNOWN:
        _say(case, "error", "unknown", verdict.reasons)
    ET.SubElement(case, "system-out").text = f"reproduce: {printable(verdict.reproduce)}"


def _case(suite: ET.Element, name: str, mode: str, time_s: float) -> ET.Element:
    facts = {"classname": f"failover.drill.{mode}", "name": printable(name), "time": f"{time_s:.3f}"}
    return ET.SubElement(suite, "testcase", facts)


def _say(case: ET.Element, element: str, kind: str, lines: Sequence[str]) -> None:
    told = [printable(line) for line in lines] or [kind]
    ET.SubElement(case, element, {"type": kind, "message": told[0]}).text = "\n".join(told)
