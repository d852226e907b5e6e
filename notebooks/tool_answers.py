"""The answers of `06-tools-on-your-data.ipynb`, so that it runs without an account and always in the same way.

They were written by hand, in the way Claude answers, and are played by the emulator of the package; no model
wrote them. The functions that they call run for real. Leave the call of `play` out, and the same questions go to
Claude.
"""

from __future__ import annotations

import os
from typing import Any

from vertex_claude_magic.emulator import Emulator


def text(words: str) -> dict[str, Any]:
    """Return a block of text."""
    return {"type": "text", "text": words}


def call(number: int, name: str, **arguments: Any) -> dict[str, Any]:
    """Return a block that calls a function."""
    return {"type": "tool_use", "id": f"toolu_{number:02}", "name": name, "input": arguments}


POOLED = [
    text("First all penguins together."),
    call(1, "correlate", x="bill_length_mm", y="bill_depth_mm"),
]

GROUPED = [
    text("Weakly negative. Before I believe that, the same within each species, and within each sex."),
    call(2, "correlate", x="bill_length_mm", y="bill_depth_mm", by=["species"]),
    call(3, "correlate", x="bill_length_mm", y="bill_depth_mm", by=["species", "sex"]),
]

DRAW = [
    text("The sign turns around. I draw it, so that you see why."),
    call(4, "scatter", x="bill_length_mm", y="bill_depth_mm", colour="species"),
]

PARADOX = """**Pooled, longer bills are shallower (r = -0.24, n = 342); within every species they are deeper:**

| species | r | penguins |
|---|---|---|
| Adelie | 0.39 | 151 |
| Chinstrap | 0.65 | 68 |
| Gentoo | 0.64 | 123 |

This is Simpson's paradox: Gentoo bills are long *and* shallow, so the differences between species outweigh the trend
within them. Part of that trend is sex: males have larger bills in both directions, and within one sex of one species
r is lower, between -0.04 (male Adelie) and 0.45 (male Chinstrap), on 34 to 73 birds each. I would report the values
within species and sex, and not the pooled one.
"""

WRONG = [call(5, "correlate", x="bill_length", y="body_mass_g", by=["species"])]

RIGHT = [
    text("The columns have units in their names; I use the full ones."),
    call(6, "correlate", x="bill_length_mm", y="body_mass_g", by=["species"]),
]

MASS = """Yes, in all three: r is 0.55 for Adelie, 0.51 for Chinstrap and 0.67 for Gentoo. These are correlations within
a species, with both sexes together, so some of it is again the size of males."""

DROP = [call(7, "drop_rows", column="sex", reason="The sex is not recorded.")]

NOT_DROPPED = """I left the table as it is, because you did not allow the call. The eleven rows without a sex only matter where the
sex is used, and `correlate` leaves them out there by itself."""

ANSWERS = (POOLED, GROUPED, DRAW, PARADOX, WRONG, RIGHT, MASS, DROP, NOT_DROPPED)


def play() -> None:
    """Let the emulator answer the next questions of this kernel, one after the other."""
    emulator = Emulator()
    emulator.answer(*ANSWERS)
    os.environ.update(emulator.environment)
