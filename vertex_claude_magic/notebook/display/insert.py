"""Code from an answer into a new cell below; it is put there and never run."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from vertex_claude_magic.markdown.characters import hidden_characters, safe_plain
from vertex_claude_magic.markdown.sanitize import fenced
from vertex_claude_magic.notebook.cells import cell_metadata
from vertex_claude_magic.notebook.display.code_blocks import choose_blocks, find_blocks
from vertex_claude_magic.notebook.display.frontends import front_end, notebook_file, notebook_name
from vertex_claude_magic.notebook.display.inserted import AskingCell, InsertedCode, read_notebook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vertex_claude_magic.notebook.display.code_blocks import CodeBlock
    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.notebook.shell import Shell
    from vertex_claude_magic.vertex.reply import Reply

__all__ = [
    "Place",
    "deliver_code",
    "insert_code",
    "insert_once",
    "inserted_note",
    "makes_cells",
    "with_text",
    "without_blocks",
]

# Where code went: a new cell, Colab's scratch pad, the next prompt of a terminal, or nobody knows.
Place = Literal["cell", "scratch", "prompt", "unknown"]

# Where the new cell is sure to appear.
_SURE = frozenset({"cell", "scratch"})
_NOTES: Mapping[Place, str] = {
    "cell": "Code added in a new cell below. Review it before running.",
    "scratch": "Code added in a scratch cell beside the notebook. Review it before running.",
    "prompt": "Code added at the next prompt. Review it before running.",
    "unknown": "The code was not run.",
}
_NO_CODE = "The answer contains no Python code, so there is no new cell."


def insert_code(shell: Shell, text: str) -> Place:
    """Put code into one new cell below the one that runs; front ends take no more than one from each.

    Colab inserts what IPython hands it twice (googlecolab/colabtools issue 5176), so there it is a scratch cell.
    """
    # What cannot be seen cannot be read before it is run.
    code = safe_plain(text)
    front = front_end(shell)
    if front.name == "colab":
        # `google.colab` is there wherever Colab is.
        from google.colab import _frontend

        _frontend.create_scratch_cell(code, bottom_pane=True)
        return "scratch"
    if front.kind == "terminal":
        shell.set_next_input(code, replace=False)
        return "prompt" if front.tty and sys.stdin.isatty() else "unknown"
    makes_cell = makes_cells(shell)
    if makes_cell or not cell_metadata(shell).get("cellId"):
        # A code console would write it over the question.
        shell.set_next_input(code, replace=False)
    return "cell" if makes_cell else "unknown"


def makes_cells(shell: Shell, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the front end makes a new cell of code that it is handed.

    JupyterLab and Notebook 7 send the id of the cell that runs. So does the code console of JupyterLab, which
    has no cells to add to and writes the code over the question. Only a notebook sends `deletedCells` too
    (JupyterLab 4.6.6), or has a cell of that id in its file. Where no Jupyter server started the kernel, the
    id is all that there is to go by.
    """
    if front_end(shell, environ=environ).name == "vscode":
        return True
    metadata = cell_metadata(shell)
    cell = metadata.get("cellId")
    if not cell or "deletedCells" in metadata or "JPY_SESSION_NAME" not in environ:
        return bool(cell)
    file = read_notebook(notebook_file(shell, environ))
    return file is not None and any(each.id == cell for each in file.cells)


def inserted_note(place: Place, code: str) -> str:
    """Return the line that tells where the code is, and what was taken out of it."""
    hidden = hidden_characters(code)
    warning = f" Invisible characters were removed: {', '.join(hidden[:3])}." if hidden else ""
    return f"{_NOTES[place]}{warning}"


def deliver_code(host: Host, reply: Reply) -> tuple[Reply, tuple[str, ...]]:
    """Put the code of an answer into a new cell, unless the cell of an earlier run is still there.

    Where the new cell is sure to appear, its code is not shown twice; blocks that did not go in are shown.

    Returns:
        What to show of the answer, and notes.
    """
    blocks = find_blocks(reply.text)
    choice = choose_blocks(blocks)
    if choice is None:
        return reply, (_NO_CODE,)
    shell, code = host.shell, safe_plain(choice.text)
    known = _inserted_code(host)
    if known is None:
        place = insert_code(shell, code)
    else:
        earlier = known.earlier(code)
        if earlier is not None:
            note, shown = earlier.notes(code)
            page = _shown_whole(reply, blocks) if shown else without_blocks(reply, choice.taken)
            return page, (note, *choice.notes)
        place = insert_code(shell, known.mark(code))
        known.inserted(code)
    notes = (inserted_note(place, choice.text), *choice.notes)
    return (without_blocks(reply, choice.taken) if place in _SURE else _shown_whole(reply, blocks)), notes


def insert_once(host: Host, text: str) -> Place | None:
    """Put code into a new cell as `insert_code` does; None if this very code is there from an earlier run."""
    code, known = safe_plain(text), _inserted_code(host)
    earlier = known.earlier(code) if known is not None else None
    if earlier is not None and earlier.holds(code) and not earlier.doubtful:
        return None
    place = insert_code(host.shell, code)
    if known is not None:
        known.inserted(code)
    return place


def _inserted_code(host: Host) -> InsertedCode | None:
    """Return what is known of the cell below; None where there is none, or nobody could find it again."""
    shell, cells = host.shell, host.cells
    front, cell = front_end(shell), str(cell_metadata(shell).get("cellId") or "")
    if front.kind != "notebook" or front.name == "colab" or not (cell or notebook_file(shell)):
        return None
    if cell and not makes_cells(shell):
        # A code console beside a notebook, whose kernel it may share.
        return None
    asker = AskingCell(cell=cell, source=cells.source or "", notebook=notebook_name(shell))
    return InsertedCode(
        asker,
        notes=host.status.notes,
        # Read once for one answer, though it is asked for before and after: the file may have tens of megabytes.
        file=cache(lambda: read_notebook(notebook_file(shell))),
        marked=cells.seen.marked,
        deleted=cells.seen.deleted,
        now=time.time,
    )


def without_blocks(reply: Reply, blocks: Sequence[CodeBlock]) -> Reply:
    """Return the answer without these blocks."""
    taken = {line for block in blocks for line in range(*block.lines)}
    left = [line for number, line in enumerate(reply.text.split("\n")) if number not in taken]
    return with_text(reply, "\n".join(left).strip() or "Here is the code.")


def _shown_whole(reply: Reply, blocks: Sequence[CodeBlock]) -> Reply:
    """Return the answer; one that is nothing but code gets a fence, so that it is not read as Markdown."""
    unfenced = len(blocks) == 1 and blocks[0].lines == (0, reply.text.count("\n") + 1)
    return with_text(reply, fenced(blocks[0].code, "python")) if unfenced else reply


def with_text(reply: Reply, text: str) -> Reply:
    """Return the answer with another text, and all its blocks of other types before it."""
    others = [block for block in reply.blocks if block.get("type") != "text"]
    return replace(reply, blocks=(*others, {"type": "text", "text": text}))
