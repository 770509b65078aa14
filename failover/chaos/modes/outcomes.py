"""What the real client and the real classifier make of an image: found out once, then remembered.

Each image is passed through litellm and the shipping classifier over a transport that answers with it.
The result is kept on disk by content, litellm's version and our own adapters' source, so that later
drills need not import litellm at all.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

import failover.adapters
import failover.chaos.modes
from failover.adapters.playable import why_unplayable
from failover.adapters.wire import ConnectionFault
from failover.chaos.modes.wire_alone import judged_alone
from failover.chaos.workload import Shape
from failover.chaos.world.image import Image
from failover.chaos.world.outcome import Outcome
from failover.core.failures import Failure, FailureKind, Phase
from failover.core.vocabulary import Target

_FORMAT: TypeAdapter[Outcome] = TypeAdapter(Outcome)
_SILENCE = Outcome(Failure(FailureKind.TIMEOUT, phase=Phase.TOTAL))


class Outcomes:
    """The outcome of each image per target; open it as a context manager, so that it is saved."""

    def __init__(self, folder: Path | None = None) -> None:
        self._file = (folder or cache_folder()) / f"outcomes-{_version()}.json"
        self._known: dict[tuple[str, int, bool], Outcome] = {}
        self._images: list[Image] = []
        self._stored: dict[str, Any] = _read(self._file)
        self._added = False

    def of(self, target: Target, shape: Shape, image: Image, *, stream: bool) -> Outcome:
        """What an attempt at `target` that meets `image` observes."""
        known = self._known.get((target.name, id(image), stream))
        if known is None:
            known = self._found_out(target, shape, image, stream=stream)
            self._known[target.name, id(image), stream] = known
            # The identity of an image is its address: it must stay alive.
            self._images.append(image)
        return known

    def save(self) -> None:
        """Write what was found out; where the disk refuses, the next run finds it out again."""
        if not self._added:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._file.parent, delete=False) as file:
                json.dump({**_read(self._file), **self._stored}, file)
            Path(file.name).replace(self._file)
            self._added = False
        except OSError:
            return

    def _found_out(self, target: Target, shape: Shape, image: Image, *, stream: bool) -> Outcome:
        if image.fault is ConnectionFault.HANG:
            # Found out by nobody: it would take for ever.
            return _SILENCE
        if why_unplayable(target.model) is not None:
            return judged_alone(target, image, stream=stream)
        key = _key(target, shape, image, stream=stream)
        stored = _decoded(self._stored.get(key))
        if stored is not None:
            return stored
        # The client libraries are loaded only where the cache does not know.
        from failover.chaos.modes import observing

        outcome = observing.observed(target, shape, image, stream=stream)
        self._stored[key] = _FORMAT.dump_python(outcome, mode="json")
        self._added = True
        return outcome


def _key(target: Target, shape: Shape, image: Image, *, stream: bool) -> str:
    reply = image.reply
    parts: list[Any] = [target.provider, target.model, shape.operation, stream, image.fault]
    if reply is not None:
        parts += [reply.status, sorted(reply.headers.items()), hashlib.sha256(reply.body).hexdigest()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def cache_folder() -> Path:
    """Where outcomes are remembered: `failover` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "failover"


@cache
def _version() -> str:
    """Changes whenever litellm, our own adapters, or the way of finding out do."""
    digest = hashlib.sha256(importlib.metadata.version("litellm").encode())
    for folder in (*failover.adapters.__path__, *failover.chaos.modes.__path__):
        for file in sorted(Path(folder).glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _read(file: Path) -> dict[str, Any]:
    try:
        stored = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _decoded(stored: Any) -> Outcome | None:
    """None where nothing is stored, or nothing that can be read."""
    try:
        return None if stored is None else _FORMAT.validate_python(stored)
    except ValidationError:
        return None
