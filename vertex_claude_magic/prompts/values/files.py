"""Files and bytes by what they really are: images, PDFs, notebooks, text."""

from __future__ import annotations

import codecs
import io
import itertools
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.prompts.parts import PromptPart, Text, ValueLimits, shorten
from vertex_claude_magic.prompts.values.images import image_file_parts, is_image
from vertex_claude_magic.prompts.values.notebook_files import notebook_parts
from vertex_claude_magic.prompts.values.pdfs import check_pdf_size, pdf_parts
from vertex_claude_magic.text import nearest, quote, quote_path, reason_of, without_home

if TYPE_CHECKING:
    import os

__all__ = ["bytes_parts", "path_parts"]

# Nothing larger is read into memory; an image file may well be larger than what goes out of it.
_MOST_BYTES = 1_000_000_000
# A notebook takes several times its size while it is read.
_MOST_NOTEBOOK = 200_000_000
_MOST_CHARACTERS = 10_000_000
_LOOKED_AT = 8_192
_IMAGES = {".bmp", ".tif", ".tiff", ".jp2", ".ico", ".ppm", ".pgm", ".tga", ".avif", ".heic"}
_CURES = {
    ".xlsx": "Read it with pandas.read_excel and use the data frame.",
    ".xls": "Read it with pandas.read_excel and use the data frame.",
    ".parquet": "Read it with pandas.read_parquet and use the data frame.",
    ".docx": "Save it as PDF.",
    ".pptx": "Save it as PDF.",
    ".doc": "Save it as PDF.",
    ".zip": "Unpack it and use the files.",
    ".gz": "Unpack it and use the file.",
    ".pkl": "Load it and use the object.",
}
_TEXTS = {".csv", ".tsv", ".txt", ".md", ".json", ".jsonl", ".log", ".py", ".html", ".xml", ".yaml", ".yml"}
_NOT_UTF8 = (
    "If it is text, save it as UTF-8, or assign path.read_text(encoding=...) to a variable and use that."
)
_CAN_BE_GIVEN = "Use a png, jpg, gif or webp image, a PDF, a notebook, or a text file."
_SIZED = (io.BytesIO, io.BufferedReader, io.BufferedRandom, io.FileIO)
# UTF-32 first, because its mark begins as that of UTF-16 does.
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The keys of a notebook (nbformat 3 and 4) in any order, so the first of them may be any.
_NOTEBOOK = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*\{\s*"(?:cells|metadata|nbformat|nbformat_minor|worksheets)"\s*:'
)
# pathlib makes one slash of two.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def path_parts(value: os.PathLike[str], limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a file into parts of a prompt, by its content first and its name second.

    Raises:
        OptionError: there is no such file, it cannot be read, or it is of a kind that cannot be sent.
    """
    path = Path(value)
    try:
        path = path.expanduser()
    except RuntimeError:
        raise OptionError(
            f"The home folder cannot be found in {quote(str(path), 80)!r}.", cure="Write the full path."
        ) from None
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise _missing(path, error) from error
    if stat.S_ISDIR(found.st_mode):
        raise OptionError(f"{quote(path.name or str(path), 80)} is a folder.", cure="Choose a file in it.")
    if not stat.S_ISREG(found.st_mode):
        # A pipe or a device may never end.
        raise OptionError(f"{quote(path.name, 80)} is not a regular file.", cure=_CAN_BE_GIVEN)
    try:
        with path.open("rb") as file:
            return _file_parts(file, found.st_size, path.name, limits)
    except OSError as error:
        raise _unreadable(path, error) from error


def _missing(path: Path, error: OSError | ValueError) -> OptionError:
    message = f"There is no file {quote(path.name, 80)!r}."
    if _ADDRESS.match(str(path)):
        return OptionError(message, cure="URLs are not fetched; download the file and use its path.")
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return _unreadable(path, error)
    names = names_beside(path)
    if near := nearest(path.name, names or ()):
        return OptionError(message, cure=f"Did you mean {quote(near, 80)}?")
    if path.is_absolute():
        found = "has no such file" if names is not None else "is no folder that can be read"
        return OptionError(
            message, cure=f"Check the path: {quote_path(without_home(str(path.parent)))} {found}."
        )
    return OptionError(message, cure="Paths start at the notebook's folder; see %pwd.")


def names_beside(path: Path) -> list[str] | None:
    """Return the names of the files in the folder of a path; None if that is no folder that can be read."""
    try:
        return [each.name for each in itertools.islice(path.parent.iterdir(), 10_000)]
    except (OSError, ValueError):
        return None


def _unreadable(path: Path, error: OSError) -> OptionError:
    return OptionError(
        f"The file {quote(path.name, 80)} cannot be read: {quote(reason_of(error), 80)}.",
        cure="Check its permissions."
        if isinstance(error, PermissionError)
        else "Check that it exists and is complete.",
    )


def bytes_parts(
    value: bytes | bytearray | memoryview | BinaryIO | io.TextIOBase, limits: ValueLimits
) -> tuple[PromptPart, ...]:
    """Turn bytes, or an open file, into parts of a prompt by their content.

    An open file is read from its beginning and left at its place where it can be.

    Raises:
        OptionError: they are of a kind that cannot be sent.

    >>> bytes_parts("é".encode(), ValueLimits())[0].body
    'é'
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        return _file_parts(io.BytesIO(data), len(data), "", limits)
    start = value.tell() if value.seekable() else None
    try:
        if start is not None:
            value.seek(0)
        if isinstance(value, io.TextIOBase):
            text = value.read(_MOST_CHARACTERS)
            body, cut = shorten(text, limits)
            if len(text) >= _MOST_CHARACTERS:
                # How many there are in all is not known.
                cut = f"the first {len(body):,} characters"
            return (Text(body=body, kind="text file", cut=cut),)
        name = getattr(value, "name", None)
        name = Path(name).name if isinstance(name, str) else ""
        # The size of what is unpacked or comes through a pipe is known only at its end.
        size = None
        if isinstance(value, _SIZED) and value.seekable():
            size = value.seek(0, io.SEEK_END)
            value.seek(0)
        return _file_parts(value, size, name, limits)
    finally:
        if start is not None:
            value.seek(start)


