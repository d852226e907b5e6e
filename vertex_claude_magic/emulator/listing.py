"""The publisher model list, as Google's v1beta1 API answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from vertex_claude_magic.emulator.problems import Problem
from vertex_claude_magic.emulator.response import Received, Response, json_response

if TYPE_CHECKING:
    from vertex_claude_magic.catalog import Catalog, Model

__all__ = ["listing"]

_LIST = "/v1beta1/publishers/anthropic/models"
_GET = "/v1/publishers/anthropic/models/"
_PAGE = 20


def listing(catalog: Catalog, received: Received) -> Response:
    """One page of the list (`pageSize`, `pageToken`), or one model."""
    models = [model for model in catalog.models if model.lifecycle in {"active", "deprecated"}]
    if received.path == _LIST:
        return _page(models, received)
    if not received.path.startswith(_GET):
        return _problem(404, "Method not found.")
    name = unquote(received.path.removeprefix(_GET))
    found = catalog.find(name)
    if found is None or found not in models:
        return _problem(404, f"Publisher Model `publishers/anthropic/models/{name}` is not found.")
    return json_response(_entry(found))


def _page(models: list[Model], received: Received) -> Response:
    size, start = received.query.get("pageSize", ""), received.query.get("pageToken", "0")
    if not start.isdecimal() or (size and not size.isdecimal()):
        return _problem(400, "Request contains an invalid argument.")
    end = int(start) + (int(size) or _PAGE if size else _PAGE)
    entries = [_entry(model) for model in models[int(start) : end]]
    following = {"nextPageToken": str(end)} if end < len(models) else {}
    return json_response({"publisherModels": entries, **following})


def _entry(model: Model) -> dict[str, Any]:
    name, _, version = model.id.partition("@")
    return {
        "name": f"publishers/anthropic/models/{name}",
        "versionId": version or "default",
        "launchStage": "GA",
        "versionState": "VERSION_STATE_STABLE",
    }


def _problem(code: int, text: str) -> Response:
    return Problem(code=code, message=text, google=True).response()
