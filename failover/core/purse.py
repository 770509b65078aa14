"""What one call may spend: its own cap, and what it reserves in the ledger before each attempt.

A reservation is an upper bound of what the attempt may cost, as far as the request bounds it: see
`most_nusd`. It is settled when the attempt ends, exactly once.
"""

from __future__ import annotations

from dataclasses import replace

from failover.core.decide import Facts
from failover.core.learned import Learned
from failover.core.spend import Charge, Refusal, Reservation, SpendScope
from failover.core.spend_events import ReservationExceeded, SpendRefused, SpendReserved
from failover.core.spending import Meter, Spending
from failover.core.vocabulary import Decision, Operation, PassedOver, Reason, Request, Route, Target, Usage
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
        at_s, meters = self._meters(target, now)
        nusd = self.most_nusd(target, now, deadline_s)
        objection = self._objection(meters, nusd)
        if objection is not None:
            return self._refuse(target, *objection, now)
        until_s = at_s + (deadline_s - now) + TIMEOUT_EXTRA_S
        wanted = Reservation("", nusd or 0, (), at_s, until_s)
        if self._spending is not None:
            return self._reserve(self._spending, target, meters, wanted, now)
        self._take(wanted)
        return None

    def passed_over(self, target: Target, now: float, deadline_s: float) -> PassedOver | None:
        """Why an attempt at `target` would not be made now; nothing is reserved, and nobody is told."""
        at_s, meters = self._meters(target, now)
        nusd = self.most_nusd(target, now, deadline_s)
        objection = self._objection(meters, nusd)
        if objection is None and self._spending is not None:
            try:
                refusal = self._spending.room(meters, nusd or 0, at_s)
            except LedgerError:
                objection = Reason.LEDGER_FAILED, None
            else:
                objection = None if refusal is None else (Reason.BUDGET_SPENT, refusal)
        return None if objection is None else self._passed_over(target, *objection)

    def _meters(self, target: Target, now: float) -> tuple[float, list[tuple[Meter, str]]]:
        """The time that its ledger counts in, and the budgets that such an attempt is charged to."""
        at_s, spending = self._facts.epoch_s + now, self._spending
        if spending is None:
            return at_s, []
        return spending.ledger.now_s(at_s), spending.meters(self._route, target, self._request)

    def _objection(
        self, meters: list[tuple[Meter, str]], nusd: int | None
    ) -> tuple[Reason, Refusal | None] | None:
        """What speaks against so dear an attempt, whatever the ledger says."""
        if nusd is None:
            if self._cap_nusd is not None or any(meter.budget.hard for meter, _ in meters):
                return Reason.PRICE_UNKNOWN, self._unpriced(meters)
        elif self._cap_nusd is not None and self.spent_nusd + nusd > self._cap_nusd:
            reserved_nusd = sum([each.nusd for each in self._attempts.values()])
            figures = self._cap_nusd, self.spent_nusd - reserved_nusd, reserved_nusd, nusd, None
            return Reason.TOO_EXPENSIVE, Refusal(CALL, *figures)
        return None

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
        assert self._held is not None  # noqa: S101  # something was reserved, or nobody would put it back
        held, self._held = self._held, None
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
            estimated = cost_nusd is None or (usage is not None and usage.estimated)
            paid = usage, charged_nusd, estimated
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
        tokens_out = request.tokens_out_max
        if tokens_out is None:
            usual = self._learned.tokens_out[self._route].at(target.name)
            tokens_out = ANSWER_FACTOR * request.expected_out(usual)
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
        told = self._request.id, target.name, reason
        if refusal is None:
            event = SpendRefused(now, *told, "", None, None, None, None)
        else:
            self.refusal = refusal
            figures = refusal.limit_nusd, refusal.spent_nusd, refusal.reserved_nusd, refusal.asked_nusd
            event = SpendRefused(now, *told, refusal.account, *figures)
        self._learned.recorder.tell(event)
        return self._passed_over(target, reason, refusal)

    def _passed_over(self, target: Target, reason: Reason, refusal: Refusal | None) -> PassedOver:
        if refusal is None or refusal.resets_s is None:
            return PassedOver(target, reason)
        return PassedOver(target, reason, refusal.resets_s - self._facts.epoch_s)


def affordable(
    decision: Decision, route: Route, request: Request, learned: Learned, facts: Facts, now: float
) -> Decision:
    """The decision without those who would be too expensive now: a call finds that out as it asks them."""
    purse = purse_of(request, route, learned, facts)
    if purse is None:
        return decision
    deadline_s = now + (route.policy.deadline_s if request.deadline_s is None else request.deadline_s)
    found = {target: purse.passed_over(target, now, deadline_s) for target in decision.order}
    return replace(
        decision,
        order=tuple(target for target, objection in found.items() if objection is None),
        passed_over=(*decision.passed_over, *(each for each in found.values() if each is not None)),
        held_back=tuple(target for target in decision.held_back if found[target] is None),
    )
