"""What a table becomes in a prompt: nothing is lost without a word, of rows, columns, cells and what goes with them."""

# Times without a zone are data too.

from __future__ import annotations

import collections
import csv
import dataclasses
import datetime as dt
import enum
import functools
import io
import ipaddress
import pathlib
import re
import uuid
from decimal import Decimal
from fractions import Fraction

import dask.dataframe
import duckdb
import geopandas
import narwhals
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shells import run_python
from sklearn.preprocessing import FunctionTransformer

from vertex_claude_magic import errors
from vertex_claude_magic.client import Claude
from vertex_claude_magic.frames.read import SAMPLE
from vertex_claude_magic.frames.text import frame_text
from vertex_claude_magic.prompts.parts import Text, ValueLimits, estimate_tokens
from vertex_claude_magic.prompts.values.convert import parts_of
from vertex_claude_magic.tables.rows import read_rows
from vertex_claude_magic.vertex.reply import Reply

REQUEST = Claude(project="p")


def part(value: object, tokens: int = 4_000) -> Text:
    (only,) = parts_of(value, ValueLimits(tokens=tokens))
    return only


def body(value: object, tokens: int = 4_000) -> str:
    return part(value, tokens).body


def rows(value: object, tokens: int = 4_000) -> list[str]:
    """The lines of CSV below the names of the columns."""
    below = body(value, tokens).partition("column,dtype,missing,summary\n")[2].partition("\n\n")[2]
    return re.sub(r"^Below: .*\n\n", "", below).split("\n")[1:]


def series(*values: object) -> pd.Series:
    return pd.Series(list(values), dtype=object, name="a")


# Digits

LONG = 0.1 + 0.2
DIGITS = [
    ("pandas", pd.DataFrame({"a": [1002345678.0, None, 1234567.89]}), ["1002345678", "", "1234567.89"]),
    ("the last digit", pd.DataFrame({"a": [LONG, 1 / 3, 1e-17]}), ["0.30000000000000004", "0.3333333333333333", "1e-17"]),
    ("nullable", pd.DataFrame({"a": pd.array([LONG, None], dtype="Float64")}), ["0.30000000000000004", ""]),
    ("float32", pd.DataFrame({"a": np.array([0.1, 16777216, 1 / 3], dtype="float32")}), ["0.1", "16777216", "0.33333334"]),
    ("float16", pd.DataFrame({"a": np.array([0.1, 65504], dtype="float16")}), ["0.1", "65500"]),
    ("a wide float", pd.DataFrame({"a": np.array([1.5], dtype="longdouble")}), ["1.5"]),
    ("an index", pd.DataFrame({"a": [1]}, index=[LONG]), ["0.30000000000000004,1"]),
    ("a level", pd.Series([1], index=pd.MultiIndex.from_tuples([(LONG, "x")])), ["0.30000000000000004,x,1"]),
    ("objects", series(LONG, np.float32(0.1), Decimal("1.10")), ["0.30000000000000004", "0.1", "1.10"]),
    ("polars", pl.DataFrame({"a": [LONG, None]}), ["0.30000000000000004", ""]),
    ("polars Float32", pl.DataFrame({"a": [0.1]}, schema={"a": pl.Float32}), ["0.1"]),
    ("in a list", pl.DataFrame({"a": [[0.1, None]]}, schema={"a": pl.List(pl.Float32)}), ['"[0.1, null]"']),
    ("in a struct", pl.DataFrame({"a": [{"x": 0.1}]}, schema={"a": pl.Struct({"x": pl.Float32})}), ['"{""x"": 0.1}"']),
    ("pyarrow", pa.table({"a": pa.array([0.1, LONG], pa.float64())}), ["0.1", "0.30000000000000004"]),
    ("pyarrow float", pa.table({"a": pa.array([0.1], pa.float32())}), ["0.1"]),
    ("pyarrow halffloat", pa.table({"a": pa.array(np.array([0.1], dtype="float16"))}), ["0.1"]),
    ("pyarrow decimal256", pa.table({"a": pa.array([Decimal("1.50")], pa.decimal256(60, 2))}), ["1.50"]),
    ("duckdb", duckdb.sql("select 0.1::float as a, 2::hugeint ** 100 as b, 1.10::decimal(9, 2) as c"),
     ["0.1,1.2676506002282294e+30,1.10"]),
    ("duckdb HUGEINT", duckdb.sql("select 170141183460469231731687303715884105727::hugeint as a"),
     ["170141183460469231731687303715884105727"]),
    ("beyond 64 bits", pl.DataFrame({"a": [2**100]}, schema={"a": pl.Int128}), [str(2**100)]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "lines"), [row[1:] for row in DIGITS], ids=[row[0] for row in DIGITS])
