"""Configs: what a file becomes, and every way in which it is refused."""

from __future__ import annotations

import datetime as dt
import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from failover.config import Config, config_from_dict, config_json_schema, load_config, with_strategies
from failover.config.losses import single_losses, unnamed_domains
from failover.config.schema import ConfigSection
from failover.core.policy import HedgePolicy, LastResort, OnContentFiltered, Policy
from failover.core.prices import DatedPrice, usd_to_nusd
from failover.core.strategies import STRATEGIES, CustomStrategy
from failover.core.vocabulary import FaultDomain, Route, Target
from failover.errors import Complaint, ConfigError

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs" / "schemas" / "config.schema.json"
PAGE = ROOT / "docs" / "configuration.md"

# The example of the design, without the keys of later versions.
EXAMPLE = """
providers:
  openai:    {credential: env:OPENAI_API_KEY,    edge: cloudflare}
  anthropic: {credential: env:ANTHROPIC_API_KEY, edge: cloudflare}
  mistral:   {credential: env:MISTRAL_API_KEY}
targets:
  gpt:     {provider: openai,    model: openai/gpt-5.6-luna,        region: us, limits: {rpm: 5000, tpm: 2000000}}
  claude:  {provider: anthropic, model: anthropic/claude-sonnet-5,  region: us}
  mistral: {provider: mistral,   model: mistral/mistral-large-2512, region: eu}
routes:
  chat:
    chain: [gpt, claude, mistral]
    strategy: cost
    policy: {deadline_s: 30, first_token_s: 8, idle_s: 5, breaker: {failures: 5, failure_share: 0.5, window_s: 30, open_s: 15}}
"""  # noqa: E501  as the design prints it


ROUTED = {"routes": {"scores": {"chain": ["score"]}}}


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "failover.yaml"
    file.write_text(text, "utf-8")
    return file


def mapping(**changes: Any) -> dict[str, Any]:
    """A small valid config; `changes` replace its parts."""
    return {
        "providers": {"openai": {"credential": "env:OPENAI_API_KEY"}, "anthropic": {}},
        "targets": {
            "gpt": {"provider": "openai", "model": "openai/gpt"},
            "claude": {"provider": "anthropic", "model": "anthropic/claude"},
        },
        "routes": {"chat": {"chain": ["gpt", "claude"]}},
        **changes,
    }


def target_of(**keys: Any) -> dict[str, Any]:
    """The small config, whose target `gpt` has `keys` more."""
    return mapping(
        targets={**mapping()["targets"], "gpt": {"provider": "openai", "model": "openai/gpt", **keys}}
    )


def policy_of(**keys: Any) -> dict[str, Any]:
    return mapping(routes={"chat": {"chain": ["gpt", "claude"], "policy": keys}})


def strategy_of(strategy: Any) -> dict[str, Any]:
    return mapping(routes={"chat": {"chain": ["gpt", "claude"], "strategy": strategy}})


def complaints_of(source: dict[str, Any] | Path, **options: Any) -> list[tuple[str, str]]:
    """Where and what is complained about."""
    with pytest.raises(ConfigError) as caught:
        load_config(source, **options) if isinstance(source, Path) else config_from_dict(source, **options)
    return [(complaint.where, complaint.what) for complaint in caught.value.complaints]


def examples() -> list[str]:
    blocks = PAGE.read_text("utf-8").split("```yaml\n")[1:]
    return [EXAMPLE, *(block.split("```")[0] for block in blocks)]


# What a good config becomes.


def test_the_example_of_the_design_loads(tmp_path: Path) -> None:
    file = written(tmp_path, EXAMPLE)
    config = load_config(file)
    assert config.source == str(file)
    assert config.targets["gpt"] == Target(
        name="gpt",
        provider="openai",
        model="openai/gpt-5.6-luna",
        region="us",
        credential="OPENAI_API_KEY",
        edge="cloudflare",
        tokens_per_minute=2_000_000,
        requests_per_minute=5000,
    )
    route = config.routes["chat"]
    assert route.strategy == "cost"
    assert [target.name for target in route.targets()] == ["gpt", "claude", "mistral"]
    assert route.policy.deadline_s == 30
    assert route.policy.breaker.open_s == 15


