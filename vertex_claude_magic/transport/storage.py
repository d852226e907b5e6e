"""Files in Cloud Storage through google-cloud-storage: written once, checked, read in pieces.

A token goes to Google's own host over TLS, or to this machine, and nowhere else. Where questions go to a server on this
machine, files go there too.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from vertex_claude_magic import errors
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.endpoint import check_token_host, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from google.cloud.storage import Client

    from vertex_claude_magic.transport.auth import Authorizer

__all__ = ["Files", "Uri", "client_host", "google_login", "open_files", "parse_uri"]

_GOOGLE = "https://storage.googleapis.com"
_VARIABLE = "STORAGE_EMULATOR_HOST"
# The names of buckets (Google Cloud docs, "Bucket naming guidelines", 2026), and of objects without line ends.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_URI = re.compile(r"gs://(?P<bucket>[^/]+)(?:/(?P<name>[^\r\n\x00]*))?")
# A multiple of 256 KiB, of which one is held in memory at a time.
_CHUNK = 8 * 1024 * 1024
_MARK = "vertex-claude-upload"


class Uri(NamedTuple):
    """A place in Cloud Storage."""

    bucket: str
    name: str

    def __str__(self) -> str:
        return f"gs://{self.bucket}/{self.name}"

    def below(self, name: str) -> Uri:
        """Return a place below this one.

        >>> str(Uri("b", "runs/").below("a.jsonl"))
        'gs://b/runs/a.jsonl'
        """
        return self._replace(name=f"{self.name.rstrip('/')}/{name}".lstrip("/"))


def parse_uri(text: str) -> Uri:
    """Read `gs://bucket/prefix`.

    Raises:
        OptionError: it is none.

    >>> parse_uri("gs://my-bucket/runs/").name
    'runs/'
    """
    found = _URI.fullmatch(text)
    if found is None or not _BUCKET.fullmatch(found["bucket"]) or len(found["name"] or "") > 800:
        raise errors.OptionError(
            f"{quote(text, 80)!r} is not a Cloud Storage location.", cure="Write gs://bucket/prefix."
        )
    return Uri(found["bucket"], found["name"] or "")


class Files:
    """Files in Cloud Storage.

    Args:
        client: Google's client.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def location(self, bucket: str) -> str:
        """Return the location of a bucket in lower case, such as "us-east5" or "us".

        Raises:
            OptionError: there is no such bucket, or the account may not see it.
        """
        with _named(f"bucket {bucket!r}", "roles/storage.legacyBucketReader"):
            return str(self._client.get_bucket(bucket).location).lower()

    def write_new(self, place: Uri, content: IO[bytes], size: int, mark: str) -> None:
        """Write a new file; one that is there is never replaced.

        Args:
            place: Where it goes.
            content: Its bytes, from the present position on.
            size: How many there are.
            mark: What tells this upload from every other: if the answer to an upload that had arrived is lost, a retry
                finds the file there, and this tells that it is the same one.

        Raises:
            OptionError: there is a file already.
        """
        from google.api_core.exceptions import PreconditionFailed
        from google.cloud.storage.retry import DEFAULT_RETRY

        blob = self._client.bucket(place.bucket).blob(place.name, chunk_size=_CHUNK)
        blob.metadata = {_MARK: mark}
        with _named(str(place), "roles/storage.objectCreator"):
            try:
                blob.upload_from_file(
                    content,
                    size=size,
                    content_type="application/jsonl",
                    if_generation_match=0,
                    checksum="crc32c",
                    retry=DEFAULT_RETRY,
                )
            except PreconditionFailed:
                there = self._client.bucket(place.bucket).get_blob(place.name)
                if there is None or (there.metadata or {}).get(_MARK) != mark or there.size != size:
                    raise errors.OptionError(
                        f"{quote(str(place), 200)} already exists and is not replaced.",
                        cure="Choose another prefix.",
                    ) from None

    def names(self, folder: Uri, ending: str) -> list[Uri]:
        """Return the files of a folder, and of the folders in it, whose names end in a way."""
        prefix = f"{folder.name.rstrip('/')}/"
        with _named(str(folder), "roles/storage.objectViewer"):
            listed = self._client.list_blobs(folder.bucket, prefix=prefix)
            return [Uri(folder.bucket, blob.name) for blob in listed if blob.name.endswith(ending)]

    def lines(self, place: Uri) -> Iterator[bytes]:
        """Return the lines of a file, which is fetched whole and checked before the first one is returned."""
        import tempfile

        with tempfile.TemporaryFile() as copy:
            with _named(str(place), "roles/storage.objectViewer"):
                # Without a chunk size, with which Google's client cannot check the sum; it is written piece by piece.
                blob = self._client.bucket(place.bucket).blob(place.name)
                blob.download_to_file(copy, checksum="crc32c")
            copy.seek(0)
            yield from copy

    def close(self) -> None:
        """Close its connections."""
        self._client.close()


