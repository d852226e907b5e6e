"""The journal's file in trouble: the answer still comes, one line says so, and all is well when the trouble is over."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import KEEP, a_call, an_ending, client, opened, rows, told
from shells import ROOT

from vertex_claude_magic import errors
from vertex_claude_magic.records.journal.database import Database, journal_error
from vertex_claude_magic.records.journal.health import examine
from vertex_claude_magic.records.journal.location import shares_memory
from vertex_claude_magic.records.journal.schema import MIGRATIONS, migrate

needs_unshare = pytest.mark.skipif(
    sys.platform != "linux"
    or shutil.which("unshare") is None
    or subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "x", "/mnt"], capture_output=True, check=False).returncode != 0,
    reason="no mounts of one's own here",
)  # fmt: skip


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "kept" / "journal.sqlite3"


def filled(path: Path, count: int = 300) -> Path:
    """Make a journal with some calls, closed and without a write-ahead log."""
    journal = opened(path)
    for number in range(count):
        call = a_call(f"question {number} " + "word " * 20)
        journal.end(journal.begin(call), call, an_ending("answer " * 20), KEEP)
    journal.close()
    return path


def make_newer(path: Path) -> None:
    filled(path, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def make_foreign(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")


def make_foreign_of_our_version(path: Path) -> None:
    make_foreign(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def written(data: bytes):
    def make(path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(data)

    return make


def make_truncated(path: Path) -> None:
    os.truncate(filled(path), path.stat().st_size // 2 + 100)


def make_garbage(path: Path) -> None:
    data = bytearray(filled(path).read_bytes())
    # All pages but the first, so that the schema can still be read.
    for page in range(1, len(data) // 4096):
        data[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    path.write_bytes(data)


def make_link(path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(path.parent / "elsewhere")


def make_pipe(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)


TROUBLES = [
    ("a newer schema", make_newer, "newer version"),
    ("a text file", written(b"Dear diary,\n" * 500), "is not a journal"),
    ("a database of another program", make_foreign, "belongs to another program"),
    (
        "a database of another program with our version",
        make_foreign_of_our_version,
        "belongs to another program",
    ),
    ("a truncated file", make_truncated, "is damaged"),
    ("pages of garbage", make_garbage, "is damaged"),
    ("a symbolic link", make_link, "is a symbolic link"),
    ("a pipe", make_pipe, "is not a regular file"),
    ("a folder", lambda path: path.mkdir(parents=True), "is a folder"),
    # Without the number of the error, and the path once.
    (
        "a file in the place of its folder",
        lambda path: path.parent.write_text("x"),
        "cannot be used (Not a directory).",
    ),
]


@pytest.mark.parametrize(("make", "words"), [row[1:] for row in TROUBLES], ids=[row[0] for row in TROUBLES])
@pytest.mark.parametrize("replay", ["off", "auto", "refresh"])
def test_a_file_that_is_no_good_costs_one_line_and_no_answer(claude_emulator, path, make, words, replay):
    """Case 75: said once, also when the next question meets the same; and the file is not touched."""
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    claude = client(claude_emulator, journal=str(path), replay=replay)
    reply, notices = told(claude)
    assert reply.complete
    [notice] = notices
    assert words in notice
    assert notice.startswith("The journal ")
    assert len(notice.splitlines()) == 1
    again, notices = told(claude, "And now?")
    assert (again.complete, notices) == (True, ())
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert not (path.parent.is_dir() and (path.parent / "elsewhere").exists())


@pytest.mark.skipif(os.name != "posix", reason="rights of groups")
@pytest.mark.parametrize(
    ("make", "words"), [row[1:] for row in TROUBLES[1:4]], ids=[row[0] for row in TROUBLES[1:4]]
)
def test_a_file_of_somebody_else_keeps_its_rights(claude_emulator, path, make, words):
    """Others may work with it."""
    make(path)
    path.chmod(0o664)
    _, notices = told(client(claude_emulator, journal=str(path)))
    assert words in notices[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.skipif(os.name != "posix", reason="rights of groups")
def test_a_journal_that_others_can_read_is_made_private(path):
    """With all that SQLite makes beside it."""
    filled(path, 1).chmod(0o664)
    journal = opened(path)
    call = a_call("Hello")
    journal.end(journal.begin(call), call, an_ending(), KEEP)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert len(modes) > 1
    assert set(modes.values()) == {0o600}


@pytest.mark.skipif(os.name != "posix", reason="rights of groups")
@pytest.mark.parametrize(
    ("before", "after"), [(0o444, 0o400), (0o440, 0o400), (0o400, 0o400), (0o664, 0o600)]
)
def test_a_journal_that_was_made_read_only_gets_no_rights_back(claude_emulator, path, before, after):
    """Others lose theirs, and what is in it is replayed."""
    asked = client(claude_emulator, journal=str(path))
    text = asked.ask("Hello").text
    asked.close()
    path.chmod(before)
    again = client(claude_emulator, journal=str(path), replay="auto").ask("Hello")
    assert (again.replayed, again.text) == (True, text)
    assert stat.S_IMODE(path.stat().st_mode) == after


@pytest.mark.parametrize(("make", "words"), [row[1:] for row in TROUBLES], ids=[row[0] for row in TROUBLES])
def test_a_file_that_is_no_good_can_be_moved_away(claude_emulator, path, make, words):
    """The cure that the notice names, without a new kernel."""
    make(path)
    claude = client(claude_emulator, journal=str(path))
    assert len(told(claude)[1]) == 1
    broken = path.parent if path.parent.is_file() else path
    broken.rename(broken.with_name("away"))
    assert told(claude)[1] == ()
    assert len(rows(path=path)) == 1


def test_nothing_can_be_given_again_from_a_file_that_is_no_good(path):
    """With replay only it is an error and no notice, because there is no answer."""
    make_garbage(path)
    journal = opened(path)
    with pytest.raises(errors.JournalError, match="damaged"):
        journal.find(a_call("question 1 " + "word " * 20).key)


def test_an_empty_file_becomes_a_journal(path):
    """As an interrupted first start leaves it."""
    path.parent.mkdir()
    path.touch()
    assert len(rows(path=filled(path, 1))) == 1


ODD_PATHS = [
    "a\0b",
    "x" * 300,
    "/proc/journal",
    "/proc/1/journal",
    "/dev/null",
    "/dev/full/journal",
    "",
    " ",
    "~nobody-of-this-name/j",
]


@pytest.mark.parametrize("name", ODD_PATHS, ids=[repr(name[:20]) for name in ODD_PATHS])
@pytest.mark.parametrize("replay", ["off", "auto"])
def test_a_path_that_cannot_be_is_told_and_no_more(claude_emulator, tmp_path, monkeypatch, name, replay):
    """Whatever stands in the setting; below /proc nobody can write, the administrator neither."""
    monkeypatch.chdir(tmp_path)
    claude = client(claude_emulator, journal=name, replay=replay)
    reply, notices = told(claude)
    assert reply.complete
    today = claude._session.records.spending(claude._session.target()).today
    assert today is None or today.usd == 0
    assert len(notices) <= 1
    assert all(len(notice.splitlines()) == 1 for notice in notices)


def test_a_file_that_is_locked_is_waited_for_for_two_seconds_at_most(path):
    """Then not at all, until the lock is gone."""
    filled(path, 1)
    pauses: list[float] = []
    database = Database(path, pause=pauses.append)
    (patience,) = database.read(lambda connection: connection.execute("PRAGMA busy_timeout").fetchone())
    assert 8 * patience < 2000
    # SQLite itself waits for so many milliseconds each time.
    database.read(lambda connection: connection.execute("PRAGMA busy_timeout = 1"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for tries in (8, 1):
            before = len(pauses)
            with pytest.raises(errors.JournalError, match="locked by another program"):
                database.write(lambda connection: connection.execute("DELETE FROM calls"))
            assert len(pauses) - before == tries - 1
        other.execute("ROLLBACK")
    database.write(lambda connection: connection.execute("DELETE FROM calls"))
    database.close()
    assert rows(path=path) == []


def test_the_answer_comes_while_the_file_is_locked(claude_emulator, path):
    """One line, and the next answers are kept when the lock is gone."""
    filled(path, 1)
    claude = client(claude_emulator, journal=str(path))
    claude._session.records.stores.journal(str(path)).database._tries = 1
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        reply, notices = told(claude)
        assert reply.complete
        [notice] = notices
        assert "locked" in notice
        other.execute("ROLLBACK")
    assert told(claude)[1] == ()
    assert len(rows(path=path)) == 2


def test_a_lock_that_is_held_for_a_moment_is_nobodys_business(path):
    """As every other kernel holds it while it writes."""
    filled(path, 1)
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        journal = opened(path)
        journal.database._pause = lambda seconds: other.in_transaction and other.execute("ROLLBACK")
        call = a_call()
        journal.end(journal.begin(call), call, an_ending(), KEEP)
    assert journal.notices() == ()
    assert len(rows(path=path)) == 2


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_file_that_is_removed_while_it_is_open_is_made_anew(claude_emulator, path, what):
    """What is written to a removed file would be lost without a word."""
    claude = client(claude_emulator, journal=str(path))
    told(claude)
    if what == "folder":
        shutil.rmtree(path.parent)
    else:
        for file in path.parent.iterdir():
            file.unlink()
    assert told(claude)[1] == ()
    assert [row["state"] for row in rows(path=path)] == ["done"]


def test_a_file_that_is_replaced_between_question_and_answer_gets_the_whole_call(path):
    """And the call of another kernel that has the same number there is left alone."""
    journal = opened(path)
    call = a_call("mine")
    number = journal.begin(call)
    shutil.rmtree(path.parent)
    other = opened(path)
    other.begin(a_call("theirs", session="s2"))
    journal.end(number, call, an_ending(), KEEP)
    other.close()
    journal.close()
    assert [(row["session"], row["state"]) for row in rows(path=path)] == [("s2", "sent"), ("s1", "done")]


# A Python of its own asks an emulator of its own, in a place that has something wrong with it.
ASK = """
import sys
from journals import client, opened, told
from vertex_claude_magic.emulator import Emulator
with Emulator() as emulator:
    claude = client(emulator, journal=sys.argv[1], replay="auto")
    for number in range(int(sys.argv[2])):
        reply, notices = told(claude, f"question {number} " + "word " * 500)
        assert reply.complete
        for notice in notices:
            print(notice)
