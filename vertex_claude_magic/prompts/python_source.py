"""Parses Python that somebody wrote, without showing the warnings of its compiler."""

from __future__ import annotations

import ast
import re

from vertex_claude_magic.process import ignored_warnings

__all__ = ["parse_expression", "parse_python"]

# What the parser may warn of in an expression: an escape in a string, and a number that runs into a word.
_WARNED_OF = re.compile(r"\\|\b\d[\d.]*[^\W\d]")


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
    with ignored_warnings():
        return ast.parse(source, filename)


def parse_expression(source: str) -> ast.expr:
    """Parse one expression, also without warnings.

    Raises:
        SyntaxError, ValueError, MemoryError, RecursionError: it is not one, or cannot be parsed here.

    >>> ast.dump(parse_expression("x"))
    "Name(id='x', ctx=Load())"
    """
    if _WARNED_OF.search(source) is None:
        # Nearly every path of a prompt; the filters, which the user's own threads may be changing, are left alone.
        return ast.parse(source, mode="eval").body
    with ignored_warnings():
        return ast.parse(source, mode="eval").body
