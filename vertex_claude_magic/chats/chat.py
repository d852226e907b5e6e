"""`Chat`: a conversation with a name, to ask in, look at, change, save and load."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic.chats.conversation import NamedChat, store_of
from vertex_claude_magic.chats.entry import TurnEntry, entry_of, is_sent, stored_turn, turns_of
from vertex_claude_magic.chats.locks import take
from vertex_claude_magic.chats.naming import check_name, home
from vertex_claude_magic.chats.opening import open_exchange
from vertex_claude_magic.chats.sending import closing
from vertex_claude_magic.errors import AnswerInvalid, OptionError
from vertex_claude_magic.process import refuse_copies
from vertex_claude_magic.session.asking import answer_of, scope_of, spelled_for_python, started, streamed
from vertex_claude_magic.session.session import open_session
from vertex_claude_magic.settings.options import wrong_type
from vertex_claude_magic.text import number_of, on_line, quote

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Unpack

    from vertex_claude_magic.chats.entry import Turn
    from vertex_claude_magic.records.chats import ChatStore
    from vertex_claude_magic.session.exchange import Exchange
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.keywords import ChatKeywords
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["Chat"]


class _Client(Protocol):
    """A `Claude`, whose module lies above this one."""

    def chat(self, name: str) -> Chat: ...


class Chat:
    """A conversation of this notebook, or of this folder where no notebook is known; made by `Claude.chat`.

    Args:
        session: The session that asks.
        name: Its name.
        owner: Whose it is; that of `home` if not given.

    Raises:
        OptionError: it cannot be a name.
    """

    def __init__(self, session: Session, name: str, *, owner: str = "") -> None:
        self.name = check_name(name)
        self._session = session
        self._home = owner or home()

    __reduce__ = refuse_copies(
        "A Chat", "Use Claude().chat(name) there; fork(name) makes a copy of the turns."
    )

    def __repr__(self) -> str:
        return f"Chat({self.name!r}, turns={len(self._entries())})"

    def ask(
        self,
        prompt: str | Sequence[Any],
        *,
        names: Mapping[str, Any] | None = None,
        **options: Unpack[ChatKeywords],
    ) -> Reply:
        """Ask as the next turn, or in the place of the one that this cell asked before; arguments as `Claude.ask`.

        Raises:
            ClaudeError: as `Claude.ask`; a turn that fails leaves no trace.
            ClaudeInterrupt: the user stopped it; a first answer that was stopped is stored, and not sent.
        """
        with spelled_for_python():
            return answer_of(self._exchange(prompt, names, options))

    def stream(
        self,
        prompt: str | Sequence[Any],
        *,
        names: Mapping[str, Any] | None = None,
        notify: Callable[[str], None] | None = None,
        **options: Unpack[ChatKeywords],
    ) -> Exchange:
        """Ask as `ask` does, and return at once what to iterate over, as `Claude.stream`.

        Until it was read to the end, or closed, others who ask in the conversation wait; one that the program drops is
        no turn.
        """
        with spelled_for_python():
            return started(self._exchange(prompt, names, streamed(options), notify))

    def _exchange(
        self,
        prompt: str | Sequence[Any],
        names: Mapping[str, Any] | None,
        options: Mapping[str, Any],
        notify: Callable[[str], None] | None = None,
    ) -> Exchange:
        if options.get("after") is not None or options.get("chat") is not None:
            raise OptionError(
                "A conversation already has its own earlier messages.", cure="Leave out after= and chat=."
            )
        session = self._session.present(options)
        target = session.target(options)
        conversation = NamedChat(session, self.name, prompt, new=target.new, owner=self._home)
        scope = scope_of(session, prompt, names, target)
        return open_exchange(session, prompt, target, scope=scope, notify=notify, conversation=conversation)

    @property
    def turns(self) -> list[Turn]:
        """The turns in their order; each is a value with number, cell, prompt, reply and state."""
        return turns_of(self.name, self._entries())

    def messages(self) -> list[dict[str, Any]]:
        """Return what goes before the next prompt, as messages of the Messages API."""
        sent = [entry for entry in self._entries() if is_sent(entry)]
        return [dict(message) for entry in sent for message in (*entry.messages, *closing(entry.messages))]

    def fork(self, name: str) -> Chat:
        """Return a new conversation of this name with the same turns; both go on by themselves.

        Its turns belong to no cell, so that a cell which runs again changes the conversation that it names. Those of
        another notebook keep theirs: it is this one under its former name, or its cells are not here.

        Raises:
            OptionError: the name is taken, or there is nothing to fork.
        """
        forked = Chat(self._session, name)
        entries = self._entries()
        if not entries:
            raise OptionError(
                f"No conversation named {quote(self.name, 40)!r}.", cure="Ask a question in it first."
            )
        elsewhere = self._home != forked._home
        forked.begin_with(
            [entry._replace(stored=None) if elsewhere else without_cell(entry) for entry in entries]
        )
        return forked

    def fork_with_summary(self, name: str, question: str, summary: Reply) -> Chat:
        """Return a new conversation of this name that begins with a summary of this one, and its system and tools.

        Args:
            name: The new name.
            question: What was asked for the summary.
            summary: The answer.

        Raises:
            AnswerInvalid: Claude declined, or the answer has no text.
            OptionError: the name is taken.
        """
        text = summary.text.strip()
        if not text or summary.stop_reason == "refusal":
            command = f"%claude_chat {on_line(self.name)} --fork {on_line(name)}"
            raise AnswerInvalid(
                f"Claude wrote no summary, so {quote(name, 40)} was not created.",
                cure=f"Run the cell again, or use {command} to copy the turns.",
                reply=summary,
            )
        last = self._entries()[-1]
        messages = ({"role": "user", "content": question}, {"role": "assistant", "content": text})
        entry = last._replace(
            prompt=question, messages=messages, reply=summary, state="ok", before="", frame="", tokens=0
        )
        forked = Chat(self._session, name)
        forked.begin_with([without_cell(entry)])
        return forked

    def begin_with(self, entries: Sequence[TurnEntry]) -> None:
        """Fill this conversation, which must be empty.

        Raises:
            OptionError: it has turns.
        """

        def work(present: list[TurnEntry]) -> list[TurnEntry]:
            if present:
                raise OptionError(
                    f"A conversation named {quote(self.name, 40)!r} already exists.",
                    cure="Choose another name, or clear the existing one first.",
                )
            return list(entries)

        self._change(work)

    def rename(self, name: str) -> None:
        """Give the conversation another name; cells that name the old one begin a new conversation.

        Raises:
            OptionError: the name is taken, there is nothing to rename, or this thread asks in one of both.
            ClaudeInterrupt: the user stopped the wait for a question in one of both.
        """
        new, store = check_name(name), self._store()
        with ExitStack() as held:
            # The new name too: a first question may be under way in it. In one order, or two renames could wait for
            # each other.
            for each in sorted({self.name, new}):
                held.callback(take(store, self._home, each).release)
            with_turns = bool(self._entries())
            if not with_turns or store.read(self._home, new).turns:
                raise OptionError(
                    f"A conversation named {quote(new, 40)!r} already exists."
                    if with_turns
                    else f"No conversation named {quote(self.name, 40)!r}.",
                    cure="%claude_chat lists those of this notebook.",
                )
            store.rename(self._home, self.name, new)
        self.name = new

    def remove(self, n: int) -> None:
        """Take a turn out; those behind it move up, and are stale.

        Raises:
            OptionError: there is no such turn.
        """

        def work(entries: list[TurnEntry]) -> list[TurnEntry]:
            self._check(n, entries)
            return [entry for at, entry in enumerate(entries, start=1) if at != n]

        self._change(work)

    def keep(self, n: int) -> None:
        """Send an interrupted or refused turn too, with the part of its answer that had arrived.

        Raises:
            OptionError: there is no such turn, or it was not interrupted.
        """

        def work(entries: list[TurnEntry]) -> list[TurnEntry]:
            self._check(n, entries)
            if entries[n - 1].state == "ok":
                raise OptionError(f"Turn {n} was not interrupted.", cure="It is sent anyway.")
            return [
                entry._replace(state="sent") if at == n else entry
                for at, entry in enumerate(entries, start=1)
            ]

        self._change(work)

    def clear(self) -> None:
        """Take all turns out."""
        self._change(lambda _: [])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a notebook in which each turn is a `%%claude -c NAME` cell with its answer.

        Raises:
            OptionError: the name does not end in .ipynb, or the file cannot be written.
        """
        from vertex_claude_magic.chats.notebook_file import notebook_of, write_notebook

        write_notebook(Path(path), notebook_of(self.name, self._entries()))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, session: _Client | None = None) -> Chat:
        """Make a conversation of a notebook that `save` wrote, or of any with our answers, under the file's name.

        Only prompts and answers are taken. No option, system text or tool of the file holds for the next question.

        Args:
            path: The notebook.
            session: The client that asks, a `Claude`; by default one with the settings of the loaded magics, or of the
                environment.

        Raises:
            OptionError: it cannot be read, holds no answer, or a conversation of this name is there.

        >>> from tempfile import TemporaryDirectory
        >>> from vertex_claude_magic import Claude
        >>> from vertex_claude_magic.emulator import Emulator
        >>> with Emulator() as emulator, TemporaryDirectory() as folder:
        ...     emulator.answer("Four.", "Eight.")
        ...     given = {"project": emulator.project, "base_url": emulator.base_url, "access_token": "emulator"}
        ...     claude = Claude(**given, journal="off")
        ...     first = claude.chat("sums").ask("What is 2 + 2?")
        ...     claude.chat("sums").save(f"{folder}/again.ipynb")
        ...     chat = Chat.load(f"{folder}/again.ipynb", session=claude)
        ...     second = chat.ask("And twice that?")
        >>> chat.name, second.text, second.turn
        ('again', 'Eight.', 2)
        """
        from vertex_claude_magic.chats.notebook_file import read_turns

        file = Path(path)
        if session is None:
            chat = cls(open_session(), file.stem)
        elif callable(getattr(session, "chat", None)):
            chat = session.chat(file.stem)
        else:
            raise wrong_type("session", session, "Give the client that asks: session=Claude().")
        chat.begin_with(read_turns(file))
        return chat

    def _entries(self) -> list[TurnEntry]:
        store = self._store()
        return [entry_of(turn) for turn in store.read(self._home, self.name).turns]

    def _store(self) -> ChatStore:
        session = self._session.present()
        return store_of(session, session.target())

    def _change(self, work: Callable[[list[TurnEntry]], list[TurnEntry]]) -> None:
        store = self._store()
        hold = take(store, self._home, self.name)
        try:
            entries = [entry_of(turn) for turn in store.read(self._home, self.name).turns]
            store.write(self._home, self.name, [stored_turn(entry) for entry in work(entries)])
        finally:
            hold.release()

    def _check(self, number: int, entries: Sequence[TurnEntry]) -> None:
        if not isinstance(number, int) or not 1 <= number <= len(entries):
            many = number_of(len(entries), "turn")
            raise OptionError(
                f"{quote(self.name, 40)} has no turn {quote(repr(number), 40)}.",
                cure=f"It has {many}; %claude_chat {on_line(self.name)} lists them.",
            )


def without_cell(entry: TurnEntry) -> TurnEntry:
    """Return a turn that belongs to no cell."""
    return entry._replace(owner="", run="", place=0, stored=None)
