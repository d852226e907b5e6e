"""A JSON value that a schema accepts, made from the schema alone.

Used for the input of tool calls and for structured outputs. It knows the parts of JSON Schema that
such schemas use; of what it does not know it makes the simplest value of the type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json

__all__ = ["sample"]

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


def sample(schema: Json) -> Any:
    """Make a value of a JSON schema.

    >>> sample({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}})
    {'city': 'example', 'days': 1}
    >>> sample({"enum": ["red", "green"]})
    'red'
    """
    return _sample(schema, schema if isinstance(schema, Mapping) else {}, 0)


def _sample(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return None
    if "$ref" in schema:
        return _sample(_resolve(str(schema["$ref"]), root), root, depth + 1)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    if chosen := _choice(schema):
        return _sample(chosen, root, depth + 1)
    kind = schema.get("type") or ("object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    make = _MAKERS.get(str(kind))
    return make(schema, root, depth) if make else None


def _choice(schema: Mapping[str, Any]) -> Any:
    if schema.get("allOf"):
        merged: dict[str, Any] = {key: part for key, part in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            merged.update(part)
        return merged
    return next((schema[key][0] for key in ("anyOf", "oneOf") if schema.get(key)), None)


def _resolve(reference: str, root: Mapping[str, Any]) -> Any:
    place: Any = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        place = place.get(name) if isinstance(place, Mapping) and name else place
    return place


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    return {name: _sample(part, root, depth + 1) for name, part in properties.items()}


def _array(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> list[Any]:
    count = max(1, int(schema.get("minItems") or 0))
    if depth >= _DEEPEST // 2 and not schema.get("minItems"):
        return []
    return [_sample(schema.get("items") or {"type": "string"}, root, depth + 1) for _ in range(count)]


def _string(schema: Mapping[str, Any], _root: Mapping[str, Any], _depth: int) -> str:
    text = _FORMATS.get(str(schema.get("format")), "example")
    return text.ljust(int(schema.get("minLength") or 0), "x")[: schema.get("maxLength")]


def _least(schema: Mapping[str, Any]) -> Any:
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1
    return schema.get("minimum", min(1, schema.get("maximum", 1)))


_MAKERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any], int], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": lambda schema, *_: int(_least(schema)),
    "number": lambda schema, *_: float(_least(schema)),
    "boolean": lambda *_: True,
}
