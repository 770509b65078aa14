"""Code written for the OpenAI SDK: the same functions over the SDK itself and over a router, on loopback."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmock.scenarios import Fail, Match, Reply, StreamFault, ToolCall
from llmock.testing import LLMockServer
from openai.types import CreateEmbeddingResponse, ImagesResponse, ModerationCreateResponse
from openai.types.audio import Transcription, TranscriptionVerbose
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response

from failover import (
    AllTargetsFailedError,
    DeadlineExceededError,
    RequestRejectedError,
    Router,
    StreamInterruptedError,
)
from failover.adapters.litellm import LitellmAdapter
from failover.adapters.loading import load_litellm
from failover.openai_arguments import Options
from failover.openai_replies import in_type
from failover.openai_shape import Client
from tests.edge.fake_wire import ENVIRONMENT, KEY_VARIABLE, FakeProvider, refusal
from tests.edge.page_programs import copied
from tests.edge.scripted import CUT, HELLO, ScriptedAdapter, answers, fails, hangs, in_flight, streams
from tests.edge.scripted import router as scripted
from tests.edge.test_operations import GOOD, SOUND

# pydantic's, on litellm's own types and litellm's own use of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*ReadOnly:UserWarning"),
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
]

LOOK_UP = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"of": {"type": "string"}}},
    },
}
DOWN = Fail(503, times=None)
KEYS = {"FIRST_KEY": "made-up-for-one", "SECOND_KEY": "made-up-for-two"}


# What somebody wrote for the SDK, before there was a router.


async def ask(client: Any, model: str) -> tuple[Any, ...]:
    reply = await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "hello"}], max_tokens=50, seed=openai.omit
    )
    assert isinstance(reply, ChatCompletion)
    [choice] = reply.choices
    message = choice.message
    return message.role, message.content, message.refusal, message.tool_calls, choice.finish_reason


async def ask_streamed(client: Any, model: str) -> tuple[Any, ...]:
    stream = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "hello"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    text, reason, usage = "", None, None
    async with stream:
        async for chunk in stream:
            assert isinstance(chunk, ChatCompletionChunk)
            if not chunk.choices:
                usage = chunk.usage
                continue
            [choice] = chunk.choices
            assert choice.delta.refusal is None
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
    return text, reason, usage.completion_tokens


async def ask_streamed_without_usage(client: Any, model: str) -> tuple[Any, ...]:
    stream = await client.chat.completions.create(model=model, messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks), [
        chunk.usage for chunk in chunks if chunk.usage
    ]


async def use_a_tool(client: Any, model: str) -> tuple[Any, ...]:
    messages: list[Any] = [{"role": "user", "content": "hello"}]
    first = await client.chat.completions.create(model=model, messages=messages, tools=[LOOK_UP])
    message = first.choices[0].message
    [call] = message.tool_calls
    messages += [message, {"role": "tool", "tool_call_id": call.id, "content": "42"}]
    second = await client.chat.completions.create(
        model=model, messages=(each for each in messages), tools=[LOOK_UP]
    )
    return call.type, call.function.name, call.function.arguments, second.choices[0].message.content


async def use_a_tool_streamed(client: Any, model: str) -> tuple[Any, ...]:
    stream = await client.chat.completions.create(model=model, messages=HELLO, tools=[LOOK_UP], stream=True)
    name, arguments, reason = "", "", None
    async for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or []:
            name += call.function.name or ""
            arguments += call.function.arguments or ""
        reason = chunk.choices[0].finish_reason or reason
    return name, arguments.replace(" ", ""), reason


async def embed(client: Any, model: str) -> tuple[Any, ...]:
    reply = await client.embeddings.create(model=model, input=["hello", "you"], encoding_format="float")
    assert isinstance(reply, CreateEmbeddingResponse)
    return reply.object, [(each.index, len(each.embedding)) for each in reply.data], reply.usage.total_tokens


async def respond(client: Any, model: str) -> tuple[Any, ...]:
    reply = await client.responses.create(model=model, input="hello")
    assert isinstance(reply, Response)
    return reply.output_text, reply.status


async def through_the_raw_reply(client: Any, model: str) -> tuple[Any, ...]:
    raw = await client.chat.completions.with_raw_response.create(model=model, messages=HELLO)
    return raw.parse().choices[0].message.content, isinstance(dict(raw.headers), dict)


ANSWER = Reply("word by word", times=None)
CALL = Reply(tool_calls=(ToolCall("look_up", {"of": "x"}),))
WRITTEN = {
    ask: (ANSWER,),
    ask_streamed: (ANSWER,),
    ask_streamed_without_usage: (ANSWER,),
    use_a_tool: (CALL, ANSWER),
    use_a_tool_streamed: (CALL,),
    embed: (),
    respond: (ANSWER,),
    through_the_raw_reply: (ANSWER,),
}


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[LLMockServer, LLMockServer]]:
    with LLMockServer() as first, LLMockServer() as second:
        yield first, second


@pytest.fixture
def servers(both, monkeypatch) -> Iterator[tuple[LLMockServer, LLMockServer]]:
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)
    yield both
    for server in both:
        server.state.scenarios.clear()


def over(servers: tuple[LLMockServer, LLMockServer], model: str = "openai/gpt-5.6-luna") -> Router:
    """A route `chat` over both servers; `second` speaks as the provider of `model` does."""
    provider = model.partition("/")[0]
    config = {
        "providers": {
            "first": {"credential": "env:FIRST_KEY", "api_base": servers[0].base_url("openai")},
            "second": {"credential": "env:SECOND_KEY", "api_base": servers[1].base_url(provider)},
        },
        "targets": {
            "first": {
                "provider": "first",
                "model": "openai/gpt-5.6-luna",
                "vector_space": "one",
            },
            "second": {"provider": "second", "model": model, "vector_space": "one"},
        },
        "routes": {"chat": {"chain": ["first", "second"]}},
    }
    return Router.from_dict(config, adapter=LitellmAdapter(environment=KEYS), rng=lambda: 0.0)


def the_sdk(server: LLMockServer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=server.base_url("openai"), api_key="made-up", max_retries=0)


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: written.__name__)
async def test_what_was_written_for_the_sdk_gives_the_same_over_a_router_whose_first_provider_is_down(
    servers, written
):
    servers[0].state.scenarios.add(DOWN)
    for reply in WRITTEN[written]:
        servers[1].state.scenarios.add(reply)
    async with the_sdk(servers[1]) as client:
        expected = await written(client, "gpt-5.6-luna")
    servers[1].state.scenarios.clear()
    for reply in WRITTEN[written]:
        servers[1].state.scenarios.add(reply)
    async with over(servers) as client:
        assert await written(client, "chat") == expected
        assert in_flight(client) == {}


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-5", "mistral/mistral-large-2512"])
@pytest.mark.parametrize(
    "written", [ask, ask_streamed, use_a_tool, use_a_tool_streamed], ids=lambda written: written.__name__
)
async def test_it_gives_the_same_when_a_provider_of_another_dialect_answers(servers, written, model):
    servers[0].state.scenarios.add(DOWN)
    for reply in WRITTEN[written]:
        servers[1].state.scenarios.add(reply)
    async with the_sdk(servers[1]) as client:
        expected = await written(client, "gpt-5.6-luna")
    servers[1].state.scenarios.clear()
    for reply in WRITTEN[written]:
        servers[1].state.scenarios.add(reply)
    async with over(servers, model) as client:
        assert await written(client, "chat") == expected


async def test_the_story_of_the_call_is_on_the_reply_and_on_the_stream(servers):
    servers[0].state.scenarios.add(DOWN)
    async with over(servers) as client:
        reply = await client.chat.completions.create(model="chat", messages=HELLO)
        assert (reply.failover.target, len(reply.failover.attempts)) == ("second", 2)
        assert "failover" not in reply.model_dump()
        async with await client.chat.completions.create(model="chat", messages=HELLO, stream=True) as stream:
            assert [chunk async for chunk in stream]
        assert stream.failover.target == "second"
        vectors = await client.embeddings.create(model="chat", input="hello")
        assert vectors.failover.target == "second"


async def test_closing_a_stream_early_blames_nobody_and_leaves_nothing_running(servers):
    servers[0].state.scenarios.add(StreamFault("stall", after_chunks=2))
    async with over(servers) as client:
        stream = await client.chat.completions.create(model="chat", messages=HELLO, stream=True)
        await anext(aiter(stream))
        await stream.close()
        assert in_flight(client) == {}
        assert client.snapshot().targets["first"].breaker == "closed"
        assert stream.failover.attempts[0].failure is None


async def test_what_is_raised_is_ours_and_never_the_sdks(servers):
    for server in servers:
        server.state.scenarios.add(Fail(429, retry_after=70, times=None))
    async with over(servers) as client:
        with pytest.raises(AllTargetsFailedError) as raised:
            await client.chat.completions.create(model="chat", messages=HELLO, timeout=30)
    assert not isinstance(raised.value, openai.OpenAIError)
    assert isinstance(raised.value.__cause__, openai.RateLimitError)


# The operations whose wire the mock server does not speak, over a transport in memory for both.


def transported(provider: FakeProvider) -> Router:
    """A route `all` over two targets, each at an address of its own, of which the first is down."""
    config = {
        "providers": {
            name: {"credential": f"env:{KEY_VARIABLE}", "api_base": f"http://{name}.invalid/v1"}
            for name in ("one", "two")
        },
        "targets": {name: {"provider": name, "model": "openai/m"} for name in ("one", "two")},
        "routes": {"all": {"chain": ["one", "two"]}},
    }
    return Router.from_dict(config, adapter=LitellmAdapter(provider, ENVIRONMENT), rng=lambda: 0.0)


async def draw(client: Any, model: str) -> Any:
    reply = await client.images.generate(model=model, prompt="a cat")
    assert isinstance(reply, ImagesResponse)
    return [image.url for image in reply.data]


async def moderate(client: Any, model: str) -> Any:
    reply = await client.moderations.create(model=model, input="hello")
    assert isinstance(reply, ModerationCreateResponse)
    [result] = reply.results
    return result.flagged, result.categories.hate_threatening, result.category_scores.self_harm_intent


async def transcribe(client: Any, model: str) -> Any:
    recording = io.BytesIO(b"RIFF")
    recording.name = "a.wav"
    reply = await client.audio.transcriptions.create(model=model, file=recording)
    assert isinstance(reply, Transcription)
    return reply.text


async def transcribe_as_text(client: Any, model: str) -> Any:
    reply = await client.audio.transcriptions.create(
        model=model, file=("a.wav", b"RIFF"), response_format="text"
    )
    assert isinstance(reply, str)
    return reply


async def transcribe_at_length(client: Any, model: str) -> Any:
    reply = await client.audio.transcriptions.create(
        model=model, file=("a.wav", b"RIFF"), response_format="verbose_json"
    )
    assert isinstance(reply, TranscriptionVerbose)
    return reply.text, reply.duration


async def speak(client: Any, model: str) -> Any:
    reply = await client.audio.speech.create(model=model, voice="alloy", input="hello")
    return reply.content, reply.read()


CATEGORIES = [
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent"),
    *("self-harm", "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors"),
    *("violence", "violence/graphic"),
]
JUDGED = {
    "id": "1",
    "model": "m",
    "results": [
        {
            "flagged": True,
            "categories": dict.fromkeys(CATEGORIES, True),
            "category_scores": dict.fromkeys(CATEGORIES, 0.5),
            "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
        }
    ],
}
LONG = {"text": "hello", "duration": 1.5, "language": "english", "task": "transcribe"}
OVER_A_TRANSPORT = {
    draw: lambda: httpx.Response(200, json=GOOD["image_generation"]),
    moderate: lambda: httpx.Response(200, json=JUDGED),
    transcribe: lambda: httpx.Response(200, json=GOOD["transcription"]),
    transcribe_as_text: lambda: httpx.Response(200, text="hello"),
    transcribe_at_length: lambda: httpx.Response(200, json=LONG),
    speak: lambda: httpx.Response(200, content=b"sound", headers=SOUND),
}


@pytest.mark.parametrize("written", OVER_A_TRANSPORT, ids=lambda written: written.__name__)
async def test_the_other_calls_of_the_sdk_give_the_same_too(written, monkeypatch):
    monkeypatch.setattr(load_litellm(), "suppress_debug_info", True)

    def answer(request: httpx.Request) -> httpx.Response:
        return refusal(503) if request.url.host == "one.invalid" else OVER_A_TRANSPORT[written]()

    async with openai.AsyncOpenAI(
        base_url="http://two.invalid/v1",
        api_key="made-up",
        http_client=httpx.AsyncClient(transport=FakeProvider(answer)),
    ) as sdk:
        expected = await written(sdk, "m")
    provider = FakeProvider(answer)
    async with transported(provider) as router:
        assert await written(router, "all") == expected
    assert {request.url.host for request in provider.requests} == {"one.invalid", "two.invalid"}


ASKED: dict[str, dict[str, Any]] = {
    "chat.completions.create": {"messages": HELLO},
    "embeddings.create": {"input": "hello"},
    "responses.create": {"input": "hello"},
    "images.generate": {"prompt": "a cat"},
    "moderations.create": {"input": "hello"},
    "audio.transcriptions.create": {"file": ("a.wav", b"RIFF")},
    "audio.speech.create": {"input": "hello", "voice": "alloy"},
}


DEAF = {"moderations.create", "audio.transcriptions.create", "audio.speech.create"}


@pytest.mark.parametrize("call", sorted(ASKED.keys() - DEAF))
async def test_extra_headers_and_an_extra_body_reach_the_provider(call):
    provider = FakeProvider(lambda _: refusal(400))
    async with transported(provider) as router:
        with pytest.raises(RequestRejectedError):
            await attrgetter(call)(router)(
                model="all", extra_headers={"x-tenant": "7"}, extra_body={"of_ours": "1"}, **ASKED[call]
            )
    assert provider.requests[0].headers["x-tenant"] == "7"
    assert b"of_ours" in provider.requests[0].content


@pytest.mark.parametrize("name", ["extra_headers", "extra_body"])
@pytest.mark.parametrize("call", sorted(DEAF))
async def test_extras_are_refused_where_litellm_would_drop_them_in_silence(call, name):
    provider = FakeProvider(lambda _: refusal(400))
    async with transported(provider) as router:
        with pytest.raises(TypeError, match=name):
            await attrgetter(call)(router)(model="all", **ASKED[call], **{name: {"a": "b"}})
    assert provider.requests == []


@pytest.mark.parametrize("call", sorted({"images.generate"} | DEAF))
async def test_a_stream_is_refused_where_there_is_none(call):
    provider = FakeProvider(lambda _: refusal(400))
    async with transported(provider) as router:
        with pytest.raises(TypeError, match="only chat completions"):
            await attrgetter(call)(router)(model="all", stream=True, **ASKED[call])
    assert provider.requests == []


# What the router adds or refuses, by a script.


async def test_a_timeout_is_the_deadline_of_the_call():
    adapter = ScriptedAdapter(one=hangs())
    router = scripted(adapter, "one")
    with pytest.raises(DeadlineExceededError):
        await router.chat.completions.create(model="chat", messages=HELLO, timeout=0.01)
    with pytest.raises(DeadlineExceededError):
        await router.chat.completions.create(model="chat", messages=HELLO, deadline_s=0.01)
    with pytest.raises(DeadlineExceededError):
        await router.with_options(timeout=0.01).chat.completions.create(model="chat", messages=HELLO)


async def test_a_calls_own_timeout_goes_before_that_of_its_client():
    options = Options().replaced({"timeout": 5})
    assert options.arguments({})["deadline_s"] == 5
    assert options.arguments({"timeout": None})["deadline_s"] == 5
    assert options.arguments({"timeout": 7})["deadline_s"] == 7
    assert options.replaced({"deadline_s": 9}).arguments({})["deadline_s"] == 9


def test_without_a_timeout_the_routes_deadline_stands():
    assert "deadline_s" not in Options().arguments({"timeout": openai.not_given})
    assert Options().arguments({"timeout": None})["deadline_s"] is None


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"timeout": httpx.Timeout(5)}, "timeout=30"),
        ({"timeout": 5, "deadline_s": 5}, "say one of them"),
        ({"extra_query": {"a": "b"}}, "extra_query"),
    ],
    ids=["a timeout in parts", "both", "a query"],
)
async def test_an_argument_without_a_meaning_here_is_refused_by_its_name(arguments, what):
    adapter = ScriptedAdapter(one=answers())
    with pytest.raises(TypeError, match=what):
        await scripted(adapter, "one").chat.completions.create(model="chat", messages=HELLO, **arguments)
    assert adapter.sent == []


@pytest.mark.parametrize("name", ["max_retries", "api_key", "base_url", "http_client", "organization"])
async def test_an_option_without_a_meaning_here_is_refused_by_its_name(name):
    with pytest.raises(TypeError, match=f"with_options: {name}"):
        scripted(ScriptedAdapter(one=answers()), "one").with_options(**{name: 1})


@given(
    given=st.dictionaries(
        st.sampled_from(["temperature", "top_p", "user", "stop", "messages", "extra_headers"]),
        st.sampled_from([openai.omit, openai.not_given, openai.NOT_GIVEN]),
    )
)
def test_what_the_sdk_marks_as_not_given_is_not_sent(given):
    assert Options().arguments(given) == {}


async def test_what_is_said_of_a_call_goes_on_as_it_is():
    adapter = ScriptedAdapter(one=answers())
    router = scripted(adapter, "one")
    await router.chat.completions.create(
        model="chat", messages=HELLO, temperature=0.5, drop_params=True, extra_headers={}, extra_body=None
    )
    assert adapter.sent[0].payload == {"messages": HELLO, "temperature": 0.5, "drop_params": True}


async def test_messages_that_can_be_read_once_are_read_once_for_all_targets():
    adapter = ScriptedAdapter(one=fails("overloaded"), two=answers())
    router = scripted(adapter, "one", "two")
    await router.chat.completions.create(model="chat", messages=iter(HELLO))
    assert [outbound.payload["messages"] for outbound in adapter.sent] == [HELLO, HELLO]


async def test_a_reply_that_is_not_litellms_stays_as_it_is():
    router = scripted(ScriptedAdapter(one=answers("hi")), "one")
    reply = await router.chat.completions.create(model="chat", messages=HELLO)
    assert (reply.text, reply.failover.target) == ("hi", "one")


async def test_a_stream_that_breaks_after_its_first_token_is_ours_to_tell():
    router = scripted(ScriptedAdapter(one=streams("he", CUT)), "one")
    stream = await router.chat.completions.create(model="chat", messages=HELLO, stream=True)
    with pytest.raises(StreamInterruptedError) as raised:
        [chunk async for chunk in stream]
    assert raised.value.partial_text == "he"


def test_what_the_sdks_type_would_refuse_is_taken_over_unchecked():
    class Odd(openai.BaseModel):
        choices: Any = "none"

    assert in_type(Odd(), "openai.types.chat:ChatCompletion").choices == "none"


async def test_the_attributes_cost_nothing_after_their_first_use():
    router = scripted(ScriptedAdapter(one=answers()), "one")
    assert router.chat is router.chat
    assert asyncio.iscoroutinefunction(router.chat.completions.create)


async def test_the_router_can_be_closed_as_the_sdks_client_is():
    adapter = ScriptedAdapter(one=answers())
    await scripted(adapter, "one").with_options(timeout=1).close()
    assert adapter.closed == 1


def talk(client: Any, model: str) -> tuple[Any, ...]:
    whole = client.chat.completions.create(model=model, messages=HELLO)
    with client.chat.completions.create(model=model, messages=HELLO, stream=True) as stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    vectors = client.embeddings.create(model=model, input="hello")
    raw = client.chat.completions.with_raw_response.create(model=model, messages=HELLO)
    picture = client.images.generate(model=model, prompt="a cat")
    response = client.responses.create(model=model, input="hello")
    with client.responses.create(model=model, input="hello", stream=True) as events:
        said = "".join(each.delta for each in events if each.type == "response.output_text.delta")
    return (
        whole.choices[0].message.content,
        text,
        len(vectors.data[0].embedding),
        raw.parse().choices[0].message.content,
        len(picture.data),
        response.output_text,
        said,
    )


def test_what_was_written_without_await_gives_the_same_too(servers):
    servers[0].state.scenarios.add(DOWN)
    servers[1].state.scenarios.add(
        Reply("word by word", times=None, match=Match(path="/v1/chat/completions"))
    )
    with openai.OpenAI(base_url=servers[1].base_url("openai"), api_key="made-up", max_retries=0) as sdk:
        expected = talk(sdk, "gpt-5.6-luna")
    with over(servers) as router:
        client = Client(router).with_options(timeout=30)
        assert talk(client, "chat") == expected
        with client.chat.completions.create(model="chat", messages=HELLO, stream=True) as stream:
            assert list(stream)
        assert stream.failover.target == "second"


async def test_it_may_be_called_beside_a_running_loop_in_a_thread(servers):
    servers[0].state.scenarios.add(DOWN)
    servers[1].state.scenarios.add(ANSWER)
    async with over(servers) as router:
        create = Client(router).chat.completions.create
        reply = await asyncio.to_thread(create, model="chat", messages=HELLO)
    assert (type(reply), reply.failover.target) == (ChatCompletion, "second")


async def test_the_program_of_the_page_runs_as_it_stands(servers, tmp_path, monkeypatch, capsys):
    servers[0].state.scenarios.add(DOWN)
    servers[1].state.scenarios.add(ANSWER)
    named = dict(zip(("openai", "anthropic"), servers, strict=True))
    await copied("openai-sdk.md", named, tmp_path, monkeypatch).main()
    assert capsys.readouterr().out == "word by word\nword by wordclaude\n"
