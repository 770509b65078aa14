"""A provider that can do only so much, and loses part of that to those it turns away."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Literal

from pydantic import Field, model_validator

from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.injections.outage import ERROR_AFTER_S
from failover.chaos.world.image import Exchange, Image
from failover.chaos.world.wire_shapes import error_image

MINUTE_S = 60.0


class Capacity(Injection):
    """All that it hits share `rpm` requests and `tpm` tokens per minute, and `concurrency` at once.

    What is more is refused in the shape `as`. Each refusal costs as much as `refusal_share` of a request
    that is served, so that whoever keeps asking keeps it down: a metastable failure.
    """

    kind: Literal["capacity"]
    rpm: float | None = Field(default=None, gt=0.0)
    tpm: float | None = Field(default=None, gt=0.0)
    concurrency: int | None = Field(default=None, ge=1)
    burst_s: float = Field(default=1.0, gt=0.0, le=MINUTE_S)
    refusal_share: float = Field(default=0.0, ge=0.0, le=1.0)
    shape: Literal["429", "503", "529"] = Field(default="429", alias="as")
    retry_after_s: float | None = Field(default=None, ge=0.0)

    @model_validator(mode="after")
    def _some_limit(self) -> Capacity:
        if self.rpm is None and self.tpm is None and self.concurrency is None:
            raise ValueError("limits something: set rpm, tpm or concurrency")
        return self

    def gate(self) -> CapacityGate:
        """Nobody has asked yet."""
        return CapacityGate(self)


class _Bucket:
    """Fills with time, and is drawn from by each request: it holds what `burst_s` brings, or one request."""

    def __init__(self, per_minute: float, burst_s: float, least: float) -> None:
        self._per_s = per_minute / MINUTE_S
        self._most = max(least, self._per_s * burst_s)
        self.left = self._most
        self._at_s = 0.0

    def fill(self, at_s: float) -> None:
        self.left = min(self._most, self.left + (at_s - self._at_s) * self._per_s)
        self._at_s = at_s


class CapacityGate:
    """What was used of it, in one drill."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        burst_s = capacity.burst_s
        self._requests = None if capacity.rpm is None else _Bucket(capacity.rpm, burst_s, 1.0)
        self._tokens = None if capacity.tpm is None else _Bucket(capacity.tpm, burst_s, 1.0)
        self._ends_s: list[float] = []

    def passed(self, exchange: Exchange, encounter: Encounter, at_s: float) -> Exchange:
        """The exchange where there is room for it, else a refusal, which takes room too."""
        if self._capacity.share_at(at_s) <= 0.0:
            return exchange
        tokens = float(encounter.asked.request.tokens_in + (encounter.asked.shape.tokens_out or 0))
        drawn = [(self._requests, 1.0), (self._tokens, tokens)]
        buckets = [(bucket, amount) for bucket, amount in drawn if bucket is not None]
        for bucket, _ in buckets:
            bucket.fill(at_s)
        while self._ends_s and self._ends_s[0] <= at_s:
            heappop(self._ends_s)
        limit = self._capacity.concurrency
        # Tokens are drawn beyond what is there, as providers count a request when they let it in.
        room = all(bucket.left >= min(amount, 1.0) for bucket, amount in buckets)
        if room and (limit is None or len(self._ends_s) < limit):
            for bucket, amount in buckets:
                bucket.left -= amount
            if limit is not None:
                heappush(self._ends_s, at_s + exchange.total_s)
            return exchange
        for bucket, amount in buckets:
            # What is owed already stays owed: a refusal forgives nothing.
            bucket.left = min(bucket.left, max(0.0, bucket.left - amount * self._capacity.refusal_share))
        return exchange.replied(self._refusal(encounter), ERROR_AFTER_S)

    def _refusal(self, encounter: Encounter) -> Image:
        capacity = self._capacity
        return error_image(encounter.dialect, int(capacity.shape), capacity.retry_after_s)
