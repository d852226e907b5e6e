"""The journal: what is kept of every call, and nothing else; repeats, upkeep, threads, forks and sums."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import stat
import threading
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from journals import DAY, KEEP, NOON, a_call, an_ending, client, opened, rows, told
from processes import forked, needs_fork

from vertex_claude_magic import errors
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.records.journal.calls import day_of
from vertex_claude_magic.records.journal.location import default_path
from vertex_claude_magic.records.journal.upkeep import Keep
from vertex_claude_magic.settings.origin import Origin, asking_for

if TYPE_CHECKING:
    from vertex_claude_magic.records.journal.journal import Journal

MESSAGE = {
    "type": "message", "role": "assistant", "model": "claude-haiku-5-5", "content": [{"type": "text", "text": "yes"}],
    "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip
WHOLE = json.dumps(MESSAGE).encode()


@pytest.fixture
def journal(tmp_path) -> Journal:
    return opened(tmp_path / "journal.sqlite3", clock=lambda: NOON)


def kept(journal: Journal, text: str = "Hello", answer: str = "Hi", **changes) -> int:
    """Keep one whole call and return its number."""
    call = a_call(text, **changes)
    number = journal.begin(call)
    journal.end(number, call, an_ending(answer), KEEP)
    return number


def said(journal: Journal, text: str = "Hello", **options) -> str | None:
    found = journal.find(a_call(text).key, take=True, **options)
    return None if found is None else found.answer["content"][0]["text"]


# What a row says, column by column; a new column belongs here with its reason, or it is not kept.
COLUMNS = {
    "chats": {"id", "notebook", "name", "revision", "changed", "holder"},
    "chat_turns": {"id", "chat", "number", "state", "content"},
    "chat_attachments": {"hash", "turn"},
    "calls": {
        "id", "at", "day", "session", "notebook", "cell", "run", "key", "state", "replayable", "source", "asked", "model",
        "region", "project", "input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens", "cost",
        "cost_most", "saved", "seconds", "stop_reason", "error", "message_id", "request_id", "run_id", "chained",
    },
    "contents": {"call", "request", "answer", "frame", "turn"},
    "parts": {"id", "hash", "uses", "content"},
    "turns": {"id", "digest", "parent", "part", "uses"},
    "runs": {"id", "kind", "session", "notebook", "cell", "run", "process", "opened", "seen", "ended"},
    "attachments": {"hash", "content"},
    "call_attachments": {"hash", "call"},
    "notes": {"kind", "key", "value", "at"},
    "day_sums": {"day", "local", "cost", "open_cost", "unknown"},
    "batches": {
        "id", "at", "name", "notebook", "project", "location", "model", "asked", "source", "rows", "run_id", "plan",
    },
    "batch_jobs": {
        "batch", "number", "attempt", "state", "owner", "input", "output", "job", "rows", "done", "failed", "results",
        "error", "cost_most", "call", "counted",
    },
}  # fmt: skip


def test_the_file_has_the_columns_of_this_list_and_no_other(journal):
    """What is stored is an allow-list."""
    kept(journal)
    with closing(sqlite3.connect(journal.path)) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        found = {
            table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")} for table in tables
        }
    assert found == COLUMNS


def test_a_question_is_one_row_with_all_that_is_known_of_it(claude_emulator):
    """Read back past all of our code."""
    claude_emulator.answer("Four.")
    with asking_for(Origin(notebook="lesson.ipynb", cell="c1", run="r1")):
        reply, notices = told(
            client(claude_emulator, header={"X-Team": "the-header"}, label={"team": "the-label"}), "2 + 2?"
        )
    assert notices == ()
    [row] = rows()
    usage = reply.usage
    expected = {
        "notebook": "lesson.ipynb", "cell": "c1", "run": "r1", "state": "done", "replayable": 1, "source": "emulator",
        "asked": "haiku", "model": "claude-haiku-5-5", "region": "global", "project": claude_emulator.project,
        "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "cache_write_tokens": 0,
        "cache_read_tokens": 0, "cost": reply.cost, "saved": None, "stop_reason": "end_turn", "error": None,
        "message_id": reply.message_id, "request_id": reply.request_id,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    [content] = rows("contents")
    assert content["request"] == b""
    message, frame = (json.loads(zlib.decompress(part["content"])) for part in rows("parts"))
    assert message == {"role": "user", "content": "2 + 2?"}
    assert set(frame) == {"request", "parts"}
    request = frame["request"]
    assert set(request) == {"model", "body"}
    assert set(request["body"]) == {"anthropic_version", "max_tokens", "messages"}
    answer = json.loads(zlib.decompress(content["answer"]))
    assert set(answer) == {
        "content",
        "model",
        "region",
        "stop_reason",
        "usage",
        "seconds",
        "first_token_seconds",
        "pace",
    }
    whole = default_path().read_bytes() + b"".join(
        path.read_bytes() for path in default_path().parent.iterdir()
    )
    for word in (b"the-header", b"the-label", b"Bearer", b"uthorization", b"127.0.0.1", b"http"):
        assert word not in whole


def test_only_its_owner_can_read_it(claude_emulator):
    """Case 65: 0600 in a folder of 0700, write-ahead log and shared memory too, whatever the umask."""
    claude = client(claude_emulator)
    old = os.umask(0)
    try:
        claude.ask("Hello")
    finally:
        os.umask(old)
    folder = default_path().parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    # The log is there while the client is.
    assert "journal.sqlite3-wal" in modes
    assert set(modes.values()) == {0o600}
    claude.close()


def test_rights_that_others_have_are_taken_from_a_file_that_is_there(tmp_path):
    """Case 65: as with a file that was copied."""
    path = tmp_path / "journal.sqlite3"
    path.touch(mode=0o644)
    kept(opened(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


ENDINGS = [
    ("an error reply", Fault(status=429, headers={"x-should-retry": "false"}), "failed", "RateLimited", 0.0),
    ("a reply that breaks off", Fault(cut_after=700, ending="reset"), "failed", "StreamInterrupted", None),
]


@pytest.mark.parametrize(
    ("fault", "state", "error", "cost"), [row[1:] for row in ENDINGS], ids=[row[0] for row in ENDINGS]
)
def test_what_ended_badly_is_kept_too(claude_emulator, fault, state, error, cost):
    """It is activity; what was refused costs nothing, what broke off at most its worst case."""
    claude_emulator.answer("word " * 100)
    claude_emulator.fail(fault)
    with pytest.raises(errors.ClaudeError):
        client(claude_emulator).ask("Hello")
    [row] = rows()
    assert (row["state"], row["error"], row["cost"]) == (state, error, cost)
    assert (row["cost_most"] == 0.0) == (cost == 0.0)
    assert row["replayable"] in (0, 2)


def test_a_stopped_answer_is_kept_with_its_worst_case(claude_emulator):
    """Output tokens are counted at the end, so nobody knows what it cost."""
    claude_emulator.answer("word " * 100)
    claude_emulator.fail(Fault(stall_after=900))
    claude = client(claude_emulator)
    with claude.stream("Hello", max_tokens=1000) as stream:
        next(event for event in stream if event.text)
    [row] = rows()
    assert (row["state"], row["cost"], row["output_tokens"], row["replayable"]) == ("stopped", None, None, 0)
    # 1,000 output tokens at 0.50 a million, and a handful of input tokens at 0.10.
    assert row["cost_most"] == pytest.approx(0.0005, abs=0.00001)


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"input_tokens": 1, "output_tokens": 1}, 0.08),
        ({"input_tokens": 1, "output_tokens": 1, "speed": "fast"}, 0.08),
        ({"input_tokens": 1, "output_tokens": 1, "speed": "standard"}, 0.04),
    ],
    ids=["speed not stated", "fast", "standard"],
)
def test_a_stopped_answer_in_fast_mode_may_have_cost_what_its_speed_costs(claude_emulator, usage, usd):
    """1,000 output tokens at 80 USD a million, or 40: at the speed of the reply, else at the one asked for."""
    claude_emulator.answer({**MESSAGE, "content": [{"type": "text", "text": "word " * 300}], "usage": usage})
    claude_emulator.fail(Fault(stall_after=900))
    claude = client(claude_emulator, model="claude-fable-5-2")
    with claude.stream("Hello", max_tokens=1000, set={"speed": "fast"}) as stream:
        next(event for event in stream if event.text)
    assert rows()[0]["cost_most"] == pytest.approx(usd, abs=0.001)


def test_the_journal_can_be_switched_off(claude_emulator, monkeypatch):
    """By an option or by the environment: no file."""
    client(claude_emulator, journal="off").ask("Hello")
    monkeypatch.setenv("VERTEX_CLAUDE_JOURNAL", " Off ")
    client(claude_emulator).ask("Hello")
    assert not default_path().parent.exists()


def test_the_journal_can_lie_elsewhere(claude_emulator, tmp_path):
    """In a folder that is made for it, for its owner only; ~ is the home."""
    client(claude_emulator, journal=str(tmp_path / "a" / "b" / "my journal?#%.db")).ask("Hello")
    assert len(rows(path=tmp_path / "a" / "b" / "my journal?#%.db")) == 1
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    client(claude_emulator, journal="~/j.db").ask("Hello")
    assert len(rows(path=default_path().home() / "j.db")) == 1


# What a service may say, and SQLite or UTF-8 cannot hold.
ODD_ANSWERS = [
    ("a number of tokens beyond 64 bits", {"usage": {"input_tokens": 10**30, "output_tokens": 10**400}}),
    ("a negative number of tokens", {"usage": {"input_tokens": -5, "output_tokens": 5}}),
    ("half a character", {"id": "msg_\ud800", "stop_reason": "\udfff"}),
    ("a NUL", {"id": "msg_\x00", "stop_reason": "a\x00b"}),
    ("nesting", {"content": [{"type": "tool_use", "id": "t", "name": "n", "input": json.loads('{"a":' * 150 + "1" + "}" * 150)}]}),
    ("deep nesting", {"content": [{"type": "tool_use", "id": "t", "name": "n", "input": json.loads('{"a":' * 800 + "1" + "}" * 800)}]}),
    ("no number", {"content": [{"type": "tool_use", "id": "t", "name": "n", "input": {"a": float("nan")}}]}),
]  # fmt: skip


@pytest.mark.parametrize("message", [row[1] for row in ODD_ANSWERS], ids=[row[0] for row in ODD_ANSWERS])
@pytest.mark.parametrize("recorded", [False, True], ids=["journal", "recording"])
def test_an_answer_that_is_odd_comes_all_the_same(claude_emulator, tmp_path, message, recorded):
    """Whatever can or cannot be kept of it."""
    body = json.dumps({**MESSAGE, **message}).encode()
    claude_emulator.fail(Fault(status=200, body=body, content_type="application/json"))
    options = {"recording": str(tmp_path / "r.claude")} if recorded else {}
    claude = client(claude_emulator, **options)
    reply, notices = told(claude, no_stream=True)
    assert reply.complete
    assert len(notices) <= 1
    # The next answer is kept as ever.
    assert told(claude, "And now?")[1] == ()
    assert rows()[-1]["state"] == "done"
    if recorded:
        claude._session.records.stores.close()
        assert told(claude, "And now?", replay="only")[0].recorded_from == "emulator"


def test_repeats_are_given_in_their_order_and_then_from_the_first_again(journal):
    """Case 85."""
    for answer in "ABC":
        kept(journal, answer=answer)
    assert [said(journal) for _ in range(7)] == list("ABCABCA")


def test_the_answers_are_those_of_the_last_session_that_asked(journal):
    """A new day's run of a notebook replaces what the day before was answered."""
    for session, answer in (("s1", "A"), ("s1", "B"), ("s2", "C")):
        kept(journal, answer=answer, session=session)
    assert [said(journal) for _ in range(3)] == ["C", "C", "C"]


