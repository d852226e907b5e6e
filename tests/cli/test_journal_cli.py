"""`vertex-claude journal`: look into the journal, make it smaller, carry answers from one to another."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from shells import run_python

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.__main__ import main
from vertex_claude_magic.records.journal.calls import ANSWER, Call, Ending, StoredCall, add, add_content, end
from vertex_claude_magic.records.journal.importing import add_records
from vertex_claude_magic.records.journal.journal import Journal
from vertex_claude_magic.records.journal.location import default_path
from vertex_claude_magic.records.journal.parts import pack
from vertex_claude_magic.records.recording.file_text import read_recording, write_records
from vertex_claude_magic.settings.loaded import set_policy
from vertex_claude_magic.settings.origin import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HASH = hashlib.sha256(PNG).hexdigest()
HOSTILE = [
    "\x1b[2J\x1b[1;1Hgone",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x9b31mred",
    "\x90payload\x9c",
    "abc\u202ecod",
    "a\u200bb\U000e0041",
    "carriage\rreturn",
    "back\x08space\x7f",
    "--- answer\nforged\n--- error",
    "\ud800",
]


@pytest.fixture
def journal() -> Iterator[Journal]:
    """The journal of an empty home."""
    journal = Journal(default_path())
    yield journal
    journal.close()


@pytest.fixture
def asked(claude_emulator, tmp_path):
    """A session that has asked three questions: one with a picture, one that failed."""
    (tmp_path / "dot.png").write_bytes(PNG)
    claude = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator"
    )
    claude_emulator.answer("Four.", "A dot.")
    claude.ask("What is 2 + 2?", model="haiku", system="Be brief.\nBe kind.", max_tokens=50)
    claude.ask("What does this show?", model="haiku", attach=[str(tmp_path / "dot.png")])
    claude_emulator.fail(400)
    with pytest.raises(errors.BadRequest):
        claude.ask("Does this fail?", model="opus")
    claude.close()
    return claude_emulator


def keep(journal, *, at=None, text="Hi", answer="Hello", notebook="lesson.ipynb", model="claude-haiku-5-5",
         session="s", source="vertex", attachments=None, content=None, asked=None, **ending) -> None:  # fmt: skip
    """Put one answered call into the journal."""
    body = {"max_tokens": 9, "messages": [{"role": "user", "content": content or text}]}
    call = Call(at=at or time.time(), session=session, origin=Origin(notebook=notebook),
                key=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(), canonical={"model": model, "body": body},
                attachments=attachments or {}, asked=asked or model, model=model, region="global", project="secret-project",
                source=source)  # fmt: skip
    recorded = {"content": [{"type": "text", "text": answer}], "model": model, "region": "global"}
    done = Ending(state="done", source=source, answer=recorded, replayable=ANSWER, message_id="msg_secret",
                  request_id="req_secret", cost=0.01, cost_most=0.01, **ending)  # fmt: skip

    def work(connection):
        number = add(connection, call)
        add_content(connection, number, call)
        end(connection, number, call, done)

    journal.database.write(work)


def run(capsys, *arguments: str) -> list[str]:
    """Run a command that must end well, and return the lines that it prints."""
    capsys.readouterr()
    assert main(["journal", *arguments]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out.splitlines()


def refused(capsys, *arguments: str) -> str:
    """Run a command that must not end well, and return its one line."""
    capsys.readouterr()
    assert main(["journal", *arguments]) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert "Traceback" not in line
    return line


def days_ago(days: int) -> float:
    return (datetime.now().astimezone() - timedelta(days=days)).timestamp()


def test_show_lists_the_last_calls_a_line_each(asked, capsys):
    """Number, local time, notebook, model, tokens, cost, state and the first words."""
    heads, first, second, third = run(capsys, "show")
    assert heads.split() == [
        "No.",
        "Time",
        "Notebook",
        "Model",
        "In",
        "/",
        "out",
        "USD",
        "(est.)",
        "State",
        "Prompt",
    ]
    assert first.startswith("1 ")
    assert time.strftime("%Y-%m-%d") in first
    assert "claude-haiku-5-5" in first
    assert first.endswith("done    What is 2 + 2?")
    assert second.endswith("What does this show?")
    assert third.endswith("failed  Does this fail?")
    assert [line.split()[0] for line in run(capsys, "show", "--last", "2")[1:]] == ["2", "3"]


def test_show_with_a_number_shows_request_and_answer(asked, capsys):
    """Whole, and a picture by its hash."""
    lines = run(capsys, "show", "1")
    text = "\n".join(lines)
    assert "model       claude-haiku-5-5 (asked: haiku)" in lines
    assert "from        emulator" in lines
    assert "--- system\n  Be brief.\n  Be kind.\n--- user\n  What is 2 + 2?" in text
    assert text.endswith("--- answer\n  Four.")
    assert '"max_tokens": 50' in text
    assert f"[image: image/png, {len(PNG)} bytes, SHA-256 {HASH}]" in "\n".join(run(capsys, "show", "2"))
    assert "BadRequest: " in "\n".join(run(capsys, "show", "3"))


def test_an_answer_given_again_shows_its_question(asked, capsys):
    """Its content stands with the first call, and is not stored twice."""
    claude = Claude(project=asked.project, base_url=asked.base_url, access_token="emulator")
    claude.ask("What is 2 + 2?", model="haiku", system="Be brief.\nBe kind.", max_tokens=50, replay="auto")
    claude.close()
    assert run(capsys, "show")[-1].endswith("replayed  What is 2 + 2?")
    text = "\n".join(run(capsys, "show", "4"))
    assert "a replayed answer saved" in text
    assert "see the call that was answered first" in text


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_is_kept_can_move_the_cursor(journal, capsys, text):
    """Cases 57: prompt, answer, notebook and model; and only what we say begins at the margin."""
    keep(journal, text=text, answer=text, notebook=text, model=text, stop_reason="end\x1b[31m")
    journal.close()
    for arguments in (["show"], ["show", "1"]):
        lines = run(capsys, *arguments)
        assert all(line.isprintable() for line in lines)
    heads = [line for line in lines if line.startswith("---")]
    assert heads == ["--- parameters", "--- user", "--- answer"]


STRANGE = [
    {"model": "m", "body": {}},
    {"model": "m", "body": {"messages": None}},
    {
        "model": "m",
        "body": {"messages": [1, None, {"role": 5, "content": 7}, {"content": [None, {"type": {}}]}]},
    },
    {
        "model": "m",
        "body": {
            "system": [{"type": "text"}],
            "messages": [{"role": "user", "content": [{"type": "image"}]}],
        },
    },
    {"model": "m", "beta": ["b"], "body": {"messages": {"role": "user"}, "tools": [[[[]]]]}},
    {"body": 5},
    {},
    [1],
    "text",
]


@pytest.mark.parametrize("canonical", STRANGE, ids=repr)
def test_whatever_a_request_looks_like_it_is_shown(journal, capsys, canonical):
    """An entry may come from a file of somebody else."""
    keep(journal)
    journal.database.write(
        lambda connection: connection.execute(
            "UPDATE contents SET frame = NULL, request = ?", (pack(canonical),)
        )
    )
    journal.close()
    assert len(run(capsys, "show")) == 2
    assert "Hello" in "\n".join(run(capsys, "show", "1"))


def test_a_damaged_entry_does_not_hide_the_others(journal, capsys):
    """It is called damaged."""
    keep(journal, text="one")
    keep(journal, text="two")
    journal.database.write(
        lambda connection: connection.execute(
            "UPDATE contents SET frame = NULL, request = x'00', answer = x'01' WHERE call = 1"
        )
    )
    journal.close()
    assert run(capsys, "show")[1].endswith("(damaged)")
    assert run(capsys, "show")[2].endswith("two")
    assert run(capsys, "show", "1")[-3:] == ["The request is damaged.", "", "The answer is damaged."]


def test_what_is_shown_is_bounded(journal, capsys):
    """A prompt of a megabyte stays out of the terminal, and what is left out is said."""
    keep(journal, text="x" * 1_000_000)
    journal.close()
    assert max(map(len, run(capsys, "show"))) < 200
    text = "\n".join(run(capsys, "show", "1"))
    assert len(text) < 110_000
    assert "(900,000 more characters)" in text


def test_attachments_are_written_by_hash_and_kind_for_their_owner(asked, capsys, tmp_path):
    """Once; a file that is there is left unchanged."""
    folder = tmp_path / "new" / "folder"
    lines = run(capsys, "show", "2", "--attachments", str(folder))
    (file,) = folder.iterdir()
    assert lines[-1] == str(file)
    assert file.name == f"{HASH}.png"
    assert file.read_bytes() == PNG
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(b"mine")
    assert "already exists" in run(capsys, "show", "2", "--attachments", str(folder))[-1]
    assert file.read_bytes() == b"mine"
    assert run(capsys, "show", "1", "--attachments", str(folder))[-1] == "--- attachments: 0"


@pytest.mark.parametrize("media_type", ["../../evil", "image/png/../../x", "text/html", "\x1b[31m", 5, None])
def test_no_name_of_a_file_comes_from_the_data(journal, capsys, tmp_path, media_type):
    """Case 65: neither media type nor hash of a request is a path."""
    source = {"type": "base64", "media_type": media_type, "sha256": "../../evil", "bytes": 3}
    known = {"type": "base64", "media_type": media_type, "sha256": HASH}
    keep(journal, content=[{"type": "image", "source": source}, {"type": "image", "source": known}],
         attachments={HASH: PNG})  # fmt: skip
    journal.close()
    run(capsys, "show", "1", "--attachments", str(tmp_path / "a" / "b"))
    assert [file.name for file in (tmp_path / "a" / "b").iterdir()] == [f"{HASH}.bin"]
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_an_attachment_follows_no_link(asked, capsys, tmp_path):
    """Also one that leads nowhere yet."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / f"{HASH}.png").symlink_to(tmp_path / "target")
    assert "left unchanged" in run(capsys, "show", "2", "--attachments", str(folder))[-1]
    assert not (tmp_path / "target").exists()


