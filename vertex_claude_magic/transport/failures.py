"""Error responses to typed errors, through one table.

The kind is known by HTTP status, Google `reason` or Anthropic `type`; by the text only where nothing
else tells, and only here. Shapes: Google's error object (on streams wrapped in a one-element array),
Anthropic's `{"type": "error"}` object, and whatever a proxy sends. Statuses and types are those of
the page "Errors" (Claude docs) and of "Error messages" (Google Cloud API design guide).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.models.lifecycle import word_of
from vertex_claude_magic.models.observed import Sightings
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.spelling import Change, Spelling, changing, option, spelled, ways
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.observed import Seen
    from vertex_claude_magic.vertex.request import Request

__all__ = [
    "ErrorResponse",
    "RequestNames",
    "consumer_of",
    "error_from_event",
    "error_from_response",
    "read_failure",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestNames:
    """What was asked for: fills the user's own names into messages and cures."""

    model: str
    project: str
    region: str
    catalog: Catalog
    seen: Seen = Sightings

    @classmethod
    def about(cls, request: Request, catalog: Catalog, seen: Seen | None = None) -> RequestNames:
        """Return what a request asks for."""
        return cls(
            model=request.model,
            project=request.project,
            region=request.region,
            catalog=catalog,
            seen=seen or Sightings,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorResponse:
    """An error response, read: `kind` is Anthropic's type, `code` and `reason` are Google's.

    `shape` is "object" for JSON, "page" for HTML, "text" for other text and "empty" for none. The service
    itself answers with objects; pages and texts are those of proxies and captive portals.
    """

    status: int
    message: str
    kind: str = ""
    code: str = ""
    reason: str = ""
    request_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    body: str = ""
    shape: str = "object"

    def says(self, *words: str) -> bool:
        """Whether the message contains all of the words, in any case."""
        text = self.message.lower()
        return all(word in text for word in words)


def error_from_response(
    status: int, body: bytes, asked: RequestNames, *, content_type: str = ""
) -> errors.ClaudeError:
    """Turn an HTTP error response into the error that names its cure.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> body = b'{"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}'
    >>> asked = RequestNames(model="claude-opus-5", project="p", region="eu", catalog=Catalog.load())
    >>> type(error_from_response(403, body, asked)).__name__
    'PermissionDenied'
    """
    return _error(read_failure(status, body, content_type), asked)


def error_from_event(data: Mapping[str, Any], asked: RequestNames) -> errors.ClaudeError:
    """Turn an `error` event in the middle of a stream into the error of its type, not of HTTP 200."""
    failure = _anthropic(data, 0, "")
    return _error(replace(failure, status=_STATUS_OF.get(failure.kind, 500)), asked)


# HTTP status of each error type (page "Errors", Claude docs): what an error event means.
_STATUS_OF = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403,
    "not_found_error": 404, "request_too_large": 413, "rate_limit_error": 429, "api_error": 500,
    "timeout_error": 504, "overloaded_error": 529,
}  # fmt: skip


def read_failure(status: int, body: bytes, content_type: str = "") -> ErrorResponse:
    """Read an error body of any shape: Google object or array, Anthropic object, plain text, HTML, nothing."""
    text = body.decode("utf-8", "replace")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, list) and data:
        data = data[0]
    if isinstance(data, Mapping) and isinstance(data.get("error"), Mapping):
        if data.get("type") == "error":
            return _anthropic(data, status, text)
        return _google(data["error"], status, text)
    if not text.strip():
        return ErrorResponse(status=status, message="an empty answer", body=text[:4000], shape="empty")
    if "html" in content_type.lower() or text.lstrip()[:1] == "<":
        page = f"a web page, not an API answer: {text}"
        return ErrorResponse(status=status, message=page, body=text[:4000], shape="page")
    return ErrorResponse(
        status=status, message=text, body=text[:4000], shape="text" if data is None else "object"
    )


def _anthropic(data: Mapping[str, Any], status: int, text: str) -> ErrorResponse:
    error = data.get("error")
    error = error if isinstance(error, Mapping) else {}
    request_id = data.get("request_id")
    return ErrorResponse(
        status=status, message=str(error.get("message") or ""), kind=str(error.get("type") or ""),
        request_id=request_id if isinstance(request_id, str) else None, body=text[:4000],
    )  # fmt: skip


def _google(error: Mapping[str, Any], status: int, text: str) -> ErrorResponse:
    details = error.get("details")
    infos = [part for part in (details if isinstance(details, list) else ()) if isinstance(part, Mapping)]
    info = next((part for part in infos if part.get("reason")), {})
    metadata = info.get("metadata")
    return ErrorResponse(
        status=status, message=str(error.get("message") or ""), code=str(error.get("status") or ""),
        reason=str(info.get("reason") or ""), body=text[:4000],
        metadata=metadata if isinstance(metadata, Mapping) else {},
    )  # fmt: skip


