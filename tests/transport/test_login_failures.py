"""Who really answered when a token was asked for, and what a variable may not give away."""

from __future__ import annotations

import json
import logging
import socket
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from google.auth import external_account_authorized_user, identity_pool, impersonated_credentials
from google.auth.credentials import Credentials
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account
from shells import run_python

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.settings.environment import environment_notices, with_version
from vertex_claude_magic.transport.auth import SCOPE, ApplicationDefault
from vertex_claude_magic.transport.login_failures import unlike_a_path

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (b"<!doctype html><html><body>Please accept the terms.</body></html>", "text/html")
BUSY = (b'{"error": {"code": 503, "status": "UNAVAILABLE", "message": "Try later."}}', "application/json")
REVOKED = (b'{"error": "invalid_grant", "error_description": "Token has been revoked."}', "application/json")
_OFF = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)
EARLY = (json.dumps({"error": "invalid_grant", "error_description": _OFF}).encode(), "application/json")
DENIED = (b'{"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "No."}}', "application/json")
_UNUSED = "IAM Service Account Credentials API has not been used in project 12 before or it is disabled."
_DISABLED = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED",
             "metadata": {"service": "iamcredentials.googleapis.com", "consumer": "projects/12"}}  # fmt: skip
_OFF_HERE = {"code": 403, "status": "PERMISSION_DENIED", "message": _UNUSED, "details": [_DISABLED]}
UNUSED = (json.dumps({"error": _OFF_HERE}).encode(), "application/json")
GONE = (b'{"error": {"code": 404, "status": "NOT_FOUND", "message": "No such account."}}', "application/json")
NOTHING = (b"", "")
ROBOT = "robot@p.iam.gserviceaccount.com"


class Answering:
    """A server on this machine that gives every request the same answer."""

    def __init__(self, status: int, body: bytes, kind: str, location: str = "") -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                self.send_response(status)
                for name, value in (
                    ("content-type", kind),
                    ("location", location),
                    ("content-length", len(body)),
                ):
                    if value or name == "content-length":
                        self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(autouse=True)
def patience(monkeypatch) -> None:
    """google-auth asks a failing token service again after one and two seconds; here it does not wait."""
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda _: None)


@pytest.fixture(scope="module")
def key() -> Iterator[dict[str, Any]]:
    """The content of a service account's key file, and in it that of a workload that acts for the account."""
    with Emulator() as emulator:
        kinds = ("service_account", "external_account")
        key, workload = (json.loads(emulator.credentials_file(kind).read_bytes()) for kind in kinds)
        yield {**key, "workload": workload}


def of_user(url: str, key: dict[str, Any]) -> Any:
    return user_credentials.Credentials(
        None, refresh_token="r", token_uri=f"{url}/token", client_id="c", client_secret="s"
    )


def of_key(url: str, key: dict[str, Any]) -> Any:
    return service_account.Credentials.from_service_account_info(
        {**key, "token_uri": f"{url}/token"}, scopes=[SCOPE]
    )


def of_workforce(url: str, key: dict[str, Any]) -> Any:
    return external_account_authorized_user.Credentials(
        refresh_token="r",
        token_url=f"{url}/v1/oauthtoken",
        token_info_url=url,
        client_id="c",
        client_secret="s",
    )


def of_workload(url: str, key: dict[str, Any]) -> Any:
    return identity_pool.Credentials.from_info(
        {**key["workload"], "token_url": f"{url}/v1/token"}, scopes=[SCOPE]
    )


def of_workload_for_other(url: str, key: dict[str, Any]) -> Any:
    act = f"{url}/v1/projects/-/serviceAccounts/{ROBOT}:generateAccessToken"
    return identity_pool.Credentials.from_info(
        {**key["workload"], "service_account_impersonation_url": act}, scopes=[SCOPE]
    )


def of_other(url: str, key: dict[str, Any]) -> Any:
    return impersonated_credentials.Credentials(
        source_credentials=service_account.Credentials.from_service_account_info(key, scopes=[SCOPE]),
        target_principal=ROBOT,
        target_scopes=[SCOPE],
        iam_endpoint_override=f"{url}/v1/projects/-/serviceAccounts/{ROBOT}:generateAccessToken",
    )


