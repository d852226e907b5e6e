"""Objects of any class in a prompt, alone or inside a structure: told whole, said to be cut, or refused with a cure."""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import contextlib
import csv
import dataclasses
import functools
import importlib
import io
import itertools
import json
import os
import pathlib
import re
import sqlite3
import threading
import time
import types
import weakref
from typing import NamedTuple
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pyarrow as pa
import pydantic
import pytest
from IPython import display
from matplotlib.figure import Figure
from PIL import Image
from shells import Shell, loaded_shell

from vertex_claude_magic import Reply, errors
from vertex_claude_magic.client import Claude
from vertex_claude_magic.emulator import Emulator

FRAME = pd.DataFrame({"price": [3, 4], "city": ["Oslo", "Rome"]})
PICTURE = Image.new("RGB", (4, 2))


def png() -> bytes:
    out = io.BytesIO()
    PICTURE.save(out, format="PNG")
    return out.getvalue()


def sent(value: object, path: str = "x", tokens: int = 4_000) -> tuple[str, tuple[str, ...]]:
    """The text of a prompt (`<image>` for a picture) and the notices below the answer."""
    request = Claude(project="p", value_tokens=tokens).request(f"{{{{ {path} }}}}", names={"x": value})
    (message,) = request.body["messages"]
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return "".join(block.get("text", f"<{block['type']}>") for block in blocks), request.notices


def text_of(value: object, path: str = "x") -> str:
    return sent(value, path)[0]


def refused(value: object, path: str = "x") -> str:
    """The error for a value, on one line with its cure; nothing is sent."""
    with pytest.raises(errors.OptionError) as caught:
        sent(value, path)
    assert caught.value.cure
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def shell(tmp_path_factory) -> Shell:
    """One shell for the module; only what is asked matters here."""
    with pytest.MonkeyPatch.context() as patch, Emulator() as emulator:
        for name, value in emulator.environment.items():
            patch.setenv(name, value)
        patch.chdir(tmp_path_factory.mktemp("files"))
        yield loaded_shell(emulator)


# Frames and pictures inside structures


class City(NamedTuple):
    name: str
    of: object


@dataclasses.dataclass
class Point:
    of: object


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True, extra="allow")
    of: object


class Plain:
    def __init__(self, of):
        self.of = of
        self._secret = "hidden"


class Slotted:
    __slots__ = ("_secret", "of")

    def __init__(self, of):
        self.of, self._secret = of, "hidden"


WRAPPINGS = {
    "a dict": (lambda of: {"of": of}, "x['of']"),
    "a list in a dict": (lambda of: {"a": [1, of]}, "x['a'][1]"),
    "a list": (lambda of: [1, of], "x[1]"),
    "a long list": (lambda of: [*range(200), of], "x[200]"),
    "a list in a tuple": (lambda of: ([of, 2], 1), "x[0][0]"),
    "a dict in a list": (lambda of: [{"of": of}], "x[0]['of']"),
    "a named tuple": (lambda of: City("Oslo", of), "x.of"),
    "a data class": (Point, "x.of"),
    "a model": (lambda of: Model(of=of), "x.of"),
    "a further field of a model": (lambda of: Model(of=1, more=of), "x.more"),
    "a namespace": (lambda of: types.SimpleNamespace(of=of), "x.of"),
    "parsed arguments": (lambda of: argparse.Namespace(of=[of]), "x.of[0]"),
    "an object of one's own": (Plain, "x.of"),
    "an object with slots": (Slotted, "x.of"),
    "objects within objects": (lambda of: [Plain(Point({"a": of}))], "x[0].of.of['a']"),
    "a key with quotes": (lambda of: {"it's": of}, "x['it's']"),
    "a default dict": (lambda of: collections.defaultdict(list, {"of": of}), "x['of']"),
}
INSIDE = {
    "a frame": (FRAME, 'kind="pandas.DataFrame" about="2 rows × 2 columns"', "price,city\n3,Oslo\n4,Rome"),
    "a series": (FRAME.set_index("city")["price"], 'kind="pandas.Series"', "Oslo,3"),
    "a figure": (Figure(), 'kind="matplotlib figure"', "<image>"),
    "an axes": (Figure().subplots(), 'kind="matplotlib figure"', "<image>"),
    "an image": (PICTURE, 'kind="image" about="4 × 2 pixels"', "<image>"),
    "the bytes of an image": (png(), 'kind="image" about="4 × 2 pixels"', "<image>"),
    "an image of IPython": (
        display.Image(data=png()),
        'kind="IPython.Image" about="4 × 2 pixels"',
        "<image>",
    ),
}


