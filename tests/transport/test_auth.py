"""Google credentials: every kind through real google-auth, expiry, revocation, a new login, and threads."""

from __future__ import annotations

import json
import os
import sys
import threading
import types
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import google.auth.credentials
import google.auth.exceptions
import pytest
from google.oauth2 import service_account

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator.google.credentials import EMAIL
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.transport.auth import ApplicationDefault, FixedToken
from vertex_claude_magic.transport.retry import RetryPolicy
from vertex_claude_magic.transport.transport import Transport

if TYPE_CHECKING:
    from vertex_claude_magic.emulator import Emulator

KINDS = ["service_account", "authorized_user", "external_account", "impersonated_service_account"]
LOGIN = "gcloud auth application-default login"


@pytest.fixture
def login(claude_emulator, monkeypatch):
    """Name a credentials file of a kind, and return a client that sends what is meant for Google to the emulator."""

    def log_in(kind: str = "service_account", **options) -> Claude:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(claude_emulator.credentials_file(kind)))
        return client(claude_emulator, **options)

    return log_in


def client(emulator: Emulator, **options) -> Claude:
    credentials = ApplicationDefault(request=emulator.google_request)
    settings = {"project": emulator.project, "credentials": credentials, **options}
    return Claude(base_url=emulator.base_url, **settings)


def calls(emulator: Emulator, path: str = "RawPredict") -> list:
    return [request for request in emulator.requests if path in request.path]


def refused(claude: Claude, kind: type[errors.ClaudeError]) -> errors.ClaudeError:
    with pytest.raises(kind) as caught:
        claude.ask("Hello")
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_credentials_of_every_kind_ask_and_are_looked_up_once(claude_emulator, login, kind):
    """One token serves all questions of a session until it is about to expire."""
    claude = login(kind)
    assert claude.ask("Hello").complete
    asked = len(claude_emulator.requests)
    assert claude.ask("Again").complete
    assert len(claude_emulator.requests) == asked + 1
    assert calls(claude_emulator)[0].headers["authorization"].startswith("Bearer ya29.emulator-")


@pytest.mark.parametrize("options", [{}, {"replay": "auto"}, {"recording": "lesson.db"}], ids=str)
def test_the_project_of_the_credentials_is_named_in_every_request(
    claude_emulator, login, tmp_path, monkeypatch, options
):
    """Also in those that count tokens for a limit, where nobody asks for credentials before a record is missed."""
    monkeypatch.chdir(tmp_path)
    claude = login(project=None, max_cost=1.0, model="haiku", **options)
    assert claude.count("Hello") > 0
    assert claude.ask("Hello").complete
    assert len(claude.compare("Hello again", models=["haiku", "sonnet"])) == 2
    paths = [request.path for request in calls(claude_emulator, "awPredict")]
    assert {path.rpartition("/")[2] for path in paths} >= {"count-tokens:rawPredict"}
    assert [path for path in paths if f"/projects/{claude_emulator.project}/" not in path] == []


def test_credentials_that_are_given_without_scopes_get_that_of_google_cloud(claude_emulator):
    """Google gives no token without one, and who loads a key file need not know its name."""
    key = service_account.Credentials.from_service_account_file(claude_emulator.credentials_file())
    given = ApplicationDefault(credentials=key, request=claude_emulator.google_request)
    assert client(claude_emulator, credentials=given).ask("Hello").complete


@pytest.mark.parametrize("kind", KINDS)
def test_an_expired_token_is_renewed_before_it_is_sent(claude_emulator, login, kind):
    """A lifetime below google-auth's margin of 3 min 45 s means a new token for each question."""
    claude_emulator.google.token_lifetime = 100
    claude = login(kind)
    for _ in range(2):
        assert claude.ask("Hello").complete
    assert len({call.headers["authorization"] for call in calls(claude_emulator)}) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_is_refused_is_renewed_and_sent_again_once(claude_emulator, login, kind):
    """Case 26: the clock of this machine may be wrong, and the token dead before its time."""
    claude = login(kind)
    claude.ask("Hello")
    claude_emulator.google.expire_tokens()
    assert claude.ask("Hello").complete
    sent = calls(claude_emulator)
    assert len(sent) == 3
    assert sent[1].raw == sent[2].raw
    assert sent[1].headers["authorization"] != sent[2].headers["authorization"]


