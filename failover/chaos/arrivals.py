"""When requests come: evenly, independently, by the hour of the day, in bursts, or as they once came.

Each process but the recorded one is a pure function of chance and its key: arrival by arrival, in any
process, whatever else is drawn, and a longer workload begins with the arrivals of a shorter one. Times are
seconds from the workload's start, in whole microseconds; nothing is kept but the last of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from math import cos, log, pi
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator

from failover.chaos.world.chance import Chance
from failover.documents import Section, shown

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

HOUR_S = 3_600.0
TURN_PER_S = 2.0 * pi / (24.0 * HOUR_S)
"""How far a day's circle turns in a second, in radians."""
PLAIN = ("constant", "poisson", "daily", "burst")
"""The kinds that may be written as a mere word, everything else by default; a trace names its file."""


class Constant(Section):
    """Evenly spaced: one every `1 / rate_per_s` seconds."""

    kind: Literal["constant"] = "constant"

    def times(self, rate_per_s: float, for_s: float, _chance: Chance, *_key: str | int) -> Iterator[float]:
        """The arrivals before `for_s`."""
        number = 1
        while (at_s := round(number / rate_per_s, 6)) < for_s:
            yield at_s
            number += 1


class Poisson(Section):
    """Independently of each other, as many callers who do not know of each other do."""

    kind: Literal["poisson"] = "poisson"

    def times(self, rate_per_s: float, for_s: float, chance: Chance, *key: str | int) -> Iterator[float]:
        """The arrivals before `for_s`; `rate_per_s` is their mean rate."""
        at_s, number = 0.0, 1
        while (at_s := round(at_s + _gap(chance, *key, number) / rate_per_s, 6)) < for_s:
            yield at_s
            number += 1


class Daily(Section):
    """A smooth day: busiest at `peak_hour`, quietest twelve hours later, one cosine between.

    The mean over 24 hours is `rate_per_s`; the rate at the peak is `peak_to_trough` times that at the
    trough. Hours are of the clock, 0 to 24. The workload begins at `start_hour`.
    """

    kind: Literal["daily"] = "daily"
    peak_hour: float = Field(default=15.0, ge=0.0, le=24.0)
    peak_to_trough: float = Field(default=4.0, ge=1.0, le=1_000.0)
    start_hour: float = Field(default=0.0, ge=0.0, le=24.0)

    def rate_at(self, at_s: float, rate_per_s: float) -> float:
        """Arrivals per second at a time, when `rate_per_s` is the day's mean."""
        since_peak_s = at_s + (self.start_hour - self.peak_hour) * HOUR_S
        return rate_per_s * (1.0 + self._swing() * cos(TURN_PER_S * since_peak_s))

    def times(self, rate_per_s: float, for_s: float, chance: Chance, *key: str | int) -> Iterator[float]:
        """The arrivals before `for_s`: those of the peak's rate, thinned (Lewis and Shedler, 1979)."""
        swing, since_s = self._swing(), (self.start_hour - self.peak_hour) * HOUR_S
        most_per_s = rate_per_s * (1.0 + swing)
        at_s, number = 0.0, 1
        while (at_s := round(at_s + _gap(chance, *key, number) / most_per_s, 6)) < for_s:
            share = (1.0 + swing * cos(TURN_PER_S * (at_s + since_s))) / (1.0 + swing)
            if chance.uniform("thinned", *key, number) < share:
                yield at_s
            number += 1

    def _swing(self) -> float:
        return (self.peak_to_trough - 1.0) / (self.peak_to_trough + 1.0)


class Burst(Section):
    """Independent arrivals at `rate_per_s`, and at `factor` times that in bursts.

    A burst begins every `every_s` seconds, the first after `first_at_s` (left out: after `every_s`), and
    lasts `for_s`.
    """

    kind: Literal["burst"] = "burst"
    every_s: float = Field(default=300.0, ge=1.0)
    for_s: float = Field(default=30.0, gt=0.0)
    factor: float = Field(default=10.0, ge=0.0, le=1_000.0)
    first_at_s: float | None = Field(default=None, ge=0.0)

    @model_validator(mode="after")
    def _bursts_end(self) -> Burst:
        if self.for_s >= self.every_s:
            message = f"for_s, {self.for_s:g} s, must be less than every_s, {self.every_s:g} s: bursts end"
            raise ValueError(message)
        return self

    def windows(self) -> Iterator[tuple[bool, float]]:
        """Whether a burst is on, and until when, from the beginning and without end."""
        first_s = self.every_s if self.first_at_s is None else self.first_at_s
        yield False, first_s
        for number in count():
            yield True, first_s + number * self.every_s + self.for_s
            yield False, first_s + (number + 1) * self.every_s

    def times(self, rate_per_s: float, for_s: float, chance: Chance, *key: str | int) -> Iterator[float]:
        """The arrivals before `for_s`."""
        at_s, number = 0.0, 1
        left = _gap(chance, *key, number)
        for on, until_s in self.windows():
            now_per_s = rate_per_s * (self.factor if on else 1.0)
            while left < now_per_s * (until_s - at_s):
                at_s += left / now_per_s
                if (arrives_s := round(at_s, 6)) >= for_s:
                    return
                yield arrives_s
                number += 1
                left = _gap(chance, *key, number)
            left -= now_per_s * (until_s - at_s)
            at_s = until_s
            if at_s >= for_s:
                return


class Trace(Section):
    """As they came: the times in a CSV or JSON Lines file, played `speed` times as fast.

    The path is relative to the scenario file; `failover.chaos.traces` reads it. There is no rate: the
    file has its own.
    """

    kind: Literal["trace"] = "trace"
    file: str = Field(min_length=1)
    speed: float = Field(default=1.0, gt=0.0, le=1_000_000.0)


def _gap(chance: Chance, *key: str | int) -> float:
    """How long until the next arrival, in multiples of the mean."""
    return -log(1.0 - chance.uniform("arrival", *key))


def _as_table(value: Any) -> Any:
    if isinstance(value, str):
        return {"kind": value}
    if isinstance(value, Section | Mapping):
        return value
    raise ValueError(f"must be a word or a mapping, got {shown(value)}")


class _WordOrTable:
    """Lets the JSON Schema say that a word will do."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "enum": list(PLAIN)}, handler(core)]}


AnyArrivals = Annotated[
    Constant | Poisson | Daily | Burst | Trace,
    Field(discriminator="kind"),
    BeforeValidator(_as_table),
    _WordOrTable(),
]
"""`arrivals: poisson`, or `arrivals: {kind: daily, peak_hour: 14}`."""
