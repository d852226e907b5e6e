"""What a project may not call where: models that are not enabled, have no quota, or are gone from a location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from vertex_claude_magic.emulator.messages.problems import (
    not_enabled,
    not_found,
    not_servable,
    quota_exceeded,
)

if TYPE_CHECKING:
    from vertex_claude_magic.emulator.messages.ask import Route
    from vertex_claude_magic.emulator.messages.problems import Problem
    from vertex_claude_magic.models.model import Model

__all__ = ["Barred", "Places"]

Barred = Literal["not enabled", "no quota", "not served", "retired"]


class Places:
    """Keeps what is barred, by model and location."""

    def __init__(self) -> None:
        self._barred: dict[tuple[str, str], Barred] = {}

    def bar(self, model: Model, location: str, why: Barred) -> None:
        """Refuse a model in a location, or in all of them (`*`)."""
        # A new mapping, because the serving thread reads the old one.
        self._barred = {**self._barred, (model.id, location): why}

    def refusal(self, found: Route, model: Model) -> Problem | None:
        """Return why a call is refused, with Google's words, or None."""
        barred = self._barred
        why = barred.get((model.id, found.location)) or barred.get((model.id, "*"))
        if why is None or (why == "no quota" and found.counting):
            return None
        resource = found.resource(model.id)
        if why == "not served":
            return not_servable(resource, found.location)
        if why == "retired":
            return not_found(resource)
        if why == "not enabled":
            return not_enabled(resource, found.project)
        base_model = f"anthropic-{model.id.partition('@')[0]}"
        return quota_exceeded("online_prediction_requests_per_base_model", base_model, quota_limit_value="0")
