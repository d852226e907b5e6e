"""Why there is no token, judged by what came and not by the flag or the text of google-auth.

The value of a variable is quoted only where it is the path of a file: a user who pastes the key itself in its place
must not find it in an error, a log or a report.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.spelling import spelled
from vertex_claude_magic.text import character_name, quote, quote_path, reason_of, trimmed, without_home

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.transport.token_answers import TokenAnswer

__all__ = ["LOGIN", "login_cure", "no_credentials", "no_token", "unlike_a_path"]

LOGIN = "gcloud auth application-default login"
_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
# A path of usual names that ends in a file type; a token has no file type, and JSON has braces.
_PLAIN_PATH = re.compile(
    r"(?:~|\.{1,2}|[A-Za-z]:)?[\\/]?(?:[\w .+@()-]{1,64}[\\/])*[\w .+@()-]{1,64}\.\w{1,5}"
)
_LONGEST_PATH = 300
# The type in a credentials file, and the module of the class that google-auth 2.63 makes of it.
_MODULE_OF = {
    "service_account": "service_account",
    "external_account": "identity_pool",
    "external_account_authorized_user": "external_account_authorized_user",
    "impersonated_service_account": "impersonated_credentials",
}
_ACTS_FOR = (":generateAccessToken", ":generateIdToken", ":signBlob")
_WORKLOADS = {"identity_pool", "aws", "pluggable"}
# Google has no code for a wrong clock: it refuses what is signed an hour ago or in an hour by "invalid_grant" alone.
_CLOCK = "iat and exp"
_SIGN_IN = "Sign in to the network in a web browser, or check HTTPS_PROXY and the rules of the proxy; then ask again."


def login_cure() -> str:
    """Tell how to log in where we run: Colab has a way of its own."""
    if "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ:
        return "Run: from google.colab import auth; auth.authenticate_user()"
    return f"Run: {LOGIN}"


def unlike_a_path(value: str) -> str | None:
    """Say what is odd about the value of a variable that should be a path, without quoting it; None if nothing is.

    >>> unlike_a_path("/home/me/key.json")
    >>> unlike_a_path('{"type": "authorized_user"}')
    'it contains 27 characters that look like JSON, not like a path'
    >>> unlike_a_path("key.json\\n")
    'it ends in a line feed'
    """
    text = trimmed(value)
    if text.startswith(("{", "[")):
        return f"it contains {len(value)} characters that look like JSON, not like a path"
    if "-----BEGIN" in text:
        return f"it contains {len(value)} characters that look like a private key, not like a path"
    odd = next(
        (letter for letter in value if not letter.isprintable() or unicodedata.category(letter) == "Cf"), ""
    )
    if not odd and value != text:
        odd = value[0] if value[:1].isspace() else value[-1]
    if odd:
        where = "begins with" if value.startswith(odd) else "ends in" if value.endswith(odd) else "holds"
        return f"it {where} a {character_name(odd)}"
    if len(text) > _LONGEST_PATH or not _PLAIN_PATH.fullmatch(text):
        return f"its {len(value)} characters are not the path of a file"
    return None


def no_credentials(failure: Exception, file: Path, *, exists: bool) -> errors.CredentialsError:
    """Return the error for credentials that were not found or cannot be read.

    Args:
        failure: What google-auth raised.
        file: The file that it looked at.
        exists: Whether that file is there.
    """
    missing = _missing_source(_content(file).get("credential_source")) if exists else None
    if missing is not None:
        return missing
    # google-auth's text quotes the path, which may be the key itself, so it is used only where the file exists.
    reason = str(failure.args[0]) if failure.args and exists else ""
    why = quote(" ".join(reason.replace(str(file), "").split()), 90)
    value = os.environ.get(_VARIABLE)
    if value:
        odd = unlike_a_path(value)
        if exists:
            what = f"{_VARIABLE} points to {quote_path(str(file))!r}, which is not a usable credentials file ({why})."
        elif odd:
            what = f"{_VARIABLE} should be the path of a key file, but {odd}."
        else:
            what = f"{_VARIABLE} points to {quote_path(value)!r}, which does not exist."
        cure = f"Correct the variable or remove it, then {login_cure()[0].lower()}{login_cure()[1:]}"
        return errors.CredentialsNotFound(what, cure=cure)
    if exists:
        return errors.CredentialsNotFound(
            f"The credentials in {quote_path(str(file))} cannot be used ({why}).",
            cure=login_cure(),
        )
    return errors.CredentialsNotFound(
        "No Google credentials were found.",
        cure=f"{login_cure()} (or set {_VARIABLE}; %claude_demo needs none).",
    )


def no_token(
    failure: Exception, credentials: Credentials | None, answer: TokenAnswer | None, file: Path | None = None
) -> errors.ClaudeError:
    """Return the error for credentials that gave no token.

    Args:
        failure: What google-auth raised.
        credentials: Its credentials object, None if it was only being made.
        answer: The last answer to a request for a token, None if none was sent.
        file: The file that the credentials were being made from.
    """
    from google.auth import exceptions

    content = _content(file) if credentials is None else {}
    # What the module of the class is called, also of one that the file would have become.
    modules = {_MODULE_OF.get(str(content.get("type")), "")}
    if credentials is not None:
        modules = set(type(credentials).__module__.split("."))
    reason = quote(str(failure.args[0]) if failure.args else type(failure).__name__, 200)
    if answer is not None:
        elsewhere = _not_the_service(answer)
        if elsewhere is not None:
            return elsewhere
        if answer.path.endswith(_ACTS_FOR):
            who = "workload" if modules & _WORKLOADS else "account"
            return _not_impersonated(failure, credentials, answer.status, who)
        if answer.status == 404 and "compute_engine" not in modules:
            return errors.CredentialsError(
                f"{quote(answer.host, 80)} has no token service at {quote(answer.path, 80)} (404).",
                cure="Correct the token address in the credentials file, or log in again.",
                details={"host": answer.host, "status": answer.status},
            )
        return _refused(reason, credentials, modules)
    source = getattr(credentials, "_credential_source", None) or content.get("credential_source")
    if (missing := _missing_source(source)) is not None:
        return missing
    if isinstance(failure, exceptions.TransportError):
        return errors.NetworkError(
            f"Google's token service could not be reached ({reason}).",
            cure="Check the network and proxy settings (HTTPS_PROXY), and ask again.",
        )
    if not isinstance(failure, exceptions.GoogleAuthError):
        # What an odd file or answer provokes in google-auth; its text could quote the file.
        return errors.CredentialsError(
            f"The credentials could not be used ({type(failure).__name__}).", cure=login_cure()
        )
    return _refused(reason, credentials, modules)


def _content(file: Path | None) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes()) if file is not None else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _not_the_service(answer: TokenAnswer) -> errors.NetworkError | None:
    """Return the error for an answer that says nothing of the login; None for one of the token service itself."""
    host = quote(answer.host, 80)
    if answer.failure is not None:
        from vertex_claude_magic.transport.connection import CHECK_NETWORK, network_error

        named = network_error(answer.failure, host, answer.seconds)
        # How long is waited, google-auth decides, and no option of ours.
        cure = CHECK_NETWORK if isinstance(named, errors.DeadlineExceeded) else named.cure
        return errors.NetworkError(
            spelled("Google's token service could not be reached: {}", named.message),
            cure=spelled("{} Behind a proxy, set HTTPS_PROXY to its address.", cure),
            details=named.details,
        )
    if answer.status == 407:
        what = f"The proxy on the way to {host} asks for a login (407)."
        cure = "Set HTTPS_PROXY with the user name and password of the proxy, and ask again."
    elif answer.is_portal:
        what, cure = (
            f"A web page answered instead of the token service at {host} ({answer.status}).",
            _SIGN_IN,
        )
    elif answer.is_outage:
        busy = "has too many requests" if answer.status == 429 else "is not working at the moment"
        what, cure = f"The token service at {host} {busy} ({answer.status}).", "Ask again in a moment."
    elif 200 <= answer.status < 300:
        what, cure = f"{host} answered with something that is not a token ({answer.status}).", _SIGN_IN
    else:
        return None
    return errors.NetworkError(what, cure=cure, details={"host": answer.host, "status": answer.status})


def _not_impersonated(
    failure: Exception, credentials: Credentials | None, status: int, who: str
) -> errors.LoginExpired:
    """Return the error for a request to act for an account that was refused; `who` asked, and was known."""
    from vertex_claude_magic.transport.failures import consumer_of, read_failure

    account = _account(credentials) or "the service account"
    # google-auth's own text says no more than that there is no token; the service's stands behind it.
    answer = read_failure(status, str(failure.args[-1] if failure.args else "").encode())
    reason, run = quote(answer.message, 200), ""
    if status == 404:
        what, cure = f"{account} does not exist (404).", "Correct the name of the impersonated account."
    elif answer.reason == "SERVICE_DISABLED":
        what = f"The IAM Service Account Credentials API is not enabled ({reason})."
        project = consumer_of(answer) or "ID"
        cure = run = f"Run: gcloud services enable iamcredentials.googleapis.com --project {project}"
    elif status == 403:
        what = f"The {who} may not act for {account} ({reason})."
        cure = f"Grant roles/iam.serviceAccountTokenCreator on it to the {who}."
    else:
        what = f"Google did not accept the request to act for {account} ({reason})."
        cure = "Check the account and its scopes in the credentials."
    return errors.LoginExpired(what, cure=cure, details={"kind": "impersonated service account", "run": run})


def _account(credentials: Credentials | None) -> str:
    return quote(str(getattr(credentials, "service_account_email", "") or ""), 80)


def _missing_source(source: Json) -> errors.CredentialsError | None:
    """Name the file of a workload's own token if it cannot be read; no login of a person helps there."""
    file = source.get("file") if isinstance(source, dict) else None
    if not isinstance(file, str):
        return None
    try:
        with Path(file).open("rb"):
            return None
    except FileNotFoundError:
        why = "does not exist"
    except OSError as failure:
        why = f"cannot be read ({reason_of(failure)})"
    return errors.CredentialsError(
        f"The token file of the workload, {quote_path(without_home(file))}, {why}.",
        cure="Have the workload write its token there, or correct credential_source in the credentials file.",
        details={"kind": "workload identity"},
    )


