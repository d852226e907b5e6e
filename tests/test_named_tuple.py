"""Named tuples that are made fast are those of `typing` in everything but their annotations."""

from __future__ import annotations

import pickle
import typing

import pytest

from vertex_claude_magic import named_tuple


class Ours(named_tuple.NamedTuple):
    """A place."""

    name: str
    size: int | None = None
    tags: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What is shown."""
        return f"{self.name} ({self.size})"

    @classmethod
    def of(cls, text: str) -> Ours:
        return cls(text)


class Theirs(typing.NamedTuple):
    """A place."""

    name: str
    size: int | None = None
    tags: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What is shown."""
        return f"{self.name} ({self.size})"

    @classmethod
    def of(cls, text: str) -> Theirs:
        return cls(text)


SAME = {
    "fields": lambda kind: kind._fields,
    "defaults": lambda kind: kind._field_defaults,
    "document": lambda kind: kind.__doc__,
    "module": lambda kind: kind.__module__,
    "bases": lambda kind: kind.__bases__,
    "hints": typing.get_type_hints,
    # copyreg notes the slots of a class when one of it is pickled for the first time.
    "members": lambda kind: {*dir(kind)} - {"__orig_bases__", "__slotnames__"},
    "value": lambda kind: kind("a", tags=("b",)),
    "a property": lambda kind: kind.of("a").label,
    "another value": lambda kind: kind("a")._replace(size=3),
    "as a dict": lambda kind: kind("a", 2)._asdict(),
    "unpacked": lambda kind: [*kind("a", 2)],
    "hash": lambda kind: hash(kind("a", 2)),
    "after pickle": lambda kind: pickle.loads(pickle.dumps(kind("a", 2))),
}


@pytest.mark.parametrize("seen", SAME.values(), ids=SAME.keys())
def test_it_is_what_typing_makes(seen):
    assert seen(Ours) == seen(Theirs)


def test_its_values_show_their_name_and_are_frozen():
    value = Ours("a")
    assert repr(value) == "Ours(name='a', size=None, tags=())"
    assert Ours.__qualname__ == "Ours"
    assert type(pickle.loads(pickle.dumps(value))) is Ours
    with pytest.raises(AttributeError):
        value.name = "b"
    with pytest.raises(TypeError, match="name"):
        Ours()
