"""What recorded answers cost, by our price book and by litellm's function: to the nano-dollar, or why not.

Usage: python -m benchmarks.charges FOLDER [--all]. FOLDER holds cassettes. Every success that tells a usage
is passed through the real litellm, as a router sends it, and charged twice. Printed is a table in Markdown of
the disagreements, each with its cause and who is right; `--all` prints the agreements too. Of what litellm
cannot be played (it signs, or has a client of its own), the usage is read from the wire, and litellm prices
that. Exits with 1 where a disagreement has no known cause.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from failover.adapters.loading import load_litellm
from failover.adapters.operations import METHODS
from failover.adapters.playable import why_unplayable
from failover.adapters.seam import Outbound
from failover.adapters.told_usage import usage_in
from failover.adapters.usage import usage_of
from failover.cassettes.episodes import Episode, load_folder
from failover.chaos.modes.playing import image_adapter, litellm_drilled
from failover.chaos.prompts import errand
from failover.chaos.world.image import Image
from failover.chaos.world.repertoire import CASSETTE_PROVIDERS, ENDPOINTS
from failover.config import config_from_dict
from failover.core.messages import Limits
from failover.core.prices import PriceBook, usd_to_nusd
from failover.core.vocabulary import Operation, Target, Usage
from failover.price_map import entry_of
from failover.price_sources import price_book

_LIMITS = Limits(60.0, 60.0, 60.0, 60.0)
_NAMES = {recorded: name for name, recorded in CASSETTE_PROVIDERS.items()}

AGREED = "agreed"
UNKNOWN = "unexplained"
OTHER_USAGE = "litellm does not read the usage of this stream, and counts tokens itself"
OTHER_ENTRY = "the answer names a model of another price than the one that was asked for"
TOLD = "the provider told what the answer cost on the day it was recorded, and its price has changed since"
ROUNDED = "half a nano-dollar, which we round up and litellm's binary fractions lose"
RIGHT = {
    OTHER_USAGE: "failover: the provider told it",
    OTHER_ENTRY: "litellm, where the alias was moved: the provider bills what it served",
    TOLD: "both: litellm of that day, failover of the list as it stands",
    ROUNDED: "failover: the sum is exact before it is rounded",
    UNKNOWN: "nobody knows",
}


@dataclass(frozen=True)
class Compared:
    """One recorded answer, and both charges; None where nobody told a price. `cause`: why they differ."""

    name: str
    model: str
    usage: Usage
    ours_nusd: int | None
    theirs_nusd: int | None
    cause: str = AGREED

    @property
    def comparable(self) -> bool:
        """Whether both know the price."""
        return self.ours_nusd is not None and self.theirs_nusd is not None


@dataclass(frozen=True)
class _Answer:
    """What litellm made of an answer: `value` is its own reply, `usage` what we charge."""

    value: Any
    usage: Usage | None


def compared(folder: Path) -> list[Compared]:
    """Every success with a usage of the cassettes in `folder`."""
    with warnings.catch_warnings(), litellm_drilled():
        warnings.simplefilter("ignore")
        return [found for episode in load_folder(folder) if (found := _compared(episode)) is not None]


def _compared(episode: Episode) -> Compared | None:
    told = usage_in(episode.reply.body)
    operation = next((each for each, names in ENDPOINTS.items() if episode.endpoint in names), None)
    if episode.reply.status != HTTPStatus.OK or told is None or operation is None:
        return None
    target = _target(episode)
    answer = _answered(episode, target, Operation(operation)) or _from_the_wire(target, told)
    usage = answer.usage or told
    ours_nusd = _book(target).charge_nusd(target.name, usage, 0.0)
    theirs_nusd = _theirs_nusd(answer.value, target)
    cause = AGREED
    if ours_nusd is not None and theirs_nusd is not None and ours_nusd != theirs_nusd:
        cause = _cause(answer, target, usage, ours_nusd, theirs_nusd)
    return Compared(f"{episode.file}#{episode.n}", target.model, usage, ours_nusd, theirs_nusd, cause)


def _target(episode: Episode) -> Target:
    provider = _NAMES.get(episode.provider, episode.provider)
    base = "https://provider.invalid" if provider == "azure" else ""
    return Target("t", provider, f"{provider}/{episode.model}", credential="KEY", api_base=base)


def _book(target: Target) -> PriceBook:
    section = {"provider": target.provider, "model": target.model}
    providers = {target.provider: {"credential": "env:KEY"}}
    routes = {"r": {"chain": ["t"]}}
    config = config_from_dict({"providers": providers, "targets": {"t": section}, "routes": routes})
    # litellm's list has no dates: what is compared is what that list says.
    return price_book(config, dated_by_facts=False)


def _answered(episode: Episode, target: Target, operation: Operation) -> _Answer | None:
    """The answer as litellm gives it; None where it cannot be played, or litellm cannot read it."""
    styles = METHODS[operation].styles
    # A list of JSON is no stream that litellm asks for.
    listed = episode.stream and episode.reply.body.lstrip().startswith(b"[")
    if why_unplayable(target.model) or listed or (styles and target.provider not in styles):
        return None
    try:
        return asyncio.run(_played(episode, target, operation))
    except Exception:  # noqa: BLE001  # litellm raises what it likes; then the wire speaks
        return None


async def _played(episode: Episode, target: Target, operation: Operation) -> _Answer:
    adapter = image_adapter(Image(episode.file, reply=episode.reply), lambda _: 0.0)
    outbound = Outbound(target, operation, errand(operation, None, None).payload, _LIMITS)
    try:
        if not episode.stream:
            answer = await adapter.send(outbound)
            return _Answer(answer.value, answer.usage)
        pieces = [piece async for piece in adapter.stream(outbound)]
    finally:
        await adapter.aclose()
    chunks = [piece.value for piece in pieces]
    usage = [piece.usage for piece in pieces if piece.usage is not None]
    value = adapter.assemble(outbound, chunks)
    return _Answer(value, usage[-1] if usage else None)


def _from_the_wire(target: Target, told: Usage) -> _Answer:
    """A reply of litellm's own type that used what the wire says."""
    types: Any = sys.modules["litellm.types.utils"]
    details_in = types.PromptTokensDetailsWrapper(
        cached_tokens=told.tokens_in_cached, audio_tokens=told.tokens_in_audio
    )
    details_out = types.CompletionTokensDetailsWrapper(
        reasoning_tokens=told.tokens_out_reasoning, audio_tokens=told.tokens_out_audio
    )
    written = told.tokens_in_cache_written + told.tokens_in_cache_written_1h
    usage = types.Usage(
        prompt_tokens=told.tokens_in,
        completion_tokens=told.tokens_out,
        total_tokens=told.tokens_in + told.tokens_out,
        prompt_tokens_details=details_in,
        completion_tokens_details=details_out,
        **({"cache_creation_input_tokens": written} if written else {}),
    )
    return _Answer(types.ModelResponse(model=target.model, usage=usage), told)


