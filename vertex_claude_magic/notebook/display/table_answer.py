"""Data while they come: rows of a table in place of raw JSON, and the whole table at the end.

The view passes on to another one: JSON goes in, the Markdown of a table comes out, and drawing it is
left to the view behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.answers.partial_json import Growing
from vertex_claude_magic.answers.repair import CUT_OFF
from vertex_claude_magic.frames.cells import is_missing
from vertex_claude_magic.text import number_of

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.display.live import AnswerView
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["GrowingTable", "TableAnswer", "shown_text", "table_of"]

# So many rows are read at a glance; all of them are in the data.
_ROWS = 50
_COLUMNS = 20
_CELL = 120
# Punctuation that would be Markdown inside a cell (CommonMark 0.31.2, 2.4 and 6; GFM tables).
_MARKUP = re.compile(r"([\\`*\[\]<>|$~&!]|(?<!\w)_|_(?!\w))")


class GrowingTable:
    r"""A growing Markdown table; where no columns are given, the first row decides on them.

    >>> table = GrowingTable()
    >>> print(table.add({"city": "Oslo", "people": 700_000}), end="")
    | city | people |
    |---|---|
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
        cells = _cells(row)
        if self.rows == 1:
            self._columns = self._columns or list(cells)[:_COLUMNS]
            head = f"{_line(self._columns)}|{'---|' * len(self._columns)}\n"
        else:
            head = ""
        if isinstance(row, (list, tuple)):
            # By position, because two columns may have one name.
            shown = [*cells.values(), *[""] * len(self._columns)][: len(self._columns)]
        else:
            shown = [cells.get(column, "") for column in self._columns]
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

    >>> table_of([]), table_of({"a": 1})
    ('No rows.\\n', '| field | value |\\n|---|---|\\n| a | 1 |\\n')
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
    else:
        table, rows = GrowingTable(("field", "value")), [list(pair) for pair in _cells(data).items()]
    return "".join([*(table.add(row) for row in rows), table.end()])


def shown_text(reply: Reply) -> str:
    """Return what a reply is shown as: its text, or the table of its data.

    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> shown_text(Reply(data=[{"a": 1}]))
    '| a |\\n|---|\\n| 1 |\\n'
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
    if isinstance(value, Enum):
        value = value.value
    if is_missing(value):
        return ""
    if isinstance(value, str):
        return value[: _CELL * 8]
    if isinstance(value, (list, tuple)) and all(isinstance(each, (str, int, float)) for each in value):
        return ", ".join(map(str, value[:_CELL]))
    try:
        text = (
            json.dumps(value, ensure_ascii=False, default=str)
            if isinstance(value, (Mapping, list))
            else str(value)
        )
    except Exception:  # noqa: BLE001 - a type of the user's own
        return f"<{type(value).__name__}>"
    return text[: _CELL * 8]


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

    def start(self, label: str) -> None:
        """Show at once what is asked."""
        self._view.start(label)

    def status(self, text: str) -> None:
        """Say what is being waited for."""
        self._view.status(text)

    def thinking(self, delta: str) -> None:
        """Take thinking in."""
        self._view.thinking(delta)

    def text(self, delta: str) -> None:
        """Take JSON in, and hand on the rows that are whole."""
        self._growing.feed(delta)
        lines = []
        for name, value in self._growing.fields():
            if name == "columns" and isinstance(value, list):
                self._table = GrowingTable(value)
            elif name != "rows":
                lines.append(self._rows(("field", "value")).add([name, value]))
        lines += [self._rows(()).add(row) for row in self._growing.rows()]
        if lines:
            self._lines += lines
            self._view.text("".join(lines))

    def between(self, line: str) -> None:
        """Say what happens before the next round; its rows are a table of their own."""
        self._growing = Growing()
        self._table = None
        self._lines = []
        self._view.between(line)

    def asks(self, call: str) -> bool:
        """Show a call of a function that waits for the user's yes, and tell whether it is in sight now."""
        return self._view.asks(call)

    def called(self, line: str) -> None:
        """Say how a call ended."""
        self._view.called(line)

    def _rows(self, columns: Sequence[str]) -> GrowingTable:
        if self._table is None:
            self._table = GrowingTable(columns)
        return self._table

    def draw(self) -> None:
        """Draw if something is due."""
        self._view.draw()

    def due_in(self) -> float | None:
        """Return the seconds until `draw` would do something, or None."""
        return self._view.due_in()

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

    def abandon(self) -> None:
        """Take away what is there, because an error will be shown instead."""
        self._view.abandon()
