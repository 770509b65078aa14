"""One attempt that meets one injection: what it is shown, and what the real client makes of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from failover.cassettes.episodes import load_folder
from failover.chaos.injections import AnyInjection, Encounter, Images, Injection
from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.workload import Asked, Shape
from failover.chaos.world.image import Exchange
from failover.chaos.world.outcome import Outcome
from failover.chaos.world.repertoire import Repertoire
from failover.core.vocabulary import Request, Target

ROOT = Path(__file__).parents[2]
MODELS = {
    "openai": "openai/gpt-5.6-luna",
    "anthropic": "anthropic/claude-sonnet-5",
    "gemini": "gemini/gemini-2.5-flash",
    "mistral": "mistral/mistral-large-2512",
    "azure": "azure/gpt-5",
    "groq": "groq/llama-3.3-70b-versatile",
    "deepseek": "deepseek/deepseek-chat",
    "openrouter": "openrouter/qwen/qwen3-32b",
    "bedrock": "bedrock/anthropic.claude-sonnet-4",
    "vertex_ai": "vertex_ai/gemini-2.5-pro",
}
"""A model of each dialect. litellm cannot be played to the last two: our classifier judges them alone."""

JUDGED_ALONE = frozenset({"bedrock", "vertex_ai"})
SHAPE = Shape(tokens_in=100, tokens_out=50)
_INJECTIONS: TypeAdapter[Injection] = TypeAdapter(AnyInjection)


def injected(kind: str, **fields: Any) -> Injection:
    """One injection, as a scenario file would word it; it hits every provider unless it says whom."""
    selected = fields.keys() & {"provider", "target", "model", "region", "cloud", "edge", "credential"}
    everybody = {} if selected else {"provider": "*"}
    return _INJECTIONS.validate_python({"kind": kind, **everybody, **fields})


@cache
def target(provider: str) -> Target:
    """The target of each dialect."""
    base = "https://azure.invalid" if provider == "azure" else ""
    return Target(provider, provider, MODELS[provider], credential="KEY", api_base=base)


@cache
def _repertoire() -> Repertoire:
    return Repertoire(load_folder(ROOT / "cassettes"))


@cache
def outcomes() -> Outcomes:
    """What litellm makes of images, found out once for all tests and never written to disk."""
    return Outcomes(folder=Path("no-such-folder"))


@cache
def answer(provider: str, *, stream: bool) -> Exchange:
    """A good answer of each dialect: half a second to the first token, two seconds in all."""
    image = _repertoire().of(target(provider), SHAPE, stream=stream).answers[0].image
    return Exchange(image, 0.5, 2.0)


def asked(number: int = 1, tenant: str = "", shape: Shape = SHAPE) -> Asked:
    """A request."""
    return Asked(Request(str(number)), "chat", shape, tenant)


def encounter(provider: str, *, stream: bool, images: Images | None = None, draw: float = 0.0) -> Encounter:
    """An attempt at the target of a dialect; every draw that it makes is `draw`."""
    draws = lambda _: draw  # noqa: E731  # a constant
    return Encounter(target(provider), asked(), stream, images or Images(), draws=draws)


def met(injection: Injection, provider: str, *, stream: bool) -> Exchange:
    """What an attempt meets that the injection hits, through its gate where it has one."""
    at = encounter(provider, stream=stream)
    exchange = injection.change(answer(provider, stream=stream), at)
    gate = injection.gate()
    return exchange if gate is None else gate.passed(exchange, at, injection.at_s)


def outcome(exchange: Exchange, provider: str, *, stream: bool) -> Outcome:
    """What the real client and the real classifier make of it."""
    return outcomes().of(target(provider), SHAPE, exchange.image, stream=stream)