def test_attachments_that_cannot_be_written_are_one_line(asked, capsys, tmp_path):
    """A file stands where the folder should."""
    (tmp_path / "file").touch()
    line = refused(capsys, "show", "2", "--attachments", str(tmp_path / "file"))
    assert "(File exists). Choose another folder" in line
    assert "journal show ID" in refused(capsys, "show", "--attachments", str(tmp_path / "out"))


def test_stats_are_those_counted_by_hand(journal, capsys):
    """Two calls of one day and one of another share an attachment."""
    for days in (3, 0, 0):
        keep(journal, at=days_ago(days), text=f"{days}", attachments={HASH: PNG})
    journal.close()
    found = dict(line.split(maxsplit=1) for line in run(capsys, "stats"))
    assert found["calls"] == "3"
    assert found["answers"].startswith("3 that can be replayed")
    assert found["attachments"].startswith("1 of ")
    first, last = (datetime.now().astimezone().date() - timedelta(days=days) for days in (3, 0))
    assert found["days"] == f"{first} to {last}"
    assert found["log"] in {"write-ahead", "rollback (for a network file system)"}
    assert found["file"] == str(default_path())
    assert "B" in found["size"]


def test_stats_of_a_journal_without_calls(journal, capsys):
    """After everything was dropped."""
    keep(journal)
    journal.close()
    run(capsys, "prune", "--all")
    assert "days        none yet" in run(capsys, "stats")
    assert run(capsys, "show") == ["The journal has no calls yet."]


