"""The journal as the rest of the package uses it: its trouble never costs an answer.

Whatever is wrong with its file (full, read-only, locked, damaged, newer) becomes a notice of one line,
given once; the question is asked and answered all the same.
"""

from __future__ import annotations

import atexit
import threading
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from vertex_claude_magic.errors import CostLimitExceeded, JournalError
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.process import LiveObjects, at_fork, refuse_copies
from vertex_claude_magic.records.journal import calls, runs
from vertex_claude_magic.records.journal.database import Database
from vertex_claude_magic.records.journal.location import is_there

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.records.journal.calls import Answered, Call, Ending, StoredCall
    from vertex_claude_magic.records.journal.ledger import Spent, UsageRow
    from vertex_claude_magic.records.journal.upkeep import Keep
    from vertex_claude_magic.records.repeats import Asker
    from vertex_claude_magic.settings.origin import Origin

    T = TypeVar("T")
    _Work = Callable[[sqlite3.Connection], T]
    # What writes a call, and returns its number and that of its run; a second time it finds what it has written.
    _Write = Callable[[sqlite3.Connection, Answered | None], tuple[int, int | None]]

__all__ = ["Journal"]

# Every so many answers the file is looked after, in steps of so many calls.
_UPKEEP_EVERY = 50
_UPKEEP_STEP = 500
_LARGE = 1_000_000
_MOST_RUNS = 1_000
# Seconds for which a run that was there is taken to be there still.
_LOOK_EVERY = 60.0
_NEAR = 200


class _Held(NamedTuple):
    """What is to be written of a call, whether somebody waits for it who has pressed stop, and who wants its number."""

    call: Call
    work: _Write
    hurry: bool = False
    added: Callable[[int], None] | None = None


