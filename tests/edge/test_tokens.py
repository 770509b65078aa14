"""Tokens, counted before anybody told how many they are: offline, once, and in the target's own."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover import tokens
from failover.core.vocabulary import Target, Usage
from failover.tokens import EXACT_CHARACTERS, Length, Measure, Prompt, count, measure_of, tokens_in, written

HELLO = {"messages": [{"role": "user", "content": "hello world"}]}


def at(model: str) -> Target:
    return Target("t", "p", model)


@pytest.mark.parametrize(
    ("model", "encoding", "characters"),
    [
        ("openai/gpt-5.6-luna", "o200k_base", 4),
        ("azure/gpt-4o", "o200k_base", 4),
        ("groq/openai/gpt-oss-120b", "o200k_base", 4),
        ("openai/gpt-4-turbo", "cl100k_base", 4),
        ("openai/text-embedding-3-small", "cl100k_base", 4),
        ("anthropic/claude-3-5-haiku-latest", "", 3.5),
        ("anthropic/claude-sonnet-4-20250514", "", 3.5),
        ("bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0", "", 3.5),
        ("anthropic/claude-opus-4-7", "", 2.7),
        ("openrouter/anthropic/claude-opus-4.8", "", 2.7),
        ("anthropic/claude-sonnet-5", "", 2.7),
        ("gemini/gemini-2.5-pro", "", 4),
        ("", "", 4),
    ],
)
def test_a_model_is_counted_by_its_own_tokenizer_or_by_its_characters(model, encoding, characters):
    measure = measure_of(model)
    assert (measure.encoding, measure.characters) == (encoding, characters)
    assert measure.error_share == (0.05 if encoding else 0.25)


def test_a_measure_says_how_far_off_it_may_be():
    assert str(measure_of("openai/gpt-4o")) == "o200k_base, ± 5%"
    assert str(measure_of("anthropic/claude-opus-4-7")) == "2.7 characters each, ± 25%"


def test_a_tokenizer_is_read_from_a_file_and_leaves_the_environment_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    tokens.tokenizer.cache_clear()
    assert count("hello world", Measure("o200k_base")) == 2
    assert "TIKTOKEN_CACHE_DIR" not in os.environ
    tokens.tokenizer.cache_clear()
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "mine")
    tokens.prepare(["openai/gpt-4", "gemini/gemini-2.5-pro"])
    assert os.environ["TIKTOKEN_CACHE_DIR"] == "mine"


def test_without_the_files_characters_are_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokens, "_file", lambda _: None)
    assert measure_of.__wrapped__("openai/gpt-4o") == Measure()


def test_a_prompt_is_counted_once_for_each_way_of_counting(monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(tokens, "count", lambda text, _: asked.append(text) or 7)
    prompt = Prompt({**HELLO, "tools": [{"name": "f"}]}, 5)
    assert [prompt(at("openai/gpt-4o")), prompt(at("openai/gpt-5"))] == [20, 20]
    assert asked == ["hello world", '[{"name": "f"}]']


def test_messages_cost_a_little_more_than_their_text():
    assert Prompt(HELLO, tokens_in(HELLO))(at("openai/gpt-4o")) == 2 + 3 + 3
    assert Prompt({"input": ["hello world", [1, 2, 3]]}, 0)(at("openai/text-embedding-3-small")) == 2 + 3


def test_a_picture_is_not_counted_by_its_characters():
    content = [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9000}}]
    assert Prompt({"messages": [{"role": "user", "content": content}]}, 0)(at("openai/gpt-4o")) == 6


def test_the_same_prompt_is_longer_for_newer_models_of_anthropic():
    payload = {"messages": [{"role": "user", "content": "x" * 7000}]}
    prompt = Prompt(payload, tokens_in(payload))
    older, newer = prompt(at("anthropic/claude-haiku-4-5")), prompt(at("anthropic/claude-opus-4-7"))
    assert newer / older == pytest.approx(1.3, abs=0.01)
    assert Length(1000)(at("anthropic/claude-haiku-4-5")) == 1143


@pytest.mark.parametrize("model", ["openai/gpt-4o", "gemini/gemini-2.5-pro"])
def test_a_long_text_is_counted_in_part(model):
    text = "hello world " * EXACT_CHARACTERS
    whole, part = count(text, measure_of(model)), count(text[:EXACT_CHARACTERS], measure_of(model))
    assert whole == pytest.approx(part * len(text) / EXACT_CHARACTERS, rel=0.001)


def test_what_was_written_leaves_its_prompt_out():
    assert written("openai/gpt-4o", ["hello", " world"]) == Usage(0, 2, estimated=True)
    assert written("openai/gpt-4o", []) is None
    assert written("", ["hello"]) is None


@given(st.text(max_size=200), st.sampled_from(["openai/gpt-4o", "openai/gpt-4", "anthropic/claude-3-haiku"]))
def test_any_text_has_tokens_and_no_more_than_bytes(text, model):
    counted = count(text, measure_of(model))
    assert bool(counted) == bool(text)
    assert counted <= len(text.encode("utf-8", "surrogatepass"))
