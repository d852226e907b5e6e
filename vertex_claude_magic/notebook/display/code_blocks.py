"""The Python of an answer: which blocks are code, and which of them go into one new cell.

What a fence says counts; what a fence does not say is found out by parsing. Nothing is run.
"""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.characters import with_newlines
from vertex_claude_magic.process import ignored_warnings
from vertex_claude_magic.prompts.python_source import parse_python

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ChosenBlocks", "CodeBlock", "choose_blocks", "find_blocks"]

_PYTHON = frozenset(
    {"python", "python3", "py", "py3", "ipython", "ipython3", "pycon", "pycon3", "python-repl"}
)
_LANGUAGE = re.compile(r"[\s{.]*(?:\{?code-cell\}?[\s{.]*)?([\w+#-]*)")
_PROMPT = re.compile(r"(?:>>>|In \[\d*\]:)(?: |$)")
_CONTINUED = re.compile(r"(?:\.\.\.|[ ]*\.{3,}:)(?: |$)")
_SHELL = re.compile(r"^\s*[$%] +\S", re.MULTILINE)
_CELL_MAGIC = re.compile(r"%%[^\W\d][\w.]{0,40}")
_MAGIC_LINE = re.compile(r"^\s*(?:[\w., ]+=\s*)?[%!?]|\?\s*$", re.MULTILINE)
# Beyond this, code is not parsed: IPython reads the whole text again for each line that is a magic.
_LONGEST, _MOST_MAGICS = 100_000, 60
# Classes whose names are not capitalised, as they print themselves.
_PRINTED = frozenset({"array", "tensor", "deque", "defaultdict", "date", "datetime", "timedelta", "dtype",
                      "dict_keys", "dict_values", "dict_items", "mpf", "namespace", "matrix"})  # fmt: skip
_OUTPUT = re.compile(
    r"\b(?:outputs?|prints?|printed|displays?|shows?|returns?|yields?|gives|results?|"
    r"(?:see|get)s?)\b[^.]*$",
    re.IGNORECASE,
)
_OF_VALUES = (ast.Attribute, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare,
              ast.Starred)  # fmt: skip
