"""A charge as a row of the table of charges: written once, whoever writes it again."""

from __future__ import annotations

import json
from dataclasses import fields

from failover.core.spend import Charge, Reservation
from failover.core.vocabulary import Usage

_KINDS_OF_USAGE = tuple(each.name for each in fields(Usage))

CHARGE = """
INSERT INTO charges (reservation, call, attempt, route, target, provider, credential, model, tenant, tags,
                     usage, cost_nusd, is_estimated, started_s, price_as_of_s)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (reservation) DO NOTHING
"""


def row_of(reservation: Reservation, charge: Charge) -> tuple[object, ...]:
    """The values of `CHARGE`, in its order."""
    target, usage = charge.target, charge.usage
    told = (
        {} if usage is None else {name: count for name in _KINDS_OF_USAGE if (count := getattr(usage, name))}
    )
    return (
        reservation.id,
        charge.call,
        charge.attempt,
        charge.route,
        target.name,
        target.provider,
        target.credential,
        target.model,
        charge.tenant,
        json.dumps(sorted(charge.tags)) if charge.tags else "[]",
        json.dumps(told),
        charge.cost_nusd,
        int(charge.is_estimated),
        charge.started_s,
        charge.price_as_of_s,
    )
