"""What was observed of a target's speed: exponentially weighted, quick to believe bad news."""

from __future__ import annotations

from math import ceil, exp

WEIGHT_MIN = 0.02
WEIGHT_MAX = 0.5


class PeakEwma:
    """A moving average in seconds that jumps up to a peak and comes down slowly.

    An observation `elapsed` seconds after the last one weighs `1 - exp(-elapsed / decay_s)`, kept
    within bounds so that neither a burst nor a quiet night decides alone. A value above the average
    replaces half of the distance at once: the peak sensitivity of Finagle's load metric, softened
    because token counts make one slow answer weak evidence.
    """

    __slots__ = ("decay_s", "observed_at_s", "value_s")

    def __init__(self, decay_s: float = 30.0) -> None:
        self.decay_s = decay_s
        self.value_s: float | None = None
        self.observed_at_s = 0.0

    def observe(self, value_s: float, now: float) -> None:
        """Take in one measured duration in seconds."""
        if self.value_s is None:
            self.value_s = value_s
        else:
            elapsed_s = max(0.0, now - self.observed_at_s)
            weight = min(max(1.0 - exp(-elapsed_s / self.decay_s), WEIGHT_MIN), WEIGHT_MAX)
            if value_s > self.value_s:
                weight = WEIGHT_MAX
            self.value_s += (value_s - self.value_s) * weight
        self.observed_at_s = now


class Recent:
    """The last durations of one target, for quantiles: a ring, so that memory stays flat."""

    KEPT = 64
    LEAST = 20
    __slots__ = ("_next", "_values_s")

    def __init__(self) -> None:
        self._values_s: list[float] = []
        self._next = 0

    def observe(self, value_s: float) -> None:
        """Take in one measured duration in seconds."""
        if len(self._values_s) < self.KEPT:
            self._values_s.append(value_s)
        else:
            self._values_s[self._next] = value_s
            self._next = (self._next + 1) % self.KEPT

    def quantile_s(self, quantile: float) -> float | None:
        """The smallest duration that so many of them do not exceed; None as long as they are few."""
        count = len(self._values_s)
        if count < self.LEAST:
            return None
        return sorted(self._values_s)[max(0, ceil(quantile * count) - 1)]


class TokenMean:
    """The expected output length of a route: a plain moving average of tokens."""

    __slots__ = ("value",)

    def __init__(self, prior: float = 256.0) -> None:
        self.value = prior

    def observe(self, tokens: int) -> None:
        """Take in the output length of one reply."""
        self.value += (tokens - self.value) * WEIGHT_MIN


class AnswerLengths:
    """The expected length of the answers of a route, and of each of its targets that was seen often enough.

    A model that reasons writes many times what another does for the same prompt.
    """

    ENOUGH = 20
    __slots__ = ("_at", "overall")

    def __init__(self) -> None:
        self.overall = TokenMean()
        self._at: dict[str, list[float]] = {}

    def observe(self, target: str, tokens: int) -> None:
        """Take in the output length of one reply of `target`."""
        self.overall.observe(tokens)
        seen = self._at.get(target)
        if seen is None:
            self._at[target] = [1.0, float(tokens)]
            return
        seen[0] += 1.0
        # A plain mean of the first of them, then a moving one: no prior of another model's to forget.
        seen[1] += (tokens - seen[1]) * max(1.0 / seen[0], WEIGHT_MIN)

    def at(self, target: str) -> float:
        """What is usual at `target`; before it was seen often enough, on its route."""
        seen = self._at.get(target)
        return self.overall.value if seen is None or seen[0] < self.ENOUGH else seen[1]


class Window:
    """Counts over the last `window_s` seconds, in ten buckets: flat memory whatever the traffic."""

    BUCKETS = 10
    __slots__ = ("_buckets", "_started_s", "bucket_s", "failed", "slow", "total")

    def __init__(self, window_s: float) -> None:
        self.bucket_s = window_s / self.BUCKETS
        self.clear(0.0)

    def clear(self, now: float) -> None:
        """Forget everything."""
        self._buckets: list[list[int]] = [[0, 0, 0]]
        self._started_s = now
        self.total = self.failed = self.slow = 0

    def add(self, now: float, *, failed: bool, slow: bool) -> None:
        """Count one attempt that ended at `now`."""
        if now - self._started_s >= self.bucket_s:
            self._advance(now)
        bucket = self._buckets[-1]
        bucket[0] += 1
        self.total += 1
        if failed:
            bucket[1] += 1
            self.failed += 1
        if slow:
            bucket[2] += 1
            self.slow += 1

    def _advance(self, now: float) -> None:
        steps = int((now - self._started_s) / self.bucket_s)
        if steps >= self.BUCKETS:
            self.clear(now)
            return
        for _ in range(steps):
            self._buckets.append([0, 0, 0])
        self._started_s += steps * self.bucket_s
        while len(self._buckets) > self.BUCKETS:
            total, failed, slow = self._buckets.pop(0)
            self.total -= total
            self.failed -= failed
            self.slow -= slow
