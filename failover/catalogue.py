"""The shipped catalogue of announced and past retirements, and by which of its names a target's model goes.

`failover/shipped_data/lifecycle.csv` holds them, each with its source; `benchmarks/lifecycle_catalogue.py`
makes it. Dates are those of the providers' first-hand pages as far as two public lists copied them; of
Azure, Bedrock and Vertex one list gives only the earliest of several regions or versions, and so its
confidence is low.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from failover.core.vocabulary import RetirementShape, Target

FILE = Path(__file__).parent / "shipped_data" / "lifecycle.csv"

EARLIEST = "the earliest date of several regions or versions"
"""What the file notes beside a date that may be later elsewhere."""

_SNAPSHOT = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})$")
_LATEST = re.compile(r"-(latest|0)$")
_TUNED_SNAPSHOT = re.compile(r"-(\d{4}|\d{4}-\d{2}-\d{2})$")
_BEDROCK_ROUTES = re.compile(r"^(converse|converse_like|invoke|mantle)/")
_BEDROCK_PLACES = re.compile(r"^[a-z]{2}(-[a-z]+)+-\d/")
_BEDROCK_PROFILES = re.compile(r"^(us|eu|apac|au|ca|jp|global|us-gov)\.")
_AZURE_PLACES = re.compile(r"^(eu|us|global|global-standard|standard)/")
_VERTEX_VERSION = re.compile(r"@[^/]*$")
_FINE_TUNED = re.compile(r"^ft:([^:]+)")

_SAME_PROVIDER = {
    "bedrock_converse": "bedrock",
    "cohere_chat": "cohere",
    "vertex_ai_beta": "vertex_ai",
    "text-completion-openai": "openai",
    "openai_like": "",
    "custom_openai": "",
}
_ALIASES_OF = frozenset({"openai", "azure"})
"""Whose snapshots end with their alias, where they have no date of their own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model's end as one list gives it; times are epoch seconds. `model` is litellm's name."""

    model: str
    announced_s: float | None
    deprecated_s: float | None
    retired_s: float | None
    replacement: str
    shape: RetirementShape
    is_certain: bool
    source: str
    note: str = ""


def entry_of(target: Target) -> Entry | None:
    """What the shipped catalogue says of a target's model; None: nothing."""
    if not target.model or (target.api_base and target.model.startswith("openai/")):
        return None  # whatever answers there, it is not OpenAI
    entries = shipped()
    return next((entry for name in names_of(target.model) if (entry := _found(name, entries))), None)


def names_of(model: str) -> Iterator[str]:
    """Under which names a list may hold `model`, the most exact first: without places, profiles, versions."""
    provider, _, name = model.partition("/")
    if not name:
        provider, name = "openai", provider
    provider = _SAME_PROVIDER.get(provider, provider)
    if provider == "bedrock":
        name = _BEDROCK_PROFILES.sub("", _BEDROCK_PLACES.sub("", _BEDROCK_ROUTES.sub("", name)))
    elif provider == "azure":
        name = _AZURE_PLACES.sub("", name)
    elif provider == "vertex_ai":
        name = _VERTEX_VERSION.sub("", name)
    elif provider == "gemini":
        name = name.removeprefix("models/")
    elif provider == "openai":
        name = name.removeprefix("responses/")
        tuned = _FINE_TUNED.match(name)
        if tuned:
            base = tuned.group(1)
            yield from (f"openai/ft-{base}", f"openai/ft-{_TUNED_SNAPSHOT.sub('', base)}")
            return
    yield f"{provider}/{name}"
    if provider in {"azure", "azure_ai"}:
        yield f"{'azure_ai' if provider == 'azure' else 'azure'}/{name}"


def _found(name: str, entries: Mapping[str, Entry]) -> Entry | None:
    """The entry of a name; of an alias, that of the latest snapshot that it can mean."""
    if name in entries:
        return entries[name]
    latest = _latest_snapshots().get(_LATEST.sub("", name))
    if latest is not None and name.startswith("anthropic/"):
        return replace(latest, note="; ".join(filter(None, (f"by its snapshot {latest.model}", latest.note))))
    alias = entries.get(_SNAPSHOT.sub("", name))
    if alias is not None and name.partition("/")[0] in _ALIASES_OF:
        note = "; ".join(filter(None, (f"by its alias {alias.model}", alias.note)))
        return replace(alias, is_certain=False, note=note)
    return None


@cache
def _latest_snapshots() -> Mapping[str, Entry]:
    """By the name without its date; names sort by date, so the last of one stem is the latest."""
    return {_SNAPSHOT.sub("", name): shipped()[name] for name in sorted(shipped()) if _SNAPSHOT.search(name)}


@cache
def shipped() -> Mapping[str, Entry]:
    """The whole catalogue by litellm's name of the model."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return {row["model"]: _entry(row) for row in csv.DictReader(file)}


def _entry(row: Mapping[str, str]) -> Entry:
    return Entry(
        row["model"],
        _day_s(row["announced"]),
        _day_s(row["deprecated"]),
        _day_s(row["retired"]),
        row["replacement"],
        RetirementShape(row["shape"]),
        row["confidence"] == "high",
        row["source"],
        row["note"],
    )


def _day_s(day: str) -> float | None:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() if day else None
