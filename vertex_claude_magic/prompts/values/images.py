"""Images as `image` blocks: the right format, small enough for the service, and without a camera's notes.

Limits and types come from the model table (Claude docs, "Vision").
"""

from __future__ import annotations

import base64
import contextlib
import io
import math
import struct
from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from vertex_claude_magic.errors import MissingExtra, OptionError
from vertex_claude_magic.process import ignored_warnings
from vertex_claude_magic.prompts.parts import Media, PromptPart, ValueLimits
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from PIL.Image import Image

__all__ = ["image_bytes_parts", "image_file_parts", "image_parts", "is_image", "thumbnail_png"]

# A decoded image takes three or four bytes a pixel; beyond this it is refused and not decoded.
_MOST_PIXELS = 400_000_000
_DEFAULT_BYTES = 5 * 2**20
# What a PNG file may hold of a camera's notes, for where pillow cannot look.
_NOTES = (b"eXIf", b"exif", b"XML:com.adobe.xmp", b"profile type xmp")
_QUALITIES = (90, 80, 65, 50, 35)
# Bytes at the beginning of a file that say whether it is an image.
_HEAD = 32
# Modes whose values have no mean, or that pillow turns into colours only by way of another one.
_MODES = {"1": "L", "PA": "RGBA", "HSV": "RGB", "La": "LA", "RGBa": "RGBA"}
_TRANSPARENT = frozenset({"RGBA", "LA"})
_NUMBERS = frozenset({"I", "F"})
_UNTOUCHED = frozenset({"image/png", "image/gif", "image/webp"})
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
# JPEG 2000, TIFF and BigTIFF in either byte order; they are converted to PNG or JPEG.
_OTHERS = (b"\0\0\0\x0cjP  ", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _image_type(data: bytes) -> str | None:
    """Return the MIME type of an image that the service takes, by its first bytes; else None."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _SIGNATURES if data.startswith(start)), None)


def is_image(data: bytes | bytearray | memoryview) -> bool:
    """Tell whether a file is an image, by its first bytes.

    >>> is_image(b"II*\\0..."), is_image(b"BMW builds cars.")
    (True, False)
    """
    head = bytes(data[:_HEAD])
    bitmap = head[:2] == b"BM" and head[6:10] == bytes(4)
    box = head[4:12] in {b"ftypavif", b"ftypheic", b"ftypmif1"}
    return bitmap or box or head.startswith(_OTHERS) or _image_type(head) is not None


def image_parts(value: Image, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a PIL image into an image block; the image itself is not changed."""
    return (_drawn(value, limits, kind="image"),)


def image_bytes_parts(data: bytes, limits: ValueLimits, *, kind: str = "image") -> tuple[PromptPart, ...]:
    """Turn the bytes of an image file into an image block; the rest as `image_file_parts`."""
    return image_file_parts(io.BytesIO(data), len(data), limits, kind=kind)


def image_file_parts(
    file: BinaryIO, length: int, limits: ValueLimits, *, kind: str = "image"
) -> tuple[PromptPart, ...]:
    """Turn an image file into an image block.

    A PNG, GIF or WebP file that fits goes as it is; anything else is drawn anew, which also takes out what a
    camera has noted (place and time). A file that is much larger than its picture is not read as a whole.

    Args:
        file: The file, open at its beginning.
        length: Its bytes.
        limits: Those of images are looked at.
        kind: What it shows.

    Raises:
        OptionError: it is not an image that can be read, or it is too large.
        MissingExtra: it must be drawn anew, and pillow is not installed.
    """
    start = file.read(_HEAD)
    media_type = _image_type(start)
    file.seek(0)
    try:
        with _pillow(file) as image:
            untouched = media_type in _UNTOUCHED and _fits(image.size, length, limits)
            if untouched and not _frames(image) and _is_clean(image):
                file.seek(0)
                return (_media(file.read(), str(media_type), image.size, kind),)
            return (_drawn(image, limits, kind=kind, ours=True),)
    except ImportError:
        if media_type == "image/png" and len(start) >= 24:
            # Bytes 16 to 24 of a PNG file are width and height (PNG specification, third edition, 11.2.1).
            width, height = struct.unpack(">II", start[16:24])
            if _fits((width, height), length, limits):
                data = file.read()
                if not any(mark in data for mark in _NOTES):
                    return (_media(data, "image/png", (width, height), kind),)
        raise MissingExtra(
            "Images need pillow.", cure='Run: pip install "vertex-claude-magic[data]"'
        ) from None


def _frames(image: Image) -> str:
    """Tell which of several frames an image file shows; nothing if there is but one."""
    counted = "n_frames" in vars(image)
    # The second picture of a telephone's JPEG (MPO) is no other moment.
    if image.format == "MPO" or not (counted or hasattr(type(image), "n_frames")):
        return ""
    here = image.tell() + 1
    shown = "the first" if here == 1 else f"frame {here:,}"
    if counted or image.tile:
        every: int = image.n_frames
        return f"{shown} of {every:,} frames" if every > 1 else ""
    # To count the frames now, pillow would read the file anew, and what was drawn on the image would be lost.
    return f"{shown} of several frames" if here > 1 or {"loop", "duration"} & set(image.info) else ""


def _is_clean(image: Image) -> bool:
    """Tell whether a file has no camera metadata; it is read to its end, so a cut file raises.

    Raises:
        OptionError: it is broken.
    """
    try:
        image.load()
        keys = [str(key).lower() for key in image.info]
        return not (image.getexif() or any("exif" in key or "xmp" in key for key in keys))
    except Exception as error:
        raise _unreadable(error) from error


def _fits(size: tuple[int, int], length: int, limits: ValueLimits) -> bool:
    return max(size) <= limits.image_edge and _base64_size(length) <= _most_bytes(limits)


@contextmanager
def _pillow(file: BinaryIO) -> Iterator[Image]:
    """Open an image, whatever its size claims to be, without decoding it yet."""
    from PIL import Image

    with ignored_warnings():
        try:
            image = Image.open(file)
        except Image.DecompressionBombError:
            # Pillow's own guard, whose limit is a global of the user's.
            raise _too_large(f"more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,}") from None
        except Exception as error:
            raise _unreadable(error) from error
        with image:
            yield image


def _too_large(pixels: str) -> OptionError:
    return OptionError(f"The image has {pixels} pixels.", cure="Make it smaller, or use a part of it.")


def _unreadable(error: Exception) -> OptionError:
    unknown = type(error).__name__ == "UnidentifiedImageError"
    # A class of pillow's stands for its text only where there is none.
    why = "pillow does not know its format" if unknown else str(error) or type(error).__name__
    return OptionError(
        f"The image cannot be read: {quote(why, 100)}.",
        cure="Check that it is complete, and save it as PNG or JPEG.",
    )


def _drawn(image: Image, limits: ValueLimits, *, kind: str, ours: bool = False) -> Media:
    """Encode an image again as PNG or JPEG, scaled down to what the model looks at."""
    width, height = image.size
    if not width or not height:
        raise OptionError(
            f"The image has {width:,} × {height:,} pixels.", cure="Use an image that is not empty."
        )
    if width * height > _MOST_PIXELS:
        raise _too_large(f"{width:,} × {height:,}")
    try:
        frame = _frames(image)
        small = _flat(_scaled(image, limits.image_edge, ours=ours))
        data, media_type = _encoded(small, _most_bytes(limits))
    except OptionError:
        raise
    except MemoryError as error:
        raise _too_large(f"{width:,} × {height:,}") from error
    except Exception as error:
        raise _unreadable(error) from error
    scaled = f"scaled down from {width:,} × {height:,} pixels" if max(small.size) < max(width, height) else ""
    return _media(data, media_type, small.size, kind, cut="; ".join(part for part in (frame, scaled) if part))


def _scaled(image: Image, edge: int, *, ours: bool) -> Image:
    """Return a copy that is small enough and upright; turned last, when there is little to turn."""
    from PIL import Image
    from PIL.Image import Transpose

    if ours and image.format == "JPEG":
        # The decoder itself can leave out detail that would be scaled away; it changes the image, though.
        image.draft("RGB", (edge, edge))
    # Pillow turns a TIFF itself when it decodes it.
    image.load()
    # How it has to be turned to be upright (Exif 2.32, tag 0x0112).
    turns = (None, Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM, Transpose.TRANSPOSE,
             Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)  # fmt: skip
    turn = None
    with contextlib.suppress(Exception):  # notes that cannot be read turn nothing
        turn = dict(enumerate(turns, 1)).get(image.getexif().get(0x0112))
    longest, plain = max(image.size), image
    if image.mode == "P":
        # The numbers of a palette have no mean.
        plain = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif mode := "I" if image.mode.startswith("I;16") else _MODES.get(image.mode):
        plain = image.convert(mode)
    if longest > edge:
        size = tuple(max(1, round(side * edge / longest)) for side in image.size)
        smooth = Image.Resampling.LANCZOS if plain.mode not in _NUMBERS else Image.Resampling.BOX
        gap = 2.0 if plain.mode in {"RGB", "L", "RGBA"} else None
        small = plain.resize(size, smooth, reducing_gap=gap)
    else:
        small = image.copy() if plain is image else plain
    return small if turn is None else small.transpose(turn)


def _flat(image: Image) -> Image:
    """Return the image in grey or in colour; what is transparent becomes white, as on paper."""
    from PIL import Image

    if image.mode in _NUMBERS:
        # Numbers of 16 or 32 bits, from the least to the greatest that occur; NaN becomes black.
        wide = image.convert("F")
        least, most = wide.getextrema()
        if not math.isfinite(least + most):
            numbers = array("f", wide.tobytes())
            finite = [number for number in numbers if math.isfinite(number)]
            least, most = (min(finite), max(finite)) if finite else (0.0, 0.0)
            ends = {math.inf: most, -math.inf: least}
            sound = array("f", (n if math.isfinite(n) else ends.get(n, least) for n in numbers))
            wide = Image.frombytes("F", wide.size, sound.tobytes())
            least, most = wide.getextrema()
        scale = 255.0 / (most - least) if most > least else 1.0
        return wide.point(lambda value: value * scale + -least * scale).convert("L")
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert("RGB")
    return image if image.mode in {"L", "RGB"} else image.convert("RGB")


def _encoded(image: Image, most: int) -> tuple[bytes, str]:
    """Return PNG, which is exact, where it is small enough; else JPEG of falling quality."""
    data = _saved(image, format="PNG", optimize=False)
    if _base64_size(len(data)) <= min(most, 1_500_000):
        return data, "image/png"
    for quality in _QUALITIES:
        data = _saved(image, format="JPEG", quality=quality)
        if _base64_size(len(data)) <= most:
            return data, "image/jpeg"
    raise _too_large(f"{image.size[0]:,} × {image.size[1]:,} noisy")


def _base64_size(length: int) -> int:
    return -(-length // 3) * 4


def _most_bytes(limits: ValueLimits) -> int:
    return int(limits.image.get("base64_bytes", _DEFAULT_BYTES))


def _saved(image: Image, **options: str | int) -> bytes:
    out = io.BytesIO()
    image.info = {}
    image.save(out, **options)
    return out.getvalue()


def _media(data: bytes, media_type: str, size: tuple[int, int], kind: str, cut: str = "") -> Media:
    source = {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode("ascii")}
    about = f"{size[0]:,} × {size[1]:,} pixels"
    return Media(block={"type": "image", "source": source}, kind=kind, about=about, cut=cut)


def thumbnail_png(block: Mapping[str, Any], edge: int) -> bytes | None:
    """Return a small PNG of an image block, None if it is not an image or pillow is not installed.

    Args:
        block: A block of the Messages API.
        edge: The longest edge in pixels.
    """
    try:
        source = block["source"]
        if (block["type"], source["type"]) != ("image", "base64"):
            return None
        with _pillow(io.BytesIO(base64.b64decode(source["data"]))) as image:
            return _saved(_flat(_scaled(image, edge, ours=True)), format="PNG")
    except Exception:  # noqa: BLE001 - a block may contain anything, and a preview is not a reason to fail
        return None
