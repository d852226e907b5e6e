"""Answers that are given again: when, which of several, how they come, and what a miss says."""

from __future__ import annotations

import base64
import dataclasses
import json
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from journals import asked, client, offline, rows, told

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Emulator, Fault, Flood
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.records.journal.location import default_path
from vertex_claude_magic.records.journal.parts import pack
from vertex_claude_magic.records.playback import Playback
from vertex_claude_magic.records.recorded_reply import (
    RecordedReply,
    error_of,
    read_recorded_reply,
    recorded_reply,
)
from vertex_claude_magic.records.repeats import Asker, is_repeat, of_last_session
from vertex_claude_magic.session.exchange import Exchange
from vertex_claude_magic.session.stream import Stream, StreamContext
from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.origin import Origin, asking_for
from vertex_claude_magic.transport.retry import RetryPolicy
from vertex_claude_magic.vertex.request import RequestOptions, build_request

STREAMS = {
    path.stem: path.read_bytes()
    for path in sorted(Path(__file__).parents[1].joinpath("streams").glob("*.sse"))
}
CATALOG = Catalog.load()
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def picture(data: bytes = PIXEL) -> dict:
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(data).decode()}
    return {"type": "image", "source": source}


def new_kernel(claude: Claude) -> None:
    """Forget what a restarted kernel would not know."""
    claude._session.records.stores.close()


MODES = [
    # what the mode does when nothing is recorded, when something is, and after that
    ("off", ["sent", "sent", "sent"]),
    ("auto", ["sent", "replayed", "replayed"]),
    ("only", ["miss", "miss", "miss"]),
    ("refresh", ["sent", "sent", "sent"]),
]


@pytest.mark.parametrize(("mode", "expected"), MODES)
def test_a_mode_says_what_may_be_sent_and_what_may_be_given_again(claude_emulator, mode, expected):
    """The default is off."""
    claude = client(claude_emulator, replay=mode)
    found = []
    for _ in expected:
        before = len(claude_emulator.requests)
        try:
            reply = claude.ask("Hello")
        except errors.ReplayMiss:
            found.append("miss")
            assert len(claude_emulator.requests) == before
        else:
            found.append("replayed" if reply.replayed else "sent")
            assert len(claude_emulator.requests) == before + (not reply.replayed)
    assert found == expected
    assert AskOptions().replay is None
    assert client(claude_emulator).ask("Hello").replayed is False


def test_a_mode_that_is_none_is_refused(claude_emulator, monkeypatch):
    """By the option, by the environment."""
    with pytest.raises(errors.OptionError, match="not a value of replay"):
        client(claude_emulator).ask("Hello", replay="sometimes")
    monkeypatch.setenv("VERTEX_CLAUDE_REPLAY", "sometimes")
    said = "VERTEX_CLAUDE_REPLAY: 'sometimes' is not a value of replay"
    with pytest.raises(errors.OptionError, match=said) as caught:
        client(claude_emulator).ask("Hello")
    assert "auto" in caught.value.cure
    assert claude_emulator.requests == []


def test_refresh_asks_and_replaces_what_was_recorded(claude_emulator, tmp_path):
    """All that was there, in the journal and in the recording."""
    for options in ({}, {"recording": str(tmp_path / "r.claude"), "journal": "off"}):
        claude_emulator.answer("A", "B", "C")
        claude = client(claude_emulator, **options)
        claude.ask("Hello")
        claude.ask("Hello")
        claude.ask("Hello", replay="refresh")
        new_kernel(claude)
        assert [claude.ask("Hello", replay="only").text for _ in range(3)] == ["C", "C", "C"]


def test_repeats_that_are_asked_anew_keep_their_order(claude_emulator, tmp_path):
    """Three draws of one cell stay three draws, though each asks with refresh."""
    claude = client(claude_emulator, recording=str(tmp_path / "r.claude"))
    claude_emulator.answer("old 1", "old 2", "new 1", "new 2", "new 3")
    with asking_for(Origin(notebook="n", cell="c", run="1")):
        for _ in range(2):
            claude.ask("Draw")
    with asking_for(Origin(notebook="n", cell="c", run="2")):
        for _ in range(3):
            claude.ask("Draw", replay="refresh")
    new_kernel(claude)
    for options in ({}, {"recording": None}):
        claude = client(claude_emulator, **{"recording": str(tmp_path / "r.claude"), **options})
        assert [claude.ask("Draw", replay="only").text for _ in range(4)] == [
            "new 1",
            "new 2",
            "new 3",
            "new 1",
        ]