def test_a_number_has_all_the_digits_that_its_type_has(value, lines):
    """As many as its repr; a float of 32 bits has its own shortest text."""
    assert rows(value) == lines


SUMMARIES = [
    (pd.Series([1002345678.25, 1.0]), "1 to 1002345678.25; mean 501172839.625"),
    (pd.Series([2**62, 2**62 + 2]), f"{2**62} to {2**62 + 2}; mean {float(2**62)!r}"),
    (pd.Series(np.array([0.1, 0.3], dtype="float32")), "0.1 to 0.3; mean 0.20000000670552254"),
    (pl.Series([Decimal("1.10"), Decimal("2.25")]), "1.10 to 2.25; mean 1.675"),
    (series(2**70, 1), f"1 to {2**70}; mean {2**69 + 0.5!r}".replace(".0", "")),
    (series(Decimal("0.10"), Decimal("0.30")), "0.10 to 0.30; mean 0.20"),
    (pl.Series([1.5, float("nan"), None]), "1.5 to 1.5; mean 1.5; 1 NaN"),
    (pd.Series([np.inf, -np.inf]), "-inf to inf; mean NaN"),
    (pl.Series([1e308, 1e308]), "1e+308 to 1e+308; mean beyond the largest float"),
    (pl.Series([1, 1_000], dtype=pl.Datetime("ns")), "1970-01-01 00:00:00.000000001 to 1970-01-01 00:00:00.000001"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "summary"), SUMMARIES, ids=[row[1] for row in SUMMARIES])
def test_a_summary_has_all_digits_too(value, summary):
    """The range as the values have them, and the mean of the exact sum."""
    described = next(csv.reader([body(value).split("\n")[3]]))
    assert described[3] == summary


NANOSECONDS = [
    (pl.Series([1], dtype=pl.Datetime("ns", "Europe/Oslo")), "1970-01-01 01:00:00.000000001+01:00"),
    (pl.Series([1_000_000_000], dtype=pl.Datetime("ns")), "1970-01-01 00:00:01"),
    (pl.Series([1_500_000_000], dtype=pl.Duration("ns")), "0:00:01.500000"),
    (pl.Series([1], dtype=pl.Duration("ns")), "0:00:00.000000001"),
    (pl.Series([3_600_000_000_001], dtype=pl.Time), "01:00:00.000000001"),
    (pa.array([1], pa.timestamp("ns")), "1970-01-01 00:00:00.000000001"),
    (pa.array([1], pa.time64("ns")), "00:00:00.000000001"),
    (pa.array([1], pa.time64("us")), "00:00:00.000001"),
    (pd.Series(pd.to_datetime([1])), "1970-01-01 00:00:00.000000001"),
]


@pytest.mark.parametrize(("value", "text"), NANOSECONDS, ids=[row[1] for row in NANOSECONDS])
def test_a_time_has_its_nanoseconds(value, text):
    """A time of Python would count microseconds."""
    assert rows(value) == [text]


def test_times_inside_a_list_that_are_cut_to_microseconds_are_named():
    """The library gives them as times of Python."""
    assert "times inside to the microsecond" in body(pl.Series([[1]], dtype=pl.List(pl.Datetime("ns"))))


# Long cells

END = "AND THEN IT BROKE"
REVIEW = "good " * 100 + END
LIBRARIES = {
    "pandas": lambda texts: pd.DataFrame({"a": texts}),
    "pandas objects": lambda texts: pd.DataFrame({"a": pd.Series(texts, dtype=object)}),
    "pandas index": lambda texts: pd.DataFrame({"b": 1}, index=pd.Index(texts)),
    "pandas category": lambda texts: pd.DataFrame({"a": pd.Categorical(texts)}),
    "polars": lambda texts: pl.DataFrame({"a": texts}),
    "polars series": lambda texts: pl.Series("a", texts),
    "pyarrow": lambda texts: pa.table({"a": texts}),
    "pyarrow array": lambda texts: pa.array(texts).dictionary_encode(),
    "narwhals": lambda texts: narwhals.from_native(pl.DataFrame({"a": texts})),
    "duckdb": lambda texts: duckdb.from_arrow(pa.table({"a": texts})),
    "lists": lambda texts: pl.DataFrame({"a": [[text] for text in texts]}),
    "structs": lambda texts: pa.table({"a": [{"x": text} for text in texts]}),
    "objects in dicts": lambda texts: pd.DataFrame({"a": [{"x": text} for text in texts]}),
}


@pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)
def test_a_long_text_goes_out_whole_where_it_fits(make):
    """And nothing is said of a cut."""
    found = part(make([REVIEW, "short"]))
    assert END in found.body.rpartition("\n\n")[2]
    assert found.cut == ""


