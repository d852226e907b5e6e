"""Pages that a magic shows at once: the model table, the present settings, the help."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError, quote, without_home
from vertex_claude_magic.notebook import models_table
from vertex_claude_magic.notebook.admin_options import MODELS_OPTIONS, places
from vertex_claude_magic.notebook.options import parse_words
from vertex_claude_magic.session.options import AskOptions, find_setting, merge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    """Run `%claude_models [FAMILY] [--region LOC] [--check | --probe | --live]`.

    Raises:
        OptionError: the family is not in the table, or the options do not go together.
        ClaudeError: Google cannot be asked.
    """
    parsed = parse_words(line, MODELS_OPTIONS)
    catalog = magics.client().catalog()
    family, locations = _family(parsed.prompt, catalog), places(parsed.options.get("region", ()))
    if parsed.options.keys() & {"check", "probe", "live"}:
        _ask_google(magics, parsed.options, locations, family)
        return
    if len(locations) > 1 or "project" in parsed.options:
        raise OptionError(
            "The table shows the prices of one location, and of no project.",
            cure="Give --region once, or add --check to ask what a project may call where.",
        )
    location = next(iter(locations), None)
    show_page(
        magics.shell,
        models_table.html(catalog, location=location, family=family),
        models_table.plain(catalog, location=location, family=family),
    )


def _family(said: str, catalog: Catalog) -> str | None:
    families = sorted({model.family for model in catalog.models})
    family = said.strip().lower() or None
    if family is not None and family not in families:
        raise OptionError(
            f"%claude_models cannot show {quote(family, 40)!r}.",
            cure=f"Use one of {', '.join(families)}, and --region LOC for the prices of a location.",
        )
    return family


def _ask_google(
    magics: Any, options: Mapping[str, Any], locations: Sequence[str], family: str | None
) -> None:
    from vertex_claude_magic.notebook.checking import show_check, show_live

    asked = {name: value for name, value in options.items() if name == "project"}
    if not options.get("live"):
        show_check(magics, asked, locations=locations, family=family, probe="probe" in options)
        return
    if family is not None or options.keys() & {"check", "probe"}:
        raise OptionError(
            "--live shows the whole list, and does not check it.",
            cure="Use --live and --check one after the other.",
        )
    show_live(magics, asked, locations=locations)


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

        return quote(without_home(str(default_path())), 100), found.origin
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