def test_a_token_that_is_refused_again_is_fatal_with_the_login_command(claude_emulator, login):
    """Case 26: one refresh, one resend, then the user is told."""
    claude_emulator.fail(401, 401, 401)
    error = refused(login("authorized_user"), errors.AuthenticationFailed)
    assert LOGIN in error.cure
    assert len(calls(claude_emulator)) == 2
    assert len(calls(claude_emulator, "/token")) == 2


def test_a_fixed_token_that_is_refused_is_not_sent_again(claude_emulator):
    """Case 26: there is no other token."""
    claude = Claude(project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="stale")
    error = refused(claude, errors.AuthenticationFailed)
    assert error.cure.startswith("Give another access_token")
    assert len(claude_emulator.requests) == 1


class SlowAnew(FixedToken):
    """Its first token takes 100 s on the clock; of the second one a step lasts until `go_on`."""

    def __init__(self, step: str, now: list[float]) -> None:
        super().__init__("emulator")
        self.step, self.now, self.refused = step, now, False
        self.waiting, self.go_on = threading.Event(), threading.Event()

    def headers(self) -> dict[str, str]:
        self.now[0] = max(self.now[0], 100.0)
        self._wait("headers")
        return super().headers()

    def renew(self, refused) -> bool:
        self.refused = True
        self._wait("renew")
        return True

    def _wait(self, step: str) -> None:
        if self.refused and step == self.step:
            self.waiting.set()
            self.go_on.wait(60)


@pytest.mark.parametrize("step", ["renew", "headers"])
def test_a_new_token_is_waited_for_as_long_as_the_first_one(claude_emulator, step):
    """With a notice, and not until the time for the whole answer is over."""
    now = [0.0]
    authorizer = SlowAnew(step, now)
    transport = Transport(authorizer, RetryPolicy(credentials=12.0), clock=lambda: now[0])
    claude_emulator.fail(401)
    request = client(claude_emulator, model="haiku").request("Hello")
    pending = transport.send(request, Catalog.load(), timeout=600)
    assert authorizer.waiting.wait(60)
    assert pending.get(60.0).text.startswith("getting a new token")
    now[0] += 11.0
    assert pending.get(0.0) is None
    now[0] += 1.0
    ended = pending.get(60.0)
    assert isinstance(ended.error, errors.CredentialsNotFound)
    authorizer.go_on.set()
    transport.close()


NO_CREDENTIALS = {
    "a path": {"credentials": "/home/me/SECRET.json"},
    "the content of a key": {"credentials": {"private_key": "SECRET"}},
    "a token as credentials": {"credentials": "ya29.SECRET"},
    "a header": {"access_token": "Bearer SECRET"},
    "bytes": {"access_token": b"SECRET"},
}


@pytest.mark.parametrize("given", NO_CREDENTIALS.values(), ids=NO_CREDENTIALS)
def test_what_is_no_login_is_refused_when_it_is_given(given):
    """With what it should be, and nothing of what it is."""
    (name,) = given
    with pytest.raises(errors.OptionError, match=f"^{name} is ") as caught:
        Claude(**given)
    assert caught.value.cure
    assert "SECRET" not in f"{caught.value!r}"


DENIED = [
    ("authorized_user", "revoked", "expired or revoked", LOGIN),
    ("authorized_user", "reauth", "Reauthentication is needed", LOGIN),
    ("service_account", "revoked", "service account's key", "still exist"),
    ("external_account", "revoked", "identity of the workload", "workload identity pool"),
    (
        "impersonated_service_account",
        "revoked",
        "new login",
        f"{LOGIN} --impersonate-service-account={EMAIL}",
    ),
    (
        "impersonated_service_account",
        "reauth",
        "Reauthentication is needed",
        f"{LOGIN} --impersonate-service-acc",
    ),
]


@pytest.mark.parametrize(
    ("kind", "denial", "says", "cure"), DENIED, ids=[f"{row[0]}-{row[1]}" for row in DENIED]
)
def test_credentials_that_google_refuses_have_each_their_own_message(
    claude_emulator, login, kind, denial, says, cure
):
    """Case 36: what happened and what to do, by the kind of credentials; no prompt was sent."""
    claude_emulator.google.denial = denial
    error = refused(login(kind), errors.LoginExpired)
    assert says in error.message
    assert cure in error.cure
    assert len(str(error)) < 500
    assert calls(claude_emulator) == []


