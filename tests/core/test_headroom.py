"""What is left of a quota: what a reading is worth, for how long, and for whom."""

from __future__ import annotations

from collections import Counter as Tally

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.controls import reset, successor
from failover.core.headroom import BELIEVED_S, UNTOLD_RESET_S, Counted, Headroom, Quota, QuotaWindow
from failover.core.messages import FirstToken, Succeeded
from failover.core.vocabulary import Target, Usage
from tests.core.school import BIG, BIG_EU, BIG_OTHER_KEY, SMALL, School
from tests.core.story import RATE_LIMITED, Story, target

ALL = pytest.approx(1.0)


def left(remaining, limit=100, resets_in_s=60.0, counted=Counted.REQUESTS, name="requests"):
    """A reading of one window."""
    return Headroom((QuotaWindow(name, counted, remaining, limit, resets_in_s),))


def told(*readings, now=0.0):
    """A quota whose first answer said that."""
    quota = Quota()
    mark = quota.count(0, 0, now)
    for reading in readings:
        quota.take_in(reading, mark, now)
    return quota


# A reading.


def test_of_a_quota_nobody_told_of_nothing_is_known():
    assert Quota().share(0.0) is None


def test_the_share_is_what_is_left_of_the_limit():
    assert told(left(25)).share(0.0) == 0.25


def test_of_several_windows_the_scarcest_counts():
    quota = told(left(90), left(300, 1000, counted=Counted.TOKENS, name="tokens"))
    assert quota.share(0.0) == 0.3


def test_a_newer_reading_replaces_an_older_one():
    quota = told(left(90))
    quota.take_in(left(50), quota.count(0, 0, 1.0), 1.0)
    assert quota.share(1.0) == 0.5


def test_what_was_sent_since_counts_against_it():
    quota = told(left(50))
    for _ in range(10):
        quota.count(0, 0, 1.0)
    assert quota.share(1.0) == 0.4


@pytest.mark.parametrize(
    ("counted", "share"),
    [
        (Counted.TOKENS, 0.2),
        (Counted.INPUT_TOKENS, 0.3),
        (Counted.OUTPUT_TOKENS, 0.4),
        (Counted.REQUESTS, 0.49),
    ],
)
def test_a_window_counts_what_it_counts(counted, share):
    quota = told(left(50, counted=counted))
    quota.count(20, 10, 1.0)
    assert quota.share(1.0) == share


def test_answers_that_overtake_each_other_do_not_bring_back_what_is_used_up():
    quota = Quota()
    first, second = quota.count(0, 0, 0.0), quota.count(0, 0, 0.1)
    quota.take_in(left(10), second, 1.0)
    quota.take_in(left(60), first, 1.1)
    assert quota.share(1.2) == 0.1


def test_an_answer_is_read_as_of_its_request_not_as_of_its_arrival():
    quota = told(left(90))
    mark = quota.count(0, 0, 1.0)
    for _ in range(5):
        quota.count(0, 0, 1.5)
    quota.take_in(left(50), mark, 2.0)
    assert quota.share(2.0) == 0.45


def test_when_its_reset_comes_a_window_is_full_again():
    quota = told(left(0, resets_in_s=20.0))
    assert quota.share(19.9) == 0.0
    assert quota.share(20.0) == ALL


def test_what_is_sent_after_the_reset_counts_against_the_new_window():
    quota = told(left(0, resets_in_s=20.0))
    for _ in range(30):
        quota.count(0, 0, 25.0)
    assert quota.share(25.0) == 0.7
    assert quota.share(25.0 + UNTOLD_RESET_S) == ALL


def test_a_reading_of_the_new_window_replaces_what_was_counted():
    quota = told(left(0, resets_in_s=20.0))
    mark = quota.count(0, 0, 25.0)
    quota.take_in(left(40), mark, 26.0)
    assert quota.share(26.0) == 0.4


def test_without_a_reset_a_reading_is_forgotten_after_a_minute():
    quota = told(left(5, resets_in_s=None))
    assert quota.share(UNTOLD_RESET_S - 0.1) == 0.05
    assert quota.share(UNTOLD_RESET_S) is None
    quota.count(0, 0, UNTOLD_RESET_S)
    assert quota.share(UNTOLD_RESET_S) is None


def test_a_day_is_not_believed_for_a_day():
    quota = told(left(0, resets_in_s=86_400.0))
    assert quota.share(BELIEVED_S - 0.1) == 0.0
    assert quota.share(BELIEVED_S) is None
    assert quota.spent_until_s == BELIEVED_S


def test_without_a_limit_the_most_that_was_ever_left_stands_for_it():
    quota = told(left(80, limit=None))
    assert quota.share(0.0) == ALL
    quota.take_in(left(20, limit=None), quota.count(0, 0, 1.0), 1.0)
    assert quota.share(1.0) == 0.25


