"""What a request asks of whoever serves it, read from the arguments of its call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failover.attempts import Errand
from failover.core.capabilities import NOTHING, Capability, Needs
from failover.core.vocabulary import Operation, Request
from failover.errands import CallOptions, tokens_out
from failover.tokens import Prompt, tokens_in

SHORT_TOKENS = 1000
"""A prompt of so many tokens fits any window that anybody chats with."""

_CONTENT = frozenset(
    {"messages", "input", "instructions", "prompt", "file", "query", "documents", "model", "stream"}
)
"""Arguments that are the request itself and no parameter of it."""

_DEMANDING = frozenset(
    {"tools", "functions", "response_format", "text", "text_format", "modalities"}
    | {"reasoning", "reasoning_effort", "thinking"}
)
"""Parameters that may take a capability."""

_COMPLETION = Operation.COMPLETION
_CHATS = (_COMPLETION, Operation.RESPONSES)
_PARTS = {
    **dict.fromkeys(("image_url", "image", "input_image"), Capability.VISION),
    **dict.fromkeys(("input_audio", "audio_url"), Capability.AUDIO_INPUT),
    **dict.fromkeys(("file", "input_file", "document"), Capability.FILES),
    **dict.fromkeys(("function_call", "function_call_output"), Capability.TOOLS),
}
"""Types of the parts of a message, as OpenAI's two APIs and Anthropic name them, and what each takes."""

_NO_REASONING = (None, "none", "disable")
_NO_CAPABILITIES: frozenset[Capability] = frozenset()


def request_of(number: int, errand: Errand, options: CallOptions) -> Request:
    """The request with these arguments, as far as deciding needs to know it; `number` is its id."""
    operation, payload = errand.operation, errand.payload
    if operation is Operation.CALL:
        # A plain function takes whatever it takes: its arguments are no prompt and no parameters.
        prompt_tokens, expected, answer_tokens, count, needs = 0, None, None, None, NOTHING
    else:
        prompt_tokens, answer_tokens = tokens_in(payload), tokens_out(errand)
        expected = 0 if operation is Operation.EMBEDDING else None
        count = Prompt(payload, prompt_tokens)
        needs = needs_of(payload, operation, prompt_tokens, answer_tokens)
    return Request(
        str(number),
        prompt_tokens,
        expected,
        options.stream,
        options.deadline_s,
        operation,
        options.delivery,
        options.replay_safe,
        needs,
        options.data_class,
        options.tenant,
        options.tags,
        options.max_cost_nusd,
        answer_tokens,
        count,
    )


def needs_of(
    payload: Mapping[str, Any],
    operation: str = _COMPLETION,
    prompt_tokens: int = 0,
    answer_tokens: int | None = None,
) -> Needs:
    """What a request with these arguments needs, with lengths that are known already.

    Only a chat has one prompt for one window: the inputs of an embedding are many, each with its own.
    """
    parameters = frozenset(
        [name for name, value in payload.items() if value is not None and name not in _CONTENT]
    )
    if operation not in _CHATS:
        return Needs(parameters=parameters) if parameters else NOTHING
    capabilities = _of_messages(payload, operation)
    if not parameters.isdisjoint(_DEMANDING):
        capabilities |= _of_parameters(payload)
    if not parameters and not capabilities and prompt_tokens <= SHORT_TOKENS:
        return NOTHING
    asked = answer_tokens if isinstance(answer_tokens, int) else 0
    return Needs(capabilities, parameters, prompt_tokens, asked)


def _of_parameters(payload: Mapping[str, Any]) -> frozenset[Capability]:
    get = payload.get
    found = []
    if (get("tools") and get("tool_choice") != "none") or (
        get("functions") and get("function_call") != "none"
    ):
        found.append(Capability.TOOLS)
    if get("response_format") is not None and _is_schema(get("response_format")):
        found.append(Capability.JSON_SCHEMA)
    if get("text_format") is not None or _is_schema(_in(get("text"), "format")):
        found.append(Capability.JSON_SCHEMA)
    modalities = get("modalities")
    if isinstance(modalities, list | tuple) and "audio" in modalities:
        found.append(Capability.AUDIO_OUTPUT)
    efforts = get("reasoning_effort"), _in(get("reasoning"), "effort")
    if any(each not in _NO_REASONING for each in efforts) or _in(get("thinking"), "type") not in (
        None,
        "disabled",
    ):
        found.append(Capability.REASONING)
    return frozenset(found) if found else _NO_CAPABILITIES


def _is_schema(form: Any) -> bool:
    # litellm takes a class of pydantic too, and makes a schema of it.
    return isinstance(form, type) or _in(form, "type") == "json_schema"


def _of_messages(payload: Mapping[str, Any], operation: str) -> frozenset[Capability]:
    completion = operation == _COMPLETION
    messages = payload.get("messages" if completion else "input")
    if not isinstance(messages, list | tuple) or not messages:
        return _NO_CAPABILITIES
    found: list[Capability] = []
    for message in messages:
        if type(message) is dict and type(message.get("content")) is str and "tool_calls" not in message:
            continue
        _of_message(message, found)
    last = messages[-1]
    if completion and _in(last, "role") == "assistant" and not _in(last, "tool_calls"):
        found.append(Capability.PREFILL)
    return frozenset(found) if found else _NO_CAPABILITIES


def _of_message(message: Any, found: list[Capability]) -> None:
    if _in(message, "tool_calls"):
        found.append(Capability.TOOLS)
    content = _in(message, "content")
    parts = [message, *content] if isinstance(content, list | tuple) else [message]
    kinds = [_in(part, "type") for part in parts]
    found.extend([_PARTS[kind] for kind in kinds if isinstance(kind, str) and kind in _PARTS])


def _in(value: Any, name: str) -> Any:
    """A field of a mapping, or of an object such as the message of an earlier reply."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)
