"""Whether a host can be reached, without a token: name look-up, proxy, TLS, and the clock of who answers.

The question is a GET for the public data of a model (method publishers.models.get). Google refuses it
without a token, and that refusal is all that is wanted: it proves the way there and carries the time.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from vertex_claude_magic import errors
from vertex_claude_magic.transport.retry import http_date
from vertex_claude_magic.vertex.endpoint import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from socket import socket


__all__ = ["Reached", "reach"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """Who answered, and how.

    Args:
        host: Host and port that were asked.
        status: The HTTP status.
        content_type: The media type of the body, in lower case.
        location: Where a redirect points, or nothing.
        ahead: Seconds by which the answer's clock is ahead of this machine's, None where it tells no time.
        proxy: Host and port of the proxy that was used, or None.
        tls: The version of TLS, or None for a connection in the clear.
        issuer: Who signed the certificate, where that is known.
    """

    host: str
    status: int
    content_type: str = ""
    location: str = ""
    ahead: float | None = None
    proxy: str | None = None
    tls: str | None = None
    issuer: str | None = None

    @property
    def is_page(self) -> bool:
        """Whether somebody else's web page or redirect came in place of a service (RFC 6585 for 511).

        >>> Reached(host="h", status=200, content_type="text/html").is_page
        True
        >>> Reached(host="h", status=401, content_type="application/json").is_page
        False
        """
        page = self.status < 300 and self.content_type.startswith("text/html")
        return page or 300 <= self.status < 400 or self.status == 511


def reach(base_url: str, model: str, *, seconds: float, now: Callable[[], datetime]) -> Reached:
    """Ask once, without token and without body, and follow no redirect.

    Args:
        base_url: The base URL of the service.
        model: A model id; its public data are asked for.
        seconds: How long to wait for a connection, and then for an answer.
        now: The time of this machine, with its time zone.

    Raises:
        NetworkError: nobody answered; TLSError and DeadlineExceeded are kinds of it.
    """
    import requests
    from requests.utils import select_proxy

    from vertex_claude_magic.transport.connection import (
        USER_AGENT,
        make_session,
        network_error,
        reporting_sockets,
        surroundings,
    )

    host = urlsplit(base_url).netloc.rpartition("@")[2]
    url = f"{base_url.rstrip('/')}/publishers/anthropic/models/{quote(model, safe='@')}"
    # What secures each connection that was used: the version of TLS, and who signed the certificate.
    seen: list[tuple[str | None, str | None]] = []

    def note(sock: socket | None) -> None:
        if sock is not None:
            seen.append(_secured(sock))

    with make_session(loopback=is_loopback(base_url)) as session:
        request = requests.Request("GET", url, headers={"User-Agent": USER_AGENT}).prepare()
        around = surroundings(session, url)
        proxy = select_proxy(url, around["proxies"])
        try:
            with reporting_sockets(note):
                response = session.send(
                    request, stream=True, allow_redirects=False, timeout=seconds, **around
                )
        except (requests.exceptions.RequestException, OSError) as failure:
            if not isinstance(failure, requests.exceptions.ReadTimeout) or seen:
                raise network_error(failure, host, seconds) from None
            # A connection is noted when it can be used; this one was taken and never got so far.
            raise errors.TLSError(
                f"{host} took the connection and did not speak TLS within {seconds:g} seconds.",
                cure="Check the base URL, and whether there is a proxy between this machine and the host.",
            ) from None
        with response:
            tls, issuer = next((each for each in reversed(seen) if each[0]), (None, None))
            date = http_date(response.headers.get("date"))
            return Reached(
                host=host,
                status=response.status_code,
                content_type=response.headers.get("content-type", "").lower(),
                location=response.headers.get("location", ""),
                ahead=(date - now()).total_seconds() if date is not None else None,
                # Without user name and password.
                proxy=urlsplit(proxy).netloc.rpartition("@")[2] if proxy else None,
                tls=tls,
                issuer=issuer,
            )


def _secured(sock: socket) -> tuple[str | None, str | None]:
    """Return the version of TLS and the organisation that signed the certificate."""
    with suppress(AttributeError, ValueError, OSError, TypeError):
        # One in the clear has no such methods.
        names = dict(pair[0] for pair in sock.getpeercert()["issuer"])  # type: ignore[attr-defined]
        version: str | None = sock.version()  # type: ignore[attr-defined]
        return version, names.get("organizationName") or names.get("commonName")
    return None, None
