"""What all sources say of the end of a config's models, put together: yours first, then the lists.

Of several that give a date the first holds: the target's own words, your catalogue, the shipped one,
litellm's bundled map. Where the shipped one has only the earliest of several regions' dates, litellm's goes
before it. Whatever gives another date than the one that holds is a contradiction, and told as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from failover import catalogue
from failover.config import Config
from failover.config.lifecycle_rules import Word
from failover.core.learned import Learned
from failover.core.lifecycle import DAY_S, Calendar, Contradiction, Known, Lifecycle
from failover.core.vocabulary import ByDate, RetirementShape, Target
from failover.price_map import entry_of

LITELLM = "litellm's bundled map"

Told = Iterable[tuple[str, float, int]]


def known_lifecycles(config: Config) -> Known:
    """What is known of each target's end, and where sources contradict each other."""
    lifecycles: dict[str, Lifecycle] = {}
    contradictions: list[Contradiction] = []
    for name, target in config.targets.items():
        words = list(_words(target, config))
        successor = config.lifecycle.successors.get(name, "")
        if words or successor:
            lifecycle = lifecycles[name] = _merged(words, successor)
            contradictions += _contradictions(name, lifecycle, words)
    return Known(lifecycles, tuple(contradictions))


def calendar_of(
    config: Config, epoch_s: float, known: Mapping[str, Lifecycle] | None = None, told: Told = ()
) -> Calendar:
    """The calendar of a config, for a clock that was zero at `epoch_s`; `known` replaces what sources say."""
    lifecycles = known_lifecycles(config).lifecycles if known is None else known
    return Calendar(lifecycles, epoch_s, config.lifecycle.warn_days, told)


def put_into_force(calendar: Calendar, learned: Learned) -> Calendar:
    """Let the states of the targets know their ends."""
    for name, state in learned.states.items():
        state.ends(calendar.endings.get(name))
    return calendar


def _words(target: Target, config: Config) -> Iterator[Word]:
    """What each source says, in the order in which they are believed."""
    rules = config.lifecycle
    if target.name in rules.told:
        yield rules.told[target.name]
    for region in dict.fromkeys((target.region, "")):
        if (target.model, region) in rules.listed:
            yield rules.listed[target.model, region]
    shipped = catalogue.entry_of(target) if "catalogue" in rules.sources else None
    litellm = _litellm_word(target, rules.by_date) if "litellm" in rules.sources else None
    listed = [None if shipped is None else _word(shipped, rules.by_date), litellm]
    if shipped is not None and not shipped.is_certain:
        listed.reverse()
    yield from (word for word in listed if word is not None)


def _word(entry: catalogue.Entry, by_date: ByDate) -> Word:
    return Word(
        entry.announced_s,
        entry.deprecated_s,
        entry.retired_s,
        shape=entry.shape,
        by_date=by_date,
        source=f"{entry.source} ({entry.note})" if entry.note else entry.source,
        replacement=entry.replacement,
    )


def _litellm_word(target: Target, by_date: ByDate) -> Word | None:
    if target.api_base and target.model.startswith("openai/"):
        return None  # whatever answers there, it is not OpenAI
    told = entry_of(target.model).get("deprecation_date") if target.model else None
    try:
        day = datetime.fromisoformat(told).replace(tzinfo=UTC) if isinstance(told, str) else None
    except ValueError:
        return None
    return None if day is None else Word(retired_s=day.timestamp(), by_date=by_date, source=LITELLM)


def _merged(words: list[Word], successor: str) -> Lifecycle:
    """Each fact from the first who gives it; an announcement after the end that holds is of another end."""
    settled = next((word for word in words if word.settles), Word(by_date=ByDate.IGNORE))
    if settled.is_never:
        return Lifecycle(successor=successor, source=settled.source, by_date=ByDate.IGNORE)
    retired_s = settled.retired_s

    def before_the_end(told_s: Iterable[float | None]) -> float | None:
        fitting = (each for each in told_s if each is not None)
        return next((each for each in fitting if retired_s is None or each <= retired_s), None)

    return Lifecycle(
        announced_s=before_the_end(word.announced_s for word in words),
        deprecated_s=before_the_end(word.deprecated_s for word in words),
        retired_s=retired_s,
        successor=successor,
        replacement=next((word.replacement for word in words if word.replacement), ""),
        shape=next((word.shape for word in words if word.shape), RetirementShape.HARD_ERROR),
        source=settled.source or next((word.source for word in words), ""),
        by_date=settled.by_date,
    )


def _contradictions(name: str, used: Lifecycle, words: list[Word]) -> Iterator[Contradiction]:
    holds = next((word for word in words if word.settles), None)
    for word in words:
        if holds is None or word is holds or word.retired_s is None:
            continue
        if used.retired_s is None or abs(word.retired_s - used.retired_s) >= DAY_S:
            yield Contradiction(name, used.retired_s, holds.source, word.retired_s, word.source)
