"""The errors themselves: one tree, one line each, and safe to pickle, copy and show."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from vertex_claude_magic import errors
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.reply import Reply

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, BaseException) and value.__module__ == errors.__name__
]
KINDS = [kind for kind in CLASSES if issubclass(kind, errors.ClaudeError)]
NAMES = {kind.__qualname__ for kind in CLASSES}
HOSTILE = "first\nsecond\r\x1b[2J\x07\u202e\u2028\U000e0041 " + "<script>" * 1000
PARTIAL = Reply(blocks=({"type": "text", "text": "half"},))


def tree(text: str) -> dict[str, str]:
    """Each class of the drawn tree with the one that it hangs from."""
    above: list[str] = []
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not (match := re.match(r"    ([│├└─ ]*)([A-Z]\w+)", line)):
            continue
        depth = len(match[1]) // 4
        above[depth:] = [match[2]]
        found[match[2]] = above[depth - 1] if depth else ""
    return found


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    """Tripwire: a new class has its place in the drawing, and in __all__."""
    drawn = tree(errors.__doc__ or "")
    assert set(drawn) == NAMES == set(errors.__all__)
    for kind in KINDS:
        parents = [base.__qualname__ for base in kind.__bases__ if base.__qualname__ in NAMES]
        assert [drawn[kind.__qualname__]] == (parents or [""])


def test_all_names_are_sorted_and_there():
    """As a reader looks for them."""
    assert errors.__all__ == sorted(errors.__all__)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_says_what_happened_and_then_what_to_do(kind):
    """In one line, for str and in a notebook."""
    error = kind("It broke.", cure="Mend it.", details={"status": 503, "request_id": "r"}, reply=PARTIAL)
    assert str(error) == "It broke. Mend it."
    assert error._render_traceback_() == [f"{kind.__name__}: It broke. Mend it."]
    assert (error.message, error.cure, error.reply) == ("It broke.", "Mend it.", PARTIAL)
    assert (error.status, error.request_id) == (503, "r")
    assert kind.__doc__


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_cannot_be_made_without_a_cure(kind):
    """Nobody is left with a message alone."""
    with pytest.raises(TypeError):
        kind("It broke.")


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_text_stays_one_bounded_line(kind):
    """Whoever made the message."""
    error = kind(HOSTILE, cure=HOSTILE)
    (line,) = error._render_traceback_()
    for text in (str(error), line):
        assert text.isprintable()
        assert len(text) <= 840


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))],
                         ids=["copy", "deepcopy", "pickle"])  # fmt: skip
def test_an_error_survives_pickling_and_copying(kind, twin):
    """With its cure, its details and the partial reply."""
    error = kind("It broke.", cure="Mend it.", details={"status": 400}, reply=PARTIAL)
    other = twin(error)
    assert type(other) is kind
    assert (str(other), other.cure, other.details, other.reply) == (
        str(error),
        "Mend it.",
        {"status": 400},
        PARTIAL,
    )


@pytest.mark.parametrize("reply", [None, Reply(), PARTIAL], ids=["nothing", "an empty reply", "half a reply"])
def test_an_interrupt_is_a_keyboard_interrupt_with_the_partial_reply(reply):
    """So that Run All stops; it is shown under the name that users know."""
    interrupt = errors.ClaudeInterrupt(reply)
    assert isinstance(interrupt, KeyboardInterrupt)
    assert not isinstance(interrupt, Exception)
    kept = reply is PARTIAL
    assert ("saved" in str(interrupt)) is kept
    assert interrupt._render_traceback_() == [f"KeyboardInterrupt: {interrupt}"]
    twin = pickle.loads(pickle.dumps(interrupt))
    assert (twin.reply, str(twin)) == (reply, str(interrupt))
    assert copy.copy(interrupt).reply == reply


STANDARD = [
    (errors.OptionError, ValueError),
    (errors.MissingExtra, ImportError),
    (errors.DeadlineExceeded, TimeoutError),
    (errors.ClaudeInterrupt, KeyboardInterrupt),
]


@pytest.mark.parametrize(("kind", "standard"), STANDARD)
def test_errors_with_a_name_in_python_are_that_too(kind, standard):
    """Code that knows nothing of us catches them."""
    assert issubclass(kind, standard)


QUOTED = [
    ("plain", "plain"),
    ("  a \t b\r\n c ", "a b c"),
    ("", ""),
    ("\x1b]52;c;ZXZpbA==\x07", "]52;c;ZXZpbA=="),
    ("a\u200bb\u202ec\u2066d\ufeffe", "a b c d e"),
    ("a\ud800b", "a b"),
    ("a\U000e0041b", "a b"),
    ("Größe 🙂", "Größe 🙂"),
    ("x" * 201, "x" * 199 + "…"),
    ("x" * 200, "x" * 200),
    ("\n" * 10_000_000 + "x", ""),
]


@pytest.mark.parametrize(("text", "shown"), QUOTED, ids=[ascii(row[0][:12]) for row in QUOTED])
def test_quoted_text_is_short_and_cannot_move_the_cursor(text, shown):
    """Control, zero-width, bidirectional and tag characters and surrogates become spaces."""
    assert quote(text) == shown
