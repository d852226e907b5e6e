"""Resumable uploads: a session, chunks with their place, and the object at the end.

The steps are those of the page "Resumable uploads" (Google Cloud docs, 2026): a session is begun with the object's
metadata, each chunk names its range, `bytes */*` asks how much has arrived, and 308 says it.
"""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.emulator.http.response import Response, json_response
from vertex_claude_magic.emulator.storage.objects import Refused, Stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.emulator.http.response import Received
    from vertex_claude_magic.emulator.storage.objects import Buckets

__all__ = ["Upload", "Uploads"]

_RANGE = re.compile(r"bytes (?:(?P<first>\d+)-(?P<last>\d+)|\*)/(?P<total>\d+|\*)")


@dataclass(kw_only=True, eq=False)
class Upload:
    """One session; `done` is what came of it."""

    bucket: str
    name: str
    resource: Mapping[str, Any]
    if_generation: int | None
    content: bytearray = field(default_factory=bytearray)
    done: Stored | None = None


class Uploads:
    """The sessions that are open or were ended, by their id.

    Args:
        buckets: Where the objects go.
    """

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._sessions: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def begin(self, upload: Upload) -> str:
        """Open a session, and return its id.

        Raises:
            Refused: the precondition does not hold now.
        """
        self._buckets.check(upload.bucket, upload.name, upload.if_generation)
        number = secrets.token_hex(16)
        with self._lock:
            self._sessions[number] = upload
        return number

    def put(self, number: str, received: Received) -> Response:
        """Accept a chunk, or report how much has arrived.

        Raises:
            Refused: there is no such session, the chunk has no place, or the object cannot be written.
        """
        with self._lock:
            upload = self._sessions.get(number)
            if upload is None:
                raise Refused(404, "notFound", "No such upload session.")
            if upload.done is not None:
                return json_response(upload.done.resource())
            size, data = len(upload.content), received.raw
            # Without a range the body is the whole object.
            whole = f"bytes 0-{len(data) - 1}/{len(data)}" if data else "bytes */0"
            given = received.headers.get("content-range") or whole
            found = _RANGE.fullmatch(given)
            if found is None:
                raise Refused(400, "invalid", f"Failed to parse Content-Range header {given!r}.")
            if found["first"] is not None:
                first, last = int(found["first"]), int(found["last"])
                if first > size or last - first + 1 != len(data):
                    raise Refused(400, "invalid", "The range of the chunk does not fit what has arrived.")
                # What had arrived before is sent again after a lost answer; the bytes are the same.
                upload.content += data[size - first :]
            if found["total"] == "*" or int(found["total"]) != len(upload.content):
                # Nothing of a range where nothing has arrived.
                arrived = {"Range": f"bytes=0-{len(upload.content) - 1}"} if upload.content else {}
                return Response(status=308, pieces=(b"",), headers=arrived)
            resource = upload.resource
            checksums = [part for part in received.headers.get("x-goog-hash", "").split(",") if part]
            checksums += [f"{key}={resource[name]}" for key, name in _HASHES if resource.get(name)]
            upload.done = self._buckets.write(
                upload.bucket,
                upload.name,
                bytes(upload.content),
                content_type=str(resource.get("contentType") or "application/octet-stream"),
                metadata=resource.get("metadata"),
                if_generation=upload.if_generation,
                checksums=checksums,
            )
            # The bytes are the object's now.
            upload.content = bytearray()
            return json_response(upload.done.resource())


_HASHES = (("crc32c", "crc32c"), ("md5", "md5Hash"))
