"""The `%%claude` line that asks as the session is set, for another notebook or for a colleague."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vertex_claude_magic.settings.registry import LINE_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.settings.target import Target

__all__ = ["magic_line"]

_SHORT = ("model", "region", "project", "system", "max_tokens")
# These are on the line even where they are the default, because a colleague's environment may say otherwise.
_ALWAYS = ("model", "region")


def magic_line(target: Target, *, hide_system: bool = False) -> str:
    r"""Return the line of a `%%claude` cell that gives these options to a session without settings.

    A system text of several lines does not fit on it and is left out. Settings that have no option
    (`base_url`, `anthropic_version`, `trusted_hosts`, `models_file`) stay settings.

    Args:
        target: The settings of a session.
        hide_system: Show only how long the system text is; such a line cannot be run.

    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> print(magic_line(resolve_target(AskOptions(model="opus", region="eu", max_tokens=500, system='Say "hi".'))))
    %%claude -m opus -r eu -s "Say \"hi\"." -n 500
    """
    words = ["%%claude"]
    for option in dict.fromkeys(LINE_OPTIONS.values()):
        name = option.short if option.name in _SHORT else option.long
        given = option.name in _ALWAYS or target.origins.get(option.name) in {"setting", "option"}
        value = getattr(target, option.name) if given else None
        if option.name == "system" and (not isinstance(value, str) or len(value.splitlines()) > 1):
            value = None
        if option.name == "system" and hide_system and value:
            words.append(f"{name} '… {len(str(value)):,} characters …'")
        elif value is True:
            words.append(name)
        else:
            words += [f"{name} {_quoted(text)}" for text in _texts(value)]
    return " ".join(words)


def _texts(value: str | float | Sequence[str] | Mapping[str, str] | None) -> list[str]:
    if value is None or value is False or value == "":
        return []
    if isinstance(value, (tuple, list)):
        return [str(each) for each in value]
    if isinstance(value, Mapping):
        return [f"{key}={each}" for key, each in value.items()]
    return [str(value)]


def _quoted(text: str) -> str:
    plain = text and not any(letter.isspace() or letter in "'\"" for letter in text) and text[0] != "-"
    if plain:
        return text
    # Inside double quotes the reader of the line takes a backslash before a quote or a backslash away.
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
