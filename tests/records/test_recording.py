"""Recordings: readable, free of what belongs to a user, written whole or not at all, and trusted in nothing."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pickle
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from allowed_html import violations
from hostile import HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from journals import asked, client, offline, told
from markdown_it import MarkdownIt
from shells import ROOT, loaded_shell

from vertex_claude_magic import errors
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.records.journal.calls import StoredCall
from vertex_claude_magic.records.journal.location import default_path
from vertex_claude_magic.records.recording.file_text import read_recording, write_records
from vertex_claude_magic.records.recording.recording import Recording
from vertex_claude_magic.settings.origin import Origin
from vertex_claude_magic.vertex.digest import digest_of

RECORD = {
    "recorded": "2026-11-26T20:31:05Z",
    "from": "vertex",
    "asked": "haiku",
    "request": {
        "model": "claude-haiku-5-5",
        "body": {"anthropic_version": "vertex-2023-10-16", "max_tokens": 16000,
                 "messages": [{"role": "user", "content": "Hello"}]},
    },
    "answer": {"content": [{"type": "text", "text": "Hi."}], "model": "claude-haiku-5-5", "stop_reason": "end_turn"},
}  # fmt: skip
WHOLE = {"format": "vertex_claude_magic recording", "version": 1, "about": "", "records": [RECORD]}

# As it looks in review.
GOLDEN = """\
{
 "format": "vertex_claude_magic recording",
 "version": 1,
 "about": "<about>",
 "records": [
  {
   "recorded": "<date>",
   "from": "emulator",
   "asked": "haiku",
   "request": {
    "model": "claude-haiku-5-5",
    "body": {
     "anthropic_version": "vertex-2023-10-16",
     "max_tokens": 50,
     "messages": [
      {
       "role": "user",
       "content": {
        "$lines": [
         "Größe?",
         "In cm."
        ]
       }
      }
     ],
     "system": "Be brief."
    }
   },
   "answer": {
    "content": [
     {
      "type": "text",
      "text": {
       "$lines": [
        "So:",
        "180 🙂"
       ]
      }
     }
    ],
    "model": "claude-haiku-5-5",
    "region": "global",
    "stop_reason": "end_turn",
    "usage": {
     "input_tokens": 7,
     "output_tokens": 3
    },
    "seconds": <number>,
    "first_token_seconds": <number>,
    "pace": [[]]
   }
  }
 ],
 "counts": {}
}
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "lesson.claude"


def put(path: Path, value=WHOLE, **changes) -> Path:
    """Write a recording by hand; `changes` are those of its one record."""
    whole = {**value, "records": [{**RECORD, **changes}]} if changes else value
    text = whole if isinstance(whole, (str, bytes)) else json.dumps(whole)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def replayed(path: Path, prompt="Hello", **options):
    return offline(recording=str(path), journal="off", replay="only", **options).ask(prompt)


def test_a_recording_can_be_read_in_review(claude_emulator, path):
    """One line for each line of text, umlauts and emoji as they are, the pace on one line."""
    message = {"type": "message", "model": "claude-haiku-5-5", "content": [{"type": "text", "text": "So:\n180 🙂"}],
               "stop_reason": "end_turn", "usage": {"input_tokens": 7, "output_tokens": 3}}  # fmt: skip
    claude_emulator.answer(message)
    client(claude_emulator, recording=str(path)).ask(
        "Größe?\nIn cm.", system="Be brief.", max_tokens=50, no_stream=True
    )
    text = path.read_text(encoding="utf-8")
    text = re.sub(r'"about": ".*"', '"about": "<about>"', text)
    text = re.sub(r'"recorded": ".*"', '"recorded": "<date>"', text)
    text = re.sub(r'seconds": [\d.e-]+', 'seconds": <number>', text)
    assert text == GOLDEN


def test_nothing_in_it_belongs_to_a_user_or_to_one_call(claude_emulator, path):
    """Case 64: no project, credential, header, label, id or URL; also not of an error that is kept."""
    claude = client(claude_emulator, recording=str(path), header={"X-Key": "the-header"}, label={"team": "the-label"},
                    replay_errors=True)  # fmt: skip
    reply = claude.ask("Hello")
    claude_emulator.fail(
        Fault(status=403, message=f"Denied on projects/{claude_emulator.project} (123456789012)")
    )
    with pytest.raises(errors.PermissionDenied):
        claude.ask("And now?")
    text = path.read_text(encoding="utf-8")
    assert text.count('"recorded"') == 2
    words = [claude_emulator.project, "the-header", "the-label", "Bearer", "uthorization", "127.0.0.1", "http",
             reply.message_id, "123456789012", str(path.parent)]  # fmt: skip
    assert [word for word in words if word and word in text] == []


