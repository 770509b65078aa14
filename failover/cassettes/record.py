"""Records real exchanges as vcrpy cassettes, scrubbed, with their timing.

vcrpy gives the format, the serializer and the persister, and any vcrpy replays the files. Its own
recording reads a whole body before the client sees any of it, which loses timing and turns a cut stream
into nothing; so the recording happens in a transport of ours that lets every byte through as it comes.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib
import importlib.metadata
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from failover.adapters.litellm import LitellmAdapter
from failover.adapters.seam import Outbound
from failover.adapters.transport import BrokenReplyError
from failover.cassettes.scrub import Scrubber
from failover.cassettes.taking import RecordingTransport, Taking, offsets_s
from failover.core.failures import Failure
from failover.core.messages import Limits
from failover.core.vocabulary import Target
from failover.errors import CassetteError, FailoverError

_LIMITS = Limits(connect_s=10.0, first_token_s=120.0, idle_s=120.0, total_s=300.0)
_DIGITS_S = 4


@dataclass(frozen=True, slots=True)
class Recording:
    """One exchange to record: whom to ask what, and the file that it goes to.

    `target.credential` names an environment variable. `recorded_from` says what answered, empty for the
    provider itself.
    """

    target: Target
    prompt: str
    file: Path
    stream: bool = False
    max_tokens: int | None = None
    recorded_from: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written: `failure` None for a success; times in seconds."""

    recording: Recording
    status: int
    events: int
    total_s: float
    failure: Failure | None


async def record(
    recording: Recording,
    *,
    append: bool = False,
    transport: httpx.AsyncBaseTransport | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Recorded:
    """Ask `recording.target`, and write what it answers to `recording.file`. Failures are recorded too.

    Raises `CassetteError` where nothing came over the wire to record; `ConfigError` where the target's
    credential is not set. `append` adds to the file instead of replacing it.
    """
    target = recording.target
    recorder = RecordingTransport(transport or httpx.AsyncHTTPTransport())
    adapter = LitellmAdapter(recorder, environment)
    try:
        failure = await _asked(adapter, recording)
    finally:
        await adapter.aclose()
    if not recorder.taken:
        kind = failure.kind.value if failure else "success"
        raise CassetteError(
            f"target {target.name}: no response came over the wire ({kind}); nothing was recorded"
        )
    _save(recording, recorder.taken, Scrubber(_secrets(target, environment)), append=append)
    last = recorder.taken[-1]
    return Recorded(recording, last.status, len(offsets_s(last)), last.total_s, failure)


async def _asked(adapter: LitellmAdapter, recording: Recording) -> Failure | None:
    payload: dict[str, Any] = {"messages": [{"role": "user", "content": recording.prompt}]}
    if recording.max_tokens is not None:
        payload["max_tokens"] = recording.max_tokens
    outbound = Outbound(recording.target, "completion", payload, _LIMITS)
    try:
        async with asyncio.timeout(_LIMITS.total_s):
            if recording.stream:
                async for _ in adapter.stream(outbound):
                    pass
            else:
                await adapter.send(outbound)
    except BrokenReplyError as broken:
        return broken.failure
    except FailoverError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever litellm raises is what is being recorded
        return adapter.classify(recording.target, error)
    return None


def _secrets(target: Target, environment: Mapping[str, str]) -> Iterable[str]:
    """The target's own credential, and whatever else in the environment is called one."""
    for name, value in environment.items():
        if name == target.credential or re.search(r"(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL)S?$", name):
            yield value


def _save(recording: Recording, taken: list[Taking], scrubber: Scrubber, *, append: bool) -> None:
    vcr: Any = importlib.import_module("vcr")
    requests: Any = importlib.import_module("vcr.request")
    cassettes: Any = importlib.import_module("vcr.cassette")
    tape = vcr.VCR(
        record_mode="new_episodes" if append else "all",
        before_record_request=scrubber.request,
        before_record_response=scrubber.response,
    )
    settings = tape.get_merged_config(path=str(recording.file))
    # Not `use_cassette`: that would patch every HTTP client of the process.
    accepted = {name: settings[name] for name in _CASSETTE_SETTINGS if name in settings}
    cassette = cassettes.Cassette(**accepted)
    if append and recording.file.exists():
        cassette = cassettes.Cassette.load(**accepted)
    for taking in taken:
        request = requests.Request(
            taking.request.method,
            str(taking.request.url),
            taking.request.content,
            dict(taking.request.headers),
        )
        cassette.append(request, _response(recording, taking))
    content = {"requests": cassette.requests, "responses": cassette.responses}
    settings["persister"].save_cassette(recording.file, content, serializer=settings["serializer"])


_CASSETTE_SETTINGS = (
    "path",
    "serializer",
    "persister",
    "record_mode",
    "match_on",
    "before_record_request",
    "before_record_response",
)


def _response(recording: Recording, taking: Taking) -> dict[str, Any]:
    """A response as vcrpy holds it, and what it ignores: who was asked, when, how long it took."""
    headers: dict[str, list[str]] = {}
    for name, value in taking.headers:
        if name not in ("content-encoding", "transfer-encoding"):
            headers.setdefault(name, []).append(value)
    body = taking.body()
    if "content-length" in headers:
        headers["content-length"] = [str(len(body))]
    return {
        "status": {"code": taking.status, "message": taking.reason},
        "headers": headers,
        "body": {"string": body},
        "failover": {
            "provider": recording.target.provider,
            "model": recording.target.model,
            "recorded_from": recording.recorded_from or taking.request.url.host,
            "recorded_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "recorded_with": recorded_with(),
            "timing": _timing(taking),
        },
    }


def recorded_with() -> str:
    """The versions that a recording depends on, in one line."""
    names = ("failover", "vcrpy", "litellm")
    return ", ".join(f"{name} {_version(name)}" for name in names)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "(a checkout)"


def _timing(taking: Taking) -> dict[str, Any]:
    """Seconds since the request was handed over. A stream has one offset per event, else per chunk."""
    offsets = offsets_s(taking)
    first_s = taking.chunks[0][0] if taking.chunks else taking.total_s
    timing: dict[str, Any] = {
        "first_byte_s": round(first_s, _DIGITS_S),
        "total_s": round(taking.total_s, _DIGITS_S),
        "chunk_offsets_s": [round(offset_s, _DIGITS_S) for offset_s in offsets],
    }
    return {**timing, "cut": True} if taking.cut else timing
