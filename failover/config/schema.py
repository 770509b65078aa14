"""The schema of a config file: its keys, their ranges, and what each is for."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag, WithJsonSchema

from failover.config.audit_section import AuditSection
from failover.config.lifecycle_section import KeepWarmSection, LifecycleRulesSection, LifecycleSection
from failover.config.policy_schema import GOVERNANCE, PolicySection
from failover.config.price_file import PriceBookKey
from failover.config.price_section import Prices
from failover.config.spending_section import AlarmSection, BudgetSection, LedgerSection
from failover.config.terms_section import DataClass, Organisation, TermsOrDated
from failover.config.values import (
    Address,
    CallableName,
    Credential,
    Folder,
    Name,
    Text,
    Whole,
)
from failover.core.strategies import STRATEGIES
from failover.core.vocabulary import StrategyFunction, Target
from failover.documents import Section, shown

_CREDENTIAL_HINT = "name the variable that holds it instead: 'credential: env:NAME'"
_KEY_HINTS = MappingProxyType(
    {
        **dict.fromkeys(("api_key", "key", "token", "secret"), _CREDENTIAL_HINT),
        **dict.fromkeys(
            ("residency", "retention_days", "trains_on_data", "dpa"),
            "it is a key of 'terms': 'terms: {dpa: true}'",
        ),
    }
)


class Provider(Section):
    """An organisation's API; its targets inherit what they do not say themselves."""

    later: ClassVar[frozenset[str]] = GOVERNANCE
    hints: ClassVar[MappingProxyType[str, str]] = _KEY_HINTS

    credential: Credential | None = None
    edge: Text | None = Field(default=None, description="What carries its traffic in front, say a CDN.")
    cloud: Text | None = Field(default=None, description="The cloud it runs in.")
    region: Text | None = None
    api_base: Address | None = None
    terms: TermsOrDated | None = Field(default=None, description="What it may do with data.")


class TargetLimits(Section):
    """What this target may be sent, by this router; who may have what was too large for another."""

    rpm: Whole | None = Field(default=None, description="Most requests in any minute.")
    tpm: Whole | None = Field(default=None, description="Most tokens in any minute, by estimate until told.")
    concurrency: Whole | None = Field(default=None, description="Most attempts at once.")


_Able = Annotated[bool | None, Field(strict=True, description="Left out: what litellm's map says.")]


class CapabilitiesSection(Section):
    """What the model can and cannot do; what is left out here and in litellm's map is unknown."""

    tools: _Able = None
    vision: _Able = None
    audio_input: _Able = None
    audio_output: _Able = None
    files: _Able = None
    json_schema: _Able = None
    prefill: _Able = None
    reasoning: _Able = None


class BillingSection(Section):
    """How its calls are billed; they are sent as ever."""

    service: Literal["batch", "flex", "priority"] | None = Field(
        default=None, description="The service tier; left out: the standard one."
    )
    region: Text | None = Field(default=None, description="The region whose surcharge it is billed.")


class TargetSection(Section):
    """Provider + model + region + credential: what is ranked, sent to, priced and broken."""

    later: ClassVar[frozenset[str]] = GOVERNANCE - {"lifecycle"}
    hints: ClassVar[MappingProxyType[str, str]] = _KEY_HINTS

    provider: Name | None = Field(default=None, description="A key of `providers`; `local` for a callable.")
    model: Text | None = Field(default=None, description="As litellm names it: `anthropic/claude-sonnet-5`.")
    callable: CallableName | None = Field(
        default=None, description="A plain function: `package.module:function`."
    )
    region: Text | None = None
    credential: Credential | None = None
    cloud: Text | None = None
    edge: Text | None = None
    api_base: Address | None = None
    context_window_tokens: Whole | None = Field(
        default=None, description="Longest prompt and answer together."
    )
    output_tokens_max: Whole | None = Field(default=None, description="Longest answer that may be asked for.")
    capabilities: CapabilitiesSection = CapabilitiesSection()
    unsupported_parameters: list[Name] = Field(
        default_factory=list, description="Parameters that the target refuses."
    )
    limits: TargetLimits = TargetLimits()
    weight: Annotated[float, Field(strict=True, gt=0, le=1_000_000)] = Field(
        default=Target("", "").weight,
        description="Its part of a tier's requests, with the strategy `weighted`.",
    )
    vector_space: Text | None = Field(
        default=None,
        description=(
            "Targets of one space give embeddings that can be compared; left out, the model without "
            "litellm's prefix."
        ),
    )
    prices: Prices | None = None
    billing: BillingSection = BillingSection()
    lifecycle: LifecycleSection | None = Field(default=None, description="When its model ends.")
    successor: Name | None = Field(
        default=None, description="The target of its chains that takes its place when its model ends."
    )
    terms: TermsOrDated | None = Field(default=None, description="What differs from its provider's.")