def test_a_cell_that_runs_again_replaces_what_its_last_run_was_answered(journal):
    """Two questions of one run are repeats, two runs of one cell are not."""
    for cell, run, answer in (("c1", "1", "A"), ("c1", "1", "B"), ("c2", "2", "C"), ("c1", "3", "D")):
        kept(journal, answer=answer, origin=Origin(cell=cell, run=run))
    assert [said(journal) for _ in range(2)] == ["C", "D"]


def test_answers_of_this_machine_are_not_given_for_those_of_google(journal):
    """An emulator's answer is no answer of Claude's."""
    call = a_call(source="local")
    journal.end(journal.begin(call), call, an_ending("fake", source="emulator"), KEEP)
    assert said(journal, local=False) is None
    assert said(journal) == "fake"
    kept(journal, answer="real")
    assert said(journal, local=False) == "real"


def test_an_error_is_an_answer_only_for_those_who_want_it(journal):
    """Case 88."""
    call = a_call()
    journal.end(journal.begin(call), call, an_ending("", state="failed", replayable=2), KEEP)
    assert said(journal) is None
    assert said(journal, errors=True) == ""


def test_an_attachment_is_stored_once_and_goes_with_its_last_call(tmp_path):
    """By content, however often it is sent."""
    now = [NOON]
    journal = opened(tmp_path / "j", clock=lambda: now[0])
    hashes = {"aa" * 32: b"first", "bb" * 32: b"second"}
    for day, names in ((0, ["aa" * 32]), (10, ["aa" * 32, "bb" * 32]), (20, ["bb" * 32])):
        call = a_call(str(day), at=NOON + day * DAY, attachments={name: hashes[name] for name in names})
        journal.end(journal.begin(call), call, an_ending(), KEEP)
    assert [row["content"] for row in rows("attachments", journal.path)] == [b"first", b"second"]
    for day, left in ((31, [b"first", b"second"]), (41, [b"second"]), (51, [])):
        now[0] = NOON + day * DAY
        journal._upkeep(KEEP)
        assert [row["content"] for row in rows("attachments", journal.path)] == left
    assert [rows(table, journal.path) for table in COLUMNS] == [[]] * len(COLUMNS)


