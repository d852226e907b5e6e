"""An answer is added over the end of a recording: the rest of the file is not written again, and a crash breaks nothing."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from vertex_claude_magic import errors
from vertex_claude_magic.records.journal.calls import StoredCall
from vertex_claude_magic.records.recording.file_text import MOST_RECORDS, read_recording, write_records
from vertex_claude_magic.records.recording.recording import Recording
from vertex_claude_magic.settings.origin import Origin
from vertex_claude_magic.vertex.digest import digest_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "lesson.claude"


def a_record(text: str, answer: str = "Größe 🙂\nin cm") -> StoredCall:
    request = {"model": "m", "body": {"messages": [{"role": "user", "content": text}]}}
    return StoredCall(canonical=request, answer={"content": [{"type": "text", "text": answer}], "pace": [[1, 2, 3]]}, asked="m",
                source="vertex", recorded="2026-11-26T20:31:05Z")  # fmt: skip


def add(recording: Recording, text: str, answer: str = "Größe 🙂\nin cm", **origin: str) -> None:
    kept = a_record(text, answer)
    recording.add(digest_of(kept.canonical), kept, Origin(**origin))


def texts(path: Path) -> list[str]:
    return [kept.canonical["body"]["messages"][0]["content"] for kept in Recording(path).all()]


def undo(path: Path) -> Path:
    return path.with_name(f".{path.name}.undo")


def test_the_file_is_that_which_is_written_whole(path):
    """Byte for byte, with what was counted behind the records."""
    recording = Recording(path)
    recording.add_count("11" * 32, 7)
    for number in range(5):
        add(recording, f"question {number}")
        assert path.read_text(encoding="utf-8") == write_records(recording.all(), {"11" * 32: 7})
    assert sorted(path.parent.iterdir()) == [path]


def test_all_but_its_end_stays_as_it_is(path):
    """So that the thousandth answer costs what the second did."""
    recording = Recording(path)
    add(recording, "first")
    before = path.stat().st_ino
    for number in range(5):
        add(recording, f"question {number}")
        assert path.stat().st_ino == before
    # A repeat joins the others of its question when it is read.
    add(recording, "first", "again")
    assert path.stat().st_ino == before
    assert [
        recording.find(digest_of(a_record("first").canonical), take=True) is not None for _ in range(3)
    ] == [True] * 3
    assert len(Recording(path).all()) == 7


def test_a_count_is_written_over_the_end_too(path):
    """Each of the twenty rows that a dry run counts; one that needs less room than the former is written whole."""
    recording = Recording(path)
    add(recording, "first")
    before = path.stat().st_ino
    counts: dict[str, int] = {}
    for number, tokens in ((1, 7), (2, 100), (1, 8)):
        counts[f"{number}" * 64] = tokens
        recording.add_count(f"{number}" * 64, tokens)
        assert path.read_text(encoding="utf-8") == write_records(recording.all(), counts)
        assert path.stat().st_ino == before
    recording.add_count("2" * 64, 9)
    assert path.read_text(encoding="utf-8") == write_records(recording.all(), {**counts, "2" * 64: 9})
    assert Recording(path).counted("2" * 64) == 9
    assert sorted(path.parent.iterdir()) == [path]


def test_a_count_too_many_is_not_saved_and_the_recording_stays_readable(path):
    """As many as a file may have; one that is known may change."""
    add(Recording(path), "first")
    path.write_text(
        write_records(Recording(path).all(), {f"{n:064x}": 7 for n in range(MOST_RECORDS)}), encoding="utf-8"
    )
    before = path.read_bytes()
    with pytest.raises(
        errors.JournalError, match=r"The token count is not saved .* already has 10,000 of them"
    ):
        Recording(path).add_count("f" * 64, 7)
    assert path.read_bytes() == before
    Recording(path).add_count("0" * 64, 8)
    assert Recording(path).counted("0" * 64) == 8


def test_an_answer_that_replaces_another_writes_the_file_anew(path):
    """The former one is not in it any more."""
    recording = Recording(path)
    add(recording, "Draw", "first run", cell="c", run="1")
    add(recording, "Else")
    add(recording, "Draw", "second run", cell="c", run="2")
    assert "first run" not in path.read_text(encoding="utf-8")
    assert texts(path) == ["Draw", "Else"]


def test_an_answer_that_replaces_another_leaves_the_text_of_all_others_as_it_is(path):
    """Not made anew either, which takes longer the more there are; what an editor made of it shows that."""
    recording = Recording(path)
    recording.add_count("11" * 32, 7)
    for question in ("first", "Draw", "last"):
        add(recording, question, "first run", cell="c", run="1")
    add(recording, "Draw", "second run", cell="c", run="2")
    assert path.read_text(encoding="utf-8") == write_records(recording.all(), {"11" * 32: 7})
    path.write_bytes(path.read_bytes().replace(b'"about": ', b'"about":   '))
    add(recording, "Draw", "third run", cell="c", run="3")
    text = path.read_text(encoding="utf-8")
    assert text.replace('"about":   ', '"about": ') == write_records(recording.all(), {"11" * 32: 7}) != text
    assert "third run" in text
    assert "second run" not in text


def test_a_recording_that_a_crash_has_broken_is_mended_by_an_answer_that_replaces_another(path):
    """Its former end is in a file of its own, which goes with the crash."""
    broken_off(path, 20)
    add(Recording(path), "first", "anew")
    assert texts(path) == ["first"]
    assert "anew" in path.read_text(encoding="utf-8")
    assert sorted(path.parent.iterdir()) == [path]


def edited(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def emptied(path: Path) -> None:
    path.write_text(write_records([]), encoding="utf-8")


def linked(path: Path) -> None:
    os.link(path, path.with_name("other"))


def locked(path: Path) -> None:
    path.chmod(0o444)


@pytest.mark.parametrize("change", [edited, emptied, linked, locked], ids=lambda change: change.__name__)
def test_a_file_that_has_another_end_is_written_anew(path, change):
    """And nothing that was in it is lost; a second name of the file keeps what it had."""
    add(Recording(path), "first")
    change(path)
    there = texts(path)
    recording = Recording(path)
    add(recording, "second")
    assert texts(path) == [*there, "second"]
    assert not path.with_name("other").exists() or texts(path.with_name("other")) == ["first"]
    add(recording, "third")
    assert texts(path) == [*there, "second", "third"]


def broken_off(path: Path, written: int) -> bytes:
    """Leave the files as a crash does that comes after so many bytes, and return what is written whole."""
    recording = Recording(path)
    recording.add_count("11" * 32, 7)
    add(recording, "first")
    before = path.read_bytes()
    add(recording, "second")
    after = path.read_bytes()
    at = next(place for place, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1])
    path.write_bytes(after[: at + written] + before[at + written :])
    undo(path).write_bytes(f"{at}\n".encode() + before[at:])
    return after[at:]


@pytest.mark.parametrize("share", [0, 0.01, 0.1, 0.5, 0.9, 0.99, 1])
def test_a_crash_at_any_byte_leaves_what_was_there_before(path, share):
    """Read at once, and mended when the next answer is added."""
    whole = len(broken_off(path, 0))
    path.unlink()
    broken_off(path, int(share * whole))
    expected = ["first", "second"] if share == 1 else ["first"]
    assert texts(path) == expected
    assert Recording(path).counted("11" * 32) == 7
    add(Recording(path), "third")
    assert len(read_recording(path.read_text(encoding="utf-8"))[0]) == len(expected) + 1
    assert texts(path) == [*expected, "third"]
    assert sorted(path.parent.iterdir()) == [path]


def test_an_end_that_does_not_fit_the_file_is_not_used(path):
    """The file was broken by something else."""
    add(Recording(path), "first")
    path.write_bytes(path.read_bytes()[:100])
    for content in (b"", b"x", b"50\n]}", b"99999999999999999999\n", b"100000\n]}"):
        undo(path).write_bytes(content)
        with pytest.raises(errors.RecordingInvalid):
            Recording(path).all()


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files")
def test_a_disk_that_is_full_leaves_the_former_end(path):
    """One error, and the next answer is added when there is space again."""
    import resource

    recording = Recording(path)
    add(recording, "first")
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, hard))
    try:
        with pytest.raises(errors.JournalError, match="cannot be written"):
            add(recording, "second", "long " * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == [path]
    add(recording, "second")
    assert texts(path) == ["first", "second"]
