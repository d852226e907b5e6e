"""Texts that libraries make of objects, without what differs from process to process, and what such a text leaves out.

Python prints memory addresses (`<function f at 0x7f...>`), and sets in an order that depends on `PYTHONHASHSEED`;
with either of them the same question would never be found again in a recording.
"""

from __future__ import annotations

import ast
import itertools
import re

from vertex_claude_magic.prompts.python_source import parse_expression

__all__ = ["is_elided", "is_name_only", "named_only", "stable_text", "without_addresses"]

# Either ` at 0x...`, or a bare number of this kind within angle brackets.
_ADDRESS = re.compile(
    r" at 0x[0-9a-fA-F]{5,}\b|(?<=<)(?P<head>[^<>\n]{1,200}?)(?: at)? 0x[0-9a-fA-F]{8,}(?=[^<>\n]*>)"
)
# Mocks show their identity as a number.
_IDENTITY = re.compile(r"(?<=<)([^<>\n]{1,200}?) id='\d{6,}'")
_NAME_ONLY = re.compile(
    r"<(?:[^<>\n]|<locals>){1,300} at 0x[0-9a-fA-F]+>|<(?:[\w.]|<locals>){1,200} object>"
    r"|<[^<>\n]{1,200} id='\d{6,}'>"
)
_NAMED = re.compile(r"<((?:[\w.]|<locals>)+) object at 0x[0-9a-fA-F]{5,}>")
# Three dots as an element of their own: between commas, brackets and blanks, or as a line.
_DOTS = re.compile(r"(?:^|[\s,(\[{])(?:\.\.\.|…|⋮|\.\. \.\.)(?=$|[\s,)\]}>])")
_TOKEN = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|[{}]|[^'\"{}]+|['\"]")
_LONGEST_SET = 20_000
_MOST_LOOKED_AT = 1_000_000


def stable_text(text: str) -> str:
    """Return the repr of an object without memory addresses, the elements of sets in order.

    >>> stable_text("Step(func=<function clean at 0x7f22f8408a40>, words={'b', 'a'})")
    "Step(func=<function clean>, words={'a', 'b'})"
    """
    text = without_addresses(text)
    if "{" not in text or len(text) > _MOST_LOOKED_AT:
        return text
    groups: list[list[str]] = [[]]
    for each in _TOKEN.findall(text):
        if each == "{":
            groups.append(["{"])
        elif each == "}" and len(groups) > 1:
            group = "".join([*groups.pop(), "}"])
            groups[-1].append(_sorted_set(group))
        else:
            groups[-1].append(each)
    return "".join(part for group in groups for part in group)


def _sorted_set(text: str) -> str:
    """Sort a set of texts as Python prints it; the order of numbers does not depend on the process."""
    if len(text) > _LONGEST_SET or not ("'" in text or '"' in text):
        return text
    try:
        node = parse_expression(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
    if not isinstance(node, ast.Set):
        return text
    lines = text.encode().split(b"\n")
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
    whole = text.encode()
    places = [
        (
            starts[each.lineno - 1] + each.col_offset,
            starts[(each.end_lineno or 1) - 1] + (each.end_col_offset or 0),
        )
        for each in node.elts
    ]
    written = sorted(whole[begin:end] for begin, end in places)
    between = [whole[end:begin] for (_, end), (begin, _) in itertools.pairwise(places)]
    pieces = [whole[: places[0][0]]]
    for element, gap in zip(written, [*between, whole[places[-1][1] :]], strict=True):
        pieces += [element, gap]
    return b"".join(pieces).decode()


def without_addresses(text: str) -> str:
    """Take memory addresses out of a text.

    >>> without_addresses("<bound method Run.go of <Run object at 0x7f93af1c1110>>")
    '<bound method Run.go of <Run object>>'
    """
    if "0x" in text:
        text = _ADDRESS.sub(lambda found: found["head"] or "", text)
    return _IDENTITY.sub(r"\1", text) if " id='" in text else text


def is_name_only(text: str) -> bool:
    """Tell whether a text is no more than the name of a class, with or without an address.

    >>> is_name_only("<Run object at 0x7f93af1c1110>"), is_name_only("<Run of 3 epochs>")
    (True, False)
    """
    return len(text) < 1_000 and _NAME_ONLY.fullmatch(text) is not None


def named_only(text: str) -> list[str]:
    """Return the classes of which a text shows objects by no more than their names.

    >>> named_only("Pipeline(steps=[('own', <__main__.Custom object at 0x7f93af1c1110>)])")
    ['Custom']
    """
    names = (found.rpartition(".")[2] for found in _NAMED.findall(text[:_MOST_LOOKED_AT]))
    return list(dict.fromkeys(names))


def is_elided(text: str) -> bool:
    """Tell whether a library has put dots in the place of values.

    >>> is_elided("tensor([0., 1., ..., 9.])"), is_elided("to be continued...")
    (True, False)
    """
    return _DOTS.search(text[:_MOST_LOOKED_AT]) is not None
