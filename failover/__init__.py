"""failover: decides which AI provider serves each request, keeps serving, and proves it beforehand."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from failover.config import Config as Config
    from failover.core.vocabulary import Decision as Decision
    from failover.errors import AllTargetsFailedError as AllTargetsFailedError
    from failover.errors import BudgetExceededError as BudgetExceededError
    from failover.errors import CallError as CallError
    from failover.errors import CassetteError as CassetteError
    from failover.errors import ConfigError as ConfigError
    from failover.errors import DeadlineExceededError as DeadlineExceededError
    from failover.errors import FailoverError as FailoverError
    from failover.errors import LocalError as LocalError
    from failover.errors import NoEligibleTargetError as NoEligibleTargetError
    from failover.errors import RequestRejectedError as RequestRejectedError
    from failover.errors import StreamInterruptedError as StreamInterruptedError
    from failover.reply import Reply as Reply
    from failover.router import Router as Router

_HOMES = {
    "Router": "failover.router",
    "Config": "failover.config",
    "Reply": "failover.reply",
    "Decision": "failover.core.vocabulary",
    "LocalError": "failover.errors",
    "FailoverError": "failover.errors",
    "ConfigError": "failover.errors",
    "CallError": "failover.errors",
    "RequestRejectedError": "failover.errors",
    "NoEligibleTargetError": "failover.errors",
    "AllTargetsFailedError": "failover.errors",
    "DeadlineExceededError": "failover.errors",
    "StreamInterruptedError": "failover.errors",
    "BudgetExceededError": "failover.errors",
    "CassetteError": "failover.errors",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(_HOMES[name]), name)
