"""What the real client and the real classifier make of an image: found out once, then remembered.

Each image is passed through litellm and the shipping classifier over a transport that answers with it.
The result is kept on disk by content, litellm's version and our own adapters' source, so that later
drills need not import litellm at all.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import failover.adapters
from failover.adapters.playable import why_unplayable
from failover.adapters.seam import Adapter, Outbound
from failover.adapters.wire import ConnectionFault
from failover.chaos.world.image import Image
from failover.core.failures import Failure, FailureKind, Phase
from failover.core.vocabulary import Limits, Target, Usage
from failover.errors import CassetteError

Outcome = Usage | Failure
"""Tokens of a success (zeros where the reply does not tell), or the failure."""

PROMPT = [{"role": "user", "content": "ping"}]
_AMPLE = Limits(60.0, 60.0, 60.0, 60.0)


class Outcomes:
    """The outcome of each image per target; open it as a context manager, so that it is saved."""

    def __init__(self, *, stream: bool, folder: Path | None = None) -> None:
        self._stream = stream
        self._file = (folder or cache_folder()) / f"outcomes-{_version()}.json"
        self._known: dict[tuple[str, int], Outcome] = {}
        self._images: list[Image] = []
        self._stored: dict[str, Any] = _read(self._file)
        self._added = False

    def of(self, target: Target, image: Image) -> Outcome:
        """What an attempt at `target` that meets `image` observes."""
        known = self._known.get((target.name, id(image)))
        if known is None:
            known = self._found_out(target, image)
            self._known[target.name, id(image)] = known
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

    def _found_out(self, target: Target, image: Image) -> Outcome:
        key = self._key(target, image)
        stored = _decoded(self._stored.get(key))
        if stored is not None:
            return stored
        if image.fault is ConnectionFault.HANG:
            # Found out by nobody: it would take for ever.
            return Failure(FailureKind.TIMEOUT, phase=Phase.TOTAL)
        why = why_unplayable(target.model)
        if why is not None:
            raise CassetteError(f"{target.name}: {target.model} cannot be played: {why}")
        outcome = _observed(target, image, stream=self._stream)
        self._stored[key] = _encoded(outcome)
        self._added = True
        return outcome

    def _key(self, target: Target, image: Image) -> str:
        reply = image.reply
        parts: list[Any] = [target.provider, target.model, self._stream, image.fault]
        if reply is not None:
            parts += [reply.status, sorted(reply.headers.items()), hashlib.sha256(reply.body).hexdigest()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _observed(target: Target, image: Image, *, stream: bool) -> Outcome:
    # The client libraries are loaded only where the cache does not know.
    from failover.chaos.modes.playing import image_adapter, litellm_quiet

    # In a thread of its own: whoever asks may run on an event loop, as a replay does.
    with litellm_quiet(), ThreadPoolExecutor(1) as elsewhere:
        observing = _observe(image_adapter(image), target, stream=stream)
        return elsewhere.submit(asyncio.run, observing).result()


async def _observe(adapter: Adapter, target: Target, *, stream: bool) -> Outcome:
    outbound = Outbound(target, "completion", {"messages": PROMPT}, _AMPLE)
    try:
        if not stream:
            return (await adapter.send(outbound)).usage or Usage()
        usage, finished = Usage(), False
        async for piece in adapter.stream(outbound):
            usage = piece.usage or usage
            finished = finished or bool(piece.finish_reason)
        return usage if finished else Failure(FailureKind.TRUNCATED_STREAM)
    except Exception as error:  # noqa: BLE001  # whatever the client raises is what is asked for
        return adapter.classify(target, error)
    finally:
        await adapter.aclose()


def cache_folder() -> Path:
    """Where outcomes are remembered: `failover` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "failover"


@cache
def _version() -> str:
    """Changes whenever litellm or our own adapters do."""
    digest = hashlib.sha256(importlib.metadata.version("litellm").encode())
    for folder in failover.adapters.__path__:
        for file in sorted(Path(folder).glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _read(file: Path) -> dict[str, Any]:
    try:
        stored = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _encoded(outcome: Outcome) -> list[Any]:
    if isinstance(outcome, Usage):
        return [outcome.tokens_in, outcome.tokens_out]
    return [
        outcome.kind,
        outcome.status,
        outcome.code,
        outcome.retry_after_s,
        outcome.phase,
        outcome.parameter,
        outcome.may_retry,
    ]


def _decoded(stored: Any) -> Outcome | None:
    """None where nothing is stored, or nothing that can be read."""
    match stored:
        case [int(tokens_in), int(tokens_out)]:
            return Usage(tokens_in, tokens_out)
        case [kind, status, code, retry_after_s, phase, parameter, may_retry] if kind in set(FailureKind):
            read_phase = None if phase is None else Phase(phase)
            return Failure(FailureKind(kind), status, code, retry_after_s, read_phase, parameter, may_retry)
        case _:
            return None
