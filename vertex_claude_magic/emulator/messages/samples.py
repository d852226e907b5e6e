"""A JSON value that a schema accepts, made from the schema alone.

Used for the input of tool calls and for structured outputs. It knows the parts of JSON Schema that
such schemas use; of what it does not know it makes the simplest value of the type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json

__all__ = ["INVALID_SCHEMA", "is_schema", "sample"]

INVALID_SCHEMA = "JSON schema is invalid. It must match JSON Schema draft 2020-12."

# Schemas may refer to themselves.
_DEEPEST = 12
# Elements of an array and characters of a string, however many a schema asks for.
_LONGEST = 10_000
# Limits that structured outputs do not take are at the end of the description, as the official SDK writes them
# (anthropic 2.12.0, transform_schema): `{maximum: 9, minimum: 1}`.
_DESCRIBED = re.compile(r"\{[^{}]*\}\s*\Z")
_LIMIT = re.compile(
    r"\b(minimum|maximum|exclusiveMinimum|exclusiveMaximum|multipleOf|minItems|minLength|maxLength): (-?\d+(?:\.\d+)?)"
)
_FORMATS = {
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "date-time": "2026-01-31T12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample(schema: Json) -> Json:
    """Make a value of a JSON schema.

    >>> sample({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}})
    {'city': 'example', 'days': 1}
    >>> sample({"enum": ["red", "green"]})
    'red'
    >>> sample({"type": "integer", "description": "The year. {minimum: 1900}"})
    1900
    """
    return _sample(schema, schema if isinstance(schema, Mapping) else {}, 0)


def is_schema(schema: Json) -> bool:
    """Whether a value can be made of what should be a schema.

    >>> is_schema({"type": "string"}), is_schema({"type": {"a": 1}})
    (True, False)
    """
    try:
        sample(schema)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return False
    return True


def _sample(schema: Json, root: Mapping[str, Any], depth: int) -> Json:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    known: Mapping[str, Any] = {**_described(schema), **schema}
    if "$ref" in known:
        place: Json = root
        for name in str(known["$ref"]).removeprefix("#").strip("/").split("/"):
            place = place.get(name) if isinstance(place, Mapping) and name else place
        return _sample(place, root, depth + 1)
    named = [known[key] for key in ("const", "default") if key in known]
    if values := named or known.get("enum"):
        first: Json = values[0]
        return first
    if parts := known.get("allOf"):
        rest = {key: part for key, part in known.items() if key != "allOf"}
        return _sample(
            {key: value for part in (rest, *parts) for key, value in part.items()}, root, depth + 1
        )
    for key in ("anyOf", "oneOf"):
        if known.get(key):
            return _sample(known[key][0], root, depth + 1)
    kind = known.get("type") or ("object" if "properties" in known else "string")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind == "object":
        properties, others = known.get("properties") or {}, known.get("additionalProperties")
        if not properties and isinstance(others, Mapping):
            properties = {"example": others}
        return {name: _sample(part, root, depth + 1) for name, part in properties.items()}
    if kind == "array":
        return _array(known, root, depth)
    if kind == "string":
        text = _FORMATS.get(str(known.get("format")), "example")
        least = min(int(known.get("minLength") or 0), _LONGEST)
        return text.ljust(least, "x")[: known.get("maxLength")]
    if kind in {"integer", "number"}:
        return _number(known, whole=kind == "integer")
    return True if kind == "boolean" else None


def _array(known: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> list[Json]:
    if first := known.get("prefixItems"):
        return [_sample(part, root, depth + 1) for part in first]
    least = min(int(known.get("minItems") or 0), _LONGEST)
    # Half way to the limit an array may end a schema that refers to itself.
    ends = depth >= _DEEPEST // 2 and not least
    items = known.get("items") or {"type": "string"}
    return [] if ends else [_sample(items, root, depth + 1)] * max(1, least)


def _number(known: Mapping[str, Any], *, whole: bool) -> int | float:
    """Return a number within the limits of a schema: 1, or else the one that is nearest to the least."""
    above, below = known.get("exclusiveMinimum"), known.get("exclusiveMaximum")
    most = known.get("maximum", 1 if below is None else min(1, below - 1))
    number = known.get("minimum", min(1, most))
    if above is not None:
        number = above + 1
        if below is not None and number >= below:
            number = (above + below) / 2
    step = known.get("multipleOf")
    if step:
        number = -(-number // step) * step
    return int(number) if whole else float(number)


def _described(schema: Mapping[str, Any]) -> dict[str, float]:
    """Return the limits that the description of a schema ends with."""
    found = _DESCRIBED.search(str(schema.get("description", "")))
    limits = _LIMIT.findall(found[0]) if found else []
    return {name: float(value) if "." in value else int(value) for name, value in limits}
