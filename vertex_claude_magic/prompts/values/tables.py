"""Data frames and series as parts of a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vertex_claude_magic.frames.text import frame_text
from vertex_claude_magic.prompts.parts import PromptPart, Text, ValueLimits

if TYPE_CHECKING:
    import pandas as pd
    from narwhals.typing import IntoFrame, IntoSeries

__all__ = ["frame_parts"]


def frame_parts(value: IntoFrame | IntoSeries | pd.Index[Any], limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a data frame, a series or an index of any library into text.

    Raises:
        MissingExtra: narwhals is not installed.
        OptionError: a column holds objects that have no text of their own.

    >>> import pandas as pd
    >>> frame_parts(pd.DataFrame({"n": [1, 2]}), ValueLimits())[0].about
    '2 rows × 1 column'
    """
    found = frame_text(value, limits.characters)
    return (Text(body=found.body, kind=found.kind, about=found.about, cut=found.cut),)
