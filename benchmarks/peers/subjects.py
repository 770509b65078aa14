"""The subjects: each makes one async function that answers a request or raises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from failover.chaos.subjects.setting import Setting, Subject, SubjectRequest, SubjectTarget

ATTEMPT_S = 12.0
RETRIES, ALLOWED_FAILS, COOLDOWN_S = 1, 4, 10.0


@asynccontextmanager
async def bare_loop(setting: Setting) -> AsyncIterator[Subject]:
    """What people write first: one target after another, each with a time limit."""
    import litellm

    litellm.disable_aiohttp_transport = True

    async def ask(request: SubjectRequest) -> Any:
        errors: list[Exception] = []
        for target in setting.routes[request.route]:
            try:
                return await _completed(litellm, target, request)
            except Exception as error:  # noqa: BLE001  # whatever it is, the next one is asked
                errors.append(error)
        raise errors[-1]

    yield ask


async def _completed(litellm: Any, target: SubjectTarget, request: SubjectRequest) -> Any:
    reply = await litellm.acompletion(
        model=target.model,
        api_key=target.key,
        stream=request.stream,
        timeout=ATTEMPT_S,
        max_retries=0,
        **request.arguments,
    )
    return await _read(reply) if request.stream else reply


async def _read(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


@asynccontextmanager
async def litellm_router(setting: Setting) -> AsyncIterator[Subject]:
    """litellm's Router: a group per target, fallbacks in order, retries, cooldowns, a time limit."""
    import litellm

    litellm.disable_aiohttp_transport = True
    models, fallbacks = [], []
    for route, targets in setting.routes.items():
        groups = [f"{route}:{target.name}" for target in targets]
        for group, target in zip(groups, targets, strict=True):
            parameters = {"model": target.model, "api_key": target.key}
            models.append({"model_name": group, "litellm_params": parameters})
        fallbacks.append({groups[0]: groups[1:]})
    router = litellm.Router(
        model_list=models,
        fallbacks=fallbacks,
        num_retries=RETRIES,
        allowed_fails=ALLOWED_FAILS,
        cooldown_time=COOLDOWN_S,
        timeout=ATTEMPT_S,
    )

    async def ask(request: SubjectRequest) -> Any:
        first = setting.routes[request.route][0].name
        reply = await router.acompletion(
            model=f"{request.route}:{first}", stream=request.stream, **request.arguments
        )
        return await _read(reply) if request.stream else reply

    yield ask


@asynccontextmanager
async def pydantic_ai_fallback(setting: Setting) -> AsyncIterator[Subject]:
    """pydantic-ai's FallbackModel over one OpenAI-style model per target."""
    from openai import AsyncOpenAI
    from pydantic_ai import Agent
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    def model(target: SubjectTarget) -> OpenAIChatModel:
        client = AsyncOpenAI(
            api_key=target.key, base_url="https://peer.invalid/v1", timeout=ATTEMPT_S, max_retries=RETRIES
        )
        return OpenAIChatModel(target.model_name, provider=OpenAIProvider(openai_client=client))

    agents = {
        route: Agent(FallbackModel(*[model(target) for target in targets]))
        for route, targets in setting.routes.items()
    }

    async def ask(request: SubjectRequest) -> Any:
        prompt = request.arguments["messages"][0]["content"]
        settings: Any = {"max_tokens": request.arguments.get("max_tokens")}
        agent = agents[request.route]
        if not request.stream:
            return await agent.run(prompt, model_settings=settings)
        async with agent.run_stream(prompt, model_settings=settings) as result:
            return [part async for part in result.stream_text(delta=True)]

    yield ask
