"""Reads a JSON text while it grows, so that rows can be shown before the last one has come.

What is broken gives no more rows; the whole text is judged when it is there.
"""

# `pydantic_core.from_json(allow_partial=...)` is not a substitute: it does not tell whether the last row is whole,
# reads all from the beginning for each piece, refuses a list of which one row is broken, keeps one of two equal names,
# and finds nothing behind prose.

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.answers.read import DECODER

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Growing"]

_LISTS = ("items", "rows")
_OPENING = re.compile(r"[\[{]")
_SPACE = re.compile(r"\s*")
# A number, true, false or null, as far as it has come.
_SCALAR = re.compile(r"[\w.+-]+")
_CLOSING = {'"': '"', "[": "]", "{": "}"}
# What may be between the place of an error and the end of a text that is not broken, only cut.
_CUT = re.compile(r"\s*[\w.+-]*")


class Growing:
    """A JSON text that grows: the elements of its list, or the fields of its object, as they become whole.

    The list is the root itself, or is under the key `items` or `rows` of the root object. A code fence or
    prose in front is passed over.

    >>> growing = Growing()
    >>> growing.feed('{"items": [{"a": 1}, {"a"')
    >>> growing.rows()
    [{'a': 1}]
    """

    def __init__(self) -> None:
        self._rows: list[Any] = []
        self._fields: list[tuple[str, Any]] = []
        # Whether a value has been read, so that the bracket before it was none in the prose.
        self._begun = False
        # What has come, and how far it has been read.
        self._text = ""
        self._at = 0
        self._reader = self._read()

    def feed(self, delta: str) -> None:
        """Take more text in."""
        self._text, self._at = self._text[self._at :] + delta, 0
        next(self._reader, None)

    def rows(self) -> list[Any]:
        """Return the elements of the list that have become whole since the last call."""
        found, self._rows = self._rows, []
        return found

    def fields(self) -> list[tuple[str, Any]]:
        """Return the fields of the root object, but its list, that have become whole since the last call."""
        found, self._fields = self._fields, []
        return found

    # Each of the following yields where it needs more text, and raises ValueError where the text is not JSON.

    def _read(self) -> Generator[None]:
        while not self._begun:
            opening = _OPENING.search(self._text, self._at)
            self._at = len(self._text) if opening is None else opening.end()
            if opening is None:
                yield
                continue
            try:
                yield from self._list() if opening[0] == "[" else self._object()
            except ValueError:
                # Where nothing was read, it was a bracket in the prose, and the data come later.
                continue
            except RecursionError:
                # Deeper than Python reads, and the brackets in it are not the answer.
                return

    def _list(self) -> Generator[None]:
        end = yield from self._first()
        self._at += end == "]"
        while end != "]":
            row = yield from self._value()
            end = yield from self._mark(",]")
            self._rows.append(row)

    def _object(self) -> Generator[None]:
        end = yield from self._first()
        while end != "}":
            key = yield from self._value()
            yield from self._mark(":")
            if not isinstance(key, str):
                raise ValueError(key)  # noqa: TRY004 - as for anything that is not JSON
            if key in _LISTS and (yield from self._first()) == "[":
                self._at += 1
                yield from self._list()
                end = yield from self._mark(",}")
            else:
                value = yield from self._value()
                end = yield from self._mark(",}")
                self._fields.append((key, value))

    def _first(self) -> Generator[None, None, str]:
        """Return the next character that is not a space, and read on up to it."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr] # it can match nothing
            if self._at < len(self._text):
                return self._text[self._at]
            yield

    def _mark(self, marks: str) -> Generator[None, None, str]:
        """Return the next character, which has to be one of these, and read on behind it."""
        mark = yield from self._first()
        self._at += 1
        if mark not in marks:
            raise ValueError(mark)
        return mark

    def _value(self) -> Generator[None, None, Any]:
        """Return the next value once it is whole, and read on behind it."""
        first = yield from self._first()
        closing, seen = _CLOSING.get(first), 1
        while True:
            # It is decoded again only when the mark has come that may end it; the digits of a number may go on.
            if closing is None:
                may_be_whole = not _SCALAR.fullmatch(self._text, self._at)
            else:
                may_be_whole = closing in self._text[self._at + seen :]
            if may_be_whole:
                try:
                    value, self._at = DECODER.raw_decode(self._text, self._at)
                except json.JSONDecodeError as error:
                    in_string = error.msg.startswith(("Unterminated string", "Invalid \\uXXXX escape"))
                    if not in_string and not _CUT.fullmatch(self._text, error.pos):
                        # A bracket in the prose has no quotation mark before that place.
                        self._begun = self._begun or '"' in self._text[self._at : error.pos]
                        raise
                else:
                    self._begun = True
                    return value
            seen = len(self._text) - self._at
            yield