"""


def ask_elsewhere(path: Path, *command: str, count: int = 2) -> list[str]:
    """Ask in a subprocess and return the notices."""
    surroundings = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    done = subprocess.run(
        [*command, sys.executable, "-c", ASK, str(path), str(count)],
        env=surroundings, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@needs_unshare
@pytest.mark.parametrize("log", ["delete", "wal"])
def test_a_read_only_file_system_costs_one_line_even_for_the_administrator(path, log):
    """Case 75: as with a folder of the course that is mounted for reading; what is recorded there is still found."""
    filled(path, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {log}")
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    [notice] = ask_elsewhere(path, "unshare", "-m", "sh", "-c", mount, str(path.parent))
    assert "cannot be written to" in notice or "cannot be opened" in notice


MOUNTED = (
    "unshare",
    "-m",
    "sh",
    "-c",
    'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"',
)
# An administrator without the right to pass over the rights of files.
UNPRIVILEGED = ("sh", "-c", 'chmod a-w "$0" && exec setpriv --inh-caps=-all --bounding-set=-all "$@"')


@pytest.mark.parametrize("mode", [0o600, 0o444])
@pytest.mark.parametrize(
    "command",
    [pytest.param(MOUNTED, marks=needs_unshare), pytest.param(UNPRIVILEGED, marks=needs_unshare)],
    ids=["a read-only file system", "a folder without the right to write"],
)
def test_answers_are_found_in_a_file_that_cannot_be_written(path, claude_emulator, command, mode):
    """A file with a write-ahead log needs shared memory to be read, unless nobody can write there."""
    claude = client(claude_emulator, journal=str(path))
    told(claude)
    claude.close()
    path.chmod(mode)
    code = (
        "import sys; from journals import offline, told\n"
        "reply, notices = told(offline(journal=sys.argv[1]), replay='only'); print(reply.text); print(notices)"
    )
    done = subprocess.run(
        [*command, str(path.parent), sys.executable, "-c", code, str(path)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "emulator" in done.stdout
    assert done.stdout.count("cannot be") == 1


@needs_unshare
def test_a_full_disk_costs_one_line(path):
    """Case 75: a file system of 200 kB."""
    path.parent.mkdir()
    mount = 'mount -t tmpfs -o size=200k x "$0" && exec "$@"'
    [notice] = ask_elsewhere(path, "unshare", "-m", "sh", "-c", mount, str(path.parent), count=60)
    assert "full" in notice or "cannot be" in notice


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files")
def test_a_quota_costs_one_line(claude_emulator, path):
    """A file may not grow beyond a limit; and when it may, all is well again."""
    import resource

    filled(path, 1)
    claude = client(claude_emulator, journal=str(path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        reply, notices = told(claude, os.urandom(200_000).hex())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert reply.complete
    assert len(notices) == 1
    assert told(claude, os.urandom(200_000).hex())[1] == ()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_older_file_takes_the_steps_that_it_has_not_taken(tmp_path):
    """Several kernels may open it at once; each step is taken once."""
    steps = ("CREATE TABLE one (a)", "CREATE TABLE two (a); INSERT INTO two VALUES (1)")
    with closing(sqlite3.connect(tmp_path / "j", isolation_level=None)) as connection:
        migrate(connection, steps[:1])
        for _ in range(2):
            migrate(connection, steps)
        assert connection.execute("SELECT * FROM two").fetchall() == [(1,)]
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


def test_many_threads_may_make_the_file_at_once(path):
    """Case 77: as when Run All starts several kernels."""
    journals = [opened(path) for _ in range(8)]
    threads = [
        threading.Thread(target=journal.begin, args=(a_call(str(n)),)) for n, journal in enumerate(journals)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [journal.notices() for journal in journals] == [()] * 8
    for journal in journals:
        journal.close()
    assert len(rows(path=path)) == 8


MOUNTS = [
    ("ext4", "wal"), ("overlay", "wal"), ("tmpfs", "wal"), ("xfs", "wal"), ("btrfs", "wal"), ("zfs", "wal"),
    ("nfs", "delete"), ("nfs4", "delete"), ("cifs", "delete"), ("smb3", "delete"), ("fuse.gcsfuse", "delete"),
    ("fuse.sshfs", "delete"), ("9p", "delete"), ("virtiofs", "delete"), ("a-new-kind", "delete"),
]  # fmt: skip


def table(*mounts: tuple[str, str]) -> str:
    """A table of mounts as proc(5) has it: point and kind."""
    lines = [
        f"{n} 1 0:{n} / {point} rw,relatime shared:{n} - {kind} source rw"
        for n, (point, kind) in enumerate(mounts, 20)
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no table of mounts")
@pytest.mark.parametrize(("kind", "log"), MOUNTS)
def test_a_write_ahead_log_is_used_on_file_systems_of_the_machine_itself(tmp_path, kind, log):
    """It needs memory that all who have the file open share (sqlite.org/wal.html); what is not known is remote."""
    mounts = tmp_path / "mounts"
    mounts.write_text(table(("/", "ext4"), (str(tmp_path), kind), ("/elsewhere", "nfs4")))
    assert shares_memory(tmp_path / "journal.sqlite3", mounts) is (log == "wal")


NESTED = [
    ("/home/me/j", [("/", "nfs4"), ("/home", "ext4")], True),
    ("/home/me/j", [("/", "ext4"), ("/home", "ext4"), ("/home/me", "nfs4")], False),
    ("/home/me/j", [("/home/me", "nfs4"), ("/", "ext4")], False),
    ("/home/me/j", [("/", "ext4"), ("/home/m", "nfs4")], True),
    ("/home/me/j", [("/", "ext4"), ("/home", "nfs4"), ("/home", "ext4")], True),
    ("/home/my files/j", [("/", "ext4"), (r"/home/my\040files", "nfs4")], False),
    ("/a\tb\n/j", [("/", "ext4"), (r"/a\011b\012", "cifs")], False),
    ("/a\\040/j", [("/", "ext4"), (r"/a\134040", "cifs")], False),
    ("/größe/j", [("/", "ext4"), ("/größe", "nfs4")], False),
    ("/j", [("/", "ext4")], True),
]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no table of mounts")
@pytest.mark.parametrize(("file", "mounts", "shares"), NESTED)
def test_the_innermost_mount_decides_and_of_two_at_one_point_the_later(tmp_path, file, mounts, shares):
    """Spaces, tabs and backslashes stand as octal escapes."""
    listed = tmp_path / "mounts"
    listed.write_text("garbage\n\n" + table(*mounts), encoding="utf-8")
    assert shares_memory(Path(file), listed) is shares


@given(st.text(max_size=200))
def test_any_table_of_mounts_gives_an_answer(text):
    """proc(5) may grow."""
    from vertex_claude_magic.records.journal.location import _kind

    assert isinstance(_kind("/home/me/j", text), str)


def test_without_a_table_the_form_of_the_path_decides(tmp_path):
    """As on macOS, whose network volumes lie in a folder of their own."""
    assert shares_memory(Path("/home/me/j"), tmp_path / "none") is True
    assert shares_memory(Path("/net/server/j"), tmp_path / "none") is False


CAUSES = [
    ("database is locked", "is locked"), ("attempt to write a readonly database", "cannot be written to"),
    ("database or disk is full", "the disk is full"), ("database disk image is malformed", "is damaged"),
    ("file is not a database", "is not a journal"), ("unable to open database file", "cannot be opened"),
    ("disk I/O error", "cannot be read or written"), ("string or blob too big", "of this size"),
    ("something new\nin two lines", "something new in two lines"),
]  # fmt: skip


def test_a_full_disk_is_seen_before_anything_is_written(tmp_path):
    """The cure does not rely on a command that needs space itself; a journal that is not there yet has none either."""
    path = tmp_path / "journal.sqlite3"
    for _ in range(2):
        with pytest.raises(errors.JournalError, match="the disk is full") as caught:
            examine(path, free=lambda folder: 4096 if folder == tmp_path else 10**9)
        assert caught.value.cure.startswith("Free space on its disk")
        assert examine(path, free=lambda folder: 10**6)
        path.touch()


@pytest.mark.parametrize(("said", "words"), CAUSES)
def test_whatever_sqlite_says_becomes_one_line_with_a_cure(said, words):
    """The path is quoted, whatever characters it has."""
    error = journal_error(Path("/a\x1b[31m\n/j"), sqlite3.OperationalError(said))
    assert words in error.message
    assert error.cure
    assert "\n" not in str(error)
    assert "\x1b" not in str(error)
