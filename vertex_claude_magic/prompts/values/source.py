"""Functions and classes as their source, modules as a short help."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import textwrap
from types import ModuleType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.prompts.parts import PromptPart, Text, ValueLimits, shorten
from vertex_claude_magic.prompts.python_source import parse_python
from vertex_claude_magic.prompts.values.cells import short_text
from vertex_claude_magic.prompts.values.stable_text import stable_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["module_parts", "source_parts"]

_MOST_NAMES = 300


def source_parts(value: Callable[..., Any], limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a function or class into its source; one without source into its signature and description.

    >>> print(source_parts(len, ValueLimits())[0].body)
    len(obj, /)
    <BLANKLINE>
    Return the number of items in a container.
    """
    inner = value.func if isinstance(value, functools.partial) else value
    name = short_text(getattr(inner, "__qualname__", type(inner).__name__), 80)
    unwrapped = inspect.unwrap(inner)
    try:
        source = textwrap.dedent(inspect.getsource(unwrapped)).rstrip("\n")
    except (OSError, TypeError, IndentationError, SyntaxError):
        source = _cell_source(unwrapped) if isinstance(unwrapped, type) else ""
    if not source:
        source = "\n\n".join(filter(None, [f"{name}{_signature(inner)}", _description(inner)]))
    if isinstance(value, functools.partial):
        source = f"# partial with {short_text(value.args)} and {short_text(value.keywords)}\n{source}"
    kind = "class" if isinstance(inner, type) else "function"
    body, cut = shorten(source, limits)
    return (Text(body=body, kind=f"Python {kind}", about=name, cut=cut),)


def _cell_source(value: type) -> str:
    """Find a class that was defined in a notebook cell, which has no file for `inspect` to look into.

    Its methods know their cell, and the cell is in `linecache`.
    """
    for each in vars(value).values():
        code = getattr(inspect.unwrap(each), "__code__", None)
        lines = linecache.getlines(code.co_filename) if code is not None else []
        try:
            tree = parse_python("".join(lines))
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == value.__name__:
                first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
                return textwrap.dedent("".join(lines[first - 1 : node.end_lineno])).rstrip("\n")
    return ""


def _signature(value: Callable[..., Any]) -> str:
    try:
        return stable_text(str(inspect.signature(value)))
    except (ValueError, TypeError):
        return "(...)"


def _description(value: Callable[..., Any] | ModuleType) -> str:
    try:
        return inspect.getdoc(value) or ""
    except Exception:  # noqa: BLE001 - a property of the user's own
        return ""


def module_parts(value: ModuleType, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a module into a short help: its docstring, and a line for each public name."""
    names = getattr(value, "__all__", None) or [name for name in dir(value) if not name.startswith("_")]
    names = [name for name in names if isinstance(name, str)]
    lines = []
    for name in names[:_MOST_NAMES]:
        # Looked up without calling a module's own __getattr__, which may import half a library.
        member = vars(value).get(name)
        if member is None or isinstance(member, ModuleType):
            continue
        if callable(member):
            signature = _signature(member) if not isinstance(member, type) else ""
            first = _description(member).partition("\n")[0]
            lines.append(short_text(f"{name}{signature}: {first}" if first else f"{name}{signature}", 160))
        else:
            lines.append(short_text(f"{name} = {short_text(member, 80)}", 120))
    body, cut = shorten("\n".join([_description(value), "", *lines]).strip(), limits)
    if not cut and len(names) > _MOST_NAMES:
        cut = f"the first {_MOST_NAMES:,} of {len(names):,} names"
    return (Text(body=body, kind="Python module", about=short_text(value.__name__, 80), cut=cut),)