def _chain_branch(value: Any) -> str:
    tiers = isinstance(value, (list, tuple)) and any(isinstance(item, (list, tuple)) for item in value)
    return "tiers" if tiers else "names"


_Names = Annotated[list[Name], Field(min_length=1)]
Chain = Annotated[
    Annotated[_Names, Tag("names")] | Annotated[list[_Names], Field(min_length=1), Tag("tiers")],
    Discriminator(_chain_branch),
]


def _strategy(value: Any) -> Any:
    # Which names there are is checked with the config: some may be handed over in Python.
    if isinstance(value, str) or callable(value):
        return value
    message = f"must be the name of a strategy, got {shown(value)}"
    raise ValueError(message)


Strategy = Annotated[
    str | StrategyFunction,
    PlainValidator(_strategy),
    WithJsonSchema({"anyOf": [{"enum": list(STRATEGIES)}, {"type": "string", "minLength": 1}]}),
]
"""One of the library's by name, one that is handed over by its name, or in Python the function itself."""


class RouteSection(Section):
    """The name callers ask for."""

    later: ClassVar[frozenset[str]] = GOVERNANCE

    chain: Chain = Field(description="Targets in order: one tier, or a list of tiers.")
    strategy: Strategy = Field(default="priority", description="How targets of one tier are ranked.")
    data_class: Name | None = Field(default=None, description="Of requests that name none.")
    policy: PolicySection = PolicySection()


class ConfigSection(Section):
    """A failover config: providers, targets, routes."""

    later: ClassVar[frozenset[str]] = (GOVERNANCE - {"lifecycle"}) | {"state"}

    providers: dict[Name, Provider] = Field(default_factory=dict)
    targets: Annotated[dict[Name, TargetSection], Field(min_length=1)]
    routes: Annotated[dict[Name, RouteSection], Field(min_length=1)]
    data_classes: dict[Name, DataClass] = Field(
        default_factory=dict, description="What requests may hold, and what each such class requires."
    )
    default_data_class: Name | None = Field(
        default=None,
        description="Of requests that name none, on routes that name none; left out: they may be of any.",
    )
    organisation: Organisation | None = Field(default=None, description="What you are: some bar some.")
    audit: AuditSection | None = Field(default=None, description="Which target saw which data.")
    cassettes: Folder | None = Field(
        default=None, description="Folder of cassettes, from the config's own folder."
    )
    catalogue: Text | None = Field(
        default=None, description="File of a catalogue of your own, from the config's own folder."
    )
    lifecycle: LifecycleRulesSection = LifecycleRulesSection()
    keep_warm: KeepWarmSection | None = Field(default=None, description="Canaries to standbys.")
    price_book: PriceBookKey | None = Field(
        default=None, description="A price file, or where else prices come from that no target tells."
    )
    budgets: list[BudgetSection] = Field(default_factory=list, description="What may be spent.")
    alarms: list[AlarmSection] = Field(default_factory=list, description="What is too much at once.")
    ledger: LedgerSection | None = Field(
        default=None, description="Where spending is kept count of; left out, in memory."
    )
