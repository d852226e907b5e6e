"""The text of a recording: questions and answers as JSON that is made to be read in review.

A text of several lines is a list under `$lines`, one line each;
an attachment is replaced by its SHA-256; there is no header, project, credential or id of a request. Nothing
in it is trusted: it is data only, checked and bounded when it is read, and shown like any answer.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import RecordingInvalid
from vertex_claude_magic.records.journal.calls import StoredCall
from vertex_claude_magic.records.recorded_reply import read_recorded_reply
from vertex_claude_magic.spelling import spelled
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.digest import without_secret_fields

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json

__all__ = [
    "MOST_RECORDS",
    "is_recordable",
    "read_recording",
    "recording_text",
    "write_end",
    "write_record",
    "write_records",
]

_FORMAT = "vertex_claude_magic recording"
_VERSION = 1
_ABOUT = (
    "Questions and answers of a notebook, kept by vertex_claude_magic. A text of several lines stands in $lines, an "
    "attachment for its SHA-256. Answers from 'emulator' or 'local' came from a program on a machine, not from Claude."
)
MOST_RECORDS = 10_000
_SOURCES = frozenset({"vertex", "gateway", "local", "emulator"})
_DATE = "%Y-%m-%dT%H:%M:%SZ"
# Tool schemas are the deepest that anybody writes; far below what Python and JSON readers can take.
_DEEPEST = 100
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ESCAPED = re.compile(r"\$+lines")
_SURROGATE = "[\ud800-\udfff]"


def write_records(records: list[StoredCall], counts: Mapping[str, int] | None = None) -> str:
    r"""Return the text of a recording: answers, and input tokens by the digest of the request that they belong to.

    >>> text = write_records([StoredCall(canonical={"model": "m", "body": {}}, answer={}, asked="m", source="vertex",
    ...     recorded="2026-11-26T20:00:00Z")])
    >>> read_recording(text)[0][0].recorded
    '2026-11-26T20:00:00Z'
    """
    whole = {
        "format": _FORMAT,
        "version": _VERSION,
        "about": _ABOUT,
        "records": [_listed(stored) for stored in records],
        "counts": dict(counts or {}),
    }
    return _written(whole) + "\n"


def write_record(stored: StoredCall) -> str:
    """Return the text of one record, as it is in the text of a recording.

    Raises:
        ValueError, RecursionError: no reader would take it: it is no JSON, is nested too deeply, or is not an answer.

    >>> stored = StoredCall(canonical={"model": "m", "body": {}}, answer={}, asked="m", source="vertex",
    ...     recorded="2026-11-26T20:00:00Z")
    >>> write_record(stored) + write_end({"00": 7}) in write_records([stored], {"00": 7})
    True
    """
    return "  " + _written(_listed(stored)).replace("\n", "\n  ")


def write_end(counts: Mapping[str, int]) -> str:
    """Return the text of a recording behind its last record."""
    indented = _written(dict(counts)).replace("\n", "\n ")
    return f'\n ],\n "counts": {indented}\n}}\n'


def is_recordable(stored: StoredCall) -> bool:
    """Tell whether a recording can represent an answer, of which the journal may have any."""
    try:
        write_record(stored)
    except (ValueError, RecursionError):
        return False
    return True


def _listed(stored: StoredCall) -> dict[str, Any]:
    try:
        read_recorded_reply(stored.answer)
    except RecordingInvalid as error:
        # Such as that of a gateway which is not of the form of the Messages API.
        raise ValueError(error.message) from None
    return {
        "recorded": stored.recorded,
        "from": stored.source,
        "asked": stored.asked,
        "request": _lines(stored.canonical, 1),
        "answer": _lines(stored.answer, 1),
    }


def _written(value: Mapping[str, Any]) -> str:
    def on_one_line(pace: re.Match[str]) -> str:
        return "".join(pace[0].split()).replace(":", ": ", 1)

    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
    return re.sub(_SURROGATE, lambda found: f"\\u{ord(found[0]):04x}", re.sub(_PACE, on_one_line, text))


# Hundreds of numbers, which nobody reads one below the other.
_PACE = r'"pace": \[[\s\d,\[\]]*\]'


def read_recording(text: str) -> tuple[list[StoredCall], dict[str, int]]:
    """Read the text of a recording: its answers, and input tokens by the digest of the request.

    Raises:
        RecordingInvalid: it is none; the message names the record and the field.
    """
    whole = _whole(text)
    records, counts = whole.get("records"), whole.get("counts", {})
    if not isinstance(records, list) or len(records) > MOST_RECORDS:
        raise _invalid(f"does not contain a list of at most {MOST_RECORDS:,} records")
    answers = [_record(number, record) for number, record in enumerate(records, start=1)]
    fits = isinstance(counts, Mapping) and len(counts) <= MOST_RECORDS
    if not fits or not all(_DIGEST.fullmatch(key) and type(n) is int and n >= 0 for key, n in counts.items()):
        raise _invalid("has counts that are not whole numbers by digests")
    return answers, dict(counts)


def recording_text(data: bytes) -> str:
    """Return the text of a recording's bytes, without a byte order mark.

    Raises:
        RecordingInvalid: they are not UTF-8.
    """
    try:
        # As "utf-8-sig" does it, which is a module of its own.
        return data.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError:
        raise _invalid("is not text in UTF-8") from None


def _whole(text: str) -> Mapping[str, Any]:
    def no_number(constant: str) -> None:
        raise ValueError(f"{constant} is not a JSON number")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # Of two values under one name a reviewer may read the one that does not count.
        names = dict(pairs)
        if len(names) < len(pairs):
            raise ValueError("an object has a duplicate name")
        return names

    try:
        whole = json.loads(text, parse_constant=no_number, object_pairs_hook=unique)
    except (ValueError, RecursionError) as failure:
        raise _invalid(f"is not JSON ({quote(str(failure), 80)})") from None
    if not isinstance(whole, Mapping) or whole.get("format") != _FORMAT:
        raise _invalid(f"does not say that it is one ({_FORMAT!r})")
    if whole.get("version") != _VERSION:
        raise _invalid(
            f"has version {quote(repr(whole.get('version')), 40)}; this package reads version {_VERSION}"
        )
    return whole


def _invalid(why: str) -> RecordingInvalid:
    """Return the error that a file is not a recording; `why` goes behind "The recording"."""
    return RecordingInvalid(
        f"The recording {why}.", cure="Get the file again from its source, or record it again."
    )


def _record(number: int, record: Json) -> StoredCall:
    try:
        plain: Any = _joined(record)
        request = plain["request"]
        fits = (
            isinstance(request["body"], Mapping)
            and isinstance(request["model"], str)
            and isinstance(plain["asked"], str)
            and plain["from"] in _SOURCES
            and bool(datetime.strptime(plain["recorded"], _DATE))  # noqa: DTZ007 - only its form matters
        )
    except (KeyError, TypeError, ValueError, RecursionError):
        fits = False
    if not fits:
        raise _invalid(
            f"has a record (number {number}) without a request, a model, a date or a source that is known"
        )
    try:
        answer = read_recorded_reply(plain.get("answer")).as_json()
    except RecordingInvalid as error:
        raise RecordingInvalid(
            spelled(
                "The recording has a record (number {}) that is not an answer: {}", str(number), error.message
            ),
            cure=error.cure,
        ) from None
    canonical = {name: request[name] for name in ("model", "beta", "body") if name in request}
    # One of a version that left out fewer fields is found all the same.
    canonical["body"] = without_secret_fields(canonical["body"])
    return StoredCall(canonical=canonical, answer=answer, recorded=plain["recorded"], asked=plain["asked"],
                source=plain["from"])  # fmt: skip


def _lines(value: Json, depth: int) -> Json:
    """Put texts of several lines into lists of lines; keys that look like our own get one more dollar."""
    _check_depth(depth)
    if isinstance(value, str):
        return {"$lines": value.split("\n")} if "\n" in value else value
    if isinstance(value, Mapping):
        return {
            f"${key}" if _ESCAPED.fullmatch(key) else key: _lines(part, depth + 1)
            for key, part in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_lines(part, depth + 1) for part in value]
    return value


def _joined(value: Json, depth: int = 0) -> Json:
    _check_depth(depth)
    if isinstance(value, dict):
        if "$lines" in value:
            lines: Any = value["$lines"]
            if len(value) > 1 or not isinstance(lines, list):
                raise TypeError
            return "\n".join(lines)
        return {
            key[1:] if key[:1] == "$" and _ESCAPED.fullmatch(key) else key: _joined(part, depth + 1)
            for key, part in value.items()
        }
    if isinstance(value, list):
        if set(map(type, value)) == {int}:
            # Most values of a file are the numbers of a pace, which are not looked at one by one.
            _check_depth(depth + 1)
            return value
        return [_joined(part, depth + 1) for part in value]
    return value


def _check_depth(depth: int) -> None:
    if depth > _DEEPEST:
        raise RecursionError("nested too deeply")
