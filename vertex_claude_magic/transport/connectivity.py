"""Whether a host can be reached, without a token: name look-up, proxy, TLS, and the clock of who answers.

The question is a GET for the public data of a model (method publishers.models.get). Google refuses it
without a token, and that refusal is all that is wanted: it proves the way there and carries the time.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from vertex_claude_magic import errors
from vertex_claude_magic.vertex.endpoint import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

__all__ = ["Reached", "reach"]

_USER_AGENT = "vertex-claude-magic"


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

    from vertex_claude_magic.transport.connection import make_session

    host = urlsplit(base_url).netloc.rpartition("@")[2]
    url = f"{base_url.rstrip('/')}/publishers/anthropic/models/{quote(model, safe='@')}"
    seen: list[Any] = []
    with make_session(loopback=is_loopback(base_url)) as session:
        around = session.merge_environment_settings(url, {}, stream=True, verify=None, cert=None)
        try:
            response = _get(session, url, seconds, around, seen)
        except (requests.exceptions.RequestException, OSError) as failure:
            raise _named(failure, host, seconds, usable=bool(seen)) from None
        with response:
            return _reached(host, response, now(), _proxy(url, around["proxies"]), seen)


def _get(
    session: requests.Session, url: str, seconds: float, around: Mapping[str, Any], seen: list[Any]
) -> requests.Response:
    """Send the question, and note in `seen` how the connection is secured, once there is one."""
    import requests

    from vertex_claude_magic.transport.connection import reporting_sockets

    def note(sock: Any) -> None:
        if sock is not None:
            seen.append(_secured(sock))

    request = requests.Request("GET", url, headers={"User-Agent": _USER_AGENT}).prepare()
    with reporting_sockets(note):
        return session.send(request, allow_redirects=False, timeout=seconds, **around)


def _named(failure: Exception, host: str, seconds: float, *, usable: bool) -> errors.NetworkError:
    from requests.exceptions import ReadTimeout

    from vertex_claude_magic.transport.connection import network_error

    if isinstance(failure, ReadTimeout) and not usable:
        # A connection is noted when it can be used; this one was taken and never got so far.
        return _no_tls(host, seconds)
    return network_error(failure, host, seconds)


def _no_tls(host: str, seconds: float) -> errors.TLSError:
    return errors.TLSError(
        f"{host} took the connection and did not speak TLS within {seconds:g} seconds.",
        cure="Check the base URL, and whether a proxy stands between this machine and the host.",
    )


def _reached(
    host: str, response: requests.Response, arrived: datetime, proxy: str | None, seen: list[Any]
) -> Reached:
    tls, issuer = next((each for each in reversed(seen) if each[0]), (None, None))
    headers = response.headers
    return Reached(
        host=host,
        status=response.status_code,
        content_type=headers.get("content-type", "").lower(),
        location=headers.get("location", ""),
        ahead=_ahead(headers.get("date"), arrived),
        proxy=proxy,
        tls=tls,
        issuer=issuer,
    )


def _ahead(date: str | None, arrived: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(date or "")
    except (ValueError, TypeError):
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
    return (aware - arrived).total_seconds()


def _proxy(url: str, proxies: Mapping[str, str]) -> str | None:
    from requests.utils import select_proxy

    # Without user name and password.
    found = select_proxy(url, dict(proxies))
    return urlsplit(found).netloc.rpartition("@")[2] if found else None


def _secured(sock: Any) -> tuple[str | None, str | None]:
    """Return the version of TLS and the organisation that signed the certificate."""
    with suppress(AttributeError, ValueError, OSError, TypeError):
        names = dict(pair[0] for pair in sock.getpeercert()["issuer"])
        return sock.version(), names.get("organizationName") or names.get("commonName")
    return None, None
