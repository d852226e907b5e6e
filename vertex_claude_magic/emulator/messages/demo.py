"""What the emulator answers in demo mode: texts written by hand for the prompts of the examples.

The texts are in `demo.md`. A comment before each holds words of the prompt that it answers; every
other prompt gets two lines. Who answered is in the footer of each answer, not in these texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from vertex_claude_magic.emulator.messages.samples import sample

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json

__all__ = ["PROMPTS", "demo_data", "demo_text", "schema_in"]

_SECTION = re.compile(r"^<!-- prompt: (.+?) -->\n", re.MULTILINE)
# What stands around a value of a variable; its name and type are not words of the prompt.
_DATA_TAG = re.compile(r"</?data\b[^>]*>")
# The cells that `--context` sends, which may be examples: the question comes after them.
_CONTEXT = re.compile(r'<data name="(?:[a-z ]+ of )?cell \d+".*?</data>', re.DOTALL)
_SCHEMA = re.compile(r"JSON schema:\n(\{.*\})\s*\Z", re.DOTALL)
_WHOLE_NUMBER = re.compile(r"\*\*(\d+)\*\*\.?")
_ROW = re.compile(r"^\| (.+) \|$", re.MULTILINE)
_OTHER = (
    "This is the emulator, not Claude: it can only answer the example prompts, such as "
    "“{prompt}”.\nYour prompt has about {tokens:,} tokens; `%%claude --dry-run` shows the whole request."
)
# What `%claude_demo` suggests.
PROMPTS = (
    "Which assumptions does a t-test make, and which of them matter?",
    "Explain Simpson's paradox with a small table.",
    "Write a function that bootstraps a confidence interval for the median.",
)


@cache
def _answers() -> Mapping[str, str]:
    text = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    pieces = _SECTION.split(text)[1:]
    return MappingProxyType(
        {_plain(words): answer for words, answer in zip(pieces[::2], pieces[1::2], strict=True)}
    )


def _plain(text: str) -> str:
    return " ".join(_DATA_TAG.sub("", _CONTEXT.sub("", text)).casefold().replace("’", "'").split())


def _written(prompt: str) -> str | None:
    asked = _plain(prompt)
    found = [words for words in _answers() if words in asked]
    # The longer words are the closer match.
    return _answers()[max(found, key=len)].strip() + "\n" if found else None


def demo_text(prompt: str, tokens: int) -> str:
    """The answer to a prompt of the examples, or two lines for any other; `tokens` is what the request counts.

    >>> demo_text("What's the capital of Mongolia?", 9)
    '**Ulaanbaatar.**\\n'
    >>> demo_text("Hello", 2).startswith("This is the emulator, not Claude")
    True
    """
    return _written(prompt) or _OTHER.format(prompt=PROMPTS[0], tokens=tokens) + "\n"


def schema_in(prompt: str) -> Json:
    """Return the JSON schema that a prompt ends with, None if it ends otherwise.

    That is how a type is asked for of which structured outputs know nothing.

    >>> schema_in('How many? Answer with JSON that fits this JSON schema:\\n{"type": "integer"}')
    {'type': 'integer'}
    """
    found = _SCHEMA.search(prompt)
    try:
        schema: Json = json.loads(found[1]) if found else None
    except (ValueError, RecursionError):
        return None
    return schema


def demo_data(prompt: str, schema: Json) -> Json:
    """The table or the number of a written answer in the form of a schema, else a value made from the schema alone.

    >>> demo_data("Hello", {"type": "integer"})
    1
    """
    written = _written(prompt) or ""
    rows = [row.split(" | ") for row in _ROW.findall(written)]
    value = sample(schema)
    number = _WHOLE_NUMBER.fullmatch(written.strip())
    if number and isinstance(value, dict) and type(value.get("value")) is int:
        return {**value, "value": int(number[1])}
    if not rows or not isinstance(value, dict):
        return value
    # "---|---" has no spaces, so it is not a row.
    columns, cells = rows[0], [[_number(cell) for cell in row] for row in rows[1:]]
    if set(value) == {"columns", "rows"}:
        return {"columns": columns, "rows": cells}
    items = value.get("items")
    first = items[0] if isinstance(items, list) and items else None
    if set(value) == {"items"} and isinstance(first, Mapping) and set(first) <= set(columns):
        return {"items": [{name: row[columns.index(name)] for name in first} for row in cells]}
    return value


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
