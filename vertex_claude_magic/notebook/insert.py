"""Code from an answer into a new cell below; it is put there and never run."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from vertex_claude_magic.markdown.characters import hidden_characters, safe_plain
from vertex_claude_magic.notebook.frontends import front_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["Place", "deliver_code", "insert_code", "inserted_note", "python_blocks", "without_blocks"]

# Where code went: a new cell, Colab's scratch pad, the next prompt of a terminal, or nobody knows.
Place = Literal["cell", "scratch", "prompt", "unknown"]

_PYTHON = frozenset({"", "python", "python3", "py", "py3", "ipython", "ipython3", "pycon"})
_NOTES: Mapping[Place, str] = {
    "cell": "The code is in a new cell below. Read it before you run it.",
    "scratch": "The code is in a scratch cell beside the notebook. Read it before you run it.",
    "prompt": "The code stands at the next prompt. Read it before you run it.",
    "unknown": "The code was not run.",
}
_NO_CODE = "The answer holds no Python code, so there is no new cell."


@dataclass(frozen=True, kw_only=True, slots=True)
class _Block:
    """A fenced block: its code, and the lines of the Markdown that it takes."""

    code: str
    lines: tuple[int, int]


def python_blocks(markdown: str) -> tuple[str, ...]:
    r"""Return the fenced blocks that are Python, or do not say what they are.

    >>> python_blocks("So:\n```python\nx = 1\n```\n\n```bash\nls\n```")
    ('x = 1',)
    """
    return tuple(block.code for block in _blocks(markdown))


def _blocks(markdown: str) -> list[_Block]:
    from markdown_it import MarkdownIt

    fences = [token for token in MarkdownIt("commonmark").parse(markdown) if token.type == "fence"]
    return [
        _Block(code=token.content.rstrip("\n"), lines=(token.map[0], token.map[1]))
        for token in fences
        if _language(token.info) in _PYTHON and token.content.strip() and token.map is not None
    ]


def _language(info: str) -> str:
    return (info.split() or [""])[0].strip("{}.").lower()


def insert_code(shell: Any, blocks: Sequence[str]) -> Place:
    """Put code into one new cell below the one that runs; several blocks with a comment line between.

    Front ends take only one such cell for each cell that runs, so all blocks share it. Colab inserts what
    IPython hands it twice (googlecolab/colabtools issue 5176), so there it is a scratch cell.
    """
    # What cannot be seen cannot be read before it is run.
    code = safe_plain(_joined(blocks))
    front = front_end(shell)
    if front.name == "colab":
        # `google.colab` is there wherever Colab is.
        from google.colab import _frontend

        _frontend.create_scratch_cell(code, bottom_pane=True)
        return "scratch"
    shell.set_next_input(code, replace=False)
    if front.kind == "terminal":
        return "prompt" if front.tty and sys.stdin.isatty() else "unknown"
    return "cell" if front.name == "vscode" or _cell_id(shell) else "unknown"


def _joined(blocks: Sequence[str]) -> str:
    if len(blocks) == 1:
        return blocks[0]
    return "\n\n".join(
        f"# --- block {number} of {len(blocks)} ---\n{code}" for number, code in enumerate(blocks, 1)
    )


def _cell_id(shell: Any) -> str | None:
    """Return the id of the cell that runs, where the front end tells it.

    JupyterLab and Notebook 7 send it in the metadata of `execute_request`; whoever only executes
    notebooks (nbclient) does not.
    """
    get_parent = getattr(shell, "get_parent", None)
    parent = get_parent() if get_parent is not None else None
    metadata = (parent or {}).get("metadata") or {}
    return str(metadata["cellId"]) if metadata.get("cellId") else None


def inserted_note(place: Place, code: str) -> str:
    """Return the line that tells where the code is, and what was taken out of it."""
    hidden = hidden_characters(code)
    warning = f" Characters that nobody sees were taken out: {', '.join(hidden[:3])}." if hidden else ""
    return f"{_NOTES[place]}{warning}"


def deliver_code(shell: Any, reply: Reply) -> tuple[Reply, tuple[str, ...]]:
    """Put the code of an answer into a new cell; return what to show of the answer, and notes.

    Where the new cell is sure to appear, the code is not shown twice.
    """
    blocks = _blocks(reply.text)
    if not blocks:
        return reply, (_NO_CODE,)
    place = insert_code(shell, [block.code for block in blocks])
    note = inserted_note(place, "\n".join(block.code for block in blocks))
    shown = without_blocks(reply) if place in {"cell", "scratch"} else reply
    return shown, (note,)


def without_blocks(reply: Reply) -> Reply:
    """Return the answer without its blocks of Python."""
    taken = {line for block in _blocks(reply.text) for line in range(*block.lines)}
    kept = [line for number, line in enumerate(reply.text.split("\n")) if number not in taken]
    others = [block for block in reply.blocks if block.get("type") != "text"]
    text = "\n".join(kept).strip() or "Here is the code."
    return replace(reply, blocks=(*others, {"type": "text", "text": text}))
