"""Bytes to lines, lines to server-sent events, server-sent events to events of the Messages API.

Each step is a small decoder that can be fed any split of the input. The rules are those of the
WHATWG HTML standard, section "Server-sent events" (9.2.6): three line endings, one leading byte
order mark dropped, an event without a data line not dispatched, an unfinished event dropped at the
end. `requests`' own line iterator is not used: it splits a CRLF that falls between two chunks, and
decodes text without a charset as ISO-8859-1.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import ProtocolError
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["PIECES", "Event", "EventDecoder", "LineDecoder", "MessageDecoder", "ServerSentEvent"]

# A single event may carry a whole search result, but not fill the memory.
MAX_EVENT_BYTES = 32 * 1024 * 1024

_LF, _CR = b"\n\r"
_BOM = b"\xef\xbb\xbf"
_DELTA = b"event: content_block_delta\ndata: "
_DELTA_START = len(_DELTA)
_CURE = "Ask again; if it happens again, check for a proxy between this machine and Google."
# The types of deltas that add a text to their block, and the key of that text in the delta and in the block.
PIECES = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


class ServerSentEvent(NamedTuple):
    """One dispatched event: its name (empty if none was sent) and its data, both still encoded."""

    name: bytes
    data: bytes


class Event(NamedTuple):
    """One event of a streamed message: the `type` of the Messages API and the whole JSON object.

    >>> Event("content_block_delta", {"delta": {"type": "text_delta", "text": "Hi"}}).text
    'Hi'
    """

    type: str
    data: dict[str, Any]

    @property
    def piece(self) -> tuple[str, str]:
        """What this event adds to its block: the type of the delta and the text; both empty for other events."""
        delta = self.data.get("delta") if self.type == "content_block_delta" else None
        kind = delta.get("type") if isinstance(delta, dict) else None
        key = PIECES.get(kind) if isinstance(kind, str) else None
        value = delta.get(key) if isinstance(delta, dict) and key is not None else None
        return (kind, value) if isinstance(kind, str) and isinstance(value, str) else ("", "")

    @property
    def text(self) -> str:
        """The text that this event adds to the answer; empty for every other kind of event."""
        kind, piece = self.piece
        return piece if kind == "text_delta" else ""

    @property
    def thinking(self) -> str:
        """The thinking that this event adds; empty for every other kind of event."""
        kind, piece = self.piece
        return piece if kind == "thinking_delta" else ""

    @property
    def partial_json(self) -> str:
        """The JSON that this event adds to the input of a tool; empty for every other kind of event."""
        kind, piece = self.piece
        return piece if kind == "input_json_delta" else ""


def _too_large() -> ProtocolError:
    return ProtocolError(
        f"One event of the answer is larger than {MAX_EVENT_BYTES // 2**20} MiB.", cure=_CURE
    )


class LineDecoder:
    """Split bytes into lines at LF, CR or CRLF, wherever the chunks are cut.

    >>> decoder = LineDecoder()
    >>> decoder.feed(b"data: a\\r"), decoder.feed(b"\\ndata")
    ([b'data: a'], [])
    """

    __slots__ = ("_head", "_parts", "_plain", "_size", "_skip_newline")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._skip_newline = False
        self._head: bytes | None = b""
        # True when a chunk that ends in a newline can be split as it is: the common case, made cheap.
        self._plain = False

    @property
    def between(self) -> bool:
        """Whether the next chunk begins with a new line, whatever it is."""
        return self._plain and not self._parts

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that are complete now, without their endings.

        Raises:
            ProtocolError: a line is longer than `MAX_EVENT_BYTES`.
        """
        if self._plain and not self._parts and chunk and chunk[-1] == 10:
            return chunk.splitlines()
        if self._head is not None:
            chunk = self._without_mark(chunk)
        if not chunk:
            return []
        if self._skip_newline:
            self._skip_newline = False
            if chunk[0] == 10:
                chunk = chunk[1:]
        self._plain = self._head is None
        if b"\n" not in chunk and b"\r" not in chunk:
            self._hold(chunk)
            return []
        if self._parts:
            chunk = b"".join((*self._parts, chunk))
            self._parts.clear()
            self._size = 0
        lines = chunk.splitlines()
        if chunk[-1] not in b"\r\n":
            self._hold(lines.pop())
        else:
            self._skip_newline = chunk[-1] == 13
            self._plain = self._plain and not self._skip_newline
        return lines

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > MAX_EVENT_BYTES:
            raise _too_large()
        if part:
            self._parts.append(part)

    def _without_mark(self, chunk: bytes) -> bytes:
        head = (self._head or b"") + chunk
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        return head.removeprefix(_BOM)


