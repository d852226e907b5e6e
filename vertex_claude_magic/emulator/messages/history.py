"""What the service remembers of its own answers: after what it thought, and which turns it paused.

A thinking block is bound to its model and to everything before it (Claude docs, "What's new in Claude
Opus 5.5", 2026). A client may leave thinking blocks out, so the binding does not count them; nor does it
count cache marks, which move from request to request. A block whose signature the emulator never sent is
let through, because nothing here can tell where it comes from.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from vertex_claude_magic.emulator.messages.ask import all_blocks, blocks_of

if TYPE_CHECKING:
    from vertex_claude_magic.emulator.messages.ask import Ask
    from vertex_claude_magic.json_types import Json

__all__ = ["THINKING", "History"]

_PAUSES = frozenset({"pause_turn", "compaction"})
# The field that proves where a block comes from, by the type of the block.
THINKING = {"thinking": "signature", "redacted_thinking": "data"}
# An emulator of a lesson runs for days.
_MOST_ENTRIES = 10_000
_MOST_ALIKE = 100  # answers under one signature, which scripts may repeat


class _Thought(NamedTuple):
    model: str
    text: str
    prefix: str


class History:
    """Remembers thinking blocks and paused turns of the answers that were sent; safe under threads."""

    def __init__(self) -> None:
        self._thoughts: dict[str, tuple[_Thought, ...]] = {}
        self._paused: dict[str, None] = {}
        self._lock = threading.Lock()

    def remember(self, ask: Ask, answer: Mapping[str, Any]) -> None:
        """Take note of an answer (a whole message) to a request."""
        content = blocks_of(answer)
        thoughts: list[tuple[Mapping[str, Any], str]] = []
        if any(block.get("type") in THINKING for block in content):
            prefix = _Prefix(ask)
            for message in ask.messages:
                # Walked for what it adds to the digest.
                list(prefix.walk(str(message.get("role")), blocks_of(message)))
            thoughts = list(prefix.walk("assistant", content))
        with self._lock:
            for block, digest in thoughts:
                thought = _Thought(ask.model.id, str(block.get("thinking", "")), digest)
                key = _signature(block)
                self._thoughts[key] = (*self._thoughts.get(key, ()), thought)[-_MOST_ALIKE:]
            if answer.get("stop_reason") in _PAUSES:
                self._paused[_digest(content)] = None
            for store in (self._thoughts, self._paused):
                while len(store) > _MOST_ENTRIES:
                    del store[next(iter(store))]

    def paused(self, message: Mapping[str, Any]) -> bool:
        """Whether an assistant message is, or ends with, the whole content of a turn that was paused."""
        content = blocks_of(message)
        with self._lock:
            return any(_digest(content[start:]) in self._paused for start in range(len(content)))

    def mismatches(self, ask: Ask) -> Iterator[tuple[str, str]]:
        """The places of thinking blocks that the service cannot take as they are, each with the reason.

        The reasons are those of `input_transformations` in anthropic 2.14.0, and "modified" for a block
        that is not the one that was sent under its signature.
        """
        if not any(block.get("type") in THINKING for block in all_blocks(ask.messages)):
            return
        prefix = _Prefix(ask)
        for index, message in enumerate(ask.messages):
            if not isinstance(message, Mapping):
                continue
            numbers = iter([n for n, block in enumerate(blocks_of(message)) if block.get("type") in THINKING])
            for block, digest in prefix.walk(str(message.get("role")), blocks_of(message)):
                place = f"messages.{index}.content.{next(numbers)}"
                if (reason := self._mismatch(ask, block, digest)) is not None:
                    yield place, reason

    def _mismatch(self, ask: Ask, block: Mapping[str, Any], digest: str) -> str | None:
        # From the strongest reason to the weakest: a block with another text is one whatever the model is.
        with self._lock:
            known = self._thoughts.get(_signature(block), ())
        if not known:
            return None
        same = [thought for thought in known if thought.text == str(block.get("thinking", ""))]
        if not same:
            return "modified"
        own = [thought for thought in same if thought.model == ask.model.id]
        if not own:
            return "model_binding_mismatch"
        if ask.model.rules.preserved_thinking and all(thought.prefix != digest for thought in own):
            return "prefix_binding_mismatch"
        return None


class _Prefix:
    """The digest of a conversation while it grows, block by block."""

    def __init__(self, ask: Ask) -> None:
        system = ask.body.get("system") or []
        blocks = [{"type": "text", "text": system}] if isinstance(system, str) else system
        self._hash = hashlib.sha256(_canonical([ask.body.get("tools") or [], blocks]))

    def walk(self, role: str, blocks: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Add the blocks of a message; yield each thinking block with the digest of what is before it."""
        for block in blocks:
            if block.get("type") in THINKING:
                yield block, self._hash.hexdigest()
            else:
                self._hash.update(_canonical([role, block]))


def _signature(block: Mapping[str, Any]) -> str:
    return str(block.get(THINKING[str(block["type"])]))


def _digest(content: Json) -> str:
    return hashlib.sha256(_canonical(content)).hexdigest()


def _canonical(value: Json) -> bytes:
    return json.dumps(_plain(value), sort_keys=True).encode()


def _plain(value: Json) -> Json:
    """Return a JSON value without cache marks and nulls, which SDKs add and leave out as they like."""
    if isinstance(value, Mapping):
        return {
            name: _plain(part) for name, part in value.items() if part is not None and name != "cache_control"
        }
    return [_plain(part) for part in value] if isinstance(value, list) else value