@pytest.mark.parametrize(
    "fault", [Fault(status=400), Fault(cut_after=700, ending="reset"), Fault(drop=True)], ids=str
)
def test_a_refresh_that_fails_takes_nothing_away(claude_emulator, tmp_path, fault):
    """The old answer is better than none."""
    claude = client(claude_emulator, recording=str(tmp_path / "r.claude"))
    claude_emulator.answer("old")
    claude.ask("Hello")
    claude_emulator.fail(*[fault] * 5)
    with pytest.raises(errors.ClaudeError):
        claude.ask("Hello", replay="refresh")
    for recording in (str(tmp_path / "r.claude"), ""):
        assert claude.ask("Hello", replay="only", recording=recording or None).text == "old"


def test_a_refresh_whose_answer_is_not_kept_takes_nothing_away(claude_emulator):
    """As when it quotes a key."""
    claude = client(claude_emulator)
    claude_emulator.answer("old", "The key is AKIAIOSFODNN7EXAMPLE.")
    claude.ask("Hello")
    claude.ask("Hello", replay="refresh")
    assert claude.ask("Hello", replay="only").text == "old"


def requested(**options):
    """The digest of a request; options of `build_request`, of `RequestOptions`, and the messages."""
    messages = options.pop("messages", [{"role": "user", "content": "Hello"}])
    outer = {name: options.pop(name) for name in
             ("model", "project", "region", "stream", "base_url", "anthropic_version") if name in options}  # fmt: skip
    usual = {"model": "claude-haiku-4-5@20251001", "project": "p", "region": "global", "catalog": CATALOG}
    return build_request(messages, RequestOptions(force=True, **options), **{**usual, **outer}).digest


PART_OF_THE_KEY = [
    {"model": "claude-sonnet-5-5"}, {"anthropic_version": "vertex-2026-10-21"}, {"system": "Be brief."}, {"max_tokens": 5},
    {"stop": ["x"]}, {"effort": "low"}, {"thinking": 2000}, {"temperature": 0.5}, {"top_p": 0.5}, {"top_k": 5},
    {"beta": ["context-1m-2025-08-07"]}, {"header": {"Anthropic-Beta": "context-1m-2025-08-07"}},
    {"set": {"tools": [{"name": "f", "input_schema": {"type": "object"}}]}}, {"set": {"metadata": {"user_id": "u"}}},
    {"messages": [{"role": "user", "content": "Hello "}]}, {"messages": [{"role": "user", "content": "hello"}]},
    {"messages": [{"role": "user", "content": "Hello\n"}]}, {"messages": [{"role": "user", "content": "Hel\u200blo"}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]},
    {"messages": [{"role": "user", "content": [picture(), {"type": "text", "text": "Hello"}]}]},
    {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "H"}, {"role": "user", "content": "H"}]},
]  # fmt: skip
NO_PART_OF_THE_KEY = [
    {"base_url": "http://127.0.0.1:1/v1"}, {"project": "another"}, {"region": "europe-west1"}, {"stream": False},
    {"label": {"team": "x"}}, {"header": {"X-Team": "x"}}, {"force": True},
]  # fmt: skip


@pytest.mark.parametrize("options", PART_OF_THE_KEY, ids=lambda options: json.dumps(options)[:60])
def test_what_decides_an_answer_is_part_of_the_key(options):
    """Model, version, system, tools, every parameter, betas, messages; white space and upper case too (case 86)."""
    assert requested(**options) != requested()


@pytest.mark.parametrize("options", NO_PART_OF_THE_KEY, ids=str)
def test_who_pays_and_how_it_travels_is_no_part_of_the_key(options):
    """Base URL, project, region, streaming, labels and other headers (case 86)."""
    options = {name: value for name, value in options.items() if name != "force"}
    assert requested(**options) == requested()


def test_an_attachment_is_part_of_the_key_by_its_content_and_the_order_of_keys_is_not():
    """The same picture by another name is the same question; another picture is another."""
    text = {"type": "text", "text": "Hello"}
    one = requested(messages=[{"role": "user", "content": [picture(), text]}])
    turned = {"content": [dict(reversed(picture().items())), dict(reversed(text.items()))], "role": "user"}
    assert requested(messages=[turned]) == one
    assert requested(messages=[{"role": "user", "content": [picture(PIXEL + b"x"), text]}]) != one
    assert requested(set={"b": 1, "a": {"d": 1, "c": 2}}) == requested(set={"a": {"c": 2, "d": 1}, "b": 1})
    assert requested(beta=["b", "a", "a"]) == requested(beta=["a", "b"])


def test_the_values_of_templates_are_part_of_the_key(claude_emulator):
    """After they are put in, not before."""
    claude = client(claude_emulator, replay="auto")
    found = [claude.ask("{{ x }}?", names={"x": value}).replayed for value in (1, 1, 2, 1)]
    assert found == [False, True, False, True]


def test_how_it_travels_does_not_change_what_is_given_again(claude_emulator):
    """Asked as a stream, given again whole, with another timeout, project, region and label."""
    claude = client(claude_emulator)
    first = claude.ask("Hello")
    again = claude.ask("Hello", replay="auto", no_stream=True, timeout=5, project="other", region="eu",
                       label={"team": "x"}, header={"X-A": "b"})  # fmt: skip
    assert (again.replayed, again.text) == (True, first.text)


def test_a_lesson_runs_without_network_credentials_and_project(claude_emulator, tmp_path, monkeypatch):
    """From the journal, then from a recording alone; streamed, whole, typed, with a picture."""
    recording = str(tmp_path / "lesson.claude")
    claude_emulator.answer("One.", "Two.", '{"items": [1, 2]}', "Four.")
    questions = [
        ("Hello", {}), ("Hello", {"no_stream": True, "system": "x"}), ("Numbers", {"as_": list[int]}),
        ([picture(), "What is it?"], {}),
    ]  # fmt: skip
    live = client(claude_emulator, recording=recording)
    first = [live.ask(prompt, **options) for prompt, options in questions]
    claude_emulator.close()
    new_kernel(live)

    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for places in ({}, {"recording": recording, "journal": "off"}):
        claude = offline(replay="only", **places)
        again = [claude.ask(prompt, **options) for prompt, options in questions]
        assert [reply.text for reply in again] == [reply.text for reply in first]
        assert [reply.data for reply in again] == [reply.data for reply in first]
        assert all(reply.replayed and reply.cost == 0.0 for reply in again)
        with pytest.raises(errors.ReplayMiss):
            claude.ask("Something else")
        with pytest.raises(errors.ReplayMiss):
            claude.count("Something else")
        assert claude._session.records.notices(claude._session.target()) == ()


# What is asked otherwise, and the words that say so.
MISSES = [
    ({"model": "sonnet"}, "model (claude-sonnet-5-5, recorded claude-haiku-5-5)"),
    ({"max_tokens": 5}, "max_tokens (5, recorded 900)"),
    ({"system": "Be kind."}, "the system prompt (Be kind., recorded Be brief.)"),
    ({"system": "Be brief. " * 20 + "Now"}, "the system prompt ("),
    ({"set": {"tools": [{"name": "g", "input_schema": {"type": "object"}}]}}, "the tools"),
    ({"anthropic_version": "vertex-2026-10-21"}, "anthropic_version (vertex-2026-10-21, recorded vertex-2023-10-16)"),
    ({"beta": ["context-1m-2025-08-07"]}, "the betas"),
    ({"effort": "low"}, "output_config"),
    ({"prompt": "What is 2 + 3?"}, "the prompt ('…at is 2 + 3?', recorded '…at is 2 + 2?')"),
    ({"prompt": "What is  2 + 2?"}, "the prompt (only spaces differ, at 'What is 2 + 2?')"),
    ({"prompt": "What is 2 + 2?\n"}, "the prompt (only spaces differ, at '…is 2 + 2?')"),
    ({"prompt": "What is 2 +\u200b 2?"}, "the prompt (characters that are not seen differ, at '…hat is 2 + 2?')"),
    ({"system": "Be brief. "}, "the system prompt (only spaces differ, at 'Be brief.')"),
    ({"prompt": [picture(PIXEL + b"\0"), "What is 2 + 2?"]}, "the prompt"),
    ({"prompt": [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4"},
                 {"role": "user", "content": "Sure?"}]}, "the number of messages (3, recorded 1)"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), MISSES, ids=[row[1][:30] for row in MISSES])
@pytest.mark.parametrize("where", ["journal", "recording"])
def test_a_miss_names_the_part_that_differs_from_the_nearest_record(
    claude_emulator, tmp_path, changes, words, where
):
    """Case 84: and nothing is sent."""
    recording = {"recording": str(tmp_path / "r"), "journal": "off"} if where == "recording" else {}
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    usual = {"prompt": "What is 2 + 2?", "max_tokens": 900, "system": "Be brief.", "set": {"tools": tools}}
    live = client(claude_emulator, **recording)
    for prompt in ("What is the capital of France, and why?", "What is 2 + 2?"):
        live.ask(**{**usual, "prompt": prompt})
    sent = len(claude_emulator.requests)
    with pytest.raises(errors.ReplayMiss) as caught:
        live.ask(**{**usual, **changes, "replay": "only"})
    assert words in caught.value.message
    assert "recorded" in caught.value.message
    assert 'replay="auto"' in caught.value.cure
    assert len(claude_emulator.requests) == sent


# The cells of a conversation that run again, and what is said of the last of them.
NOT_RUN = {
    "the first": ([1], "the number of messages (1, recorded 3; an earlier turn was not run)"),
    "the middle": ([0, 2], "the number of messages (3, recorded 5; an earlier turn was not run)"),
    "all before": ([2], "the number of messages (1, recorded 5; an earlier turn was not run)"),
    "the prompt changed": ([0, 1, 3], "the prompt ('Third?', recorded 'Third')"),
}


