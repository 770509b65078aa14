"""Injections: whom they hit, when, how many; what each changes of an exchange, and what it leaves."""

from __future__ import annotations

import json
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from failover.adapters.wire import ConnectionFault, WireReply
from failover.chaos.injections import Encounter, Images, Injection
from failover.chaos.scenario import scenario_json_schema
from failover.chaos.world.image import Exchange, Image
from failover.chaos.world.wire_shapes import error_image
from failover.core.prices import DatedPrice
from failover.core.vocabulary import FaultDomain, Target
from tests.drills.worlds import GPT, ROOT, asked, injection, world

PAGE = ROOT / "docs" / "scenarios.md"
ANSWER = Exchange(Image("recorded", reply=WireReply(200, {"x-request-id": "1"}, b"{}")), 1.0, 3.0)
WHOLE, STREAMED = (Encounter(GPT, asked(), stream, Images()) for stream in (False, True))
EVERYWHERE = Target(
    "gpt-eu",
    provider="azure",
    model="azure/gpt-5.6-luna",
    region="eu-west",
    credential="AZURE_KEY",
    cloud="azure-cloud",
    edge="cloudflare",
)
KINDS = {
    definition["properties"]["kind"]["const"]: definition["properties"].keys()
    for definition in scenario_json_schema()["$defs"].values()
    if {"kind", "at_s"} <= definition.get("properties", {}).keys()
}
EXAMPLES = {
    "outage": {"as": "503"},
    "slowdown": {"factor": 2},
    "rate_limit": {"retry_after_s": 3},
    "deprecation": {},
    "price_change": {"factor": 2},
    "terms_change": {"terms": {"retention_days": 30}},
}


def an(kind: str, **fields: object) -> Injection:
    return injection(kind, provider="*", **{**EXAMPLES[kind], **fields})


# Whom it hits.


@pytest.mark.parametrize(
    ("domain", "pattern", "hit"),
    [
        ("provider", "azure", True),
        ("provider", "az*", True),
        ("provider", "openai", False),
        ("target", "gpt-eu", True),
        ("target", "gpt-*", True),
        ("target", "azure/*", True),
        ("target", "azure/gpt-eu", True),
        ("target", "azure/gpt-5.6-luna", True),
        ("target", "openai/*", False),
        ("target", "gpt", False),
        ("model", "azure/gpt-5.6-luna", True),
        ("model", "gpt-5.6-luna", True),
        ("model", "gpt-5*", True),
        ("model", "claude*", False),
        ("region", "eu-west", True),
        ("region", "eu-*", True),
        ("region", "us-*", False),
        ("cloud", "azure-cloud", True),
        ("cloud", "aws", False),
        ("edge", "cloudflare", True),
        ("edge", "fastly", False),
        ("credential", "AZURE_KEY", True),
        ("credential", "azure_key", False),
    ],
)
def test_a_selector_names_a_fault_domain(domain, pattern, hit) -> None:
    assert injection("deprecation", **{domain: pattern}).hits(EVERYWHERE) is hit


@pytest.mark.parametrize("domain", sorted(set(FaultDomain) - {FaultDomain.TARGET, FaultDomain.PROVIDER}))
def test_who_names_no_domain_is_hit_by_none_of_its_kind(domain) -> None:
    assert not injection("deprecation", **{domain.value: "*"}).hits(Target("bare", "openai"))


@pytest.mark.parametrize("selectors", [{}, {"provider": "openai", "region": "us"}])
def test_exactly_one_selector_is_asked_for(selectors) -> None:
    with pytest.raises(ValidationError, match="exactly one of: target, provider, model"):
        injection("deprecation", **selectors)


def test_a_selector_is_told_in_a_pair_of_words() -> None:
    assert injection("deprecation", edge="cloud*").selector == "edge cloud*"


# When, and how many.


@pytest.mark.parametrize(("at_s", "share"), [(0, 0), (9.999, 0), (10, 1), (29.999, 1), (30, 0), (1e9, 0)])
def test_it_lasts_from_at_s_for_for_s(at_s, share) -> None:
    assert an("outage", at_s=10, for_s=20).share_at(at_s) == share


def test_without_for_s_it_lasts_for_ever() -> None:
    for_ever = an("outage", at_s=10)
    assert for_ever.ends_s == inf
    assert for_ever.share_at(1e12) == 1.0


@pytest.mark.parametrize(("at_s", "share"), [(10, 0.0), (15, 0.2), (20, 0.4), (29, 0.4), (30, 0.0)])
def test_a_ramp_grows_evenly_to_the_share(at_s, share) -> None:
    assert an("outage", at_s=10, for_s=20, share=0.4, ramp_s=10).share_at(at_s) == pytest.approx(share)


def hit_by(share: float, seed: int = 1, ramp_s: float = 0.0) -> list[bool]:
    shared = world(GPT, inject=[an("outage", share=share, ramp_s=ramp_s)], seed=seed)
    return [
        shared.exchange(GPT, asked(str(number)), 1, 5.0, stream=False).total_s != 1.0
        for number in range(2_000)
    ]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_share_hits_so_many_requests(share) -> None:
    assert sum(hit_by(share)) / 2_000 == pytest.approx(share, abs=0.03)


def test_a_larger_share_hits_the_same_requests_and_more() -> None:
    """So that two scenarios that differ in a share are compared in pairs."""
    fewer, more = hit_by(0.3), hit_by(0.6)
    assert all(also for hit, also in zip(fewer, more, strict=True) if hit)


def test_half_way_up_a_ramp_half_are_hit() -> None:
    assert hit_by(1.0, ramp_s=10.0) == hit_by(0.5)


