"""Scenario files: a story with a route, a workload, injections and expectations."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import AwareDatetime, Field

from failover.chaos.arrivals import Trace
from failover.chaos.asked_latency import LatencySection
from failover.chaos.injections import AnyInjection
from failover.chaos.traces import RecordedTrace, load_trace
from failover.chaos.workload_section import STREAMED_OPERATIONS, Workload
from failover.documents import Complaints, Document, Place, Section, load_document, validate
from failover.errors import Complaint

START_EPOCH_S = 1_767_225_600.0
"""Virtual time begins on 2026-01-01, 00:00 UTC, unless a scenario says when."""


class Sometimes(StrEnum):
    """What must have happened at least once: a drill that never came there did not show it."""

    BREAKER_OPENED = "breaker_opened"
    BREAKER_CLOSED = "breaker_closed"
    PROBE = "probe"
    FALLBACK = "fallback"
    RETRY = "retry"
    HEDGE = "hedge"
    LAST_RESORT = "last_resort"
    WAIT = "wait"
    COOLDOWN = "cooldown"
    RETIRED = "retired"
    RETIREMENT_AHEAD = "retirement_ahead"
    RETIREMENT_REACHED = "retirement_reached"
    KEEP_WARM = "keep_warm"
    FATE_SHARED = "fate_shared"
    OUTAGE_SUSPECTED = "outage_suspected"


class Expectations(Section):
    """What must hold in this scenario, beside the invariants. Shares are fractions of one."""

    success_ratio_min: float | None = Field(default=None, ge=0.0, le=1.0)
    regret_success_ratio_max: float | None = Field(default=None, ge=0.0, le=1.0)
    regret_cost_per_1k_max_usd: float | None = Field(default=None, ge=0.0)
    regret_latency_max_s: float | None = Field(default=None, ge=0.0)
    latency_p95_max_s: float | None = Field(default=None, gt=0.0)
    first_token_p95_max_s: float | None = Field(default=None, gt=0.0)
    cost_per_1k_max_usd: float | None = Field(default=None, ge=0.0)
    amplification_max: float | None = Field(default=None, ge=1.0)
    unwitting_max: int | None = Field(default=None, ge=0)
    detected_within_s: float | None = Field(default=None, gt=0.0)
    recovered_within_s: float | None = Field(default=None, gt=0.0)
    goodput_recovered_within_s: float | None = Field(default=None, gt=0.0)
    served_share_min: Mapping[str, float] = Field(default_factory=dict)
    served_share_max: Mapping[str, float] = Field(default_factory=dict)
    sometimes: tuple[Sometimes, ...] = ()
    never: tuple[Sometimes, ...] = ()


class SteadyState(Section):
    """Normal behaviour, which must hold before the first injection for a drill to show anything."""

    success_ratio_min: float = Field(default=0.99, ge=0.0, le=1.0)
    requests_min: int = Field(default=20, ge=1)


MODES: tuple[str, ...] = ("simulate", "replay")


class ScenarioSection(Section):
    """The file's shape. Paths are relative to the file. `modes` left out: both.

    `begins` is the date and time at which virtual time begins: prices go by date. `source` says where the
    story is told, `known` what is known of it, and `assumed` what nobody published. `when_untouched` says
    whether a config that no injection hits is refused, or skips the scenario.
    """

    title: str = Field(min_length=1)
    config: str
    cassettes: str | None = None
    when_cassettes_absent: Literal["refuse", "skip"] = "refuse"
    when_untouched: Literal["refuse", "skip"] = "refuse"
    modes: tuple[Literal["simulate", "replay"], ...] | None = Field(default=None, min_length=1)
    begins: AwareDatetime | None = None
    source: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    workload: Workload
    latency: Mapping[str, LatencySection] = Field(default_factory=dict)
    inject: tuple[AnyInjection, ...] = ()
    steady_state: SteadyState = SteadyState()
    expect: Expectations = Expectations()


class Scenario:
    """A scenario with the place it was read from. `name` is the file's name without its ending."""

    def __init__(
        self, section: ScenarioSection, path: Path, document: Document, trace: RecordedTrace | None = None
    ) -> None:
        self._document = document
        self.title = section.title
        self.path = path
        self.name = path.stem
        self.config_path = path.parent / section.config
        self.cassettes_path = None if section.cassettes is None else path.parent / section.cassettes
        self.when_cassettes_absent = section.when_cassettes_absent
        self.when_untouched = section.when_untouched
        self.modes = section.modes or MODES
        self.is_dated = section.begins is not None
        self.start_epoch_s = START_EPOCH_S if section.begins is None else section.begins.timestamp()
        self.source = section.source
        self.known = section.known
        self.assumed = section.assumed
        self.workload = section.workload
        self.trace = trace
        self.latency = section.latency
        self.injections = section.inject
        self.steady_state = section.steady_state
        self.expect = section.expect

    def complaint(self, place: Place, what: str) -> Complaint:
        """Something wrong at `place` of the file, found out when it met a config."""
        where = ".".join(map(str, place))
        return Complaint(self._document.file, self._document.line(place), where, what)


def load_scenario(path: Path) -> Scenario:
    """The scenario in the YAML file at `path`; raises `ConfigError` with every complaint at once."""
    complaints = Complaints()
    document = load_document(path, complaints)
    section = validate(document, ScenarioSection, complaints) if document else None
    if document and section:
        _check(section, document, complaints)
    complaints.raise_if_any()
    # Without complaints there are both.
    found = cast("ScenarioSection", section)
    process = found.workload.arrivals
    trace = load_trace(path.parent / process.file) if isinstance(process, Trace) else None
    return Scenario(found, path, cast("Document", document), trace)


def scenario_json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file, for editors."""
    return ScenarioSection.model_json_schema()


def _check(section: ScenarioSection, document: Document, complaints: Complaints) -> None:
    for index, part in enumerate(section.workload.parts()):
        place: Place = ("workload", "mix", index) if section.workload.mix else ("workload",)
        if (part.tokens_in is None) != (part.tokens_out is None):
            what = "sets one of tokens_in and tokens_out: set both, or neither to keep the recorded sizes"
            complaints.add(document, place, what)
        if part.stream and part.operation not in STREAMED_OPERATIONS:
            complaints.add(document, place, f"{part.operation} has no streams; leave out `stream`")
    for index, injection in enumerate(section.inject):
        if injection.at_s >= section.workload.for_s:
            what = f"begins after the workload, which ends at {section.workload.for_s:g} s"
            complaints.add(document, ("inject", index, "at_s"), what)
