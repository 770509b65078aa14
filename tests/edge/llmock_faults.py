"""Every fault that llmock can inject, and every way to ask for an answer in spite of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmock.ratelimit import LimitSettings
from llmock.scenarios import Behavior, Delay, Fail, Reply, SlowFirstToken, StreamFault, ToolFault

MODELS = {
    "openai": "openai/gpt-5.6-luna",
    "anthropic": "anthropic/claude-sonnet-5",
    "gemini": "gemini/gemini-2.5-flash",
    "mistral": "mistral/mistral-large-2512",
}
TARGETS = ("first", "second")
KEYS = {f"{target.upper()}_TEST_KEY": f"made-up-for-{target}" for target in TARGETS}
SAYS = {"first": "the first says all of this", "second": "the second says just as much"}
CALLS = {target: {"of": f"what the {target} wants to know"} for target in TARGETS}
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"of": {"type": "string"}}},
    },
}
HELLO = [{"role": "user", "content": "hello, what do you have to say today?"}]

STALL_S, DELAY_S, PATIENCE_S = 5.0, 3.0, 0.8
NO_QUOTA = LimitSettings()


@dataclass(frozen=True)
class Fault:
    """One way to fail. `everywhere`: both servers have it, once each, so that a retry is the cure.

    `quota`: the first server's own limits, met at the last of `asks`. `answerable`: somebody could still
    answer. `roomier`: the second target takes longer prompts and more tokens. `slow`: costs the caller's
    patience in real time. `streamed`: only a stream can have it. `tools`: with them (True), without
    (False), or both ways, as each tells something new.
    """

    name: str
    behaviors: tuple[Behavior, ...] = ()
    quota: LimitSettings = NO_QUOTA
    asks: int = 1
    everywhere: bool = False
    answerable: bool = True
    roomier: bool = False
    slow: bool = False
    streamed: bool = False
    tools: bool | None = False
    policy: dict[str, Any] = field(default_factory=dict)


# A request that is wrong is wrong everywhere; so is one that is too large, while no other target is larger.
UNANSWERABLE = (400, 413, 418, 422)
STATUSES = (
    400,
    401,
    402,
    403,
    404,
    408,
    409,
    413,
    418,
    422,
    429,
    451,
    500,
    501,
    502,
    503,
    504,
    520,
    529,
    599,
)
# Before the first token, after the role or the first words, and amid the words.
PLACES = (0, 1, 4)
# Amid a tool call, after the words; Gemini and Mistral send one in a single chunk.
IN_CALL = {"openai": 9, "anthropic": 12, "gemini": 5, "mistral": 8}


def faults(provider: str) -> Iterator[Fault]:
    """All of them, as they are for this provider."""
    yield from _refusals()
    yield from _passing()
    yield from _limits()
    yield from _broken_streams(provider)
    yield Fault("delay", (Delay(DELAY_S, times=None),), slow=True)
    yield Fault("slow_first_token", (SlowFirstToken(STALL_S, times=None),), slow=True, streamed=True)
    for kind in ("malformed_arguments", "unknown_tool"):
        yield Fault(kind, (ToolFault(kind, times=None),), tools=True)


def _refusals() -> Iterator[Fault]:
    for status in STATUSES:
        yield Fault(f"{status}", (Fail(status, times=None),), answerable=status not in UNANSWERABLE)
    yield Fault("429_retry_after", (Fail(429, retry_after=7, times=None),))
    yield Fault("429_retry_after_no_time", (Fail(429, retry_after=0, times=None),))
    yield Fault("429_insufficient_quota", (Fail(429, code="insufficient_quota", times=None),))
    yield Fault("503_retry_after", (Fail(503, retry_after=7, times=None),))


def _limits() -> Iterator[Fault]:
    """What is refused for its size, its number, or what it says."""
    short = LimitSettings(context_window=1)
    yield Fault("context_window", quota=short, answerable=False)
    yield Fault("context_window_roomier", quota=short, roomier=True)
    yield Fault("413_roomier", (Fail(413, times=None),), roomier=True)
    yield Fault("requests_per_minute", quota=LimitSettings(rpm=1), asks=2)
    yield Fault("tokens_per_minute", quota=LimitSettings(tpm=1))
    filtered = Reply(SAYS["first"], finish_reason="content_filter", times=None)
    yield Fault("content_filter", (filtered,), answerable=False)
    yield Fault("content_filter_fallback", (filtered,), policy={"on_content_filtered": "fallback"})


def _passing() -> Iterator[Fault]:
    """Both targets fail once, with a time to wait that a caller can spare."""
    for status in (429, 503, 529):
        yield Fault(f"{status}_everywhere", (Fail(status, retry_after=0.2),), everywhere=True)
    for status in (500, 502):
        yield Fault(f"{status}_everywhere", (Fail(status),), everywhere=True)
    yield Fault("disconnect_everywhere", (StreamFault("disconnect", 1),), everywhere=True, streamed=True)
    yield Fault("truncate_everywhere", (StreamFault("truncate", 1),), everywhere=True, streamed=True)


def _broken_streams(provider: str) -> Iterator[Fault]:
    for kind in ("disconnect", "truncate", "malformed", "stall"):
        for place in PLACES:
            yield _broken_stream(kind, place, tools=None if place == 1 and kind != "stall" else False)
        yield _broken_stream(kind, IN_CALL[provider], tools=True, where="in_call")


def _broken_stream(kind: Any, place: int, *, tools: bool | None, where: str = "") -> Fault:
    fault = StreamFault(kind, place, stall_seconds=STALL_S, times=None)
    return Fault(f"{kind}_{where or place}", (fault,), slow=kind == "stall", streamed=True, tools=tools)


@dataclass(frozen=True)
class Cell:
    """One request of the matrix. `asked` is how: one of `MODES` or the peer's."""

    provider: str
    fault: Fault
    asked: str
    tools: bool

    def __str__(self) -> str:
        return "-".join((self.fault.name, self.asked, self.provider, *(["tools"] * self.tools)))


@dataclass(frozen=True)
class Mode:
    """How our router is asked: whole or streamed, and by which policy."""

    stream: bool
    streamed_upstream: bool
    policy: dict[str, Any] = field(default_factory=dict)


MODES = {
    "whole": Mode(stream=False, streamed_upstream=False),
    "whole_from_stream": Mode(stream=False, streamed_upstream=True, policy={"stream_upstream": True}),
    "delivered_whole": Mode(stream=True, streamed_upstream=True, policy={"delivery": "whole"}),
    "restarted": Mode(stream=True, streamed_upstream=True, policy={"stream_recovery": "restart"}),
}
"""What somebody sets who wants whole answers; without any of it:"""

LIVE = "live"
WAYS = {**MODES, LIVE: Mode(stream=True, streamed_upstream=True)}


def cells(modes: Mapping[str, bool], *, every: bool = False) -> Iterator[Cell]:
    """Every cell over these modes; each says whether it streams from the provider.

    `every`: with tools and without also where that tells nothing new.
    """
    for provider in MODELS:
        for fault in faults(provider):
            both = fault.tools is None or (every and fault.tools is False)
            for mode, streams in modes.items():
                if streams or not fault.streamed:
                    for tools in (False, True) if both else (bool(fault.tools),):
                        yield Cell(provider, fault, mode, tools)


def our_modes() -> dict[str, bool]:
    """The modes of our router, as `cells` wants them."""
    return {name: mode.streamed_upstream for name, mode in MODES.items()}
