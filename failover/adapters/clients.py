"""The HTTP clients that litellm is handed, over one connection pool that belongs to us.

litellm would otherwise use clients cached in a global of its own. Which kind of client a provider's
code in litellm takes was measured for every provider of litellm 1.106.2.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import httpx

from failover.adapters.transport import WatchingTransport


class Style(StrEnum):
    """What litellm wants as `client=` for a provider."""

    HANDLER = "handler"
    OPENAI = "openai"
    AZURE = "azure"


# The providers that litellm 1.106.2 reaches through the OpenAI SDK; the others take litellm's handler.
_BY_OPENAI_SDK = frozenset(
    """
    ai21 ai21_chat aiml apertis assemblyai baseten cerebras charity_engine chutes clarifai codestral
    cognition cortecs custom_openai darkbloom dashscope deepinfra docker_model_runner empower
    featherless_ai friendliai galadriel github github_copilot helicone hyperbolic inception lambda_ai
    libertai litellm_proxy llamafile lm_studio meta meta_llama modelscope moonshot morph nano-gpt nebius
    neosantara novita nscale nvidia_nim openai parasail perplexity pinstripes poe prism publicai
    qwen_ai_platform qwencloud reka sail sambanova scaleway scx-ai synthetic tencent tensormesh
    text-completion-inception text-completion-openai v0 vercel_ai_gateway volcengine wandb xiaomi_mimo
    xinference zai
    """.split()  # noqa: SIM905 - eighty quoted names would hide the rest of the module
)
_LONGEST_S = 600.0
_MOST_CONNECTIONS, _MOST_IDLE_CONNECTIONS = 1000, 100


def style_of(provider: str) -> Style:
    """The kind of client that litellm's code for `provider` (litellm's name of it) takes."""
    if provider in ("azure", "azure_text"):
        return Style.AZURE
    return Style.OPENAI if provider in _BY_OPENAI_SDK else Style.HANDLER


@dataclass(frozen=True, slots=True)
class ClientKey:
    """What tells two clients apart. `credential` is the secret itself: never printed."""

    style: Style
    base: str = ""
    credential: str = ""
    version: str = ""

    def __repr__(self) -> str:
        return f"ClientKey({self.style.value}, {self.base})"


class ClientPool:
    """Clients built when first asked for, over one transport for each event loop; closed together.

    Connections belong to the loop they were made on. Without a transport of the caller's they are ours.
    After `os.fork` those of the parent stay the parent's.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._given = transport
        self._sets: WeakKeyDictionary[asyncio.AbstractEventLoop, _Clients] = WeakKeyDictionary()
        self._lock = Lock()

    def client(self, key: ClientKey) -> Any:
        """The client for `key` on the running loop, ready to be handed to litellm."""
        return self._here().client(key)

    def transport(self) -> WatchingTransport:
        """The one transport beneath every client of the running loop."""
        return self._here().transport

    async def aclose(self) -> None:
        """Close every client and the connections beneath; a later call starts afresh."""
        with self._lock:
            sets = dict(self._sets)
            self._sets.clear()
        here = asyncio.get_running_loop()
        for loop, clients in sets.items():
            if loop is here:
                await clients.transport.shut()
            elif loop.is_running() and clients.process == os.getpid():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(clients.transport.shut(), loop))

    def _here(self) -> _Clients:
        loop = asyncio.get_running_loop()
        found = self._sets.get(loop)
        if found is None:
            with self._lock:
                found = self._sets[loop] = _Clients(WatchingTransport(self._given or _own_transport()))
        return found


class _Clients:
    """Those of one event loop."""

    def __init__(self, transport: WatchingTransport) -> None:
        self.transport = transport
        # In a child of `os.fork` a loop of the parent's looks as if it still ran.
        self.process = os.getpid()
        self._clients: dict[ClientKey, Any] = {}

    def client(self, key: ClientKey) -> Any:
        found = self._clients.get(key)
        if found is None:
            found = self._clients[key] = _BUILDERS[key.style](key, self.transport)
        return found


def _own_transport() -> httpx.AsyncBaseTransport:
    limits = httpx.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=_MOST_IDLE_CONNECTIONS)
    return httpx.AsyncHTTPTransport(limits=limits)


def _handler(_key: ClientKey, transport: WatchingTransport) -> Any:
    module: Any = importlib.import_module("litellm.llms.custom_httpx.http_handler")
    return module.AsyncHTTPHandler(transport=transport)


def _openai(key: ClientKey, transport: WatchingTransport) -> Any:
    module: Any = importlib.import_module("openai")
    return module.AsyncOpenAI(
        api_key=key.credential, base_url=key.base or None, http_client=_http(transport), max_retries=0
    )


def _azure(key: ClientKey, transport: WatchingTransport) -> Any:
    module: Any = importlib.import_module("openai")
    return module.AsyncAzureOpenAI(
        api_key=key.credential,
        azure_endpoint=key.base,
        api_version=key.version,
        http_client=_http(transport),
        max_retries=0,
    )


def _http(transport: WatchingTransport) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=transport, timeout=_LONGEST_S, follow_redirects=True)


_BUILDERS: dict[Style, Callable[[ClientKey, WatchingTransport], Any]] = {
    Style.HANDLER: _handler,
    Style.OPENAI: _openai,
    Style.AZURE: _azure,
}
