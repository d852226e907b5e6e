"""Batches of rows and the jobs that answer them: what a later kernel must know to follow and collect them.

A batch is one run over one table; its rows go up in files, and one job answers each file. The states of a job are those
of Vertex AI (without `JOB_STATE_`), and before them our own: "WRITING" (its file is not up), "WAITING" (its file is up,
and no job was created for it), "CREATING" (a process is creating it).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.records.journal import calls
from vertex_claude_magic.records.journal.calls import storable
from vertex_claude_magic.records.journal.ledger import spent
from vertex_claude_magic.records.journal.runs import close_run, lives, reopen_run, this_process
from vertex_claude_magic.records.journal.schema import migrate
from vertex_claude_magic.transport.batch import FINAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from vertex_claude_magic.records.journal.calls import Call, Ending
    from vertex_claude_magic.records.journal.ledger import Spent

__all__ = ["Batch", "Batches", "MemoryFile", "StoredJob", "Transactions", "call_key"]

T = TypeVar("T")

# A job that Google has, or may have, and that has not ended.
_UNDER_WAY = f"(job <> '' OR state = 'CREATING') AND state NOT IN ({', '.join(map(repr, sorted(FINAL)))})"
# The jobs of all batches of a project at the service of one batch.
_OF_THE_SAME = (
    "batch_jobs JOIN batches ON batches.id = batch_jobs.batch"
    " AND batches.source = (SELECT source FROM batches WHERE id = ?) AND batches.project = ?"
)
# What threads of this process are creating, each for itself. With the process, because a fork has none of the threads.
_creating: dict[tuple[str, str, int], object] = {}


class Transactions(Protocol):
    """What the tables of a journal are in; `Database` is one."""

    def write(self, work: Callable[[sqlite3.Connection], T], *, hurry: bool = False) -> T:
        """Run `work` in a transaction that may write."""

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on one state."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One run over a table.

    Args:
        id: What tells it from all others; its files and jobs are named by it.
        at: When it was begun, in seconds since 1970 (UTC).
        name: The variable that holds it.
        notebook: The notebook that it belongs to.
        project: The project that pays.
        location: Where its jobs run.
        model: The id on Vertex AI.
        asked: The model as the user wrote it.
        source: Who answers: "vertex", "gateway", "local" or "emulator".
        rows: How many rows the table has.
        run_id: The run of the journal.
        plan: What collecting needs: the columns, the schema of an answer, the table's fingerprint.
    """

    id: str
    at: float
    name: str
    notebook: str
    project: str
    location: str
    model: str
    asked: str
    source: str
    rows: int
    run_id: int | None
    plan: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredJob:
    """One file of rows and the job that answers it.

    Args:
        batch: The batch that it belongs to.
        number: Its place in the batch, from 1.
        attempt: 1, or more for rows that had failed before.
        state: See the head of this module.
        owner: The process that creates it.
        input: The file, `gs://...`, or the table.
        output: Where the results shall go.
        job: The name of the job at Google, empty while there is none.
        rows: How many rows the file has.
        done: How many were answered, as Google says.
        failed: How many failed.
        results: Where the results are, empty until Google says so.
        error: What Google says of a job that failed.
        cost_most: The most that it may cost, in USD; None where a price is not known.
        call: Its row among the calls, None where there is none.
        counted: Whether what it cost in the end is counted.
    """

    batch: str
    number: int
    attempt: int = 1
    state: str = "WRITING"
    owner: str = ""
    input: str = ""
    output: str = ""
    job: str = ""
    rows: int = 0
    done: int = 0
    failed: int = 0
    results: str = ""
    error: str = ""
    cost_most: float | None = None
    call: int | None = None
    counted: int = 0


# Each field is a column; the plan, which is JSON, comes last.
_BATCH = tuple(field.name for field in fields(Batch))
_JOB = tuple(field.name for field in fields(StoredJob))
# What a look at a job shows of it.
_SEEN = ("state", "job", "done", "failed", "results", "error")


