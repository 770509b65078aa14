"""HTML made of parts that escape themselves: text can become markup only by saying so.

Whatever a file or a provider named is handed over as a plain string, and so appears as text.
"""

from __future__ import annotations

import re
from html import escape

from failover.report.printable import printable

VOID = frozenset({"br", "hr", "link", "meta"})


class Markup(str):
    """HTML that was made here; any other string is text."""

    __slots__ = ()


def tag(element: str, /, *parts: str, **attributes: str | bool | None) -> Markup:
    """An element around `parts`, each escaped unless it is `Markup`.

    `class_` is the attribute `class`, and `data_label` is `data-label`; True is one without a value,
    and None or False is left out.
    """
    opening = f"<{element}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    return Markup(opening if element in VOID else f"{opening}{join(*parts)}</{element}>")


def join(*parts: str) -> Markup:
    """The parts, one after another."""
    return Markup("".join(part if isinstance(part, Markup) else text(part) for part in parts))


def text(words: str) -> Markup:
    """Words as they are, whatever they look like; what does not print is written as an escape."""
    return Markup(escape(printable(words), quote=True))


def prose(words: str) -> Markup:
    """Text whose numbers stay beside their units. Not for what is to be copied: its spaces are others."""
    return Markup(re.sub(r"(\d) (s|h|min|%)(?!\w)", r"\1&nbsp;\2", text(words)))


def script_json(document: bytes) -> Markup:
    """JSON that may stand inside `<script>`: nothing in it can end the element or begin a comment."""
    safe = document.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    return Markup(safe.decode().replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _attribute(key: str, value: str | bool | None) -> str:  # noqa: FBT001  # True is a value here
    if value is None or value is False:
        return ""
    name = key.removesuffix("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{text(value)}"'
