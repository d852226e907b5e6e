"""Whose credentials are in use, where they were found and until when their token is good; never the token.

What google-auth's classes tell differs from kind to kind; here it becomes one value.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from google.auth.credentials import Credentials

__all__ = ["Identity", "external_token_url", "identify", "metadata_server"]

_IAM = "https://iamcredentials.googleapis.com"
# By the module of the class in google-auth 2.63.
_KINDS = {
    "service_account": "service account",
    "compute_engine": "service account of this machine",
    "impersonated_credentials": "impersonated service account",
    "identity_pool": "workload identity",
    "aws": "workload identity",
    "pluggable": "workload identity",
    "external_account_authorized_user": "workforce login",
    "credentials": "user login",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Credentials as people speak of them.

    Args:
        kind: What they are, such as "service account" or "user login".
        source: Where they were found.
        account: The email address of the account, or None where the credentials do not tell.
        quota_project: The project that quotas are counted against, if the credentials name one.
        expires: When the present token ends, with its time zone; None where there is none or it does not end.
        renewed_at: The address that gives a new token; None if there is none, or if the code that made the
            credentials sees to that.
    """

    kind: str
    source: str
    account: str | None = None
    quota_project: str | None = None
    expires: datetime | None = None
    renewed_at: str | None = None


def identify(credentials: Credentials, source: str) -> Identity:
    """Read off a google-auth credentials object what may be shown of it.

    >>> class Given:
    ...     service_account_email = "robot@p.iam.gserviceaccount.com"
    >>> identify(Given(), "passed in code").account
    'robot@p.iam.gserviceaccount.com'
    """
    modules = type(credentials).__module__.split(".")
    kind = next((_KINDS[name] for name in reversed(modules) if name in _KINDS), type(credentials).__name__)
    email = getattr(credentials, "service_account_email", None) or getattr(credentials, "account", None)
    expiry = getattr(credentials, "expiry", None)
    if "compute_engine" in modules:
        renewed_at: str | None = metadata_server()
    elif "impersonated_credentials" in modules:
        renewed_at = _IAM
    else:
        found = (getattr(credentials, name, None) for name in ("token_uri", "_token_uri", "_token_url"))
        renewed_at = next((address for address in found if isinstance(address, str)), None)
    return Identity(
        kind=kind,
        source=source,
        # Until its first token, the account of a machine is only called "default".
        account=str(email) if email and email != "default" else None,
        quota_project=getattr(credentials, "quota_project_id", None),
        # google-auth has naive times of UTC.
        expires=expiry.replace(tzinfo=timezone.utc) if isinstance(expiry, datetime) else None,
        renewed_at=renewed_at,
    )


def metadata_server() -> str:
    """Return the address of the metadata server, as google-auth finds it."""
    return f"http://{os.environ.get('GCE_METADATA_HOST') or 'metadata.google.internal'}"


def external_token_url(file: Path) -> str | None:
    """Return the token service of an external account's file; None for every other file."""
    try:
        content = json.loads(file.read_bytes())
        external = str(content["type"]).startswith("external_account")
        return str(content["token_url"]) if external else None
    except (OSError, ValueError, LookupError, TypeError):
        return None
