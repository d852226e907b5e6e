"""Figures of matplotlib, plotly and altair as images; the figures themselves stay as they are."""

from __future__ import annotations

import io
import json
import logging
import math
import re
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic.errors import MissingExtra, OptionError, ThreadUnavailable
from vertex_claude_magic.process import start_thread
from vertex_claude_magic.prompts.values.images import image_bytes_parts
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.prompts.parts import PromptPart, ValueLimits

__all__ = ["figure_parts"]

_MOST_DPI = 200
# Below this no letter can be read, and most cannot even be drawn.
_LEAST_DPI = 10
_MOST_PIXELS = 25_000_000
# A legend may be outside of its figure; what is further away than this is left out of the picture.
_MOST_GROWTH = 2.0
# Seconds; a browser that is started for the first time takes some.
_TIMEOUT = 60
# What Kaleido raises where Chrome is missing or ends at once; which of them is a matter of timing.
_CHROME = frozenset({"ChromeNotFoundError", "BrowserFailedError", "BrowserClosedError", "ChannelClosedError"})
# An image in an SVG that is not in the file itself; vl-convert would fetch it, from wherever it is.
_OUTSIDE = re.compile(r'\bhref="(?!data:image/(?:png|jpeg|gif|webp)[;,]|#)[^"]*"')
_SIZE = re.compile(r'<svg\b[^>]*?\bwidth="([\d.]+)"[^>]*?\bheight="([\d.]+)"')


class _Grid(Protocol):
    """A grid of seaborn."""

    @property
    def figure(self) -> Figure: ...


class _PlotlyFigure(Protocol):
    def to_image(self, *, format: str) -> bytes: ...  # noqa: A002 - plotly's own name


class _Chart(Protocol):
    """A chart of altair."""

    def to_dict(self, *, format: str = ..., context: dict[str, bool] = ...) -> dict[str, Json]: ...  # noqa: A002


def figure_parts(
    value: Artist | NDArray[Any] | _Grid | _PlotlyFigure | _Chart, limits: ValueLimits
) -> tuple[PromptPart, ...]:
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
        data = _DRAW[library](value, limits)
    except OptionError:
        raise
    except Exception as error:
        raise OptionError(
            f"The {library} figure cannot be drawn: {type(error).__name__}: {quote(str(error), 100)}.",
            cure="Show it in a cell of its own to see what is wrong.",
        ) from error
    return image_bytes_parts(data, limits, kind=f"{library} figure")


def _matplotlib(value: Artist | NDArray[Any] | _Grid, limits: ValueLimits) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    # The whole figure that something belongs to: an axes, an array of them, a grid, a line.
    if hasattr(value, "flat") and not hasattr(value, "figure"):
        value = next(iter(value.flat))
    figure: Any = getattr(value, "figure", None) or value
    while getattr(figure, "figure", figure) is not figure:
        figure = figure.figure
    if not hasattr(figure, "savefig"):
        raise OptionError(
            f"This {quote(type(value).__name__, 40)} does not belong to a figure.",
            cure="Use the figure, or one of its axes.",
        )
    width, height = map(float, figure.get_size_inches())
    # As large as the model looks at, and no larger than it is.
    dpi = max(min(float(figure.dpi), _MOST_DPI, limits.image_edge / max(width, height, 1e-3)), _LEAST_DPI)
    if width * height * dpi**2 > _MOST_PIXELS:
        raise OptionError(
            f"The matplotlib figure is {width:,.0f} × {height:,.0f} inches large.",
            cure="Make it smaller (figsize), or use a part of it.",
        )
    # A figure may have lost its canvas.
    canvas: Any = getattr(figure, "canvas", None)
    former_dpi, out = figure.dpi, io.BytesIO()
    # What it misses (a font) was logged when the figure was shown.
    fonts = logging.getLogger("matplotlib.font_manager")
    disabled, fonts.disabled = fonts.disabled, True
    try:
        # A canvas of our own: that of the figure may be gone, or belong to a window.
        own = FigureCanvasAgg(figure)
        figure.dpi = dpi
        # The picture shows the figure, and what hangs over its edges, as in a notebook.
        frame = whole = figure.bbox_inches
        figure.draw_without_rendering()
        drawn = figure.get_tightbbox()
        if all(math.isfinite(each) for each in drawn.extents):
            both = Bbox.union([whole, drawn])
            grown = max(both.width / whole.width, both.height / whole.height)
            frame = both if grown <= _MOST_GROWTH else whole
        own.print_figure(out, format="png", dpi=dpi, facecolor="auto", edgecolor="auto", bbox_inches=frame)
    finally:
        figure.dpi = former_dpi
        figure.set_canvas(canvas)
        fonts.disabled = disabled
    return out.getvalue()


