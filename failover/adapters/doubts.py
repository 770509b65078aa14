"""What speaks against an answer that came whole: another model than asked, a tool call that is none.

litellm 1.106 hands on tool calls whose arguments do not parse, and calls of tools that were never offered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from failover.core.failures import Failure, FailureKind
from failover.core.vocabulary import Target

UNPARSABLE, NOT_OFFERED = "tool_call_unparsable", "tool_not_offered"

# Inside JSON text a quote is escaped: who only talks about a model is not taken for it.
_SERVED = tuple(re.compile(rb'"%s"\s*:\s*"([^"\\]{1,200})"' % key) for key in (b"modelVersion", b"model"))
_ALIAS = re.compile(r"[-@:]latest$")
# What providers hang on a name without meaning another model: dates, builds, and where it is on its way.
_BUILD = re.compile(
    r"(?:[-@:.](?:\d{3,8}(?:-\d{2}){0,2}|v\d+(?:[.:]\d+)*|latest|preview|exp|stable|fp8|turbo-fp8))*"
)
_DEPLOYMENTS = ("azure", "azure_text", "azure_ai", "bedrock", "sagemaker", "custom_openai")
"""Where the name is a deployment's, given by its owner: it says nothing of the model that serves it."""


def wrong_model(target: Target, body: bytes) -> tuple[Failure, ...]:
    """A doubt where `body`, or the beginning of a stream, says that another model than asked answered."""
    prefix, _, _ = target.model.partition("/")
    if prefix in _DEPLOYMENTS or target.api_base:
        return ()  # a gateway or a deployment calls its models as it likes
    for pattern in _SERVED:
        found = pattern.search(body)
        if found:
            served = found[1].decode("utf-8", "replace")
            same = is_same_model(target.model, served)
            return () if same else (Failure(FailureKind.WRONG_MODEL, code=served),)
    return ()


def is_same_model(asked: str, served: str) -> bool:
    """Whether `served` is the model that was `asked` for, or a dated build of it."""
    wanted, got = _bare(asked), _bare(served)
    short, long = sorted((wanted, got), key=len)
    return long.startswith(short) and _BUILD.fullmatch(long[len(short) :]) is not None


def _bare(name: str) -> str:
    return _ALIAS.sub("", name.rpartition("/")[2].lower())


class ToolCalls:
    """The tool calls of one answer, whole or in pieces. `payload` says which tools were offered."""

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = payload
        self._names: dict[tuple[int, int], str] = {}
        self._arguments: dict[tuple[int, int], str] = {}

    def take_in(self, choice: int, calls: Iterable[Any]) -> None:
        """What a message, or a delta of one, holds of them."""
        for place, call in enumerate(calls):
            index = getattr(call, "index", None)
            key = choice, place if index is None else index
            function = getattr(call, "function", None)
            self._names[key] = self._names.get(key, "") + (getattr(function, "name", None) or "")
            arguments = getattr(function, "arguments", None) or ""
            self._arguments[key] = self._arguments.get(key, "") + arguments

    def take_in_items(self, output: Iterable[Any]) -> None:
        """What the output of a response holds of them, each of them whole."""
        for place, item in enumerate(output):
            if getattr(item, "type", None) == "function_call":
                self._names[0, place] = getattr(item, "name", None) or ""
                self._arguments[0, place] = getattr(item, "arguments", None) or ""

    def doubts(self) -> tuple[Failure, ...]:
        """What is wrong with them, each kind of fault once."""
        if not self._names:
            return ()
        offered = offered_tools(self._payload)
        codes = []
        if not all(map(_is_an_object, self._arguments.values())):
            codes.append(UNPARSABLE)
        if offered is not None and not offered.issuperset(self._names.values()):
            codes.append(NOT_OFFERED)
        return tuple(Failure(FailureKind.MALFORMED_REPLY, code=code) for code in codes)


def offered_tools(payload: Mapping[str, Any]) -> set[str] | None:
    """The names of the functions that the caller offered, in whichever form.

    None: among them are tools that the provider runs itself (search, MCP), which have names of their own.
    """
    tools = [each for key in ("tools", "functions") for each in payload.get(key) or ()]
    if any(isinstance(tool, Mapping) and tool.get("type", "function") != "function" for tool in tools):
        return None
    return {name for tool in tools if (name := _name_of(tool))}


def _name_of(tool: Any) -> str:
    if not isinstance(tool, Mapping):
        return ""
    function = tool.get("function")
    holder = function if isinstance(function, Mapping) else tool
    return str(holder.get("name") or "")


def _is_an_object(arguments: str) -> bool:
    """A function without parameters is called with nothing at all by some."""
    if not arguments.strip():
        return True
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False
