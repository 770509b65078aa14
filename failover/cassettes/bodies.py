"""Bodies as recorders keep them, as bytes: text, base64, YAML binary, objects; inflated within a bound."""

from __future__ import annotations

import base64
import binascii
import importlib
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

LARGEST_BODY_BYTES = 32 * 1024 * 1024
_GZIP, _ZLIB_HEADS, _ZSTD = (
    b"\x1f\x8b",
    (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"),
    b"\x28\xb5\x2f\xfd",
)
_ANY_HEADER, _GZIP_HEADER = zlib.MAX_WBITS | 32, zlib.MAX_WBITS | 16


class UnreadableBodyError(ValueError):
    """Why a recorded body cannot be used."""


def body_bytes(side: Mapping[str, Any]) -> bytes:
    """The body of a recorded request or response, still compressed where it was recorded so.

    Shapes: `body: text`, `body: {string: …}` (vcrpy), `{base64_string: …}` (VCR, Betamax), `{encoding:
    base64, string: …}`, `parsed_body: {…}` (recorders that unfold JSON), or none.
    """
    if "body" not in side and "parsed_body" in side:
        return json.dumps(side["parsed_body"], ensure_ascii=False, default=str).encode()
    return _bytes_in(side.get("body"))


def _bytes_in(body: Any) -> bytes:
    if body is None or isinstance(body, bytes):
        return body or b""
    if not isinstance(body, Mapping):
        text = json.dumps(body, default=str) if isinstance(body, list) else str(body)
        return text.encode("utf-8", "surrogateescape")
    if "base64_string" in body:
        return _from_base64(body["base64_string"])
    if body.get("encoding") == "base64":
        return _from_base64(body.get("string"))
    if "string" in body or set(body) <= {"encoding"}:
        return _bytes_in(body.get("string"))
    return json.dumps(dict(body), ensure_ascii=False, default=str).encode()


def _from_base64(text: Any) -> bytes:
    try:
        return base64.b64decode("".join(str(text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableBodyError("the body is not whole base64; is the file cut?") from None


def decompressed(body: bytes, encodings: str) -> bytes:
    """`body` without the compressions that `content-encoding` names.

    Many recorders inflate the body and leave the header: what does not look compressed is left alone.
    Raises `UnreadableBodyError` beyond `LARGEST_BODY_BYTES`, whatever the compression pretends.
    """
    for encoding in reversed([part.strip().lower() for part in encodings.split(",")]):
        inflate = _INFLATE.get(encoding)
        if body and inflate is not None:
            body = inflate(body)
    if len(body) > LARGEST_BODY_BYTES:
        raise UnreadableBodyError(_too_large())
    return body


def _too_large() -> str:
    return f"the body is larger than {LARGEST_BODY_BYTES // 1024**2} MB when inflated; re-record it smaller"


def _gunzipped(body: bytes) -> bytes:
    return _inflated(body, _GZIP_HEADER) if body.startswith(_GZIP) else body


def _undeflated(body: bytes) -> bytes:
    """Deflate is sent with and without a zlib header; text that was inflated already is neither."""
    if body.startswith(_ZLIB_HEADS):
        return _inflated(body, _ANY_HEADER)
    if _is_text(body):
        return body
    return _inflated(body, -zlib.MAX_WBITS)


def _inflated(body: bytes, window_bits: int) -> bytes:
    inflated = bytearray()
    try:
        while body:
            machine = zlib.decompressobj(window_bits)
            inflated += machine.decompress(body, LARGEST_BODY_BYTES + 1 - len(inflated))
            if len(inflated) > LARGEST_BODY_BYTES:
                raise UnreadableBodyError(_too_large())
            if not machine.eof:
                break
            body = machine.unused_data if machine.unused_data.startswith(_GZIP) else b""
    except zlib.error:
        raise UnreadableBodyError("the compressed body is damaged; re-record it") from None
    return bytes(inflated)


def _by_library(encoding: str, library: str, magic: bytes) -> Callable[[bytes], bytes]:
    def inflate(body: bytes) -> bytes:
        if _is_text(body) or not body.startswith(magic):
            return body
        try:
            module: Any = importlib.import_module(library)
        except ImportError:
            what = f"the body is compressed with {encoding}; install `{library}`, or record it inflated"
            raise UnreadableBodyError(what) from None
        return _in_steps(module, body)

    return inflate


def _in_steps(module: Any, body: bytes) -> bytes:
    """Inflate a little at a time, so that a small body cannot grow without bound."""
    machine = (
        module.Decompressor()
        if hasattr(module, "Decompressor")
        else module.ZstdDecompressor().decompressobj()
    )
    feed = getattr(machine, "process", None) or machine.decompress
    inflated = bytearray()
    try:
        for at in range(0, len(body), _STEP_BYTES):
            inflated += feed(body[at : at + _STEP_BYTES])
            if len(inflated) > LARGEST_BODY_BYTES:
                raise UnreadableBodyError(_too_large())
    except UnreadableBodyError:
        raise
    except Exception:  # noqa: BLE001 - each library has its own error for damaged bytes
        raise UnreadableBodyError("the compressed body is damaged; re-record it") from None
    return bytes(inflated)


_STEP_BYTES = 16


def _is_text(body: bytes) -> bool:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\r\n\t" for character in text[:200])


_INFLATE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": _gunzipped,
    "x-gzip": _gunzipped,
    "deflate": _undeflated,
    "br": _by_library("br", "brotli", b""),
    "zstd": _by_library("zstd", "zstandard", _ZSTD),
}
