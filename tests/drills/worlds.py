"""Worlds made by hand: a few targets that answer as told, what is injected, and the events that follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from failover.adapters.wire import WireReply
from failover.cassettes.timing import Timing
from failover.chaos.injections import AnyInjection, Injection
from failover.chaos.judging.journal import Journal
from failover.chaos.modes.outcomes import Outcomes
from failover.chaos.modes.simulation import Simulation
from failover.chaos.scenario import START_EPOCH_S, Scenario, load_scenario
from failover.chaos.workload import Asked, Shape, arrivals
from failover.chaos.workload_section import Workload
from failover.chaos.world.chance import Chance
from failover.chaos.world.image import Image
from failover.chaos.world.successes import Source, Success, Successes
from failover.chaos.world.synthetic import synthetic_success
from failover.chaos.world.usage_shapes import with_usage
from failover.chaos.world.world import World
from failover.core.decide import Facts
from failover.core.events import AttemptEnded, CallEnded, Event
from failover.core.failures import FailureKind
from failover.core.governance import Governance
from failover.core.policy import Policy
from failover.core.prices import DatedPrice, PriceBook
from failover.core.vocabulary import Request, Route, Target

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"
LITELLM_WARNS = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields'"),
]
"""pydantic's warnings, on litellm's own types: for whatever passes the real litellm."""

MEANT = {
    400: FailureKind.BAD_REQUEST,
    404: FailureKind.MODEL_GONE,
    429: FailureKind.RATE_LIMITED,
    500: FailureKind.SERVER_ERROR,
    502: FailureKind.SERVER_ERROR,
    503: FailureKind.OVERLOADED,
    504: FailureKind.SERVER_ERROR,
    529: FailureKind.OVERLOADED,
    530: FailureKind.SERVER_ERROR,
}
"""The failure that an injected status is to be taken for."""

CONFIG = """
providers:
  openai:    {credential: env:OPENAI_API_KEY}
  anthropic: {credential: env:ANTHROPIC_API_KEY}
targets:
  gpt:    {provider: openai,    model: openai/gpt-5.6-luna}
  claude: {provider: anthropic, model: anthropic/claude-sonnet-5}
routes:
  chat: {chain: [gpt, claude], policy: {deadline_s: 30}}
"""
STORY = """
title: The primary goes dark
config: failover.yaml
cassettes: cassettes
workload: {route: chat, rate_per_s: 2, for_s: 60}
inject:
  - {kind: outage, provider: openai, at_s: 10, for_s: 20}
