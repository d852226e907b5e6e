"""Characters that a reader cannot see, and what becomes of them.

A model, or the data it was given, can carry control sequences that drive a terminal, marks that turn the
direction of reading, and characters with no width at all that hide text from a human. This module names
them, takes them out of prose, and makes text safe to print.
"""

from __future__ import annotations

import functools
import re

__all__ = ["hidden_characters", "replace_invalid", "safe_plain", "visible", "with_newlines"]

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# C0 and C1 without tab and line feed, which shape plain text.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_HIDDEN = f"{_CONTROLS}{_INVISIBLE}\u2028\u2029"
_INVALID = "\x00\ud800-\udfff"
# Most text is plain ASCII: one quick search spares the sets above.
_NOT_ASCII_TEXT = re.compile(r"[^\n\t\x20-\x7e]")

# Escape sequences of ECMA-48 (5th edition, 1991): CSI; OSC, DCS, SOS, PM and APC strings with their
# terminator; then any other two-character escape. A string without its end loses only its introducer.
# A text, compiled by the first that is met.
_SEQUENCE = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x80-\x9f\n]{0,4096}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
# Scripts that join letters (Arabic to Sinhala, Thai to Myanmar, Khmer and Mongolian, Arabic forms);
# pictographs that are joined to one another; what may carry a variation selector.
_JOINING = "\u0600-\u0dff\u0e00-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefc"
_PICTURES = "\u00a9\u00ae\u203c-\u3299\ufe0f\U0001f000-\U0001faff"
_VARIABLE = "0-9#*\u00a9\u00ae\u2030-\u9fff\uf900-\ufaff\U0001f000-\U0003ffff"
_ZWNJ, _ZWJ = "\u200c", "\u200d"


def with_newlines(text: str) -> str:
    r"""Return the text with one kind of line end, because parsers disagree about a lone CR.

    >>> with_newlines("a\r\nb\rc")
    'a\nb\nc'
    """
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def replace_invalid(text: str) -> str:
    """Put U+FFFD in the place of NUL and of surrogates, which no UTF-8 message can carry.

    >>> replace_invalid("a" + chr(0xD800) + "b")
    'a\ufffdb'
    """
    return text if text.isascii() and "\0" not in text else _one_of(_INVALID).sub("\ufffd", text)


@functools.cache
def _one_of(ranges: str) -> re.Pattern[str]:
    """Compile a set when it is first met: few answers need these, and large sets take a millisecond."""
    return re.compile(f"[{ranges}]")


def _wanted(text: str, at: int) -> bool:
    """Say whether the hidden character at this place shapes what is seen (scripts and emoji need some)."""
    char = text[at]
    before = text[at - 1] if at else ""
    # A family or a flag of several pictographs is one character to the reader only with its joiners.
    if char == _ZWJ and _one_of(_PICTURES).match(before):
        return True
    if char in {_ZWJ, _ZWNJ}:
        return bool(_one_of(_JOINING).match(before))
    return "\ufe00" <= char <= "\ufe0f" and bool(_one_of(_VARIABLE).match(before))


def _replacement(found: re.Match[str]) -> str:
    char = found[0]
    if char in "\x0b\x0c\x85\u2028\u2029\r":
        return " "
    return char if _wanted(found.string, found.start()) else ""


def visible(text: str) -> str:
    """Take the characters that cannot be seen out of prose; other line separators become a space.

    Source of the list: Unicode 15.0 (2022-09), properties Default_Ignorable_Code_Point and Bidi_Control.

    >>> visible("pass" + chr(0x200B) + "word" + chr(0x202E))
    'password'
    """
    return _one_of(_HIDDEN).sub(_replacement, text) if _NOT_ASCII_TEXT.search(text) else text


def safe_plain(text: str) -> str:
    r"""Return text that a terminal shows as it stands: no escape sequences, no hidden characters.

    Newlines and tabs stay; CRLF and lone CR become a newline; surrogates become U+FFFD. An escape sequence
    that is split between two pieces loses its escape character, so that its rest shows as harmless text.

    >>> safe_plain("\x1b[31mred\x1b[0m")
    'red'
    """
    if not _NOT_ASCII_TEXT.search(text):
        return text
    # A lone CR would let later text overwrite what is before it on the line.
    lines = with_newlines(text)
    if _one_of(_HIDDEN).search(lines):
        # Each sequence begins with a character that is hidden.
        lines = visible(re.sub(_SEQUENCE, "", lines))
    return replace_invalid(lines)


def hidden_characters(text: str) -> tuple[str, ...]:
    """Name the characters in the text that a reader cannot see, each once, in order of first appearance.

    Joiners and variation selectors that a script or an emoji needs are not reported.

    >>> hidden_characters("a" + chr(0x202E) + "b")
    ('RIGHT-TO-LEFT OVERRIDE (U+202E)',)
    """
    if not _NOT_ASCII_TEXT.search(text):
        return ()
    lines = text.replace("\r\n", "\n")
    found = dict.fromkeys(m[0] for m in _one_of(_HIDDEN).finditer(lines) if not _wanted(lines, m.start()))
    if not found:
        return ()
    import unicodedata

    # Unicode gives control characters no names.
    control = {"\x1b": "ESCAPE", "\x00": "NULL", "\x07": "BELL", "\x08": "BACKSPACE", "\x7f": "DELETE"}
    return tuple(
        f"{unicodedata.name(char, '') or control.get(char, 'CONTROL CHARACTER')} (U+{ord(char):04X})"
        for char in found
    )