@pytest.mark.parametrize("wrong", [[45], [45, 45, 45], [-45], [4000], [-45, 45]], ids=str)
def test_a_clock_that_is_wrong_for_a_day_empties_no_journal(tmp_path, wrong):
    """Days by which it is wrong for a question each; what is dropped does not come back."""
    now = [NOON]
    journal = opened(tmp_path / "j", clock=lambda: now[0])

    def ask(day: int) -> None:
        now[0] = NOON + day * DAY
        kept(journal, f"{now[0]}", at=now[0])
        journal._upkeep(KEEP)

    for day in range(10):
        ask(day)
    for days in wrong:
        ask(9 + days)
        ask(9)
    for day in range(10, 20):
        ask(day)
    found = {row["day"] for row in rows(path=journal.path)}
    assert {day_of(NOON + day * DAY) for day in range(20)} <= found


def test_after_a_long_pause_what_is_old_goes_on_the_second_day(tmp_path):
    """A pause is no wrong clock: the next day with questions confirms it."""
    now = [NOON]
    journal = opened(tmp_path / "j", clock=lambda: now[0])
    for day, left in ((0, 1), (3, 2), (60, 3), (60, 3), (61, 2)):
        now[0] = NOON + day * DAY
        kept(journal, f"{day}", at=now[0])
        journal._upkeep(KEEP)
        assert len({row["day"] for row in rows(path=journal.path)}) == left


