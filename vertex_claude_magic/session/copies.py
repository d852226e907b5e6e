"""Copies of a client: in this process for the same session, in another as the settings that it was made with."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from vertex_claude_magic.errors import PickleRefused
from vertex_claude_magic.prompts.secrets import find_secret
from vertex_claude_magic.transport.auth import ApplicationDefault, FixedToken

if TYPE_CHECKING:
    from typing_extensions import Self

    from vertex_claude_magic.settings.options import AskOptions
    from vertex_claude_magic.transport.auth import Authorizer
    from vertex_claude_magic.transport.retry import RetryPolicy
    from vertex_claude_magic.transport.transport import Transport

__all__ = ["CopiedAsSettings"]

C = TypeVar("C", bound="CopiedAsSettings")
_SECRET_HEADER = re.compile(r"auth|cookie|key|passw|secret|token", re.IGNORECASE)


class CopiedAsSettings:
    """How a `Claude` is copied and pickled; what is here is what it needs of one."""

    options: AskOptions
    _policy: RetryPolicy
    _transport: Transport

    def __copy__(self) -> Self:
        """Return a client of the same session: it shares login, settings, sums and notices, but no connection."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._transport = self._transport.twin()
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return what `copy.copy` returns: settings are values, and there is one login."""
        return copy.copy(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how another process makes this client: with the same settings, and a login and journal of its own.

        Raises:
            PickleRefused: a secret would travel, or what was handed over in code.
        """
        held = _not_to_be_sent(self._transport.authorizer, self.options)
        if held is not None:
            raise PickleRefused(
                f"A Claude with {held} is not sent to another process.",
                cure="Make the client in the worker, or use threads (concurrent.futures.ThreadPoolExecutor).",
            )
        return _restore, (type(self), self.options, self._policy)


def _restore(kind: Any, options: AskOptions, policy: RetryPolicy) -> Any:
    client = kind(policy=policy)
    client.options = options
    return client


def _not_to_be_sent(login: Authorizer, options: AskOptions) -> str | None:
    """Name what keeps a client from being pickled; a pickle lands in files and caches."""
    if isinstance(login, FixedToken):
        return "a fixed access_token"
    if not (isinstance(login, ApplicationDefault) and login.found_by_itself):
        return "credentials that were handed over in code"
    texts = [options.system, options.base_url, *options.header.values()]
    if any(isinstance(text, str) and find_secret(text) is not None for text in texts):
        return "a key in its settings"
    if any(_SECRET_HEADER.search(name) for name in options.header):
        return "a header that may hold a secret"
    return "a password in its base URL" if "@" in urlsplit(options.base_url or "").netloc else None
