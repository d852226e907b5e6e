"""Python that somebody wrote, parsed without a word about it."""

from __future__ import annotations

import ast
import warnings

__all__ = ["parse_python"]


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source, filename)
