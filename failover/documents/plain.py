"""A mapping handed over in Python, made as plain and as bounded as one read from a file."""

from __future__ import annotations

from collections.abc import Mapping

from failover.documents.complaints import Complaints, Document, Place, shown

MAX_DEPTH = 64
MAX_VALUES = 200_000


class TooMuchError(Exception):
    """The document is deeper or larger than any that people write; the message says which."""

    def __init__(self, what: str, line: int = 0) -> None:
        self.line = line
        super().__init__(what)


def plain_value(value: object, file: str, complaints: Complaints) -> Document | None:
    """The document that `value` is, or None with the reason in `complaints`."""
    try:
        return Document(file, _Plain(file, complaints).build(value, ()))
    except TooMuchError as error:
        complaints.add_line(file, 0, str(error))
        return None


class _Plain:
    def __init__(self, file: str, complaints: Complaints) -> None:
        self._document = Document(file, None)
        self._complaints = complaints
        self._values = 0

    def build(self, value: object, place: Place) -> object:
        self._values += 1
        if self._values > MAX_VALUES:
            raise TooMuchError(f"holds more than {MAX_VALUES} values")
        if len(place) > MAX_DEPTH:
            raise TooMuchError(f"is nested deeper than {MAX_DEPTH} levels, or contains itself")
        if isinstance(value, Mapping):
            return self._mapping(value, place)
        if isinstance(value, (list, tuple)):
            return [self.build(item, (*place, position)) for position, item in enumerate(value)]
        return value

    def _mapping(self, value: Mapping[object, object], place: Place) -> dict[str, object]:
        built = {}
        for key, item in value.items():
            if isinstance(key, str):
                built[str(key)] = self.build(item, (*place, str(key)))
            else:
                self._complaints.add(self._document, place, f"a key must be text, got {shown(key)}")
        return built
