"""The answer while it comes, and the plain output that stays of it.

`LiveAnswer` draws on a page of outputs: something at once, then finished parts that stay still and a
tail that is drawn again, and at the end one static output with everything. The cell's own thread
drives it; screen and clock are handed in, so nothing here knows of IPython.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic.markdown.sanitize import (
    Block,
    as_text,
    fenced,
    safe_blocks,
    safe_markdown,
    safe_plain,
)
from vertex_claude_magic.notebook.display import footer as around
from vertex_claude_magic.notebook.display.output import Output
from vertex_claude_magic.notebook.display.segments import OutputBody, Segments, cost, joined, paragraphs
from vertex_claude_magic.records.provenance import DRAFT, stamped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vertex_claude_magic.notebook.display.output import Screen
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.tool_call import ToolCall

__all__ = ["AnswerView", "LiveAnswer", "json_answer", "with_sources"]

# JupyterLab 4.6.6 shows the first 50 outputs of a cell (settings schema, maxNumberOutputs).
_OUTPUTS = 45
# Seconds between two draws of a small output, and the most between two of a large one: five draws a second read as a
# steady flow, and the wait for the next piece of text comes on top.
_INTERVAL = 1 / 12
_LONGEST_INTERVAL = 0.18
# Bytes of an output that are drawn in a second where an answer has several: 350 already take the longest interval.
_RATE = 2_000
# Bytes a second for an answer that is one growing output: 2 kB of text are drawn 12 times a second.
_GROWING_RATE = 48_000
_STEPS = 12
_THINKING_LINES = 6
_THINKING_CHARACTERS = 500
# A link reference definition may stand anywhere and changes blocks before it (CommonMark 0.31.2, 4.7).
_DEFINITION = r"(?ms)^[ \t>*+\-0-9.)]*\[(?:[^\]\\]|\\.){1,999}\]:"
# Characters of what a call returned, and of what it printed, in a draft: a message stays small.
_SHOWN_OF_CALL = 1_000
# Bytes of thinking and of a call in one output, as Markdown and as plain text: a message stays under 8,000.
_WAITING = 7_000
_NOTHING = OutputBody(markdown="", plain="")
_JSON_FENCE = "~~~~~~~~~~json\n"


class AnswerView(Protocol):
    """An answer that is shown while it comes, on a page or in a terminal."""

    def start(self, label: str) -> None:
        """Show at once what is asked (model and region, one line)."""

    def status(self, text: str) -> None:
        """Say what is being waited for, until text arrives."""

    def text(self, delta: str) -> None:
        """Take text in."""

    def thinking(self, delta: str) -> None:
        """Take thinking in."""

    def between(self, line: str) -> None:
        """Say in one line what happens between two rounds, and take in the next."""

    def asks(self, call: str) -> bool:
        """Show a call of a function that waits for the user's yes, and tell whether it is in sight now."""

    def runs(self, call: str) -> None:
        """Say that a function is called, until that has ended."""

    def called(self, call: ToolCall) -> None:
        """Show a call that has ended."""

    def draw(self) -> None:
        """Draw if something is due."""

    def due_in(self) -> float | None:
        """Return the seconds until `draw` would do something, or None."""

    def finish(self, reply: Reply, *, notes: Sequence[str] = (), metadata: Mapping[str, Any]) -> None:
        """Show the whole reply, for good."""

    def abandon(self) -> None:
        """Take away what is there, because an error will be shown instead."""