def test_what_is_older_than_the_days_that_are_kept_goes_by_itself(tmp_path):
    """Anthropic advises at least 30 rolling days."""
    now = [NOON]
    journal = opened(tmp_path / "j", clock=lambda: now[0])
    for day in range(60):
        now[0] = NOON + day * DAY
        kept(journal, str(day), at=now[0])
    # It is looked after with the first answer of a process and every fiftieth from there.
    days = [row["day"] for row in rows(path=journal.path)]
    assert len(days) <= 40
    assert min(days) >= "2026-12-16"
    journal._upkeep(Keep(days=1))
    assert {row["day"] for row in rows(path=journal.path)} == {"2027-01-23", "2027-01-24"}


@pytest.mark.parametrize("days", [1_000_000, 2**63, 10**300], ids=["for ever", "64 bits", "300 digits"])
def test_calls_may_be_kept_for_longer_than_days_are_counted(journal, days):
    """No day is before the year 1; what is to be kept for ever is a large number."""
    for text, at in (("old", NOON - 10_000 * DAY), ("new", NOON)):
        call = a_call(text, at=at)
        journal.end(journal.begin(call), call, an_ending(), Keep(days=days))
    journal._upkeep(Keep(days=days))
    assert journal.notices() == ()
    assert len(rows(path=journal.path)) == 2