@pytest.mark.parametrize(("wrap", "path"), WRAPPINGS.values(), ids=WRAPPINGS)
@pytest.mark.parametrize(("value", "tag", "content"), INSIDE.values(), ids=INSIDE)
def test_frames_and_pictures_inside_structures_go_out_under_their_paths(wrap, path, value, tag, content):
    """The structure says where they are; each has a tag of its own."""
    text = text_of(wrap(value))
    quoted = path.replace('"', "'")
    assert f'<data name="{quoted}" {tag}' in text
    assert content in text
    assert "hidden" not in text


def test_what_is_on_one_figure_goes_out_once():
    """As does an object that is there twice."""
    figure = Figure()
    axes = figure.subplots()
    text = text_of({"figure": figure, "axes": axes, "a": PICTURE, "b": [PICTURE]})
    assert text.count("<image>") == 2
    assert '"axes": "see x[\'figure\'] below"' in text
    assert '"b": ["see x[\'a\'] below"]' in text


def test_the_room_is_shared_among_the_frames_of_a_structure():
    """What is cut of each of them is said."""
    frames = {name: pd.DataFrame({"n": range(1_000)}) for name in "abc"}
    text, notices = sent(frames, tokens=1_000)
    assert len(text) / 3.5 < 1_300
    assert len(notices) == 3
    assert all(f" rows of x['{name}']. " in notice for name, notice in zip("abc", notices, strict=True))


def test_more_frames_than_can_follow_are_said_to_be_missing():
    """In the tag and below the answer."""
    text, notices = sent({str(n): pd.DataFrame({"n": [n]}) for n in range(120)}, tokens=100_000)
    assert "without some of the frames and pictures in it" in text.partition(">")[0]
    assert any("without some" in notice for notice in notices)
    assert '"60": "… a pandas.DataFrame, left out"' in text


def test_the_pixels_of_a_picture_stand_apart():
    """A list of them would take the space of all the rest."""
    text = text_of({"pixels": np.zeros((200, 300, 3), dtype="uint8"), "after": 3})
    assert '{"pixels": "see x[\'pixels\'] below", "after": 3}' in text
    assert "<data name=\"x['pixels']\"" in text
    assert '"see ' not in text_of({"pixels": np.zeros((2, 3, 3), dtype="uint8")})


def test_series_of_any_library_are_lists_inside_structures():
    """Whole, unless they have an index."""
    import polars as pl

    series = {"a": pd.Series([1, None]), "b": pl.Series([1, None]), "c": pd.Categorical(["x", "y"])}
    text = text_of({**series, "d": pd.Index([1, 2]), "e": np.array([[0.1, 0.2]])})
    assert '{"a": [1.0, "NaN"], "b": [1, null], "c": ["x", "y"], "d": [1, 2], "e": [[0.1, 0.2]]}' in text


def test_a_text_that_is_too_long_for_a_structure_is_said_to_be_cut():
    """Nobody reads a million characters of one field."""
    text, notices = sent({"a": "x" * 2_000_000}, tokens=1_000_000)
    assert 'holds="' in text[:200]
    assert notices


def test_the_dates_and_rows_of_arrays_inside_structures_are_whole():
    """Nanoseconds are no whole numbers, and large arrays are read as far as they go out."""
    text, notices = sent({"when": np.array(["2026-01-02T03:04"], dtype="M8[ns]"), "n": np.arange(200_000)})
    assert "2026-01-02T03:04" in text
    assert "0, 1, 2, 3" in text
    assert notices
    assert '"n": [' in text


# What does not tell itself


def generator():
    yield 1


async def async_generator():
    yield 1


