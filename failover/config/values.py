"""The kinds of single values in a config: what each accepts, in words when it does not."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from failover.core.prices import NUSD_PER_USD, usd_to_nusd
from failover.documents import shown

_DAY_S = 86_400
_MOST_USD_PER_MTOK = 1_000_000
_MOST_USD = 1_000_000_000
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
# What a pasted key looks like although it is spelled like a variable.
_KEY_LIKE = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{12,}")


def _matching(pattern: str, words: str) -> AfterValidator:
    """Text that is all of `pattern`; the words complete "must be"."""
    compiled = re.compile(pattern)

    def match(text: str) -> str:
        if not compiled.fullmatch(text):
            message = f"must be {words}, got {shown(text)}"
            raise ValueError(message)
        return text

    return AfterValidator(match)


def _text(pattern: str, words: str) -> Any:
    return Annotated[
        str,
        Field(strict=True),
        _matching(pattern, words),
        WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"}),
    ]


_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_FUNCTION = r"[A-Za-z_][A-Za-z0-9_.]{0,199}(:[A-Za-z_][A-Za-z0-9_.]{0,199})?"
"""`package.module:function`, or the bare name of one that is handed over in Python."""


def _credential(value: object) -> str:
    # The value is never part of the message: it may be the key itself.
    prefix, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if prefix != "env":
        message = (
            "must be 'env:NAME', the name of an environment variable; "
            "a key itself is not accepted here (not shown)"
        )
        raise ValueError(message)
    if not _VARIABLE.fullmatch(name) or _KEY_LIKE.fullmatch(name):
        message = (
            "after 'env:' comes the name of an environment variable: capitals, digits and '_' "
            "(what stands there is not shown, it may be a key)"
        )
        raise ValueError(message)
    return name


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        secret = "@" in parts.netloc or bool(parts.query)
        _ = parts.port
    except ValueError:
        usable = secret = False
    if not usable or re.search(r"[\s\x00-\x1f]", text):
        message = "must be an address such as https://host/path (what stands there is not shown)"
        raise ValueError(message)
    if secret:
        message = "must hold no user, password or query, which may be credentials (not shown)"
        raise ValueError(message)
    return text


def _usd_per_mtok(value: object) -> int:
    return _dollars(value, "US dollars per million tokens", _MOST_USD_PER_MTOK)


def _usd(value: object) -> int:
    return _dollars(value, "US dollars", _MOST_USD)


def _dollars(value: object, words: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        message = f"must be a number of {words}, got {shown(value)}"
        raise ValueError(message)  # noqa: TRY004  pydantic reports only ValueError
    usd = Decimal(value) if isinstance(value, int) else Decimal(str(value))
    if not usd.is_finite() or not 0 <= usd <= most:
        message = f"must be between 0 and {most} {words}, got {shown(value)}"
        raise ValueError(message)
    nusd = usd_to_nusd(usd)
    if Decimal(nusd) != usd * NUSD_PER_USD:
        message = f"must have at most 9 decimals, got {shown(value)}"
        raise ValueError(message)
    return nusd


def instant_s(value: object) -> float:
    """A date or a time as epoch seconds; raises `ValueError` in words."""
    moment = _moment(value)
    if moment is None:
        message = (
            f"must be a date or a time in UTC such as 2026-01-31 or 2026-01-31T12:00:00Z, got {shown(value)}"
        )
        raise ValueError(message)
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _moment(value: object) -> dt.datetime | None:
    if isinstance(value, str):
        try:
            return dt.datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    return None


Name = _text(_NAME, "a name of letters, digits, '.', '_' and '-'")
Text = _text(r"\S([^\x00-\x1f]{0,198}\S)?", "text on one line, without spaces around it")
CallableName = _text(_FUNCTION, "'package.module:function', or the name of a function handed over in Python")
Folder = _text(r"[^\x00-\x1f]{1,1000}", "the path of a folder")
File = _text(r"[^\x00-\x1f]{1,1000}", "the path of a file")

Seconds = Annotated[float, Field(strict=True, gt=0, le=_DAY_S)]
WaitSeconds = Annotated[float, Field(strict=True, ge=0, le=_DAY_S)]
Share = Annotated[float, Field(strict=True, gt=0, le=1)]
Flag = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True, ge=1, le=10**12)]

Credential = Annotated[
    str,
    PlainValidator(_credential),
    WithJsonSchema({"type": "string", "pattern": "^env:[A-Z_][A-Z0-9_]{0,127}$"}),
]
"""Becomes the variable's name."""
Address = Annotated[
    str,
    Field(strict=True),
    AfterValidator(_address),
    WithJsonSchema({"type": "string", "pattern": "^https?://[^\\s?@]+$"}),
]
UsdPerMtok = Annotated[
    int,
    PlainValidator(_usd_per_mtok),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": _MOST_USD_PER_MTOK}),
]
"""Dollars as written become whole nano-dollars."""
Usd = Annotated[
    int, PlainValidator(_usd), WithJsonSchema({"type": "number", "minimum": 0, "maximum": _MOST_USD})
]
"""The same of an amount."""
Instant = Annotated[
    float,
    PlainValidator(instant_s),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}([Tt ].+)?$"}),
]
"""A date or a time becomes epoch seconds; without a zone it is UTC."""
