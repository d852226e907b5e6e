"""Google's side: the OAuth token endpoint, the metadata server, STS and IAM credentials.

Enough of each for google-auth to work unchanged: JWT bearer and refresh token grants (RFC 7523 and
RFC 6749), token exchange (RFC 8693), `generateAccessToken`, and the paths of the Compute Engine
metadata server that google-auth 2.62 asks. Tokens live `token_lifetime` seconds.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from vertex_claude_magic.emulator.google import credentials
from vertex_claude_magic.emulator.http.response import Received, Response, json_response
from vertex_claude_magic.emulator.messages.problems import REFUSED_TOKEN, google_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vertex_claude_magic.emulator.google.setup_problems import Denial
    from vertex_claude_magic.emulator.messages.problems import Problem
    from vertex_claude_magic.json_types import Json

__all__ = ["Google"]

_FIXED_TOKEN = "emulator"  # noqa: S105 - a word that opens nothing but the emulator
_IAM = "/v1/projects/-/serviceAccounts/"
_METADATA = "/computeMetadata/v1/"
# google-auth takes an answer without this header for one of a strange server.
_FLAVOR = {"Metadata-Flavor": "Google", "Server": "Metadata Server for VM"}
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# google-auth signs assertions for this audience, whatever token_uri the key file names (2.62.2).
_GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
_PROJECT = re.compile(r"/v1/projects/[^/:]+")
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_ISSUED = "urn:ietf:params:oauth:token-type:access_token"
_NO_TOKEN = google_error(
    401,
    "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or "
    "other valid authentication credential.",
    reason="CREDENTIALS_MISSING",
)
# The answers of the token endpoint as users reported them (2025 and 2026).
_DENIALS = {
    "revoked": {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
    "reauth": {
        "error": "invalid_grant",
        "error_description": "reauth related error (invalid_rapt)",
        "error_subtype": "invalid_rapt",
    },
    "clock": {
        "error": "invalid_grant",
        "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
        "timeframe. Check your iat and exp values in the JWT claim.",
    },
}


@dataclass(kw_only=True, eq=False)
class Google:
    """Issues tokens and knows which of them are good.

    Args:
        origin: The emulator's own scheme, host and port.
        project: The only project that it knows.
        clock: Seconds that never run backwards.
        token_lifetime: Seconds that a token issued from now on is good for.
        denial: `revoked`, `reauth` or `clock` to refuse every new token the way Google does, `malformed`
            to give tokens that no header can carry, or None.
    """

    origin: str
    project: str
    clock: Callable[[], float] = time.monotonic
    token_lifetime: float = 3600.0
    denial: Denial | None = None
    _until: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def accepts(self, token: str) -> bool:
        """Whether a bearer token is the fixed one or one that was issued here and has not expired.

        >>> Google(origin="http://127.0.0.1:1", project="p").accepts("emulator")
        True
        """
        with self._lock:
            return token == _FIXED_TOKEN or self._until.get(token, 0.0) > self.clock()

    def unauthenticated(self, received: Received) -> Problem | None:
        """Tell why the bearer token of a request is not accepted, or return None."""
        scheme, _, token = received.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.accepts(token):
            return None
        return REFUSED_TOKEN if token else _NO_TOKEN

    def expire_tokens(self) -> None:
        """Refuse every token that was issued so far."""
        with self._lock:
            self._until.clear()

    def handle(self, received: Received) -> Response | None:
        """Answer a request that is for Google, or return None."""
        path, posted = received.path, received.method == "POST"
        # The token endpoint of OAuth, and that of the Security Token Service.
        if path in {"/token", "/v1/token"} and posted:
            return self._grant(dict(parse_qsl(received.raw.decode("latin-1"))))
        if path.endswith("/allowedLocations"):
            # Newer google-auth asks where an account may be used; 0x0 means anywhere.
            return json_response({"locations": [], "encodedLocations": "0x0"})
        if path.startswith(_IAM):
            if not path.endswith(":generateAccessToken") or not posted:
                return google_error(404, "Method not found.").response()
            if (refused := self.unauthenticated(received)) is not None:
                return refused.response()
            if self.denial in _DENIALS:
                text = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
                return google_error(403, text, reason="IAM_PERMISSION_DENIED").response()
            issued, seconds = self._issue()
            expires = datetime.now(timezone.utc) + timedelta(seconds=seconds)
            return json_response(
                {"accessToken": issued, "expireTime": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}
            )
        if _PROJECT.fullmatch(path):
            # Where google-auth learns the project of an external account, by its number.
            refused = self.unauthenticated(received)
            known = {"projectNumber": "1", "projectId": self.project, "lifecycleState": "ACTIVE"}
            return json_response(known) if refused is None else refused.response()
        if path == "/" or path.startswith(_METADATA):
            return self._metadata(received)
        return None

    def _issue(self) -> tuple[str, int]:
        # Tokens of Google begin so; tools that look for secrets know them by it.
        token = "ya29.emulator-" + secrets.token_urlsafe(24) + ("\n" if self.denial == "malformed" else "")
        with self._lock:
            self._until[token] = self.clock() + self.token_lifetime
        return token, int(self.token_lifetime)

    def _token(self, more: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Response:
        token, seconds = self._issue()
        body: dict[str, Json] = {"access_token": token, "expires_in": seconds, "token_type": "Bearer", **more}
        return json_response(body, headers=headers)

    def _grant(self, form: Mapping[str, str]) -> Response:
        if self.denial in _DENIALS:
            return json_response(_DENIALS[self.denial], 400)
        grant, refused = form.get("grant_type"), None
        issued = {"scope": _SCOPE}
        if grant == _JWT_GRANT:
            from google.auth import jwt

            key, audience = credentials.public_key(), [f"{self.origin}/token", _GOOGLE_AUDIENCE]
            try:
                claims = jwt.decode(form.get("assertion", ""), certs=key, audience=audience)
            except ValueError:
                return _refuse("invalid_grant", "Invalid JWT Signature.")
            if claims.get("iss") != credentials.EMAIL:
                refused = _refuse("invalid_grant", "Invalid grant: account not found")
            elif not claims.get("scope"):
                refused = _refuse("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        elif grant == "refresh_token":
            client = (form.get("client_id"), form.get("client_secret"))
            if client != (credentials.CLIENT_ID, credentials.CLIENT_SECRET):
                refused = _refuse("invalid_client", "The OAuth client was not found.", 401)
            elif form.get("refresh_token") != credentials.REFRESH_TOKEN:
                refused = _refuse("invalid_grant", "Bad Request")
        elif grant == _EXCHANGE_GRANT:
            issued["issued_token_type"] = _ISSUED
            if form.get("subject_token") != credentials.SUBJECT_TOKEN:
                refused = _refuse("invalid_grant", "The subject token is not one that the emulator wrote.")
        else:
            refused = _refuse("unsupported_grant_type", "Invalid grant_type")
        return refused or self._token(issued)

    def _metadata(self, received: Received) -> Response:
        if received.headers.get("metadata-flavor") != "Google":
            return _plain("Missing Metadata-Flavor:Google header.", 403)
        name = received.path.removeprefix(_METADATA).rstrip("/")
        account, _, rest = name.removeprefix("instance/service-accounts/").partition("/")
        if name.startswith("instance/service-accounts/") and account in {"default", credentials.EMAIL}:
            if not rest and "recursive" in received.query:
                info = {"aliases": ["default"], "email": credentials.EMAIL, "scopes": [_SCOPE]}
                return json_response(info, headers=_FLAVOR)
            if rest == "token" and self.denial in _DENIALS:
                return _plain("Service account not enabled on this instance", 403)
            if rest == "token":
                return self._token({}, _FLAVOR)
            known = {"": "aliases\nemail\nscopes\ntoken\n", "email": credentials.EMAIL, "scopes": _SCOPE}
            return _plain(known[rest]) if rest in known else _plain("Not Found", 404)
        known = {
            "": "computeMetadata/",
            "/": "computeMetadata/",
            "project/project-id": self.project,
            "project/numeric-project-id": "1",
            "instance/zone": "projects/1/zones/us-east5-a",
            "universe/universe-domain": "googleapis.com",
        }
        return _plain(known[name]) if name in known else _plain("Not Found", 404)


def _refuse(error: str, description: str, status: int = 400) -> Response:
    return json_response({"error": error, "error_description": description}, status)


def _plain(text: str, status: int = 200) -> Response:
    return Response(status=status, pieces=(text.encode(),), content_type="application/text", headers=_FLAVOR)
