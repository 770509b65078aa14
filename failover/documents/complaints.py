"""A document with the line of everything in it, and the complaints that are gathered about documents."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from failover.errors import Complaint, ConfigError

Place = tuple[str | int, ...]
"""Where in a document: keys and list positions from the top, `("inject", 2, "at_s")`."""

_SHOWN_LENGTH = 60
_SEARCHED_LENGTH = 500
_LISTED_NAMES = 14
_COMPARED_LENGTH = 200
_LARGE = 10**20
_NEAR_ENOUGH = 0.6
_SECRET = re.compile(
    r"(?<![a-z0-9])(?:(?:sk|pk|rk|ak|gsk|xai|hf|fw|ghp|glpat|pplx|nvapi|r8|github_pat|xox[a-z])[-_]\S{3,}"
    r"|AKIA|ASIA|AIza|ya29\.|eyJ|Bearer\s|Basic\s)|://[^/\s]*@",
    re.IGNORECASE,
)
_LONG_RANDOM = re.compile(r"(?=[^\s/]*\d)(?=[^\s/]*[A-Za-z])[A-Za-z0-9_+=]{32,}")


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, as plain dicts, lists and scalars, and the line of each place in it.

    `file` is the name to show; `folder` is where the file's relative paths start, None without a file.
    """

    file: str
    value: object
    lines: Mapping[Place, int] = field(default_factory=dict)
    folder: Path | None = None

    def line(self, place: Place) -> int:
        """The line of `place`, or of the nearest thing around it; 0 when the document has no lines."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return 0

    def at(self, place: Place) -> object:
        """The value at `place`, None where there is none."""
        value = self.value
        for step in place:
            if not holds(value, step):
                return None
            value = cast("Any", value)[step]
        return value

    def names(self, *place: str | int) -> tuple[str, ...]:
        """The keys of the mapping at `place`, also of entries that are themselves in error."""
        value = self.at(place)
        return tuple(value) if isinstance(value, Mapping) else ()


def holds(value: object, step: str | int) -> bool:
    """Whether `value` is a mapping with that key, or a list with that position."""
    if isinstance(value, Mapping):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and -1 < step < len(value)


class Complaints:
    """Everything wrong with one or several documents, gathered before anything is raised."""

    def __init__(self) -> None:
        self._found: dict[Complaint, None] = {}
        self._blamed: set[tuple[str, Place]] = set()

    def add(self, document: Document, place: Place, what: str) -> None:
        """Complain about `place` in `document`: the line is looked up."""
        self._blamed.add((document.file, place))
        self.add_line(document.file, document.line(place), what, place)

    def add_line(self, file: str, line: int, what: str, place: Place = ()) -> None:
        """Complain about a line, counted from 1, 0 for none: of a file that could not be read, say."""
        self._found[Complaint(file, line, where(place), what)] = None

    def places(self, document: Document) -> frozenset[Place]:
        """Every place in `document` that was complained about."""
        return frozenset(place for file, place in self._blamed if file == document.file)

    def blames(self, document: Document, *places: Place) -> bool:
        """Whether any of `places`, or something in it or around it, was complained about already.

        A check of one value against another is pointless while either of them is in error.
        """
        return any(
            blamed[: len(place)] == place[: len(blamed)]
            for blamed in self.places(document)
            for place in places
        )

    def found(self) -> list[Complaint]:
        """Every complaint so far, in the order of the files and of their lines."""
        files = list(dict.fromkeys(complaint.file for complaint in self._found))
        return sorted(self._found, key=lambda complaint: (files.index(complaint.file), complaint.line))

    def raise_if_any(self) -> None:
        """Raise `ConfigError` with every complaint, if there is one."""
        if self._found:
            raise ConfigError(self.found())


def where(place: Place) -> str:
    """A place as people read it: `inject.2.at_s`."""
    return ".".join(_plain(step) if isinstance(step, str) else str(step) for step in place)


def _plain(name: str) -> str:
    quoted = shown(name)
    return quoted[1:-1] if quoted == f"'{name}'" else quoted


def shown(value: object) -> str:
    """A value as a message may quote it: short, on one line, and never what looks like a credential."""
    for kind, words in _SHOWN_AS.items():
        if isinstance(value, kind):
            return words(value)
    return f"an object of type {type(value).__name__}"


def _shown_text(text: str) -> str:
    searched = text[:_SEARCHED_LENGTH]
    if _SECRET.search(searched) or _LONG_RANDOM.search(searched):
        return "a text that may be a credential (not shown)"
    short = text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
    return repr(short)


def _shown_whole(number: int) -> str:
    # A number of thousands of digits cannot even be turned into text.
    return str(number) if abs(number) < _LARGE else "a very large number"


_SHOWN_AS: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _value: "nothing",
    bool: lambda value: "true" if value else "false",
    str: _shown_text,
    int: _shown_whole,
    float: lambda value: f"{value:g}",
    dt.date: lambda value: f"the date {value}",
    Mapping: lambda _value: "a mapping",
    list: lambda _value: "a list",
    tuple: lambda _value: "a list",
}


def ending(word: object, valid: Iterable[str]) -> str:
    """The end of a complaint about a wrong word: the nearest valid one, else all of them."""
    names = list(valid)
    if not names:
        return ""
    text = word[:_COMPARED_LENGTH] if isinstance(word, str) else ""
    near = difflib.get_close_matches(text, names, n=1, cutoff=_NEAR_ENOUGH)
    near = near or [name for name in names if name.casefold() == text.casefold()]
    if near:
        return f"; did you mean '{near[0]}'?"
    listed = ", ".join(names[:_LISTED_NAMES])
    more = len(names) - _LISTED_NAMES
    return f"; known: {listed}" + (f" and {more} more" if more > 0 else "")