@pytest.mark.parametrize(("run", "words"), NOT_RUN.values(), ids=NOT_RUN.keys())
def test_a_miss_of_a_turn_says_that_an_earlier_one_was_not_run(claude_emulator, tmp_path, run, words):
    """Also where the same prompts are recorded as questions of their own."""
    recording, prompts = str(tmp_path / "r.claude"), ("First", "Second", "Third", "Third?")
    live = client(claude_emulator, recording=recording, journal="off")
    for prompt in prompts[:3]:
        live.ask(prompt)
        live.chat("talk").ask(prompt)
    again = offline(replay="only", recording=recording, journal="off")
    chat = again.chat("talk")
    chat.clear()
    for at in run[:-1]:
        chat.ask(prompts[at])
    with pytest.raises(errors.ReplayMiss) as caught:
        chat.ask(prompts[run[-1]])
    assert f"differs in {words}." in caught.value.message


def test_a_miss_of_a_turn_that_is_recorded_outside_of_a_conversation_says_so(claude_emulator):
    claude = client(claude_emulator)
    claude.ask("Hello")
    with pytest.raises(errors.ReplayMiss) as caught:
        claude.chat("talk").ask("Hello", replay="only")
    form = "the form of the prompt (a turn of a conversation, recorded as a question of its own)"
    assert f"differs in {form}." in caught.value.message


def test_a_miss_names_an_attachment_that_changed(claude_emulator):
    """By its place, because its content says nothing to anybody."""
    claude = client(claude_emulator)
    claude.ask([picture(), "What is it?"])
    with pytest.raises(errors.ReplayMiss, match="differs in an attachment of the prompt"):
        claude.ask([picture(PIXEL + b"\0"), "What is it?"], replay="only")


def test_a_miss_where_nothing_is_recorded_says_where_was_looked(claude_emulator, tmp_path):
    """In the recording, in the journal, in neither."""
    for options, where in (
        ({}, "in the journal"),
        ({"recording": str(tmp_path / "r.claude")}, "r.claude, and"),
        ({"recording": str(tmp_path / "r.claude"), "journal": "off"}, "r.claude, and"),
        ({"journal": "off"}, "recorded anywhere"),
    ):
        with pytest.raises(errors.ReplayMiss, match=where):
            offline(replay="only", **options).ask("Hello")


# Who got an answer, who gets another one, and whether both are given again: usually, and if the later one was to replace.
FIRST = Asker("s", "c1", "1")
REPEATS = [
    (FIRST, FIRST, True, True),
    (FIRST, Asker("s", "c1", "2"), False, False),
    (FIRST, Asker("s", "c2", "1"), True, False),
    (FIRST, Asker("later", "c1", "1"), False, False),
    (FIRST, Asker("s"), True, False),
    # Outside of a cell nobody knows which run asked.
    (Asker("s"), Asker("s"), True, False),
    (Asker("s"), Asker("later"), False, False),
]


@pytest.mark.parametrize(("earlier", "later", "stays", "stays_if_replaced"), REPEATS)
def test_answers_of_one_run_and_of_two_cells_are_repeats(earlier, later, stays, stays_if_replaced):
    """What a cell was answered when it ran before is replaced, and so is all of another session."""
    assert is_repeat(earlier, later) is stays
    assert is_repeat(earlier, later, replaces=True) is stays_if_replaced


@pytest.mark.parametrize(
    ("sessions", "given"), [("", ""), ("m", "A"), ("mt", "B"), ("mtm", "AC"), ("mmt", "C"), ("tmm", "BC")]
)
def test_the_answers_of_the_last_session_that_asked_are_given_again(sessions, given):
    """All of them, in their order."""
    assert of_last_session([*zip(sessions, "ABC", strict=False)]) == [*given]


def test_a_cell_that_runs_again_gets_what_it_got_and_repeats_their_order(claude_emulator, tmp_path):
    """Case 85, by the rule of cells and runs: Run All, a cell run again, a restart and Run All."""
    for options in ({}, {"recording": str(tmp_path / "r.claude"), "journal": "off"}):
        claude_emulator.answer("A")
        claude = client(claude_emulator, replay="auto", **options)

        def run(cell: str, number: int, claude: Claude = claude) -> list[str]:
            with asking_for(Origin(notebook="n", cell=cell, run=f"{cell}{number}")):
                return [claude.ask("Draw a card").text for _ in range(3)]

        # The first asks; what it was answered is there for the next ones.
        assert run("c1", 1) == ["A", "A", "A"]
        assert run("c1", 2) == ["A", "A", "A"]
        new_kernel(claude)
        assert run("c1", 1) == ["A", "A", "A"]


