"""What is given to the Python interface and cannot be taken is refused in one line that names it, with a cure."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from itertools import count

import pandas as pd
import pytest
from journals import client

from vertex_claude_magic import Claude, Reply, Request, Usage, errors
from vertex_claude_magic.chats.entry import Turn
from vertex_claude_magic.tables.progress import Progress
from vertex_claude_magic.transport.retry import RetryPolicy
from vertex_claude_magic.vertex.tool_call import ToolCall

NAMED = {
    "ask": lambda claude, names: claude.ask("{{ n }}", names=names),
    "stream": lambda claude, names: claude.stream("{{ n }}", names=names),
    "count": lambda claude, names: claude.count("{{ n }}", names=names),
    "request": lambda claude, names: claude.request("{{ n }}", names=names),
    "chat": lambda claude, names: claude.chat("talk").ask("{{ n }}", names=names),
    "compare": lambda claude, names: claude.compare("{{ n }}", ["haiku", "sonnet"], names=names),
    "map": lambda claude, names: claude.map(["a"], "{{ item }}", names=names, progress=False),
    "batch": lambda claude, names: claude.batch(["a"], "{{ item }}", to="gs://rows/run", names=names),
}


@pytest.mark.parametrize("names", [[1], "n", {"n"}, 5], ids=repr)
@pytest.mark.parametrize("ask", NAMED.values(), ids=NAMED)
def test_names_are_a_mapping(claude_emulator, ask, names):
    """Whether a template asks for one or not."""
    with pytest.raises(errors.OptionError) as caught:
        ask(client(claude_emulator), names)
    kind = type(names).__name__
    assert str(caught.value) == (
        f'names is of the type {kind}. Give a dict of names and values, such as names={{"n": n}}.'
    )
    assert claude_emulator.requests == []


@pytest.mark.parametrize("prompt", [["{{ item }}"], None, 5], ids=repr)
def test_the_prompt_of_a_table_is_one_text(claude_emulator, prompt):
    """Where `ask` takes a list of parts, too."""
    claude = client(claude_emulator)
    for ask in (
        lambda: claude.map(["a"], prompt, progress=False),
        lambda: claude.batch(["a"], prompt, to="gs://rows/run"),
    ):
        with pytest.raises(
            errors.OptionError, match=r"^The prompt of a table is of the type .* Give one text"
        ):
            ask()
    assert claude_emulator.requests == []


def test_a_policy_of_retries_is_no_file():
    """There is another policy, that of files, which is named elsewhere."""
    with pytest.raises(
        errors.OptionError, match=r"^policy is of the type str\. .*VERTEX_CLAUDE_POLICY names"
    ):
        Claude(policy="claude-policy.toml")


def test_what_varies_is_a_mapping(claude_emulator):
    """From the name of an option to its values."""
    with pytest.raises(errors.OptionError, match=r'^vary is of the type list\. .*vary={"effort"'):
        client(claude_emulator).compare("Hi", vary=["effort"])


@pytest.mark.parametrize("url", ["foo", "foo.example", "localhost:8000", "/v1", "https://"])
def test_an_address_without_a_host_is_told_as_that(url):
    """An empty host is no host that a token could have been meant for."""
    with pytest.raises(
        errors.UntrustedHost, match=r"^The base URL names no host, .*Write it as https://HOST/v1"
    ):
        Claude(base_url=url, access_token="emulator", project="p").ask("Hi")


@pytest.mark.parametrize(
    "kind", [Reply, Usage, Request, Turn, ToolCall, Progress], ids=lambda kind: kind.__name__
)
def test_a_value_refuses_to_be_changed_in_the_words_of_python(kind):
    """A field, a property and a name that it does not have; data classes with slots have no words for the last two."""
    value = object.__new__(kind)
    fields = [each.name for each in dataclasses.fields(kind)]
    properties = [name for name, _ in inspect.getmembers(kind, lambda each: isinstance(each, property))]
    for name in (*fields, *properties, "something"):
        for change in (lambda name=name: setattr(value, name, "x"), lambda name=name: delattr(value, name)):
            with pytest.raises(AttributeError, match=f"cannot (assign to|delete) field '{name}'"):
                change()


def test_a_progress_function_that_fails_is_told_once_and_the_run_goes_on(claude_emulator, caplog):
    """The answers are paid for. Where it fails is in the log."""
    calls = []

    def draw(progress: Progress) -> None:
        calls.append(progress)
        raise ZeroDivisionError("division by zero")

    # Each look at this clock is a second later, so that there is always something to draw.
    patient = RetryPolicy(credentials=1e9, connect=20)
    claude = client(claude_emulator, clock=count().__next__, policy=patient, timeout=1e9)
    table = claude.map([f"row {number}" for number in range(4)], "{{ item }}", progress=draw)
    assert [row["error"] for row in table] == [None] * 4
    assert len(calls) == 1
    told = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert [each.getMessage() for each in told] == [
        "progress= failed, so it is not called again: ZeroDivisionError('division by zero')"
    ]
    assert told[0].exc_info


NO_REPLY = [
    (5, "after is 5. Give the reply that this question follows: after=reply."),
    (["A text."], "after is ['A text.']. Give the reply that this question follows: after=reply."),
    (pd.DataFrame({"a": [1]}), "after is a 0 1. Give the reply that this question follows: after=reply."),
    ("first", "No variable named 'first'. Ask with Claude.ask first, then follow with after=reply."),
    ("n", "n is of the type int, not a Reply. Use what Claude.ask has returned: after=reply."),
]


@pytest.mark.parametrize(("after", "says"), NO_REPLY, ids=[type(row[0]).__name__ for row in NO_REPLY])
def test_what_is_no_reply_cannot_be_followed(claude_emulator, after, says):
    """Python gives the reply itself; a name is found among `names`."""
    with pytest.raises(errors.OptionError) as caught:
        client(claude_emulator).ask("Go on.", after=after, names={"n": 3})
    assert str(caught.value) == says
    assert claude_emulator.requests == []


@pytest.mark.parametrize("name", ["as_", "after", "system", "thinking", "model", "stop", "set"])
def test_a_table_in_place_of_a_value_is_refused_as_anything_else_is(claude_emulator, name):
    """Compared with anything, it is a table of answers, which is neither true nor false."""
    with pytest.raises(errors.OptionError):
        client(claude_emulator).ask("Hi", **{name: pd.DataFrame({"a": [1, 2]})})
    assert claude_emulator.requests == []


ENDLESS: dict[str, object] = {"type": "text", "text": "Hi"}
ENDLESS["more"] = [ENDLESS, ENDLESS]
HOLDING = {
    "a field": lambda claude: claude.ask("Hi", set={"metadata": ENDLESS}),
    "a field in a count": lambda claude: claude.count("Hi", set={"metadata": ENDLESS}),
    "a field, replayed": lambda claude: claude.ask("Hi", set={"metadata": ENDLESS}, replay="only"),
    "a field for rows": lambda claude: claude.map(["a"], "{{ item }}", set={"metadata": ENDLESS}, progress=False),
    "messages by hand": lambda claude: claude.ask("", set={"messages": [ENDLESS]}),
    "the system prompt": lambda claude: claude.ask("Hi", system=[ENDLESS]),
    "a message": lambda claude: claude.ask([{"role": "user", "content": [ENDLESS]}]),
    "a block": lambda claude: claude.ask(["Hi", ENDLESS]),
}  # fmt: skip


@pytest.mark.parametrize("ask", HOLDING.values(), ids=HOLDING)
def test_a_value_that_contains_itself_is_refused(claude_emulator, ask):
    """Nothing looks through it without end."""
    with pytest.raises(errors.OptionError) as caught:
        ask(client(claude_emulator))
    assert caught.value.message == "The request is nested too deeply, or contains itself."
    assert claude_emulator.requests == []
