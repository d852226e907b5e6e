"""The rows of a run as calls of a `Pool`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic import errors
    from vertex_claude_magic.session.exchange import Exchange
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["FailedRow", "RowCall"]


class RowCall:
    """A row under way."""

    def __init__(self, exchange: Exchange) -> None:
        exchange.start()
        self._exchange = exchange

    def watch(self, tell: Callable[[], None]) -> None:
        """Have `tell` called when `poll` may find that it is over."""
        self._exchange.watch(tell)

    def poll(self, seconds: float) -> bool:
        """Wait so long at most, and tell whether it is over."""
        self._exchange.wait(seconds)
        return self._exchange.done

    def result(self) -> Reply:
        """Return the answer, or raise what went wrong."""
        return self._exchange.reply

    def cancel(self) -> None:
        """End it without waiting."""
        self._exchange.close()


class FailedRow:
    """A row that failed before it was sent."""

    def __init__(self, error: errors.ClaudeError) -> None:
        self._error = error

    def watch(self, tell: Callable[[], None]) -> None:
        """Call `tell`, because it is over."""
        tell()

    def poll(self, seconds: float) -> bool:  # noqa: ARG002 - as every call has it
        """Tell that it is over."""
        return True

    def result(self) -> Reply:
        """Raise what went wrong."""
        raise self._error

    def cancel(self) -> None:
        """Do nothing, because it is over."""