def test_repeats_that_were_asked_are_given_again_in_their_order(claude_emulator, tmp_path):
    """Recorded with replay off, as three draws in one cell, and one in another."""
    for options in ({}, {"recording": str(tmp_path / "r.claude"), "journal": "off"}):
        claude_emulator.answer("A", "B", "C", "D")
        claude = client(claude_emulator, **options)
        for cell in ("c1", "c1", "c1", "c2"):
            with asking_for(Origin(notebook="n", cell=cell, run=cell)):
                claude.ask("Draw")
        for _ in range(2):
            new_kernel(claude)
            assert [claude.ask("Draw", replay="only").text for _ in range(5)] == list("ABCDA")


def test_an_error_is_given_again_only_if_it_is_asked_for(claude_emulator, tmp_path):
    """Case 88: with its kind, status, message and cure, and not in the recording unless asked for."""
    recording = str(tmp_path / "r.claude")
    claude = client(claude_emulator, recording=recording)
    claude_emulator.fail(
        Fault(status=403, message="Permission denied on projects/123456789012 for the-model.")
    )
    with pytest.raises(errors.PermissionDenied) as first:
        claude.ask("Hello", replay_errors=True)
    sent = len(claude_emulator.requests)
    with pytest.raises(errors.ReplayMiss, match="only an error is recorded") as missed:
        claude.ask("Hello", replay="only")
    cure = 'Set replay_errors to replay it. Ask with replay="auto" to send it and keep the answer.'
    assert missed.value.cure == cure
    for places in ({}, {"recording": None, "journal": None}):
        with pytest.raises(errors.PermissionDenied) as again:
            claude.ask("Hello", replay="only", replay_errors=True, **places)
        assert again.value.status == 403
        assert again.value.cure.replace("your-project", claude_emulator.project) == first.value.cure
        assert "123456789012" not in str(again.value)
    assert len(claude_emulator.requests) == sent
    claude_emulator.answer("Now")
    assert claude.ask("Hello", replay="auto").text == "Now"


def test_an_error_inside_of_an_answer_is_given_again_with_what_had_arrived(claude_emulator):
    """Case 12, a second time."""
    claude_emulator.answer("word " * 50)
    claude_emulator.fail(Fault(error_after=5))
    claude = client(claude_emulator, replay_errors=True)
    with pytest.raises(errors.Overloaded) as first:
        claude.ask("Hello")
    with pytest.raises(errors.Overloaded) as again:
        claude.ask("Hello", replay="only")
    assert again.value.reply.text == first.value.reply.text
    assert again.value.reply.replayed is True


@pytest.mark.parametrize("how", ["stopped", "cut", "silent"])
def test_half_an_answer_is_never_given_again(claude_emulator, how):
    """Whoever or whatever ended it, and also for those who want errors."""
    claude_emulator.answer("word " * 100)
    claude_emulator.fail(Fault(stall_after=900) if how != "cut" else Fault(cut_after=900, ending="reset"))
    claude = client(claude_emulator, timeout=0.2 if how == "silent" else None, replay_errors=True)
    with claude.stream("Hello") as stream:
        if how == "stopped":
            next(event for event in stream if event.text)
        else:
            with pytest.raises((errors.StreamError, errors.DeadlineExceeded)):
                list(stream)
    assert rows()[0]["replayable"] == 0
    with pytest.raises(errors.ReplayMiss):
        claude.ask("Hello", replay="only")


def test_an_answer_that_is_given_again_equals_the_first_one(claude_emulator, tmp_path):
    """In all but what it cost, when and where it came from; times are kept to the millisecond."""
    recording = str(tmp_path / "r")
    first = client(claude_emulator, recording=recording).ask("Hello", model="sonnet")
    for places, ids in (({"journal": None}, True), ({"journal": "off", "recording": recording}, False)):
        again = client(claude_emulator, **places).ask("Hello", model="sonnet", replay="auto")
        differing = {
            entry.name
            for entry in dataclasses.fields(first)
            if getattr(first, entry.name) != getattr(again, entry.name)
        }
        times = {"seconds", "first_token_seconds"}
        own = {"cost", "replayed", "recorded_at", "recorded_from", "lineage"}
        assert differing - times <= own | (set() if ids else {"message_id", "request_id"})
        assert [getattr(again, name) for name in sorted(times)] == pytest.approx(
            [getattr(first, name) for name in sorted(times)], abs=0.00051
        )
        assert (again.cost, again.replayed, again.recorded_from) == (0.0, True, "emulator")
        assert again.usage == first.usage
        assert again.usage.raw == first.usage.raw
    assert rows()[1]["saved"] == first.cost


def test_an_emulators_answer_is_not_given_for_one_of_googles(claude_emulator):
    """With auto and a base URL that is not loopback it is asked, which fails here, because there is no network."""
    client(claude_emulator).ask("Hello")
    elsewhere = Claude(
        project="p",
        access_token="t",
        model="haiku",
        replay_pace="instant",
        policy=RetryPolicy(first_wait=0.001),
    )
    with pytest.raises(errors.NetworkError):
        elsewhere.ask("Hello", replay="auto")
    # Who sends nothing can only mean what is there, and is told where it came from.
    assert elsewhere.ask("Hello", replay="only").recorded_from == "emulator"
    with pytest.raises(
        errors.ReplayMiss, match="For this request only an answer of the emulator is recorded"
    ):
        # Without credentials.
        Claude(model="haiku", replay="auto").request("Hello")


