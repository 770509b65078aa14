"""One line that says how all drills together went."""

from __future__ import annotations

from collections.abc import Sequence

from failover.chaos.judging.verdict import Conclusion, Refused, Skipped, Verdict


def totals(verdicts: Sequence[Verdict], skipped: Sequence[Skipped], refused: Sequence[Refused] = ()) -> str:
    """`7 passed, 1 failed, 1 unknown, 1 skipped`; what happened to no scenario is left out."""
    counts = [
        (sum(each.verdict is conclusion for each in verdicts), conclusion.value) for conclusion in Conclusion
    ]
    counts += [(len(skipped), "skipped"), (len(refused), "invalid")]
    return ", ".join(f"{count} {word}" for count, word in counts if count) or "nothing was drilled"


def summary(
    verdicts: Sequence[Verdict], skipped: Sequence[Skipped], wall_s: float, refused: Sequence[Refused] = ()
) -> str:
    """The last line of a report: the totals, and how long it took in real time."""
    return f"{totals(verdicts, skipped, refused)} in {wall_s:.1f} s"
