"""Credential files of every kind that google-auth reads, all pointing at the emulator.

The layouts follow google-auth 2.62 and its documentation of application default credentials. The
private key is made on this machine, once a process, and opens nothing but the emulator.
"""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from google.auth.transport.requests import Request

__all__ = ["EMAIL", "CredentialKind", "google_request", "public_key", "write_credentials"]

CredentialKind = Literal[
    "service_account", "authorized_user", "external_account", "impersonated_service_account"
]
EMAIL = "emulator@emulator-project.iam.gserviceaccount.com"
# Made up, and the same in the files and at the endpoints: a request with anything else is refused.
CLIENT_ID = "emulator.apps.googleusercontent.com"
CLIENT_SECRET = "emulator-client-secret"  # noqa: S105 - opens nothing but the emulator
REFRESH_TOKEN = "emulator-refresh-token"  # noqa: S105 - opens nothing but the emulator
SUBJECT_TOKEN = "emulator-subject-token"  # noqa: S105 - opens nothing but the emulator
_AUDIENCE = (
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/emulator/providers/emulator"
)


_key_lock = threading.Lock()
_keys: list[RSAPrivateKey] = []


def _private_key() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    # Emulators that start in several threads at once must agree on one key.
    with _key_lock:
        if not _keys:
            _keys.append(rsa.generate_private_key(public_exponent=65537, key_size=2048))
        return _keys[0]


def public_key() -> str:
    """The public half of the service account's key, as PEM."""
    from cryptography.hazmat.primitives import serialization as form

    public = _private_key().public_key()
    return public.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo).decode()


def write_credentials(kind: CredentialKind, *, origin: str, project: str, folder: Path) -> Path:
    """Write a credential file, readable by this user only, and return its path."""
    user = {
        "type": "authorized_user",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
        "quota_project_id": project,
        "universe_domain": "googleapis.com",
    }
    impersonation = f"{origin}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    info: dict[str, Any]
    if kind == "authorized_user":
        info = user
    elif kind == "service_account":
        # Only this kind has a key, and only keys need cryptography.
        from cryptography.hazmat.primitives import serialization as form

        key = _private_key().private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        info = {
            "type": kind,
            "project_id": project,
            "private_key_id": "emulator",
            "private_key": key.decode(),
            "client_email": EMAIL,
            "client_id": "1",
            "token_uri": f"{origin}/token",
            "universe_domain": "googleapis.com",
        }
    elif kind == "external_account":
        info = {
            "type": kind,
            "audience": _AUDIENCE,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{origin}/v1/token",
            "service_account_impersonation_url": impersonation,
            "credential_source": {"file": str(_write(folder / "subject-token", SUBJECT_TOKEN))},
            "universe_domain": "googleapis.com",
        }
    else:
        info = {
            "type": kind,
            "service_account_impersonation_url": impersonation,
            "source_credentials": user,
            "delegates": [],
            "quota_project_id": project,
        }
    return _write(folder / f"{kind}.json", json.dumps(info, indent=2))


def _write(file: Path, text: str) -> Path:
    # Made for this user only from the start: a change of mode afterwards would leave a moment.
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    return file


def google_request(origin: str) -> Request:
    """A google-auth transport that sends requests for Google to the emulator.

    User credentials and impersonation have Google's addresses fixed in google-auth; with this
    transport they can be tried all the same. Nothing that goes through it reaches Google.
    """
    from urllib.parse import urlsplit

    from google.auth.transport import requests as transport

    # google-auth takes the address from itself and not from the credential file.
    class LoopbackRequest(transport.Request):  # type: ignore[misc]
        def __call__(self, url: str, *args: Any, **options: Any) -> Any:
            parts = urlsplit(url)
            target = f"{origin}{parts.path}" + (f"?{parts.query}" if parts.query else "")
            return super().__call__(target, *args, **options)

    request: Request = LoopbackRequest()
    return request
