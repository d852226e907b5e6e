"""Pages that a magic shows at once: the model table, the present settings, the help."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError, quote
from vertex_claude_magic.notebook import models_table
from vertex_claude_magic.notebook.options import parse_prompt_line
from vertex_claude_magic.session.options import AskOptions, find_setting, merge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.catalog import Catalog
    from vertex_claude_magic.session.options import Found

__all__ = ["settings_rows", "show_help", "show_models", "show_page", "show_settings"]

_DEMO = "%claude_demo"
_SETTINGS = ("model", "region", "project", "max_tokens", "effort", "thinking", "system", "format", "timeout",
             "anthropic_version", "base_url", "replay", "recording", "journal")  # fmt: skip


def show_page(shell: Any, html: str, plain: str) -> None:
    """Show one static output that reads well with and without HTML."""
    shell.display_pub.publish(data={"text/html": html, "text/plain": plain}, metadata={})


def show_models(magics: Any, line: str) -> None:
    """Run `%claude_models [FAMILY] [--region LOC]`.

    Raises:
        OptionError: the family is not in the table.
    """
    parsed = parse_prompt_line(line)
    unknown = set(parsed.options) - {"region"}
    catalog = magics.client().catalog()
    family = parsed.prompt.strip().lower() or None
    families = sorted({model.family for model in catalog.models})
    if unknown or (family is not None and family not in families):
        said = family if family is not None and family not in families else ", ".join(sorted(unknown))
        raise OptionError(
            f"%claude_models cannot show {quote(str(said), 40)!r}.",
            cure=f"Use one of {', '.join(families)}, and --region LOC for the prices of a location.",
        )
    location = parsed.options.get("region")
    show_page(
        magics.shell,
        models_table.html(catalog, location=location, family=family),
        models_table.plain(catalog, location=location, family=family),
    )


def show_settings(magics: Any, options: Mapping[str, Any]) -> None:
    """Show what a question would be asked with now, and where each value comes from."""
    rows = settings_rows(magics.options(), merge(AskOptions(), options), magics.client().catalog())
    if magics.emulator is not None:
        rows = [
            (name, value, _DEMO if name in {"project", "base_url"} else origin)
            for name, value, origin in rows
        ]
        rows.insert(0, ("answers from", "the emulator, not Claude", _DEMO))
    width = max(len(name) for name, _, _ in rows)
    plain = "\n".join(f"{name:<{width}}  {value}  ({origin})" for name, value, origin in rows)
    left = models_table.LEFT
    cells = "".join(
        f'<tr><th scope="row" {left}>{escape(name)}</th>'
        f"<td {left}>{escape(value)}</td><td {left}>{escape(origin)}</td></tr>"
        for name, value, origin in rows
    )
    head = "".join(f'<th scope="col" {left}>{name}</th>' for name in ("setting", "value", "from"))
    caption = (
        "<caption>What %claude asks with now; change it with %config ClaudeMagics.NAME = VALUE</caption>"
    )
    show_page(
        magics.shell, f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>", plain
    )


def settings_rows(session: AskOptions, call: AskOptions, catalog: Catalog) -> list[tuple[str, str, str]]:
    """Return name, value and origin of the settings that matter, as text.

    >>> from vertex_claude_magic.catalog import Catalog
    >>> settings_rows(AskOptions(region="eu"), AskOptions(), Catalog.load())[1]
    ('region', 'eu', 'setting')
    """
    return [
        (name, *_shown(name, find_setting(name, session, call), session, call, catalog)) for name in _SETTINGS
    ]


def _shown(
    name: str, found: Found, session: AskOptions, call: AskOptions, catalog: Catalog
) -> tuple[str, str]:
    if name == "model":
        region = str(find_setting("region", session, call).value)
        try:
            resolved = catalog.resolve(str(found.value), region)
        except OptionError as error:
            resolved = error.message
        value = str(found.value) if resolved == found.value else f"{found.value} → {resolved}"
        return value, found.origin
    if name == "journal" and not found.value:
        from vertex_claude_magic.session.journal.place import default_path

        return quote(str(default_path()).replace(str(Path.home()), "~", 1), 100), found.origin
    if found.value is None:
        return _ABSENT.get(name, "not set"), "default"
    return quote(str(found.value), 100), found.origin


_ABSENT = {
    "project": "what the Google credentials say",
    "base_url": "Google's host for the region",
    "max_tokens": "16,000, or the model's limit if lower",
    "recording": "none",
}


def show_help(magics: Any, name: str = "claude") -> None:
    """Show the help page of a magic."""
    from inspect import getdoc

    text = getdoc(getattr(type(magics), name)) or ""
    show_page(magics.shell, f"<pre>{escape(text)}</pre>", text)