def test_credentials_revoked_in_the_middle_of_a_session_are_named(claude_emulator, login):
    """Cases 26 and 36: the refresh after the 401 is refused too."""
    claude = login("authorized_user")
    claude.ask("Hello")
    claude_emulator.google.expire_tokens()
    claude_emulator.google.denial = "revoked"
    assert LOGIN in refused(claude, errors.LoginExpired).cure


def test_after_a_new_login_the_next_question_is_answered(claude_emulator, login):
    """Case 36: the same object, no restart."""
    claude = login("authorized_user")
    claude_emulator.google.denial = "revoked"
    refused(claude, errors.LoginExpired)
    claude_emulator.google.denial = None
    assert claude.ask("Hello").complete


def test_a_credentials_file_that_is_replaced_is_read_again(claude_emulator, login):
    """A login in a terminal counts at once, also while the old credentials still work."""
    claude = login("authorized_user")
    claude.ask("Hello")
    file = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "quota_project_id": "another-project"}))
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1_000_000))
    claude.ask("Hello")
    first, second = calls(claude_emulator)
    assert first.headers["x-goog-user-project"] == claude_emulator.project
    assert second.headers["x-goog-user-project"] == "another-project"


def test_the_file_of_gcloud_is_read_where_no_variable_names_one(claude_emulator, home, monkeypatch):
    """The well-known place, and the folder that CLOUDSDK_CONFIG names instead of it."""
    content = claude_emulator.credentials_file("authorized_user").read_text()
    for folder in (home / ".config" / "gcloud", home / "elsewhere"):
        folder.mkdir(parents=True)
        (folder / "application_default_credentials.json").write_text(content)
        assert client(claude_emulator).ask("Hello").complete
        (folder / "application_default_credentials.json").unlink()
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(home / "elsewhere"))


@pytest.mark.skipif(os.name == "nt", reason="gcloud is played by a shell script")
def test_gcloud_is_started_only_when_nothing_else_names_a_project(
    claude_emulator, home, tmp_path, monkeypatch
):
    """Starting gcloud takes most of a second, so a session that knows its project does without."""
    started = tmp_path / "started"
    gcloud = tmp_path / "gcloud"
    gcloud.write_text(f"#!/bin/sh\necho > {started}\necho {claude_emulator.project}\n")
    gcloud.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.defpath}")
    folder = home / ".config" / "gcloud"
    folder.mkdir(parents=True)
    content = json.loads(claude_emulator.credentials_file("authorized_user").read_text())
    del content["quota_project_id"]
    (folder / "application_default_credentials.json").write_text(json.dumps(content))
    assert client(claude_emulator).ask("Hello").complete
    assert not started.exists()
    assert client(claude_emulator, project=None).ask("Hello").complete
    assert started.exists()


def test_the_quota_project_is_sent(claude_emulator, login, monkeypatch):
    """User credentials need one; the variable beats the file, as everywhere with Google."""
    login("authorized_user").ask("Hello")
    monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "pays-instead")
    login("authorized_user").ask("Hello")
    assert [call.headers["x-goog-user-project"] for call in calls(claude_emulator)] == [
        claude_emulator.project,
        "pays-instead",
    ]


@pytest.mark.parametrize("kind", ["service_account", "authorized_user", "impersonated_service_account"])
def test_the_project_comes_from_the_credentials_if_nothing_else_names_one(claude_emulator, login, kind):
    """Of a service account its own, of a user the quota project."""
    assert login(kind, project=None).ask("Hello").complete
    assert f"/projects/{claude_emulator.project}/" in calls(claude_emulator)[0].path


@pytest.mark.parametrize(
    ("kind", "field"), [("service_account", "project_id"), ("authorized_user", "quota_project_id")]
)
def test_credentials_without_a_project_ask_for_one(claude_emulator, login, kind, field):
    """Case 36: its own message, before anything is sent."""
    claude = login(kind, project=None)
    file = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    content = json.loads(file.read_text())
    del content[field]
    file.write_text(json.dumps(content))
    error = refused(claude, errors.ProjectNotFound)
    assert "project=" in error.cure
    assert calls(claude_emulator) == []


