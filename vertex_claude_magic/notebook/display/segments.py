"""Which part of a growing answer is over and stays still, and which part is drawn again.

An answer becomes a row of outputs. Blocks that are over are kept as finished Markdown and never
parsed again; only the open block at the end is. An output that is full is frozen and the text goes on
in the next one, cut between two blocks where possible, otherwise inside the open block at a line end.
This module is pure: text goes in, bodies of outputs come out, and nothing here knows of displays.
"""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vertex_claude_magic.markdown.sanitize import Block

__all__ = ["Cut", "OutputBody", "Segments", "cost", "cut", "joined", "paragraphs"]


class _Sizes(NamedTuple):
    """Bytes of the body of an output.

    It is closed between two blocks from `close` on, inside a block where a good place is fresh from `cut` on, and
    anywhere from `force` on. The last output that may be there holds up to `window`; while more than that waits to be
    taken in, its open block is filled up to `behind`.
    """

    close: int
    cut: int
    force: int
    window: int
    behind: int


# Where a message holds the text twice, as Markdown and as plain text: a message stays under the limit of 8,000.
_TWICE = _Sizes(close=4_400, cut=5_600, force=6_600, window=3_300, behind=6_600)
# Where it holds Markdown only. The open output is sent five times a second or more, so its mean size is what an answer
# costs; 45 of these hold 70 kB, more than the default of `max_tokens` allows.
_ONCE = _Sizes(close=1_300, cut=1_900, force=2_500, window=1_000, behind=3_600)

# Characters at the end of the last output that may be there which are always shown.
_STAYS = 300
# Characters taken in at a time where there is one output without a limit.
_STRIDE = 4_000
# Characters up to which a block that was cut is parsed undivided as soon as it is over; a longer one
# would hold up the drawing, and is parsed when the answer is finished.
_PARSED_AT_ONCE = 16_000

# Texts, because an answer of one output is never cut, and six patterns take half a millisecond to compile.
_FENCE = r" {0,3}(`{3,}|~{3,})[^\n]*\n"
_INNER_FENCE = r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}|~{3,})"
_ITEM = r"(?m)^( {0,3})([-*+]|\d{1,9}[.)])[ \t]+(?=\S)"
_TABLE = r"[^\n]*\|[^\n]*\n[ \t]*\|?[ \t]*:?-+[-:| \t]*\n"
_LINE = r"(?<=\n)(?=[^\n])"
_WORD = r"(?<=[ \t])(?=\S)"


class OutputBody(NamedTuple):
    """What one output says, as safe Markdown and as the source it came from."""

    markdown: str
    plain: str


class _Beginning(NamedTuple):
    """Where another text begins.

    Args:
        below: What is above it and no part of any text, as it is shown.
        opening: Source that is shown before the text but is not part of it.
        stays: Whether `below` is kept; else there is only space for it.
    """

    below: OutputBody | None = None
    opening: str = ""
    stays: bool = True


class Cut(NamedTuple):
    """Where an open block is cut, and what the next output repeats so that the rest reads the same."""

    at: int
    reopen: str


def joined(bodies: Sequence[OutputBody]) -> OutputBody:
    """Return what outputs say, one below the other."""
    return OutputBody(
        markdown=paragraphs(*[body.markdown for body in bodies]),
        plain=paragraphs(*[body.plain for body in bodies]),
    )


def paragraphs(*parts: str) -> str:
    """Return texts with a blank line between two; empty ones are left out."""
    return "\n\n".join([part for part in parts if part])


def cost(text: str) -> int:
    r"""Bytes that `text` takes in a message (JSON in UTF-8, as the Jupyter messaging protocol packs it).

    >>> cost("two\nlines")
    12
    """
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))