class EventDecoder:
    """Gather lines into server-sent events.

    >>> EventDecoder().feed([b"event: ping", b"data: {}", b""])
    [ServerSentEvent(name=b'ping', data=b'{}')]
    """

    __slots__ = ("_data", "_name", "_size")

    def __init__(self) -> None:
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0

    @property
    def empty(self) -> bool:
        """Whether no event has been begun."""
        return not self._data and not self._name

    def feed(self, lines: Sequence[bytes]) -> list[ServerSentEvent]:
        """Return the events that these lines complete.

        Raises:
            ProtocolError: the data of one event is larger than `MAX_EVENT_BYTES`.
        """
        events: list[ServerSentEvent] = []
        data = self._data
        for line in lines:
            if line[:6] == b"data: ":
                data.append(line[6:])
            elif line[:7] == b"event: ":
                self._name = line[7:]
            elif line:
                self._field(line)
            else:
                if data:
                    events.append(ServerSentEvent(self._name, b"\n".join(data)))
                    data.clear()
                    self._size = 0
                self._name = b""
        if data:
            # Lines of events that are over count for nothing.
            self._size += sum(map(len, data if events else lines))
            if self._size > MAX_EVENT_BYTES:
                raise _too_large()
        return events

    def _field(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"event":
            self._name = value
        elif field == b"data":
            self._data.append(value)


def parse_event(event: ServerSentEvent) -> Event:
    """Read the JSON of one server-sent event; the type inside the JSON wins over the event's name.

    An event with an empty data line carries nothing, whatever its name says.

    Raises:
        ProtocolError: the data is not UTF-8, not JSON, or not an object.

    >>> parse_event(ServerSentEvent(b"ping", b'{"type": "ping"}'))
    Event(type='ping', data={'type': 'ping'})
    """
    data: Any
    try:
        text = event.data.decode()
        data, end = _first_json(text) if text[:1] == "{" else (None, 0)
        if end != len(text):
            data = _whole_json(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        if not event.data:
            return Event("", {})
        start = quote(event.data[:1000].decode("utf-8", "replace"))
        raise ProtocolError(f"The answer contains an event that is not a JSON object: {start!r}.", cure=_CURE)
    kind = data.get("type")
    return Event(kind if isinstance(kind, str) else event.name.decode("utf-8", "replace"), data)


# json.loads looks at its seven keyword arguments on every call, and looks for white space before and behind: with one
# call a word, that shows. So white space is looked for only where there is something else than one object.
_first_json, _whole_json = json.JSONDecoder().raw_decode, json.JSONDecoder().decode


# The constructor of a named tuple is a function of Python; this is what it calls.
_new_event = tuple.__new__


class MessageDecoder:
    """All three steps in a row: bytes in, events of the Messages API out."""

    __slots__ = ("_between", "_events", "_lines")

    def __init__(self) -> None:
        self._lines = LineDecoder()
        self._events = EventDecoder()
        # Whether neither a line nor an event has been begun; the first line may have a byte order mark.
        self._between = False

    def feed(self, chunk: bytes) -> Iterable[Event]:
        """Return the events that this chunk completes; their JSON is read one by one, as they are taken.

        So the events before a malformed one are not lost with it.

        Raises:
            ProtocolError: what arrived is not a stream of JSON events.

        >>> list(MessageDecoder().feed(b'event: ping\\ndata: {"type": "ping"}\\n\\n'))
        [Event(type='ping', data={'type': 'ping'})]
        """
        # Services send one delta a chunk, whole and in this spelling. Then there is nothing to gather.
        if self._between and chunk[:_DELTA_START] == _DELTA and _CR not in chunk:
            try:
                text = chunk.decode()
                end_of_line = text.find("\n", _DELTA_START)
                if end_of_line + 2 == len(text) and chunk[-1] == _LF:
                    data, end = _first_json(text, _DELTA_START)
                    kind = data["type"]
                    if end == end_of_line and type(kind) is str:
                        return (_new_event(Event, (kind, data)),)
            except (ValueError, KeyError, TypeError, RecursionError):
                # What is wrong is said below.
                pass
        lines = self._lines.feed(chunk)
        events = self._events.feed(lines)
        self._between = self._lines.between and self._events.empty
        return map(parse_event, events)