class LiveAnswer:
    """One answer on a notebook page.

    Args:
        screen: Where the outputs go.
        clock: Seconds that never run backwards.
        in_cell: Whether the cell holds nothing but this answer, so that several outputs may become the
            one final output; elsewhere one output is drawn again, more seldom as it grows.
        format: "markdown", "text" (shown literally) or "json" (indented at the end if it parses).
        show_thinking: Whether thinking is shown, folded away above the answer.
        quiet: Whether nothing at all is shown.
        live: False where the front end cannot change an output: then only the finished answer is shown.
        clears: How often the outputs of this cell have been cleared so far, by whomever.
        markdown: Whether the front end is known to show Markdown. The text of a draft is then sent once and not
            as plain text too; the finished answer always has both.
        kept_in: What will hold the answer in the kernel, such as its variable; empty where nothing does.
    """

    def __init__(
        self,
        screen: Screen,
        *,
        clock: Callable[[], float],
        in_cell: bool,
        format: str = "markdown",  # noqa: A002 - the name of the option that it comes from
        show_thinking: bool = False,
        quiet: bool = False,
        live: bool = True,
        clears: Callable[[], int] = lambda: 0,
        markdown: bool = False,
        kept_in: str = "",
    ) -> None:
        self._output = Output(screen, clock=clock, clears=clears)
        self._clock = clock
        self._in_cell = in_cell
        self._format = format
        self._show_thinking = show_thinking
        self._quiet = quiet
        self._live = live and not quiet
        parse = _literal if format == "text" else safe_blocks
        self._once = markdown and format != "text"
        self._segments = Segments(parse, outputs=_OUTPUTS if in_cell else None, plain=not self._once)
        self._label = ""
        self._kept_in = kept_in
        self._status = ""
        self._started = 0.0
        self._changed = False
        self._has_text = False
        self._urgent = False
        self._thinking: list[str] = []
        self._above = ""
        # What happens now, below the text: it gives way to what comes next.
        self._below = _NOTHING
        # Whether the text that comes is below a call, and whether its beginning was looked at for a fence.
        self._after_call = False
        self._fenced = False

    def start(self, label: str) -> None:
        """Show at once what is asked."""
        self._label, self._started = label, self._clock()
        if self._live:
            self._output.begin(self._bundle(self._waiting()), DRAFT)

    def status(self, text: str) -> None:
        """Say what is being waited for; once there is text, that is enough, but a call below it is over."""
        over, self._below = self._below != _NOTHING, _NOTHING
        if over or (text != self._status and not self._has_text):
            self._status, self._changed, self._urgent = text, True, True

    def text(self, delta: str) -> None:
        """Take text in; costs next to nothing."""
        if not self._live or not delta:
            return
        self._begin()
        if self._after_call and delta.strip():
            from vertex_claude_magic.notebook.display.tool_calls import GAP

            self._insert(GAP)
        if self._format == "json" and not self._fenced:
            self._fenced = True
            if not delta.lstrip().startswith(("`", "~")):
                self._segments.open_with(_JSON_FENCE)
        self._segments.append(delta)
        self._changed = True

    def _begin(self) -> None:
        """Put the thinking above what comes now, if it is the first."""
        if not self._has_text:
            self._has_text = self._urgent = True
            if self._thinking:
                self._above = around.folded_thinking(self._thinking_tail())
                self._segments.reserve(cost(self._above))

    def _insert(self, body: OutputBody) -> None:
        """Put something below what has come that is no text of the model."""
        self._below, self._after_call, self._fenced = _NOTHING, False, False
        if self._live:
            self._begin()
            self._segments.insert(body)
            self._changed = True

    def thinking(self, delta: str) -> None:
        """Take thinking in; costs next to nothing."""
        if not self._live or not delta:
            return
        if self._show_thinking:
            self._thinking.append(delta)
            self._changed = self._changed or not self._has_text
        self.status("thinking")

    def between(self, line: str) -> None:
        """Say below what has come what happens before the next round."""
        self._insert(OutputBody(markdown=as_text(line), plain=line))
        # What it announces may block.
        self._urgent = self._live

    def asks(self, call: str) -> bool:
        """Show a call that waits for the user's yes, in full, below all that came before.

        It is drawn at once, because somebody is asked now.
        """
        if not self._live or not self._output.shown:
            return False
        from vertex_claude_magic.notebook.display.tool_calls import question

        asked, self._below, self._status = question(call), _NOTHING, ""
        if self._has_text:
            self._segments.insert(asked, stays=False)
        while self._segments.pending:
            self._draw(math.inf)
        self._below = asked
        self._draw(math.inf)
        return True

    def runs(self, call: str) -> None:
        """Say below what has come which function runs."""
        line = f"Running {call}"
        self._below, self._status = OutputBody(markdown=as_text(line), plain=line), ""
        # It may block.
        self._changed = self._urgent = self._live

    def called(self, call: ToolCall) -> None:
        """Show a call that has ended as the finished answer shows it, with less of what it returned."""
        from vertex_claude_magic.notebook.display.tool_calls import call_body

        self._insert(call_body(call, most=_SHOWN_OF_CALL))
        self._after_call = True

    def due_in(self) -> float | None:
        """Return the seconds until `draw` would do something, or None if nothing is waiting."""
        at = self._due_at()
        return None if at is None else max(0.0, at - self._clock())

    def _due_at(self) -> float | None:
        if not self._live or not self._output.shown:
            return None
        if not self._changed:
            return None if self._has_text else self._output.due_at(1.0)
        if self._urgent:
            # Whoever reports a status may be about to block, and nobody should wait for the first text.
            return self._output.due_at(-math.inf)
        if self._in_cell:
            return self._output.due_at(min(_LONGEST_INTERVAL, max(_INTERVAL, self._segments.size / _RATE)))
        return self._output.due_at(max(_INTERVAL, self._segments.size / _GROWING_RATE))

    def draw(self) -> None:
        """Draw what is new if it is time to."""
        at = self._due_at()
        if at is not None and at <= self._clock():
            self._draw(at)

    def _draw(self, due: float) -> None:
        self._changed = self._urgent = False
        if not self._has_text:
            self._output.draw(self._bundle(self._waiting()), DRAFT)
            return
        # Text is taken in until it is all there, or an output is full, or it is enough for one draw.
        closed = None
        for _ in range(_STEPS):
            if closed is None and self._segments.pending:
                closed = self._segments.step()
        self._changed = self._segments.pending
        if closed is None:
            self._output.draw(self._bundle(self._growing()), DRAFT, due=due)
            return
        self._output.draw(self._bundle(self._under_thinking(self._draft(closed))), DRAFT)
        self._above = ""
        self._output.begin(self._bundle(self._growing()), DRAFT, due=due)

    def _growing(self) -> OutputBody:
        """Return the present output: thinking, text, and the line that says that more will come."""
        body = self._draft(self._segments.body())
        line = self._waiting_line()
        hidden = self._segments.hidden
        more = f"… {hidden:,} more characters, shown in full at the end …" if hidden else ""
        above = around.small(more) if more else ""
        return self._under_thinking(
            OutputBody(
                markdown=paragraphs(above, body.markdown, self._below.markdown, around.small(line)),
                plain=body.plain if self._once else paragraphs(more, body.plain, self._below.plain, line),
            )
        )

    def _under_thinking(self, body: OutputBody) -> OutputBody:
        return OutputBody(markdown=paragraphs(self._above, body.markdown), plain=body.plain)

    def _draft(self, body: OutputBody) -> OutputBody:
        return body._replace(plain="…") if self._once else body

    def _waiting(self) -> OutputBody:
        line = self._waiting_line(self._status, seconds=int(self._clock() - self._started))
        tail = self._thinking_tail() if self._thinking else ""
        thinking = around.folded_thinking(tail, opened=True) if tail else ""
        if sum(map(cost, (thinking, tail, *self._below))) > _WAITING:
            # A long call that waits for a yes is shown alone.
            thinking = tail = ""
        return OutputBody(
            markdown=paragraphs(thinking, self._below.markdown, around.small(line)),
            plain=paragraphs(tail, self._below.plain, line),
        )

    def _waiting_line(self, status: str = "", *, seconds: int = 0) -> str:
        kept = around.when_complete(self._kept_in, self._clock() - self._started)
        return around.waiting(self._label, status, seconds, kept)

    def _thinking_tail(self) -> str:
        tail = "".join(self._thinking)[-_THINKING_CHARACTERS:]
        self._thinking = [tail]
        return "\n".join(tail.splitlines()[-_THINKING_LINES:])

    def finish(self, reply: Reply, *, notes: Sequence[str] = (), metadata: Mapping[str, Any]) -> None:
        """Show the whole reply as one static output; `metadata` is stored beside it (`stamped`)."""
        if self._quiet:
            return
        self._live = False
        text, lines = reply.text, list(notes)
        if self._format == "text":
            body = OutputBody(markdown="", plain=text)
        elif self._format == "json" and text.strip():
            body, more = json_answer(text)
            lines += more
        elif self._segments.holds(text) and not ("]:" in text and re.search(_DEFINITION, text)):
            # What was parsed on the way is right, so it need not be parsed again.
            body = OutputBody(markdown=self._segments.whole(text), plain=text)
        else:
            body = OutputBody(markdown=safe_markdown(text), plain=text)
        if reply.parts or reply.tool_calls:
            from vertex_claude_magic.notebook.display.tool_calls import with_calls

            body = with_calls(reply, body)
        body = with_sources(reply, body)
        above = (
            around.folded_thinking(reply.thinking) if self._show_thinking and reply.thinking.strip() else ""
        )
        bundle = self._bundle(
            joined([OutputBody(markdown=above, plain=""), body, around.ending(reply, lines)])
        )
        self._output.finish(bundle, stamped(metadata, bundle), alone=self._in_cell)

    def abandon(self) -> None:
        """Take away what is there, because an error will be shown instead."""
        self._live = False
        self._output.remove(self._bundle(OutputBody(markdown="", plain="")), alone=self._in_cell)

    def _bundle(self, body: OutputBody) -> dict[str, str]:
        plain = {"text/plain": safe_plain(body.plain)}
        return plain if self._format == "text" else {"text/markdown": body.markdown, **plain}