def cut(block: str, after: int, *, forced: bool) -> Cut | None:
    r"""Find the last place behind `after` (characters) where an open block may be cut.

    Code is cut at a line end and its fence is opened again, a table repeats its head, a list is cut
    between items. With `forced`, any line end, else any space, else the very end will do; without it
    the answer is None where no good place exists (CommonMark 0.31.2 defines the blocks).

    >>> cut("```python\na = 1\nb = 2\nc", 12, forced=False)
    Cut(at=22, reopen='```python\n')
    >>> cut("- one\n- two\n- thr", 3, forced=False)
    Cut(at=12, reopen='')
    """
    if fence := re.match(_FENCE, block):
        place = _last(_LINE, block, max(after, fence.end() + 1), unless=fence[1][0])
        return _cut_at(place, fence.group(), block, forced=forced)
    if table := re.match(_TABLE, block):
        return _cut_at(_last(_LINE, block, max(after, table.end() + 1)), table.group(), block, forced=forced)
    if item := re.match(_ITEM, block):
        return _cut_list(block, item, after, forced=forced)
    place = _last(_LINE, block, after)
    if place is None and forced:
        place = _last(_WORD, block, after)
    return _cut_at(place, "", block, forced=forced)


def _cut_at(place: int | None, reopen: str, block: str, *, forced: bool) -> Cut | None:
    if place is None and forced:
        place = len(block)
    return None if place is None else Cut(at=place, reopen=reopen)


def _cut_list(block: str, first: re.Match[str], after: int, *, forced: bool) -> Cut | None:
    """Cut before an item; by force inside one, which then begins again with its marker and an ellipsis."""
    inside = len(first[1]) + len(first[2]) + 1
    items = [item for item in re.finditer(_ITEM, block) if len(item[1]) < inside]
    place = items[-1].start()
    if place >= max(after, 1) and not _open_fence(block[:place]):
        return Cut(at=place, reopen="")
    if not forced:
        return None
    place = _last(_LINE, block, after) or _last(_WORD, block, after) or len(block)
    item = [found for found in items if found.start() < place][-1]
    return Cut(at=place, reopen=f"{item.group()}…\n{_open_fence(block[item.start() : place])}")


def _last(pattern: str, block: str, after: int, unless: str = "\n") -> int | None:
    """Return the last match at `after` or later that does not stand before the character `unless`."""
    places = [found.start() for found in re.compile(pattern).finditer(block, max(after, 1))]
    good = [place for place in places if not block[place:].lstrip(" ").startswith(unless)]
    return good[-1] if good else None


def _open_fence(text: str) -> str:
    """Return the line that opened a code block which is still open at the end of `text`, or nothing."""
    opener = ""
    for line in text.splitlines(keepends=True):
        found = re.match(_INNER_FENCE, line)
        if found and not opener:
            opener = " " * found.start(1) + line[found.start(1) :]
        elif found and line.strip().startswith(opener.strip()[:3]) and not line.strip().strip("`~"):
            opener = ""
    return opener