def test_an_answer_of_an_emulator_is_marked(claude_emulator, path):
    """Nobody shall take it for Claude's."""
    claude = client(claude_emulator, recording=str(path))
    claude.ask("Hello")
    assert json.loads(path.read_text())["records"][0]["from"] == "emulator"
    assert "not from Claude" in json.loads(path.read_text())["about"]
    assert replayed(path).recorded_from == "emulator"


def hand_written(text: str) -> str:
    return text.replace('"Hi."', '"Hello!"')


CHECKOUTS = [
    ("as it was written", str, "utf-8", "Hi."),
    ("with CRLF", lambda text: text.replace("\n", "\r\n"), "utf-8", "Hi."),
    ("with a byte order mark", str, "utf-8-sig", "Hi."),
    ("edited by hand", hand_written, "utf-8", "Hello!"),
    ("on one line", lambda text: json.dumps(json.loads(text)), "utf-8", "Hi."),
    ("with sorted keys", lambda text: json.dumps(json.loads(text), sort_keys=True, indent=4), "utf-8", "Hi."),
]


@pytest.mark.parametrize(
    ("change", "encoding", "text"), [row[1:] for row in CHECKOUTS], ids=[row[0] for row in CHECKOUTS]
)
def test_what_editors_and_git_do_to_a_file_does_not_matter(path, change, encoding, text):
    """Case 87."""
    kept = [
        StoredCall(
            canonical=RECORD["request"],
            answer=RECORD["answer"],
            asked="haiku",
            source="vertex",
            recorded=RECORD["recorded"],
        )
    ]
    path.write_bytes(change(write_records(kept)).encode(encoding))
    assert replayed(path).text == text


DEEP = json.loads("[" * 200 + "]" * 200)
BROKEN = [
    ("an empty file", "", "is not JSON"),
    ("half a file", json.dumps(WHOLE)[:300], "is not JSON"),
    ("bytes that are no text", b"SQLite format 3\0\xfb\xff", "is not text in UTF-8"),
    ("a pickle", pickle.dumps(WHOLE, 0).decode("latin-1"), "is not JSON"),
    ("YAML", "!!python/object/apply:os.system ['true']", "is not JSON"),
    ("a web page", "<html>404</html>", "is not JSON"),
    ("UTF-16, as an editor may save it", json.dumps(WHOLE).encode("utf-16"), "is not text in UTF-8"),
    ("another encoding", json.dumps(WHOLE).replace("Hi.", "\xe9").encode("latin-1"), "is not text in UTF-8"),
    ("a list", [], "does not say that it is one"),
    ("a notebook", {"cells": [], "nbformat": 4}, "does not say that it is one"),
    ("a later version", {**WHOLE, "version": 2}, "has version 2"),
    ("a version that is none", {**WHOLE, "version": "\x1b[31m"}, "has version"),
    ("no records", {**WHOLE, "records": {}}, "does not contain a list"),
    ("too many records", {**WHOLE, "records": [0] * 10_001}, "does not contain a list"),
    ("NaN", json.dumps(WHOLE).replace("16000", "NaN"), "is not JSON (NaN is not a JSON number)"),
    ("infinity", json.dumps(WHOLE).replace("16000", "-Infinity"), "is not JSON"),
    ("one name twice", json.dumps(WHOLE).replace('"text": "Hi."', '"text": "Hi.", "text": "Ho."'), "an object has a duplicate name"),
    ("endless nesting", "[" * 100_000, "is not JSON"),
    ("deep nesting", {**WHOLE, "records": [{**RECORD, "request": {"model": "m", "body": {"a": DEEP}}}]}, "number 1"),
    ("counts that are none", {**WHOLE, "counts": {"x": 1}}, "counts"),
    ("a record that is a text", {**WHOLE, "records": [RECORD, "Hello"]}, "number 2"),
    *[(f"a record without {name}", {**WHOLE, "records": [RECORD, {k: v for k, v in RECORD.items() if k != name}]}, "number 2")
      for name in RECORD],
    *[(f"{name} is {value!r:.30}", {**WHOLE, "records": [RECORD, {**RECORD, name: value}]}, "number 2") for name, value in [
        ("recorded", "yesterday"), ("recorded", "2026-99-26T20:31:05Z"), ("recorded", "٢٠٢٦-11-26T20:31:05"), ("recorded", 5),
        ("from", "a friend"), ("from", ["vertex"]), ("asked", 5), ("asked", None), ("request", []), ("request", {"model": "m"}),
        ("request", {"model": 5, "body": {}}), ("request", {"model": "m", "body": []}), ("answer", []), ("answer", "Hi."),
        ("answer", {"content": "Hi."}), ("answer", {"content": [{"text": "Hi."}]}), ("answer", {"content": [{"type": 5}]}),
        ("answer", {"content": [{"type": "text", "text": {"$lines": "Hi."}}]}),
        ("answer", {"content": [{"type": "text", "text": {"$lines": ["Hi.", 5]}}]}),
        ("answer", {"content": [{"type": "text", "text": {"$lines": ["Hi."], "more": 1}}]}),
        ("answer", {"content": [{"type": "text", "text": ["Hi."]}]}), ("answer", {"content": [0] * 10_001}),
        ("answer", {"usage": []}), ("answer", {"complete": 1}), ("answer", {"seconds": -1}), ("answer", {"seconds": 1e300}),
        ("answer", {"pace": [[1, -5]]}), ("answer", {"pace": [[1.5]]}), ("answer", {"pace": [[10**12, 1]]}),
        ("answer", {"error": "no"}), ("answer", {"stop_reason": 5}), ("answer", {"other_events": [5]}),
    ]],
]  # fmt: skip


