"""A router over the real litellm, with providers made of bytes beneath it: one host per target."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from failover import Router
from failover.adapters.litellm import LitellmAdapter
from tests.edge.fake_wire import ENVIRONMENT, KEY_VARIABLE, FakeProvider

QUIET = [
    # pydantic's, on litellm's own types and litellm's own use of them.
    pytest.mark.filterwarnings("ignore:.*ReadOnly:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]

Answers = Mapping[str, Callable[[], httpx.Response | Exception]]


def config_over(*targets: str, models: Mapping[str, str] | None = None, **policy: Any) -> dict[str, Any]:
    """One route, `chat`, over targets that share no fault domain and lie at hosts of their names."""
    models = models or {}
    return {
        "providers": {
            f"{name}-inc": {"credential": f"env:{KEY_VARIABLE}", "api_base": f"http://{name}.invalid/v1"}
            for name in targets
        },
        "targets": {
            name: {"provider": f"{name}-inc", "model": models.get(name, f"openai/{name}")} for name in targets
        },
        "routes": {"chat": {"chain": list(targets), "policy": policy}},
        "lifecycle": {"sources": []},  # the models are stand-ins, whatever has become of them
    }


def wired(
    answers: Answers, models: Mapping[str, str] | None = None, **policy: Any
) -> tuple[Router, FakeProvider]:
    """A router whose targets are the hosts of `answers`, each answering with what its function makes."""
    provider = FakeProvider(lambda request: answers[request.url.host.removesuffix(".invalid")]())
    service = Router.from_dict(
        config_over(*answers, models=models, **policy),
        adapter=LitellmAdapter(provider, ENVIRONMENT),
        rng=lambda: 0.0,
    )
    return service, provider


def hosts(provider: FakeProvider) -> list[str]:
    """Who was sent to, in order."""
    return [request.url.host.removesuffix(".invalid") for request in provider.requests]


class Silence(httpx.AsyncByteStream):
    """A body that says its first words, and then nothing more, for ever."""

    def __init__(self, *words: bytes) -> None:
        self._words = words

    async def __aiter__(self) -> Any:
        for word in self._words:
            yield word
        await asyncio.Event().wait()
