"""From a file, a text or a mapping to a checked model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError

from failover.documents.complaints import Complaints, Document, Place
from failover.documents.messages import Finding, finding
from failover.documents.plain import plain_value
from failover.documents.tree import parse

MAX_BYTES = 8 * 2**20
_ROUNDS = 20

Model = TypeVar("Model", bound=BaseModel)
Source = Path | str | Mapping[str, object]
"""A `Path` is a file to read, a `str` is YAML text, a mapping is a document already read."""


def read_document(
    source: Source,
    model: type[Model],
    check: Callable[[Model, Document, Complaints], None] | None = None,
    *,
    file: str | None = None,
) -> Model:
    """The document in `source` as a `model`; raises `ConfigError` with every complaint at once.

    `check` adds complaints that the schema cannot express. It also runs when the schema found
    errors, on what is left without them. `file` is the name to show.
    """
    complaints = Complaints()
    document = load_document(source, complaints, file=file)
    checked = validate(document, model, complaints) if document else None
    if document and checked and check:
        check(checked, document, complaints)
    complaints.raise_if_any()
    # Without complaints there is a model.
    return cast("Model", checked)


def load_document(source: Source, complaints: Complaints, *, file: str | None = None) -> Document | None:
    """The document in `source`, or None with the reasons in `complaints`."""
    if isinstance(source, Mapping):
        return plain_value(source, file or "<dict>", complaints)
    if isinstance(source, str):
        return parse(source, file or "<text>", None, complaints)
    file = file or str(source)
    text = _text_of(source, file, complaints)
    return None if text is None else parse(text, file, source.parent, complaints)


def _text_of(path: Path, file: str, complaints: Complaints) -> str | None:
    try:
        if path.is_dir():
            complaints.add_line(file, 0, "is a folder, not a file")
            return None
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        complaints.add_line(file, 0, "there is no such file")
    except PermissionError:
        complaints.add_line(file, 0, "may not be read: permission denied")
    except (OSError, ValueError):
        complaints.add_line(file, 0, "cannot be read")
    else:
        return _decoded(content, file, complaints)
    return None


def _decoded(content: bytes, file: str, complaints: Complaints) -> str | None:
    if len(content) > MAX_BYTES:
        complaints.add_line(file, 0, f"is larger than {MAX_BYTES // 2**20} MB")
        return None
    if b"\0" in content:
        complaints.add_line(file, 0, "is not a text file in UTF-8")
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        complaints.add_line(file, line, "is not UTF-8: save the file in that encoding")
        return None


def validate(document: Document, model: type[Model], complaints: Complaints) -> Model | None:
    """The document as a `model`, complaining about everything that does not fit.

    What is wrong is left out and the rest is validated again, so that checks of one part against
    another can still run. None when nothing usable is left. A list is cut at its first wrong item,
    so the places of the items before it stay true.
    """
    value = document.value
    known = complaints.places(document)
    for attempt in range(_ROUNDS):
        try:
            return model.model_validate(value)
        except ValidationError as error:
            findings = [finding(model, details, value) for details in error.errors(include_url=False)]
        if attempt == 0:
            for found in findings:
                if found.place not in known:
                    complaints.add(document, found.place, found.what)
        if any(not found.remove for found in findings):
            return None
        value = _without(value, findings)
    return None


def _without(value: object, findings: list[Finding]) -> object:
    places = {found.remove for found in findings}
    return _copied_without(value, places, ())


def _copied_without(value: object, places: set[Place], here: Place) -> object:
    if isinstance(value, Mapping):
        return {
            key: _copied_without(item, places, (*here, key))
            for key, item in value.items()
            if (*here, key) not in places
        }
    if isinstance(value, list):
        kept: list[object] = []
        for position, item in enumerate(value):
            if (*here, position) in places:
                break
            kept.append(_copied_without(item, places, (*here, position)))
        return kept
    return value
