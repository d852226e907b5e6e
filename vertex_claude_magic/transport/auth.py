"""Google credentials: found late, looked up once, refreshed once for all threads, read again after a login.

`google.auth.default()` may start gcloud and may wait for a metadata server that is not there, so
nothing here runs before the first request, and it is called in a thread that can be left.
Tokens live in google-auth's objects and in the headers of one request; nowhere else.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic import errors
from vertex_claude_magic.process import at_fork, ignored_warnings, refuse_copies
from vertex_claude_magic.settings.pasted import refuse_pasted
from vertex_claude_magic.text import trimmed, with_home
from vertex_claude_magic.vertex.endpoint import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.auth.credentials import Credentials
    from google.auth.transport import Request

    from vertex_claude_magic.transport.identity import Identity
    from vertex_claude_magic.transport.token_answers import WatchedRequest

__all__ = ["ANOTHER_TOKEN", "ApplicationDefault", "Authorizer", "FixedToken", "gcloud_folder"]

# What helps where a token was given: no login changes it.
ANOTHER_TOKEN = "Give another access_token, or none to use the Google credentials of this machine."  # noqa: S105 - none

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Authorizer(Protocol):
    """What the transport asks of credentials; each method may block, and may be called by any thread."""

    def headers(self) -> dict[str, str]:
        """Return the headers that authorise a request, a fresh token among them."""

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Get a new token because this one was refused with 401; False if there is none."""

    def project(self) -> str | None:
        """Return the project that the credentials name, if they name one."""

    def identity(self, *, renew: bool = False) -> Identity:
        """Return whose credentials these are, after getting a new token if `renew`."""

    def apart(self) -> Authorizer:
        """Return the same credentials with a state of their own, to be tried without touching these."""