def test_an_answer_from_the_journal_joins_the_recording(claude_emulator, tmp_path):
    """Whoever ships the recording expects all answers of the notebook in it."""
    recording = tmp_path / "lesson.claude"
    claude = client(claude_emulator, replay="auto")
    claude.ask("Hello")
    claude.ask("Hello", recording=str(recording))
    assert len(claude_emulator.requests) == 1
    new_kernel(claude)
    reply = offline(replay="only", journal="off", recording=str(recording)).ask("Hello")
    assert (reply.recorded_from, reply.message_id) == ("emulator", None)


def models_file(folder: Path, **changes: dict) -> str:
    file = folder / "models.json"
    file.write_text(
        json.dumps({"models": [{"id": name.replace("_", "-"), **row} for name, row in changes.items()]})
    )
    return str(file)


def test_a_model_that_has_been_retired_since_is_answered_from_a_record(claude_emulator, tmp_path):
    """What is not sent, the table's rules do not forbid; from the journal and from a recording."""
    recording = str(tmp_path / "r.claude")
    client(claude_emulator, recording=recording).ask("Hello", model="claude-haiku-5-5")
    later = models_file(tmp_path, claude_haiku_5_5={"lifecycle": "retired", "retired_on": "2026-11-01"})
    for places in ({}, {"recording": recording, "journal": "off"}):
        claude = offline(models_file=later, replay="only", model="claude-haiku-5-5", **places)
        assert claude.ask("Hello").replayed
        with pytest.raises(errors.ModelRuleError, match="retired"):
            claude.ask("Something else")


def test_an_alias_is_answered_by_the_model_that_it_meant(claude_emulator, tmp_path):
    """And said so; the same question by the new model's id is another question."""
    recording = str(tmp_path / "r.claude")
    first = client(claude_emulator, recording=recording).ask("Hello", model="haiku")
    later = models_file(tmp_path, claude_haiku_5_5={"lifecycle": "retired", "retired_on": "2026-11-01"})
    claude = offline(models_file=later, replay="only", recording=recording, journal="off", model="haiku")
    with claude.stream("Hello") as stream:
        reply = stream.reply
        [notice] = stream.request.notices
    assert (reply.model, reply.text) == (first.model, first.text)
    assert notice == "haiku is replayed as claude-haiku-5-5, which it meant when this was recorded."
    with pytest.raises(errors.ReplayMiss, match="model"):
        claude.ask("Hello", model="claude-haiku-4-5@20251001")


def test_a_question_is_made_ready_once_when_nothing_is_recorded(claude_emulator):
    """What it shows may take long to draw."""
    drawn = []

    class Figure:
        def __str__(self):
            drawn.append(1)
            return "a figure"

        __repr__ = __str__

    claude = client(claude_emulator, replay="auto")
    claude.ask("{{ figure }}", names={"figure": Figure()})
    often = len(drawn)
    client(claude_emulator).ask("{{ figure }}", names={"figure": Figure()})
    assert len(drawn) == 2 * often


def test_a_typed_answer_is_given_again_with_its_repair_round(claude_emulator):
    """Both rounds are questions of their own, and the data come out the same."""
    claude_emulator.answer("no JSON at all", '{"items": [1, 2, 3]}')
    claude = client(claude_emulator, replay="auto", as_=list[int])
    first = claude.ask("Three numbers")
    again = claude.ask("Three numbers")
    assert (first.data, again.data, again.replayed, again.cost) == ([1, 2, 3], [1, 2, 3], True, 0.0)
    assert len(asked(claude_emulator)) == 2
    assert [row["state"] for row in rows()] == ["done", "done", "replayed", "replayed"]


