"""Reads a JSON text while it grows, so that rows can be shown before the last one has come.

One pass over the text: strings, escapes and depth are followed, and each element that is whole is
decoded by itself. What is broken gives no more rows; the whole text is judged when it is there.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

__all__ = ["Growing"]

_LISTS = ("items", "rows")
_UNREAD = object()
_OPENING = re.compile(r"[\[{]")
_MARK = re.compile(r'["\[\]{},:]')
_DEEP_MARK = re.compile(r'["\[\]{}]')
_STRING_MARK = re.compile(r'["\\]')
_PAIRS = {"]": "[", "}": "{"}


class Growing:
    """A JSON text that grows: the elements of its list, or the fields of its object, as they become whole.

    The list is the root itself, or stands under the key `items` or `rows` of the root object. A code fence or
    prose in front is passed over.

    >>> growing = Growing()
    >>> growing.feed('{"items": [{"a": 1}, {"a"')
    >>> growing.rows()
    [{'a': 1}]
    """

    def __init__(self) -> None:
        self._rows: list[Any] = []
        self._fields: list[tuple[str, Any]] = []
        # The brackets that are open, and what has come of the element, key or value that is being read.
        self._stack: list[str] = []
        self._piece: list[str] = []
        self._key: str | None = None
        self._listing = False
        self._listed = False
        self._given = False
        self._in_string = False
        self._escaped = False
        self._over = False

    def feed(self, delta: str) -> None:
        """Take more text in."""
        start = at = 0
        while not self._over and at < len(delta):
            if self._in_string:
                at = self._string(delta, at)
                continue
            found = self._next_mark().search(delta, at)
            if found is None:
                break
            at = found.end()
            if self._mark(found[0], delta[start : at - 1] if self._ends(found[0]) else None):
                start = at
        if self._stack and not self._over:
            self._piece.append(delta[start:])

    def rows(self) -> list[Any]:
        """Return the elements of the list that have become whole since the last call."""
        found, self._rows = self._rows, []
        return found

    def fields(self) -> list[tuple[str, Any]]:
        """Return the fields of the root object, but its list, that have become whole since the last call."""
        found, self._fields = self._fields, []
        return found

    def _next_mark(self) -> re.Pattern[str]:
        if not self._stack:
            return _OPENING
        return _MARK if len(self._stack) <= self._depth else _DEEP_MARK

    @property
    def _depth(self) -> int:
        """How many brackets are open around what is given out."""
        return 2 if self._listing else 1

    def _string(self, delta: str, at: int) -> int:
        """Read on in a string; return where to go on."""
        if self._escaped:
            self._escaped = False
            return at + 1
        found = _STRING_MARK.search(delta, at)
        if found is None:
            return len(delta)
        self._escaped = found[0] == "\\"
        self._in_string = self._escaped
        return found.end()

    def _ends(self, mark: str) -> bool:
        """Whether a mark ends a piece: an element, a key or a value."""
        if len(self._stack) != self._depth:
            return False
        if mark == "[":
            return self._in_object and self._key in _LISTS
        return mark in "]}," or (mark == ":" and self._stack == ["{"] and self._key is None)

    def _mark(self, mark: str, last: str | None) -> bool:
        """Act upon a mark that stands outside of strings; tell whether a new piece begins behind it."""
        if last is not None:
            self._piece.append(last)
        if mark == '"':
            self._in_string = True
        elif mark in "[{":
            return self._open(mark, opens_list=last is not None)
        elif mark in _PAIRS:
            self._close(mark, ends=last is not None)
        elif mark == ":" and last is not None:
            self._set_key()
        elif mark == "," and last is not None:
            self._give()
        return last is not None

    def _open(self, mark: str, *, opens_list: bool) -> bool:
        if opens_list and self._pending:
            self._stop()
            return False
        self._stack.append(mark)
        self._listing = self._listing or opens_list
        if len(self._stack) == 1 or opens_list:
            self._piece.clear()
            return True
        return False

    def _close(self, mark: str, *, ends: bool) -> None:
        if self._stack[-1] != _PAIRS[mark]:
            self._stop()
            return
        # Nothing stands in front of the end of an empty list or object.
        if ends and self._pending:
            self._give()
        if not self._stack:
            return
        self._stack.pop()
        if ends and self._listing:
            self._listing, self._listed = False, True
        elif not self._stack:
            self._stop()

    def _give(self) -> None:
        """Give out the element or the value that has ended."""
        if self._listed:
            # The list has been given out; nothing but space may stand behind it.
            if self._pending:
                self._stop()
            self._piece.clear()
            self._listed, self._key = False, None
            return
        value = self._decoded()
        if value is _UNREAD or (self._in_object and self._key is None):
            self._stop()
            return
        self._given = True
        if self._in_object and self._key is not None:
            self._fields.append((self._key, value))
            self._key = None
        else:
            self._rows.append(value)

    @property
    def _pending(self) -> bool:
        """Whether anything but space has come since the last piece."""
        return any(piece.strip() for piece in self._piece)

    @property
    def _in_object(self) -> bool:
        return self._stack == ["{"]

    def _set_key(self) -> None:
        key = self._decoded()
        if isinstance(key, str):
            self._key = key
        else:
            self._stop()

    def _stop(self) -> None:
        """End; but where nothing was given out, it was a bracket in the prose, and the data come later."""
        self._over = self._given
        self._stack.clear()
        self._piece.clear()
        self._key, self._listing, self._listed = None, False, False

    def _decoded(self) -> Any:
        text = "".join(self._piece)
        self._piece.clear()
        try:
            return _DECODER.decode(text.strip())
        except (ValueError, RecursionError):
            return _UNREAD


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
