"""The type that `--as` names, read by Python's own parser and looked up name by name."""

from __future__ import annotations

import ast
import builtins
import datetime as dt
import decimal
import enum
import json
import re
import sys
import types
import typing
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.prompts.scope import own_names
from vertex_claude_magic.spelling import option, spelled
from vertex_claude_magic.text import nearest, quote

if TYPE_CHECKING:
    from typing_extensions import TypeForm

__all__ = [
    "TYPE_CURE",
    "AnswerType",
    "Data",
    "adapted",
    "is_frame_type",
    "read_type",
    "type_name",
    "written_type",
]

# What `as_` takes: a type of any form (PEP 747), a JSON schema, or "df".
AnswerType: TypeAlias = "TypeForm[Any] | Mapping[str, Any] | typing.Literal['df']"
Data = TypeVar("Data")
_FRAME: typing.Literal["df"] = "df"

_BUILTINS = (list, dict, tuple, set, frozenset, str, int, float, bool)
_KNOWN: Mapping[str, Any] = {
    **{kind.__name__: kind for kind in _BUILTINS},
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
    "Use a pydantic model, a data class, a TypedDict, an Enum, Literal[...], str, int and the like, list[...] of one, "
    "a JSON schema (a dict), or df."
)
_LONGEST = 20_000
_LAZY = (Iterable, Iterator, Collection)
_UNION = (typing.Union, types.UnionType)


def read_type(text: str, names: Mapping[str, Any]) -> AnswerType:
    """Return the type, the JSON schema (a dict) or "df" that a text names.

    Args:
        text: Such as `City`, `list[City]`, `Literal["a", "b"] | None`, `{"type": "object", ...}` or `df`.
        names: The user's variables; well-known types need not be imported.

    Raises:
        OptionError: a name is unknown, or it is not a type.

    >>> read_type("list[int]", {})
    list[int]
    """
    text = text.strip()
    if text in _FRAME_NAMES:
        return _FRAME
    if len(text) > _LONGEST:
        raise _no_type(text)
    try:
        if text.startswith("{"):
            try:
                schema = json.loads(text)
            except ValueError:
                # As Python writes it: `False` in place of `false`.
                schema = ast.literal_eval(text)
            if isinstance(schema, dict):
                return schema
        kind = _read(ast.parse(text, mode="eval").body, names)
    except OptionError:
        raise
    except SyntaxError as error:
        # Python's own words name the bracket: "'[' was never closed".
        if not re.match(r"(closing parenthesis|unmatched)? ?'[\[\](){}]'", error.msg):
            raise _no_type(text) from error
        raise OptionError(
            spelled("In {} {}: {}.", option("as_"), quote(text, 60), quote(error.msg, 80)),
            cure="Each bracket needs its closing one.",
        ) from error
    except Exception as error:
        # A subscript may run code of the user's classes, which may raise anything.
        raise _no_type(text) from error
    if isinstance(kind, types.ModuleType) or kind is None or kind is ...:
        raise _no_type(text)
    return _FRAME if is_frame_type(kind) else kind


def _no_type(text: str) -> OptionError:
    return OptionError(
        spelled("{} {} cannot be used as an answer type.", option("as_"), quote(text, 60)), cure=TYPE_CURE
    )


def is_frame_type(kind: AnswerType) -> bool:
    """Tell whether a type is a data frame's class."""
    return (
        isinstance(kind, type) and kind.__name__ == "DataFrame" and str(kind.__module__).startswith("pandas")
    )