def _refused(reason: str, credentials: Credentials | None, modules: set[str]) -> errors.LoginExpired:
    acted_for = ""
    if (source := getattr(credentials, "_source_credentials", None)) is not None:
        # It is the login behind it that was refused.
        acted_for, credentials, modules = (
            _account(credentials),
            source,
            set(type(source).__module__.split(".")),
        )
    if _CLOCK in reason:
        return errors.LoginExpired(
            f"Google refused what was signed with the service account's key ({reason}).",
            cure="Set the clock of this machine, whose time is signed too; %claude_doctor tells how far it is off.",
            details={"kind": "service account"},
        )
    if "service_account" in modules:
        return errors.LoginExpired(
            f"Google refused the service account's key ({reason}).",
            cure=f"Check that {_account(credentials) or 'the account'} and its key still exist, "
            "or name a new key file in GOOGLE_APPLICATION_CREDENTIALS.",
            details={"kind": "service account"},
        )
    for kinds, kind, what, cure in _NOT_PERSONS:
        if modules & kinds:
            return errors.LoginExpired(f"{what} ({reason}).", cure=cure, details={"kind": kind})
    run = login_cure()
    if acted_for:
        account = shlex.quote(acted_for)
        run = f"Run: gcloud auth application-default login --impersonate-service-account={account}"
    elif "external_account_authorized_user" in modules:
        run = f"Run: {LOGIN} (with --login-config FILE where gcloud does not know the login of your organization)"
    return errors.LoginExpired(
        f"Google asks for a new login ({reason}).",
        cure=f"{run}, and ask again; no restart is needed.",
        details={"kind": "user login", "run": run},
    )


# Credentials that no login of a person renews, by the module of their class in google-auth 2.62, and their kind
# as `identity` names it.
_NOT_PERSONS = (
    ({"compute_engine"}, "service account of this machine", "The metadata server of this machine gives no token",
     "Check that the machine has a service account with the cloud-platform scope."),
    (_WORKLOADS, "workload identity", "Google refused the identity of the workload",
     "Check the credential source and the workload identity pool in the credentials file."),
)  # fmt: skip
