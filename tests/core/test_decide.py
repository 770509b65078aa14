"""A request becomes a decision, and nothing changes by deciding."""

from __future__ import annotations

from types import FunctionType, MethodType

from hypothesis import given
from hypothesis import strategies as st

from failover.core.decide import decide
from failover.core.prices import DatedPrice, PriceBook
from failover.core.vocabulary import Reason, Request
from tests.core.story import REGION_BLOCKED, Story

TIERS = (["gpt", "azure"], ["claude", "gemini"], "mistral")
PRICES = PriceBook(
    {
        name: (DatedPrice(price, price),)
        for price, name in enumerate(("mistral", "gemini", "azure", "claude"), 1)
    }
)


def decision(story, **asked):
    return decide(story.route, Request("call-1", **asked), story.learned, story.facts, story.now, story.rng)


def order(story, **asked):
    return [target.name for target in decision(story, **asked).order]


def picture(thing, seen=()):
    """All that can be reached from `thing`, as plain values that compare."""
    if isinstance(thing, FunctionType | MethodType) or id(thing) in seen:
        return "elsewhere"
    seen = (*seen, id(thing))
    if isinstance(thing, dict):
        return {key: picture(value, seen) for key, value in thing.items()}
    if isinstance(thing, list | tuple | set):
        return [picture(value, seen) for value in thing]
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    facts = {name: getattr(thing, name) for name in slots if hasattr(thing, name)} | getattr(
        thing, "__dict__", {}
    )
    return {name: picture(value, seen) for name, value in facts.items()} if facts else repr(thing)


def test_every_target_is_tried_in_the_authors_order():
    assert order(Story(*TIERS)) == ["gpt", "azure", "claude", "gemini", "mistral"]


def test_ranking_happens_within_a_tier_and_never_across():
    story = Story(*TIERS, strategy="cost", prices=PRICES)
    assert order(story, tokens_in=1_000_000) == ["azure", "gpt", "gemini", "claude", "mistral"]


def test_prices_are_those_of_the_day():
    cheap_later = PriceBook(
        {"gpt": (DatedPrice(2, 2),), "azure": (DatedPrice(9, 9), DatedPrice(1, 1, 100.0))}
    )
    story = Story(["gpt", "azure"], strategy="cost", prices=cheap_later)
    assert order(story, tokens_in=1_000_000) == ["gpt", "azure"]
    assert order(story.after(100.0), tokens_in=1_000_000) == ["azure", "gpt"]


def test_an_answer_of_unknown_length_is_expected_to_be_as_long_as_those_before():
    prices = PriceBook({"gpt": (DatedPrice(0, 9_000_000),), "azure": (DatedPrice(1_000_000, 1_000_000),)})
    story = Story(["gpt", "azure"], strategy="cost", prices=prices)
    assert order(story, tokens_in=1000, tokens_out=10) == ["gpt", "azure"]
    assert order(story, tokens_in=1000) == ["azure", "gpt"]


def test_those_passed_over_are_named_each_with_its_reason():
    story = Story(*TIERS).cools_down("gpt", 5.0).opens_the_breaker_of("azure", 7.0)
    story.opens_the_breaker_of("gemini", 0.0)
    story.learned.acquire(story.state("gemini"), 0.0)
    story.state("claude").retired_by = REGION_BLOCKED
    made = decision(story)
    assert [(each.target.name, each.reason, each.until_s) for each in made.passed_over] == [
        ("gpt", Reason.COOLDOWN, 5.0),
        ("azure", Reason.BREAKER_OPEN, 7.0),
        ("claude", Reason.RETIRED, None),
        ("gemini", Reason.PROBE_RUNNING, None),
    ]
    assert [target.name for target in made.order] == ["mistral"]


def test_a_decision_names_its_route_and_strategy():
    made = decision(Story("gpt", strategy="latency"))
    assert (made.route, made.strategy) == ("chat", "latency")


AWAY = st.lists(
    st.tuples(st.sampled_from(["gpt", "azure", "claude"]), st.sampled_from([0.0, 5.0])), max_size=4
)


@given(st.sampled_from(["priority", "cost", "latency"]), AWAY, AWAY, st.randoms(use_true_random=False))
def test_deciding_changes_nothing_and_the_same_inputs_decide_the_same(strategy, cooling, open_, chance):
    story = Story(*TIERS, strategy=strategy, prices=PRICES, rng=chance.random)
    for name, for_s in cooling:
        story.cools_down(name, for_s)
    for name, for_s in open_:
        story.opens_the_breaker_of(name, for_s)
    before, luck = picture(story.learned), chance.getstate()
    first = decision(story)
    chance.setstate(luck)
    assert decision(story) == first
    assert picture(story.learned) == before
