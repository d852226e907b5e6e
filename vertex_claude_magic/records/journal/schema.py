"""The tables of the journal, and how an older file becomes a newer one.

A file says in SQLite's `user_version` how many of the steps below it has taken. What is stored is what
has a column here: no header, no token, no credential.
"""

from __future__ import annotations

from sqlite3 import complete_statement
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.spelling import setting, spelled, ways

if TYPE_CHECKING:
    import sqlite3

__all__ = ["MIGRATIONS", "is_foreign", "migrate", "newer", "version_of"]

# The content of a call is in a table of its own, so that sums over years of calls read narrow rows only.
_CALLS = """
CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    day TEXT NOT NULL,
    session TEXT NOT NULL,
    notebook TEXT NOT NULL,
    cell TEXT NOT NULL,
    run TEXT NOT NULL,
    key BLOB NOT NULL,
    state TEXT NOT NULL,
    replayable INTEGER NOT NULL DEFAULT 0,
    source TEXT NOT NULL,
    asked TEXT NOT NULL,
    model TEXT NOT NULL,
    region TEXT NOT NULL,
    project TEXT NOT NULL,
    input_tokens INTEGER,
    cache_write_tokens INTEGER,
    cache_read_tokens INTEGER,
    output_tokens INTEGER,
    cost REAL,
    cost_most REAL,
    saved REAL,
    seconds REAL,
    stop_reason TEXT,
    error TEXT,
    message_id TEXT,
    request_id TEXT
);
CREATE INDEX calls_replayable ON calls (key, id) WHERE replayable > 0;
CREATE INDEX calls_by_day ON calls (day);
CREATE TABLE contents (call INTEGER PRIMARY KEY, request BLOB NOT NULL, answer BLOB);
CREATE TABLE attachments (hash BLOB PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE call_attachments (hash BLOB, call INTEGER, PRIMARY KEY (hash, call)) WITHOUT ROWID;
CREATE INDEX attachments_by_call ON call_attachments (call)
"""

# Small facts with their date, such as where a model was usable when last checked.
_NOTES = """
CREATE TABLE notes (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL,
                    PRIMARY KEY (kind, key)) WITHOUT ROWID
"""

# What many requests share is stored once: messages, system texts, tools, and the frame of a request around them.
# A conversation is a chain of turns, each with the digest of all up to it, so that a call has one number for it.
# `uses` counts what refers to a row; at 0 it goes. Older tables keep their columns, so that a kernel which had the file
# open with an older version goes on: its rows have their request whole, and a key of the whole (`chained` is 0).
_PARTS = """
CREATE TABLE parts (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, uses INTEGER NOT NULL, content BLOB NOT NULL);
CREATE TABLE turns (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, parent INTEGER, part INTEGER NOT NULL,
                    uses INTEGER NOT NULL);
CREATE TABLE runs (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, session TEXT NOT NULL, notebook TEXT NOT NULL,
                   cell TEXT NOT NULL, run TEXT NOT NULL, process TEXT NOT NULL, opened REAL NOT NULL,
                   seen REAL NOT NULL, ended REAL);
ALTER TABLE contents ADD COLUMN frame INTEGER;
ALTER TABLE contents ADD COLUMN turn INTEGER;
ALTER TABLE calls ADD COLUMN run_id INTEGER;
ALTER TABLE calls ADD COLUMN chained INTEGER NOT NULL DEFAULT 0;
CREATE INDEX calls_former ON calls (id) WHERE chained = 0 AND replayable > 0
"""

# Conversations, each with its turns in their order. What was said is in `parts`, which the calls of the turns share, so
# that it stays when those calls are pruned. `holder` is the process that asks now; `revision` changes with each change.
_CHATS = """
CREATE TABLE chats (id INTEGER PRIMARY KEY, notebook TEXT NOT NULL, name TEXT NOT NULL, revision TEXT NOT NULL,
                    changed REAL NOT NULL, holder TEXT NOT NULL DEFAULT '', UNIQUE (notebook, name));
CREATE TABLE chat_turns (id INTEGER PRIMARY KEY, chat INTEGER NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL,
                         content BLOB NOT NULL);
CREATE INDEX chat_turns_by_chat ON chat_turns (chat, number);
CREATE TABLE chat_attachments (hash BLOB, turn INTEGER, PRIMARY KEY (hash, turn)) WITHOUT ROWID;
CREATE INDEX chat_attachments_by_turn ON chat_attachments (turn)
"""

