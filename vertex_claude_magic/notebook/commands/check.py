"""`%claude_models --check` and `--live`: ask Google, and show what comes while it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.health.check import AvailabilityCheck
from vertex_claude_magic.health.published import compare, note_list
from vertex_claude_magic.models.lifecycle import status
from vertex_claude_magic.notebook.display.live_page import LivePage
from vertex_claude_magic.notebook.pages import availability as pages
from vertex_claude_magic.notebook.pages.html import literal
from vertex_claude_magic.notebook.pages.show import show_page
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.provenance import ANSWERED_BY_DEMO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.notebook.host import Host

__all__ = ["show_check", "show_live"]


def show_check(
    host: Host, options: dict[str, Any], *, locations: Sequence[str], family: str | None, probe: bool
) -> None:
    """Ask which models the project may call where, and show the grid; an interrupt keeps what is known.

    Args:
        host: Session and shell.
        options: Options of the line under their Python names.
        locations: Where to look; none means the chosen location and no other.
        family: Only this family of models.
        probe: Ask for one token each, which costs.

    Raises:
        ClaudeError: something that concerns every model alike.
        ClaudeInterrupt: the user stopped it.
    """
    session = host.session()
    target = session.target(options)
    wanted = locations or (target.region,)
    check = AvailabilityCheck(session, target, locations=wanted, family=family, probe=probe)
    catalog, view = target.catalog, LivePage(host.shell)
    notes = [ANSWERED_BY_DEMO] if session.demo else []

    def draw() -> None:
        grid = check.grid
        view.draw(
            lambda: (pages.html(grid, catalog, notes), pages.plain(grid, catalog, notes)), done=not grid.going
        )

    try:
        check.run(draw)
    finally:
        draw()


def show_live(host: Host, options: dict[str, Any], *, locations: Sequence[str]) -> None:
    """Read Google's list from the chosen location's host, and show where the table differs from it.

    Raises:
        OptionError: several locations are named.
        ClaudeError: the list cannot be read.
    """
    if len(locations) > 1:
        raise OptionError("Google's list is read from one location.", cure="Use --region once.")
    session = host.session()
    target = session.target({**options, **({"region": locations[0]} if locations else {})})
    catalog = target.catalog
    listed = session.admin(target).models()
    note_list(catalog, listed, host.status.notes)
    found = compare(catalog, listed)
    head = (
        f"Google lists {found.listed} Anthropic models; our table is from {catalog.as_of}. The list does not "
        "show which models your project may call (use --check)."
    )
    head += f" {ANSWERED_BY_DEMO}" if session.demo else ""
    lacking = [(quote(model.id, 80), quote(model.stage, 40) or "no stage") for model in found.lacking]
    groups = {
        "In Google's list, not in the table": lacking,
        "In the table, not in Google's list": [(row.id, status(row)) for row in found.unlisted],
        "Retired in the table, still in Google's list": [(row.id, status(row)) for row in found.returned],
    }
    html, plain = [f"<p>{literal(head)}</p>"], [head]
    for title, names in groups.items():
        items = "".join(f"<li><code>{literal(name)}</code> {literal(word)}</li>" for name, word in names)
        html.append(f"<p><b>{literal(title)}</b></p><ul>{items or '<li>none</li>'}</ul>")
        plain += [f"{title}:", *(f"  {name} ({word})" for name, word in names)]
        plain += [] if names else ["  none"]
    show_page(host.shell, "".join(html), "\n".join(plain))