async def coroutine():
    """Never awaited, and closed below."""


class Silent:
    """Nothing public is in it."""

    def __init__(self):
        self._inner = 1


class Library:
    """Of a library: it may hold anything, so its fields stay where they are."""

    def __init__(self):
        self.password = "hidden"

    def to_dict(self):
        return {}


Library.__module__ = "json"


@functools.cache
def odd(name: str) -> object:
    """An object of each kind that has no text of its own."""
    if name == "statsmodels":
        from statsmodels import api as sm

        return sm.OLS([1.0, 2.0, 3.5], sm.add_constant([1.0, 2.0, 3.0])).fit()
    if name == "scikit-learn display":
        from sklearn import metrics

        return metrics.ConfusionMatrixDisplay(np.eye(2)).plot(ax=Figure().subplots())
    if name == "networkx":
        return importlib.import_module("networkx").path_graph(3)
    if name == "response":
        import requests

        return requests.Response()
    if name == "styler":
        return FRAME.style
    made = {
        "groups": lambda: FRAME.groupby("city"),
        "generator": generator,
        "iterator": lambda: iter([1]),
        "map": lambda: map(len, ["a"]),
        "zip": lambda: zip("a", "b", strict=True),
        "count": itertools.count,
        "cycle": lambda: itertools.cycle("ab"),
        "async generator": async_generator,
        "csv reader": lambda: csv.reader(io.StringIO("a,b")),
        "lock": threading.Lock,
        "thread": lambda: threading.Thread(target=print),
        "database": lambda: sqlite3.connect(":memory:"),
        "object": object,
        "future": concurrent.futures.Future,
        "reference": lambda: weakref.ref(Silent),
        "mock": MagicMock,
        "silent": Silent,
        "library": Library,
        "sound": lambda: display.Audio(data=b"1", rate=8_000, embed=True),
        "page": lambda: display.IFrame("https://example.org", 1, 1),
    }
    return made[name]()


CURES = {
    "statsmodels": "{x}.summary()",
    "scikit-learn display": "{{{{ {x}.figure_ }}}}",
    "styler": "{{{{ {x}.data }}}}",
    "groups": "{x}.mean()",
    "response": "{x}.json()",
    "networkx": "{x}.edges",
    "generator": "list({x})",
    "iterator": "list({x})",
    "map": "list({x})",
    "zip": "list({x})",
    # A list of it would never end.
    "count": "list(itertools.islice({x}, 100))",
    "cycle": "list(itertools.islice({x}, 100))",
    "async generator": "[each async for each in {x}]",
    "csv reader": "list({x})",
    "lock": "the data that it protects",
    "thread": "what it works on",
    "database": "fetchall()",
    "object": "Use a data frame",
    "future": "{x}.result()",
    "reference": "{x}()",
    "mock": "Use the object that it replaces",
    "silent": "Use a data frame",
    "library": "{x}.to_dict()",
    "sound": "Models do not accept audio",
    "page": "{x}.src",
}
PLACES = {
    "alone": (lambda value: value, "x"),
    "in a dict": (lambda value: {"a": 1, "of": value}, "x['of']"),
    "in a list": (lambda value: [value], "x[0]"),
    "in a data class": (Point, "x.of"),
    "in an object": (Plain, "x.of"),
    "deep": (lambda value: {"a": [(1, {"b": value})]}, "x['a'][0][1]['b']"),
}