Cure = Callable[[ErrorResponse, RequestNames], str]
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
# Where more is to be seen, in a cell and in Python.
_MODELS = Spelling("%claude_models", "%claude_models in a notebook, or vertex-claude models,")
_REQUEST = Spelling("%%claude --dry-run", "Claude.request")
_COUNT = Spelling("%%claude --dry-run", "Claude.count")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """One line of the table: when it applies, which error it is, what happened, what to do."""

    when: Callable[[ErrorResponse], bool]
    error: type[errors.APIError]
    what: str
    cure: Cure


def _error(failure: ErrorResponse, asked: RequestNames) -> errors.ClaudeError:
    row = next(row for row in _TABLE if row.when(failure))
    # Names of the user's may be anything, and land in a text of one line.
    asked = replace(
        asked,
        model=quote(asked.model, 80),
        project=quote(asked.project, 80),
        region=quote(asked.region, 40),
    )
    what = row.what.format(
        model=asked.model, project=asked.project, region=asked.region, status=failure.status
    )
    text = quote(failure.message)
    who = "Vertex AI said" if failure.shape in {"object", "empty"} else "The answer"
    # One full stop: ours, after the quotation mark.
    message = f"{what} {who}: {text.removesuffix('.')!r}." if text else what
    details = {
        "status": failure.status, "message": failure.message, "type": failure.kind, "code": failure.code,
        "reason": failure.reason, "request_id": failure.request_id, "body": failure.body, "shape": failure.shape,
        "model": asked.model, "project": asked.project, "region": asked.region,
    }  # fmt: skip
    cure = row.cure(failure, asked)
    if row.error in _ELSEWHERE and failure.shape != "page" and "region" not in present_policy().locks:
        model = asked.catalog.find(asked.model)
        name = model.id if model is not None else asked.model
        answered = row.error is errors.QuotaExceeded
        hint = asked.seen().hint(name, asked.project, but=asked.region, answered=answered)
        cure = spelled("{} {}", cure, hint) if hint else cure
    return row.error(message, cure=cure, details=details)


def _try_global(asked: RequestNames) -> str:
    """Return the way of a cure that names `global`; empty for who asked there."""
    return "" if asked.region == "global" else spelled("try {}", option("region", "global"))


# Errors that another location may not have.
_ELSEWHERE = (errors.ModelNotFound, errors.ModelNotEnabled, errors.QuotaExceeded)


def _fixed(text: str, *parts: Spelling) -> Cure:
    return lambda _, asked: spelled(text, *parts, project=asked.project, region=asked.region)


def _ways(*each: str, end: str = ".") -> Cure:
    # Made when it is needed, because only then is it known what a policy keeps from the reader.
    return lambda _, __: ways(*each, end=end)


def consumer_of(failure: ErrorResponse) -> str:
    """Return the project that Google counts the request against, empty if it names none."""
    named = str(failure.metadata.get("consumer") or "").rpartition("/")[2]
    # It becomes part of a command, and a server may say anything.
    return named if _PROJECT.fullmatch(named) else ""


def _cure_payer(failure: ErrorResponse, asked: RequestNames) -> str:
    payer, role = consumer_of(failure) or asked.project, "roles/serviceusage.serviceUsageConsumer"
    cure = f"Run: gcloud projects add-iam-policy-binding {payer} --member=user:YOU --role={role}"
    if payer == asked.project:
        return cure
    return (
        f"{cure}; or have your project pay: gcloud auth application-default set-quota-project {asked.project}"
    )


def _cure_api_disabled(failure: ErrorResponse, asked: RequestNames) -> str:
    consumer, project = consumer_of(failure), asked.project
    cure = f"Run: gcloud services enable aiplatform.googleapis.com --project {project}"
    if consumer in {"", project}:
        return cure
    change = f"gcloud auth application-default set-quota-project {project}"
    return f"{cure}; if {consumer} is not your project, run: {change}"


def _cure_token(_failure: ErrorResponse, _asked: RequestNames) -> str:
    # google-auth takes the key file in place of any login.
    if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return (
            "Set GOOGLE_APPLICATION_CREDENTIALS to a key file that is valid, or remove it and run: "
            "gcloud auth application-default login"
        )
    return "Run: gcloud auth application-default login, and ask again; no restart is needed."


def _cure_location(_: ErrorResponse, asked: RequestNames) -> str:
    if "region" in present_policy().locks:
        return present_policy().cure_for("region", asked.region, "policy", "")
    row = asked.catalog.find(asked.model)
    served = [place for place in (row.locations or () if row else ()) if place != asked.region]
    near = asked.catalog.nearest_location(asked.region)
    served.sort(key=lambda place: place != near)
    if served:
        return spelled("Use {}.", option("region", *served[:4]))
    return ways(_try_global(asked), changing("model", "use another model"))