class Segments:
    """A growing answer as a row of outputs.

    Args:
        parse: Turns source text into top-level blocks, the last of which may still grow.
        outputs: How many outputs there may be; the last one then becomes a window that moves with the
            text. None means one output that grows without a limit.
        plain: Whether a message holds the text as plain text too.

    >>> from vertex_claude_magic.markdown.sanitize import safe_blocks
    >>> segments = Segments(safe_blocks, outputs=45)
    >>> segments.append("Hello, ")
    >>> segments.append("world")
    >>> segments.step()
    >>> segments.body()
    OutputBody(markdown='Hello, world', plain='Hello, world')
    """

    def __init__(
        self, parse: Callable[[str], Sequence[Block]], *, outputs: int | None, plain: bool = True
    ) -> None:
        self._parse = parse
        self._outputs = outputs
        self._plain = plain
        self._sizes = _TWICE if plain else _ONCE
        self._chunks: list[str | _Beginning] = []
        self._ready = ""
        self._at = 0
        self._kept: list[OutputBody] = []
        self._kept_cost = 0
        self.hidden = 0
        self._begin("")

    def _begin(self, opening: str) -> None:
        """Begin a text; what is kept stays."""
        self._source = blake2b()
        self._open = opening
        self._repeated = len(opening)
        self._seen = 0
        self._tail = OutputBody(markdown="", plain="")
        self._tail_cost = 0
        # How much of the text is before what is open.
        self._before = 0
        # Where the open block begins if it was cut, and that part of it, unless it is long.
        self._cut_from: int | None = None
        self._cut_off = ""
        # Of each block that is over its Markdown, or where in the text it is if it is still to be parsed.
        self._over: list[str | slice] = []

    @property
    def pending(self) -> bool:
        """Whether text is waiting that `step` has not taken yet."""
        return bool(self._chunks) or self._at < len(self._ready)

    @property
    def size(self) -> int:
        """Bytes of the present output's body."""
        return self._kept_cost + self._tail_cost

    @property
    def windowed(self) -> bool:
        """Whether the last output that may exist is the present one."""
        return self._outputs == 1

    def append(self, text: str) -> None:
        """Take text in; nothing is parsed yet."""
        if text:
            self._chunks.append(text)

    def reserve(self, size: int) -> None:
        """Keep `size` bytes of the present output free for something that stands above the text."""
        self._kept_cost += size

    def open_with(self, prefix: str) -> None:
        """Begin the text with source that is shown but is not part of it (a fence around JSON)."""
        self._chunks.append(_Beginning(opening=prefix))

    def insert(self, body: OutputBody, *, stays: bool = True) -> None:
        """End the text, and put below it what is no part of it; what is appended then is another text.

        Args:
            body: What is put there.
            stays: Whether it is kept. Else the present output gets space for it, which whoever draws fills.
        """
        self._chunks.append(_Beginning(below=body, stays=stays))

    def step(self) -> OutputBody | None:
        """Take the next piece of text in; return the present output's last body if that is now full."""
        beginning = self._chunks[0] if self._chunks and self._at >= len(self._ready) else None
        added = 0
        if isinstance(beginning, _Beginning):
            if self._tail.plain:
                self._keep(*self._tail)
            below = beginning.below
            added = self._cost(below) if below is not None else 0
            # What is already there is closed first, so that no message holds both.
            more = self._outputs is not None and self._outputs > 1
            full = more and self._kept_cost > 0 and self._kept_cost + added > self._sizes.force
            self._begin(beginning.opening)
            if not full:
                del self._chunks[0]
                if below is not None and beginning.stays:
                    self._keep(*below)
                    added = 0
                full = self._kept_cost >= self._sizes.close
        else:
            if self._at >= len(self._ready):
                pieces = list(takewhile(lambda chunk: isinstance(chunk, str), self._chunks))
                self._ready, self._at = "".join(map(str, pieces)), 0
                self._source.update(self._ready.encode("utf-8", "surrogatepass"))
                del self._chunks[: len(pieces)]
            stride = _STRIDE
            if self._outputs is not None:
                # So many characters fit for certain: one costs up to 8 bytes, ASCII about 2.
                space = max(self._sizes.force - self.size, 256)
                if self.windowed and len(self._ready) - self._at > self._sizes.window:
                    # More is waiting than will be seen, and what is kept gives way to it.
                    space = max(space, self._sizes.behind - self._tail_cost)
                stride = space // 4 if self._ready[self._at : self._at + space // 4].isascii() else space // 8
            piece = self._ready[self._at : self._at + stride]
            self._at += len(piece)
            self._open += piece
            self._settle()
            full = self._outputs is not None and self._fill()
        if self._outputs is None:
            return None
        if self._outputs > 1:
            if not full:
                return None
            closed = joined(self._kept)
            self._kept, self._kept_cost = [], 0
            self._outputs -= 1
            return closed
        # The oldest blocks of the window go, but the end stays in sight, unless its place is needed.
        while (
            len(self._kept) > (not added and not self._tail.plain) and self.size + added > self._sizes.window
        ):
            gone = self._kept.pop(0)
            self._kept_cost -= self._cost(gone)
            self.hidden += len(gone.plain)
        return None

    def body(self) -> OutputBody:
        """Return the present output as it stands, and remember its text as seen by the reader."""
        self._seen = len(self._open)
        return joined([*self._kept, self._tail])

    def holds(self, text: str) -> bool:
        """Tell whether this is all the text as it was given, of which only a digest is held."""
        waiting = [chunk for chunk in self._chunks if isinstance(chunk, str)]
        if len(waiting) < len(self._chunks):
            return False
        given = self._source.copy()
        given.update("".join(waiting).encode("utf-8", "surrogatepass"))
        return given.digest() == blake2b(text.encode("utf-8", "surrogatepass")).digest()

    def whole(self, text: str) -> str:
        """Return the safe Markdown of all the text, which it `holds`; only what was cut or is still open is parsed."""
        rest = text[self._before if self._cut_from is None else self._cut_from :]
        parts = [over if isinstance(over, str) else self._render(text[over]) for over in self._over]
        return "\n\n".join([*parts, self._render(rest)] if rest.strip() else parts)

    def _render(self, text: str) -> str:
        return "\n\n".join([block.markdown for block in self._parse(text)])

    def _settle(self) -> None:
        """Parse the open text; blocks that are over are kept, and the last one stays open."""
        blocks = self._parse(self._open)
        source = self._open
        begin = self._before - self._repeated
        for block, following in pairwise(blocks):
            over = source[max(block.start, self._repeated) : following.start]
            self._keep(block.markdown, over)
            self._repeated = 0
            if self._cut_from is None:
                self._over.append(block.markdown)
                continue
            undivided = slice(self._cut_from, begin + following.start)
            small = undivided.stop - undivided.start <= _PARSED_AT_ONCE
            self._over.append(self._render(self._cut_off + over) if small else undivided)
            self._cut_from, self._cut_off = None, ""
        if blocks:
            start = blocks[-1].start
            self._before = begin + max(start, self._repeated)
            self._open = source[start:]
            self._seen = max(0, self._seen - start)
            self._repeated = max(0, self._repeated - start)
        self._set_tail(blocks[-1].markdown if blocks else "")

    def _keep(self, markdown: str, source: str) -> None:
        body = OutputBody(markdown=markdown, plain=source.strip("\n"))
        self._kept.append(body)
        self._kept_cost += self._cost(body)

    def _set_tail(self, markdown: str) -> None:
        self._tail = OutputBody(markdown=markdown, plain=self._open[self._repeated :].strip("\n"))
        self._tail_cost = self._cost(self._tail)

    def _cost(self, body: OutputBody) -> int:
        return cost(body.markdown) + (cost(body.plain) if self._plain else 0)

    def _fill(self) -> bool:
        """Tell whether the present output is full, cutting the open block where it must be."""
        if self._kept and self._kept_cost >= self._sizes.close and self._seen == 0:
            return True
        if self.size < self._sizes.cut:
            return False
        after, end = max(self._seen, self._repeated + 1), len(self._open)
        if self.windowed and end > 2 * _STAYS + self._repeated:
            # What is cut off may go at once, and the end of the text is to stay in sight.
            after, end = self._repeated + 1, end - _STAYS
        place = cut(self._open[:end], after, forced=self.size >= self._sizes.force)
        if place is None:
            return False
        head = self._open[: place.at]
        self._keep(self._render(head), head[self._repeated :])
        if self._cut_from is None:
            self._cut_from = self._before
        self._before += len(head) - self._repeated
        if self._before - self._cut_from <= _PARSED_AT_ONCE:
            self._cut_off += head[self._repeated :]
        self._open = place.reopen + self._open[place.at :]
        self._repeated = len(place.reopen)
        self._seen = 0
        self._set_tail(self._render(self._open))
        return True
