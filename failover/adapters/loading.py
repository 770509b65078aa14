"""Importing litellm, and the parts of it that act when they are imported, without a trace elsewhere."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

LOCAL_COST_MAP = "LITELLM_LOCAL_MODEL_COST_MAP"

_CONTEXT_CACHING = "litellm.llms.vertex_ai.context_caching.vertex_ai_context_caching"
REGISTERS = dict.fromkeys(("gemini", "vertex_ai", "vertex_ai_beta"), _CONTEXT_CACHING)
"""Modules that litellm 1.106 imports at the first call of a provider, and that make a cache of their own
as they are imported, which puts itself into the callback lists of the whole process.
"""


def load_litellm() -> Any:
    """litellm, imported so that it reads its bundled price map instead of fetching one."""
    if "litellm" not in sys.modules:
        with _variable(LOCAL_COST_MAP, "True"):
            return importlib.import_module("litellm")
    return importlib.import_module("litellm")


def load_provider(litellm: Any, provider: str) -> None:
    """Import now what litellm would import at the provider's first call; its callbacks stay as they were."""
    module = REGISTERS.get(provider)
    if module is not None and module not in sys.modules:
        with _callbacks_kept(litellm), suppress(ImportError):
            importlib.import_module(module)


@contextmanager
def _callbacks_kept(litellm: Any) -> Iterator[None]:
    named = {name: value for name, value in vars(litellm).items() if name.endswith("callback")}
    lists = [value for value in named.values() if isinstance(value, list)]
    before = [list(each) for each in lists]
    try:
        yield
    finally:
        for each, content in zip(lists, before, strict=True):
            each[:] = content


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
