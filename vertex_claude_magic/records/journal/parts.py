"""Requests in the parts that they share, each stored once by its hash, and the bytes of attachments likewise.

A request is a frame (model, betas and body, with the numbers of its system text and tools) and the last turn of its
messages. A turn is a message below the turn before it, so that a conversation adds what is new in it.

Functions take a connection inside of a transaction; `Database` provides it.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import JournalError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.vertex.digest import Parts

__all__ = [
    "add_attachments",
    "add_part",
    "add_request",
    "attachment",
    "drop_attachments",
    "drop_part",
    "drop_request",
    "pack",
    "read_part",
    "read_request",
    "unpack",
]

# Made once: `json.dumps` makes one for each call that is not all defaults.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# Bytes of a digest that are stored: 128 bits do not meet by chance, and take half of the space (they are indexed too).
_STORED = 16
_MOST_FRAMES = 1_000
# Bytes up to which a window of this size holds all there is.
_WINDOW = 8_192
# Bytes up to which compressing saves no more than a fifth.
_SHORT = 200
# The turn of a request whose list of messages is empty, which is another one than a request without a list.
_EMPTY = 0
_MESSAGES = """
WITH RECURSIVE conversation(parent, part, place) AS (
    SELECT parent, part, 0 FROM turns WHERE id = ?
    UNION ALL
    SELECT turns.parent, turns.part, place + 1 FROM turns JOIN conversation ON turns.id = conversation.parent
)
SELECT parts.content FROM conversation LEFT JOIN parts ON parts.id = conversation.part ORDER BY place DESC
"""


def add_request(
    connection: sqlite3.Connection, parts: Parts, frames: dict[bytes, int] | None = None
) -> tuple[int, int | None]:
    """Store what is new of a request, and return the numbers of its frame and of its last turn.

    Args:
        connection: The journal.
        parts: The request.
        frames: The numbers that frames had before, by their digest; they need not be right.
    """
    turn = None if parts.messages is None else _add_messages(connection, parts)
    frames = {} if frames is None else frames
    digest = parts.frame_hash[:_STORED]
    frame = frames.get(digest)
    known = "UPDATE parts SET uses = uses + 1 WHERE id = ? AND hash = ?"
    # Questions mostly share it with the last one.
    if frame is not None and connection.execute(known, (frame, digest)).rowcount == 1:
        return frame, turn
    frame = _use("parts", connection, "hash", digest)
    if frame is None:
        shared: dict[str, list[int]] = {}
        for name, value, part in parts.shared:
            shared.setdefault(name, []).append(add_part(connection, part, value))
        frame = _insert(connection, digest, {"request": parts.frame, "parts": shared})
    if len(frames) >= _MOST_FRAMES:
        frames.clear()
    frames[digest] = frame
    return frame, turn


def _add_messages(connection: sqlite3.Connection, parts: Parts) -> int:
    turn, known = None, len(parts.links)
    # The last message is mostly one that was never there, and then there is no turn with it either.
    new = _insert_new(connection, parts.hashes[-1], (parts.messages or ())[-1]) if known else None
    if new is not None:
        known -= 1
    # From the end, because a conversation has grown by a turn or two since it was last stored.
    while known and (turn := _use("turns", connection, "digest", parts.links[known - 1])) is None:
        known -= 1
    for at in range(known, len(parts.links)):
        last = new is not None and at == len(parts.links) - 1
        part = new if last else add_part(connection, parts.hashes[at], (parts.messages or ())[at])
        row = (parts.links[at][:_STORED], turn, part)
        turn = connection.execute(
            "INSERT INTO turns (digest, parent, part, uses) VALUES (?, ?, ?, 1)", row
        ).lastrowid
    return turn or _EMPTY


def add_part(connection: sqlite3.Connection, digest: bytes, value: Json) -> int:
    """Store a part, or count one more use of it, and return its number; `digest` is its SHA-256."""
    return _use("parts", connection, "hash", digest) or _insert(connection, digest, value)


def _insert(connection: sqlite3.Connection, digest: bytes, value: Json) -> int:
    cursor = connection.execute(
        "INSERT INTO parts (hash, uses, content) VALUES (?, 1, ?)", (digest[:_STORED], pack(value))
    )
    return int(cursor.lastrowid or 0)


def _insert_new(connection: sqlite3.Connection, digest: bytes, value: Json) -> int | None:
    """Store a part if it is new, and return its number; None if it was there, and was not counted."""
    query = "INSERT OR IGNORE INTO parts (hash, uses, content) VALUES (?, 1, ?)"
    cursor = connection.execute(query, (digest[:_STORED], pack(value)))
    return cursor.lastrowid if cursor.rowcount == 1 else None


def _use(table: str, connection: sqlite3.Connection, column: str, digest: bytes) -> int | None:
    """Count one more use of a row, and return its number; None if there is no such row."""
    query = f"SELECT id FROM {table} WHERE {column} = ?"  # noqa: S608 - fixed names
    row = connection.execute(query, (digest[:_STORED],)).fetchone()
    if row is None:
        return None
    connection.execute(f"UPDATE {table} SET uses = uses + 1 WHERE id = ?", row)  # noqa: S608 - fixed names
    return int(row[0])


def drop_request(connection: sqlite3.Connection, frame: int, turn: int | None) -> None:
    """Take one use from a frame and a turn; what nothing uses any more goes with all that only it used."""
    while turn:
        row = connection.execute("SELECT uses, parent, part FROM turns WHERE id = ?", (turn,)).fetchone()
        if row is None or row[0] > 1:
            connection.execute("UPDATE turns SET uses = uses - 1 WHERE id = ?", (turn,))
            break
        connection.execute("DELETE FROM turns WHERE id = ?", (turn,))
        drop_part(connection, row[2])
        turn = row[1]
    content = drop_part(connection, frame)
    if content is not None:
        for number in (number for numbers in unpack(content)["parts"].values() for number in numbers):
            drop_part(connection, number)


def drop_part(connection: sqlite3.Connection, number: int) -> bytes | None:
    """Take one use from a part, and return its content if it was the last one."""
    row = connection.execute("SELECT uses, content FROM parts WHERE id = ?", (number,)).fetchone()
    if row is None or row[0] > 1:
        connection.execute("UPDATE parts SET uses = uses - 1 WHERE id = ?", (number,))
        return None
    connection.execute("DELETE FROM parts WHERE id = ?", (number,))
    return bytes(row[1])


# What may have attachments: a call, or a turn of a conversation that is kept.
_OWNERS = {"call": "call_attachments", "turn": "chat_attachments"}


def add_attachments(
    connection: sqlite3.Connection, owner: str, number: int, contents: Mapping[str, bytes]
) -> None:
    """Store attachments, each once, and whose they are.

    Args:
        connection: The journal.
        owner: "call" or "turn".
        number: Its id.
        contents: The bytes of each by their SHA-256 (hexadecimal).
    """
    for name, content in contents.items():
        pair = (bytes.fromhex(name), content)
        connection.execute("INSERT OR IGNORE INTO attachments (hash, content) VALUES (?, ?)", pair)
        owned = f"INSERT OR IGNORE INTO {_OWNERS[owner]} (hash, {owner}) VALUES (?, ?)"  # noqa: S608 - fixed names
        connection.execute(owned, (pair[0], number))


def drop_attachments(connection: sqlite3.Connection, owner: str, number: int) -> None:
    """Drop the attachments of a call or a turn, and the bytes of those that nothing else has; arguments as above."""
    table = _OWNERS[owner]
    hashes = connection.execute(f"SELECT hash FROM {table} WHERE {owner} = ?", (number,)).fetchall()  # noqa: S608 - fixed names
    connection.execute(f"DELETE FROM {table} WHERE {owner} = ?", (number,))  # noqa: S608 - fixed names
    unused = " AND ".join(f"NOT EXISTS (SELECT 1 FROM {each} WHERE hash = ?1)" for each in _OWNERS.values())  # noqa: S608 - fixed names
    connection.executemany(f"DELETE FROM attachments WHERE hash = ?1 AND {unused}", hashes)  # noqa: S608 - fixed names


def attachment(connection: sqlite3.Connection, name: str) -> bytes | None:
    """Return the bytes of an attachment by their SHA-256 (hexadecimal), None if they are not there."""
    query = "SELECT content FROM attachments WHERE hash = ?"
    row = connection.execute(query, (bytes.fromhex(name),)).fetchone()
    return None if row is None else bytes(row[0])


def read_request(
    connection: sqlite3.Connection, whole: bytes | None, frame: int | None, turn: int | None
) -> dict[str, Any]:
    """Return a canonical request; `whole` is what versions before the parts stored, and counts without a frame.

    Raises:
        JournalError: it was changed since.
    """
    if frame is None:
        request: dict[str, Any] = unpack(whole or b"")
        return request
    found = unpack(_content(connection, frame))
    request = found["request"]
    for name, numbers in found["parts"].items():
        values = [unpack(_content(connection, number)) for number in numbers]
        request["body"][name] = values[0] if request["body"][name] is None else values
    if turn is not None:
        rows = connection.execute(_MESSAGES, (turn,)).fetchall()
        request["body"]["messages"] = [unpack(content) for (content,) in rows]
    return request


def read_part(connection: sqlite3.Connection, number: int) -> Json:
    """Return a part.

    Raises:
        JournalError: it was changed since, or is not there.
    """
    part: Json = unpack(_content(connection, number))
    return part


def _content(connection: sqlite3.Connection, number: int) -> bytes:
    row = connection.execute("SELECT content FROM parts WHERE id = ?", (number,)).fetchone()
    return b"" if row is None else bytes(row[0])


def pack(value: Json) -> bytes:
    """Return JSON as a zlib stream, compressed where that is worth its time."""
    data = _encode(value).encode("utf-8", "replace")
    if len(data) <= _SHORT:
        # One block that is not compressed (RFC 1950, RFC 1951, 3.2.4), as zlib writes it at level 0: to set up zlib
        # takes longer than all the rest of a short part, and gives Python's lock away twice.
        size = len(data)
        head = b"\x78\x01\x01" + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little")
        return head + data + zlib.adler32(data).to_bytes(4, "big")
    if len(data) > _WINDOW:
        return zlib.compress(data, 1)
    # Most parts are short. A window of 32 kB and its tables (268 kB in all) take 150 to 300 microseconds to set up,
    # these 5 to 30, and the result is as short (zlib 1.2.13; any zlib reads it).
    packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOW.bit_length() - 1, 5)
    return packer.compress(data) + packer.flush()


def unpack(data: bytes) -> Any:
    """Return what `pack` was given.

    Raises:
        JournalError: it was changed since.
    """
    try:
        return json.loads(zlib.decompress(data))
    except (ValueError, zlib.error, RecursionError, TypeError):
        raise JournalError(
            "An entry of the journal is damaged.", cure="Move the journal away; a new one is created."
        ) from None
