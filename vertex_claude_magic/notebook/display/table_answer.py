"""Data while they come: rows of a table in place of raw JSON, and the whole table at the end.

The view passes on to another one: JSON goes in, the Markdown of a table comes out, and drawing it is
left to the view behind.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from enum import Enum
from numbers import Number
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.answers.partial_json import Growing
from vertex_claude_magic.answers.repair import CUT_OFF
from vertex_claude_magic.frames.cells import is_missing
from vertex_claude_magic.markdown.literal import guard_line
from vertex_claude_magic.text import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vertex_claude_magic.notebook.display.live import AnswerView
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.tool_call import ToolCall

__all__ = ["GrowingTable", "TableAnswer", "shown_text", "table_of"]

# So many rows are read at a glance; all of them are in the data.
_ROWS = 50
_COLUMNS = 20
_CELL = 120
# The table of one object, a row for each of its fields; their values are of many kinds.
_FIELDS = ("field", "value")
# Punctuation that would be Markdown inside a cell (CommonMark 0.31.2, 2.4 and 6; GFM tables).
_MARKUP = re.compile(r"([\\`*\[\]<>|$~&!]|(?<!\w)_|_(?!\w))")


class GrowingTable:
    r"""A growing Markdown table; where no columns are given, the first row decides on them.

    It also decides which columns are aligned as numbers, because what is shown does not move when more rows come.

    >>> table = GrowingTable()
    >>> print(table.add({"city": "Oslo", "people": 700_000}), end="")
    | city | people |
    |---|---:|
    | Oslo | 700000 |
    >>> print(table.add({"city": "a|b"}), end="")
    | a\|b |  |
    """

    def __init__(self, columns: Sequence[str] = ()) -> None:
        self.rows = 0
        self._columns = [str(column) for column in columns[:_COLUMNS]]
        self._more_columns = max(0, len(columns) - _COLUMNS)

    def add(self, row: Any) -> str:
        """Return the Markdown that one more row adds; nothing once there are enough."""
        self.rows += 1
        if self.rows > _ROWS:
            return ""
        cells, head = _cells(row), ""
        if self.rows == 1:
            self._columns = self._columns or list(cells)[:_COLUMNS]
        if isinstance(row, (list, tuple)):
            # By position, because two columns may have one name.
            shown = [*cells.values(), *[""] * len(self._columns)][: len(self._columns)]
        else:
            shown = [cells.get(column, "") for column in self._columns]
        if self.rows == 1:
            values = [value.value if isinstance(value, Enum) else value for value in shown]
            marks = [
                "---:|"
                if isinstance(value, Number) and not isinstance(value, bool) and not is_missing(value)
                else "---|"
                for value in values
            ]
            head = f"{_line(self._columns)}|{'---|---|' if tuple(self._columns) == _FIELDS else ''.join(marks)}\n"
        return head + _line(shown)

    def end(self) -> str:
        """Return the lines below the table."""
        if not self.rows:
            return "No rows.\n"
        hidden = [(self.rows - _ROWS, "more row"), (self._more_columns, "more column")]
        more = " and ".join(number_of(count, noun) for count, noun in hidden if count > 0)
        return f"\n… and {more}, all in `.data` and `.df`.\n" if more else ""


def table_of(data: Any) -> str:
    """Return the Markdown table of validated data: a row for each element, or a row for each field.

    A single value is no table, but the value itself.

    >>> table_of([]), table_of({"a": 1}), table_of(3)
    ('No rows.\\n', '| field | value |\\n|---|---|\\n| a | 1 |\\n', '3\\n')
    """
    rows: Iterable[Any]
    if hasattr(data, "columns") and hasattr(data, "itertuples"):
        table, rows = (
            GrowingTable([str(name) for name in data.columns]),
            data.itertuples(index=False, name=None),
        )
    elif isinstance(data, (list, tuple, set, frozenset)) and not hasattr(data, "_fields"):
        rows = [_cells(row) for row in data]
        # A row may lack what another has.
        table = GrowingTable(list(dict.fromkeys(name for row in rows for name in row)))
    elif isinstance(plain := _parts(data), str):
        lines = [_MARKUP.sub(_literal, line) for line in plain.split("\n")]
        return "\n\n".join(filter(None, map(guard_line, lines))) + "\n"
    else:
        table, rows = GrowingTable(_FIELDS), [list(pair) for pair in _cells(data).items()]
    return "".join([*(table.add(row) for row in rows), table.end()])


def shown_text(reply: Reply) -> str:
    """Return what a reply is shown as: its text, or the table of its data.

    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> shown_text(Reply(data=[{"a": 1}]))
    '| a |\\n|---:|\\n| 1 |\\n'
    """
    return reply.text if reply.data is None else table_of(reply.data)


def _cells(row: Any) -> dict[str, Any]:
    """Return a row as columns and values, whatever kind of object it is."""
    if isinstance(row, (list, tuple)) and not hasattr(row, "_asdict"):
        return {str(number): value for number, value in enumerate(row)}
    from vertex_claude_magic.frames.make import record_of

    return record_of(row)


def _line(values: Iterable[Any]) -> str:
    texts = (" ".join(_text(value).split()) for value in values)
    short = (text if len(text) <= _CELL else text[: _CELL - 1] + "…" for text in texts)
    return "| " + " | ".join(_MARKUP.sub(_literal, text) for text in short) + " |\n"


def _literal(found: re.Match[str]) -> str:
    # A backslash before a bracket begins a formula in most front ends.
    return f"&#{ord(found[0])};" if found[0] in "[]" else f"\\{found[0]}"


def _text(value: Any) -> str:
    if is_missing(value):
        return ""
    try:
        parts = _parts(value)
        if isinstance(parts, (list, tuple)):
            each = [part.value if isinstance(part, Enum) else part for part in parts[:_CELL]]
            if all(isinstance(part, (str, int, float)) for part in each):
                return ", ".join(map(str, each))
        text = parts if isinstance(parts, str) else json.dumps(parts, ensure_ascii=False, default=_parts)
    except Exception:  # noqa: BLE001 - a type of the user's own
        return f"<{type(value).__name__}>"
    return text[: _CELL * 8]


def _parts(value: Any) -> str | Sequence[Any] | dict[str, Any]:
    """Return what a value is as JSON, one level deep: its fields or elements, else its text."""
    if isinstance(value, Enum):
        return _parts(value.value)
    if isinstance(value, (str, list)) or (isinstance(value, tuple) and not hasattr(value, "_asdict")):
        return value
    if isinstance(value, (set, frozenset)):
        return list(value)
    from vertex_claude_magic.frames.make import record_of

    record = record_of(value)
    return str(value) if record.get("value") is value else record


class TableAnswer:
    """An answer that is data: its rows appear one by one.

    Args:
        view: The view behind, which draws the table.
    """

    def __init__(self, view: AnswerView) -> None:
        self._view = view
        self._growing = Growing()
        self._table: GrowingTable | None = None
        self._lines: list[str] = []
        self._fields: list[tuple[str, Any]] = []
        # All else is as the view behind shows it.
        self.start, self.status, self.thinking, self.asks = view.start, view.status, view.thinking, view.asks
        self.runs, self.draw, self.due_in, self.abandon = view.runs, view.draw, view.due_in, view.abandon

    def text(self, delta: str) -> None:
        """Take JSON in, and hand on the rows that are whole."""
        self._growing.feed(delta)
        lines = []
        for name, value in self._growing.fields():
            if name == "columns" and isinstance(value, list):
                self._table = GrowingTable(value)
            elif name != "rows":
                self._fields.append((name, value))
        # A single value comes as the only field of an object, and is shown without a table.
        if self._table is not None or any(name != "value" for name, _ in self._fields):
            lines += [self._rows(_FIELDS).add(field) for field in self._fields]
            self._fields = []
        lines += [self._rows(()).add(row) for row in self._growing.rows()]
        if lines:
            self._lines += lines
            self._view.text("".join(lines))

    def between(self, line: str) -> None:
        """Say what happens before the next round; its rows are a table of their own."""
        self._restart()
        self._view.between(line)

    def _restart(self) -> None:
        self._growing, self._table, self._lines, self._fields = Growing(), None, [], []

    def called(self, call: ToolCall) -> None:
        """Show a call that has ended; rows that come are a table of their own."""
        self._restart()
        self._view.called(call)

    def _rows(self, columns: Sequence[str]) -> GrowingTable:
        if self._table is None:
            self._table = GrowingTable(columns)
        return self._table

    def finish(self, reply: Reply, *, notes: Sequence[str] = (), metadata: Mapping[str, Any]) -> None:
        """Show the whole table, the rows that came of one that was cut off, or the answer where it holds no data."""
        cut_off = not reply.complete or reply.stop_reason in CUT_OFF
        thinking = [block for block in reply.blocks if block.get("type") == "thinking"]
        inputs = [block.get("partial_json") or block.get("input") for block in reply.blocks
                  if block.get("type") == "tool_use"]  # fmt: skip
        raw = [text if isinstance(text, str) else json.dumps(text, ensure_ascii=False) for text in inputs]
        text, stop = reply.text or "\n".join(raw), reply.stop_reason
        if reply.data is not None:
            text, stop = table_of(reply.data), "end_turn" if stop == "tool_use" else stop
        elif cut_off and self._lines:
            text = "".join(self._lines)
        shown = replace(reply, blocks=(*thinking, {"type": "text", "text": text}), stop_reason=stop)
        self._view.finish(shown, notes=notes, metadata=metadata)
