"""What Google's own clients of files and tables get from us: where they ask, with which login, and whose errors.

A token goes to Google's own host over TLS, or to this machine, and nowhere else. Where questions go to a server on this
machine, files and tables go there too.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vertex_claude_magic import errors
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.endpoint import check_token_host, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from vertex_claude_magic.transport.auth import Authorizer

__all__ = ["client_host", "google_failures", "google_login"]


def client_host(
    google: str, variable: str, base_url: str | None, environment: Mapping[str, str] | None = None
) -> str:
    """Return where a client of Google's asks: an emulator on this machine, or Google.

    Args:
        google: The address of the service.
        variable: The environment variable that names an emulator of it.
        base_url: Where questions go; None for Google.
        environment: The variables; those of this process if not given.

    Raises:
        UntrustedHost: the variable names another machine.
        OptionError: it names this machine, and questions go to Google.

    >>> client_host("https://storage.googleapis.com", "STORAGE_EMULATOR_HOST", "http://127.0.0.1:8080/v1", {})
    'http://127.0.0.1:8080'
    """
    named = (os.environ if environment is None else environment).get(variable, "").strip()
    if named:
        url = named if "://" in named else f"http://{named}"
        if not is_loopback(url):
            raise errors.UntrustedHost(
                f"{variable} points to {quote(urlsplit(url).hostname or 'no host', 80)!r}, which is not this machine.",
                cure=f"Unset {variable}, or point it at a loopback address.",
            )
        if base_url is None or not is_loopback(base_url):
            raise errors.OptionError(
                f"{variable} is set, so files and tables stay on this machine, where Google's jobs cannot read them.",
                cure=f"Unset {variable}.",
            )
        return url.rstrip("/")
    if base_url is not None and is_loopback(base_url):
        parts = urlsplit(base_url)
        return f"{parts.scheme}://{parts.netloc}"
    return google


def google_login(authorizer: Authorizer, host: str) -> tuple[Any, Any]:
    """Return the session and the credentials of a client of Google's; a token goes to Google or to this machine."""
    from google.auth.credentials import AnonymousCredentials, Credentials
    from google.auth.transport.requests import AuthorizedSession

    class Login(Credentials):  # type: ignore[misc]
        """The login of our own requests, which renews its token by itself."""

        last: Mapping[str, str] = MappingProxyType({})

        def refresh(self, _request: Callable[..., Any]) -> None:
            authorizer.renew(self.last)

        def before_request(self, _request: Any, _method: str, _url: str, headers: dict[str, str]) -> None:
            self.last = authorizer.headers()
            headers.update(self.last)

    class Session(AuthorizedSession):  # type: ignore[misc]
        def request(self, method: str, url: str, *more: Any, **named: Any) -> Any:
            # Also the address that an upload session names, which comes from the server.
            check_token_host(url)
            if is_loopback(url) != is_loopback(host):
                raise errors.UntrustedHost(f"{host} redirected to another host.", cure="Check for a proxy.")
            return super().request(method, url, *more, **{**named, "allow_redirects": False})

    local = is_loopback(host)
    login = AnonymousCredentials() if local else Login()
    session = Session(login)
    # No proxy is used between two programs of one machine, and .netrc may not replace the token.
    session.trust_env = not local
    session.auth = lambda request: request
    return session, login


@contextmanager
def google_failures(service: str, what: str, *, missing: str, denied: str) -> Iterator[None]:
    """Turn the errors of Google's client into ours.

    Args:
        service: Who is asked, such as "Cloud Storage".
        what: What is asked for, such as "bucket 'rows'".
        missing: The cure where there is none.
        denied: The cure where the account may not use it.
    """
    import requests
    from google.api_core import exceptions as google
    from google.auth.exceptions import GoogleAuthError

    where = quote(what, 160)
    try:
        yield
    except KeyboardInterrupt:
        raise errors.ClaudeInterrupt from None
    except google.NotFound:
        raise errors.OptionError(f"There is no {where}.", cure=missing) from None
    except (google.Forbidden, google.Unauthorized) as error:
        raise errors.PermissionDenied(
            f"The account may not use {where} ({error.code}).", cure=denied, details={"status": error.code}
        ) from None
    except (google.GoogleAPIError, GoogleAuthError, requests.exceptions.RequestException) as error:
        status = getattr(error, "code", None)
        raise errors.NetworkError(
            f"{service} did not answer for {where} ({type(error).__name__}).",
            cure="Try again; nothing is written twice.",
            details={"status": status} if isinstance(status, int) else {},
        ) from None
