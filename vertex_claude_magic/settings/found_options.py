"""Options in a file beside a notebook: a policy, a saved prompt.

Such a file comes with a folder that somebody else may have made, so it may not say where a question goes, lift a
check, read what is outside of its folder, or have an expression evaluated.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.settings.options import check_value
from vertex_claude_magic.settings.registry import OPTIONS, keyword_of
from vertex_claude_magic.spelling import in_python
from vertex_claude_magic.text import nearest, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from vertex_claude_magic.settings.registry import Option

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["line_of", "read_option", "read_options", "read_toml"]

# Characters; such a file has a few lines.
_LONGEST = 200_000

# What is only on a line is about one cell, sends what the user has not chosen to send, or names a file of this kind.
_ON_LINE = {"line"}
# What a file may never set: where a question and the token go, who pays, what is checked, what is kept.
_NEVER = frozenset(
    {"base_url", "trusted_hosts", "project", "header", "force", "allow_secrets", "journal", "recording"}
)
_TOOL_FIELDS = frozenset({"tools", "mcp_servers", "tool_choice", "container"})
# What TOML has for a value of a kind, where `check_value` takes more or names it otherwise.
_KINDS: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "flag": (bool, "true or false"),
    "confirm": (bool, "true or false"),
    "texts": (list, "a list of strings"),
    "fields": (dict, "a table"),
    "objects": (list, "a list"),
    "any": ((str, int, dict), "a string"),
}


def read_options(table: Mapping[str, Any], folder: Path, where: Callable[[str], str]) -> dict[str, Any]:
    """Return the options of a table under the names of the Python interface.

    Args:
        table: Names as on a line or in Python (`max-tokens`, `max_tokens`), and values.
        folder: The folder of the file.
        where: Returns what names the file and the line of a name, for messages.

    Raises:
        OptionError: an option is unknown, is none that a file may set, or has a value that it cannot take.

    >>> from pathlib import Path
    >>> read_options({"max-tokens": 500}, Path(), lambda name: "a.md")
    {'max_tokens': 500}
    """
    options: dict[str, Any] = {}
    for name, value in table.items():
        key = keyword_of(name.replace("-", "_"))
        row = OPTIONS.get(key)
        if row is None:
            offered = [each for each, row in OPTIONS.items() if each not in _NEVER and row.places != _ON_LINE]
            near = nearest(key, offered).rstrip("_")
            raise OptionError(
                f"{where(name)}: there is no option {quote(name, 40)!r}.",
                cure=f"Did you mean {near}?" if near else "See %%claude --help all.",
            )
        if key in _NEVER:
            raise OptionError(f"{where(name)}: a file may not set {key}.", cure="Remove the line.")
        if row.places == _ON_LINE:
            written = key.rstrip("_")
            raise OptionError(f"{where(name)}: {written} is given on the line only.", cure="Remove the line.")
        options[row.name] = read_option(row, value, folder, where(name))
    if options.get("tools") and options.get("confirm") is not True:
        raise OptionError(
            f"{where('tools')}: tools are given without confirm = true.",
            cure="A file may switch tools on only where each call is confirmed.",
        )
    return options


def read_option(row: Option, value: Any, folder: Path, where: str) -> Any:
    """Return the value of an option as a file may give it.

    Args:
        row: The option.
        value: What the file says.
        folder: The folder of the file; attachments must be in it.
        where: What names file and line, for messages.

    Raises:
        OptionError: it is of the wrong kind, out of range, an expression, or a file elsewhere.
    """
    kind, wanted = _KINDS.get(row.kind, (object, ""))
    fits = isinstance(value, kind)
    if not fits or (row.kind == "any" and isinstance(value, bool)):
        raise OptionError(f"{where}: {row.name} is {quote(repr(value), 60)}.", cure=f"Give {wanted}.")
    try:
        check_value(row, value)
    except OptionError as error:
        # A file names an option as Python does.
        raise OptionError(f"{where}: {in_python(error.message)}", cure=in_python(error.cure)) from None
    if row.name == "set" and (found := sorted(_TOOL_FIELDS & value.keys())):
        raise OptionError(f"{where}: a file may not set the field {found[0]}.", cure="Remove it.")
    if row.name == "as_":
        # Looked up by name, so that no subscript runs code of a class.
        if isinstance(value, str) and not value.isidentifier():
            raise OptionError(
                f"{where}: as is neither the name of a type nor a JSON schema.",
                cure='Write as = "City", or a table with the schema.',
            )
        return value
    if row.name == "attach":
        return tuple(_inside(each, folder, where) for each in value)
    return tuple(value) if row.kind in {"texts", "objects"} else value


def _inside(name: Any, folder: Path, where: str) -> Path:
    """Return the path of an attachment, which must be in the folder also behind links."""
    if not isinstance(name, str):
        raise OptionError(
            f"{where}: an attachment must be the path of a file.", cure="Use a list of strings."
        )
    home = folder.resolve()
    path = (home / name).resolve()
    if not path.is_relative_to(home):
        raise OptionError(
            f"{where}: the attachment {quote(name, 60)!r} is outside the folder of the file.",
            cure="Put it there, or attach it on the line.",
        )
    return path


def read_toml(text: str, label: str, *, before: int = 0) -> dict[str, Any]:
    r"""Read TOML.

    Args:
        text: The text.
        label: What names the file, for messages.
        before: How many lines of the file are before it.

    Raises:
        OptionError: it is none; the message names the line.

    >>> read_toml("a = 1\nb = ", "x.toml")
    Traceback (most recent call last):
    vertex_claude_magic.errors.OptionError: x.toml, line 2: invalid value. Correct the TOML.
    """
    if len(text) > _LONGEST:
        raise OptionError(f"{label} is longer than {_LONGEST:,} characters.", cure="Make it shorter.")
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        why = re.sub(r" \(at .*\)$", "", str(error))
        raise OptionError(
            f"{label}, line {before + line}: {quote(why[:1].lower() + why[1:], 100)}.",
            cure="Correct the TOML.",
        ) from None
    except RecursionError:
        raise OptionError(f"{label}: the TOML is nested too deeply.", cure="Correct the TOML.") from None
    return table


def line_of(lines: Iterable[str], key: str) -> int:
    r"""Return the line (from 1) in which TOML gives a key a value, or begins the table of this name; 1 if none does.

    >>> line_of(["a = 1", "[[checks]]"], "checks"), line_of(["a = 1"], "b")
    (2, 1)
    """
    written = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[=.]|\s*\[+\s*["']?{re.escape(key)}\b""")
    return next((number for number, line in enumerate(lines, start=1) if written.match(line)), 1)
