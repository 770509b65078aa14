"""What a config says of money: its budgets, its alarms, and where spending is kept count of."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import Field, PlainValidator, WithJsonSchema

from failover.config.values import Folder, Share, Usd
from failover.core.alarms import Alarm
from failover.core.spend import EACH, WARN_SHARE, Budget, OnLedgerFailure, Per, Spender, SpendScope
from failover.core.vocabulary import Target
from failover.documents import Complaints, Document, Section, ending, shown

_MOST_WAIT_S = 10.0
_KINDS = ", ".join(f"'{each}:NAME'" for each in Spender if each is not Spender.ALL)


def _scope(value: object) -> SpendScope:
    kind, colon, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    known = kind in set(Spender) and (kind == Spender.ALL) == (not colon) and bool(name) == bool(colon)
    if not known or name != name.strip() or (name == EACH and kind != Spender.TENANT):
        message = f"must be 'all', {_KINDS}, or 'tenant:*' for each tenant its own; got {shown(value)}"
        raise ValueError(message)
    return SpendScope(Spender(kind), name)


def _zone(value: object) -> dt.tzinfo:
    if value == "UTC":
        return dt.UTC
    try:
        if isinstance(value, str):
            return zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    near = ending(value, zoneinfo.available_timezones()) if isinstance(value, str) else ""
    message = f"must be the name of a time zone such as 'Europe/Berlin', got {shown(value)}"
    raise ValueError(message + (near if near.startswith("; did you mean") else ""))


Scope = Annotated[
    SpendScope,
    PlainValidator(_scope),
    WithJsonSchema({"type": "string", "pattern": f"^(all|({'|'.join(list(Spender)[1:])}):.+)$"}),
]
Zone = Annotated[dt.tzinfo, PlainValidator(_zone), WithJsonSchema({"type": "string", "minLength": 1})]

_USD_HINTS = MappingProxyType(dict.fromkeys(("limit", "max_usd", "limit_usd", "amount"), "write 'usd'"))


class BudgetSection(Section):
    """So much may be spent in a window by what is in its scope."""

    hints: ClassVar[Mapping[str, str]] = _USD_HINTS

    scope: Scope = Field(description="Whose charges: `all`, `route:NAME`, `tenant:*`, …")
    usd: Usd = Field(description="What may be spent in one window, US dollars.")
    per: Per = Field(description="How long it lasts; `total`: it never begins anew.")
    zone: Zone = Field(
        default="UTC", validate_default=True, description="Where its days, weeks and months begin."
    )
    kind: Literal["hard", "soft"] = Field(
        default="hard", description="Hard: nothing is sent that does not fit. Soft: it is told."
    )
    warn_share: Share = Field(default=WARN_SHARE, description="It is told when this share is spent.")


class AlarmSection(Section):
    """An event when more than that is spent in the last minute, hour or day."""

    hints: ClassVar[Mapping[str, str]] = _USD_HINTS

    scope: Scope = Field(description="Whose charges, as of a budget.")
    usd: Usd = Field(description="More than this is alarming, US dollars.")
    per: Literal[Per.MINUTE, Per.HOUR, Per.DAY] = Field(
        default=Per.HOUR, description="In the last minute, hour or day, at any time."
    )
    times: Annotated[float, Field(strict=True, gt=1, le=1000)] | None = Field(
        default=None, description="And more than so many times what is usual."
    )


class LedgerSection(Section):
    """Where charges are written down."""

    sqlite: Folder = Field(description="The file; a relative path starts at the config's folder.")
    on_failure: OnLedgerFailure = Field(
        default=OnLedgerFailure.REFUSE,
        description="What becomes of attempts under a hard budget while the file does not answer.",
    )
    wait_s: Annotated[float, Field(strict=True, gt=0, le=_MOST_WAIT_S)] = Field(
        default=0.25, description="How long a call waits for a locked file."
    )


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A ledger in a file."""

    path: Path
    on_failure: OnLedgerFailure = OnLedgerFailure.REFUSE
    wait_s: float = 0.25


class Spends(Protocol):
    """The part of a config that this is about."""

    @property
    def budgets(self) -> list[BudgetSection]:
        """What may be spent."""
        ...

    @property
    def alarms(self) -> list[AlarmSection]:
        """What is too much at once."""
        ...

    @property
    def routes(self) -> Mapping[str, Any]:
        """By name."""
        ...

    @property
    def targets(self) -> Mapping[str, Any]:
        """By name."""
        ...

    @property
    def providers(self) -> Mapping[str, Any]:
        """By name."""
        ...


def budgets_of(sections: Iterable[BudgetSection]) -> tuple[Budget, ...]:
    """The budgets, as the core knows them."""
    return tuple(
        Budget(each.scope, each.usd, each.per, each.zone, each.kind == "hard", each.warn_share)
        for each in sections
    )


def alarms_of(sections: Iterable[AlarmSection]) -> tuple[Alarm, ...]:
    """The alarms."""
    return tuple(Alarm(each.scope, each.usd, each.per, each.times) for each in sections)


def ledger_of(section: LedgerSection | None, folder: Path | None) -> LedgerFile | None:
    """Where charges are written down; None: nowhere."""
    if section is None:
        return None
    return LedgerFile((folder or Path()) / section.sqlite, section.on_failure, section.wait_s)


def check_spending(section: Spends, document: Document, complaints: Complaints) -> None:
    """Add what is wrong with scopes that name nothing, and with budgets that say the same thing twice."""
    written = {
        Spender.ROUTE: list(section.routes),
        Spender.TARGET: list(section.targets),
        Spender.PROVIDER: [*section.providers, "local"],
        Spender.CREDENTIAL: _credentials(section),
    }
    written_parts: dict[str, Sequence[BudgetSection | AlarmSection]]
    written_parts = {"budgets": section.budgets, "alarms": section.alarms}
    for key, parts in written_parts.items():
        seen: dict[tuple[object, ...], int] = {}
        for number, part in enumerate(parts):
            known = written.get(part.scope.kind)
            if known is not None and part.scope.name not in known:
                what = f"unknown {part.scope.kind} {shown(part.scope.name)}{ending(part.scope.name, known)}"
                complaints.add(document, (key, number, "scope"), what)
            same = (part.scope, part.per, *_own(part))
            if seen.setdefault(same, number) != number:
                what = f"says the same of {part.scope} as {key}.{seen[same]}: one of them never counts"
                complaints.add(document, (key, number), what)


def _own(part: BudgetSection | AlarmSection) -> Sequence[object]:
    return (str(part.zone), part.kind) if isinstance(part, BudgetSection) else (part.times is None,)


def _credentials(section: Spends) -> list[str]:
    parts = [*section.providers.values(), *section.targets.values()]
    return list(dict.fromkeys(part.credential for part in parts if part.credential))


def unpriced(budgets: Iterable[Budget], unknown: Iterable[Target]) -> list[str]:
    """Those whose price is `unknown` that hard budgets keep out of traffic, for some request at least."""
    hard = [budget.scope for budget in budgets if budget.hard]
    return [target.name for target in unknown if any(_is_in(scope, target) for scope in hard)]


def _is_in(scope: SpendScope, target: Target) -> bool:
    names = {
        Spender.TARGET: target.name,
        Spender.PROVIDER: target.provider,
        Spender.CREDENTIAL: target.credential,
    }
    return scope.kind not in names or names[scope.kind] == scope.name
