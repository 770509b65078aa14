"""What the OpenAI SDK returns: its own types, made of litellm's replies.

litellm's objects differ where it hurts: vectors are mappings, a message has no `refusal`, and no reply is an
instance of the SDK's class. The SDK is there wherever litellm is; it is imported with the first reply.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any, Self, get_args

from failover.core.records import CallRecord
from failover.reply import Reply, with_record

EVENT = "openai.types.responses:ResponseStreamEvent"
"""Of a streamed response: a class for each type of event."""

_TEXT_FORMATS = frozenset({"text", "srt", "vtt"})


def in_type(value: Any, name: str) -> Any:
    """`value` as the SDK's type `name`, with the `failover` that it carries.

    What is no model of litellm's stays as it is: the answer of a plain function, a sound, a `Reply` around
    either. What the SDK's type would refuse, it takes over unchecked, as the SDK does with what it receives.
    """
    if isinstance(value, Reply) or not name or not hasattr(value, "model_dump"):
        return value
    kind = _kind(name)
    fields = value.model_dump(exclude_none=True, warnings=False)
    try:
        made = kind.model_validate(fields)
    except ValueError:
        made = kind.construct(**fields)
    record = vars(value).get("failover")
    return made if record is None else with_record(made, record)


def transcription(value: Any, arguments: dict[str, Any]) -> Any:
    """As the SDK has it: a bare string for the formats that are text, the long type for the long format."""
    wanted = arguments.get("response_format")
    if wanted in _TEXT_FORMATS:
        return getattr(value, "text", value)
    long = "Verbose" if wanted == "verbose_json" else ""
    return in_type(value, f"openai.types.audio:Transcription{long}")


def chunk(value: Any, name: str, *, usage_wanted: bool) -> Any:
    """As the SDK has it, None where it would have none.

    The router always asks for usage. It comes in a chunk of its own, which in the SDK has no choices, and is
    there for whom asked for it: code that reads `chunk.choices` may tell it by that.
    """
    if name == EVENT:
        return _event(value)
    made = in_type(value, name)
    if getattr(made, "usage", None) is None or any(map(_says, made.choices)):
        return made
    if not usage_wanted:
        return None
    made.choices = []
    return made


def _event(value: Any) -> Any:
    """An event of a streamed response, in the SDK's class for its type; of another type, as it is."""
    kind = getattr(value, "type", None)
    # litellm's types are words and members of an enum at once; the SDK's are words.
    kind = getattr(kind, "value", kind)
    name = _event_kinds().get(kind)
    if name is None:
        return value
    made = in_type(value, name)
    made.type = kind
    return made


@cache
def _event_kinds() -> dict[Any, str]:
    """The SDK's classes of events by the type that each has."""
    union, *_ = get_args(_kind(EVENT))
    return {
        get_args(each.model_fields["type"].annotation)[0]: f"{each.__module__}:{each.__name__}"
        for each in get_args(union)
    }


def _says(choice: Any) -> bool:
    return bool(choice.finish_reason or choice.delta.model_dump(exclude_none=True))


@cache
def _kind(name: str) -> Any:
    module, _, kind = name.partition(":")
    return getattr(importlib.import_module(module), kind)


class AsyncChunks:
    """What the SDK calls an `AsyncStream`: an async iterator of chunks. Close it early, or leave a block.

    `failover` tells the story of the call so far. There is no `response`: several may have been begun.
    """

    def __init__(self, stream: Any, name: str, *, usage_wanted: bool) -> None:
        self._stream = stream
        self._name = name
        self._usage_wanted = usage_wanted

    @property
    def failover(self) -> CallRecord:
        """Every attempt so far, and who was passed over."""
        record: CallRecord = self._stream.failover
        return record

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while True:
            made = chunk(await anext(self._stream), self._name, usage_wanted=self._usage_wanted)
            if made is not None:
                return made

    async def close(self) -> None:
        """Stop early: the provider's connection is closed, and nobody is blamed."""
        await self._stream.aclose()

    aclose = close

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Chunks:
    """What the SDK calls a `Stream`: the same for code that does not await."""

    def __init__(self, stream: Any, name: str, *, usage_wanted: bool) -> None:
        self._stream = stream
        self._name = name
        self._usage_wanted = usage_wanted

    @property
    def failover(self) -> CallRecord:
        """Every attempt so far, and who was passed over."""
        record: CallRecord = self._stream.failover
        return record

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        while True:
            made = chunk(next(self._stream), self._name, usage_wanted=self._usage_wanted)
            if made is not None:
                return made

    def close(self) -> None:
        """Stop early: the provider's connection is closed, and nobody is blamed."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RawReply:
    """What `with_raw_response` gives, as far as there is one: the reply by `parse()`, and no headers.

    An answer may come after attempts at others, and a plain function has no wire at all.
    """

    def __init__(self, value: Any) -> None:
        self.headers: dict[str, str] = {}
        self._value = value

    def parse(self) -> Any:
        """The reply."""
        return self._value
