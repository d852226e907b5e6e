"""Which columns a run adds, of which kind, and what of a reply goes into them."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from vertex_claude_magic.errors import AnswerInvalid, OptionError
from vertex_claude_magic.spelling import in_python, option, spelled
from vertex_claude_magic.tables.values import column_named, json_value
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from vertex_claude_magic.answers.shape import Shape
    from vertex_claude_magic.errors import ClaudeError
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.vertex.reply import Reply

__all__ = [
    "UNANSWERED",
    "Added",
    "Kind",
    "added_columns",
    "check_names",
    "error_text",
    "report_names",
    "report_of",
    "values_of",
]

# A scalar is a number, a boolean or a text, by the row.
Kind = Literal["integer", "number", "boolean", "string", "scalar", "texts", "json"]
_SCALARS: Mapping[str, Kind] = {
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "string": "string",
}
_LARGEST = 2**63
# Levels in a value, about as many as pydantic reads.
_DEEPEST = 200
# Characters of an answer that does not match.
_QUOTED = 200
# The columns that every run adds behind the answer, the last ones of all.
_REPORT: tuple[tuple[str, Kind], ...] = (
    ("error", "string"),
    ("stop_reason", "string"),
    ("input_tokens", "integer"),
    ("output_tokens", "integer"),
    ("cost", "number"),
)
# What `error` says of a reply that does not answer its row, by its stop reason; it begins with the kind of the error.
UNANSWERED: Mapping[str, str] = {
    "refusal": "AnswerRefused: Claude declined.",
    "max_tokens": "AnswerTruncated: The answer was cut off at max_tokens.",
    "model_context_window_exceeded": "AnswerTruncated: The answer was cut off at the context window.",
}


@dataclass(frozen=True, slots=True)
class Added:
    """A column that a run adds.

    Args:
        name: Its name in the result, with the prefix.
        kind: What its values are; all may be missing.
        field: The field of the data, or of the report, that it holds.
    """

    name: str
    kind: Kind
    field: str


def added_columns(shape: Shape[Any] | None, prefix: str = "") -> tuple[Added, ...]:
    """Return the columns that a run adds: the fields of the data (or `answer`), then the report on each row.

    Args:
        shape: What the answers are, None for text.
        prefix: What goes before every name.

    Raises:
        OptionError: an answer is a whole data frame, or has fields of its own beside those of the type.

    >>> from vertex_claude_magic.answers.shape import shape_of
    >>> [column.name for column in added_columns(shape_of(int))]
    ['answer', 'error', 'stop_reason', 'input_tokens', 'output_tokens', 'cost']
    """
    if shape is not None and shape.name == "data frame":
        raise OptionError(
            "An answer to a row cannot be a data frame.", cure="Give a type whose fields become the columns."
        )
    answer: list[tuple[str, Kind]] = [("answer", "string")]
    if shape is not None:
        fields = shape.schema.get("properties")
        fields = fields if isinstance(fields, Mapping) else {}
        if shape.key:
            answer = [("answer", _kind_of(fields.get(shape.key), shape.schema))]
        elif fields:
            if shape.schema.get("additionalProperties", False) is not False:
                raise OptionError(
                    f"{shape.name} allows fields that it does not name, which have no column.",
                    cure="Name them in the type, give it a field that is a dict for them, or do not allow them.",
                )
            answer = [(str(name), _kind_of(part, shape.schema)) for name, part in fields.items()]
        else:
            answer = [("answer", "json")]
    return tuple(Added(f"{prefix}{name}", kind, name) for name, kind in (*answer, *_REPORT))


def _kind_of(schema: Json, root: Mapping[str, Any], depth: int = 0) -> Kind:
    """Return the kind of a column by the JSON schema of its values."""
    if not isinstance(schema, Mapping) or depth > 8:
        return "json"
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        found: Any = root
        for name in reference[2:].split("/"):
            found = found.get(name) if isinstance(found, Mapping) else None
        return _kind_of(found, root, depth + 1)
    choices = [part for word in ("anyOf", "oneOf") for part in _listed(schema.get(word))]
    if choices:
        kinds = {_kind_of(part, root, depth + 1) for part in choices if part != {"type": "null"}}
        return _joined(kinds)
    if "enum" in schema or "const" in schema:
        values = _listed(schema.get("enum")) or [schema.get("const")]
        return _joined({_kind_of_value(value) for value in values if value is not None})
    names = {str(name) for name in _listed(schema.get("type")) or [schema.get("type")]} - {"null"}
    if names == {"array"}:
        return "texts" if _kind_of(schema.get("items"), root, depth + 1) == "string" else "json"
    return _joined({_SCALARS.get(name, "json") for name in names})


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _kind_of_value(value: Json) -> Kind:
    if isinstance(value, bool):
        return "boolean"
    return {int: "integer", float: "number", str: "string"}.get(type(value), "json")  # type: ignore[return-value]


def _joined(kinds: set[Kind]) -> Kind:
    if len(kinds) == 1:
        return kinds.pop()
    if kinds and kinds <= {"integer", "number"}:
        return "number"
    return "scalar" if kinds and kinds <= {*_SCALARS.values(), "scalar"} else "json"


def check_names(added: Sequence[Added], names: Sequence[str], *, cure: str = "") -> None:
    """Refuse a column to be added whose name the table has, or that is added twice.

    Args:
        added: The columns to be added.
        names: Those of the table.
        cure: What to do where the table has one; a prefix if not given.

    Raises:
        OptionError: it names the columns.
    """
    every = [column.name for column in added]
    taken = [name for name in dict.fromkeys(every) if name in names]
    twice = [name for name in dict.fromkeys(every) if every.count(name) > 1]
    if taken:
        listed = ", ".join(quote(name, 40) for name in taken[:5])
        raise OptionError(
            f"The table already has the column{'s' if len(taken) > 1 else ''} {listed}.",
            cure=cure
            or spelled("Use {}, a prefix for the names of all added columns.", option("prefix", "TEXT")),
        )
    if twice:
        raise OptionError(
            f"The answer's field {quote(twice[0], 40)!r} has the name of a column that every run adds.",
            cure="Rename the field of the type.",
        )


def values_of(added: Sequence[Added], reply: Reply, shape: Shape[Any] | None) -> dict[str, Any]:
    """Return what of a good answer goes into the columns, by name; a missing value is None.

    Raises:
        OptionError: a whole number has more than 64 bits, a value has no form in a table, or a field that every answer
            has is not in the data.
    """
    data = {"answer": reply.text}
    if shape is not None:
        # Without fields that are known before, such as those of any dict, the column `answer` has all of it.
        properties = shape.schema.get("properties") or {}
        apart = not shape.key and properties and _has_fields(reply.data)
        data = _fields(reply.data, properties) if apart else {"answer": reply.data}
        if apart and (lost := [name for name in shape.schema.get("required", ()) if name not in data]):
            raise OptionError(
                f"The field {quote(lost[0], 60)!r} of the answer has another name in the data of {shape.name}.",
                cure="Give it one name in the type, or use a pydantic model.",
            )
    found = {column.name: _fit(data.get(column.field), column) for column in added[: -len(_REPORT)]}
    return {**found, **report_of(added, reply)}


def error_text(error: ClaudeError) -> str:
    """Return what the column `error` says of a row that failed; it begins with the kind of the error.

    >>> error_text(OptionError("The prompt is empty.", cure="Write one."))
    'OptionError: The prompt is empty.'
    """
    # A table is read by code.
    text = f"{type(error).__name__}: {in_python(error.message)}"
    if isinstance(error, AnswerInvalid) and error.reply is not None:
        text = f"{text} The answer was: {quote(error.reply.text, _QUOTED)}"
    return text


def report_names(added: Sequence[Added]) -> list[str]:
    """Return the names of the columns that report on each row: error, stop reason, input and output tokens, cost.

    >>> report_names(added_columns(None, "x_"))
    ['x_error', 'x_stop_reason', 'x_input_tokens', 'x_output_tokens', 'x_cost']
    """
    return [column.name for column in added[-len(_REPORT) :]]


def report_of(added: Sequence[Added], reply: Reply) -> dict[str, Any]:
    """Return the report on a row that was answered, by the names of its columns; it has no error."""
    # One text for all rows, where each of a million answers has brought its own.
    stop_reason = None if reply.stop_reason is None else sys.intern(reply.stop_reason)
    usage = reply.usage
    values = (None, stop_reason, usage.total_input_tokens, usage.output_tokens, reply.cost)
    return dict(zip(report_names(added), values, strict=True))


def _has_fields(data: Any) -> bool:
    return isinstance(data, Mapping) or dataclasses.is_dataclass(data) or hasattr(type(data), "model_fields")


def _is_root(value: Any) -> bool:
    """Tell whether a value is a `RootModel` of pydantic, which is in JSON what it holds."""
    return getattr(type(value), "__pydantic_root_model__", False) is True


def _fields(data: Any, properties: Collection[str] = ()) -> dict[str, Any]:
    """Return the fields of an answer by the names that they have in its JSON.

    Args:
        data: A value that has fields.
        properties: The names in the schema, as far as they are known.
    """
    if isinstance(data, Mapping):
        return dict(data)
    if _is_root(data):
        return _fields(data.root, properties)
    # Of a model or a dataclass of pydantic.
    fields = getattr(type(data), "__pydantic_fields__", None) or getattr(type(data), "model_fields", None)
    if fields is None:
        return {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    found = {}
    for name, field in fields.items():
        # As pydantic names it in the schema: a path into the answer has no name there, of several the first one counts.
        given = field.validation_alias
        aliases = [*getattr(given, "choices", [given]), field.alias]
        names = [*(each for each in aliases if isinstance(each, str)), name]
        found[next((each for each in names if each in properties), names[0])] = getattr(data, name)
    return {**found, **(getattr(data, "model_extra", None) or {})}


def _fit(value: Any, column: Added) -> Any:
    """Return a value as the kind of its column has it."""
    where = column_named(column.name)
    plain = _plain(value, where)
    if plain is None:
        return None
    match column.kind:
        case "integer" if isinstance(plain, (int, float)) and not isinstance(plain, bool):
            if not -_LARGEST <= plain < _LARGEST:
                raise OptionError(
                    f"A whole number of {where} has more than 64 bits.", cure="Ask for it as text."
                )
            return int(plain)
        case "number" if plain in ("inf", "-inf") or (
            isinstance(plain, (int, float)) and not isinstance(plain, bool)
        ):
            # JSON may have a whole number that is larger than any float.
            with suppress(OverflowError):
                return float(plain)
        case "boolean" if isinstance(plain, bool):
            return plain
        case "string":
            return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
        case "texts" if isinstance(plain, list):
            return [
                each if each is None or isinstance(each, str) else json.dumps(each, ensure_ascii=False)
                for each in plain
            ]
        case "scalar" | "json":
            return plain
    raise OptionError(f"A value in {where} is not of type {column.kind}.", cure="Use a less strict type.")


def _plain(value: Any, where: str, depth: int = 0) -> Json:
    if depth > _DEEPEST:
        raise OptionError(f"A value in {where} is nested too deeply.", cure="Ask for a flatter value.")
    if isinstance(value, Enum):
        return _plain(value.value, where, depth + 1)
    if _is_root(value):
        return _plain(value.root, where, depth + 1)
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if isinstance(value, bytes):
        # As the answer had them.
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise OptionError(
                f"A value in {where} is bytes that are no text.",
                cure="Use str in place of bytes in the type.",
            ) from None
    if isinstance(value, (list, tuple)):
        return [_plain(part, where, depth + 1) for part in value]
    if _has_fields(value):
        return {str(name): _plain(part, where, depth + 1) for name, part in _fields(value).items()}
    return json_value(value, where)