def test_prune_drops_what_is_old_and_shrinks_the_file(journal, capsys):
    """It says how many and from what to what; what is kept is there as before."""
    for number in range(1_200):
        keep(journal, at=days_ago(40), text=f"old {number}", answer=os.urandom(2_000).hex())
    for number in range(3):
        keep(journal, at=days_ago(29), text=f"new {number}")
    journal.close()
    before = default_path().stat().st_size
    lines = run(capsys, "prune")
    assert lines[0] == "Dropped 1,200 calls older than 30 days."
    assert lines[1].startswith("The file was ")
    assert before > 2_000_000
    assert default_path().stat().st_size < 200_000
    assert len(run(capsys, "show")) == 4
    assert run(capsys, "prune", "--days", "28")[0] == "Dropped 3 calls older than 28 days."
    assert run(capsys, "prune", "--days", "999999")[0].startswith("Dropped 0 calls")


@pytest.fixture
def course(monkeypatch, tmp_path) -> Iterator[Path]:
    """A folder whose policy is found by what runs there."""
    monkeypatch.chdir(tmp_path)
    set_policy(None)
    yield tmp_path
    set_policy(None)


def test_prune_keeps_as_many_days_as_the_journal_does(journal, capsys, course):
    """A course that has its answers for a year loses none of them to a bare `prune`."""
    keep(journal, at=days_ago(400), text="old")
    keep(journal, at=days_ago(300), text="of the last term")
    (course / "claude-policy.toml").write_text("[locks]\njournal_days = 365\n", encoding="utf-8")
    assert run(capsys, "prune")[0] == "Dropped 1 call older than 365 days."
    assert run(capsys, "prune", "--days", "30")[0] == "Dropped 1 call older than 30 days."


