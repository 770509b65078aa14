"""The simulated outside: a pure function of seed, target, request, ask and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from failover.chaos.injections import Encounter, Gate, Images, Injection
from failover.chaos.scenario import START_EPOCH_S
from failover.chaos.workload import TOKENS_OUT_NOMINAL, Asked, Shape
from failover.chaos.world import governed
from failover.chaos.world.chance import Chance
from failover.chaos.world.fitted_latency import latency_model
from failover.chaos.world.image import Exchange
from failover.chaos.world.latency import LatencyModel
from failover.chaos.world.prices import woven
from failover.chaos.world.successes import Successes
from failover.core.governance import Governance
from failover.core.prices import PriceBook
from failover.core.vocabulary import Target


class Answers(Protocol):
    """What targets can answer."""

    def of(self, target: Target, shape: Shape, *, stream: bool) -> Successes:
        """Every answer of `target` to requests of `shape`."""
        ...


class World:
    """Answers what an attempt meets. `ask` counts how often this call asked this target, from 1.

    `latencies` are a scenario's own, by target; the others answer as quickly as was recorded of them.
    `governance` is what our config knows of terms when it begins; what it comes to know stands in the
    attribute of that name, and what really holds in `real_governance`.
    """

    def __init__(
        self,
        chance: Chance,
        targets: Sequence[Target],
        answers: Answers,
        injections: Sequence[Injection],
        prices: PriceBook,
        start_epoch_s: float = START_EPOCH_S,
        *,
        latencies: Mapping[str, LatencyModel] | None = None,
        governance: Governance | None = None,
    ) -> None:
        self.chance = chance
        self.injections = injections
        self.start_epoch_s = start_epoch_s
        self.prices = PriceBook(
            {target.name: woven(target, injections, prices, start_epoch_s) for target in targets}
        )
        told_terms = Governance() if governance is None else governance
        self.governance = governed.as_known(told_terms, injections, start_epoch_s)
        self.real_governance = governed.as_they_are(told_terms, injections, start_epoch_s)
        told = latencies or {}
        self._latencies = {
            target.name: told.get(target.name) or latency_model(target.model) for target in targets
        }
        self._answers = answers
        self._known: dict[tuple[str, Shape, bool], Successes] = {}
        self._images = Images()
        self._hits: dict[str, list[tuple[int, Injection]]] = {target.name: [] for target in targets}
        self._gates: dict[str, list[Gate]] = {target.name: [] for target in targets}
        for index, injection in enumerate(injections):
            gate = injection.gate()
            for target in targets if injection.is_fault else ():
                if injection.hits(target):
                    self._hits[target.name].append((index, injection))
                    self._gates[target.name] += [gate] if gate is not None else []

    def meet(self, target: Target, asked: Asked, ask: int, at_s: float, *, stream: bool) -> Exchange:
        """What one attempt that is really sent at `at_s` meets: the exchange, if there is room for it."""
        exchange = self.exchange(target, asked, ask, at_s, stream=stream)
        for gate in self._gates[target.name]:
            exchange = gate.passed(exchange, Encounter(target, asked, stream, self._images), at_s)
        return exchange

    def exchange(self, target: Target, asked: Asked, ask: int, at_s: float, *, stream: bool) -> Exchange:
        """The image and timing of one attempt that is sent at `at_s`, whoever else is there."""
        exchange = self._undisturbed(target, asked, ask, stream=stream)
        for index, injection in self._hits[target.name]:
            share = injection.share_at(at_s)
            if share >= 1.0 or (share > 0.0 and self._drawn(index, injection, target, asked, ask) < share):
                draws = partial(self._draw, index, target.name, asked.request.id, ask)
                met = Encounter(target, asked, stream, self._images, at_s, ask, draws)
                exchange = injection.change(exchange, met)
        return exchange

    def _drawn(self, index: int, injection: Injection, target: Target, asked: Asked, ask: int) -> float:
        return self.chance.uniform("share", index, *injection.stuck_to(target, asked, ask))

    def _draw(self, index: int, target: str, request: str, ask: int, what: str) -> float:
        return self.chance.uniform(what, index, target, request, ask)

    def _undisturbed(self, target: Target, asked: Asked, ask: int, *, stream: bool) -> Exchange:
        shape, request = asked.shape, asked.request.id
        known = self._known.get((target.name, shape, stream))
        if known is None:
            known = self._answers.of(target, shape, stream=stream)
            self._known[target.name, shape, stream] = known
        answers = known.answers
        key = (target.name, request, ask)
        which = int(self.chance.uniform("answer", *key) * len(answers)) if len(answers) > 1 else 0
        answer = answers[which]
        if answer.timing is not None and answer.timing.total_s is not None:
            first_byte_s, total_s = answer.timing.first_byte_s, answer.timing.total_s
            return Exchange(answer.image, total_s if first_byte_s is None else first_byte_s, total_s)
        tokens_out = TOKENS_OUT_NOMINAL if shape.tokens_out is None else shape.tokens_out
        first_token_s, total_s = self._latencies[target.name].draw(self.chance, tokens_out, *key)
        return Exchange(answer.image, first_token_s, total_s)
