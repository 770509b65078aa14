"""What the customers of the support desk notice when providers break."""

from __future__ import annotations

import asyncio
from pathlib import Path

from service import SORRY, SupportDesk

from failover.testing import (
    VirtualTime,
    answer,
    assert_survives,
    drilled_router,
    error,
    hang,
    outage,
    rate_limit,
    scripted_router,
)

CONFIG = Path(__file__).with_name("failover.yaml")
QUESTION = "My chain squeaks. What can I do?"


async def test_the_model_reads_the_question_and_the_customer_its_answer(virtual_time: VirtualTime) -> None:
    async with scripted_router(CONFIG, {"gpt": answer("Oil it.", after_s=0.8)}) as router:
        told = await SupportDesk(router).answer(QUESTION)
    assert (told.text, told.by) == ("Oil it.", "gpt")
    [request] = router.requests_to("gpt")
    assert request.arguments["messages"][-1] == {"role": "user", "content": QUESTION}


async def test_another_provider_answers_when_the_first_is_out_of_quota(virtual_time: VirtualTime) -> None:
    scripts = {"gpt": error(429, retry_after_s=60), "claude": answer("Oil it.")}
    async with scripted_router(CONFIG, scripts) as router:
        desk = SupportDesk(router)
        answers = [await desk.answer(QUESTION) for _ in range(3)]
    assert [told.by for told in answers] == ["claude"] * 3
    assert len(router.requests_to("gpt")) == 1, "it said when to come back, and was left alone"


async def test_nobody_waits_longer_than_half_a_minute(virtual_time: VirtualTime) -> None:
    async with scripted_router(CONFIG, {"gpt": hang(), "claude": hang()}) as router:
        desk = SupportDesk(router)
        told = await desk.answer(QUESTION)
    assert told.text == SORRY
    assert desk.for_people == [QUESTION]
    assert virtual_time.now_s <= 30


async def test_every_customer_is_answered_through_an_outage(
    virtual_time: VirtualTime, failover_seed: int
) -> None:
    """OpenAI is gone for two minutes, and while it is, Anthropic lets in only half."""
    world = [
        outage("openai", at_s=60, for_s=120, as_="hang"),
        rate_limit("anthropic", at_s=60, for_s=120, share=0.5, retry_after_s=1),
    ]
    async with drilled_router(CONFIG, inject=world, seed=failover_seed) as router:
        desk = SupportDesk(router)
        async with asyncio.TaskGroup() as customers:
            asked = []
            for at_s in range(0, 300, 2):
                await router.until(at_s)
                asked.append(customers.create_task(desk.answer(QUESTION)))
    answers = [task.result() for task in asked]
    assert all(told.text for told in answers)
    assert {told.by for told in answers} == {"gpt", "claude", "a person"}
    assert answers[-1].by == "gpt", "it is used again once it is back"
    assert len(desk.for_people) < 30, "sixty asked in those two minutes: most of them were answered at once"
    waited_for = [sent for sent in router.requests_to("gpt") if 90 < sent.at_s < 180]
    assert len(waited_for) < 10, "its breaker is open: few wait for the dead one"


def test_the_config_survives_an_hour_in_which_both_providers_fail_in_turn() -> None:
    assert_survives(
        CONFIG,
        workload={"route": "support", "rate_per_s": 1, "for_s": 3600},
        inject=[outage("openai", at_s=600, for_s=600), outage("anthropic", at_s=2400, for_s=600)],
        expect={"success_ratio_min": 0.99, "sometimes": ["breaker_opened", "fallback"]},
        seeds=range(3),
    )