def test_prune_shrinks_a_file_that_a_kernel_has_open(journal, capsys):
    """Nobody has to be stopped for it, and the kernel goes on keeping."""
    for number in range(300):
        keep(journal, text=f"{number}", answer=os.urandom(5_000).hex())
    before = default_path().stat().st_size
    assert run(capsys, "prune", "--all")[0] == "Dropped 300 calls."
    assert default_path().stat().st_size < before / 10
    keep(journal, text="after")
    assert run(capsys, "show")[-1].endswith("after")


def test_prune_takes_an_attachment_with_its_last_call(journal, capsys):
    """Not before."""
    keep(journal, at=days_ago(40), text="old", attachments={HASH: PNG})
    keep(journal, text="new", attachments={HASH: PNG})
    journal.close()
    run(capsys, "prune")
    assert "attachments 1 of 70 bytes" in "\n".join(run(capsys, "stats"))
    run(capsys, "prune", "--all")
    assert "attachments 0 of" in "\n".join(run(capsys, "stats"))


def test_export_writes_a_recording_that_belongs_to_nobody(journal, capsys, tmp_path):
    """Case 64: neither project nor ids nor credentials; a file like any other, to be passed on."""
    keep(journal, text="Hi")
    journal.close()
    file = tmp_path / "lesson.claude"
    assert run(capsys, "export", str(file)) == [f"Wrote 1 answer to {file}."]
    text = file.read_text(encoding="utf-8")
    assert "secret" not in text
    (kept,) = read_recording(text)[0]
    assert kept.answer["content"][0]["text"] == "Hello"
    (tmp_path / "other").touch()
    assert file.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_export_overwrites_only_when_told(journal, capsys, tmp_path):
    """And follows no link."""
    keep(journal)
    journal.close()
    file = tmp_path / "lesson.claude"
    file.write_text("mine")
    assert "use --force" in refused(capsys, "export", str(file))
    assert file.read_text() == "mine"
    run(capsys, "export", str(file), "--force")
    assert read_recording(file.read_text(encoding="utf-8"))[0]
    if os.name == "posix":
        (tmp_path / "link").symlink_to(file)
        assert "symbolic link" in refused(capsys, "export", str(tmp_path / "link"), "--force")


