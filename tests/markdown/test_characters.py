"""Characters that cannot be seen: taken out of prose and of the terminal, and named."""

from __future__ import annotations

import pytest

from vertex_claude_magic.markdown.sanitize import hidden_characters, safe_markdown, safe_plain

# Text, and what a terminal gets to see of it.
TERMINAL = {
    "colour": ("\x1b[31mred\x1b[0m", "red"),
    "clear-screen": ("a\x1b[2J\x1b[Hb", "ab"),
    "clipboard": ("a\x1b]52;c;ZXZpbA==\x07b", "ab"),
    "hyperlink": ("\x1b]8;;http://evil.example\x1b\\text\x1b]8;;\x1b\\", "text"),
    "c1-csi": ("a\x9b31mb\x9d52;x\x9cc", "abc"),
    "device-string": ("a\x1bPq#0\x1b\\b\x1b_x\x1b\\c\x1b^y\x1b\\d", "abcd"),
    "unclosed-string": ("a\x1b]0;title that never ends", "a0;title that never ends"),
    "nested-escape": ("a\x1b\x1b[31m[32mb", "a[32mb"),
    "charset": ("a\x1b(0b\x1bcc", "abc"),
    "bell-and-backspace": ("a\x07b\x08c\x00d\x7fe", "abcde"),
    "carriage-return": ("safe\rEVIL\r\nnext", "safe\nEVIL\nnext"),
    "bidi": ("\u202egnp.exe \u2066x\u2069", "gnp.exe x"),
    "zero-width": ("pass\u200bw\u2060or\ufeffd\u00ad", "password"),
    "tags": ("hi" + "".join(chr(0xE0000 + ord(char)) for char in "steal"), "hi"),
    "variation-selectors": ("a\U000e0100\U000e0101\ufe01b", "ab"),
    "surrogate": ("a\ud800b", "a\ufffdb"),
    "kept": ("a\n\tb é 日本 ~\\", "a\n\tb é 日本 ~\\"),
    "emoji": ("👩\u200d💻 ❤\ufe0f 1\ufe0f\u20e3", "👩\u200d💻 ❤\ufe0f 1\ufe0f\u20e3"),
    "persian-and-hindi": ("می\u200cخواهم क्\u200dष", "می\u200cخواهم क्\u200dष"),
    "joiner-in-latin": ("pay\u200cpal\u200d", "paypal"),
}

SHOWN = [name for name in TERMINAL if name not in {"carriage-return", "kept"}]


@pytest.mark.parametrize("name", TERMINAL)
def test_a_terminal_gets_only_what_can_be_seen(name: str) -> None:
    """Case 57: no sequence that drives the terminal and no hidden character is printed."""
    source, expected = TERMINAL[name]
    assert safe_plain(source) == expected


@pytest.mark.parametrize("name", SHOWN)
def test_markdown_holds_no_control_characters(name: str) -> None:
    """Case 57: prose on the page has no controls, direction marks, tags and zero-width characters."""
    shown = safe_markdown(TERMINAL[name][0])
    assert hidden_characters(shown) == ()
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("plain \t\r\n text é 👩\u200d💻", ()),
        ("a\u202eb\u202e", ("RIGHT-TO-LEFT OVERRIDE (U+202E)",)),
        ("a\u200bb\x1b", ("ZERO WIDTH SPACE (U+200B)", "ESCAPE (U+001B)")),
        ("\U000e0041", ("TAG LATIN CAPITAL LETTER A (U+E0041)",)),
        ("\x01", ("CONTROL CHARACTER (U+0001)",)),
    ],
)
def test_hidden_characters_are_named_once(text: str, names: tuple[str, ...]) -> None:
    """Case 57: what a reader cannot see is named, for a warning."""
    assert hidden_characters(text) == names


@pytest.mark.parametrize(
    "sign", ["\x1b", "\x1b[", "\x1b]", "\x9b", "\x9d", "\u200d", "\x00", "\r", "\x1b]\x1b\\"]
)
def test_very_many_hidden_characters_do_not_hang(sign: str) -> None:
    """Case 55: quadratic work would take minutes; benchmarks/linear.py measures that it is linear in a million."""
    text = sign * (200_000 // len(sign))
    safe_plain(text)
    hidden_characters(text)
