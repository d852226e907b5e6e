"""CPU for hostile text of one size and of four times that size: what is linear takes four times as long.

The tests show that such text ends in an answer; how long that takes depends on the machine, so it is measured here.
Quadratic work would take sixteen times as long.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from harness import Figure

from vertex_claude_magic.markdown.sanitize import hidden_characters, safe_markdown, safe_plain
from vertex_claude_magic.prompts.secrets import find_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness import Bench

GROWTH = 4
LIMIT = 8.0
HIDDEN = ("\x1b", "\x1b[", "\x1b]", "\x9b", "\x9d", "\u200d", "\x00", "\r", "\x1b]\x1b\\")
MARKDOWN = (
    "- item\n", "[", "[a](", "![", "*a **b ", "`", "$a ", "\\(", "\\begin{align}", "$$\n", "&#", "> a\nb\n", "\0",
)  # fmt: skip
SECRETS = ("a", "sk-", "eyJ", "-----BEGIN ", "A" * 20 + " ", "SG.", "authorization: ")


def _look_for_hidden(text: str) -> None:
    safe_plain(text)
    hidden_characters(text)


# What is done, the pieces that a text repeats, and the size of the larger text in characters.
WORK: dict[str, tuple[Callable[[str], object], tuple[str, ...], int]] = {
    "hidden characters taken out and named": (_look_for_hidden, HIDDEN, 1_000_000),
    "Markdown made safe": (safe_markdown, MARKDOWN, 100_000),
    "search for secrets": (find_secret, SECRETS, 2_000_000),
}


def seconds(work: Callable[[str], object], text: str, rounds: int) -> float:
    """Return the least CPU time of some rounds, in seconds."""
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        work(text)
        spent.append(time.process_time() - start)
    return min(spent)


def measure(_bench: Bench) -> Iterator[Figure]:
    """The worst piece of each kind of work."""
    for name, (work, pieces, size) in WORK.items():
        work(pieces[0] * 1000)
        ratios = {}
        for piece in pieces:
            count = size // len(piece)
            small, large = (seconds(work, piece * each, 3) for each in (count // GROWTH, count))
            # A thousandth of a second is no more than the clock's own noise.
            ratios[piece] = large / max(small, 0.001)
        worst = max(ratios, key=lambda piece: ratios[piece])
        yield Figure(name=f"hostile text, {name}: four times of it, worst `{worst!a}`",
                     value=ratios[worst], target=LIMIT)  # fmt: skip
