"""The type that `--as` names, read by Python's own parser and looked up name by name; never evaluated."""

from __future__ import annotations

import ast
import datetime as dt
import decimal
import difflib
import enum
import json
import sys
import types
import typing
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.text import quote

__all__ = ["TYPE_CURE", "adapted", "is_frame_type", "read_type", "type_name"]

_BUILTINS = (list, dict, tuple, set, frozenset, str, int, float, bool)
_TYPING = (
    "Any",
    "Literal",
    "Optional",
    "Union",
    "Annotated",
    "List",
    "Dict",
    "Tuple",
    "Set",
    "Sequence",
    "Mapping",
    "Collection",
    "Iterable",
    "Iterator",
)
_KNOWN: Mapping[str, Any] = {
    **{kind.__name__: kind for kind in _BUILTINS},
    **{name: getattr(typing, name) for name in _TYPING},
    "date": dt.date,
    "datetime": dt.datetime,
    "time": dt.time,
    "timedelta": dt.timedelta,
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
}
_MODULES: Mapping[str, Any] = {
    "typing": typing,
    "datetime": dt,
    "decimal": decimal,
    "enum": enum,
    "uuid": uuid,
}
_FRAME_NAMES = {"df", "DataFrame", "pd.DataFrame", "pandas.DataFrame"}
TYPE_CURE = (
    "Give a pydantic model, a data class, a TypedDict, list[...] of one, a JSON schema (a dict), or df."
)
_LONGEST = 20_000
_LAZY = (Iterable, Iterator, Collection)
_UNION = (typing.Union, types.UnionType)


def read_type(text: str, names: Mapping[str, Any]) -> Any:
    """Return the type, the JSON schema (a dict) or "df" that a text names.

    Args:
        text: Such as `City`, `list[City]`, `Literal["a", "b"] | None`, `{"type": "object", ...}` or `df`.
        names: The user's variables; well-known types need not be imported.

    Raises:
        OptionError: a name is unknown, or it is no type.

    >>> read_type("list[int]", {})
    list[int]
    """
    text = text.strip()
    if text in _FRAME_NAMES:
        return "df"
    if len(text) > _LONGEST:
        raise _no_type(text)
    try:
        if text.startswith("{"):
            return _inline_schema(text)
        kind = _Reader(names).read(ast.parse(text, mode="eval").body)
    except OptionError:
        raise
    except Exception as error:
        # A subscript may run code of the user's classes, which may raise anything.
        raise _no_type(text) from error
    if isinstance(kind, types.ModuleType) or kind is None or kind is ...:
        raise _no_type(text)
    return "df" if is_frame_type(kind) else kind


def _no_type(text: str) -> OptionError:
    return OptionError(f"--as {quote(text, 60)} is no type of answer.", cure=TYPE_CURE)


def is_frame_type(kind: Any) -> bool:
    """Tell whether a type is a data frame's class."""
    return (
        isinstance(kind, type) and kind.__name__ == "DataFrame" and str(kind.__module__).startswith("pandas")
    )


def _inline_schema(text: str) -> Any:
    """Read a schema as JSON writes it (`false`), or as Python does (`False`)."""
    try:
        schema = json.loads(text)
    except ValueError:
        schema = ast.literal_eval(text)
    if not isinstance(schema, dict):
        raise TypeError("a set")
    return schema


