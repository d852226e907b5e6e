"""A turn of a conversation as it is stored, and what of it is sent. Values and pure functions only.

A turn is sent unless the user interrupted it or the service refused it; whether it is stale follows from what is before
it now and what was when it was asked, so that nothing has to be marked, and a conversation that is rebuilt as it was is
not stale.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import is_not
from typing import Any, Literal, NamedTuple

from vertex_claude_magic.records.journal.chats import StoredTurn
from vertex_claude_magic.records.recorded_reply import (
    RecordedReply,
    read_recorded_reply,
    recorded_reply,
    tool_calls_of,
)
from vertex_claude_magic.vertex.blocks import THINKING, content_blocks, sent_back
from vertex_claude_magic.vertex.digest import SentMessage, without_marks
from vertex_claude_magic.vertex.encoding import clean
from vertex_claude_magic.vertex.provenance import Lineage
from vertex_claude_magic.vertex.reply import Reply, answerer_of, usage_from

__all__ = [
    "NOT_RUN",
    "Sendable",
    "Turn",
    "TurnEntry",
    "answer_blocks",
    "answer_message",
    "chain",
    "entry_of",
    "is_sent",
    "rounds_before",
    "sendable",
    "sendable_of",
    "stored_turn",
    "turns_of",
]  # fmt: skip


# What is sent in place of the result of a call that was not run.
NOT_RUN = "This call was not run."


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One question and its answer.

    Args:
        number: Its place in the conversation, from 1.
        cell: The id by which the front end knows the cell that asked; empty where it tells none.
        prompt: The prompt as it was written.
        reply: The answer.
        state: "ok"; "stale" where what is before it has changed since; or "interrupted", which a refused one is
            too: then it is not sent, unless it was kept (`--keep`).
        kept: Whether it was.
        before: The answers before the last one, where functions were called or the service paused.
    """

    number: int
    cell: str
    prompt: str
    reply: Reply
    state: Literal["ok", "stale", "interrupted"] = "ok"
    kept: bool = field(default=False, repr=False)
    before: tuple[Reply, ...] = field(default=(), repr=False, compare=False)


class TurnEntry(NamedTuple):
    """A turn with all that is needed to send it again.

    Args:
        owner: What identifies its cell: the front end's id, or "text:" and a hash where there is none.
        place: Which question of this run of the cell it is, from 0.
        run: Which run of the cell asked.
        prompt: The prompt as it was written.
        messages: What it adds to the conversation, the answer last.
        reply: The answer.
        state: "ok", "interrupted" (or refused), or "sent" (interrupted, and sent all the same).
        before: The digest of the conversation before it when it was asked.
        model: The model that was asked.
        frame: The digest of system text and tools of its request.
        system: The system text of its request.
        tools: The tools of its request.
        confirm: Whether the user was asked before each call of them.
        tokens: How long the conversation is with it, as the service counted its last request and the answer to that; 0
            where it did not.
        stored: What the journal has of it, None where that is nothing yet.
    """

    owner: str
    place: int
    run: str
    prompt: str
    messages: tuple[Mapping[str, Any], ...]
    reply: Reply
    state: str = "ok"
    before: str = ""
    model: str = ""
    frame: str = ""
    system: str | Sequence[Mapping[str, Any]] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    confirm: bool = False
    tokens: int = 0
    stored: StoredTurn | None = None

    @property
    def cell(self) -> str:
        """The front end's id of its cell, empty where there is none."""
        return "" if self.owner.startswith("text:") else self.owner


def answer_message(reply: Reply) -> dict[str, Any] | None:
    """Return an answer as a message that can be sent back, None if nothing of it can.

    >>> answer_message(Reply(blocks=({"type": "text", "text": "Four."},)))
    {'role': 'assistant', 'content': 'Four.'}
    """
    blocks = sent_back(reply)
    if not blocks:
        return None
    if len(blocks) == 1 and set(blocks[0]) == {"type", "text"}:
        # The same message, and what hashes and copies a long conversation takes it as it is.
        return {"role": "assistant", "content": blocks[0]["text"]}
    return {"role": "assistant", "content": blocks}


def is_sent(entry: TurnEntry) -> bool:
    """Tell whether a turn goes before the next prompt."""
    return entry.state != "interrupted"


def _bound(message: Mapping[str, Any]) -> list[Any]:
    blocks = content_blocks(message.get("content"))
    plain = [block for block in blocks if block.get("type") not in THINKING]
    return [message.get("role"), without_marks(plain)]


class Sendable(NamedTuple):
    """The messages of a turn as they can be sent.

    Args:
        messages: What they were made of.
        digest: The digest of them.
        sent: The messages with thinking.
        bare: The messages without thinking.
        calls: Whether they contain calls of tools.
        thinks: Whether they contain thinking.
    """

    messages: tuple[Mapping[str, Any], ...]
    digest: str
    sent: tuple[SentMessage, ...]
    bare: tuple[SentMessage, ...]
    calls: bool
    thinks: bool


