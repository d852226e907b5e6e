"""The model table held against Google's own list of the publisher's models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vertex_claude_magic.models.observed import NOTE_KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.session.status import Notes
    from vertex_claude_magic.transport.admin import ListedModel

__all__ = ["ListComparison", "compare", "note_list"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ListComparison:
    """Where table and list differ.

    Args:
        listed: How many models Google lists.
        lacking: What Google lists and the table does not know.
        unlisted: Rows that are not retired, and that Google does not list.
        returned: Rows that the table calls retired, and that Google lists.
    """

    listed: int
    lacking: tuple[ListedModel, ...]
    unlisted: tuple[Model, ...]
    returned: tuple[Model, ...]


def compare(catalog: Catalog, listed: Sequence[ListedModel]) -> ListComparison:
    """Hold the table against Google's list; an id matches in any spelling.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.transport.admin import ListedModel
    >>> compare(Catalog.load(), [ListedModel(name="claude-next-9", version="default", stage="GA")]).lacking[0].id
    'claude-next-9'
    """
    rows = [_row(catalog, model) for model in listed]
    known = {row.id for row in rows if row is not None}
    return ListComparison(
        listed=len(listed),
        lacking=tuple(model for model, row in zip(listed, rows, strict=True) if row is None),
        unlisted=tuple(row for row in catalog.models if row.lifecycle != "retired" and row.id not in known),
        returned=tuple(row for row in catalog.models if row.lifecycle == "retired" and row.id in known),
    )


def note_list(catalog: Catalog, listed: Sequence[ListedModel], notes: Notes) -> None:
    """Note which ids Google lists, by the ids of the table where it has them."""
    rows = ((model, _row(catalog, model)) for model in listed)
    ids = sorted({row.id if row is not None else model.id for model, row in rows})
    notes.note(NOTE_KINDS[1], "listed", ids)


def _row(catalog: Catalog, model: ListedModel) -> Model | None:
    # A name without its version would find a row of another version.
    return catalog.find(model.id) or (catalog.find(model.name) if model.id == model.name else None)
