"""The one cure of each failure: a command, a console link or a setting, with the user's own names in it.

An error's own cure is a sentence for the user who asked a question; here it becomes one thing to do.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote as percent_encode
from urllib.parse import urlencode

from vertex_claude_magic import errors
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.spelling import Change
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.failures import PAGES_OF_OTHERS, read_failure
from vertex_claude_magic.transport.login_failures import login_cure
from vertex_claude_magic.vertex.endpoint import check_location

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.health.doctor.setup import Setup

__all__ = ["SIGN_IN", "cure_of", "other_location", "quotas", "unless_held"]

CONSOLE = "https://console.cloud.google.com"
SIGN_IN = f"Open: {CONSOLE} in a browser of this machine, and sign in to the network."
_STATUS = "Open: https://status.cloud.google.com (is there an outage?), and try again in a few minutes."
_YOUR_PROJECT = "YOUR-PROJECT"
_NAME_PROJECT = "Set: GOOGLE_CLOUD_PROJECT to the id of your project"
_SET_PROXY = "Set: HTTPS_PROXY to the address of your proxy (with its user name and password), or to nothing."
_UNKNOWN_ACCOUNT = "user:YOUR-EMAIL"
# The projects that gcloud's own logins belong to: for them no quota project is set.
_GOOGLES_OWN = {"764086051850", "32555940559"}


def cure_of(error: errors.ClaudeError, setup: Setup) -> str:
    """Return the one thing to do about an error, with what is known of the set-up by now.

    >>> from vertex_claude_magic.health.doctor.setup import Setup
    >>> from vertex_claude_magic.session.session import open_session
    >>> cure_of(errors.APIDisabled("no", cure=""), Setup(open_session(project="my-project", access_token="t")))
    'Run: gcloud services enable aiplatform.googleapis.com --project my-project'
    """
    return next(cure(error, setup) for kinds, cure in _CURES if isinstance(error, kinds))


def quotas(setup: Setup, metric: str = "") -> str:
    """Return the link to the project's quotas."""
    row = setup.target.known_row
    name = row.id if row else setup.target.model
    what = f"ask for more {metric} for {name}" if metric else "look for base_model anthropic-claude"
    return _console("iam-admin/quotas", setup, what)


def _console(path: str, setup: Setup, what: str) -> str:
    """Return a link into the console of the user's project, and what to do there."""
    query = urlencode({"project": setup.known_project or _YOUR_PROJECT}, safe=":")
    return f"Open: {CONSOLE}/{path}?{query} ({what})"


def _model_card(setup: Setup, what: str) -> str:
    """Return the link to the chosen model's card in the Model Garden."""
    row = setup.target.known_row
    name = (row.id if row else setup.target.model).partition("@")[0]
    # It may be anything that the user wrote.
    path = percent_encode(name, safe="")
    return _console(f"agent-platform/publishers/anthropic/model-garden/{path}", setup, what)


def other_location(setup: Setup) -> str | None:
    """Return another location that serves the chosen model, on the same continent if there is one."""
    row, policy = setup.target.known_row, present_policy()
    others = [
        place
        for place in (row.locations or () if row else ())
        if place != setup.target.region and not policy.holder(Change("region", (place,)))
    ]
    # Two letters distinguish eu and europe-west1 from us and us-east5.
    others.sort(key=lambda place: (place[:2] != setup.target.region[:2], place != "global"))
    return others[0] if others else None


def unless_held(cure: str, name: str, *values: str) -> str:
    """Return a cure that changes a setting, or whom to ask where a policy keeps its reader from that.

    >>> unless_held("Use: --model haiku", "model")
    'Use: --model haiku'
    """
    holder = present_policy().holder(Change(name, values))
    return f"Ask: the author of {holder}, which fixes {name}" if holder else cure


def _without_base_url(setup: Setup) -> str | None:
    """Return how to go back to Google's own address, or None where nothing else is set."""
    if not setup.target.base_url:
        return None
    origin = setup.target.origins["base_url"]
    if origin in {"setting", "option"}:
        return 'Run: %config ClaudeMagics.base_url = ""'
    return f"Set: {origin} to nothing, to reach Google's own address."


def _project_word(setup: Setup) -> str:
    """Return the project as a word of a shell command."""
    return shlex.quote(setup.known_project or _YOUR_PROJECT)


def _paying_word(setup: Setup) -> str:
    """Return the project that quotas are counted against, as a word of a shell command."""
    quota = setup.known_identity.quota_project if setup.known_identity else None
    return shlex.quote(quota) if quota else _project_word(setup)


