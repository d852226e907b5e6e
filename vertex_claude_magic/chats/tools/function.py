"""A Python function as a tool of the Messages API: its name, description and schema, and its arguments checked.

The schema comes from the signature by pydantic, the descriptions from the docstring (numpy, Google, reST or plain) or
from `Annotated`. The fields of a tool are those of the page "Tool use" (Claude docs, 2026).
"""

from __future__ import annotations

import functools
import inspect
import re
import textwrap
import typing
from collections.abc import Mapping
from types import FunctionType, GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

from vertex_claude_magic.errors import MissingExtra, OptionError
from vertex_claude_magic.prompts.secrets import find_secret, searchable
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel, TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema
    from pydantic_core.core_schema import WithDefaultSchema

    from vertex_claude_magic.json_types import Json

__all__ = ["ArgumentsInvalid", "FunctionTool", "function_tool"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# A role of reST where a line begins, such as :class:`Table`.
_ROLE = re.compile(r"^(?=:[\w.+:-]+:`)", re.MULTILINE)
# Arguments in the style of Google.
_ARGUMENTS = re.compile(r"^(?:Args|Arguments|Parameters|Params):[^\S\n]*\n", re.MULTILINE)
# What else docstring_parser reads in this style, and a field of reST.
_SECTION = re.compile(
    r"(?:Args|Arguments|Parameters|Params|Raises|Except(?:ions)?|Attributes|Examples?|Returns|Yields):\s*"
)
_FIELD = re.compile(r":[^:]+:(?:\s.*)?")
# Sections of numpy's style that are about the function and not about what goes in or comes out.
_REMARKS = {"notes", "warnings"}
# Hides from the parser that a line, or a docstring, begins here.
_PAD = "\0"
# What a schema holds of values, which may have a "title" of their own.
_VALUES = frozenset({"default", "const", "enum", "examples"})


class ArgumentsInvalid(Exception):
    """The model gave arguments that a function cannot take; the message is for the model."""


class _Parameter(NamedTuple):
    """How one argument of the model reaches the function."""

    name: str
    kind: inspect._ParameterKind
    default: Any


class FunctionTool(NamedTuple):
    """A function that the model may call.

    Args:
        name: The name under which it is called.
        description: What the docstring says of it; empty if nothing.
        schema: The JSON schema of its arguments, an object.
        function: The function.
        model: Checks arguments; its fields are `p0`, `p1` ... with the names of the parameters as aliases.
        parameters: The parameters in the order of the signature.
        others: Checks the arguments of `**kwargs`; None where there is none.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    function: Callable[..., Any]
    model: type[BaseModel]
    parameters: tuple[_Parameter, ...]
    others: TypeAdapter[dict[str, Any]] | None = None

    @property
    def definition(self) -> dict[str, Any]:
        """The entry of the field `tools`."""
        return {"name": self.name, "description": self.description, "input_schema": dict(self.schema)}

    def bind(self, arguments: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Check the arguments of a call, and return them as the function takes them.

        Raises:
            ArgumentsInvalid: it cannot take them; the message says which argument is wrong.

        >>> def half(x: float) -> float:
        ...     return x / 2
        >>> function_tool("half", half).bind({"x": "3"})
        ([3.0], {})
        """
        from pydantic import ValidationError

        try:
            checked = self.model.model_validate(dict(arguments))
            more = self.others.validate_python(checked.model_extra) if self.others is not None else {}
        except ValidationError as error:
            # What is wrong with each argument, without the values, which the model knows.
            wrong = []
            for each in error.errors(include_url=False, include_context=False):
                place = ".".join(str(part) for part in each["loc"])
                wrong.append(f"{place}: {each['msg']}" if place else each["msg"])
            raise ArgumentsInvalid(f"Invalid arguments. {'; '.join(wrong)}") from None
        positional, named = list[Any](), dict[str, Any](more)
        for index, (name, kind, default) in enumerate(self.parameters):
            field = f"p{index}"
            given = field in checked.model_fields_set
            if kind is inspect.Parameter.VAR_POSITIONAL:
                positional += getattr(checked, field)
            elif kind is not inspect.Parameter.KEYWORD_ONLY:
                # The default as the function has it, which may be any object.
                positional.append(getattr(checked, field) if given else default)
            elif given:
                named[name] = getattr(checked, field)
        return positional, named


def function_tool(name: str, function: Callable[..., Any]) -> FunctionTool:
    """Describe a function for the model.

    Args:
        name: The name under which the user has it.
        function: A function, coroutine function, bound method, partial or object with `__call__`.

    Raises:
        OptionError: it cannot be called by a model: it has no name, or a parameter takes no JSON.
        MissingExtra: pydantic or docstring_parser is not installed.

    >>> from typing import Literal
    >>> def mean(column: str, kind: Literal["mean", "median"] = "mean") -> float:
    ...     '''Centre of a column.
    ...
    ...     Args:
    ...         column: its name
    ...     '''
    >>> tool = function_tool("mean", mean)
    >>> tool.description, tool.schema["required"], tool.schema["properties"]["column"]
    ('Centre of a column.', ['column'], {'description': 'its name', 'type': 'string'})
    """
    plain = _unwrapped(name, function)
    own = _own_name(plain) or name
    try:
        from docstring_parser import parse
        from pydantic import ConfigDict, TypeAdapter, create_model
        from pydantic.errors import PydanticUserError
    except ImportError:
        raise MissingExtra(
            "Functions as tools need pydantic and docstring_parser.",
            cure='Run: pip install "vertex-claude-magic[data]"',
        ) from None
    # An object with `__call__` is described there, unless only its class says something.
    documented = plain if inspect.isroutine(plain) else type(plain).__call__
    doc = parse(_parsable(inspect.getdoc(documented) or inspect.getdoc(plain) or ""))
    remarks = [each.description for each in doc.meta if each.args[0] in _REMARKS]
    # A description may be of several: `x, y : float`.
    about = {
        each_name.strip().lstrip("*"): _unpadded(each.description)
        for each in doc.params
        for each_name in each.arg_name.split(",")
    }
    try:
        fields, parameters, others = _parameters(function, _hints(documented), about)
        config = ConfigDict(extra="forbid" if others is None else "allow")
        model = create_model("Arguments", __config__=config, **fields)
        schema = model.model_json_schema(schema_generator=_generator())
        more: TypeAdapter[Any] | None = None
        if others is not None:
            more = TypeAdapter(cast("Any", GenericAlias(dict, (str, others))))
            # Names of their own, because two types of one name may be among the parameters and here.
            inner = TypeAdapter(others).json_schema(
                schema_generator=_generator(), ref_template="#/$defs/others_{model}"
            )
            named = {f"others_{each}": part for each, part in inner.pop("$defs", {}).items()}
            # References begin at the root.
            schema |= {"$defs": schema.get("$defs", {}) | named} if named else {}
            schema["additionalProperties"] = inner or True
    except (PydanticUserError, TypeError, ValueError) as error:
        why = quote(str(error).partition("\n")[0].rstrip("."), 160)
        raise OptionError(
            f"A parameter of {own} cannot be sent as JSON: {why}.",
            cure="Annotate it with a type such as str, int, list[float], Literal or a dataclass.",
        ) from None
    return FunctionTool(
        name=own,
        description="\n\n".join(filter(None, map(_unpadded, [doc.description, *remarks]))),
        schema=cast("dict[str, Any]", _untitled(schema)),
        function=function,
        model=model,
        parameters=tuple(parameters),
        others=more,
    )


def _parsable(text: str) -> str:
    """Return a docstring as docstring_parser reads it without a loss (0.18).

    It takes a role for a field such as `:param x:`, and drops the text from there on. Other text below the arguments it
    drops too, or takes for a part of the last one.
    """
    text = _ROLE.sub(_PAD, text)
    if title := _ARGUMENTS.match(text):
        lines = text[title.end() :]
        # `inspect.getdoc` takes the first line for text, and the indentation of the arguments for that of the function.
        lines = lines if lines.startswith(" ") else textwrap.indent(lines, "    ")
        text = f"{_PAD}\n\n{title[0]}{lines}"
    # What is no section and no field goes above them.
    google = _ARGUMENTS.search(text) is not None
    begins = _SECTION if google else _FIELD
    above, below = list[str](), list[str]()
    part = above
    every = text.split("\n")
    for line, after in zip(every, [*every[1:], ""], strict=True):
        # Nothing is in a section of Google's whose lines are not indented.
        if begins.fullmatch(line) and not (google and after[:1].strip()):
            part = below
        # A field of reST may go on at the margin, up to a blank line.
        elif part is below and line[:1].strip() and (google or not below[-1].strip()):
            part = above
            above.append("")
        part.append(line)
    return "\n".join([*above, "", *below] if below else above)


def _unpadded(text: str | None) -> str:
    return (text or "").replace(_PAD, "").strip()


def _own_name(function: Callable[..., Any]) -> str:
    """Return the name of a function; an object with `__call__` has none, or one that is not text."""
    own = getattr(function, "__name__", "")
    return own if isinstance(own, str) else ""


def _unwrapped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function inside of partials.

    Raises:
        OptionError: a model cannot call it.
    """
    plain = function
    while isinstance(plain, functools.partial):
        plain = plain.func
    own = _own_name(plain) or name
    if not callable(function) or inspect.isclass(function):
        raise OptionError(f"{quote(name, 40)} is not a function.", cure="Use a function from your namespace.")
    if own == "<lambda>":
        raise OptionError(
            f"{quote(name, 40)} is a lambda, which has no name, docstring or types.",
            cure="Write it as a function with def.",
        )
    if not _NAME.fullmatch(own):
        raise OptionError(
            f"{quote(own, 40)!r} is not a valid tool name.",
            cure="Use letters, digits, _ and - (at most 128).",
        )
    if inspect.isfunction(plain) and not getattr(function, "args", ()):
        owner, first = (
            plain.__qualname__.rpartition(".")[0],
            next(iter(inspect.signature(plain).parameters), ""),
        )
        untyped = first in {"self", "cls"} and first not in plain.__annotations__
        if untyped and owner and not owner.endswith("<locals>"):
            made = f"{quote(owner.rpartition('.')[2], 40)}(...).{own}"
            raise OptionError(
                f"{quote(plain.__qualname__, 80)} is a method of a class, and Claude has no object to call it on.",
                cure=f"Use the method of an object, such as {own} = {made}.",
            )
    return plain


def _parameters(
    function: Callable[..., Any], hints: Mapping[str, Any], about: Mapping[str, str]
) -> tuple[dict[str, Any], list[_Parameter], Any]:
    """Return pydantic's fields for the parameters, the parameters, and the type of `**kwargs` (None for none)."""
    from pydantic import Field
    from typing_extensions import Unpack

    fields: dict[str, Any] = {}
    parameters = list[_Parameter]()
    others: Any = None

    def add(parameter: str, kind: inspect._ParameterKind, hint: object, default: object) -> None:
        described = _description(hint) or about.get(parameter)
        fields[f"p{len(parameters)}"] = (hint, Field(default=default, alias=parameter, description=described))
        parameters.append(_Parameter(parameter, kind, default))

    for parameter, entry in inspect.signature(function).parameters.items():
        hint = hints.get(parameter, Any)
        if entry.kind is entry.VAR_POSITIONAL:
            add(parameter, entry.kind, GenericAlias(list, (hint,)), ())
        elif entry.kind is not entry.VAR_KEYWORD:
            add(parameter, entry.kind, hint, ... if entry.default is entry.empty else entry.default)
        elif typing.get_origin(hint) is Unpack:
            # PEP 692: the keys of the dictionary are the named arguments.
            (keys,) = typing.get_args(hint)
            for key, each in typing.get_type_hints(keys, include_extras=True).items():
                add(key, entry.KEYWORD_ONLY, each, None if key in keys.__optional_keys__ else ...)
        else:
            others = hint
    return fields, parameters, others


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of the parameters; a builtin has none."""
    try:
        try:
            return typing.get_type_hints(function, include_extras=True)
        except NameError:
            # What it returns is not asked for, and may be a name that only type checkers know. So a function is asked
            # that has the same names in reach and the same annotations but that one.
            plain = inspect.unwrap(function)
            plain = getattr(plain, "__func__", plain)
            found = FunctionType((lambda: None).__code__, getattr(plain, "__globals__", {}))
            known = getattr(plain, "__annotations__", {})
            found.__annotations__ = {name: hint for name, hint in known.items() if name != "return"}
            return typing.get_type_hints(found, include_extras=True)
    except NameError as error:
        raise OptionError(
            f"A type annotation of {getattr(function, '__name__', 'the function')} is not defined: {error}.",
            cure="Run the cell that defines it, or leave the type out.",
        ) from None
    except TypeError:
        return {}


def _description(hint: Any) -> str | None:
    """Return the description in an annotation: `Annotated[int, "how many"]`, `Field` or `Doc` (PEP 727)."""
    for each in getattr(hint, "__metadata__", ()) if typing.get_origin(hint) is Annotated else ():
        said = (
            each
            if isinstance(each, str)
            else getattr(each, "description", getattr(each, "documentation", None))
        )
        if said:
            return str(said)
    return None


def _generator() -> type[GenerateJsonSchema]:
    from pydantic.json_schema import GenerateJsonSchema

    class Quiet(GenerateJsonSchema):
        # A default that is not JSON, such as a frame, is left out; the function has it.
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

        def default_schema(self, schema: WithDefaultSchema) -> dict[str, Any]:
            made = super().default_schema(schema)
            # So is a key, which the model has no use for.
            if "default" in made and find_secret(searchable(made["default"])) is not None:
                del made["default"]
            return made

    return Quiet


def _untitled(schema: Json, *, names: bool = False) -> Json:
    """Return a schema without the titles that pydantic makes of names; with `names` its keys name properties."""
    if isinstance(schema, list):
        return [_untitled(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: part
        if key in _VALUES and not names
        else _untitled(part, names=not names and key in {"properties", "$defs"})
        for key, part in schema.items()
        if names or key != "title"
    }