def _read(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Return the type that a part of the expression names.

    It is looked up and not evaluated, although the line is the user's own: so a call or the attribute of an object
    is refused before code of it runs, and a line that comes with a file from elsewhere is as harmless.
    """
    match node:
        case ast.Name(name):
            return _named(name, names)
        case ast.Attribute(ast.Name(name), _) if name in _MODULES and not _is_type(names.get(name)):
            return _member(_MODULES[name], node)
        case ast.Attribute(owner, _):
            return _member(_read(owner, names), node)
        case ast.BinOp(left, ast.BitOr(), right):
            return typing.Union[_read(left, names), _read(right, names)]  # noqa: UP007 - works for any two
        case ast.Constant(None | types.EllipsisType()):
            return node.value
        case ast.Constant(str(text)):
            return _read(ast.parse(text.strip(), mode="eval").body, names)
        case ast.Subscript(of, inside):
            kind = _read(of, names)
            parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
            if isinstance(kind, Mapping):
                if _is_type(found := kind[ast.literal_eval(inside)]):
                    return found
            elif kind is typing.Literal:
                return kind[tuple(_literal(part, names) for part in parts)]
            elif kind is typing.Annotated:
                # A note may be any object that has a name.
                noted = [_read(parts[0], names)]
                for each in parts[1:]:
                    variable = each.id if isinstance(each, ast.Name) else ""
                    noted.append(names[variable] if variable in names else ast.literal_eval(each))
                return kind[tuple(noted)]
            else:
                inner = tuple(_read(part, names) for part in parts)
                return kind[inner if isinstance(inside, ast.Tuple) else inner[0]]
    raise _no_type(ast.unparse(node))


def _named(name: str, names: Mapping[str, Any]) -> Any:
    if _is_type(mine := names.get(name)):
        return mine
    known = getattr(typing, name) if name in typing.__all__ else _KNOWN.get(name)
    if _is_type(known):
        return known
    if name in names:
        raise OptionError(
            spelled("{} refers to {}, which is not a type.", option("as_"), repr(quote(name, 40))),
            cure=TYPE_CURE,
        )
    if hasattr(builtins, name):
        raise _no_type(name)
    # Closer than elsewhere: mostly a cell did not run, and many a type is a little like one of Python's.
    near = nearest(name, [*own_names(names), *_KNOWN, *typing.__all__], cutoff=0.75)
    hint = f"Did you mean {quote(near, 40)}?" if near else "Run the cell that defines it first."
    raise OptionError(
        spelled("{} refers to {}, which is not defined.", option("as_"), repr(quote(name, 40))),
        cure=hint,
        details={"name": name},
    )


def _member(owner: Any, node: ast.Attribute) -> Any:
    if isinstance(owner, (types.ModuleType, type)) and not node.attr.startswith("_"):
        found = getattr(owner, node.attr, None)
        if _is_type(found):
            return found
    raise _no_type(ast.unparse(node))


def _literal(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Return one value of a Literal: a constant or a member of an enum."""
    if isinstance(node, ast.Attribute):
        owner = _read(node.value, names)
        if isinstance(owner, type) and issubclass(owner, enum.Enum):
            return owner[node.attr]
    return ast.literal_eval(node)


def _is_type(value: Any) -> bool:
    """Tell whether a value can be part of a type: no function, because pydantic would call it."""
    if isinstance(value, (type, types.ModuleType, types.GenericAlias, types.UnionType, dict)):
        return True
    return type(value).__module__ in {"typing", "typing_extensions"}


def type_name(kind: TypeForm[Any]) -> str:
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


def written_type(kind: AnswerType, given: AnswerType) -> str:
    """Return a text by which `read_type` finds a type again where its names are known; empty for a JSON schema.

    Args:
        kind: The type.
        given: What the user gave for it: itself, or a text.

    >>> written_type(list[int], list[int]), written_type(int, "Number"), written_type({"type": "string"}, "SCHEMA")
    ('list[int]', 'Number', '')
    """
    if isinstance(kind, Mapping):
        return ""
    if isinstance(given, str) or isinstance(kind, str):
        return str(given)
    # The notes of a type are not in its name.
    return repr(kind) if "Annotated[" in repr(kind) else type_name(kind)


def adapted(kind: TypeForm[Data]) -> TypeForm[Data]:
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


def _adapted(kind: TypeForm[Data]) -> TypeForm[Data]:
    if isinstance(kind, type) and typing.is_typeddict(kind) and sys.version_info < (3, 12):
        return _rebuilt(kind) if type(kind).__module__ == "typing" else kind
    origin: Any = typing.get_origin(kind)
    args = typing.get_args(kind)
    inner = args if origin is typing.Literal else tuple(map(_adapted, args))
    # A type that is made at run time is none that a checker knows.
    made: Any = kind
    if (origin or kind) in _LAZY:
        made = list[inner] if args else list  # type: ignore[valid-type]
    elif inner != args:
        made = (typing.Union if origin in _UNION else origin)[inner]
    return cast("TypeForm[Data]", made)


def _rebuilt(kind: type[Data]) -> type[Data]:
    import typing_extensions as more

    required: frozenset[str] = vars(kind)["__required_keys__"]
    fields: dict[str, Any] = {}
    typed_dict: Any = more.TypedDict
    marks: tuple[Any, ...] = (more.Required, more.NotRequired)
    for name, hint in more.get_type_hints(kind, include_extras=True).items():
        origin: Any = more.get_origin(hint)
        marked = origin in marks
        needed = origin is marks[0] if marked else name in required
        inner = _adapted(more.get_args(hint)[0] if marked else hint)
        fields[name] = inner if needed else more.NotRequired[inner]
    rebuilt: type[Data] = typed_dict(kind.__name__, fields)
    rebuilt.__doc__ = kind.__doc__
    return rebuilt
