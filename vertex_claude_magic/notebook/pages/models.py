"""The model table as people read it: aligned text for terminals, one HTML table for notebooks.

Both show the same rows in the same order, the price with the premium of the chosen location already in,
and retired models last. A floor ("not before") is shown as a floor and never as a retirement date.
Amounts carry no dollar sign, because notebooks take a pair of those for a formula.
"""

from __future__ import annotations

from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING

from vertex_claude_magic.models.model import short_count
from vertex_claude_magic.models.prices import rate
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model

__all__ = ["html", "plain"]

_PLACES_WIDTH = 16
_PLAIN_HEADS = ("Model", "Id", "Released", "Status", "Limits", "In / out", "Locations")
# JupyterLab aligns the cells of HTML tables right, as fits the numbers of a data frame.
LEFT = 'style="text-align: left"'
_HTML_HEADS = (*_PLAIN_HEADS[:4], "Context", "Max output", "Input", "Output", "Locations")


def plain(catalog: Catalog, location: str | None = None, family: str | None = None) -> str:
    """Return the table as aligned text of at most 120 columns for the rows of the package.

    Args:
        catalog: The model table.
        location: Show only models served there, at the prices there; None shows all, at `global` prices.
        family: Show only this family, and with it the points on which the sources differ.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> print(plain(Catalog.load(), "us-east5", "haiku").splitlines()[2].split("  ")[0])
    Haiku 4.5*
    """
    models = _rows(catalog, location, family)
    if not models:
        return _nothing(catalog, location, family)
    cells = [_plain_cells(model, location or "global") for model in models]
    heads: list[Sequence[str]] = [(head,) for head in _PLAIN_HEADS]
    body = _aligned([heads, *cells])
    return "\n".join([_caption(catalog, location), *body, *_legend(models), *_notes(models, family)])


def html(catalog: Catalog, location: str | None = None, family: str | None = None) -> str:
    """Return the same rows as one HTML table; what the sources differ on is the title of the row's name.

    The arguments are those of `plain`. Nothing in it is styled, loaded or clickable.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> html(Catalog.load(), family="haiku").count("</tr>")
    5
    """
    models = _rows(catalog, location, family)
    if not models:
        return f"<table>\n<caption>{_escape(_nothing(catalog, location, family))}</caption>\n</table>"
    head = "".join(f'<th scope="col" {LEFT}>{name}</th>' for name in _HTML_HEADS)
    body = "\n".join(_html_row(model, location or "global") for model in models)
    caption = " ".join([_caption(catalog, location), *_legend(models)])
    return (
        f"<table>\n<caption>{_escape(caption)}</caption>\n"
        f"<thead>\n<tr>{head}</tr>\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    )


def _rows(catalog: Catalog, location: str | None, family: str | None) -> list[Model]:
    chosen = [
        model
        for model in catalog.models
        if (location is None or model.served_in(location)) and (family is None or model.family == family)
    ]
    # Two stable sorts: newest first, then by group.
    chosen.sort(key=lambda model: model.released or "", reverse=True)
    families = catalog.families()
    return sorted(chosen, key=lambda model: (model.lifecycle == "retired", families.index(model.family)))


def _caption(catalog: Catalog, location: str | None) -> str:
    where = f"served in {location}" if location else "on Vertex AI"
    return quote(
        f"Claude models {where}, as of {catalog.as_of}. "
        f"Prices are USD per million tokens at {location or 'global'}."
    )


def _nothing(catalog: Catalog, location: str | None, family: str | None) -> str:
    what = f"model of the family {family}" if family else "model"
    nearest = catalog.nearest_location(location) if location else None
    hint = f" The nearest location in it is {nearest}." if nearest not in (None, location) else ""
    return quote(f"The table knows no {what} in {location or 'any location'}.{hint}")


def _legend(models: Iterable[Model]) -> list[str]:
    shown = list(models)
    legend = []
    if any(model.not_sooner_than and model.lifecycle != "retired" for model in shown):
        legend.append('"not before" is a floor: no retirement date is set.')
    if any(model.disagreements for model in shown):
        legend.append("* The sources differ on this model.")
    return legend


def _notes(models: Iterable[Model], family: str | None) -> list[str]:
    if family is None:
        return []
    notes = [f"{_name(model)} {quote(note)}" for model in models for note in model.disagreements]
    return [line for note in notes for line in wrap(note, 116, initial_indent="  ", subsequent_indent="    ")]


def _name(model: Model) -> str:
    short = quote(model.name.removeprefix("Claude "))
    return f"{short}*" if model.disagreements else short


def _status(model: Model) -> tuple[str, ...]:
    dates = {"deprecated": model.deprecated_on, "retired": model.retired_on}
    date = dates.get(model.lifecycle)
    first = f"{model.lifecycle} {date}" if date else model.lifecycle
    floor = model.not_sooner_than if model.lifecycle != "retired" else None
    more = (f"not before {floor}" if floor else "", f"use {model.successor}" if model.successor else "")
    return tuple(quote(line) for line in (first, *more) if line)


def _places(model: Model) -> tuple[str, ...]:
    if model.locations is None:
        return ("not known",)
    return tuple(quote(place) for place in model.locations) or ("none",)


def _prices(model: Model, location: str) -> list[tuple[str, str, str]]:
    lines = []
    for tier in model.prices.tiers:
        here = rate(model, location, tier.over_input_tokens + 1)
        above = f"over {short_count(tier.over_input_tokens)}" if tier.over_input_tokens else ""
        if here is not None:
            lines.append((above, _amount(here.input), _amount(here.output)))
    return lines


def _amount(price: float | None) -> str:
    return "?" if price is None else f"{price:g}"


def _plain_cells(model: Model, location: str) -> list[Sequence[str]]:
    limits = f"{short_count(model.context_tokens)}/{short_count(model.max_output_tokens)}"
    prices = [
        line
        for above, taken, given in _prices(model, location)
        for line in (above, f"{taken} / {given}")
        if line
    ]
    return [
        (_name(model),),
        (quote(model.id),),
        (quote(model.released or "?")[:7],),
        _status(model),
        (limits,),
        prices,
        _packed(_places(model)),
    ]


def _packed(words: Iterable[str]) -> list[str]:
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) >= _PLACES_WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _aligned(rows: Sequence[Sequence[Sequence[str]]]) -> list[str]:
    widths = [max(len(line) for row in rows for line in (*row[column], "")) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        for parts in zip_longest(*row, fillvalue=""):
            padded = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
            lines.append("  ".join(padded).rstrip())
    return lines


def _html_row(model: Model, location: str) -> str:
    prices = _prices(model, location) or [("", "?", "?")]
    cells = [
        model.id,
        model.released or "?",
        ", ".join(_status(model)),
        short_count(model.context_tokens),
        short_count(model.max_output_tokens),
        "; ".join(f"{above} {price}".strip() for above, price, _ in prices),
        "; ".join(f"{above} {price}".strip() for above, _, price in prices),
        ", ".join(_places(model)),
    ]
    title = f' title="{_escape(" ".join(model.disagreements))}"' if model.disagreements else ""
    row = "".join(f"<td {LEFT}>{_escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row" {LEFT}{title}>{_escape(_name(model))}</th>{row}</tr>'


def _escape(text: str) -> str:
    from html import escape

    return escape(quote(text, 1_000))