def of_other_without_source(url: str, key: dict[str, Any]) -> Any:
    return impersonated_credentials.Credentials(
        source_credentials=of_key(url, key), target_principal=ROBOT, target_scopes=[SCOPE]
    )


def of_other_from_user(url: str, key: dict[str, Any]) -> Any:
    return impersonated_credentials.Credentials(
        source_credentials=of_user(url, key), target_principal=ROBOT, target_scopes=[SCOPE]
    )


KINDS = {
    "user": of_user,
    "key": of_key,
    "other account": of_other,
    "source of another account": of_other_without_source,
    "login of another account": of_other_from_user,
    "workload": of_workload,
    "workload for another account": of_workload_for_other,
    "workforce": of_workforce,
}
# Whatever asks for the token: status and body, and the words of message and cure. None of these is a login.
ELSEWHERE = [
    (503, BUSY, "is not working at the moment (503)", "Ask again"),
    (502, PAGE, "is not working at the moment (502)", "Ask again"),
    (500, NOTHING, "is not working at the moment (500)", "Ask again"),
    (504, PAGE, "is not working at the moment (504)", "Ask again"),
    (429, BUSY, "too many requests (429)", "Ask again"),
    (200, PAGE, "A web page answered instead of the token service", "Sign in to the network"),
    (403, PAGE, "A web page answered instead of the token service", "Sign in to the network"),
    (404, PAGE, "A web page answered instead of the token service", "Sign in to the network"),
    (302, NOTHING, "A web page answered instead of the token service", "Sign in to the network"),
    (511, PAGE, "A web page answered instead of the token service", "Sign in to the network"),
    (407, PAGE, "asks for a login (407)", "HTTPS_PROXY"),
    (200, (b"welcome", "text/plain"), "not a token (200)", "Sign in to the network"),
]  # fmt: skip


def asked(credentials: Any) -> errors.ClaudeError:
    """The error that a question with these credentials meets before anything is sent."""
    with pytest.raises(errors.ClaudeError) as caught:
        ApplicationDefault(credentials=credentials).headers()
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "body", "says", "cure"), ELSEWHERE, ids=[f"{r[0]} {r[1][1] or 'empty'}" for r in ELSEWHERE]
)
def test_an_outage_or_a_stranger_is_no_expired_login_and_no_missing_role(key, kind, status, body, says, cure):
    """For the token endpoint and for the service that impersonates alike."""
    with Answering(status, *body, location="http://127.0.0.1:1/login" if status == 302 else "") as server:
        error = asked(KINDS[kind](server.url, key))
        assert isinstance(error, errors.NetworkError)
        assert says in error.message
        assert server.url.removeprefix("http://") in error.message
        assert cure in error.cure
        assert not any(word in str(error) for word in ("roles/", "application-default login", "new login"))


_MAY_NOT = f"may not act for {ROBOT} (No.)"
_NOT_ON = "The IAM Service Account Credentials API is not enabled"
REFUSALS = [
    ("user", 400, REVOKED, "Google asks for a new login", "application-default login, and"),
    ("user", 404, GONE, "has no token service", "token address"),
    ("workforce", 400, REVOKED, "Google asks for a new login", "application-default login (with --login-config"),
    ("key", 400, REVOKED, "refused the service account's key", "key still exist"),
    ("key", 400, EARLY, "Check your iat and exp values in the JWT claim.", "Set the clock of this machine"),
    ("other account", 403, DENIED, f"The account {_MAY_NOT}", "roles/iam.serviceAccountTokenCreator"),
    ("other account", 403, UNUSED, _NOT_ON, "gcloud services enable iamcredentials.googleapis.com --project 12"),
    ("other account", 404, GONE, f"{ROBOT} does not exist", "Correct the name of the impersonated account"),
    ("source of another account", 400, EARLY, "iat and exp values", "Set the clock of this machine"),
    ("source of another account", 400, REVOKED, "refused the service account's key", "key still exist"),
    ("login of another account", 400, REVOKED, "Google asks for a new login",
        f"application-default login --impersonate-service-account={ROBOT}, and"),
    ("workload", 400, REVOKED, "Google refused the identity of the workload", "workload identity pool"),
    ("workload for another account", 403, DENIED, f"The workload {_MAY_NOT}", "roles/iam.serviceAccountTokenCreator"),
    ("workload for another account", 403, UNUSED, _NOT_ON, "gcloud services enable iamcredentials.googleapis.com"),
    ("workload for another account", 404, GONE, f"{ROBOT} does not exist", "Correct the name of the impersonated"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "status", "body", "says", "cure"), REFUSALS)
