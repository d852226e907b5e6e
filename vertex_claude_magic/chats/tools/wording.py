"""How a call is written for people, and what went wrong with it for the model."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.chats.tools.function import ArgumentsInvalid
from vertex_claude_magic.markdown.characters import visible
from vertex_claude_magic.text import message_of, quote

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["call_in_full", "call_text", "error_text"]

_LONGEST_VALUE, _LONGEST, _LONGEST_ERROR = 60, 160, 1_000
# Bytes of a call that somebody is to allow, and of the count of what is left out of an argument: a page holds the call
# twice, as Markdown and as plain text, in a message of 8,000.
_READ, _COUNT, _LEAST = 3_000, 32, 16
# Signs that are shown as blanks: Braille without dots, and a note without a head.
_BLANK = "\u2800\U0001d159"
_MANY_BLANKS = re.compile(r" {21,}")
# The folders of an absolute path, in quotes (where names may hold spaces) or bare. A URL has a word, `:` or `/` before.
_START = r"(?<![\w:/.\\])(?:~|[A-Za-z]:)?[\\/]+"
_FOLDERS = re.compile(
    rf"""(?<=')(?:~|[A-Za-z]:)?[\\/][^'\n]*[\\/](?=[^'\n]*')|(?<=")(?:~|[A-Za-z]:)?[\\/][^"\n]*[\\/](?=[^"\n]*")"""
    rf"""|{_START}(?:[^\s'"<>:|*?\\/]+[\\/]+)+"""
)


def call_text(name: str, arguments: Mapping[str, Any]) -> str:
    """Return a call on one line, with long values cut.

    >>> call_text("mean", {"column": "mass", "n": 3})
    'mean(column="mass", n=3)'
    """
    values = (
        f"{key}={quote(json.dumps(value, ensure_ascii=False, default=str), _LONGEST_VALUE)}"
        for key, value in arguments.items()
    )
    return quote(f"{name}({', '.join(values)})", _LONGEST)


def call_in_full(name: str, arguments: Mapping[str, Any]) -> str:
    r"""Return a call as somebody reads it who is to allow it: one line in which every character can be seen.

    Only what takes more than 3,000 bytes is cut, with the count of what is left out. Arguments share that length, so
    that none can push another one out.

    >>> call_in_full("run", {"sql": "SELECT 1;\n", "path": "a" + chr(0x202E) + "b"})
    'run(sql="SELECT 1;\\n", path="a\\u202eb")'
    """
    values = list[str]()
    for key, value in arguments.items():
        text = f"{key}={json.dumps(value, ensure_ascii=False, default=str)}"
        # Many blanks would move what is behind them out of sight.
        text = _MANY_BLANKS.sub(lambda found: f" … ({len(found[0]):,} blanks) … ", text)
        # What cannot be seen is written as JSON writes it, also where a script or an emoji needs it.
        values.append(
            "".join(
                each
                if each.isprintable() and each not in _BLANK and visible(each) == each
                else json.dumps(each)[1:-1]
                for each in text
            )
        )
    if sum(map(_bytes, values)) > _READ:
        share = max(_READ // len(values) - _COUNT, _LEAST)
        values = [_cut(value, share) for value in values]
    return f"{name}({_cut(', '.join(values), _READ)})"


def _cut(text: str, most: int) -> str:
    if _bytes(text) <= most:
        return text
    end = bisect_right(range(min(len(text), most)), most, key=lambda at: _bytes(text[:at])) - 1
    return f"{text[:end]}… ({len(text) - end:,} characters more)"


def _bytes(text: str) -> int:
    """Count what a text takes in a message where a line end in it begins another line, which is indented."""
    return len(json.dumps(text, ensure_ascii=False).encode()) + 6 * text.count("\\n")


def error_text(error: BaseException) -> str:
    """Return what the model reads of an exception: type and message, without the folders of this machine.

    >>> error_text(FileNotFoundError(2, "No such file", "/home/me/data/a.csv"))
    "FileNotFoundError: [Errno 2] No such file: 'a.csv'"
    """
    text = message_of(error)[: 10 * _LONGEST_ERROR]
    # The words of the check of arguments are ours.
    named = text if isinstance(error, ArgumentsInvalid) else f"{type(error).__name__}: {text}"
    return _FOLDERS.sub("", named)[:_LONGEST_ERROR]
