"""The program of docs/integrations/pydantic-ai.md, over the real pydantic-ai and providers on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import ModuleType

import pytest
from llmock.scenarios import Fail, Reply, StreamFault, ToolCall
from llmock.testing import LLMockServer
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIResponsesModel

from failover import AllTargetsFailedError, DeadlineExceededError, Router
from tests.edge.page_programs import copied
from tests.edge.scripted import in_flight

# pydantic's, on litellm's own types and litellm's own use of them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*ReadOnly:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
]

DOWN = Fail(503, times=None)


@pytest.fixture(scope="module")
def both() -> Iterator[dict[str, LLMockServer]]:
    with LLMockServer() as first, LLMockServer() as second:
        yield {"openai": first, "anthropic": second}


@pytest.fixture
def second(both) -> Iterator[LLMockServer]:
    """The provider that answers; the first is down."""
    both["openai"].state.scenarios.add(DOWN)
    yield both["anthropic"]
    for server in both.values():
        server.state.scenarios.clear()


@pytest.fixture
def agents(both, tmp_path, monkeypatch) -> ModuleType:
    return copied("integrations/pydantic-ai.md", both, tmp_path, monkeypatch)


@pytest.fixture
async def router(agents) -> AsyncIterator[Router]:
    async with Router.from_file("failover.yaml") as router:
        yield router
        assert in_flight(router) == {}


async def test_a_whole_answer_comes_from_the_second_provider(second, agents, router):
    second.state.scenarios.add(Reply("from the second"))
    answer = await agents.guide.run("hello", model=agents.chat_model(router))
    assert answer.output == "from the second"
    assert answer.all_messages()[-1].model_name == "claude-sonnet-5"
    assert answer.usage.output_tokens > 0


async def test_a_stream_comes_from_the_second_provider(second, agents, router):
    second.state.scenarios.add(Reply("word by word"))
    async with agents.guide.run_stream("hello", model=agents.chat_model(router)) as answer:
        text = "".join([text async for text in answer.stream_text(delta=True, debounce_by=None)])
    assert text == "word by word"
    assert answer.usage.output_tokens > 0


async def test_a_stream_that_is_left_early_leaves_nothing_running(both, second, agents, router):
    both["openai"].state.scenarios.clear()
    both["openai"].state.scenarios.add(StreamFault("stall", after_chunks=4))
    async with Agent(agents.chat_model(router)).run_stream("hello") as answer:
        assert await anext(answer.stream_text(delta=True, debounce_by=None))
        assert in_flight(router) == {"gpt": 1}
    assert in_flight(router) == {}


async def test_a_tool_is_called_and_its_result_goes_back(second, agents, router):
    second.state.scenarios.add(Reply(tool_calls=(ToolCall("population", {"city": "Oslo"}),)))
    second.state.scenarios.add(Reply("many"))
    answer = await agents.guide.run("How many?", model=agents.chat_model(router))
    assert answer.output == "many"
    assert "720000" in str(second.state.journal.records()[-1].body["messages"][-1])


async def test_a_tool_is_called_from_a_stream(second, agents, router):
    second.state.scenarios.add(Reply(tool_calls=(ToolCall("population", {"city": "Oslo"}),)))
    second.state.scenarios.add(Reply("many"))
    async with agents.guide.run_stream("How many?", model=agents.chat_model(router)) as answer:
        assert await answer.get_output() == "many"


async def test_an_output_type_is_filled(second, agents, router):
    second.state.scenarios.add(Reply(tool_calls=(ToolCall("final_result", {"name": "Oslo", "people": 7}),)))
    answer = await agents.clerk.run("Oslo", model=agents.chat_model(router))
    assert answer.output == agents.City(name="Oslo", people=7)


async def test_the_responses_api_answers_whole(second, agents, router):
    second.state.scenarios.add(Reply("from the second"))
    model = OpenAIResponsesModel("chat", provider=agents.chat_model(router)._provider)  # noqa: SLF001  # the page's own
    assert (await Agent(model).run("hello")).output == "from the second"


async def test_a_timeout_among_the_settings_is_the_deadline_of_the_call(second, agents, router):
    with pytest.raises(DeadlineExceededError):
        await agents.guide.run("hello", model=agents.chat_model(router), model_settings={"timeout": 0.0})


async def test_what_is_raised_is_ours(second, agents, router):
    second.state.scenarios.add(Fail(429, retry_after=70, times=None))
    with pytest.raises(AllTargetsFailedError):
        await agents.guide.run("hello", model=agents.chat_model(router))


async def test_the_program_runs_as_it_stands(second, agents, capsys):
    second.state.scenarios.add(Reply("Many."))
    second.state.scenarios.add(Reply("A city."))
    second.state.scenarios.add(Reply(tool_calls=(ToolCall("final_result", {"name": "Oslo", "people": 7}),)))
    await agents.main()
    assert capsys.readouterr().out == "Many.\nA city.name='Oslo' people=7\n"
