"""How each wire dialect ends a stream: one without such a marker was cut.

litellm 1.106 invents a finish reason when a stream is cut (seen with OpenAI, Anthropic, Gemini and
Mistral), and its own handlers skip a chunk that does not parse, so the raw bytes are looked at. Inside
JSON text a quote is escaped: a model that *talks about* these markers cannot forge one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Any dialect's marker counts: gateways speak OpenAI's dialect for everyone, and litellm routes some
# OpenAI models through the Responses API. One opening quote for all keeps the search quick.
_DONE = b"data: [DONE]"
_TERMINAL = re.compile(
    rb'"(?:(?:finish_reason|stop_reason|finishReason)"\s{0,16}:\s{0,16}"(\w{0,40})"'
    rb'|type"\s{0,16}:\s{0,16}"(?:response\.(?:completed|(incomplete))|message_stop|message-end)"'
    rb'|event_type"\s{0,16}:\s{0,16}"stream-end"|(?:is_finished|done)"\s{0,16}:\s{0,16}true)'
)
_ORDINARY = frozenset(
    b"stop length tool_calls function_call end_turn max_tokens tool_use stop_sequence complete eos".split()
)

# Media types whose dialect is known here; Amazon's binary event stream has checksums of its own.
_STREAMED = ("text/event-stream", "application/x-ndjson", "application/ndjson", "application/stream+json")
_OVERLAP = 96
"""No marker is longer than this (spaces and reasons have limits), so that none is lost between chunks."""


def is_streamed(content_type: str) -> bool:
    """Whether a reply of this content type is a stream whose dialect is known here."""
    return content_type.lower().startswith(_STREAMED)


@dataclass(slots=True)
class StreamWatch:
    """Reads a stream's decoded bytes as they pass.

    `ended`: its end marker went by. `broken`: it held a line that is not the JSON it began as.
    `doubtful`: it is broken, told an error or ended for an unusual reason; whether it is an answer is
    for the classifier to say.
    """

    ended: bool = False
    broken: bool = False
    doubtful: bool = False
    _tail: bytes = field(default=b"", repr=False)
    _line: bytes = field(default=b"", repr=False)

    def feed(self, chunk: bytes) -> None:
        """Look at the next chunk. A marker may be split across two."""
        if (
            not self._line
            and chunk.endswith(b"}\n\n")
            and chunk.startswith(b"data: {")
            and chunk.find(b"\n") == len(chunk) - 2
        ):
            # One whole event, as nearly every chunk is: no marker reaches into it, or out of it.
            self._tail = b""
            if b'"error"' in chunk:
                self.doubtful = True
            # By its whole name: vLLM's last chunk says `"finish_reason":"stop"` and `"stop_reason":null`.
            if not (self.ended or b'"finish_reason":null' in chunk or b'"finish_reason": null' in chunk):
                self._look_for_end(chunk)
            return
        window = self._tail + chunk
        if not self.ended:
            self._look_for_end(window)
        if b'"error"' in window or b"event: error" in window:
            self.doubtful = True
        self._tail = window[-_OVERLAP:]
        if b"\n" not in chunk:
            self._line += chunk
            return
        *lines, self._line = (self._line + chunk if self._line else chunk).split(b"\n")
        for line in lines:
            if line and line.startswith(b"data: {") and not line.rstrip().endswith(b"}"):
                self.broken = self.doubtful = True

    def _look_for_end(self, window: bytes) -> None:
        found = _TERMINAL.search(window)
        done_at = window.find(_DONE)
        if found and not 0 <= done_at < found.start():
            reason = found[1] or found[2]
            self.ended = True
            self.doubtful = self.doubtful or (reason is not None and reason.lower() not in _ORDINARY)
        elif done_at >= 0:
            self.ended = True
