"""What a project may not call where: models that are not enabled, have no quota, or are gone from a location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from vertex_claude_magic.emulator.problems import Problem

if TYPE_CHECKING:
    from vertex_claude_magic.catalog import Model
    from vertex_claude_magic.emulator.ask import Route

__all__ = ["Barred", "Places"]

Barred = Literal["not enabled", "no quota", "not served", "retired"]
_EVERYWHERE = "*"
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
        why = barred.get((model.id, found.location)) or barred.get((model.id, _EVERYWHERE))
        if why is None or (why == "no quota" and found.counting):
            return None
        return _PROBLEMS[why](found, model)


def _resource(found: Route, model: Model) -> str:
    return f"projects/{found.project}/locations/{found.location}/publishers/anthropic/models/{model.id}"


def _not_enabled(found: Route, model: Model) -> Problem:
    text = f"Project `{found.project}` is not allowed to use Publisher Model `{_resource(found, model)}`"
    return Problem(code=400, message=text, google=True, status="FAILED_PRECONDITION")


def _no_quota(found: Route, model: Model) -> Problem:  # noqa: ARG001 - all refusals alike
    base_model = f"anthropic-{model.id.partition('@')[0]}"
    text = (
        f"Quota exceeded for {_METRIC} with base model: {base_model}. Please submit a quota increase request."
    )
    metadata = {"quota_metric": _METRIC, "quota_limit_value": "0"}
    return Problem(code=429, message=text, google=True, reason="RATE_LIMIT_EXCEEDED", metadata=metadata)


def _not_served(found: Route, model: Model) -> Problem:
    text = f"Publisher Model `{_resource(found, model)}` is not servable in region {found.location}."
    return Problem(code=400, message=text, google=True, status="FAILED_PRECONDITION")


def _retired(found: Route, model: Model) -> Problem:
    text = (
        f"Publisher Model `{_resource(found, model)}` was not found or your project does not have "
        "access to it. Please ensure you are using a valid model version."
    )
    return Problem(code=404, message=text, google=True)


_PROBLEMS = {
    "not enabled": _not_enabled,
    "no quota": _no_quota,
    "not served": _not_served,
    "retired": _retired,
}