def test_no_credentials_at_all_is_one_line_with_the_login_command(claude_emulator):
    """Case 35: off-cloud, with nothing configured."""
    error = refused(client(claude_emulator), errors.CredentialsNotFound)
    assert LOGIN in error.cure
    assert "%claude_demo" in error.cure
    assert claude_emulator.requests == []


def test_in_colab_the_cure_is_colabs_own_login(claude_emulator, monkeypatch):
    """There is no gcloud to run there."""
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    assert "authenticate_user()" in refused(client(claude_emulator), errors.CredentialsNotFound).cure


ODD_FILES = {
    "no JSON": b"not json",
    "an array": b"[]",
    "a number": b"5",
    "no type": b"{}",
    "an unknown type": b'{"type": "magic"}',
    "a service account without its fields": b'{"type": "service_account"}',
    "a service account with a broken key": b'{"type": "service_account", "client_email": "a", "token_uri": "b", '
                                           b'"private_key": "-----BEGIN s3cret"}',
    "a service account with a number as key": b'{"type": "service_account", "client_email": "a", "token_uri": "b", '
                                              b'"private_key": 5}',
    "a user without a refresh token": b'{"type": "authorized_user", "client_id": "a"}',
    "bytes": b"\xff\xfe\x00",
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("content", ODD_FILES.values(), ids=ODD_FILES)
@pytest.mark.parametrize("named", [True, False], ids=["named by the variable", "in its usual place"])
def test_a_file_that_is_no_credentials_is_named(claude_emulator, home, monkeypatch, content, named):
    """Never passed over in silence, never quoted."""
    file = home / ".config" / "gcloud" / "application_default_credentials.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    if named:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    error = refused(client(claude_emulator), errors.CredentialsNotFound)
    assert str(file)[:60] in str(error)
    assert ("GOOGLE_APPLICATION_CREDENTIALS" in str(error)) is named
    assert "s3cret" not in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: None], ids=["a folder", "nothing"])
def test_a_variable_that_names_no_file_is_an_error(claude_emulator, tmp_path, monkeypatch, make):
    """Although credentials may be found elsewhere."""
    make(tmp_path / "key.json")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    assert "key.json" in str(refused(client(claude_emulator), errors.CredentialsNotFound))


def test_the_netrc_file_is_not_sent_to_the_token_service(claude_emulator, monkeypatch, tmp_path):
    """Case 39: an entry for all hosts is for browsers of other sites."""
    file = tmp_path / "netrc"
    file.write_text("default login somebody password something\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    assert Claude(base_url=claude_emulator.base_url, project=claude_emulator.project).ask("Hello").complete
    [token] = calls(claude_emulator, "/token")
    assert "authorization" not in token.headers


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_does_not_stand_before_a_token_service_on_this_machine(claude_emulator, monkeypatch, name):
    """Case 39: the key file of an emulator names one, which no proxy can reach."""
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    for each, value in claude_emulator.environment.items():
        monkeypatch.setenv(each, value)
    assert Claude(base_url=claude_emulator.base_url, project=claude_emulator.project).ask("Hello").complete


def test_a_token_service_that_cannot_be_reached_is_a_network_error(login, monkeypatch):
    """Case 34: not the login's fault."""
    claude = login("service_account", credentials=None)
    file = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "token_uri": "https://oauth2.googleapis.com/token"}))
    error = refused(claude, errors.NetworkError)
    assert "token service" in error.message
    assert "HTTPS_PROXY" in error.cure


class Given(google.auth.credentials.Credentials):
    """Credentials of the user's own making, which count their refreshes."""

    project_id = "given-project"

    def __init__(self, *tokens: str) -> None:
        super().__init__()
        self.tokens = list(tokens)
        self.refreshes = 0
        self.inside = 0

    def refresh(self, request) -> None:
        self.inside += 1
        assert self.inside == 1, "two refreshes at once"
        self.token = self.tokens[min(self.refreshes, len(self.tokens) - 1)]
        self.refreshes += 1
        self.expiry = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(hours=1)
        self.inside -= 1


