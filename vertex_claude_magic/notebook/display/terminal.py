"""The answer as plain text in a terminal, written as it comes.

Nothing that a model writes may move the cursor or set the clipboard, so text goes through
`safe_plain`; what could be the first half of an escape sequence waits for its other half.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TextIO

from vertex_claude_magic.markdown.sanitize import safe_plain
from vertex_claude_magic.notebook.display import footer as around
from vertex_claude_magic.notebook.display.live import json_answer, with_sources
from vertex_claude_magic.notebook.display.segments import OutputBody
from vertex_claude_magic.notebook.display.terminal_markdown import RenderedBlocks, can_render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.tool_call import ToolCall

__all__ = ["TerminalAnswer"]

_WIDTH = 79
_HELD = 4_096
# The beginning of a control sequence at the end of what has arrived (ECMA-48, 5th edition: CSI; OSC,
# DCS and their like up to BEL or ST; two-character escapes).
_UNFINISHED = re.compile(
    r"(?:(?:\x1b\[|\x9b)[\x20-\x3f]*"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*\x1b?"
    r"|\x1b[\x20-\x2f]*)\Z"
)


class TerminalAnswer:
    """One answer in a terminal.

    Args:
        out: Where the text is written.
        clock: Seconds that never run backwards.
        tty: Whether the last line can be written over; else no waiting line is shown.
        format: "markdown" and "text" are written as they come; "json" is written at the end.
        show_thinking: Whether thinking is written, each line behind a bar.
        quiet: Whether nothing at all is written.
    """

    def __init__(
        self,
        out: TextIO,
        *,
        clock: Callable[[], float],
        tty: bool = False,
        format: str = "markdown",  # noqa: A002 - the name of the option that it comes from
        show_thinking: bool = False,
        quiet: bool = False,
    ) -> None:
        self._out = out
        self._clock = clock
        self._tty = tty
        self._streams = format != "json"
        self._show_thinking = show_thinking
        self._quiet = quiet
        self._label = ""
        self._status = ""
        self._line = ""
        self._started = 0.0
        self._drawn = 0.0
        self._changed = False
        self._thinking: list[str] = []
        self._begun = False
        self._in_thinking = False
        # Whether a line was written of a call that has not ended.
        self._told = False
        self._below_line = False
        self._text: list[str] = []
        self._held = ""
        # What came of a round, whether it is over (what comes then is of the next), and what was said between rounds.
        self._came: list[str] = []
        self._over = False
        self._said: list[str] = []
        self._streamed = False
        self._ends_line = True
        # Colours and moves of the cursor are for eyes; a file or a pipe gets the text as it came.
        rendered = tty and not quiet and format == "markdown" and can_render()
        self._blocks = RenderedBlocks(self._write) if rendered else None

    def start(self, label: str) -> None:
        """Show at once what is asked."""
        self._label, self._started = label, self._clock()
        self._write_waiting()

    def status(self, text: str) -> None:
        """Say what is being waited for, until text arrives."""
        self._changed = self._changed or text != self._status
        self._status = text

    def text(self, delta: str) -> None:
        """Take text in."""
        if self._over:
            self._came, self._over = [], False
        self._text.append(delta)
        self._came.append(delta)
        self._streamed = True

    def between(self, line: str) -> None:
        """Say below what has come what happens before the next round."""
        self._write_line(line)
        self._streamed = True
        self._said.append(line)

    def asks(self, call: str) -> bool:
        """Write a call that waits for the user's yes, in full, where what has come stands too."""
        self._erase()
        if self._quiet or not self._streams:
            return False
        from vertex_claude_magic.notebook.display.tool_calls import WAITS

        self._told = True
        self._write_line(f"{WAITS} {call}")
        return True

    def runs(self, call: str) -> None:
        """Write which function is called, unless that was asked."""
        if not self._told:
            self._told = True
            self._write_line(f"Running {call}")

    def called(self, call: ToolCall) -> None:
        """Write below a call how it ended."""
        from vertex_claude_magic.notebook.display.tool_calls import call_body, result_line

        self._write_line(result_line(call) if self._told else call_body(call).plain)
        self._told, self._streamed = False, True

    def _write_line(self, line: str) -> None:
        """Write a line as it stands: as Markdown, arguments of a call would lose characters."""
        self._over = True
        if self._quiet or not self._streams:
            return
        self._write_thinking()
        self._write_text(final=True)
        if self._blocks is not None:
            self._blocks.finish()
        self._end_line()
        gap = "\n" if self._begun else ""
        self._write(f"{gap}{safe_plain(line)}\n")
        self._below_line = True

    def thinking(self, delta: str) -> None:
        """Take thinking in."""
        if self._show_thinking:
            self._thinking.append(delta)
        self.status("thinking")

    def due_in(self) -> float | None:
        """Return 0 if there is something to write, the seconds until the waiting line changes, or None."""
        if self._quiet:
            return None
        if (self._text and self._streams) or self._thinking:
            return 0.0
        if self._begun or not self._tty:
            return None
        return 0.0 if self._changed else max(0.0, self._drawn + 1.0 - self._clock())

    def draw(self) -> None:
        """Write what is new."""
        if self.due_in() != 0.0:
            return
        self._write_thinking()
        if self._streams:
            self._write_text(final=False)
        if not self._begun:
            self._write_waiting()

    def finish(self, reply: Reply, *, notes: Sequence[str] = (), metadata: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Write the rest of the reply and its footer; a terminal keeps no metadata."""
        if self._quiet:
            return
        self._write_thinking()
        # A terminal keeps what was said above.
        lines = [note for note in notes if not (self._streams and note in self._said)]
        if self._streams:
            # Blanks are no text yet.
            came, text = "".join(self._came).lstrip(), reply.text.lstrip()
            if not self._streamed:
                # It comes whole, or from a record: of several rounds all texts, with the calls between them.
                rest = reply.text
                if reply.parts or reply.tool_calls:
                    from vertex_claude_magic.notebook.display.tool_calls import with_calls

                    rest = with_calls(reply, OutputBody(markdown="", plain=rest)).plain
            elif text.startswith(came):
                rest = text[len(came) :]
            else:
                # A terminal takes nothing back. Code that is only put into a fence can be read as it is; rows of a
                # table whose columns were not known before are written again.
                rest = "" if came.strip() in text else f"\n\n{reply.text}"
            self._text.append(rest)
            self._write_text(final=True)
            if self._blocks is not None:
                self._blocks.finish()
        elif reply.text.strip():
            body, more = json_answer(reply.text)
            lines += more
            self._write(safe_plain(body.plain))
        self._end_line()
        if cited := with_sources(reply, OutputBody(markdown="", plain="")).plain:
            self._write(f"\n{safe_plain(cited)}\n")
        self._write(f"\n{around.ending(reply, lines).plain}\n")

    def abandon(self) -> None:
        """Take the waiting line away, because an error will be shown instead."""
        if not self._quiet:
            self._erase()
            self._end_line()
        self._quiet = True

    def _write_text(self, *, final: bool) -> None:
        text = self._held + "".join(self._text)
        unfinished = None if final else _UNFINISHED.search(text, max(0, len(text) - _HELD))
        ready = text[: unfinished.start()] if unfinished else text
        self._held = text[len(ready) :]
        self._text.clear()
        if not ready:
            return
        if self._below_line:
            # Blanks are no text yet, and no text begins with one.
            ready = ready.lstrip()
            if not ready:
                return
        if self._in_thinking or self._below_line:
            self._in_thinking = self._below_line = False
            self._end_line()
            self._write("\n")
        (self._write if self._blocks is None else self._blocks.add)(safe_plain(ready))

    def _write_thinking(self) -> None:
        text = safe_plain("".join(self._thinking))
        self._thinking.clear()
        if not text:
            return
        bar = "" if self._in_thinking else "│ "
        self._in_thinking = True
        lines = bar + text.replace("\n", "\n│ ")
        self._write(f"\x1b[2m{lines}\x1b[22m" if self._tty else lines)

    def _write_waiting(self) -> None:
        if self._quiet or not self._tty:
            return
        self._erase()
        waited = int(self._clock() - self._started)
        self._line = safe_plain(around.waiting(self._label, self._status, waited))[:_WIDTH]
        self._changed, self._drawn = False, self._clock()
        self._out.write(self._line)
        self._out.flush()

    def _erase(self) -> None:
        """Overwrite the waiting line with blanks, which works in every terminal."""
        if self._line:
            self._out.write(f"\r{' ' * len(self._line)}\r")
            self._line = ""

    def _write(self, text: str) -> None:
        if text:
            self._erase()
            self._begun = True
            self._out.write(text)
            self._out.flush()
            self._ends_line = text.endswith("\n")

    def _end_line(self) -> None:
        if not self._ends_line:
            self._write("\n")
