"""The sixteen scenarios of failoverbench: our router beside a tuned `litellm.Router`, in one run.

Usage: python benchmarks/failoverbench.py. The list of scenarios is that of failoverbench/failoverbench
(harness MIT, results CC BY 4.0), methodology v0.1; provider, callers and verdicts here are our own, so
the figures are no entry in its scorecard. Both routers meet the loopback provider of the tests, on a clock
that runs 30 times as fast; litellm measures cooldowns on the machine's clock, so its own is scaled.

pass: the complete answer once, as the scenario wants it (S13: an honest error). partial: the complete
answer, with a blemish. safe: an honest error. fail: a wrong answer as a success, or no end in 100 s.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).parents[1]))  # the loopback provider belongs to the tests

from failover.adapters.loading import load_litellm
from tests.edge.fast_time import SPEED, FastLoop
from tests.edge.loopback_provider import (
    ANSWER,
    TOKENS_IN,
    Break,
    Conduct,
    LoopbackProvider,
    Received,
    answers,
    breaks,
    hangs,
    refuses,
    resets,
    router_over,
    warm_up,
)

BUDGET_S, DOWN_S, EVERY_S, REQUESTS = 100.0, 60.0, 4.0, 20
DEAD_ATTEMPTS_MAX = 4
LATE_S = 20.0
HELLO = [{"role": "user", "content": "hello"}]
DOWN = refuses(503)
TOO_LONG = refuses(400, "context_length_exceeded", "maximum context length is 8000 tokens")


@dataclass
class Outcome:
    """What a caller got of one request: text, the class of the error, seconds, the tokens it was told of."""

    text: str = ""
    error: str = ""
    first_token_s: float = BUDGET_S
    tokens: int = 0


class Subject(Protocol):
    """A router under test, over the models `primary` and `fallback` of a provider."""

    async def ask(self, *, stream: bool) -> Outcome:
        """One request, whatever becomes of it; raises what the router raises."""
        ...

    async def aclose(self) -> None:
        """End it."""
        ...


async def read(chunks: Any) -> Outcome:
    """A stream to its end; a restart mark means clear."""
    began_s, outcome = asyncio.get_running_loop().time(), Outcome()
    async for chunk in chunks:
        if getattr(chunk, "failover", None) is not None:
            outcome.text = ""
        elif chunk.choices and chunk.choices[0].delta.content:
            outcome.first_token_s = min(outcome.first_token_s, asyncio.get_running_loop().time() - began_s)
            outcome.text += chunk.choices[0].delta.content
        outcome.tokens += getattr(getattr(chunk, "usage", None), "total_tokens", 0)
    return outcome


class Ours:
    """Limits as somebody sets them who wants every stream rescued."""

    def __init__(self, provider: LoopbackProvider) -> None:
        window = {"context_window_tokens": 8000}
        self._tokens = 0
        self._router = router_over(
            provider,
            "primary",
            "fallback",
            facts={"primary": window, "fallback": window},
            deadline_s=BUDGET_S,
            first_token_s=15,
            idle_s=15,
            stream_upstream=True,
            stream_recovery="restart",
            breaker={"failures": 1, "open_s": 10},
        )
        self._router.subscribe(self._count)

    def _count(self, event: Any) -> None:
        self._tokens += getattr(event, "tokens_in", 0) + getattr(event, "tokens_out", 0)

    async def ask(self, *, stream: bool) -> Outcome:
        """Usage is told by events, discarded attempts included."""
        if stream:
            began_s = asyncio.get_running_loop().time()
            chunks = await self._router.acompletion("chat", HELLO, stream=True)
            waited_s = asyncio.get_running_loop().time() - began_s
            outcome = await read(chunks)
            outcome.first_token_s += waited_s
        else:
            reply = await self._router.acompletion("chat", HELLO)
            outcome = Outcome(reply.choices[0].message.content)
        outcome.tokens, self._tokens = self._tokens, 0
        return outcome

    async def aclose(self) -> None:
        """Close the connections."""
        await self._router.aclose()


class Tuned:
    """`litellm.Router` with retries, fallbacks and cooldowns on."""

    def __init__(self, provider: LoopbackProvider) -> None:
        models = [
            {
                "model_name": name,
                "litellm_params": {
                    "model": f"openai/{name}",
                    "api_base": provider.api_base,
                    "api_key": "none",
                },
            }
            for name in ("primary", "fallback")
        ]
        self._router = load_litellm().Router(
            model_list=models,
            fallbacks=[{"primary": ["fallback"]}],
            num_retries=2,
            timeout=30,
            allowed_fails=1,
            cooldown_time=30 / SPEED,
        )

    async def ask(self, *, stream: bool) -> Outcome:
        """Usage is that of the reply."""
        began_s = asyncio.get_running_loop().time()
        reply = await self._router.acompletion("primary", messages=HELLO, stream=stream)
        if stream:
            waited_s = asyncio.get_running_loop().time() - began_s
            outcome = await read(reply)
            outcome.first_token_s += waited_s
            return outcome
        return Outcome(reply.choices[0].message.content or "", tokens=reply.usage.total_tokens)

    async def aclose(self) -> None:
        """Nothing of it is ours to close."""


@dataclass
class Run:
    """One scenario played to its end."""

    outcomes: list[Outcome]
    provider: LoopbackProvider
    began_s: float

    @property
    def last(self) -> Outcome:
        """What the caller got in the end."""
        return self.outcomes[-1]


Judge = Callable[[Run], str]


def rescued(run: Run) -> str:
    """The complete answer, an error, or neither."""
    if run.last.error == "hangs":
        return "fail"
    if run.last.error:
        return "safe"
    return "pass" if run.last.text == ANSWER else "fail"


def in_time(run: Run) -> str:
    """The first token came before the slow primary would have spoken."""
    verdict = rescued(run)
    return "partial" if verdict == "pass" and run.last.first_token_s >= LATE_S else verdict


def asked_once(run: Run) -> str:
    """No window of a size that refused is asked again."""
    if len(run.provider.received) == 1 and run.last.error:
        return "pass"
    return rescued(run)


def told(run: Run) -> str:
    """A safety refusal is told; an answer of somebody else is shopping around."""
    if run.last.error:
        return "pass"
    return "partial" if run.last.text == ANSWER else "fail"


def spared(run: Run) -> str:
    """Every request was answered, and the dead primary left alone."""
    if any(outcome.text != ANSWER for outcome in run.outcomes):
        return "fail"
    asked = [each for each in run.provider.received if each.model == "primary"]
    returned = any(each.conduct is not DOWN for each in asked)
    dead = sum(each.conduct is DOWN for each in asked)
    return "pass" if returned and dead <= DEAD_ATTEMPTS_MAX else f"partial ({dead} sent to the dead)"


def accounted(run: Run) -> str:
    """What the provider counted was told."""
    counted = sum(TOKENS_IN + each.sent for each in run.provider.received if each.sent)
    verdict = rescued(run)
    missed = f"partial ({run.last.tokens} of {counted} tokens)"
    return missed if verdict == "pass" and run.last.tokens != counted else verdict


@dataclass(frozen=True)
class Scenario:
    """What primary and fallback do, how it is asked, and what is a pass."""

    title: str
    primary: Any
    fallback: Any = field(default_factory=answers)
    stream: bool = False
    requests: int = 1
    judge: Judge = rescued


def flapping(received: Received) -> Conduct:
    """Down for a minute: each run has a loop of its own, whose time begins with it."""
    return DOWN if received.at_s < DOWN_S else answers()


SCENARIOS = (
    Scenario("S01 429, Retry-After 2 s", [refuses(429, Retry_After="2"), answers()]),
    Scenario("S02 lasting 429", refuses(429)),
    Scenario("S03 one 500", [refuses(500), answers()]),
    Scenario("S04 lasting 503", DOWN),
    Scenario("S05 TCP reset", resets()),
    Scenario("S06 silence", hangs()),
    Scenario("S07 first token at 20 s", answers(after_s=LATE_S), stream=True, judge=in_time),
    Scenario("S08 cut at 40 of 60", breaks(Break.CLOSED), stream=True),
    Scenario("S09 stall at 40", breaks(Break.STALLED), stream=True),
    Scenario("S10 malformed chunk", breaks(Break.GARBLED, 20), stream=True),
    Scenario("S11 no [DONE]", answers(done=False), stream=True),
    Scenario("S12 context length", TOO_LONG, TOO_LONG, judge=asked_once),
    Scenario("S13 content filter", refuses(400, "content_filter", "the content filter"), judge=told),
    Scenario("S14 no prefill there", breaks(Break.CLOSED), answers(takes_prefill=False), stream=True),
    Scenario("S15 flapping, 20 requests", flapping, requests=REQUESTS, judge=spared),
    Scenario("S16 accounting", breaks(Break.CLOSED, running_usage=True), stream=True, judge=accounted),
)


async def play(scenario: Scenario, subject: Callable[[LoopbackProvider], Subject]) -> str:
    """One scenario, one fresh router."""
    loop = asyncio.get_running_loop()
    async with LoopbackProvider(primary=scenario.primary, fallback=scenario.fallback) as provider:
        run = Run([], provider, loop.time())
        router = subject(provider)
        for number in range(scenario.requests):
            await asyncio.sleep(max(0.0, run.began_s + EVERY_S * number - loop.time()))
            try:
                async with asyncio.timeout(BUDGET_S * 1.1) as limit:
                    run.outcomes.append(await router.ask(stream=scenario.stream))
            except Exception as error:  # noqa: BLE001  whatever a router raises is its answer
                name = "hangs" if limit.expired() else type(error).__name__
                run.outcomes.append(Outcome(error=name))
        await router.aclose()
        return scenario.judge(run)


def in_fast_time(scenario: Scenario, subject: Callable[[LoopbackProvider], Subject]) -> str:
    """The same, on a loop of its own."""
    with asyncio.Runner(loop_factory=FastLoop) as runner:
        return runner.run(play(scenario, subject))


def tally(verdicts: list[str]) -> str:
    """How many of each."""
    counts: Mapping[str, int] = Counter(verdict.split()[0] for verdict in verdicts)
    return "/".join(str(counts.get(name, 0)) for name in ("pass", "partial", "safe", "fail"))


def main() -> None:
    """Print a verdict for every scenario and router."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    load_litellm().suppress_debug_info = True
    asyncio.run(warm_up())
    print(f"{'scenario':28} {'failover':32} litellm.Router, tuned")
    ours, theirs = [], []
    for scenario in SCENARIOS:
        ours.append(in_fast_time(scenario, Ours))
        theirs.append(in_fast_time(scenario, Tuned))
        print(f"{scenario.title:28} {ours[-1]:32} {theirs[-1]}")
    print(f"{'pass/partial/safe/fail':28} {tally(ours):32} {tally(theirs)}")


if __name__ == "__main__":
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
