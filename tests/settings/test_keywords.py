"""What an editor and a type checker know of the keywords is what the registry takes."""

from __future__ import annotations

import inspect
import typing

import pytest
from journals import client
from typing_extensions import get_type_hints

from vertex_claude_magic import Claude
from vertex_claude_magic.chats.chat import Chat
from vertex_claude_magic.notebook.python_calls import keywords_of
from vertex_claude_magic.settings.keywords import (
    AskKeywords,
    BatchKeywords,
    ChatKeywords,
    MapKeywords,
    QuestionKeywords,
)
from vertex_claude_magic.vertex.reply import Reply

TAKEN = [
    (Claude, AskKeywords),
    (Claude.ask, AskKeywords),
    (Claude.stream, AskKeywords),
    (Claude.count, AskKeywords),
    (Claude.request, AskKeywords),
    (Claude.compare, QuestionKeywords),
    (Claude.map, MapKeywords),
    (Claude.batch, BatchKeywords),
    (Chat.ask, ChatKeywords),
    (Chat.stream, ChatKeywords),
]
each = pytest.mark.parametrize(("function", "kind"), TAKEN, ids=[row[0].__qualname__ for row in TAKEN])


def parameters(function) -> typing.Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def hints(kind: type) -> dict[str, object]:
    return get_type_hints(kind, localns={"Reply": Reply})


@each
def test_the_signature_takes_what_the_function_takes(function, kind):
    """By keyword: what is a parameter of its own is not among them."""
    assert parameters(function)["options"].annotation == f"Unpack[{kind.__name__}]"
    assert hints(kind).keys() == keywords_of(function).keys() - parameters(function).keys()


@each
def test_words_and_types_are_those_of_the_registry(function, kind):
    """Every option may be None, which gives nothing."""
    types = {"flag": bool, "number": float, "integer": int}
    for name, row in keywords_of(function).items():
        if name in parameters(function):
            continue
        taken = typing.get_args(hints(kind)[name])
        words = [typing.get_args(part) for part in taken if typing.get_origin(part) is typing.Literal]
        assert words == ([row.words] if row.words else []), name
        assert row.kind not in types or taken == (types[row.kind], type(None)), name


def test_a_comparison_is_typed_as_what_it_returns(claude_emulator):
    """So that an editor knows `df`, `labels` and `errors`, and a type checker takes them."""
    replies = client(claude_emulator).compare("Hi", ["haiku", "sonnet"])
    assert inspect.signature(Claude.compare).return_annotation == type(replies).__name__
    assert isinstance(replies, list)
    assert (replies.labels, replies.errors, len(replies.df)) == (("haiku", "sonnet"), (None, None), 2)
