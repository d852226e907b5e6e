"""`%claude` without a prompt: what a question would be asked with now, and where each value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.pages.show import show_page
from vertex_claude_magic.notebook.pages.table import Column, Row, Table
from vertex_claude_magic.settings.options import AskOptions, find_setting, merge
from vertex_claude_magic.text import quote, without_home

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.settings.options import Found

__all__ = ["settings_rows", "show_settings"]

_DEMO = "%claude_demo"
_SETTINGS = ("model", "region", "project", "max_tokens", "effort", "thinking", "system", "format", "timeout",
             "anthropic_version", "base_url", "replay", "recording", "journal")  # fmt: skip


def show_settings(host: Host, options: Mapping[str, Any]) -> None:
    """Show what a question would be asked with now, and where each value comes from."""
    rows = settings_rows(host.options(), merge(AskOptions(), options), host.client().catalog())
    if host.emulator is not None:
        rows = [
            (name, value, _DEMO if name in {"project", "base_url"} else origin)
            for name, value, origin in rows
        ]
        rows.insert(0, ("answers from", "the emulator, not Claude", _DEMO))
    width = max(len(name) for name, _, _ in rows)
    plain = "\n".join(f"{name:<{width}}  {value}  ({origin})" for name, value, origin in rows)
    table = Table(
        columns=(Column("setting"), Column("value"), Column("from")),
        rows=list(map(Row, rows)),
        caption="What %claude asks with now; change it with %config ClaudeMagics.NAME = VALUE",
    )
    show_page(host.shell, table.html(), plain)


def settings_rows(session: AskOptions, call: AskOptions, catalog: Catalog) -> list[tuple[str, str, str]]:
    """Return name, value and origin of the settings that matter, as text.

    >>> from vertex_claude_magic.models.catalog import Catalog
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
        from vertex_claude_magic.records.journal.location import default_path

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