@pytest.mark.parametrize("text", examples())
def test_every_documented_example_loads(tmp_path: Path, text: str) -> None:
    assert load_config(written(tmp_path, text)).routes


def test_a_path_may_be_text(tmp_path: Path) -> None:
    assert load_config(str(written(tmp_path, EXAMPLE))) == load_config(tmp_path / "failover.yaml")


def test_a_mapping_makes_the_same_config_as_its_file(tmp_path: Path) -> None:
    of_file, of_mapping = load_config(written(tmp_path, EXAMPLE)), config_from_dict(yaml.safe_load(EXAMPLE))
    assert (of_file.targets, of_file.routes) == (of_mapping.targets, of_mapping.routes)
    assert of_mapping.source == "<dict>"


def test_a_config_travels_between_processes() -> None:
    config = config_from_dict(mapping())
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301  our own bytes


def test_an_absent_environment_variable_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert config_from_dict(mapping()).targets["gpt"].credential == "OPENAI_API_KEY"


@pytest.mark.parametrize("key", ["credential", "edge", "cloud", "region", "api_base"])
def test_a_target_inherits_what_its_provider_says_unless_it_says_it_itself(key: str) -> None:
    values = {"credential": ("env:ONE", "env:TWO"), "api_base": ("https://one", "https://two")}
    of_provider, of_target = values.get(key, ("one", "two"))
    providers = {"openai": {key: of_provider}, "anthropic": {}}
    inherited = config_from_dict(mapping(providers=providers)).targets["gpt"]
    own = config_from_dict({**target_of(**{key: of_target}), "providers": providers}).targets["gpt"]
    assert getattr(inherited, key) == of_provider.removeprefix("env:")
    assert getattr(own, key) == of_target.removeprefix("env:")


def test_a_flat_chain_is_one_tier_in_the_authors_order() -> None:
    (tier,) = config_from_dict(mapping()).routes["chat"].chain
    assert [target.name for target in tier] == ["gpt", "claude"]


def test_a_chain_may_nest_tiers() -> None:
    chain = config_from_dict(mapping(routes={"chat": {"chain": [["claude"], ["gpt"]]}})).routes["chat"].chain
    assert [[target.name for target in tier] for tier in chain] == [["claude"], ["gpt"]]


def test_a_callable_needs_no_provider() -> None:
    target = config_from_dict(
        target_of() | {"targets": {"score": {"callable": "shop.scores:score"}}} | ROUTED
    )
    assert target.targets["score"].provider == "local"
    assert target.targets["score"].callable == "shop.scores:score"


ROUTED = {"routes": {"scores": {"chain": ["score"]}}}


def test_a_callable_may_belong_to_a_provider() -> None:
    score = {"callable": "score", "provider": "openai"}
    target = config_from_dict(mapping(targets={"score": score}, **ROUTED)).targets["score"]
    assert (target.provider, target.callable, target.credential) == ("openai", "score", "OPENAI_API_KEY")


def test_a_target_may_be_a_function_handed_over_in_python() -> None:
    config = config_from_dict(mapping(targets={"score": {"region": "eu"}}, **ROUTED), callables={"score"})
    assert config.targets["score"].callable == "score"


def test_defaults_are_those_of_the_core() -> None:
    assert config_from_dict(mapping()).routes["chat"].policy == Policy()
    assert config_from_dict(policy_of(breaker={}, backoff={})).routes["chat"].policy == Policy()
    assert config_from_dict(policy_of(hedge={})).routes["chat"].policy == Policy(hedge=HedgePolicy())


