"""The one cure of each failure: a command, a console link or a setting, with the user's own names in it.

An error's own cure is a sentence for whoever asked a question; here it becomes one thing to do. A row
of the table says for which errors it holds; the first that holds wins.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from vertex_claude_magic import errors
from vertex_claude_magic.settings.options import find_setting
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.failures import read_failure
from vertex_claude_magic.transport.login_failures import login_cure
from vertex_claude_magic.vertex.endpoint import check_location

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.health.doctor.case import Case
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.transport.identity import Identity

__all__ = ["Patient", "cure_of", "model_card", "quotas"]

CONSOLE = "https://console.cloud.google.com"
STATUS = "Open: https://status.cloud.google.com (is Vertex AI in trouble?), and try again in some minutes."
SIGN_IN = f"Open: {CONSOLE} in a browser of this machine, and sign in to the network."
_YOUR_PROJECT = "YOUR-PROJECT"
_NAME_PROJECT = "Set: GOOGLE_CLOUD_PROJECT to the id of your project"
_SET_PROXY = "Set: HTTPS_PROXY to the address of your proxy (with its user name and password), or to nothing."
_UNKNOWN_ACCOUNT = "user:YOUR-EMAIL"
# The projects that gcloud's own logins belong to: for them no quota project is set.
_GOOGLES_OWN = {"764086051850", "32555940559"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """Whose set-up is ill: fills the user's own names into cures; None for what is not known."""

    case: Case
    project: str | None = None
    identity: Identity | None = None

    @property
    def project_word(self) -> str:
        """The project as a word of a shell command."""
        return shlex.quote(self.project or _YOUR_PROJECT)

    @property
    def paying(self) -> str:
        """The project that quotas are counted against, as a word of a shell command."""
        quota = self.identity.quota_project if self.identity else None
        return shlex.quote(quota) if quota else self.project_word

    @property
    def member(self) -> str:
        """The account as IAM names it, as a word of a shell command."""
        if self.identity is None or not self.identity.account:
            return _UNKNOWN_ACCOUNT
        kind = "user" if self.identity.kind == "user login" else "serviceAccount"
        return shlex.quote(f"{kind}:{self.identity.account}")

    @property
    def row(self) -> Model | None:
        """The row of the chosen model, None also where the choice itself is wrong."""
        try:
            return self.case.row
        except errors.OptionError:
            return None


def cure_of(error: errors.ClaudeError, patient: Patient) -> str:
    """Return the one thing to do about an error.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.health.doctor.case import Case
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> case = Case.of(AskOptions(), AskOptions(), Catalog.load())
    >>> cure_of(errors.APIDisabled("no", cure=""), Patient(case=case, project="my-project"))
    'Run: gcloud services enable aiplatform.googleapis.com --project my-project'
    """
    return next(cure(error, patient) for kind, cure in _CURES if isinstance(error, kind))


def console(path: str, patient: Patient, what: str) -> str:
    """Return a link into the console of the user's project, and what to do there."""
    query = urlencode({"project": patient.project or _YOUR_PROJECT}, safe=":")
    return f"Open: {CONSOLE}/{path}?{query} ({what})"


def model_card(patient: Patient, what: str) -> str:
    """Return the link to the chosen model's card in the Model Garden."""
    row = patient.row
    name = (row.id if row else str(patient.case.model.value)).partition("@")[0]
    path = urlencode({"": name})[1:]
    return console(f"agent-platform/publishers/anthropic/model-garden/{path}", patient, what)


def quotas(patient: Patient, metric: str = "") -> str:
    """Return the link to the project's quotas."""
    name = patient.row.id if patient.row else patient.case.model.value
    what = f"ask for more {metric} for {name}" if metric else "look for base_model anthropic-claude"
    return console("iam-admin/quotas", patient, what)


def elsewhere(patient: Patient) -> str | None:
    """Return another location that serves the chosen model, on the same continent if there is one; or None."""
    case, row = patient.case, patient.row
    served = [place for place in (row.locations or () if row else ()) if place != case.place]
    # Two letters tell eu and europe-west1 from us and us-east5.
    served.sort(key=lambda place: (place[:2] != case.place[:2], place != "global"))
    return served[0] if served else None