_MOST_TURNS, _MOST_BYTES = 4_096, 100_000_000


class _Cache:
    """The turns that were prepared or read before, because each turn of a long conversation asks for all of them.

    By the `id` of what it was made from, which is part of the value, so that nothing else has that number meanwhile.
    """

    def __init__(self) -> None:
        self.sendable: dict[int, Sendable] = {}
        self.entries: dict[int, tuple[StoredTurn, TurnEntry]] = {}
        # Of all messages here; a request has at most 30 MB.
        self.bytes = 0

    def add(self, found: Sendable) -> None:
        """Remember the messages of a turn."""
        self.bytes += sum(len(message.payload) for message in found.sent)
        if len(self.sendable) >= _MOST_TURNS or self.bytes > _MOST_BYTES:
            # A turn that was replaced is never asked for again, and may hold images.
            self.sendable.clear()
            self.entries.clear()
            self.bytes = 0
        self.sendable[id(found.messages)] = found


_cache = _Cache()


def chain(entries: Sequence[TurnEntry]) -> Iterator[str]:
    """Yield for each turn the digest of what is sent before it, and in the end that of the whole conversation."""
    digest = ""
    for entry in entries:
        yield digest
        if is_sent(entry):
            digest = hashlib.sha256((digest + sendable(entry.messages).digest).encode()).hexdigest()
    yield digest


def sendable(messages: tuple[Mapping[str, Any], ...]) -> Sendable:
    """Return the messages of a turn as they can be sent, from the cache where they are in it."""
    found = _cache.sendable.get(id(messages))
    if found is None or found.messages is not messages:
        found = sendable_of(messages)
        _cache.add(found)
    return found


def sendable_of(messages: tuple[Mapping[str, Any], ...]) -> Sendable:
    """Return the messages of a turn with their digest, and without thinking.

    A call of a tool of the service that has no result is left out: it was cut off or paused, and the service takes it
    only where its own answer goes on, not with a message of the user behind it.
    """
    blocks = [block for message in messages for block in content_blocks(message.get("content"))]
    answered = {block["tool_use_id"] for block in blocks if "tool_use_id" in block}

    def is_open(block: Mapping[str, Any]) -> bool:
        return block.get("type") in _SERVICE_CALLS and block.get("id") not in answered

    sent = tuple([_without(SentMessage(clean(message)), is_open) for message in messages])
    bare = tuple([_without(message, lambda block: block.get("type") in THINKING) for message in sent])
    calls = any(block.get("type") in _CALLS for block in blocks)
    thinks = any(map(is_not, sent, bare))
    # As the binding of thinking sees them: without thinking and cache marks.
    plain = json.dumps([_bound(message) for message in messages], sort_keys=True, default=str)
    digest = hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()
    return Sendable(messages, digest, sent, bare, calls, thinks=thinks)


_CALLS = frozenset({"tool_use", "tool_result"})
_SERVICE_CALLS = frozenset({"server_tool_use", "mcp_tool_use"})


def _without(message: SentMessage, left_out: Callable[[Mapping[str, Any]], bool]) -> SentMessage:
    """Return an answer without some of its blocks, and without thinking that has nothing behind it then."""
    content = message.get("content")
    if isinstance(content, str) or message.get("role") != "assistant":
        return message
    blocks = [block for block in content or () if not left_out(block)]
    if len(blocks) == len(content or ()):
        return message
    while blocks and blocks[-1].get("type") in THINKING:
        blocks.pop()
    # The service takes no empty answer.
    return SentMessage({**message, "content": blocks or [{"type": "text", "text": NOT_RUN}]})


def turns_of(name: str, entries: Sequence[TurnEntry]) -> list[Turn]:
    """Return the turns of a conversation, each with what led to it in its reply."""
    turns, before = list[Turn](), list[Mapping[str, Any]]()
    for number, (entry, digest) in enumerate(zip(entries, chain(entries), strict=False), start=1):
        question = {
            "system": entry.system,
            "tools": list(entry.tools),
            "messages": [*before, *entry.messages[:-1]],
        }
        asked = {part: value for part, value in question.items() if value}
        earlier = rounds_before(entry.messages)
        calls = tuple(call for each in earlier for call in each.tool_calls)
        reply = replace(entry.reply, chat=name, turn=number, question=asked, tool_calls=calls)
        state: Literal["ok", "stale", "interrupted"] = "interrupted"
        if entry.state == "ok":
            state = "ok" if entry.before == digest else "stale"
        kept = entry.state == "sent"
        turns.append(
            Turn(
                number=number,
                cell=entry.cell,
                prompt=entry.prompt,
                reply=reply,
                state=state,
                kept=kept,
                before=earlier,
            )
        )
        before += entry.messages if is_sent(entry) else ()
    return turns


