"""PDF files as `document` blocks, checked before they are sent (Claude docs, "PDF support", 2026)."""

from __future__ import annotations

import base64
import io
import logging
import re
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.process import ignored_warnings
from vertex_claude_magic.prompts.parts import Media, PromptPart, ValueLimits
from vertex_claude_magic.text import number_of, quote

if TYPE_CHECKING:
    from pypdf import PdfReader

__all__ = ["check_pdf_size", "pdf_parts"]

_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_OBJECT = re.compile(rb"(\d{1,10})\s+\d{1,5}\s+obj\b")
_LOCK = re.compile(rb"/Encrypt\s*(?:\d{1,10}\s+\d{1,5}\s+R\b|<<)")
# No model takes more pages, so they are not counted further.
_MOST_COUNTED = 3_000


def pdf_parts(data: bytes, limits: ValueLimits, *, name: str = "") -> tuple[PromptPart, ...]:
    """Turn the bytes of a PDF file into a document block.

    Args:
        data: The file.
        limits: How many pages the model takes is among them.
        name: The title of the document.

    Raises:
        OptionError: it has a password, too many pages, is too large, or is broken.
    """
    check_pdf_size(len(data), limits)
    pages = _pages(data)
    most = limits.pdf.get("pages" if limits.long_context else "pages_under_1m_context")
    if most is not None and pages > most:
        raise OptionError(
            f"The PDF has {pages:,} pages, but the model accepts only {most:,} in one request.",
            cure="Use a part of it, such as one chapter.",
        )
    encoded = base64.b64encode(data).decode("ascii")
    source = {"type": "base64", "media_type": "application/pdf", "data": encoded}
    title = {"title": quote(name, 120)} if name else {}
    about = number_of(pages, "page") if pages else ""
    block = {"type": "document", "source": source, **title}
    return (Media(block=block, kind="PDF", about=about, pages=max(pages, 1)),)


def check_pdf_size(size: int, limits: ValueLimits) -> None:
    """Check that a PDF file of this size, in bytes, may fit into a request.

    Raises:
        OptionError: it cannot.
    """
    if size > limits.request_bytes:
        most = f"{limits.request_bytes / 1e6:.0f} MB"
        raise OptionError(
            f"The PDF is {size / 1e6:,.0f} MB, but Vertex AI accepts only {most} in one request.",
            cure="Use a part of it, such as one chapter, or save it with smaller images.",
        )


def _pages(data: bytes) -> int:
    """Count the pages; without pypdf by the objects of that type, which compressed files hide (0 then)."""
    try:
        import pypdf
    except ImportError:
        return _counted(data)
    logger, handler = logging.getLogger("pypdf"), logging.NullHandler()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        # pypdf would write warnings about the file to stderr.
        with ignored_warnings():
            return _page_count(pypdf.PdfReader(io.BytesIO(data), strict=False))
    except OptionError:
        raise
    except Exception as error:
        why = quote(str(error), 80).removesuffix(".")
        raise OptionError(
            f"The PDF cannot be read{': ' * bool(why)}{why}.",
            cure="Open it in a viewer and save it again.",
        ) from error
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def _counted(data: bytes) -> int:
    """Count the page objects; one that was changed is in the file more than once, under the same number."""
    if _LOCK.search(data):
        raise _locked()
    pages: set[bytes | int] = set()
    for place, text in enumerate(data.split(b"endobj")):
        found = _PAGE.findall(text)
        number = _OBJECT.search(text) if found else None
        if number is not None and len(found) == 1:
            pages.add(number[1])
        else:
            pages.update(-(place * 1_000 + index) for index in range(1, len(found) + 1))
    return len(pages)


def _page_count(reader: PdfReader) -> int:
    """Walk through the page tree (ISO 32000-2, 7.7.3.2), because its own count may be wrong."""
    if reader.is_encrypted:
        raise _locked()
    root = reader.root_object["/Pages"]
    nodes, pages = [root], 0
    seen: set[int] = set()
    while nodes and pages < _MOST_COUNTED and len(seen) < 2 * _MOST_COUNTED:
        node = nodes.pop().get_object()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if "/Kids" in node:
            nodes += node["/Kids"]
        else:
            pages += 1
    return max(pages, int(root.get("/Count", 0))) if nodes else pages


def _locked() -> OptionError:
    return OptionError("The PDF has a password.", cure="Save it without one.")
