"""Which adapter serves which target: litellm for models, a plain callable for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from failover.adapters.litellm import LitellmAdapter
from failover.adapters.plain import CallableAdapter
from failover.adapters.seam import Adapter
from failover.core.vocabulary import Target


class AssignedAdapters:
    """The adapters of one config. `adapter`, when given, serves every model target."""

    def __init__(
        self,
        targets: Iterable[Target],
        callables: Mapping[str, Callable[..., Any]],
        adapter: Adapter | None,
    ) -> None:
        self.models: Adapter = LitellmAdapter() if adapter is None else adapter
        self._callables = {
            target.name: CallableAdapter(callables.get(target.name, target.callable))
            for target in targets
            if target.name in callables or target.callable
        }

    def of(self, target: Target) -> Adapter:
        """The adapter of `target`."""
        return self._callables.get(target.name, self.models)

    async def aclose(self) -> None:
        """Close all of them."""
        await self.models.aclose()
        for adapter in self._callables.values():
            await adapter.aclose()
