"""Data frames and series as parts of a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vertex_claude_magic.frames.read import read_table
from vertex_claude_magic.frames.text import table_text
from vertex_claude_magic.session.content.parts import Budget, Part, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["frame_parts", "series_parts"]


def frame_parts(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn a data frame, a series or an index of any library into text.

    A lazy frame of polars shows its schema and is not computed: its rows may be a whole disk. A DuckDB relation
    is computed, as DuckDB itself does to show it.

    Raises:
        MissingExtra: narwhals is not installed.
        OptionError: a column holds objects that have no text of their own.

    >>> import pandas as pd
    >>> frame_parts(pd.DataFrame({"n": [1, 2]}), Budget())[0].about
    '2 rows × 1 column'
    """
    if type(value).__module__.startswith("polars") and type(value).__name__ == "LazyFrame":
        schema: Mapping[str, Any] = value.collect_schema()
        body = "\n".join(f"{name}: {dtype}" for name, dtype in schema.items())
        return (Text(body=body, kind="polars.LazyFrame", about="not computed, only its schema"),)
    table = read_table(value)
    found = table_text(table, budget.characters)
    return (Text(body=found.body, kind=table.kind, about=found.about, cut=found.cut),)


# A series is a table of one column; in a list it stays an element of the list, and does not stand for itself.
series_parts = frame_parts