class Batches:
    """The batches of one file.

    Args:
        file: Where they are kept.

    >>> batches = Batches(MemoryFile())
    >>> batches.find("labels") is None
    True
    """

    def __init__(self, file: Transactions) -> None:
        self._file = file

    def add(
        self,
        batch: Batch,
        jobs: Sequence[StoredJob],
        call_of: Callable[[StoredJob], Call],
        *,
        more: bool = False,
        check: Callable[[Spent], None] = lambda _: None,
    ) -> list[StoredJob]:
        """Add jobs, each with a row among the calls that has the most that it may cost; return them with its number.

        Args:
            batch: Their batch, which is added with its first jobs.
            jobs: The jobs.
            call_of: Returns a job as a call.
            more: Whether the batch is there already.
            check: Takes what the calls of the day have come to so far, of all notebooks; what it raises ends all.

        Raises:
            JournalError: it cannot be written.
        """
        values = storable([getattr(batch, name) for name in _BATCH[:-1]])
        asked = [call_of(job) for job in jobs]

        def work(connection: sqlite3.Connection) -> list[StoredJob]:
            day, local = calls.day_of(asked[0].at), batch.source in calls.LOCAL
            # In the transaction that adds them, so that of two processes the second one sees what the first one has.
            check(spent(connection, day, local=local))
            if not more:
                connection.execute(_insertion("batches", _BATCH), (*values, json.dumps(dict(batch.plan))))
            elif batch.run_id is not None:
                reopen_run(connection, batch.run_id, asked[0].at)
            added = [
                replace(job, call=calls.add(connection, call, run=call.run_id))
                for job, call in zip(jobs, asked, strict=True)
            ]
            connection.executemany(_insertion("batch_jobs", _JOB), map(_row, added))
            return added

        return self._file.write(work)

    def withdraw(self, job: StoredJob, call: Call, state: str, error: str = "") -> None:
        """End a job whose file is not up: it costs nothing, and what was reserved for it is free again.

        Args:
            job: The job.
            call: The same as a call.
            state: How it ends.
            error: Why.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM calls WHERE id = ? AND key = ?", (job.call, bytes.fromhex(call.key))
            )
            connection.execute(
                "UPDATE batch_jobs SET state = ?, error = ?, owner = '', call = NULL, counted = 1"
                " WHERE batch = ? AND number = ?",
                (state, error, job.batch, job.number),
            )
            _end_run(connection, job, call)

        self._file.write(work)

    def find(self, name: str, notebook: str = "") -> Batch | None:
        """Return the newest batch of a name or an id, one of a notebook before those of others."""
        found = self._select(
            "WHERE name = ? OR id = ? ORDER BY notebook = ? DESC, at DESC LIMIT 1", name, name, notebook
        )
        return found[0] if found else None

    def recent(self, count: int = 100) -> list[Batch]:
        """Return the newest batches, the newest first."""
        return self._select("ORDER BY at DESC LIMIT ?", count)

    def _select(self, which: str, *values: str | int) -> list[Batch]:
        query = f"SELECT {', '.join(_BATCH)} FROM batches {which}"  # noqa: S608 - fixed texts
        rows = self._file.read(lambda connection: connection.execute(query, values).fetchall())
        return [_batch(row) for row in rows]

    def jobs(self, batch: str) -> list[StoredJob]:
        """Return the jobs of a batch, in their order."""
        return self._file.read(lambda connection: _jobs(connection, batch))

    def save(self, job: StoredJob) -> None:
        """Keep what is known of a job now."""
        sets = ", ".join(f"{name} = ?" for name in _JOB)
        query = f"UPDATE batch_jobs SET {sets} WHERE batch = ? AND number = ?"  # noqa: S608 - fixed names
        self._file.write(lambda connection: connection.execute(query, (*_row(job), job.batch, job.number)))

    def others(self, batch: Batch) -> list[tuple[Batch, StoredJob]]:
        """Return the jobs of other batches of the same project and service that are under way, as far as is known."""
        columns = ", ".join(
            [*(f"batch_jobs.{name}" for name in _JOB), *(f"batches.{name}" for name in _BATCH)]
        )

        def work(connection: sqlite3.Connection) -> list[tuple[Batch, StoredJob]]:
            rows = connection.execute(
                f"SELECT {columns} FROM {_OF_THE_SAME} WHERE {_UNDER_WAY} AND batch <> ? ORDER BY at",  # noqa: S608 - fixed names
                (batch.id, batch.project, batch.id),
            ).fetchall()
            width = len(_JOB)
            return [(_batch(row[width:]), _stored_job(row[:width])) for row in rows]

        return self._file.read(work)

    def save_ending(self, job: StoredJob) -> None:
        """Keep how a job has ended that others may be looking at; what they have seen or counted of it holds."""
        sets = ", ".join(f"{name} = ?" for name in _SEEN)
        query = f"UPDATE batch_jobs SET {sets} WHERE batch = ? AND number = ? AND {_UNDER_WAY}"  # noqa: S608 - fixed names
        values = storable([getattr(job, name) for name in _SEEN])
        self._file.write(lambda connection: connection.execute(query, (*values, job.batch, job.number)))

    @contextmanager
    def claimed(self, job: StoredJob, project: str, most: int | None = None) -> Iterator[StoredJob | None]:
        """Hold the right to create a waiting job, and give the job as it was; None if it may not be created now.

        That is so where it waits no longer, where another process or thread has the right, and where `most` jobs of the
        project are under way at the same service, as far as is known here. A job that somebody was creating who has
        ended is taken over: its state is CREATING, and whoever takes it must look first whether it was created.
        """
        key, attempt, process = (this_process(), job.batch, job.number), object(), this_process()
        if _creating.setdefault(key, attempt) is not attempt:
            yield None
            return

        def work(connection: sqlite3.Connection) -> StoredJob | None:
            known = {each.number: each for each in _jobs(connection, job.batch)}
            stored = known.get(job.number)
            if stored is None or stored.job or stored.state not in {"WAITING", "CREATING"}:
                return None
            if stored.state == "CREATING" and stored.owner != process and lives(stored.owner):
                return None
            active = connection.execute(
                f"SELECT COUNT(*) FROM {_OF_THE_SAME} WHERE {_UNDER_WAY} AND NOT (batch = ? AND number = ?)",  # noqa: S608 - fixed names
                (job.batch, project, job.batch, job.number),
            ).fetchone()[0]
            if most is not None and active >= most:
                return None
            connection.execute(
                "UPDATE batch_jobs SET state = 'CREATING', owner = ? WHERE batch = ? AND number = ?",
                (process, job.batch, job.number),
            )
            return stored

        def leave(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE batch_jobs SET owner = '' WHERE batch = ? AND number = ? AND state = 'CREATING'",
                (job.batch, job.number),
            )

        taken = None
        try:
            taken = self._file.write(work)
            yield taken
        except BaseException:
            # Whether it was created is not known, which another process may find out too.
            if taken is not None:
                with suppress(JournalError):
                    self._file.write(leave, hurry=True)
            raise
        finally:
            del _creating[key]

    def count(self, job: StoredJob, call: Call, ending: Ending) -> None:
        """Say what a job cost in the end; what is said once holds.

        Its row among the calls is found by number and key, whichever session has added it, and added if it is gone.
        """

        def work(connection: sqlite3.Connection) -> None:
            counted, state, session = connection.execute(
                "SELECT counted, calls.state, session FROM batch_jobs LEFT JOIN calls ON calls.id = call AND key = ?"
                " WHERE batch = ? AND number = ?",
                (bytes.fromhex(call.key), job.batch, job.number),
            ).fetchone()
            # A version before this one marked a job that another kernel had sent as counted, and left its cost out.
            if counted and state != "sent":
                return
            number = job.call
            if number is not None and state is not None:
                calls.end(connection, number, call._replace(session=session), ending)
            else:
                number = calls.add(connection, call, run=call.run_id, ending=ending)
            connection.execute(
                "UPDATE batch_jobs SET counted = 1, call = ? WHERE batch = ? AND number = ?",
                (number, job.batch, job.number),
            )
            _end_run(connection, job, call)

        self._file.write(work)

    def cost(self, batch: Batch) -> float | None:
        """Return what the jobs of a batch cost in the end, in USD; None while one is not counted, or not known."""

        def work(connection: sqlite3.Connection) -> float | None:
            total = 0.0
            for job in _jobs(connection, batch.id):
                # Without a call its file never went up.
                found = (0.0,)
                if job.call is not None:
                    found = connection.execute(
                        "SELECT cost FROM calls WHERE id = ? AND key = ?",
                        (job.call, bytes.fromhex(call_key(batch.id, job.number))),
                    ).fetchone()
                if not job.counted or found is None or found[0] is None:
                    return None
                total += found[0]
            return total

        return self._file.read(work)


def call_key(batch: str, number: int) -> str:
    """Return the key that a job of a batch has among the calls, by the id of the batch and the number of the job."""
    return sha256(f"{batch}-{number}".encode()).hexdigest()


class MemoryFile:
    """The same tables in memory, for a session whose journal is off."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._lock = threading.RLock()
        migrate(self._connection)

    def write(self, work: Callable[[sqlite3.Connection], T], *, hurry: bool = False) -> T:  # noqa: ARG002
        """Run `work` in a transaction."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                result = work(self._connection)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            return result

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`."""
        return self.write(work)

    def __del__(self) -> None:
        self._connection.close()


def _jobs(connection: sqlite3.Connection, batch: str) -> list[StoredJob]:
    query = f"SELECT {', '.join(_JOB)} FROM batch_jobs WHERE batch = ? ORDER BY number"  # noqa: S608 - fixed names
    rows = connection.execute(query, (batch,)).fetchall()
    return [_stored_job(row) for row in rows]


def _batch(row: Sequence[Any]) -> Batch:
    return Batch(**{**dict(zip(_BATCH, row, strict=True)), "plan": json.loads(row[-1])})


def _stored_job(row: Sequence[Any]) -> StoredJob:
    return StoredJob(**dict(zip(_JOB, row, strict=True)))


def _end_run(connection: sqlite3.Connection, job: StoredJob, call: Call) -> None:
    """End the run of a batch once all of its jobs are counted."""
    query = "SELECT COUNT(*) FROM batch_jobs WHERE batch = ? AND counted = 0"
    if call.run_id is not None and not connection.execute(query, (job.batch,)).fetchone()[0]:
        close_run(connection, call.run_id, call.at)


def _row(job: StoredJob) -> list[Any]:
    return list(storable([getattr(job, name) for name in _JOB]))


def _insertion(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - fixed names
