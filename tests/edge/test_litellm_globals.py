"""Routers come and go, and nothing of litellm that a service sets or reads has moved."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from failover import CallError, Router
from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm
from tests.edge.fake_wire import (
    ENVIRONMENT,
    KEY_VARIABLE,
    OPENAI_STREAM,
    FakeProvider,
    refusal,
    streamed,
    whole_answer,
)
from tests.edge.scripted import HELLO

if TYPE_CHECKING:
    import httpx

# pydantic's, on litellm's own types and litellm's own use of them.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*ReadOnly:UserWarning", "ignore:Accessing the 'model_:DeprecationWarning"
)

# litellm counts tokens of a stream without usage; no tokenizer is to be looked for on a network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

CONFIG = {
    "providers": {"openai": {"credential": f"env:{KEY_VARIABLE}", "api_base": "http://provider.invalid/v1"}},
    "targets": {"gpt": {"provider": "openai", "model": "openai/gpt-5.6-luna"}},
    "routes": {"chat": {"chain": ["gpt"], "policy": {"attempts": 1}}},
}


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> Any:
    """litellm in a service that silenced its hint on standard output."""
    module = load_litellm()
    monkeypatch.setattr(module, "suppress_debug_info", True)
    return module


def router(answer: Callable[[httpx.Request], httpx.Response]) -> tuple[Router, FakeProvider]:
    provider = FakeProvider(answer)
    return Router.from_dict(CONFIG, adapter=LitellmAdapter(provider, ENVIRONMENT)), provider


def what_a_service_sees(litellm: ModuleType) -> dict[str, str]:
    """Every public global that is plain or a collection, as a digest."""
    kinds = (str, int, float, bool, list, dict, set, tuple, type(None))
    return {
        name: hashlib.sha256(repr(value).encode()).hexdigest()
        for name, value in vars(litellm).items()
        if isinstance(value, kinds) and not name.startswith("__")
    }


async def use(answer: Callable[[httpx.Request], httpx.Response], *, stream: bool = False) -> None:
    service, _ = router(answer)
    async with service:
        try:
            reply = await service.acompletion("chat", HELLO, stream=stream)
            if stream:
                assert [chunk async for chunk in reply]
        except CallError:
            return


async def use_in_every_way() -> None:
    await use(lambda _: whole_answer())
    await use(lambda _: refusal(503))
    await use(lambda _: streamed(*OPENAI_STREAM), stream=True)
    await use(lambda _: streamed(*OPENAI_STREAM[:2]), stream=True)


async def test_ten_routers_later_nothing_of_litellm_has_moved(litellm):
    # litellm's own first use fills caches, and sets a variable for its tokenizer.
    await use_in_every_way()
    before, environment = what_a_service_sees(litellm), dict(os.environ)
    for _ in range(10):
        await use_in_every_way()
    after = what_a_service_sees(litellm)
    assert {name for name in before | after if before.get(name) != after.get(name)} == set()
    assert dict(os.environ) == environment


@pytest.mark.parametrize("stream", [False, True])
async def test_a_services_own_retries_in_litellm_stay_set_and_are_not_obeyed(litellm, monkeypatch, stream):
    monkeypatch.setattr(litellm, "num_retries", 2)
    service, provider = router(lambda _: refusal(503))
    with pytest.raises(CallError):
        await service.acompletion("chat", HELLO, stream=stream)
    await service.aclose()
    assert len(provider.requests) == 1, "an attempt is one request"
    assert litellm.num_retries == 2


async def test_a_services_own_callbacks_in_litellm_stay_and_get_no_company(litellm, monkeypatch):
    mine = ["a callback of the service"]
    monkeypatch.setattr(litellm, "failure_callback", list(mine))
    await use(lambda _: refusal(400))
    assert litellm.failure_callback == mine


async def test_the_hint_that_litellm_prints_is_the_services_to_silence(litellm, monkeypatch, capsys):
    await use(lambda _: refusal(503))
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(litellm, "suppress_debug_info", False)
    await use(lambda _: refusal(503))
    assert "Give Feedback" in capsys.readouterr().out
