"""What a router does, told to the observers a service already has: OpenTelemetry, and its log.

Both follow the router's typed events, which hold no prompt, no reply and no credential. OpenTelemetry
is imported when `instrument` is called, and by nothing else.
"""

from __future__ import annotations

from failover.telemetry.event_log import log_events
from failover.telemetry.instrumentation import instrument

__all__ = ["instrument", "log_events"]
