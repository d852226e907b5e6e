"""The answers of `03-your-data.ipynb`, so that it runs without an account and always in the same way.

They were written by hand, in the way Claude answers, and are played by the emulator of the package; no model
wrote them. Leave the call of `play` out, and the same questions go to Claude.
"""

from __future__ import annotations

import json
import os

from vertex_claude_magic.emulator import Emulator

FIRST_LOOK = """Three things before any model:

1. **Two rows hold no measurements at all** (bill, flipper and mass are missing together), and the sex is missing in
   11 rows. Drop the two rows; keep the others for questions that do not need the sex.
2. **Species and island go together.** Gentoo live only on Biscoe, Chinstrap only on Dream, and only Adelie live on all
   three. An effect of the island may be an effect of the species.
3. **Gentoo are a group of their own**: about 5,076 g against 3,701 g for Adelie, so pooled averages describe no penguin.
"""

PLOT = """One colour for each species, because pooled points would hide the groups.

```python
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for species, group in penguins.groupby("species"):
    axes.scatter(group["bill_length_mm"], group["bill_depth_mm"], s=14, label=species)
axes.set(xlabel="bill length (mm)", ylabel="bill depth (mm)")
axes.legend();
```
"""

SEEN = """Within each species longer bills are also deeper, so each cloud rises. Taken together the clouds seem to fall,
because Gentoo have long and shallow bills: this is Simpson's paradox, and the species belongs in the model."""

SPECIES = {
    "items": [
        {"species": "Adelie", "penguins": 152, "mass_g": 3701, "islands": ["Biscoe", "Dream", "Torgersen"]},
        {"species": "Chinstrap", "penguins": 68, "mass_g": 3733, "islands": ["Dream"]},
        {"species": "Gentoo", "penguins": 124, "mass_g": 5076, "islands": ["Biscoe"]},
    ]
}

MENDED = """The frame has no column `body_mass`; its name ends with the unit, `body_mass_g`. Select that column, and the
mean of each species follows.

```python
mass = penguins.groupby("species")["body_mass_g"].mean()
mass.round(0)
```
"""

ANSWERS = (FIRST_LOOK, PLOT, SEEN, json.dumps(SPECIES), MENDED)


def play() -> None:
    """Let the emulator answer the next questions of this kernel, one after the other."""
    emulator = Emulator()
    emulator.answer(*ANSWERS)
    os.environ.update(emulator.environment)
