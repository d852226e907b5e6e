"""`--context N`: the last cells that ran in this kernel, from the history that IPython keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.prompts.ran_cells import RanCell, context_text, output_text
from vertex_claude_magic.settings.options import check_value
from vertex_claude_magic.settings.registry import OPTIONS
from vertex_claude_magic.vertex.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vertex_claude_magic.notebook.host import Host

__all__ = ["context_before", "last_cells", "with_context"]

# IPython keeps what cells print since 9.0 (`HistoryManager.outputs`).
_NOT_KEPT = (
    "This IPython version does not store printed output, so only results were sent; IPython 9 stores it."
)


def with_context(host: Host, prompt: str, count: int, tokens: int) -> tuple[str | list[Any], tuple[str, ...]]:
    """Return a prompt with the last cells before it, and what to say of them.

    Args:
        host: The magics, for the shell.
        prompt: The prompt, to the letter.
        count: How many cells.
        tokens: How many tokens they may have.

    Raises:
        OptionError: as `context_before`.
    """
    text, notes = context_before(host, count, tokens)
    if not prompt.strip():
        return prompt, notes
    return [{"type": "text", "text": text}, prompt], notes


def context_before(host: Host, count: int, tokens: int) -> tuple[str, tuple[str, ...]]:
    """Return the text of the last cells, and what to say of them; arguments as for `with_context`.

    Raises:
        OptionError: the number is below 1, or no cell has run before this one.
    """
    check_value(OPTIONS["context"], count)
    cells = last_cells(host, count)
    if not cells:
        raise OptionError("No cell has run in this kernel before this one.", cure="Leave --context out.")
    text, notes = context_text(cells, tokens)
    if not hasattr(host.shell.history_manager, "outputs"):
        notes = (*notes, _NOT_KEPT)
    elif awaiting := sum(_is_stored_without_text(host, number) for number in _numbers(host, count)):
        cell = "cell" if awaiting == 1 else "cells"
        notes = (
            *notes,
            f"IPython stores no printed text of cells with a top-level await: {awaiting} {cell} of the context.",
        )
    return text, notes


def last_cells(host: Host, count: int) -> list[RanCell]:
    """Return the last cells that ran before the one that runs now, oldest first.

    Args:
        host: The magics, for the shell.
        count: How many.
    """
    history = host.shell.history_manager
    present = host.scope().present
    results: Mapping[int, Any] = host.shell.user_ns.get("Out") or {}
    outputs: Mapping[int, Sequence[Any]] = getattr(history, "outputs", {})
    failures: Mapping[int, Mapping[str, Any]] = getattr(history, "exceptions", {})
    cells = []
    for number in _numbers(host, count):
        source = str(history.input_hist_raw[number]).strip("\n")
        result = results.get(number)
        if isinstance(result, Reply) or source.lstrip().startswith(("%%claude", "%claude")):
            # What is shown below an answer are times and prices, which differ each time.
            output = result.text if isinstance(result, Reply) else ""
        else:
            # Until IPython 9.7 what was hidden is stored under the number of its own cell.
            printed = "" if source.startswith("%%capture") else host.printed.of(number)
            # As it was shown; as it would be shown now where IPython keeps no outputs.
            bundles = [
                each.bundle for each in outputs.get(number, ()) if each.output_type == "execute_result"
            ]
            if not bundles and result is not None and present is not None:
                bundles = [present(result)]
            shown = str(bundles[0].get("text/plain", "")) if bundles else ""
            output = "\n".join(filter(None, [output_text(printed), output_text(shown)]))
        error = failures.get(number)
        said = f"{error.get('ename')}: {error.get('evalue')}" if error else ""
        cells.append(RanCell(source, output, output_text(said)))
    return cells


def _numbers(host: Host, count: int) -> list[int]:
    """Return the numbers of the last cells that are context, oldest first."""
    sources = [str(source) for source in host.shell.history_manager.input_hist_raw]
    # The cell that asks is in the history already.
    last = len(sources) - 1 if sources and sources[-1] == host.cells.source else len(sources)
    asking = _bare(host.cells.source or "")
    return [number for number in range(1, last) if _is_context(sources[number], asking)][-count:]


def _is_stored_without_text(host: Host, number: int) -> bool:
    """Tell whether a kernel ran the cell as a coroutine: IPython then stores its result and not what it printed."""
    history = host.shell.history_manager
    source, code = str(history.input_hist_raw[number]), history.input_hist_parsed[number]
    return (
        getattr(host.shell, "kernel", None) is not None
        and ("await" in source or "async" in source)
        and host.shell.should_run_async(source, transformed_cell=code)
    )


def _is_context(source: str, asking: str) -> bool:
    """Tell whether a cell goes out: none that is empty or only shows a request, and no earlier run of the asking one.

    So a dry run shows what the question sends, and a cell that runs again asks the same question again.
    """
    line = source.strip().partition("\n")[0]
    dry = line.startswith(("%%claude", "%claude")) and "--dry-run" in line.split()
    return bool(source.strip()) and not dry and _bare(source) != asking


def _bare(source: str) -> str:
    return " ".join(word for word in source.split() if word != "--dry-run")
