"""How a response goes onto the wire, well or badly: pure steps, before any socket.

`plan` turns a response and a fault into a head (the status line and headers as bytes), steps
(what to write after which wait) and an ending. The HTTP framing is made here and not by tornado,
because most faults are faults of the framing.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Literal

from vertex_claude_magic.emulator.http.faults import Fault
from vertex_claude_magic.emulator.messages.parts import sse
from vertex_claude_magic.vertex.provenance import EMULATOR_SERVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vertex_claude_magic.emulator.http.response import Response

__all__ = ["Delivery", "Step", "plan"]

Step = tuple[float, bytes]

Ending = Literal["keep", "close", "reset"]
_NO_FAULT = Fault()
# 529 is Anthropic's own.
_PHRASES = {**{status.value: status.phrase for status in HTTPStatus}, 529: "Overloaded"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What to write: after `delay` the head, then each step's bytes after its wait, then the ending.

    `ending` is `keep` (the connection serves the next call), `close` or `reset`.
    """

    delay: float
    head: bytes
    steps: Iterator[Step]
    ending: Ending
    batch: bool


def plan(response: Response, fault: Fault | None = None) -> Delivery:
    r"""Lay out a response and a fault as bytes and waits.

    >>> from vertex_claude_magic.emulator.http.response import Response
    >>> delivery = plan(Response(pieces=(b"data: 1",), stream=True))
    >>> list(delivery.steps)
    [(0.0, b'7\r\ndata: 1\r\n'), (0.0, b'0\r\n\r\n')]
    """
    fault = fault or _NO_FAULT
    if fault.drop or fault.raw is not None:
        alone = iter([(0.0, fault.raw or b"")])
        return Delivery(delay=fault.delay, head=b"", steps=alone, ending="close", batch=False)
    pieces: Iterable[bytes] = response.pieces
    if fault.error_after is not None:
        message = fault.message or "The emulator was set to fail here."
        error = {"type": "error", "error": {"type": fault.error_type, "message": message}}
        pieces = chain(islice(pieces, fault.error_after), [sse(error)])
    if fault.gzip:
        pieces = _compressed(pieces)
    length = None
    if not response.stream or fault.merge:
        pieces = (b"".join(pieces),)
        length = len(pieces[0])
    # The faults of time and of place, each on what the one before it left.
    waits = chain([fault.first_event_delay], repeat(response.interval))
    steps: Iterator[Step] = zip(waits, pieces, strict=False)
    if fault.split is not None or fault.drip is not None:
        steps = _split(steps, fault.split or 1, fault.drip or 0.0)
    if fault.stall_after is not None:
        pause = math.inf if fault.stall_seconds is None else fault.stall_seconds
        steps = _stalled(steps, fault.stall_after, pause)
    if fault.cut_after is not None:
        steps = _cut(steps, fault.cut_after)
    framing = "close" if fault.http10 else "chunked" if response.stream else "length"
    cut = fault.cut_after is not None and fault.ending != "end"
    if framing == "chunked":
        # An empty chunk would end the body.
        chunks = ((wait, b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b"") for wait, piece in steps)
        # A body that is cut in a chunk announces 4,096 bytes and never brings them.
        last = (b"1000\r\n" if fault.ending == "chunk" else b"") if cut else b"0\r\n\r\n"
        steps = chain(chunks, [(0.0, last)] if last else [])
    ending: Ending = "close" if cut or framing == "close" else "keep"
    return Delivery(
        delay=fault.delay,
        head=_head(response, fault, framing, length),
        steps=steps,
        ending="reset" if cut and fault.ending == "reset" else ending,
        batch=response.batch,
    )


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for piece in pieces:
        # Flushed after each piece, so that a client can decode what has arrived.
        yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def _head(response: Response, fault: Fault, framing: str, length: int | None) -> bytes:
    headers = {
        "Date": formatdate(usegmt=True),
        # So that records can distinguish its answers from Claude's.
        "Server": EMULATOR_SERVER,
        "Content-Type": fault.content_type or response.content_type,
    }
    if framing == "chunked":
        headers["Transfer-Encoding"] = "chunked"
    elif framing == "length":
        headers["Content-Length"] = str(length)
    else:
        headers["Connection"] = "close"
    if fault.gzip:
        headers["Content-Encoding"] = "gzip"
    # The same dictionary, so that a fault may replace a header as well as add one.
    headers.update({**response.headers, **fault.headers})
    phrase = _PHRASES.get(response.status, "Unknown")
    lines = [f"HTTP/{'1.0' if fault.http10 else '1.1'} {response.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _split(steps: Iterable[Step], size: int, drip: float) -> Iterator[Step]:
    for wait, piece in steps:
        for start in range(0, len(piece), size):
            yield (wait if start == 0 else 0.0) + drip, piece[start : start + size]


def _stalled(steps: Iterable[Step], after: int, pause: float) -> Iterator[Step]:
    left = after
    for wait, piece in steps:
        if 0 <= left < len(piece):
            if left:
                yield wait, piece[:left]
            yield pause + (0.0 if left else wait), piece[left:]
        else:
            yield wait, piece
        left -= len(piece)
    if left >= 0:
        yield pause, b""


def _cut(steps: Iterable[Step], after: int) -> Iterator[Step]:
    left = after
    for wait, piece in steps:
        if left <= 0:
            return
        yield wait, piece[:left]
        left -= len(piece)
