"""What the ways to ask from Python share: the wait for an answer, the log, and the spelling of errors."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.spelling import in_python

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vertex_claude_magic.session.exchange import Exchange, Notice
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["answer_of", "log_notices", "spelled_for_python", "started"]

_log = logging.getLogger("vertex_claude_magic")
# What a program hears of in its log; the rest is about one answer, and is on the Reply.
_LOGGED = ("lifecycle", "records", "conversation", "tools")


def answer_of(exchange: Exchange) -> Reply:
    """Wait for the whole answer of an exchange, log what a program should know, and close it.

    Raises:
        ClaudeError: as `Exchange.reply`.
    """
    with exchange:
        try:
            return exchange.reply
        finally:
            log_notices(notice for notice in exchange.notices() if notice.kind in _LOGGED)


def started(exchange: Exchange) -> Exchange:
    """Send a question whose events the program reads, and log what it should know before; return it."""
    exchange.in_python = True
    log_notices(exchange.lifecycle())
    exchange.start()
    return exchange


def log_notices(notices: Iterable[Notice]) -> None:
    """Write notices into the log of the package."""
    for notice in notices:
        _log.warning("%s", in_python(notice.text))


@contextmanager
def spelled_for_python() -> Iterator[None]:
    """While this is entered, an error that leaves it names options as the Python code that gets it does."""
    try:
        yield
    except ClaudeError as error:
        error.spell_for_python()
        raise