class FixedToken:
    """A token that is known beforehand and never renewed, such as the emulator's.

    >>> FixedToken("emulator")
    FixedToken(***)
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def __repr__(self) -> str:
        return "FixedToken(***)"

    __reduce__ = refuse_copies("A FixedToken", "Pass the token in the other process instead.")

    def headers(self) -> dict[str, str]:
        """Return the Authorization header."""
        return _checked({"authorization": f"Bearer {self._token}"}, cure=ANOTHER_TOKEN)

    def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002 - the protocol has it
        """Return False: there is no other token."""
        return False

    def project(self) -> str | None:
        """Return None: a bare token names no project."""
        return None

    def identity(self, *, renew: bool = False) -> Identity:  # noqa: ARG002 - the protocol has it
        """Return whose credentials these are; a bare token does not say."""
        from vertex_claude_magic.transport.identity import Identity

        self.headers()
        return Identity(kind="fixed token", source="given as access_token")

    def apart(self) -> FixedToken:
        """Return this object: it has no state."""
        return self


class ApplicationDefault:
    """Google's application default credentials, of every kind that google-auth supports.

    Args:
        credentials: A google-auth credentials object to use instead of looking for one.
        request: Makes the `google.auth.transport.Request` that refreshes tokens; for tests and proxies.

    One lock guards all: a token is refreshed once, however many threads ask. If a credentials file or the variable
    that names it changes, as it does after a new login, the credentials are read again.
    """

    def __init__(
        self, *, credentials: Credentials | None = None, request: Callable[[], Request] | None = None
    ) -> None:
        if credentials is not None:
            from google.auth.credentials import with_scopes_if_required

            # Google gives the key of a service account no token without a scope.
            credentials = with_scopes_if_required(credentials, [SCOPE])
        self._given = credentials
        self._make_request = request or _google_request
        self._watched: WatchedRequest | None = None
        self._project: str | None = None
        self._begin_anew()
        at_fork(self, child=ApplicationDefault._begin_anew)

    __reduce__ = refuse_copies("An ApplicationDefault", "Create a Claude client in the other process.")

    @property
    def found_by_itself(self) -> bool:
        """Whether another process would find the same credentials: nothing was handed over in code."""
        return self._given is None and self._make_request is _google_request

    def _begin_anew(self) -> None:
        # Read anew: the parent may refresh its token, or end it, at any time. An object that was handed over in code
        # cannot be read anew, and refreshes its token itself.
        self._lock = threading.Lock()
        self._credentials: Any = None
        self._read_from: tuple[Any, ...] | None = None

    def __repr__(self) -> str:
        kind = (
            type(self._credentials or self._given).__name__
            if self._credentials or self._given
            else "not read yet"
        )
        return f"ApplicationDefault({kind})"

    def headers(self) -> dict[str, str]:
        """Return the Authorization header, and the quota project's header if the credentials have one.

        Raises:
            CredentialsNotFound: there are no credentials.
            LoginExpired: Google no longer accepts them.
            NetworkError: the token endpoint could not be reached.
            OptionError: their quota project seems to be a secret.
        """
        with self._lock:
            self._load()
            return _checked(self._apply())

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Get a new token, unless another thread has already replaced the refused one."""
        with self._lock:
            self._load()
            if f"Bearer {self._credentials.token}" != refused.get("authorization"):
                return True
            if self._given is not None:
                self._refresh()
            else:
                # Read anew, not refreshed: credentials made from others keep the dead tokens of those.
                self._credentials = None
                self._load()
            return True

    def project(self) -> str | None:
        """Return the project of the credentials, then their quota project, then None."""
        with self._lock:
            self._load(whole=True)
            return self._project or getattr(self._credentials, "quota_project_id", None)

    def identity(self, *, renew: bool = False) -> Identity:
        """Return whose credentials these are and where they were found; raises what `headers` raises.

        Args:
            renew: Get a new token first, although the present one may still be good.
        """
        from vertex_claude_magic.transport.identity import identify

        with self._lock:
            self._load()
            if renew:
                self._refresh()
                _checked(self._apply())
            found = identify(self._credentials, self._source())
            # Who brings a way to Google of their own knows where it leads.
            return found if self._make_request is _google_request else replace(found, renewed_at=None)

    def _source(self) -> str:
        if self._given is not None:
            return "passed in code"
        if "compute_engine" in type(self._credentials).__module__:
            return "the metadata server of this machine"
        file, _ = _credential_file()
        named = _explicit_file()
        return f"GOOGLE_APPLICATION_CREDENTIALS, {file}" if named else f"gcloud's login file, {file}"

    def apart(self) -> ApplicationDefault:
        """Return new credentials, so that a look-up that hangs keeps nobody else waiting."""
        return ApplicationDefault(credentials=self._given, request=self._make_request)

    def asked_on_the_way(self) -> str | None:
        """Return the address that is asked while credentials are only looked for, or None if only files are.

        It is a metadata server's where no file is named, and the token service's of an external account,
        whose project google-auth has to ask for.
        """
        from vertex_claude_magic.transport.identity import external_token_url, metadata_server

        if not self.found_by_itself:
            return None
        file, changed = _credential_file()
        if changed is None and not os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            return None if os.environ.get("NO_GCE_CHECK") == "true" else metadata_server()
        return external_token_url(Path(file))

    def _load(self, *, whole: bool = False) -> None:
        if self._given is not None:
            self._credentials = self._given
            self._project = getattr(self._given, "project_id", None)
        else:
            stamp = (_credential_file(), whole or (self._read_from or ("", False))[1])
            if self._credentials is None or stamp != self._read_from:
                self._credentials, self._project = self._guarded(lambda: self._find(whole=whole))
                self._read_from = stamp
        variable = "GOOGLE_CLOUD_QUOTA_PROJECT"
        named = self._given is None and os.environ.get(variable)
        quota = getattr(self._credentials, "quota_project_id", None)
        # It is sent as a header, and shown by the doctor.
        refuse_pasted("project", quota, variable if named else "The quota project of the credentials")

    def _find(self, *, whole: bool) -> tuple[Any, str | None]:
        """Look for credentials; the project too if `whole`, which starts gcloud where gcloud logged in."""
        import google.auth
        from google.auth import exceptions

        named, (found_file, changed) = _explicit_file(), _credential_file()
        if named and changed is None:
            # google-auth would write the value into its log, and it may be the key itself.
            raise exceptions.DefaultCredentialsError
        # The file of gcloud's login, if that is where google-auth would find credentials.
        file = Path(found_file) if changed is not None and not named else None
        how = {"scopes": [SCOPE], "request": self._request()}
        # Advice on quota projects comes as a cure if Google ever asks for one; the file is the user's own.
        with ignored_warnings(module="google.auth"):
            try:
                blanks = named != os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
                file = Path(named) if blanks else file
                if file is not None and (blanks or not whole):
                    quota = os.environ.get("GOOGLE_CLOUD_QUOTA_PROJECT")
                    found = google.auth.load_credentials_from_file(str(file), quota_project_id=quota, **how)
                else:
                    found = google.auth.default(**how)
            except exceptions.GoogleAuthError:
                raise
            except Exception as failure:  # noqa: BLE001 - google-auth lets through what an odd file provokes
                # Its text could quote the file, and with it a key; the system's own words cannot.
                why = failure.strerror if isinstance(failure, OSError) else None
                raise exceptions.DefaultCredentialsError(why or type(failure).__name__) from None
        return found[0], found[1]

    def _request(self) -> Any:
        from vertex_claude_magic.transport.token_answers import WatchedRequest

        made = self._make_request()
        # Tests and callers may hand over a way to Google of their own, also none.
        self._watched = WatchedRequest(made) if callable(made) else None
        return self._watched or made

    def _apply(self) -> dict[str, str]:
        # Not before_request: toward some hosts it starts a look-up of its own in the background.
        if not self._credentials.valid:
            self._refresh()
        headers: dict[str, str] = {}
        self._credentials.apply(headers)
        return headers

    def _refresh(self) -> None:
        self._guarded(lambda: self._credentials.refresh(self._request()))

    def _guarded(self, work: Callable[[], Any]) -> Any:
        from google.auth import exceptions

        error: errors.ClaudeError
        self._watched = None
        try:
            return work()
        except exceptions.DefaultCredentialsError as failure:
            from vertex_claude_magic.transport.login_failures import no_credentials

            file, changed = _credential_file()
            error = no_credentials(failure, Path(file), exists=changed is not None)
        except Exception as failure:  # noqa: BLE001 - google-auth lets through what an odd file or answer provokes
            from vertex_claude_magic.transport.login_failures import no_token

            answer = self._watched.last if self._watched else None
            error = no_token(failure, self._credentials, answer, Path(_credential_file()[0]))
        # A later call reads the files anew; google-auth's exception may hold a response, so it is not chained.
        self._credentials = None
        raise error from None