def test_credentials_may_be_given(claude_emulator):
    """A google-auth object, with the project that it names."""
    credentials = Given("emulator")
    claude = Claude(base_url=claude_emulator.base_url, credentials=credentials)
    assert "/projects/given-project/" in claude.request("Hello").url
    assert claude.ask("Hello", project=claude_emulator.project).complete
    assert credentials.refreshes == 1


def together(count: int, work) -> None:
    start = threading.Barrier(count)
    done: list[int] = []

    def run() -> None:
        start.wait()
        work()
        done.append(1)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == count


def test_64_threads_refresh_an_expired_token_once():
    """Case 38: all get the same new token."""
    credentials = Given("first", "second")
    auth = ApplicationDefault(credentials=credentials, request=lambda: None)
    seen: list[str] = []
    together(64, lambda: seen.append(auth.headers()["authorization"]))
    assert credentials.refreshes == 1
    assert seen == ["Bearer first"] * 64


def test_64_threads_renew_a_refused_token_once():
    """Case 38: who comes late finds the token replaced."""
    credentials = Given("first", "second", "third")
    auth = ApplicationDefault(credentials=credentials, request=lambda: None)
    headers = auth.headers()
    together(64, lambda: auth.renew(headers))
    assert credentials.refreshes == 2
    assert auth.headers() == {"authorization": "Bearer second"}


UNUSABLE = ["", "two\nlines", "carriage\rreturn", "nul\0", "grün", "\u2028", "\x7f", "😀"]


@pytest.mark.parametrize("token", UNUSABLE, ids=ascii)
def test_a_token_that_no_header_can_carry_is_refused_before_sending(claude_emulator, token):
    """Case 37: fixed or from credentials; it is not repeated in the message."""
    for settings in ({"access_token": token}, {"credentials": Given(token)}):
        claude = Claude(project=claude_emulator.project, base_url=claude_emulator.base_url, **settings)
        error = refused(claude, errors.CredentialsError)
        assert not token or token not in str(error)
    assert claude_emulator.requests == []


def test_a_fixed_token_names_no_project():
    """Only --project or the environment can."""
    assert FixedToken("t").project() is None
    with pytest.raises(errors.ProjectNotFound):
        Claude(access_token="t").ask("Hello")


@pytest.mark.parametrize(
    ("kind", "named", "account"),
    [
        ("service_account", "service account", EMAIL),
        ("authorized_user", "user login", None),
        ("external_account", "workload identity", EMAIL),
        ("impersonated_service_account", "impersonated service account", EMAIL),
    ],
)
def test_credentials_tell_whose_they_are_and_never_their_token(
    claude_emulator, monkeypatch, kind, named, account
):
    """Kind, place and account at once, the end of the token after a new one; nothing of it in the text."""
    file = claude_emulator.credentials_file(kind)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    auth = ApplicationDefault(request=claude_emulator.google_request)
    found = auth.identity()
    assert (found.kind, found.account) == (named, account)
    assert found.source == f"GOOGLE_APPLICATION_CREDENTIALS, {file}"
    renewed = auth.identity(renew=True)
    left = renewed.expires - datetime.now(timezone.utc)
    assert timedelta(minutes=50) < left <= timedelta(minutes=61)
    assert "ya29" not in repr(renewed)


def test_a_new_token_is_asked_for_although_the_old_one_is_good(claude_emulator, login):
    """A diagnosis must see whether the login is still accepted."""
    claude = login("authorized_user")
    claude.ask("Hello")
    claude_emulator.google.denial = "revoked"
    assert claude.ask("Again").complete
    with pytest.raises(errors.LoginExpired):
        claude._session.transport.authorizer.identity(renew=True)


def test_where_tokens_are_renewed_is_known(claude_emulator, monkeypatch):
    """Of a key file the address that it names, of a login Google's; of a given transport it is not said."""
    for kind, address in [
        ("service_account", f"{claude_emulator.origin}/token"),
        ("authorized_user", "https://oauth2.googleapis.com/token"),
        ("impersonated_service_account", "https://iamcredentials.googleapis.com"),
    ]:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(claude_emulator.credentials_file(kind)))
        assert ApplicationDefault().identity().renewed_at == address
        assert ApplicationDefault(request=claude_emulator.google_request).identity().renewed_at is None
