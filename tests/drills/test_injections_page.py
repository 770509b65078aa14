"""The page of the catalogue tells of every kind, field and shape in the registry, by examples that load."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest
import yaml
from pydantic import TypeAdapter

from failover.chaos.injections import AnyInjection, Injection
from failover.core.vocabulary import FaultDomain
from tests.drills.meetings import ROOT

PAGE = (ROOT / "docs" / "injections.md").read_text("utf-8")
CLASSES: dict[str, type[Injection]] = {
    get_args(each.model_fields["kind"].annotation)[0]: each for each in get_args(get_args(AnyInjection)[0])
}
SHARED = {*Injection.model_fields}
TOLD_OF_ALL = {"outage"}
"""Kinds to whose shapes other sections refer."""


def section(kind: str) -> str:
    (found,) = re.findall(rf"^### `{kind}`\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    return found


def words(value: Any) -> list[str]:
    """Every word that a field takes, where it takes only some."""
    return [word for word in get_args(value) if isinstance(word, str)]


def test_the_page_holds_every_kind_once_and_no_other() -> None:
    assert sorted(re.findall(r"^### `(\w+)`", PAGE, re.MULTILINE)) == sorted(CLASSES)


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_every_field_of_a_kind_is_described_with_its_words_and_its_default(kind) -> None:
    told = section(kind)
    for name, field in CLASSES[kind].model_fields.items():
        if name in SHARED:
            continue
        written = field.alias or name
        assert f"`{written}`" in told
        refers = any(f"`{other}`" in told for other in TOLD_OF_ALL)
        for word in [] if refers else words(field.annotation):
            assert f"`{word}`" in told
        if isinstance(field.default, bool):
            assert f"default `{field.default}`".lower() in told, name
        elif isinstance(field.default, int | float) and name != "retry_after_s":
            assert re.search(rf"default {field.default:g}\b", told), name


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_every_kind_says_what_it_imitates(kind) -> None:
    assert re.search(r"^Imitates: .+", section(kind), re.MULTILINE)


@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_the_examples_of_a_kind_load(kind) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", section(kind), re.MULTILINE | re.DOTALL)
    examples = [each for block in blocks for each in yaml.safe_load(block)]
    assert examples
    for example in examples:
        loaded: Injection = TypeAdapter(AnyInjection).validate_python(example)
        assert loaded.kind == kind


@pytest.mark.parametrize("name", sorted(SHARED | set(FaultDomain)))
def test_what_all_kinds_share_is_described_once(name) -> None:
    (shared,) = re.findall(r"^## What all kinds share\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    assert re.search(rf"^\| `{name}` \|", shared, re.MULTILINE)
