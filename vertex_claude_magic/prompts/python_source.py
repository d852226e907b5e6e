"""Parses Python that somebody wrote, without showing the warnings of its compiler."""

from __future__ import annotations

import ast
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["parse_expression", "parse_python"]


def parse_python(source: str, filename: str = "<unknown>") -> ast.Module:
    """Parse Python, without the warnings that its author gets where it runs, as for an invalid escape.

    Args:
        source: The code.
        filename: What a traceback calls it.

    Raises:
        SyntaxError, ValueError, MemoryError, RecursionError: it is not Python, or cannot be parsed here.

    >>> [type(node).__name__ for node in parse_python("x = 1").body]
    ['Assign']
    """
    with _quietly():
        return ast.parse(source, filename)


def parse_expression(source: str) -> ast.expr:
    """Parse one expression, also without warnings.

    Raises:
        SyntaxError, ValueError, MemoryError, RecursionError: it is not one, or cannot be parsed here.

    >>> ast.dump(parse_expression("x"))
    "Name(id='x', ctx=Load())"
    """
    with _quietly():
        return ast.parse(source, mode="eval").body


@contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
