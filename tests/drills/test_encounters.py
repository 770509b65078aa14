"""What an attempt meets: draws that are shared, images made of others, and doors that let in so many."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest

from failover.adapters.wire import ConnectionFault, WireReply
from failover.chaos.injections import Encounter, Gate, Images, Injection
from failover.chaos.injections.outage import FAULTS
from failover.chaos.world.image import Exchange, Image
from failover.core.vocabulary import Target
from tests.drills.worlds import CLAUDE, GPT, Simulated, asked, injection, route, target, workload, world

REPLY = WireReply(200, {"content-type": "text/plain"}, b"yes")
ANSWER = Exchange(Image("recorded", REPLY), 1.0, 3.0)
TWIN = target("twin", GPT.model, credential=GPT.credential)


# Who shares a draw.


def hit(sticky: str, of: Target, request: int, ask: int = 1, tenant: str = "") -> bool:
    outage = injection("outage", provider="*", share=0.5, sticky=sticky)
    met = world(GPT, TWIN, CLAUDE, inject=[outage]).exchange(
        of, asked(str(request), tenant=tenant), ask, 5.0, stream=False
    )
    return met.total_s != 1.0


def many(sticky: str, **how: Any) -> set[bool]:
    """Whether forty requests are hit: one answer where they share a draw."""
    return {
        hit(sticky, how.get("of", GPT), request, how.get("ask", 1), how.get("tenant", ""))
        for request in range(40)
    }


def test_each_attempt_has_a_draw_of_its_own() -> None:
    assert many("attempt") == {True, False}
    assert len({hit("attempt", GPT, 1, ask) for ask in range(1, 20)}) == 2


def test_all_attempts_of_a_request_at_a_target_share_one() -> None:
    for request in range(20):
        assert len({hit("request", GPT, request, ask) for ask in range(1, 9)}) == 1
    assert many("request") == {True, False}
    assert any(hit("request", GPT, request) != hit("request", CLAUDE, request) for request in range(20))


def test_all_requests_of_a_tenant_at_a_target_share_one() -> None:
    tenants = [many("tenant", tenant=str(number)) for number in range(20)]
    assert all(len(each) == 1 for each in tenants)
    assert {True} in tenants
    assert {False} in tenants


def test_all_targets_of_an_account_share_one() -> None:
    accounts = [replace(each, credential=str(number)) for number in range(20) for each in (GPT, TWIN)]
    outage = injection("outage", provider="*", share=0.5, sticky="account")
    drawn = [
        world(each, inject=[outage]).exchange(each, asked(), 1, 0.0, stream=False).total_s != 1.0
        for each in accounts
    ]
    assert drawn[::2] == drawn[1::2]
    assert len(set(drawn)) == 2
    assert all(len(many("account", of=each)) == 1 for each in (GPT, CLAUDE))


def test_a_larger_share_hits_the_same_tenants_and_more() -> None:
    def tenants_hit(share: float) -> set[str]:
        of = world(GPT, inject=[injection("outage", target="gpt", share=share, sticky="tenant")])
        tenants = map(str, range(60))
        return {
            each
            for each in tenants
            if of.exchange(GPT, asked(tenant=each), 1, 0.0, stream=False).total_s != 1.0
        }

    assert tenants_hit(0.2) < tenants_hit(0.6) < tenants_hit(1.0)


# Images made of others.


def louder(reply: WireReply) -> WireReply:
    return WireReply(reply.status, reply.headers, reply.body + b"!")


def meeting(images: Images) -> Encounter:
    return Encounter(GPT, asked(), stream=False, images=images)


def test_an_image_is_made_of_another_at_the_same_pace() -> None:
    made = meeting(Images()).remade(ANSWER, louder, "louder")
    assert made.image.reply == WireReply(200, {"content-type": "text/plain"}, b"yes!")
    assert made.image.origin == "recorded, louder"
    assert replace(made, image=ANSWER.image) == ANSWER
    assert ANSWER.image.reply is REPLY


def test_of_the_same_image_the_same_is_made_once() -> None:
    """Outcomes are found out once for each image: it must be the very same object."""
    images = Images()
    first, again = (meeting(images).remade(ANSWER, louder, "louder", 1) for _ in range(2))
    assert first.image is again.image


def test_another_change_or_another_image_makes_another() -> None:
    images = Images()
    other = replace(ANSWER, image=Image("recorded", REPLY))
    made = [
        meeting(images).remade(exchange, louder, *key).image
        for exchange, key in ((ANSWER, ("a",)), (ANSWER, ("b",)), (ANSWER, ("a", 2)), (other, ("a",)))
    ]
    assert len({id(image) for image in made}) == 4


def test_what_has_no_reply_stays_as_it_is() -> None:
    refused = replace(ANSWER, image=FAULTS[ConnectionFault.REFUSED])
    assert meeting(Images()).remade(refused, louder, "louder") is refused


def test_a_broken_connection_stays_one_whatever_the_reply_becomes() -> None:
    cut = replace(ANSWER, image=Image("cut", REPLY, ConnectionFault.RESET))
    assert meeting(Images()).remade(cut, louder, "louder").image.fault is ConnectionFault.RESET


# Doors that let in so many at a time.


class TwoAtATime:
    """Who comes while two are inside is turned away."""

    def __init__(self) -> None:
        self.leave_s: list[float] = []

    def passed(self, exchange: Exchange, encounter: Encounter, at_s: float) -> Exchange:
        self.leave_s = [leaves_s for leaves_s in self.leave_s if leaves_s > at_s]
        if len(self.leave_s) >= 2:
            return exchange.replied(FAULTS[ConnectionFault.REFUSED], 0.01)
        self.leave_s.append(at_s + exchange.total_s)
        return exchange


class Door(Injection):
    """A gate at whatever it hits."""

    kind: Literal["door"] = "door"

    def gate(self) -> Gate:
        return TwoAtATime()


DOOR = Door.model_validate({"target": "gpt"})


def test_a_gate_lets_in_so_many_and_turns_the_others_away() -> None:
    of = world(GPT, CLAUDE, inject=[DOOR], takes_s=2.5)
    served = Simulated(of, route(GPT, CLAUDE, attempts=4), workload(for_s=6.5)).served
    assert list(served.values()).count("gpt") >= 3
    assert "claude" in served.values()


def test_a_gate_is_at_the_targets_that_its_injection_hits_only() -> None:
    of = world(GPT, CLAUDE, inject=[DOOR], takes_s=9.0)
    at_claude = [of.meet(CLAUDE, asked(str(number)), 1, 0.0, stream=False) for number in range(5)]
    at_gpt = [of.meet(GPT, asked(str(number)), 1, 0.0, stream=False) for number in range(5)]
    assert [met.total_s for met in at_claude] == [9.0] * 5
    assert [met.total_s for met in at_gpt] == [9.0, 9.0, 0.01, 0.01, 0.01]


def test_a_gate_remembers_for_one_drill_only() -> None:
    for _ in range(3):
        of = world(GPT, inject=[DOOR], takes_s=9.0)
        assert of.meet(GPT, asked(), 1, 0.0, stream=False).total_s == 9.0


def test_who_only_looks_takes_no_room() -> None:
    """The oracle looks at every attempt that could have been made."""
    of = world(GPT, inject=[DOOR], takes_s=9.0)
    for number in range(9):
        assert of.exchange(GPT, asked(str(number)), 1, 0.0, stream=False).total_s == 9.0
    assert of.meet(GPT, asked(), 1, 0.0, stream=False).total_s == 9.0


# When an attempt may begin to fare better.


@pytest.mark.parametrize(
    ("since_s", "until_s", "turns_s"),
    [(0, 100, (30,)), (0, 30, ()), (29, 31, (30,)), (30, 100, ()), (0, 20, ())],
)
def test_an_attempt_may_fare_better_when_an_injection_ends(since_s, until_s, turns_s) -> None:
    outage = injection("outage", target="gpt", at_s=10, for_s=20)
    assert outage.turns_s(since_s, until_s) == turns_s


def test_what_never_ends_gives_nobody_hope() -> None:
    assert injection("outage", target="gpt", at_s=10).turns_s(0.0, 1e9) == ()