def _cure_count(_: ErrorResponse, asked: RequestNames) -> str:
    places = asked.catalog.services["count_tokens"]["locations"]
    such = option("region")._replace(change=Change("region", tuple(places)))
    there = spelled("choose such a {} (the prompt goes there then)", such)
    return spelled("It is served in {}. {}", ", ".join(places), ways("ask without counting", there))


def _cure_not_found(failure: ErrorResponse, asked: RequestNames) -> str:
    row = asked.catalog.find(asked.model)
    if row is None:
        near = _near(asked.catalog.nearest(asked.model))
        places = asked.catalog.locations()
        place = "" if asked.region in places else _near([asked.catalog.nearest_location(asked.region)])
        return spelled("Check the id{} and the region{}; {} shows what there is.", near, place, _MODELS)
    if row.lifecycle != "retired" and row.locations and not row.served_in(asked.region):
        return _cure_location(failure, asked)
    if row.lifecycle in {"retired", "deprecated"}:
        newer = changing("model", f"use {row.successor or 'a newer model'}")
        return spelled("{} is {}. {}", row.name, word_of(row), ways(newer))
    return ways(
        f"enable {row.name} for project {asked.project} on its Model Garden card",
        _try_global(asked),
        end=spelled("; {} shows what is served where.", _MODELS),
    )


def _near(names: Iterable[str | None]) -> str:
    known = " or ".join(name for name in names if name)
    return f" (nearest known: {known})" if known else ""


def _cure_quota(failure: ErrorResponse, asked: RequestNames) -> str:
    metric = quote(str(failure.metadata.get("quota_metric") or "").rpartition("/")[2], 80)
    more = f"ask for more{f' of {metric}' if metric else ''} under IAM & Admin, Quotas, for project {asked.project}"
    return spelled(
        "Waiting does not help if the quota is 0, as it is on many new projects. {}",
        ways(more, changing("model", "try another model"), _try_global(asked)),
    )


def _cure_bad_request(failure: ErrorResponse, _: RequestNames) -> str:
    if failure.says("extra inputs are not permitted"):
        return "Leave that field out, or choose a model that takes it."
    if failure.says("max_tokens", "maximum allowed"):
        return ways(spelled("lower {}", option("max_tokens")))
    if failure.says("anthropic-beta"):
        return spelled("Leave that {} out; Vertex AI refuses betas that it does not know.", option("beta"))
    return spelled("Change the request as the message says; {} shows what is sent.", _REQUEST)


_ENABLE = (
    "Open the model's card in the Model Garden of project {project}, press Enable and accept the terms "
    "(role roles/consumerprocurement.entitlementManager)."
)


_cure_retry = _ways(
    "ask again in a moment",
    spelled("try another {}", option("region")),
    changing("model", "try another model"),
)


# What the service says with these statuses, it says in an object: a page is a proxy's or a portal's (RFC 9110; 451 is
# RFC 7725, 511 is RFC 6585). A page with 400 or 413 still tells of the request, and one with 429 or 5xx of a service,
# or of a proxy before it, that is busy or away.
PAGES_OF_OTHERS = frozenset({401, 403, 404, 405, 406, 410, 451, 511})

