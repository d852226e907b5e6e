"""What every front end showed of every magic: compared with the file that the documentation is made of.

`FRONTENDS_RECORD=1 pytest -m frontends tests/frontends` writes that file in place of comparing.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RESULTS", "check"]

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "front-ends" / "results.json"


def check(front_end: str, found: Mapping[str, str], *packages: str) -> None:
    """Hold the outcomes of one front end against those of the file; `packages` are those it consists of.

    Versions are not compared, because a later release that shows the same is as good.
    """
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"front_ends": {}}
    if os.environ.get("FRONTENDS_RECORD"):
        results["front_ends"][front_end] = {
            "date": datetime.now(tz=timezone.utc).date().isoformat(),
            "versions": {name: version(name) for name in packages},
            "outcomes": dict(found),
        }
        results["front_ends"] = dict(sorted(results["front_ends"].items()))
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    known = results["front_ends"].get(front_end, {}).get("outcomes", {})
    assert dict(found) == known, f"docs/front-ends/results.json says something else of {front_end}"
