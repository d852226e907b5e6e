"""Images, figures, PDFs and files that are huge, odd or broken: a sound request, or one clear line."""

from __future__ import annotations

import base64
import io
import json
import os
import pathlib
import struct
import warnings
import zlib

import pypdf
import pytest
from matplotlib.figure import Figure
from PIL import Image

from vertex_claude_magic import errors
from vertex_claude_magic.client import Claude
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.prompts.compose import compose
from vertex_claude_magic.prompts.parts import ValueLimits
from vertex_claude_magic.prompts.scope import Scope
from vertex_claude_magic.prompts.values.convert import parts_of

MODEL_TABLE = Catalog.load().limits
LIMITS = ValueLimits(image=MODEL_TABLE["image"], pdf=MODEL_TABLE["pdf"])


def media(value: object, limits: ValueLimits = LIMITS):
    (only,) = parts_of(value, limits)
    return only


def drawn(value: object, limits: ValueLimits = LIMITS) -> Image.Image:
    """The picture that goes out, decoded."""
    block = media(value, limits).block
    image = Image.open(io.BytesIO(base64.b64decode(block["source"]["data"])))
    image.load()
    assert Image.MIME[image.format] == block["source"]["media_type"]
    return image


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def refused(value: object, limits: ValueLimits = LIMITS) -> errors.ClaudeError:
    with pytest.raises(errors.ClaudeError) as caught:
        parts_of(value, limits)
    assert caught.value.cure
    assert "\n" not in str(caught.value)
    return caught.value


# Images

MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "I;16",
    "F",
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1, 1), (20, 10), (3000, 40)])
def test_a_picture_of_any_mode_is_drawn(mode, size):
    """In grey or in colour, scaled to what the model looks at; the user's picture stays as it is."""
    image = Image.new(mode, size)
    before = (image.mode, image.size, image.tobytes())
    shown = drawn(image)
    assert shown.size == (size if size[0] < 1568 else (1568, 21))
    assert shown.mode in {"L", "RGB"}
    assert (image.mode, image.size, image.tobytes()) == before


def test_numbers_beyond_eight_bits_are_brought_into_view():
    """From the least to the greatest that occur, as a scientist would plot them."""
    image = Image.new("F", (2, 1))
    image.putpixel((0, 0), -1000.0)
    image.putpixel((1, 0), 5000.0)
    assert [drawn(image).getpixel((x, 0)) for x in (0, 1)] == [0, 255]


def test_what_is_transparent_is_white():
    """As on paper; black would hide dark lines."""
    image = Image.new("RGBA", (1, 1), (0, 0, 0, 0))
    assert drawn(image).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (1, 1), 0)
    palette.info["transparency"] = 0
    assert drawn(palette).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(("turn", "size"), [(1, (4, 2)), (3, (4, 2)), (6, (2, 4)), (8, (2, 4)), (99, (4, 2))])
def test_a_photograph_stands_upright_and_keeps_no_notes(turn, size):
    """Exif says how the camera was held, and also when and where, which is nobody's business."""
    exif = Image.Exif()
    exif[0x0112] = turn
    exif[0x010F] = "MakerOfThisCamera"
    data = saved(Image.new("RGB", (4, 2)), "JPEG", exif=exif)
    assert b"MakerOfThisCamera" in data
    block = media(data).block
    assert b"MakerOfThisCamera" not in base64.b64decode(block["source"]["data"])
    assert drawn(data).size == size


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM"])
def test_a_file_of_any_kind_is_one_that_the_service_takes(kind, tmp_path):
    """By its content; the suffix of an image may lie."""
    path = tmp_path / ("picture.bmp" if kind in {"BMP", "TIFF", "PPM"} else "picture.txt")
    path.write_bytes(saved(Image.new("RGB", (5, 4)), kind))
    assert drawn(path).size == (5, 4)
    assert media(path).block["source"]["media_type"] in {"image/png", "image/jpeg", "image/gif", "image/webp"}


def test_a_file_that_fits_goes_out_as_it_is():
    """Not a byte is changed."""
    data = saved(Image.new("RGB", (50, 40), "blue"))
    assert base64.b64decode(media(data).block["source"]["data"]) == data