def _theirs_nusd(value: Any, target: Target) -> int | None:
    try:
        return usd_to_nusd(load_litellm().completion_cost(value, model=target.model))
    except Exception:  # noqa: BLE001  # litellm raises what it likes for a model that it does not know
        return None


def _cause(answer: _Answer, target: Target, usage: Usage, ours_nusd: int, theirs_nusd: int) -> str:
    entry, counted = entry_of(target.model), getattr(answer.value, "usage", None)
    theirs = usage_of(counted)
    if getattr(counted, "cost", None) is not None:
        return TOLD
    if theirs is not None and (theirs.tokens_in, theirs.tokens_out) != (usage.tokens_in, usage.tokens_out):
        return OTHER_USAGE
    named = entry_of(f"{target.provider}/{getattr(answer.value, 'model', None) or ''}")
    if named and _rates(named) != _rates(entry):
        return OTHER_ENTRY
    if abs(theirs_nusd - ours_nusd) == 1:
        return ROUNDED
    return UNKNOWN


def _rates(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if "_cost_per_token" in name}


def table(found: list[Compared]) -> Iterator[str]:
    """The rows of a table in Markdown."""
    yield "| answer | model | used | failover, nano-dollars | litellm | cause | right |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for each in found:
        kinds = {name: value for name, value in _counts(each.usage).items() if value}
        used = ", ".join(f"{name} {value}" for name, value in kinds.items())
        right = RIGHT.get(each.cause, "both")
        figures = f"{_told(each.ours_nusd)} | {_told(each.theirs_nusd)}"
        yield f"| `{each.name}` | `{each.model}` | {used} | {figures} | {each.cause} | {right} |"


def _counts(usage: Usage) -> dict[str, int]:
    return {
        "in": usage.tokens_in,
        "out": usage.tokens_out,
        "cached": usage.tokens_in_cached,
        "written": usage.tokens_in_cache_written,
        "written for an hour": usage.tokens_in_cache_written_1h,
        "heard": usage.tokens_in_audio,
        "spoken": usage.tokens_out_audio,
        "thought": usage.tokens_out_reasoning,
    }


def _told(nusd: int | None) -> str:
    return "unknown" if nusd is None else f"{nusd}"


def main() -> int:
    """Print the table and a summary; 1 where something is unexplained."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="the agreements too")
    asked = parser.parse_args()
    if not asked.folder.is_dir():
        parser.error(f"{asked.folder}: no such folder; name one that holds cassettes")
    logging.disable(logging.CRITICAL)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    load_litellm()
    found = compared(asked.folder)
    both = [each for each in found if each.comparable]
    print("\n".join(table([each for each in both if asked.all or each.cause != AGREED])))
    causes = Counter(each.cause for each in both)
    print(f"\n{len(found)} answers with usage; both know the price of {len(both)}: {json.dumps(causes)}")
    ours = sum(each.ours_nusd is not None and each.theirs_nusd is None for each in found)
    theirs = sum(each.ours_nusd is None and each.theirs_nusd is not None for each in found)
    free = sum(each.ours_nusd is None and each.theirs_nusd == 0 for each in found)
    print(
        f"only failover knows the price of {ours}, only litellm of {theirs}: {free} of those it takes as free"
    )
    return 1 if causes[UNKNOWN] else 0


if __name__ == "__main__":
    sys.exit(main())
