"""Figures as people read them: with their unit, and a dash where there was nothing to measure."""

from __future__ import annotations

NOTHING = "–"
HOUR_S, LONG_S = 3600.0, 7200.0
TENS = 10.0
"""From here on a unit needs fewer digits."""


def percent(share: float | None) -> str:
    """`99.947 %`; a share that is not quite all is never rounded to all."""
    if share is None:
        return NOTHING
    shown = f"{share * 100.0:.3f}"
    if shown == "100.000" and share < 1.0:
        shown = "99.999"
    return f"{shown.rstrip('0').rstrip('.')} %"


def seconds(value_s: float | None) -> str:
    """`0.547 s`, `3.61 s`, `10.9 s`, `306 s`."""
    if value_s is None:
        return NOTHING
    if value_s < 1.0:
        return f"{value_s:.3f} s"
    return f"{value_s:.2f} s" if value_s < TENS else f"{value_s:.1f} s".replace(".0 s", " s")


def moment(at_s: float) -> str:
    """When, since the drill began: `304.5 s`, and `2 h 05 min` where hours have passed."""
    if at_s < LONG_S:
        return f"{at_s:.1f} s".replace(".0 s", " s")
    minutes = round(at_s / 60.0)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def dollars(value_usd: float | None) -> str:
    """`$12.70`, with more digits where it is little."""
    if value_usd is None:
        return NOTHING
    return f"${value_usd:.4f}" if value_usd < TENS else f"${value_usd:.2f}"


def counted(number: int, word: str) -> str:
    """`1 attempt`, `2 attempts`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
