"""Real google-auth against the emulator: every kind of credentials, expiry and revocation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import google.auth
import google.auth.exceptions
import google.oauth2.credentials
import pytest
import requests
from google.auth import jwt
from google.auth.crypt import RSASigner

from vertex_claude_magic.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
KINDS = ["service_account", "authorized_user", "external_account", "impersonated_service_account"]
BODY = {"model": "claude-sonnet-5", "messages": [{"role": "user", "content": "Hello"}]}
AMBIENT = [
    "GOOGLE_CLOUD_PROJECT",
    "GCLOUD_PROJECT",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "GOOGLE_APPLICATION_CREDENTIALS",
]


@pytest.fixture
def emulator(monkeypatch) -> Iterator[Emulator]:
    for name in AMBIENT:
        monkeypatch.delenv(name, raising=False)
    with Emulator() as emulator:
        yield emulator


def login(emulator: Emulator, kind: str, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(emulator.credentials_file(kind)))
    return google.auth.default(scopes=SCOPES, request=emulator.google_request())


def count(emulator: Emulator, token: str) -> int:
    url = f"{emulator.base_url}/projects/{emulator.project}/locations/global/publishers/anthropic/models/count-tokens:rawPredict"
    return requests.post(
        url, json=BODY, headers={"Authorization": f"Bearer {token}"}, timeout=120
    ).status_code


@pytest.mark.parametrize("kind", KINDS)
def test_credentials_of_each_kind_get_a_token_that_is_accepted(emulator, kind, monkeypatch):
    credentials, _ = login(emulator, kind, monkeypatch)
    credentials.refresh(emulator.google_request())
    assert credentials.valid
    assert count(emulator, credentials.token) == 200


def test_the_key_file_of_the_environment_needs_no_special_transport(emulator, monkeypatch):
    from google.auth.transport.requests import Request

    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    credentials, project = google.auth.default(scopes=SCOPES)
    credentials.refresh(Request())
    assert project == emulator.project
    assert count(emulator, credentials.token) == 200


@pytest.mark.parametrize("kind", KINDS[:2])
def test_an_expired_token_is_refused_until_it_is_refreshed(emulator, kind, monkeypatch):
    credentials, _ = login(emulator, kind, monkeypatch)
    credentials.refresh(emulator.google_request())
    emulator.google.expire_tokens()
    assert count(emulator, credentials.token) == 401
    credentials.refresh(emulator.google_request())
    assert count(emulator, credentials.token) == 200


def test_the_lifetime_of_a_token_can_be_set(emulator, monkeypatch):
    emulator.google.token_lifetime = 0
    credentials, _ = login(emulator, "service_account", monkeypatch)
    credentials.refresh(emulator.google_request())
    assert credentials.expired
    assert count(emulator, credentials.token) == 401


@pytest.mark.parametrize("kind", KINDS)
def test_a_revoked_login_is_a_refresh_error(emulator, kind, monkeypatch):
    credentials, _ = login(emulator, kind, monkeypatch)
    emulator.google.denial = "revoked"
    with pytest.raises(google.auth.exceptions.RefreshError, match=r"invalid_grant|getAccessToken"):
        credentials.refresh(emulator.google_request())


def test_a_login_that_must_be_repeated_says_so(emulator, monkeypatch):
    credentials, _ = login(emulator, "authorized_user", monkeypatch)
    emulator.google.denial = "reauth"
    with pytest.raises(google.auth.exceptions.RefreshError, match="Reauthentication is needed"):
        credentials.refresh(emulator.google_request())


def test_an_external_account_learns_its_project(emulator, monkeypatch):
    _, project = login(emulator, "external_account", monkeypatch)
    assert project == emulator.project


def test_user_credentials_carry_their_quota_project(emulator, monkeypatch):
    credentials, _ = login(emulator, "authorized_user", monkeypatch)
    assert credentials.quota_project_id == emulator.project


def refresh_form(**change: str) -> dict[str, str]:
    form = {
        "grant_type": "refresh_token",
        "client_id": "emulator.apps.googleusercontent.com",
        "client_secret": "emulator-client-secret",
        "refresh_token": "emulator-refresh-token",
    }
    return {**form, **change}


GRANTS = [
    ("/token", refresh_form(), 200, None),
    ("/token", refresh_form(refresh_token="stolen"), 400, "invalid_grant"),
    ("/token", refresh_form(client_id="other"), 401, "invalid_client"),
    ("/token", {"grant_type": "password"}, 400, "unsupported_grant_type"),
    ("/token", {}, 400, "unsupported_grant_type"),
    ("/token", {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.b.c"}, 400, "invalid_grant"),
    ("/token", {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}, 400, "invalid_grant"),
    ("/v1/token", {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": "x"}, 400, "invalid_grant"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "form", "status", "error"), GRANTS, ids=range(len(GRANTS)))
def test_only_grants_that_were_given_are_honoured(emulator, path, form, status, error):
    response = requests.post(emulator.origin + path, data=form, timeout=120)
    assert (response.status_code, response.json().get("error")) == (status, error)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"aud": "https://example.com/token"}, "invalid_grant"),
        ({"exp": 1, "iat": 0}, "invalid_grant"),
        ({"iss": "somebody@example.com"}, "invalid_grant"),
        ({"scope": ""}, "invalid_scope"),
        ({}, None),
    ],
    ids=str,
)
def test_an_assertion_must_be_addressed_here_be_fresh_and_have_a_scope(emulator, change, error):
    info = json.loads(emulator.credentials_file().read_text())
    signer = RSASigner.from_service_account_info(info)
    now = time.time()
    claims = {
        "iss": info["client_email"],
        "aud": info["token_uri"],
        "iat": int(now),
        "exp": int(now) + 600,
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        **change,
    }
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": jwt.encode(signer, claims).decode(),
    }
    response = requests.post(emulator.origin + "/token", data=form, timeout=120)
    assert response.json().get("error") == error


def test_impersonation_needs_a_token_of_the_emulator(emulator):
    url = f"{emulator.base_url}/projects/-/serviceAccounts/somebody@example.com:generateAccessToken"
    response = requests.post(
        url, json={"scope": SCOPES}, headers={"Authorization": "Bearer foreign"}, timeout=120
    )
    assert response.json()["error"]["status"] == "UNAUTHENTICATED"


def test_the_account_may_be_used_anywhere(emulator):
    url = f"{emulator.base_url}/projects/-/serviceAccounts/somebody@example.com/allowedLocations"
    assert requests.get(url, timeout=120).json()["encodedLocations"] == "0x0"


METADATA = [
    ("project/project-id", 200, "emulator-project"),
    ("instance/service-accounts/default/email", 200, "emulator@emulator-project.iam.gserviceaccount.com"),
    ("universe/universe-domain", 200, "googleapis.com"),
    ("instance/service-accounts/default/nothing", 404, "Not Found"),
    ("instance/service-accounts/other/token", 404, "Not Found"),
    ("nothing", 404, "Not Found"),
]


@pytest.mark.parametrize(("path", "status", "text"), METADATA)
def test_the_metadata_server_answers_by_path(emulator, path, status, text):
    response = requests.get(
        f"{emulator.origin}/computeMetadata/v1/{path}", headers={"Metadata-Flavor": "Google"}, timeout=120
    )
    assert (response.status_code, response.text) == (status, text)
    assert response.headers["Metadata-Flavor"] == "Google"


def test_the_metadata_server_wants_its_header(emulator):
    response = requests.get(f"{emulator.origin}/computeMetadata/v1/project/project-id", timeout=120)
    assert response.status_code == 403


METADATA_LOGIN = """
import google.auth, google.auth.exceptions
from google.auth.transport.requests import Request
credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
try:
    credentials.refresh(Request())
