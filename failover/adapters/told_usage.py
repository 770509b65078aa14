"""What a provider said that an answer used which was not used: it is billed all the same.

Of an answer that broke, or that is no answer, the client above gives no usage; the wire had it where the
provider tells it early: Anthropic with its first event, others with every chunk or with a refusal inside a
200. Inside JSON text a quote is escaped, so what a model *says* is never taken for a count.
"""

from __future__ import annotations

import re

from failover.core.vocabulary import Usage

USAGE = "failover_usage"
"""The attribute of an exception that holds it."""

# OpenAI's chat, its Responses and Anthropic, Gemini.
_IN = re.compile(rb'"(?:prompt_tokens|input_tokens|promptTokenCount)"\s*:\s*(\d{1,12})')
_OUT = re.compile(rb'"(?:completion_tokens|output_tokens|candidatesTokenCount)"\s*:\s*(\d{1,12})')


def usage_in(body: bytes) -> Usage | None:
    """The latest counts in a body, whole or cut, None where there are none. Counts only grow."""
    counted_in = [int(found) for found in _IN.findall(body)]
    counted_out = [int(found) for found in _OUT.findall(body)]
    if not counted_in and not counted_out:
        return None
    return Usage(max(counted_in, default=0), max(counted_out, default=0))


def usage_told(error: BaseException | None) -> Usage | None:
    """What came with a failed attempt; a limit of ours is raised from the cancellation that it caused."""
    for each in (error, getattr(error, "__cause__", None)):
        told = getattr(each, USAGE, None)
        if isinstance(told, Usage):
            return told
    return None
