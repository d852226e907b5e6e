"""Files in Cloud Storage through google-cloud-storage: written once, checked, read in pieces."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, NamedTuple

from vertex_claude_magic import errors
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.google_clients import client_host, google_failures, google_login
from vertex_claude_magic.vertex.endpoint import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.cloud.storage import Client

    from vertex_claude_magic.transport.auth import Authorizer

__all__ = ["Files", "Uri", "open_files", "parse_uri"]

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
        local: Whether an emulator on this machine stands in for Cloud Storage.
    """

    def __init__(self, client: Client, *, local: bool = False) -> None:
        self._client = client
        self._local = local

    def location(self, bucket: str) -> str:
        """Return the location of a bucket in lower case, such as "us-east5" or "us".

        Raises:
            OptionError: there is no such bucket, or the account may not see it.
        """
        role = "roles/storage.legacyBucketReader"
        try:
            with _named(f"bucket {bucket!r}", role):
                return str(self._client.get_bucket(bucket).location).lower()
        except errors.OptionError as error:
            if self._local:
                with _named("list of buckets", role):
                    names = [each.name for each in self._client.list_buckets(max_results=1)]
                used = f"use gs://{names[0]}/prefix" if names else "create the bucket in it"
                error.cure = f"An emulator stands in for Cloud Storage here: {used}."
            raise

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
    host = client_host(_GOOGLE, _VARIABLE, base_url, environment)
    try:
        from google.cloud.storage import Client
    except ImportError as error:
        raise errors.MissingExtra(
            "Batch prediction needs google-cloud-storage, which is not installed.",
            cure='Run: pip install "vertex-claude-magic[batch]"',
        ) from error
    http, login = google_login(authorizer, host)
    client = Client(project=project, credentials=login, _http=http, client_options={"api_endpoint": host})
    return Files(client, local=is_loopback(host))


@contextmanager
def _named(what: str, role: str) -> Iterator[None]:
    """Turn the errors of Google's client into ours."""
    from google.cloud.storage.exceptions import DataCorruption

    try:
        with google_failures(
            "Cloud Storage",
            what,
            missing="Check the name; buckets are created in Google Cloud, not here.",
            denied=f"Grant {role} on the bucket to the account.",
        ):
            yield
    except DataCorruption:
        raise errors.StreamInterrupted(f"{quote(what, 160)} arrived incomplete.", cure="Try again.") from None
