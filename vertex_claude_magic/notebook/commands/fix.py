"""`%claude_fix`: the last error explained, what to change as a diff, and the mended cell below."""

from __future__ import annotations

import linecache
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import leading_empty_lines

from vertex_claude_magic.classroom.failure import (
    changed_source,
    difference,
    fix_prompt,
    read_failure,
)
from vertex_claude_magic.errors import ClaudeError, OptionError
from vertex_claude_magic.markdown.sanitize import fenced
from vertex_claude_magic.notebook.commands.ask import ask_prepared
from vertex_claude_magic.notebook.commands.help import show_help
from vertex_claude_magic.notebook.commands.options import COMMANDS
from vertex_claude_magic.notebook.display.code_blocks import find_blocks
from vertex_claude_magic.notebook.display.insert import (
    insert_once,
    inserted_note,
    with_text,
    without_blocks,
)
from vertex_claude_magic.notebook.options import parse_prompt_line
from vertex_claude_magic.notebook.plain_errors import OURS
from vertex_claude_magic.prompts.values.exceptions import is_cell_file
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.spelling import option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vertex_claude_magic.classroom.failure import CellFailure
    from vertex_claude_magic.notebook.display.insert import Place
    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.notebook.shell import Shell
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["cell_source", "fix_from_line", "last_error"]

_VALUE_TOKENS = 1_000
_THERE = "The corrected cell is below since an earlier run, so no cell was added."


def fix_from_line(host: Host, line: str) -> Reply | None:
    """Run `%claude_fix [--explain] [options] [a hint]`.

    Raises:
        OptionError: there is no error to look at, or it is one of ours.
        ClaudeError: as `Claude.ask`.
    """
    with suppress(OptionError):
        # Before the line is read: where that fails, the error is still the one that is meant.
        host.unfixed = last_error(host.unfixed)
    parsed = parse_prompt_line(line.strip(), COMMANDS["claude_fix"].by_name)
    options = dict(parsed.options)
    explain = options.pop("explain", False)
    if options.get("help"):
        show_help(host, "claude_fix")
        return None
    for name in COMMANDS["claude_fix"].refuses:
        if name in options:
            raise OptionError(
                f"%claude_fix does not take {option(name).cell}: its prompt is about the cell that failed.",
                cure="Write a hint behind the options.",
            )
    # It is the highest of the hints.
    policy = present_policy()
    policy.check_hint(4)
    host.unfixed = last_error(host.unfixed)
    failure = read_failure(host.unfixed, lambda name: cell_source(host.shell, name))
    scope = host.scope()._replace(names={**host.shell.user_ns, **failure.values})
    values = [] if "attachments" in policy.forbids else _written_values(failure.values, scope)
    asked = {
        "value_tokens": _VALUE_TOKENS,
        **options,
        # Code and error messages contain braces that are not templates.
        "literal": True,
        "attach": (*options.get("attach", ()), *values),
    }
    mends = bool(failure.cell or failure.sources) and not explain
    deliver = _delivery(host, failure) if mends else None
    reply = ask_prepared(
        host,
        parsed._replace(options=asked),
        fix_prompt(failure, hint=parsed.prompt, explain=explain),
        scope=scope,
        deliver=deliver,
    )
    # Explained now; after a failure it is still there, so that the command can be run again.
    host.unfixed = None
    return reply


def last_error(unfixed: BaseException | None = None) -> BaseException:
    """Return the exception that Python keeps of the last cell that failed (`sys.last_value`).

    Args:
        unfixed: What the last `%claude_fix` was about, if it failed itself and may be tried again.

    Raises:
        OptionError: there is none, or it says itself what to do.
    """
    error = getattr(sys, "last_value", None)
    if not isinstance(error, BaseException):
        raise OptionError("No cell has failed yet.", cure="Run the cell that fails, then %claude_fix.")
    if isinstance(error, OURS):
        if unfixed is not None:
            return unfixed
        # It may be what was said here of an earlier one.
        said = getattr(error, "details", {}).get("last_error") or getattr(error, "message", str(error))
        raise OptionError(
            # Its cure is of no help without what it is the cure of.
            f"The last error came from %claude itself: {said}",
            cure=getattr(error, "cure", "") or "Run the cell that fails, then %claude_fix.",
            details={"last_error": said},
        )
    return error


def cell_source(shell: Shell, filename: str) -> str | None:
    """Return the cell that was compiled under this name as it was written, None for any other file.

    IPython keeps cells in `linecache` under names of its own, in the form in which they were compiled; the
    history holds both forms. Blank lines at the top are left out, as IPython does before it counts lines.
    """
    if not is_cell_file(filename):
        return None
    compiled = "".join(linecache.getlines(filename))
    if not compiled:
        return None
    history = shell.history_manager
    for parsed, raw in zip(
        reversed(history.input_hist_parsed), reversed(history.input_hist_raw), strict=False
    ):
        if parsed.strip() and parsed.strip() == compiled.strip():
            return "".join(leading_empty_lines(str(raw).splitlines(keepends=True))).rstrip("\n")
    return compiled.rstrip("\n")


def _written_values(values: Mapping[str, Any], scope: Scope) -> list[str]:
    """Return the names of the values that can be written as text."""
    from vertex_claude_magic.prompts.parts import Text, ValueLimits
    from vertex_claude_magic.prompts.values.convert import parts_of

    budget = ValueLimits(tokens=_VALUE_TOKENS, present=scope.present)
    shown = []
    for name, value in values.items():
        try:
            parts = parts_of(value, budget)
        except ClaudeError:
            continue
        if parts and all(isinstance(part, Text) for part in parts):
            shown.append(name)
    return shown


def _delivery(host: Host, failure: CellFailure) -> Callable[[Reply], tuple[Reply, tuple[str, ...]]]:
    """Return what is done with the answer: the mended cell goes below, and the page shows what changes."""

    def deliver(reply: Reply) -> tuple[Reply, tuple[str, ...]]:
        blocks = find_blocks(reply.text)
        if not blocks:
            return reply, ("The answer contains no corrected cell.",)
        mended = blocks[-1].code
        source = changed_source(failure, mended)
        changes = difference(source.text if source else failure.cell, mended)
        if not changes:
            what = source.name if source else "the cell that failed"
            return reply, (f"The corrected code is the same as {what}, so there is no new cell.",)
        place: Place | None = "unknown"
        if source is not None:
            where = f"{source.name}{f' ({source.function})' if source.function else ''}"
            note = (
                f"The change belongs in {where}, so there is no new cell. "
                "Edit the file, then restart the kernel or reload it."
                if source.kind == "Python file"
                else "The code that failed is in a string, so there is no new cell."
            )
        else:
            place = insert_once(host, mended)
            note = inserted_note(place, mended) if place else _THERE
        sure = place in {"cell", "scratch", None}
        shown = without_blocks(reply, blocks) if sure else reply
        text = f"{shown.text.rstrip()}\n\nWhat changes:\n\n{fenced(changes, 'diff')}"
        return with_text(reply, text), (note,)

    return deliver