class Time:
    """A clock that moves only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(round(seconds, 6))
        self.now += seconds


PACED = RecordedReply(
    content=[{"type": "thinking", "thinking": "Hm.", "signature": "s"}, {"type": "text", "text": "One, two, three."}],
    model="claude-x", usage={"input_tokens": 3, "output_tokens": 9}, stop_reason="end_turn",
    pace=[[1, 30_000, 2, 40], [5, 500, 5, 0, 6, 1999]], seconds=40.0,
)  # fmt: skip


def played(
    recorded: RecordedReply, *, paced: bool = True, pause=None, late: float = 0.0
) -> tuple[Stream, Time]:
    clock = Time()
    playback = Playback(recorded, paced=paced, clock=clock, pause=pause or clock.wait)
    clock.now += late
    request = build_request([{"role": "user", "content": "Hi"}], RequestOptions(), model="claude-x", project="p",
                            region="global", catalog=CATALOG)  # fmt: skip
    return Stream(playback, StreamContext(request=request, catalog=CATALOG, clock=clock)), clock


def test_a_reply_can_be_changed_and_its_record_stays():
    """A reply belongs to its user."""
    cited = {"type": "text", "text": "Hi", "citations": [{"cited_text": "a"}]}
    recorded = RecordedReply(
        content=(cited,), usage={"cache_creation": {}}, other_events=({"type": "x", "of": []},)
    )
    for _ in range(2):
        reply = played(recorded)[0].reply
        assert reply.blocks[0]["citations"] == [{"cited_text": "a"}]
        assert (reply.usage.raw["cache_creation"], reply.other_events[0]["of"]) == ({}, [])
        reply.blocks[0]["citations"].append("mine")
        reply.usage.raw["cache_creation"]["mine"] = 1
        reply.other_events[0]["of"].append("mine")


def test_pieces_come_as_they_came_and_long_silences_are_cut_to_two_seconds():
    """Nobody learns from a long silence the second time."""
    stream, clock = played(PACED)
    arrived = [(event.text or event.data["delta"].get("thinking"), round(clock.now - 1000.0, 3))
               for event in stream if event.type == "content_block_delta"]  # fmt: skip
    assert arrived == [("H", 2.0), ("m.", 2.04), ("One, ", 2.54), ("two, ", 2.54), ("three.", 4.539)]
    assert stream.reply.text == "One, two, three."


def test_the_time_of_an_answer_counts_from_when_it_was_asked_for():
    """Also where a journal is written between the asking and the reading, and the answer is there by then."""
    stream, _ = played(PACED, paced=False, late=5.0)
    assert (stream.reply.seconds, stream.reply.first_token_seconds) == (5.0, 5.0)


def test_pieces_come_all_at_once_if_the_user_wants_it():
    """The same pieces, without a pause."""
    stream, clock = played(PACED, paced=False)
    assert [event.text for event in stream if event.text] == ["One, ", "two, ", "three."]
    assert clock.now == 1000.0


def test_blocks_come_whole_where_nobody_looks_at_the_pieces(claude_emulator):
    """As in a cell that shows a replayed answer at once; the reply is the same."""
    claude_emulator.answer("One, two, three. " * 20)
    claude = client(claude_emulator)
    first = claude.ask("Count")
    session = claude._session
    replies = []
    for blocks_at_once in (True, False):
        exchange = Exchange(session, "Count", session.target({"replay": "only"}))
        exchange.start(blocks_at_once=blocks_at_once)
        pieces = [event.text for event in exchange if event.text]
        assert (len(pieces) == 1) is blocks_at_once
        assert "".join(pieces) == first.text
        replies.append(exchange.reply)
    assert replies[0] == replies[1]


def test_whoever_waits_for_a_moment_gets_what_is_due_and_no_more():
    """So that a display can do something else in between; what is due at one time comes at once."""
    stream, clock = played(PACED)
    assert [event.type for event in stream.wait(0.1)] == ["message_start", "content_block_start"]
    assert stream.wait(0.5) == []
    assert round(clock.now - 1000.0, 3) == 0.5
    assert stream.wait(0) == []
    assert [event.type for event in stream.wait(5)] == ["content_block_delta"]
    assert round(clock.now - 1000.0, 3) == 2.0


def test_an_interrupt_of_an_answer_that_is_given_again_keeps_what_had_come():
    """As with one that arrives."""
    clock = Time()

    def pause(seconds: float) -> None:
        clock.wait(seconds)
        if len(clock.waits) == 3:
            raise KeyboardInterrupt

    stream, _ = played(PACED, pause=pause)
    with pytest.raises(errors.ClaudeInterrupt) as caught:
        list(stream)
    assert caught.value.reply.thinking == "Hm."
    assert caught.value.reply.complete is False
    assert stream.wait(60) == []


def test_an_answer_that_is_given_again_can_be_closed_too_early(claude_emulator):
    """It is noted as given again, and not as asked."""
    claude_emulator.answer(Flood(count=20, per_second=200))
    claude = client(claude_emulator)
    claude.ask("Hello")
    with claude.stream("Hello", replay="only", replay_pace="recorded") as stream:
        next(event for event in stream if event.text)
        partial = stream.partial()
    assert (partial.replayed, partial.complete, partial.cost) == (True, False, 0.0)
    assert [row["state"] for row in rows()] == ["done", "replayed"]


@pytest.mark.parametrize("name", STREAMS)
def test_every_kind_of_stream_survives_being_kept(claude_emulator, tmp_path, name):
    """Blocks, stop reasons, usage, unknown events and pieces, by way of the journal and of a recording."""
    claude_emulator.answer(STREAMS[name])
    recording = str(tmp_path / "r.claude")
    with client(claude_emulator, recording=recording).stream("Hello") as stream:
        events = list(stream)
        first = stream.reply
    for places in ({"journal": None}, {"recording": recording, "journal": "off"}):
        with offline(**places).stream("Hello", replay="only") as stream:
            again_events = list(stream)
            again = stream.reply
        for field in (
            "blocks",
            "stop_reason",
            "stop_sequence",
            "stop_details",
            "usage",
            "model",
            "other_events",
            "complete",
        ):
            assert getattr(again, field) == getattr(first, field), field
        assert pieces(again_events) == pieces(events)


def pieces(events) -> list[str]:
    """What was appended, piece by piece; empty ones say nothing. Of a tool's input only the value is kept."""
    grown = [
        event.data["delta"]
        for event in events
        if event.type == "content_block_delta" and "delta" in event.data
    ]
    texts = [delta.get("text") or delta.get("thinking") for delta in grown]
    return [text for text in texts if isinstance(text, str) and text]


