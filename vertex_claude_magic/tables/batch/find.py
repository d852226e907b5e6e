"""The batches that are known, for a kernel that did not make them."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.records.rehearsal import refusal
from vertex_claude_magic.settings.environment import is_rehearsal
from vertex_claude_magic.settings.origin import current_origin
from vertex_claude_magic.tables.batch.context import Context
from vertex_claude_magic.tables.batch.job import BatchJob
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.session.session import Session

__all__ = ["find_batch", "known_batches"]


def find_batch(session: Session, name: str, names: Mapping[str, Any] = MappingProxyType({})) -> BatchJob:
    """Return the newest batch of a name or id, one of this notebook before those of others.

    Args:
        session: The session.
        name: The name or id.
        names: Variables, among which the type of its answers is looked up when it is collected.

    Raises:
        OptionError: there is none.
        ReplayMiss: there is none, and this process only rehearses.
    """
    context = Context(session, session.target(), "")
    found = context.batches.find(name, current_origin().notebook)
    if found is None:
        if is_rehearsal():
            # The cell that would have sent it was refused too.
            raise refusal()
        raise OptionError(
            f"No batch named {quote(name, 60)!r}.", cure="%claude_batch lists the batches in the journal."
        )
    return BatchJob(replace(context, project=found.project), found, names=names)


def known_batches(session: Session) -> list[BatchJob]:
    """Return the batches that the journal knows, the newest first; nobody is asked."""
    context = Context(session, session.target(), "")
    return [BatchJob(replace(context, project=each.project), each) for each in context.batches.recent()]