@pytest.mark.parametrize(("whole", "words"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_file_that_is_no_recording_is_told_by_its_name_and_its_record(path, whole, words):
    """Cases 87 and 89: one line; data only, so that pickles and YAML are just not JSON."""
    put(path, whole)
    with pytest.raises(errors.RecordingInvalid) as caught:
        replayed(path)
    text = str(caught.value)
    assert words in text
    assert "lesson.claude" in text
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    assert ".." not in text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("region", 5, "'region' of an answer is not a string."),
        ("stop_reason", 5, "'stop_reason' of an answer is not a string."),
        ("complete", 1, "'complete' of an answer is not true or false."),
        ("usage", [], "'usage' of an answer is not an object."),
        ("error", "no", "'error' of an answer is not an object."),
        ("model", None, "'model' of an answer is not a string."),
        ("stop_details", [], "'stop_details' of an answer is not an object."),
        ("pace", [[True, 1]], "'pace' of an answer is not lists of whole numbers."),
        ("pace", [[0, 10**9 + 1]], "'pace' of an answer is not lists of whole numbers."),
        ("seconds", True, "'seconds' of an answer is not a number of seconds."),
        ("seconds", "1", "'seconds' of an answer is not a number of seconds."),
        (
            "first_token_seconds",
            24 * 3600 + 1,
            "'first_token_seconds' of an answer is not a number of seconds.",
        ),
        ("content", {}, "'content' of an answer is not a list of at most 10,000 objects."),
        (
            "content",
            [{"type": "thinking", "thinking": 5}],
            "is not a list of blocks whose thinking is a string.",
        ),
        ("tool_results", ["x"], "'tool_results' of an answer is not a list of objects with a type."),
    ],
)
def test_a_field_of_a_wrong_kind_is_told_its_kind(path, field, value, said):
    put(path, {**WHOLE, "records": [{**RECORD, "answer": {field: value}}]})
    with pytest.raises(errors.RecordingInvalid) as caught:
        replayed(path)
    assert said in caught.value.message


@pytest.mark.parametrize("value", [1, 1.5, "text", None, {}])
def test_a_record_has_a_hundred_levels_at_most_whatever_is_in_the_last_one(value):
    def text(levels: int) -> str:
        inner = value
        for _ in range(levels):
            inner = [inner]
        return json.dumps({**WHOLE, "records": [{**RECORD, "request": {"model": "m", "body": {"a": inner}}}]})

    # The value "a" is three levels below the record.
    assert len(read_recording(text(97))[0]) == 1
    with pytest.raises(errors.RecordingInvalid, match="number 1"):
        read_recording(text(98))


