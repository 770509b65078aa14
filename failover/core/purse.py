"""What one call may spend: its own cap, and what it reserves in the ledger before each attempt.

A reservation is an upper bound of what the attempt may cost, as far as the request bounds it: see
`most_nusd`. It is settled when the attempt ends, exactly once.
"""

from __future__ import annotations

from failover.core.decide import Facts
from failover.core.learned import Learned
from failover.core.spend import Charge, Refusal, Reservation, SpendScope
from failover.core.spend_events import ReservationExceeded, SpendRefused, SpendReserved
from failover.core.spending import Meter, Spending
from failover.core.vocabulary import Operation, PassedOver, Reason, Request, Route, Target, Usage
from failover.errors import LedgerError

PROMPT_FACTOR = 4
"""Prompts are estimated at four characters a token; no text has many more tokens than characters."""

PROMPT_EXTRA_TOKENS = 64
"""What a provider adds: the frames of messages, and a word of its own before them."""

ANSWER_FACTOR = 4
"""Where nobody bounds the answer, it is at most so many times as long as the route's usual one."""

TIMEOUT_EXTRA_S = 60.0
"""A reservation lasts so much longer than its call's deadline: those of a killed process end then."""

PRICED_BY_TOKENS = frozenset(
    {Operation.COMPLETION, Operation.RESPONSES, Operation.EMBEDDING, Operation.CALL, Operation.MODERATION}
)
"""The others are billed by picture, second or search: nobody can say beforehand what they cost at most."""

CALL = "call"
"""The account of a request's own cap, in events and errors."""


def purse_of(request: Request, route: Route, learned: Learned, facts: Facts) -> Purse | None:
    """What this call may spend; None where nothing limits it, and nothing is written down."""
    cap_nusd = request.max_cost_nusd
    if route.policy.max_cost_nusd is not None:
        most_nusd = route.policy.max_cost_nusd
        cap_nusd = most_nusd if cap_nusd is None else min(cap_nusd, most_nusd)
    if cap_nusd is None and facts.spending is None:
        return None
    return Purse(request, route, learned, facts, cap_nusd)


