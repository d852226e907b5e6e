"""The answers of `07-tables.ipynb`, so that it runs without an account and always in the same way.

They were written by hand, in the way Claude answers, three of them wrong, and are played by the emulator of the
package; no model wrote them. Leave the call of `play` out, and the same questions go to Claude.
"""

from __future__ import annotations

import csv
import json
import os
import tempfile
from pathlib import Path

from vertex_claude_magic.emulator import Emulator

# By how the sentence begins, what is answered in place of its kind.
MISTAKEN = {"There is no better": "novel", "Man still bears": "novel", "Happy families": "science"}
SUMMARY = """The labels are right for law in all cases. The three mistakes lie between novels and science: two
sentences of science speak of a candle and of man as a novel might, and one of a novel states a general law. A second
pass with the sentence before and after would help more than another model."""


def play() -> None:
    """Let the emulator answer the questions of this kernel."""
    with Path("data/sentences.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # The first that is in the prompt answers, and the summary is asked with some of the sentences.
    script = [{"match": "Where do they disagree", "reply": SUMMARY}]
    for row in rows:
        wrong = next((kind for start, kind in MISTAKEN.items() if row["sentence"].startswith(start)), None)
        sure = 0.6 if wrong else 0.95
        script.append({"match": row["sentence"], "reply": json.dumps({"kind": wrong or row["kind"], "sure": sure})})
    file_name = Path(tempfile.mkdtemp()) / "script.json"
    file_name.write_text(json.dumps(script), encoding="utf-8")
    emulator = Emulator(script=file_name)
    # A batch takes hours at Google; here it is answered when it is looked at.
    emulator.batches.looks = 0
    os.environ.update(emulator.environment)
