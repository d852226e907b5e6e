"""The cell that holds the code of an earlier run, so that running all cells again adds no other.

Inserted code carries a mark, a comment that names the cell which asked and the code as it was. What is known
comes from three places: the notebook's file where the server names it, the journal by the id of the cell
that asks, and the ids that JupyterLab sends with each cell (its own, and those of cells deleted since).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.notebook.cells import MARK, MARK_START
from vertex_claude_magic.records.provenance import text_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from vertex_claude_magic.session.status import Notes

__all__ = [
    "AskingCell",
    "CodeCell",
    "Earlier",
    "File",
    "InsertedCode",
    "marked",
    "note_cell",
    "read_notebook",
    "unmarked",
]

NOTE_KIND = "inserted code"
_LARGEST = 40_000_000
# Seconds in which a front end puts the new cell in after the code was handed over.
_DELAY = 2.0
# Cell magics whose body takes a comment of this kind; in any other a mark could change what the cell does.
_COMMENTS = re.compile(
    r"%%(?:time|timeit|capture|prun|python[23]?|pypy|bash|sh|perl|ruby|R|julia|cython)(?!\S)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AskingCell:
    """The cell that asks: its id where the front end sends one, and its source, which is its question."""

    cell: str
    source: str
    notebook: str = ""

    @property
    def key(self) -> str:
        """Eight hexadecimal digits: four tell it from other cells, four its question from what it asked before."""
        return _digits(self.cell)[:4] + self.question

    @property
    def question(self) -> str:
        """The four hexadecimal digits of its source."""
        return _digits(self.source)[:4]


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeCell:
    """A code cell of a notebook file."""

    id: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """The code cells of a notebook as they were saved; `saved` is seconds since 1970."""

    cells: Sequence[CodeCell]
    saved: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """What is known of the cell with the code of an earlier run.

    Args:
        text: Its code as it is now; None where nobody can see it.
        code: Digits of the code as it was put in; empty if they are not known.
        doubtful: Whether it may have been deleted.
    """

    text: str | None
    code: str = ""
    doubtful: bool = False

    def holds(self, code: str) -> bool:
        """Tell whether this very code was put there, changed since or not."""
        return _digits(code) in {self.code, _digits(self.text or "")}

    def notes(self, code: str) -> tuple[str, bool]:
        """Return what to say of it beside an answer with this code, and whether that code is to be shown."""
        now = self.code if self.text is None else _digits(self.text)
        same, edited = _digits(code) == now, bool(self.code) and now != self.code
        gone = "If that cell is gone, save the notebook and run this cell again."
        if same and self.text is None:
            note = f"This cell's code was inserted before, so no cell was added; the answer has it as .code. {gone}"
        elif self.text is None:
            note = (
                "The code of an earlier answer was inserted before, so no cell was added. The new code is shown "
                f"here. {gone}"
            )
        elif same:
            note = "The code is already in the cell below, so no cell was added."
        elif edited and _digits(code) == self.code:
            note = "The code in the cell below has been edited since, so no cell was added."
        else:
            since = ", changed since" if edited else ""
            note = (
                f"The cell below contains the code of an earlier answer{since}, so no cell was added. "
                "The new code is shown here. Delete that cell and run this one again to get a new cell."
            )
        return note, self.doubtful or not same


def _digits(text: str) -> str:
    return (text_hash(text) or "")[:8]


def marked(code: str, key: str) -> str:
    """Return code with its mark, on the first line where a comment may be; unchanged where none may be.

    >>> marked("x = 1", "0a1b2c3d").split("\\n")[1]
    'x = 1'
    >>> marked("%%html\\n<b>", "0a1b2c3d")
    '%%html\\n<b>'
    """
    mark = f"{MARK_START}{key}-{_digits(code)})"
    if not code.startswith("%%"):
        return f"{mark}\n{code}"
    first, _, body = code.partition("\n")
    return f"{first}\n{mark}\n{body}" if _COMMENTS.match(first) else code


def unmarked(source: str) -> str:
    r"""Return the source of a cell without its mark.

    >>> unmarked(marked("%%time\nx", "0a1b2c3d"))
    '%%time\nx'
    """
    return re.sub(MARK, "", source, count=1)


@dataclass(frozen=True, slots=True)
class InsertedCode:
    """What one cell knows of the code that it put below.

    Args:
        asker: The cell.
        notes: Where the cells that have put code below are stored.
        file: Reads the notebook's file; None where nobody names one.
        marked: The id of each marked cell that ran in this kernel, by the key of its mark.
        deleted: The ids of cells that were deleted, as far as the front end tells.
        now: Seconds since 1970.
    """

    asker: AskingCell
    notes: Notes
    file: Callable[[], File | None]
    marked: Mapping[str, str]
    deleted: Collection[str]
    now: Callable[[], float]

    def mark(self, code: str) -> str:
        """Return the code as it goes into the new cell."""
        return marked(code, self.asker.key)

    def earlier(self, code: str) -> Earlier | None:
        """Return what is known of the cell that holds the code of an earlier run; None if there is none."""
        record, file = self._record(), self.file()
        known = (record or {}).get("cell") or self.marked.get(self.asker.key, "")
        if known and known in self.deleted:
            record = known = None
        if file is not None:
            cell = self._in_file(file, record, known, code)
            if cell is not None:
                mark = re.search(MARK, cell.source)
                inserted = mark[2] if mark else (record or {}).get("code", "")
                self._store({**(record or {}), "code": inserted, "cell": cell.id})
                return Earlier(text=unmarked(cell.source), code=inserted)
        if record is None or (file is not None and file.saved > record["at"] + _DELAY):
            return None
        self._store({**record, "cell": known})
        return Earlier(text=None, code=record["code"], doubtful=not known and bool(self.deleted))

    def inserted(self, code: str) -> None:
        """Store that the code was put below now."""
        file = self.file()
        place = self._place(file) if file is not None else None
        below = (
            None
            if file is None or place is None
            else "".join(cell.id for cell in file.cells[place + 1 : place + 2])
        )
        self._store({"code": _digits(code), "cell": "", "below": below, "at": self.now()})

    def _in_file(
        self, file: File, record: Mapping[str, Any] | None, known: str | None, code: str
    ) -> CodeCell | None:
        cells = [cell for cell in file.cells if not cell.id or cell.id not in self.deleted]
        for cell in cells:
            mark = re.search(MARK, cell.source)
            if (mark and mark[1] == self.asker.key) or (known and cell.id == known):
                return cell
        place = self._place(file)
        below = file.cells[place + 1] if place is not None and place + 1 < len(file.cells) else None
        if below is None or below not in cells:
            return None
        mark = re.search(MARK, below.source)
        # An id that the front end makes anew each time is not that of the mark.
        by_source = bool(
            mark
            and mark[1].endswith(self.asker.question)
            and self.asker.cell not in {cell.id for cell in cells}
        )
        as_it_was = _digits(unmarked(below.source)) in {_digits(code), (record or {}).get("code")}
        new = (
            record is not None
            and record["below"] is not None
            and bool(below.id)
            and below.id != record["below"]
        )
        return below if by_source or as_it_was or new else None

    def _place(self, file: File) -> int | None:
        """Return where the cell that asks is in the file, by its id or else by its source."""
        for number, cell in enumerate(file.cells):
            if self.asker.cell and cell.id == self.asker.cell:
                return number
        same = [
            number
            for number, cell in enumerate(file.cells)
            if _digits(cell.source) == _digits(self.asker.source)
        ]
        # Which of two cells with one source asks, nobody knows.
        return same[0] if len(same) == 1 else None

    def _record(self) -> dict[str, Any] | None:
        if not self.asker.cell:
            return None
        value, _ = self.notes.notes(NOTE_KIND).get(self.asker.key, (None, None))
        # A note may be of another version.
        if not isinstance(value, Mapping) or not isinstance(value.get("at"), (int, float)):
            return None
        notebook = value.get("notebook", "")
        if notebook and self.asker.notebook and notebook != self.asker.notebook:
            return None
        return {"code": "", "cell": "", "below": None, **value}

    def _store(self, record: Mapping[str, Any]) -> None:
        if self.asker.cell:
            full = {"below": None, "at": self.now(), **record, "notebook": self.asker.notebook}
            self.notes.note(NOTE_KIND, self.asker.key, full)


def note_cell(notes: Notes, key: str, cell: str) -> None:
    """Keep the id of a cell with inserted code, by which its deletion is known in a later kernel.

    Args:
        notes: Where it is stored.
        key: The digits of the cell that asked, from the mark.
        cell: The id of the cell with the code.
    """
    value, _ = notes.notes(NOTE_KIND).get(key, (None, None))
    if isinstance(value, Mapping) and value.get("cell") != cell:
        notes.note(NOTE_KIND, key, {**value, "cell": cell})


def read_notebook(path: Path | None) -> File | None:
    """Read the code cells of a notebook file; None if it is not there or no notebook."""
    if path is None:
        return None
    try:
        status = path.stat()
        if status.st_size > _LARGEST:
            return None
        cells = json.loads(path.read_bytes())["cells"]
        found = [
            CodeCell(
                id=str(cell.get("id", "")),
                source="".join(map(str, lines)) if isinstance(lines := cell["source"], list) else str(lines),
            )
            for cell in cells
            if cell["cell_type"] == "code"
        ]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return File(cells=found, saved=status.st_mtime)