@pytest.mark.parametrize("make", LIBRARIES.values(), ids=LIBRARIES)
def test_long_texts_that_do_not_fit_share_the_room_and_are_named(make):
    """All rows stay; the texts are cut at one length, and say how long they are; the tag says how many."""
    texts = [f"{number}{'x' * 20_000}{END}" for number in range(3)]
    found = part(make(texts), tokens=1_000)
    lines = found.body.rpartition("\n\n")[2].split("\n")[1:]
    assert found.cut == "all 3 rows, with 3 long cells shortened"
    assert len(lines) == 3
    assert len({len(line) for line in lines}) == 1
    assert all(re.search(r"… \(of (20,018 characters|1 items)\)", line) for line in lines)
    assert estimate_tokens(found.body) in range(850, 1_001)


def test_short_texts_beside_a_long_one_are_not_cut():
    """Whatever the long one is cut to."""
    found = rows(pd.DataFrame({"a": ["short", "y" * 50_000, "z" * 190]}), tokens=300)
    assert found[0] == "short"
    assert found[1].startswith('"yyyy')
    assert found[2] == "z" * 190


@pytest.mark.parametrize("place", [0, 3, 99])
def test_one_long_text_pushes_out_no_more_than_three_quarters_of_the_rows(place):
    """Those would fit if it was short."""
    texts = ["short"] * 1_000
    whole = len(rows(pd.DataFrame({"a": texts}), tokens=1_000))
    texts[place] = "long " * 10_000
    found = rows(pd.DataFrame({"a": texts}), tokens=1_000)
    assert len(found) >= whole // 4 - 10


def test_where_rows_are_left_out_anyway_texts_of_middle_length_stay_whole():
    """Rather fewer rows than each of them cut."""
    found = part(pd.DataFrame({"a": [REVIEW] * 500}))
    assert re.fullmatch(r"the first \d+ of 500 rows", found.cut)
    assert all(line == REVIEW for line in found.body.rpartition("\n\n")[2].split("\n")[1:])


def test_a_text_counts_by_its_bytes():
    """As the estimate of tokens does."""
    found = part(pd.DataFrame({"a": ["日本" * 5_000] * 4}), tokens=500)
    assert found.cut == "all 4 rows, with 4 long cells shortened"
    assert estimate_tokens(found.body) <= 500


def test_a_cut_is_named_in_the_tag_the_notice_and_the_dry_run(shell):
    """To the model, and to the user before anything is sent."""
    frame = pd.DataFrame({"a": ["x" * 30_000, "y" * 30_000]})
    shell.ip.user_ns["frame"] = frame
    shell.ok("%%claude --dry-run\nLook at {{ frame }}")
    assert "frame: sent all 2 rows, with 2 long cells shortened" in shell.page.text
    request = REQUEST.request("{{ frame }}", names={"frame": frame})
    assert 'holds="all 2 rows, with 2 long cells shortened"' in request.body["messages"][0]["content"]
    assert request.notices[0].startswith("frame: sent all 2 rows, with 2 long cells shortened. To send more:")


CELLS = st.one_of(
    st.none(), st.integers(), st.floats(), st.booleans(), st.text(st.characters(codec="utf-8"), max_size=400),
    st.text(st.sampled_from('ab,"\n\r é'), min_size=200, max_size=900), st.lists(st.integers(), max_size=90),
)  # fmt: skip


