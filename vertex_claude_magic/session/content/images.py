"""Images as `image` blocks: the right format, small enough for the service, and without a camera's notes.

Limits and types come from the model table (Claude docs, "Vision").
"""

from __future__ import annotations

import base64
import io
import struct
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import MissingExtra, OptionError, quote
from vertex_claude_magic.session.content.parts import Budget, Media, Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

__all__ = ["encode_image", "image_bytes_parts", "image_parts", "image_type", "thumbnail_png"]

# A decoded image takes three or four bytes a pixel; beyond this it is refused and not decoded.
_MOST_PIXELS = 400_000_000
_DEFAULT_BYTES = 5 * 2**20
_QUALITIES = (90, 80, 65, 50, 35)
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def image_type(data: bytes) -> str | None:
    """Return the MIME type of an image that the service takes, by its first bytes; else None.

    >>> image_type(b"GIF89a...")
    'image/gif'
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _SIGNATURES if data.startswith(start)), None)


def image_parts(value: Image, budget: Budget) -> tuple[Part, ...]:
    """Turn a PIL image into an image block; the image itself is not changed."""
    return (encode_image(value, budget, kind="image"),)


def image_bytes_parts(data: bytes, budget: Budget, *, kind: str = "image") -> tuple[Part, ...]:
    """Turn the bytes of an image file into an image block.

    A PNG, GIF or WebP file that fits goes as it is; anything else is drawn anew, which also takes out what a
    camera has noted (place and time).

    Raises:
        OptionError: it is no image that can be read, or too large.
        MissingExtra: it must be drawn anew, and pillow is not installed.
    """
    media_type = image_type(data)
    try:
        with _pillow(data) as image:
            size = image.size
            untouched = media_type in {"image/png", "image/gif", "image/webp"} and not image.getexif()
            if untouched and _fits(size, len(data), budget) and getattr(image, "n_frames", 1) == 1:
                image.load()
                return (_media(data, str(media_type), size, kind),)
            several = getattr(image, "n_frames", 1)
            cut = f"the first of {several:,} frames" if several > 1 else ""
            return (encode_image(image, budget, kind=kind, cut=cut),)
    except ImportError:
        size = _png_size(data) if media_type == "image/png" else None
        if size and _fits(size, len(data), budget):
            return (_media(data, "image/png", size, kind),)
        raise _no_pillow() from None


def _no_pillow() -> MissingExtra:
    return MissingExtra("Images need pillow.", cure='Run: pip install "vertex-claude-magic[data]"')


def _fits(size: tuple[int, int], length: int, budget: Budget) -> bool:
    most = int(budget.image.get("base64_bytes", _DEFAULT_BYTES))
    return max(size) <= budget.image_edge and -(-length // 3) * 4 <= most


def _png_size(data: bytes) -> tuple[int, int] | None:
    # Bytes 16 to 24 of a PNG file are width and height (PNG specification, third edition, 11.2.1).
    if len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


@contextmanager
def _pillow(data: bytes) -> Iterator[Any]:
    """Open an image, whatever its size claims to be, without decoding it yet."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Pillow's own guard is a global of the user's; sizes are checked here.
            image = Image.open(io.BytesIO(data))
        except Image.DecompressionBombError:
            raise _too_large("far too many") from None
        except Exception as error:
            raise _unreadable(error) from error
        with image:
            yield image


def _too_large(pixels: str) -> OptionError:
    return OptionError(f"The image has {pixels} pixels.", cure="Make it smaller, or give a part of it.")


def _unreadable(error: Exception) -> OptionError:
    return OptionError(
        f"The image cannot be read: {type(error).__name__}: {quote(str(error), 80)}.",
        cure="Check that it is whole, and save it as PNG or JPEG.",
    )


