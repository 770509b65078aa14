"""The asyncio driver: obeys the commands of a call, and tells it what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from failover.adapters.seam import Adapter, Answer, Outbound, told_by
from failover.core.call import Call
from failover.core.failures import Failure, FailureKind, Phase
from failover.core.messages import (
    CallerLeft,
    Cancel,
    Command,
    Commit,
    Failed,
    Message,
    Raise,
    Return,
    Send,
    Succeeded,
    Wake,
    Woken,
)
from failover.core.vocabulary import Target
from failover.errors import CallError

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Errand:
    """What a call is about, out of the core's sight: the operation and the caller's arguments."""

    operation: str
    payload: Mapping[str, Any]


class Driver:
    """Runs calls on the event loop. `told` is called after each step, outside of any decision."""

    def __init__(
        self, adapter_of: Callable[[Target], Adapter], clock: Clock, told: Callable[[], None]
    ) -> None:
        self.adapter_of = adapter_of
        self.now = clock
        self._told = told

    async def run(self, call: Call, errand: Errand) -> Answer:
        """Drive a call whose reply comes whole; raises the call's `CallError`."""
        answer: Answer | None = None
        cause: BaseException | None = None
        command = self.begin(call)
        try:
            while True:
                match command:
                    case Send():
                        result = await self._attempt(command, errand)
                        answer, cause, message = result
                    case Wake(at_s):
                        await asyncio.sleep(max(0.0, at_s - self.now()))
                        message = Woken()
                    case Return():
                        assert answer is not None  # noqa: S101  # Return follows a Succeeded, which has one
                        return answer
                    case Raise(error):
                        raise error from cause
                    case Commit() | Cancel():
                        raise AssertionError(f"{command} is for streams only")
                    case _:
                        assert_never(command)
                command = self.step(call, message)
        except CallError:
            raise
        except BaseException:
            self.step(call, CallerLeft())
            raise

    def begin(self, call: Call) -> Command:
        """Start the call."""
        (command,) = call.start(self.now())
        self._told()
        return command

    def step(self, call: Call, message: Message) -> Command:
        """Tell the call what happened; returns what to do next, `Cancel` when it is over."""
        commands = call.handle(message, self.now())
        self._told()
        return commands[0] if commands else Cancel(0)

    async def _attempt(
        self, send: Send, errand: Errand
    ) -> tuple[Answer | None, BaseException | None, Message]:
        adapter = self.adapter_of(send.target)
        outbound = Outbound(send.target, errand.operation, errand.payload, send.limits)
        limit = asyncio.timeout(send.limits.total_s)
        try:
            async with limit:
                answer = await adapter.send(outbound)
        except Exception as error:  # noqa: BLE001  # the adapter classifies whatever its client raises
            failure = observed(adapter, send, error, limit)
            return None, error, Failed(send.attempt, failure, None, told_by(error))
        return answer, None, Succeeded(send.attempt, answer.usage, answer.headroom)


def observed(adapter: Adapter, send: Send, error: Exception, limit: asyncio.Timeout) -> Failure:
    """What an exception means: our own limit is a timeout, whatever the client made of it."""
    if limit.expired():
        return Failure(FailureKind.TIMEOUT, phase=Phase.TOTAL)
    return adapter.classify(send.target, error)