def _plotly(value: _PlotlyFigure, _limits: ValueLimits) -> bytes:
    try:
        import kaleido  # noqa: F401 - plotly draws with it
    except ImportError:
        raise MissingExtra(
            "An image of a plotly figure needs kaleido.", cure="Run: pip install kaleido"
        ) from None
    try:
        return _within(_TIMEOUT, lambda: value.to_image(format="png"))
    except Exception as error:
        # Plotly raises an error of its own, with Kaleido's as its cause.
        if _CHROME & {type(each).__name__ for each in (error, error.__context__)}:
            raise MissingExtra(
                "An image of a plotly figure needs Google Chrome, and no working one was found.",
                cure="Run: plotly_get_chrome",
            ) from error
        raise


def _within(seconds: float, draw: Callable[[], bytes]) -> bytes:
    """Wait no longer than that, and let an interrupt end the wait."""
    results: list[bytes] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            results.append(draw())
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            errors.append(error)

    # The thread and those that it starts end with the process, whatever they wait for.
    try:
        start_thread(work, "vertex-claude-figure").join(seconds)
    except ThreadUnavailable:
        # A recorded answer is found by the figure too.
        return draw()
    for error in errors:
        raise error
    if not results:
        raise OptionError(
            f"The figure was not drawn within {seconds:.0f} seconds.",
            cure="Restart the kernel, or save the figure as a PNG file and use that.",
        )
    return results[0]


def _altair(value: _Chart, limits: ValueLimits) -> bytes:
    try:
        import vl_convert
    except ImportError:
        raise MissingExtra(
            "An image of an altair chart needs vl-convert.", cure="Run: pip install vl-convert-python"
        ) from None
    spec = value.to_dict(context={"pre_transform": False})
    urls = _data_urls(spec)
    # Under this prefix altair names the tables that it hands to vegafusion, which would read any other URL or path.
    if not all(url.startswith("vegafusion+dataset://") for url in urls):
        raise OptionError(
            "The altair chart takes its data from a URL, and nothing is fetched for a prompt.",
            cure="Load the data into a frame, and make the chart of that.",
        )
    # No base URL is allowed, so that a chart cannot fetch its data from anywhere; images have no such guard.
    svg: str
    if urls:
        svg = vl_convert.vega_to_svg(json.dumps(value.to_dict(format="vega")), allowed_base_urls=[])
    else:
        svg = vl_convert.vegalite_to_svg(json.dumps(spec), allowed_base_urls=[])
    svg = _OUTSIDE.sub('href=""', svg)
    size = _SIZE.search(svg)
    longest = max(map(float, size.groups())) if size else 1.0
    data: bytes = vl_convert.svg_to_png(svg, scale=min(1.0, limits.image_edge / max(longest, 1.0)))
    return data


def _data_urls(spec: Json) -> list[str]:
    """List the URLs from which a chart, or one that it is made of, takes data; its rows may hold any."""
    urls: list[str] = []
    found: list[Json] = [spec]
    while found:
        each = found.pop()
        if isinstance(each, dict):
            if isinstance(data := each.get("data"), dict) and "url" in data:
                urls.append(str(data["url"]))
            found += [inner for key, inner in each.items() if key not in ("datasets", "values")]
        elif isinstance(each, list):
            found += each
    return urls


_DRAW: Mapping[str, Callable[[Any, ValueLimits], bytes]] = {
    "matplotlib": _matplotlib,
    "plotly": _plotly,
    "altair": _altair,
}
