"""Terms: dated, said key by key, and held against what data require. What is not said is not met."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.core.terms import (
    ANYBODY,
    DAY_S,
    RULES,
    SAID,
    Requirement,
    Terms,
    in_force,
    objections,
    stale_from_s,
)


def words(*each: str) -> frozenset[str]:
    return frozenset(each)


GOOD = Terms(
    retention_days=0,
    trains_on_data=False,
    dpa=True,
    residency=words("eu"),
    agreements=words("baa", "zdr"),
    certifications=words("soc2"),
    owned_from=words(),
    callers_in=words("cn"),
    sectors=words(),
    reviewed_s=0.0,
)
STRICT = Requirement(
    retention_days=0,
    trains_on_data=False,
    dpa=True,
    residency=words("eu", "uk"),
    agreements=words("zdr"),
    certifications=words("soc2"),
    owned_from=words("de"),
    callers_in=words("de"),
    sectors=words("bank"),
    providers_allowed=words("acme"),
    providers_barred=words("other"),
    reviewed_within_days=365,
)


def why(
    terms: Terms, requirement: Requirement, as_of_s: float = 0.0, provider: str = "acme"
) -> tuple[str, ...]:
    return objections(provider, terms, requirement, as_of_s)


def test_who_meets_all_that_is_required_may_have_the_data():
    assert why(GOOD, STRICT) == ()


def test_a_requirement_of_nothing_is_met_by_terms_that_say_nothing():
    assert why(Terms(), ANYBODY) == ()
    assert ANYBODY.is_empty
    assert not STRICT.is_empty


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.key)
def test_what_is_required_and_not_said_is_not_met(rule):
    requirement = Requirement(**{rule.key: getattr(STRICT, rule.key)})
    assert why(GOOD, requirement) == ()
    assert why(Terms(), requirement) == (f"its terms say nothing of {rule.about}",)


@pytest.mark.parametrize(
    ("said", "asked", "words_of_it"),
    [
        ({"retention_days": 30}, {"retention_days": 0}, "retention 30 days, at most 0 days allowed"),
        ({"retention_days": inf}, {"retention_days": 1}, "retention without end, at most 1 day allowed"),
        ({"trains_on_data": True}, {"trains_on_data": False}, "it trains on data"),
        ({"dpa": False}, {"dpa": True}, "there is no data processing agreement"),
        (
            {"residency": words("us", "eu")},
            {"residency": words("eu")},
            "data may lie in eu, us, only eu is allowed",
        ),
        ({"agreements": words("scc")}, {"agreements": words("zdr", "baa")}, "without the agreement baa, zdr"),
        ({"certifications": words()}, {"certifications": words("soc2")}, "without the certification soc2"),
        ({"owned_from": words("cn", "ru")}, {"owned_from": words("cn")}, "it bars those owned from cn"),
        ({"callers_in": words("cn")}, {"callers_in": words("cn", "de")}, "it bars callers in cn"),
        ({"sectors": words("us_federal")}, {"sectors": words("us_federal")}, "it bars the sector us_federal"),
    ],
)
def test_each_objection_says_precisely_what_is_wrong(said, asked, words_of_it):
    assert why(Terms(**said), Requirement(**asked)) == (words_of_it,)


def test_a_provider_may_be_barred_or_not_be_among_the_allowed():
    assert why(Terms(), Requirement(providers_barred=words("acme"))) == ("the provider acme is barred",)
    allowed = Requirement(providers_allowed=words("b", "a"))
    assert why(Terms(), allowed) == ("the provider acme is not one of a, b",)


@pytest.mark.parametrize(
    ("day", "is_fresh"), [(0, True), (364, True), (365, False), (400, False), (-5, True)]
)
def test_a_review_counts_for_so_many_days(day, is_fresh):
    requirement = Requirement(reviewed_within_days=365)
    found = why(Terms(reviewed_s=0.0), requirement, day * DAY_S)
    assert (found == ()) is is_fresh
    if not is_fresh:
        assert found == ("its terms were reviewed on 1970-01-01, more than 365 days ago",)


def test_terms_that_nobody_ever_reviewed_are_stale_for_ever():
    requirement = Requirement(reviewed_within_days=365)
    assert stale_from_s(Terms(), requirement) == -inf
    assert stale_from_s(Terms(), ANYBODY) == inf
    assert why(Terms(), requirement) == ("its terms were never reviewed",)


def test_every_objection_is_told_not_only_the_first():
    assert len(why(Terms(), STRICT, provider="other")) == len(RULES) + 3


def test_of_the_terms_in_force_the_last_that_says_something_wins_key_by_key():
    provider = Terms(retention_days=0, dpa=True)
    from_ten = Terms(retention_days=30, valid_from_s=10.0, valid_to_s=20.0)
    layers = (provider, from_ten)
    assert [in_force(layers, at_s).retention_days for at_s in (9.9, 10.0, 19.9, 20.0)] == [0, 30, 30, 0]
    assert in_force(layers, 15.0).dpa is True
    assert in_force((), 0.0) == Terms()


LAYERS = st.lists(
    st.builds(
        Terms,
        retention_days=st.sampled_from([None, 0, 30]),
        trains_on_data=st.sampled_from([None, True, False]),
        residency=st.sampled_from([None, words("eu"), words("eu", "us")]),
        valid_from_s=st.sampled_from([-inf, 0.0, 10.0]),
        valid_to_s=st.sampled_from([5.0, 15.0, inf]),
    ),
    max_size=4,
)


@given(layers=LAYERS, at_s=st.sampled_from([-1.0, 0.0, 7.0, 12.0, 20.0]))
def test_whatever_is_in_force_was_said_by_the_last_layer_that_says_it(layers, at_s):
    found = in_force(tuple(layers), at_s)
    for name in SAID:
        told = [getattr(each, name) for each in layers if each.covers(at_s)]
        told = [value for value in told if value is not None]
        assert getattr(found, name) == (told[-1] if told else None)


@given(layers=LAYERS, at_s=st.sampled_from([0.0, 12.0]))
def test_to_say_less_never_allows_more(layers, at_s):
    """Fail closed: leaving any key out of the terms removes no objection that is about another one."""
    requirement = Requirement(retention_days=0, trains_on_data=False, residency=words("eu"))
    terms = in_force(tuple(layers), at_s)
    less = Terms(trains_on_data=terms.trains_on_data, residency=terms.residency)
    assert len(why(less, requirement)) >= len(why(terms, requirement))