@pytest.mark.parametrize("limit", [0, None])
def test_of_nothing_nothing_is_left(limit):
    assert told(left(0, limit=limit)).share(0.0) == 0.0


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 50), st.floats(0.0, 1e7))
def test_a_share_is_a_share_whatever_is_told(remaining, limit, sends, now):
    quota = told(left(remaining, limit))
    for _ in range(sends):
        quota.count(1000, 1000, now)
    share = quota.share(now)
    assert share is None or 0.0 <= share <= 1.0


@given(st.integers(1, 100), st.integers(0, 120))
def test_the_more_is_sent_the_less_is_left(remaining, sends):
    quota, shares = told(left(remaining)), []
    for _ in range(sends):
        shares.append(quota.share(1.0))
        quota.count(0, 0, 1.0)
    assert shares == sorted(shares, reverse=True)


# When nothing is left.


def test_a_quota_is_spent_until_its_reset():
    assert told(left(0, resets_in_s=20.0)).spent_until_s == 20.0
    assert told(left(1, resets_in_s=20.0)).spent_until_s == 0.0


def test_the_last_request_that_was_left_spends_it():
    quota = told(left(1, resets_in_s=20.0))
    quota.count(0, 0, 1.0)
    assert quota.spent_until_s == 20.0


def test_tokens_are_spent_when_the_provider_says_so_and_not_by_our_estimate():
    quota = told(left(10, counted=Counted.TOKENS))
    quota.count(500, 500, 1.0)
    assert quota.share(1.0) == 0.0
    assert quota.spent_until_s == 0.0
    assert told(left(0, counted=Counted.TOKENS)).spent_until_s == 60.0


def test_without_a_known_reset_nothing_is_spent():
    assert told(left(0, resets_in_s=None)).spent_until_s == 0.0


def test_a_window_that_was_only_counted_after_its_reset_is_not_spent():
    quota = told(left(0, limit=1, resets_in_s=20.0))
    quota.count(0, 0, 25.0)
    quota.count(0, 0, 25.0)
    assert quota.share(25.0) == 0.0
    assert quota.spent_until_s == 0.0


def test_what_speaks_against_a_quota_can_be_forgotten():
    quota = told(left(0))
    quota.forget()
    assert (quota.share(0.0), quota.spent_until_s) == (None, 0.0)


# Whom it counts for.


def test_who_shares_key_and_model_shares_the_quota():
    twin = target("twin", provider=BIG.provider, model=BIG.model, credential=BIG.credential, region="jp")
    school = School(BIG, BIG_OTHER_KEY, BIG_EU, SMALL, twin)
    permit = school.asks("big")
    big = school.state("big")
    school.learned.counting.take_in(big.quota, permit.tally, left(30), 0.0)
    shares = {name: state.quota.share(0.0) for name, state in school.learned.states.items()}
    assert {name for name, share in shares.items() if share is not None} == {"big", "twin"}


def test_plain_functions_share_no_quota():
    one, other = Target("one", "local", callable="one"), Target("other", "local", callable="other")
    school = School(one, other)
    assert school.state("one").quota is not school.state("other").quota


# Ranking.


def headroom_story(*names, **facts):
    return Story(list(names), strategy="headroom", rng=iter([0.5] * 10_000).__next__, **facts)


def tells(story, name, remaining, **facts):
    """An answer of that target said so."""
    state = story.state(name)
    permit = story.learned.acquire(state, story.now)
    story.learned.counting.take_in(state.quota, permit.tally, left(remaining, **facts), story.now)
    story.learned.abandon(state, permit, story.now)


def order_of(story):
    call = story.call()
    order = [each.name for each in call.call._candidates._order]  # noqa: SLF001  the order is what is ranked
    call.leaves()
    return order


def test_the_most_room_leads():
    story = headroom_story("gpt", "claude", "mistral")
    for name, remaining in {"gpt": 10, "claude": 90, "mistral": 50}.items():
        tells(story, name, remaining)
    assert order_of(story) == ["claude", "mistral", "gpt"]


def test_an_unknown_room_counts_as_the_median():
    story = headroom_story("new", "gpt", "claude", "mistral")
    for name, remaining in {"gpt": 10, "claude": 90, "mistral": 50}.items():
        tells(story, name, remaining)
    order = order_of(story)
    assert order.index("claude") < order.index("new") < order.index("gpt")


def test_who_is_unknown_goes_before_who_has_nothing_left():
    story = headroom_story("gpt", "new")
    tells(story, "gpt", 0, resets_in_s=None)
    assert order_of(story) == ["new", "gpt"]


def test_equals_share_the_requests():
    draws = iter([0.1, 0.9] * 100 + [0.9, 0.1] * 100).__next__
    story = Story(["gpt", "claude"], strategy="headroom", rng=draws)
    leads = Tally(order_of(story)[0] for _ in range(150))
    assert min(leads["gpt"], leads["claude"]) >= 30


