"""The routes of Cloud Storage's JSON API that google-cloud-storage uses for files of rows (3.17)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from vertex_claude_magic.emulator.http.response import Received, Response, json_response
from vertex_claude_magic.emulator.storage.objects import Buckets, Refused
from vertex_claude_magic.emulator.storage.uploads import Upload, Uploads

if TYPE_CHECKING:
    from vertex_claude_magic.emulator.storage.objects import Stored
    from vertex_claude_magic.json_types import Json

__all__ = ["Storage", "is_storage_path"]

_PATH = re.compile(
    r"/(?:(upload|download)/)?storage/v1/b(?:/(?P<bucket>[^/]+)(?P<list>/o(?:/(?P<name>[^/]+))?)?)?"
)
_PAGE = 1_000
_BYTES = re.compile(r"bytes=(\d*)-(\d*)")


def is_storage_path(path: str) -> bool:
    """Tell whether a path is one of Cloud Storage."""
    return _PATH.fullmatch(path) is not None


@dataclass(kw_only=True, eq=False)
class Storage:
    """Cloud Storage on this machine.

    Args:
        origin: The emulator's own scheme, host and port.
        buckets: What is stored.
        page: How many objects a page of a list has at most.
    """

    origin: str
    buckets: Buckets = field(default_factory=Buckets)
    page: int = _PAGE
    _uploads: Uploads = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._uploads = Uploads(self.buckets)

    def handle(self, received: Received) -> Response:
        """Answer one request."""
        try:
            return self._answer(received)
        except Refused as refused:
            entry: Json = {"message": refused.message, "domain": "global", "reason": refused.reason}
            code, message = refused.status, refused.message
            return json_response({"error": {"code": code, "message": message, "errors": [entry]}}, code)

    def _answer(self, received: Received) -> Response:
        found = _PATH.fullmatch(received.path)
        bucket, name = (unquote(found[part] or "") if found else "" for part in ("bucket", "name"))
        method = received.method
        if found is not None and found[1] == "upload":
            return self._upload(received, bucket)
        if not bucket and method == "POST":
            return self._make(received)
        if found is not None and not bucket and method == "GET":
            items = [{"kind": "storage#bucket", "name": name} for name in self.buckets.all_names()]
            return json_response({"kind": "storage#buckets", "items": items})
        if found is None or not bucket or method not in {"GET", "DELETE"}:
            raise Refused(404, "notFound", "Not Found")
        location = self.buckets.location(bucket)
        if location is None:
            raise Refused(404, "notFound", "The specified bucket does not exist.")
        if not found["list"]:
            return json_response({"kind": "storage#bucket", "name": bucket, "location": location.upper()})
        if not name:
            return self._list(received, bucket)
        stored = self.buckets.get(bucket, name)
        wanted = received.query.get("generation") or received.query.get("ifGenerationMatch")
        if wanted is not None and wanted != str(stored.generation):
            status = 404 if "generation" in received.query else 412
            raise Refused(status, "conditionNotMet", "The generation is not the live one.")
        if method == "DELETE":
            self.buckets.delete(bucket, name)
            return Response(status=204, pieces=(b"",))
        if received.query.get("alt") == "media":
            return _media(stored, received.headers.get("range", ""))
        return json_response(stored.resource())

    def _make(self, received: Received) -> Response:
        given = received.body if isinstance(received.body, dict) else {}
        name, location = str(given.get("name") or ""), str(given.get("location") or "us")
        if not name:
            raise Refused(400, "required", "Required")
        if self.buckets.location(name) is not None:
            raise Refused(409, "conflict", "Your previous request to create the named bucket succeeded.")
        self.buckets.make(name, location)
        return json_response({"kind": "storage#bucket", "name": name, "location": location.upper()})

    def _list(self, received: Received, bucket: str) -> Response:
        query = received.query
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        names, prefixes = list[str](), dict[str, None]()
        for name in self.buckets.names(bucket, prefix):
            rest = name[len(prefix) :]
            if delimiter and delimiter in rest:
                prefixes[prefix + rest.partition(delimiter)[0] + delimiter] = None
            elif name >= query.get("startOffset", ""):
                names.append(name)
        size, start = query.get("maxResults", ""), query.get("pageToken", "")
        if size and not size.isdecimal():
            raise Refused(400, "invalid", f"Invalid value {size!r}.")
        # A token is the last name of the page before, so that a list stays right while objects come.
        names = [name for name in names if name > start] if start else names
        page = names[: min(int(size or self.page), self.page) or self.page]
        answer: dict[str, Any] = {"kind": "storage#objects"}
        answer["items"] = [self.buckets.get(bucket, name).resource() for name in page]
        if delimiter:
            answer["prefixes"] = list(prefixes)
        if len(page) < len(names):
            answer["nextPageToken"] = page[-1]
        return json_response(answer)

    def _upload(self, received: Received, bucket: str) -> Response:
        query = received.query
        if received.method == "PUT" and "upload_id" in query:
            return self._uploads.put(query["upload_id"], received)
        kind = query.get("uploadType")
        if received.method != "POST" or kind not in {"media", "multipart", "resumable"}:
            raise Refused(404, "notFound", "Not Found")
        resource: dict[str, Any] = {}
        content = received.raw
        if kind == "multipart":
            resource, content = _parts(received)
        elif kind == "resumable" and isinstance(received.body, dict):
            resource = received.body
        name = str(resource.get("name") or query.get("name") or "")
        if not name:
            raise Refused(400, "required", "Required parameter: name")
        generation = query.get("ifGenerationMatch")
        upload = Upload(
            bucket=bucket,
            name=name,
            resource={"contentType": received.headers.get("x-upload-content-type"), **resource},
            if_generation=int(generation) if generation is not None and generation.isdecimal() else None,
        )
        number = self._uploads.begin(upload)
        if kind == "resumable":
            place = f"{self.origin}{received.path}?uploadType=resumable&upload_id={number}"
            return Response(pieces=(b"",), headers={"Location": place, "X-GUploader-UploadID": number})
        whole = Received(method="PUT", path=received.path, headers={}, raw=content)
        return self._uploads.put(number, whole)


def _parts(received: Received) -> tuple[dict[str, Any], bytes]:
    """Return metadata and content of a body of two parts (multipart/related, RFC 2387)."""
    kind = received.headers.get("content-type", "")
    found = re.search(r'boundary="?([^";]+)"?', kind)
    pieces = received.raw.split(b"--" + found[1].encode("latin-1") if found else b"\0")
    if len(pieces) != 4:
        raise Refused(400, "badContent", "Malformed multipart body.")
    heads, contents = [], []
    for piece in pieces[1:3]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        heads.append(BytesParser().parsebytes(head + b"\r\n\r\n"))
        contents.append(content.removesuffix(b"\r\n"))
    try:
        resource = json.loads(contents[0])
    except ValueError:
        raise Refused(400, "parseError", "The metadata is not JSON.") from None
    return {"contentType": heads[1].get_content_type(), **resource}, contents[1]


def _media(stored: Stored, wanted: str) -> Response:
    size = len(stored.content)
    headers = {
        "x-goog-hash": f"crc32c={stored.crc32c},md5={stored.md5}",
        "x-goog-generation": str(stored.generation),
        "x-goog-stored-content-length": str(size),
        "Accept-Ranges": "bytes",
    }
    found = _BYTES.fullmatch(wanted)
    if found is None or not (found[1] or found[2]):
        return Response(pieces=(stored.content,), content_type=stored.content_type, headers=headers)
    first = int(found[1]) if found[1] else max(size - int(found[2]), 0)
    last = min(int(found[2]), size - 1) if found[1] and found[2] else size - 1
    if first >= size or last < first:
        headers["Content-Range"] = f"bytes */{size}"
        return Response(status=416, pieces=(b"",), headers=headers)
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    part = stored.content[first : last + 1]
    return Response(status=206, pieces=(part,), content_type=stored.content_type, headers=headers)
