"""The answers of `08-compare.ipynb`, so that it runs without an account and always in the same way.

They were written by hand and are played by the emulator of the package; no model wrote them, and they say nothing of how
the models differ. Leave the call of `play` out, and the same questions go to Claude.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from vertex_claude_magic.emulator import Emulator

COIN = {
    "haiku": """Probably not. A fair coin shows nine or more heads in ten throws with probability 11/1024, about **1.1 %**.""",
    "sonnet": """Nine heads or more have probability 11/1024 under a fair coin, and nine or more of *either* side **2.1 %**. That
is evidence against fairness, but how strong depends on why you threw this coin: most coins are fair.""",
    "opus": """The two-sided exact test gives $p = 22/1024 \\approx$ **0.021**. Two cautions:

1. Was it ten throws by plan, or did you stop at a striking moment? The *p* value assumes the former.
2. If one coin in a thousand is loaded to show heads nine times of ten, it is still more likely than not a fair coin:
   the odds are about 1 to 25.""",
}
PLAIN = """A *p* value is the probability of data at least as extreme as yours, if the null hypothesis were true."""
SOCRATIC = """Suppose the null hypothesis were true and you repeated the study a hundred times. In how many of them would
you expect a result at least as extreme as yours? And does that number say how likely the hypothesis is?"""


def play() -> None:
    """Let the emulator answer the questions of this kernel, a piece of text every 20 ms."""
    script = [
        *({"match": "heads 9 times", "model": model, "reply": reply} for model, reply in COIN.items()),
        {"match": "plainly, in one sentence", "reply": PLAIN},
        {"match": "Do not give the answer", "reply": SOCRATIC},
    ]
    file_name = Path(tempfile.mkdtemp()) / "script.json"
    file_name.write_text(json.dumps(script), encoding="utf-8")
    os.environ.update(Emulator(script=file_name, pace=0.02).environment)