@given(
    table=st.integers(1, 30).flatmap(
        lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=60)
    ),
    tokens=st.integers(80, 2_000),
)
def test_what_is_said_of_rows_columns_and_cells_is_what_went_out(table, tokens):
    """For any table and any limit: the CSV is counted and compared with the tag."""
    frame = pd.DataFrame(
        {str(at): pd.Series([row[at] for row in table], dtype=object) for at in range(len(table[0]))}
    )
    found = frame_text(frame, tokens * 7 // 2)
    said = re.match(r"(?:the first (\d+)|(none) of the|all (\d+)|(the only)) ?", found.cut)
    held = (int(said[1] or said[3] or 0) if not said[4] else 1) if said else len(table)
    width = re.search(r"and (\d+) of \d+ columns", found.cut)
    shortened = re.search(r"with (\d+) long cell", found.cut)
    _, _, below = found.body.partition("column,dtype,missing,summary\n")
    parsed = list(csv.reader(io.StringIO(below, newline="")))
    columns = int(width[1]) if width else len(table[0])
    names = [str(at) for at in range(columns)]
    if not held:
        assert names not in parsed[columns:]
        return
    # The first, because a row may hold the same as the names, such as the only cell `0` of the column `0`.
    start = min(at for at, line in enumerate(parsed) if line == names)
    # A missing value in the only column is an empty line, which the reader of the standard library leaves out.
    lines = [line or [""] for line in parsed[start + 1 :]]
    lines += [[""]] * (held - len(lines) if columns == 1 and held - len(lines) == 1 else 0)
    assert [len(line) for line in lines] == [columns] * held
    marks = sum(
        bool(re.search(r"… \(of [\d,]+ (characters|items)\)$", cell)) for line in lines for cell in line
    )
    assert marks == (int(shortened[1]) if shortened else 0)


def test_long_names_types_and_notes_are_whole_or_named():
    """A question of a survey is whole, a name of a page is not."""
    question = (
        "How satisfied are you with the following aspects of your work: the hours, the pay, the people? " * 3
    )
    found = part(pd.DataFrame({question: [1]}))
    assert found.body.count(question) == 2
    assert found.cut == ""
    assert part(pd.DataFrame({question * 50: [1]})).cut == "the only row, with long names shortened"
    many = pl.Series("a", ["c1"], dtype=pl.Enum([f"c{number}" for number in range(5_000)]))
    assert part(many.to_frame()).cut == "the only row, with long types shortened"
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["text"] = "x" * 10_000
    assert part(frame).cut == "the only row, with long notes shortened"


def test_columns_that_are_left_out_are_named_beside_the_rows():
    """Neither hides the other."""
    found = part(pd.DataFrame(np.zeros((3, 2_000))), tokens=1_000)
    described = found.body.count("float64,0,0 to 0; mean 0")
    assert found.cut == f"all 3 rows and {described} of 2,000 columns"
    assert f"Only the first {described} columns are described." in found.body


# Kinds of tables

SMALL = pa.table({"a": [1, None], "b": ["x", "y"]})
KINDS = [
    (SMALL, "pyarrow.Table", "a,b\n1,x\n,y"),
    (SMALL.to_batches()[0], "pyarrow.RecordBatch", "a,b\n1,x\n,y"),
    (SMALL["b"], "pyarrow.ChunkedArray", "value\nx\ny"),
    (pa.array([1.5, None]), "pyarrow.DoubleArray", "value\n1.5\n"),
    (duckdb.sql("select 1 as a, 'x' as b union all select null, 'y'"), "duckdb.DuckDBPyRelation", "a,b\n1,x\n,y"),
    (narwhals.from_native(SMALL), "pyarrow.Table", "a,b\n1,x\n,y"),
    (narwhals.from_native(pd.Series([1], name="s"), series_only=True), "pandas.Series", "s\n1"),
    (pl.DataFrame({"a": [1, None], "b": ["x", "y"]}), "polars.DataFrame", "a,b\n1,x\n,y"),
    (pd.MultiIndex.from_tuples([(1, "x")], names=["n", None]), "pandas.MultiIndex", "n,level 1\n1,x"),
    (duckdb.sql("select 1 as a, 2 as a"), "duckdb.DuckDBPyRelation", "a,a\n1,2"),
    (pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), "pyarrow.Table", "a,a\n1,2"),
    (pa.table({}), "pyarrow.Table", "0 rows × 0 columns"),
    (duckdb.sql("select (2::bignum ** 127)::uhugeint as a, '12:00:00+02'::timetz as b, '101'::bit as c, 2::bignum as d, 3 as e"),
     "duckdb.DuckDBPyRelation", "a,b,c,d,e\n170141183460469231731687303715884105728,12:00:00+02,101,2,3"),
    (duckdb.sql("select 1 as a where false"), "duckdb.DuckDBPyRelation", "\n\na"),
    (pd.DataFrame({"schema": [1], "iloc": [2], "columns": [3]}), "pandas.DataFrame", "schema,iloc,columns\n1,2,3"),
    (pd.Series(["x"], index=["columns"]), "pandas.Series", "index,value\ncolumns,x"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind", "end"), KINDS, ids=[f"{row[1]} {row[2][:9]!r}" for row in KINDS])
def test_a_table_of_any_library_goes_out_with_its_rows(value, kind, end):
    """None of them as the text that its library has shortened."""
    found = part(value)
    assert found.kind == kind
    assert found.body.endswith(end)
    assert found.cut == ""


@pytest.mark.parametrize(
    "value",
    [pa.table({"a": range(1_000)}), duckdb.sql("select range as a from range(1000)"), pa.array(range(1_000))],
    ids=lambda value: type(value).__name__,
)
def test_a_middle_row_is_there_where_a_library_would_elide_it(value):
    """A thousand numbers fit."""
    assert rows(value)[500:502] == ["500", "501"]


def test_a_table_in_a_list_stands_for_itself():
    """As a data frame of pandas does."""
    assert [each.kind for each in parts_of([SMALL, duckdb.sql("select 1 as a")], ValueLimits())] == [
        "pyarrow.Table",
        "duckdb.DuckDBPyRelation",
    ]


def test_a_relation_is_computed_and_the_tag_says_so():
    """No more of a long one is fetched than is looked at, and its rows are counted all the same."""
    found = part(duckdb.sql(f"select range as a from range({SAMPLE + 5})"), tokens=300)
    assert found.about == f"{SAMPLE + 5:,} rows × 1 column, computed for this prompt"
    assert f"Missing values and summaries are from the first {SAMPLE:,} rows." in found.body
    assert re.fullmatch(rf"the first \d+ of {SAMPLE + 5:,} rows", found.cut)
    short = part(duckdb.sql("select 1 as a"))
    assert short.about == "1 row × 1 column, computed for this prompt"
    assert "Summaries" not in short.body


@pytest.mark.parametrize("wrap", [lambda lazy: lazy, narwhals.from_native], ids=["polars", "narwhals"])
def test_a_lazy_frame_of_polars_is_not_computed(wrap):
    """Its schema goes out, and the tag says that it is no more."""

    def compute(_value):
        raise AssertionError

    lazy = pl.LazyFrame({"n": [1]}).with_columns(
        pl.col("n").map_elements(compute, return_dtype=pl.Int64).alias("m")
    )
    found = part(wrap(lazy))
    assert found.about == "not computed, only its schema"
    assert found.body == "n: Int64\nm: Int64"


def test_narwhals_is_imported_with_the_first_frame_only():
    """And a missing one names the line that installs it."""
    code = (
        "import sys, pandas as pd\nfrom vertex_claude_magic import Claude, errors\n"
        "claude = Claude(project='p')\nclaude.request('{{ d }}', names={'d': {'a': [1]}})\n"
        "print('narwhals' in sys.modules)\nsys.modules['narwhals'] = None\n"
        "try:\n    claude.request('{{ d }}', names={'d': pd.DataFrame({'a': [1]})})\n"
        "except errors.MissingExtra as error:\n    print(error.cure)"
    )
    assert run_python(code).splitlines() == ["False", 'Run: pip install "vertex-claude-magic[data]"']


# What goes with a table


def leveled() -> pd.DataFrame:
    frame = pd.DataFrame(
        [[1, 2]], columns=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["group", None])
    )
    frame.index = pd.MultiIndex.from_tuples([("k", 5)], names=["key", None])
    return frame


def with_attributes() -> pd.DataFrame:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs = {"units": {"a": "kg"}, "source": "WHO"}
    return frame


DAYS = pd.date_range("2020-01-01", periods=2, freq="D", tz="Europe/Oslo", name="day")
POINTS = geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(0.1, 1 / 3)], crs="EPSG:4326")
UNITS = pa.schema([pa.field("a", pa.int64(), metadata={"unit": "kg"})], metadata={"source": "WHO"})
BESIDE = [
    ("attributes", with_attributes(), 'Attributes: {"units": {"a": "kg"}, "source": "WHO"}'),
    ("attributes of a series", with_attributes()["a"], 'Attributes: {"units"'),
    ("metadata of Arrow", pa.table({"a": [1]}, schema=UNITS), 'Metadata: {"source": "WHO"}\nMetadata of a: {"unit": "kg"}'),
    ("a coordinate system", POINTS, "CRS EPSG:4326 (WGS 84)"),
    ("a system without a number", POINTS.to_crs("+proj=laea +lat_0=50 +lon_0=9"), "CRS +proj=laea +lat_0=50 +lon_0=9"),
    ("no coordinate system", POINTS.set_crs(None, allow_override=True), "no CRS"),
    ("names of levels", leveled(), "index1 (int64).\nThe levels of the columns are called group, None."),
    ("a name of the columns", pd.DataFrame({"a": [1]}).rename_axis(columns="c"), "The columns are called c."),
    ("an index of times", pd.DataFrame({"a": [1, 2]}, index=DAYS), ", Europe/Oslo], every D)."),
    ("a name of the row number", pd.DataFrame({"a": [1]}).rename_axis("row"), "The index counts the rows and is called row."),
    ("names that are numbers", pd.DataFrame({2020: [1]}), "The names of the columns are int."),
    ("names of several types", pd.DataFrame([[1, 2]], columns=[1, "1"]), "\n1,'1'\n1,2"),
    ("order of categories", pd.DataFrame({"a": pd.Categorical(["lo"], ["lo", "mid", "hi"], ordered=True)}),
     "categories in order: lo < mid < hi"),
    ("unused categories", pd.DataFrame({"a": pd.Categorical(["x"], ["x", "z"])}), "categories: x, z"),
    ("categories of an Enum", pl.DataFrame({"a": pl.Series(["x"], dtype=pl.Enum(["x", "z"]))}), "['x', 'z']"),
    ("a time zone", pl.Series("a", [1], dtype=pl.Datetime("us", "Asia/Tokyo")), "Asia/Tokyo"),
    ("several types", series(1, "x"), "mixed types (1 int, 1 str)"),
    ("several missing values", series(None, np.nan, pd.NaT), "3 (1 None, 1 nan, 1 NaT)"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "inside"), [row[1:] for row in BESIDE], ids=[row[0] for row in BESIDE])
