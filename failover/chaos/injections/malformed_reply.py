"""A 200 that is no answer: an error page, half a document, nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from pydantic import Field

from failover.adapters.wire import WireReply
from failover.chaos.injections.base import Encounter, Injection
from failover.chaos.world.answer_shapes import garbled
from failover.chaos.world.image import Exchange

PAGE = b"<html><head><title>We will be back soon</title></head><body><h1>Maintenance</h1></body></html>"


class MalformedReply(Injection):
    """Shape `html`: a page of who stands in between; `garbled`: JSON that stops midway; `empty`: no body."""

    kind: Literal["malformed_reply"]
    shape: Literal["html", "garbled", "empty"] = Field(default="html", alias="as")

    def change(self, exchange: Exchange, encounter: Encounter) -> Exchange:
        """The spoilt answer, at the pace of the good one."""
        return encounter.remade(exchange, SHAPES[self.shape], "malformed", self.shape)


def _page(reply: WireReply) -> WireReply:
    return WireReply(200, {"content-type": "text/html"}, PAGE)


def _nothing(reply: WireReply) -> WireReply:
    return replace(reply, body=b"")


SHAPES: Mapping[str, Callable[[WireReply], WireReply]] = {
    "html": _page,
    "garbled": garbled,
    "empty": _nothing,
}
