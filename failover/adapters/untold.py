"""The end of a stream in which litellm saw no usage: it is told what the wire says, or what we count."""

from __future__ import annotations

import importlib
from typing import Any

from failover.adapters.seam import Outbound
from failover.adapters.told_usage import usage_in
from failover.adapters.transport import Exchange
from failover.core.vocabulary import Usage
from failover.tokens import tokens_in, written


def tell_usage(chunks: Any, outbound: Outbound, exchange: Exchange) -> None:
    """Put a usage among the chunks that litellm keeps of a stream: else litellm 1.106 counts tokens itself.

    The last one by the chunks' age is what it hands on: ours is as old as the first of them, so that one
    that its provider tells yet goes before it. `chunks` is litellm's iterator; another kind is left alone.
    """
    kept = getattr(chunks, "chunks", None)
    if not isinstance(kept, list) or not kept or "stream_options" in outbound.payload:
        return
    said = [getattr(chunks, "response_uptil_now", "")]
    usage = usage_in(exchange.seen()) or written(outbound.target.model, said) or Usage()
    types: Any = importlib.import_module("litellm.types.utils")
    told = types.Usage(
        prompt_tokens=usage.tokens_in or tokens_in(outbound.payload), completion_tokens=usage.tokens_out
    )
    first, made = kept[0], types.ModelResponseStream(model=kept[0].model, choices=[], usage=told)
    made.hidden_params["created_at"] = first.hidden_params.get("created_at")
    kept.insert(1, made)