SHARES = st.lists(st.none() | st.integers(0, 100), min_size=2, max_size=6)


@given(SHARES)
def test_a_known_empty_one_never_goes_before_one_with_room(remaining):
    names = [f"target-{turn}" for turn in range(len(remaining))]
    story = headroom_story(*names)
    for name, each in zip(names, remaining, strict=True):
        if each is not None:
            tells(story, name, each)
    empty = [remaining[names.index(name)] == 0 for name in order_of(story)]
    assert empty == sorted(empty)


def test_nobody_is_starved_by_others_with_room():
    story = headroom_story("gpt", "claude", "mistral")
    served = Tally()
    limits = {"gpt": 1000, "claude": 100, "mistral": 10}
    for _ in range(400):
        call = story.call()
        name = call.wanted[0].target.name
        served[name] += 1
        said = left(limits[name] - served[name] % limits[name], limits[name])
        call.hears(Succeeded(1, Usage(1, 1), headroom=said))
        story.after(0.5)
    assert min(served.values()) >= 4, served


# The story of a quota that runs out.


def answers(call, name, remaining, **facts):
    """It is asked, and its answer says what is left."""
    return call.sends_to(name).hears(Succeeded(call.send.attempt, headroom=left(remaining, **facts)))


def test_headroom_moves_on_before_any_refusal():
    story = headroom_story("gpt", "claude")
    tells(story, "gpt", 100)
    tells(story, "claude", 45)
    for remaining in (80, 60, 40):
        answers(story.after(0.1).call(), "gpt", remaining)
    answers(story.call(), "claude", 44)
    story.call().sends_to("claude").succeeds()
    assert "cooldown_started" not in story.told()


def test_whoever_has_nothing_left_is_asked_last_whatever_the_strategy():
    story = Story("gpt", "claude")
    answers(story.call(), "gpt", 0, resets_in_s=20.0)
    story.after(1.0).call().sends_to("claude").succeeds()
    story.after(20.0).call().sends_to("gpt").succeeds()


def test_it_is_still_there_when_the_others_fail():
    story = Story("gpt", "claude")
    answers(story.call(), "gpt", 0, resets_in_s=20.0)
    story.call().sends_to("claude").fails(RATE_LIMITED, retry_after_s=9.0).sends_to("gpt").succeeds()


def test_a_spent_quota_in_the_middle_of_the_order_is_passed_by_too():
    story = Story("gpt", "claude", "mistral")
    tells(story, "claude", 0)
    assert order_of(story) == ["gpt", "mistral", "claude"]


def test_where_everybody_is_spent_the_order_stands():
    story = Story("gpt", "claude")
    tells(story, "gpt", 0)
    tells(story, "claude", 0)
    assert order_of(story) == ["gpt", "claude"]


def test_where_nobody_else_is_known_to_work_the_order_stands():
    story = Story("gpt", "claude").opens_the_breaker_of("claude", 1.0).after(1.0)
    tells(story, "gpt", 0)
    assert order_of(story) == ["gpt", "claude"]


def test_who_is_on_its_ramp_stands_before_who_is_spent():
    story = Story("gpt", "claude", "mistral")
    tells(story, "claude", 0)
    story.state("gpt").ramp.begin(story.now)
    assert order_of(story) == ["mistral", "gpt", "claude"]


def test_a_refusal_tells_what_is_left_too():
    story = Story("gpt", "claude")
    call = story.call().sends_to("gpt")
    call.fails(RATE_LIMITED, headroom=left(0, resets_in_s=50.0), retry_after_s=5.0).sends_to(
        "claude"
    ).succeeds()
    story.after(6.0).call().sends_to("claude").succeeds()


def test_a_stream_tells_with_its_first_token():
    story = Story("gpt")
    call = story.call(stream=True).sends_to("gpt")
    call.hears(FirstToken(1, headroom=left(40)))
    assert story.state("gpt").quota.share(story.now) == 0.4


def test_the_tokens_of_a_request_count_from_when_it_is_sent():
    story = Story("gpt")
    tells(story, "gpt", 1000, limit=1000, counted=Counted.TOKENS)
    story.call(tokens_in=300, tokens_out=200).sends_to("gpt")
    assert story.state("gpt").quota.share(story.now) == 0.5


def test_an_operators_reset_forgets_it():
    story = Story("gpt", "claude")
    tells(story, "gpt", 0)
    reset(story.learned, story.state("gpt"), story.now)
    assert order_of(story) == ["gpt", "claude"]


def test_a_reading_outlives_another_config():
    story = Story("gpt", "claude")
    tells(story, "gpt", 30)
    changed = Story(target("gpt", weight=2.0), "claude")
    after = successor(story.learned, [changed.route], story.now)
    assert after.states["gpt"] is not story.state("gpt")
    assert after.states["gpt"].quota.share(story.now) == 0.3
    assert after.counting.is_on
