"""The public test kit: drill your own service in its tests, without a network and without waiting.

`docs/testing.md` shows each of these at work. With pytest, the fixture `virtual_time` of
`failover.pytest_plugin` runs an async test on virtual time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from failover.chaos.judging.verdict import Verdict as Verdict
    from failover.chaos.modes.virtual_loop import DeadlockError as DeadlockError
    from failover.testing.drilled import drilled_router as drilled_router
    from failover.testing.drills import DrillFailedError as DrillFailedError
    from failover.testing.drills import assert_survives as assert_survives
    from failover.testing.drills import drill as drill
    from failover.testing.injecting import deprecation as deprecation
    from failover.testing.injecting import injection as injection
    from failover.testing.injecting import outage as outage
    from failover.testing.injecting import price_change as price_change
    from failover.testing.injecting import rate_limit as rate_limit
    from failover.testing.injecting import slowdown as slowdown
    from failover.testing.observed import ObservedRouter as ObservedRouter
    from failover.testing.scripted import scripted_router as scripted_router
    from failover.testing.scripts import answer as answer
    from failover.testing.scripts import error as error
    from failover.testing.scripts import hang as hang
    from failover.testing.scripts import raw as raw
    from failover.testing.scripts import refused as refused
    from failover.testing.scripts import reset as reset
    from failover.testing.scripts import stream as stream
    from failover.testing.staging import SentRequest as SentRequest
    from failover.testing.virtual import VirtualTime as VirtualTime
    from failover.testing.virtual import run_virtual as run_virtual

_HOMES = {
    "run_virtual": "failover.testing.virtual",
    "VirtualTime": "failover.testing.virtual",
    "DeadlockError": "failover.chaos.modes.virtual_loop",
    "scripted_router": "failover.testing.scripted",
    "answer": "failover.testing.scripts",
    "stream": "failover.testing.scripts",
    "error": "failover.testing.scripts",
    "refused": "failover.testing.scripts",
    "reset": "failover.testing.scripts",
    "hang": "failover.testing.scripts",
    "raw": "failover.testing.scripts",
    "drilled_router": "failover.testing.drilled",
    "ObservedRouter": "failover.testing.observed",
    "SentRequest": "failover.testing.staging",
    "drill": "failover.testing.drills",
    "assert_survives": "failover.testing.drills",
    "DrillFailedError": "failover.testing.drills",
    "Verdict": "failover.chaos.judging.verdict",
    "injection": "failover.testing.injecting",
    "outage": "failover.testing.injecting",
    "slowdown": "failover.testing.injecting",
    "rate_limit": "failover.testing.injecting",
    "deprecation": "failover.testing.injecting",
    "price_change": "failover.testing.injecting",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(_HOMES[name]), name)
