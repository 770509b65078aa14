"""Recorded answers in the name of the target that gives them, and only such as a workload could get."""

from __future__ import annotations

import re
from dataclasses import replace

from failover.adapters.wire import WireReply

_NAMED = re.compile(rb'("(?:modelVersion|model)"\s*:\s*")([^"\\]{1,200})(")')
_UNNAMED_GEMINI = re.compile(rb'\{(?=\s*"candidates"\s*:)')
_TOOL_CALL = re.compile(rb'"tool_calls"\s*:\s*\[\s*\{|"type"\s*:\s*"[a-z_]*tool_use"|"functionCall"\s*:')


def in_the_name_of(model: str, reply: WireReply) -> WireReply:
    """The same answer by `model`: one that is borrowed would be taken for another model's, which it is.

    Gemini says in every answer who gave it, and not every recording kept that.
    """
    name = model.rpartition("/")[2].encode().replace(b"\\", b"\\\\")
    body, named = _NAMED.subn(rb"\g<1>" + name + rb"\g<3>", reply.body)
    if not named:
        body = _UNNAMED_GEMINI.sub(b'{"modelVersion": "' + name + b'", ', body)
    return replace(reply, body=body)


def naming_itself(model: str, reply: WireReply) -> WireReply:
    """The same answer, which says that it is by `model`, also where a whole one named nobody."""
    if _NAMED.search(reply.body) is None and reply.body.startswith(b"{"):
        key = b"modelVersion" if b'"candidates"' in reply.body else b"model"
        reply = replace(reply, body=b'{"' + key + b'": "x", ' + reply.body[1:])
    return in_the_name_of(model, reply)


def calls_a_tool(reply: WireReply) -> bool:
    """Whether the answer is a call of a tool: nobody gets one who offers none."""
    return _TOOL_CALL.search(reply.body) is not None