@pytest.mark.parametrize("replay", ["off", "refresh"])
def test_a_file_that_is_no_recording_is_not_overwritten(claude_emulator, path, replay):
    """The answer still comes, with one line that names the file."""
    put(path, "Dear diary")
    reply, [notice] = told(client(claude_emulator, recording=str(path), replay=replay))
    assert reply.complete
    assert "lesson.claude" in notice
    assert path.read_text() == "Dear diary"


def test_a_huge_file_is_not_read(path):
    """Nobody waits for it, and it does not fill the memory."""
    with path.open("wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(errors.RecordingInvalid, match="200 MB, more than 67"):
        replayed(path)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "device"])
@pytest.mark.parametrize("replay", ["auto", "off"])
def test_what_is_no_plain_file_is_neither_read_nor_written(claude_emulator, path, kind, replay):
    """Case 65: a link would let somebody else choose what is written to, a pipe would be waited for."""
    if kind == "link":
        put(path.with_name("elsewhere"))
        path.symlink_to(path.with_name("elsewhere"))
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = Path("/dev/zero")
    claude = client(claude_emulator, recording=str(path), replay=replay)
    if replay == "auto":
        with pytest.raises(
            errors.JournalError, match=r"^The recording .* is (a symbolic link|a folder|not a regular file)"
        ):
            claude.ask("Hello")
        return
    _, [notice] = told(claude)
    kinds = {"link": "a symbolic link", "folder": "a folder"}
    assert f"The recording {path} is {kinds.get(kind, 'not a regular file')}." in notice
    assert kind != "link" or path.is_symlink()


ODD_PLACES = ["/proc/lesson.claude", "/dev/null/lesson.claude", "x" * 300, "a\0b"]


@pytest.mark.parametrize("place", ODD_PLACES, ids=[repr(place[:20]) for place in ODD_PLACES])
def test_an_answer_that_cannot_be_recorded_comes_with_one_line(claude_emulator, monkeypatch, tmp_path, place):
    """And is in the journal all the same."""
    monkeypatch.chdir(tmp_path)
    claude = client(claude_emulator)
    reply, [notice] = told(claude, recording=place)
    assert reply.complete
    assert "The recording" in notice
    assert claude.ask("Hello", replay="only").replayed
    # Said once, and not below each cell.
    assert told(claude, "And now?", recording=place)[1] == ()


@pytest.mark.parametrize("before", [False, True], ids=["new", "one more"])
def test_an_answer_that_has_no_space_says_so(claude_emulator, path, monkeypatch, before):
    """The permissions are no cure."""
    claude = client(claude_emulator, recording=str(path), journal="off")
    if before:
        claude.ask("Hello")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    _, [notice] = told(claude, "Hello again")
    assert "cannot be written (No space left on device). Free space on its disk, or choose another" in notice


def test_a_file_that_was_removed_is_begun_anew(claude_emulator, path):
    """What the session remembers of it does not count any more."""
    claude = client(claude_emulator, recording=str(path), journal="off", replay="auto")
    claude.ask("Hello")
    path.unlink()
    assert claude.ask("Hello").replayed is False
    assert len(asked(claude_emulator)) == 2
    assert replayed(path).replayed


def test_a_file_that_changed_meanwhile_is_read_again(path):
    """As after a git pull in an open notebook."""
    put(path)
    assert replayed(path).text == "Hi."
    put(path, answer={"content": [{"type": "text", "text": "Good day."}]})
    assert replayed(path).text == "Good day."


def test_a_new_file_and_its_folder_can_be_read_by_whom_the_umask_lets(claude_emulator, tmp_path):
    """It is made to be shared, as the notebook beside it: with a group, or by a web server."""
    path, other = tmp_path / "course" / "lesson.claude", tmp_path / "other"
    other.mkdir()
    (other / "notebook.ipynb").write_text("{}")
    client(claude_emulator, recording=str(path)).ask("And now?")
    assert path.stat().st_mode == (other / "notebook.ipynb").stat().st_mode
    assert path.parent.stat().st_mode == other.stat().st_mode


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_file_keeps_the_rights_that_it_has(claude_emulator, path, mode):
    """Whoever gave it others has a reason."""
    put(path).chmod(mode)
    client(claude_emulator, recording=str(path)).ask("And now?")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert len(json.loads(path.read_text())["records"]) == 2


