"""A comparison in JupyterLab: columns beside or below each other, and none covers another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lab import LabPage, untrusted_copy, write_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

# What may be wider than its column: a table, an address, code.
ANSWER = """| assumption | how much it matters | what to do about it |
|---|---|---|
| observations are independent | a great deal: nothing repairs it | model the groups |

See https://example.org/an/address/that/is/longer/than/any/column/of/a/comparison/and/has/no/blank and

    result=a_function_with_a_long_name(first_argument,second_argument,third_argument,fourth_argument)
"""
TEXT = ANSWER.partition("\n\n")[2]
START = f"""%load_ext vertex_claude_magic
import os
from vertex_claude_magic.emulator import Emulator
emulator = Emulator()
emulator.answer(*{[ANSWER, ANSWER, ANSWER, TEXT, TEXT, TEXT]!r})
os.environ.update(emulator.environment)"""
CELLS = [START, *["%%claude_compare -m haiku,sonnet,opus\nWhich assumptions?"] * 2]
# How many columns there are, and what of their text is right of their edges.
OUTSIDE = """() => {
    const columns = [...document.querySelectorAll('.jp-RenderedHTML table')].filter(
        table => getComputedStyle(table).display === 'inline-table');
    const outside = columns.flatMap(column => {
        const edge = column.getBoundingClientRect().right + 1, words = [];
        const walker = document.createTreeWalker(column, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            const range = document.createRange();
            range.selectNodeContents(node);
            // What a box of its own lets the reader scroll to covers nothing.
            const box = node.parentElement.closest('div');
            const right = column.contains(box) ? box.getBoundingClientRect().right : range.getBoundingClientRect().right;
            if (right > edge) words.push(node.textContent);
        }
        return words;
    });
    return [columns.length, outside];
}"""

# How wide each column is; what becomes of what is wider than its box.
WIDTHS = """() => [...document.querySelectorAll('.jp-RenderedHTML table')].filter(
    table => getComputedStyle(table).display === 'inline-table').map(table => table.offsetWidth)"""
SCROLLS = """() => [...new Set([...document.querySelectorAll('.jp-RenderedHTML div > table')].map(
    table => getComputedStyle(table.parentElement).overflowX))]"""


@pytest.fixture(scope="module", params=[True, False], ids=["as it ran", "opened untrusted"])
def compared(lab: LabPage, request: pytest.FixtureRequest) -> Iterator[LabPage]:
    """Two comparisons, the first with tables; JupyterLab takes some styles out of untrusted outputs."""
    path = write_notebook(lab.server.root / "compare.ipynb", CELLS)
    lab.open(path)
    lab.run_all()
    if not request.param:
        lab.save()
        lab.close()
        lab.open(untrusted_copy(path, "compare-copy.ipynb"), kernel=False)
        lab.settle()
    yield lab
    lab.close()


@pytest.mark.parametrize("width", [1200, 1000, 640])
def test_no_column_covers_the_one_beside_it(compared, width):
    """Text breaks a word that is too long; a table that is wider than its column scrolls."""
    compared.page.set_viewport_size({"width": width, "height": 900})
    compared.settle()
    columns, outside = compared.page.evaluate(OUTSIDE)
    assert columns == 6
    assert outside == []
    assert len({*compared.page.evaluate(WIDTHS)}) == 1
    assert compared.page.evaluate(SCROLLS) == ["auto"]