def test_a_refusal_of_the_service_itself_is_one(key, kind, status, body, says, cure):
    """JSON with an error is the service's own word."""
    with Answering(status, *body) as server:
        error = asked(KINDS[kind](server.url, key))
    assert isinstance(error, errors.CredentialsError)
    assert says in error.message
    assert cure in error.cure
    assert error.message in str(error)


@pytest.mark.parametrize("unreadable", ["missing", "a folder", "below a file"])
def test_the_token_file_of_a_workload_is_named_without_the_home_folder(tmp_path, monkeypatch, unreadable):
    """No login of a person helps there."""
    home = tmp_path / "home-of-somebody"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    token = home / "token"
    if unreadable == "a folder":
        token.mkdir()
    if unreadable == "below a file":
        token.write_text("")
        token = token / "inner"
    with Emulator() as emulator:
        info = json.loads(emulator.credentials_file("external_account").read_text(encoding="utf-8"))
        (home / "w.json").write_text(json.dumps({**info, "credential_source": {"file": str(token)}}))
        for name, value in {
            **emulator.environment,
            "GOOGLE_APPLICATION_CREDENTIALS": str(home / "w.json"),
        }.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(errors.CredentialsError) as caught:
            Claude().ask("hi")
    text = str(caught.value)
    assert f"~/{token.relative_to(home)}" in text
    assert "home-of-somebody" not in text
    assert "application-default login" not in text


PRIVATE = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQq7Zx81" * 30 + "\n-----END PRIVATE KEY-----\n"
# A name, a value that may be the secret itself, and what must be in the error of a question.
PASTED = [
    ("JSON of a login", json.dumps({"type": "authorized_user", "refresh_token": "1//0gSecretSecret1", "client_secret": "d-Secret2"}), "JSON"),
    ("JSON of a key", json.dumps({"type": "service_account", "private_key": PRIVATE}), "JSON"),
    ("indented JSON", json.dumps({"private_key": PRIVATE}, indent=2), "JSON"),
    ("a private key", PRIVATE, "private key"),
    ("a refresh token", "1//0gSecretSecretSecretSecretSecret", "not the path of a file"),
    ("an access token", "ya29.a0SecretSecretSecretSecretSecret", "not the path of a file"),
    ("an API key", "AIzaSySecretSecretSecretSecretSecret12", "not the path of a file"),
    ("a JWT", "eyJSecretSecret.eyJSecretSecretSecretSecret.SecretSecretSecretSecret", "not the path of a file"),
    ("base64", "U2VjcmV0U2VjcmV0U2VjcmV0" * 20, "not the path of a file"),
    ("a key in quotes", '"sk-ant-SecretSecretSecretSecret"', "not the path of a file"),
    ("a key and a line end", "AIzaSySecretSecretSecretSecret\n", "line feed"),
    ("a key behind a mark", "\ufeffAIzaSySecretSecretSecretSecret", "zero width no-break space"),
]  # fmt: skip
CODE = """
import os
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "vertex_claude_magic")
shell.run_cell("%claude -q hi")
shell.run_cell("%claude_doctor --report report.txt")
print(open("report.txt").read())
from vertex_claude_magic.__main__ import main
main(["doctor"])
"""


def runs(text: str, size: int = 8) -> set[str]:
    """Every run of letters of a secret."""
    plain = text.replace("-----BEGIN PRIVATE KEY-----", "").replace("-----END PRIVATE KEY-----", "")
    for word in (
        "authorized_user",
        "refresh_token",
        "client_secret",
        "service_account",
        "private_key",
        "\\n",
    ):
        plain = plain.replace(word, " ")
    return {plain[at : at + size] for at in range(len(plain) - size + 1) if plain[at : at + size].isalnum()}