def test_what_is_known_beside_the_cells_is_there(value, inside):
    """Units, coordinate systems, levels, zones, categories: what the numbers mean."""
    assert inside in body(value).replace('""', '"')


# Cells


class Colour(enum.Enum):
    RED = "r"


@dataclasses.dataclass
class Point:
    x: int
    _hidden: int = 0


Pair = collections.namedtuple("Pair", "left right")  # noqa: PYI024 - the untyped one is tested
POLYGON = shapely.Polygon([(0, 0), (1 / 3, 0), (1, 1)])
ANSWER = Reply(blocks=({"type": "text", "text": "Four."},), model="m", region="eu")
IN_A_CELL = [
    ({"a": [1, None, {"b": (True, "x")}]}, '{"a": [1, null, {"b": [true, "x"]}]}'),
    ({"a": np.float32(0.1), "b": np.nan, "c": pd.NaT, "d": np.int64(3), "e": np.bool_(True)},
     '{"a": 0.1, "b": "NaN", "c": null, "d": 3, "e": true}'),
    ([dt.date(2020, 1, 2), Decimal("1.10"), b"\x00"], '["2020-01-02", "1.10", "b\'\\\\x00\'"]'),
    (np.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
    (np.array([0.1], dtype="float32"), "[0.1]"),
    (pd.DataFrame({"x": [1]}, index=["k"]), '{"columns": ["index", "x"], "rows": [["k", 1]]}'),
    (pl.DataFrame({"x": [1]}), '{"columns": ["x"], "rows": [[1]]}'),
    ({"b", "a"}, '["a", "b"]'),
    ({2, 10, 1.5}, "[1.5, 2, 10]"),
    (Point(1), '{"x": 1}'),
    (Pair(1, "r"), '{"left": 1, "right": "r"}'),
    (b"\x00a", "b'\\x00a'"),
    (Colour.RED, "Colour.RED"),
    (POLYGON, "POLYGON ((0 0, 0.3333333333333333 0, 1 1, 0 0))"),
    (pd.Interval(0, 1), "(0, 1]"),
    (pd.Timestamp("2020-01-01 00:00:00.123456789"), "2020-01-01 00:00:00.123456789"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Fraction(1, 3), "1/3"),
    (ipaddress.ip_address("1.2.3.4"), "1.2.3.4"),
    (pathlib.PurePosixPath("/a b"), "/a b"),
    (len, "builtins.len"),
    (functools.partial(part, tokens=5), "functools.partial(<function part>, tokens=5)"),
    (FunctionTransformer(part), "FunctionTransformer(func=<function part>)"),
    (dict, "builtins.dict"),
    (2**70, str(2**70)),
    (1j, "1j"),
    (ANSWER, "Four."),
    ({"a": [ANSWER]}, '{"a": ["Four."]}'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), IN_A_CELL, ids=[type(row[0]).__name__ for row in IN_A_CELL])
def test_a_value_in_a_cell_is_written_whole(value, text):
    """What is nested as JSON; nothing as a text that its library has shortened."""
    cells = next(csv.reader(io.StringIO("\n".join(rows(series(value))))))
    assert cells == [text]


def test_a_geometry_is_whole_or_its_cut_is_named():
    """As text of the standard (WKT); its library would elide it."""
    circle = shapely.Point(0, 0).buffer(1, quad_segs=40)
    frame = geopandas.GeoDataFrame(geometry=[circle], crs="EPSG:32632")
    assert next(csv.reader([rows(frame)[0]])) == [circle.wkt]
    assert part(frame, tokens=500).cut == "the only row, with 1 long cell shortened"
    assert f"… (of {len(circle.wkt):,} characters)" in rows(frame, tokens=500)[0]


def test_bytes_in_columns_of_bytes_are_their_content():
    """Not just how many they are."""
    assert rows(pl.DataFrame({"a": [b"\xffab"]})) == ["b'\\xffab'"]
    assert rows(pa.table({"a": [b"ab"]})) == ["b'ab'"]


MISSING = [
    (pd.DataFrame({"a": ["", None, "x"], "b": 1}), ['"",1', ",1", "x,1"]),
    (pl.DataFrame({"a": ["", None], "b": [1, 1]}), ['"",1', ",1"]),
    (pa.table({"a": ["", None], "b": [1, 1]}), ['"",1', ",1"]),
    (pl.DataFrame({"a": [1.5, float("nan"), None], "b": [1, 1, 1]}), ["1.5,1", "NaN,1", ",1"]),
    (pa.table({"a": [float("nan"), None], "b": [1, 1]}), ["NaN,1", ",1"]),
    (pd.DataFrame({"a": [np.nan, 1.5], "b": 1}), [",1", "1.5,1"]),
    (pd.DataFrame({"a": pd.array(["", None], dtype="string"), "b": 1}), ['"",1', ",1"]),
    (pd.DataFrame({"a": pd.to_datetime(["2020-01-01", None]), "b": 1}), ["2020-01-01 00:00:00,1", ",1"]),
    (pd.DataFrame({"a": pd.array([True, None], dtype="boolean"), "b": 1}), ["True,1", ",1"]),
]


@pytest.mark.parametrize(("value", "lines"), MISSING, ids=[str(row[1]) for row in MISSING])
def test_a_missing_value_is_neither_an_empty_text_nor_nan(value, lines):
    """Nothing is missing, quotation marks are an empty text, NaN is NaN where the library tells it from missing."""
    assert rows(value) == lines


# What cannot be written


class Run:
    def __init__(self, loss: float) -> None:
        self.loss = loss


class Failing:
    def __repr__(self) -> str:
        raise ZeroDivisionError


@dataclasses.dataclass
class FailingField:
    x: int = 1

    def __getattribute__(self, name: str) -> object:
        if name == "x":
            raise RuntimeError
        return super().__getattribute__(name)


CANNOT = [
    ("an object", pd.DataFrame({"ok": [1], "model": [Run(0.5)]})),
    ("a column of polars", pl.DataFrame({"model": pl.Series([Run(0.5)], dtype=pl.Object)})),
    ("in a list", pd.DataFrame({"model": [[Run(0.5)]]})),
    ("in a dict", pd.DataFrame({"model": [{"run": Run(0.5)}]})),
    ("a lambda in a partial", pd.DataFrame({"model": [functools.partial(lambda: 1)]})),
    ("in a series", pd.Series([1, Run(0.5)], name="model")),
    ("in the index", pd.DataFrame({"a": [1]}, index=pd.Index([Run(0.5)], name="model", dtype=object))),
    ("a repr that fails", pd.DataFrame({"model": [Failing()]})),
    ("a field that fails", pd.DataFrame({"model": [FailingField()]})),
    (
        "below the rows that go out",
        pd.DataFrame({"model": pd.Series([*range(1_500), Run(0.5)], dtype=object)}),
    ),
]


@pytest.mark.parametrize("value", [row[1] for row in CANNOT], ids=[row[0] for row in CANNOT])
def test_a_column_whose_objects_have_no_text_is_refused_by_name(value):
    """A memory address says nothing, and another process has another one."""
    with pytest.raises(errors.OptionError) as caught:
        REQUEST.request("{{ frame }}", names={"frame": value})
    assert "column 'model'" in str(caught.value)
    assert "the column 'model'" in caught.value.cure
    assert "0x" not in str(caught.value)


def test_attributes_without_a_text_are_refused_too():
    """They go out beside the cells."""
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["model"] = Run(0.5)
    with pytest.raises(errors.OptionError, match="Objects of type Run in the attributes have no text"):
        part(frame)


def test_a_colour_that_looks_like_an_address_is_a_text_of_its_own():
    """Only `at 0x...` and the address of the object itself say nothing."""

    class Paint:
        def __repr__(self) -> str:
            return "Paint(0xffcc00aa)"

    assert rows(series(Paint())) == ["Paint(0xffcc00aa)"]


def test_the_text_is_the_same_in_the_next_process():
    """The order of a set is another one there."""
    code = (
        "import pandas as pd\nfrom vertex_claude_magic.frames.text import frame_text\n"
        "words = [chr(97 + n) * 3 for n in range(20)]\n"
        "frame = pd.DataFrame({'a': [set(words), frozenset(words)], 'b': [{'k': set(words)}, len], 'c': [.1, .7]})\n"
        "frame.attrs['tags'] = set(words)\nprint(frame_text(frame, 9_000).body)"
    )
    assert run_python(code, PYTHONHASHSEED="1") == run_python(code, PYTHONHASHSEED="2")


# Arrays

POINTED = np.linspace(0, 1, 4)
ARRAYS = [
    ("digits", np.array([1002345678.25, LONG]), "[1002345678.25 0.30000000000000004]"),
    ("float32", np.array([0.1, 1 / 3], dtype="float32"), "[0.1 0.33333334]"),
    ("small beside large", np.array([1e-20, 1.0]), "[1e-20 1.0]"),
    ("complex", np.array([1 / 3 + 1j]), "[(0.3333333333333333+1j)]"),
    ("a long text", np.array([REVIEW]), f"[{REVIEW!r}]"),
    ("records", np.array([(1, 1 / 3)], dtype=[("a", "i4"), ("b", "f8")]), "[(1, 0.3333333333333333)]"),
    ("objects", np.array([{"a": 1}, None, "1", 1], dtype=object), "[{\"a\": 1} None '1' 1]"),
    ("a mask", np.ma.array([1.5, 2], mask=[0, 1]), "[1.5 --]"),
]


@pytest.mark.parametrize(("value", "end"), [row[1:] for row in ARRAYS], ids=[row[0] for row in ARRAYS])
@pytest.mark.parametrize(
    "options", [{}, {"precision": 2, "threshold": 1, "suppress": True, "linewidth": 20}], ids=["", "set"]
)
def test_an_array_has_all_digits_whatever_options_its_user_shows_arrays_with(value, end, options):
    """Those are for the page."""
    with np.printoptions(**options):
        assert body(value).endswith(end)


CUT_ARRAYS = [
    (np.zeros((10_000, 5_000)), r"the first (\d+) of 10,000 rows and (\d+) of 5,000 columns"),
    (np.zeros((10_000, 2)), r"the first ([\d,]+) of 10,000 rows and (2) of 2 columns"),
    (np.arange(100_000), r"the first ([\d,]+) of 100,000 values"),
    (
        np.random.default_rng(0).normal(size=(300, 400, 3)),
        r"the first (\d+) × (\d+) × (3) of 300 × 400 × 3 values",
    ),
    (np.zeros((50, 60, 70), dtype="uint8"), r"the first (\d+) × (\d+) × (\d+) of 50 × 60 × 70 values"),
    (np.array([["ab"] * 3_000] * 3), r"the first (3) of 3 rows and ([\d,]+) of 3,000 columns"),
]


@pytest.mark.parametrize(("value", "cut"), CUT_ARRAYS, ids=[str(row[0].shape) for row in CUT_ARRAYS])
def test_what_an_array_holds_is_true_for_each_of_its_axes(value, cut):
    """The values that went out are counted; nothing in the middle of them is left out."""
    found = part(value)
    shape = [int(each.replace(",", "")) for each in re.fullmatch(cut, found.cut).groups()]
    text = found.body.partition("\n\n")[2]
    assert "..." not in text
    assert len(re.findall(r"[^\s\[\]]+", text)) == np.prod(shape)
    assert estimate_tokens(found.body) in range(2_800, 4_001)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [(400, 640), (64, 2_000)])
