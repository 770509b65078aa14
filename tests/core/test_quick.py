"""Facts made quickly are the same frozen dataclasses."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from failover.core.quick import quick


@dataclass(frozen=True, slots=True)
class Plain:
    """A fact as dataclasses make it."""

    name: str
    count: int = 3
    words: list[str] = field(default_factory=list)


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    """The same, made quickly."""

    name: str
    count: int = 3
    words: list[str] = field(default_factory=list)


def test_it_is_made_by_place_by_name_and_by_default():
    made = [Quick("a"), Quick("a", 3), Quick(name="a", words=[])]
    assert made == [Quick("a", 3, [])] * 3
    assert repr(made[0]) == "Quick(name='a', count=3, words=[])"


def test_defaults_are_not_shared():
    assert Quick("a").words is not Quick("a").words


def test_it_is_frozen_all_the_same():
    made = Quick("a")
    with pytest.raises(FrozenInstanceError):
        made.count = 4


def test_it_can_be_replaced_and_asked_for_its_signature():
    assert replace(Quick("a"), count=5) == Quick("a", 5)
    ours, theirs = (inspect.signature(kind).parameters for kind in (Quick, Plain))
    assert list(ours) == list(theirs)
    assert ours["count"].default == 3


def test_what_is_missing_is_complained_of():
    with pytest.raises(TypeError, match="name"):
        Quick()


def test_a_class_without_fields_is_made_too():
    @quick
    @dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    assert Nothing() == Nothing()


def test_what_it_does_not_know_is_refused():
    @dataclass(frozen=True, slots=True)
    class ByName:
        count: int = field(kw_only=True)

    @dataclass(frozen=True, slots=True)
    class Computed:
        count: int = field(init=False)

    @dataclass(frozen=True, slots=True)
    class Checked:
        count: int

        def __post_init__(self) -> None:
            raise AssertionError

    for kind in (ByName, Computed, Checked):
        with pytest.raises(TypeError, match=kind.__name__):
            quick(kind)