FILTERS = [
    ([], {"one", "two", "three", "four"}),
    (["--notebook", "thesis.ipynb"], {"two"}),
    (["--notebook", "work/thesis.ipynb"], {"two"}),
    (["--notebook", "ork/thesis.ipynb"], set()),
    (["--model", "claude-opus-5-5"], {"three"}),
    # By any name that a question takes; what was asked by it may have been another model then.
    (["--model", "opus"], {"three", "four"}),
    (["--model", "Opus-5.5"], {"three"}),
    (["--model", "claude-opus-4-1-20250805"], {"four"}),
    (["--model", "sonnet"], set()),
    (["--model", "x' OR 1"], set()),
    (["--since", "NOW"], {"two", "three", "four"}),
    (["--since", "NOW", "--notebook", "lesson.ipynb"], {"three", "four"}),
]


@pytest.mark.parametrize(("arguments", "texts"), FILTERS)
def test_export_chooses_by_notebook_day_and_model(journal, capsys, tmp_path, arguments, texts):
    """All of them together."""
    keep(journal, text="one", at=days_ago(9))
    keep(journal, text="two", notebook="work/thesis.ipynb")
    keep(journal, text="three", model="claude-opus-5-5")
    keep(journal, text="four", model="claude-opus-4-1@20250805", asked="opus")
    journal.close()
    today = datetime.now().astimezone().date().isoformat()
    if not texts:
        assert "no matching answer" in refused(capsys, "export", str(tmp_path / "r"), *arguments)
        return
    run(capsys, "export", str(tmp_path / "r"), *(each.replace("NOW", today) for each in arguments))
    records = read_recording((tmp_path / "r").read_text(encoding="utf-8"))[0]
    assert {kept.canonical["body"]["messages"][0]["content"] for kept in records} == texts


@pytest.mark.parametrize("answer", [5, float("nan")])
def test_export_leaves_out_what_a_recording_cannot_represent(journal, capsys, tmp_path, answer):
    """Such as the answer of a gateway that is none of the Messages API."""
    keep(journal, answer=answer)
    keep(journal, text="other", answer="Four.")
    journal.close()
    run(capsys, "export", str(tmp_path / "r"))
    [kept] = read_recording((tmp_path / "r").read_text(encoding="utf-8"))[0]
    assert kept.answer["content"][0]["text"] == "Four."


def test_export_takes_the_answers_that_would_be_given_again(journal, capsys, tmp_path):
    """Those of the last session in their order, and Claude's before those of an emulator."""
    keep(journal, answer="old", session="first")
    keep(journal, answer="new 1", session="second")
    keep(journal, answer="new 2", session="second")
    keep(journal, answer="emulated", session="third", source="emulator")
    keep(journal, text="other", answer="only emulated", session="third", source="emulator")
    journal.close()
    lines = run(capsys, "export", str(tmp_path / "r"))
    texts = [kept.answer["content"][0]["text"] for kept in read_recording((tmp_path / "r").read_text())[0]]
    assert texts == ["new 1", "new 2", "only emulated"]
    assert "from a server on this machine, not from Claude: 1" in lines[0]


def test_nothing_to_export_is_said_and_writes_nothing(journal, capsys, tmp_path):
    """An empty recording would look like a lesson without answers."""
    keep(journal)
    journal.close()
    assert "no matching answer" in refused(capsys, "export", str(tmp_path / "r"), "--notebook", "none.ipynb")
    assert not (tmp_path / "r").exists()