@pytest.mark.parametrize(("name", "value", "says"), PASTED, ids=[row[0] for row in PASTED])
def test_a_secret_in_place_of_a_path_is_in_no_error(monkeypatch, caplog, name, value, says):
    """Not in the message, not in the exception's attributes, not in what stands behind it, not in the log."""
    caplog.set_level(logging.DEBUG)
    with Emulator() as emulator:
        for variable, text in {**emulator.environment, "GOOGLE_APPLICATION_CREDENTIALS": value}.items():
            monkeypatch.setenv(variable, text)
        with pytest.raises(errors.CredentialsNotFound) as caught:
            Claude().ask("hi")
    error = caught.value
    assert "GOOGLE_APPLICATION_CREDENTIALS should be the path of a key file" in error.message
    assert says in error.message
    behind = [error, error.__cause__, error.__context__]
    shown = [repr(vars(each)) + repr(each.args) for each in behind if each is not None]
    shown += ["".join(traceback.format_exception(error)), caplog.text]
    assert not [run for run in runs(value) if run in "".join(shown)]


@pytest.mark.parametrize("value", [PASTED[0][1], PASTED[3][1], PASTED[4][1]], ids=["JSON", "key", "token"])
def test_a_secret_in_place_of_a_path_is_in_no_cell_report_or_command(tmp_path, value):
    """The cell, the doctor's page, its report file and the command line, in a process of its own."""
    with Emulator() as emulator:
        surroundings = {**emulator.environment, "GOOGLE_APPLICATION_CREDENTIALS": value}
        said = run_python(f"import os; os.chdir({str(tmp_path)!r})\n{CODE}", **surroundings)
    assert "should be the path of a key file" in said
    assert not [run for run in runs(value) if run in said]


@pytest.mark.parametrize(
    "path",
    ["/home/me/key.json", "~/keys/my key (1).json", "C:\\Users\\me\\key.json", "../key.json", "key.p12"],
)
def test_the_path_of_a_file_is_quoted(monkeypatch, path):
    """Whoever mistyped it wants to see it."""
    assert unlike_a_path(path) is None
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
    with pytest.raises(errors.CredentialsNotFound) as caught:
        ApplicationDefault().headers()
    assert "which does not exist" in caught.value.message
    assert "key" in caught.value.message


AROUND = [" ", "\n", "\r\n", "\t", "\u00a0", "\ufeff", "\u200b", " \u200e\n"]


@pytest.mark.parametrize("odd", AROUND, ids=[ascii(each) for each in AROUND])
@pytest.mark.parametrize(
    "name",
    [
        "ANTHROPIC_VERTEX_PROJECT_ID",
        "CLOUD_ML_REGION",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "ANTHROPIC_VERTEX_BASE_URL",
    ],
)
def test_what_stands_around_a_value_is_left_out_and_said_once(monkeypatch, caplog, name, odd):
    """Blanks, line ends and what nobody can see."""
    with Emulator() as emulator:
        emulator.answer("fine", "fine")
        surroundings = {**emulator.environment, "CLOUD_ML_REGION": "us-east5"}
        for variable, text in {**surroundings, name: f"{surroundings[name]}{odd}"}.items():
            monkeypatch.setenv(variable, text)
        claude = Claude()
        assert claude.ask("hi").region == "us-east5"
        claude.ask("hi again")
        assert [
            call.path.count("/v1/projects/emulator-project/")
            for call in emulator.requests
            if "models" in call.path
        ] == [1, 1]
    told = [record.getMessage() for record in caplog.records if name in record.getMessage()]
    assert len(told) == 1
    assert "around its value; it was removed" in told[0]


LOCATIONS = [
    ({"GOOGLE_CLOUD_LOCATION": "europe-west1"}, True, ["GOOGLE_CLOUD_LOCATION (europe-west1) is not used"]),
    ({"GOOGLE_CLOUD_LOCATION": "europe-west1"}, False, []),
    ({"GOOGLE_CLOUD_LOCATION": "global"}, True, []),
    ({"GOOGLE_CLOUD_LOCATION": ""}, True, []),
    ({"GOOGLE_CLOUD_LOCATION": "AIzaSecret!"}, True, ["GOOGLE_CLOUD_LOCATION is not used"]),
]


@pytest.mark.parametrize(("environment", "default", "says"), LOCATIONS)
def test_a_location_for_other_libraries_is_mentioned_and_not_obeyed(environment, default, says):
    """Obeying it would send prompts to another place than the one that the settings show."""
    notices = environment_notices(None, region_is_default=default, environment=environment)
    assert len(notices) == len(says)
    assert all(notice.startswith(text) for notice, text in zip(notices, says, strict=True))


