"""The template of a row: parsed once, filled for each row.

`{{ column }}` is a field of the row, `{{ row['Customer name'] }}` one whose name is not an identifier, `{{ row }}` the
whole row. Any other path is looked up once, in the namespace, and is the same for every row, as attachments are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, time, timedelta
from itertools import takewhile
from numbers import Number
from typing import TYPE_CHECKING, Any
from uuid import UUID

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.frames.cells import number_text
from vertex_claude_magic.prompts.compose import compose, estimated, fenced_data, text_block
from vertex_claude_magic.prompts.scope import Scope, own_names
from vertex_claude_magic.prompts.template import (
    LITERALLY,
    Index,
    Placeholder,
    index_cure,
    parse_template,
    value_of,
)
from vertex_claude_magic.settings.options import wrong_type
from vertex_claude_magic.spelling import spelled
from vertex_claude_magic.tables.values import column_named, json_value
from vertex_claude_magic.text import nearest, quote
from vertex_claude_magic.vertex.digest import with_mark
from vertex_claude_magic.vertex.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vertex_claude_magic.prompts.parts import ValueLimits
    from vertex_claude_magic.tables.rows import Rows

__all__ = ["ROW", "Content", "RowPrompt", "read_row_prompt"]

# The name of the whole row in a template.
ROW = "row"
# Values in which nobody can write a sentence; nothing is written around them.
_BARE = (Number, date, time, timedelta, UUID)
_BARE_NAMES = frozenset({"numpy.datetime64", "numpy.timedelta64", "pandas.Interval", "pandas.Period"})
# A beginning that all rows share is a block of its own from so many tokens on, so that it can be cached.
_WORTH_A_BLOCK = 256

Content = str | list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Field:
    """A path into a row.

    Args:
        name: What the user calls it; it is written around a text.
        place: The place of its column in the table, None for the whole row.
        column: The name of the column, None for the whole row.
        path: The rest of the path, for a nested value.
        bare: Whether a text of this column is a date or a time, which needs nothing around it.
    """

    name: str
    place: int | None
    column: str | None
    path: Placeholder
    bare: bool = False

    def text(self, record: Mapping[str, Any]) -> str:
        """Return the field of a row as it is written into the prompt.

        Raises:
            OptionError: the value has no form in a prompt, or the path leads nowhere in this row.
        """
        where = "the row" if self.column is None else column_named(self.column)
        value: Any = record if self.column is None else record[self.column]
        if self.path.steps:
            # An answer has attributes, as in a prompt that is no template of rows.
            found = value if isinstance(value, Reply) else json_value(value, where)
            value = value_of(self.path, {self.path.name: found})
        plain = json_value(value, where)
        if isinstance(plain, float):
            return number_text(plain)
        text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
        if not isinstance(plain, (str, dict, list)):
            return text
        library = type(value).__module__.partition(".")[0]
        bare = self.bare or isinstance(value, _BARE) or f"{library}.{type(value).__name__}" in _BARE_NAMES
        # A text of any other class may hold the words of others, such as that of an object that describes itself.
        return text if bare or library == "shapely" else fenced_data(text, self.name)


_Piece = str | _Field | tuple[dict[str, Any], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RowPrompt:
    """The prompt of every row.

    Args:
        places: The columns that it names, by their place in the table, in their order.
        notices: What the user should know of the shared part, of what the prompt leaves out, of values that are
            missing, and of names that are both a column and a variable.
        pieces: Texts, blocks and fields in their order.
        before: The blocks that go before everything else: attachments, then what opens every prompt.
    """

    places: tuple[int, ...]
    notices: tuple[str, ...] = ()
    pieces: tuple[_Piece, ...] = ()
    before: tuple[dict[str, Any], ...] = ()

    def content(self, record: Mapping[str, Any]) -> Content:
        """Return the content of the message for one row: a text where there is nothing but text, else blocks.

        Args:
            record: The fields of the row, by the names of the columns at `places`.

        Raises:
            OptionError: a value has no form in a prompt, or a path leads nowhere in this row.
        """
        blocks, text = [*self.before], list[str]()
        for piece in self.pieces:
            if isinstance(piece, str):
                text.append(piece)
            elif isinstance(piece, _Field):
                text.append(piece.text(record))
            else:
                blocks += text_block("".join(text))
                blocks += piece
                text = []
        if not blocks:
            return "".join(text)
        return [*blocks, *text_block("".join(text))]


def read_row_prompt(
    template: str,
    rows: Rows,
    *,
    scope: Scope | None = None,
    attach: Sequence[Any] = (),
    opening: str = "",
    literal: bool = False,
    limits: ValueLimits,
    cache_from: int | None = None,
    system_tokens: int = 0,
) -> RowPrompt:
    """Read the template of a row, and look up what it shares with all rows.

    Args:
        template: The prompt, to the letter.
        rows: The table.
        scope: Where names are looked up that are not columns.
        attach: Variables or paths by name, or objects; they go before the prompt of every row.
        opening: A text that goes between them and the prompt, with braces that are only braces.
        literal: Whether the prompt is sent as it is, so that all rows are the same question.
        limits: What one value of the namespace may take; a field of the row is never cut.
        cache_from: From how many tokens on a shared beginning is marked for the prompt cache; None for never.
        system_tokens: About how many tokens of system prompt and tools go before the content.

    Raises:
        OptionError: it names no column, a column twice, or what is not there.
    """
    scope = scope or Scope()
    if not isinstance(template, str):
        raise wrong_type(
            "The prompt of a table", template, 'Give one text for all rows, such as "Sum up {{ text }}."'
        )
    if not template.strip():
        raise OptionError("The prompt is empty.", cure="Write a question about a row.")
    pieces: list[_Piece] = []
    places: dict[int, None] = {}
    notices: dict[str, None] = {}
    known = (*rows.names, ROW, *scope.names)
    for part in (template,) if literal else parse_template(template, known):
        if isinstance(part, str):
            pieces.append(part)
        elif (field := _field_of(part, rows)) is not None:
            pieces.append(field)
            places.update(dict.fromkeys(range(len(rows.names)) if field.place is None else [field.place]))
            notices.update(dict.fromkeys(_notices(part, field, rows, scope)))
        elif part.name in scope.names:
            found = compose(f"{{{{ {part.source} }}}}", scope=scope, limits=limits)
            pieces.append(found.content if isinstance(found.content, str) else tuple(found.content))
            notices.update(dict.fromkeys(found.notices))
        else:
            raise _no_column(part.name, rows, own_names(scope.names))
    if not literal and not any(isinstance(piece, _Field) for piece in pieces):
        example = _written(rows.names[0]) if rows.names else "column"
        raise OptionError(
            "The prompt has no column of the table, so every row would be the same question.",
            cure=f"Write {{{{ {example} }}}} for a field. Columns: {_listed(rows.names)}.",
        )
    before: list[dict[str, Any]] = []
    if attach:
        composed = compose("-", attach=attach, scope=scope, limits=limits)
        notices.update(dict.fromkeys(composed.notices))
        before = list(composed.content)[: composed.attached] if isinstance(composed.content, list) else []
    before += text_block(opening)
    # The texts before the first field. Pictures and documents count for nothing here, so that the estimate is a lower
    # bound.
    shared = [str(piece) for piece in takewhile(lambda piece: isinstance(piece, str), pieces)]
    shared_tokens = estimated("".join(shared))
    tokens = system_tokens + estimated(before) + shared_tokens
    long = cache_from is not None and tokens >= cache_from
    if long and shared_tokens >= _WORTH_A_BLOCK:
        before += text_block("".join(shared))
        pieces = pieces[len(shared) :]
    if long and before:
        before = with_mark(before)
    return RowPrompt(places=tuple(places), notices=tuple(notices), pieces=tuple(pieces), before=tuple(before))


def _field_of(path: Placeholder, rows: Rows) -> _Field | None:
    """Return a path as a field of the row, None where it begins at no column."""
    place = rows.place(path.name)
    steps, name = path.steps, path.source
    first = steps[0] if steps else None
    key = first.key if isinstance(first, Index) else first and first.name
    # There is no other way to such a column, also where a column is called `row`.
    only_way = isinstance(key, str) and not key.isidentifier() and key in rows.names
    if path.name == ROW and (place is None or only_way):
        if first is None:
            if len(set(rows.names)) < len(rows.names):
                # They would be one field of the JSON.
                for each in rows.names:
                    rows.place(each)
            return _Field(ROW, None, None, Placeholder(source=ROW, name=ROW))
        place = rows.place(str(key))
        if place is None:
            raise _no_column(str(key), rows)
        steps = steps[1:]
        name = path.source if steps else rows.names[place]
    if place is None:
        return None
    rest = Placeholder(source=path.source, name=path.name, steps=steps)
    return _Field(name, place, rows.names[place], rest, bare=rows.is_temporal(place))


def _notices(path: Placeholder, field: _Field, rows: Rows, scope: Scope) -> Iterator[str]:
    """Yield what the user should know of a field: what it leaves out, and what else its name might mean."""
    written = f"{{{{ {path.source} }}}}"
    if field.place is None and rows.index:
        levels = ", ".join(quote(level, 40) for level in rows.index)
        yield (
            f"The index ({levels}) is not part of {{{{ {ROW} }}}}: assign the table with .reset_index() to a variable, "
            "and use that."
        )
    if field.place is not None and (missing := rows.missing(field.place)):
        have = "rows have" if missing > 1 else "row has"
        yield f"{missing:,} {have} no value in {written}; null is sent for it."
    if path.name in scope.names and path.name != ROW:
        yield f"{written} is the column of the table, not the variable of the same name."


def _no_column(name: str, rows: Rows, variables: Sequence[str] = ()) -> OptionError:
    near = nearest(name, [*rows.names, *variables])
    hint = f"Did you mean {{{{ {_written(near)} }}}}? " if near else ""
    what = "neither a column nor a variable" if variables else "no column"
    return OptionError(
        f"There is {what} {quote(name, 60)!r}.",
        cure=index_cure(rows.native, name)
        or spelled("{}Columns: {}. {}.", hint, _listed(rows.names), LITERALLY),
    )


def _written(name: str) -> str:
    """Return the path that names a column."""
    return name if name.isidentifier() else f"{ROW}[{name!r}]"


def _listed(names: Sequence[str]) -> str:
    return (", ".join(quote(name, 40) for name in names[:8]) or "none") + (", ..." if len(names) > 8 else "")
