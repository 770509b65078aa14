"""The schema of `audit` in a config file: where it is written which target saw which data."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from failover.config.values import File
from failover.documents import Section


class OnAuditFailure(StrEnum):
    """What becomes of an attempt that cannot be written down."""

    SERVE = "serve"
    REFUSE = "refuse"


class Durability(StrEnum):
    """What a record has reached before its attempt is sent."""

    SYSTEM = "system"
    DISK = "disk"


class AuditSection(Section):
    """The audit trail: one line for each attempt, without content, chained by hashes."""

    file: Annotated[File, Field(description="From the config's own folder; `{pid}` is the process's.")]
    on_failure: OnAuditFailure = Field(
        default=OnAuditFailure.SERVE, description="What becomes of an attempt that cannot be written down."
    )
    durability: Durability = Field(
        default=Durability.SYSTEM,
        description="`system`: it survives the end of the process; `disk`: also the loss of power.",
    )
