"""The answers of `05-conversations.ipynb`, so that it runs without an account and always in the same way.

They were written by hand, in the way Claude answers, and are played by the emulator of the package; no model
wrote them. Leave the call of `play` out, and the same questions go to Claude.
"""

from __future__ import annotations

import os

from vertex_claude_magic.emulator import Emulator

FIRST = """At the species. Pooled, males are 684 g heavier (4,546 g against 3,862 g), but Gentoo are far heavier than the
other two, so a sample with more Gentoo males than females would show a difference that sex does not make.

1. Count the sexes within each species.
2. Compare the means within each species.
3. Look at the penguins without a recorded sex, which this table leaves out.
"""

WITHIN = """No, not in grams. The sexes are nearly balanced in every species, so the pooled 684 g is no artefact of the mix, but it
hides three differences:

| species | difference | of the females' mass |
|---|---|---|
| Adelie | 674 g | 20 % |
| Chinstrap | 412 g | 12 % |
| Gentoo | 805 g | 17 % |

They differ as shares too, so a model of the mass needs the species, the sex **and** their interaction.
"""

DROPPED = """Hardly. Eleven of 344 penguins is 3 %, and two of them have no mass either. Six are Adelie and five Gentoo: no Chinstrap
is missing, so its 412 g rests on all 68. Even if every one of the rest were of the same sex, a mean of 58 or more birds
moves by little. What I cannot know is *why* their sex was not recorded.
"""

ABSTRACT = """In 333 Palmer penguins of known sex, males were heavier than females in every species, by 412 g in Chinstrap, 674 g in
Adelie and 805 g in Gentoo penguins. The difference depends on the species, and eleven birds without a recorded sex were
left out."""

SHORTER = """Male penguins were heavier than females in all three species (by 412 to 805 g; n = 333), most so in Gentoo."""

ANSWERS = (FIRST, WITHIN, DROPPED, ABSTRACT, SHORTER)


def play() -> None:
    """Let the emulator answer the next questions of this kernel, one after the other."""
    emulator = Emulator()
    emulator.answer(*ANSWERS)
    os.environ.update(emulator.environment)