def test_a_large_file_loses_its_oldest_calls_and_no_more_than_it_must(journal):
    """The size is bounded, the last answer stays, and the user is told once."""
    keep = Keep(megabytes=10)
    for number in range(12):
        data = os.urandom(2_000_000)
        call = a_call(str(number), attachments={f"{number:064x}": data})
        journal.end(journal.begin(call), call, an_ending(), keep)
        assert rows(path=journal.path)[-1]["id"] == number + 1
    left = [row["id"] for row in rows(path=journal.path)]
    assert left == [9, 10, 11, 12]
    assert journal.path.stat().st_size < 15_000_000
    [notice] = journal.notices()
    assert "10 MB" in notice
    assert len(notice.splitlines()) == 1


def test_what_was_dropped_is_given_back_to_the_file_system(journal):
    """In steps of 8 MB, so that nobody waits for it; and the log does not stay as large as it was once."""
    for number in range(10):
        kept(journal, str(number), attachments={f"{number:064x}": os.urandom(2_000_000)})
    for _ in range(4):
        journal._upkeep(Keep(megabytes=3))
    kept(journal, "last")
    journal.close()
    assert sum(path.stat().st_size for path in journal.path.parent.iterdir()) < 5_000_000


def test_an_attachment_of_20_megabytes_is_kept(claude_emulator):
    """As large as a request may be."""
    data = os.urandom(20_000_000)
    source = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(data).decode()}
    claude_emulator.fail(Fault(status=200, body=WHOLE, content_type="application/json"))
    prompt = [{"type": "document", "source": source}, "What is this?"]
    claude = client(claude_emulator)
    first, notices = told(claude, prompt, no_stream=True)
    again, more = told(claude, prompt, no_stream=True, replay="auto")
    assert (first.replayed, again.replayed, notices, more) == (False, True, (), ())
    [row] = rows("attachments")
    assert row["content"] == data


