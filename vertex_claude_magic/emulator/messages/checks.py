"""What the service refuses, in the order in which it looks: project, model, place, size, body."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from vertex_claude_magic.emulator.messages import content, rules, tools
from vertex_claude_magic.emulator.messages.ask import Ask, Route
from vertex_claude_magic.emulator.messages.problems import (
    Problem,
    google_error,
    invalid,
    not_found,
    not_servable,
    permission_denied,
)

if TYPE_CHECKING:
    from vertex_claude_magic.emulator.http.response import Received
    from vertex_claude_magic.models.catalog import Catalog

__all__ = ["refusal", "unservable"]


def unservable(found: Route, received: Received, catalog: Catalog, project: str) -> Problem | Ask:
    """Tell why a call cannot be served at all, or return what it asks."""
    if received.method != "POST":
        return google_error(404, "Method not found.")
    if found.project != project:
        return permission_denied("aiplatform.endpoints.predict", found.resource(found.model))
    if found.publisher != "anthropic" or found.verb not in {"rawPredict", "streamRawPredict"}:
        return not_found(found.resource(found.model))
    if len(received.raw) > catalog.limits["request"]["bytes"]:
        return Problem(code=413, message="Request exceeds the maximum size")
    if not isinstance(received.body, dict):
        return google_error(400, "Invalid JSON payload received.")
    return _served(found, received, catalog)


def _served(found: Route, received: Received, catalog: Catalog) -> Problem | Ask:
    name = found.model
    if found.counting:
        name = received.body.get("model")
        if not isinstance(name, str):
            return invalid("model: Field required")
        # "Count tokens for Claude models" (Google Cloud docs, 2026): ids without their version.
        if "@" in name:
            return invalid(f"{name} is not supported for token counting")
        if found.location not in catalog.services["count_tokens"]["locations"]:
            return not_servable(found.resource("count-tokens"), found.location)
    model = catalog.find(name)
    if (
        model is None
        # The version that the service takes for a bare id, asked for by name.
        or name.removesuffix("@default") not in {model.id, *model.other_ids}
        or model.lifecycle not in {"active", "deprecated"}
    ):
        return not_found(found.resource(name))
    # Where the table does not know a model's locations, any location that it knows will do.
    if found.location not in (catalog.locations() if model.locations is None else model.locations):
        return not_servable(found.resource(name), found.location)
    betas = [beta.strip() for beta in received.headers.get("anthropic-beta", "").split(",") if beta.strip()]
    return Ask(route=found, body=received.body, model=model, catalog=catalog, betas=tuple(betas))


def refusal(ask: Ask) -> Problem | None:
    """The first rule that the body breaks, or None."""
    fast = ask.body.get("speed") == "fast" and ask.model.prices.fast_factor
    if fast and ask.route.location not in ask.catalog.services["fast_mode"]["locations"]:
        text = f"Fast mode is not supported in region {ask.route.location}."
        return google_error(400, text, "FAILED_PRECONDITION")
    broken = chain(rules.broken(ask), tools.broken(ask), content.broken(ask))
    return next((invalid(text) for text in broken), None)
