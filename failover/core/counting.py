"""What is counted of each send: against what its provider said is left, and against limits of your own."""

from __future__ import annotations

from failover.core.headroom import NOTHING_SENT, Headroom, Quota, Quotas, Sent
from failover.core.limits import Entry, Limiter, Load
from failover.core.vocabulary import Request, Target, Usage

NO_LOAD = Load()


class Tally:
    """What one attempt was counted as, kept with its permit until it ends."""

    __slots__ = ("_entry", "_limiter", "_tokens", "mark")

    def __init__(self, mark: Sent, limiter: Limiter | None, entry: Entry | None, tokens: int) -> None:
        self.mark = mark
        self._limiter = limiter
        self._entry = entry
        self._tokens = tokens

    def correct(self, usage: Usage) -> None:
        """The provider counted so many tokens; said again, the last word holds."""
        if self._limiter is not None and self._entry is not None:
            used = usage.tokens_in + usage.tokens_out
            self._limiter.log.correct(self._entry, used - self._tokens)
            self._tokens = used


class Counting:
    """Counts sends once there is anything to count them for: `is_on`.

    That is a limit in the config, or a provider that told what is left. `quotas` outlive a config.
    """

    __slots__ = ("is_on", "quotas")

    def __init__(self, quotas: Quotas | None = None) -> None:
        self.quotas = Quotas() if quotas is None else quotas
        self.is_on = self.quotas.told

    def limiter_of(self, target: Target) -> Limiter | None:
        """The limits of a target, None where it has none."""
        limits = (target.requests_per_minute, target.tokens_per_minute, target.concurrency)
        if limits == (None, None, None):
            return None
        self.is_on = True
        return Limiter(*limits)

    def quota_of(self, target: Target) -> Quota:
        """What it shares with all targets of the same provider, credential and model.

        A plain function shares its quota with nobody.
        """
        if not target.model:
            return Quota()
        return self.quotas.of((target.provider, target.credential, target.model))

    def load_of(self, request: Request, tokens_out: float) -> Load:
        """What a request sends, `tokens_out` where it does not say itself.

        Where its caller sets a bound, providers count that against a limit, however short the answer.
        """
        told = request.tokens_out if request.tokens_out_max is None else request.tokens_out_max
        return Load(request.tokens_in, int(tokens_out) if told is None else told)

    def count(self, quota: Quota, limiter: Limiter | None, load: Load | None, now: float) -> Tally:
        """An attempt starts."""
        load = NO_LOAD if load is None else load
        mark = NOTHING_SENT
        if self.quotas.told:
            mark = self.quotas.count(quota, load.tokens_in, load.tokens_out, now)
        entry = None if limiter is None else limiter.take(load, now)
        return Tally(mark, limiter, entry, load.tokens)

    def take_in(self, quota: Quota, tally: Tally | None, headroom: Headroom, now: float) -> None:
        """The headers of an attempt's answer told what is left."""
        self.is_on = True
        mark = NOTHING_SENT if tally is None else tally.mark
        self.quotas.take_in(quota, headroom, mark, now)
