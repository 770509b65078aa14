"""YAML text to plain values, with the line of each, bounded in depth and size.

PyYAML composes the nodes; the values are built here, since its own constructor keeps no lines, lets
a repeated key win silently, and expands aliases without bound.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from failover.documents.complaints import Complaints, Document, Place, shown
from failover.documents.plain import MAX_DEPTH, MAX_VALUES, TooMuchError
from failover.documents.syntax import syntax_error

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_SCALARS = {f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str", "timestamp")}
_MERGE = f"{_TAG}merge"
_EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
"""Numbers such as 1e3, which YAML 1.1 takes for text unless they hold a point and a sign."""


def parse(text: str, file: str, folder: Path | None, complaints: Complaints) -> Document | None:
    """The document that `text` holds, or None with the reasons in `complaints`."""
    try:
        _bound(text)
        root = yaml.compose(text, Loader=_LOADER)
        builder = _Builder(file, complaints)
        value = builder.build(root, (), root.start_mark.line + 1) if root else None
    except yaml.YAMLError as error:
        line, what = syntax_error(error, text)
        complaints.add_line(file, line, what)
        return None
    except TooMuchError as error:
        complaints.add_line(file, error.line, str(error))
        return None
    if root is None:
        complaints.add_line(file, 0, "is empty")
        return None
    return Document(file, value, builder.lines, folder)


def _bound(text: str) -> None:
    """Refuse what the recursive composer could not survive, before it sees it."""
    depth = 0
    for events, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise TooMuchError(f"is nested deeper than {MAX_DEPTH} levels", line)
        if events > 3 * MAX_VALUES:
            raise TooMuchError(f"holds more than {MAX_VALUES} values")


class _Builder:
    """Builds values of nodes, and remembers the line of every place."""

    def __init__(self, file: str, complaints: Complaints) -> None:
        self.lines: dict[Place, int] = {}
        self._document = Document(file, None, self.lines)
        self._complaints = complaints
        self._constructor = SafeConstructor()
        self._open: set[int] = set()
        self._values = 0

    def build(self, node: Node, place: Place, line: int) -> object:
        """The value of `node`. `line` is that of its key, which leads to a mapping or a list."""
        own_line = node.start_mark.line + 1
        self.lines[place] = own_line if isinstance(node, ScalarNode) else line
        self._values += 1
        if self._values > MAX_VALUES:
            raise TooMuchError(f"holds more than {MAX_VALUES} values once its aliases are expanded", own_line)
        if len(place) > MAX_DEPTH:
            raise TooMuchError(f"is nested deeper than {MAX_DEPTH} levels", own_line)
        if id(node) in self._open:
            raise TooMuchError("an alias leads back to what contains it", line)
        if isinstance(node, ScalarNode):
            return self._scalar(node, place)
        self._open.add(id(node))
        try:
            return self._collection(node, place)
        finally:
            self._open.discard(id(node))

    def _collection(self, node: Node, place: Place) -> object:
        if isinstance(node, MappingNode):
            self._expect_tag(node, "map", place)
            return self._mapping(node, place)
        self._expect_tag(node, "seq", place)
        items: list[Node] = node.value
        return [
            self.build(item, (*place, position), item.start_mark.line + 1)
            for position, item in enumerate(items)
        ]

    def _expect_tag(self, node: Node, name: str, place: Place) -> None:
        if node.tag != f"{_TAG}{name}":
            self._complaints.add(self._document, place, "YAML tags such as '!name' are not supported")

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, object]:
        built: dict[str, object] = {}
        own: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                built.update(self._merged(value_node, place, key_node.start_mark.line + 1))
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                continue
            line = key_node.start_mark.line + 1
            key = self._key(key_node, place)
            if key is None:
                continue
            if key in own:
                what = f"the key {shown(key)} stands twice: on line {own[key]} and on line {line}"
                self._complaints.add_line(self._document.file, line, what, (*place, key))
                continue
            own[key] = line
            built[key] = self.build(value_node, (*place, key), line)
        return built

    def _merged(self, node: Node, place: Place, line: int) -> dict[str, object]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[str, object] = {}
        for source in reversed(sources):
            value = self.build(source, place, line)
            if isinstance(value, dict):
                merged.update(value)
            else:
                self._complaints.add_line(
                    self._document.file, line, "'<<' takes a mapping or a list of them", place
                )
        return merged

    def _key(self, node: Node, place: Place) -> str | None:
        line = node.start_mark.line + 1
        if isinstance(node, ScalarNode) and node.tag == f"{_TAG}str":
            return str(node.value)
        if isinstance(node, ScalarNode):
            what = f"a key must be text: write {shown(node.value)} in quotes"
        else:
            what = "a key must be text, not a list or a mapping"
        self._complaints.add_line(self._document.file, line, what, place)
        return None

    def _scalar(self, node: ScalarNode, place: Place) -> object:
        if node.tag in (_MERGE, f"{_TAG}value"):
            return str(node.value)
        if node.tag == f"{_TAG}str" and not node.style and _EXPONENT.fullmatch(node.value):
            return float(node.value)
        if node.tag not in _SCALARS:
            self._complaints.add(self._document, place, "YAML tags such as '!name' are not supported")
            return None
        try:
            value: object = self._constructor.construct_object(node)
        except (ValueError, OverflowError, KeyError, AttributeError, IndexError, yaml.YAMLError):
            kind = node.tag.removeprefix(_TAG).replace("timestamp", "date")
            self._complaints.add(self._document, place, f"{shown(node.value)} is not a valid {kind}")
            return None
        return value