def test_whom_a_share_hits_is_keyed_by_seed_and_ask() -> None:
    assert hit_by(0.5) == hit_by(0.5)
    assert hit_by(0.5) != hit_by(0.5, seed=2)
    half = world(GPT, inject=[an("outage", share=0.5)])
    asks = {half.exchange(GPT, asked(), ask, 0.0, stream=False).image for ask in range(1, 20)}
    assert len(asks) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"share": 0},
        {"share": 1.01},
        {"at_s": -1},
        {"for_s": 0},
        {"ramp_s": -1},
        {"as": "418"},
        {"shape": "503"},
    ],
)
def test_what_makes_no_sense_is_refused(fields) -> None:
    with pytest.raises(ValidationError):
        an("outage", **fields)


# What each kind changes, and that it leaves the rest.


@pytest.mark.parametrize("encounter", [WHOLE, STREAMED])
@pytest.mark.parametrize("status", ["500", "502", "503", "504", "529"])
def test_an_outage_answers_with_an_error_at_the_door(status, encounter) -> None:
    found = an("outage", **{"as": status}).change(ANSWER, encounter)
    assert found.image is error_image("openai", int(status))
    assert (found.first_token_s, found.total_s) == (0.08, 0.08)


@pytest.mark.parametrize("fault", ["refused", "reset"])
def test_an_outage_may_end_the_connection(fault) -> None:
    found = an("outage", **{"as": fault}).change(ANSWER, WHOLE)
    assert found.image.fault is ConnectionFault(fault)
    assert found.image.reply is None
    assert found.total_s == 0.08


def test_an_outage_may_fall_silent_for_ever() -> None:
    found = an("outage", **{"as": "hang"}).change(ANSWER, WHOLE)
    assert found.image.fault is ConnectionFault.HANG
    assert (found.first_token_s, found.total_s) == (inf, inf)


def test_a_slowdown_keeps_the_answer_and_stretches_its_time() -> None:
    found = an("slowdown", factor=4, first_token_extra_s=0.5).change(ANSWER, STREAMED)
    assert found == Exchange(ANSWER.image, 4.5, 12.5)


def test_a_slowdown_of_nothing_changes_nothing() -> None:
    assert an("slowdown", factor=1).change(ANSWER, WHOLE) == ANSWER


def test_a_slowdown_of_silence_is_silence() -> None:
    silent = an("outage", **{"as": "hang"}).change(ANSWER, WHOLE)
    assert an("slowdown", factor=4).change(silent, WHOLE) == silent


def test_a_rate_limit_says_when_to_come_back_in_whole_seconds() -> None:
    reply = an("rate_limit", retry_after_s=2.2).change(ANSWER, WHOLE).image.reply
    assert reply is not None
    assert (reply.status, reply.headers["retry-after"]) == (429, "3")


def test_a_rate_limit_need_not_say_when_to_come_back() -> None:
    reply = injection("rate_limit", provider="*").change(ANSWER, WHOLE).image.reply
    assert reply is not None
    assert "retry-after" not in reply.headers


def test_a_deprecation_finds_the_model_no_more() -> None:
    reply = an("deprecation").change(ANSWER, WHOLE).image.reply
    assert reply is not None
    assert reply.status == 404
    assert json.loads(reply.body)["error"]["code"] == "model_not_found"


def test_a_price_change_touches_no_exchange() -> None:
    change = an("price_change", factor=3)
    assert not change.is_fault
    assert change.change(ANSWER, WHOLE) is ANSWER
    assert change.reprice(DatedPrice(100, 200, 5.0, 6.0)) == DatedPrice(300, 600, 5.0, 6.0)


@pytest.mark.parametrize("fields", [{"share": 0.5}, {"ramp_s": 5}])
def test_a_price_changes_for_everybody_at_once(fields) -> None:
    """Half a price change, or a slow one, would otherwise be accepted and not be done."""
    with pytest.raises(ValidationError):
        an("price_change", **fields)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_only_a_price_change_touches_a_price(kind) -> None:
    price = DatedPrice(100, 200)
    assert (an(kind).reprice(price) == price) is (kind != "price_change")


@given(share=st.floats(0.01, 1.0), factor=st.floats(1.0, 10.0))
def test_whoever_is_not_hit_meets_the_undisturbed_world(share, factor) -> None:
    """A change of one exchange is seen by no other: images are shared and never written to."""
    calm, disturbed = world(GPT), world(GPT, inject=[an("slowdown", share=share, factor=factor)])
    for number in range(20):
        found = disturbed.exchange(GPT, asked(str(number)), 1, 0.0, stream=False)
        undisturbed = calm.exchange(GPT, asked(str(number)), 1, 0.0, stream=False)
        assert found == undisturbed or found.total_s == round(undisturbed.total_s * factor, 6)
        assert found.image is undisturbed.image


def test_the_base_of_all_injections_does_nothing() -> None:
    """Whoever writes a new kind begins with what the documentation shows."""

    class Nothing(Injection):
        """No change at all."""

        kind: str = "nothing"

    nothing = Nothing.model_validate({"provider": "*"})
    assert nothing.change(ANSWER, WHOLE) is ANSWER
    assert nothing.reprice(DatedPrice(1, 2)) == DatedPrice(1, 2)
    assert nothing.is_fault


def test_a_price_changes_for_everybody_so_it_sticks_to_nobody() -> None:
    with pytest.raises(ValidationError, match="leave out share, ramp_s and sticky"):
        injection("price_change", provider="*", factor=2, sticky="tenant")
