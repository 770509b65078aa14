"""A subject by its name on the command line: `package.module:function`."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failover.adapters.loading import load_litellm
from failover.chaos.subjects.setting import Making
from failover.errors import Complaint, ConfigError


@dataclass(frozen=True, slots=True)
class NamedSubject:
    """A client to be drilled, and what to call it."""

    name: str
    making: Making


def named_subject(name: str) -> NamedSubject:
    """The function `name`; raises `ConfigError` where there is none. The working directory is importable."""
    module_name, colon, function_name = name.partition(":")
    if not (module_name and colon and function_name):
        raise _complaint(name, "is no function: write it as package.module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    # Before the subject's own import of it: as we load it, it asks no network for its prices.
    load_litellm()
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise _complaint(name, f"cannot be imported: {error}") from error
    making = getattr(module, function_name, None)
    if not callable(making):
        own = (name for name, each in vars(module).items() if _is_of(module_name, each))
        known = ", ".join(sorted(own))
        raise _complaint(name, f"is not there; {module_name} has: {known or 'no function'}")
    return NamedSubject(name, making)


def _is_of(module: str, value: Any) -> bool:
    return callable(value) and getattr(value, "__module__", "") == module


def _complaint(name: str, what: str) -> ConfigError:
    return ConfigError([Complaint("--subject", 0, name, what)])