def encode_image(image: Any, budget: Budget, *, kind: str, cut: str = "") -> Media:
    """Draw an image anew as PNG or JPEG, scaled down to what the model looks at.

    Raises:
        OptionError: it is too large to decode, or broken.
    """
    size = tuple(image.size)
    if not all(size) or size[0] * size[1] > _MOST_PIXELS:
        raise _too_large(f"{size[0]:,} × {size[1]:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            small = _flat(_scaled(image, budget.image_edge))
            data, media_type = _encoded(small, int(budget.image.get("base64_bytes", _DEFAULT_BYTES)))
    except (OptionError, MemoryError):
        raise
    except Exception as error:
        raise _unreadable(error) from error
    scaled = f"scaled down from {size[0]:,} × {size[1]:,} pixels" if max(small.size) < max(size) else ""
    return _media(data, media_type, small.size, kind, cut="; ".join(part for part in (cut, scaled) if part))


def _scaled(image: Any, edge: int) -> Any:
    from PIL import Image, ImageOps

    if image.format == "JPEG":
        # The decoder itself can leave out detail that would be scaled away.
        image.draft("RGB", (edge, edge))
    turned = ImageOps.exif_transpose(image) or image
    longest = max(turned.size)
    if longest <= edge:
        return turned.copy()
    size = tuple(max(1, round(side * edge / longest)) for side in turned.size)
    if turned.mode in {"P", "1"}:
        turned = turned.convert("RGBA" if "transparency" in turned.info else "RGB")
    return turned.resize(size, Image.Resampling.LANCZOS if turned.mode not in {"I;16", "I", "F"} else None,
                         reducing_gap=2.0 if turned.mode in {"RGB", "L", "RGBA"} else None)  # fmt: skip


def _flat(image: Any) -> Any:
    """Return the image in grey or in colour; what is transparent becomes white, as on paper."""
    from PIL import Image, ImageMath  # noqa: F401 - loaded for its modes

    if image.mode in {"I", "I;16", "I;16B", "F"}:
        return _stretched(image)
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert("RGB")
    return image if image.mode in {"L", "RGB"} else image.convert("L" if image.mode == "1" else "RGB")


def _stretched(image: Any) -> Any:
    """Bring numbers of 16 or 32 bits into 8, from the least to the greatest that occur."""
    wide = image.convert("F")
    least, most = wide.getextrema()
    scale = 255.0 / (most - least) if most > least else 1.0
    return wide.point(lambda value: value * scale + -least * scale).convert("L")


def _encoded(image: Any, most: int) -> tuple[bytes, str]:
    """Return PNG, which is exact, where it is small enough; else JPEG of falling quality."""
    data = _saved(image, format="PNG", optimize=False)
    if _base64_size(data) <= min(most, 1_500_000):
        return data, "image/png"
    for quality in _QUALITIES:
        data = _saved(image, format="JPEG", quality=quality)
        if _base64_size(data) <= most:
            return data, "image/jpeg"
    raise _too_large(f"{image.size[0]:,} × {image.size[1]:,} noisy")


def _base64_size(data: bytes) -> int:
    return -(-len(data) // 3) * 4


def _saved(image: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    image.info = {}
    image.save(out, **options)
    return out.getvalue()


def _media(data: bytes, media_type: str, size: Any, kind: str, cut: str = "") -> Media:
    source = {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode("ascii")}
    about = f"{size[0]:,} × {size[1]:,} pixels"
    return Media(block={"type": "image", "source": source}, kind=kind, about=about, cut=cut)


def thumbnail_png(block: Any, edge: int) -> bytes | None:
    """Return a small PNG of an image block, None if it is no image or pillow is not installed.

    Args:
        block: A block of the Messages API.
        edge: The longest edge in pixels.
    """
    source = block.get("source", {}) if block.get("type") == "image" else {}
    if source.get("type") != "base64":
        return None
    try:
        with _pillow(base64.b64decode(source["data"])) as image:
            return _saved(_flat(_scaled(image, edge)), format="PNG")
    except (ImportError, OptionError, OSError, ValueError):
        return None
