"""What crosses the wire, as plain values: the input of classification, and what injections change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ConnectionFault(StrEnum):
    """How an exchange can end without a response."""

    REFUSED = "refused"
    RESET = "reset"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class WireReply:
    """A response as received. Header names are lower case; `body` is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes
