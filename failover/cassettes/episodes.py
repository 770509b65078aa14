"""Recorded exchanges as frozen episodes, from any vcrpy cassette.

A cassette written by this library holds an extra key in each response, which vcrpy ignores:
`failover: {provider, model, timing: {first_byte_s, total_s, chunk_offsets_s}, recorded_from}`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from failover.adapters.wire import WireReply
from failover.cassettes.bodies import UnreadableBodyError, body_bytes, decompressed
from failover.cassettes.dialects import (
    endpoint_of,
    is_streamed,
    json_of,
    model_of,
    provider_of,
    without_credentials,
)
from failover.cassettes.file_shapes import Recording, UnreadableFileError, recordings_in
from failover.cassettes.timing import Timing, timing_of
from failover.errors import CassetteError, Complaint

SUFFIXES = (".yaml", ".yml", ".json")
LARGEST_FILE_BYTES = 64 * 1024 * 1024
_STATUSES = range(100, 1000)
_CREDENTIALS = frozenset({
    "authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "set-cookie",
    "x-amz-security-token",
})  # fmt: skip
_NO_LONGER_TRUE = frozenset({"content-encoding", "transfer-encoding"})
_CODE_KEYS = ("code", "status_code")


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """What was sent. Header names are lower case; what carries credentials is left out."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Episode:
    """One recorded exchange: `n` counts from 0 in its `file`, which is named relative to the folder."""

    file: str
    n: int
    provider: str
    model: str
    endpoint: str
    stream: bool
    request: RecordedRequest = field(repr=False)
    reply: WireReply = field(repr=False)
    timing: Timing | None = None
    recorded_from: str = ""


def load_folder(path: str | Path) -> tuple[Episode, ...]:
    """Every episode of the cassettes in a folder and below, or of one file, sorted by file.

    Other suffixes than `SUFFIXES` are no cassettes and not looked at. Raises `CassetteError` with every
    problem of every file at once, one to a line.
    """
    root = Path(path)
    complaints: list[Complaint] = []
    episodes: list[Episode] = []
    for file in _cassettes_in(root, complaints):
        name = file.name if file == root else file.relative_to(root).as_posix()
        episodes += _episodes_in(file, name, complaints)
    if complaints:
        raise CassetteError("\n".join(str(complaint) for complaint in complaints))
    return tuple(episodes)


def load_cassette(path: str | Path) -> tuple[Episode, ...]:
    """The episodes of one cassette file. Raises `CassetteError` with every problem of it."""
    file = Path(path)
    if file.is_dir():
        raise CassetteError(f"{file}: is a folder; name a cassette, or load the folder")
    return load_folder(file)


def _cassettes_in(root: Path, complaints: list[Complaint]) -> list[Path]:
    if not root.exists():
        complaints.append(Complaint(str(root), 0, "", "no such file or folder"))
        return []
    if not root.is_dir():
        return [root]
    inside = root.resolve()
    found: list[Path] = []
    for folder, names, files in os.walk(
        root, onerror=lambda error: complaints.append(_unlisted(root, error))
    ):
        linked = [name for name in names if Path(folder, name).is_symlink()]
        for file in (Path(folder, name) for name in [*files, *linked]):
            if file.name in linked or file.suffix.lower() in SUFFIXES:
                found += _checked(file, inside, complaints)
    return sorted(found)


def _unlisted(root: Path, error: OSError) -> Complaint:
    return Complaint(str(error.filename or root), 0, "", f"cannot be listed: {error.strerror or 'no access'}")


def _checked(file: Path, inside: Path, complaints: list[Complaint]) -> list[Path]:
    """`file` if it lies in the folder: a link out of it would let a cassette read anything."""
    try:
        if not file.resolve().is_relative_to(inside):
            what = "is a link out of the folder; copy the cassette into it"
        elif file.is_dir():
            return []
        else:
            return [file]
    except (OSError, RuntimeError):
        what = "is a link that leads nowhere; remove it"
    complaints.append(Complaint(str(file), 0, "", what))
    return []


def _episodes_in(file: Path, name: str, complaints: list[Complaint]) -> list[Episode]:
    episodes: list[Episode] = []
    try:
        recordings = recordings_in(_content(file), is_json=file.suffix.lower() == ".json")
    except UnreadableFileError as error:
        complaints.append(Complaint(str(file), error.line, "", str(error)))
        return episodes
    for n, recording in enumerate(recordings):
        try:
            episodes.append(_episode(name, n, recording))
        except (UnreadableFileError, UnreadableBodyError) as error:
            complaints.append(Complaint(str(file), recording.line, f"interactions[{n}]", str(error)))
        except (ValueError, TypeError, RecursionError):
            what = "holds a value that cannot be read; re-record it"
            complaints.append(Complaint(str(file), recording.line, f"interactions[{n}]", what))
    return episodes


def _content(file: Path) -> bytes:
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableFileError("is not a regular file; remove it")
        if found.st_size > LARGEST_FILE_BYTES:
            most = LARGEST_FILE_BYTES // 1024**2
            raise UnreadableFileError(f"is larger than {most} MB; split the cassette")
        return file.read_bytes()
    except OSError as error:
        raise UnreadableFileError(f"cannot be read: {error.strerror or 'no access'}") from None


def _episode(name: str, n: int, recording: Recording) -> Episode:
    request, response = recording.request, recording.response
    method, url = str(request.get("method") or "POST"), str(request.get("uri") or request.get("url") or "")
    if not url:
        raise UnreadableFileError("the request names no `uri`; is the file cut?")
    sent, answered = _headers(request, "request"), _headers(response, "response")
    request_body = decompressed(body_bytes(request), sent.get("content-encoding", ""))
    body = decompressed(body_bytes(response), answered.get("content-encoding", ""))
    reply = WireReply(
        _status(response), {key: value for key, value in answered.items() if key not in _NO_LONGER_TRUE}, body
    )
    extra = _extra(recording)
    asked = json_of(request_body)
    endpoint = endpoint_of(url)
    return Episode(
        file=name,
        n=n,
        provider=str(extra.get("provider") or provider_of(url, endpoint)),
        model=str(extra.get("model") or model_of(url, asked, body)),
        endpoint=endpoint,
        stream=is_streamed(endpoint, url, asked, answered.get("content-type", "")),
        request=RecordedRequest(
            method.upper(),
            without_credentials(url),
            {key: value for key, value in sent.items() if key not in _CREDENTIALS},
            request_body,
        ),
        reply=reply,
        timing=timing_of(extra.get("timing"), response),
        recorded_from=str(extra.get("recorded_from") or ""),
    )


def _extra(recording: Recording) -> Mapping[str, Any]:
    for holder in (recording.response, recording.whole):
        extra = holder.get("failover")
        if isinstance(extra, Mapping):
            return extra
    return {}


def _status(response: Mapping[str, Any]) -> int:
    """`status: {code, message}` (vcrpy), or `status: 200 OK` with `code: 200` (go-vcr)."""
    status = response.get("status")
    holder = status if isinstance(status, Mapping) else response
    told = next((holder[key] for key in _CODE_KEYS if key in holder), status)
    digits = str(told).split(" ", maxsplit=1)[0]
    number = int(digits) if digits.isdecimal() and len(digits) == len(str(_STATUSES[0])) else 0
    if number not in _STATUSES:
        raise UnreadableFileError("the response has no status code; is the file cut?")
    return number


def _headers(side: Mapping[str, Any], where: str) -> dict[str, str]:
    """Names in lower case; a list of values is joined, as HTTP allows."""
    headers = side.get("headers") or {}
    pairs = _pairs(headers)
    if pairs is None:
        raise UnreadableFileError(f"the {where}'s `headers` are no mapping; record it again")
    joined: dict[str, str] = {}
    for name, value in pairs:
        key = str(name).lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined


def _pairs(headers: Any) -> list[tuple[str, str]] | None:
    if isinstance(headers, Mapping):
        return [(name, ", ".join(_texts(value))) for name, value in headers.items()]
    if isinstance(headers, list) and all(isinstance(pair, list) and len(pair) > 1 for pair in headers):
        return [(str(pair[0]), str(pair[1])) for pair in headers]
    return None


def _texts(value: Any) -> Iterator[str]:
    for part in value if isinstance(value, list | tuple) else [value]:
        yield part.decode("latin-1") if isinstance(part, bytes) else "" if part is None else str(part)
