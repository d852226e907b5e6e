"""The directives of the pages about front ends, made from what their tests found.

    ```{front-end-matrix}
    ```

    ```{front-end} papermill
    ```

`docs/front-ends/results.json` is written by the tests (tests/frontends/matrix.py), and they fail if it says something
else than they see.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry_pages import code, table, text
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docutils import nodes
    from sphinx.application import Sphinx

RESULTS = Path(__file__).resolve().parents[1] / "front-ends" / "results.json"
WORKS = "works"


def results() -> dict[str, Any]:
    """Return what the tests found, by front end."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))["front_ends"]
    return found


def matrix(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table of front ends and magics; what does not plainly work is a number, which is explained below."""
    cells = list(dict.fromkeys(name for each in found.values() for name in each["outcomes"]))
    numbers: dict[str, int] = {}

    def shown(outcome: str | None) -> str:
        if outcome is None:
            return ""
        return "✓" if outcome == WORKS else str(numbers.setdefault(outcome, len(numbers) + 1))

    rows = [(code(cell), *(shown(each["outcomes"].get(cell)) for each in found.values())) for cell in cells]
    yield from table(("", *map(text, found)), iter(rows))
    for outcome, number in numbers.items():
        yield f"{number}. {text(outcome[0].upper() + outcome[1:])}."
    yield ""


def summary(name: str, each: Mapping[str, Any]) -> Iterator[str]:
    """Yield how one front end was tested, and what does not plainly work there."""
    versions = ", ".join(f"{package} {version}" for package, version in each["versions"].items())
    other = {cell: outcome for cell, outcome in each["outcomes"].items() if outcome != WORKS}
    good = len(each["outcomes"]) - len(other)
    yield f"**Tested:** {text(name)} on {each['date']} with {text(versions)}."
    yield f"{good} of {len(each['outcomes'])} cells work as in JupyterLab{':' if other else '.'}\n"
    for cell, outcome in other.items():
        yield f"- {code(cell)} {text(outcome)}."
    yield ""


class FrontEndMatrix(SphinxDirective):
    """Write the table of all front ends."""

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the table."""
        self.env.note_dependency(str(RESULTS))
        return self.parse_text_to_nodes("\n".join(matrix(results())))


class FrontEnd(SphinxDirective):
    """Write the results of one front end."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the lines."""
        self.env.note_dependency(str(RESULTS))
        name = self.arguments[0]
        return self.parse_text_to_nodes("\n".join(summary(name, results()[name])))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("front-end-matrix", FrontEndMatrix)
    app.add_directive("front-end", FrontEnd)
    return {"parallel_read_safe": True}
