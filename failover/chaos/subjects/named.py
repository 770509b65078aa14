"""A subject by its name on the command line: `package.module:function`."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

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
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise _complaint(name, f"cannot be imported: {error}") from error
    making = getattr(module, function_name, None)
    if not callable(making):
        known = ", ".join(sorted(each for each in vars(module) if callable(vars(module)[each])))
        raise _complaint(name, f"is not there; {module_name} has: {known or 'no function'}")
    return NamedSubject(name, making)


def _complaint(name: str, what: str) -> ConfigError:
    return ConfigError([Complaint("--subject", 0, name, what)])
