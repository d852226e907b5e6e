"""The answers to requests for a token, recorded because google-auth reports little of them.

google-auth 2.63 turns a web page of a hotel, an outage and a refusal into the same `RefreshError` (a page with status
200 into a TypeError), and of an outage that a page tells a person's login says that it is not `retryable`. So each
answer is looked at on its way to google-auth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.auth.transport import Response

__all__ = ["TokenAnswer", "WatchedRequest"]

_PAGE_BYTES = 512
# Seconds, where who asks says nothing else.
_GOOGLES_TIMEOUT = 120.0


class TokenAnswer(NamedTuple):
    """The last answer to a request for a token, or the lack of one.

    Args:
        host: Host and port that were asked.
        path: The path that was asked.
        status: The HTTP status, 0 where nobody answered.
        page: Whether the body is a web page.
        failure: Why nobody answered, as `requests` tells it.
        seconds: How long an answer was waited for at most; 0 for no limit.
    """

    host: str
    path: str = ""
    status: int = 0
    page: bool = False
    failure: BaseException | None = None
    seconds: float = 0.0

    @property
    def is_outage(self) -> bool:
        """Whether the service is there and does not work now (RFC 9110, 15.6; RFC 6585 for 429)."""
        return (self.status >= 500 and self.status != 511) or self.status in {408, 425, 429}

    @property
    def is_portal(self) -> bool:
        """Whether somebody else answered: a page or a redirect, as captive portals and proxies send (RFC 6585, 511)."""
        return not self.is_outage and (self.page or 300 <= self.status < 400 or self.status == 511)


class WatchedRequest:
    """A `google.auth.transport.Request` whose last answer can be asked for; redirects are not followed."""

    def __init__(self, request: Callable[..., Response]) -> None:
        self._request = request
        self.last: TokenAnswer | None = None

    def __call__(
        self, url: str, *args: object, timeout: float | None = _GOOGLES_TIMEOUT, **options: object
    ) -> Response:
        """Pass the request on, and remember who answered."""
        from google.auth import exceptions

        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        try:
            # A redirect would turn the POST into a GET of a page, and hide where that page came from.
            response = self._request(url, *args, timeout=timeout, **{"allow_redirects": False, **options})
        except exceptions.TransportError as failure:
            cause = next((each for each in failure.args if isinstance(each, BaseException)), failure)
            self.last = TokenAnswer(host=host, path=parts.path, failure=cause, seconds=timeout or 0.0)
            raise
        kind = str(response.headers.get("content-type", "")).lower()
        page = "html" in kind or response.data[:_PAGE_BYTES].lstrip()[:1] == b"<"
        self.last = TokenAnswer(host=host, path=parts.path, status=response.status, page=page)
        return response
