"""How large the package is: lines of code by folder, installed size, and the distributions that it brings along."""

from __future__ import annotations

import argparse
import ast
import re
import tokenize
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from harness import environment, markdown

import vertex_claude_magic

PACKAGE = Path(vertex_claude_magic.__file__).parent
TESTS = PACKAGE.parent / "tests"
NAME = "vertex-claude-magic"
# What a notebook user has in any case.
KNOWN = ("ipython", "ipykernel")
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_BLANK = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
          tokenize.ENDMARKER}  # fmt: skip


def lines(file: Path) -> tuple[int, int]:
    """Return all lines, and those of code: no blank lines, no comments, no docstrings."""
    with file.open("rb") as source:
        tokens = [token for token in tokenize.tokenize(source.readline) if token.type not in _BLANK]
    code = {number for token in tokens for number in range(token.start[0], token.end[0] + 1)}
    text = file.read_text(encoding="utf-8")
    return text.count("\n"), len(code - _docstrings(ast.parse(text)))


def _docstrings(tree: ast.Module) -> set[int]:
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node, clean=False
        ):
            first = node.body[0]
            found.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return found


def brought(roots: tuple[str, ...]) -> dict[str, Distribution]:
    """Return the distributions that these need, themselves included, extras left out."""
    found: dict[str, Distribution] = {}
    waiting = list(roots)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            # A requirement of another platform or Python.
            continue
        waiting += [
            _name(line) for line in found[name].requires or () if "extra ==" not in line.partition(";")[2]
        ]
    return found


def _name(requirement: str) -> str:
    match = _NAME.match(requirement)
    return match.group() if match else requirement


def size(dist: Distribution) -> int:
    """Return the bytes of the installed files, bytecode left out."""
    files = (Path(str(file.locate())) for file in dist.files or () if file.suffix != ".pyc")
    return sum(file.stat().st_size for file in files if file.is_file())


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(environment())
    print()
    print(_folders())
    print()
    print(_distributions())


def _folders() -> str:
    counted = {file: lines(file) for file in sorted(PACKAGE.rglob("*.py"))}
    folders: dict[str, list[Path]] = {}
    for file in counted:
        folders.setdefault(str(file.relative_to(PACKAGE).parent), []).append(file)
    rows: list[list[object]] = []
    for folder, files in folders.items():
        total, code = (sum(counted[file][at] for file in files) for at in (0, 1))
        rows.append([f"**{'root' if folder == '.' else folder}**", f"**{total:,}**", f"**{code:,}**"])
        rows += [[file.stem, *counted[file]] for file in files if counted[file][1]]
    rows.append(["**all**", *(f"**{sum(pair[at] for pair in counted.values()):,}**" for at in (0, 1))])
    tests = [lines(file) for file in TESTS.rglob("*.py")]
    rows.append(["tests", *(f"{sum(pair[at] for pair in tests):,}" for at in (0, 1))])
    return markdown(["folder", "lines", "of code"], rows)


def _distributions() -> str:
    known = brought(KNOWN)
    more = {name: dist for name, dist in brought((NAME,)).items() if name not in known and name != NAME}
    own = sum(file.stat().st_size for file in PACKAGE.rglob("*") if file.is_file() and file.suffix != ".pyc")
    sizes = sorted(((size(dist), name) for name, dist in more.items()), reverse=True)
    rows = [
        [f"this package and {len(more)} distributions", f"{(own + sum(s for s, _ in sizes)) / 2**20:.1f}"]
    ]
    rows += [["this package", f"{own / 2**20:.2f}"], *([name, f"{each / 2**20:.2f}"] for each, name in sizes)]
    return markdown([f"beyond {' and '.join(KNOWN)} ({len(known)} distributions)", "MiB"], rows)


if __name__ == "__main__":
    main()
