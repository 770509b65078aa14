"""What all injections have in common: whom they hit, when, how many, and that they are pure functions."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from failover.cassettes.timing import Timing
from failover.chaos.injections import Images, Injection
from failover.chaos.scenario import scenario_json_schema
from failover.chaos.workload import Shape
from failover.chaos.world.chance import Chance
from failover.chaos.world.successes import Source, Success, Successes
from failover.chaos.world.world import World
from failover.core.prices import DatedPrice, PriceBook
from failover.core.vocabulary import FaultDomain, Target
from tests.drills.meetings import answer, asked, encounter, injected

KINDS = sorted(
    definition["properties"]["kind"]["const"]
    for definition in scenario_json_schema()["$defs"].values()
    if {"kind", "at_s"} <= definition.get("properties", {}).keys()
)
NEEDED: dict[str, dict[str, Any]] = {
    "price_change": {"factor": 2},
    "terms_change": {"terms": {"retention_days": 30}},
    "tokenizer_change": {"factor": 1.5},
    "capacity": {"rpm": 60},
}
"""What a kind cannot do without."""

FOR_EVERYBODY = frozenset({"price_change", "terms_change"})
"""Kinds that know no share."""

SHARED = [kind for kind in KINDS if kind not in FOR_EVERYBODY]
GPT = Target("gpt", "openai", "openai/gpt-5.6-luna", credential="ONE")
TWIN = Target("twin", "openai", "openai/gpt-5-mini", credential="ONE")
OTHER = Target("other", "openai", "openai/gpt-5-mini", credential="TWO")
EVERYWHERE = Target(
    "gpt-eu",
    provider="azure",
    model="azure/gpt-5.6-luna",
    region="eu-west",
    credential="AZURE_KEY",
    cloud="azure-cloud",
    edge="cloudflare",
)
SHARES = st.floats(0.05, 1.0)
TIMES = st.integers(0, 2_000_000).map(lambda ms: ms / 1000)
LENGTHS = st.integers(1, 500_000).map(lambda ms: ms / 1000)


def an(kind: str, **fields: Any) -> Injection:
    return injected(kind, **{**NEEDED.get(kind, {}), **fields})


# Whom it hits.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("domain", FaultDomain)
def test_every_kind_is_selected_by_every_fault_domain(kind, domain) -> None:
    name = EVERYWHERE.domain(domain)
    assert name
    assert an(kind, **{domain.value: name}).hits(EVERYWHERE)
    assert an(kind, **{domain.value: f"{name[:2]}*"}).hits(EVERYWHERE)
    assert not an(kind, **{domain.value: "nobody"}).hits(EVERYWHERE)


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_is_selected_by_two_domains_or_none(kind) -> None:
    for selectors in ({}, {"provider": "openai", "region": "us"}):
        with pytest.raises(ValidationError, match="exactly one of"):
            type(an(kind)).model_validate({"kind": kind, **NEEDED.get(kind, {}), **selectors})


# When, and how many.


class Told:
    """Every target answers in a second."""

    def of(self, target: Target, shape: Shape, *, stream: bool) -> Successes:
        image = answer("openai", stream=stream).image
        return Successes(Source.SYNTHETIC, (Success(image, Timing(None, 1.0)),))


def world(*injections: Injection, seed: int = 1) -> World:
    return World(Chance(seed), (GPT, TWIN, OTHER), Told(), injections, PriceBook({}))


def hit(
    within: World, request: int = 1, target: Target = GPT, ask: int = 1, tenant: str = "", at_s: float = 5.0
) -> bool:
    return within.exchange(target, asked(request, tenant), ask, at_s, stream=False).total_s != 1.0


@given(
    share=SHARES,
    seed=st.integers(0, 2**32),
    sticky=st.sampled_from(["attempt", "request", "tenant", "account"]),
)
def test_the_same_key_has_the_same_fate(share, seed, sticky) -> None:
    """A second ask of a request, another request of a tenant, another target of an account."""
    found = world(an("outage", share=share, sticky=sticky), seed=seed)
    again = world(an("outage", share=share, sticky=sticky), seed=seed)
    assert hit(found) == hit(again)
    if sticky == "request":
        assert hit(found, ask=1) == hit(found, ask=2)
    if sticky == "tenant":
        assert hit(found, request=1, tenant="7") == hit(found, request=2, tenant="7", ask=2)
    if sticky == "account":
        assert hit(found, target=GPT, request=1, tenant="7") == hit(found, target=TWIN, request=2)


def fates(sticky: str, share: float) -> list[bool]:
    """Of 800 keys of this stickiness, each with a draw of its own."""
    found = world(an("outage", share=share, sticky=sticky))
    match sticky:
        case "attempt":
            return [hit(found, request=number // 2, ask=1 + number % 2) for number in range(800)]
        case "request":
            return [hit(found, request=number) for number in range(800)]
        case "tenant":
            return [hit(found, request=1, tenant=str(number)) for number in range(800)]
        case _:
            worlds = (world(an("outage", share=share, sticky=sticky), seed=seed) for seed in range(800))
            return [hit(each) for each in worlds]


@pytest.mark.parametrize("sticky", ["attempt", "request", "tenant", "account"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_share_is_right_over_many_keys(sticky, share) -> None:
    assert sum(fates(sticky, share)) / 800 == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("sticky", ["attempt", "request", "tenant", "account"])
def test_a_larger_share_hits_the_same_keys_and_more(sticky) -> None:
    fewer, more = fates(sticky, 0.3), fates(sticky, 0.6)
    assert all(also for one, also in zip(fewer, more, strict=True) if one)
    assert sum(more) > sum(fewer)


def test_accounts_are_told_apart_by_provider_and_credential() -> None:
    found = [world(an("outage", share=0.5, sticky="account"), seed=seed) for seed in range(60)]
    assert any(hit(each, target=GPT) != hit(each, target=OTHER) for each in found)


def test_a_share_of_attempts_differs_from_ask_to_ask() -> None:
    found = world(an("outage", share=0.5))
    assert {hit(found, ask=ask) for ask in range(1, 20)} == {True, False}


@pytest.mark.parametrize("kind", SHARED)
@given(at_s=TIMES, for_s=LENGTHS, share=SHARES, ramp_s=LENGTHS, now=TIMES)
def test_a_share_never_leaves_its_time_and_its_bound(kind, at_s, for_s, share, ramp_s, now) -> None:
    injection = an(kind, at_s=at_s, for_s=for_s, share=share, ramp_s=ramp_s)
    assert 0.0 <= injection.share_at(now) <= share
    if not at_s <= now < injection.ends_s:
        assert injection.share_at(now) == 0.0


# The oracle looks only where an attempt may begin to fare better.


def _fares_better(kind: str, injection: Injection, before_s: float, after_s: float) -> bool:
    """Whether some attempt that met the worse at `before_s` meets the better at `after_s`."""
    before, after = injection.share_at(before_s), injection.share_at(after_s)
    return after > before if kind == "improving" else after < before


@pytest.mark.parametrize("kind", [*SHARED, "improving"])
@given(data=st.data())
def test_between_two_turns_no_attempt_fares_better(kind, data) -> None:
    """A kind whose share falls, or that does good, must say when: else a router could beat the oracle."""
    fields: dict[str, Any] = {"at_s": data.draw(TIMES), "share": data.draw(SHARES)}
    if data.draw(st.booleans()):
        fields["for_s"] = data.draw(LENGTHS)
    if kind == "flap":
        fields |= {"down_s": data.draw(LENGTHS), "up_s": data.draw(LENGTHS)}
    if kind != "improving":
        fields["ramp_s"] = data.draw(st.just(0.0) | LENGTHS)
        injection = an(kind, **fields)
    else:
        injection = an("tokenizer_change", **{**fields, "factor": 0.5})
    since_s, until_s = sorted((data.draw(TIMES), data.draw(TIMES)))
    assume(since_s < until_s)
    turns_s = [turn for turn in injection.turns_s(since_s, until_s + 1.0) if turn <= until_s]
    assert all(since_s < turn for turn in turns_s)
    if not turns_s:
        assert not _fares_better(kind, injection, since_s, until_s)


@given(at_s=TIMES, down_s=LENGTHS, up_s=LENGTHS, since_s=TIMES)
def test_at_each_turn_of_a_flap_it_is_up(at_s, down_s, up_s, since_s) -> None:
    flap = an("flap", at_s=at_s, down_s=down_s, up_s=up_s)
    turns_s = flap.turns_s(since_s, since_s + 2.5 * (down_s + up_s))
    assert len(turns_s) == len(set(turns_s))
    assert all(flap.share_at(round(turn, 6)) == 0.0 for turn in turns_s)


def test_a_flap_turns_at_each_coming_up_and_at_its_end() -> None:
    flap = an("flap", at_s=10, for_s=50, down_s=20, up_s=10)
    assert flap.turns_s(0, 100) == (30, 60)
    assert flap.turns_s(30, 60) == ()
    assert an("flap", at_s=10, down_s=20, up_s=10).turns_s(31, 125) == (60, 90, 120)


# Pure functions.


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_arguments_give_the_very_same_image_and_nothing_is_touched(kind, stream) -> None:
    """Outcomes are found out once for each image, by its identity."""
    injection, images = an(kind), Images()
    before = injection.model_copy(deep=True)
    good = answer("openai", stream=stream)
    untouched = copy.deepcopy(good.image.reply)
    first = injection.change(good, encounter("openai", stream=stream, images=images))
    again = injection.change(good, encounter("openai", stream=stream, images=images))
    assert first == again
    assert first.image is again.image
    assert good.image.reply == untouched
    assert injection == before


@pytest.mark.parametrize("kind", KINDS)
def test_two_that_differ_in_what_they_do_share_no_image(kind) -> None:
    """The same table of images serves all injections of a world."""
    differing = {
        "truncated_stream": [{"after_share": 0.2}, {"after_share": 0.8}, {"as": "reset"}],
        "in_band_error": [{"as": "429"}, {"as": "529"}, {"after_share": 0.2}],
        "malformed_reply": [{"as": "html"}, {"as": "garbled"}, {"as": "empty"}],
        "empty_reply": [{"as": "text"}, {"as": "choices"}],
        "tokenizer_change": [{"factor": 1.5}, {"factor": 3}],
        "wrong_model": [{"served": "one"}, {"served": "two"}],
        "content_filter": [{"as": "answer"}, {"as": "prompt"}],
    }.get(kind, [])
    images = Images()
    at = encounter("openai", stream=True, images=images)
    good = answer("openai", stream=True)
    bodies = [an(kind, **fields).change(good, at).image.reply for fields in differing]
    assert len({each.body for each in bodies if each is not None}) == len(differing)


@pytest.mark.parametrize("kind", KINDS)
def test_what_never_got_an_answer_stays_without_one_or_fails_otherwise(kind) -> None:
    """Two injections at once: one that ended the connection, then this one."""
    reset = injected("outage", **{"as": "reset"}).change(
        answer("openai", stream=True), encounter("openai", stream=True)
    )
    after = an(kind).change(reset, encounter("openai", stream=True))
    assert after.image.reply is None or after.image.reply.status >= 400


# Nonsense.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "nonsense",
    [
        *({"at_s": -1}, {"for_s": 0}, {"for_s": -5}, {"ramp_s": -1}, {"share": 0}, {"share": 1.5}),
        *({"sticky": "sometimes"}, {"colour": "red"}, {"at_s": "soon"}),
    ],
    ids=lambda nonsense: "-".join(map(str, *nonsense.items())),
)
def test_no_kind_takes_nonsense(kind, nonsense) -> None:
    with pytest.raises(ValidationError):
        an(kind, **nonsense)


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("capacity", {"rpm": None}, "limits something: set rpm, tpm or concurrency"),
        ("capacity", {"refusal_share": 1.1}, "less than or equal to 1"),
        ("capacity", {"concurrency": 0}, "greater than or equal to 1"),
        ("cold_standby", {"as": "lukewarm"}, "'locked', 'slow' or 'ramp'"),
        ("cold_standby", {"double_s": 0}, "greater than 0"),
        ("deprecation", {"shape": "redirect"}, "names the model that answers: successor"),
        ("deprecation", {"shape": "alias_moved"}, "names the model that answers: successor"),
        ("deprecation", {"shape": "silent_downgrade"}, "names the model that answers: successor"),
        ("deprecation", {"successor": "next"}, "has no successor that answers: leave it out"),
        ("deprecation", {"price_factor": 2}, "changes no price: leave out price_factor"),
        (
            "deprecation",
            {"shape": "silent_downgrade", "successor": "next", "price_factor": 2},
            "changes no price",
        ),
        (
            "deprecation",
            {"shape": "redirect", "successor": "next", "price_factor": 2, "share": 0.5},
            "changes the price for everybody at once",
        ),
        ("price_change", {"share": 0.5}, "changes the price for everybody at once"),
        ("tokenizer_change", {"factor": 0}, "greater than 0"),
        ("tokenizer_change", {"factor": 0.5, "ramp_s": 5}, "leave out ramp_s"),
        ("truncated_stream", {"after_share": 1}, "less than 1"),
        ("in_band_error", {"as": "404"}, "'429', '500', '503' or '529'"),
        ("flap", {"down_s": 0}, "greater than 0"),
        ("stall", {"pause_s": 0}, "greater than 0"),
        ("brownout", {"error_share": 2}, "less than or equal to 1"),
        ("brownout", {"factor": 0.5}, "greater than or equal to 1"),
        ("wrong_model", {"served": ""}, "at least 1 character"),
        ("quota_exhausted", {"as": "poverty"}, "'quota' or 'spend_cap'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(kind, fields, said) -> None:
    with pytest.raises(ValidationError) as refused:
        an(kind, **fields)
    assert said in str(refused.value)


# What single kinds leave to chance, to price, and to time.


def test_a_brownout_fails_so_many_of_those_it_hits_and_slows_the_others() -> None:
    found = world(an("brownout", error_share=0.25, factor=4))
    took = [found.exchange(GPT, asked(number), 1, 0.0, stream=False).total_s for number in range(1_000)]
    assert set(took) == {0.08, 4.0}
    assert took.count(0.08) / 1_000 == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize("shape", ["redirect", "alias_moved"])
def test_a_successor_that_answers_bills_its_own_price(shape) -> None:
    moved = an("deprecation", shape=shape, successor="next", price_factor=2.5)
    assert moved.changes_prices
    assert moved.reprice(DatedPrice(100, 300)) == DatedPrice(250, 750)


@pytest.mark.parametrize("shape", ["hard_error", "access_narrowed", "parameter_removed"])
def test_a_retirement_that_refuses_changes_no_price(shape) -> None:
    assert not an("deprecation", shape=shape).changes_prices


def test_a_stall_is_a_silence_after_the_first_token() -> None:
    good = answer("openai", stream=True)
    paused = an("stall", pause_s=7).change(good, encounter("openai", stream=True))
    assert (paused.first_token_s, paused.pause_s, paused.total_s) == (0.5, 7.0, 9.0)
    for_ever = an("stall").change(good, encounter("openai", stream=True))
    assert for_ever.total_s == float("inf")


def test_a_slow_answer_with_a_silence_in_it_keeps_its_silence() -> None:
    at = encounter("openai", stream=True)
    paused = an("stall", pause_s=7).change(answer("openai", stream=True), at)
    slow = an("slowdown", factor=2).change(paused, at)
    assert (slow.first_token_s, slow.pause_s, slow.total_s) == (1.0, 7.0, 11.0)
