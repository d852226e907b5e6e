"""CONTRIBUTING.md sends a reader to files and names that are there."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest
from shells import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = ROOT / "vertex_claude_magic"
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# Rows of the table "Where is ...": files have a slash, all else in code is a name that one of these files holds.
ROWS = [line for line in TEXT.partition("## Where is")[2].partition("\n## ")[0].splitlines() if "/" in line]


def in_code(text: str) -> list[str]:
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)


def places(path: str) -> list[Path]:
    """The files of a path of the repository or of the package."""
    return [root / path for root in (ROOT, PACKAGE) if (root / path).exists()]


def test_there_are_rows():
    """Or the next test says nothing."""
    assert len(ROWS) >= 5


def used_names() -> set[str]:
    """What the package's code uses: names, attributes and imports, but neither definitions nor texts."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.alias):
                found.add(node.name)
    return found


USED = used_names()


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip() for row in ROWS])
def test_a_place_is_where_the_table_says(row):
    """Each file exists, and each name is in one of the files of its row and used by code that is no test."""
    words = in_code(row.split("|")[2])
    found = [places(word)[0] for word in words if "/" in word]
    texts = [path.read_text(encoding="utf-8") for path in found if path.is_file()]
    for name in (word for word in words if "/" not in word):
        assert any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts), name
        assert name in USED, f"Nothing uses {name}."


@pytest.mark.parametrize(
    "path", sorted({word for word in in_code(TEXT) if re.fullmatch(r"[\w/.]+/[\w.]*", word)})
)
def test_every_path_is_there(path):
    """So that a reader need not search."""
    assert places(path)