"""


def target(name: str, model: str = "openai/gpt-5.6-luna", **facts: Any) -> Target:
    """A target of the provider that `model` names."""
    return Target(
        name, **{"provider": model.partition("/")[0], "model": model, "credential": f"{name}-key", **facts}
    )


GPT = target("gpt")
CLAUDE = target("claude", "anthropic/claude-sonnet-5")
MISTRAL = target("mistral", "mistral/mistral-large-2512")


def injection(kind: str, **fields: Any) -> Injection:
    """One injection, as a scenario file would word it."""
    return TypeAdapter(AnyInjection).validate_python({"kind": kind, **fields})


def workload(**fields: Any) -> Workload:
    """One request per second, evenly, unless the fields say otherwise."""
    plain = {"route": "chat", "rate_per_s": 1.0, "for_s": 30.5, "arrivals": "constant"}
    return Workload.model_validate({**plain, **fields})


def route(*chain: Target, strategy: str = "priority", **limits: Any) -> Route:
    """The route `chat`: each target is a tier of its own, except that other strategies rank them all."""
    tiers = tuple((each,) for each in chain) if strategy == "priority" else (chain,)
    return Route("chat", tiers, strategy, Policy(**limits))


@cache
def _answer(model: str) -> Image:
    return Image("by hand", reply=with_usage(synthetic_success(model), 10, 5))


OPENAI_STREAM = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"role":"assistant","content":"hi"},"finish_reason":null}]}\n\n'
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\n'
    b"data: [DONE]\n\n"
)


@cache
def _streamed_answer(_model: str) -> Image:
    return Image("by hand", reply=WireReply(200, {"content-type": "text/event-stream"}, OPENAI_STREAM))


def _headed(image: Image, headers: dict[str, str] | None) -> Image:
    if headers is None or image.reply is None:
        return image
    reply = WireReply(image.reply.status, {**image.reply.headers, **headers}, image.reply.body)
    return Image(image.origin, reply=reply)


@cache
def outcomes() -> Outcomes:
    """What litellm makes of images, found out once for all tests and never written to disk."""
    return Outcomes(folder=Path("no-such-folder"))


AS_RECORDED = Shape()
"""A plain chat, with the token counts of its recording."""


def asked(request: str | Request = "1", shape: Shape = AS_RECORDED, **facts: Any) -> Asked:
    """A request on the route `chat`."""
    made = Request(request) if isinstance(request, str) else request
    return Asked(made, **{"route": "chat", "shape": shape, **facts})


class ByHand:
    """Answers of targets by their names: whole, and streamed where they are asked for so."""

    def __init__(
        self, whole: Mapping[str, Successes], streamed: Mapping[str, Successes] | None = None
    ) -> None:
        self._answers = {False: whole, True: whole if streamed is None else streamed}

    def of(self, target: Target, _shape: Shape, *, stream: bool) -> Successes:
        """Whatever the shape."""
        return self._answers[stream][target.name]


def world(
    *targets: Target,
    inject: Iterable[Injection] = (),
    seed: int = 1,
    takes_s: float | None = 1.0,
    first_token_s: float | None = None,
    prices: dict[str, tuple[DatedPrice, ...]] | None = None,
    headers: dict[str, dict[str, str]] | None = None,
    governance: Governance | None = None,
) -> World:
    """Targets that answer in `takes_s` (None: as the latency model draws), and what is injected.

    `headers` are those of the answers of a target, by its name.
    """
    timing = None if takes_s is None else Timing(first_token_s, takes_s)
    told = headers or {}

    def answering(image_of: Callable[[str], Image]) -> dict[str, Successes]:
        images = {each.name: _headed(image_of(each.model), told.get(each.name)) for each in targets}
        return {name: Successes(Source.RECORDED, (Success(image, timing),)) for name, image in images.items()}

    answers = ByHand(answering(_answer), answering(_streamed_answer))
    told_prices = PriceBook(prices or {})
    return World(Chance(seed), targets, answers, tuple(inject), told_prices, governance=governance)


class Simulated:
    """A workload that was run through a world: its events, and the requests that nobody served.

    `hearing` hears of every request that arrives, and of every event, as the oracle does.
    """

    def __init__(
        self,
        in_world: World,
        routes: Route | Sequence[Route],
        requests: Workload | None = None,
        told: Iterable[tuple[float, Event]] = (),
        hearing: Sequence[Any] = (),
    ) -> None:
        self.events: list[Event] = []
        self.unserved: list[Request] = []
        self._arrived: dict[str, Request] = {}
        self._hearing = hearing
        requests = requests or workload()
        called = (routes,) if isinstance(routes, Route) else tuple(routes)
        with Journal(self._see) as journal:
            facts = Facts(in_world.prices, START_EPOCH_S)
            self.simulation = Simulation(in_world, outcomes(), called, facts, journal.record)
            self.simulation.run(arrivals(requests, in_world.chance), list(told), self._arrives)
            self.digest = journal.sha256()

    def _arrives(self, asked: Asked, arrived_s: float) -> None:
        self._arrived[asked.request.id] = asked.request
        for each in self._hearing:
            each.arrived(asked, arrived_s)

    def _see(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, CallEnded):
            for each in self._hearing:
                each.call_ended(event)
            if event.target is None:
                self.unserved.append(self._arrived[event.call])

    def of(self, kind: type[Event]) -> list[Any]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def attempts(self) -> list[AttemptEnded]:
        """Every attempt, in the order they ended."""
        return self.of(AttemptEnded)

    @property
    def served(self) -> dict[str, str]:
        """Who served which call."""
        return {call.call: call.target for call in self.of(CallEnded) if call.target is not None}


def written(folder: Path, story: str = STORY, config: str = CONFIG) -> Path:
    """A scenario file next to its config and an empty folder of cassettes."""
    (folder / "cassettes").mkdir(exist_ok=True)
    (folder / "failover.yaml").write_text(config, "utf-8")
    file = folder / "story.yaml"
    file.write_text(story, "utf-8")
    return file


def _in_fewer_requests(
    scenario: Scenario, folder: Path, change: Callable[[dict[str, Any]], None]
) -> Scenario:
    story = yaml.safe_load(scenario.path.read_text("utf-8"))
    story["config"] = str(scenario.config_path.resolve())
    if scenario.cassettes_path is not None:
        story["cassettes"] = str(scenario.cassettes_path.resolve())
    change(story)
    file = folder / scenario.path.name
    file.write_text(yaml.safe_dump(story), "utf-8")
    return load_scenario(file)


def thinned(scenario: Scenario, folder: Path, requests: int) -> Scenario:
    """The same story at the same times, told in so many requests that come further apart."""

    def fewer(story: dict[str, Any]) -> None:
        rate = requests / scenario.workload.for_s
        story["workload"]["rate_per_s"] = min(rate, scenario.workload.rate_per_s)

    return _in_fewer_requests(scenario, folder, fewer)


def hurried(scenario: Scenario, folder: Path, requests: int) -> Scenario:
    """The same story told in so many requests that come as fast as ever: everything lasts less long."""

    def sooner(story: dict[str, Any]) -> None:
        asked = scenario.workload
        factor = min(1.0, requests / (asked.rate_per_s * asked.for_s))
        story["workload"]["for_s"] = asked.for_s * factor
        for each in story.get("inject", ()):
            for key in {"at_s", "for_s", "ramp_s"} & each.keys():
                each[key] *= factor
            if isinstance(each.get("announced_s"), int | float) and each["announced_s"] > 0:
                each["announced_s"] *= factor

    return _in_fewer_requests(scenario, folder, sooner)