def _file_parts(file: BinaryIO, size: int | None, name: str, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a file, open at its beginning, into parts; of a text no more is read than goes out."""
    start = file.read(_LOOKED_AT)
    if not start:
        what = f"The file {quote(name, 80)} is" if name else "The bytes are"
        raise OptionError(f"{what} empty.", cure="Use another file." if name else "Give some.")
    suffix = Path(name).suffix.lower()
    is_text = _is_text(start)
    if is_image(start) or (suffix in _IMAGES and not is_text):
        if size is None:
            data = _whole(file, start, size, name, _MOST_BYTES)
            return image_file_parts(io.BytesIO(data), len(data), limits)
        file.seek(0)
        return image_file_parts(file, size, limits)
    if start.startswith(b"%PDF-") or (b"%PDF-" in start[:1024] and not is_text):
        check_pdf_size(size or 0, limits)
        return pdf_parts(_whole(file, start, size, name, _MOST_BYTES), limits, name=name)
    if suffix == ".ipynb" or (_NOTEBOOK.match(start) and (size or 0) <= _MOST_NOTEBOOK):
        data = _whole(file, start, size, name, _MOST_NOTEBOOK)
        if suffix == ".ipynb" or (b'"nbformat"' in data and (b'"cells"' in data or b'"worksheets"' in data)):
            return notebook_parts(data, limits, name=name)
        return (_text(data[: _LOOKED_AT + limits.characters * 4], name, limits, len(data)),)
    if not is_text:
        what = f"The file {quote(name, 80)}" if name else "The bytes"
        cure = _CURES.get(suffix, _NOT_UTF8 if suffix in _TEXTS else _CAN_BE_GIVEN)
        raise OptionError(f"{what} cannot be sent: not an image, PDF or text.", cure=cure)
    return (_text(start + file.read(limits.characters * 4), name, limits, size),)


def _whole(file: BinaryIO, start: bytes, size: int | None, name: str, most: int) -> bytes:
    """Read the rest of a file.

    Raises:
        OptionError: it is too large for that.
    """
    chunks, left = [start], most + 1 - len(start)
    # In chunks, because a file of unknown size (a pipe, an archive) may go on and on.
    while (size is None or size <= most) and left > 0 and (chunk := file.read(min(left, 2**20))):
        chunks.append(chunk)
        left -= len(chunk)
    if left <= 0 or (size is not None and size > most):
        what = f"The file {quote(name, 80)} is" if name else "The bytes are"
        raise OptionError(
            f"{what} larger than {most / 1e6:,.0f} MB.", cure="Use a smaller file, or a part of it."
        )
    return b"".join(chunks)


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
    return controls <= len(start) // 100


def _text(data: bytes, name: str, limits: ValueLimits, size: int | None) -> Text:
    # Where the file goes on, its last character may be cut here.
    ends = len(data) < _LOOKED_AT + limits.characters * 4 if size is None else len(data) >= size
    decoded, caution, remark = _decoded(data, ends=ends)
    body, cut = shorten(decoded, limits)
    if cut or (size is not None and len(data) < size):
        cut = f"the first {len(body):,} characters" + (f" of {size:,} bytes" if size else "")
    about = f"{size:,} bytes" if size else ""
    kind = "text file" if name else "text"
    return Text(body=body, kind=kind, about=about, cut=cut, caution=caution, remark=remark)


def _decoded(data: bytes, *, ends: bool) -> tuple[str, str, str]:
    """Decode a text by its mark, as UTF-8, else as old Windows programs write it.

    Args:
        data: Its bytes.
        ends: Whether the text ends with them; if not, half a character at the end is left out.

    Returns:
        The text, what may be wrong in it, and what its mark says where that is not UTF-8.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = codecs.getincrementaldecoder(encoding)("replace").decode(data, ends)
            name, broken = encoding.upper().removesuffix("-SIG"), text.count("\ufffd")
            read_as = f"read as {name}, as its"
            if broken:
                return text, f"{read_as} mark says, with {broken:,} characters shown as \ufffd", ""
            return text, "", "" if name == "UTF-8" else f"{read_as} byte order mark says"
    decoder, half = codecs.getincrementaldecoder("utf-8")(), b""
    try:
        text = decoder.decode(data)
        half, _ = decoder.getstate()
        if not (half and ends):
            return text, "", ""
    except UnicodeDecodeError:
        pass
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if sum(not character.isascii() for character in text) > (broken if half else 2 * broken):
        # Most of what is not ASCII was UTF-8, or all of it but half a character at the end, so the rest is damage.
        return (
            text,
            f"{broken:,} {'bytes that are' if broken > 1 else 'byte that is'} not UTF-8 shown as \ufffd",
            "",
        )
    try:
        text, name = data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        text, name = data.decode("latin-1"), "ISO 8859-1"
    return text, f"not UTF-8, read as {name}, which is a guess; save it as UTF-8 to be sure", ""
