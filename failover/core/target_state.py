"""What is known of one target, and whether it may be tried."""

from __future__ import annotations

from math import inf, isfinite

from failover.core.breaker import OPEN, Breaker
from failover.core.evidence import History
from failover.core.failures import FailureKind
from failover.core.fate import Member
from failover.core.headroom import Quota
from failover.core.lifecycle import Ending
from failover.core.limits import Limiter, Load
from failover.core.ramp import Ramp
from failover.core.refusals import Refusals
from failover.core.stats import PeakEwma, Recent
from failover.core.vocabulary import PassedOver, Reason, Target

TRIAL_S = 2.0
"""How long an attempt after a cooldown keeps others waiting: refusals come quickly, answers may not."""


class TargetState:
    """What is known of one target. Times are seconds of the driver's clock.

    `cooldowns` counts those since the last answer. After one, attempts go one at a time until the first
    answer (`trials` are under way, the latest since `trial_since_s`): whoever waited for its end would
    otherwise be sent at the same instant, and refused again. From `retires_s` on it is barred by its date;
    `ending` is all that is known of its end.
    """

    __slots__ = (
        "breaker",
        "cooldown_until_s",
        "cooldowns",
        "drained",
        "ending",
        "first_token",
        "first_tokens",
        "gone_evidence",
        "history",
        "in_flight",
        "limiter",
        "member",
        "quota",
        "ramp",
        "refusals",
        "retired_by",
        "retires_s",
        "target",
        "total",
        "totals",
        "trial_since_s",
        "trials",
    )

    def __init__(self, target: Target, breaker: Breaker) -> None:
        self.target = target
        self.breaker = breaker
        self.member = Member(target, breaker)
        self.history = History()
        self.ramp = Ramp(breaker.policy.ramp_s)
        self.refusals = Refusals()
        self.cooldown_until_s = 0.0
        self.cooldowns = 0
        self.retired_by: FailureKind | None = None
        self.gone_evidence = 0
        self.retires_s = inf
        self.ending: Ending | None = None
        self.first_token = PeakEwma()
        self.total = PeakEwma()
        self.first_tokens = Recent()
        self.totals = Recent()
        self.in_flight = 0
        self.trials = 0
        self.trial_since_s = 0.0
        self.drained = False
        self.limiter: Limiter | None = None
        self.quota = Quota()

    def eligible(self, now: float, load: Load | None = None) -> bool:
        """Whether it may be tried at `now`, with so much to send."""
        if self.drained or self.retired_by is not None or now >= self.retires_s:
            return False
        if self.cooldowns and self.trial_ends_s(now) > now:
            return False
        return self.cooldown_until_s <= now and self.breaker.admits(now)

    def is_retired(self, now: float) -> bool:
        """Whether it may never be asked again: by what it answered, or by a date that bars."""
        return self.retired_by is not None or now >= self.retires_s

    def is_going(self, now: float) -> bool:
        """Whether its successor should stand before it: it is retired, due, or away since it was not found.

        Who is to be asked again after that stands first again: else a live model would never come back.
        """
        due = self.ending is not None and now >= self.ending.due_s
        return due or self.is_retired(now) or (self.gone_evidence > 0 and not self.eligible(now))

    def ends(self, ending: Ending | None) -> None:
        """What a config says of its end, None for nothing."""
        self.ending = ending
        self.retires_s = ending.due_s if ending is not None and ending.barred else inf

    def trial_ends_s(self, now: float) -> float:
        """Until when an attempt after a cooldown keeps others waiting; now where none does."""
        return max(now, self.trial_since_s + TRIAL_S) if self.trials and self.cooldowns else now

    def is_up(self, now: float) -> bool:
        """Whether nothing but a limit of your own may keep it from being tried."""
        return TargetState.eligible(self, now)

    def passed_over(self, now: float, load: Load | None = None) -> PassedOver:
        """Why it may not be tried; call only when it is not eligible."""
        if self.drained:
            return PassedOver(self.target, Reason.DRAINED)
        if self.is_retired(now):
            return PassedOver(self.target, Reason.RETIRED, None, self.successor)
        if self.cooldown_until_s > now:
            return PassedOver(self.target, Reason.COOLDOWN, self.cooldown_until_s)
        if self.breaker.state == OPEN:
            until_s = self.breaker.open_until_s
            return PassedOver(self.target, Reason.BREAKER_OPEN, until_s if isfinite(until_s) else None)
        return PassedOver(self.target, Reason.PROBE_RUNNING)

    @property
    def successor(self) -> str:
        """Who is named to come after it; empty: nobody."""
        return "" if self.ending is None else self.ending.named

    def observe(self, total_s: float, first_token_s: float | None, now: float) -> None:
        """It answered, after so long."""
        self.total.observe(total_s, now)
        self.totals.observe(total_s)
        if first_token_s is not None:
            self.first_token.observe(first_token_s, now)
            self.first_tokens.observe(first_token_s)

    def latency_s(self, *, stream: bool) -> float | None:
        """The usual time to the first token of a stream, or to a whole reply; None: never seen."""
        return self.first_token.value_s if stream else self.total.value_s

    def quantile_s(self, quantile: float, *, stream: bool) -> float | None:
        """The same, for so many of its latest answers; None: too few were seen."""
        return (self.first_tokens if stream else self.totals).quantile_s(quantile)


class LimitedState(TargetState):
    """A target with limits of your own: `limiter` is set. The others need not ask for any."""

    __slots__ = ()

    def eligible(self, now: float, load: Load | None = None) -> bool:
        """Whether it may be tried at `now`, and has room for so much."""
        limiter = self.limiter
        return self.is_up(now) and (limiter is None or limiter.ready_at_s(now, self.in_flight, load) <= now)

    def passed_over(self, now: float, load: Load | None = None) -> PassedOver:
        """Why it may not be tried; call only when it is not eligible."""
        if self.limiter is None or not self.is_up(now):
            return super().passed_over(now, load)
        at_s = self.limiter.rate_ready_at_s(now, load)
        return PassedOver(self.target, Reason.LIMIT_REACHED, at_s if now < at_s < inf else None)
