#!/usr/bin/env bash
# google-auth 2.63.0: `Credentials.to_json` leaves out the quota project, so that a login that was saved and loaded
# again no longer names the project that is charged.
#
# Expected: what was saved is what is loaded. The docstring of `to_json` says that what it returns can be passed to
# `from_authorized_user_info`, and that one reads a `quota_project_id`, which `gcloud auth application-default login`
# writes. Credentials of the kind external_account_authorized_user have it in their JSON.
#
# Happens: the loaded login has the same token and refresh token and no quota project. Requests go out without the
# header `x-goog-user-project`. A client-based API then refuses them or counts them in a shared project ("Set the quota
# project" in Google's documentation). With pickle it stays. Nothing warns.
#
# Concerns: programs that keep a login as JSON in a file, a secret or a session, as Google's own quickstarts do with
# token.json, and start from application default credentials or from `with_quota_project`. A way out is to save
# `quota_project_id` beside it and to call `with_quota_project` after loading.
#
# Known? Not found in the project's issues (searched 2026-11);
# https://github.com/googleapis/google-cloud-python/issues/15226 asks for a clearer documentation of `to_json`.
#
# This product saves no credentials, and sends the quota project of those that it is given (transport/auth.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "google-auth==2.63.0" "cryptography==50.0.2"

"$folder/venv/bin/python" - <<'PYTHON'
import datetime
import json
import pickle
import sys
from importlib.metadata import version

import google.auth
from google.auth import external_account_authorized_user
from google.oauth2.credentials import Credentials

print("google-auth", version("google-auth"))
# What `gcloud auth application-default login` writes.
login, _ = google.auth.load_credentials_from_dict({
    "type": "authorized_user", "client_id": "a-client", "client_secret": "a-secret", "refresh_token": "a-refresh-token",
    "quota_project_id": "my-project",
})  # fmt: skip
login.token, login.expiry = "a-token", datetime.datetime(2100, 1, 1)


def sent(credentials):
    headers = {}
    credentials.before_request(None, "GET", "https://storage.googleapis.com/storage/v1/b", headers)
    return headers


loaded = Credentials.from_authorized_user_info(json.loads(login.to_json()))
other = external_account_authorized_user.Credentials(
    token="a-token", expiry=login.expiry, refresh_token="a-refresh-token", audience="an-audience", client_id="a-client",
    client_secret="a-secret", token_url="https://sts.googleapis.com/v1/oauthtoken", quota_project_id="my-project",
)  # fmt: skip
kept = {
    "the login": login,
    "by pickle": pickle.loads(pickle.dumps(login)),
    "external, by JSON": external_account_authorized_user.Credentials.from_info(json.loads(other.to_json())),
    "by JSON": loaded,
}
found = {}
for name, credentials in kept.items():
    headers = sent(credentials)
    found[name] = (headers["authorization"], headers.get("x-goog-user-project"))
    print(f"{name:18} valid {credentials.valid}, charged to {found[name][1]}")
print("in the JSON:", sorted(json.loads(login.to_json())))
if [found.pop("by JSON"), loaded.refresh_token] != [("Bearer a-token", None), "a-refresh-token"]:
    sys.exit("No longer as described: the loaded login has its quota project.")
if set(found.values()) != {("Bearer a-token", "my-project")}:
    sys.exit("No longer as described: the others have lost it too.")
print("As described: the login that went through JSON names no project.")
PYTHON