_CALLS = (ast.Call, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.With)
_KINDS = "option|approach|method|variant|version|solution|way|possibility"
_ALTERNATIVE = re.compile(
    r"\balternative(?:ly|s)?\b|\binstead\b|\bequivalent(?:ly)?\b|\byou (?:prefer|would rather)\b"
    rf"|\b(?:another|second|third|other) (?:{_KINDS})\b|\b(?:shorter|simpler|faster) (?:{_KINDS})\b"
    rf"|\b(?:{_KINDS}) (?:[2-9]|two|three|four|[b-f])\s*(?:[:.)(*–—-]|$)"
    r"|(?:^|[.:;!?])[\s\W]*or\b",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeBlock:
    """A block of Python in an answer.

    Args:
        code: What goes into a cell, without the prompts and results of a session.
        lines: The first line of the Markdown that it takes, and the one behind its last, from 0.
        magic: The cell magic that it begins with, such as `%%timeit`; empty if there is none.
        problem: Why it is not valid Python, in a few words; empty if it can.
        alternative: Whether the text before it offers it in place of the block before.
    """

    code: str
    lines: tuple[int, int]
    magic: str = ""
    problem: str = ""
    alternative: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenBlocks:
    """What goes into the new cell, and notes that name what does not."""

    text: str
    taken: tuple[CodeBlock, ...]
    notes: tuple[str, ...] = ()


def find_blocks(markdown: str) -> list[CodeBlock]:
    r"""Return the blocks of Python in an answer; an answer that is nothing but code is one block.

    A fence without a language is code if it parses and does something; a value, a listing of names, a
    shell command or a printed result does not.

    >>> [block.code for block in find_blocks("So:\n```python\nx = 1\n```\n\n```\n$ ls\n```\n")]
    ['x = 1']
    >>> [block.code for block in find_blocks("import math\nprint(math.pi)\n")]
    ['import math\nprint(math.pi)']
    """
    from markdown_it import MarkdownIt

    lines = markdown.split("\n")
    fences = [
        (token.info, token.content, (token.map[0], token.map[1]))
        for token in MarkdownIt("commonmark").parse(markdown)
        if token.type == "fence" and token.map is not None
    ]
    # Code may hold fences in its texts; a session with fences around it is read below.
    whole = _code(markdown, declared=False, before="", session=not fences)
    if whole is not None:
        return [_block(whole, (0, len(lines)), "")]
    blocks, end = list[CodeBlock](), 0
    for info, content, place in fences:
        before = "\n".join(lines[end : place[0]])
        end = place[1]
        found = _LANGUAGE.match(info)
        language = found[1].lower() if found else ""
        if language and language not in _PYTHON:
            continue
        code = _code(content, declared=bool(language), before=before)
        if code is not None:
            blocks.append(_block(code, place, before))
    return blocks


def _block(code: str, lines: tuple[int, int], before: str) -> CodeBlock:
    magic = _CELL_MAGIC.match(code)
    return CodeBlock(
        code=code,
        lines=lines,
        magic=magic[0] if magic else "",
        problem=_problem(code),
        alternative=_ALTERNATIVE.search(before) is not None,
    )


def choose_blocks(blocks: Sequence[CodeBlock]) -> ChosenBlocks | None:
    r"""Choose what goes into one new cell; None if there is nothing.

    Blocks are steps and go in together, up to one that begins with a cell magic (which would take the whole
    cell) or is offered as an alternative. What follows is for the reader; steps that need a cell of their
    own are in the new cell as comments too.

    >>> blocks = find_blocks("```python\nx = 1\n```\nThen\n```python\n%%timeit\nx\n```")
    >>> print(choose_blocks(blocks).text)
    x = 1
    <BLANKLINE>
    # --- block 2 of 2 begins with %%timeit and needs a cell of its own ---
    # %%timeit
    # x
    """
    taken, notes, later = list[CodeBlock](), list[str](), list[str]()
    blocked = apart = False
    for number, block in enumerate(blocks, 1):
        if taken and (apart or block.alternative):
            apart = True
            notes.append(f"Block {number} is an alternative or follows one, so it is not in the new cell.")
        elif block.problem:
            notes.append(f"Block {number} is not in the new cell: {block.problem}.")
        elif taken and (blocked or block.magic or taken[0].magic):
            why = (
                f"begins with {block.magic}"
                if block.magic
                else f"follows {'one' if blocked else taken[0].magic}"
            )
            blocked = True
            notes.append(f"Block {number} {why} and needs a cell of its own.")
            heading = f"# --- block {number} of {len(blocks)} {why} and needs a cell of its own ---"
            # All that may end a line, since what follows a carriage return is code to Python.
            comments = [f"# {line}".rstrip() for line in block.code.splitlines()]
            later.append("\n".join([heading, *comments]))
        else:
            taken.append(block)
    if not taken:
        # Code with a mistake is worth mending; a session of a shell is not.
        taken = [block for block in blocks if not _SHELL.search(block.code)][:1]
        notes = [f"It cannot run as it is: {block.problem}." for block in taken] or notes
    if not taken:
        return None
    text = taken[0].code
    if len(taken) > 1:
        numbers = {id(block): number for number, block in enumerate(blocks, 1)}
        text = "\n\n".join(
            f"# --- block {numbers[id(block)]} of {len(blocks)} ---\n{block.code}" for block in taken
        )
    if later and not taken[0].magic:
        text = "\n\n".join([text, *later])
    return ChosenBlocks(text=text, taken=tuple(taken), notes=tuple(notes))


def _code(text: str, *, declared: bool, before: str, session: bool = True) -> str | None:
    """Return a text as code; None if it is not Python.

    Args:
        text: What a fence holds, or the whole answer.
        declared: Whether the fence says that it is Python.
        before: The text before the fence.
        session: Whether it may be a session, whose prompts and results go.
    """
    code = textwrap.dedent(with_newlines(text)).strip("\n").rstrip()
    if not code.strip():
        return None
    # Python would read `In [1]: x = 1` as an annotation.
    typed = [line[:2] for line in code.split("\n") if _PROMPT.match(line)] if session else []
    if typed and (typed[0] == "In" or _problem(code, prompts=True)):
        code = _without_prompts(code)
        return code or None
    if declared:
        return code
    try:
        return code if _does_something(code, before) else None
    except RecursionError:
        return None


def _without_prompts(session: str) -> str:
    """Return what was typed into a session of Python or IPython, without prompts and results."""
    typed, open_ = list[str](), False
    for line in session.split("\n"):
        first = _PROMPT.match(line)
        more = _CONTINUED.match(line) if open_ else None
        found = first or more
        open_ = found is not None
        if found:
            typed.append(line[found.end() :])
    return "\n".join(typed).strip("\n")


def _problem(code: str, *, prompts: bool = False) -> str:
    """Return why Python cannot run a cell, empty if it can; with `prompts`, prompts of a session are a problem."""
    if len(code) > _LONGEST:
        return ""
    try:
        text = code if prompts else _transformed(code)
        with ignored_warnings():
            compile(text, "<answer>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return f"it has a syntax error in line {error.lineno}" if error.lineno else "it has a syntax error"
    except (ValueError, MemoryError, OverflowError, RuntimeError):
        return "it is not valid Python"
    return ""


def _transformed(code: str) -> str:
    """Return a cell with IPython's magics and `!` commands as the Python calls that they are.

    Raises:
        SyntaxError: it is neither Python nor IPython.
    """
    if not _MAGIC_LINE.search(code):
        return code
    if len(_MAGIC_LINE.findall(code)) > _MOST_MAGICS:
        return "\n".join("pass" if re.match(r"\s*[%!]", line) else line for line in code.split("\n"))
    from IPython.core.inputtransformer2 import TransformerManager

    return str(TransformerManager().transform_cell(code))


def _does_something(code: str, before: str) -> bool:
    """Tell whether a text that nobody calls Python is Python, and more than values."""
    if len(code) > _LONGEST or _SHELL.search(code) or (code.startswith("%%") and not _CELL_MAGIC.match(code)):
        return False
    if _problem(code):
        return False
    text = _transformed(code)
    if "run_line_magic('pinfo" in text and "pinfo" not in code:
        # A question mark at the end asks IPython for help; here it ends a sentence.
        return False
    body = parse_python(text).body
    if any(map(_is_foreign, body)) or not any(map(_acts, body)):
        return False
    line = before.rstrip().rpartition("\n")[2]
    # What calls, imports or defines is not a printed result, whatever the line before announces.
    calls = any(isinstance(node, _CALLS) for statement in body for node in ast.walk(statement))
    return calls or not _OUTPUT.search(line)


def _acts(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return not _is_value(statement.value)
    if isinstance(statement, ast.AnnAssign):
        # `name: Ada` is a line of YAML, or of a log.
        return statement.value is not None
    return not isinstance(statement, ast.Pass)


def _is_value(node: ast.expr) -> bool:
    """Tell whether an expression is what a result, a path or a command without quotes looks like."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        printed = name in _PRINTED or name[:1].isupper()
        return printed and all(map(_is_value, [*node.args, *(each.value for each in node.keywords)]))
    if isinstance(node, (ast.Constant, ast.Name)):
        return True
    parts = (each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr))
    return isinstance(node, _OF_VALUES) and all(map(_is_value, parts))


def _is_foreign(statement: ast.stmt) -> bool:
    """Tell whether a line is `[section]`, as TOML and INI files have it, or `x <- 1`, as R assigns."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    if isinstance(value, ast.List):
        return len(value.elts) == 1 and isinstance(value.elts[0], (ast.Name, ast.Attribute))
    if not isinstance(value, ast.Compare):
        return False
    right = value.comparators[0]
    return (
        isinstance(value.ops[0], ast.Lt) and isinstance(right, ast.UnaryOp) and isinstance(right.op, ast.USub)
    )
