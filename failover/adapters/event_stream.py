"""Amazon's binary event stream (`application/vnd.amazon.eventstream`), as Bedrock streams answers.

A frame: total length, header length and their checksum (4 bytes each, big endian), headers, payload, and
a checksum of all.
Source: the AWS SDK documentation, "Amazon event stream encoding".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_PRELUDE_BYTES, _CHECKSUM_BYTES, _LARGEST_FRAME_BYTES = 12, 4, 16 * 1024 * 1024 + 128 * 1024 + 16
_FIXED_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_BYTES_TYPE, _STRING_TYPE = 6, 7


class BrokenFrameError(ValueError):
    """A frame that cannot be read; `cut` where the bytes end inside it."""

    def __init__(self, *, cut: bool) -> None:
        self.cut = cut
        super().__init__("the stream ends inside a frame" if cut else "not a frame of an event stream")


def frames(body: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    """String headers and payload of every frame; raises `BrokenFrameError`."""
    at = 0
    while at < len(body):
        if len(body) - at < _PRELUDE_BYTES:
            raise BrokenFrameError(cut=True)
        total, header_bytes = struct.unpack_from(">II", body, at)
        overhead = _PRELUDE_BYTES + _CHECKSUM_BYTES
        if not overhead + header_bytes <= total <= _LARGEST_FRAME_BYTES:
            raise BrokenFrameError(cut=False)
        if at + total > len(body):
            raise BrokenFrameError(cut=True)
        start = at + _PRELUDE_BYTES
        yield (
            _headers(body[start : start + header_bytes]),
            body[start + header_bytes : at + total - _CHECKSUM_BYTES],
        )
        at += total


def _headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    at = 0
    try:
        while at < len(block):
            name_end = at + 1 + block[at]
            name, kind = block[at + 1 : name_end].decode("utf-8", "replace"), block[name_end]
            at = name_end + 1
            if kind in (_BYTES_TYPE, _STRING_TYPE):
                (length,) = struct.unpack_from(">H", block, at)
                headers[name] = block[at + 2 : at + 2 + length].decode("utf-8", "replace")
                at += 2 + length
            else:
                at += _FIXED_BYTES[kind]
    except (IndexError, KeyError, struct.error):
        raise BrokenFrameError(cut=False) from None
    return headers