def _google_fact(error: errors.ClaudeError, name: str) -> str:
    """Return what Google's error object says under one name."""
    body = str(error.details.get("body") or "")
    return str(dict(read_failure(error.status or 0, body.encode()).metadata).get(name, ""))


def _login(error: errors.ClaudeError, setup: Setup) -> str:
    if isinstance(error, errors.UntrustedHost):
        host, origin = error.details.get("host", "it"), setup.target.origins["base_url"]
        place = "ClaudeMagics.base_url" if origin in {"setting", "option"} else origin
        if odd := error.details.get("odd"):
            return f"Set: trusted_hosts to host names alone, such as gateway.example ({odd} matches none)."
        return (
            f"Set: {place} to nothing, unless {host} is your own https gateway; then name it: "
            f'%config ClaudeMagics.trusted_hosts = ["{host}"], trusted_hosts= of Claude() in Python, '
            f"or vertex-claude doctor --trusted-host {shlex.quote(str(host))}"
        )
    if isinstance(error, errors.ProjectNotFound):
        return _NAME_PROJECT
    refused = (errors.CredentialsNotFound, errors.AuthenticationFailed)
    if isinstance(error, refused) and os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return "Set: GOOGLE_APPLICATION_CREDENTIALS to a usable key file, or to nothing if you log in with gcloud."
    return login_cure()


def _expired(error: errors.ClaudeError, setup: Setup) -> str:
    kind, identity = error.details.get("kind"), setup.known_identity
    account = identity.account if identity else None
    if run := error.details.get("run"):
        return str(run)
    if kind == "service account":
        named = f"{quote(account, 80)} and its key" if account else "the account and its key"
        return _console("iam-admin/serviceaccounts", setup, f"are {named} still there and enabled?")
    if kind == "service account of this machine":
        what = "give the machine a service account with cloud-platform scope"
        return _console("compute/instances", setup, what)
    if kind == "impersonated service account" and account:
        return (
            f"Run: gcloud iam service-accounts add-iam-policy-binding {shlex.quote(account)} "
            f"--member={_UNKNOWN_ACCOUNT} --role=roles/iam.serviceAccountTokenCreator"
        )
    if kind == "workload identity":
        what = "does the pool know this workload?"
        return _console("iam-admin/workload-identity-pools", setup, what)
    return login_cure()


def _network(error: errors.ClaudeError, setup: Setup) -> str:
    causes = error.details.get("causes", ())
    if isinstance(error, errors.TLSError):
        if "SSLCertVerificationError" in causes:
            return "Set: REQUESTS_CA_BUNDLE to the CA file of the company proxy that intercepts TLS."
        if causes == ["OSError"]:
            return "Set: REQUESTS_CA_BUNDLE to a file that exists, or to nothing."
        return _without_base_url(setup) or f"Run: curl -v https://{setup.host}/ (who answers there?)"
    if "ProxyError" in causes:
        return _SET_PROXY
    if error.cure.startswith("Run: "):
        return error.cure
    # The location is part of Google's host name, so an unknown one may be a slip of spelling.
    slip = not setup.target.base_url and setup.target.region not in setup.catalog.locations()
    if slip and (near := setup.catalog.nearest_location(setup.target.region)):
        return f"Use: --region {near}"
    look = f"Run: curl -v https://{setup.host}/ (does the network let it through?)"
    return _without_base_url(setup) or look


def _permission(error: errors.ClaudeError, setup: Setup) -> str:
    if isinstance(error, errors.APIDisabled):
        # Without a quota project it is Google's own project that pays, where nobody else can enable anything.
        consumer = _google_fact(error, "consumer").rpartition("/")[2]
        if consumer in _GOOGLES_OWN:
            return f"Run: gcloud auth application-default set-quota-project {_project_word(setup)}"
        pays = _project_word(setup) if consumer == setup.known_project else _paying_word(setup)
        return f"Run: gcloud services enable aiplatform.googleapis.com --project {pays}"
    reason = error.details.get("reason")
    if reason == "BILLING_DISABLED":
        return _console("billing/linkedaccount", setup, "link a billing account")
    if reason == "SECURITY_POLICY_VIOLATED":
        what = "an administrator has to allow Vertex AI in the perimeter"
        return _console("security/service-perimeter", setup, what)
    identity, member = setup.known_identity, _UNKNOWN_ACCOUNT
    if identity is not None and identity.account:
        # As IAM names an account.
        kind = "user" if identity.kind == "user login" else "serviceAccount"
        member = shlex.quote(f"{kind}:{identity.account}")
    project, role = _project_word(setup), "roles/aiplatform.user"
    if reason == "USER_PROJECT_DENIED":
        project, role = _paying_word(setup), "roles/serviceusage.serviceUsageConsumer"
    return f"Run: gcloud projects add-iam-policy-binding {project} --member={member} --role={role}"


