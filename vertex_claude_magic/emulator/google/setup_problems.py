"""What is wrong with a set-up: the problems that `Emulator.simulate` simulates until `Emulator.stop_simulating`.

A fault spoils one call; a set-up problem lasts, as those of real projects do. Each is one row of a table, for
lessons on what goes wrong and for tests of tools that find it out. The messages are those that users of
Vertex AI reported in 2025 and 2026.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Literal

from vertex_claude_magic.emulator.http.faults import Fault
from vertex_claude_magic.emulator.messages.problems import (
    REFUSED_TOKEN,
    Problem,
    google_error,
    not_enabled,
    not_found,
    not_servable,
    permission_denied,
    quota_exceeded,
)
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vertex_claude_magic.emulator.messages.ask import Route

__all__ = ["NO_PROBLEM", "SETUP_PROBLEMS", "Denial", "SetupProblem", "setup_problem"]

Denial = Literal["revoked", "reauth", "clock", "malformed"]
_HOUR = 3600.0
_NEVER = 3600.0  # seconds; nobody waits so long
_RESOURCE = "projects/{project}/locations/{location}/publishers/anthropic/models/{model}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SetupProblem:
    """One thing that is wrong, for as long as it lasts.

    Args:
        about: What is wrong, in a line.
        refusal: The error that authorised calls get; `{project}`, `{location}` and `{model}` in its message
            are replaced by those of the call.
        counts: Whether counting tokens is refused too, and not only asking.
        location: The only location where it is refused; None for all.
        front: What happens to every call to the service, with or without a token.
        skew: Seconds by which the service's clock is ahead of this machine's.
        metadata: What happens to every call to the metadata server.
        denial: Why Google gives no token, or none that is any good.
        environment: Variables that the environment of the emulator gets instead, None to leave one out;
            `{origin}` and `{host}` are replaced by the emulator's.
        key_file: The whole content of credential files, in place of the right one.
        without: Fields that are left out of credential files.
    """

    about: str
    refusal: Problem | None = None
    counts: bool = True
    location: str | None = None
    front: Fault | None = None
    skew: float = 0.0
    metadata: Fault | None = None
    denial: Denial | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    key_file: str | None = None
    without: tuple[str, ...] = ()

    def fault(self) -> Fault | None:
        """Return what happens to a call to the service that is made now."""
        if self.skew:
            return Fault(headers={"Date": formatdate(time.time() + self.skew, usegmt=True)})
        return self.front

    def refuse(self, found: Route, model: str) -> Problem | None:
        """Return the error that an authorised call gets instead of an answer, or None."""
        elsewhere = self.location is not None and found.location != self.location
        if self.refusal is None or elsewhere or (found.counting and not self.counts):
            return None
        names = {"project": found.project, "location": found.location, "model": model}
        message = self.refusal.message.format_map(names)
        facts = {name: text.format_map(names) for name, text in self.refusal.metadata.items()}
        return replace(self.refusal, message=message, metadata=facts)

    def surroundings(self, environment: Mapping[str, str], origin: str) -> dict[str, str]:
        """Return an environment with what is wrong in it."""
        names = {"origin": origin, "host": origin.partition("//")[2]}
        changed = {
            name: None if text is None else text.format_map(names) for name, text in self.environment.items()
        }
        return {name: text for name, text in {**environment, **changed}.items() if text is not None}

    def apply(self, file: Path) -> None:
        """Put the problem into a credential file."""
        if self.key_file is not None:
            file.write_text(self.key_file, encoding="utf-8")
        elif self.without:
            content = json.loads(file.read_text(encoding="utf-8"))
            left = {name: value for name, value in content.items() if name not in self.without}
            file.write_text(json.dumps(left), encoding="utf-8")


def setup_problem(name: str) -> SetupProblem:
    """Return the set-up problem of a name.

    Raises:
        OptionError: there is none.

    >>> setup_problem("quota_zero").about
    'the quota for the model is 0, as on many new projects'
    """
    if name not in SETUP_PROBLEMS:
        raise OptionError(
            f"The emulator has no set-up problem named {quote(name, 40)!r}.",
            cure=f"Use one of {', '.join(SETUP_PROBLEMS)}.",
        )
    return SETUP_PROBLEMS[name]


def _quota(metric: str) -> Problem:
    return quota_exceeded(metric, "anthropic-{model}", consumer="projects/{project}")


def _disabled(consumer: str) -> Problem:
    return google_error(
        403,
        f"Vertex AI API has not been used in project {consumer} before or it is disabled. Enable it by visiting "
        f"https://console.developers.google.com/apis/api/aiplatform.googleapis.com/overview?project={consumer} then "
        "retry.",
        reason="SERVICE_DISABLED",
        service="aiplatform.googleapis.com",
        consumer=f"projects/{consumer}",
    )


def _base_url(url: str) -> dict[str, str | None]:
    return {"ANTHROPIC_VERTEX_BASE_URL": url}


NO_PROBLEM = SetupProblem(about="nothing is wrong")
_PORTAL = b"<!DOCTYPE html><title>Welcome</title><p>Accept the terms of this network to go on.</p>"

SETUP_PROBLEMS: Mapping[str, SetupProblem] = {
    # No usable login.
    "no_credentials": SetupProblem(about="there is no login on this machine",
        environment={"GOOGLE_APPLICATION_CREDENTIALS": None}),
    "key_file_missing": SetupProblem(about="the key file that is named does not exist",
        environment={"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/key.json"}),
    "key_file_unreadable": SetupProblem(about="the key file contains something else", key_file="-----BEGIN"),
    "login_expired": SetupProblem(about="Google no longer accepts the login", denial="revoked"),
    "reauth_needed": SetupProblem(about="the organisation asks for a new login", denial="reauth"),
    "token_malformed": SetupProblem(about="tokens contain a line break", denial="malformed"),
    "token_refused": SetupProblem(about="the service refuses every token",
        refusal=REFUSED_TOKEN),
    "metadata_slow": SetupProblem(about="the metadata server of the machine does not answer in time",
        metadata=Fault(delay=_NEVER), environment={"GOOGLE_APPLICATION_CREDENTIALS": None,
        "GCE_METADATA_HOST": "{host}", "GCE_METADATA_IP": "{host}"}),
    # A wrong project.
    "project_missing": SetupProblem(about="no project is named anywhere", without=("project_id", "quota_project_id"),
        environment={"ANTHROPIC_VERTEX_PROJECT_ID": None}),
    "project_wrong": SetupProblem(about="the project is one that the account may not use",
        environment={"ANTHROPIC_VERTEX_PROJECT_ID": "somebody-elses-project"}),
    "quota_project_wrong": SetupProblem(about="the login has no quota project, so Google's own pays",
        refusal=_disabled("764086051850")),
    "api_disabled": SetupProblem(about="the Vertex AI API is not enabled", refusal=_disabled("{project}")),
    "billing_disabled": SetupProblem(about="the project has no billing account",
        refusal=google_error(403, "This API method requires billing to be enabled. Please enable billing on project "
                                  "#{project}.", reason="BILLING_DISABLED", consumer="projects/{project}")),
    "permission_denied": SetupProblem(about="the account may not ask models in the project",
        refusal=permission_denied("aiplatform.endpoints.predict", _RESOURCE)),
    "quota_project_denied": SetupProblem(about="the account may not use the project that pays",
        refusal=google_error(403, "Caller does not have required permission to use project {project}. Grant the caller "
                                  "the roles/serviceusage.serviceUsageConsumer role, or a custom role with the "
                                  "serviceusage.services.use permission.", reason="USER_PROJECT_DENIED",
                             consumer="projects/{project}")),
    "perimeter_closed": SetupProblem(about="a service perimeter keeps the request out",
        refusal=google_error(403, "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: "
                                  "Qe4mulator", reason="SECURITY_POLICY_VIOLATED",
                             service="aiplatform.googleapis.com")),
    # A model that is not to be had.
    "data_sharing_required": SetupProblem(about="the model needs a consent to data sharing",
        refusal=google_error(403, "Access to this model requires data sharing to be enabled for publisher 'anthropic'. "
                                  "Use setPublisherModelConfig to enable it.")),
    "model_not_enabled": SetupProblem(about="the terms of the model have not been accepted",
        refusal=not_enabled(_RESOURCE, "{project}")),
    "model_ended": SetupProblem(about="the service serves the model no more, and the table does not know",
        refusal=not_found(_RESOURCE)),
    "region_wrong": SetupProblem(about="the location does not serve the model",
        refusal=not_servable(_RESOURCE, "{location}")),
    "verb_wrong": SetupProblem(about="the address is that of Gemini's models",
        refusal=google_error(400, "{model} is not supported in the generateContent API.", "FAILED_PRECONDITION")),
    # Too much, or too much at the moment.
    "quota_zero": SetupProblem(about="the quota for the model is 0, as on many new projects", counts=False,
        refusal=_quota("global_online_prediction_requests_per_base_model")),
    "quota_zero_in_region": SetupProblem(about="the quota is 0 in us-east5 and not elsewhere", counts=False,
        location="us-east5", refusal=_quota("online_prediction_input_tokens_per_minute_per_base_model")),
    "capacity_shared": SetupProblem(about="the shared capacity is used up at the moment",
        refusal=google_error(429, "Resource exhausted. Please try again later. Please refer to "
                                  "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more "
                                  "details.")),
    "overloaded": SetupProblem(about="the model is overloaded", refusal=Problem(code=529, message="Overloaded")),
    "server_error": SetupProblem(about="the service fails", refusal=Problem(code=500, message="Internal server error")),
    "unavailable": SetupProblem(about="the service is away",
        front=Fault(status=503, message="The service is currently unavailable.")),
    # Requests that a gateway or a change of rules spoils.
    "prompt_too_long": SetupProblem(about="every prompt is called too long", counts=False,
        refusal=Problem(code=400, message="prompt is too long: 200001 tokens > 200000 maximum")),
    "request_too_large": SetupProblem(about="every request is called too large",
        refusal=Problem(code=413, message="Request exceeds the maximum size")),
    "max_tokens_refused": SetupProblem(about="no length of an answer is right", counts=False,
        refusal=Problem(code=400, message="max_tokens: 1 > 0, which is the maximum allowed number of output tokens for "
                                          "{model}")),
    "thinking_refused": SetupProblem(about="a gateway turns thinking off where it cannot be turned off", counts=False,
        refusal=Problem(code=400, message='"thinking.type.disabled" is not supported for this model.')),
    "field_added": SetupProblem(about="a gateway adds a field that the service does not take",
        refusal=Problem(code=400, message="context_hint: Extra inputs are not permitted")),
    # The network.
    "host_unknown": SetupProblem(about="the region is misspelt, so its host has no address",
        environment={"ANTHROPIC_VERTEX_BASE_URL": None, "CLOUD_ML_REGION": "us-eats5"}),
    "host_unreachable": SetupProblem(about="nothing listens at the address", environment=_base_url("http://127.0.0.1:1/v1")),
    "host_untrusted": SetupProblem(about="the address is neither Google's nor trusted",
        environment=_base_url("https://gateway.example/v1")),
    "path_wrong": SetupProblem(about="the base URL has a wrong path", environment=_base_url("{origin}/api")),
    "proxy_dead": SetupProblem(about="the proxy does not answer",
        environment={"ANTHROPIC_VERTEX_BASE_URL": None, "HTTPS_PROXY": "http://127.0.0.1:1"}),
    "tls_broken": SetupProblem(about="something between here and the host does not speak TLS",
        environment=_base_url("https://{host}/v1")),
    "captive_portal": SetupProblem(about="a network's welcome page answers instead of the service",
        front=Fault(status=200, body=_PORTAL, headers={"Content-Type": "text/html; charset=utf-8"})),
    "login_redirect": SetupProblem(about="every call is sent to a login page",
        front=Fault(location="https://login.example.com/?next=vertex")),
    "service_silent": SetupProblem(about="the service takes calls and says nothing", front=Fault(delay=_NEVER)),
    "clock_off": SetupProblem(about="the clock of this machine is an hour slow", skew=_HOUR, denial="clock"),
}  # fmt: skip
