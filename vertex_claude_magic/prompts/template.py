r"""Prompt templates: `{{ path }}` is replaced by a value, and everything else stays byte for byte.

A path is a name followed by attributes and by integer or quoted-string indexes, as in `{{ df }}`,
`{{ cfg.title }}`, `{{ rows[0] }}` or `{{ cfg['a b'] }}`. Paths are read by Python's own parser and
looked up step by step; nothing is ever evaluated. Braces around anything else are not a template, nor are
runs of three or more braces, so JSON, LaTeX, f-strings, Helm and shell need no escaping. What looks
like a path with a call or an operator in it is an error and not a surprise; `\{{ x }}` is the literal.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import functools
import keyword
import re
import types
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vertex_claude_magic.errors import ClaudeError, OptionError
from vertex_claude_magic.prompts.scope import own_names
from vertex_claude_magic.spelling import Spelling, flag, spelled
from vertex_claude_magic.text import message_of, quote

__all__ = [
    "LITERALLY",
    "Attribute",
    "Index",
    "Placeholder",
    "index_cure",
    "is_path",
    "nearest",
    "parse_path",
    "parse_template",
    "value_of",
]

# Two braces and no third on either side, closed on the same line; quotes may hold braces.
_BRACES = re.compile(
    r"(?P<escape>\\?)(?<!\{)\{\{(?!\{)(?P<inner>(?:[^{}'\"\n]|'[^'\n]*'|\"[^\"\n]*\")*)\}\}(?!\})"
)
# What format strings have behind a value: a conversion, a format ("Format String Syntax", Python docs), or `=`.
_FORMATTED = re.compile(
    r"(?P<name>[^\W\d]\w*)(?:\.\w+|\[[^\]]*\])*\s*"
    r"(?:=|=?![rsa](?::.*)?|=?:(?:%.*|(?:.?[<>=^])?[-+]?z?#?0?\d*[_,]?(?:\.\d+)?[bcdeEfFgGnosxX%]?))"
)
_STARTS_LIKE_PATH = re.compile(r"[^\W\d]\w*")
_EXPRESSIONS = (ast.Call, ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Subscript, ast.Attribute,
                ast.NamedExpr)  # fmt: skip
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
# Words of Python's grammar, where a path has a name: a column may be called `class`, and a key `from`. Python's parser
# takes each for a name with this letter behind it, which ends no name.
_KEYWORD = re.compile(rf"{_QUOTED.pattern}|((?:^|(?<=\.))(?:{'|'.join(keyword.kwlist)})\b)")
_AS_NAME = "\N{LATIN LETTER SINOLOGICAL DOT}"
_LONGEST_PATH = 400
# Keys that are looked through for one that is spelt like the wrong one.
_MOST_KEYS = 10_000
# Methods that Cython and others compile.
_COMPILED_METHODS = frozenset(
    {"cython_function_or_method", "fused_cython_function", "builtin_function_or_method"}
)
# How braces are sent that are no template, for the cure of an error.
LITERALLY = spelled(
    r"\{{{{ sends the braces themselves, and {} sends the whole {} unchanged",
    flag("literal"),
    Spelling("body", "prompt"),
)
_MAY_HOLD = "A path is a name with .attributes and [indexes], such as {{ df }} or {{ rows[0].name }}"


@dataclass(frozen=True, slots=True)
class Attribute:
    """A step `.name`; on a mapping it is the key."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """A step `[3]` or `['key']`."""

    key: int | str


@dataclass(frozen=True, kw_only=True, slots=True)
class Placeholder:
    """A path: its source text, the name it starts from, and the steps.

    `in_braces` says that it is a template of a prompt; the name of a table or of an attachment is not.
    """

    source: str
    name: str
    steps: tuple[Attribute | Index, ...] = ()
    in_braces: bool = True

    @property
    def written(self) -> str:
        """How the user wrote it, for errors."""
        source = quote(self.source, 60)
        return f"{{{{ {source} }}}}" if self.in_braces else source


def parse_template(text: str, known: Container[str] = ()) -> tuple[str | Placeholder, ...]:
    r"""Take a prompt apart into texts and placeholders.

    Args:
        text: The prompt.
        known: Names that are there. Other braces than ours may have a colon behind a name.

    Raises:
        OptionError: something starts like a path and holds a call, an operator or a private attribute, or a format
            behind a known name.

    >>> [part if isinstance(part, str) else part.source for part in parse_template("Sum {{ rows[0].n }}, {x}")]
    ['Sum ', 'rows[0].n', ', {x}']
    >>> parse_template(r"\{{ x }} and {{ .Values.x }}")
    ('{{ x }} and {{ .Values.x }}',)
    """
    if "{{" not in text:
        return (text,) if text else ()
    parts: list[str | Placeholder] = []
    plain, position = "", 0
    for found in _BRACES.finditer(text):
        plain += text[position : found.start()]
        position = found.end()
        inner = found["inner"].strip()
        placeholder = None if found["escape"] else parse_path(inner)
        formatted = None if found["escape"] or placeholder else _FORMATTED.fullmatch(inner)
        if formatted and (name := formatted["name"]) in known:
            path = Placeholder(source=inner, name=name)
            raise _refused(path, "it contains a format, and values are not formatted")
        if placeholder is not None:
            parts += [plain, placeholder] if plain else [placeholder]
            plain = ""
        elif found["escape"] and "\\" not in found["inner"]:
            plain += found.group()[1:]
        else:
            # In LaTeX `\{{x\}}` the backslash belongs to the brace; an escape of ours has none within.
            plain += found.group()
    plain += text[position:]
    return (*parts, plain) if plain else tuple(parts)


def is_path(text: str) -> bool:
    """Tell whether a text is a path, such as an attachment's name that may be a variable.

    >>> is_path("df"), is_path("cfg['a b']"), is_path("notes.txt (old)")
    (True, True, False)
    """
    try:
        return parse_path(text) is not None
    except OptionError:
        return False


def parse_path(text: str, *, in_braces: bool = True) -> Placeholder | None:
    """Read a path; None for what is not a path at all.

    Args:
        text: The text.
        in_braces: Whether it is a template of a prompt.

    Raises:
        OptionError: it starts like a path and goes on otherwise.
    """
    if not _STARTS_LIKE_PATH.match(text) or len(text) > _LONGEST_PATH:
        return None
    from vertex_claude_magic.prompts.python_source import parse_expression

    try:
        node = parse_expression(_KEYWORD.sub(lambda found: found[0] + _AS_NAME * bool(found[1]), text))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    first = min(
        ast.walk(node), key=lambda each: (getattr(each, "col_offset", 10**9), not isinstance(each, ast.Name))
    )
    if not isinstance(node, (ast.Name, *_EXPRESSIONS)) or not isinstance(first, ast.Name):
        return None
    whole = Placeholder(source=text, name=text, in_braces=in_braces)
    steps: list[Attribute | Index] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            if node.attr.startswith("_"):
                raise _refused(whole, f"{quote(node.attr, 40)!r} is private")
            steps.append(Attribute(node.attr.removesuffix(_AS_NAME)))
        elif isinstance(node, ast.Subscript):
            key = None
            # Python's reader of literals takes `+1` too, which nobody writes for a place.
            if not (isinstance(node.slice, ast.UnaryOp) and isinstance(node.slice.op, ast.UAdd)):
                with contextlib.suppress(ValueError, TypeError):
                    key = ast.literal_eval(node.slice)
            if isinstance(key, bool) or not isinstance(key, (int, str)):
                raise _refused(whole, "an index is a whole number or a quoted string")
            steps.append(Index(key))
        else:
            what = "a call" if isinstance(node, ast.Call) else "an operator"
            raise _refused(whole, f"it contains {what}, and expressions are not evaluated")
        node = node.value
    if node.id.startswith("__") and node.id.strip("_"):
        raise _refused(whole, f"{quote(node.id, 40)!r} is private")
    if re.search(r"\s", _QUOTED.sub("", text)):
        # Go templates write `{{ range .Items }}`.
        return None
    return replace(whole, name=node.id.removesuffix(_AS_NAME), steps=tuple(reversed(steps)))


def _refused(path: Placeholder, why: str) -> OptionError:
    in_prompts = spelled("{}; assign anything else to a variable first. {}.", _MAY_HOLD, LITERALLY)
    return OptionError(
        f"{path.written} is not a path: {why}.",
        cure=in_prompts if path.in_braces else "Assign it to a variable first, and write its name.",
    )


def value_of(placeholder: Placeholder, names: Mapping[str, Any]) -> Any:
    """Look a path up, step by step.

    Raises:
        OptionError: a name, an attribute or an index is not there, a property failed, or the path ends at a
            method, which is not called.

    >>> value_of(parse_path("cfg.title"), {"cfg": {"title": "Ada"}})
    'Ada'
    """
    if placeholder.name not in names:
        what = f"No variable named {quote(placeholder.name, 60)!r}"
        error = _unknown(placeholder, what, own_names(names), placeholder.name)
        error.details["name"] = quote(placeholder.name)
        raise error
    value = names[placeholder.name]
    for step in placeholder.steps:
        owner = value
        try:
            if isinstance(step, Attribute):
                value = owner[step.name] if isinstance(owner, Mapping) else getattr(owner, step.name)
            elif isinstance(step.key, int) and hasattr(type(owner), "iloc") and step.key not in owner:
                # No such label, so an integer means a position; df[0] itself would look for a column.
                value = owner.iloc[step.key]
            else:
                value = owner[step.key]
        except ClaudeError:
            raise
        except Exception as error:
            # An attribute that the class defines is there, and failed.
            failed = (
                isinstance(step, Attribute)
                and not isinstance(owner, Mapping)
                and any(step.name in vars(each) for each in type(owner).__mro__)
            )
            if isinstance(error, (AttributeError, KeyError, IndexError, TypeError)) and not failed:
                raise _missing(placeholder, owner, step) from None
            raise OptionError(
                f"{placeholder.written} failed with {type(error).__name__}: {quote(message_of(error), 100)}.",
                cure="Look at it in a cell of its own.",
            ) from error
        if step is placeholder.steps[-1] and isinstance(step, Attribute) and _is_method(value, owner):
            path = quote(placeholder.source, 60)
            raise OptionError(
                f"{placeholder.written} is a method, and its result is not known before it is called.",
                cure=f"Assign {path}() to a variable and use that; "
                f"to send its source, assign {path} itself to a variable.",
            )
    return value


def _is_method(value: Any, owner: Any) -> bool:
    """Tell whether a value is a method of an object; those of a class or a module are code that may be asked about."""
    if isinstance(owner, (type, types.ModuleType)):
        return False
    if isinstance(value, functools.partial):
        return _is_method(value.func, owner)
    bound = getattr(value, "__self__", None)
    callables = (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType)
    if isinstance(value, callables) or type(value).__name__ in _COMPILED_METHODS:
        return bound is not None and not isinstance(bound, types.ModuleType)
    return False


def _missing(placeholder: Placeholder, value: Any, step: Attribute | Index) -> OptionError:
    kind = type(value).__name__
    keys: list[Any] = []
    with contextlib.suppress(Exception):  # only a hint is lost
        keys = list(value.keys()) if callable(getattr(value, "keys", None)) else []
    known = [key for key in keys[:_MOST_KEYS] if isinstance(key, str)]
    wanted = str(step.key) if isinstance(step, Index) else step.name
    if isinstance(step, Index):
        size = f" (it has {len(value):,})" if isinstance(value, Sequence) else ""
        what = f"This {kind} has no item at {quote(repr(step.key), 60)}{size}"
        known = known if isinstance(step.key, str) else []
    elif isinstance(value, Mapping):
        what = f"This {kind} has no key {quote(wanted, 60)!r}"
    else:
        what = f"This {kind} has no attribute {quote(wanted, 60)!r}"
        # Of what has columns a name that is nearly one is meant for a column, and not for one of a hundred methods.
        known = known or [name for name in dir(value) if name[0] != "_"]
    return _unknown(placeholder, what, known, wanted, index_cure(value, wanted))


def index_cure(value: Any, name: str) -> str:
    """Return what to do where a name is a level of the index of a table, and no column; else an empty text.

    >>> import pandas as pd
    >>> index_cure(pd.DataFrame({"n": [1]}, index=pd.Index(["a"], name="g")), "g")
    "'g' is in the index: assign the table with .reset_index() to a variable, and use that."
    """
    levels: list[Any] = []
    with contextlib.suppress(Exception):  # only a hint is lost
        levels = [*value.index.names]
    # One without a name becomes the column `index`.
    if name not in (["index"] if levels == [None] else levels):
        return ""
    return f"{quote(name, 40)!r} is in the index: assign the table with .reset_index() to a variable, and use that."


def nearest(wanted: str, known: Sequence[str]) -> str:
    """Return the known name that is most like one that is not there; empty if none is like it.

    >>> nearest("prise", ["price", "size"]), nearest("PRICE", ["price"]), nearest("n", ["price"])
    ('price', 'price', '')
    """
    near = difflib.get_close_matches(wanted[:80], [name for name in known if len(name) <= 80], n=1)
    return next(iter(near), "") or next((name for name in known if name.lower() == wanted.lower()), "")


def _unknown(
    placeholder: Placeholder, what: str, known: list[str], wanted: str, cure: str = ""
) -> OptionError:
    near = nearest(wanted, known)
    hint = f"Did you mean {quote(near, 60)}? " if near else ""
    found = spelled("{}{}.", hint, LITERALLY) if placeholder.in_braces else hint.rstrip()
    # A name alone is already in the message.
    whole = f" (in {placeholder.written})" if placeholder.steps else ""
    return OptionError(f"{what}{whole}.", cure=cure or found or "Look at it in a cell of its own.")
