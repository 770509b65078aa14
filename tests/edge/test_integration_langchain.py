"""The program of docs/integrations/langchain.md, over the real LangChain and providers on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import ModuleType

import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from llmock.scenarios import Fail, Match, Reply, ToolCall
from llmock.testing import LLMockServer

from failover import AllTargetsFailedError, Router
from tests.edge.page_programs import copied
from tests.edge.scripted import in_flight

# pydantic's, on litellm's own types and litellm's own use of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*ReadOnly:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
]

CHAT_IS_DOWN = Fail(503, times=None, match=Match(path="/v1/chat/completions"))


@pytest.fixture(scope="module")
def both() -> Iterator[dict[str, LLMockServer]]:
    with LLMockServer() as first, LLMockServer() as second:
        yield {"openai": first, "anthropic": second}


@pytest.fixture
def second(both) -> Iterator[LLMockServer]:
    """The provider that answers; the first is down for chat."""
    both["openai"].state.scenarios.add(CHAT_IS_DOWN)
    yield both["anthropic"]
    for server in both.values():
        server.state.scenarios.clear()


@pytest.fixture
def chains(both, tmp_path, monkeypatch) -> ModuleType:
    return copied("integrations/langchain.md", both, tmp_path, monkeypatch)


@pytest.fixture
async def router(chains) -> AsyncIterator[Router]:
    async with Router.from_file("failover.yaml") as router:
        yield router
        assert in_flight(router) == {}


async def test_a_whole_answer_comes_from_the_second_provider(second, chains, router):
    second.state.scenarios.add(Reply("from the second"))
    answer = await chains.chat_model(router).ainvoke("hello")
    assert answer.text == "from the second"
    assert answer.response_metadata["model_name"] == "claude-sonnet-5"
    assert answer.usage_metadata["output_tokens"] > 0


async def test_a_stream_comes_from_the_second_provider(second, chains, router):
    second.state.scenarios.add(Reply("word by word"))
    chunks = [chunk async for chunk in chains.chat_model(router).astream("hello")]
    assert len(chunks) > 1
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.text == "word by word"
    assert whole.usage_metadata["output_tokens"] > 0


async def test_a_tool_is_called_and_its_result_goes_back(second, chains, router):
    second.state.scenarios.add(Reply(tool_calls=(ToolCall("population", {"city": "Oslo"}),)))
    second.state.scenarios.add(Reply("many"))
    assert await chains.with_tools(router, "How many?") == "many"
    sent = second.state.journal.records()[-1].body["messages"]
    assert "720000" in str(sent[-1])


async def test_a_tool_call_is_streamed(second, chains, router):
    second.state.scenarios.add(Reply(tool_calls=(ToolCall("population", {"city": "Oslo"}),)))
    model = chains.chat_model(router).bind_tools([chains.population])
    chunks = [chunk async for chunk in model.astream("hello")]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("population", {"city": "Oslo"})]


async def test_structured_output_comes_by_function_calling(second, chains, router):
    second.state.scenarios.add(Reply(tool_calls=(ToolCall("City", {"name": "Oslo", "people": 7}),)))
    assert await chains.structured(router, "Oslo") == chains.City(name="Oslo", people=7)


async def test_structured_output_by_the_default_method_is_not_here(second, chains, router):
    with pytest.raises(AttributeError):
        await chains.chat_model(router).with_structured_output(chains.City).ainvoke("Oslo")


async def test_vectors_come_through_the_router(second, chains, router):
    events = []
    router.subscribe(events.append)
    vectors = await chains.embeddings(router).aembed_documents(["hello", "you"])
    assert [len(vector) > 1 for vector in vectors] == [True, True]
    assert events[-1].event == "call_ended"


def test_what_is_not_awaited_goes_through_the_router_too(second, chains):
    second.state.scenarios.add(Reply("word by word", times=2))
    second.state.scenarios.add(Reply(tool_calls=(ToolCall("population", {"city": "Oslo"}),)))
    with Router.from_file("failover.yaml") as router:
        events = []
        router.subscribe(events.append)
        model = chains.chat_model(router)
        answer = model.invoke("hello")
        assert (answer.text, answer.response_metadata["model_name"]) == ("word by word", "claude-sonnet-5")
        assert "".join(chunk.text for chunk in model.stream("hello")) == "word by word"
        [call] = model.bind_tools([chains.population]).invoke("hello").tool_calls
        assert (call["name"], call["args"]) == ("population", {"city": "Oslo"})
        assert len(chains.embeddings(router).embed_query("hello")) > 1
        assert len([event for event in events if event.event == "call_ended"]) == 4
        assert in_flight(router) == {}


async def test_what_would_go_past_the_router_raises(second, chains, router):
    model = ChatOpenAI(model="chat", async_client=router.chat.completions, api_key=chains.no_key)
    with pytest.raises(ValueError, match="ainvoke"):
        model.invoke("hello")
    vectors = OpenAIEmbeddings(model="vectors", async_client=router.embeddings, api_key=chains.no_key)
    with pytest.raises(ValueError, match="Sync client is not available"):
        vectors.embed_query("hello")


async def test_what_is_raised_is_ours(second, chains, router):
    second.state.scenarios.add(Fail(429, retry_after=70, times=None))
    with pytest.raises(AllTargetsFailedError):
        await chains.chat_model(router).ainvoke("hello")


async def test_a_parameter_that_a_target_does_not_know_may_be_left_out_there(both, second, chains, router):
    both["openai"].state.scenarios.clear()
    model = chains.chat_model(router)
    model.temperature = 0
    with pytest.raises(AllTargetsFailedError, match="unsupported_parameter"):
        await model.ainvoke("hello")
    model.model_kwargs = {"drop_params": True}
    assert (await model.ainvoke("hello")).text


async def test_the_program_runs_as_it_stands(second, chains, capsys):
    second.state.scenarios.add(Reply("A city."))
    second.state.scenarios.add(Reply("Many."))
    second.state.scenarios.add(Reply(tool_calls=(ToolCall("City", {"name": "Oslo", "people": 7}),)))
    await chains.main()
    assert capsys.readouterr().out == "A city.Many.\nname='Oslo' people=7\n"
