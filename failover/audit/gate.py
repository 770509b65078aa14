"""Between a call and its attempts: what is sent is written down first."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from failover.audit.records import moment, terms_digest
from failover.audit.trail import Trail
from failover.config import Audit
from failover.config.audit_section import Durability, OnAuditFailure
from failover.core.call import Call
from failover.core.governance import Governance, Newest
from failover.core.messages import Send
from failover.errors import AuditError

_log = logging.getLogger("failover")


class Gate:
    """Writes down each attempt of a router before it is sent: a `Driver` calls it.

    Where that fails, `audit.on_failure` says whether the attempt is sent all the same. Then the trail tells,
    as soon as it can be written again, how many are missing.
    """

    def __init__(self, audit: Audit, newest: Newest, epoch_s: float, clock: Callable[[], float]) -> None:
        self.audit = audit
        self._newest = newest
        self._epoch_s = epoch_s
        self._clock = clock
        self._lock = Lock()
        self._lost = 0
        self._lost_since = ""
        self._known: tuple[Governance, dict[tuple[str, float], tuple[str, str | None]]] = (Governance(), {})
        self._trail = self._opened()

    def __call__(self, call: Call, send: Send) -> None:
        """`send` is about to be obeyed. Raises `AuditError` where it may not be."""
        now_s = self._epoch_s + self._clock()
        governance, request, target = self._newest.governance, call.request, send.target
        sha256, reviewed = self._terms(governance, target.name, now_s)
        fields = {
            "kind": "sent",
            "at": moment(now_s),
            "call": request.id,
            "attempt": send.attempt,
            "route": call.route.name,
            "target": target.name,
            "provider": target.provider,
            "model": target.model or target.callable,
            "region": target.region,
            "data_class": governance.class_of(request.data_class, call.route.name),
            "tenant": request.tenant,
            "terms_sha256": sha256,
            "reviewed": reviewed,
        }
        try:
            self._write(fields)
        except OSError as error:
            self._failed(error, fields["at"])

    def follow(self, audit: Audit) -> None:
        """The same file, under other settings."""
        self.audit = audit
        self._trail.durable = audit.durability is Durability.DISK

    def close(self) -> None:
        """Let go of the file."""
        self._trail.close()

    def _write(self, fields: dict[str, object]) -> None:
        if not self._trail.is_ours and "{pid}" in str(self.audit.file):
            with self._lock:
                if not self._trail.is_ours:
                    self._trail = self._opened()
        if self._lost:
            with self._lock:
                lost, since = self._lost, self._lost_since
                if lost:
                    self._trail.append({"kind": "lost", "at": fields["at"], "attempts": lost, "since": since})
                    self._lost = 0
        self._trail.append(fields)

    def _failed(self, error: OSError, at: object) -> None:
        serves = self.audit.on_failure is OnAuditFailure.SERVE
        why = f"{self._trail.path}: the audit trail cannot be written: {error.strerror or error}"
        if not serves:
            raise AuditError(f"{why}; nothing was sent, as 'on_failure: refuse' asks") from error
        with self._lock:
            self._lost += 1
            if self._lost == 1:
                self._lost_since = str(at)
                _log.error("%s; attempts are sent all the same, and counted as lost", why)

    def _terms(self, governance: Governance, target: str, as_of_s: float) -> tuple[str, str | None]:
        """The digest of the terms of `target` and the date of their review, worked out once a stretch."""
        since_s = max((turn_s for turn_s in governance.turns_s(target) if turn_s <= as_of_s), default=0.0)
        if self._known[0] is not governance:
            self._known = governance, {}
        known = self._known[1]
        if (target, since_s) not in known:
            terms = governance.terms_of(target, as_of_s)
            reviewed = None if terms.reviewed_s is None else moment(terms.reviewed_s)[:10]
            known[target, since_s] = terms_digest(terms), reviewed
        return known[target, since_s]

    def _opened(self) -> Trail:
        path = Path(str(self.audit.file).replace("{pid}", str(os.getpid())))
        trail = Trail(path, durable=self.audit.durability is Durability.DISK)
        at = moment(self._epoch_s + self._clock())
        trail.append({"kind": "opened", "at": at, "pid": os.getpid(), "torn_bytes": trail.torn_bytes})
        return trail


class Gates:
    """The gates of a router, whatever its config becomes: one for each file that was ever named."""

    def __init__(self, newest: Newest, epoch_s: float, clock: Callable[[], float]) -> None:
        self._facts = newest, epoch_s, clock
        self._gates: dict[Path, Gate] = {}

    def of(self, audit: Audit | None) -> Gate | None:
        """The gate that a config asks for, if any; raises `ConfigError` where its file cannot be used."""
        if audit is None:
            return None
        gate = self._gates.get(audit.file)
        if gate is None:
            gate = self._gates[audit.file] = Gate(audit, *self._facts)
        gate.follow(audit)
        return gate

    def close(self) -> None:
        """Let go of every file."""
        for gate in self._gates.values():
            gate.close()


class NoGates(Gates):
    """Of a router that sends nothing: no audit trail is to tell of it."""

    def of(self, audit: Audit | None) -> None:
        """None, whatever the config asks for."""
