"""Text for one line: numbers with their noun; foreign text without secrets, control characters or great length."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from vertex_claude_magic.secret_forms import without_secrets

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = [
    "alternatives",
    "character_name",
    "message_of",
    "nearest",
    "number_of",
    "on_line",
    "quote",
    "quote_path",
    "reason_of",
    "trimmed",
    "with_home",
    "without_home",
]

# What editors and web pages leave around a value and nobody sees: marks of order, joiners, directions.
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u00ad"
_QUOTE_LIMIT = 200
# Anything that could move the cursor, hide text or reverse it: C0, C1, zero width, bidi, tags, surrogates. Not
# compiled here, because what is quoted is mostly an error.
_UNPRINTABLE = (
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]+"
)


def quote(text: str, limit: int = _QUOTE_LIMIT) -> str:
    """Make foreign text fit for one line of an error: no secret, no control characters, at most `limit` characters.

    >>> quote("first\\nsecond \\x1b[31mred"), quote("AKIAIOSFODNN7EXAMPLE")
    ('first second [31mred', '[an AWS access key, not shown]')
    >>> quote("x" * 300)[-3:]
    'xx…'
    """
    flat = " ".join(re.sub(_UNPRINTABLE, " ", without_secrets(text[: limit * 8])).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def number_of(count: int, noun: str) -> str:
    """Return a number with its noun, which gets an s unless it is one.

    >>> number_of(1, "row"), number_of(2_000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def alternatives(words: Sequence[str]) -> str:
    """Return words to choose from, as a sentence has them.

    >>> alternatives(["us", "eu"]), alternatives(["global", "us", "eu"])
    ('us or eu', 'global, us or eu')
    """
    *before, last = words
    return f"{', '.join(before)} or {last}" if before else last


def nearest(name: str, known: Collection[str], *, cutoff: float = 0.6) -> str:
    """Return the known name that was probably meant by one that does not exist; empty where none is like it.

    Args:
        name: The name that does not exist; it may be anybody's.
        known: Those that do.
        cutoff: How alike they must be, from 0 to 1.

    >>> nearest("lock", ["locks", "limits"]), nearest("DF", ["df"]), nearest("x", ["locks"])
    ('locks', 'df', '')
    """
    # Imported only here, because hardly any question has a name that does not exist.
    import difflib

    # Comparing takes quadratic time.
    alike = difflib.get_close_matches(name[:80], known, n=1, cutoff=cutoff)
    return next(iter(alike or [each for each in known if each.lower() == name.lower()]), "")


def on_line(value: str) -> str:
    """Return a value as it is written behind an option: in quotes where it needs them.

    >>> on_line("stats"), on_line("my stats")
    ('stats', '"my stats"')
    """
    if re.fullmatch(r"[\w.@-]+", value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def trimmed(value: str, also: str = "") -> str:
    """Return a value without the blanks, line ends and invisible characters around it, and without others.

    >>> trimmed(" my-project\\n"), trimmed("\\ufeffglobal"), trimmed("' a'", "'")
    ('my-project', 'global', 'a')
    """
    before = None
    while before != value:
        before, value = value, value.strip().strip(_INVISIBLE + also)
    return value


def character_name(character: str) -> str:
    """Return what a character is called that nobody sees.

    >>> character_name("\\n"), character_name("\\u200b"), character_name("\\x07")
    ('line feed', 'zero width space', 'character U+0007')
    """
    common = {"\n": "line feed", "\r": "carriage return", "\t": "tab", " ": "blank"}
    if character in common:
        return common[character]
    # Imported only here, because hardly any value has such a character.
    import unicodedata

    return unicodedata.name(character, "").lower() or f"character U+{ord(character):04X}"


def quote_path(path: str, limit: int = 160) -> str:
    """Make a path fit for one line of an error; of a long one the end is shown, which people know it by.

    >>> quote_path("/a/very/long/way/to/key.json", 12)
    '…to/key.json'
    """
    flat = quote(path, max(limit, len(path)))
    return flat if len(flat) <= limit else f"…{flat[1 - limit :]}"


def with_home(path: str | os.PathLike[str]) -> str:
    """Return a path with the home folder that `~` stands for; where there is none, as it is, and pathlib would raise.

    >>> with_home("~nobody-of-this-name/a.txt")
    '~nobody-of-this-name/a.txt'
    """
    return os.path.expanduser(path)  # noqa: PTH111


def without_home(path: str, home: str | None = None) -> str:
    """Return a path with `~` for the user's home folder: notebooks are passed on, and it names who made them.

    >>> without_home("/home/me/a.ipynb", home="/home/me"), without_home("/home/meg/a.ipynb", home="/home/me")
    ('~/a.ipynb', '/home/meg/a.ipynb')
    """
    folder = home if home is not None else with_home("~")
    if not folder.strip("/~\\"):
        return path
    return re.sub(rf"(?<![\w.-]){re.escape(folder)}(?![\w.-])", "~", path)


def reason_of(error: BaseException) -> str:
    """Return what an exception says, of the operating system's only its words, without number and path.

    >>> reason_of(FileNotFoundError(2, "No such file or directory", "a.txt"))
    'No such file or directory'
    """
    return getattr(error, "strerror", None) or str(error)


def message_of(error: BaseException) -> str:
    """Return what an exception of the user's own says; even that may fail.

    >>> message_of(ValueError("no"))
    'no'
    """
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - its message may raise anything
        return "(no message)"
