"""Buckets and their objects in memory, with the generations and preconditions of Cloud Storage.

A write makes a new generation; `ifGenerationMatch` holds for every way of writing, also at the end of a resumable
upload (Google Cloud docs, "Request preconditions", 2026).
"""

from __future__ import annotations

import base64
import hashlib
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Buckets", "Refused", "Stored"]

# Generations are microseconds at the service; here they only have to grow.
_FIRST_GENERATION = 1_700_000_000_000_000


class Refused(Exception):
    """A request that the service refuses, with its HTTP status and reason."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """One generation of an object."""

    bucket: str
    name: str
    generation: int
    content: bytes
    content_type: str
    created: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    crc32c: str
    md5: str

    def resource(self) -> dict[str, Any]:
        """The object's resource of the JSON API."""
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "name": self.name,
            "bucket": self.bucket,
            # 64-bit numbers are texts in Google's JSON.
            "generation": str(self.generation),
            "metageneration": "1",
            "contentType": self.content_type,
            "size": str(len(self.content)),
            "md5Hash": self.md5,
            "crc32c": self.crc32c,
            "timeCreated": self.created,
            "updated": self.created,
            "metadata": dict(self.metadata),
        }


@dataclass(eq=False)
class Buckets:
    """All buckets by name; safe under threads.

    >>> buckets = Buckets()
    >>> buckets.make("rows", "us-east5")
    >>> buckets.write("rows", "a.jsonl", b"{}", if_generation=0).name
    'a.jsonl'
    """

    _locations: dict[str, str] = field(default_factory=dict, init=False)
    _objects: dict[tuple[str, str], Stored] = field(default_factory=dict, init=False)
    _generation: int = field(default=_FIRST_GENERATION, init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    def make(self, name: str, location: str = "us-central1") -> None:
        """Make a bucket in a location, such as "us-east5", or "us" for the multi-region."""
        with self._lock:
            self._locations[name] = location.lower()

    def location(self, name: str) -> str | None:
        """Return the location of a bucket, None if there is no such bucket."""
        with self._lock:
            return self._locations.get(name)

    def all_names(self) -> list[str]:
        """Return the names of all buckets, in the order in which they were made."""
        with self._lock:
            return [*self._locations]

    def names(self, bucket: str, prefix: str = "") -> list[str]:
        """Return the names of the objects of a bucket that begin with a prefix, in order."""
        with self._lock:
            return sorted(name for held, name in self._objects if held == bucket and name.startswith(prefix))

    def get(self, bucket: str, name: str) -> Stored:
        """Return an object.

        Raises:
            Refused: there is none.
        """
        with self._lock:
            found = self._objects.get((bucket, name))
        if found is None:
            raise Refused(404, "notFound", f"No such object: {bucket}/{name}")
        return found

    def check(self, bucket: str, name: str, if_generation: int | None) -> None:
        """Refuse a write whose precondition fails; generation 0 means that there is no object.

        Raises:
            Refused: it does not hold, or there is no such bucket.
        """
        with self._lock:
            if bucket not in self._locations:
                raise Refused(404, "notFound", "The specified bucket does not exist.")
            live = self._objects.get((bucket, name))
            if if_generation is not None and if_generation != (live.generation if live else 0):
                message = "At least one of the pre-conditions you specified did not hold."
                raise Refused(412, "conditionNotMet", message)

    def write(
        self,
        bucket: str,
        name: str,
        content: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        if_generation: int | None = None,
        checksums: Iterable[str] = (),
    ) -> Stored:
        """Write a new generation of an object.

        Args:
            bucket: The bucket.
            name: The name of the object.
            content: All of its bytes.
            content_type: Its media type.
            metadata: Its own keys and values.
            if_generation: The generation that must be live, 0 for none.
            checksums: What the client says of the content, such as "crc32c=AAAAAA==".

        Raises:
            Refused: the precondition does not hold, or a checksum is wrong.
        """
        import google_crc32c

        checksum: bytes = google_crc32c.value(content).to_bytes(4, "big")
        crc = base64.b64encode(checksum).decode()
        md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        known = {"crc32c": crc, "md5": md5}
        for given in checksums:
            kind, _, value = given.partition("=")
            if known.get(kind.strip(), value) != value:
                raise Refused(400, "invalid", f"Provided {kind} hash {value!r} doesn't match calculated one.")
        with self._lock:
            self.check(bucket, name, if_generation)
            self._generation += 1
            stored = Stored(
                bucket=bucket,
                name=name,
                generation=self._generation,
                content=content,
                content_type=content_type,
                created=datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                metadata=dict(metadata or {}),
                crc32c=crc,
                md5=md5,
            )
            self._objects[bucket, name] = stored
            return stored

    def delete(self, bucket: str, name: str) -> None:
        """Delete an object.

        Raises:
            Refused: there is none.
        """
        with self._lock:
            self.get(bucket, name)
            del self._objects[bucket, name]
