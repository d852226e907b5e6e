"""The choice of a model without widgets: a short list in a terminal; chart and chosen row where no kernel runs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from vertex_claude_magic.models.model import short_count
from vertex_claude_magic.models.prices import rate, usd, usd_limit
from vertex_claude_magic.notebook.pages.html import literal
from vertex_claude_magic.notebook.pages.table import Column, Row, Table
from vertex_claude_magic.notebook.panel.picker.chart import WIDTH, chart
from vertex_claude_magic.notebook.panel.picker.rows import Filters, pick_rows
from vertex_claude_magic.settings.choices import model_choices, model_value

if TYPE_CHECKING:
    from vertex_claude_magic.models.observed import Sightings
    from vertex_claude_magic.notebook.panel.model import PanelModel
    from vertex_claude_magic.settings.target import Target

__all__ = ["NEEDS_KERNEL", "WITHOUT_PAGE", "choice_as_text", "without_kernel"]

NEEDS_KERNEL = (
    "The Claude panel needs a running kernel: run this cell, or reload the page if one is running already."
)
# A console shows the same output, and has no page to reload.
WITHOUT_PAGE = 'In a console, %claude shows the settings and %config ClaudeMagics.model = "opus" changes one.'


def choice_as_text(target: Target, seen: Sightings) -> str:
    """Return the latest of each family and the current model as a short list.

    >>> from vertex_claude_magic.models.observed import Sightings
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> print(choice_as_text(resolve_target(AskOptions(model="haiku")), Sightings()))
    Models at global, prices in USD per million tokens. The current one is marked.
       Model                Setting  Id                  In  Out  Context  Lifecycle
       Latest Sonnet (5.5)  sonnet   claude-sonnet-5-5    2   10       1M  active
       Latest Opus (5.5)    opus     claude-opus-5-5      4   20       1M  active
    *  Latest Haiku (5.5)   haiku    claude-haiku-5-5   0.1  0.5       1M  active
       Latest Fable (5.2)   fable    claude-fable-5-2     8   40       1M  active
    """
    chosen = model_value(target)
    rows = []
    for row in pick_rows(
        target.catalog,
        model_choices(target, seen),
        location=target.region,
        filters=Filters(show="latest"),
        chosen=chosen,
    ):
        here = rate(row.model, target.region) if row.model is not None else None
        costs = (here.input, here.output) if here is not None else (None, None)
        prices = [usd(price, "price", unknown="?") for price in costs]
        context = short_count(row.model.context_tokens) if row.model is not None else "?"
        mark = "*" if row.value == chosen else ""
        rows.append(Row((mark, row.name, row.value, row.id, *prices, context, row.why or row.chip)))
    columns = (
        *(Column(head) for head in ("", "Model", "Setting", "Id")),
        *(Column(head, "right") for head in ("In", "Out", "Context")),
        Column("Lifecycle"),
    )
    caption = f"Models at {target.region}, prices in USD per million tokens. The current one is marked."
    return Table(columns=columns, rows=rows, caption=caption).plain()


def without_kernel(look: PanelModel) -> str:
    """Return chart and chosen row as HTML for a page where no widget is drawn.

    The chart is an image with its own data, because sanitizers of notebooks take SVG elements away; it is light.
    """
    svg = chart(look.catalog, look.region, look.listed_id)
    # An image has no text around it whose colour and font it could take.
    alone = svg.replace("currentColor", "#808080").replace("<svg ", '<svg font-family="sans-serif" ', 1)
    data = base64.b64encode(alone.encode()).decode()
    here = rate(look.row, look.region) if look.row is not None else None
    prices = f", {usd_limit(here.input)} in / {usd_limit(here.output)} out" if here is not None else ""
    text = (
        f"{look.name} ({look.model_id}) at {look.region}{prices} per million tokens" if prices else look.name
    )
    source = f'width="{WIDTH}" src="data:image/svg+xml;base64,{data}"'
    image = f'<img alt="Current models by output price and context" {source}>'
    return f"<p><strong>{literal(text)}</strong></p>{image if svg else ''}<p>{NEEDS_KERNEL}</p>"
