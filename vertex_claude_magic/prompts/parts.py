"""What a value becomes on its way into a prompt: text that will be fenced and labelled, or an image or document."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from vertex_claude_magic.errors import ClaudeError, OptionError
from vertex_claude_magic.text import message_of, quote

__all__ = [
    "Converter",
    "Media",
    "PromptPart",
    "Text",
    "ValueLimits",
    "estimate_tokens",
    "reading_object",
    "shorten",
]

# "For Claude, a token approximately represents 3.5 English characters" (Claude docs, Glossary).
_CHARACTERS_PER_TOKEN = 3.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A value as text.

    Args:
        body: The text to the letter; fence and label are added later.
        kind: What the value is, such as `pandas.DataFrame` or `Python function`.
        about: Its measure in a few words, such as `1,000 rows × 3 columns`.
        cut: What was left out, as a short clause such as `the first 40 of 1,000,000 rows`; empty if nothing.
        bare: Whether it is written into the sentence without a fence, as a number is.
        caution: What the text does not show or may show wrongly, whatever the limits, such as `read as
            Windows-1252, which is a guess`; it goes into the tag and below the answer.
        remark: What the user should know and the model need not; it goes below the answer.
        path: Where it was inside the value, such as `['plot']`; empty for the value itself.
    """

    body: str
    kind: str
    about: str = ""
    cut: str = ""
    bare: bool = False
    caution: str = ""
    remark: str = ""
    path: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Media:
    """A value as an `image` or `document` block of the Messages API.

    Args:
        block: The block, complete.
        kind: What the value is, such as `matplotlib figure` or `PDF`.
        about: Its measure in a few words, such as `800 × 600 pixels` or `12 pages`.
        cut: What was changed, such as `scaled down from 9,000 × 6,000 pixels`; empty if nothing.
        pages: How many pages a document has.
        path: Where it was inside the value, such as `['plot']`; empty for the value itself.
    """

    block: Mapping[str, Any]
    kind: str
    about: str = ""
    cut: str = ""
    pages: int = 0
    path: str = ""


PromptPart = Text | Media


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueLimits:
    """What one value may take, and what else a conversion needs to know.

    Args:
        tokens: The most tokens that the text of one value may take, by estimate.
        image: The limits of images, from the model table (`Catalog.limits["image"]`).
        pdf: The limits of PDF documents, from the model table.
        request_bytes: What a whole request may take, from the model table.
        long_context: Whether the model has a context window of a million tokens, which raises some limits.
        image_edge: The longest edge in pixels that the model looks at; larger images are scaled down by the service.
        present: Gives the display representations of an object by MIME type; None outside IPython.
        name: How the user calls the value, such as `cfg`; errors and notes name it.
    """

    tokens: int = 4_000
    image: Mapping[str, Any] = field(default_factory=dict)
    pdf: Mapping[str, Any] = field(default_factory=dict)
    request_bytes: int = 30 * 2**20
    long_context: bool = True
    image_edge: int = 1568
    present: Callable[[Any], Mapping[str, Any]] | None = None
    name: str = "value"

    @property
    def characters(self) -> int:
        """The most characters that the text of one value may take, by estimate."""
        return int(self.tokens * _CHARACTERS_PER_TOKEN)


Converter = Callable[[Any, ValueLimits], tuple[PromptPart, ...]]


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text; text that is not ASCII counts by its UTF-8 bytes.

    >>> estimate_tokens("Hello, world"), estimate_tokens("")
    (4, 0)
    """
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return math.ceil(size / _CHARACTERS_PER_TOKEN)


def shorten(text: str, limits: ValueLimits) -> tuple[str, str]:
    """Cut a text to the limit at a line end where there is one near; return it and what was left out.

    >>> shorten("short", ValueLimits())
    ('short', '')
    >>> shorten("word " * 100, ValueLimits(tokens=10))
    ('word word word word word word word', 'the first 34 of 500 characters')
    """
    most = limits.characters
    if len(text) <= most and estimate_tokens(text) <= limits.tokens:
        return text, ""
    head = text[:most]
    if not head.isascii():
        head = head.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
    line = head.rfind("\n")
    head = head[:line] if line > len(head) // 2 else head.rstrip()
    return head, f"the first {len(head):,} of {len(text):,} characters"


@contextmanager
def reading_object(
    what: str, cure: str = "Look at it in a cell of its own, or use its str()."
) -> Iterator[None]:
    """While an object of the user's is read: what its code raises is refused in one line, with the error as the cause.

    Args:
        what: What the object is; a sentence begins with it.
        cure: What to do.

    >>> with reading_object("A Table", "Use a list."):
    ...     {}["rows"]
    Traceback (most recent call last):
    vertex_claude_magic.errors.OptionError: A Table could not be read: KeyError: 'rows'. Use a list.
    """
    try:
        yield
    except ClaudeError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {quote(message_of(error), 100)}"
        raise OptionError(f"{what} could not be read: {said}.", cure=cure) from error
