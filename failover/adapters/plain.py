"""Any AI API as a target: a plain async or sync callable."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from failover.adapters.classify import classify_exception
from failover.adapters.classify_reply import classify_reply
from failover.adapters.seam import Answer, Outbound, Piece
from failover.adapters.wire import WireReply
from failover.core.failures import Failure, FailureKind
from failover.core.vocabulary import Target
from failover.errors import Complaint, ConfigError, FailoverError

_CLIENTS_ERRORS = ("httpx", "httpcore", "aiohttp", "requests", "urllib3", "openai", "litellm")


class RestartMark:
    """Stands in the stream of a plain function where the answer begins anew; its `failover` says so."""


class CallableAdapter:
    """Calls a function with the caller's arguments: a coroutine function is awaited, any other runs in
    a thread.

    Cancelling an attempt cannot stop a thread: the attempt ends, the function runs on to its own end.
    """

    def __init__(self, function: Callable[..., Any] | str, wall: Callable[[], float] = time.time) -> None:
        self._function = resolve(function) if isinstance(function, str) else function
        self._wall = wall
        self._is_async = _is_async(self._function)

    async def send(self, outbound: Outbound) -> Answer:
        """The function's value, whatever it is. Raises what the function raises."""
        if self._is_async:
            return Answer(await self._function(**outbound.payload))
        value = await asyncio.to_thread(self._function, **outbound.payload)
        return Answer(await value if inspect.isawaitable(value) else value)

    async def stream(self, outbound: Outbound) -> AsyncIterator[Piece]:
        """Every value of the function's async iterator: each counts as a token, the last one ends."""
        value = self._function(**outbound.payload)
        if inspect.isawaitable(value):
            value = await value
        async for item in value:
            yield Piece(item, has_token=True)
        yield Piece(None, finish_reason="stop")

    def assemble(self, outbound: Outbound, chunks: Sequence[Any]) -> Any:
        """What the function gave, as a tuple."""
        return tuple(chunks)

    def restart_mark(self, outbound: Outbound) -> Any:
        """An empty object: what the function's items look like, nobody knows."""
        return RestartMark()

    def classify(self, target: Target, error: BaseException) -> Failure:
        """An error's own `failure` first, then its `status_code`, then its type; else our own bug."""
        own = getattr(error, "failure", None)
        if isinstance(own, Failure):
            return own
        if isinstance(error, FailoverError):
            return Failure(FailureKind.LOCAL)
        status = getattr(error, "status_code", None)
        if isinstance(status, int) and 400 <= status <= 599:
            reply = WireReply(status, _headers(error), b"")
            return classify_reply(target.provider, reply, self._wall()) or Failure(
                FailureKind.SERVER_ERROR, status=status
            )
        known = isinstance(error, OSError | asyncio.CancelledError) or _of_a_client(error)
        return classify_exception(target, error, self._wall()) if known else Failure(FailureKind.LOCAL)

    async def aclose(self) -> None:
        """Nothing: the function's resources are its author's."""


def resolve(name: str) -> Callable[..., Any]:
    """The function that `package.module:function` names.

    Raises `ConfigError` that says which part was not found.
    """
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise _complaint(name, "must read `package.module:function`")
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise _complaint(name, f"module {module_name} cannot be imported: {error}") from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise _complaint(name, f"{getattr(found, '__name__', module_name)} has no {part}")
        found = getattr(found, part)
    if not callable(found):
        raise _complaint(name, f"{path} is a {type(found).__name__}, which cannot be called")
    function: Callable[..., Any] = found
    return function


def _complaint(name: str, what: str) -> ConfigError:
    return ConfigError([Complaint("callable", 0, name, what)])


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  an object with `async def __call__` is meant
    )


def _of_a_client(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in _CLIENTS_ERRORS


def _headers(error: BaseException) -> Mapping[str, str]:
    retry_after = getattr(error, "retry_after", None)
    if isinstance(retry_after, int | float | str):
        return {"retry-after": str(retry_after)}
    return {}