def test_of_several_frames_the_first_is_sent_and_the_rest_is_said():
    """The service looks at the first only."""
    frames = [Image.new("RGB", (5, 5), colour) for colour in ("red", "green", "blue")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert media(data).cut == "the first of 3 frames"


def test_noise_is_sent_within_the_bytes_of_one_image():
    """JPEG of falling quality where PNG is too large."""
    noise = Image.frombytes("RGB", (1500, 1500), os.urandom(1500 * 1500 * 3))
    data = media(noise).block["source"]["data"]
    assert len(data) <= MODEL_TABLE["image"]["base64_bytes"]


@pytest.mark.parametrize(("model", "edge"), [("claude-opus-5-5", 2576), ("claude-haiku-4-5", 1568)])
def test_each_model_has_its_own_edge(model, edge):
    """From the model table; more would be scaled down by the service."""
    image = Image.new("L", (4000, 10))
    request = Claude(project="p", model=model).request(["Look.", image])
    (block,) = [each for each in request.body["messages"][0]["content"] if each["type"] == "image"]
    with Image.open(io.BytesIO(base64.b64decode(block["source"]["data"]))) as shown:
        assert shown.size[0] == edge


def test_more_pictures_than_the_model_takes_are_refused():
    """Before anything is sent."""
    images = [Image.new("L", (2, 2))] * 700
    with pytest.raises(
        errors.OptionError, match=r"700 images, but the model accepts only \d+ in one request"
    ):
        Claude(project="p").request(["Look.", *images])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that claims to be a square of so many pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")


BROKEN = [
    ("a bomb", bomb(60_000), "pixels"),
    ("a smaller bomb", bomb(15_000), "pixels"),
    ("an end that is missing", saved(Image.effect_noise((200, 200), 50))[:5_000], "cannot be read"),
    ("only a signature", b"\x89PNG\r\n\x1a\n", "cannot be read"),
    ("a JPEG of nothing", b"\xff\xd8\xff\xe0" + bytes(100), "cannot be read"),
    ("a WebP of nothing", b"RIFF\0\0\0\0WEBPVP8 " + bytes(50), "cannot be read"),
    ("a GIF of nothing", b"GIF89a" + bytes(3), "cannot be read"),
    ("no width", Image.new("RGB", (0, 5)), "0 × 5 pixels"),
]


@pytest.mark.parametrize(("value", "said"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_picture_is_one_clear_line(value, said):
    """And is not decoded if it is too large; no name of an exception of pillow's is in it."""
    message = refused(value).message
    assert said in message
    assert "Error" not in message


def test_without_pillow_a_small_png_goes_out_and_the_rest_says_what_to_install(monkeypatch):
    """The extra is optional."""
    small, large = saved(Image.new("RGB", (5, 5))), saved(Image.new("RGB", (5000, 5)))
    for name in ("PIL", "PIL.Image"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    assert media(small).about == "5 × 5 pixels"
    for data in (large, b"\xff\xd8\xff\xe0" + bytes(50)):
        assert isinstance(refused(data), errors.MissingExtra)


# Figures


def figure(**options) -> Figure:
    made = Figure(figsize=(2, 1), **options)
    made.add_subplot().plot([1, 3, 2])
    return made


def without_canvas() -> Figure:
    made = figure()
    made.canvas = None
    return made


def closed() -> Figure:
    import matplotlib.pyplot as plt

    made, axes = plt.subplots(figsize=(2, 1))
    axes.plot([1, 2])
    plt.close(made)
    return made


FIGURES = [
    ("a figure", figure),
    ("a figure without a canvas", without_canvas),
    ("a closed figure", closed),
    ("an axes", lambda: figure().axes[0]),
    ("a line", lambda: figure().axes[0].lines[0]),
    ("a title", lambda: figure().axes[0].set_title("x")),
    ("a part of a figure", lambda: figure().subfigures(1, 2)[0]),
    ("a glyph that no font has", lambda: figure().axes[0].set_title("\U000e0001 日本 \u0600")),
    ("a tight layout without space", lambda: figure(layout="tight")),
]


@pytest.mark.parametrize("make", [row[1] for row in FIGURES], ids=[row[0] for row in FIGURES])
def test_a_figure_in_any_state_is_drawn(make):
    """On a canvas of our own, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert drawn(make()).size[1] >= 50


def test_a_figure_that_cannot_be_drawn_is_one_clear_line():
    """The reason is that of the figure."""
    made = figure()
    made.axes[0].set_title(r"$\notacommand$")
    assert "cannot be drawn" in refused(made).message
    made = figure()
    made.axes[0].lines[0].draw = lambda *_: 1 / 0
    assert "ZeroDivisionError" in refused(made).message


def test_a_lonely_axes_belongs_to_no_figure():
    """It was taken out of it."""
    made = figure()
    axes = made.axes[0]
    axes.remove()
    assert refused(axes).cure


# PDFs


def pdf(pages: int = 1, password: str = "") -> bytes:
    writer, out = pypdf.PdfWriter(), io.BytesIO()
    for _ in range(pages):
        writer.add_blank_page(72, 72)
    if password:
        writer.encrypt(password)
    writer.write(out)
    return out.getvalue()


PDFS = [
    ("two thousand pages", lambda: pdf(2_000), "2,000 pages, but the model accepts only 600"),
    ("a password", lambda: pdf(1, "secret"), "has a password"),
    ("nothing behind its head", lambda: b"%PDF-1.7\n", "cannot be read"),
    ("noise", lambda: b"%PDF-1.7\n" + bytes(range(256)) * 100, "cannot be read"),
    ("half of it", lambda: pdf(5)[:300], "cannot be read"),
]


@pytest.mark.parametrize(("make", "said"), [row[1:] for row in PDFS], ids=[row[0] for row in PDFS])
def test_a_pdf_that_the_service_would_refuse_is_refused_first(make, said, capfd):
    """One line, without names of pypdf's exceptions, and nothing on stderr."""
    message = refused(make()).message
    assert said in message
    assert "Error" not in message
    assert capfd.readouterr() == ("", "")


def test_without_pypdf_pages_are_counted_by_their_objects(monkeypatch):
    """It is optional; compressed files hide their pages, and then the service says it."""
    small, large, locked = pdf(3), pdf(601), pdf(1, "secret")
    monkeypatch.setitem(__import__("sys").modules, "pypdf", None)
    assert media(small).pages == 3
    assert "601 pages" in refused(large).message
    assert "password" in refused(locked).message


def test_a_pdf_beyond_the_body_of_a_request_is_refused():
    """30 MB is what the service takes; nothing is sent."""
    data = pdf(1) + b"\n%" + b"x" * 24_000_000
    with pytest.raises((errors.RequestTooLarge, errors.OptionError), match="MB") as caught:
        Claude(project="p").request(["Read.", data])
    assert caught.value.cure


# Files

FILES = [
    ("notes.txt", "é\n".encode(), "é"),
    ("notes.txt", "é".encode("latin-1") + b" latin", "é latin"),
    ("notes.txt", b"\xef\xbb\xbfBOM", "BOM"),
    ("notes.txt", "wide é".encode("utf-16"), "wide é"),
    ("notes.txt", b"a\r\nb", "a\r\nb"),
    ("no suffix", b"text", "text"),
    ("data.json", b'{"a": 1}', '{"a": 1}'),
    ("data.json", b'{"broken', '{"broken'),
    ("log.txt", b"\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
    ("cut.txt", ("x" * 8_191 + "é").encode(), "xé"),
]


@pytest.mark.parametrize(("name", "content", "inside"), FILES)
def test_a_text_file_is_read_in_its_encoding(tmp_path, name, content, inside):
    """UTF-8, what its byte order mark says, or Latin-1."""
    path = tmp_path / name
    path.write_bytes(content)
    assert inside in media(path).body


REFUSED_FILES = [
    ("empty.txt", b"", "is empty", "another file"),
    ("table.xlsx", b"PK\x03\x04" + bytes(100), "not an image, PDF or text", "read_excel"),
    ("table.parquet", b"PAR1" + bytes(100), "not an image, PDF or text", "read_parquet"),
    ("text.docx", b"PK\x03\x04" + bytes(100), "not an image, PDF or text", "Save it as PDF"),
    ("any.bin", bytes(range(256)), "not an image, PDF or text", "Use a png"),
    ("book.ipynb", b'{"cells": 5}', "cannot be read as a notebook", "save it"),
    ("book.ipynb", b"not json", "cannot be read as a notebook", "save it"),
    ("clip.mp4", b"\0\0\0\x18ftypmp42" + bytes(50), "not an image, PDF or text", "Use a png"),
]


@pytest.mark.parametrize(("name", "content", "said", "cure"), REFUSED_FILES)
def test_a_file_that_cannot_be_sent_says_what_to_do_with_it(tmp_path, name, content, said, cure):
    """Each kind has its own way."""
    path = tmp_path / name
    path.write_bytes(content)
    error = refused(path)
    assert said in error.message
    assert cure in error.cure


def test_a_missing_file_names_the_nearest(tmp_path):
    """As for variables."""
    (tmp_path / "report.pdf").write_text("x")
    assert refused(tmp_path / "reprot.pdf").cure == "Did you mean report.pdf?"
    assert "is a folder" in refused(tmp_path).message
    assert "There is no file" in refused(tmp_path / "none" / "x").message


@pytest.mark.skipif(os.name != "posix", reason="devices and pipes are of POSIX")
def test_a_device_or_a_pipe_is_not_waited_for(tmp_path):
    """Reading one might never end."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", pathlib.Path("/dev/zero")):
        assert "not a regular file" in refused(path).message


@pytest.mark.parametrize(
    ("attached", "said"),
    [
        ("reprot", "neither a variable nor a file"),
        ("https://example.com/a.pdf", "There is no file"),
        ("../secret", "There is no file"),
        ("x()", "There is no file"),
        ("", "is a folder"),
        # A text in the place of its file.
        ("report" * 50, "neither a variable nor a file"),
        ("A report, with commas. " * 20, "cannot be read"),
    ],
)
def test_an_attachment_is_a_variable_or_a_file(attached, said):
    """Nothing is fetched from anywhere."""
    with pytest.raises(errors.OptionError) as caught:
        Claude(project="p").request("Read.", attach=[attached], names={"report": 1})
    assert said in caught.value.message


SLIPS = {
    "coments.csv": "Did you mean comments.csv?",
    "coments": "Did you mean comments?",
    "plot.png,comments.csv": "Repeat -a for each: -a plot.png -a comments.csv",
    "comments, plot.png": "Repeat -a for each: -a comments -a plot.png",
}


@pytest.mark.parametrize(("attached", "cure"), SLIPS.items())
def test_a_misspelled_attachment_is_told_what_is_there(attached, cure, tmp_path, monkeypatch):
    """A variable or a file; several are given one by one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "comments.csv").write_text("a")
    with pytest.raises(errors.OptionError) as caught:
        compose("Read.", attach=[attached], scope=Scope(names={"comments": 1}), limits=ValueLimits())
    assert caught.value.cure == cure


def test_a_notebook_is_its_cells_and_what_they_printed(tmp_path):
    """Pictures are left out and said; colours of a traceback too; cells of nbformat 3 as well."""
    image = {"output_type": "display_data", "data": {"image/png": "x" * 10_000, "text/plain": "<Figure>"}}
    error = {"output_type": "error", "ename": "KeyError", "evalue": "'a'", "traceback": ["\x1b[31mlong"]}
    cells = [
        {"cell_type": "code", "source": ["a = 1\n", "a"], "outputs": [image, error]},
        {"cell_type": "code", "source": "b", "outputs": [{"output_type": "stream", "text": "out " * 1_000}]},
    ]
    path = tmp_path / "book.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "cells": cells}))
    body = media(path).body
    assert "a = 1\na\n# output: an image, left out\n# output: KeyError: 'a'" in body
    assert "x" * 100 not in body
    assert len(body) < 1_000
    path.write_text(
        json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": "old", "outputs": []}]}]})
    )
    assert "old" in media(path).body