def rounds_before(messages: Sequence[Mapping[str, Any]]) -> tuple[Reply, ...]:
    """Return the answers of a turn before its last one, each with its calls of functions and their results.

    >>> use = {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 2}}
    >>> result = {"type": "tool_result", "tool_use_id": "t", "content": "4"}
    >>> asked, answer = {"role": "user", "content": "f(2)?"}, {"role": "assistant", "content": "Four."}
    >>> between = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    >>> [call.content for each in rounds_before([asked, *between, answer]) for call in each.tool_calls]
    ['4']
    """
    found = list[Reply]()
    for at, message in enumerate(messages[:-1]):
        if message.get("role") != "assistant":
            continue
        blocks, following = answer_blocks(messages[: at + 1]), messages[at + 1]
        behind = content_blocks(following.get("content")) if following.get("role") == "user" else []
        results = [block for block in behind if block.get("type") == "tool_result"]
        recorded = RecordedReply(content=blocks, tool_results=results)
        # Two answers in a row: the service had paused.
        stop = "pause_turn" if following.get("role") == "assistant" else "tool_use" if results else None
        # Nothing is replayed: this is what was called.
        calls = tuple(replace(call, replayed=False) for call in tool_calls_of(recorded))
        found.append(Reply(blocks=tuple(blocks), stop_reason=stop, complete=True, tool_calls=calls))
    return tuple(found)


def stored_turn(entry: TurnEntry) -> StoredTurn:
    """Return a turn as the journal has it."""
    if entry.stored is not None:
        return entry.stored if entry.stored.state == entry.state else entry.stored._replace(state=entry.state)
    about = entry._asdict()
    for name in ("messages", "reply", "state", "stored"):
        del about[name]
    recorded = recorded_reply(entry.reply).as_json()
    if answer_blocks(entry.messages) == list(recorded.get("content", ())):
        # Else what was answered is not what is sent back of it.
        del recorded["content"]
    answered, lineage = entry.reply, entry.reply.lineage
    facts = {
        "cost": answered.cost,
        "by": answerer_of(answered),
        "date": answered.recorded_at or (lineage.date if lineage is not None else None),
        "replayed": answered.replayed or None,
    }
    about |= {"reply": recorded, **{name: value for name, value in facts.items() if value is not None}}
    about = {name: value for name, value in about.items() if value not in (None, "", 0, (), {})}
    return StoredTurn(entry.state, entry.messages, about)


def answer_blocks(messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the blocks of the last message, if that is an answer.

    >>> answer_blocks([{"role": "assistant", "content": "Hi"}])
    [{'type': 'text', 'text': 'Hi'}]
    """
    if not messages or messages[-1].get("role") != "assistant":
        return []
    return content_blocks(messages[-1].get("content"))


def entry_of(stored: StoredTurn) -> TurnEntry:
    """Return a turn that the journal has.

    Raises:
        RecordingInvalid: it was changed by another program.
    """
    known = _cache.entries.get(id(stored))
    if known is not None and known[0] is stored:
        return known[1]
    about = dict(stored.about)
    facts = {name: about.pop(name, None) for name in ("cost", "by", "date", "replayed")}
    recorded = read_recorded_reply({"content": answer_blocks(stored.messages), **about.pop("reply", {})})
    reply = Reply(
        blocks=tuple(recorded.content),
        stop_reason=recorded.stop_reason,
        stop_sequence=recorded.stop_sequence,
        stop_details=recorded.stop_details,
        usage=usage_from(recorded.usage),
        cost=facts["cost"],
        model=recorded.model,
        region=recorded.region,
        seconds=recorded.seconds,
        first_token_seconds=recorded.first_token_seconds,
        replayed=facts["replayed"] is True,
        recorded_from=facts["by"],
        recorded_at=facts["date"] if facts["replayed"] else None,
        complete=recorded.complete,
        lineage=Lineage(requested_model=about.get("model", ""), date=facts["date"], answered_by=facts["by"]),
    )
    # The first journals with conversations have the owner under the name seat.
    missing = {"place": 0, "run": "", "prompt": "", "owner": about.get("seat", "")}
    values = {name: value for name, value in {**missing, **about}.items() if name in TurnEntry._fields}
    values["tools"] = tuple(about.get("tools", ()))
    entry = TurnEntry(messages=stored.messages, reply=reply, state=stored.state, stored=stored, **values)
    if len(_cache.entries) >= _MOST_TURNS:
        _cache.entries.clear()
    _cache.entries[id(stored)] = stored, entry
    return entry
