"""Vectors of two models mean nothing to each other: an embedding stays in the space of its route."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failover.core.decide import decide, space_of
from failover.core.policy import LastResort
from failover.core.prices import DatedPrice, PriceBook
from failover.core.vocabulary import Operation, Reason, Request, Target, Usage
from failover.errors import AllTargetsFailedError, NoEligibleTargetError, RequestRejectedError
from tests.core.script import Driver, Script, scripts
from tests.core.story import CONTEXT_LENGTH, OVERLOADED, RATE_LIMITED, Story, in_the_middle, target

SMALL = target("small", model="openai/embed-small")
AZURE = target("azure", model="azure/embed-small")
LARGE = target("large", model="openai/embed-large")
RENAMED = target("renamed", model="azure/our-deployment", vector_space="embed-small")
EMBEDDING = {"operation": "embedding"}


def others(call):
    passed = call.call.story(0.0).passed_over
    return [each.target.name for each in passed if each.reason is Reason.OTHER_VECTOR_SPACE]


@pytest.mark.parametrize(
    ("chosen", "space"),
    [
        (SMALL, "embed-small"),
        (AZURE, "embed-small"),
        (RENAMED, "embed-small"),
        (target("plain", model="embed-small"), "embed-small"),
        (target("hosted", model="together_ai/BAAI/bge-large"), "BAAI/bge-large"),
        (target("ours", model="", callable="shop:embed"), "ours"),
    ],
    ids=lambda value: value.name if isinstance(value, Target) else "",
)
def test_a_space_is_its_model_wherever_that_is_served_unless_the_config_says_otherwise(chosen, space):
    assert space_of(chosen) == space


def test_an_embedding_falls_over_to_the_same_model_elsewhere():
    call = Story(SMALL, LARGE, AZURE).call(**EMBEDDING).sends_to("small").fails(OVERLOADED)
    call.sends_to("azure").succeeds()
    assert others(call) == ["large"]


def test_a_name_in_the_config_joins_two_models_to_one_space():
    Story(SMALL, RENAMED).call(**EMBEDDING).sends_to("small").fails(OVERLOADED).sends_to("renamed").succeeds()


def test_the_first_target_fixes_the_space_also_while_it_is_away():
    call = Story(SMALL, LARGE, AZURE).cools_down("small", 5.0).call(**EMBEDDING)
    call.sends_to("azure").succeeds()
    assert others(call) == ["large"]


def test_the_author_s_first_target_fixes_the_space_whatever_the_strategy_ranks_first():
    prices = PriceBook({"small": (DatedPrice(9, 9),), "large": (DatedPrice(1, 1),)})
    story = Story([SMALL, LARGE], strategy="cost", prices=prices)
    story.call(tokens_in=1_000_000, **EMBEDDING).sends_to("small").succeeds()


def test_a_second_chance_stays_in_the_space():
    call = Story(SMALL, LARGE).call(**EMBEDDING).sends_to("small").fails(RATE_LIMITED, retry_after_s=2.0)
    call.waits_until(2.0).wakes().sends_to("small").succeeds()


def test_a_last_resort_waits_for_the_space_and_asks_nobody_else():
    story = Story(SMALL, LARGE).cools_down("small", 5.0)
    story.call(**EMBEDDING).waits_until(5.0).wakes().sends_to("small").succeeds()


def test_with_its_space_away_an_embedding_has_nobody_to_ask():
    story = Story(SMALL, LARGE, last_resort=LastResort.FAIL).cools_down("small", 5.0)
    error = story.call(**EMBEDDING).raises(NoEligibleTargetError)
    assert "large: other_vector_space" in str(error)
    assert error.retry_after_s == 5.0


def test_a_failed_space_is_a_failed_call():
    call = Story(SMALL, LARGE, attempts=1).call(**EMBEDDING).sends_to("small").fails(OVERLOADED)
    call.raises(AllTargetsFailedError)


def test_a_larger_window_in_another_space_is_no_hope():
    call = Story(SMALL, LARGE).call(**EMBEDDING).sends_to("small").fails(CONTEXT_LENGTH)
    call.raises(RequestRejectedError)


def test_any_other_operation_may_go_to_any_model():
    for operation in set(Operation) - {Operation.EMBEDDING}:
        call = Story(SMALL, LARGE).call(operation=operation).sends_to("small").fails(OVERLOADED)
        call.sends_to("large").succeeds()
        assert others(call) == []


@pytest.mark.parametrize(
    ("operation", "usage", "cost_nusd"),
    [
        ("embedding", Usage(1_000_000, 0), 20),
        ("embedding", None, None),
        ("image_generation", None, None),
        ("completion", None, 0),
        ("call", None, 0),
    ],
)
def test_an_answer_billed_by_anything_but_tokens_has_no_known_price(operation, usage, cost_nusd):
    story = Story(SMALL, prices=PriceBook({"small": (DatedPrice(20, 9_000),)}))
    call = story.call(operation=operation).sends_to("small").succeeds(usage)
    assert call.call.story(0.0).cost_nusd == cost_nusd


# Whatever route, calls and outcomes.


class EmbeddingDriver(Driver):
    """Every call is an embedding."""

    def _call(self, number, plan):
        call = super()._call(number, plan)
        call.request = replace(call.request, operation=Operation.EMBEDDING)
        return call


@st.composite
def embeddings(draw) -> Script:
    """Scripts over targets some of which name a space; none of the calls is streamed."""
    script = draw(scripts())
    spaces = st.sampled_from(["", "", "gpt", "of its own"])
    chain = tuple(
        tuple(replace(each, vector_space=draw(spaces)) for each in tier) for tier in script.route.chain
    )
    plans = tuple(replace(plan, stream=False) for plan in script.plans)
    return replace(script, route=replace(script.route, chain=chain), plans=plans)


@given(embeddings())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_embedding_is_ever_sent_to_another_space(script):
    played = EmbeddingDriver(script).play()
    spaces = {each.name: space_of(each) for each in script.route.targets()}
    first = next(iter(spaces.values()))
    assert {spaces[event.target] for event in played.named("attempt_started")} <= {first}
    strangers = {name for name, space in spaces.items() if space != first}
    for event in played.named("call_started"):
        told = {name for name, reason in event.passed_over if reason is Reason.OTHER_VECTOR_SPACE}
        assert (told, strangers & set(event.order)) == (strangers, set())


@given(embeddings())
def test_a_decision_for_anything_else_knows_no_spaces(script):
    driver = Driver(script)
    call = driver.play().learned
    made = decide(script.route, Request("1"), call, Story("gpt").facts, 1e6, in_the_middle)
    assert Reason.OTHER_VECTOR_SPACE not in {each.reason for each in made.passed_over}
