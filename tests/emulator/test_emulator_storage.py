"""Cloud Storage of the emulator, driven by Google's own client: what it stores, refuses and repeats."""

from __future__ import annotations

import io

import pytest
from google.api_core.exceptions import NotFound, PreconditionFailed, ServiceUnavailable
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY

from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.emulator.http.faults import Fault

MIB = 1024 * 1024
AT_ONCE = DEFAULT_RETRY.with_delay(initial=0.0, maximum=0.0)
NAMES = ["plain.jsonl", "a/b/c.jsonl", "with space", "100%", "ü/ñ.jsonl", "a+b&c=d?e#f"]


@pytest.fixture
def emulator():
    with Emulator() as made:
        made.buckets.make("rows", "us-east5")
        yield made


@pytest.fixture
def client(emulator):
    options = {"api_endpoint": emulator.origin}
    with storage.Client(project="p", credentials=AnonymousCredentials(), client_options=options) as made:
        # Else version 3.17 looks the bucket up in a thread of its own, and may take a fault that is for another call.
        made.get_bucket("rows")
        yield made


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [0, 5, 3 * MIB])
def test_what_is_uploaded_comes_back(client, name, size):
    blob = client.bucket("rows").blob(name, chunk_size=MIB if size > MIB else None)
    content = bytes(range(256)) * (size // 256) or b"x" * size
    blob.upload_from_string(content, checksum="crc32c")
    assert client.bucket("rows").blob(name).download_as_bytes(checksum="crc32c") == content
    assert client.bucket("rows").get_blob(name).size == len(content)


@pytest.mark.parametrize("checksum", ["crc32c", "md5"])
@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_a_wrong_checksum_of_a_download_is_seen(emulator, client, checksum, size):
    client.bucket("rows").blob("a").upload_from_string(b"x" * size, checksum=checksum)
    wrong = Fault(headers={"x-goog-hash": f"{checksum}=AAAAAA=="})
    emulator.fail(wrong)
    with pytest.raises(DataCorruption):
        client.bucket("rows").blob("a").download_as_bytes(checksum=checksum, retry=None)


def test_a_wrong_checksum_of_an_upload_is_refused(emulator):
    import requests

    url = f"{emulator.origin}/upload/storage/v1/b/rows/o?uploadType=resumable&name=a"
    place = requests.post(url, json={"crc32c": "AAAAAA=="}, timeout=10).headers["Location"]
    answer = requests.put(place, data=b"other", timeout=10)
    assert answer.status_code == 400
    assert emulator.buckets.names("rows") == []


@pytest.mark.parametrize("chunk", [None, 256 * 1024])
def test_a_create_only_upload_over_an_object_is_refused(client, chunk):
    bucket = client.bucket("rows")
    data = b"y" * (MIB if chunk else 10)
    bucket.blob("a", chunk_size=chunk).upload_from_string(data, if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("a", chunk_size=chunk).upload_from_string(b"z" * len(data), if_generation_match=0)
    assert bucket.blob("a").download_as_bytes() == data


def test_a_precondition_holds_at_the_end_of_a_resumable_upload_too(emulator):
    import requests

    url = f"{emulator.origin}/upload/storage/v1/b/rows/o?uploadType=resumable&name=a&ifGenerationMatch=0"
    place = requests.post(url, json={}, timeout=10).headers["Location"]
    emulator.buckets.write("rows", "a", b"meanwhile")
    assert requests.put(place, data=b"late", timeout=10).status_code == 412
    assert emulator.buckets.get("rows", "a").content == b"meanwhile"


def test_a_resumable_upload_goes_on_after_failures_and_sends_nothing_twice(emulator, client):
    blob = client.bucket("rows").blob("a", chunk_size=256 * 1024)
    content = bytes(range(256)) * 8 * 1024
    # The session is opened, then every second chunk fails, before or after it was taken.
    emulator.fail(Fault(), Fault(status=503), Fault(), Fault(cut_after=1, ending="reset"), Fault(status=500))
    blob.upload_from_file(io.BytesIO(content), size=len(content), if_generation_match=0, checksum="crc32c",
                          retry=AT_ONCE)  # fmt: skip
    assert emulator.buckets.get("rows", "a").content == content


def test_without_retries_a_failure_is_an_error(emulator, client):
    emulator.fail(503)
    with pytest.raises(ServiceUnavailable):
        client.bucket("rows").blob("a").upload_from_string(b"x", retry=None)


def test_lists_come_in_pages_and_by_folder(emulator, client):
    for number in range(25):
        emulator.buckets.write("rows", f"out/{number:03}.jsonl", b"{}")
    emulator.buckets.write("rows", "other", b"")
    pages = client.list_blobs("rows", prefix="out/", page_size=10).pages
    assert [len(list(page)) for page in pages] == [10, 10, 5]
    listed = client.list_blobs("rows", delimiter="/")
    assert [blob.name for blob in listed] == ["other"]
    assert set(listed.prefixes) == {"out/"}


def test_a_range_is_served(emulator, client):
    emulator.buckets.write("rows", "a", b"0123456789")
    blob = client.bucket("rows").blob("a")
    assert blob.download_as_bytes(start=2, end=4, checksum=None) == b"234"
    assert client.bucket("rows").blob("a", chunk_size=256 * 1024).download_as_bytes() == b"0123456789"


def test_a_bucket_says_its_location_and_one_that_is_not_there_is_not_found(client):
    assert client.get_bucket("rows").location == "US-EAST5"
    with pytest.raises(NotFound):
        client.get_bucket("nowhere")
    with pytest.raises(NotFound):
        client.bucket("rows").blob("nothing").download_as_bytes()


def test_a_wrong_token_is_refused_and_none_is_needed(emulator):
    import requests

    url = f"{emulator.origin}/storage/v1/b/rows"
    assert requests.get(url, timeout=10).status_code == 200
    assert requests.get(url, headers={"Authorization": "Bearer no"}, timeout=10).status_code == 401