BASES = [
    ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1", "it was added"),
    (
        "https://us-east5-aiplatform.googleapis.com/",
        "https://us-east5-aiplatform.googleapis.com/v1",
        "it was added",
    ),
    ("https://gateway.example/vertex", "https://gateway.example/vertex", "does not end in /v1"),
    ("https://gateway.example/vertex/v1", "https://gateway.example/vertex/v1", None),
    ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1/", None),
    ("nonsense", "nonsense", "does not end in /v1"),
]


@pytest.mark.parametrize(("base", "used", "says"), BASES)
def test_a_base_url_without_version_is_completed_or_mentioned(base, used, says):
    """Only where nothing else can be meant."""
    assert with_version(base) == used
    notices = environment_notices(base, region_is_default=False, environment={})
    assert [says in notice for notice in notices] == ([True] if says else [])


def test_a_base_url_without_version_answers(monkeypatch):
    with Emulator() as emulator:
        emulator.answer("fine")
        for name, value in {**emulator.environment, "ANTHROPIC_VERTEX_BASE_URL": emulator.origin}.items():
            monkeypatch.setenv(name, value)
        assert Claude().ask("hi").text == "fine"


def test_a_token_service_that_says_nothing_is_told_with_the_time_that_was_waited():
    """It is google-auth's own limit, so no option of ours is named as a cure."""

    class Asking(Credentials):
        def __init__(self, port: int, timeout: float | None) -> None:
            super().__init__()
            self.url, self.timeout = f"http://127.0.0.1:{port}/token", timeout

        def refresh(self, request: Any) -> None:
            request(url=self.url, method="POST", timeout=self.timeout)

    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(errors.NetworkError) as caught:
        ApplicationDefault(credentials=Asking(silent.getsockname()[1], 0.25)).headers()
    assert "sent nothing for 0.25 seconds" in caught.value.message
    assert "timeout" not in caught.value.cure
    # google-auth asks some addresses without a limit.
    with pytest.raises(errors.NetworkError, match="refused the connection"):
        ApplicationDefault(credentials=Asking(1, None)).headers()


def test_the_password_of_a_proxy_is_in_no_error(monkeypatch, caplog):
    """A proxy that is not there, and one whose address cannot be read."""
    caplog.set_level(logging.DEBUG)
    for address in ("http://me:SecretSecret@127.0.0.1:1", "http://me:SecretSecret@127.0.0.1:abc"):
        monkeypatch.setenv("HTTPS_PROXY", address)
        claude = Claude(project="p", region="global", access_token="t", journal="off")
        with pytest.raises(errors.ClaudeError) as caught:
            claude.ask("hi")
        shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value)) + caplog.text
        assert "SecretSecret" not in shown


def test_a_doctor_whose_checks_fail_does_not_say_that_nothing_is_wrong(monkeypatch):
    """It names the checks of which it knows nothing."""
    from vertex_claude_magic.health.doctor.examination import DoctorCheck, Timer, examine
    from vertex_claude_magic.health.doctor.finding import Finding, has_problem, verdict

    def breaks() -> Finding:
        raise OSError("no such device")

    checks = [
        DoctorCheck(name="versions", look=lambda: Finding(outcome="ok", seen="Fine.")),
        DoctorCheck(name="network", look=breaks),
        DoctorCheck(name="clock", look=breaks),
    ]
    found = list(examine(checks, timer=Timer(lambda: 0.0, 9), cure=str))
    assert verdict(found) == "No diagnosis: these checks could not run: network, clock."
    assert has_problem(found)


def test_where_no_thread_can_start_the_doctor_says_recorded_answers_only():
    """As in Pyodide; what needs a thread is skipped and not called broken."""
    code = (
        "import threading\n"
        'def refuse(thread): raise RuntimeError("can\'t start new thread")\n'
        "from vertex_claude_magic.__main__ import main\n"
        "threading.Thread.start = refuse\n"
        "print(main(['doctor']))"
    )
    with Emulator() as emulator:
        said = run_python(code, **emulator.environment)
    line = next(line for line in said.splitlines() if "runtime" in line)
    assert "recorded answers only" in line
    assert "Wrong: runtime" in said
    assert "Nothing wrong" not in said
