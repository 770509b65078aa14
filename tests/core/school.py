"""A school: attempts at targets one by one, and what is learned of each."""

from __future__ import annotations

from tenacity import wait_fixed

from failover.core.failures import Failure
from failover.core.learned import Learned
from failover.core.vocabulary import Route
from tests.core.story import chain_of, target

OURS = {"provider": "openai", "model": "gpt-5", "region": "us", "credential": "key-1"}
BIG = target("big", **OURS)
BIG_OTHER_KEY = target("big-other-key", **OURS | {"credential": "key-2"})
BIG_EU = target("big-eu", **OURS | {"region": "eu", "credential": "key-3"})
SMALL = target("small", **OURS | {"model": "gpt-5-mini"})
NAMESAKE = target("namesake", **OURS | {"provider": "azure"})
EVERYBODY = {each.name for each in (BIG, BIG_OTHER_KEY, BIG_EU, SMALL, NAMESAKE)}
BACKOFF = wait_fixed(2)


class School:
    """Attempts at targets, one by one, and what is learned of them."""

    def __init__(self, *chain):
        self.events = []
        route = Route("chat", chain_of(*(chain or (BIG, BIG_OTHER_KEY, BIG_EU, SMALL, NAMESAKE))))
        self.learned = Learned([route], self.events.append)

    def state(self, name):
        return self.learned.states[name]

    def asks(self, name, now=0.0):
        return self.learned.acquire(self.state(name), now)

    def fails(self, name, kind, now=0.0, permit=None, **facts):
        permit = permit or self.asks(name, now)
        return self.learned.blame(self.state(name), permit, Failure(kind, **facts), now, BACKOFF)

    def succeeds(self, name, now=0.0):
        self.learned.succeed(self.state(name), self.asks(name, now), now, None)

    def away(self, now=0.0):
        return {name for name, state in self.learned.states.items() if not state.eligible(now)}
