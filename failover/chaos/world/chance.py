"""Keyed randomness: a draw is a pure function of the seed and its key, never of what was drawn before.

So two configs, two strategies or two routers meet the same world, and comparisons are paired.
"""

from __future__ import annotations

from hashlib import blake2b
from math import cos, log, pi, sin, sqrt

_STEPS = float(1 << 53)


class Chance:
    """Draws for one seed. Keys are words and numbers; equal keys give equal draws, in any process."""

    __slots__ = ("_seed",)

    def __init__(self, seed: int) -> None:
        self._seed = seed.to_bytes(16, "big", signed=True)

    def uniform(self, *key: str | int) -> float:
        """A float in [0, 1)."""
        return (self._bits(key) >> 11) / _STEPS

    def normal(self, *key: str | int) -> float:
        """A standard normal draw (Box and Muller, 1958)."""
        return self.normals(*key)[0]

    def normals(self, *key: str | int) -> tuple[float, float]:
        """Two independent standard normal draws, for hardly more than one costs."""
        bits = self._bits(key)
        length = sqrt(-2.0 * log(((bits >> 32) + 1) / 4294967297.0))
        angle = 2.0 * pi * (bits & 0xFFFFFFFF) / 4294967296.0
        return length * cos(angle), length * sin(angle)

    def _bits(self, key: tuple[str | int, ...]) -> int:
        text = "\x1f".join(map(str, key)).encode()
        return int.from_bytes(blake2b(text, digest_size=8, key=self._seed).digest(), "big")


class Draws:
    """A numbered sequence of draws under one key: the rng handed to one call."""

    __slots__ = ("_chance", "_count", "_key")

    def __init__(self, chance: Chance, *key: str | int) -> None:
        self._chance = chance
        self._key = key
        self._count = 0

    def __call__(self) -> float:
        """The next draw, in [0, 1)."""
        self._count += 1
        return self._chance.uniform(*self._key, self._count)
