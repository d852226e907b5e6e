"""The publisher model list, as Google's v1beta1 API answers it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from vertex_claude_magic.emulator.http.response import Received, Response, json_response
from vertex_claude_magic.emulator.messages.problems import google_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.models.catalog import Catalog

__all__ = ["is_listing", "listing"]

_LIST = "/v1beta1/publishers/anthropic/models"
_GET = "/v1/publishers/anthropic/models/"
_PATH = re.compile(r"/v1(beta1)?/publishers/anthropic/models(/[^/:]+)?")
_PAGE = 20


def is_listing(received: Received) -> bool:
    """Tell whether a request is for the list or for one model of it."""
    return received.method == "GET" and _PATH.fullmatch(received.path) is not None


def listing(catalog: Catalog, changes: Mapping[str, str | None], received: Received) -> Response:
    """One page of the list (`pageSize`, `pageToken`), or one model.

    Args:
        catalog: The model table, whose living models are listed.
        changes: Launch stages by id, of models that are listed beside them; None takes one away.
        received: The request.
    """
    living = (model.id for model in catalog.models if model.lifecycle in {"active", "deprecated"})
    stages = {**dict.fromkeys(living, "GA"), **changes}
    listed = {name: stage for name, stage in stages.items() if stage is not None}
    if received.path == _LIST:
        size, start = received.query.get("pageSize", ""), received.query.get("pageToken", "0")
        if not start.isdecimal() or (size and not size.isdecimal()):
            return google_error(400, "Request contains an invalid argument.").response()
        end = int(start) + (int(size or 0) or _PAGE)
        entries = [_entry(*each) for each in list(listed.items())[int(start) : end]]
        following = {"nextPageToken": str(end)} if end < len(listed) else {}
        return json_response({"publisherModels": entries, **following})
    if not received.path.startswith(_GET):
        return google_error(404, "Method not found.").response()
    name = unquote(received.path.removeprefix(_GET))
    found = catalog.find(name)
    known = found.id if found is not None else name
    if known not in listed:
        text = f"Publisher Model `publishers/anthropic/models/{name}` is not found."
        return google_error(404, text).response()
    return json_response(_entry(known, listed[known]))


def _entry(model: str, stage: str) -> dict[str, Any]:
    name, _, version = model.partition("@")
    return {
        "name": f"publishers/anthropic/models/{name}",
        "versionId": version or "default",
        "launchStage": stage,
        "versionState": "VERSION_STATE_STABLE",
    }
