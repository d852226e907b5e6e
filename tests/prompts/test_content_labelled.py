"""Named arrays in a prompt: xarray, HDF5 and sparse matrices with dimensions, attributes and all values that fit."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import pytest

from vertex_claude_magic import errors
from vertex_claude_magic.client import Claude


def sent(value: object, tokens: int = 4_000) -> tuple[str, tuple[str, ...]]:
    """The text that goes out, and the notices below the answer."""
    request = Claude(project="p", value_tokens=tokens).request("{{ x }}", names={"x": value})
    (message,) = request.body["messages"]
    return message["content"], request.notices


def dataset():
    """A Dataset with everything in it."""
    import xarray as xr

    return xr.Dataset(
        {"t2m": (("time", "lat"), [[271.25, 272.5], [273.75, 274.5], [275.25, 276.5]], {"units": "K"}),
         "rain": ("time", [0.0, 1.0, 2.0])},
        coords={"lat": [50.0, 51.0], "time": pd.date_range("2026-01-01", periods=3), "place": "Potsdam"},
        attrs={"title": "Station", "history": "long " * 60, "levels": np.arange(3)},
    )  # fmt: skip


def shapes() -> dict[str, object]:
    """What a Dataset may come as."""
    import xarray as xr

    data = dataset()
    return {
        "dataset": data,
        "tree": xr.DataTree.from_dict({"/": data, "/child": data}) if hasattr(xr, "DataTree") else data,
        "in a dict": {"data": data},
        "in a list": [1, data],
    }


@pytest.mark.parametrize("shape", ["dataset", "tree", "in a dict", "in a list"])
def test_a_dataset_goes_out_with_dimensions_coordinates_attributes_and_values(shape):
    """As a whole where it fits, also inside a structure."""
    text, notices = sent(shapes()[shape])
    for word in ("t2m", "rain", "lat", "time 3", "276.5", "271.25", "Station", "units: K", "2026-01-03", "Potsdam",
                 "long " * 50, "levels: [0, 1, 2]"):  # fmt: skip
        assert word in text
    assert "..." not in text
    assert notices == ()


def test_an_array_and_its_parts_go_out_with_their_values():
    """A DataArray, a Variable, the coordinates."""
    data = dataset()
    for value in (data.t2m, data.t2m.variable, data.t2m[:, 0]):
        text, _ = sent(value)
        assert "275.25" in text
        assert "units: K" in text
    assert "2026-01-03" in sent(data.coords)[0]
    assert "Potsdam" in sent(data.t2m)[0]


@pytest.mark.parametrize("unit", ["s", "ns"])
def test_one_time_of_an_array_is_a_time(unit):
    """Also where it is finer than Python's."""
    import xarray as xr

    data = xr.DataArray(np.array(["2026-01-02T03:04:05"], f"datetime64[{unit}]"), dims="time")
    assert "2026-01-02T03:04:05" in sent(data.isel(time=0))[0]


def test_what_of_a_dataset_does_not_fit_is_said():
    """In the tag and below the answer, and each array has its share."""
    import xarray as xr

    data = xr.Dataset({name: (("n", "m"), np.zeros((500, 5))) for name in "abc"})
    text, notices = sent(data, tokens=600)
    assert "of a the first " in text.partition(">")[0]
    assert "of c the first " in text.partition(">")[0]
    assert "variable c" in text
    assert len(text) / 3.5 < 1_000
    assert len(notices) == 1


def test_an_array_of_many_values_is_whole():
    """Its library would show six of them."""
    import xarray as xr

    text, notices = sent(xr.DataArray(np.arange(1_000), dims="t"))
    assert " 500 501 " in " ".join(text.split())
    assert notices == ()


def test_more_arrays_than_fit_are_counted():
    """The first are told."""
    import xarray as xr

    text, notices = sent(xr.Dataset({f"v{n}": ("x", [n]) for n in range(500)}), tokens=300)
    assert "variable v0" in text
    assert re.search(r"the first \d+ of 501 arrays and groups", notices[0])
    assert len(text) / 3.5 < 600


@pytest.fixture
def file():
    """An HDF5 file in memory."""
    import h5py

    with h5py.File(io.BytesIO(), "w") as made:
        made.attrs["title"] = "Station"
        group = made.create_group("day")
        group["t"] = [271.25, 272.5]
        group["t"].attrs["units"] = "K"
        group["names"] = ["Oslo", "Rome"]
        made["scalar"] = 7
        made["nothing"] = h5py.Empty("f")
        yield made


@pytest.mark.parametrize(
    ("path", "words"),
    [("/", ["title: Station", "group day", "day/t", "units: K", "[271.25 272.5", "Oslo", "dataset scalar", "7"]),
     ("day", ["group /day", "dataset t", "units: K", "[271.25 272.5"]),
     ("day/t", ["units: K", "[271.25 272.5"])],
)  # fmt: skip
def test_an_open_hdf5_file_is_told_with_its_values(file, path, words):
    """A file, a group, a dataset; also inside a dict."""
    for value in (file[path], {"file": file[path]}):
        text, _ = sent(value)
        for word in words:
            assert word in text
        assert "0x" not in text


def test_a_closed_hdf5_file_is_one_clear_line(file):
    """There is nothing to read."""
    file.close()
    with pytest.raises(errors.OptionError, match="closed HDF5 file") as caught:
        sent(file)
    assert caught.value.cure == "Open it again, and use that."


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
def test_a_sparse_matrix_goes_out_by_what_it_stores(form):
    """Its own text says no more than how many that are."""
    from scipy import sparse

    matrix = sparse.coo_matrix(([0.125, 2.5], ([0, 3], [1, 2])), shape=(4, 4)).asformat(form)
    for value in (matrix, [matrix], {"m": matrix}):
        text, notices = sent(value)
        assert "0,1,0.125" in text
        assert "3,2,2.5" in text
        assert "all others are 0" in text
        assert not notices
    text, notices = sent(sparse.eye(3_000).asformat(form), tokens=200)
    assert "of 3,000 stored values" in text.partition(">")[0]
    assert notices