def test_every_key_of_a_policy_takes_effect() -> None:
    keys = {
        "deadline_s": 11,
        "attempt_s": 10,
        "connect_s": 1,
        "first_token_s": 3,
        "idle_s": 4,
        "attempts": 2,
        "backoff": {"initial_s": 0, "max_s": 2},
        "retry_budget": {"share": 0.1, "floor_per_s": 0},
        "breaker": {
            "failures": 7,
            "failure_share": 0.25,
            "slow_share": 0.75,
            "slow_s": 6,
            "window_s": 60,
            "min_requests": 8,
            "open_s": 9,
            "open_max_s": 99,
            "probes": 2,
            "ramp_s": 3,
        },
        "on_content_filtered": "fallback",
        "last_resort": "fail",
        "hedge": {"after_quantile": 0.9, "share": 0.1, "usd_share": None},
        "stream_recovery": "resume",
        "delivery": "whole",
        "stream_upstream": True,
        "on_wrong_model": "fail",
        "on_unsound_tool_call": "pass",
        "max_cost_usd": 0.05,
    }
    policy = config_from_dict(policy_of(**keys)).routes["chat"].policy
    for field in fields(Policy):
        value, wanted = getattr(policy, field.name), keys[field.name.replace("_nusd", "_usd")]
        if field.name.endswith("_nusd"):
            wanted = usd_to_nusd(wanted)
        if is_dataclass(value):
            assert wanted == {inner.name: getattr(value, inner.name) for inner in fields(value)}
        else:
            assert value == wanted
    assert policy.on_content_filtered is OnContentFiltered.FALLBACK
    assert policy.last_resort is LastResort.FAIL


def test_the_strategies_are_those_of_the_core() -> None:
    known, _ = config_json_schema()["$defs"]["RouteSection"]["properties"]["strategy"]["anyOf"]
    assert known["enum"] == list(STRATEGIES)
    for strategy in STRATEGIES:
        assert config_from_dict(strategy_of(strategy)).routes["chat"].strategy == strategy


def backwards(states: Sequence[Any], _ranking: Any) -> Sequence[Any]:
    return states[::-1]


def test_a_strategy_may_be_a_function_handed_over_in_python(tmp_path: Path) -> None:
    config = load_config(
        written(tmp_path, EXAMPLE.replace("strategy: cost", "strategy: mine")), strategies={"mine": backwards}
    )
    route = config.routes["chat"]
    assert (route.strategy, route.strategy_name) == (CustomStrategy("mine", backwards), "mine")
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301  our own bytes


def test_in_python_a_route_may_name_the_function_itself() -> None:
    route = config_from_dict(strategy_of(backwards)).routes["chat"]
    assert (route.strategy, route.strategy_name) == (backwards, "backwards")


def test_strategies_may_be_handed_over_to_a_config_that_is_there() -> None:
    config = config_from_dict(mapping())
    mine = replace(config.routes["chat"], strategy="mine")
    found = with_strategies(replace(config, routes={"chat": mine}), {"mine": backwards})
    assert found.routes["chat"].strategy == CustomStrategy("mine", backwards)
    assert with_strategies(config, {"mine": backwards}) == config


def test_a_target_may_name_its_vector_space() -> None:
    targets = config_from_dict(target_of(vector_space="embed-small")).targets
    assert (targets["gpt"].vector_space, targets["claude"].vector_space) == ("embed-small", "")


def test_a_target_has_a_weight() -> None:
    targets = config_from_dict(target_of(weight=2.5)).targets
    assert (targets["gpt"].weight, targets["claude"].weight) == (2.5, 1)


@pytest.mark.parametrize(
    ("weight", "what"),
    [
        (0, "must be greater than 0, got 0"),
        (-1, "must be greater than 0, got -1"),
        (float("nan"), "must be a finite number, got nan"),
        (2_000_000, "must be at most 1e+06, got 2000000"),
        ("3", "must be a number, got '3'"),
    ],
)
def test_a_weight_that_weighs_nothing_is_refused(weight: Any, what: str) -> None:
    assert complaints_of(target_of(weight=weight)) == [("targets.gpt.weight", what)]


@pytest.mark.parametrize(
    ("strategy", "what"),
    [
        ("mien", "unknown value 'mien'; did you mean 'mine'?"),
        ("ballanced", "unknown value 'ballanced'; did you mean 'balanced'?"),
        (
            "zzz",
            f"unknown value 'zzz'; known: {', '.join([*STRATEGIES, 'mine'])}",
        ),
        (7, "must be the name of a strategy, got 7"),
    ],
)
def test_the_name_of_a_strategy_that_is_nobodys_is_refused(strategy: Any, what: str) -> None:
    found = complaints_of(strategy_of(strategy), strategies={"mine": backwards})
    assert found == [("routes.chat.strategy", what)]


