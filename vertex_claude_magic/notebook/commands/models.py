"""`%claude_models`: the model table, or which of its models Google serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.commands.help import show_help
from vertex_claude_magic.notebook.commands.options import MODELS_OPTIONS, places
from vertex_claude_magic.notebook.options import parse_words
from vertex_claude_magic.notebook.pages import models as models_table
from vertex_claude_magic.notebook.pages.show import show_page
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host

__all__ = ["show_models"]


def show_models(host: Host, line: str) -> None:
    """Run `%claude_models [FAMILY] [--region LOC] [--all] [--check | --probe | --live]`.

    Raises:
        OptionError: the family is not in the table, or the options do not go together.
        ClaudeError: Google cannot be asked.
    """
    parsed = parse_words(line, MODELS_OPTIONS)
    if parsed.shows("help"):
        show_help(host, "claude_models")
        return
    catalog = host.session().target().catalog
    families = sorted({model.family for model in catalog.models})
    family = parsed.prompt.strip().lower() or None
    if family is not None and family not in families:
        raise OptionError(
            f"%claude_models cannot show {quote(family, 40)!r}.",
            cure=f"Use one of {', '.join(families)}, and --region LOC for the prices of a location.",
        )
    options = parsed.options
    locations = places(options.get("region", ()))
    asked = {name: value for name, value in options.items() if name == "project"}
    # Each of these asks Google, so the table alone needs neither credentials nor requests.
    if "live" in options:
        if family is not None or options.keys() & {"check", "probe"}:
            raise OptionError(
                "--live shows the whole list without checking it.",
                cure="Use --live and --check one after the other.",
            )
        from vertex_claude_magic.notebook.commands.check import show_live

        show_live(host, asked, locations=locations)
        return
    if options.keys() & {"check", "probe"}:
        from vertex_claude_magic.notebook.commands.check import show_check

        show_check(host, asked, locations=locations, family=family, probe="probe" in options)
        return
    if len(locations) > 1 or asked:
        raise OptionError(
            "The table shows the prices of one location, without a project.",
            cure="Use one location, or add --check to see what a project may call.",
        )
    location = next(iter(locations), None)
    html, plain = (
        show(catalog, location=location, family=family, current="all" not in options)
        for show in (models_table.html, models_table.plain)
    )
    show_page(host.shell, html, plain)
