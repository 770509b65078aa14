"""How the router sees recorded exchanges: one row per episode, as `failover cassettes` prints it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from failover.adapters.classify_reply import classify_reply
from failover.cassettes.episodes import Episode
from failover.core.vocabulary import Outcome


class Row(TypedDict):
    """The JSON of one episode; `kind` and `scope` are null for a success, `retry_after_s` where not told."""

    file: str
    n: int
    provider: str
    model: str
    endpoint: str
    stream: bool
    status: int
    outcome: str
    kind: str | None
    scope: str | None
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over a listing; `kinds` most frequent first."""

    episodes: int
    files: int
    failures: int
    kinds: tuple[tuple[str, int], ...]


def row_of(episode: Episode) -> Row:
    """The episode as the router would judge it live. Moments are measured from the reply's own `Date`."""
    failure = classify_reply(episode.provider, episode.reply)
    return Row(
        file=episode.file,
        n=episode.n,
        provider=episode.provider,
        model=episode.model,
        endpoint=episode.endpoint,
        stream=episode.stream,
        status=episode.reply.status,
        outcome=(Outcome.SUCCESS if failure is None else Outcome.FAILURE).value,
        kind=None if failure is None else failure.kind.value,
        scope=None if failure is None else failure.scope.value,
        retry_after_s=None if failure is None else failure.retry_after_s,
    )


def listing_of(episodes: Iterable[Episode]) -> list[Row]:
    """One row per episode, in their order."""
    return [row_of(episode) for episode in episodes]


def totals_of(rows: Iterable[Row]) -> Totals:
    """What the rows add up to."""
    listed = list(rows)
    kinds = Counter(kind for row in listed if (kind := row["kind"]) is not None)
    return Totals(
        episodes=len(listed),
        files=len({row["file"] for row in listed}),
        failures=kinds.total(),
        kinds=tuple(kinds.most_common()),
    )