def test_so_it_is_in_a_config_that_is_there() -> None:
    config = config_from_dict(mapping())
    mine = replace(config.routes["chat"], strategy="mine")
    with pytest.raises(
        ConfigError, match=r"routes\.chat\.strategy: unknown value 'mine'; did you mean 'mine_2'"
    ):
        with_strategies(replace(config, routes={"chat": mine}), {"mine_2": backwards})


def test_none_of_the_librarys_own_strategies_is_replaced_unseen() -> None:
    what = "the strategy 'cost' is one of the library's own: hand yours over under another name"
    assert complaints_of(mapping(), strategies={"cost": backwards}) == [("", what)]


def test_a_strategy_that_is_handed_over_is_a_function() -> None:
    what = "the strategy 'mine' must be a function, got 'cost'"
    assert complaints_of(strategy_of("mine"), strategies={"mine": "cost"}) == [("", what)]


def test_the_folder_of_cassettes_lies_beside_the_config(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, f"cassettes: tapes\n{EXAMPLE}"))
    assert config.cassettes == tmp_path / "tapes"
    assert config_from_dict(mapping(cassettes="tapes")).cassettes == Path("tapes")
    assert config_from_dict(mapping()).cassettes is None


def test_a_price_is_kept_to_the_nano_dollar() -> None:
    config = config_from_dict(target_of(prices={"input_usd_per_mtok": 0.15, "output_usd_per_mtok": 3}))
    assert config.prices == {"gpt": (DatedPrice(150_000_000, 3_000_000_000),)}


def test_dated_prices_keep_their_order_and_are_utc(tmp_path: Path) -> None:
    text = EXAMPLE.replace(
        "model: anthropic/claude-sonnet-5,",
        "model: anthropic/claude-sonnet-5, prices: ["
        "{input_usd_per_mtok: 1, output_usd_per_mtok: 2, valid_to: 2026-07-01}, "
        "{input_usd_per_mtok: 2, output_usd_per_mtok: 4, valid_from: 2026-07-01T02:00:00+02:00}, "
        "{input_usd_per_mtok: 0, output_usd_per_mtok: 0, valid_from: 2027-01-01, valid_to: '2027-01-02'}],",
    )
    midsummer_s = dt.datetime(2026, 7, 1, tzinfo=dt.UTC).timestamp()
    new_year_s = dt.datetime(2027, 1, 1, tzinfo=dt.UTC).timestamp()
    assert load_config(written(tmp_path, text)).prices["claude"] == (
        DatedPrice(1_000_000_000, 2_000_000_000, None, midsummer_s),
        DatedPrice(2_000_000_000, 4_000_000_000, midsummer_s, None),
        DatedPrice(0, 0, new_year_s, new_year_s + 86_400),
    )


# What is refused.


def test_five_mistakes_are_reported_together_with_file_and_line(tmp_path: Path) -> None:
    text = (
        EXAMPLE.replace("idle_s: 5", "idel_s: 5")
        .replace("provider: mistral, ", "provider: mistrel,")
        .replace("[gpt, claude, mistral]", "[gpt, claud, mistral]")
        .replace("deadline_s: 30", "deadline_s: -30")
        .replace("strategy: cost", "strategy: costs")
    )
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    policy = "routes.chat.policy"
    assert set(caught.value.complaints) == {
        Complaint(
            str(file), 9, "targets.mistral.provider", "unknown provider 'mistrel'; did you mean 'mistral'?"
        ),
        Complaint(str(file), 12, "routes.chat.chain.1", "unknown target 'claud'; did you mean 'claude'?"),
        Complaint(str(file), 13, "routes.chat.strategy", "unknown value 'costs'; did you mean 'cost'?"),
        Complaint(str(file), 14, f"{policy}.deadline_s", "must be greater than 0, got -30"),
        Complaint(str(file), 14, f"{policy}.idel_s", "unknown key 'idel_s'; did you mean 'idle_s'?"),
    }


@pytest.mark.parametrize(
    ("place", "key"),
    [
        (("routes", "chat"), "lifecycle"),
        ((), "state"),
    ],
)
def test_a_key_of_a_later_version_is_never_accepted_and_ignored(place: tuple[str, ...], key: str) -> None:
    prices = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}
    source = target_of(prices=prices, limits={}) | {"routes": policy_of(breaker={})["routes"]}
    inner: Any = source
    for step in place:
        inner = inner[step]
    inner[key] = {}
    where = ".".join((*place, key))
    assert complaints_of(source) == [(where, f"'{key}' is not supported yet in this version")]


