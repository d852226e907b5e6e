"""`NamedTuple` as in `typing`, made in a third of the time.

`typing` compiles the annotation of every field when a class is made (Python 3.10 to 3.13), and nobody here asks for
the result. A first question makes some fifty such classes, which took an eighth of the time of its imports. `typing` is
still right for a class with another base beside it, such as `Generic`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from collections import namedtuple

    # What `collections.namedtuple` sets itself.
    _SET = frozenset({"__module__", "__qualname__", "__annotations__"})

    class _Maker(type):
        """Makes the class that the body of a class describes."""

        def __new__(cls, name: str, _bases: tuple[type, ...], body: dict[str, Any]) -> type:
            # Texts, because every module of the package imports `annotations` from `__future__`.
            fields = body["__annotations__"]
            defaults = [body[field] for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])  # noqa: PYI024 - see above
            made.__qualname__, made.__annotations__ = body["__qualname__"], fields
            for key, value in body.items():
                if key not in fields and key not in _SET:
                    setattr(made, key, value)
            return made

    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {})
