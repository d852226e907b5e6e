"""What the journal and a recording have in common for a look-up of an answer that was given before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from vertex_claude_magic.records.journal.calls import StoredCall

__all__ = ["Store"]


class Store(Protocol):
    """Requests and their answers in one file; which of several are repeats is the rule of `repeats`."""

    path: Path

    def find(
        self,
        key: str,
        *,
        former: Callable[[], str] | None = None,
        errors: bool = False,
        local: bool = True,
        take: bool = False,
    ) -> StoredCall | None:
        """Return the answer to give again for a request, or None.

        The answers of the last session that asked come in their order, and then from the first again.

        Args:
            key: The digest of the request.
            former: Works out the digest under which versions before the chain have the request.
            errors: Whether an error counts as an answer.
            local: Whether answers of a server on this machine count.
            take: Whether the next look-up gets the next answer.

        Raises:
            JournalError: the file cannot be read.
        """

    def recent(self) -> Sequence[StoredCall]:
        """Return what a question that is not there may be compared with.

        Raises:
            JournalError: the file cannot be read.
        """