def json_answer(text: str) -> tuple[OutputBody, tuple[str, ...]]:
    r"""Return a JSON answer indented, or as it came with a note that says why it is not JSON.

    A reply that is one fenced block counts as what is in it.

    >>> json_answer('{"a": [1]}')[0].plain
    '{\n  "a": [\n    1\n  ]\n}'
    """
    from vertex_claude_magic.answers.read import DECODER, unfenced

    try:
        value = DECODER.decode(unfenced(text))
        pretty = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as error:
        other = "NaN, Infinity, too large, or nested too deeply"
        reason = error.msg if isinstance(error, json.JSONDecodeError) else other
        shown = safe_markdown(text) if text.lstrip().startswith(("`", "~")) else fenced(text, "json")
        return OutputBody(markdown=shown, plain=text), (
            f"Not valid JSON ({reason}), so it is shown as received.",
        )
    return OutputBody(markdown=fenced(pretty, "json"), plain=pretty), ()


def with_sources(reply: Reply, body: OutputBody) -> OutputBody:
    """Return an answer with the pages below it that it cites, if any."""
    if not any(each.citations for each in reply.rounds):
        return body
    from vertex_claude_magic.notebook.display.sources import sources

    return joined([body, sources(reply)])


def _literal(text: str) -> tuple[Block, ...]:
    """Take all text for one block that has no Markdown."""
    return (Block(start=0, end=len(text), markdown=""),) if text else ()