def _model(error: errors.ClaudeError, setup: Setup) -> str:
    row, other = setup.target.known_row, other_location(setup)
    # 400 says that it is the location, 404 leaves open what it is.
    if error.status == 400:
        return f"Use: --region {other}" if other else unless_held("Use: --model sonnet", "model")
    if row is None:
        near = next(iter(setup.catalog.nearest(setup.target.model)), "sonnet")
        return unless_held(f"Use: --model {near}", "model")
    if row.lifecycle == "retired":
        return unless_held(f"Use: --model {row.successor or row.family}", "model")
    if row.locations and not row.served_in(setup.target.region) and other:
        return f"Use: --region {other}"
    return _model_card(setup, "is it enabled, and still served?")


def _busy(error: errors.ClaudeError, setup: Setup) -> str:
    other = other_location(setup)
    if not isinstance(error, errors.QuotaExceeded):
        return f"Use: --region {other} (other capacity)" if other else _STATUS
    if other and setup.target.region != "global":
        return f"Use: --region {other} (another quota)"
    return quotas(setup, quote(_google_fact(error, "quota_metric").rpartition("/")[2], 80))


def _journal(error: errors.ClaudeError, setup: Setup) -> str:
    trouble, path = error.details.get("trouble"), shlex.quote(str(error.details.get("path", "")))
    if trouble == "newer":
        return "Run: pip install --upgrade vertex-claude-magic"
    if trouble in {"malformed", "not a database", "no such"}:
        return f"Run: mv {path} {path}.old (a new journal is created; saved answers are no longer found)"
    if trouble == "full":
        return f"Run: df -h {shlex.quote(str(Path(str(error.details['path'])).parent))} (free space there)"
    by_setting = setup.target.origins["journal"] == "setting"
    place = "ClaudeMagics.journal" if by_setting else "VERTEX_CLAUDE_JOURNAL"
    return unless_held(f"Set: {place} to another file that you can write to, or to off.", "journal")


def _option(error: errors.ClaudeError, setup: Setup) -> str:
    """Tell which of the settings is to be changed: the location, the model, or else the project."""
    if "wanted" in error.details:
        return f"Set: {error.details['setting']} to {error.details['wanted']}"
    catalog, alias = setup.catalog, setup.target.model
    try:
        check_location(setup.target.region)
    except errors.OptionError:
        near = catalog.nearest_location(setup.target.region) or "global"
        return unless_held(f"Use: --region {near}", "region", near)
    try:
        catalog.model_id(alias, setup.target.region)
    except errors.OptionError:
        newest = catalog.newest(alias)
        served = newest.locations[0] if newest and newest.locations else None
        if served:
            return unless_held(f"Use: --region {served}", "region", served)
        return unless_held("Use: --model sonnet", "model")
    return _NAME_PROJECT


def _refused(error: errors.ClaudeError, setup: Setup) -> str:
    if error.status == 407:
        return _SET_PROXY
    if error.details.get("shape") in {"page", "text"} and error.status in PAGES_OF_OTHERS:
        return _without_base_url(setup) or SIGN_IN
    return _without_base_url(setup) or unless_held(
        "Use: --model haiku, to see whether only this model is affected", "model"
    )


_CONSENT = "an administrator gives the consent there"
_TERMS = "press Enable and accept the terms; a reseller of the billing account may have to allow it"

# The first that fits counts, so each kind comes before its root.
_CURES: tuple[
    tuple[tuple[type[errors.ClaudeError], ...], Callable[[errors.ClaudeError, Setup], str]], ...
] = (
    ((errors.LoginExpired,), _expired),
    ((errors.CredentialsError, errors.AuthenticationFailed), _login),
    ((errors.NetworkError,), _network),
    ((errors.DataSharingRequired,), lambda _, setup: _model_card(setup, _CONSENT)),
    ((errors.PermissionDenied,), _permission),
    ((errors.ModelNotEnabled,), lambda _, setup: _model_card(setup, _TERMS)),
    ((errors.ModelNotFound,), _model),
    ((errors.RateLimited, errors.Overloaded), _busy),
    ((errors.ServerError,), lambda *_: _STATUS),
    ((errors.StreamError,), lambda _, setup: _without_base_url(setup) or SIGN_IN),
    ((errors.JournalError,), _journal),
    ((errors.OptionError,), _option),
    ((errors.ClaudeError,), _refused),
)
