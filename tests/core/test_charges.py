"""Charges: what the provider told, else what can be counted, and then it is said to be an estimate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.events import AttemptEnded
from failover.core.failures import Phase
from failover.core.learned import Learned
from failover.core.messages import CallerLeft, Cancel, Succeeded
from failover.core.policy import HedgePolicy
from failover.core.prices import DatedPrice, PriceBook
from failover.core.stats import AnswerLengths, Recent
from failover.core.strategies import Ranking, quote_nusd
from failover.core.vocabulary import Request, Route, Target, Usage
from tests.core.story import (
    CONNECTION,
    OVERLOADED,
    TIMEOUT,
    TRUNCATED_STREAM,
    CallStory,
    Story,
    chain_of,
    target,
)

DOLLARS = (DatedPrice(1_000_000_000, 4_000_000_000),)
"""A dollar for a million tokens in, four for a million out: 1000 and 4000 nano-dollars each."""

PRICES = PriceBook(dict.fromkeys(("gpt", "claude"), DOLLARS))
PROMPT = 100


def ended(story: Story) -> list[AttemptEnded]:
    return [event for event in story.events if isinstance(event, AttemptEnded)]


def asking(*chain: str, **asked) -> tuple[Story, CallStory]:
    story = Story(*(chain or ("gpt", "claude")), prices=PRICES)
    return story, story.call(tokens_in=PROMPT, **asked).sends_to("gpt")


@pytest.mark.parametrize("phase", [Phase.FIRST_TOKEN, Phase.IDLE, Phase.TOTAL])
def test_who_is_given_up_is_charged_the_prompt_and_it_is_said_to_be_an_estimate(phase):
    story, call = asking()
    call.fails(TIMEOUT, phase=phase)
    [first] = ended(story)
    assert (first.tokens_in, first.tokens_out, first.cost_nusd, first.estimated) == (100, 0, 100_000, True)


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        (TIMEOUT, {"phase": Phase.CONNECT}),
        (TIMEOUT, {"status": 504}),
        (CONNECTION, {}),
        (OVERLOADED, {"status": 503}),
        (TRUNCATED_STREAM, {}),
    ],
)
def test_who_refuses_or_breaks_before_anything_came_is_charged_nothing(kind, facts):
    story, call = asking()
    call.fails(kind, **facts)
    [first] = ended(story)
    assert (first.cost_nusd, first.estimated, first.used()) == (0, False, Usage())


def test_a_broken_stream_is_charged_its_prompt_and_what_came():
    story, call = asking(stream=True)
    call.streams().fails(TRUNCATED_STREAM, usage=Usage(0, 7, estimated=True))
    assert (ended(story)[0].used(), ended(story)[0].cost_nusd) == (Usage(100, 7, estimated=True), 128_000)


def test_a_prompt_that_was_told_is_kept_beside_an_estimate_of_what_came():
    story, call = asking(stream=True)
    told = Usage(160, 7, tokens_in_cached=60, estimated=True)
    call.streams().fails(TRUNCATED_STREAM, usage=told)
    assert ended(story)[0].used() == told


def test_an_answer_without_a_usage_is_charged_what_was_counted_of_it():
    story, call = asking()
    record = call.succeeds(Usage(0, 7, estimated=True)).call.story(story.now)
    assert (record.cost_nusd, record.attempts[0].usage) == (128_000, Usage(100, 7, estimated=True))


def test_the_loser_of_a_hedge_is_charged_its_prompt():
    hedge = HedgePolicy(after_quantile=0.9, share=1.0, usd_share=None)
    story = Story("gpt", "claude", prices=PRICES, hedge=hedge, deadline_s=60.0)
    for _ in range(Recent.LEAST):
        story.state("gpt").observe(1.0, 1.0, 0.0)
        story.learned.deposit("chat")
    call = story.call(tokens_in=PROMPT).sends_and_wakes("gpt", after_s=1.0).after(1.0).wakes()
    loser = call.send.attempt
    call.sends_to("claude").hears(Succeeded(call.send.attempt, Usage(90, 10)))
    assert call.wanted[0] == Cancel(loser)
    assert [(each.target, each.cost_nusd, each.estimated) for each in ended(story)] == [
        ("gpt", 100_000, True),
        ("claude", 130_000, False),
    ]
    assert call.call.story(story.now).cost_nusd == 230_000


def test_a_caller_who_leaves_pays_for_what_came():
    story, call = asking(stream=True)
    call.streams().hears(CallerLeft(Usage(0, 5, estimated=True)))
    assert ended(story)[0].used() == Usage(100, 5, estimated=True)


def test_a_caller_who_leaves_before_anything_came_pays_for_the_prompt():
    story, call = asking()
    call.leaves()
    assert ended(story)[0].used() == Usage(100, estimated=True)


def test_nobody_knows_what_a_plain_function_used():
    function = target("gpt", model="", callable="some:function")
    story = Story(function, prices=PRICES)
    story.call(tokens_in=PROMPT, stream=True).sends_to("gpt").streams().leaves()
    assert (ended(story)[0].used(), ended(story)[0].cost_nusd) == (Usage(), 0)


def test_a_prompt_of_no_length_is_no_estimate():
    story = Story("gpt", prices=PRICES)
    story.call().sends_to("gpt").leaves()
    assert (ended(story)[0].estimated, ended(story)[0].cost_nusd) == (False, 0)


def test_what_is_given_up_at_an_unknown_price_costs_nobody_knows_what():
    story = Story("gpt")
    story.call(tokens_in=PROMPT).sends_to("gpt").leaves()
    assert ended(story)[0].cost_nusd is None


def test_an_estimate_corrects_no_count_of_a_limit():
    limited = target("gpt", tokens_per_minute=1000)
    for usage, second in ((Usage(100, 100), "gpt"), (Usage(0, 100, estimated=True), "claude")):
        story = Story(limited, "claude", prices=PRICES)
        story.call(tokens_in=100, tokens_out=700).sends_to("gpt").succeeds(usage)
        story.call(tokens_in=100, tokens_out=700).sends_to(second)


def test_an_event_tells_kinds_with_a_price_of_their_own_and_only_those():
    story, call = asking()
    call.succeeds(Usage(100, 7, tokens_in_cached=60))
    plain, other = asking()
    other.succeeds(Usage(100, 7))
    assert ended(story)[0].usage == Usage(100, 7, tokens_in_cached=60) == ended(story)[0].used()
    assert (ended(plain)[0].usage, ended(plain)[0].used()) == (None, Usage(100, 7))


# Quotes

KINDS = st.lists(st.integers(0, 10**6), min_size=8, max_size=8)
RATES = st.integers(0, 10**12)


@given(counts=KINDS, rates=st.tuples(RATES, RATES), as_of_s=st.floats(0, 1e9))
def test_a_quote_for_the_very_usage_is_the_charge(counts, rates, as_of_s):
    usage = Usage(*counts)
    book = PriceBook({"gpt": (DatedPrice(*rates),)})
    assert book.quote_nusd("gpt", usage, as_of_s) == book.charge_nusd("gpt", usage, as_of_s)


@given(tokens_in=st.integers(0, 10**7), tokens_out=st.integers(1, 10**6), rates=st.tuples(RATES, RATES))
def test_what_is_ranked_by_is_what_will_be_billed(tokens_in, tokens_out, rates):
    book = PriceBook({"gpt": (DatedPrice(*rates),)})
    story = Story("gpt", "claude", strategy="cost", prices=book)
    story.call(tokens_in=tokens_in, tokens_out=tokens_out).sends_to("gpt").succeeds(
        Usage(tokens_in, tokens_out)
    )
    quoted = quote_nusd(Request("1", tokens_in), target("gpt"), tokens_out, book, 0.0)
    assert ended(story)[0].cost_nusd == quoted


def in_its_own(of: Target) -> int:
    """The same prompt is longer in the tokens of one of them."""
    return {"gpt": 1000, "claude": 1400}[of.name]


def test_a_prompt_is_quoted_in_the_tokens_of_each_target():
    story = Story(["claude", "gpt"], strategy="cost", prices=PRICES)
    story.call(tokens_in=1000, count=in_its_own).sends_to("gpt").leaves()
    assert ended(story)[0].tokens_in == 1000


def counted_by_nobody(of: Target) -> int:
    raise AssertionError(of)


def test_nothing_is_counted_where_nobody_asks_for_a_quote_or_knows_a_price():
    Story("gpt", prices=PRICES).call(count=counted_by_nobody).sends_to("gpt").succeeds(Usage(1, 1))
    Story(["gpt", "claude"], strategy="cost").call(count=counted_by_nobody).sends_to("gpt")


def test_a_bound_is_no_expectation():
    assert Request("1", tokens_out_max=9000).expected_out(256.0) == 256
    assert Request("1", tokens_out_max=90).expected_out(256.0) == 90
    assert Request("1", tokens_out=300, tokens_out_max=9000).expected_out(256.0) == 300
    assert Request("1").expected_out(256.9) == 256


def test_a_limit_counts_the_bound_as_providers_do():
    limited = target("gpt", tokens_per_minute=1000)
    story = Story(limited, "claude")
    story.call(tokens_in=100, tokens_out_max=800).sends_to("gpt")
    story.call(tokens_in=100, tokens_out_max=800).sends_to("claude")


def test_the_length_of_answers_is_learned_of_each_target_that_was_seen_often_enough():
    lengths = AnswerLengths()
    for _ in range(AnswerLengths.ENOUGH - 1):
        lengths.observe("thinker", 5000)
    assert lengths.at("thinker") == lengths.at("never seen") == lengths.overall.value
    lengths.observe("thinker", 5000)
    assert lengths.at("thinker") == 5000.0
    assert lengths.at("never seen") == lengths.overall.value < 5000.0


@given(st.lists(st.integers(0, 10**6), min_size=AnswerLengths.ENOUGH))
def test_a_learned_length_lies_between_what_was_seen(tokens):
    lengths = AnswerLengths()
    for each in tokens:
        lengths.observe("gpt", each)
    assert min(tokens) - 1e-6 <= lengths.at("gpt") <= max(tokens) + 1e-6


def test_who_writes_more_for_the_same_prompt_costs_more():
    story = Story(["thinker", "gpt"], strategy="cost", prices=PriceBook({"thinker": DOLLARS, "gpt": DOLLARS}))
    for _ in range(AnswerLengths.ENOUGH):
        story.learned.tokens_out["chat"].observe("thinker", 5000)
        story.learned.tokens_out["chat"].observe("gpt", 100)
    story.call(tokens_in=PROMPT).sends_to("gpt")
    assert story.learned.tokens_out["chat"].at("thinker") == 5000.0


def test_a_ranking_without_lengths_goes_by_one_length_for_all():
    route = Route("chat", chain_of("gpt"))
    ranking = Ranking(Request("1", 100), 7, PRICES, 0.0, lambda: 0.5)
    assert ranking.quote_nusd(Learned([route]).states["gpt"]) == 128_000