def test_a_recording_does_not_grow_beyond_what_can_be_read(claude_emulator, path):
    """The file stays as it was, and the user is told."""
    put(path, {**WHOLE, "records": [RECORD] * 10_000})
    before = path.read_bytes()
    _, [notice] = told(client(claude_emulator, recording=str(path)), "And now?")
    assert "10,000 answers" in notice
    assert path.read_bytes() == before


def record_of(text: str, answer: object = "Hi.", source: str = "vertex") -> StoredCall:
    canonical = {"model": "m", "body": {"messages": [{"role": "user", "content": text}]}}
    content = {"content": [{"type": "text", "text": answer}]}
    return StoredCall(
        canonical=canonical, answer=content, recorded="2026-11-26T20:00:00Z", asked="m", source=source
    )


# How many other answers the file has, and an answer that does not fit in.
NO_ROOM = {
    "as many answers as it may have": (9_998, "Hi.", "10,000 answers"),
    "as many bytes": (0, "x" * 68_000_000, "larger than 67 MB"),
    "as many bytes, as UTF-8 has them": (0, "ü" * 34_000_000, "larger than 67 MB"),
    "no JSON": (0, float("nan"), "what a recording cannot represent"),
    # As a gateway may answer; a file with it would be refused whole.
    "no text": (0, 5, "what a recording cannot represent"),
}


@pytest.mark.parametrize("name", NO_ROOM)
def test_an_answer_that_does_not_fit_in_changes_nothing(path, name):
    """Neither the file nor what the next question gets: a recording that is full is not read anew for each answer."""
    others, answer, why = NO_ROOM[name]
    repeats = [record_of("Hello", each) for each in ("One.", "Two.")]
    path.write_text(write_records([*repeats, *[record_of("Else")] * others]), encoding="utf-8")
    before = path.read_bytes()
    recording, key = Recording(path), digest_of(repeats[0].canonical)
    turns = [recording.find(key, take=True)]
    with pytest.raises(errors.JournalError, match=why):
        recording.add("00" * 32, record_of("New", answer), Origin(cell="c", run="1"))
    turns.append(recording.find(key, take=True))
    assert [turn.answer["content"][0]["text"] for turn in turns] == ["One.", "Two."]
    assert path.read_bytes() == before
    # What takes the place of others fits in all the same.
    recording.add(key, record_of("Hello", "Three."), Origin(cell="c", run="1"), replaces=True)
    assert Recording(path).find(key).answer["content"][0]["text"] == "Three."


def test_what_is_nested_as_deeply_as_a_recording_takes_is_read_again_and_nothing_deeper_is_written(path):
    """The input of a tool, such as a tree."""
    recording, read = Recording(path), 0
    for depth in range(90, 110):
        tree: list[object] = []
        for _ in range(depth):
            tree = [tree]
        call = {"type": "tool_use", "id": "t1", "name": "f", "input": {"tree": tree}}
        stored = record_of(f"Depth {depth}")._replace(answer={"content": [call]})
        with contextlib.suppress(errors.JournalError):
            recording.add(digest_of(stored.canonical), stored, Origin())
            read = depth
        assert len(Recording(path).all()) == read - 89
    assert 90 < read < 109


WRITER = """
import os, sys
from pathlib import Path
from vertex_claude_magic.records.journal.calls import StoredCall
from vertex_claude_magic.settings.origin import Origin
from vertex_claude_magic.records.recording.recording import Recording
from vertex_claude_magic.vertex.digest import digest_of

def write(path, name, count):
    recording = Recording(Path(path))
    for number in range(count):
        request = {"model": "m", "body": {"messages": [{"role": "user", "content": f"{name} {number}"}]}}
        kept = StoredCall(canonical=request, answer={"content": [{"type": "text", "text": "word " * 50}]}, asked="m",
                    source="vertex", recorded="2026-11-26T20:31:05Z")
        recording.add(digest_of(request), kept, Origin())
        os.write(1, b".")
"""


