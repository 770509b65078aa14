"""The arguments of the OpenAI SDK's calls, as the router takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LISTED = ("messages", "input", "tools")
_EXTRAS = ("extra_headers", "extra_body", "extra_query")
_MARKS = frozenset({"NotGiven", "Omit"})
_INSTEAD = {
    "max_retries": "the route's policy says how often to try (attempts, retry_budget)",
    "api_key": "credentials stand in the config, by the names of environment variables",
    "base_url": "addresses stand in the config (api_base)",
    "http_client": "the router keeps its own connections",
}
_NO_OPTION = "not an option of a router; timeout is"


@dataclass(frozen=True, slots=True)
class Options:
    """What `with_options` fixed for the calls of a client: their deadline, None for the route's own."""

    deadline_s: float | None = None

    def arguments(self, given: Mapping[str, Any], *, extras: bool = True) -> dict[str, Any]:
        """The router's arguments for those that the SDK takes.

        What the SDK marks as not given is left out, and its objects are made plain, as it does itself before
        it sends. Raises `TypeError` for what has no meaning here, with what has.
        """
        made = {
            name: _plain(value) if name in _LISTED else value
            for name, value in given.items()
            if not _absent(value)
        }
        for name in _EXTRAS:
            if name in made and not made[name]:
                del made[name]
            elif name in made and (not extras or name == "extra_query"):
                raise TypeError(f"{name}: litellm does not send it along with this call")
        if "timeout" in made or self.deadline_s is not None:
            limit_s = _deadline_s(made)
            made["deadline_s"] = self.deadline_s if limit_s is None else limit_s
        return made

    def replaced(self, options: Mapping[str, Any]) -> Options:
        """These options with others in their place."""
        told = dict(options)
        limit_s = _deadline_s(told)
        if told:
            name = next(iter(told))
            raise TypeError(f"with_options: {name}: {_INSTEAD.get(name, _NO_OPTION)}")
        return Options(self.deadline_s if limit_s is None else limit_s)


def _absent(value: Any) -> bool:
    """One of the SDK's marks for an argument not given; known by its name, so that nothing loads the SDK."""
    kind = type(value)
    return kind.__name__ in _MARKS and kind.__module__.partition(".")[0] == "openai"


def _plain(value: Any) -> Any:
    """A list of mappings, so that a second target finds in it what the first did."""
    if isinstance(value, str | Mapping) or not hasattr(value, "__iter__"):
        return value
    return [each.model_dump(exclude_none=True) if hasattr(each, "model_dump") else each for each in value]


def _deadline_s(told: dict[str, Any]) -> float | None:
    """Take the SDK's `timeout` and our `deadline_s` out of what was told: at most one of them, in seconds."""
    timeout: Any = told.pop("timeout", None)
    deadline_s: float | None = told.pop("deadline_s", None)
    if timeout is None:
        return deadline_s
    if deadline_s is not None:
        raise TypeError("timeout and deadline_s are one and the same here: say one of them")
    if isinstance(timeout, int | float):
        return timeout
    raise TypeError(f"timeout: a call has one deadline, in seconds: timeout=30, not {type(timeout).__name__}")
