"""Every kind of value on the wire: what `{{ value }}` in a cell puts into the request."""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import functools
import importlib
import io
import math
import pathlib
import sys
import types
import uuid
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pypdf
import pytest
from matplotlib.figure import Figure
from PIL import Image
from shells import Shell, loaded_shell

from vertex_claude_magic import errors
from vertex_claude_magic.emulator import Emulator


@pytest.fixture(scope="module")
def shell(tmp_path_factory) -> Shell:
    """One shell for the module; only what is asked matters here."""
    with pytest.MonkeyPatch.context() as patch, Emulator() as emulator:
        for name, value in emulator.environment.items():
            patch.setenv(name, value)
        patch.chdir(tmp_path_factory.mktemp("files"))
        yield loaded_shell(emulator)


def blocks(
    shell: Shell, value: object, body: str = "Look at {{ value }} now.", options: str = ""
) -> list[dict]:
    """The content blocks that the service receives."""
    shell.ip.user_ns["value"] = value
    shell.ok(f"%%claude -q {options}\n{body}")
    content = shell.body["messages"][0]["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class City(NamedTuple):
    name: str
    people: int


@dataclasses.dataclass
class Point:
    x: int
    y: float


class Model(pydantic.BaseModel):
    name: str
    tags: list[str]


class Size(enum.Enum):
    SMALL = "small"
    LARGE = 2


class Shown:
    """An object that only IPython's display formatter knows what to make of."""

    def __init__(self, **shown):
        vars(self).update({f"_repr_{kind}_": lambda value=value: value for kind, value in shown.items()})
        self.shown = shown

    def _repr_markdown_(self):
        return self.shown.get("markdown")

    def _repr_png_(self):
        return self.shown.get("png")

    def __repr__(self):
        return self.shown.get("plain", "Shown()")


def doubled(n):
    """Return twice the number."""
    return 2 * n


def failure() -> BaseException:
    try:
        try:
            {}["key"]
        except KeyError as error:
            raise ValueError("no such thing") from error
    except ValueError as caught:
        return caught


FRAME = pd.DataFrame({"price": [3, 4], "city": ["Oslo", None]}, index=["a", "b"])
TEXTS = [
    # value, how the tag begins, what stands between the tags
    (FRAME, '<data name="value" kind="pandas.DataFrame" about="2 rows × 2 columns">',
     'column,dtype,missing,summary\nprice,int64,0,3 to 4; mean 3.5\n'),
    (FRAME, '<data name="value"', "index,price,city\na,3,Oslo\nb,4,\n</data>"),
    (FRAME["price"], 'kind="pandas.Series"', "price,int64,0,3 to 4; mean 3.5\n\nindex,price\na,3\nb,4"),
    (FRAME.index, 'kind="pandas.Index"', "\n\nvalue\na\nb\n"),
    (pl.DataFrame({"n": [1, None]}), 'kind="polars.DataFrame" about="2 rows × 1 column"', "n,Int64,1,1 to 1; mean 1"),
    (pl.Series("n", [1, 2]), 'kind="polars.Series"', "n,Int64,0,1 to 2; mean 1.5\n\nn\n1\n2\n"),
    (pl.LazyFrame({"n": [1]}), 'kind="polars.LazyFrame" about="not computed, only its schema"', "n: Int64"),
    (np.arange(6).reshape(2, 3), 'kind="numpy.ndarray" about="shape (2, 3), dtype int64"', "[[0 1 2]\n [3 4 5]]"),
    ({"a": [1, None, True], "b": {"c": 0.5}}, 'kind="dict" about="2 items"', '{"a": [1, null, true], "b": {"c": 0.5}}'),
    ([1, "two", 3.0], 'kind="list" about="3 items"', '[1, "two", 3.0]'),
    ((1, 2), 'kind="tuple"', "[1, 2]"),
    ({3, 1}, 'kind="set"', "[1, 3]"),
    (collections.deque([1]), 'kind="deque"', "[1]"),
    (collections.OrderedDict(a=1), 'kind="OrderedDict"', '{"a": 1}'),
    (collections.Counter("aab"), 'kind="Counter"', '{"a": 2, "b": 1}'),
    (types.MappingProxyType({"a": 1}), 'kind="mappingproxy"', '{"a": 1}'),
    (City("Oslo", 7), 'kind="City"', '{"name": "Oslo", "people": 7}'),
    (Point(1, math.nan), 'kind="Point"', '{"x": 1, "y": "NaN"}'),
    (Model(name="Ada", tags=["a"]), 'kind="Model"', '{"name": "Ada", "tags": ["a"]}'),
    ({"when": dt.date(2026, 1, 2), "id": uuid.UUID(int=0)}, 'kind="dict"',
     '{"when": "2026-01-02", "id": "00000000-0000-0000-0000-000000000000"}'),
    ("a text\nof two lines", 'kind="text"', ">\na text\nof two lines\n</data>"),
    (Size.SMALL, 'kind="text"', ">small</data>"),
    (doubled, 'kind="Python function" about="doubled"', "def doubled(n):\n    \"\"\"Return twice"),
    (len, 'kind="Python function" about="len"', "len(obj, /)\n\nReturn the number of items"),
    (functools.partial(doubled, n=2), 'kind="Python function"', "# partial with () and {'n': 2}\ndef doubled"),
    (Point, 'kind="Python class" about="Point"', "class Point:\n    x: int"),
    (Point(1, 2).__repr__, 'kind="Python function"', "Point"),
    (math, 'kind="Python module" about="math"', "acos(x, /): Return the arc cosine"),
    (failure(), 'kind="Python exception" about="ValueError"', "direct cause of the following exception"),
    (b"plain bytes", 'kind="text"', ">plain bytes</data>"),
    (io.StringIO("from a file"), 'kind="text file"', ">from a file</data>"),
    (Shown(markdown="**bold**"), "Shown", ">**bold**</data>"),
    (Shown(plain="Shown(5)"), "Shown", ">Shown(5)</data>"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "tag", "inside"), TEXTS, ids=[type(row[0]).__name__ for row in TEXTS])
def test_a_value_that_is_text_stands_between_tags_in_its_place(shell, value, tag, inside):
    """The words before it and behind it stay what they are."""
    (block,) = blocks(shell, value)
    text = block["text"]
    assert text.startswith("Look at <data ")
    assert text.endswith("</data> now.")
    assert tag in text
    assert inside in text


def test_files_of_libraries_are_named_from_their_folder_on(shell):
    """Where they are installed is nobody's business."""
    try:
        pd.DataFrame({"a": [1]})["b"]
    except KeyError as error:
        (block,) = blocks(shell, error)
    assert 'File "pandas/core/frame.py", line ' in block["text"]
    assert "site-packages" not in block["text"]


BARE = [
    (5, "5"), (2.5, "2.5"), (True, "True"), (None, "None"), (1 + 2j, "(1+2j)"), (decimal.Decimal("1.10"), "1.10"),
    (dt.date(2026, 1, 2), "2026-01-02"), (dt.timedelta(hours=1), "1:00:00"), (Size.LARGE, "2"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"), (np.float64(0.5), "0.5"), (np.int8(3), "3"),
    (np.bool_(True), "True"), (np.array(7), "7"), (pd.Timestamp("2026-01-02"), "2026-01-02 00:00:00"), (pd.NaT, "NaT"),
    (math.nan, "nan"), (math.inf, "inf"), (np.datetime64("2026-01-02"), "2026-01-02"),
    (np.datetime64("2026-01-02T03:04:05", "ns"), "2026-01-02T03:04:05.000000000"),
    (np.timedelta64(5, "ns"), "5 nanoseconds"), (np.timedelta64(2, "M"), "2 months"),
    (np.longdouble("0.1"), "0.1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"), BARE, ids=[f"{type(row[0]).__name__}-{row[1]}" for row in BARE]
)
def test_numbers_and_dates_stand_in_the_sentence_as_they_are(shell, value, expected):
    """They hold no instructions."""
    assert blocks(shell, value) == [{"type": "text", "text": f"Look at {expected} now."}]


def png(size=(40, 30), colour="red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def figure() -> Figure:
    drawn = Figure(figsize=(4, 3), dpi=100)
    drawn.add_subplot().plot([1, 2])
    return drawn


IMAGES = [
    (Image.new("RGB", (40, 30)), "image", (40, 30)),
    (png(), "image", (40, 30)),
    (memoryview(png()), "image", (40, 30)),
    (io.BytesIO(png()), "image", (40, 30)),
    (figure(), "matplotlib figure", (400, 300)),
    (figure().axes[0], "matplotlib figure", (400, 300)),
    (np.array([figure().axes[0]], dtype=object), "matplotlib figure", (400, 300)),
    (Shown(png=png()), "Shown", (40, 30)),
]


@pytest.mark.parametrize(("value", "kind", "size"), IMAGES, ids=[type(row[0]).__name__ for row in IMAGES])
def test_a_picture_stands_between_tags_in_its_place(shell, value, kind, size):
    """As an image block between two blocks of text."""
    before, image, after = blocks(shell, value)
    assert before["text"].startswith('Look at <data name="value" kind="')
    assert kind in before["text"]
    assert after["text"] == "\n</data> now."
    source = image["source"]
    assert (image["type"], source["type"]) == ("image", "base64")
    with Image.open(io.BytesIO(base64.b64decode(source["data"]))) as drawn:
        assert drawn.size == size
        assert Image.MIME[drawn.format] == source["media_type"]


@pytest.mark.slow
def test_a_plotly_figure_is_drawn(shell):
    """By kaleido, which starts a browser for it."""
    from plotly import graph_objects as go

    before, image, _ = blocks(shell, go.Figure(go.Bar(y=[1, 2])))
    assert 'kind="plotly figure" about="700 × 500 pixels"' in before["text"]
    assert image["source"]["media_type"] == "image/png"


@pytest.mark.parametrize(
    ("library", "needed", "make"),
    [
        ("plotly.graph_objects", "kaleido", lambda go: go.Figure(go.Bar(y=[1, 2]))),
        ("altair", "vl_convert", lambda altair: altair.Chart().mark_point()),
    ],
)
def test_a_chart_whose_painter_is_missing_says_what_to_install(shell, monkeypatch, library, needed, make):
    """Before anything is sent."""
    value = make(importlib.import_module(library))
    monkeypatch.setitem(sys.modules, needed, None)
    shell.ip.user_ns["value"] = value
    error = shell.error("%%claude -q\nLook at {{ value }}.")
    assert isinstance(error, errors.MissingExtra)
    assert "pip install" in error.cure


def test_an_altair_chart_is_drawn(shell):
    """By vl-convert, which needs no browser."""
    import altair as alt

    chart = alt.Chart(pd.DataFrame({"a": [1, 2]})).mark_point().encode(x="a:Q").properties(width=100)
    before, image, _ = blocks(shell, chart)
    assert "altair figure" in before["text"]
    assert image["source"]["media_type"] == "image/png"


def pdf(pages=2, **password) -> bytes:
    writer, out = pypdf.PdfWriter(), io.BytesIO()
    for _ in range(pages):
        writer.add_blank_page(72, 72)
    if password:
        writer.encrypt(password["password"])
    writer.write(out)
    return out.getvalue()


def test_a_pdf_is_a_document(shell):
    """Whole, with its name as title."""
    path = pathlib.Path("report.pdf")
    path.write_bytes(pdf())
    before, document, after = blocks(shell, path)
    assert 'kind="PDF" about="2 pages"' in before["text"]
    assert (document["type"], document["title"]) == ("document", "report.pdf")
    assert document["source"]["media_type"] == "application/pdf"
    assert base64.b64decode(document["source"]["data"]) == path.read_bytes()
    assert after["text"] == "\n</data> now."


NOTEBOOK = """{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
 {"cell_type": "markdown", "metadata": {}, "source": ["# Title"]},
 {"cell_type": "code", "metadata": {}, "source": "1 + 1", "execution_count": 1,
  "outputs": [{"output_type": "execute_result", "data": {"text/plain": ["2"]}}]}]}"""


@pytest.mark.parametrize(
    ("name", "content", "tag", "inside"),
    [
        ("notes.txt", b"Some notes.", 'kind="text file" about="11 bytes"', ">Some notes.</data>"),
        ("data.csv", b"a,b\n1,2\n", 'kind="text file"', "\na,b\n1,2\n"),
        ("page.svg", b"<svg></svg>", 'kind="text file"', "><svg></svg></data>"),
        ("code.py", "x = 'é'".encode(), 'kind="text file"', ">x = 'é'</data>"),
        ("book.ipynb", NOTEBOOK.encode(), 'kind="Jupyter notebook" about="2 cells"',
         "# cell 1 (markdown)\n# Title\n\n# cell 2 (code)\n1 + 1\n# output: 2"),
    ],
)  # fmt: skip
def test_a_file_goes_by_what_it_holds(shell, name, content, tag, inside):
    """As a variable of type Path, and as an attachment by its name."""
    path = pathlib.Path(name)
    path.write_bytes(content)
    (block,) = blocks(shell, path)
    assert tag in block["text"]
    assert inside in block["text"]
    attached = blocks(shell, path, "What is it?", f"-a {name}")
    assert attached[-1]["text"].endswith("What is it?")
    assert f'<data name="{name}" {tag}' in attached[0]["text"]


def test_lists_of_frames_and_pictures_are_their_elements(shell):
    """In their order, each with its own tag."""
    content = blocks(shell, [FRAME, Image.new("RGB", (5, 5)), FRAME])
    assert [block["type"] for block in content] == ["text", "image", "text"]
    assert '<data name="value[0]" kind="pandas.DataFrame"' in content[0]["text"]
    assert content[0]["text"].endswith('<data name="value[1]" kind="image" about="5 × 5 pixels">\n')
    assert '<data name="value[2]"' in content[2]["text"]


def test_bars_of_one_figure_are_that_figure_once(shell):
    """Each bar belongs to it, and ten pictures of the same would only cost."""
    drawn = Figure(figsize=(4, 3))
    bars = drawn.add_subplot().bar(range(10), range(10))
    for value in (bars, list(bars), drawn.axes):
        assert [block["type"] for block in blocks(shell, value)] == ["text", "image", "text"]


def test_a_list_that_holds_itself_and_a_frame_comes_to_an_end(shell):
    """After a few levels the rest is told as text."""
    loop = [FRAME]
    loop.append(loop)
    (block,) = blocks(shell, loop)
    assert block["text"].count("2 rows × 2 columns") >= 2


def test_a_file_wins_over_an_attribute_that_is_called_like_it(shell):
    """`report.pdf` is a file, although there is a variable `report`."""
    pathlib.Path("value.txt").write_text("From the file.")
    (attached, _) = blocks(shell, "not this", "Read.", "-a value.txt")
    assert ">From the file.</data>" in attached["text"]


def test_attachments_stand_before_the_prompt(shell):
    """Variables and files, in the order of the line; documents first is what the service recommends."""
    pathlib.Path("a.txt").write_text("A.")
    content = blocks(shell, {"b": 1}, "Compare.", "-a a.txt --attach value")
    assert content == [{"type": "text", "text": (
        '<data name="a.txt" kind="text file" about="2 bytes">A.</data>\n'
        '<data name="value" kind="dict" about="1 item">{"b": 1}</data>'
    )}, {"type": "text", "text": "Compare."}]  # fmt: skip


UNKNOWN = [object(), (n for n in [1]), __import__("threading").Lock(), iter([1]), FRAME.groupby("price")]


@pytest.mark.parametrize("value", UNKNOWN, ids=[type(value).__name__ for value in UNKNOWN])
def test_what_cannot_be_told_is_refused_with_what_can(shell, value):
    """One line, and nothing is sent."""
    shell.ip.user_ns["value"] = value
    before = len(shell.emulator.requests)
    error = shell.error("%%claude -q\nLook at {{ value }}.")
    assert isinstance(error, errors.OptionError)
    assert "Use " in error.cure
    assert "\n" not in str(error)
    assert len(shell.emulator.requests) == before


class HalfBroken:
    """One form of it fails, and it would draw itself."""

    def _repr_html_(self):
        raise ValueError("no HTML today")

    def _repr_mimebundle_(self, **_):
        raise ValueError("no bundle today")

    def _ipython_display_(self):
        print("drawn")

    def _repr_markdown_(self):
        return "**fine**"


class Broken:
    def __repr__(self):
        raise ValueError("no text today")


def test_an_object_is_looked_at_without_a_trace_in_the_cell(shell, capfd):
    """IPython would draw it, and print the traceback of a form that fails, which papermill takes for a failed cell."""
    assert "**fine**" in blocks(shell, HalfBroken())[0]["text"]
    assert shell.page.messages == []
    assert capfd.readouterr() == ("", "")
    shell.ip.user_ns["value"] = Broken()
    error = shell.error("%%claude -q\nLook at {{ value }} now.")
    assert "Broken does not show what it contains" in error.message
    # The error of the question, and no other.
    assert capfd.readouterr().out.count("today") == 0