def test_an_imported_answer_is_found_without_a_network(asked, capsys, tmp_path, monkeypatch):
    """From one machine to another: export, import, `--replay only` with no login; it costs nothing."""
    run(capsys, "export", str(tmp_path / "lesson.claude"))
    monkeypatch.setenv("VERTEX_CLAUDE_JOURNAL", str(tmp_path / "other"))
    assert run(capsys, "import", str(tmp_path / "lesson.claude"))[0].startswith(
        "Added 2 answers; already there: 0"
    )
    assert run(capsys, "show")[-1].rstrip().endswith("What does this show?")
    before = len(asked.requests)
    claude = Claude(replay="only")
    reply = claude.ask("What is 2 + 2?", model="haiku", system="Be brief.\nBe kind.", max_tokens=50)
    assert (reply.text, reply.replayed) == ("Four.", True)
    assert len(asked.requests) == before
    journal = Journal(tmp_path / "other")
    today = datetime.now().astimezone().date().isoformat()
    assert [(row.calls, row.replayed, row.cost) for row in journal.usage()] == [(0, 1, 0.0)]
    assert journal.spent(today, local=True).usd == 0.0
    journal.close()
    claude.close()


def test_importing_twice_adds_nothing(asked, capsys, tmp_path):
    """Nor does what the journal exported itself."""
    file = str(tmp_path / "lesson.claude")
    run(capsys, "export", file)
    assert run(capsys, "import", file)[0].startswith("Added 0 answers; already there: 2")
    other = ["--journal", str(tmp_path / "other")]
    assert run(capsys, "import", file, *other)[0].startswith("Added 2 answers;")
    assert run(capsys, "import", file, *other)[0].startswith("Added 0 answers; already there: 2")
    assert len(run(capsys, "show", *other)) == 3


def test_a_damaged_entry_does_not_keep_answers_from_being_imported(asked, capsys, tmp_path):
    """What cannot be read is added anew."""
    file = str(tmp_path / "lesson.claude")
    run(capsys, "export", file)
    with sqlite3.connect(default_path()) as connection:
        connection.execute("UPDATE contents SET answer = x'00' WHERE call = 1")
    connection.close()
    assert run(capsys, "import", file)[0].startswith("Added 1 answer; already there: 1")


def test_what_is_imported_is_kept_from_that_day_on(journal):
    """With the date of its recording in the answer, and the days of the journal counted from now."""
    kept = StoredCall(canonical={"model": "m", "body": {}}, answer={"content": []}, recorded="2020-01-31T12:00:00Z", asked="m",
                source="vertex")  # fmt: skip
    now = datetime(2026, 11, 26, 12).astimezone().timestamp()
    journal.database.write(lambda connection: add_records(connection, [kept], now))
    assert journal.recent()[0].recorded == "2020-01-31T12:00:00Z"
    days = journal.database.read(
        lambda connection: connection.execute("SELECT day, state FROM calls").fetchall()
    )
    assert days == [("2026-11-26", "imported")]
    journal.close()


def test_repeats_of_one_request_keep_their_order(journal, capsys, tmp_path):
    """As in the journal that they came from."""
    for answer in ("heads", "tails", "heads"):
        keep(journal, text="Toss a coin.", answer=answer)
    journal.close()
    run(capsys, "export", str(tmp_path / "r"))
    other = Journal(tmp_path / "other")
    run(capsys, "import", str(tmp_path / "r"), "--journal", str(other.path))
    texts = [kept.answer["content"][0]["text"] for kept in reversed(other.recent())]
    assert texts == ["heads", "tails", "heads"]
    other.close()


def recording(**changes) -> str:
    record = {"recorded": "2026-11-26T20:00:00Z", "from": "vertex", "asked": "haiku",
              "request": {"model": "m", "body": {"messages": []}}, "answer": {"content": []}}  # fmt: skip
    whole = {"format": "vertex_claude_magic recording", "version": 1, "records": [{**record, **changes}]}
    return json.dumps(whole)


