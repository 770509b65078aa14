"""Terms in a world that changes them: as they are, and as far as our config knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf

from failover.chaos.injections import Injection
from failover.chaos.injections.terms_change import TermsChange
from failover.config.terms_section import layers
from failover.core.governance import UNLABELLED, Governance
from failover.core.terms import Layers
from failover.core.world_events import TermsInForce


def as_they_are(governance: Governance, injections: Sequence[Injection], start_epoch_s: float) -> Governance:
    """With every change of terms at its instant, whoever knows of it."""
    return _woven(governance, [(each, each.at_s) for each in _changes(injections)], start_epoch_s)


def as_known(governance: Governance, injections: Sequence[Injection], start_epoch_s: float) -> Governance:
    """With the changes that our config knows of, since it does."""
    known = [(each, each.at_s + each.known_after_s) for each in _changes(injections) if each.known]
    return _woven(governance, known, start_epoch_s)


def _changes(injections: Iterable[Injection]) -> list[TermsChange]:
    return [each for each in injections if isinstance(each, TermsChange)]


def _woven(
    governance: Governance, changes: Sequence[tuple[TermsChange, float]], start_epoch_s: float
) -> Governance:
    if not changes:
        return governance
    added: dict[str, Layers] = dict.fromkeys(governance.targets, ())
    for change, since_s in changes:
        if since_s < change.ends_s:
            until_s = inf if change.for_s is None else start_epoch_s + change.ends_s
            (terms,) = layers(change.terms)
            dated = replace(terms, valid_from_s=start_epoch_s + since_s, valid_to_s=until_s)
            for target in governance.targets.values():
                if change.hits(target):
                    added[target.name] = (*added[target.name], dated)
    return governance.with_terms(added)


def terms_told(
    known: Governance, real: Governance, targets: Iterable[str], start_epoch_s: float
) -> Iterable[TermsInForce]:
    """Whom each target may not serve, from when on: at the beginning, and wherever that changes."""
    if not known.is_on:
        return
    classes = (UNLABELLED, *known.classes)
    for target in targets:
        turns_s = {*known.turns_s(target), *real.turns_s(target)}
        before = None
        for turn_s in (start_epoch_s, *sorted(turn_s for turn_s in turns_s if turn_s > start_epoch_s)):
            barred = tuple(
                tuple(each for each in classes if governance.bar(target, each, turn_s) is not None)
                for governance in (known, real)
            )
            if barred != before:
                before = barred
                yield TermsInForce(turn_s - start_epoch_s, target, *barred)
