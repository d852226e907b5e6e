"""Files in Cloud Storage: written once whatever is lost on the way, and no token to a stranger."""

from __future__ import annotations

import io
import sys

import pytest
import requests
from google.cloud import storage
from requests.adapters import BaseAdapter

from vertex_claude_magic import errors
from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.emulator.http.faults import Fault
from vertex_claude_magic.transport.auth import FixedToken
from vertex_claude_magic.transport.bigquery import BigQueryTable
from vertex_claude_magic.transport.google_clients import google_login
from vertex_claude_magic.transport.storage import Files, open_files, parse_uri

LARGE = 17 * 1024 * 1024


@pytest.fixture
def emulator():
    with Emulator() as made:
        made.buckets.make("rows", "us-east5")
        yield made


@pytest.fixture
def files(emulator):
    made = open_files(FixedToken("secret-token"), "p", emulator.base_url, environment={})
    made.location("rows")
    yield made
    made.close()


def write(files, content, mark="m", name="in/a.jsonl"):
    files.write_new(parse_uri(f"gs://rows/{name}"), io.BytesIO(content), len(content), mark)


@pytest.mark.parametrize("size", [0, 10, LARGE])
def test_a_file_is_written_and_read_again(emulator, files, size):
    content = b"0123456789abcde\n" * (size // 16) if size > 10 else b"x" * size
    write(files, content)
    assert b"".join(files.lines(parse_uri("gs://rows/in/a.jsonl"))) == content
    assert not [each for each in emulator.requests if "authorization" in each.headers]


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_file_that_is_not_what_was_written_is_an_error(emulator, files, size):
    """Google says its checksum, which its client leaves alone where it fetches by chunks (google-cloud-storage 3.17.1)."""
    write(files, b"x" * size)
    emulator.fail(*[Fault(headers={"x-goog-hash": "crc32c=AAAAAA=="})] * 9)
    with pytest.raises(errors.StreamInterrupted):
        list(files.lines(parse_uri("gs://rows/in/a.jsonl")))


def test_a_file_that_is_there_is_not_replaced(emulator, files):
    write(files, b"first")
    with pytest.raises(errors.OptionError, match="already exists"):
        write(files, b"other", mark="n")
    assert emulator.buckets.get("rows", "in/a.jsonl").content == b"first"


@pytest.mark.parametrize("size", [10, LARGE])
def test_an_upload_whose_answer_is_lost_is_the_same_file(emulator, files, size):
    content = b"y" * size
    # The last chunk arrives, and its answer does not.
    emulator.fail(*[Fault()] * (3 if size > 10 else 1), Fault(cut_after=1, ending="reset"))
    write(files, content)
    assert emulator.buckets.get("rows", "in/a.jsonl").content == content
    assert emulator.buckets.names("rows") == ["in/a.jsonl"]


def test_all_files_of_a_folder_are_listed_over_pages_and_no_neighbour(emulator, files):
    for number in range(30):
        emulator.buckets.write("rows", f"out/deep/{number:02}.jsonl", b"{}")
    emulator.buckets.write("rows", "out/notes.txt", b"")
    emulator.buckets.write("rows", "outer/x.jsonl", b"")
    assert len(files.names(parse_uri("gs://rows/out"), ".jsonl")) == 30


BAD = [
    "",
    "rows/x",
    "gs:/rows",
    "s3://rows/x",
    "gs://",
    "gs://Rows/x",
    "gs://rows/a\nb",
    "gs://../x",
    "gs://r",
]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_place_is_refused(text):
    with pytest.raises(errors.OptionError, match="gs://bucket/prefix"):
        parse_uri(text)


STRANGERS = [
    "http://10.0.0.1:9000", "https://storage.googleapis.com.evil.example", "evil.example:80",
    "http://127.0.0.1.evil.example", "http://user@evil.example",
]  # fmt: skip


@pytest.mark.parametrize("host", STRANGERS)
@pytest.mark.parametrize("base_url", [None, "http://127.0.0.1:1/v1"])
def test_an_emulator_host_on_another_machine_is_refused_before_anything_is_sent(host, base_url):
    with pytest.raises(errors.UntrustedHost, match="STORAGE_EMULATOR_HOST"):
        open_files(FixedToken("t"), "p", base_url, environment={"STORAGE_EMULATOR_HOST": host})


def test_files_do_not_stay_here_while_questions_go_to_google():
    with pytest.raises(errors.OptionError, match="cannot read them"):
        open_files(FixedToken("t"), "p", None, environment={"STORAGE_EMULATOR_HOST": "http://127.0.0.1:1"})


def test_the_named_emulator_is_used(emulator):
    other = "http://127.0.0.1:9/v1"
    files = open_files(FixedToken("t"), "p", other, environment={"STORAGE_EMULATOR_HOST": emulator.origin})
    assert files.location("rows") == "us-east5"
    files.close()


def test_an_upload_session_elsewhere_gets_neither_token_nor_rows(emulator, files):
    emulator.fail(Fault(status=200, body=b"{}", headers={"Location": "https://evil.example/upload"}))
    with pytest.raises(errors.UntrustedHost):
        write(files, b"z" * LARGE)


@pytest.mark.parametrize(("status", "kind"), [(403, errors.PermissionDenied), (404, errors.OptionError)])
def test_a_refusal_says_what_to_do(emulator, files, status, kind):
    emulator.fail(status)
    with pytest.raises(kind) as caught:
        files.location("rows")
    assert caught.value.cure
    assert "secret-token" not in str(caught.value)


def test_on_this_machine_the_bucket_that_is_there_is_named(files):
    """In a demo nobody can make the bucket of the line in Google Cloud."""
    with pytest.raises(errors.OptionError) as caught:
        files.location("bucket")
    assert str(caught.value) == (
        "There is no bucket 'bucket'. An emulator stands in for Cloud Storage here: use gs://emulator-bucket/prefix."
    )


def test_the_missing_library_is_named_with_its_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.cloud.storage", None)
    with pytest.raises(errors.MissingExtra, match=r'pip install "vertex-claude-magic\[batch\]"'):
        open_files(FixedToken("t"), "p", None, environment={})


class Stopped:
    """A client of Google's in which stop is pressed, whatever is asked of it."""

    schema = ()

    def __getattr__(self, name):
        def method(*_, **__):
            raise KeyboardInterrupt

        return method


def test_stop_while_a_file_or_a_table_is_read_is_that_of_a_question():
    """It ends a cell as stop at an answer does, and not with the traceback of Google's client."""
    with pytest.raises(errors.ClaudeInterrupt):
        Files(Stopped()).location("rows")
    with pytest.raises(errors.ClaudeInterrupt):
        list(BigQueryTable(Stopped(), Stopped(), "bq://p.d.t").rows(["custom_id"]))


class Recorded(BaseAdapter):
    """Takes requests in place of the network, and answers each with the location of a bucket."""

    def __init__(self):
        super().__init__()
        self.requests = []

    def send(self, request, **_):
        self.requests.append(request)
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, request.url
        response.raw = io.BytesIO(b'{"location": "US-EAST5"}')
        return response

    def close(self):
        pass


@pytest.fixture
def at_google(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine storage.googleapis.com login thief password stolen\n")
    monkeypatch.setenv("NETRC", str(netrc))
    session, login = google_login(FixedToken("secret-token"), "https://storage.googleapis.com")
    adapter = Recorded()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session, login, adapter


def test_google_gets_the_token_of_our_own_login_and_netrc_does_not_replace_it(at_google):
    session, login, adapter = at_google
    options = {"api_endpoint": "https://storage.googleapis.com"}
    client = storage.Client(project="p", credentials=login, _http=session, client_options=options)
    assert client.get_bucket("rows").location == "US-EAST5"
    assert [each.headers["authorization"] for each in adapter.requests] == ["Bearer secret-token"]
    assert "secret-token" not in repr(login)


ELSEWHERE = [
    "http://storage.googleapis.com/x", "https://evil.example/x", "https://googleapis.com.evil.example/x",
    "http://127.0.0.1:80/x", "https://storage.googleapis.com@evil.example/x",
]  # fmt: skip


@pytest.mark.parametrize("url", ELSEWHERE)
def test_no_other_address_is_asked_at_all(at_google, url):
    session, _, adapter = at_google
    with pytest.raises(errors.UntrustedHost):
        session.request("PUT", url, data=b"rows")
    assert adapter.requests == []
