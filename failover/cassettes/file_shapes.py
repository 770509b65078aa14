"""From the bytes of a cassette file to its recordings, whichever recorder wrote it.

vcrpy and go-vcr keep a list `interactions`; Ruby's VCR and Betamax call it `http_interactions`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_UNFOLDED_BYTES = 256 * 1024 * 1024
_LISTS = ("interactions", "http_interactions")
_TAGS_OF_OLD_PYTHON = ("unicode", "str")


class UnreadableFileError(ValueError):
    """Why a file cannot be read as a cassette; `line` counts from 1, 0 when unknown."""

    def __init__(self, what: str, line: int = 0) -> None:
        self.line = line
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class Recording:
    """One exchange as its file holds it, and the line it begins at."""

    request: Mapping[str, Any]
    response: Mapping[str, Any]
    whole: Mapping[str, Any]
    line: int


def recordings_in(content: bytes, *, is_json: bool) -> list[Recording]:
    """Every exchange of a file's `content`, in its order. Raises `UnreadableFileError`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableFileError("is not UTF-8 text, so no cassette; remove or re-record it") from None
    if not text.strip():
        raise UnreadableFileError("is empty; remove or re-record it")
    try:
        document, lines = _from_json(text) if is_json else _from_yaml(text)
    except (ValueError, OverflowError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError("holds a value that cannot be read; re-record it") from None
    except RecursionError:
        raise UnreadableFileError("is nested too deeply for a cassette") from None
    return _recordings(document, lines)


def _recordings(document: Any, lines: list[int]) -> list[Recording]:
    key = next((key for key in _LISTS if isinstance(document, Mapping) and key in document), None)
    found = document[key] if key else None
    if not isinstance(found, list):
        raise UnreadableFileError("has no list `interactions`, so it is no vcrpy cassette; move it elsewhere")
    recordings = []
    for n, whole in enumerate(found):
        line = lines[n] if n < len(lines) else 0
        for side in ("request", "response"):
            if not isinstance(whole, Mapping) or not isinstance(whole.get(side), Mapping):
                raise UnreadableFileError(f"interactions[{n}] has no {side}; is the file cut?", line)
        recordings.append(Recording(whole["request"], whole["response"], whole, line))
    return recordings


def _from_json(text: str) -> tuple[Any, list[int]]:
    try:
        return json.loads(text), []
    except json.JSONDecodeError as error:
        raise UnreadableFileError("is not whole JSON; is the file cut?", error.lineno) from None


def _from_yaml(text: str) -> tuple[Any, list[int]]:
    import yaml

    loader = _loader()(text)
    try:
        node = loader.get_single_node()
        if node is not None and _unfolded_bytes(node, {}) > MOST_UNFOLDED_BYTES:
            raise UnreadableFileError("unfolds to more than any cassette holds; write its aliases out")
        document = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise UnreadableFileError("is not whole YAML from here on; is the file cut?", line) from None
    except yaml.YAMLError:
        raise UnreadableFileError("holds bytes that YAML does not allow; re-record it") from None
    finally:
        loader.dispose()
    return document, _lines_of(node)


def _loader() -> Any:
    """The fast safe loader where PyYAML was built with it, which also takes text tagged by old Pythons."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("CassetteLoader", (base,), {})
    for tag in _TAGS_OF_OLD_PYTHON:
        loader.add_constructor(f"tag:yaml.org,2002:python/{tag}", base.construct_yaml_str)
    return loader


def _unfolded_bytes(node: Any, known: dict[int, int]) -> int:
    """The size with every alias written out, found without writing them out; a cycle has no size."""
    if id(node) not in known:
        known[id(node)] = MOST_UNFOLDED_BYTES + 1
        value = node.value
        if isinstance(value, str):
            known[id(node)] = len(value) + 1
        else:
            children = (child for part in value for child in (part if isinstance(part, tuple) else (part,)))
            known[id(node)] = 1 + sum(_unfolded_bytes(child, known) for child in children)
    return known[id(node)]


def _lines_of(node: Any) -> list[int]:
    """The line of every interaction."""
    pairs = node.value if isinstance(getattr(node, "value", None), list) else []
    for pair in pairs:
        if (
            isinstance(pair, tuple)
            and getattr(pair[0], "value", None) in _LISTS
            and isinstance(pair[1].value, list)
        ):
            return [item.start_mark.line + 1 for item in pair[1].value]
    return []
