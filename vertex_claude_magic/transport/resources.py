"""Requests to Vertex AI other than questions: where they go, lists in pages, and answers of an unexpected form.

They go to the host of the chosen location, through the same transport as questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import urlencode

from vertex_claude_magic import errors
from vertex_claude_magic.vertex.endpoint import base_url_of
from vertex_claude_magic.vertex.request import Request

__all__ = ["JsonCall", "ModelPlace", "pages", "unexpected_form"]

_PAGE_SIZE = 100
# A token that always names another page must not keep a cell for ever.
_MOST_PAGES = 50
_NONE: Mapping[str, str] = MappingProxyType({})


class JsonCall(Protocol):
    """Sends a request and returns its answer as JSON; `retry` says whether it may be sent again."""

    def __call__(self, request: Request, *, retry: bool = True) -> Any:
        """Send it, and wait for the answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelPlace:
    """One model in one location of one project.

    `base_url` is another host than Google's, such as an emulator; it ends in `/v1`.
    """

    project: str
    region: str
    model: str = ""
    base_url: str | None = None

    @property
    def v1(self) -> str:
        """The base URL of the API version `v1`, without a trailing slash."""
        return (self.base_url or base_url_of(self.region)).rstrip("/")

    @property
    def v1beta1(self) -> str:
        """The base URL of the API version `v1beta1`.

        >>> ModelPlace(project="p", region="eu").v1beta1
        'https://aiplatform.eu.rep.googleapis.com/v1beta1'
        """
        if not self.v1.endswith("/v1"):
            raise errors.OptionError(
                "The base URL does not end in /v1, so the address of this method cannot be derived from it.",
                cure="Set base_url to an address that ends in /v1, or clear it.",
            )
        return f"{self.v1}beta1"

    def request(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] = _NONE,
    ) -> Request:
        """Return a request for this place; the model and the project are for the errors that may come back."""
        return Request(
            url=url,
            headers={"Content-Type": "application/json", **headers},
            body=body or {},
            method=method,
            model=self.model,
            project=self.project,
            region=self.region,
        )


def pages(
    call: JsonCall,
    place: ModelPlace,
    url: str,
    *,
    what: str,
    query: Mapping[str, str] = _NONE,
    headers: Mapping[str, str] = _NONE,
) -> Iterator[Mapping[str, Any]]:
    """Yield the pages of a list; a list that does not end is cut off.

    Args:
        call: Sends a request.
        place: Whose list it is.
        url: The address of the list.
        what: How an error names the list, such as "The model list".
        query: Further parameters.
        headers: Further headers.
    """
    token = ""
    for _ in range(_MOST_PAGES):
        more = {"pageToken": token} if token else {}
        parameters = urlencode({**query, "pageSize": _PAGE_SIZE, **more})
        page = call(place.request("GET", f"{url}?{parameters}", headers=headers))
        if not isinstance(page, Mapping):
            raise unexpected_form(what)
        yield page
        token = str(page.get("nextPageToken") or "")
        if not token:
            return


def unexpected_form(what: str) -> errors.ProtocolError:
    """Return the error for an answer that is not what it should be."""
    return errors.ProtocolError(
        f"{what} has an unexpected form.", cure="Check for a proxy between this machine and Google."
    )
