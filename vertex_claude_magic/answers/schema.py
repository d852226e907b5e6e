"""JSON schemas for structured outputs: what the service takes stays, the rest becomes description.

The rules are those of the official SDK (anthropic 2.12.0, its transform of schemas), so that a type asks for
the same whichever client sends it. One differs: a description beside a reference is not lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json

__all__ = ["is_closed", "object_schema", "references", "wire_schema"]

_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_CHOICES = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_DEFINITIONS = ("$defs", "definitions")
_SAMPLES = {"const", "default", "enum", "example", "examples"}


def wire_schema(schema: Mapping[str, Any]) -> dict[str, Any]:  # noqa: C901 - a row for each keyword
    """Return a schema as structured outputs take it.

    Raises:
        ValueError: a part of it declares no type.

    >>> wire_schema({"type": "integer", "minimum": 1})
    {'type': 'integer', 'description': '{minimum: 1}'}
    """
    if not isinstance(schema, Mapping):
        raise ValueError("a part of the schema is not an object")  # noqa: TRY004 - one kind of error for callers
    rest = dict(schema)
    wire: dict[str, Any] = {}
    if "$defs" in rest:
        wire["$defs"] = {name: wire_schema(part) for name, part in rest.pop("$defs").items()}
    if (reference := rest.pop("$ref", None)) is not None:
        if not rest.get("description"):
            return {**wire, "$ref": reference}
        # The SDK's transform drops what is beside a reference (anthropic 2.14.0), and with it what a
        # `Field(description=)` says of this one use of the class. A choice of one carries it.
        return {**wire, "anyOf": [{"$ref": reference}], "description": rest["description"]}
    if isinstance(rest.get("type"), list):
        rest = _one_type_each(rest)
    kind = _put_kind(wire, rest)
    for name in ("description", "title"):
        if (text := rest.pop(name, None)) is not None:
            wire[name] = text
    if kind == "object":
        wire["properties"] = {name: wire_schema(part) for name, part in rest.pop("properties", {}).items()}
        rest.pop("additionalProperties", None)
        wire["additionalProperties"] = False
        if (required := rest.pop("required", None)) is not None:
            wire["required"] = list(required)
    elif kind == "string":
        if form := rest.pop("format", None):
            (wire if form in _FORMATS else rest)["format"] = form
    elif kind == "array":
        if (items := rest.pop("items", None)) is not None:
            wire["items"] = wire_schema(items)
        if (least := rest.pop("minItems", None)) is not None:
            (wire if least in (0, 1) else rest)["minItems"] = least
    if rest:
        # What structured outputs do not take is described in words.
        words = "{" + ", ".join(f"{key}: {value}" for key, value in rest.items()) + "}"
        wire["description"] = f"{wire['description']}\n\n{words}" if "description" in wire else words
    return wire


def _one_type_each(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Write `{"type": ["string", "null"]}` as a choice, which the SDK's rules do not cover."""
    if "enum" in schema or "const" in schema:
        return {name: part for name, part in schema.items() if name != "type"}
    about = {name: schema[name] for name in ("description", "title") if name in schema}
    rest = {name: part for name, part in schema.items() if name not in {"type", *about}}
    # None of the keywords narrows null or a boolean.
    choices = [{"type": kind, **({} if kind in {"null", "boolean"} else rest)} for kind in schema["type"]]
    return {**about, "anyOf": choices}


def _put_kind(wire: dict[str, Any], rest: dict[str, Any]) -> str | None:
    """Move the schema's keywords for the type over; return the type if the schema has one."""
    kind: str | None = rest.pop("type", None)
    choices = {name: rest.pop(name, None) for name in _CHOICES}
    if isinstance(rest.get("enum"), list) and rest["enum"] and all(map(_is_primitive, rest["enum"])):
        wire["enum"] = list(rest.pop("enum"))
    if "const" in rest and _is_primitive(rest["const"]):
        wire["const"] = rest.pop("const")
    literal = "enum" in wire or "const" in wire
    kind = None if literal else kind
    for name, parts in choices.items():
        if isinstance(parts, list):
            wire[_CHOICES[name]] = [wire_schema(part) for part in parts]
            return kind
    if not literal:
        if kind not in _TYPES:
            raise ValueError("a part of the schema has no type")
        wire["type"] = kind
    return kind


