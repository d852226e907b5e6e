"""What of a conversation goes before the next prompt, seen on the wire."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
from journals import QUICK, client
from tls import as_google, make_certificate

from vertex_claude_magic import Chat, Claude, Reply, errors
from vertex_claude_magic.chats.entry import answer_blocks, answer_message, entry_of
from vertex_claude_magic.chats.positions import position_of
from vertex_claude_magic.emulator.http.faults import Fault
from vertex_claude_magic.emulator.messages.script import Reply as Scripted
from vertex_claude_magic.notebook.pages.chat import turns_table
from vertex_claude_magic.records.journal.chats import StoredTurn
from vertex_claude_magic.session.history import History, SentTurn, with_cache_marks

if TYPE_CHECKING:
    from collections.abc import Iterator

OPUS, FABLE = "claude-opus-5-5", "claude-fable-5-2"
THINKING = {"type": "thinking", "thinking": "Well.", "signature": "sig"}
TEXT = {"type": "text", "text": "Four."}
# From how many tokens on that model caches a beginning.
LEAST = 512
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": None}}
TOOL = {"name": "look", "description": "Look.", "input_schema": {"type": "object"}}


@pytest.fixture
def claude(claude_emulator):
    claude = client(claude_emulator, model=OPUS)
    yield claude
    claude.close()


def sent(emulator) -> list:
    return emulator.requests[-1].body["messages"]


def thinking_in(messages) -> list[str]:
    blocks = [block for each in messages if isinstance(each["content"], list) for block in each["content"]]
    return [block["signature"] for block in blocks if block["type"] == "thinking"]


def test_thinking_goes_back_unchanged_while_nothing_before_it_has_changed(claude, claude_emulator):
    """With its signature, to the model that thought it."""
    chat = claude.chat("talk")
    claude_emulator.answer([THINKING, TEXT], "5")
    chat.ask("One")
    chat.ask("Two")
    assert sent(claude_emulator)[1] == {"role": "assistant", "content": [THINKING, TEXT]}


REFUSED = Scripted(content="Well, first you", stop_reason="refusal")


def told_in(chat, prompt: str, **options) -> tuple[Reply, str]:
    with chat.stream(prompt, **options) as stream:
        reply = stream.reply
    return reply, "\n".join(notice.text for notice in stream.notices())


def test_a_refused_turn_is_not_sent_until_it_is_kept(claude, claude_emulator):
    """With it, the service would refuse whatever follows (Claude docs, "Handling stop reasons")."""
    chat = claude.chat("talk")
    claude_emulator.answer("1", REFUSED, "3", "4")
    chat.ask("One")
    reply, told = told_in(chat, "Two")
    assert (reply.stop_reason, reply.turn, reply.text) == ("refusal", 2, "Well, first you")
    assert "Turn 2 of talk is not sent; %claude_chat talk --keep 2 sends it too." in told
    chat.ask("Three")
    assert [texts(each) for each in sent(claude_emulator)] == ["One", "1", "Three"]
    assert [turn.state for turn in chat.turns] == ["ok", "interrupted", "ok"]
    chat.keep(2)
    chat.ask("Four")
    assert [texts(each) for each in sent(claude_emulator)] == [
        "One", "1", "Two", "Well, first you", "Three", "3", "Four",
    ]  # fmt: skip


def test_the_page_of_a_conversation_shows_how_answers_begin_without_the_marks_of_markdown(claude_emulator):
    """Formulas and code stay as they were written."""
    text = "# Means\n\n1. The **sample mean** $\\bar x$ of `x`.\n\n| a | b |\n|---|---|\n| *1* | 2 |"
    claude_emulator.answer(text)
    chat = client(claude_emulator).chat("talk")
    chat.ask("Which?")
    assert "Means 1. The sample mean $\\bar x$ of x. a b 1 2 " in turns_table("talk", chat.turns).plain()


def test_a_refused_turn_is_listed_as_such(claude, claude_emulator, tmp_path):
    """Also after it was saved as a notebook and loaded again."""
    chat = claude.chat("talk")
    claude_emulator.answer(REFUSED, "2")
    chat.ask("One")
    chat.ask("Two")
    assert "refused, not sent" in turns_table("talk", chat.turns).plain()
    chat.save(tmp_path / "talk.ipynb")
    chat.keep(1)
    assert "refused, sent (--keep)" in turns_table("talk", chat.turns).plain()
    chat.clear()
    loaded = Chat.load(tmp_path / "talk.ipynb", session=claude)
    assert [(turn.state, turn.reply.stop_reason) for turn in loaded.turns] == [
        ("interrupted", "refusal"),
        ("ok", "end_turn"),
    ]


SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
AGAIN = {**SEARCH, "id": "srvtoolu_2"}
# What the service answers, why it stops, and what of it goes before the next prompt.
OPEN_CALLS = {
    "paused": ([TEXT, SEARCH], "pause_turn", [TEXT]),
    "cut off": ([TEXT, SEARCH], "max_tokens", [TEXT]),
    "cut off behind a whole one": ([SEARCH, FOUND, TEXT, AGAIN], "max_tokens", [SEARCH, FOUND, TEXT]),
    "nothing else": ([SEARCH], "max_tokens", [{"type": "text", "text": "This call was not run."}]),
    "thinking before it": ([TEXT, THINKING, SEARCH], "pause_turn", [TEXT]),
    "all have results": ([SEARCH, FOUND, TEXT], "end_turn", [SEARCH, FOUND, TEXT]),
}


@pytest.mark.parametrize("follow", ["a conversation", "--after"])
@pytest.mark.parametrize("name", OPEN_CALLS)
def test_a_call_of_the_service_without_its_result_is_not_sent(claude, claude_emulator, name, follow):
    """The service takes it only where its own answer goes on, and not with a message of the user behind it."""
    blocks, reason, expected = OPEN_CALLS[name]
    claude_emulator.answer(Scripted(content=blocks, stop_reason=reason), "2")
    chat = claude.chat("talk")
    first = chat.ask("One", max_rounds=1, tools=["web_search"])
    assert first.stop_reason == reason
    if follow == "--after":
        claude.ask("Two", after=first)
    else:
        chat.ask("Two")
    answer = sent(claude_emulator)[1]
    assert answer["content"] == expected or [{"type": "text", "text": answer["content"]}] == expected
    assert sent(claude_emulator)[2]["role"] == "user"


def texts(message) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


CHANGES = {
    "another model": lambda chat: chat.ask("Two", model=FABLE),
    "another system text": lambda chat: chat.ask("Two", system="Be brief."),
    "a tool": lambda chat: chat.ask("Two", set={"tools": [TOOL]}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_thinking_is_left_out_where_something_before_it_has_changed(claude, claude_emulator, change):
    """The text of the answer stays."""
    chat = claude.chat("talk")
    claude_emulator.answer([THINKING, TEXT], "5")
    chat.ask("One")
    change(chat)
    assert sent(claude_emulator)[1] == {"role": "assistant", "content": [TEXT]}


@pytest.mark.parametrize("number", ["1", 1.0, None, 0, 2])
def test_a_number_that_is_no_turn_is_refused(claude, claude_emulator, number):
    chat = claude.chat("talk")
    chat.ask("One")
    for refuse in (chat.remove, chat.keep):
        with pytest.raises(errors.OptionError, match="talk has no turn"):
            refuse(number)
    assert len(chat.turns) == 1


def test_a_turn_is_removed_and_kept_by_keyword(claude, claude_emulator):
    """`n`, as `--remove N` and `--keep N` call it."""
    chat = claude.chat("talk")
    claude_emulator.answer("1", REFUSED, "3")
    chat.ask("One")
    chat.ask("Two")
    chat.keep(n=2)
    chat.remove(n=1)
    chat.ask("Three")
    assert [texts(each) for each in sent(claude_emulator)] == ["Two", "Well, first you", "Three"]


def test_thinking_behind_a_removed_turn_is_left_out(claude, claude_emulator):
    """Its conversation was another one."""
    chat = claude.chat("talk")
    claude_emulator.answer("1", [THINKING, TEXT], "3")
    for text in ("One", "Two"):
        chat.ask(text)
    chat.remove(1)
    chat.ask("Three")
    assert thinking_in(sent(claude_emulator)) == []


@pytest.fixture
def google(monkeypatch, tmp_path) -> Iterator[list[bytes]]:
    """The requests that reach Google's host, which answers each with "yes"."""
    certificate, seen = make_certificate(tmp_path), list[bytes]()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with as_google(certificate, seen) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        yield seen


