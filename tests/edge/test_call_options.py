"""The options of one call stand among its arguments, and never reach a provider."""

from __future__ import annotations

from decimal import Decimal

import pytest

from failover.core.policy import Delivery
from failover.errands import CallOptions, options


def test_what_is_no_option_stays_an_argument():
    arguments = {"temperature": 0.5, "deadline_s": 3.0}
    assert options(arguments) == CallOptions(deadline_s=3.0)
    assert arguments == {"temperature": 0.5}


def test_every_option_is_taken_out():
    arguments = {
        "delivery": "whole",
        "replay_safe": False,
        "data_class": "confidential",
        "tenant": "acme",
        "tags": ["nightly", "nightly"],
        "max_cost_usd": Decimal("0.15"),
    }
    told = options(arguments, stream=True)
    assert arguments == {}
    assert told == CallOptions(
        stream=True,
        delivery=Delivery.WHOLE,
        replay_safe=False,
        data_class="confidential",
        tenant="acme",
        tags=frozenset({"nightly"}),
        max_cost_nusd=150_000_000,
    )


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"delivery": "soon"}, "delivery must be 'live' or 'whole', not 'soon'"),
        ({"data_class": ""}, "data_class must be a name"),
        ({"tenant": 7}, "tenant must be a name, not 7"),
        ({"tags": "nightly"}, "tags must be a list of names, not 'nightly'"),
        ({"tags": ["nightly", 3]}, "tags must be a list of names"),
        ({"max_cost_usd": -1}, "max_cost_usd must be a number of dollars from 0 up, not -1"),
        ({"max_cost_usd": True}, "max_cost_usd must be a number of dollars"),
        ({"max_cost_usd": float("nan")}, "max_cost_usd must be a number of dollars"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_an_option_without_meaning_is_refused_before_anything_is_sent(told, what):
    with pytest.raises(ValueError, match=what):
        options(told)