# First match wins. Rows that look at the text come before the general row of their status.
_TABLE: tuple[_Row, ...] = (
    _Row(when=lambda f: f.status == 407, error=errors.APIError,
         what="The proxy on the way to Vertex AI asks for a login (407).",
         cure=_fixed("Put the user name and the password of the proxy into HTTPS_PROXY, and ask again.")),
    _Row(when=lambda f: f.shape == "page" and f.status == 404, error=errors.ModelNotFound,
         what="A web page answered instead of Vertex AI (404), so the address is wrong or a proxy answered.",
         cure=_fixed("Check the base URL (it ends in /v1) and the spelling of the region {region}; behind a proxy, "
                     "also HTTPS_PROXY.")),
    _Row(when=lambda f: f.status == 511 or (f.shape == "page" and f.status in PAGES_OF_OTHERS), error=errors.APIError,
         what="A web page answered instead of Vertex AI ({status}), so the request did not reach it.",
         cure=_fixed("Sign in to the network in a web browser, or allow the host in the proxy.")),
    _Row(when=lambda f: f.shape == "text" and f.status == 403, error=errors.APIError,
         what="A proxy or gateway on the way to Vertex AI refused the request (403).",
         cure=_fixed("Check HTTPS_PROXY and the base URL, or allow the host in the proxy.")),
    _Row(when=lambda f: f.status == 401 or f.kind == "authentication_error", error=errors.AuthenticationFailed,
         what="Google refused the access token (401).",
         cure=_cure_token),
    _Row(when=lambda f: f.status == 403 and (f.reason == "SERVICE_DISABLED" or f.says("has not been used in project")),
         error=errors.APIDisabled, what="The Vertex AI API is not enabled for project {project} (403).",
         cure=_cure_api_disabled),
    _Row(when=lambda f: f.status == 403 and f.says("data sharing"), error=errors.DataSharingRequired,
         what="{model} needs a data-sharing consent that project {project} has not given in {region} (403).",
         cure=_ways("have an administrator give it on the model's Model Garden card",
                    changing("model", "choose another model"))),
    _Row(when=lambda f: f.status == 403 and (f.reason == "SECURITY_POLICY_VIOLATED" or f.says("vpcservicecontrols")),
         error=errors.PermissionDenied, what="A service perimeter keeps requests of project {project} out (403).",
         cure=_fixed("An administrator has to allow aiplatform.googleapis.com in the perimeter: "
                     "https://console.cloud.google.com/security/service-perimeter?project={project}")),
    _Row(when=lambda f: f.status == 403 and f.reason == "BILLING_DISABLED", error=errors.PermissionDenied,
         what="Project {project} has no billing account (403).",
         cure=_fixed("Link one: https://console.cloud.google.com/billing/linkedaccount?project={project}")),
    _Row(when=lambda f: f.status == 403 and f.reason == "USER_PROJECT_DENIED", error=errors.PermissionDenied,
         what="The account may not use the project that pays for the request (403).", cure=_cure_payer),
    _Row(when=lambda f: f.status == 403 or f.kind == "permission_error", error=errors.PermissionDenied,
         what="The account may not call {model} in project {project}, {region} (403).",
         cure=_fixed("Check the spelling of the project, and grant roles/aiplatform.user to the account: gcloud "
                     "projects add-iam-policy-binding {project} --member=user:YOU --role=roles/aiplatform.user")),
    _Row(when=lambda f: f.status == 400 and f.says("not allowed to use publisher model"),
         error=errors.ModelNotEnabled, what="{model} is not enabled for project {project} (400).",
         cure=_fixed(_ENABLE)),
    _Row(when=lambda f: f.status in {400, 404} and f.says("models/count-tokens"), error=errors.CountNotServed,
         what="Counting tokens is not served in {region} ({status}).", cure=_cure_count),
    _Row(when=lambda f: f.status == 400 and f.says("not servable in region"), error=errors.ModelNotFound,
         what="{model} is not served in {region} (400).", cure=_cure_location),
    _Row(when=lambda f: f.status == 400 and f.says("generatecontent"), error=errors.BadRequest,
         what="This address does not serve Claude (400).",
         cure=_fixed("Check the base URL: Claude is reached under publishers/anthropic with rawPredict.")),
    _Row(when=lambda f: f.status in {400, 413} and f.says("prompt is too long"), error=errors.PromptTooLong,
         what="The prompt does not fit into {model} ({status}).",
         cure=_ways("shorten it", changing("model", "use a model with a larger context window"),
                    end=spelled("; {} counts tokens.", _COUNT))),
    _Row(when=lambda f: f.status == 413 or f.kind == "request_too_large", error=errors.RequestTooLarge,
         what="The request is too large (413).", cure=_fixed("Attach fewer or smaller files.")),
    _Row(when=lambda f: f.status == 404 or f.kind == "not_found_error", error=errors.ModelNotFound,
         what="{model} was not found for project {project} in {region} (404).", cure=_cure_not_found),
    _Row(when=lambda f: f.status == 429 and (f.says("quota exceeded") or bool(f.metadata.get("quota_metric"))),
         error=errors.QuotaExceeded, what="A quota of project {project} for {model} in {region} is used up (429).",
         cure=_cure_quota),
    _Row(when=lambda f: f.status == 429 or f.kind == "rate_limit_error", error=errors.RateLimited,
         what="Too many requests for {model} in {region} at the moment (429).", cure=_cure_retry),
    _Row(when=lambda f: f.status == 529 or f.kind == "overloaded_error", error=errors.Overloaded,
         what="{model} is overloaded in {region} ({status}).", cure=_cure_retry),
    _Row(when=lambda f: f.status >= 500, error=errors.ServerError,
         what="The service failed for {model} in {region} ({status}).", cure=_cure_retry),
    _Row(when=lambda f: f.status == 400 or f.kind == "invalid_request_error", error=errors.BadRequest,
         what="Vertex AI did not accept the request for {model} (400).", cure=_cure_bad_request),
    _Row(when=lambda _: True, error=errors.APIError, what="Vertex AI answered {status} for {model}.",
         cure=_fixed("{} shows what is sent; check the base URL.", _REQUEST)),
)  # fmt: skip
