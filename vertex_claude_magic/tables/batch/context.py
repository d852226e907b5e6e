"""What every part of a batch needs of its session: files, jobs of the API, and the tables of the journal."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from vertex_claude_magic import errors
from vertex_claude_magic.records.journal.batches import Batches, MemoryFile, call_key
from vertex_claude_magic.records.journal.calls import Call
from vertex_claude_magic.records.rehearsal import refusal
from vertex_claude_magic.records.session_records import journal_of
from vertex_claude_magic.session.session import check_live
from vertex_claude_magic.settings.environment import is_rehearsal
from vertex_claude_magic.settings.origin import current_origin, session_id
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.batch import BatchApi
from vertex_claude_magic.transport.resources import ModelPlace
from vertex_claude_magic.transport.storage import open_files
from vertex_claude_magic.vertex.endpoint import base_url_of
from vertex_claude_magic.vertex.provenance import answered_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.records.journal.batches import Batch, StoredJob
    from vertex_claude_magic.records.journal.journal import Journal
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.transport.bigquery import BigQueryTable
    from vertex_claude_magic.transport.storage import Files
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Context", "source_of"]

# Where the journal is off: in memory, as long as the session lives.
_in_memory: WeakKeyDictionary[Session, Batches] = WeakKeyDictionary()


def source_of(target: Target) -> str:
    """Return who answers: "vertex", "gateway" or "local"."""
    return answered_by(target.base_url or base_url_of("global"))


@dataclass(eq=False)
class Context:
    """The session of a batch.

    Args:
        session: The session.
        target: Its settings; the model is that of the batch.
        project: The project that pays.
        clock: Seconds since 1970 (UTC).
    """

    session: Session
    target: Target
    project: str
    clock: Callable[[], float] = time.time

    @cached_property
    def files(self) -> Files:
        """The files in Cloud Storage.

        Raises:
            ReplayMiss: this process only rehearses.
            OptionError: a policy switches live calls off.
        """
        self.check_live()
        return open_files(self.session.transport.authorizer, self.project, self.target.base_url)

    def check_live(self) -> None:
        """Refuse what would leave this machine where nothing may; for calls that do not go through the session.

        Raises:
            ReplayMiss: this process only rehearses.
            OptionError: a policy switches live calls off.
        """
        if is_rehearsal():
            raise refusal()
        check_live(self.target)

    @contextmanager
    def table(self, name: str) -> Iterator[BigQueryTable]:
        """Look a table of BigQuery up.

        Args:
            name: The table, `bq://project.dataset.table`.

        Raises:
            ReplayMiss: this process only rehearses.
            OptionError: a policy switches live calls off, or there is no such table.
        """
        from vertex_claude_magic.transport.bigquery import open_table

        self.check_live()
        with open_table(self.session.transport.authorizer, self.project, name, self.target.base_url) as found:
            yield found

    @property
    def journal(self) -> Journal | None:
        """The journal, None where it is off."""
        return journal_of(self.target, self.session.records.stores)

    @cached_property
    def batches(self) -> Batches:
        """The tables that a later kernel finds, or those in memory where the journal is off."""
        journal = self.journal
        if journal is not None:
            return Batches(journal.database)
        return _in_memory.setdefault(self.session, Batches(MemoryFile()))

    def api(self, location: str, model: str) -> BatchApi:
        """Return the jobs in a location."""

        def call(request: Request, *, retry: bool = True) -> Json:
            return self.session.send(request, self.target, retry=retry).whole()

        base_url = self.target.base_url
        place = ModelPlace(project=self.project, region=location, model=model, base_url=base_url)
        return BatchApi(call, place)

    def check(self, batch: Batch) -> None:
        """Refuse to follow the jobs of one service at another.

        Raises:
            OptionError: questions go elsewhere now.
        """
        source = source_of(self.target)
        if source == batch.source:
            return
        where = {"vertex": "Google", "gateway": "a gateway", "local": "a server on this machine"}
        raise errors.OptionError(
            f"The batch {quote(batch.name or batch.id, 60)} is at {where.get(batch.source, batch.source)}, and "
            f"questions go to {where.get(source, source)} now.",
            cure="Set base_url as it was, or run %claude_demo (or %claude_demo stop).",
        )

    def call_of(self, batch: Batch, job: StoredJob) -> Call:
        """Return a job as a row among the calls of the journal, sent now, with its cost and without content."""
        return Call(
            at=self.clock(),
            session=session_id(),
            key=call_key(batch.id, job.number),
            canonical={"model": batch.model, "body": {}},
            asked=batch.asked,
            model=batch.model,
            region=batch.location,
            project=batch.project,
            source=batch.source,
            origin=current_origin(),
            cost_most=job.cost_most,
            run_id=batch.run_id,
        )