@pytest.mark.parametrize("seconds", [0.0, 0.0004, 0.0006, 12.3456])
def test_a_tape_that_was_read_is_written_as_it_was(seconds):
    """An answer faster than half a millisecond too, or an import would take it for another one."""
    written = RecordedReply(seconds=seconds, first_token_seconds=seconds).as_json()
    assert read_recorded_reply(written).as_json() == written


@pytest.mark.parametrize("kind", [name for name in errors.__all__ if name != "quote"])
def test_every_error_comes_back_as_its_own_kind(kind):
    """And one that is none of ours as an error of the service."""
    cls = getattr(errors, kind)
    recorded = read_recorded_reply(
        {"error": {"type": kind, "message": "m\x1b[31m", "cure": "c", "status": 429}, "complete": False}
    )
    error = error_of(recorded)
    if issubclass(cls, errors.ClaudeError):
        assert type(error) is cls
    else:
        assert type(error) is errors.APIError
    assert error.status == 429
    assert "\x1b" not in str(error)


ODD_ERRORS = [
    {},
    {"type": 5},
    {"type": "__builtins__"},
    {"type": "quote", "message": None},
    {"type": "os", "status": "x"},
]


@pytest.mark.parametrize("error", ODD_ERRORS, ids=str)
def test_a_strangers_error_is_an_error_of_the_service(error):
    """Nothing but a class of ours is ever made by its name."""
    assert type(error_of(read_recorded_reply({"error": error}))) is errors.APIError


def test_a_tape_that_was_edited_still_holds_the_whole_text():
    """Its pieces no longer fit; the rest comes in one piece."""
    for pace in ([], [[]], [[3, 1], [4, 1]], [[0, 5, 400, 5]], [[1]], [[1, 1, 1]]):
        stream, _ = played(PACED._replace(content=PACED.content[1:], pace=pace), paced=False)
        assert stream.reply.text == "One, two, three."


def test_a_tape_keeps_no_id_of_the_request(claude_emulator):
    """Ids of requests and messages stand in the journal's row, for support cases, and in no recording."""
    reply = client(claude_emulator).ask("Hello")
    text = json.dumps(recorded_reply(reply).as_json())
    assert reply.message_id not in text


def test_a_journal_that_cannot_be_read_costs_auto_a_line_and_only_the_answer(claude_emulator, tmp_path):
    """Who may send asks anew; who may not is told why."""
    (tmp_path / "j").write_text("Dear diary")
    reply, notices = told(client(claude_emulator, journal=str(tmp_path / "j"), replay="auto"))
    assert (reply.replayed, len(notices)) == (False, 1)
    with pytest.raises(errors.JournalError, match="not a journal"):
        offline(journal=str(tmp_path / "j"), replay="only").ask("Hello")


DAMAGE = [
    ("no zip", b"garbage"),
    ("no answer", pack({"content": 5})),
    ("nothing", b""),
    ("a list", pack([1])),
]


@pytest.mark.parametrize("content", [row[1] for row in DAMAGE], ids=[row[0] for row in DAMAGE])
def test_a_damaged_entry_is_asked_anew(claude_emulator, content):
    """One line says so; who may not send is told why."""
    claude = client(claude_emulator)
    claude.ask("Hello")
    with closing(sqlite3.connect(default_path())) as connection, connection:
        connection.execute("UPDATE contents SET answer = ?", (content,))
    with pytest.raises(errors.JournalError):
        claude.ask("Hello", replay="only")
    reply, notices = told(claude, replay="auto")
    assert (reply.replayed, len(notices)) == (False, 1)


def test_two_emulators_are_one_place(claude_emulator):
    """The next one listens on another port, and its answers are as good."""
    client(claude_emulator).ask("Hello")
    with Emulator() as other:
        assert client(other).ask("Hello", replay="auto").replayed
        assert other.requests == []