def _is_primitive(value: Json) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


def is_closed(schema: Mapping[str, Any]) -> bool:
    """Tell whether structured outputs can carry all that a schema allows.

    They close every object to names that are not listed, and take no recursion (Claude docs,
    "Structured outputs", JSON Schema limitations, 2026).

    >>> is_closed({"type": "object", "additionalProperties": {"type": "integer"}})
    False
    """
    return _closed(schema, schema.get("$defs", {}), {})


def _closed(schema: Mapping[str, Any] | None, definitions: Mapping[str, Any], known: dict[str, bool]) -> bool:
    if not isinstance(schema, Mapping):
        return False
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        if name not in known:
            # As long as it is being looked at, meeting it again is recursion.
            known[name] = False
            known[name] = _closed(definitions.get(name), definitions, known)
        return known[name]
    if schema.get("enum") or "const" in schema:
        return True
    parts = [part for name in _CHOICES for part in schema.get(name, ())]
    if parts:
        return all(_closed(part, definitions, known) for part in parts)
    kinds = schema.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind == "object":
            parts = schema.get("properties", {}).values()
            names = schema.get("additionalProperties", False) is not False or "patternProperties" in schema
            if not parts or names or not all(_closed(part, definitions, known) for part in parts):
                return False
        elif kind == "array":
            if "prefixItems" in schema or not _closed(schema.get("items"), definitions, known):
                return False
        elif kind not in _TYPES:
            return False
    return True


def object_schema(schema: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return a schema with an object at its root, and the key that the value is then under.

    A tool's input must be an object, so a list goes under the key `items` and any other value that is not an
    object under `value`. The key is empty where the value is an object itself.

    >>> object_schema({"type": "integer"})[0]["properties"], object_schema({"type": "array"})[1]
    ({'value': {'type': 'integer'}}, 'items')
    """
    plain = {name: part for name, part in schema.items() if name not in {"$schema", "$id"}}
    target = plain
    where = str(plain.get("$ref", "")).split("/")
    if len(where) == 3 and where[0] == "#" and where[1] in _DEFINITIONS:
        found = plain.get(where[1], {}).get(where[2])
        if isinstance(found, Mapping) and "$ref" not in found:
            target = dict(found)
    definitions = {name: plain[name] for name in _DEFINITIONS if name in plain}
    if target.get("type") == "object":
        return (plain if target is plain else {**target, **definitions}), ""
    key = "items" if target.get("type") == "array" else "value"
    inner = _moved({name: part for name, part in plain.items() if name not in _DEFINITIONS}, key)
    return {
        **{name: _moved(part, key) for name, part in definitions.items()},
        "type": "object",
        "properties": {key: inner},
        "required": [key],
        "additionalProperties": False,
    }, key


def _moved(part: Json, key: str) -> Json:
    """Let references to the former root point to where it now is."""
    if isinstance(part, list):
        return [_moved(each, key) for each in part]
    if not isinstance(part, Mapping):
        return part
    moved = {name: each if name in _SAMPLES else _moved(each, key) for name, each in part.items()}
    where = part.get("$ref")
    # Definitions stay where they are.
    if isinstance(where, str) and where.startswith("#") and not {*where.split("/")[1:2]} & {*_DEFINITIONS}:
        moved["$ref"] = f"#/properties/{key}{where[1:]}"
    return moved


def references(schema: Json) -> Iterator[str]:
    """Yield every reference in a schema, in its order.

    >>> list(references({"items": {"$ref": "#/$defs/City"}}))
    ['#/$defs/City']
    """
    if isinstance(schema, list):
        for part in schema:
            yield from references(part)
    elif isinstance(schema, Mapping):
        found = (schema.get(word) for word in ("$ref", "$dynamicRef"))
        yield from (where for where in found if isinstance(where, str))
        for name, part in schema.items():
            if name not in _SAMPLES:
                yield from references(part)
