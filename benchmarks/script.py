"""Answers that the emulator gives: Markdown of a size, and streams whose pieces and pauses are known."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FIRST", "LETTERS", "PAUSE_SECONDS", "PIECES", "Script", "answer", "events", "two_pieces"]

LETTERS = 20
PIECES = ("Forty-two, said", " the machine, and fell silent.")
FIRST = PIECES[0]
PAUSE_SECONDS = 0.05
_PARAGRAPH = (
    "The **central limit theorem** says that sums of many independent parts look normal, whatever the parts "
    "look like. It asks for a finite variance, and for no part to rule the rest: see `scipy.stats` for trials.\n\n"
)
_LIST = "- first, draw a sample of size *n*\n- then take its mean, many times over\n- last, look at the histogram\n\n"
_CODE = "```python\nmeans = [rng.exponential(size=30).mean() for _ in range(10_000)]\nplt.hist(means, bins=60)\n```\n\n"


def answer(size: int) -> str:
    """Return a Markdown answer of `size` characters, with headings, prose, lists and code."""
    sections = (
        f"## Part {number}\n\n{_PARAGRAPH}{_LIST}{_PARAGRAPH}{_CODE}" for number in range(1, size // 400)
    )
    return "".join(sections)[: size - 10] + " The end.\n"


def events(pieces: list[str]) -> list[dict[str, Any]]:
    """Return the events of a streamed message whose text comes in these pieces."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5",
               "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}  # fmt: skip
    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
          for piece in pieces),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]  # fmt: skip


def two_pieces() -> list[dict[str, Any]]:
    """Answer every prompt with two pieces and a pause between them, as a script file of the emulator."""
    from vertex_claude_magic.emulator.messages.parts import sse

    stream = events(list(PIECES))
    opened = sum(len(sse(event)) for event in stream[:3])
    pause = {"stall_after": opened, "stall_seconds": PAUSE_SECONDS}
    return [{"match": "", "reply": stream, "fault": pause}]


class Script(list[Any]):
    """Events of a stream of deltas of twenty characters, which notes when its reader took the last one."""

    def __init__(self, text: str) -> None:
        super().__init__(events([text[at : at + LETTERS] for at in range(0, len(text), LETTERS)]))
        self.ended: float | None = None

    def __iter__(self) -> Iterator[Any]:
        for number in range(len(self)):
            if number == len(self) - 1:
                self.ended = time.perf_counter()
            yield self[number]
