"""The errors that the service answers with, in the two shapes that Vertex AI has for them.

Google's front end sends `{"error": {"code", "message", "status", "details"}}`, and on
`streamRawPredict` the same object inside a one-element array. Claude behind it sends
`{"type": "error", "error": {"type", "message"}, "request_id"}`. The shapes and texts follow the
errors that users of Vertex AI reported in 2025 and 2026.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.emulator.http.response import Response, json_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.emulator.http.faults import Fault

__all__ = [
    "REFUSED_TOKEN",
    "Problem",
    "fault_response",
    "google_error",
    "invalid",
    "not_enabled",
    "not_found",
    "not_servable",
    "permission_denied",
    "quota_exceeded",
]

_GOOGLE_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_ANTHROPIC_TYPE = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_INVALID_CREDENTIALS = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
    "other valid authentication credential."
)
_MESSAGE = {
    401: _INVALID_CREDENTIALS,
    429: "Resource exhausted. Please try again later.",
    529: "Overloaded",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A refusal: `google` tells whose shape it has; `status`, `reason`, `metadata` are Google's words for it."""

    code: int
    message: str
    google: bool = False
    status: str | None = None
    reason: str | None = None
    kind: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The error's JSON object."""
        if not self.google:
            kind = self.kind or _ANTHROPIC_TYPE.get(self.code, "api_error")
            request_id = "req_vrtx_" + secrets.token_hex(12)
            return {
                "type": "error",
                "error": {"type": kind, "message": self.message},
                "request_id": request_id,
            }
        status = self.status or _GOOGLE_STATUS.get(self.code, "UNKNOWN")
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": status}
        if self.reason:
            info = {"reason": self.reason, "domain": "googleapis.com", "metadata": dict(self.metadata)}
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info}]
        return {"error": error}

    def response(self, *, streaming: bool = False) -> Response:
        """The refusal as a response; Google wraps its own in an array when a stream was asked for."""
        body = self.body()
        return json_response([body] if self.google and streaming else body, self.code)


def invalid(message: str) -> Problem:
    """A 400 of Claude's own.

    >>> invalid("max_tokens: Field required").body()["error"]["type"]
    'invalid_request_error'
    """
    return Problem(code=400, message=message)


def google_error(
    code: int, message: str, status: str | None = None, reason: str | None = None, **metadata: str
) -> Problem:
    """An error of Google's front end; `metadata` are the facts of its `ErrorInfo`.

    >>> google_error(404, "Method not found.").body()["error"]["status"]
    'NOT_FOUND'
    """
    return Problem(code=code, message=message, google=True, status=status, reason=reason, metadata=metadata)


REFUSED_TOKEN = google_error(401, _INVALID_CREDENTIALS, reason="ACCESS_TOKEN_TYPE_UNSUPPORTED")


def permission_denied(permission: str, resource: str) -> Problem:
    """Google's refusal of what the account may not do; it says the same of what does not exist.

    Args:
        permission: The permission that is lacking, such as `aiplatform.endpoints.predict`.
        resource: The path of what it is lacking for, such as `projects/p/locations/global`.
    """
    name = f"//aiplatform.googleapis.com/{resource}"
    text = f"Permission '{permission}' denied on resource '{name}' (or it may not exist)."
    return google_error(403, text, reason="IAM_PERMISSION_DENIED")


def not_found(model: str) -> Problem:
    """Google's refusal of a model, named by its path, that the project cannot see."""
    text = f"Publisher Model `{model}` was not found or your project does not have access to it."
    return google_error(404, f"{text} Please ensure you are using a valid model version.")


def not_servable(model: str, location: str) -> Problem:
    """Google's refusal of a model that a location does not serve."""
    text = f"Publisher Model `{model}` is not servable in region {location}."
    return google_error(400, text, "FAILED_PRECONDITION")


def not_enabled(model: str, project: str) -> Problem:
    """Google's refusal of a model whose terms a project has not accepted."""
    text = f"Project {project} is not allowed to use Publisher Model `{model}`."
    return google_error(400, text, "FAILED_PRECONDITION")


def quota_exceeded(metric: str, base_model: str, **facts: str) -> Problem:
    """Google's refusal of a call that a quota does not allow; `facts` are further ones of its `ErrorInfo`."""
    metric = f"aiplatform.googleapis.com/{metric}"
    text = (
        f"Quota exceeded for {metric} with base model: {base_model}. Please submit a quota increase request. "
        "https://cloud.google.com/vertex-ai/docs/quotas."
    )
    return google_error(429, text, reason="RATE_LIMIT_EXCEEDED", quota_metric=metric, **facts)


def fault_response(fault: Fault) -> Response:
    """The response of a fault that takes the place of a reply."""
    code = fault.status or (302 if fault.location else 500)
    location = {"Location": fault.location} if fault.location else {}
    headers = {**location, **fault.headers}
    text = fault.message or _MESSAGE.get(code) or f"The emulator was set to answer {code}."
    page = f"<!DOCTYPE html><title>Error {code}</title><p>{text}</p>"
    plain = {"html": ("text/html; charset=utf-8", page), "text": ("text/plain; charset=utf-8", text),
             "empty": ("application/json", "")}  # fmt: skip
    if fault.body is not None:
        return Response(status=code, pieces=(fault.body,), headers=headers)
    if fault.shape in plain:
        media, body = plain[fault.shape]
        return Response(status=code, pieces=(body.encode(),), content_type=media, headers=headers)
    google = fault.shape != "anthropic"
    reason, kind = (fault.reason, None) if google else (None, fault.reason)
    problem = Problem(code=code, message=text, google=google, reason=reason, kind=kind).body()
    return json_response([problem] if fault.shape == "array" else problem, code, headers)
