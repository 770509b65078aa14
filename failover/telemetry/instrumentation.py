"""OpenTelemetry for a router, in one call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from failover.router import Router

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

SCOPE = "failover"
MISSING = "OpenTelemetry is not installed: pip install 'failover[telemetry]'"


def instrument(
    router: Router,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    *,
    wall_ns: Callable[[], int] = time.time_ns,
) -> Callable[[], None]:
    """Write spans and metrics of the calls that begin from now on; returns the function that ends it.

    A provider that is not given is the global one. `wall_ns` tells the time in nanoseconds since 1970;
    spans begin at it and are measured on the router's clock. Raises `ImportError`, with what to install,
    where OpenTelemetry is not. Names and attributes: `docs/telemetry.md`.
    """
    try:
        from opentelemetry import metrics, trace
    except ImportError as error:
        raise ImportError(MISSING, name="opentelemetry") from error
    from failover.telemetry.meters import Meters
    from failover.telemetry.observer import Observer

    observer = Observer(
        lambda: router.config,
        trace.get_tracer(SCOPE, tracer_provider=tracer_provider),
        Meters(metrics.get_meter(SCOPE, meter_provider=meter_provider)),
        wall_ns,
    )
    unsubscribe = router.subscribe(observer)

    def end() -> None:
        unsubscribe()
        observer.close()

    return end