def open_files(
    authorizer: Authorizer,
    project: str,
    base_url: str | None,
    *,
    environment: Mapping[str, str] | None = None,
) -> Files:
    """Return the files that the jobs of a project can reach.

    Args:
        authorizer: Gives requests to Google their token.
        project: The project that pays.
        base_url: Where questions go; None for Google.
        environment: The variables; those of this process if not given.

    Raises:
        MissingExtra: google-cloud-storage is not installed.
        UntrustedHost: STORAGE_EMULATOR_HOST names another machine.
        OptionError: files would go to this machine and questions to Google.
    """
    host = client_host(_GOOGLE, _VARIABLE, base_url, os.environ if environment is None else environment)
    try:
        from google.cloud.storage import Client
    except ImportError as error:
        raise errors.MissingExtra(
            "Batch prediction needs google-cloud-storage, which is not installed.",
            cure='Run: pip install "vertex-claude-magic[batch]"',
        ) from error
    http, login = google_login(authorizer, host)
    client = Client(project=project, credentials=login, _http=http, client_options={"api_endpoint": host})
    return Files(client)


def client_host(google: str, variable: str, base_url: str | None, environment: Mapping[str, str]) -> str:
    """Return where a client of Google's asks: an emulator on this machine, or Google.

    Args:
        google: The address of the service.
        variable: The environment variable that names an emulator of it.
        base_url: Where questions go; None for Google.
        environment: The variables.

    Raises:
        UntrustedHost: the variable names another machine.
        OptionError: it names this machine, and questions go to Google.

    >>> client_host("https://storage.googleapis.com", "STORAGE_EMULATOR_HOST", "http://127.0.0.1:8080/v1", {})
    'http://127.0.0.1:8080'
    """
    named = environment.get(variable, "").strip()
    if named:
        url = named if "://" in named else f"http://{named}"
        if not is_loopback(url):
            raise errors.UntrustedHost(
                f"{variable} points to {quote(urlsplit(url).hostname or 'no host', 80)!r}, which is not this machine.",
                cure=f"Unset {variable}, or point it at a loopback address.",
            )
        if base_url is None or not is_loopback(base_url):
            raise errors.OptionError(
                f"{variable} is set, so files and tables stay on this machine, where Google's jobs cannot read them.",
                cure=f"Unset {variable}.",
            )
        return url.rstrip("/")
    if base_url is not None and is_loopback(base_url):
        parts = urlsplit(base_url)
        return f"{parts.scheme}://{parts.netloc}"
    return google


def google_login(authorizer: Authorizer, host: str) -> tuple[Any, Any]:
    """Return the session and the credentials of a client of Google's; a token goes to Google or to this machine."""
    from google.auth.credentials import AnonymousCredentials, Credentials
    from google.auth.transport.requests import AuthorizedSession

    class Login(Credentials):  # type: ignore[misc]
        """The login of our own requests, which renews its token by itself."""

        last: Mapping[str, str] = MappingProxyType({})

        def refresh(self, _request: Callable[..., Any]) -> None:
            authorizer.renew(self.last)

        def before_request(self, _request: Any, _method: str, _url: str, headers: dict[str, str]) -> None:
            self.last = authorizer.headers()
            headers.update(self.last)

    class Session(AuthorizedSession):  # type: ignore[misc]
        def request(self, method: str, url: str, *more: Any, **named: Any) -> Any:
            # Also the address that an upload session names, which comes from the server.
            check_token_host(url)
            if is_loopback(url) != is_loopback(host):
                raise errors.UntrustedHost(
                    "Cloud Storage redirected to another host.", cure="Check for a proxy."
                )
            return super().request(method, url, *more, **{**named, "allow_redirects": False})

    local = is_loopback(host)
    login = AnonymousCredentials() if local else Login()
    session = Session(login)
    # No proxy is used between two programs of one machine, and .netrc may not replace the token.
    session.trust_env = not local
    session.auth = lambda request: request
    return session, login


@contextmanager
def _named(what: str, role: str) -> Iterator[None]:
    """Turn the errors of Google's client into ours."""
    import requests
    from google.api_core import exceptions as google
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption

    where = quote(what, 160)
    try:
        yield
    except KeyboardInterrupt:
        raise errors.ClaudeInterrupt from None
    except google.NotFound:
        raise errors.OptionError(
            f"There is no {where}.", cure="Check the name; buckets are created in Google Cloud, not here."
        ) from None
    except (google.Forbidden, google.Unauthorized) as error:
        raise errors.PermissionDenied(
            f"The account may not use {where} ({error.code}).", cure=f"Grant {role} on the bucket to the account.",
            details={"status": error.code},
        ) from None  # fmt: skip
    except DataCorruption:
        raise errors.StreamInterrupted(f"{where} arrived incomplete.", cure="Try again.") from None
    except (google.GoogleAPIError, GoogleAuthError, requests.exceptions.RequestException) as error:
        status = getattr(error, "code", None)
        raise errors.NetworkError(
            f"Cloud Storage did not answer for {where} ({type(error).__name__}).",
            cure="Try again; nothing is written twice.",
            details={"status": status} if isinstance(status, int) else {},
        ) from None
