"""What the requests of a workload say: filler of the asked length, for every operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from failover import errands
from failover.attempts import Errand
from failover.core.vocabulary import Operation
from failover.tokens import CHARACTERS_PER_TOKEN

WORD = "ping"
FILLER = " the"
"""Four characters that are one token in every vocabulary of OpenAI's: all who count find as many."""

SILENCE = (
    b"RIFF$\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00@\x1f\x00\x00"
    b"\x80>\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00"
)
"""A sound file without a sound."""


def errand(operation: Operation, tokens_in: int | None, tokens_out: int | None) -> Errand:
    """A request whose prompt is estimated at `tokens_in`, and whose answer may have `tokens_out`."""
    return _ERRANDS[operation](tokens_in, tokens_out)


def _text(tokens: int | None, said_already: int = 0) -> str:
    if tokens is None:
        return WORD
    return (FILLER * (tokens + 1))[: max(1, tokens * CHARACTERS_PER_TOKEN - said_already)]


def _limit(name: str, tokens_out: int | None) -> Mapping[str, Any]:
    return {} if tokens_out is None else {name: tokens_out}


def _completion(tokens_in: int | None, tokens_out: int | None) -> Errand:
    role = "user"
    messages = [{"role": role, "content": _text(tokens_in, len(role))}]
    return errands.completion(messages, _limit("max_tokens", tokens_out))


def _responses(tokens_in: int | None, tokens_out: int | None) -> Errand:
    return errands.responses(_text(tokens_in), _limit("max_output_tokens", tokens_out))


_ERRANDS: Mapping[str, Callable[[int | None, int | None], Errand]] = {
    Operation.COMPLETION: _completion,
    Operation.RESPONSES: _responses,
    Operation.EMBEDDING: lambda tokens_in, _: errands.embedding(_text(tokens_in), {}),
    Operation.IMAGE_GENERATION: lambda tokens_in, _: errands.image_generation(_text(tokens_in), {}),
    Operation.TRANSCRIPTION: lambda _in, _out: errands.transcription(("silence.wav", SILENCE), {}),
    Operation.SPEECH: lambda tokens_in, _: errands.speech(_text(tokens_in), "alloy", {}),
    Operation.RERANK: lambda tokens_in, _: errands.rerank(WORD, [_text(tokens_in, len(WORD)), WORD], {}),
    Operation.MODERATION: lambda tokens_in, _: errands.moderation(_text(tokens_in), {}),
}
