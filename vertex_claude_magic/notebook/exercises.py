"""Exercises of the notebook that runs: where their files are, what Tab offers, which cells a check is about."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.classroom.exercise import exercise_names, names_in
from vertex_claude_magic.notebook.saved_prompts import notebook_folder
from vertex_claude_magic.prompts.python_source import parse_python

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from vertex_claude_magic.notebook.shell import Shell

__all__ = ["cells_of", "exercise_folder", "exercise_texts"]

_MOST_CELLS = 3


def exercise_folder(names: Mapping[str, Any]) -> Path:
    """Return the folder of exercises beside the notebook.

    Args:
        names: The user's variables, in which VS Code names the file.
    """
    return notebook_folder(names) / "exercises"


def exercise_texts(names: Mapping[str, Any]) -> list[str]:
    """Return the names of the exercises that Tab offers."""
    return [name for name in exercise_names(exercise_folder(names)) if " " not in name]


def cells_of(shell: Shell, code: str) -> tuple[str, ...]:
    """Return the newest cells that bind the names which a check uses, oldest first; else the last cell that ran.

    Args:
        shell: The shell, for the cells that ran.
        code: The Python of the check.
    """
    wanted, found = set(names_in(code)), list[str]()
    history = shell.history_manager
    ran = list(zip(history.input_hist_parsed, history.input_hist_raw, strict=False))
    for parsed, raw in reversed(ran):
        bound = wanted & set(_bound(str(parsed)))
        if bound:
            found.append(str(raw).strip("\n"))
            wanted -= bound
        if not wanted or len(found) == _MOST_CELLS:
            break
    if not found:
        own = (str(raw).strip("\n") for _, raw in reversed(ran))
        found = [next((each for each in own if each.strip() and not each.lstrip().startswith("%")), "")]
    return tuple(each for each in reversed(found) if each)


def _bound(source: str) -> Iterator[str]:
    """Return the names that a cell binds at its top level by code of its own."""
    nodes: list[ast.stmt] = []
    with suppress(SyntaxError, ValueError, MemoryError, RecursionError):
        nodes = parse_python(source).body
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.With)):
            stores = (each for each in ast.walk(node) if isinstance(each, ast.Name))
            yield from (each.id for each in stores if isinstance(each.ctx, ast.Store))
