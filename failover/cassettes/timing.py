"""How long a recorded exchange took, where its cassette tells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from failover.adapters.waiting import duration_s


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from the send: the first byte, each chunk, the end. None where it was not recorded."""

    first_byte_s: float | None = None
    total_s: float | None = None
    chunk_offsets_s: tuple[float, ...] = ()


def timing_of(recorded: Any, response: Mapping[str, Any]) -> Timing | None:
    """From our own key `timing`, else go-vcr's `duration` (`1.2s`); figures that are none are left out."""
    if isinstance(recorded, Mapping):
        offsets = recorded.get("chunk_offsets_s")
        timing = Timing(
            _seconds(recorded.get("first_byte_s")),
            _seconds(recorded.get("total_s")),
            tuple(found for offset in offsets if (found := _seconds(offset)) is not None)
            if isinstance(offsets, list)
            else (),
        )
        return None if timing == Timing() else timing
    duration = response.get("duration")
    total_s = duration_s(duration) if isinstance(duration, str) else None
    return None if not total_s else Timing(total_s=total_s)


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
