"""The value `ToolCall`, apart from `Reply`, because a plain answer calls nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["NOBODY", "REFUSED", "ToolCall"]

# What a call is answered with that nobody allowed: somebody said no, or could not be asked.
REFUSED = "The user did not allow this call."
NOBODY = "Nobody could be asked to allow this call, because there is no input here, so it was not run."


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """One call of a Python function by the model.

    `arguments` are those that the model gave, `result` is what the function returned, or the error text where
    `is_error`; of a call from a record it is what was sent back. `content` is what was sent back: a text, or content
    blocks. `seconds` is how long the function ran, `printed` what it printed meanwhile in a cell. A `replayed` call is
    from a record: the function was not called again.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    # Results may be frames and arrays, which have no plain equality.
    result: Any = field(default=None, compare=False)
    is_error: bool = False
    seconds: float = 0.0
    content: str | Sequence[Mapping[str, Any]] = field(default="", repr=False)
    printed: str = field(default="", repr=False, compare=False)
    replayed: bool = field(default=False, repr=False, compare=False)

    @property
    def block(self) -> dict[str, Any]:
        """The `tool_result` block that answers the call.

        >>> ToolCall(id="t1", name="f", content="4").block
        {'type': 'tool_result', 'tool_use_id': 't1', 'content': '4'}
        """
        block = {"type": "tool_result", "tool_use_id": self.id, "content": self.content}
        return {**block, "is_error": True} if self.is_error else block

    @property
    def is_refused(self) -> bool:
        """Whether it was not run because nobody allowed it; also of a call from a record.

        >>> ToolCall(id="t1", name="f", content=REFUSED, is_error=True).is_refused
        True
        """
        return self.is_error and self.content in (REFUSED, NOBODY)