class _Reader:
    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names

    def read(self, node: ast.expr) -> Any:
        """Return the type that a part of the expression stands for."""
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Subscript):
            return self._subscripted(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return typing.Union[self.read(node.left), self.read(node.right)]  # noqa: UP007 - works for any two
        if isinstance(node, ast.Constant):
            return self._constant(node)
        raise _no_type(ast.unparse(node))

    def _constant(self, node: ast.Constant) -> Any:
        if node.value is None or node.value is ...:
            return node.value
        if isinstance(node.value, str):
            return self.read(ast.parse(node.value.strip(), mode="eval").body)
        raise _no_type(ast.unparse(node))

    def _named(self, name: str) -> Any:
        mine = self._names.get(name)
        if _is_type(mine):
            return mine
        if name in _KNOWN:
            return _KNOWN[name]
        if name in self._names:
            raise OptionError(f"--as names {quote(name, 40)!r}, which holds no type.", cure=TYPE_CURE)
        seen = [each for each in self._names if isinstance(each, str) and not each.startswith("_")]
        near = difflib.get_close_matches(name, [*seen, *_KNOWN], n=1)
        hint = f"Did you mean {quote(near[0], 40)}?" if near else "Run the cell that defines it first."
        raise OptionError(f"--as names {quote(name, 40)!r}, which is not defined.", cure=hint)

    def _attribute(self, node: ast.Attribute) -> Any:
        owner = self._owner(node.value)
        found = None
        if isinstance(owner, (types.ModuleType, type)) and not node.attr.startswith("_"):
            found = getattr(owner, node.attr, None)
        if not _is_type(found):
            raise OptionError(f"--as {quote(ast.unparse(node), 60)} is no type of answer.", cure=TYPE_CURE)
        return found

    def _owner(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and node.id in _MODULES and not _is_type(self._names.get(node.id)):
            return _MODULES[node.id]
        return self.read(node)

    def _subscripted(self, node: ast.Subscript) -> Any:
        kind = self.read(node.value)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if isinstance(kind, Mapping):
            found = kind[ast.literal_eval(node.slice)]
            if not _is_type(found):
                raise _no_type(ast.unparse(node))
            return found
        if _is_special(kind, "Literal"):
            return kind[tuple(self._literal(part) for part in parts)]
        if _is_special(kind, "Annotated"):
            noted = (self.read(parts[0]), *(self._note(part) for part in parts[1:]))
            return kind[noted]
        inside = tuple(self.read(part) for part in parts)
        return kind[inside if isinstance(node.slice, ast.Tuple) else inside[0]]

    def _literal(self, node: ast.expr) -> Any:
        """Return one value of a Literal: a constant or a member of an enum."""
        if isinstance(node, ast.Attribute):
            owner = self._owner(node.value)
            if isinstance(owner, type) and issubclass(owner, enum.Enum):
                return owner[node.attr]
        return ast.literal_eval(node)

    def _note(self, node: ast.expr) -> Any:
        """Return a note of an Annotated, which may be any object that has a name."""
        if isinstance(node, ast.Name) and node.id in self._names:
            return self._names[node.id]
        return ast.literal_eval(node)


def _is_special(kind: Any, name: str) -> bool:
    return kind is not None and kind is getattr(typing, name)


def _is_type(value: Any) -> bool:
    """Tell whether a value can stand in a type: no function, because pydantic would call it."""
    if isinstance(value, (type, types.ModuleType, types.GenericAlias, types.UnionType, dict)):
        return True
    return type(value).__module__ in {"typing", "typing_extensions"}


def type_name(kind: Any) -> str:
    """Return the name of a type for people, without modules.

    >>> type_name(dict[str, float | None])
    'dict[str, float | None]'
    """
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is None or kind is type(None):
        return "None"
    if origin in _UNION:
        return " | ".join(map(type_name, args))
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if origin is typing.Annotated:
        return type_name(args[0])
    if origin is not None and args:
        return f"{type_name(origin)}[{', '.join('...' if arg is ... else type_name(arg) for arg in args)}]"
    return str(getattr(kind, "__name__", kind))


def adapted(kind: Any) -> Any:
    """Return a type that pydantic takes and checks.

    Before Python 3.12 it refuses the TypedDict of `typing`; of an Iterable or Iterator it checks nothing until
    somebody iterates (pydantic 2), so here both are lists.

    >>> adapted(list[int])
    list[int]
    >>> adapted(typing.Iterable[int])
    list[int]
    """
    try:
        return _adapted(kind)
    except RecursionError:
        # One that holds itself cannot be rebuilt; pydantic says which one it takes.
        return kind


def _adapted(kind: Any) -> Any:
    if isinstance(kind, type) and typing.is_typeddict(kind) and sys.version_info < (3, 12):
        return _rebuilt(kind) if type(kind).__module__ == "typing" else kind
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if (origin or kind) in _LAZY:
        return list[_adapted(args[0])] if args else list  # type: ignore[misc] # a type made at run time
    if not args or origin is typing.Literal:
        return kind
    inner = tuple(map(_adapted, args))
    if inner == args:
        return kind
    if origin in _UNION:
        return typing.Union[inner]  # noqa: UP007 - as many as there are
    return typing.Annotated[inner] if origin is typing.Annotated else origin[inner]


def _rebuilt(kind: Any) -> Any:
    import typing_extensions as more

    required = kind.__required_keys__
    fields: dict[str, Any] = {}
    typed_dict: Any = more.TypedDict
    marks: tuple[Any, ...] = (more.Required, more.NotRequired)
    for name, hint in more.get_type_hints(kind, include_extras=True).items():
        origin: Any = more.get_origin(hint)
        marked = origin in marks
        needed = origin is marks[0] if marked else name in required
        inner = _adapted(more.get_args(hint)[0] if marked else hint)
        fields[name] = inner if needed else more.NotRequired[inner]
    rebuilt = typed_dict(kind.__name__, fields)
    rebuilt.__doc__ = kind.__doc__
    return rebuilt
