"""What keeps a client from being sent to another process: a pickle lands in files and caches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vertex_claude_magic.prompts.secrets import find_secret
from vertex_claude_magic.transport.auth import ApplicationDefault, FixedToken

if TYPE_CHECKING:
    from vertex_claude_magic.settings.options import AskOptions
    from vertex_claude_magic.transport.auth import Authorizer

__all__ = ["not_to_be_sent"]

_SECRET_HEADER = re.compile(r"auth|cookie|key|passw|secret|token", re.IGNORECASE)


def not_to_be_sent(login: Authorizer, options: AskOptions) -> str | None:
    """Name the secret, or the object of the user's code, that a pickled client would contain; None if there is none."""
    if isinstance(login, FixedToken):
        return "a fixed access_token"
    if not (isinstance(login, ApplicationDefault) and login.found_by_itself):
        return "credentials that were passed in code"
    texts = [options.system, options.base_url, *options.header.values()]
    if any(isinstance(text, str) and find_secret(text) is not None for text in texts):
        return "a key in its settings"
    if any(_SECRET_HEADER.search(name) for name in options.header):
        return "a header that may contain a secret"
    return "a password in its base URL" if "@" in urlsplit(options.base_url or "").netloc else None
