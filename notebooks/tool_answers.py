"""The answers of `06-tools-on-your-data.ipynb`, so that it runs without an account and always in the same way.

They were written by hand, in the way Claude answers, and are played by the emulator of the package; no model wrote them.
The functions that they call are those of the notebook, and really run. Leave the call of `play` out, and the same
questions go to Claude.
"""

from __future__ import annotations

import os
from typing import Any

from vertex_claude_magic.emulator import Emulator


def use(number: int, name: str, **arguments: Any) -> dict[str, Any]:
    """A call of a function, as the Messages API has it."""
    return {"type": "tool_use", "id": f"toolu_{number:02d}", "name": name, "input": arguments}


def text(words: str) -> dict[str, Any]:
    """A text, as the Messages API has it."""
    return {"type": "text", "text": words}


MASS = "body_mass_g"

LOOK = [
    text("Only Adelie live on more than one island, if I remember right; I check that first."),
    use(1, "summary", column=MASS, species="Adelie"),
    use(2, "permutation_test", column=MASS, species="Chinstrap", first="Dream", second="Biscoe"),
]

TEST = [
    text("Chinstrap live on Dream alone, so only Adelie can be compared. Their means differ by at most 22 g."),
    use(3, "permutation_test", column=MASS, species="Adelie", first="Biscoe", second="Dream"),
    use(4, "permutation_test", column=MASS, species="Adelie", first="Torgersen", second="Dream"),
]

ISLANDS = """**As far as these data tell, yes.** The question can be asked of Adelie only, the one species on more than one island:

| island | penguins | mean mass |
|---|---|---|
| Biscoe | 44 | 3,710 g |
| Dream | 56 | 3,688 g |
| Torgersen | 51 | 3,706 g |

The largest difference is 22 g, where single birds vary by about 460 g. A permutation test finds no sign of a difference
between Biscoe and Dream, nor between Torgersen and Dream (both *p* above 0.8). That is not proof of equality: with some
50 birds for each island a difference below roughly 180 g would stay hidden.
"""

BOXES = """The three boxes overlap almost wholly, and the medians are close together. Nothing stands out: no island has birds far
from the rest, so the means of the table above describe them fairly."""

REFUSED = """I did not remove anything, because the call was not allowed. Before you do it yourself: look at the rows first, since a
heavy penguin is no error. Gentoo males weigh about 5.5 kg on average."""

ANSWERS = (
    LOOK,
    TEST,
    ISLANDS,
    [use(5, "boxplot", column=MASS, species="Adelie")],
    BOXES,
    [use(6, "drop_outliers", column=MASS, above=6000)],
    REFUSED,
)


def play() -> None:
    """Let the emulator answer the next questions of this kernel, one after the other."""
    emulator = Emulator()
    emulator.answer(*ANSWERS)
    os.environ.update(emulator.environment)
