"""Whatever happens, a forbidden target receives nothing, ever.

Requests, faults, terms, reloads, hedges and streams come as they may. Permission is worked out anew here, in
a few lines, from the terms as they were drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from failover.core import controls
from failover.core.call import Call
from failover.core.capabilities import Capabilities, Capability
from failover.core.decide import Facts
from failover.core.failures import Failure, FailureKind
from failover.core.governance import Governance, Newest, Oversight
from failover.core.learned import Learned
from failover.core.messages import (
    CallerLeft,
    Cancel,
    Failed,
    FirstToken,
    Raise,
    Return,
    Send,
    Succeeded,
    Wake,
    Woken,
)
from failover.core.policy import BreakerPolicy, HedgePolicy, Policy, StreamRecovery
from failover.core.stats import Recent
from failover.core.terms import Requirement, Terms
from failover.core.vocabulary import Request, Route, Target
from tests.core.story import target

NAMES = ("a", "b", "c", "d")
EPOCH_S = 1_000_000.0
EU = frozenset({"eu"})
CLASSES = {
    "public": Requirement(),
    "brief": Requirement(retention_days=7),
    "home": Requirement(residency=EU, trains_on_data=False),
    "fresh": Requirement(reviewed_within_days=1),
}
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "retention_days": st.sampled_from([0, 7, 30]),
        "residency": st.sampled_from([EU, frozenset({"eu", "us"})]),
        "trains_on_data": st.booleans(),
        "reviewed_s": st.sampled_from([EPOCH_S - 86_380.0, EPOCH_S - 86_300.0, EPOCH_S]),
        "valid_from_s": st.sampled_from([EPOCH_S + 5, EPOCH_S + 20, EPOCH_S + 60]),
        "valid_to_s": st.sampled_from([EPOCH_S + 10, EPOCH_S + 40, EPOCH_S + 90]),
    },
)
GOOD = {"retention_days": 0, "residency": EU, "trains_on_data": False, "reviewed_s": EPOCH_S}
TOLD = st.builds(
    lambda first, rest: [first, *rest], st.sampled_from([GOOD, GOOD, {}]), st.lists(ENTRY, max_size=2)
)
TERMS = st.fixed_dictionaries(dict.fromkeys(NAMES, TOLD))
"""Most may have all data at first, else nothing would be sent; what is drawn upon that forbids some."""
KINDS = [
    *(FailureKind.OVERLOADED, FailureKind.CONNECTION, FailureKind.RATE_LIMITED, FailureKind.TRUNCATED_STREAM),
    *(FailureKind.CONTEXT_LENGTH, FailureKind.MODEL_GONE, FailureKind.TIMEOUT, FailureKind.UNAUTHORIZED),
]


def permitted(entries: list[dict], data_class: str, at_s: float) -> bool:
    """What the terms say at that time, and whether that is enough: once more, and by nobody else's code."""
    said = {}
    for entry in entries:
        if entry.get("valid_from_s", -inf) <= at_s < entry.get("valid_to_s", inf):
            said.update(entry)
    may = {
        "public": True,
        "brief": said.get("retention_days", inf) <= 7,
        "home": said.get("residency") == EU and said.get("trains_on_data") is False,
        "fresh": at_s - said.get("reviewed_s", -inf) < 86_400,
    }
    return may[data_class] if data_class else all(may.values())


def party(name: str, provider: str) -> Target:
    able = Capabilities(able=frozenset({Capability.PREFILL}))
    return target(name, provider=provider, context_window_tokens=1000, capabilities=able)


@dataclass
class Running:
    """A call, the attempts it wants, and when it wants to be woken."""

    call: Call
    told: dict
    sent: dict[int, Send] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)
    wake_at_s: float = inf


