"""What a question is a turn of: a named conversation, or what led to the reply that it follows.

An `Exchange` asks the object made here what goes before the prompt, and tells it how the question ended.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.chats.entry import TurnEntry, answer_message, chain, entry_of, stored_turn
from vertex_claude_magic.chats.locks import take
from vertex_claude_magic.chats.naming import home, joined_numbers, written
from vertex_claude_magic.chats.positions import has_run_again, placed, position_of, without_leftovers
from vertex_claude_magic.chats.sending import history_after, history_of, questions_of, tokens_of
from vertex_claude_magic.records.chats import ChatStore
from vertex_claude_magic.records.session_records import journal_of
from vertex_claude_magic.records.stores import UnansweredQuestion
from vertex_claude_magic.session.history import History, frame_of
from vertex_claude_magic.settings.origin import current_origin, session_id
from vertex_claude_magic.spelling import field, spelled
from vertex_claude_magic.text import number_of, on_line, quote
from vertex_claude_magic.vertex.blocks import THINKING
from vertex_claude_magic.vertex.digest import without_marks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vertex_claude_magic.chats.locks import Hold
    from vertex_claude_magic.chats.positions import TurnPosition
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Following", "NamedChat", "store_of"]

# The share of a model's window from which on the user is warned.
_NEAR = 0.8


def store_of(session: Session, target: Target) -> ChatStore:
    """Return where the conversations of a session are."""
    records = session.records
    return ChatStore(journal_of(target, records.stores), records.stores, records.tell)


class Following:
    """A question that follows one reply; nothing is stored of it.

    Args:
        name: What the user calls the reply.
        reply: The reply.
    """

    def __init__(self, name: str, reply: Reply) -> None:
        self._name = name
        self._reply = reply
        self._turns = questions_of((reply.question or {}).get("messages") or ())

    def begin(self, target: Target, notify: Callable[[str], None] | None) -> Target:  # noqa: ARG002 - as of all
        """Take nothing: model and options are those of the new question."""
        _refuse_messages(target)
        return target

    def history(self, target: Target) -> History:
        """Return what led to the reply, and the reply."""
        return history_after(self._name, self._reply, target.model_id)

    def settle(self, reply: Reply, request: Request) -> Reply:  # noqa: ARG002 - as of all
        """Say in the answer what it follows."""
        turns = number_of(self._turns, "turn")
        return replace(reply, follows=f"{quote(self._name, 40)}, {turns}")

    def leave(self, partial: Reply | None = None, request: Request | None = None) -> Reply | None:  # noqa: ARG002
        """Return what had arrived."""
        return partial

    def notices(self) -> list[str]:
        """Return nothing."""
        return []


class NamedChat:
    """A question of a conversation that has a name.

    Args:
        session: The session that asks.
        name: The name.
        prompt: The prompt.
        new: Whether the conversation begins anew with it.
        owner: Whose it is; that of `home` if not given.
    """

    def __init__(
        self,
        session: Session,
        name: str,
        prompt: str | Sequence[Any],
        *,
        new: bool = False,
        owner: str = "",
    ) -> None:
        origin = current_origin()
        self._session = session
        self._name = name
        self._home = owner or home()
        self._prompt = written(prompt)
        self._new = new
        self._cell = origin.cell_id
        self._asker = (self._home, self._name, self._cell)
        self._unanswered = session.records.stores.unanswered
        self._run = f"{session_id()}:{origin.run}"
        self._left_behind = origin.over
        self._hold: Hold | None = None
        self._store: ChatStore | None = None
        self._entries: list[TurnEntry] = []
        self._before: list[TurnEntry] = []
        # What is sent before each turn, and before the next one.
        self._digests: list[str] = []
        self._sent = 0
        self._position: TurnPosition | None = None
        self._target: Target | None = None
        self._notices: list[str] = []
        # Whether `settle` was called, and the answer with its number once the turn is stored.
        self._settling = False
        self._stored: Reply | None = None

    def begin(self, target: Target, notify: Callable[[str], None] | None) -> Target:
        """Wait until the conversation is free, and return the target with its system text.

        Raises:
            OptionError: this thread asks in it already, the cell has run again since it started what asks, or the
                options give messages of their own.
            ClaudeInterrupt: the user stopped the wait.
        """
        _refuse_messages(target)
        self._store = store_of(self._session, target)
        self._hold = take(self._store, self._home, self._name, notify)
        try:
            target = self._begun(target)
        except BaseException:
            self.leave()
            raise
        if self._cell and self._position is not None:
            asked = UnansweredQuestion(self._run, self._position.place, self._prompt)
            self._unanswered[self._asker] = asked
        return target

    def look(self, target: Target) -> Target:
        """Return the target as `begin` does, without waiting: for a look at what would be sent."""
        _refuse_messages(target)
        self._store = store_of(self._session, target)
        return self._begun(target)

    def _begun(self, target: Target) -> Target:
        assert self._store is not None  # noqa: S101 - set by both callers
        stored = [entry_of(turn) for turn in self._store.read(self._home, self._name).turns]
        if self._left_behind and has_run_again(stored, self._cell, self._run):
            raise errors.OptionError(
                f"The cell that started this has run again since, and {quote(self._name, 40)!r} has its turns.",
                cure="Let the new run ask, or ask in a conversation with another name.",
            )
        entries = without_leftovers(stored, self._cell, self._run)
        unanswered = self._unanswered.get(self._asker)
        position = position_of(entries, self._cell, self._run, self._prompt, unanswered)
        if self._new:
            # What its own cell wrote before is replaced, and the rest is dropped with the answer.
            # Without a cell, an equal prompt of the same run is none of its own, but a question before.
            entries = [
                entry
                for entry in entries
                if entry.owner == position.owner and (self._cell or entry.run != self._run)
            ]
            position = position_of(entries, self._cell, self._run, self._prompt, unanswered)
        self._entries, self._position = entries, position
        self._before, self._digests = entries[: position.at], list(chain(entries))
        if self._before and target.origins.get("system") != "option":
            # It belongs to the conversation; a later turn that names another replaces it from there on.
            target = target.replace(system=self._before[-1].system)
        if self._before and not target.tools and "tools" not in target.set:
            # They belong to it too, with the question before each call.
            last = self._before[-1]
            names = tuple(str(tool.get("name")) for tool in last.tools)
            target = target.replace(tools=names, confirm=target.confirm or last.confirm)
        self._target = target
        return target

    def history(self, target: Target) -> History:
        """Return the turns before this one, as a model may take them."""
        history = history_of(self._before, target.model_id, self._digests)
        self._sent = sum(len(turn.bare) for turn in history.turns)
        return history

    def settle(self, reply: Reply, request: Request) -> Reply:
        """Put the turn in its place, and return the answer with its number; the next one may ask.

        Where stop is pressed meanwhile it is called again, as `leave` is.
        """
        # With a refusal in it, the service refuses what follows too (Claude docs, "Handling stop reasons", 2026).
        state = "interrupted" if reply.stop_reason == "refusal" else "ok"
        with self._ending():
            if self._stored is None:
                hurry, self._settling = self._settling, True
                self._stored = self._settled(reply, request, state, hurry=hurry)
        return self._stored

    def leave(self, partial: Reply | None = None, request: Request | None = None) -> Reply | None:
        """Let the next one ask. A first answer that was stopped is stored, marked; a former answer stays."""
        position = self._position
        with self._ending():
            ended = self._hold is None or self._stored is not None
            if ended or position is None or partial is None or request is None:
                return self._stored
            former = self._entries[position.at] if position.replaces else None
            if former is not None and former.state != "interrupted":
                name = quote(self._name, 40)
                self._notices = [
                    f"The previous answer of this cell remains turn {position.at + 1} of {name}."
                ]
            elif answer_message(partial) is not None:
                self._stored = self._settled(partial, request, "interrupted", hurry=True)
        return self._stored

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """Let the next one ask afterwards, but where stop is pressed: whoever closes the question ends it once more."""
        try:
            yield
        except Exception:
            self._free()
            raise
        self._free()

    def _free(self) -> None:
        if self._hold is not None:
            self._hold.release()
            self._hold = None

    def _settled(self, reply: Reply, request: Request, state: str, *, hurry: bool) -> Reply:
        # A second time after a stop it says all of it again.
        self._notices = []
        position, target, store = self._position, self._target, self._store
        assert position is not None and target is not None and store is not None  # noqa: S101, PT018 - `begin` came before
        body = request.body
        typed = body.get("tool_choice") == {"type": "tool", "name": "answer"}
        own = list(body.get("messages") or ())[self._sent :]
        calls_none = not body.get("tools") or body.get("tool_choice") == {"type": "none"}
        answered = reply
        if len(own) > 1 and (typed or (target.wants_data and calls_none)):
            # Behind the prompt are only an answer that did not fit, and what was wrong with it. What the model thought
            # of that may not be sent without it.
            own = own[:1]
            kept = [block for block in reply.blocks if block.get("type") not in THINKING]
            answered = replace(reply, blocks=tuple(kept))
        answer = answer_message(answered)
        if typed:
            # A tool that only gives the answer its form: the answer is what it was called with.
            calls = [block["input"] for block in reply.blocks if block.get("type") == "tool_use"]
            answer = (
                {"role": "assistant", "content": json.dumps(calls[-1], ensure_ascii=False)}
                if calls
                else answer
            )
        number = position.at + 1
        if answer is None:
            self._notices.append("The answer has no text, so it was not added to the conversation.")
            return reply
        usage = reply.rounds[-1].usage
        entry = TurnEntry(
            owner=position.owner,
            place=position.place,
            run=self._run,
            prompt=self._prompt,
            messages=(*map(without_marks, own), answer),
            reply=reply,
            state=state,
            before=self._digests[position.at],
            model=request.model,
            frame=frame_of(body),
            system=target.system,
            tools=() if typed else tuple(map(without_marks, body.get("tools") or ())),
            confirm=bool(target.confirm),
            tokens=usage.total_input_tokens + usage.output_tokens,
        )
        entries = placed(self._entries, position, entry)
        store.write(self._home, self._name, [stored_turn(each) for each in entries], hurry=hurry)
        self._unanswered.pop(self._asker, None)
        if state != "ok":
            self._notices.append(
                f"Turn {number} of {quote(self._name, 40)} is not sent; "
                f"%claude_chat {on_line(self._name)} --keep {number} sends it too."
            )
        self._tell(entries, number)
        return replace(reply, chat=self._name, turn=number)

    def _tell(self, entries: Sequence[TurnEntry], number: int) -> None:
        position, name = self._position, quote(self._name, 40)
        assert position is not None  # noqa: S101 - it was placed
        if position.replaces and position.owner.startswith("text:") and not self._new:
            self._notices.append(
                f"Turn {number} of {name} had the same prompt, so this answer replaces it (this front end gives "
                "cells no id)."
            )
        # Those before it were sent with it as they are; for those behind it the chain has changed now.
        states = zip(self._before, self._digests, strict=False)
        if number < len(entries):
            states = zip(entries, chain(entries), strict=False)
        stale = [
            at
            for at, (entry, before) in enumerate(states, start=1)
            if at != number and entry.state == "ok" and entry.before != before
        ]
        if stale:
            what, verb, cells = (
                ("Turn", "is", "its cell") if len(stale) == 1 else ("Turns", "are", "their cells")
            )
            self._notices.append(
                f"{what} {joined_numbers(stale)} of {name} {verb} stale: earlier content has changed. "
                f"Run {cells} again."
            )
        used = tokens_of(entries)
        row = self._target.row if self._target is not None else None
        window = row.context_tokens if row is not None else None
        if window and used > _NEAR * window:
            self._notices.append(
                f"{name} has {used:,} of the {window:,} tokens that the model accepts. "
                f"%claude_chat {on_line(self._name)} --fork NEW --summary starts a new one from a summary."
            )

    def notices(self) -> list[str]:
        """Return what was replaced, what is stale, and how full the model's window is."""
        notices, self._notices = self._notices, []
        return notices


def _refuse_messages(target: Target) -> None:
    if "messages" in target.set:
        raise errors.OptionError(
            spelled("{} cannot be used in a conversation, which sends its own messages.", field("messages")),
            cure="Leave one of them out.",
        )
