"""The calls of functions in an answer, as folded lines between the texts of its rounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vertex_claude_magic.chats.tools.wording import call_text
from vertex_claude_magic.markdown.sanitize import fenced, safe_markdown
from vertex_claude_magic.notebook.display.footer import in_html
from vertex_claude_magic.notebook.display.segments import OutputBody, joined
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.displaypub import DisplayPublisher
    from IPython.utils.capture import RichOutput

    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.tool_call import ToolCall

__all__ = [
    "GAP",
    "WAITS",
    "CallOutputs",
    "call_body",
    "call_line",
    "call_texts",
    "question",
    "result_line",
    "with_calls",
]

_SHOWN, _SHOWN_IN_LINE = 2_000, 100
# A line end in a JSON string, which is no escaped backslash before an n.
_LINE_END = re.compile(r"(?<!\\)(?:\\\\)*\\n")
# Above a call that is not run before the user has allowed it.
WAITS = "Runs only after your yes:"
# The blank line between a fold and a text, which front ends leave none for.
GAP = OutputBody(markdown="<br>", plain="")
_TAG = re.compile(r"\s*</?data\b[^>]*>\s*")


def call_line(call: ToolCall) -> str:
    """Return one call on one line: name, arguments, and how it went.

    >>> from vertex_claude_magic.vertex.tool_call import ToolCall
    >>> call_line(ToolCall(id="t", name="mean", arguments={"column": "mass"}, seconds=0.21))
    'mean(column="mass") · 0.2 s'
    """
    # One that was not run, or is from a stored conversation, has no time.
    took = "not called again" if call.replayed else f"{call.seconds:.1f} s"
    how = took if call.seconds else ""
    failed = "not allowed" if call.is_refused else "error" if call.is_error else ""
    return " · ".join(filter(None, (call_text(call.name, call.arguments), failed, how)))


def result_line(call: ToolCall) -> str:
    """Return how a call ended on one line, for the one that announced it.

    >>> from vertex_claude_magic.vertex.tool_call import ToolCall
    >>> result_line(ToolCall(id="t", name="mean", content="2.5", seconds=0.21))
    '→ 2.5 · 0.2 s'
    """
    if call.is_refused:
        return "→ not allowed"
    result = quote(_result_text(call), _SHOWN_IN_LINE) or "nothing"
    return f"→ {'error: ' if call.is_error else ''}{result} · {call.seconds:.1f} s"


def question(call: str) -> OutputBody:
    r"""Return a call that waits for the user's yes, in full, with the lines of its texts below each other.

    >>> print(question('run(sql="SELECT 1;\\nDROP TABLE t")').markdown)
    Runs only after your yes:
    <BLANKLINE>
    ```text
    run(sql="SELECT 1;\n
        DROP TABLE t")
    ```
    """
    lines = _LINE_END.sub(r"\g<0>\n    ", call)
    return OutputBody(markdown=f"{WAITS}\n\n{fenced(lines, 'text')}", plain=f"{WAITS}\n{lines}")


def with_calls(reply: Reply, last: OutputBody) -> OutputBody:
    """Return an answer of several rounds: the texts, and below each the calls in it, folded.

    Args:
        reply: The whole reply.
        last: The text of the last round, as it is shown.
    """
    bodies, after_call = list[OutputBody](), False
    *before, final = reply.rounds
    for each in (*before, final):
        # The answer before a repair is replaced by the next; only what calls and pauses end is a part of the whole.
        if each is not final and not each.tool_calls and each.stop_reason != "pause_turn":
            continue
        text = (
            last if each is final else OutputBody(markdown=safe_markdown(each.text), plain=each.text.strip())
        )
        bodies += [GAP, text] if after_call and text.markdown else [text]
        bodies += map(call_body, each.tool_calls)
        after_call = bool(each.tool_calls)
    return joined(bodies)


def call_body(call: ToolCall, *, most: int = _SHOWN) -> OutputBody:
    """Return a call that is folded away; its line is escaped, its result is in a fence that nothing in it can close.

    Args:
        call: The call.
        most: Characters of what it returned, and of what it printed.
    """
    line = call_line(call)
    fold = f"<details><summary>{in_html(line)}</summary>"
    for number, (label, text) in enumerate(call_texts(call, most=most)):
        # In an HTML block, a label stands directly above its text.
        above = (f"\n\n{GAP.markdown}\n" if number else "\n") + label if label else ""
        fold += f"{above}\n\n{fenced(text)}"
    return OutputBody(markdown=f"{fold}\n\n</details>", plain=f"[{line}]")


def call_texts(call: ToolCall, *, most: int = _SHOWN) -> list[tuple[str, str]]:
    """Return what a call printed and what it was answered with, each below its label, where there are two.

    >>> from vertex_claude_magic.vertex.tool_call import ToolCall
    >>> call_texts(ToolCall(id="t", name="mean", content="2.5", printed="reading"))
    [('Printed:', 'reading'), ('Result:', '2.5')]
    """
    texts = [("Printed:", call.printed), ("Result:", _result_text(call))]
    found = list[tuple[str, str]]()
    for label, text in texts:
        left = len(text) - most
        if text.strip():
            shown = text if left <= 0 else f"{text[:most]}\n… {left:,} characters more"
            found.append((label if call.printed.strip() else "", shown))
    return found


def _result_text(call: ToolCall) -> str:
    if isinstance(call.content, str):
        return call.content
    # Around a picture the tag that tells the model what it is says nothing to people.
    shown = (str(block.get("text") or f"[{block.get('type')}]") for block in call.content)
    return "\n".join(text for text in shown if not _TAG.fullmatch(text))


# What front ends show without running anything in it; SVG is not among them.
_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


class Captured:
    """What one call printed, and what it displayed, which is displayed again below the answer."""

    def __init__(self) -> None:
        self.printed = ""


class CallOutputs:
    """Takes what functions print, display and draw out of the way of the answer, which is drawn at the same place.

    Args:
        publisher: Where displays go.
    """

    def __init__(self, publisher: DisplayPublisher) -> None:
        self._publisher = publisher
        self._displays: list[RichOutput] = []
        self._images: list[tuple[str, str]] = []

    @contextmanager
    def capture(self) -> Iterator[Captured]:
        """While this is entered, what is printed or displayed is collected."""
        from IPython.utils.capture import capture_output

        call = Captured()
        with capture_output() as captured:
            yield call
        call.printed = captured.stdout + captured.stderr
        self._displays += captured.outputs

    def take(self, call: ToolCall) -> None:
        """Remember the images that a call returned."""
        for block in call.content if not isinstance(call.content, str) else ():
            source = block.get("source") if block.get("type") == "image" else None
            if isinstance(source, Mapping) and source.get("media_type") in _IMAGES:
                self._images.append((source["media_type"], str(source.get("data"))))

    def show(self) -> None:
        """Show below the answer what functions displayed and returned as images."""
        displays, self._displays = self._displays, []
        images, self._images = self._images, []
        for each in displays:
            each.display()
        for kind, data in images:
            self._publisher.publish(data={kind: data, "text/plain": "<image>"}, metadata={})