class Governed(RuleBasedStateMachine):
    """Several calls at once under terms that change by date and by reload. `told` is what is in force."""

    @initialize(terms=TERMS, recovery=st.sampled_from(StreamRecovery))
    def begins(self, terms: dict, recovery: StreamRecovery) -> None:
        self.now = 0.0
        self.calls: list[Running] = []
        self.providers = dict.fromkeys(NAMES, "acme")
        self.policy = Policy(
            hedge=HedgePolicy(after_quantile=0.5, share=1.0, usd_share=None),
            breaker=BreakerPolicy(failures=2, open_s=5.0),
            stream_recovery=recovery,
            deadline_s=60.0,
        )
        self.rng = Random(1).random  # noqa: S311  jitter is no secret
        self.newest = Newest(Governance())
        self.learned = Learned([self.route()])
        self.enters(terms)

    def route(self) -> Route:
        chain = tuple((party(name, self.providers[name]),) for name in NAMES)
        return Route("chat", chain, "priority", self.policy)

    def enters(self, terms: dict) -> None:
        """Another config is in force."""
        self.told = terms
        route = self.route()
        self.learned = controls.successor(self.learned, [route], self.now)
        for state in self.learned.states.values():
            for _ in range(Recent.LEAST if state.total.value_s is None else 0):
                state.observe(0.5, 0.5, self.now)
        self.learned.budgets["chat"].balance = 10.0
        layers = {name: tuple(Terms(**entry) for entry in entries) for name, entries in terms.items()}
        targets = {each.name: each for each in route.targets()}
        own = Governance(targets, layers, CLASSES)
        self.newest.put(own)
        self.facts = Facts(epoch_s=EPOCH_S, oversight=Oversight(own, self.newest))

    def obeys(self, running: Running, commands: tuple) -> None:
        for command in commands:
            match command:
                case Send():
                    self.receives(running, command)
                case Wake(at_s):
                    running.wake_at_s = at_s
                case Cancel(number):
                    running.sent.pop(number, None)
                case Return() | Raise():
                    self.calls.remove(running)

    def receives(self, running: Running, send: Send) -> None:
        """May the target have that, by the config the call began with, and by the one in force?"""
        name, data_class = send.target.name, running.call.request.data_class
        at_s = EPOCH_S + self.now
        assert permitted(running.told[name], data_class, at_s), (name, data_class, at_s)
        assert permitted(self.told[name], data_class, at_s), (name, data_class, at_s)
        assert send.target.provider == self.providers[name], "these terms are somebody else's"
        running.sent[send.attempt] = send
        running.wake_at_s = inf

    @rule(
        data_class=st.sampled_from(["", *CLASSES]),
        stream=st.booleans(),
        replay_safe=st.booleans(),
    )
    def a_request_arrives(self, data_class: str, *, stream: bool, replay_safe: bool) -> None:
        request = Request("1", stream=stream, replay_safe=replay_safe, data_class=data_class)
        call = Call(request, self.learned.routes["chat"], self.learned, self.facts, self.rng)
        running = Running(call, self.told)
        self.calls.append(running)
        self.obeys(running, call.start(self.now))

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 4.0, 15.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        """Whoever wants to be woken meanwhile is, at that instant."""
        until_s = self.now + seconds
        while True:
            due = min(self.calls, key=lambda each: each.wake_at_s, default=None)
            if due is None or due.wake_at_s > until_s:
                break
            self.now, due.wake_at_s = max(self.now, due.wake_at_s), inf
            self.obeys(due, due.call.handle(Woken(), self.now))
        self.now = until_s

    def one(self, data: st.DataObject) -> tuple[Running, int] | None:
        sent = [(each, number) for each in self.calls for number in each.sent]
        return data.draw(st.sampled_from(sent)) if sent else None

    @rule(data=st.data(), kind=st.sampled_from(KINDS), away_s=st.sampled_from([None, 2.0, 50.0]))
    def an_attempt_fails(self, data: st.DataObject, kind: FailureKind, away_s: float | None) -> None:
        found = self.one(data)
        if found is not None:
            running, number = found
            del running.sent[number]
            failure = Failure(kind, retry_after_s=away_s if kind is FailureKind.RATE_LIMITED else None)
            self.obeys(running, running.call.handle(Failed(number, failure, resumable=True), self.now))

    @rule(data=st.data())
    def a_first_token_comes(self, data: st.DataObject) -> None:
        found = self.one(data)
        if found is not None and found[0].sent[found[1]].stream and found[1] not in found[0].begun:
            found[0].begun.add(found[1])
            self.obeys(found[0], found[0].call.handle(FirstToken(found[1]), self.now))

    @rule(data=st.data())
    def an_attempt_succeeds(self, data: st.DataObject) -> None:
        found = self.one(data)
        if found is not None:
            del found[0].sent[found[1]]
            self.obeys(found[0], found[0].call.handle(Succeeded(found[1]), self.now))

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_caller_leaves(self, data: st.DataObject) -> None:
        running = data.draw(st.sampled_from(self.calls))
        self.obeys(running, running.call.handle(CallerLeft(), self.now))
        self.calls.remove(running)

    @rule(terms=TERMS, moved=st.sets(st.sampled_from(NAMES), max_size=1))
    def another_config_is_put_into_force(self, terms: dict, moved: set[str]) -> None:
        """Its terms differ, and perhaps somebody else serves under a name."""
        for name in moved:
            self.providers = {**self.providers, name: "other" if self.providers[name] == "acme" else "acme"}
        self.enters(terms)

    @rule(name=st.sampled_from(NAMES), for_s=st.sampled_from([2.0, 20.0]))
    def an_operator_opens_a_breaker(self, name: str, for_s: float) -> None:
        controls.force_open(self.learned, self.learned.states[name], self.now, for_s)


TestGoverned = Governed.TestCase
TestGoverned.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


def test_the_machine_would_notice():
    """Its own idea of who may have what is not the same for everybody."""
    assert permitted([GOOD], "", EPOCH_S)
    assert not permitted([GOOD, {"retention_days": 30}], "", EPOCH_S)
    assert permitted([GOOD, {"retention_days": 30, "valid_from_s": EPOCH_S + 5}], "brief", EPOCH_S)
    assert not any(permitted([], name, EPOCH_S) for name in CLASSES if name != "public")
