"""Text from files and providers, made safe to print: it may hold anything, escape sequences too."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` with whatever does not print written as an escape, so that no terminal or parser obeys it."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )
