"""Which answers to one request are repeats, given again in turn, and which take the place of others.

One rule for journal and recording. The answers of the last session that asked count. Within it, a cell that runs again
replaces what its last run was answered; two answers of one run, or of two cells, are repeats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Asker", "is_repeat", "of_last_session"]

T = TypeVar("T")


class Asker(NamedTuple):
    """Who got an answer: the session, the cell (empty outside of one) and which run of the cell it was."""

    session: str
    cell: str = ""
    run: str = ""


def is_repeat(earlier: Asker, later: Asker, *, replaces: bool = False) -> bool:
    """Tell whether an earlier answer stays beside a later one.

    Args:
        earlier: Who got the earlier answer.
        later: Who gets the later one.
        replaces: Whether the later one takes the place of all that were there (`--replay refresh`); then those of its
            own run stay all the same, because they are repeats.

    >>> first, again = Asker("s", "c1", "1"), Asker("s", "c1", "2")
    >>> [is_repeat(first, later) for later in (first, again, Asker("s", "c2", "3"), Asker("later session"))]
    [True, False, True, False]
    >>> [is_repeat(first, later, replaces=True) for later in (first, Asker("s", "c2", "3"))]
    [True, False]
    """
    if replaces:
        return later.run != "" and earlier == later
    return earlier.session == later.session and (earlier.cell != later.cell or earlier.run == later.run)


def of_last_session(answers: Sequence[tuple[str, T]]) -> list[T]:
    """Return the answers of the last session that asked, from pairs of session and answer in their order.

    >>> of_last_session([("monday", "A"), ("tuesday", "B"), ("monday", "C")])
    ['A', 'C']
    """
    return [answer for session, answer in answers if session == answers[-1][0]]