# Batches and their jobs, so that any later kernel finds them; rows and answers are in Cloud Storage and not here.
_BATCHES = """
CREATE TABLE batches (id TEXT PRIMARY KEY, at REAL NOT NULL, name TEXT NOT NULL, notebook TEXT NOT NULL,
                      project TEXT NOT NULL, location TEXT NOT NULL, model TEXT NOT NULL, asked TEXT NOT NULL,
                      source TEXT NOT NULL, rows INTEGER NOT NULL, run_id INTEGER, plan TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE batch_jobs (batch TEXT NOT NULL, number INTEGER NOT NULL, attempt INTEGER NOT NULL, state TEXT NOT NULL,
                         owner TEXT NOT NULL DEFAULT '', input TEXT NOT NULL, output TEXT NOT NULL,
                         job TEXT NOT NULL DEFAULT '', rows INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0,
                         failed INTEGER NOT NULL DEFAULT 0, results TEXT NOT NULL DEFAULT '',
                         error TEXT NOT NULL DEFAULT '', cost_most REAL, call INTEGER,
                         counted INTEGER NOT NULL DEFAULT 0,
                         PRIMARY KEY (batch, number)) WITHOUT ROWID
"""

# What the calls of a day came to, for the limit of the day: a sum over all of them would take longer with each, under
# the lock of the file. Triggers keep it, so that no statement can forget it. In units of 10^-12 USD, to which costs are
# rounded, because sums of floats would drift; an unfinished call counts with the most that it may cost.
_CHANGE = """
INSERT INTO day_sums SELECT {row}day, {row}source IN ('emulator', 'local'),
 {sign} CAST(ROUND(COALESCE({row}cost, 0) * 1e12) AS INTEGER),
 {sign} CAST(ROUND(CASE WHEN {row}cost IS NULL THEN COALESCE({row}cost_most, 0) ELSE 0 END * 1e12) AS INTEGER),
 {sign} (COALESCE({row}cost, {row}cost_most) IS NULL)
 {calls} WHERE {row}state NOT IN ('replayed', 'imported')
 ON CONFLICT (day, local) DO UPDATE SET cost = cost + excluded.cost, open_cost = open_cost + excluded.open_cost,
 unknown = unknown + excluded.unknown
"""
_ADD, _TAKE = (_CHANGE.format(row=row, sign=sign, calls="") for row, sign in (("NEW.", "+"), ("OLD.", "-")))
_DAY_SUMS = f"""
CREATE TABLE day_sums (day TEXT NOT NULL, local INTEGER NOT NULL, cost INTEGER NOT NULL, open_cost INTEGER NOT NULL,
                       unknown INTEGER NOT NULL, PRIMARY KEY (day, local)) WITHOUT ROWID;
{_CHANGE.format(row="", sign="+", calls="FROM calls")};
CREATE TRIGGER call_added AFTER INSERT ON calls BEGIN {_ADD}; END;
CREATE TRIGGER call_changed AFTER UPDATE OF day, state, source, cost, cost_most ON calls BEGIN {_TAKE}; {_ADD}; END;
CREATE TRIGGER call_dropped AFTER DELETE ON calls BEGIN {_TAKE};
    DELETE FROM day_sums WHERE day = OLD.day AND NOT EXISTS (SELECT 1 FROM calls WHERE day = OLD.day); END
"""  # noqa: S608 - fixed texts

MIGRATIONS: tuple[str, ...] = (_CALLS, _NOTES, _PARTS, _CHATS, _BATCHES, _DAY_SUMS)


def migrate(connection: sqlite3.Connection, steps: tuple[str, ...] = MIGRATIONS) -> None:
    """Take the steps that the file has not taken yet.

    Raises:
        JournalError: the file was written by a newer version of this package.
    """
    if version_of(connection) == 0:
        # Keeps the file bounded without ever rewriting it whole; it has to be set before the first table.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    if version_of(connection) == len(steps):
        return
    connection.execute("BEGIN IMMEDIATE")
    # Read again, because another kernel may have been faster.
    version = version_of(connection)
    if version > len(steps):
        connection.execute("ROLLBACK")
        raise newer(version)
    statement = ""
    for part in (f"{part};" for step in steps[version:] for part in step.split(";")):
        # A trigger has semicolons of its own.
        statement += part
        if complete_statement(statement):
            connection.execute(statement)
            statement = ""
    connection.execute(f"PRAGMA user_version = {len(steps)}")
    connection.execute("COMMIT")


def newer(version: int) -> JournalError:
    """Return the error for a file that a newer version of this package has written."""
    return JournalError(
        f"The journal was written by a newer version of this package (schema {version}).",
        cure=ways("upgrade vertex-claude-magic", spelled("set {} to another file", setting("journal"))),
        details={"trouble": "newer"},
    )


def is_foreign(connection: sqlite3.Connection) -> bool:
    """Tell whether this is the database of another program, which our tables would spoil."""
    # In one transaction, because another kernel may be making our tables.
    connection.execute("BEGIN")
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    version = version_of(connection)
    connection.execute("ROLLBACK")
    tables = {name for (name,) in rows}
    return bool(tables) if version == 0 else "calls" not in tables


def version_of(connection: sqlite3.Connection) -> int:
    """Return how many steps the file has taken."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
