"""The JSON in the text of an answer: bare, in a code fence, or with prose around it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NoReturn

from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vertex_claude_magic.json_types import Json

__all__ = ["DECODER", "TOO_DEEP", "json_values", "missing_json", "read_json_text", "unfenced"]

TOO_DEEP = "it is nested too deeply"
_LONGEST_QUOTE = 60
_MOST_OPENINGS = 1_000
_ONE_FENCE = re.compile(r"(`{3,}|~{3,})[^\n]*\n(.*?)\n?[ ]{0,3}\1[`~]*", re.DOTALL)
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_OPENING = re.compile(r"[\[{]")
_LINE_END = re.compile(r"[ \t\r]*(?:\n|\Z)")
_OPENINGS = re.compile(r"[\[{\s]*")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


# Python's own decoder takes NaN and Infinity, which RFC 8259 does not have.
DECODER = json.JSONDecoder(parse_constant=_no_constant)


def unfenced(text: str) -> str:
    """Return what is inside if the whole text is one fenced block, else the text.

    >>> unfenced('```json\\n{"a": 1}\\n```')
    '{"a": 1}'
    """
    fence = _ONE_FENCE.fullmatch(text.strip())
    return fence[2] if fence else text


def read_json_text(text: str) -> Json:
    """Return the value of an answer that should be JSON, None if it is not.

    >>> read_json_text('~~~\\n[1, 2]\\n~~~')
    [1, 2]
    """
    try:
        value: Json = DECODER.decode(unfenced(text))
    except (ValueError, RecursionError):
        return None
    return value


def json_values(text: str) -> Iterator[tuple[int, Json]]:
    """Yield the JSON values that a text may mean, the likeliest first, each with its length in characters.

    The text itself, then code blocks, then values on a line of their own, then values in a sentence. Of each the last
    comes first: what is before it may be an example or a draft.

    >>> list(json_values('Here [sic] it is: {"a": 1}.'))
    [(8, {'a': 1})]
    """
    for each in dict.fromkeys((text, *reversed([*_fenced_texts(text)]))):
        try:
            yield len(each), DECODER.decode(each.strip())
        except (ValueError, RecursionError):
            continue
        if each is text:
            return
    found: list[tuple[bool, int, Json]] = []
    position = 0
    for _ in range(_MOST_OPENINGS):
        opening = _OPENING.search(text, position)
        if opening is None:
            break
        start = opening.start()
        try:
            value, position = DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            first = _OPENINGS.match(text, start).end()  # type: ignore[union-attr] # it can match nothing
            if error.pos > first and text[first] == '"':
                # Broken JSON: a value inside it is not the answer.
                break
            position = max(start + 1, error.pos)
        except (ValueError, RecursionError):
            break
        else:
            before = text[max(0, start - 80) : start].rpartition("\n")[2]
            in_sentence = bool(before.strip()) or _LINE_END.match(text, position) is None
            found.append((in_sentence, position - start, value))
    found.reverse()
    for _, size, value in sorted(found, key=lambda each: each[0]):
        yield size, value


def _fenced_texts(text: str) -> Iterator[str]:
    """Yield what is in the code fences of a text, also where the last one was never closed."""
    if not text.lstrip().startswith(("`" * 20, "~" * 20)):
        # Against so many marks the pattern would be slow.
        yield unfenced(text)
    fence = ""
    inside: list[str] = []
    for line in text.splitlines(keepends=True) if "```" in text or "~~~" in text else ():
        found = _FENCE.match(line)
        if not fence and found:
            fence, inside = found[1], []
        elif fence and found and found[1].startswith(fence):
            yield "".join(inside)
            fence = ""
        elif fence:
            inside.append(line)
    if fence:
        yield "".join(inside)


def missing_json(text: str) -> str:
    """Say why there is no JSON in a text.

    >>> missing_json('{"a": ')
    'the JSON ends too early: {"a":'
    """
    text = text.strip()
    if not text:
        return "there is no answer"
    try:
        DECODER.decode(text)
    except RecursionError:
        return TOO_DEEP
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text) or error.msg.startswith("Unterminated")
        return f"{'the JSON ends too early' if cut else 'it is not JSON'}: {quote(text, _LONGEST_QUOTE)}"
    except ValueError as error:
        return str(error)
    return "it is not JSON"
