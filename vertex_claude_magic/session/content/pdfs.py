"""PDF files as `document` blocks, checked before they are sent (Claude docs, "PDF support", 2026)."""

from __future__ import annotations

import base64
import io
import logging
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError, quote
from vertex_claude_magic.session.content.parts import Budget, Media, Part

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["pdf_parts"]

_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


def pdf_parts(data: bytes, budget: Budget, *, name: str = "") -> tuple[Part, ...]:
    """Turn the bytes of a PDF file into a document block.

    Args:
        data: The file.
        budget: It knows how many pages the model takes.
        name: The title of the document.

    Raises:
        OptionError: it has a password, too many pages, or is broken.
    """
    pages = _pages(data)
    most = budget.pdf.get("pages" if budget.long_context else "pages_under_1m_context")
    if most is not None and pages > most:
        raise OptionError(
            f"The PDF has {pages:,} pages, and the model takes {most:,} in one request.",
            cure="Give a part of it, such as one chapter.",
        )
    source = {
        "type": "base64",
        "media_type": "application/pdf",
        "data": base64.b64encode(data).decode("ascii"),
    }
    title = {"title": quote(name, 120)} if name else {}
    about = f"{pages:,} page{'' if pages == 1 else 's'}"
    return (
        Media(
            block={"type": "document", "source": source, **title},
            kind="PDF",
            about=about,
            pages=max(pages, 1),
        ),
    )


def _pages(data: bytes) -> int:
    """Count the pages; without pypdf by the objects of that type, which compressed files hide."""
    try:
        import pypdf
    except ImportError:
        if b"/Encrypt" in data:
            raise _locked() from None
        return len(_PAGE.findall(data))
    try:
        with _quiet():
            reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
            return _page_count(reader)
    except OptionError:
        raise
    except Exception as error:
        raise OptionError(
            f"The PDF cannot be read: {type(error).__name__}: {quote(str(error), 80)}.",
            cure="Open it in a viewer and save it anew.",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pypdf from telling on stderr what it thinks of a file."""
    logger, nobody = logging.getLogger("pypdf"), logging.NullHandler()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(nobody)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeHandler(nobody)
        logger.propagate = propagate


def _page_count(reader: Any) -> int:
    if reader.is_encrypted:
        raise _locked()
    # The root of the page tree says how many there are (ISO 32000-2, 7.7.3.2), without a walk through it.
    catalog = reader.root_object
    count = catalog["/Pages"].get_object().get("/Count")
    return int(count) if count is not None else len(reader.pages)


def _locked() -> OptionError:
    return OptionError("The PDF has a password.", cure="Save it without one.")