class Journal:
    """One journal file; the methods may be called from any thread.

    Args:
        path: The file, made when the first call is added.
        clock: Seconds since 1970 (UTC).

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> journal = Journal(Path(mkdtemp()) / "journal.sqlite3")
    >>> journal.find("00" * 32) is None
    True
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self.database = Database(path)
        self._given: set[str] = set()
        self._ended = 0
        self._begin_anew()
        at_fork(self, child=Journal._begin_anew)
        _open.add(self)

    __reduce__ = refuse_copies("A journal", "Create a Claude client in the other process.")

    def _begin_anew(self) -> None:
        # Notices, turns and runs so far are the parent's.
        self._lock = threading.Lock()
        self._notices: list[str] = []
        self._asked: dict[str, int] = {}
        # The runs of cells by who asked, and the one whose cell asked last.
        self._cell_runs: dict[Asker, int] = {}
        self._cell_run: int | None = None
        # The run that was looked for last, in which connection, and in which minute.
        self._seen_run: tuple[sqlite3.Connection, int | None, float] | None = None
        # By the threads whose calls are written together: what each has to write, by the identity of the call.
        self._held: dict[int, dict[int, _Held]] = {}
        # What calls that ended here came to, at most, by day and whether this machine answered: a file may go.
        self._spent_here: dict[tuple[str, bool], float] = {}
        # The numbers of frames of requests by their digest.
        self._frames: dict[bytes, int] = {}

    def close(self) -> None:
        """End the run of the last cell and close the file; the next access opens it again."""
        with self._lock:
            last, self._cell_run = self._cell_run, None
        if last is not None and is_there(self.path):
            self.close_run(last)
        self._seen_run = None
        self.database.close()

    def open_run(self, kind: str, *, session: str, origin: Origin) -> int | None:
        """Begin a run, which keeps its calls from being pruned until `close_run`.

        Args:
            kind: "map", "batch" or "chat"; the runs of cells begin and end by themselves.
            session: The session that asks.
            origin: The notebook and cell that it belongs to.

        Returns:
            The run's number for `Call.run_id`, None where the journal does not work.
        """
        at = self._clock()
        return self._try(
            self.database.write, lambda connection: runs.open_run(connection, kind, session, origin, at)
        )

    def close_run(self, number: int | None) -> None:
        """End a run; does nothing for None."""
        if number is not None:
            at = self._clock()
            self._try(self.database.write, lambda connection: runs.close_run(connection, number, at))

    def is_shared(self, number: int | None, kind: str, place: str) -> bool:
        """Tell whether another run of the same place goes on now, in this kernel or another one."""
        return number is not None and bool(
            self._try(self.database.read, lambda connection: runs.is_shared(connection, number, kind, place))
        )

    @contextmanager
    def together(self) -> Iterator[None]:
        """Hold what this thread says of the calls of runs while this is entered, and write it in one transaction."""
        thread, stopped = threading.get_ident(), False
        held: dict[int, _Held] = {}
        self._held[thread] = held
        try:
            yield
        except KeyboardInterrupt:
            stopped = True
            raise
        finally:
            self._held.pop(thread, None)
            if held:
                hurry = stopped or any(each.hurry for each in held.values())
                self._write(list(held.values()), hurry=hurry)

    def _hold(self, held: _Held) -> bool:
        """Hold what is to be written of a call; False if it is to be written at once."""
        together = self._held.get(threading.get_ident())
        if together is None or held.call.run_id is None:
            return False
        # Of a call that ends at once, its end says all.
        together[id(held.call)] = held
        return True

    def _write(self, held: list[_Held], *, hurry: bool) -> int | None:
        """Write calls in one transaction, and return the number of the last one; None if it could not be done."""
        begun = False

        def work(connection: sqlite3.Connection) -> list[tuple[int, int | None]]:
            nonlocal begun
            begun = True
            keys = [each.call.key for each in held if each.added is None]
            answered = calls.look_up(connection, keys) if keys else None
            return [each.work(connection, answered) for each in held]

        try:
            written = self.database.write(work, hurry=hurry)
        except JournalError as error:
            if begun and len(held) > 1:
                # One of them may be what cannot be stored; it takes none of the others with it.
                return [self._write([each], hurry=hurry) for each in held][-1]
            self.tell(str(error))
            return None
        except KeyboardInterrupt:
            if not hurry:
                # Nobody says again how they ended.
                self._write(held, hurry=True)
            raise
        for each, added in zip(held, written, strict=True):
            self._added(each.call, added)
            if each.added is not None:
                each.added(added[0])
        return written[-1][0]

    def notices(self) -> tuple[str, ...]:
        """Return the notices that were not returned before."""
        with self._lock:
            new, self._notices = tuple(self._notices), []
            return new

    def begin(
        self,
        call: Call,
        *,
        day_limit: float | None = None,
        later: Callable[[int], None] | None = None,
    ) -> int | None:
        """Add a call that goes out now.

        Args:
            call: The call.
            day_limit: USD; with its worst case the day's calls of all notebooks must stay below this.
            later: Takes the number too, if there is one; the call may be one of several that are written together.

        Returns:
            The call's number, None where the journal does not work, or where it comes later.

        Raises:
            CostLimitExceeded: the day's limit could be crossed; nothing was added.
            JournalError: there is a limit, and the journal cannot tell what was spent.
        """
        done: tuple[int, int | None] | None = None

        def work(connection: sqlite3.Connection, _: Answered | None = None) -> tuple[int, int | None]:
            nonlocal done
            if done is None or not calls.is_there(connection, done[0], call):
                if day_limit is not None:
                    place = calls.day_of(call.at), call.source in calls.LOCAL
                    _check_day(connection, call, day_limit, self._spent_here.get(place, 0.0))
                done = self._add(connection, call)
                if later is not None:
                    later(done[0])
            return done

        if day_limit is not None:
            return self._added(call, self.database.write(work))
        held = _Held(call, work, added=later)
        return None if later is not None and self._hold(held) else self._write([held], hurry=False)

    def _add(
        self, connection: sqlite3.Connection, call: Call, ending: Ending | None = None
    ) -> tuple[int, int | None]:
        """Add a call, and return its number and that of its run."""
        run = self._run_of(connection, call)
        number = calls.add(connection, call, run=run, ending=ending)
        answer = ending.answer if ending is not None else None
        calls.add_content(connection, number, call, answer, frames=self._frames)
        return number, run

    def _run_of(self, connection: sqlite3.Connection, call: Call) -> int | None:
        """Return the run that owns a call; that of a cell begins with its first call and ends with the next cell's."""
        known = call.run_id or self._cell_runs.get(call.asker)
        if call.run_id is not None and self._seen_run == (connection, known, call.at // _LOOK_EVERY):
            return known
        if known is not None and not runs.keep_open(connection, known, call.session, call.at):
            # The file was replaced, or emptied.
            known = None
        if call.run_id is not None or not call.origin.run:
            self._seen_run = (connection, known, call.at // _LOOK_EVERY)
            return known
        # What another thread of the cell has begun is in the file before it is known here.
        known = known or runs.begun_run(connection, call.session, call.origin, call.at)
        if self._cell_run not in {None, known}:
            runs.close_run(connection, self._cell_run or 0, call.at)
        return known or runs.open_run(connection, "cell", call.session, call.origin, call.at)

    def _added(self, call: Call, added: tuple[int, int | None] | None) -> int | None:
        if added is None:
            return None
        number, run = added
        if run is not None and run != call.run_id:
            # Only now, because nothing is there before the transaction has ended.
            with self._lock:
                if len(self._cell_runs) > _MOST_RUNS:
                    self._cell_runs.clear()
                self._cell_runs[call.asker] = self._cell_run = run
        return number

    def end(
        self,
        number: int | None,
        call: Call,
        ending: Ending,
        keep: Keep,
        *,
        replaces: bool = False,
        later: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Say how a call ended, and add the call first if it is not there; then look after the file.

        Args:
            number: The call's number, None if it was not added.
            call: The call.
            ending: How it ended.
            keep: How much the journal stores.
            replaces: Whether its answer takes the place of all that were there, but for those of its own run.
            later: Takes the number of a call that is added, for its end may be said once more where stop is pressed.
        """
        done = None if number is None else (number, call.run_id)

        def work(connection: sqlite3.Connection, answered: Answered | None) -> tuple[int, int | None]:
            nonlocal done
            if done is None:
                if ending.replayable:
                    calls.make_way(connection, call, replaces=replaces, answered=answered)
            elif calls.end(connection, done[0], call, ending, replaces=replaces, answered=answered):
                return done
            done = self._add(connection, call, ending)
            later(done[0])
            return done

        # Who stops a call waits for it.
        held = _Held(call, work, hurry=ending.state == "stopped")
        if not self._hold(held):
            self._write([held], hurry=held.hurry)
        with self._lock:
            if replaces:
                self._asked.pop(call.key, None)
            self._ended += 1
            place = calls.day_of(call.at), ending.source in calls.LOCAL
            came_to = ending.cost_most if ending.cost is None else ending.cost
            self._spent_here[place] = self._spent_here.get(place, 0.0) + (came_to or 0.0)
            due = self._ended % _UPKEEP_EVERY == 1
        if not held.hurry and (due or sum(map(len, call.attachments.values())) > _LARGE):
            self._upkeep(keep)

    def find(
        self,
        key: str,
        *,
        former: Callable[[], str] | None = None,
        errors: bool = False,
        local: bool = True,
        take: bool = False,
    ) -> StoredCall | None:
        """Return the answer to give again for a request, or None; as `Store.find`."""
        if not is_there(self.path):
            return None
        with self._lock:
            turn = self._asked.get(key, 0)

        def work(connection: sqlite3.Connection) -> tuple[bool, StoredCall | None]:
            found = calls.find(connection, key, former=former, errors=errors, local=local)
            return bool(found), calls.stored_call(connection, found[turn % len(found)]) if found else None

        known, stored = self.database.read(work)
        if known and take:
            self.count_turn(key)
        return stored

    def earlier(self, kind: str, place: str, keys: Sequence[str], *, local: bool) -> dict[str, StoredCall]:
        """Return the answers that earlier runs of a place have for requests, by their digest; as `earlier_answers`."""
        from vertex_claude_magic.records.journal.earlier import earlier_answers

        if not is_there(self.path):
            return {}
        found = self._try(
            self.database.read,
            lambda connection: earlier_answers(connection, kind, place, keys, local=local),
        )
        return found or {}

    def count_turn(self, key: str) -> None:
        """Note that a request was asked of the service, so that its repeats get the next answers."""
        with self._lock:
            self._asked[key] = self._asked.get(key, 0) + 1

    def replayed(self, call: Call, answer: int | None, *, error: bool) -> None:
        """Note that an answer was given again, from the journal (its number) or from elsewhere (None)."""

        def work(connection: sqlite3.Connection) -> tuple[int, int | None]:
            run = self._run_of(connection, call)
            return calls.add_replay(connection, call, answer, error=error, run=run), run

        self._added(call, self._try(self.database.write, work))

    def recent(self) -> list[StoredCall]:
        """Return the last answers that may be given again, the newest first.

        Raises:
            JournalError: the journal cannot be read.
        """
        return (
            self.database.read(lambda connection: calls.recent(connection, _NEAR))
            if is_there(self.path)
            else []
        )

    def spent(self, day: str, *, local: bool) -> Spent:
        """Return what one day's calls of all notebooks came to (YYYY-MM-DD, local time).

        Raises:
            JournalError: the journal cannot be read.
        """
        from vertex_claude_magic.records.journal import ledger

        return self.database.read(lambda connection: ledger.spent(connection, day, local=local))

    def usage(self, *, since: str = "", session: str = "") -> list[UsageRow]:
        """Return the usage by day, notebook and model.

        Raises:
            JournalError: the journal cannot be read.
        """
        from vertex_claude_magic.records.journal import ledger

        return self.database.read(lambda connection: ledger.rows(connection, since, session))

    def note(self, kind: str, key: str, value: Json) -> None:
        """Note a small fact, a JSON value, in the place of the former one."""
        from vertex_claude_magic.records.journal import notes

        at = self._clock()
        self._try(self.database.write, lambda connection: notes.note(connection, kind, key, value, at))

    def notes(self, kind: str) -> dict[str, tuple[Any, datetime]]:
        """Return all facts of a kind, each with the moment when it was noted."""
        from vertex_claude_magic.records.journal import notes

        if not is_there(self.path):
            return {}
        return self._try(self.database.read, lambda connection: notes.notes(connection, kind)) or {}

    def _try(self, access: Callable[[_Work[T]], T], work: _Work[T]) -> T | None:
        """Write to the file or read it; where that cannot be done, the user gets a notice."""
        try:
            return access(work)
        except JournalError as error:
            self.tell(str(error))
            return None

    def tell(self, text: str) -> None:
        """Add a notice for the user, unless the same was given before."""
        with self._lock:
            if text not in self._given:
                self._given.add(text)
                self._notices.append(text)

    def _upkeep(self, keep: Keep) -> None:
        from vertex_claude_magic.records.journal import upkeep

        today = datetime.fromtimestamp(self._clock()).astimezone().date()
        try:
            self.database.write(lambda connection: upkeep.drop_old(connection, today, keep, _UPKEEP_STEP))
            dropped = self.database.write(
                lambda connection: upkeep.drop_oldest(connection, today, keep, _UPKEEP_STEP)
            )
        except JournalError as error:
            self.tell(str(error))
            return
        if dropped.day is not None:
            self.tell(
                f"The journal had reached {keep.megabytes:,} MB, so its calls up to {dropped.day} were deleted."
            )
        if dropped.pinned:
            self.tell(
                f"The journal is larger than {keep.megabytes:,} MB, because running tasks keep their calls until "
                "they have ended."
            )


def _check_day(connection: sqlite3.Connection, call: Call, limit: float, spent_here: float) -> None:
    from vertex_claude_magic.records.journal import ledger
    from vertex_claude_magic.settings.limit_cures import limit_exceeded, priced

    today = calls.day_of(call.at)
    local = call.source in calls.LOCAL
    spent = ledger.spent(connection, today, local=local)
    most = call.cost_most
    if most is None or spent.unknown:
        what = "this question" if most is None else "today's questions"
        raise CostLimitExceeded(
            f"The cost of {what} is not known, so it may exceed the daily limit.",
            cure=priced("max_daily_cost", limit),
        )
    # The file may have been removed or emptied since this process spent something.
    usd = max(spent.usd, spent_here)
    if usd + most > limit:
        raise limit_exceeded("max_daily_cost", limit, most, usd, local=local)


# Written back and closed where the interpreter ends in order; it keeps none of them alive.
_open: LiveObjects[Journal] = LiveObjects()


@atexit.register
def _close_all() -> None:
    for journal in _open:
        journal.close()