def test_threads_lose_nothing(journal):
    """One connection, one lock."""
    threads = [
        threading.Thread(target=lambda n=n: [kept(journal, f"{n} {i}") for i in range(25)]) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = rows(path=journal.path)
    assert len(found) == 200
    assert {row["state"] for row in found} == {"done"}
    assert journal.notices() == ()


@needs_fork
def test_a_fork_writes_through_a_connection_of_its_own(journal):
    """The parent's is neither used nor closed, also if the child closes the journal first."""
    kept(journal, "parent")
    for closes in (False, True):

        def child(closes: bool = closes) -> list[str]:
            if closes:
                journal.close()
            kept(journal, f"child {closes}")
            return list(journal.notices())

        assert forked(child) == []
        kept(journal, f"parent {closes}")
    assert len(rows(path=journal.path)) == 5


@needs_fork
def test_a_fork_while_another_thread_writes_does_not_wait_for_that_thread(claude_emulator):
    """As when a pool of processes starts while an answer comes in; the lock of the other thread is never released."""
    journal = opened(default_path())
    kept(journal, "parent")
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with journal.database._lock:
            holding.set()
            done.wait(120)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(120)
    try:
        assert forked(lambda: kept(journal, "child"))
    finally:
        done.set()
        thread.join()
    assert len(rows()) == 2


def test_two_clients_share_one_file(claude_emulator):
    """In one kernel: what one was answered, the other may give again; closing one does not end the other."""
    one, two = client(claude_emulator), client(claude_emulator)
    first = one.ask("Hello")
    one.close()
    assert two.ask("Hello", replay="auto").text == first.text
    assert len(claude_emulator.requests) == 1
    assert len(rows()) == 2


def test_an_interrupt_inside_a_transaction_leaves_the_file_usable(journal):
    """Case 23: nothing half-written, and the next call is kept."""

    def interrupted(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM calls")
        raise KeyboardInterrupt

    kept(journal, "first")
    with pytest.raises(KeyboardInterrupt):
        journal.database.write(interrupted)
    kept(journal, "second")
    assert len(rows(path=journal.path)) == 2
    assert journal.notices() == ()


def test_a_notice_reaches_the_user_though_others_were_read_meanwhile(claude_emulator):
    """As when a panel asks for notices while an answer streams."""
    claude_emulator.answer("The key is AKIAIOSFODNN7EXAMPLE.")
    claude = client(claude_emulator)
    with claude.stream("Hello") as stream:
        assert claude._session.records.notices(claude._session.target()) == ()
        assert stream.reply.complete
    [notice] = claude._session.records.notices(claude._session.target())
    assert "not saved" in notice


def test_what_is_told_is_logged_by_ask(claude_emulator, caplog, tmp_path):
    """A script has no page, so its log says it; one line."""
    (tmp_path / "j").write_bytes(b"x" * 5000)
    assert client(claude_emulator, journal=str(tmp_path / "j")).ask("Hello").complete
    [record] = caplog.records
    assert (
        record.getMessage()
        == f"The journal {tmp_path / 'j'} is not a journal. Move the file away; a new one is created."
    )


def test_usage_is_summed_by_day_notebook_and_model(journal):
    """Replayed answers cost nothing and say what they saved; unfinished ones stand beside the sum."""
    for at, notebook, ending in (
        (NOON, "a", an_ending(input_tokens=10, output_tokens=5)),
        (NOON, "a", an_ending(cost=None, cost_most=2.0, state="stopped")),
        (NOON, "b", an_ending(cost=None, cost_most=None)),
        (NOON - DAY, "a", an_ending(cost=1.0)),
    ):
        call = a_call(at=at, origin=Origin(notebook=notebook))
        journal.end(journal.begin(call), call, ending, KEEP)
    journal.replayed(a_call(origin=Origin(notebook="a")), 1, error=False)
    found = [
        (r.day, r.notebook, r.calls, r.replayed, r.cost, r.open_cost, r.unknown, r.saved)
        for r in journal.usage()
    ]
    assert found == [
        ("2026-11-26", "a", 2, 1, 0.25, 2.0, 0, 0.25),
        ("2026-11-26", "b", 1, 0, 0, 0, 1, 0),
        ("2026-11-25", "a", 1, 0, 1.0, 0, 0, 0),
    ]
    today = journal.spent("2026-11-26", local=False)
    assert (today.usd, today.unknown) == (2.25, 1)
    assert journal.spent("2026-11-26", local=True).usd == 0


def test_the_row_of_an_answer_from_a_recording_is_written_once(journal):
    """There is no first row to look for that would say what it saved, and nothing to change afterwards."""
    statements: list[str] = []
    journal.database.read(lambda connection: connection.set_trace_callback(statements.append))
    journal.replayed(a_call(), None, error=True)
    # What triggers do is told as the statement again that they belong to.
    of_calls = list(dict.fromkeys(each for each in statements if " calls " in each))
    assert [each.split(" (")[0] for each in of_calls] == ["INSERT INTO calls"]
    query = "SELECT state, cost, cost_most, saved, error, chained FROM calls"
    found = journal.database.read(lambda connection: connection.execute(query).fetchall())
    assert found == [("replayed", 0, 0, None, "replayed", 1)]