def started(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", WRITER + code, *arguments], env=surroundings,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="no locks on folders")
def test_four_recorders_of_one_file_lose_nothing(path):
    """Case 87: each adds 15 answers, all at once."""
    path = path.with_name("new folder") / path.name
    writers = [
        started("sys.stdin.read(); write(*sys.argv[1:3], 15)", str(path), str(name)) for name in range(4)
    ]
    for writer in writers:
        writer.stdin.close()
    for writer in writers:
        with writer:
            assert writer.stderr.read() == b""
    assert len(read_recording(path.read_text())[0]) == 60


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_a_recorder_that_is_killed_loses_nothing_that_it_had_written(path):
    """Case 87: also in the middle of a write, whose beginning the next reader takes back."""
    for _ in range(8):
        done = len(Recording(path).all())
        with started("write(*sys.argv[1:3], 10_000)", str(path), str(done)) as writer:
            said = len(writer.stdout.read(12))
            writer.kill()
            said += len(writer.stdout.read())
        assert done + said <= len(Recording(path).all()) <= done + said + 1


@pytest.mark.skipif(sys.platform == "win32", reason="no locks on folders")
def test_a_recorder_that_does_not_let_go_is_waited_for_for_two_seconds(path):
    """One line then, and the answer is not kept there."""
    import fcntl

    put(path)
    waited: list[float] = []
    recording = Recording(path, pause=waited.append)
    holder = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    kept = read_recording(path.read_text())[0][0]
    try:
        with pytest.raises(errors.JournalError, match="cannot be written"):
            recording.add("00" * 32, kept, Origin())
    finally:
        os.close(holder)
    assert sum(waited) == pytest.approx(2.0, abs=0.05)
    recording.add(digest_of(kept.canonical), kept, Origin())


def test_a_strangers_recording_is_shown_like_any_answer(path):
    """Case 89: sanitised, in the notebook's shell; one hostile answer for each cell."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    records = []
    for name, text in HOSTILE.items():
        body = {**RECORD["request"]["body"], "messages": [{"role": "user", "content": name}]}
        answer = {
            "content": [{"type": "text", "text": text}],
            "model": "<img src=x onerror=alert(1)>\x1b[31m",
        }
        records.append({**RECORD, "request": {**RECORD["request"], "body": body}, "answer": answer})
    put(path, {**WHOLE, "records": records})
    shell = loaded_shell()
    settings = {
        "recording": str(path),
        "replay": "only",
        "replay_pace": "instant",
        "model": "haiku",
        "journal": "off",
    }
    for setting, value in settings.items():
        shell.ok(f"%config ClaudeMagics.{setting} = {value!r}")
    for name, text in HOSTILE.items():
        shell.ok(f"%%claude answer\n{name}")
        assert shell.ip.user_ns["answer"].text == text
        for output in shell.page.outputs:
            html = reader.render(output.get("text/markdown", "")) + output.get("text/html", "")
            assert violations(html, small=set(), details=set(), summary=set()) == [], name
            assert "\x1b" not in output["text/plain"]


ODD_BLOCKS = [
    [{"type": "\ud800\n\ndata: {}\r"}],
    [{"type": "message_stop", "text": "x"}],
    [{"type": "tool_use", "input": {"a": [1, {"b": None}]}, "partial_json": 5}],
    [{"type": "text", "text": "x", "citations": 5}],
    [{"type": "thinking"}],
    [{"type": "text"}] * 500,
]
ODD_EVENTS = [
    [{"type": "message_stop"}], [{"type": "error"}], [{"type": "error", "error": {"type": "overloaded_error", "message": "x\x1b"}}],
    [{"type": "content_block_delta", "index": 10**9, "delta": {"type": "text_delta", "text": "x"}}],
    [{"type": "message_start", "message": None}], [{"type": "x\r\ndata: y"}],
]  # fmt: skip


@pytest.mark.parametrize("answer", [{"content": blocks} for blocks in ODD_BLOCKS] + [{"other_events": each} for each in ODD_EVENTS],
                         ids=lambda answer: json.dumps(answer)[:50])  # fmt: skip
def test_a_strangers_answer_is_a_reply_or_one_of_our_errors(path, answer):
    """Case 89: whatever blocks and events it claims."""
    put(
        path,
        answer={**answer, "usage": {"input_tokens": 10**300, "output_tokens": None, "cache_creation": 5}},
    )
    reply = None
    with contextlib.suppress(errors.ClaudeError):
        reply = replayed(path)
    assert reply is None or (reply.replayed and isinstance(reply.text, str))


ODD_CALLS = [
    ({"name": "f", "input": {}}, {}),
    ({"id": None, "name": "f", "input": {}}, {"tool_use_id": None}),
    ({"id": ["t"], "name": "f", "input": {}}, {"tool_use_id": ["t"]}),
    ({"id": {}, "name": 5, "input": []}, {"tool_use_id": {}, "content": 5, "seconds": "long"}),
    ({"id": "t"}, {"tool_use_id": "t", "content": {}, "seconds": None}),
]


@pytest.mark.parametrize(("use", "result"), ODD_CALLS, ids=str)
def test_a_strangers_calls_of_functions_are_calls_or_one_of_our_errors(path, use, result):
    """Case 89: whatever ids they claim."""
    results = [{"type": "tool_result", **result}]
    put(path, answer={"content": [{"type": "tool_use", **use}], "tool_results": results})
    with contextlib.suppress(errors.ClaudeError):
        assert isinstance(replayed(path).tool_calls, tuple)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.just("$lines") | st.just("a\nb\r\nc"),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["$lines", "$$lines", "$$$lines", "lines", "pace", "text"]) | st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_any_request_comes_back_as_it_was(value):
    """Lines, dollars, pace and all; so its key is the same on every machine."""
    request = {"model": "m", "body": {"x": value}}
    text = write_records(
        [
            StoredCall(
                canonical=request, answer={}, asked="m", source="vertex", recorded="2026-11-26T20:31:05Z"
            )
        ]
    )
    for read in (text, text.replace("\n", "\r\n")):
        [kept] = read_recording(read)[0]
        assert kept.canonical == request
        assert digest_of(kept.canonical) == digest_of(request)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    """With nothing but our own error."""
    with contextlib.suppress(errors.RecordingInvalid):
        read_recording(text)


def broken(path: Path) -> None:
    path.write_text("no recording", encoding="utf-8")


# What stands where the recording should be, the setting of replay, and what the line about it says.
NAMED = {
    "not there yet": (lambda path: None, "auto", "The recording lesson.claude does not exist yet."),
    "nothing to answer from": (lambda path: None, "only", "The recording lesson.claude does not exist, so"),
    "a folder": (Path.mkdir, "auto", "The recording lesson.claude is a folder."),
    "not a recording": (broken, "auto", "The recording lesson.claude is not JSON"),
    "a link": (lambda path: path.symlink_to("other.claude"), "auto", "lesson.claude is a symbolic link."),
    "an answer of the journal": (
        lambda path: None, "auto", "This answer was in the journal; it is now in the recording lesson.claude too.",
    ),
    "a question that is not in it": (lambda path: None, "only", "Nothing is recorded in lesson.claude"),
}  # fmt: skip


@pytest.mark.parametrize(("lay", "replay", "said"), NAMED.values(), ids=NAMED.keys())
def test_a_line_about_a_recording_has_the_path_that_the_user_wrote(
    shell, tmp_path, monkeypatch, capsys, lay, replay, said
):
    """A whole path names the folders of the author, and stays in the outputs of a notebook that is passed on."""
    monkeypatch.chdir(tmp_path)
    shell.ok("%%claude -q\nHi")
    lay(tmp_path / "lesson.claude")
    question = "Hi" if "journal" in said else "Hello"
    shell.ok(f"%config ClaudeMagics.replay = '{replay}'\n%config ClaudeMagics.recording = 'lesson.claude'")
    error = shell.run(f"%%claude\n{question}").error_in_exec
    told = f"{shell.page.text}\n{capsys.readouterr().out}\n{error or ''}"
    assert said in told
    assert str(tmp_path) not in told


def test_a_line_about_the_journal_has_no_home_folder(shell, home, monkeypatch):
    """It lies there unless a setting names another place."""
    monkeypatch.delenv("VERTEX_CLAUDE_JOURNAL", raising=False)
    default_path().parent.mkdir(parents=True)
    default_path().write_bytes(b"no journal " * 100)
    shell.ok("%%claude\nHi")
    assert "The journal ~/" in shell.page.text
    assert str(home) not in shell.page.text