def without_address(patient: Patient) -> str | None:
    """Return how to go back to Google's own address, or None where nothing else is set."""
    value, origin = patient.case.base_url
    if not value:
        return None
    if origin in {"setting", "option"}:
        return 'Run: %config ClaudeMagics.base_url = ""'
    return f"Set: {origin} to nothing, to reach Google's own address."


def _no_login(_: errors.ClaudeError, __: Patient) -> str:
    if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return "Set: GOOGLE_APPLICATION_CREDENTIALS to a usable key file, or to nothing if you log in with gcloud."
    return login_cure()


def _expired(error: errors.ClaudeError, patient: Patient) -> str:
    kind, account = error.details.get("kind"), patient.identity.account if patient.identity else None
    named = f"{quote(account, 80)} and its key" if account else "the account and its key"
    if kind == "service account":
        return console("iam-admin/serviceaccounts", patient, f"are {named} still there and enabled?")
    if kind == "service account of this machine":
        return console(
            "compute/instances", patient, "give the machine a service account with cloud-platform scope"
        )
    if kind == "impersonated service account" and account:
        return (
            f"Run: gcloud iam service-accounts add-iam-policy-binding {shlex.quote(account)} "
            f"--member={_UNKNOWN_ACCOUNT} --role=roles/iam.serviceAccountTokenCreator"
        )
    if kind == "workload identity":
        return console("iam-admin/workload-identity-pools", patient, "does the pool know this workload?")
    return login_cure()


def _untrusted(error: errors.ClaudeError, patient: Patient) -> str:
    host, (_, origin) = error.details.get("host", "it"), patient.case.base_url
    place = "ClaudeMagics.base_url" if origin in {"setting", "option"} else origin
    return f"Set: {place} to nothing, unless {host} is your own https gateway; then name it in trusted_hosts."


def _tls(error: errors.ClaudeError, patient: Patient) -> str:
    causes = error.details.get("causes", ())
    if "SSLCertVerificationError" in causes:
        return "Set: REQUESTS_CA_BUNDLE to the CA file of the company proxy that opens TLS."
    if causes == ["OSError"]:
        return "Set: REQUESTS_CA_BUNDLE to a file that exists, or to nothing."
    return without_address(patient) or f"Run: curl -v https://{patient.case.host}/ (who answers there?)"


def _network(error: errors.ClaudeError, patient: Patient) -> str:
    case = patient.case
    if "ProxyError" in error.details.get("causes", ()):
        return _SET_PROXY
    known = case.place in case.catalog.locations()
    if not case.base_url.value and not known and (near := case.catalog.nearest_location(case.place)):
        return f"Use: --region {near}"
    return without_address(patient) or f"Run: curl -v https://{case.host}/ (does the network let it through?)"


def _denied(error: errors.ClaudeError, patient: Patient) -> str:
    reason = error.details.get("reason")
    if reason == "BILLING_DISABLED":
        return console("billing/linkedaccount", patient, "link a billing account")
    if reason == "SECURITY_POLICY_VIOLATED":
        return console(
            "security/service-perimeter", patient, "an administrator lets Vertex AI through the perimeter"
        )
    uses = reason == "USER_PROJECT_DENIED"
    role = "roles/serviceusage.serviceUsageConsumer" if uses else "roles/aiplatform.user"
    project = patient.paying if uses else patient.project_word
    return f"Run: gcloud projects add-iam-policy-binding {project} --member={patient.member} --role={role}"


def _disabled(error: errors.ClaudeError, patient: Patient) -> str:
    """Tell who pays: without a quota project it is Google's own project, where nobody can enable anything."""
    consumer = str(_facts(error).get("consumer", "")).rpartition("/")[2]
    if consumer in _GOOGLES_OWN:
        return f"Run: gcloud auth application-default set-quota-project {patient.project_word}"
    pays = patient.project_word if consumer == patient.project else patient.paying
    return f"Run: gcloud services enable aiplatform.googleapis.com --project {pays}"


def _facts(error: errors.ClaudeError) -> dict[str, object]:
    body = str(error.details.get("body") or "")
    return dict(read_failure(error.status or 0, body.encode()).metadata)


def _not_found(patient: Patient) -> str:
    case, row = patient.case, patient.row
    if row is None:
        return f"Use: --model {next(iter(case.catalog.nearest(str(case.model.value))), 'sonnet')}"
    if row.lifecycle == "retired":
        return f"Use: --model {row.successor or row.family}"
    if row.locations and not row.served_in(case.place) and (place := elsewhere(patient)):
        return f"Use: --region {place}"
    return model_card(patient, "is it enabled, and still served?")