SECRET = "q7Kd" * 8


@pytest.mark.parametrize(
    "credential",
    [
        f"sk-{SECRET}",
        SECRET,
        f"env:sk-{SECRET}",
        f"env:{SECRET}",
        f"env: {SECRET}",
        f"ENV:{SECRET}",
        [SECRET],
        12345678901,
    ],
)
@pytest.mark.parametrize("place", ["providers", "targets"])
def test_a_key_instead_of_its_variable_is_refused_and_not_echoed(place: str, credential: Any) -> None:
    source = target_of(credential=credential)
    if place == "providers":
        source = mapping(providers={"openai": {"credential": credential}, "anthropic": {}})
    with pytest.raises(ConfigError) as caught:
        config_from_dict(source)
    message = str(caught.value)
    assert "env:" in message
    assert SECRET not in message
    assert "12345678901" not in message


def test_a_key_spelled_like_a_variable_is_refused_too() -> None:
    key = "AKIA" + "Q7" * 8
    ((_, what),) = complaints_of(target_of(credential=f"env:{key}"))
    assert key not in what


@pytest.mark.parametrize("name", ["api_key", "token"])
def test_who_looks_for_a_place_for_the_key_is_told_the_right_one(name: str) -> None:
    ((where, what),) = complaints_of(target_of(**{name: f"sk-{SECRET}"}))
    assert where == f"targets.gpt.{name}"
    assert "credential: env:NAME" in what
    assert SECRET not in what


@pytest.mark.parametrize(
    "address",
    ["example.org", "ftp://example.org", "https://", "https://a b", "https://h:x/", "https://[", 5],
)
def test_an_api_base_is_an_address(address: Any) -> None:
    ((where, what),) = complaints_of(target_of(api_base=address))
    assert where == "targets.gpt.api_base"
    assert "must be" in what


@pytest.mark.parametrize("address", [f"https://user:{SECRET}@host/v1", f"https://host/v1?key={SECRET}"])
def test_an_api_base_holds_no_credential(address: str) -> None:
    ((_, what),) = complaints_of(target_of(api_base=address))
    assert SECRET not in what