INVALID = {
    "empty": "",
    "no JSON": "cos\nsystem\n(S'id'\ntR.",
    "another format": "{}",
    "a newer version": recording().replace('"version": 1', '"version": 2'),
    "no date": recording(recorded="yesterday"),
    "a day that no calendar has": recording(recorded="2026-13-45T99:00:00Z"),
    "a source of its own": recording(**{"from": "\x1b[31mmars"}),
    "no request": recording(request=5),
    "a body of another kind": recording(request={"model": "m", "body": []}),
    "an answer of another kind": recording(answer={"content": "text"}),
    "no number": recording(answer={"content": [], "seconds": float("nan")}),
}


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID.keys())
def test_a_file_that_is_no_recording_is_one_line_and_adds_nothing(capsys, tmp_path, text):
    """Cases 87 and 89: it is checked whole before anything of it is kept."""
    (tmp_path / "r").write_text(text)
    line = refused(capsys, "import", str(tmp_path / "r"), "--journal", str(tmp_path / "j"))
    assert line.startswith("RecordingInvalid: ")
    assert line.isprintable()
    assert not (tmp_path / "j").exists() or run(capsys, "show", "--journal", str(tmp_path / "j")) == [
        "The journal has no calls yet."
    ]


ODD = {
    "numbers above all": recording(
        answer={"content": [], "usage": {"input_tokens": 10**40, "output_tokens": -5}}
    ),
    "half a character": recording(
        asked="\ud800", answer={"content": [], "stop_reason": "\ud800", "region": "\udfff"}
    ),
    "an unknown error": recording(answer={"error": {"type": 5}}),
    "hostile names": recording(
        asked="\x1b[31m", request={"model": "\x1b]0;x\x07", "body": {"system": "\x1b[2J"}}
    ),
    "a mark of byte order and CRLF": "\ufeff" + recording().replace(", ", ",\r\n"),
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_what_is_odd_and_valid_is_imported_and_harmless(capsys, tmp_path, text):
    """Data only; shown like everything else."""
    (tmp_path / "r").write_bytes(text.encode("utf-8"))
    other = ["--journal", str(tmp_path / "j")]
    assert run(capsys, "import", str(tmp_path / "r"), *other)[0].startswith("Added 1 answer;")
    assert all(
        line.isprintable() for line in [*run(capsys, "show", *other), *run(capsys, "show", "1", *other)]
    )


def _other_program(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()


def _newer(path):
    journal = Journal(path)
    journal.database.write(lambda connection: connection.execute("PRAGMA user_version = 99"))
    journal.close()


WRONG = {
    "missing": (lambda _: None, "Ask a question first"),
    "no database": (lambda path: path.write_bytes(b"no database, but long enough" * 99), "is not a journal"),
    "another program's": (_other_program, "another program"),
    "newer": (_newer, "Upgrade"),
    "a folder": (lambda path: path.mkdir(), "is a folder"),
}
COMMANDS = [
    ["show"],
    ["show", "1"],
    ["stats"],
    ["prune"],
    ["prune", "--all"],
    ["export", "out"],
    ["import", "in"],
]


# Importing makes the journal that is missing.
REFUSED = [(*wrong, command) for name, wrong in WRONG.items() for command in COMMANDS
           if (name, command[0]) != ("missing", "import")]  # fmt: skip


@pytest.mark.parametrize(("make", "said", "command"), REFUSED)
def test_what_is_no_journal_is_one_line_with_a_cure(capsys, tmp_path, monkeypatch, make, said, command):
    """Nothing is made, and a file of somebody else stays as it is."""
    monkeypatch.chdir(tmp_path)
    Path("in").write_text(recording())
    make(tmp_path / "j")
    before = (tmp_path / "j").read_bytes() if (tmp_path / "j").is_file() else None
    line = refused(capsys, *command, "--journal", str(tmp_path / "j"))
    assert said in line
    assert ((tmp_path / "j").read_bytes() if (tmp_path / "j").is_file() else None) == before
    assert not Path("out").exists()


def test_a_journal_that_is_locked_is_one_line(journal, capsys):
    """After a moment of patience."""
    keep(journal)
    journal.close()
    with sqlite3.connect(default_path(), isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "is locked by another program" in refused(capsys, "prune", "--all")
        other.execute("ROLLBACK")
    other.close()
    assert run(capsys, "prune", "--all")[0] == "Dropped 1 call."


def test_which_journal_is_meant(journal, capsys, tmp_path, monkeypatch):
    """The option, then the environment, then the usual place; and a journal that is off is said to be."""
    keep(journal, text="usual")
    journal.close()
    for name in ("set", "given"):
        other = Journal(tmp_path / name)
        keep(other, text=name)
        other.close()
    assert run(capsys, "show")[-1].endswith("usual")
    monkeypatch.setenv("VERTEX_CLAUDE_JOURNAL", str(tmp_path / "set"))
    assert run(capsys, "show")[-1].endswith("set")
    assert run(capsys, "show", "--journal", str(tmp_path / "given"))[-1].endswith("given")
    monkeypatch.setenv("VERTEX_CLAUDE_JOURNAL", "off")
    assert "--journal PATH" in refused(capsys, "show")


def test_what_is_not_there_is_named(asked, capsys, tmp_path):
    """A number that no call has, a recording that is not there."""
    assert "no call 99" in refused(capsys, "show", "99")
    assert "There is no file" in refused(capsys, "import", str(tmp_path / "none"))
    assert "is a folder" in refused(capsys, "import", str(tmp_path))


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["show", "x"], ["show", "0"], ["show", "-1"], ["show", "9" * 30], ["show", "--las", "3"],
     ["prune", "--days", "0"], ["prune", "--days", "3", "--all"], ["export"], ["export", "x", "--since", "yesterday"],
     ["import"], ["show", "\u0661"]],
)  # fmt: skip
def test_what_it_does_not_know_is_a_usage_error(arguments, capsys):
    """On stderr, with code 2."""
    with pytest.raises(SystemExit) as ended:
        main(["journal", *arguments])
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_an_old_console_does_not_stop_it(journal, encoding):
    """Case 91: what it cannot print becomes a question mark."""
    keep(journal, text="Größe → 大 🙂", answer="█ → ≈", notebook="Übung.ipynb")
    journal.close()
    for arguments in (["show"], ["show", "1"], ["stats"]):
        command = [sys.executable, "-m", "vertex_claude_magic", "journal", *arguments]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode(encoding)


def test_it_needs_neither_ipython_nor_a_network_library(journal):
    """Looking into the journal starts at once."""
    keep(journal)
    journal.close()
    loaded = run_python(
        "import sys\nfrom vertex_claude_magic.__main__ import main\nmain(['journal', 'show'])\nprint(*sys.modules)"
    ).split()
    assert not {"IPython", "ipywidgets", "requests", "pandas", "google.auth"} & set(loaded)


def test_a_recording_says_the_same_after_journal_and_back(tmp_path):
    """Import and export lose nothing of a request or an answer."""
    kept = StoredCall(canonical={"model": "m", "beta": ["b"], "body": {"system": "a\nb", "messages": [{"$lines": ["x"]}]}},
                answer={"content": [{"type": "text", "text": "c\nd"}], "model": "m", "usage": {"output_tokens": 3},
                        "seconds": 1.5, "pace": [[1, 20, 2, 5]]},
                recorded="2026-11-26T20:00:00Z", asked="haiku", source="gateway")  # fmt: skip
    before, after, path = tmp_path / "before", tmp_path / "after", str(tmp_path / "j")
    before.write_text(write_records([kept]), encoding="utf-8")
    assert main(["journal", "import", str(before), "--journal", path]) == 0
    assert main(["journal", "export", str(after), "--journal", path]) == 0
    assert after.read_text(encoding="utf-8") == before.read_text(encoding="utf-8")
