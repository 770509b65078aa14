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
    digits = 3 if value_s < 1.0 else 2 if value_s < TENS else 1
    return f"{trimmed(value_s, digits)} s"


def moment(at_s: float) -> str:
    """When, since the drill began: `304.5 s`, and `2 h 05 min` where hours have passed."""
    if at_s < LONG_S:
        return f"{trimmed(at_s, 1)} s"
    minutes = round(at_s / 60.0)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def dollars(value_usd: float | None) -> str:
    """`$12.70`, with more digits where it is little."""
    if value_usd is None:
        return NOTHING
    shown = f"{value_usd:.4f}" if value_usd < TENS else f"{value_usd:.2f}"
    return f"${shown[:-2] if shown.endswith('00') and value_usd < TENS else shown}"


def trimmed(value: float, digits: int) -> str:
    """A number with at most so many digits after its point, and no zeros at its end."""
    shown = f"{value:.{digits}f}"
    return shown.rstrip("0").rstrip(".") if digits else shown


def counted(number: int, word: str) -> str:
    """`1 attempt`, `2 attempts`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
