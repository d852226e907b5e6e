#!/usr/bin/env bash
# docstring_parser 0.18.0: what a docstring in Google's style says below its arguments is dropped, and what one of
# Sphinx says there is taken for a part of the last argument. So the SDK of Anthropic does not tell a model the rules
# of a tool.
#
# Expected: the description has all that is said of the function. Paragraphs and sections such as `Note:` may stand
# below the arguments: the documentation of Napoleon ("Sections") lists them. In reStructuredText a line at the margin
# behind a blank line ends the field ("Field lists" in the docutils documentation). The SDK's tools.md says that
# `beta_tool` looks at the docstring.
#
# Happens: in Google's style text at the margin below `Args:` is in no part of the result, whatever it says; above
# `Args:` the same text is in the description. In the style of Sphinx it goes to the description of the last argument,
# or of the result, which is not sent. In numpy's style Notes and Warnings are kept apart, and the SDK does not send
# them. No error, no warning.
#
# Concerns: functions that become tools of language models. "Never call this for room 12" and "each call costs 100
# EUR" stand in the code, and the model calls the function for room 12. Command lines that are made of docstrings lose
# the text too. A way out is to put rules above the arguments, or to give `description=`.
#
# Known? In part: that unknown sections are cut off is meant to keep them out of an argument
# (https://github.com/rr-/docstring_parser/pull/31). Of tools nothing was found in the issues of both (searched
# 2026-11).
#
# This product puts such text above the arguments before it is parsed (chats/tools/function.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "docstring-parser==0.18.0" "anthropic[vertex]==2.14.0" "pydantic==2.14.4"

cat >"$folder/hotel.py" <<'PYTHON'
def above(room: str) -> str:
    """Book a room.

    Never call this for room 12.

    Warning:
        Each call costs 100 EUR.

    Args:
        room: Its number.
    """


def google(room: str) -> str:
    """Book a room.

    Args:
        room: Its number.

    Never call this for room 12.

    Warning:
        Each call costs 100 EUR.

    Returns:
        The booking.
    """


def sphinx(room: str) -> str:
    """Book a room.

    :param room: Its number.

    Never call this for room 12.
    """


def sphinx_result(room: str) -> str:
    """Book a room.

    :param room: Its number.
    :returns: The booking.

    Never call this for room 12.
    """


def numpy(room: str) -> str:
    """Book a room.

    Parameters
    ----------
    room : str
        Its number.

    Warnings
    --------
    Each call costs 100 EUR.
    """
PYTHON

cd "$folder"
venv/bin/python - <<'PYTHON'
import sys
from importlib.metadata import version

import hotel
from anthropic import beta_tool
from docstring_parser import DocstringStyle, parse

print(*(f"{name} {version(name)}" for name in ("docstring-parser", "anthropic")))


def told(function):
    tool = beta_tool(function).to_dict()
    return tool["description"], tool["input_schema"]["properties"]["room"]["description"]


found = {name: told(getattr(hotel, name)) for name in ("above", "google", "sphinx", "sphinx_result", "numpy")}
for name, tool in found.items():
    print(f"{name:14}", *map(repr, tool))
parsed = parse(hotel.google.__doc__, DocstringStyle.GOOGLE)
kept = [parsed.description, *(each.description for each in parsed.meta)]
print("all that is kept of the docstring in Google's style:", kept)
rule, cost = "Never call this for room 12.", "Each call costs 100 EUR."
if found["above"] != (f"Book a room.\n\n{rule}\n\nWarning:\n    {cost}", "Its number."):
    sys.exit("No longer as described: text above the arguments is not sent either.")
lost = ("Book a room.", "Its number.")
if [found["google"], found["sphinx_result"], found["numpy"]] != [lost] * 3 or rule in "".join(map(str, kept)):
    sys.exit("No longer as described: text below the arguments is sent, or kept.")
if found["sphinx"] != ("Book a room.", f"Its number.\n{rule}"):
    sys.exit("No longer as described: in the style of Sphinx it is not taken for a part of the argument.")
print("As described: rules below the arguments are dropped, or said of the last argument.")
PYTHON
