"""What a project may not call where: models that are not enabled, have no quota, or are gone from a location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from vertex_claude_magic.emulator.messages.checks import not_found, not_servable, resource
from vertex_claude_magic.emulator.messages.problems import google_error

if TYPE_CHECKING:
    from vertex_claude_magic.emulator.messages.ask import Route
    from vertex_claude_magic.emulator.messages.problems import Problem
    from vertex_claude_magic.models.model import Model

__all__ = ["Barred", "Places"]

Barred = Literal["not enabled", "no quota", "not served", "retired"]
_METRIC = "aiplatform.googleapis.com/online_prediction_requests_per_base_model"


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
        if why == "not served":
            return not_servable(found, model.id)
        if why == "retired":
            return not_found(found, model.id)
        if why == "not enabled":
            text = f"Project `{found.project}` is not allowed to use Publisher Model `{resource(found, model.id)}`"
            return google_error(400, text, "FAILED_PRECONDITION")
        base = f"anthropic-{model.id.partition('@')[0]}"
        text = (
            f"Quota exceeded for {_METRIC} with base model: {base}. Please submit a quota increase request."
        )
        return google_error(
            429, text, reason="RATE_LIMIT_EXCEEDED", quota_metric=_METRIC, quota_limit_value="0"
        )