class Purse:
    """`reserve` goes before each attempt, then `sent` or `put_back`; `settle` when it ended.

    `spent_nusd` is what the call's attempts cost so far, with what is reserved for those under way.
    `refusal` is the last thing that was too much, `trouble` what is wrong with the ledger.
    """

    __slots__ = (
        "_attempts",
        "_cap_nusd",
        "_facts",
        "_held",
        "_learned",
        "_request",
        "_route",
        "_spending",
        "refusal",
        "spent_nusd",
    )

    def __init__(
        self, request: Request, route: Route, learned: Learned, facts: Facts, cap_nusd: int | None
    ) -> None:
        self._request = request
        self._route = route.name
        self._learned = learned
        self._facts = facts
        self._spending: Spending | None = facts.spending
        self._cap_nusd = cap_nusd
        self._held: Reservation | None = None
        self._attempts: dict[int, Reservation] = {}
        self.spent_nusd = 0
        self.refusal: Refusal | None = None

    def reserve(self, target: Target, now: float, deadline_s: float) -> PassedOver | None:
        """Keep free what an attempt at `target` may cost, or say why it must not be made."""
        spending, at_s = self._spending, self._facts.epoch_s + now
        meters: list[tuple[Meter, str]] = []
        if spending is not None:
            at_s = spending.ledger.now_s(at_s)
            meters = spending.meters(self._route, target, self._request)
        nusd = self.most_nusd(target, now, deadline_s)
        if nusd is None:
            if self._cap_nusd is not None or any(meter.budget.hard for meter, _ in meters):
                return self._refuse(target, Reason.PRICE_UNKNOWN, self._unpriced(meters), now)
            nusd = 0
        if self._cap_nusd is not None and self.spent_nusd + nusd > self._cap_nusd:
            reserved_nusd = sum([each.nusd for each in self._attempts.values()])
            figures = self._cap_nusd, self.spent_nusd - reserved_nusd, reserved_nusd, nusd, None
            return self._refuse(target, Reason.TOO_EXPENSIVE, Refusal(CALL, *figures), now)
        until_s = self._facts.epoch_s + deadline_s + TIMEOUT_EXTRA_S
        if spending is None:
            self._take(Reservation("", nusd, (), at_s, until_s))
            return None
        return self._reserve(spending, target, meters, Reservation("", nusd, (), at_s, until_s), now)

    def _reserve(
        self,
        spending: Spending,
        target: Target,
        meters: list[tuple[Meter, str]],
        wanted: Reservation,
        now: float,
    ) -> PassedOver | None:
        recorder = self._learned.recorder
        try:
            found = spending.reserve(meters, wanted.nusd, wanted.at_s, wanted.until_s)
        except LedgerError:
            return self._refuse(target, Reason.LEDGER_FAILED, None, now)
        finally:
            spending.tell_trouble(recorder, now)
        if isinstance(found, Refusal):
            return self._refuse(target, Reason.BUDGET_SPENT, found, now)
        self._take(found)
        if recorder.record is not None:
            spending.tell_reached(meters, found, recorder, now)
        return None

    def sent(self, attempt: int, target: Target, now: float) -> None:
        """What was reserved last is for this attempt."""
        assert self._held is not None  # noqa: S101  # nobody is asked for whom nothing is reserved
        held, self._held = self._held, None
        self._attempts[attempt] = held
        recorder = self._learned.recorder
        if recorder.record is not None and self._spending is not None:
            accounts = tuple([str(hold.account) for hold in held.holds])
            told = self._request.id, attempt, target.name, held.nusd, accounts
            recorder.tell(SpendReserved(now, *told))

    @property
    def trouble(self) -> str:
        """What is wrong with the ledger; empty: nothing."""
        return "" if self._spending is None else self._spending.ledger.trouble

    def put_back(self) -> None:
        """The attempt that was reserved for last is not made."""
        held, self._held = self._held, None
        if held is None:
            return
        self.spent_nusd -= held.nusd
        if self._spending is not None:
            self._spending.ledger.release(held)

    def settle(
        self, attempt: int, target: Target, cost_nusd: int | None, usage: Usage | None, now: float
    ) -> None:
        """The attempt ended, and cost so much. None: nobody knows, so what was reserved for it counts."""
        reservation = self._attempts.pop(attempt)
        charged_nusd = reservation.nusd if cost_nusd is None else cost_nusd
        self.spent_nusd += charged_nusd - reservation.nusd
        spending, recorder = self._spending, self._learned.recorder
        if charged_nusd > reservation.nusd:
            told = self._request.id, attempt, target.name, reservation.nusd, charged_nusd
            recorder.tell(ReservationExceeded(now, *told))
        if spending is None:
            return
        if not charged_nusd and usage is None:
            spending.ledger.release(reservation)
        else:
            request = self._request
            whose = request.id, attempt, self._route, target, request.tenant, request.tags
            paid = usage, charged_nusd, cost_nusd is None
            charge = Charge(*whose, *paid, reservation.at_s, self._facts.epoch_s + now)
            spending.settle(reservation, charge, recorder, now)
        spending.tell_trouble(recorder, now)

    def most_nusd(self, target: Target, now: float, deadline_s: float) -> int | None:
        """What an attempt may cost at most, by the dearer of the prices now and at the deadline.

        Of the prompt a token for each character, of the answer what the caller allows; where that is nothing,
        several times the usual length, within what the model can say. None: nobody knows.
        """
        request = self._request
        if request.operation not in PRICED_BY_TOKENS:
            return None
        tokens_out = request.tokens_out
        if tokens_out is None:
            tokens_out = ANSWER_FACTOR * int(self._learned.tokens_out[self._route].value)
        longest = target.capabilities.output_tokens_max
        if longest is not None and longest < tokens_out:
            tokens_out = longest
        most = Usage(PROMPT_FACTOR * request.tokens_in + PROMPT_EXTRA_TOKENS, tokens_out)
        quote_nusd, epoch_s = self._facts.prices.quote_nusd, self._facts.epoch_s
        first_nusd = quote_nusd(target.name, most, epoch_s + now)
        last_nusd = quote_nusd(target.name, most, epoch_s + deadline_s)
        if first_nusd is None or last_nusd is None:
            return None
        return max(first_nusd, last_nusd)

    def _unpriced(self, meters: list[tuple[Meter, str]]) -> Refusal:
        for meter, name in meters:
            if meter.budget.hard:
                scope = str(SpendScope(meter.budget.scope.kind, name))
                return Refusal(scope, meter.budget.limit_nusd, None, None, None, None)
        return Refusal(CALL, self._cap_nusd, None, None, None, None)

    def _take(self, reservation: Reservation) -> None:
        self._held = reservation
        self.spent_nusd += reservation.nusd

    def _refuse(self, target: Target, reason: Reason, refusal: Refusal | None, now: float) -> PassedOver:
        figures: tuple[int | None, ...] = (None, None, None, None)
        account, until_s = "", None
        if refusal is not None:
            self.refusal = refusal
            account = refusal.account
            figures = refusal.limit_nusd, refusal.spent_nusd, refusal.reserved_nusd, refusal.asked_nusd
            if refusal.resets_s is not None:
                until_s = refusal.resets_s - self._facts.epoch_s
        told = self._request.id, target.name, reason, account
        self._learned.recorder.tell(SpendRefused(now, *told, *figures))
        return PassedOver(target, reason, until_s)
