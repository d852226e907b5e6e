"""Pictures in prompts: every mode and format, the notes of cameras, huge and hostile files, figures and charts."""

from __future__ import annotations

import base64
import io
import logging
import os
import pathlib
import struct
import subprocess
import sys
import threading
import types
import warnings
import zlib
from dataclasses import replace

import pytest
from shells import Shell, run_python

from vertex_claude_magic import errors
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.prompts.parts import Media, ValueLimits
from vertex_claude_magic.prompts.values import figures
from vertex_claude_magic.prompts.values.convert import parts_of
from vertex_claude_magic.prompts.values.images import thumbnail_png

with warnings.catch_warnings():
    # Matplotlib 3.10 uses names that its parser's newer releases warn about.
    warnings.simplefilter("ignore")
    from matplotlib.figure import Figure
    from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat, PngImagePlugin

MODEL_TABLE = Catalog.load().limits
LIMITS = ValueLimits(image=MODEL_TABLE["image"], pdf=MODEL_TABLE["pdf"])
RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def shell(shell, monkeypatch, tmp_path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return shell


def part(value: object, limits: ValueLimits = LIMITS) -> Media:
    (only,) = parts_of(value, limits)
    assert isinstance(only, Media)
    return only


def decoded(block) -> Image.Image:
    with Image.open(io.BytesIO(base64.b64decode(block["source"]["data"]))) as image:
        assert Image.MIME[image.format] == block["source"]["media_type"]
        return image.convert("RGB")


def drawn(value: object, limits: ValueLimits = LIMITS) -> Image.Image:
    return decoded(part(value, limits).block)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def refused(value: object, limits: ValueLimits = LIMITS) -> errors.OptionError:
    with pytest.raises(errors.OptionError) as caught:
        parts_of(value, limits)
    assert caught.value.cure
    return caught.value


def halves(size=(4, 2)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image


# Modes


def in_mode(mode: str, size: tuple[int, int]) -> Image.Image:
    colours = halves(size)
    if mode == "LAB":
        from PIL import ImageCms as image_cms

        profiles = image_cms.createProfile("sRGB"), image_cms.createProfile("LAB")
        return image_cms.profileToProfile(colours, *profiles, outputMode="LAB")
    if mode == "PA":
        return colours.quantize(4).convert("PA")
    if mode == "RGBa":
        return colours.convert("RGBA").convert("RGBa")
    return colours.quantize(4) if mode == "P" else colours.convert(mode)


@pytest.mark.parametrize("size", [(4, 2), (2000, 10)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "CMYK", "YCbCr", "HSV", "LAB"])
def test_colours_stay_what_they_are(mode, size):
    """In every mode, also where the picture is scaled: the index of a palette has no mean."""
    image = drawn(in_mode(mode, size))
    # sRGB has colours that LAB in eight bits only comes near to.
    near = 30 if mode == "LAB" else 8
    for x, expected in ((0, RED), (image.size[0] - 1, BLUE)):
        assert max(abs(a - b) for a, b in zip(image.getpixel((x, 0)), expected, strict=True)) < near


@pytest.mark.parametrize("size", [(4, 2), (2000, 10)])
@pytest.mark.parametrize("mode", ["I", "F", "I;16", "I;16B", "I;16L"])
def test_wide_numbers_are_stretched_to_grey(mode, size):
    """From the least to the greatest that occur; cut at 255 a measurement would be white."""
    numbers = Image.new("I", size, 300)
    numbers.paste(9_000, (size[0] // 2, 0, *size))
    raw = numbers.convert("I;16").tobytes()
    wide = Image.frombytes(mode, size, raw) if mode == "I;16L" else numbers.convert(mode)
    image = drawn(wide)
    assert (image.getpixel((0, 0))[0], image.getpixel((image.size[0] - 1, 0))[0]) == (0, 255)


@pytest.mark.parametrize(
    ("numbers", "grey"),
    [
        ([float("nan"), 1.0, 3.0], [0, 0, 255]),
        ([1.0, float("nan"), 3.0], [0, 0, 255]),
        ([1.0, 3.0, float("inf")], [0, 255, 255]),
        ([float("-inf"), 1.0, 3.0], [0, 0, 255]),
        ([float("nan")] * 3, [0, 0, 0]),
        ([5.0, 5.0, 5.0], [0, 0, 0]),
        ([-3e38, 0.0, 3e38], [0, 127, 255]),
    ],
)
def test_numbers_that_are_none_do_not_hide_the_others(numbers, grey):
    """A depth map or a detector has holes."""
    image = Image.new("F", (3, 1))
    for x, number in enumerate(numbers):
        image.putpixel((x, 0), number)
    assert [drawn(image).getpixel((x, 0))[0] for x in range(3)] == grey


@pytest.mark.parametrize("mode", ["LA", "La", "RGBA", "RGBa"])
def test_what_is_half_transparent_stands_on_white(mode):
    """As on paper."""
    image = Image.new("RGBA", (2, 2), (0, 0, 0, 128))
    wanted = image.convert("LA") if mode in {"LA", "La"} else image
    assert drawn(wanted.convert(mode)).getpixel((0, 0)) == pytest.approx((127, 127, 127), abs=2)


@pytest.mark.parametrize(
    ("size", "shown"), [((1, 1), (1, 1)), ((1, 20_000), (1, 1568)), ((20_000, 1), (1568, 1))]
)
def test_no_side_is_scaled_to_nothing(size, shown):
    """And the tag says from what it was scaled."""
    told = part(Image.new("RGB", size))
    assert decoded(told.block).size == shown
    assert told.cut == ("" if size == shown else f"scaled down from {size[0]:,} × {size[1]:,} pixels")


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_a_picture_without_pixels_is_not_called_too_large(size):
    """It cannot be made smaller."""
    assert refused(Image.new("L", size)).cure == "Use an image that is not empty."


# Files


@pytest.mark.parametrize("name", ["photo.jpg", "photo.tif", "photo.png", "photo.webp"])
def test_a_photograph_as_attachment_is_upright_and_tells_no_place(shell, name):
    """Whatever format it has."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "Taken at 47.1 N"
    Image.new("RGB", (40, 20), RED).save(name, exif=exif)
    assert b"Taken at 47.1 N" in pathlib.Path(name).read_bytes()
    shell.ok(f"%%claude -q -a {name}\nWhere is this?")
    before, image, *_ = shell.body["messages"][0]["content"]
    assert before["text"] == f'<data name="{name}" kind="image" about="20 × 40 pixels">\n'
    assert decoded(image).size == (20, 40)
    sent = base64.b64decode(image["source"]["data"])
    assert not any(mark in sent for mark in (b"Taken at", b"Exif", b"eXIf", b"EXIF"))


def with_xmp() -> bytes:
    notes = PngImagePlugin.PngInfo()
    notes.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta><exif:GPSLatitude>47,1N</exif:GPSLatitude></x:xmpmeta>")
    return saved(halves(), "PNG", pnginfo=notes)


@pytest.mark.parametrize(
    "data", [with_xmp(), saved(halves(), "WEBP", lossless=True, xmp=b"<x>GPSLatitude</x>")]
)
def test_the_notes_of_a_camera_may_be_xmp(data):
    """PNG and WebP files go out as they are only without them."""
    assert b"GPSLatitude" in data
    told = part(data)
    assert b"GPSLatitude" not in base64.b64decode(told.block["source"]["data"])
    assert decoded(told.block).getpixel((0, 0)) == RED


def test_without_pillow_no_file_with_notes_goes_out(monkeypatch):
    """It cannot be drawn anew then."""
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    noted, plain = (saved(halves(), "PNG", exif=exif), with_xmp()), saved(halves(), "PNG")
    monkeypatch.setitem(sys.modules, "PIL", None)
    for data in noted:
        assert isinstance(refused(data), errors.MissingExtra)
    assert part(plain).about == "4 × 2 pixels"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("TIFF", {"big_tiff": True}),
        ("JPEG2000", {}), ("AVIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {}), ("GIF", {}),
    ],
)  # fmt: skip
def test_the_bytes_of_a_picture_are_known_without_a_name(kind, options):
    """Also of those formats that the service does not take."""
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this pillow writes no {kind}")
    data = saved(halves((40, 20)), kind, **options)
    for value in (data, bytearray(data), memoryview(data), io.BytesIO(data)):
        assert drawn(value).size == (40, 20)


@pytest.mark.parametrize("text", ["BMW builds cars.", "II*", "MM", "GIF", "RIFF and WEBP"])
def test_words_that_begin_as_a_picture_does_are_words(text):
    """Two letters are no signature."""
    (told,) = parts_of(text.encode(), LIMITS)
    assert told.body == text


def frames(kind: str, **options) -> bytes:
    first, *rest = (Image.new("RGB", (5, 4), colour) for colour in (RED, (0, 255, 0), BLUE))
    return saved(first, kind, save_all=True, append_images=rest, **options)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (frames("GIF"), "the first of 3 frames"),
        (frames("TIFF"), "the first of 3 frames"),
        (frames("PNG"), "the first of 3 frames"),
        (frames("WEBP", lossless=True), "the first of 3 frames"),
        (frames("MPO"), ""),
        (saved(halves(), "GIF"), ""),
    ],
)
def test_frames_that_are_left_out_are_said(data, said):
    """The second picture of a telephone's JPEG is a detail of its format."""
    assert part(data).cut == said
    with Image.open(io.BytesIO(data)) as image:
        assert part(image).cut == said
    if said:
        assert drawn(data).getpixel((0, 0)) == RED


def test_of_an_open_animation_the_present_frame_is_sent():
    """And it stays the present one."""
    with Image.open(io.BytesIO(frames("PNG"))) as image:
        image.seek(2)
        told = part(image)
        assert (told.cut, image.tell()) == ("frame 3 of 3 frames", 2)
        assert decoded(told.block).getpixel((0, 0)) == BLUE


def test_what_the_user_drew_on_an_animation_stays():
    """To count the frames would be to read it anew."""
    with Image.open(io.BytesIO(frames("GIF", duration=100, loop=0))) as image:
        image.load()
        ImageDraw.Draw(image).rectangle((0, 0, 2, 2), fill=1)
        before = image.tobytes()
        assert part(image).cut == "the first of several frames"
        assert image.tobytes() == before


@pytest.mark.parametrize("load", [False, True])
def test_a_lazy_photograph_is_not_shrunk_by_being_asked_about(tmp_path, load):
    """A decoder can read JPEG at an eighth of its size, and would leave it so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (900, 600)).save(tmp_path / "photo.jpg", exif=exif)
    with Image.open(tmp_path / "photo.jpg") as image:
        if load:
            image.load()
        info, mode = dict(image.info), image.mode
        assert drawn(image, replace(LIMITS, image_edge=90)).size == (60, 90)
        assert (image.size, image.mode, image.info) == ((900, 600), mode, info)
        assert image.getexif()[0x0112] == 6


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG"])
def test_a_picture_is_turned_once(kind, turn):
    """Pillow itself turns some formats when it decodes them, and others not."""
    exif = Image.Exif()
    exif[0x0112] = turn
    image = Image.new("RGB", (40, 20))
    image.paste(RED, (0, 0, 20, 10))
    data = saved(image, kind, exif=exif)
    with Image.open(io.BytesIO(data)) as again:
        upright = ImageOps.exif_transpose(again).convert("RGB")
    for limits in (LIMITS, replace(LIMITS, image_edge=20)):
        shown = drawn(data, limits)
        assert shown.size == tuple(side * max(shown.size) // 40 for side in upright.size)
        difference = ImageStat.Stat(ImageChops.difference(shown, upright.resize(shown.size)))
        assert max(difference.mean) < 20


def test_notes_that_cannot_be_read_do_not_hide_the_picture():
    """They are left out anyway."""
    data = saved(halves((40, 20)), "JPEG", exif=b"Exif\0\0MM\0*\0\0\xff\xff" + b"\xff" * 40)
    assert drawn(data).size == (40, 20)


def test_of_more_than_twenty_pictures_each_is_smaller_on_the_wire(shell):
    """As the service demands; variables and attachments count together."""
    shell.ip.user_ns["many"] = [Image.new("L", (2600, 2)) for _ in range(20)]
    shell.ip.user_ns["one"] = Image.new("L", (2600, 2))
    for options, edge in (("", 2576), ("-a one", 2000)):
        shell.ok(f"%%claude -q -m claude-opus-5-5 {options}\nCompare {{{{ many }}}}.")
        images = [each for each in shell.body["messages"][0]["content"] if each["type"] == "image"]
        assert {decoded(image).size[0] for image in images} == {edge}


def test_a_small_model_takes_fewer_pictures(shell):
    """A hundred, and the line says so before anything is sent."""
    shell.ip.user_ns["many"] = [Image.new("L", (2, 2))] * 51
    error = shell.error("%%claude -q -m claude-haiku-4-5 -a many\nCompare {{ many }}.")
    assert "102 images, but the model accepts only 100" in error.message
    assert not shell.asked


# Hostile files


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that claims to be a square of so many pixels, and is one as far as it goes."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_also_by_who_lifted_the_guard_of_pillow(monkeypatch):
    """Many notebooks set MAX_IMAGE_PIXELS to None."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert "60,000 × 60,000 pixels" in refused(bomb(60_000)).message


@pytest.mark.parametrize("most", [1, 100])
def test_the_guard_of_pillow_does_not_warn(monkeypatch, most):
    """What lies between its two limits is drawn in silence, and the guard stays as it was set."""
    data = saved(halves((12, 12)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if most == 1:
            assert "more than 2 pixels" in refused(data).message
        else:
            assert part(data).about == "12 × 12 pixels"
    assert most == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_cut_file_is_told_from_one_that_may_not_be_read(kind, tmp_path):
    """The cure is another."""
    whole = saved(Image.effect_noise((90, 90), 50).convert("RGB"), kind)
    path = tmp_path / f"cut.{kind.lower()}"
    path.write_bytes(whole[: len(whole) // 2])
    error = refused(path)
    assert error.message.startswith("The image cannot be read: ")
    assert "0x" not in error.message
    assert error.cure == "Check that it is complete, and save it as PNG or JPEG."


def test_words_in_a_file_that_is_called_a_picture_are_words(shell):
    """And a picture that is called a text is a picture."""
    pathlib.Path("notes.png").write_text("Only words.")
    pathlib.Path("notes.txt").write_bytes(saved(halves(), "PNG"))
    shell.ok("%%claude -q -a notes.png -a notes.txt\nWhat is it?")
    words, picture, *_ = shell.body["messages"][0]["content"]
    assert words["text"].startswith(
        '<data name="notes.png" kind="text file" about="11 bytes">Only words.</data>'
    )
    assert picture["type"] == "image"


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image"}, {"type": "image", "source": None}, {"type": "image", "source": {"type": "base64"}},
        {"type": "image", "source": {"type": "base64", "data": None}},
        {"type": "image", "source": {"type": "base64", "data": "%%%"}},
        {"type": "image", "source": {"type": "base64", "data": base64.b64encode(bomb(60_000)).decode()}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}},
        {"type": "text", "text": "x"}, {}, None, "image",
    ],
    ids=str,
)  # fmt: skip
def test_a_preview_is_made_of_pictures_only_and_never_fails(block):
    """Users may put any block into a prompt."""
    assert thumbnail_png(block, 64) is None


MEASURED = """
import pathlib, resource, sys
import PIL.Image
from vertex_claude_magic.prompts.values.convert import parts_of
from vertex_claude_magic.prompts.parts import ValueLimits
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
before = peak()
try:
    (part,) = parts_of(pathlib.Path({path!r}), ValueLimits())
    said = part.about + "; " + part.cut
except Exception as error:
    said = type(error).__name__ + ": " + str(error)
print(said, "|", round(peak() - before))
"""


def bitmap(path: pathlib.Path, side: int) -> None:
    size = side * side * 3
    head = (b"BM", 54 + size, 0, 0, 54, 40, side, side, 1, 24, 0, size, 0, 0, 0, 0)
    with path.open("wb") as file:
        file.write(struct.pack("<2sIHHIIiiHHIIiiII", *head))
        file.truncate(54 + size)


def png(path: pathlib.Path, side: int) -> None:
    Image.frombytes("RGB", (side, 1), os.urandom(side * 3)).resize((side, side)).save(path, compress_level=0)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="peak memory is asked of the operating system")
@pytest.mark.parametrize(
    ("name", "make", "said", "megabytes"),
    [
        ("large.bmp", lambda path: bitmap(path, 10_000), "scaled down from 10,000 × 10,000", 600),
        ("large.png", lambda path: png(path, 10_000), "scaled down from 10,000 × 10,000", 600),
        ("larger.bmp", lambda path: bitmap(path, 14_000), "OptionError: The image has more than", 50),
        ("bomb.png", lambda path: path.write_bytes(bomb(60_000)), "OptionError: The image has more than", 50),
        ("bomb.tif", lambda path: path.write_bytes(bomb(13_000)), "OptionError: The image cannot be read", 900),
    ],
)  # fmt: skip
def test_a_huge_picture_takes_the_memory_of_its_pixels_at_most(tmp_path, name, make, said, megabytes):
    """In a process of its own; the file itself is not held as well."""
    make(tmp_path / name)
    told, grown = run_python(MEASURED.format(path=str(tmp_path / name))).split(" | ")
    assert said in told
    assert int(grown) < megabytes


# Figures


def figure(**options) -> Figure:
    made = Figure(**{"figsize": (4, 3), "dpi": 100, **options})
    made.add_subplot().plot([1, 3, 2], label="line")
    return made


def test_a_legend_beside_the_axes_is_in_the_picture():
    """As in the notebook, whose pictures are as large as what they show."""
    made = figure()
    assert drawn(made).size == (400, 300)
    made.axes[0].legend(bbox_to_anchor=(1.1, 1), loc="upper left")
    assert drawn(made).size[0] > 420


def test_what_lies_far_away_does_not_blow_the_picture_up():
    """A label at the wrong place would need gigabytes."""
    made = figure()
    made.text(900, 900, "lost")
    assert drawn(made).size == (400, 300)


@pytest.mark.parametrize("sound", [True, False])
def test_a_figure_keeps_canvas_size_and_resolution(sound):
    """Also where it cannot be drawn."""
    made = figure(dpi=321)
    if not sound:
        made.axes[0].lines[0].draw = lambda *_: 1 / 0
    before = (made.canvas, made.dpi, *made.get_size_inches(), made.axes[0].get_position().bounds)
    if sound:
        drawn(made)
    else:
        assert "ZeroDivisionError" in refused(made).message
    assert (made.canvas, made.dpi, *made.get_size_inches(), made.axes[0].get_position().bounds) == before


def test_a_window_is_not_resized():
    """The resolution of our drawing is not that of the screen."""
    made = figure(dpi=300)
    asked = []
    made.canvas.manager = types.SimpleNamespace(resize=lambda *size: asked.append(size))
    drawn(made)
    assert not asked


def seaborn_grid() -> object:
    grid = type("FacetGrid", (), {"__module__": "seaborn.axisgrid"})()
    grid.figure = figure()
    return grid


def bare_canvas() -> Figure:
    made = figure()
    del made.canvas
    return made


@pytest.mark.parametrize(
    "make",
    [
        bare_canvas,
        seaborn_grid,
        lambda: figure().subfigures(2, 1)[1].subplots(),
        lambda: figure().axes[0].xaxis,
        lambda: Figure(figsize=(4, 3)).subplots(2, 2),
        lambda: Figure(figsize=(4, 3), layout="constrained"),
    ],
)
def test_whatever_belongs_to_a_figure_stands_for_it(make):
    """The whole figure is what the user sees."""
    told = part(make())
    assert told.kind == "matplotlib figure"
    assert min(decoded(told.block).size) >= 300


@pytest.mark.parametrize("size", [(500, 4), (4, 500), (120, 120)])
def test_a_large_figure_is_drawn_as_large_as_the_model_looks(size):
    """With letters that can still be drawn."""
    assert max(drawn(figure(figsize=size)).size) == 1568


@pytest.mark.parametrize("size", [(1_000, 1_000), (60_000, 60_000), (9_000_000, 1)])
def test_a_figure_beyond_measure_is_refused_before_it_is_drawn(size):
    """Its pixels would not fit into memory."""
    error = refused(figure(figsize=size))
    assert f"{size[0]:,} × {size[1]:,} inches" in error.message
    assert "figsize" in error.cure


def test_a_font_that_is_missing_was_said_before(caplog):
    """When the figure was shown; and Matplotlib may speak again afterwards."""
    made = figure()
    made.axes[0].set_title("x", fontfamily="No such font at all")
    drawn(made)
    assert not caplog.records
    assert not logging.getLogger("matplotlib.font_manager").disabled


@pytest.mark.slow
def test_a_figure_is_drawn_without_pyplot_and_without_a_word():
    """Pyplot might open a window; missing fonts and glyphs were said when the figure was shown."""
    code = (
        "import sys, warnings\n"
        "with warnings.catch_warnings():\n"
        "    warnings.simplefilter('ignore')\n"
        "    from matplotlib.figure import Figure\n"
        "from vertex_claude_magic.prompts.values.convert import parts_of\n"
        "from vertex_claude_magic.prompts.parts import ValueLimits\n"
        "made = Figure(); made.subplots().set_title('日本', fontfamily='No such font')\n"
        "parts_of(made, ValueLimits())\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=600, check=True
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


# Charts


class Chart:
    """What is known of a plotly figure: the module of its class, and how it is drawn."""

    def __init__(self, draw):
        self._draw = draw

    def to_image(self, **options):
        assert options == {"format": "png"}
        return self._draw()


Chart.__module__ = "plotly.basedatatypes"
Chart.__name__ = "BaseFigure"


@pytest.fixture
def kaleido(monkeypatch):
    monkeypatch.setitem(sys.modules, "kaleido", types.ModuleType("kaleido"))


def test_a_browser_that_hangs_is_not_waited_for_for_ever(monkeypatch, kaleido):
    """Kaleido itself would wait for it without an end."""
    monkeypatch.setattr(figures, "_TIMEOUT", 0.05)
    end = threading.Event()
    try:
        assert "was not drawn within" in refused(Chart(lambda: end.wait(30) and b"")).message
    finally:
        end.set()


def test_a_chart_that_fails_is_one_clear_line(kaleido):
    """The reason is that of the library."""
    error = refused(Chart(lambda: 1 / 0))
    assert "The plotly figure cannot be drawn: ZeroDivisionError" in error.message


@pytest.mark.parametrize("browser", ["/nonexistent/chrome", "/bin/false"])
@pytest.mark.skipif(not pathlib.Path("/bin/false").exists(), reason="a program that ends at once is needed")
def test_without_chrome_the_cure_names_the_command_that_installs_it(monkeypatch, browser):
    """None, or one that does not start."""
    from plotly import graph_objects as go

    monkeypatch.setenv("BROWSER_PATH", browser)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = refused(go.Figure(go.Bar(y=[1, 2])))
    assert isinstance(error, errors.MissingExtra)
    assert "Google Chrome" in error.message
    assert "plotly_get_chrome" in error.cure


def image_chart(url: str) -> object:
    import altair as alt

    data = alt.Data(values=[{"url": url}])
    return alt.Chart(data).mark_image(width=50, height=50).encode(url="url:N")


def red(image: Image.Image) -> int:
    return sum(count for count, colour in image.getcolors(image.size[0] * image.size[1]) if colour == RED)


@pytest.mark.slow
def test_the_data_of_a_chart_cannot_draw_a_file_into_it(tmp_path):
    """A column of a table may hold any address, also that of a private file."""
    path = tmp_path / "private.png"
    Image.new("RGB", (10, 10), RED).save(path)
    assert red(drawn(image_chart(path.as_uri()))) == 0
    inline = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    assert red(drawn(image_chart(inline))) == 2500


LISTENER = """
import socket
from vertex_claude_magic.prompts.values.convert import parts_of
from vertex_claude_magic.prompts.parts import ValueLimits
import altair
server = socket.create_server(("127.0.0.1", 0))
server.setblocking(False)
address = "http://127.0.0.1:%d/x.png" % server.getsockname()[1]
mark = altair.Chart(altair.Data(values=[{"url": address}])).mark_image().encode(url="url:N")
for chart in (mark, altair.Chart(address).mark_point().encode(x="a:Q")):
    try:
        parts_of(chart, ValueLimits())
        print("drawn")
    except Exception as error:
        print(error)
    try:
        server.accept()
        print("fetched")
    except BlockingIOError:
        pass
"""


@pytest.mark.slow
def test_a_chart_fetches_neither_data_nor_pictures():
    """Nothing calls; the data of a URL are a clear line."""
    first, second = run_python(LISTENER).splitlines()
    assert first == "drawn"
    assert "takes its data from a URL" in second


@pytest.mark.slow
def test_a_chart_whose_table_goes_to_vegafusion_is_drawn_as_in_the_notebook():
    """A null is 0 in the arithmetic of JavaScript and none in that of vegafusion, so its bar has another length."""
    import altair as alt
    import polars as pl

    def longer_bar(rows):
        table = pl.DataFrame(rows, schema=["ward", "wait"], orient="row")
        bars = alt.Chart(table).transform_calculate(later="datum.wait + 10").mark_bar(color="#ff0000")
        return bars.encode(x=alt.X("mean(later):Q").scale(domain=[0, 20]), y="ward:N").properties(width=200)

    gap, known = longer_bar([("A", 9.0), ("A", None)]), longer_bar([("A", 9.0)])
    usual = red(drawn(gap))
    with alt.data_transformers.enable("vegafusion"):
        assert red(drawn(gap)) == red(drawn(known)) > usual


@pytest.mark.slow
@pytest.mark.parametrize("transformer", ["default", "vegafusion"])
def test_a_chart_whose_data_has_a_url_is_refused_also_beside_a_table(tmp_path, transformer):
    """Of a file the picture would be empty, and vegafusion would read it."""
    import altair as alt
    import polars as pl

    path = tmp_path / "private.csv"
    path.write_text("a,b\n1,2\n")
    table = alt.Chart(pl.DataFrame({"a": [1]})).mark_point().encode(x="a:Q")
    for url in (str(path), path.as_uri(), "https://example.com/a.csv"):
        outside = alt.Chart(url).mark_point().encode(x="a:Q")
        beside = table.transform_lookup("a", from_=alt.LookupData(alt.UrlData(url), "a", ["b"]))
        with alt.data_transformers.enable(transformer):
            for chart in (outside, table + outside, beside):
                assert "takes its data from a URL" in refused(chart).message


@pytest.mark.slow
def test_a_url_in_a_row_of_a_chart_is_no_source_of_its_data():
    import altair as alt

    rows = alt.Data(values=[{"data": {"url": "https://example.com/a.csv"}, "b": 1}])
    assert red(drawn(alt.Chart(rows).mark_bar(color="#ff0000").encode(x="b:Q"))) > 0


@pytest.mark.slow
def test_a_huge_chart_is_drawn_no_larger_than_the_model_looks():
    """Its pixels in full would take gigabytes."""
    import altair as alt

    data = alt.Data(values=[{"a": 1, "b": 2}])
    chart = alt.Chart(data).mark_point().encode(x="a:Q").properties(width=40_000, height=100)
    told = part(chart, replace(LIMITS, image_edge=500))
    assert max(decoded(told.block).size) <= 501
