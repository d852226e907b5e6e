"""What the ways to ask from Python share: the wait for an answer, the log, and the spelling of errors."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import ClaudeError, OptionError
from vertex_claude_magic.prompts.scope import Scope
from vertex_claude_magic.settings.options import wrong_type
from vertex_claude_magic.spelling import in_python
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vertex_claude_magic.session.exchange import Exchange, Notice
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["answer_of", "log_notices", "scope_of", "scope_with", "spelled_for_python", "started", "streamed"]

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


def scope_of(
    session: Session, prompt: str | Sequence[Any], names: Mapping[str, Any] | None, target: Target
) -> Scope | None:
    """Return where templates of a prompt find their values; without names, log once that they are sent as written.

    Raises:
        OptionError: the names are no mapping.
    """
    if names is not None:
        return scope_with(names)
    parts = prompt if isinstance(prompt, (list, tuple)) else [prompt]
    braced = [part for part in parts if isinstance(part, str) and "{{" in part]
    if braced and not target.literal:
        from vertex_claude_magic.prompts.template import Placeholder, parse_template

        found = list[Placeholder]()
        for text in braced:
            # What is no template there is none here.
            with suppress(OptionError):
                found += [part for part in parse_template(text) if isinstance(part, Placeholder)]
        if found and session.status.first_time("templates without names"):
            name = quote(found[0].name, 40)
            _log.warning(
                '%s is sent as written. To send the value, give names={"%s": %s}; '
                "literal=True sends the braces as they are.",
                quote(found[0].written, 60),
                name,
                name,
            )
    return None


def scope_with(names: Mapping[str, Any] | None) -> Scope | None:
    """Return where names that are given in Python are looked up, None where none are.

    Raises:
        OptionError: they are no mapping.
    """
    if names is not None and not isinstance(names, Mapping):
        raise wrong_type("names", names, 'Give a dict of names and values, such as names={"n": n}.')
    return None if names is None else Scope(names=names)


def started(exchange: Exchange) -> Exchange:
    """Send a question whose events the program reads, and log what it should know before; return it."""
    try:
        exchange.in_python = True
        log_notices(exchange.lifecycle())
        exchange.start()
        return exchange  # noqa: TRY300 - also where stop is pressed at the end
    except BaseException:
        # The caller has nothing to close, and a traceback may keep it.
        exchange.close()
        raise


def streamed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a question whose events the program reads, whatever holds for what a cell shows.

    >>> streamed({"model": "haiku"})
    {'no_stream': False, 'model': 'haiku'}
    """
    return {"no_stream": False, **options}


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
