"""What an answer must look like, and the reading of one: from a type, a JSON schema or "df".

The schema has an object at its root, because a tool's input must be one: a list travels under the key
`items`, any other value under `value`. Reading takes valid JSON whichever way it comes.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic

from vertex_claude_magic.answers.read import TOO_DEEP, json_values, missing_json
from vertex_claude_magic.answers.schema import is_closed, object_schema, references, wire_schema
from vertex_claude_magic.answers.types import TYPE_CURE, AnswerType, Data, adapted, is_frame_type, type_name
from vertex_claude_magic.errors import MissingExtra, OptionError
from vertex_claude_magic.process import ignored_warnings
from vertex_claude_magic.text import message_of, quote

if TYPE_CHECKING:
    import pandas as pd
    from jsonschema import ValidationError as JsonSchemaError
    from jsonschema.protocols import Validator
    from pydantic import ValidationError
    from typing_extensions import TypeForm

    from vertex_claude_magic.json_types import Json

__all__ = ["AnswerMismatch", "Shape", "shape_of"]

_LONGEST_PROBLEM = 300
_SHOWN_PROBLEMS = 3
_ADVISED_PROBLEMS = 20
_COUNTED_PROBLEMS = 1_000
_LONGEST_QUOTE = 60
_MOST_CANDIDATES = 50
_KEYWORDS = {"$ref", "allOf", "anyOf", "const", "enum", "if", "items", "not", "oneOf", "pattern", "patternProperties",
             "prefixItems", "properties", "required", "additionalProperties", "type"}  # fmt: skip


class AnswerMismatch(ValueError):
    """A value is not what was asked for.

    `problem` is one line for people, at most 300 characters; `advice` is what the model gets, so that it
    can give the answer again. There may be more problems (`count`) than are listed.

    >>> AnswerMismatch(["items[2].population: Field required"]).problem
    'items[2].population: Field required'
    """

    def __init__(self, problems: Sequence[str], count: int = 0) -> None:
        count = max(count, len(problems))
        shown = problems[:_SHOWN_PROBLEMS]
        more = f"; and {count - len(shown)} more" if count > len(shown) else ""
        length = (_LONGEST_PROBLEM - len(more)) // len(shown) - len("; ")
        self.problem = "; ".join(quote(each, length) for each in shown) + more
        listed = "\n".join(f"- {quote(each, _LONGEST_PROBLEM)}" for each in problems[:_ADVISED_PROBLEMS])
        rest = count - _ADVISED_PROBLEMS
        self.advice = (
            f"That answer does not fit what was asked for:\n{listed}\n{f'- and {rest} more' if rest > 0 else ''}\n"
            "Give the whole answer again, corrected, and nothing else."
        ).replace("\n\n", "\n")
        super().__init__(self.problem)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape(Generic[Data]):
    """What an answer must look like, and what data are made of it.

    Args:
        name: What it is for people, such as `list[City]`.
        schema: The JSON schema that goes out, an object at its root.
        strict: Whether structured outputs can carry all that the type allows; else a tool or words must ask.
        key: The key under which a value travels that is not an object itself, or empty.
        validate: Turns decoded JSON into the data; raises `AnswerMismatch`.
    """

    name: str
    schema: Mapping[str, Any]
    strict: bool
    key: str = ""
    validate: Callable[[Json], Data] = field(repr=False)

    def take(self, value: Json) -> Data:
        """Return the data of a decoded JSON value, whether it travels under its key or bare.

        Raises:
            AnswerMismatch: it is something else.
        """
        if not (self.key and isinstance(value, Mapping) and set(value) == {self.key}):
            return self.validate(value)
        try:
            return self.validate(value[self.key])
        except AnswerMismatch as mismatch:
            try:
                return self.validate(value)
            except AnswerMismatch:
                raise mismatch from None

    def read(self, text: str) -> Data:
        """Return the data in the text of an answer: bare JSON, fenced, or with prose around it.

        Raises:
            AnswerMismatch: there is no JSON in it that fits.
        """
        tried: list[tuple[int, AnswerMismatch]] = []
        for size, value in islice(json_values(text), _MOST_CANDIDATES):
            try:
                return self.take(value)
            except AnswerMismatch as mismatch:  # noqa: PERF203 - one try for each candidate
                tried.append((size, mismatch))
        if not tried:
            raise AnswerMismatch([missing_json(text)])
        # The largest is taken for the answer; a smaller one may be a bracket in the prose.
        raise max(tried, key=lambda pair: pair[0])[1]

    def instruction(self) -> str:
        """Return the instruction for a model that can be asked in no other way."""
        schema = json.dumps(self.schema, ensure_ascii=False)
        return f"Answer with JSON alone, without a word before or after it, that fits this JSON schema:\n{schema}"


def shape_of(kind: AnswerType) -> Shape[Any]:
    """Return the shape of a type, of a JSON schema (a dict), or of "df" (a data frame).

    Raises:
        OptionError: it is not a type with a JSON schema.
        MissingExtra: pydantic or pandas is not installed.

    >>> shape_of({"type": "array", "items": {"type": "integer"}}).take({"items": [1, 2]})
    [1, 2]
    """
    if (isinstance(kind, str) and kind == "df") or is_frame_type(kind):
        from vertex_claude_magic.frames.make import FRAME_SCHEMA, frame_of_json, need_pandas

        need_pandas()

        def validate(value: Json) -> pd.DataFrame:
            data = json.loads(_json_text(value))
            try:
                return frame_of_json(data)
            except ValueError as error:
                raise AnswerMismatch([str(error)]) from None

        return Shape(name="data frame", schema=FRAME_SCHEMA, strict=True, validate=validate)
    return _schema_shape(kind) if isinstance(kind, Mapping) else _type_shape(kind)


def _schema_shape(given: Mapping[str, Any]) -> Shape[Json]:
    import jsonschema
    from referencing import Registry

    try:
        schema: dict[str, Any] = json.loads(json.dumps(given, allow_nan=False))
        foreign = [each for each in references(schema) if not each.startswith("#")]
    except (TypeError, ValueError, RecursionError) as error:
        raise _no_schema(str(error)) from error
    if foreign:
        raise _no_schema(f"{foreign[0]} is another document")
    if not _KEYWORDS & schema.keys():
        raise _no_schema("it declares no type")
    kind: Any = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except (jsonschema.SchemaError, RecursionError) as error:
        where = _place(getattr(error, "absolute_path", ()))
        raise _no_schema(f"{where}{getattr(error, 'message', TOO_DEEP)}") from None
    # An empty registry: a reference to another host is never fetched.
    validator = jsonschema.validators.extend(kind, {"multipleOf": _multiple_of})(schema, registry=Registry())
    rooted, key = object_schema(schema)

    def validate(value: Json) -> Json:
        data: Json = json.loads(_json_text(value))
        try:
            found = list(islice(validator.iter_errors(data), _COUNTED_PROBLEMS))
        except Exception as error:  # noqa: BLE001 - endless recursion of the user's schema
            raise AnswerMismatch([f"the schema cannot be applied: {type(error).__name__}"]) from None
        if found:
            raise AnswerMismatch([_schema_problem(error, key) for error in found])
        return data

    name = quote(str(schema.get("title") or "JSON of the schema"), _LONGEST_QUOTE)
    return _made(name, rooted, key, validate)


def _multiple_of(validator: Validator, factor: float, number: Json, _: Json) -> Iterator[JsonSchemaError]:
    """Check `multipleOf` by the digits, where jsonschema divides floats and refuses 19.99 as a multiple of 0.01."""
    from jsonschema import ValidationError

    if not isinstance(number, (int, float)) or not validator.is_type(number, "number"):
        return
    finite = isinstance(number, int) or math.isfinite(number)
    if not finite or Fraction(str(number)) % Fraction(str(factor)) != 0:
        yield ValidationError(f"{number} is not a multiple of {factor}")


def _schema_problem(error: JsonSchemaError, key: str) -> str:
    place = _place((key, *error.absolute_path))
    wanted = quote(json.dumps(error.validator_value, default=str)[:200], _LONGEST_QUOTE)
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{place}{quote(', '.join(missing), _LONGEST_QUOTE)} missing"
    texts = {"type": f"should be of type {wanted}", "enum": f"should be one of {wanted}"}
    return f"{place}{texts.get(error.validator, f'does not meet {error.validator} {wanted}')}{_unlike(error.instance)}"


def _no_schema(why: str) -> OptionError:
    return OptionError(
        f"The dict is not a usable JSON schema: {quote(why, 120)}.",
        cure='Give one such as {"type": "object", "properties": {...}}.',
    )


def _type_shape(kind: TypeForm[Data]) -> Shape[Data]:
    try:
        from pydantic import TypeAdapter, ValidationError
        from pydantic.json_schema import PydanticJsonSchemaWarning
    except ImportError:
        raise MissingExtra(
            "Typed answers need pydantic.", cure='Run: pip install "vertex-claude-magic[data]"'
        ) from None
    try:
        name = quote(type_name(kind), _LONGEST_QUOTE)
    except Exception:  # noqa: BLE001 - even a repr may fail
        name = "that"
    if inspect.isroutine(kind) or isinstance(kind, str):
        raise OptionError(f"{name} cannot be used as an answer type.", cure=TYPE_CURE)
    try:
        adapter = TypeAdapter(adapted(kind))
        with ignored_warnings(PydanticJsonSchemaWarning):
            rooted, key = object_schema(adapter.json_schema())
    except Exception as error:
        why = quote(message_of(error).strip().partition("\n")[0].removesuffix("."), 120)
        raise OptionError(f"{name} has no JSON schema: {why}.", cure=TYPE_CURE) from error
    # Pydantic names a field that is an Iterable or Iterator so; its values come as they are iterated.
    lazy = "'type': 'generator'" in str(adapter.core_schema)

    def validate(value: Json) -> Data:
        text = _json_text(value)
        try:
            # JSON's own mode: a date is a text there, and a tuple a list, also for strict models.
            data = adapter.validate_json(text)
            return _iterated(data) if lazy else data
        except ValidationError as error:
            problems, count = _pydantic_problems(error, key), error.error_count()
        except RecursionError:
            problems, count = [TOO_DEEP], 1
        except Exception as error:  # noqa: BLE001 - a validator of the user's own may raise anything
            problems, count = [_check_failed(error)], 1
        raise AnswerMismatch(problems, count)

    return _made(name, rooted, key, validate)


def _iterated(value: Any) -> Any:
    """Return a value whose iterators are lists, checked to the end.

    Raises:
        ValidationError: an element is not of its type.
    """
    if type(value).__name__ == "ValidatorIterator" or type(value) is list:
        return [_iterated(each) for each in value]
    if isinstance(value, dict):
        return {name: _iterated(each) for name, each in value.items()}
    if dataclasses.is_dataclass(value) or hasattr(type(value), "model_fields"):
        names = getattr(type(value), "model_fields", None) or [
            each.name for each in dataclasses.fields(value)
        ]
        for name in names:
            # Past __setattr__, because the class may be frozen.
            object.__setattr__(value, name, _iterated(getattr(value, name)))
    return value


def _pydantic_problems(error: ValidationError, key: str) -> list[str]:
    try:
        found = error.errors(include_url=False, include_context=False)[:_ADVISED_PROBLEMS]
    except Exception as failure:  # noqa: BLE001 - the text of a user's error may fail
        return [_check_failed(failure)]
    if found[0]["type"] == "json_invalid":
        # The text is JSON in any case, and pydantic reads fewer levels than Python.
        return [TOO_DEEP]
    problems = []
    for each in found:
        message = (
            each["msg"][:_LONGEST_PROBLEM].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        )
        problems.append(f"{_place((key, *each['loc']))}{message}{_unlike(each['input'])}")
    return problems


def _check_failed(error: Exception) -> str:
    return f"a validator failed: {quote(message_of(error), 200)} ({type(error).__name__})"


def _unlike(value: Json) -> str:
    """Name the value itself, where it is short enough to be worth saying."""
    if isinstance(value, (dict, list)):
        return ""
    shown = value[: _LONGEST_QUOTE * 2] if isinstance(value, str) else value
    return f", not {quote(json.dumps(shown, ensure_ascii=False, default=str), _LONGEST_QUOTE)}"


def _place(path: Iterable[Any]) -> str:
    place = ""
    for step in path:
        if isinstance(step, int):
            place += f"[{step}]"
        elif step:
            place += f"{'.' if place else ''}{quote(str(step), 40)}"
    return f"{quote(place, 120)}: " if place else ""


def _json_text(value: Json) -> str:
    """Return a value as JSON, without lone surrogates, which no text outside of Python can hold."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except RecursionError:
        raise AnswerMismatch([TOO_DEEP]) from None
    except (TypeError, ValueError):
        raise AnswerMismatch(
            ["it contains a value that JSON cannot represent, such as NaN or infinity"]
        ) from None
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _made(name: str, schema: Mapping[str, Any], key: str, validate: Callable[[Json], Data]) -> Shape[Data]:
    strict, wire = is_closed(schema), schema
    try:
        wire = wire_schema(schema) if strict else schema
    except ValueError:
        strict = False
    return Shape(name=name, schema=wire, strict=strict, key=key, validate=validate)