except google.auth.exceptions.RefreshError:
    print("refused")
else:
    print(type(credentials).__module__, project, credentials.service_account_email, credentials.token)
"""


def on_compute_engine(emulator: Emulator, home: Path) -> list[str]:
    host = emulator.origin.removeprefix("http://")
    environment = {
        "GCE_METADATA_HOST": host,
        "GCE_METADATA_IP": host,
        "CLOUDSDK_CONFIG": str(home),
        "HOME": str(home),
        "PATH": "",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-W", "error", "-c", METADATA_LOGIN]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


def test_the_metadata_server_logs_in_a_machine_of_compute_engine(emulator, tmp_path):
    """In a process of its own, because google-auth reads the server's address when it is imported."""
    module, project, email, token = on_compute_engine(emulator, tmp_path)
    assert module == "google.auth.compute_engine.credentials"
    assert (project, email) == (emulator.project, "emulator@emulator-project.iam.gserviceaccount.com")
    assert count(emulator, token) == 200


def test_the_metadata_server_refuses_a_disabled_account(emulator, tmp_path):
    emulator.google.denial = "revoked"
    assert on_compute_engine(emulator, tmp_path) == ["refused"]


def test_emulators_started_in_several_threads_share_one_key():
    """A key file of one is good for all of them, whichever thread asked for the key first."""
    script = """
import threading
from vertex_claude_magic.emulator.google.credentials import public_key
keys, ready = [], threading.Barrier(8)
def make():
    ready.wait()
    keys.append(public_key())
threads = [threading.Thread(target=make) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(keys), len(set(keys)))
"""
    # A process of its own, because the key is made once in each.
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["8", "1"]