def test_bytes_in_the_shape_of_a_picture_are_a_picture(size, channels):
    """The tag says that they were drawn; so many numbers would be of no use."""
    (image,) = parts_of(np.full((*size, channels), 200, dtype="uint8"), ValueLimits())
    assert image.block["type"] == "image"
    assert image.kind == "numpy.ndarray drawn as a picture"
    assert "pixels" in image.about


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((4, 5, 3), dtype="uint8"),
        np.zeros((400, 8, 3), dtype="uint8"),
        np.zeros((400, 640), dtype="uint8"),
    ],
    ids=lambda value: str(value.shape),
)
def test_other_arrays_of_bytes_stay_numbers(value):
    """What fits as a text, and what has not the shape of a picture."""
    assert isinstance(part(value), Text)


def test_an_array_of_objects_without_a_text_is_refused():
    """As they are alone."""
    with pytest.raises(errors.OptionError, match="Objects of type Run in the array have no text"):
        part(np.array([Run(0.5)], dtype=object))


def test_what_dask_has_not_computed_is_refused_with_the_cure():
    """It may read a whole disk; it has what a frame of pandas is known by, but neither rows nor an index."""
    frame = dask.dataframe.from_pandas(pd.DataFrame({"n": [1, 2, 3]}), npartitions=2)
    for read, value in ((part, frame), (part, frame["n"]), (part, frame.index), (read_rows, frame)):
        with pytest.raises(errors.OptionError, match=r"A dask\.\w+ cannot be read as a table") as caught:
            read(value)
        assert ".compute()" in caught.value.cure
    assert part(frame.compute()).about.startswith("3 rows")