def _google_request() -> Request:
    import requests
    from google.auth.transport.requests import Request

    class Session(requests.Session):
        """As for our own requests: what is on this machine is asked without a proxy."""

        def merge_environment_settings(self, url: Any, *settings: Any) -> Any:
            self.trust_env = not is_loopback(url)
            return super().merge_environment_settings(url, *settings)

    session = Session()
    # Else an entry of .netrc, which may be one for all hosts, would be sent to the token service.
    session.auth = lambda request: request
    return Request(session)


def _credential_file() -> tuple[str, int | None]:
    """Return the path that google-auth reads and the time of its last change, by which a new login is noticed."""
    explicit = _explicit_file()
    file = Path(explicit) if explicit else gcloud_folder() / "application_default_credentials.json"
    try:
        return str(file), file.stat().st_mtime_ns
    except OSError:
        return str(file), None


def gcloud_folder() -> Path:
    """Return the folder of gcloud's settings and of its login, as google-auth finds it."""
    if configured := os.environ.get("CLOUDSDK_CONFIG"):
        return Path(configured)
    if os.name == "nt":
        return Path(os.environ.get("APPDATA", "")) / "gcloud"
    return Path(with_home("~"), ".config", "gcloud")


def _explicit_file() -> str:
    """Return the path that the variable names, without what surrounds it."""
    return trimmed(os.environ.get("GOOGLE_APPLICATION_CREDENTIALS", ""))


def _checked(headers: dict[str, str], *, cure: str = "") -> dict[str, str]:
    token = headers.get("authorization", "")
    if not (token.isascii() and token.isprintable() and len(token) > len("Bearer ")):
        from vertex_claude_magic.transport.login_failures import login_cure

        raise errors.CredentialsError(
            "The access token is empty or contains characters that a header cannot carry.",
            cure=cure or login_cure(),
        )
    return headers
