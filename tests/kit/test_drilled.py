"""The router that ships, in a world that breaks."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request

from failover import CassetteError, ConfigError
from failover.testing import (
    deprecation,
    drilled_router,
    injection,
    outage,
    price_change,
    rate_limit,
    run_virtual,
    slowdown,
)
from tests.drills.worlds import LITELLM_WARNS, SCENARIOS
from tests.kit.test_scripted import HELLO, config

pytestmark = LITELLM_WARNS
CONFIG = SCENARIOS / "failover.yaml"
MINUTE = range(0, 60, 5)


async def served(at_s, *, stream=False, **options) -> list[tuple[str, float]]:
    """Who answered a request of each of these times, and when."""
    told = []
    async with drilled_router(CONFIG, **options) as router:
        for each in at_s:
            await router.until(each)
            reply = await router.acompletion("chat", HELLO, stream=stream)
            if stream:
                assert [chunk async for chunk in reply]
            told.append((reply.failover.target, router.now_s))
    return told


def targets(told) -> list[str]:
    return [target for target, _ in told]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_provider_is_gone_for_its_time_and_comes_back(stream) -> None:
    gone = outage("openai", at_s=100, for_s=100)
    told = run_virtual(served((0, 150, 300), inject=[gone], stream=stream))
    assert targets(told) == ["gpt", "claude", "gpt"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_same_seed_gives_the_same_world_and_another_one_another(stream) -> None:
    half = [rate_limit(target="gpt", share=0.5), slowdown("anthropic", factor=2)]

    def world(seed: int) -> Any:
        return run_virtual(served(MINUTE, inject=half, seed=seed, stream=stream))

    assert world(1) == world(1)
    assert len({str(world(seed)) for seed in range(3)}) == 3


@pytest.mark.parametrize("as_", ["503", "refused", "reset", "hang"])
def test_whatever_the_outage_looks_like_somebody_answers(as_) -> None:
    assert targets(run_virtual(served((0,), inject=[outage("openai", as_=as_)]))) == ["claude"]


def test_a_retired_model_is_not_asked_again() -> None:
    async def asks() -> int:
        async with drilled_router(CONFIG, inject=[deprecation(model="gpt-5.6-luna")]) as router:
            for _ in range(3):
                await router.acompletion("chat", HELLO)
        return len(router.requests_to("gpt"))

    assert run_virtual(asks()) == 1


def test_a_price_that_changes_is_charged_from_then_on() -> None:
    async def charges() -> list[int]:
        async with drilled_router(CONFIG, inject=[price_change("openai", at_s=100, factor=3)]) as router:
            for at_s in (0, 200):
                await router.until(at_s)
                await router.acompletion("chat", HELLO)
        return [event.cost_nusd for event in router.told("attempt_ended")]

    before, after = run_virtual(charges())
    assert after == pytest.approx(3 * before, abs=2)


def test_calls_side_by_side_meet_the_world_of_their_own_request() -> None:
    """Who asks first must not decide what the other one meets."""

    async def together(order) -> dict[int, str]:
        async with drilled_router(CONFIG, inject=[rate_limit("openai", share=0.5)]) as router:
            calls = [router.acompletion("chat", HELLO) for _ in order]
            replies = await asyncio.gather(*calls)
        return {index: reply.failover.target for index, reply in enumerate(replies)}

    met = run_virtual(together(range(12)))
    assert set(met.values()) == {"gpt", "claude"}
    assert met == run_virtual(together(range(12)))


def test_plain_functions_run_as_they_are() -> None:
    async def real(text: str) -> str:
        return text.upper()

    async def asks() -> Any:
        async with drilled_router(config("real"), callables={"real": real}) as router:
            return (await router.acall("chat", text="Hello")).value

    assert run_virtual(asks()) == "HELLO"


def test_a_fastapi_app_is_drilled_with_its_plain_dependencies() -> None:
    """FastAPI would run them in threads, which virtual time cannot wait for."""
    app = FastAPI()

    def the_router(request: Request) -> Any:
        return request.app.state.router

    async def chat(router: Annotated[Any, Depends(the_router)]) -> dict[str, str]:
        return {"by": (await router.acompletion("chat", HELLO)).failover.target}

    def health() -> str:
        return "up"

    # The annotations are names of this function, which FastAPI could not look up.
    the_router.__annotations__ = {"request": Request}
    chat.__annotations__ = {"router": Annotated[Any, Depends(the_router)]}
    app.post("/chat")(chat)
    app.get("/health")(health)

    async def asks() -> list[Any]:
        transport = httpx.ASGITransport(app)
        async with (
            drilled_router(CONFIG, inject=[outage("openai", at_s=60)]) as app.state.router,
            httpx.AsyncClient(transport=transport, base_url="http://service") as client,
        ):
            first = (await client.post("/chat")).json()
            await app.state.router.until(90)
            return [first, (await client.post("/chat")).json(), (await client.get("/health")).json()]

    assert run_virtual(asks()) == [{"by": "gpt"}, {"by": "claude"}, "up"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"inject": [outage("opnai")]}, ConfigError, "hits no target of the config: none lies in provider"),
        ({"inject": [outage("openai", ats=1)]}, ConfigError, "did you mean 'at_s'"),
        ({"inject": [injection("outrage", "openai")]}, ConfigError, "did you mean 'outage'"),
        ({"inject": [outage("openai", at_s=-1)]}, ConfigError, r"inject\.0\.at_s: must be at least 0"),
        ({"cassettes": "nowhere"}, CassetteError, "there is no such folder"),
    ],
    ids=["of nobody", "an unknown key", "an unknown kind", "a negative time", "no recordings"],
)
def test_a_world_that_makes_no_sense_is_refused(options, error, words) -> None:
    with pytest.raises(error, match=words):
        run_virtual(served((), **options))


def test_off_virtual_time_it_says_what_it_needs() -> None:
    with pytest.raises(RuntimeError, match="take the fixture `virtual_time`"):
        drilled_router(CONFIG)
