"""Where a turn has its place: which earlier one it replaces, and what goes before it. Pure functions.

A turn belongs to its cell and to its place in a run of the cell. Where the front end gives the cell no id, the text of
the prompt stands for it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.chats.entry import TurnEntry
    from vertex_claude_magic.records.stores import UnansweredQuestion

__all__ = ["TurnPosition", "has_run_again", "placed", "position_of", "without_leftovers"]


class TurnPosition(NamedTuple):
    """The place of a question.

    Args:
        owner: As in `TurnEntry`.
        run: As in `TurnEntry`.
        place: As in `TurnEntry`.
        at: Where in the conversation it goes, from 0.
        replaces: Whether a turn is there that it takes the place of.
    """

    owner: str
    run: str
    place: int
    at: int
    replaces: bool


def without_leftovers(entries: Sequence[TurnEntry], cell: str, run: str) -> list[TurnEntry]:
    """Return the turns without those that an earlier run of a cell had more of than its last one.

    The turns of a cell are replaced together. Those of the cell that asks now stay, because its run goes on.

    Args:
        entries: The turns.
        cell: The front end's id of the cell that asks.
        run: Its run.
    """
    # The last run of a cell is that of its first question.
    last = {entry.cell: entry.run for entry in entries if entry.place == 0}
    under_way = cell if last.get(cell) == run else None
    return [
        entry
        for entry in entries
        if not entry.cell or entry.cell == under_way or entry.run == last.get(entry.cell, entry.run)
    ]


def has_run_again(entries: Sequence[TurnEntry], cell: str, run: str) -> bool:
    """Tell whether a later run of a cell, in the same process, has asked here.

    Args:
        entries: The turns.
        cell: The front end's id of the cell.
        run: A run of it: the process and a number that grows.
    """
    process, _, number = run.rpartition(":")
    runs = (entry.run.rpartition(":") for entry in entries if cell and entry.cell == cell)
    return number.isdecimal() and any(
        other == process and later.isdecimal() and int(later) > int(number) for other, _, later in runs
    )


def position_of(
    entries: Sequence[TurnEntry],
    cell: str,
    run: str,
    prompt: str,
    unanswered: UnansweredQuestion | None = None,
) -> TurnPosition:
    """Return the place of the next question of a cell.

    Args:
        entries: The turns.
        cell: The front end's id of the cell, empty where it gives none.
        run: Which run of the cell asks; the same for all of its questions.
        prompt: The prompt.
        unanswered: The last question of the cell, if it has no turn.
    """
    owner = cell or f"text:{sha256(prompt.strip().encode('utf-8', 'replace')).hexdigest()[:16]}"
    own = [entry for entry in entries if entry.owner == owner]
    place = max((entry.place + 1 for entry in own if entry.run == run), default=0)
    if unanswered is not None and unanswered.run == run:
        # One that failed keeps its place, or the next one would replace the turn that it had before. The same prompt
        # is another try.
        place = max(place, unanswered.place + (unanswered.prompt != prompt))
    for index, entry in enumerate(entries):
        if entry.owner == owner and entry.place >= place:
            return TurnPosition(owner, run, place, index, replaces=entry.place == place)
    # Behind what the same run or cell asked before, else at the end.
    before = (index for index, entry in enumerate(entries) if entry.run == run or entry.owner == owner)
    return TurnPosition(owner, run, place, max(before, default=len(entries) - 1) + 1, replaces=False)


def placed(entries: Sequence[TurnEntry], position: TurnPosition, entry: TurnEntry) -> list[TurnEntry]:
    """Return the turns with one more, or with one in the place of another.

    The former turns of what failed before it in its run stay, and belong to that run.
    """
    before = [
        each._replace(run=position.run, stored=None)
        if each.owner == position.owner and each.run != position.run and each.place < position.place
        else each
        for each in entries[: position.at]
    ]
    return [*before, entry, *entries[position.at + position.replaces :]]
