"""`%claude` without a prompt: what a question would be asked with now, and where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.models.prices import usd_limit
from vertex_claude_magic.notebook.pages.show import show_page
from vertex_claude_magic.notebook.pages.table import Column, Row, Table
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.settings.registry import OPTIONS
from vertex_claude_magic.text import quote, without_home

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.settings.registry import Option
    from vertex_claude_magic.settings.target import Target

__all__ = ["setting_text", "settings_rows", "show_settings"]

_DEMO = "%claude_demo"


def show_settings(host: Host, options: Mapping[str, Any]) -> None:
    """Show what a question would be asked with now, and where each value comes from."""
    rows = settings_rows(host.session().target(options))
    if host.emulator is not None:
        rows = [
            (name, value, _DEMO if name in {"project", "base_url"} else origin)
            for name, value, origin in rows
        ]
        rows.insert(0, ("answers from", "the emulator, not Claude", _DEMO))
    if files := present_policy().files:
        rows.insert(0, ("policy", ", ".join(files), "read when the extension was loaded"))
    width = max(len(name) for name, _, _ in rows)
    plain = "\n".join(f"{name:<{width}}  {value}  ({origin})" for name, value, origin in rows)
    table = Table(
        columns=(Column("setting"), Column("value"), Column("from")),
        rows=list(map(Row, rows)),
        caption="Current settings. Change one with %config ClaudeMagics.NAME = VALUE",
    )
    show_page(host.shell, table.html(), plain)


def setting_text(row: Option, value: Any) -> str:
    """Return the value of a setting as pages show it: what is set, or what an unset one means.

    >>> setting_text(OPTIONS["timeout"], 600.0), setting_text(OPTIONS["recording"], None)
    ('600 s', 'none')
    >>> setting_text(OPTIONS["value_tokens"], 4_000), setting_text(OPTIONS["label"], {"team": "a"})
    ('4,000', 'team=a')
    """
    if value is None or (row.repeatable and not value):
        return row.unset
    if row.unit:
        return usd_limit(value) if row.unit == "USD" else f"{value:g} {row.unit}"
    if row.kind == "integer":
        return f"{value:,}"
    if isinstance(value, Mapping):
        value = ", ".join(f"{key}={each}" for key, each in value.items())
    return quote(str(value), 100)


def settings_rows(target: Target) -> list[tuple[str, str, str]]:
    """Return name, value and origin of the settings that matter, as text.

    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> settings_rows(resolve_target(AskOptions(region="eu")))[1]
    ('region', 'eu', 'setting')
    """
    rows, policy = [], present_policy()
    for name, row in OPTIONS.items():
        value = getattr(target, name, None)
        is_limit = row.unit == "USD"
        origin = target.origins.get(name, "default")
        giver = policy.giver(name, value, origin)
        # A limit is shown where it is set, and so is all that a policy sets.
        if "page" not in row.places and not (is_limit and value is not None) and giver == origin:
            continue
        text = setting_text(row, value)
        if name == "model":
            try:
                model_id = target.model_id
            except OptionError as error:
                # This page is where a wrong setting is found, so it shows the message and does not fail.
                model_id = error.message
            text = value if model_id == value else f"{value} → {model_id}"
        elif name == "journal" and not value:
            from vertex_claude_magic.records.journal.location import default_path

            text = quote(without_home(str(default_path())), 100)
        rows.append((name, text, giver))
    names = {"live": "live calls"}
    return rows + [(names.get(name, name), "switched off", by) for name, by in sorted(target.forbids.items())]