@pytest.mark.parametrize(("wrap", "path"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("name", "cure"), CURES.items(), ids=CURES)
def test_what_does_not_tell_itself_is_refused_with_the_cure_for_its_kind(name, cure, wrap, path):
    """At any depth, under its path."""
    error = refused(wrap(odd(name)))
    assert error.startswith(path)
    assert cure.format(x=path) in error
    assert not re.search(r"[,;] or [A-Z]", error), "one sentence has one capital"
    assert "0x" not in error
    assert "hidden" not in error


def test_an_open_file_inside_a_structure_is_not_read(tmp_path):
    """Nor is a coroutine run."""
    (tmp_path / "a.txt").write_text("text")
    with (tmp_path / "a.txt").open() as file:
        assert "x['f'].read()" in refused({"f": file})
        assert file.read() == "text"
    waiting = coroutine()
    assert "await x[0]" in refused([waiting])
    waiting.close()


def test_objects_of_the_users_own_are_told_by_their_public_fields():
    """A set of them too, in an order of its own."""
    assert text_of([Plain(0.125), Plain([Plain(2)])]).endswith('[{"of": 0.125}, {"of": [{"of": 2}]}]</data>')
    assert text_of(Plain(1)) == '<data name="x" kind="test_content_objects.Plain">{"of": 1}</data>'
    assert "an element of x" in refused({Silent(), Silent()})
    assert text_of({Plain(3), Plain(1), Plain(2)}).endswith('[{"of": 1}, {"of": 2}, {"of": 3}]</data>')


# What describes itself badly


class Single(NamedTuple):
    a: int


class FailingTuple(Single):
    __slots__ = ()

    def _asdict(self):
        raise RuntimeError


@dataclasses.dataclass(repr=False)
class FailingField:
    good: int = 1

    def __getattribute__(self, name):
        if name == "good":
            raise RuntimeError
        return super().__getattribute__(name)

    def __repr__(self):
        return "FailingField(in its own words)"


class FailingModel(pydantic.BaseModel):
    a: int = 1

    def __getattribute__(self, name):
        if name == "a":
            raise RuntimeError
        return super().__getattribute__(name)

    def __repr__(self):
        return "FailingModel(in its own words)"


@pytest.mark.parametrize(
    ("value", "own"),
    [(FailingTuple(7), "FailingTuple(a=7)"), (FailingField(), "in its own words"),
     (FailingModel(), "in its own words")],
    ids=["a named tuple", "a data class", "a model"],
)  # fmt: skip
def test_a_field_that_fails_leaves_the_repr(value, own):
    """Alone and in a list."""
    for each in (value, [value]):
        text = text_of(each)
        assert own in text
        assert "failed" not in text


class Talkative:
    def __repr__(self):
        return "word " * 1_000


def test_a_long_repr_is_cut_and_that_is_said():
    text, (notice,) = sent(Talkative(), tokens=100)
    assert re.search(r'holds="the first [\d,]+ of 5,000 characters"', text)
    assert "the first" in notice


class Bunch(tuple):
    """As scipy makes the results of its tests."""

    __slots__ = ()

    def _asdict(self):
        return {"statistic": self[0], "pvalue": self[1], "_x": [1.0] * 40, "_alternative": "two-sided"}


@dataclasses.dataclass
class Cached:
    name: str
    _cache: str = "hidden"


class PrivateModel(pydantic.BaseModel):
    name: str
    _cache: str = pydantic.PrivateAttr("hidden")


@pytest.mark.parametrize("value", [Bunch((1.5, 0.01)), Cached("Ada"), PrivateModel(name="Ada")])
@pytest.mark.parametrize("wrap", [lambda each: each, lambda each: [each], lambda each: {"a": each}])
def test_private_fields_never_go_out(value, wrap):
    """Whatever kind of record it is."""
    text = text_of(wrap(value))
    assert "hidden" not in text
    assert '"_' not in text


def test_attrs_classes_keep_their_own_text_unless_it_shows_what_is_private():
    """Or hides what is a picture."""
    import attrs

    shown = attrs.make_class("Shown", ["a", "of"])
    private = attrs.make_class("Private", ["a", "_b"])
    assert "Shown(a=1, of=2)" in text_of(shown(1, 2))
    assert text_of(private(1, "hidden")).endswith('{"a": 1}</data>')
    assert '{"a": 1, "of": "see x.of below"}' in text_of(shown(1, PICTURE))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (time.gmtime(0), '"tm_year": 1970'),
        (pa.MonthDayNano([1, 2, 3]), '{"months": 1, "days": 2, "nanoseconds": 3}'),
        # Three of its parts have no name.
        (os.stat_result(range(10)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"),
    ],
    ids=["time", "interval", "file"],
)
def test_tuples_of_c_code_are_written_with_their_names(value, written):
    for each in (value, [value]):
        assert written in text_of(each)


@pytest.mark.parametrize(
    "call", ["ttest_ind", "pearsonr", "mannwhitneyu", "linregress", "ks_2samp", "f_oneway"]
)
def test_results_of_statistics_show_statistic_and_p_value(call):
    """And nothing that only scipy needs."""
    from scipy import stats

    result = getattr(stats, call)([1.0, 2.0, 4.0, 5.0], [2.0, 2.5, 4.5, 9.0])
    for value in (result, {"test": result}):
        text = text_of(value)
        assert f'"pvalue": {float(result.pvalue)!r}' in text
        assert '"_' not in text
        assert "failed" not in text


# Texts that are shortened or only name something


class Summarizing:
    """As a library prints what is long."""

    def __init__(self, text="Ring(0, 1, ..., 2999)"):
        self.text = text

    def __repr__(self):
        return self.text


class Tensor(Summarizing):
    """As tensors of other libraries do, which numpy can read."""

    def __array__(self, dtype=None, copy=None):
        return np.arange(300)


Summarizing.__module__ = Tensor.__module__ = "json"
ELIDED = ["Ring(0, 1, ..., 2999)", "[1 2 ... 3]", "a\n1\n...\n9", "<Ring: 1, 2, …>"]


@pytest.mark.parametrize("text", ELIDED)
@pytest.mark.parametrize("wrap", [lambda each: each, lambda each: [1, each], lambda each: {"a": [each]}])
def test_a_text_that_its_library_has_shortened_does_not_pass_as_whole(text, wrap):
    """The tag and the note below the answer say so."""
    told, notices = sent(wrap(Summarizing(text)))
    assert "holds=\"its library's own text, which puts dots" in told
    assert any("its library's own text" in notice for notice in notices)


@pytest.mark.parametrize("wrap", [lambda each: each, lambda each: {"w": each}, lambda each: [[each]]])
def test_a_tensor_whose_text_is_shortened_goes_out_by_its_values(wrap):
    """As far as the limit goes."""
    told, notices = sent(wrap(Tensor()))
    assert re.search(r"\b149,? +150,?\s+151\b", told)
    assert "..." not in told
    assert not notices


def test_a_long_geometry_is_whole():
    """Its own text has eighty characters."""
    import shapely

    line = shapely.LineString([(n, n) for n in range(100)])
    for value in (line, [line]):
        text, notices = sent(value)
        assert "50 50, 51 51" in text
        assert not notices
    assert "<POINT (1 2)>" in text_of([shapely.Point(1, 2)])


def test_what_a_text_only_names_is_said():
    """Of an object within another object's own text."""
    text, notices = sent(Summarizing("Pipeline(<a.Custom object at 0x7f22f8408a40>)"))
    assert text == (
        '<data name="x" kind="json.Summarizing" holds="of Custom no more than the name, not what it contains">'
        "Pipeline(<a.Custom object>)</data>"
    )
    assert notices == ("x: of Custom no more than the name, not what it contains.",)


def test_a_long_text_of_an_object_inside_a_structure_is_whole():
    """It has the space of the structure, and the end is what is missing where it does not fit."""
    assert "word " * 200 in text_of({"a": Summarizing("word " * 200)})
    text, notices = sent({"a": Summarizing("word " * 20_000)})
    assert 'holds="' in text
    assert notices


# What IPython displays

SHOWN = [
    (display.HTML("<td>3,208</td>"), "<td>3,208</td>"),
    (display.Latex("$e=mc^2$"), "$e=mc^2$"),
    (display.Math("e=mc^2"), "e=mc^2"),
    (display.Markdown("**3,208**"), "**3,208**"),
    (display.Pretty("3,208"), "3,208"),
    (display.Javascript("f(3208)"), "f(3208)"),
    (display.SVG("<svg xmlns='http://www.w3.org/2000/svg'><text>3,208</text></svg>"), "<text>3,208</text>"),
    (display.JSON({"n": [3208]}), '{"n": [3208]}'),
    (display.GeoJSON({"type": "Point"}), '{"type": "Point"}'),
    (display.Code("x = 3208", language="python"), "x = 3208"),
]


@pytest.mark.parametrize(("value", "content"), SHOWN, ids=[type(row[0]).__name__ for row in SHOWN])
def test_display_objects_are_told_by_their_content(shell, value, content):
    """In a notebook, outside of one, and inside a list."""
    shell.ip.user_ns["shown"] = value
    shell.ok("%%claude -q\n{{ shown }}")
    assert content in shell.body["messages"][0]["content"]
    assert content in text_of(value)
    assert content in text_of([value, 1]) or json.dumps(content)[1:-1] in text_of([value, 1])


class Rich:
    def __init__(self, **shown):
        vars(self).update(shown)

    def _repr_html_(self):
        return vars(self).get("html")

    def _repr_latex_(self):
        return vars(self).get("latex")


Rich.__module__ = "json"


@pytest.mark.parametrize(
    ("value", "text"),
    [(Rich(html="<table><tr><th>a<th>b</tr><tr><td>1<td>2</tr></table>"), "a | b\n1 | 2"),
     (Rich(latex="$x^2$"), "$x^2$"), (Rich(html="<style>p {}</style><p>one</p><p>two</p>"), "one\ntwo")],
)  # fmt: skip
def test_an_object_that_only_shows_itself_is_told_by_what_a_reader_sees(shell, value, text):
    """Its plain text is no more than a name."""
    assert text in text_of(value)
    shell.ip.user_ns["shown"] = value
    shell.ok("%%claude -q\n{{ shown }}")
    assert text in shell.body["messages"][0]["content"]


# Methods


class Counter:
    total = 3

    def add(self, n):
        return n

    @classmethod
    def made(cls):
        return cls()

    @staticmethod
    def plain(n):
        return 2 * n

    @property
    def bound(self):
        return functools.partial(self.add, 2)


METHODS = [
    (FRAME, "describe"),
    (FRAME["price"], "mean"),
    (np.arange(3), "mean"),
    ([1], "append"),
    ("text", "upper"),
    ({1}, "union"),
    (Counter(), "add"),
    (Counter(), "made"),
    (Counter(), "bound"),
    ({"inner": Counter()}, "inner.add"),
    (pathlib.Path("a"), "exists"),
    (re.compile("a"), "match"),
    (Model(of=1), "model_dump"),
    (PICTURE, "resize"),
]


@pytest.mark.parametrize(("value", "path"), METHODS, ids=[path for _, path in METHODS])
def test_a_method_at_the_end_of_a_path_is_refused_and_its_result_suggested(value, path):
    """Nobody means the source of a library."""
    error = refused(value, f"x.{path}")
    assert f"{{{{ x.{path} }}}} is a method" in error
    assert f"Assign x.{path}() to a variable" in error


def test_a_method_as_attachment_is_refused_too(shell):
    """It is a path as well."""
    shell.ip.user_ns["frame"] = FRAME
    assert "Assign frame.describe() to a variable" in str(
        shell.error("%%claude -q -a frame.describe\nSum up.")
    )


@pytest.mark.parametrize(
    ("value", "path", "inside"),
    [(Counter, "add", "def add"), (Counter, "made", "def made"), (Counter(), "plain", "def plain"),
     (Counter(), "total", "3"), (json, "dumps", "def dumps"), (types.SimpleNamespace(f=len), "f", "len(obj, /)")],
)  # fmt: skip
def test_functions_of_classes_and_modules_stay_code(value, path, inside):
    """What is asked about is their source."""
    assert inside in text_of(value, f"x.{path}")


def test_a_method_in_a_variable_is_its_source(shell):
    """Whoever puts it there means it."""
    assert "def add" in text_of(Counter().add)


# Answers


def an_answer(*, complete: bool = True, **more) -> Reply:
    blocks = ({"type": "text", "text": "Four."},)
    return Reply(blocks=blocks, model="m", region="eu", complete=complete, **more)


ANSWERS = {
    "alone": ("x", '<data name="x" kind="answer">Four.</data>'),
    "in a list": ("several", '<data name="several" kind="list" about="2 items">["Four.", "Four."]</data>'),
    "in a dict": ("named", '<data name="named" kind="dict" about="1 item">{"first": ["Four."]}</data>'),
    "an element": ("several[1]", '<data name="several[1]" kind="answer">Four.</data>'),
}


@pytest.mark.parametrize(("path", "expected"), ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_is_its_text(path, expected):
    """Its times, ids and costs differ each time it is asked for, and no later question would be found again."""
    answers = [an_answer(seconds=number, message_id=f"msg_{number}") for number in (1.0, 2.0)]
    for reply in answers:
        names = {"x": reply, "several": [reply, reply], "named": {"first": [reply]}}
        request = Claude(project="p").request(f"{{{{ {path} }}}}", names=names)
        assert request.body["messages"][0]["content"] == expected


def test_an_answer_that_was_stopped_says_so():
    """To the model and to the user."""
    text, notices = sent(an_answer(complete=False))
    assert 'holds="an answer that was stopped; its end is missing"' in text
    assert notices == ("x: an answer that was stopped; its end is missing.",)


def test_an_answer_of_a_notebook_goes_into_a_later_question(claude_emulator, monkeypatch):
    """As the text that its reader saw, so that a replay finds the question in another kernel."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    claude_emulator.answer("Four.", "Sixteen.")
    for replay in ("off", "only"):
        shell = loaded_shell(claude_emulator)
        shell.ok(f"%%claude total -q --replay {replay}\nWhat is 2 + 2?")
        assert shell.ok(f"%%claude -q --replay {replay}\nThe square of {{{{ total }}}}?").text == "Sixteen."
        shell.magics.close()
    assert (
        shell.body["messages"][0]["content"] == 'The square of <data name="total" kind="answer">Four.</data>?'
    )


class Broken(Exception):
    """What the code of a user's own class raises."""


def broken(*_, **__):
    raise Broken("no rows yet")


def raising(*names, base=object, value=()):
    """An object of which these methods raise."""
    return type("Odd", (base,), dict.fromkeys(names, broken))(*value)


RAISING = {
    "repr": raising("__repr__"),
    "repr and str": raising("__repr__", "__str__"),
    "repr in a dict": {"a": raising("__repr__")},
    "HTML": raising("_repr_html_"),
    "the iterator of a list": raising("__iter__", base=list, value=([1],)),
    "the length of a list": raising("__len__", base=list, value=([1],)),
    "the items of a list": raising("__getitem__", "__iter__", base=list, value=([1],)),
    "the iterator of a tuple": raising("__iter__", base=tuple, value=([1],)),
    "the iterator of a set": raising("__iter__", base=set, value=([1],)),
    "the items of a dict": raising("items", "keys", "__iter__", base=dict, value=({"a": 1},)),
    "the text of a text": raising(
        "__str__", "__len__", "__iter__", "split", "strip", base=str, value=("Hi",)
    ),
    "an attribute": raising("__getattr__", "__repr__"),
}
GIVEN = {
    "one attachment": lambda value: Claude(project="p").request("Hi", attach=value),
    "attachments": lambda value: Claude(project="p").request("Hi", attach=["a", value], names={"a": 1}),
    "a template": lambda value: Claude(project="p").request("Hi {{ x }}", names={"x": value}),
    "an element of a template": lambda value: Claude(project="p").request("Hi {{ x }}", names={"x": [value]}),
    "a list": lambda value: Claude(project="p").request(["Hi", value]),
}


@pytest.mark.parametrize("give", GIVEN.values(), ids=GIVEN.keys())
@pytest.mark.parametrize("value", RAISING.values(), ids=RAISING.keys())
def test_nothing_that_the_code_of_an_object_raises_comes_through(value, give):
    """It goes out, or is refused as ours; the traceback of a stranger's class names no cure."""
    with contextlib.suppress(errors.OptionError):
        give(value)


@pytest.mark.parametrize("name", ["repr", "the iterator of a list", "the length of a list"])
def test_an_object_that_cannot_be_read_is_refused(name):
    with pytest.raises(errors.OptionError, match="could not be read: Broken: no rows yet") as caught:
        GIVEN["a template"](RAISING[name])
    assert isinstance(caught.value.__cause__, Broken)
    assert "\n" not in str(caught.value)
