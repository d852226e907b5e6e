"""The answers of `09-teaching.ipynb`, so that it runs without an account and always in the same way.

They were written by hand, in the way Claude answers, and are played by the emulator of the package; no model
wrote them. Leave the call of `play` out, and the same questions go to Claude.
"""

from __future__ import annotations

import os

from vertex_claude_magic.emulator import Emulator

IDEA = """In Python, `/` always gives a number with a decimal point, also where nothing is left over: `4 / 2` is `2.0`. A
position in a list has to be a whole number."""

WHERE = """Look at `middle` in line 2. Print it for your five values, and compare what you see with the positions that a list of
five has."""

EXAMPLE = """Somebody wants the first half of the chapters of a book:

```python
chapters = ["Loomings", "The Inn", "Breakfast", "The Street", "Chowder"]
half = len(chapters) // 2
print(chapters[:half])
```

With `//` what is left over is dropped, so `half` is the whole number 2 and not 2.5. A slice takes whole numbers only, as
an index does."""

ORDER = """The median is about the size of the values, not about where they stand. The same values in another order have the
same median."""

ANSWERS = (IDEA, WHERE, EXAMPLE, ORDER)


def play() -> None:
    """Let the emulator answer the next questions of this kernel, one after the other."""
    emulator = Emulator()
    emulator.answer(*ANSWERS)
    os.environ.update(emulator.environment)