def _not_served(patient: Patient) -> str:
    place = elsewhere(patient)
    return f"Use: --region {place}" if place else "Use: --model sonnet"


def _quota(error: errors.ClaudeError, patient: Patient) -> str:
    place = elsewhere(patient)
    if patient.case.place != "global" and place is not None:
        return f"Use: --region {place} (another quota)"
    return quotas(patient, quote(str(_facts(error).get("quota_metric", "")).rpartition("/")[2], 80))


def _busy(_: errors.ClaudeError, patient: Patient) -> str:
    place = elsewhere(patient)
    return f"Use: --region {place} (other capacity)" if place else STATUS


def _refused(error: errors.ClaudeError, patient: Patient) -> str:
    if error.status == 407:
        return _SET_PROXY
    if error.details.get("shape") in {"page", "text"} and error.status in {
        401,
        403,
        404,
        405,
        406,
        410,
        451,
        511,
    }:
        return without_address(patient) or SIGN_IN
    return without_address(patient) or "Use: --model haiku, to see whether it is this model only"


def _journal(error: errors.ClaudeError, patient: Patient) -> str:
    trouble, path = error.details.get("trouble"), shlex.quote(str(error.details.get("path", "")))
    if trouble == "is newer":
        return "Run: pip install --upgrade vertex-claude-magic"
    if trouble in {"is damaged", "is no journal"}:
        return f"Run: mv {path} {path}.old (a new one is begun; kept answers are lost to it)"
    if trouble == "has no room: the disk is full":
        return "Run: vertex-claude journal prune --days 7"
    origin = find_setting("journal", patient.case.options).origin
    place = "ClaudeMagics.journal" if origin == "setting" else "VERTEX_CLAUDE_JOURNAL"
    return f"Set: {place} to another file that you may write to, or to off."


def _option(error: errors.ClaudeError, patient: Patient) -> str:
    """Tell which of the settings is to be changed: the location, the model, or else the project."""
    if "wanted" in error.details:
        return f"Set: {error.details['setting']} to {error.details['wanted']}"
    case = patient.case
    try:
        check_location(case.place)
    except errors.OptionError:
        return f"Use: --region {case.catalog.nearest_location(case.place) or 'global'}"
    try:
        case.catalog.resolve(str(case.model.value), case.place)
    except errors.OptionError:
        newest = case.catalog.newest(str(case.model.value))
        return (
            f"Use: --region {newest.locations[0]}" if newest and newest.locations else "Use: --model sonnet"
        )
    return _NAME_PROJECT


def _no_model(error: errors.ClaudeError, patient: Patient) -> str:
    # 400 says that it is the location, 404 leaves open what it is.
    return _not_served(patient) if error.status == 400 else _not_found(patient)


_CONSENT = "an administrator decides there about the consent"
_TERMS = "press Enable and accept the terms; a reseller of the billing account may have to allow it"

# First match wins, so each kind stands before its root.
_CURES: tuple[tuple[type[errors.ClaudeError], Callable[[errors.ClaudeError, Patient], str]], ...] = (
    (errors.UntrustedHost, _untrusted),
    (errors.ProjectNotFound, lambda *_: _NAME_PROJECT),
    (errors.CredentialsNotFound, _no_login),
    (errors.LoginExpired, _expired),
    (errors.CredentialsError, lambda *_: login_cure()),
    (errors.AuthenticationFailed, lambda *_: login_cure()),
    (errors.TLSError, _tls),
    (errors.NetworkError, _network),
    (errors.APIDisabled, _disabled),
    (errors.DataSharingRequired, lambda _, patient: model_card(patient, _CONSENT)),
    (errors.PermissionDenied, _denied),
    (errors.ModelNotEnabled, lambda _, patient: model_card(patient, _TERMS)),
    (errors.ModelNotFound, _no_model),
    (errors.QuotaExceeded, _quota),
    (errors.RateLimited, _busy),
    (errors.Overloaded, _busy),
    (errors.ServerError, lambda *_: STATUS),
    (errors.StreamError, lambda _, patient: without_address(patient) or SIGN_IN),
    (errors.JournalError, _journal),
    (errors.OptionError, _option),
    (errors.ClaudeError, _refused),
)