@pytest.mark.parametrize(
    ("source", "where", "what"),
    [
        (mapping(targets={}), "targets", "must not be empty"),
        (mapping(routes={}), "routes", "must not be empty"),
        (
            mapping(routes={"chat": {"chain": []}}),
            "routes.chat.chain",
            "must not be empty",
        ),
        (
            mapping(routes={"chat": {"chain": [["gpt"], []]}}),
            "routes.chat.chain.1",
            "must not be empty",
        ),
        (
            mapping(routes={"chat": {"chain": [["gpt"], "claude"]}}),
            "routes.chat.chain.1",
            "must be a list, got 'claude'",
        ),
        (mapping(routes={"chat": {"chain": "gpt"}}), "routes.chat.chain", "must be a list, got 'gpt'"),
        (mapping(routes={"chat": {}}), "routes.chat", "the key 'chain' is missing"),
        (
            mapping(routes={"chat": {"chain": ["gpt", "claude", "gpt"]}}),
            "routes.chat.chain.2",
            "the target 'gpt' stands twice in this chain",
        ),
        (
            mapping(
                routes={
                    "chat": {"chain": ["gpt"]},
                    "careful": {"chain": ["gpt"], "policy": {"breaker": {"failures": 2}}},
                }
            ),
            "routes.careful.policy.breaker",
            "differs from that of route 'chat', and both use the target 'gpt': a target has one breaker",
        ),
        (
            mapping(routes={"chat": {"chain": [["gpt"], ["claude", "gpt"]]}}),
            "routes.chat.chain.1.1",
            "the target 'gpt' stands twice in this chain",
        ),
        (
            target_of(callable="a.b:c"),
            "targets.gpt",
            "names both a model and a callable: one target is one of them",
        ),
        (
            mapping(targets={"gpt": {"provider": "openai"}}, routes={"chat": {"chain": ["gpt"]}}),
            "targets.gpt",
            "the key 'model' is missing (or 'callable', for a plain function)",
        ),
        (
            mapping(targets={"gpt": {"model": "openai/gpt"}}, routes={"chat": {"chain": ["gpt"]}}),
            "targets.gpt",
            "the key 'provider' is missing; known: openai, anthropic",
        ),
        (
            mapping(providers={"openai": {}}),
            "targets.claude.provider",
            "unknown provider 'anthropic'; known: openai",
        ),
        (target_of(limits={"tpm": 0}), "targets.gpt.limits.tpm", "must be at least 1, got 0"),
        (target_of(limits={"rpm": 0}), "targets.gpt.limits.rpm", "must be at least 1, got 0"),
        (target_of(limits={"concurrency": 0}), "targets.gpt.limits.concurrency", "must be at least 1, got 0"),
        (target_of(limits={"tmp": 1}), "targets.gpt.limits.tmp", "unknown key 'tmp'; did you mean 'tpm'?"),
        (
            target_of(region=" us"),
            "targets.gpt.region",
            "must be text on one line, without spaces around it, got ' us'",
        ),
        (
            target_of(context_window_tokens=1.5),
            "targets.gpt.context_window_tokens",
            "must be a whole number, got 1.5",
        ),
        (
            mapping(routes={"a b": {"chain": ["gpt"]}}),
            "routes.a b",
            "the name must be a name of letters, digits, '.', '_' and '-', got 'a b'",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(source: dict[str, Any], where: str, what: str) -> None:
    assert complaints_of(source) == [(where, what)]


def test_without_providers_the_remedy_is_named() -> None:
    source = mapping()
    del source["providers"]
    assert complaints_of(source)[0][1] == (
        "unknown provider 'openai'; name it under 'providers', with its credential"
    )


def test_a_function_handed_over_excludes_a_model() -> None:
    ((where, what),) = complaints_of(mapping(), callables=["gpt"])
    assert (where, what.split(":")[0]) == ("targets.gpt", "names both a model and a callable")


@pytest.mark.parametrize("name", ["a.b:", ":c", "a b", "a.b:c:d", "os.system('x')", ""])
def test_a_callable_is_named_not_written(name: str) -> None:
    source = mapping(targets={"score": {"callable": name}}, **ROUTED)
    ((where, _),) = complaints_of(source)
    assert where == "targets.score.callable"


@pytest.mark.parametrize(
    ("keys", "where", "what"),
    [
        (
            {"deadline_s": 5, "first_token_s": 8},
            "first_token_s",
            "first_token_s is 8, more than deadline_s: 5",
        ),
        (
            {"first_token_s": 90},
            "first_token_s",
            "first_token_s is 90, more than deadline_s: 60 (its default)",
        ),
        ({"deadline_s": 5, "attempt_s": 6}, "attempt_s", "attempt_s is 6, more than deadline_s: 5"),
        (
            {"backoff": {"initial_s": 3, "max_s": 2}},
            "backoff.initial_s",
            "backoff.initial_s is 3, more than backoff.max_s: 2",
        ),
        (
            {"backoff": {"initial_s": 30}},
            "backoff.initial_s",
            "backoff.initial_s is 30, more than backoff.max_s: 8 (its default)",
        ),
        (
            {"breaker": {"open_s": 9, "open_max_s": 8}},
            "breaker.open_s",
            "breaker.open_s is 9, more than breaker.open_max_s: 8",
        ),
        ({"attempts": 0}, "attempts", "must be at least 1, got 0"),
        ({"breaker": {"failure_share": 0}}, "breaker.failure_share", "must be greater than 0, got 0"),
        ({"breaker": {"slow_share": 1.1}}, "breaker.slow_share", "must be at most 1, got 1.1"),
        ({"retry_budget": {"share": -0.1}}, "retry_budget.share", "must be at least 0, got -0.1"),
        ({"idle_s": 100_000}, "idle_s", "must be at most 86400, got 100000"),
        ({"last_resort": "wiat"}, "last_resort", "unknown value 'wiat'; did you mean 'wait'?"),
        ({"on_content_filtered": True}, "on_content_filtered", "unknown value true; known: fail, fallback"),
    ],
)
def test_limits_that_cannot_hold_are_refused(keys: dict[str, Any], where: str, what: str) -> None:
    assert complaints_of(policy_of(**keys)) == [(f"routes.chat.policy.{where}", what)]


def test_a_short_deadline_alone_is_no_contradiction() -> None:
    assert config_from_dict(policy_of(deadline_s=1)).routes["chat"].policy.deadline_s == 1


def test_a_limit_in_error_is_not_compared_with_others() -> None:
    source = policy_of(deadline_s="soon", first_token_s=500)
    assert [where for where, _ in complaints_of(source)] == ["routes.chat.policy.deadline_s"]


ONE = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}


@pytest.mark.parametrize(
    ("prices", "where", "what"),
    [
        ([], "", "must not be empty"),
        ({"input_usd_per_mtok": 1}, "", "the key 'output_usd_per_mtok' is missing"),
        (
            [ONE, {**ONE, "valid_form": "x"}],
            ".1.valid_form",
            "unknown key 'valid_form'; did you mean 'valid_from'?",
        ),
        ({**ONE, "input_usd_per_mtok": "1"}, ".input_usd_per_mtok", "must be a number of US dollars"),
        ({**ONE, "input_usd_per_mtok": True}, ".input_usd_per_mtok", "must be a number of US dollars"),
        ({**ONE, "input_usd_per_mtok": -1}, ".input_usd_per_mtok", "must be between 0 and 1000000"),
        ({**ONE, "input_usd_per_mtok": float("nan")}, ".input_usd_per_mtok", "must be between 0 and 1000000"),
        ({**ONE, "input_usd_per_mtok": 10**5000}, ".input_usd_per_mtok", "must be between 0 and 1000000"),
        ({**ONE, "input_usd_per_mtok": 1e-10}, ".input_usd_per_mtok", "must have at most 9 decimals"),
        ({**ONE, "valid_from": "soon"}, ".valid_from", "must be a date or a time in UTC"),
        ({**ONE, "valid_from": 5}, ".valid_from", "must be a date or a time in UTC"),
        (
            {**ONE, "valid_from": dt.date(2026, 2, 1), "valid_to": dt.date(2026, 1, 1)},
            ".valid_to",
            "must be later than valid_from",
        ),
        (
            [{**ONE, "valid_from": "2026-01-01"}, ONE],
            ".0",
            "is never in force: price 1 covers its whole period",
        ),
        ("cheap", "", "must be a mapping, got 'cheap'"),
    ],
)
def test_a_price_that_cannot_be_is_refused(prices: Any, where: str, what: str) -> None:
    ((place, said),) = complaints_of(target_of(prices=prices))
    assert place == f"targets.gpt.prices{where}"
    assert said.startswith(what)


def test_an_entry_in_error_is_still_known_by_its_name() -> None:
    source = mapping(targets={"gpt": "openai/gpt", "claude": mapping()["targets"]["claude"]})
    assert [where for where, _ in complaints_of(source)] == ["targets.gpt"]


# What a route survives.


def route_of(*targets: Target) -> Route:
    return Route("chat", (targets,))


def test_a_loss_takes_every_target_in_its_domain() -> None:
    route = route_of(
        Target("a", "one", model="m", region="us", edge="e"),
        Target("b", "two", model="m", region="eu", edge="e"),
    )
    losses = {(loss.domain, loss.name): loss.left for loss in single_losses(route)}
    assert losses[FaultDomain.PROVIDER, "one"] == ("b",)
    assert losses[FaultDomain.REGION, "eu"] == ("a",)
    assert losses[FaultDomain.MODEL, "m"] == losses[FaultDomain.EDGE, "e"] == ()
    assert not [domain for domain, _ in losses if domain in (FaultDomain.CLOUD, FaultDomain.CREDENTIAL)]


def test_a_domain_nobody_names_is_said_to_be_unknown() -> None:
    unnamed = unnamed_domains(route_of(Target("a", "one", region="us"), Target("b", "two")))
    assert unnamed[FaultDomain.REGION] == ("b",)
    assert unnamed[FaultDomain.CLOUD] == ("a", "b")
    assert FaultDomain.PROVIDER not in unnamed


# The published schema.


def as_json(text: str) -> Any:
    """What an editor sees: dates are text."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def test_the_published_schema_is_up_to_date() -> None:
    published = json.loads(SCHEMA.read_text("utf-8"))
    assert published == config_json_schema(), "write json.dumps(config_json_schema(), indent=2) to that file"


def test_the_published_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(config_json_schema())


@pytest.mark.parametrize("text", examples())
def test_the_published_schema_accepts_the_examples(text: str) -> None:
    jsonschema.Draft202012Validator(config_json_schema()).validate(as_json(text))


@pytest.mark.parametrize(
    "source",
    [
        mapping(budgets=[{"scope": "all", "usd": 1}]),
        mapping(routes={}),
        mapping(routes={"a b": {"chain": ["gpt"]}}),
        mapping(routes={"chat": {"chain": []}}),
        policy_of(deadline_s=0),
        policy_of(hedge={"share": 0}),
        policy_of(stream_recovery="retry"),
        target_of(credential="sk-123"),
        target_of(prices={"input_usd_per_mtok": 1}),
    ],
)
def test_the_published_schema_refuses_what_loading_refuses(source: dict[str, Any]) -> None:
    assert complaints_of(source)
    assert not jsonschema.Draft202012Validator(config_json_schema()).is_valid(source)


def test_every_key_is_documented() -> None:
    page = PAGE.read_text("utf-8")
    keys = {
        key
        for section in [config_json_schema(), *config_json_schema()["$defs"].values()]
        for key in section.get("properties", {})
    }
    assert not [key for key in sorted(keys) if f"`{key}`" not in page]


def test_every_default_is_documented_as_it_is() -> None:
    rows = [line.split("|") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    told = {row[1].strip().strip("`"): row[2].strip() for row in rows if len(row) > 4}
    for field in fields(Policy):
        value = getattr(Policy(), field.name)
        inner = {f.name: getattr(value, f.name) for f in fields(value)} if is_dataclass(value) else {}
        for name, default in inner.items():
            assert told[f"{field.name}.{name}"] == f"{default:g}"
        if isinstance(value, bool):
            assert told[field.name] == f"`{value}`".lower()
        elif isinstance(value, (int, float)):
            assert told[field.name] == f"{value:g}"


# Whatever comes.

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.datetimes()
)
NAMES = st.sampled_from(["gpt", "claude", "openai", "env:KEY", "priority", "https://host", "a.b:c", "tiers"])
KEYS = st.sampled_from(
    sorted(
        {key for section in config_json_schema()["$defs"].values() for key in section.get("properties", {})}
    )
)
VALUES = st.recursive(
    SCALARS | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | NAMES | SCALARS, inner, max_size=4),
    max_leaves=25,
)
SECTIONS = st.dictionaries(st.sampled_from(sorted(ConfigSection.model_fields)), VALUES, max_size=4)


def outcome_of(source: dict[str, Any] | Path) -> Config | tuple[Complaint, ...]:
    try:
        return load_config(source) if isinstance(source, Path) else config_from_dict(source)
    except ConfigError as error:
        return error.complaints


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "providers": VALUES | st.dictionaries(NAMES, VALUES, max_size=3),
            "targets": VALUES | st.dictionaries(NAMES, VALUES, max_size=3),
            "routes": VALUES
            | st.dictionaries(NAMES, st.fixed_dictionaries({"chain": VALUES, "policy": VALUES})),
        },
    )
    | SECTIONS
)
def test_any_mapping_gives_a_config_or_complaints(source: dict[str, Any]) -> None:
    assert outcome_of(source)


@given(VALUES | SECTIONS)
def test_any_yaml_gives_a_config_or_complaints(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    file = tmp_path_factory.mktemp("any") / "failover.yaml"
    file.write_text(yaml.safe_dump(value), "utf-8")
    assert outcome_of(file)


@given(KEYS, VALUES)
def test_any_value_of_any_key_gives_a_config_or_complaints(key: str, value: Any) -> None:
    for source in (target_of(**{key: value}), policy_of(**{key: value}), mapping(**{key: value})):
        assert outcome_of(source)


def test_importing_failover_does_not_import_pydantic() -> None:
    script = "import failover, sys; sys.exit('pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)  # noqa: S603  our own words
