"""Saved prompts: `prompts/NAME.md` beside a notebook, with options, defaults and a description at the top.

The top is TOML between two lines of `+++`. What is there comes below whatever the user says and is held to the rules
of `found_options`, because the folder may be somebody else's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.prompts.template import Placeholder, parse_template
from vertex_claude_magic.settings.found_files import found_names, found_text
from vertex_claude_magic.settings.found_options import line_of, read_options, read_toml
from vertex_claude_magic.spelling import option
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

__all__ = ["SavedPrompt", "parse_prompt", "prompt_names", "read_prompt"]

_FENCE = "+++"
_LONGEST = 400_000


class SavedPrompt(NamedTuple):
    """A saved prompt.

    Args:
        name: Its name, that of the file without `.md`.
        text: The text, with `{{ key }}` in it.
        options: Options of the question.
        defaults: Values for keys that nobody gives.
        description: What it is for.
    """

    name: str
    text: str
    options: Mapping[str, Any]
    defaults: Mapping[str, Any]
    description: str = ""

    def keys(self) -> tuple[str, ...]:
        """Return the names that `{{ }}` in the text begin with, each once.

        >>> from pathlib import Path
        >>> parse_prompt("Explain {{ word }} to {{ reader.name }}.", "explain", Path()).keys()
        ('word', 'reader')
        """
        parts = parse_template(self.text)
        return tuple(dict.fromkeys(part.name for part in parts if isinstance(part, Placeholder)))

    def filled(
        self,
        given: Mapping[str, Any],
        names: Mapping[str, Any],
        more: str = "",
        *,
        columns: Collection[str] = (),
    ) -> dict[str, Any]:
        """Return the values for the keys: those that are given, then the variables, then the defaults.

        Args:
            given: Values by key, as `--with` gives them.
            names: The user's variables.
            more: The text that goes below the prompt; its keys count too.
            columns: Keys that each row of a table fills; no value of another place stands for them.

        Raises:
            OptionError: a key has no value, or one that is given is none of its keys.
        """
        values = {**self.defaults, **names, **given}
        values = {key: value for key, value in values.items() if key not in columns or key in names}
        keys = self.keys()
        below = {part.name for part in parse_template(more) if isinstance(part, Placeholder)}
        if odd := [key for key in given if key not in keys and key not in below]:
            raise OptionError(
                f"The prompt {self.name!r} has no key {quote(odd[0], 40)!r}.",
                cure=f"Its keys are {', '.join(keys)}." if keys else "It has none.",
            )
        if missing := [key for key in keys if key not in values and key not in columns]:
            words = " ".join([option("with_", f"{key}=VALUE").cell for key in missing])
            several = "s" if len(missing) > 1 else ""
            raise OptionError(
                f"The prompt {self.name!r} has no value for the key{several} {', '.join(missing)}.",
                cure=f"Give {words}, or make a variable of that name.",
                details={"missing": missing},
            )
        return values


def prompt_names(folder: Path) -> list[str]:
    """Return the names of the prompts in a folder, sorted; none where there is no such folder."""
    return found_names(folder, ".md")


def read_prompt(name: str, folder: Path) -> SavedPrompt:
    """Read a saved prompt.

    Args:
        name: Its name.
        folder: The folder of saved prompts.

    Raises:
        OptionError: there is none of this name, it cannot be read, or its top says what no such file may say.
    """
    text = found_text(name, folder, ".md", kind="a saved prompt", place="prompts")
    return parse_prompt(text, name, folder)


def parse_prompt(text: str, name: str, folder: Path) -> SavedPrompt:
    r"""Read the text of a saved prompt.

    Args:
        text: The content of the file.
        name: Its name.
        folder: The folder of the file; attachments must be in it.

    Raises:
        OptionError: its top is not TOML, or says what no such file may say; the message names the line.

    >>> from pathlib import Path
    >>> found = parse_prompt('+++\nmodel = "haiku"\n[defaults]\nn = 3\n+++\nGive {{ n }} examples.\n', "a", Path())
    >>> found.text, found.options, found.defaults
    ('Give {{ n }} examples.', {'model': 'haiku'}, {'n': 3})
    """
    label = f"prompts/{name}.md"
    if len(text) > _LONGEST:
        raise OptionError(
            f"{label} is longer than {_LONGEST:,} characters.", cure="Attach long texts instead."
        )
    lines = text.split("\n")
    top: list[str] = []
    if lines[0].rstrip() == _FENCE:
        ends = [number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == _FENCE]
        if not ends:
            raise OptionError(
                f"{label}, line 1: the front matter is not closed.", cure=f"Write {_FENCE} below it."
            )
        top, lines = lines[1 : ends[0]], lines[ends[0] + 1 :]
    table = read_toml("\n".join(top), label, before=1)

    def where(key: str) -> str:
        return f"{label}, line {line_of([_FENCE, *top], key)}"

    description = table.pop("description", "")
    if not isinstance(description, str):
        raise OptionError(
            f"{where('description')}: the description is not text.", cure="Put it between quotes."
        )
    sections: list[dict[str, Any]] = []
    for section in ("options", "defaults"):
        found = table.pop(section, {})
        if not isinstance(found, dict):
            raise OptionError(f"{where(section)}: {section} is not a section.", cure=f"Write [{section}].")
        sections.append(found)
    options, defaults = sections
    # Options may be at the top without a section, as most files have one or two.
    twice = sorted(table.keys() & options.keys())
    if twice:
        raise OptionError(f"{where(twice[0])}: {quote(twice[0], 40)} is given twice.", cure="Set it once.")
    read = read_options({**table, **options}, folder, where)
    return SavedPrompt(name, "\n".join(lines).strip("\n"), read, defaults, description)