def at_google(**options) -> Claude:
    return Claude(project="p", access_token="t", model=OPUS, policy=QUICK, replay_pace="instant", **options)


FOLLOWING = {
    "a conversation": lambda claude: claude.chat("talk").ask,
    "a conversation that is forked": lambda claude: claude.chat("talk").fork("copy").ask,
    "a follow-up": lambda claude: partial(claude.ask, after=claude.chat("talk").turns[-1].reply),
}


@pytest.mark.parametrize("following", FOLLOWING.values(), ids=FOLLOWING)
@pytest.mark.parametrize("replay", ["off", "auto"])
def test_what_an_emulator_thought_is_not_sent_to_google(claude, claude_emulator, google, following, replay):
    """Its signature is made up. The texts go along, and so does what is asked of the emulator itself."""
    claude_emulator.answer([THINKING, TEXT])
    claude.chat("talk").ask("One")
    there = at_google()
    assert following(there)("Two", replay=replay).text == "yes"
    messages = json.loads(google[-1].partition(b"\r\n\r\n")[2])["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert messages[1]["content"] == [TEXT]
    there.close()
    claude.chat("talk").fork("here").ask("Two")
    assert thinking_in(sent(claude_emulator)) == ["sig"]


def test_a_mixed_conversation_is_given_again(claude, claude_emulator, google, tmp_path):
    """What Google was sent is found again, and what it thinks of its own turns goes along."""
    claude_emulator.answer([THINKING, TEXT])
    claude.chat("talk").ask("One")
    there = at_google(recording=str(tmp_path / "lesson.claude"))
    there.chat("talk").fork("first").ask("Two")
    for mode in ("auto", "only"):
        assert there.chat("talk").fork(mode).ask("Two", replay=mode).replayed
    assert len(google) == 1
    there.close()


def test_a_conversation_that_an_emulator_recorded_is_given_again_where_google_would_be_asked(
    claude, claude_emulator, google, tmp_path
):
    """A lesson is made with the emulator, and its students have no address of it."""
    lesson = {"recording": str(tmp_path / "lesson.claude"), "journal": "off"}
    claude_emulator.answer([THINKING, TEXT], [{**THINKING, "signature": "two"}, TEXT], "Six.")
    for text in ("One", "Two", "Three"):
        claude.chat("made").ask(text, **lesson)
    for mode in ("only", "auto"):
        student = at_google(**lesson, replay=mode)
        chat = student.chat(mode)
        assert all(chat.ask(text).replayed for text in ("One", "Two", "Three"))
        assert not google
        following = student.request("Four", chat=mode).body["messages"]
        assert len(following) == 7
        assert thinking_in(following) == []
        student.close()


def test_a_follow_up_takes_thinking_along_for_the_same_model_only(claude, claude_emulator):
    """`after=`, too."""
    claude_emulator.answer([THINKING, TEXT], "5", "6")
    first = claude.ask("One")
    claude.ask("Two", after=first)
    assert thinking_in(sent(claude_emulator)) == ["sig"]
    claude.ask("Two", after=first, model=FABLE)
    assert thinking_in(sent(claude_emulator)) == []


def test_a_call_that_was_not_run_is_answered_before_the_next_prompt(claude, claude_emulator):
    """The pair is whole, and the tool is named to the service without being offered."""
    chat = claude.chat("talk")
    claude_emulator.answer([CALL], "Then not.")
    chat.ask("One", set={"tools": [TOOL]})
    chat.ask("Two")
    body = claude_emulator.requests[-1].body
    assert body["messages"][1]["content"] == [CALL]
    (result,) = body["messages"][2]["content"]
    assert (result["tool_use_id"], result["is_error"]) == ("toolu_1", True)
    assert (body["tools"], body["tool_choice"]) == ([TOOL], {"type": "none"})


def test_a_call_that_was_cut_is_not_sent_back(claude, claude_emulator):
    """Case 17: half an input is no call; the text before it stays."""
    cut = {"type": "tool_use", "id": "t", "name": "look", "input": {}, "partial_json": '{"a'}
    assert answer_message(Reply(blocks=(TEXT, cut), complete=True)) == {
        "role": "assistant",
        "content": "Four.",
    }
    assert answer_message(Reply(blocks=(cut,), complete=True)) is None


NOT_SENT = {
    "thinking alone": (THINKING,),
    "thinking without a signature": ({"type": "thinking", "thinking": "Well."},),
    "an empty text": ({"type": "text", "text": " \n"},),
    "nothing": (),
    "a block nobody knows": ({"type": "advisor_tool", "x": 1},),
}


@pytest.mark.parametrize("blocks", NOT_SENT.values(), ids=NOT_SENT.keys())
def test_what_the_service_would_refuse_is_no_answer_to_send_back(blocks):
    """A turn without text leaves no trace."""
    assert answer_message(Reply(blocks=blocks, complete=True)) is None


def test_an_answer_without_text_is_no_turn(claude, claude_emulator):
    """And the next question is asked as if it had not been there."""
    chat = claude.chat("talk")
    claude_emulator.answer(Scripted(content=[THINKING], stop_reason="max_tokens"), "2")
    assert chat.ask("One").turn is None
    assert chat.ask("Two").turn == 1
    assert len(sent(claude_emulator)) == 1


def test_nulls_of_an_answer_are_left_out_and_those_of_a_tools_input_are_not():
    """Requests take no nulls; what a tool is called with is the user's."""
    text = {
        "type": "text",
        "text": "See.",
        "citations": [{"type": "char_location", "file_id": None, "cited_text": "x"}],
    }
    message = answer_message(Reply(blocks=(text, CALL), complete=True))
    assert message["content"][0]["citations"] == [{"type": "char_location", "cited_text": "x"}]
    assert message["content"][1]["input"] == {"at": None}


def test_data_are_a_turn_as_json(claude, claude_emulator):
    """Whatever way they were asked for, what is sent back is no call of a tool that is not there."""
    chat = claude.chat("talk")
    claude_emulator.answer({"type": "tool_use", "id": "t", "name": "answer", "input": {"items": [1, 2]}}, "3")
    reply = chat.ask("Count", model="claude-sonnet-4@20250514", as_=list[int])
    assert (reply.data, reply.turn) == ([1, 2], 1)
    chat.ask("And then?", model="claude-sonnet-4@20250514")
    body = claude_emulator.requests[-1].body
    assert "tools" not in body
    assert "tool_use" not in json.dumps(body["messages"])


WAYS = {
    "structured outputs": {"as_": list[int]},
    "a forced tool": {"as_": list[int], "model": "claude-sonnet-4@20250514"},
    "an instruction": {"as_": dict[str, int], "model": "claude-opus-5-5"},
    "beside tools of earlier turns": {"as_": list[int], "before": [TOOL]},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_an_answer_that_was_repaired_is_a_turn_of_the_prompt_and_the_good_answer(
    claude, claude_emulator, way
):
    """What did not fit, and what was wrong with it, is neither sent nor paid for with each later turn."""
    before = {"set": {"tools": way["before"]}} if "before" in way else {}
    asked = {name: value for name, value in way.items() if name != "before"}
    good = {"a": 1} if asked["as_"] == dict[str, int] else [1]
    chat = claude.chat("talk")
    if before:
        claude_emulator.answer([TEXT, CALL | {"input": {}}])
        chat.ask("Look", **before)
    former = len(chat.messages())
    thought = {**THINKING, "thinking": "I was wrong.", "signature": "of the repair"}
    wrong, right = '"wrong"', [thought, {"type": "text", "text": json.dumps(good)}]
    claude_emulator.answer(wrong, right)
    reply = chat.ask("Count", **asked)
    assert reply.data == good
    assert len(reply.rounds) == 2
    claude_emulator.answer("Yes.")
    chat.ask("And then?", model=asked.get("model"))
    count, answer, after = sent(claude_emulator)[former:]
    assert [each["role"] for each in (count, answer, after)] == ["user", "assistant", "user"]
    assert "wrong" not in json.dumps(sent(claude_emulator))
    assert thinking_in([answer]) == []
    (block,) = answer_blocks([answer])
    assert json.loads(block["text"]) == good


def test_an_attachment_is_there_in_later_turns_and_after_a_restart(claude, claude_emulator, tmp_path):
    """Byte for byte, from the journal."""
    picture = tmp_path / "dot.gif"
    picture.write_bytes(
        b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    )
    claude.chat("talk").ask("What is it?", attach=[str(picture)])
    first = sent(claude_emulator)[0]["content"]
    other = client(claude_emulator, model=OPUS)
    other.chat("talk").ask("And why?")
    again = sent(claude_emulator)[0]["content"]
    assert [block.get("source") for block in again] == [block.get("source") for block in first]
    other.close()


def test_one_follow_up_does_not_fill_the_cache(claude, claude_emulator):
    """That costs more, and nothing may follow."""
    first = claude.ask("word " * 3_000)
    claude.ask("And?", after=first)
    assert "cache_control" not in json.dumps(claude_emulator.requests[-1].body)


def look(at: str | None) -> str:
    """Look."""
    return "Nothing."


def test_a_conversation_is_as_long_as_its_last_request_and_not_as_all_of_them(claude, claude_emulator):
    """So a mark that the service would ignore is not set, also by who reads it from the journal."""
    claude_emulator.answer([CALL], "Four.", "Five.", "Six.")
    reply = claude.chat("talk").ask("word " * 200, tools=[look])
    # Each request of a question with tools counts all that goes before it.
    assert reply.rounds[-1].usage.total_input_tokens < 400 < LEAST < reply.usage.total_input_tokens
    other = client(claude_emulator, model=OPUS)
    for each in (claude, other):
        each.chat("talk").ask("And?")
        assert "cache_control" not in json.dumps(claude_emulator.requests[-1].body)
    other.close()


def test_a_turn_that_is_not_sent_makes_no_conversation_longer(claude, claude_emulator):
    """The user has stopped it."""
    chat = claude.chat("talk")
    chat.ask("One")
    claude_emulator.answer(Scripted(content="Half of an answer " * 200, fault=Fault(stall_after=2_000)))
    stream = chat.stream("word " * 3_000)
    while not stream.partial().text:
        stream.wait(5)
    with pytest.raises(errors.ClaudeInterrupt), stream:
        raise KeyboardInterrupt
    chat.ask("Two")
    assert len(sent(claude_emulator)) == 3
    assert "cache_control" not in json.dumps(claude_emulator.requests[-1].body)


def message(text: str, role: str = "user") -> dict:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def marks(messages) -> list[int]:
    return [at for at, each in enumerate(messages) if "cache_control" in json.dumps(each)]


def test_the_former_mark_stays_where_the_service_would_not_find_it():
    """It looks back 20 blocks: behind a turn of many blocks both ends are marked."""
    long = {"role": "user", "content": [{"type": "text", "text": f"{n}"} for n in range(25)]}
    turn = (message("a"), message("b", "assistant"))
    history = History((SentTurn(turn, turn),), tokens=9_000)
    assert marks(
        with_cache_marks([message("a"), message("b", "assistant"), message("c")], history, {}, None)
    ) == [2]
    assert marks(with_cache_marks([message("a"), message("b", "assistant"), long], history, {}, None)) == [
        0,
        2,
    ]


@pytest.mark.parametrize(("taken", "left"), [(0, 1), (3, 1), (4, 0)])
def test_never_more_than_four_marks(taken, left):
    """Those that the user or --cache made count."""
    system = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * taken
    found = with_cache_marks([message("x" * 9_000)], History(), {"system": system}, None)
    assert len(marks(found)) == left


def test_a_script_that_begins_anew_drops_every_turn_also_one_of_the_same_prompt(claude):
    """It has no cells, so no turn is one of its own that it would add to."""
    chat = claude.chat("talk")
    for prompt in ("One", "Two"):
        chat.ask(prompt)
    assert chat.ask("One", new=True).turn == 1
    assert chat.ask("One", new=True).turn == 1
    assert [turn.prompt for turn in chat.turns] == ["One"]
    assert chat.ask("One").turn == 2


def test_a_position_is_found_by_cell_and_place():
    """An empty conversation has one at its end."""
    assert position_of([], "a", "r", "Hi")[2:] == (0, 0, False)
    assert position_of([], "", "r", "Hi").owner.startswith("text:")


def test_a_turn_of_the_first_journals_still_belongs_to_its_cell():
    """They have the name of the field that says so as `seat`."""
    messages = ({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."})
    about = {"seat": "cell-1", "model": OPUS, "digest": "d", "before": "b"}
    assert entry_of(StoredTurn("ok", messages, about)).cell == "cell-1"


def test_asking_from_inside_of_a_question_is_refused_and_does_not_wait_for_itself(claude, claude_emulator):
    """In one thread; it would wait for ever."""
    chat = claude.chat("talk")
    with chat.stream("One"), pytest.raises(errors.OptionError, match="still running in this thread"):
        chat.ask("Two")
    assert chat.ask("Three").turn is not None


def test_a_stream_that_is_forgotten_holds_nobody_up(claude):
    """Its lock goes with it."""
    chat = claude.chat("talk")
    stream = chat.stream("One")
    del stream
    assert chat.ask("Two").turn
