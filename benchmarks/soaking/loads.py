"""Ten ways to use a router, each with its own config, which changes a little at every reload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

FUNCTIONS = ("awaited", "stalling", "plain")
KEY = "FAILOVER_SOAK_KEY"

# Everything that lasts is short, so that in some minutes it happens thousands of times.
BREAKER = {"open_s": 0.02, "open_max_s": 0.1, "window_s": 0.5, "slow_s": 0.1, "ramp_s": 0.05}
POLICY: dict[str, Any] = {
    "deadline_s": 0.4,
    "first_token_s": 0.1,
    "idle_s": 0.1,
    "connect_s": 0.4,
    "backoff": {"initial_s": 0.002, "max_s": 0.01},
    "retry_budget": {"share": 0.5, "floor_per_s": 20},
}
HEDGE = {"after_quantile": 0.5, "share": 0.5, "usd_share": None}


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of one router: `streams` is the share of its calls that are streamed.

    `share`: of the calls of the others, where each costs far more. `callables`: plain functions serve.
    `meddles_every`: calls between two things that an operator does; every tenth of those is a reload.
    """

    name: str
    targets: int = 4
    tiers: int = 1
    strategy: str = "priority"
    streams: float = 0.0
    policy: Mapping[str, Any] = field(default_factory=dict)
    limits: bool = False
    callables: bool = False
    sockets: bool = False
    share: float = 1.0
    meddles_every: int = 40


LOADS = (
    Load("whole, shared fate", targets=18, tiers=2),
    Load("streams, by cost", strategy="cost", streams=1.0),
    Load("mixed, hedged, by latency", strategy="latency", streams=0.5, policy={"hedge": HEDGE}),
    Load("restarts, weighted", strategy="weighted", streams=0.9, policy={"stream_recovery": "restart"}),
    Load("resumes, least busy", strategy="least_busy", streams=0.9, policy={"stream_recovery": "resume"}),
    Load("streams beneath", strategy="headroom", streams=0.2, policy={"stream_upstream": True}),
    Load(
        "held back, hedged, balanced",
        tiers=2,
        strategy="balanced",
        streams=0.8,
        policy={"delivery": "whole", "hedge": HEDGE, "on_unsound_tool_call": "warn"},
    ),
    Load("own strategy, limits", targets=5, tiers=2, strategy="own", streams=0.4, limits=True),
    Load("plain functions, tiny deadlines", callables=True, policy={"deadline_s": 0.02, "hedge": HEDGE}),
    Load("few targets, default policy", targets=2, streams=0.5),
    Load(
        "litellm over sockets",
        targets=3,
        streams=0.5,
        policy={"stream_recovery": "restart", "deadline_s": 2.0, "first_token_s": 0.8, "idle_s": 0.8},
        sockets=True,
        share=0.05,
        meddles_every=8,
    ),
)


def own_strategy(states: Sequence[Any], ranking: Any) -> Sequence[Any]:
    """A strategy that somebody wrote in a hurry: at times it raises."""
    if ranking.rng() < 0.01:
        raise ZeroDivisionError
    return sorted(states, key=lambda state: (state.in_flight, state.target.name))


def config(load: Load, draw: Random, port: int = 0) -> dict[str, Any]:
    """One config of the load: each time another target may be gone, changed or new, or a limit moved."""
    policy = _policy(load, draw)
    if load.callables:
        names = list(FUNCTIONS)
        targets: dict[str, Any] = {name: {"callable": name} for name in names}
    else:
        targets = {f"t{number}": _target(load, draw, number) for number in range(load.targets)}
        names = [name for name in targets if draw.random() < 0.9] or ["t0"]
    if draw.random() < 0.3:
        draw.shuffle(names)
    cut = len(names) // 2 if load.tiers > 1 else 0
    chain = [tier for tier in (names[:cut], names[cut:]) if tier]
    route = {"chain": chain, "strategy": load.strategy, "policy": policy}
    patient = {"chain": [names[:1]], "policy": policy | {"deadline_s": policy["deadline_s"] + 0.4}}
    routes = {"chat": route, "patient": patient}
    if load.callables:
        return {"targets": targets, "routes": routes}
    address = {"api_base": f"http://127.0.0.1:{port}/v1"} if load.sockets else {}
    providers = {f"p{number}": {"credential": f"env:{KEY}"} | address for number in range(3)}
    return {"providers": providers, "targets": targets, "routes": routes}


def _policy(load: Load, draw: Random) -> dict[str, Any]:
    breaker = BREAKER | {"failures": draw.choice((3, 3, 3, 4)), "probes": draw.choice((1, 1, 1, 2))}
    policy = POLICY | {"breaker": breaker, "attempts": draw.choice((3, 6))} | dict(load.policy)
    policy["on_content_filtered"] = draw.choice(("fail", "fallback"))
    policy["last_resort"] = draw.choice(("wait", "wait", "fail"))
    for each in ("first_token_s", "idle_s", "connect_s"):
        policy[each] = min(policy[each], policy["deadline_s"])
    return policy


def _target(load: Load, draw: Random, number: int) -> dict[str, Any]:
    dear = draw.choice((2, 2, 2, 3))
    target: dict[str, Any] = {
        "provider": f"p{number % 3}",
        "model": f"openai/m{number % 4}",
        "region": f"r{number % 2}",
        "weight": 1 + number,
        "context_window_tokens": 1000 * (1 + number % 3),
        "capabilities": {"prefill": number % 2 == 0, "tools": True},
        "prices": {"input_usd_per_mtok": dear, "output_usd_per_mtok": 5 * dear},
    }
    if number % 3 == 0 and draw.random() < 0.1:
        target["region"] = "r9"  # another target under the same name
    if load.limits:
        limits = ({"rpm": 3000}, {"concurrency": 2}, {"rpm": 500, "tpm": 90_000}, {"tpm": 1_000_000}, {})
        target["limits"] = limits[number % 5] | ({"rpm": draw.randrange(2000, 4000)} if number == 0 else {})
    return target
