"""A JSON value that a schema accepts, made from the schema alone.

Used for the input of tool calls and for structured outputs. It knows the parts of JSON Schema that
such schemas use; of what it does not know it makes the simplest value of the type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json

__all__ = ["INVALID_SCHEMA", "is_schema", "sample"]

INVALID_SCHEMA = "JSON schema is invalid. It must match JSON Schema draft 2020-12."

# Schemas may refer to themselves.
_DEEPEST = 12
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
    """
    return _sample(schema, schema if isinstance(schema, Mapping) else {}, 0)


def is_schema(schema: Json) -> bool:
    """Whether a value can be made of what should be a schema.

    >>> is_schema({"type": "string"}), is_schema({"type": {"a": 1}})
    (True, False)
    """
    try:
        sample(schema)
    except (AttributeError, LookupError, TypeError, ValueError):
        return False
    return True


def _sample(schema: Json, root: Mapping[str, Any], depth: int) -> Json:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    known: Mapping[str, Any] = schema
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
        properties = known.get("properties") or {}
        return {name: _sample(part, root, depth + 1) for name, part in properties.items()}
    if kind == "array":
        least = int(known.get("minItems") or 0)
        # Half way to the limit an array may end a schema that refers to itself.
        ends = depth >= _DEEPEST // 2 and not least
        items = known.get("items") or {"type": "string"}
        return [] if ends else [_sample(items, root, depth + 1)] * max(1, least)
    if kind == "string":
        text = _FORMATS.get(str(known.get("format")), "example")
        return text.ljust(int(known.get("minLength") or 0), "x")[: known.get("maxLength")]
    if kind in {"integer", "number"}:
        least = known.get("minimum", min(1, known.get("maximum", 1)))
        number = known["exclusiveMinimum"] + 1 if "exclusiveMinimum" in known else least
        return int(number) if kind == "integer" else float(number)
    return True if kind == "boolean" else None
