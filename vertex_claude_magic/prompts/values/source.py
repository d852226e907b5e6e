"""Functions and classes as their source, modules as a short help."""

from __future__ import annotations

import functools
import inspect
import linecache
import textwrap
from types import ModuleType
from typing import Any

from vertex_claude_magic.prompts.parts import Budget, Part, Text, shorten
from vertex_claude_magic.prompts.values.cells import short_text
from vertex_claude_magic.prompts.values.steady import steady

__all__ = ["module_parts", "source_parts"]

_MOST_NAMES = 300


def source_parts(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn a function or class into its source; one without source into its signature and description.

    >>> print(source_parts(len, Budget())[0].body)
    len(obj, /)
    <BLANKLINE>
    Return the number of items in a container.
    """
    inner = value.func if isinstance(value, functools.partial) else value
    name = short_text(getattr(inner, "__qualname__", type(inner).__name__), 80)
    source = _source(inspect.unwrap(inner)) or _described(name, inner)
    if isinstance(value, functools.partial):
        source = f"# partial with {short_text(value.args)} and {short_text(value.keywords)}\n{source}"
    kind = "class" if isinstance(inner, type) else "function"
    body, cut = shorten(source, budget)
    return (Text(body=body, kind=f"Python {kind}", about=name, cut=cut),)


def _source(value: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(value)).rstrip("\n")
    except (OSError, TypeError, IndentationError, SyntaxError):
        return _cell_source(value) if isinstance(value, type) else ""


def _cell_source(value: type) -> str:
    """Find a class that was defined in a notebook cell, which has no file for `inspect` to look into.

    Its methods know their cell, and the cell is in `linecache`.
    """
    codes = [
        inspect.unwrap(each).__code__
        for each in vars(value).values()
        if hasattr(inspect.unwrap(each), "__code__")
    ]
    for code in codes:
        lines = linecache.getlines(code.co_filename)
        block = _class_block(lines, value.__name__)
        if block:
            return block
    return ""


def _class_block(lines: list[str], name: str) -> str:
    import ast

    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == name:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            return textwrap.dedent("".join(lines[first - 1 : node.end_lineno])).rstrip("\n")
    return ""


def _described(name: str, value: Any) -> str:
    return "\n\n".join(part for part in (f"{name}{_signature(value)}", _description(value)) if part)


def _signature(value: Any) -> str:
    try:
        return steady(str(inspect.signature(value)))
    except (ValueError, TypeError):
        return "(...)"


def _description(value: Any) -> str:
    try:
        return inspect.getdoc(value) or ""
    except Exception:  # noqa: BLE001 - a property of the user's own
        return ""


def module_parts(value: ModuleType, budget: Budget) -> tuple[Part, ...]:
    """Turn a module into a short help: what it says of itself, and a line for each public name."""
    names = getattr(value, "__all__", None) or [name for name in dir(value) if not name.startswith("_")]
    names = [name for name in names if isinstance(name, str)]
    lines = [_line(value, name) for name in names[:_MOST_NAMES]]
    text = "\n".join([_description(value), "", *(line for line in lines if line)]).strip()
    body, cut = shorten(text, budget)
    if not cut and len(names) > _MOST_NAMES:
        cut = f"the first {_MOST_NAMES:,} of {len(names):,} names"
    return (Text(body=body, kind="Python module", about=short_text(value.__name__, 80), cut=cut),)


def _line(module: ModuleType, name: str) -> str:
    # Looked up without calling a module's own __getattr__, which may import half a library.
    member = vars(module).get(name)
    if member is None or isinstance(member, ModuleType):
        return ""
    if callable(member):
        first = _description(member).partition("\n")[0]
        signature = _signature(member) if not isinstance(member, type) else ""
        return short_text(f"{name}{signature}: {first}" if first else f"{name}{signature}", 160)
    return short_text(f"{name} = {short_text(member, 80)}", 120)
