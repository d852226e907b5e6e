"""What a hint below the fix does not show: lines of a reference solution, and corrected lines of the student's code.

Code is compared without blanks, quotes of another kind, marks of Markdown and characters that nobody sees, so that a
quotation in another layout is the same. What is said in words cannot be told from a good hint and is not looked at.
"""

from __future__ import annotations

import ast
import difflib
import html
import keyword
import re
import unicodedata
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from vertex_claude_magic.prompts.python_source import parse_python

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Guarded", "guarded"]

# Letters of a line without its blanks: shorter ones are in every program.
_SHORT = 8
# How alike two lines are that are the same line before and after a correction.
_ALIKE = 0.85
_WITHHELD = "[…]"
_FENCE = re.compile(r"\s*(?:>\s*)*(`{3,}|~{3,})")
_INLINE = re.compile(r"`+([^`]+)`+")
# Signs in which pieces of code differ; all others may be marks of Markdown.
_SIGNS = frozenset("()[]{}+-/%=<.,:;!&^~@#")
_WORD = re.compile(r"\w+")
# What computes, beside an assignment.
_DOES = re.compile(r"[-+*/%<>(\[&|^@]|==")
_LIST_MARK = re.compile(r"\s*(?:[-+*>]\s+|\d{1,3}[.)]\s+)*")


class Guarded(NamedTuple):
    """A hint as it may be shown.

    Args:
        text: Its text.
        solution: How many lines were withheld because they hold code of a solution.
        corrected: How many were because they hold corrected code of the student's.
    """

    text: str
    solution: int = 0
    corrected: int = 0


def guarded(text: str, *, solutions: Sequence[str] = (), own: Sequence[str] = (), task: str = "") -> Guarded:
    r"""Return a hint without lines that give away what it shall not.

    Args:
        text: The hint, Markdown.
        solutions: Reference solutions; what of them is in `own` or `task` is not a secret.
        own: The student's code.
        task: The text of the task.

    >>> guarded("So:\n```python\nreturn sum( v )/len(v)\n```", solutions=["def m(v):\n    return sum(v) / len(v)"])
    Guarded(text='So:\n```python\n[…]\n```', solution=1, corrected=0)
    """
    lines = text.split("\n")
    known = "\n".join(map(_letters, [*own, task]))
    of_solution = _lines_with(lines, {each for each in _secrets(solutions) if each not in known})
    of_own = _corrected(lines, own) - of_solution
    shown: list[str] = []
    for number, line in enumerate(lines):
        if number not in of_solution | of_own:
            shown.append(line)
        elif _FENCE.match(line):
            # Without it what follows would be read as something else.
            shown.append(_FENCE.match(line)[0])  # type: ignore[index]
        elif not shown or shown[-1] != _WITHHELD:
            shown.append(_WITHHELD)
    return Guarded("\n".join(shown), len(of_solution), len(of_own))


def _letters(text: str) -> str:
    """Return what of a text counts in a comparison."""
    flat = unicodedata.normalize("NFKC", html.unescape(text))
    return "".join(
        each if each.isalnum() or each in _SIGNS else '"' if each in "'’“”" else "" for each in flat
    )


def _code(line: str) -> str:
    return _letters(line.partition("#")[0])


def _secrets(solutions: Sequence[str]) -> Iterator[str]:
    """Return the lines of solutions, and what is assigned, returned or tested in them."""
    for solution in solutions:
        pieces = solution.split("\n")
        with suppress(SyntaxError, ValueError, MemoryError, RecursionError):
            for node in ast.walk(parse_python(solution)):
                value = getattr(node, "value", None) or getattr(node, "test", None)
                if (
                    isinstance(
                        node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.If, ast.While)
                    )
                    and value
                ):
                    pieces.append(ast.get_source_segment(solution, value) or "")
        yield from (_code(piece) for piece in pieces if _tells(piece))


def _tells(piece: str) -> bool:
    """Tell whether a piece of a solution is more than what is in every program, such as `result = []`.

    >>> _tells("return sum(values)"), _tells("for value in values:"), _tells("counter = 0")
    (True, False, False)
    """
    words = [each for each in _WORD.findall(piece) if not keyword.iskeyword(each)]
    return len(_code(piece)) >= _SHORT and (len(words) > 2 or (len(words) == 2 and bool(_DOES.search(piece))))


def _lines_with(lines: Sequence[str], secrets: set[str]) -> set[int]:
    """Return the numbers of the lines in which secrets are, also such as go over several."""
    letters, numbers = "", list[int]()
    for number, line in enumerate(lines):
        own = _letters(line)
        letters += own
        numbers += [number] * len(own)
    found = set[int]()
    for secret in secrets:
        at = letters.find(secret)
        while at >= 0:
            found.update(numbers[at : at + len(secret)])
            at = letters.find(secret, at + 1)
    return found


def _corrected(lines: Sequence[str], own: Sequence[str]) -> set[int]:
    """Return the numbers of the lines that repeat a line of the student's in another form.

    That is a line very like one of theirs, and in a block that repeats half of their lines every other line.
    """
    theirs = {letters for code in own for letters in map(_code, code.split("\n")) if letters}
    long = {each for each in theirs if len(each) >= _SHORT}

    def is_changed(piece: str) -> bool:
        if len(piece) < _SHORT or piece in theirs or any(each.find(piece) > 0 for each in long):
            # Theirs, or the end or the middle of it; a beginning may be theirs without what is wrong.
            return False
        pairs, matcher = _pairs(piece), difflib.SequenceMatcher(None, "", piece, autojunk=False)
        for each in long:
            theirs_too = _pairs(each)
            # Lines as alike as that have most pairs of letters in common, which is quicker to find out.
            if 3 * len(pairs & theirs_too) < len(pairs) + len(theirs_too):
                continue
            matcher.set_seq1(each)
            if matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE:
                return True
        return False

    found, block, fenced = set[int](), list[int](), ""
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if fence and not fenced:
            fenced, block = fence[1][:3], []
        elif fence and fence[1].startswith(fenced):
            found |= _rewritten(lines, block, theirs, long)
            fenced = ""
        elif fenced:
            block.append(number)
        pieces = [line] if fenced and not fence else _INLINE.findall(line)
        words = _LIST_MARK.sub("", line, count=1)
        if not fenced and not any(each in _code(words) for each in long):
            # Code without a mark around it; a sentence that quotes theirs is like it, and harmless.
            pieces.append(words)
        if any(is_changed(_code(piece)) for piece in pieces):
            found.add(number)
    return found | (_rewritten(lines, block, theirs, long) if fenced else set())


@lru_cache(maxsize=1_024)
def _pairs(line: str) -> frozenset[str]:
    return frozenset(map("".join, pairwise(line)))


def _rewritten(lines: Sequence[str], block: Sequence[int], theirs: set[str], long: set[str]) -> set[int]:
    pieces = {number: _code(lines[number]) for number in block}
    same = {piece for piece in pieces.values() if piece in long}
    if len(same) < 2 or len(same) * 2 < len(long):
        return set()
    return {number for number, piece in pieces.items() if piece and piece not in theirs}
