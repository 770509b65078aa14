"""The wire image: what one attempt meets, before any client or classifier has seen it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from failover.adapters.wire import ConnectionFault, WireReply
from failover.core.quick import quick


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A response, or how the connection ended without one. Compared by identity: images are shared.

    With both, the connection is reset when the body was sent: the end of a stream is cut off.
    `origin` says where it came from: an episode, an injection, or made up.
    """

    origin: str
    reply: WireReply | None = None
    fault: ConnectionFault | None = None


@quick
@dataclass(frozen=True, slots=True)
class Exchange:
    """One attempt's image and its timing, in seconds from the send. `inf`: it never comes.

    `total_s` counts the pause that a stream makes after its first token, for `pause_s`.
    """

    image: Image
    first_token_s: float
    total_s: float
    pause_s: float = 0.0

    def replied(self, image: Image, after_s: float) -> Exchange:
        """The same attempt, answered otherwise: `image` arrives whole after `after_s`."""
        if image.fault is ConnectionFault.HANG:
            return Exchange(image, inf, inf)
        return Exchange(image, after_s, after_s)

    def showing(self, image: Image) -> Exchange:
        """The same attempt at the same pace, with `image` in the place of its own."""
        return replace(self, image=image)

    def slowed(self, factor: float, first_token_extra_s: float) -> Exchange:
        """The same answer, later; what never comes stays away."""
        if self.first_token_s == inf:
            return self
        first_token_s = round(self.first_token_s * factor + first_token_extra_s, 6)
        flow_s = (self.total_s - self.first_token_s - self.pause_s) * factor
        total_s = round(first_token_s + self.pause_s + flow_s, 6)
        return replace(self, first_token_s=first_token_s, total_s=total_s)

    def paused(self, pause_s: float) -> Exchange:
        """The same answer, silent for `pause_s` more after its first token; whole, it is that much later."""
        if self.first_token_s == inf:
            return self
        return replace(self, total_s=self.total_s + pause_s, pause_s=self.pause_s + pause_s)
