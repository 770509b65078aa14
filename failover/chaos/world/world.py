"""The simulated outside: a pure function of seed, target, request, ask and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf

from failover.chaos.injections import Encounter, Injection
from failover.chaos.world.chance import Chance
from failover.chaos.world.fitted_latency import latency_model
from failover.chaos.world.image import Exchange
from failover.chaos.world.latency import LatencyModel
from failover.chaos.world.repertoire import Successes
from failover.core.prices import DatedPrice, PriceBook
from failover.core.vocabulary import Target

START_EPOCH_S = 1_767_225_600.0
"""Virtual time begins on 2026-01-01, 00:00 UTC: prices are looked up by date."""


class World:
    """Answers what an attempt meets. `ask` counts how often this call asked this target, from 1.

    `latencies` are a scenario's own, by target; the others answer as quickly as was recorded of them.
    """

    def __init__(
        self,
        chance: Chance,
        targets: Sequence[Target],
        repertoire: Mapping[str, Successes],
        injections: Sequence[Injection],
        prices: PriceBook,
        tokens_out: int,
        *,
        latencies: Mapping[str, LatencyModel] | None = None,
    ) -> None:
        self.chance = chance
        self.injections = injections
        self.prices = PriceBook({target.name: _priced(target, injections, prices) for target in targets})
        self._repertoire = repertoire
        self._tokens_out = tokens_out
        told = latencies or {}
        self._latencies = {
            target.name: told.get(target.name) or latency_model(target.model) for target in targets
        }
        self._hits: dict[str, list[tuple[int, Injection]]] = {
            target.name: [
                (index, injection)
                for index, injection in enumerate(injections)
                if injection.is_fault and injection.hits(target)
            ]
            for target in targets
        }

    def exchange(self, target: Target, request: str, ask: int, at_s: float, *, stream: bool) -> Exchange:
        """The image and timing of one attempt that is sent at `at_s`."""
        exchange = self._undisturbed(target, request, ask)
        for index, injection in self._hits[target.name]:
            share = injection.share_at(at_s)
            if share >= 1.0 or (
                share > 0.0 and self.chance.uniform("share", index, target.name, request, ask) < share
            ):
                exchange = injection.change(exchange, Encounter(target, stream))
        return exchange

    def _undisturbed(self, target: Target, request: str, ask: int) -> Exchange:
        answers = self._repertoire[target.name].answers
        key = (target.name, request, ask)
        which = int(self.chance.uniform("answer", *key) * len(answers)) if len(answers) > 1 else 0
        answer = answers[which]
        if answer.timing is not None and answer.timing.total_s is not None:
            first_byte_s, total_s = answer.timing.first_byte_s, answer.timing.total_s
            return Exchange(answer.image, total_s if first_byte_s is None else first_byte_s, total_s)
        first_token_s, total_s = self._latencies[target.name].draw(self.chance, self._tokens_out, *key)
        return Exchange(answer.image, first_token_s, total_s)


def _priced(target: Target, injections: Sequence[Injection], prices: PriceBook) -> tuple[DatedPrice, ...]:
    """The target's prices with the price changes woven in: one dated price for each stretch of time."""
    changes = [
        (START_EPOCH_S + injection.at_s, START_EPOCH_S + injection.ends_s, injection)
        for injection in injections
        if not injection.is_fault and injection.hits(target)
    ]
    # Compared as wall time throughout: a drill's time is finer, and would not come back the same.
    marks = {at_s for begins_s, ends_s, _ in changes for at_s in (begins_s, ends_s)}
    for dated in prices.prices.get(target.name, ()):
        marks |= {at_s for at_s in (dated.valid_from_s, dated.valid_to_s) if at_s is not None}
    edges = sorted(marks - {inf})
    woven = []
    for since_s, until_s in pairwise([None, *edges, None]):
        as_of_s = START_EPOCH_S if not edges else edges[0] - 1.0 if since_s is None else since_s
        price = prices.in_force(target.name, as_of_s)
        if price is not None:
            for begins_s, ends_s, change in changes:
                if begins_s <= as_of_s < ends_s:
                    price = change.reprice(price)
            woven.append(replace(price, valid_from_s=since_s, valid_to_s=until_s))
    return tuple(woven)
