"""A request becomes a decision, and nothing changes by deciding."""

from __future__ import annotations

from types import FunctionType, MethodType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.decide import decide
from failover.core.prices import DatedPrice, PriceBook
from failover.core.strategies import STRATEGIES, CustomStrategy
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


@given(st.sampled_from(sorted(STRATEGIES)), AWAY, AWAY, st.randoms(use_true_random=False))
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


# Strategies of the caller's own.


def backwards(states, ranking):
    return states[::-1]


def broken(states, ranking):
    raise LookupError


def one_tier(strategy):
    return Story(["gpt", "azure", "claude"], strategy=strategy)


def test_a_strategy_of_your_own_ranks_each_tier():
    story = Story(*TIERS, strategy=backwards)
    assert order(story) == ["azure", "gpt", "gemini", "claude", "mistral"]
    assert (decision(story).strategy, decision(story).strategy_failed) == ("backwards", False)


def test_it_is_called_what_the_config_calls_it():
    assert decision(one_tier(CustomStrategy("mine", backwards))).strategy == "mine"


def test_one_without_a_name_is_called_after_its_kind():
    class Nameless:
        __call__ = staticmethod(backwards)

    assert decision(one_tier(Nameless())).strategy == "Nameless"


def test_it_is_asked_about_the_eligible_only_and_told_the_request():
    told = []

    def listening(states, ranking):
        told.append(([state.target.name for state in states], ranking.request.tokens_in, ranking.tokens_out))
        return states

    story = one_tier(listening).cools_down("azure", 5.0)
    assert order(story, tokens_in=7, tokens_out=9) == ["gpt", "claude"]
    assert told == [(["gpt", "claude"], 7, 9)]


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        (lambda _states: [], ["gpt", "azure", "claude"]),
        (lambda states: states[2:], ["claude", "gpt", "azure"]),
        (lambda states: [states[1]] * 3, ["azure", "gpt", "claude"]),
        (lambda states: ["gpt", None, [], {}, states[1].target, states[1]], ["azure", "gpt", "claude"]),
        (lambda states: (state for state in reversed(states)), ["claude", "azure", "gpt"]),
    ],
    ids=["nobody", "drops", "repeats", "invents", "generates"],
)
def test_who_is_left_out_comes_last_and_strangers_are_ignored(returns, expected):
    made = decision(one_tier(lambda states, _ranking: returns(states)))
    assert [target.name for target in made.order] == expected
    assert not made.strategy_failed


@pytest.mark.parametrize(
    "strategy",
    [broken, lambda _states, _ranking: None, lambda states, _ranking: (each.nothing for each in states)],
    ids=["raises", "returns nothing", "raises when read"],
)
def test_where_it_raises_the_authors_order_stands_and_the_decision_says_so(strategy):
    made = decision(one_tier(strategy))
    assert [target.name for target in made.order] == ["gpt", "azure", "claude"]
    assert made.strategy_failed


def test_a_tier_in_which_it_raised_is_not_forgotten_over_the_next():
    def only_large(states, ranking):
        return [states[1], states[0]]

    made = decision(Story("mistral", ["gpt", "azure"], strategy=only_large))
    assert [target.name for target in made.order] == ["mistral", "azure", "gpt"]
    assert made.strategy_failed


def test_it_cannot_make_the_router_forget_a_target():
    def emptying(states, ranking):
        return [states.pop() for _ in states]

    assert order(one_tier(emptying)) == ["gpt", "azure", "claude"]


ANSWERS = st.lists(st.integers(-4, 8), max_size=8)


@given(ANSWERS, st.booleans())
def test_whatever_it_answers_every_target_is_tried_once(answers, raises):
    def any_strategy(states, ranking):
        if raises:
            raise ArithmeticError
        return [states[at] if -1 < at < len(states) else at for at in answers]

    made = decision(Story(*TIERS, strategy=any_strategy))
    tiers = [made.order[:2], made.order[2:4], made.order[4:]]
    assert [{target.name for target in tier} for tier in tiers] == [
        {"gpt", "azure"},
        {"claude", "gemini"},
        {"mistral"},
    ]
