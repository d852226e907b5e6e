"""Files and bytes by what they really are: images, PDFs, notebooks, text."""

from __future__ import annotations

import codecs
import difflib
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError, quote
from vertex_claude_magic.session.content.images import image_bytes_parts, image_file_parts, image_type
from vertex_claude_magic.session.content.notebook_files import notebook_parts
from vertex_claude_magic.session.content.parts import Budget, Part, Text, shorten
from vertex_claude_magic.session.content.pdfs import pdf_parts

if TYPE_CHECKING:
    import os

__all__ = ["bytes_parts", "path_parts"]

# Nothing larger is read into memory; an image file may well be larger than what goes out of it.
_MOST_BYTES = 1_000_000_000
_LOOKED_AT = 8_192
_IMAGES = {".bmp", ".tif", ".tiff", ".jp2", ".ico", ".ppm", ".pgm", ".tga", ".avif", ".heic"}
# TIFF in both byte orders, and BMP.
_DRAWN = (b"II*\0", b"MM\0*", b"BM")
_CURES = {
    ".xlsx": "Read it with pandas.read_excel and give the frame.",
    ".xls": "Read it with pandas.read_excel and give the frame.",
    ".parquet": "Read it with pandas.read_parquet and give the frame.",
    ".docx": "Save it as PDF.",
    ".pptx": "Save it as PDF.",
    ".doc": "Save it as PDF.",
    ".zip": "Unpack it and give the files.",
    ".gz": "Unpack it and give the file.",
    ".pkl": "Load it and give the object.",
}
_CAN_BE_GIVEN = "Give a png, jpg, gif or webp image, a PDF, a notebook, or a text file."
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def path_parts(value: os.PathLike[str], budget: Budget) -> tuple[Part, ...]:
    """Turn a file into parts of a prompt, by its content first and its name second.

    Raises:
        OptionError: there is no such file, it cannot be read, or it is of a kind that cannot be sent.
    """
    path = Path(value).expanduser()
    size = _regular_size(path)
    if size == 0:
        raise OptionError(f"The file {quote(path.name, 80)} is empty.", cure="Give another file.")
    try:
        with path.open("rb") as file:
            start = file.read(_LOOKED_AT)
            if (
                not _is_text(start)
                or start.lstrip()[:1] == b"{"
                or path.suffix.lower() in {*_IMAGES, ".ipynb"}
            ):
                _check_size(path, size)
                if _is_image(start, path.suffix):
                    file.seek(0)
                    return image_file_parts(file, size, budget)
                return _typed(start + file.read(), path.name, budget)
            # Of a text no more is read than goes out.
            text = start + file.read(budget.characters * 4)
    except OSError as error:
        raise _unreadable(path, error) from error
    return (_text(text, path.name, budget, size),)


def _regular_size(path: Path) -> int:
    try:
        found = path.stat()
    except OSError as error:
        raise _missing(path, error) from error
    if stat.S_ISDIR(found.st_mode):
        raise OptionError(f"{quote(path.name or str(path), 80)} is a folder.", cure="Name a file in it.")
    if not stat.S_ISREG(found.st_mode):
        raise OptionError(f"{quote(path.name, 80)} is no regular file.", cure=_CAN_BE_GIVEN)
    return found.st_size


def _missing(path: Path, error: OSError) -> OptionError:
    if not isinstance(error, FileNotFoundError):
        return _unreadable(path, error)
    try:
        names = [each.name for each in path.parent.iterdir()][:10_000]
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, n=1)
    hint = (
        f"Did you mean {quote(near[0], 80)}?" if near else "Paths start at the notebook's folder; see %pwd."
    )
    return OptionError(f"There is no file {quote(path.name, 80)!r}.", cure=hint)


def _unreadable(path: Path, error: OSError) -> OptionError:
    return OptionError(
        f"The file {quote(path.name, 80)} cannot be read: {quote(error.strerror or type(error).__name__, 80)}.",
        cure="Check its permissions.",
    )


def _check_size(path: Path, size: int) -> None:
    if size > _MOST_BYTES:
        raise OptionError(
            f"The file {quote(path.name, 80)} has {size / 1e9:.1f} GB.",
            cure="Give a smaller file, or a part of it.",
        )


def bytes_parts(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn bytes, or an open file, into parts of a prompt by what they hold.

    An open file is read from its beginning and left at its place where it can be.

    Raises:
        OptionError: they are of a kind that cannot be sent.

    >>> bytes_parts("é".encode(), Budget())[0].body
    'é'
    """
    data = value if isinstance(value, (bytes, bytearray, memoryview)) else _read(value)
    if isinstance(data, str):
        body, cut = shorten(data, budget)
        return (Text(body=body, kind="text file", cut=cut),)
    data = bytes(data)
    if not data:
        raise OptionError("The bytes are empty.", cure="Give some.")
    return _typed(data, "", budget)


def _read(file: Any) -> Any:
    place = file.tell() if file.seekable() else None
    if place is not None:
        file.seek(0)
    try:
        return file.read(_MOST_BYTES)
    finally:
        if place is not None:
            file.seek(place)


def _typed(data: bytes, name: str, budget: Budget) -> tuple[Part, ...]:
    suffix = Path(name).suffix.lower()
    if data.startswith(b"%PDF-") or b"%PDF-" in data[:1024]:
        return pdf_parts(data, budget, name=name)
    if _is_image(data, suffix):
        return image_bytes_parts(data, budget)
    if suffix == ".ipynb" or _is_notebook(data):
        return notebook_parts(data, budget, name=name)
    if _is_text(data[:_LOOKED_AT]):
        return (_text(data, name, budget, len(data)),)
    what = f"The file {quote(name, 80)}" if name else "The bytes"
    raise OptionError(
        f"{what} cannot be sent: neither image, PDF nor text.", cure=_CURES.get(suffix, _CAN_BE_GIVEN)
    )


def _is_image(start: bytes, suffix: str) -> bool:
    """Tell whether pillow should look at it; text in a file that is called an image is text."""
    if image_type(start) or (start.startswith(_DRAWN) and not _is_text(start[:_LOOKED_AT])):
        return True
    return suffix.lower() in _IMAGES and not _is_text(start[:_LOOKED_AT])


def _is_notebook(data: bytes) -> bool:
    return data.lstrip()[:1] == b"{" and b'"nbformat"' in data and b'"cells"' in data


def _is_text(start: bytes) -> bool:
    """Tell text from binary by its first bytes: a byte order mark, or no NUL and few control characters."""
    if any(start.startswith(mark) for mark, _ in _BOMS):
        return True
    if b"\0" in start or start.startswith(b"%PDF-"):
        return False
    try:
        # The last character may be cut.
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        pass
    else:
        return True
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in start)
    return controls <= len(start) // 100 and image_type(start) is None


def _text(data: bytes, name: str, budget: Budget, size: int) -> Text:
    text = _decoded(data)
    body, cut = shorten(text, budget)
    if cut or len(data) < size:
        cut = f"the first {len(body):,} characters of {size:,} bytes"
    return Text(body=body, kind="text file" if name else "text", about=f"{size:,} bytes", cut=cut)


def _decoded(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return data.decode("latin-1")
