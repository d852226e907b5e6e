"""Figures of matplotlib, plotly and altair as images; the figures themselves stay as they are."""

from __future__ import annotations

import io
import json
import warnings
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import MissingExtra, OptionError, quote
from vertex_claude_magic.session.content.images import image_bytes_parts

if TYPE_CHECKING:
    from vertex_claude_magic.session.content.parts import Budget, Part

__all__ = ["figure_parts"]

_MOST_DPI = 200


def figure_parts(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn a figure, or anything that belongs to one, into an image block.

    Raises:
        OptionError: the figure cannot be drawn.
        MissingExtra: a library that draws it is not installed.
    """
    library = next(
        (name for each in type(value).__mro__ if (name := each.__module__.partition(".")[0]) in _DRAW),
        "matplotlib",
    )
    try:
        with warnings.catch_warnings():
            # Missing glyphs and tight layouts are no matter of the prompt.
            warnings.simplefilter("ignore")
            data = _DRAW[library](value, budget)
    except (OptionError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise _undrawn(library, error) from error
    return image_bytes_parts(data, budget, kind=f"{library} figure")


def _undrawn(library: str, error: Exception) -> OptionError:
    return OptionError(
        f"The {library} figure cannot be drawn: {type(error).__name__}: {quote(str(error), 100)}.",
        cure="Show it in a cell of its own to see what is wrong.",
    )


def _matplotlib(value: Any, budget: Budget) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = _figure_of(value)
    canvas, dpi = figure.canvas, figure.dpi
    out = io.BytesIO()
    try:
        # A canvas of our own: that of the figure may be gone, or belong to a window.
        own = FigureCanvasAgg(figure)
        own.print_figure(out, format="png", dpi=_dpi(figure, budget), facecolor="auto")
    finally:
        figure.set_canvas(canvas)
        figure.dpi = dpi
    return out.getvalue()


def _figure_of(value: Any) -> Any:
    """Return the whole figure that something belongs to: an axes, an array of them, a grid, a line."""
    if hasattr(value, "flat") and not hasattr(value, "figure"):
        value = next(iter(value.flat))
    figure = getattr(value, "figure", None) or value
    while getattr(figure, "figure", figure) is not figure:
        figure = figure.figure
    if not hasattr(figure, "savefig"):
        raise OptionError(
            f"This {quote(type(value).__name__, 40)} belongs to no figure.",
            cure="Give the figure, or an axes of it.",
        )
    return figure


def _dpi(figure: Any, budget: Budget) -> float:
    """As large as the model looks at, and no larger than it is."""
    longest = max(float(max(figure.get_size_inches())), 1e-3)
    return max(min(float(figure.dpi), _MOST_DPI, budget.image_edge / longest), 1.0)


def _plotly(value: Any, _budget: Budget) -> bytes:
    try:
        import kaleido  # noqa: F401 - plotly draws with it
    except ImportError:
        raise MissingExtra(
            "An image of a plotly figure needs kaleido.", cure="Run: pip install kaleido"
        ) from None
    data: bytes = value.to_image(format="png")
    return data


def _altair(value: Any, _budget: Budget) -> bytes:
    try:
        import vl_convert
    except ImportError:
        raise MissingExtra(
            "An image of an altair chart needs vl-convert.", cure="Run: pip install vl-convert-python"
        ) from None
    # No base URL is allowed, so that a chart cannot fetch its data from anywhere.
    spec = json.dumps(value.to_dict())
    data: bytes = vl_convert.vegalite_to_png(spec, allowed_base_urls=[])
    return data


_DRAW = {"matplotlib": _matplotlib, "plotly": _plotly, "altair": _altair}
