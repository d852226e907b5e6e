"""`%claude_chat`: list, show and change the conversations of this notebook; save, load and export them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.chats.chat import Chat
from vertex_claude_magic.chats.conversation import store_of
from vertex_claude_magic.chats.naming import home
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.files import replace_former
from vertex_claude_magic.notebook.commands.help import show_help
from vertex_claude_magic.notebook.commands.options import CHAT_OPTIONS
from vertex_claude_magic.notebook.options import parse_words
from vertex_claude_magic.notebook.pages import chat as pages
from vertex_claude_magic.notebook.pages.show import show_line, show_page
from vertex_claude_magic.records.provenance import QUOTING
from vertex_claude_magic.text import nearest, number_of, on_line, quote, quote_path

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host

__all__ = ["SUMMARY", "run_chat"]

# What is asked of a conversation that shall go on with a summary of itself.
SUMMARY = (
    "Summarise our conversation so far, so that we can go on from your summary alone: the aim, what was found, with "
    "its numbers, what was decided and why, and what is open."
)
# Which of these are given at once says what to do; each does one thing.
_ACTIONS = ("rename", "fork", "clear", "remove", "keep", "save", "load", "export")


def run_chat(host: Host, line: str) -> None:
    """Run `%claude_chat [NAME] [one action]`.

    Raises:
        OptionError: the line does not say what to do, or it cannot be done; nothing was changed.
        ClaudeError: Claude was not reached for the summary, or wrote none.
    """
    parsed = parse_words(line, CHAT_OPTIONS)
    options, name = dict(parsed.options), parsed.prompt.strip()
    if options.pop("help", None):
        show_help(host, "claude_chat")
        return
    actions = [action for action in _ACTIONS if action in options]
    if len(actions) > 1:
        raise OptionError(
            f"--{actions[0]} and --{actions[1]} cannot be combined.",
            cure="Run one, then the other.",
        )
    if options.get("summary") and actions != ["fork"]:
        raise OptionError("--summary needs --fork.", cure="Use %claude_chat NAME --fork NEW --summary.")
    if not name:
        if actions:
            value = options[actions[0]]
            given = f"--{actions[0]}" if value is True else f"--{actions[0]} {on_line(quote(str(value)))}"
            raise OptionError(
                f"--{actions[0]} needs the name of a conversation.", cure=f"Use %claude_chat NAME {given}."
            )
        session, every = host.session(), bool(options.get("all"))
        listed = store_of(session, session.target()).listed(None if every else home())
        table = pages.chats_table(listed, every=every)
        show_page(host.shell, table.html(), table.plain())
        return
    owner = ""
    if options.get("all"):
        if actions != ["fork"]:
            raise OptionError(
                "--all takes a name with --fork only.",
                cure=f"Use %claude_chat --all, or %claude_chat {on_line(name)} --all --fork NEW.",
            )
        owner = next(iter(_owners_elsewhere(host, name)), "")
        if not owner:
            raise OptionError(
                f"No other notebook has a conversation named {quote(name, 40)!r}.",
                cure="%claude_chat --all lists those of all notebooks.",
            )
    chat = Chat(host.session(), name, owner=owner)
    if actions:
        done = _do(host, chat, actions[0], options[actions[0]], summary=bool(options.get("summary")))
        done += f" The source is {quote(owner, 120)}." if owner else ""
        show_line(host.shell, done)
        return
    turns = chat.turns
    if not turns:
        raise _nothing(host, name)
    table = pages.turns_table(name, turns)
    show_page(host.shell, table.html(), table.plain(), QUOTING)


def _nothing(host: Host, name: str) -> OptionError:
    session = host.session()
    known = [row.name for row in store_of(session, session.target()).listed(home())]
    near = nearest(name, known)
    cure = f"Did you mean {near}?" if near else f"%%claude -c {on_line(name)} starts one."
    if owners := _owners_elsewhere(host, name):
        # Such as this notebook under its former name.
        named = on_line(name)
        cure = f"{quote(owners[0], 120)} has one; take it over with %claude_chat {named} --all --fork {named}"
    return OptionError(f"No conversation named {quote(name, 40)!r} in this notebook.", cure=cure)


def _owners_elsewhere(host: Host, name: str) -> list[str]:
    """Return the other notebooks and folders with a conversation of this name, where it changed last first."""
    session = host.session()
    rows = store_of(session, session.target()).listed()
    return [row.notebook for row in rows if row.name == name and row.notebook != home()]


def _do(host: Host, chat: Chat, action: str, value: Any, *, summary: bool) -> str:
    name = quote(chat.name, 40)
    from vertex_claude_magic.chats.notebook_file import read_turns

    if action == "load":
        chat.begin_with(read_turns(Path(value)))
        return f"Loaded {_many(chat)} from {quote_path(str(value))} into {name}."
    if not chat.turns:
        raise _nothing(host, chat.name)
    if action == "rename":
        former = on_line(chat.name)
        chat.rename(value)
        return f"{name} is now {quote(value, 40)}. Cells with -c {former} start a new conversation."
    if action == "fork" and summary:
        return _fork_with_summary(host, chat, value)
    if action == "fork":
        return f"Copied {_many(chat.fork(value))} from {name} to {quote(value, 40)}."
    if action == "clear":
        many = _many(chat)
        chat.clear()
        return f"{name} is cleared; it had {many}."
    if action == "remove":
        chat.remove(value)
        if not chat.turns:
            return f"Turn {value} of {name} is removed. It was the only one, so {name} is no longer listed."
        stale = [turn.number for turn in chat.turns if turn.state == "stale"]
        moved = " and later turns move up" if value <= len(chat.turns) else ""
        return f"Turn {value} of {name} is removed{moved}{pages.stale_text(stale)}."
    if action == "keep":
        chat.keep(value)
        return f"Turn {value} of {name} is sent from now on, with the part of its answer that had arrived."
    if action == "save":
        chat.save(value)
        return f"Saved to {quote_path(str(value))}: {_many(chat)}, each a cell that runs."
    path = Path(value)
    if path.suffix not in {".md", ".html"}:
        raise OptionError(
            f"{quote_path(value)} is neither .md nor .html.", cure="Use a name that ends in one of them."
        )
    text = (
        pages.exported_html(chat.name, chat.turns)
        if path.suffix == ".html"
        else pages.exported_markdown(chat.name, chat.turns)
    )
    encoded = text.encode("utf-8", "replace")
    # What stands before the first turn names the conversation.
    head = encoded.partition(b"<h2>" if path.suffix == ".html" else b"\n## ")[0]
    replace_former(path, encoded, lambda found: found.startswith(head))
    return f"Exported to {quote_path(value)}."


def _fork_with_summary(host: Host, chat: Chat, new: str) -> str:
    from vertex_claude_magic.notebook.commands.ask import ask_prepared
    from vertex_claude_magic.notebook.options import ParsedLine

    fork = Chat(host.session(), new)
    if fork.turns:
        raise OptionError(
            f"A conversation named {quote(new, 40)!r} already exists.",
            cure="Choose another name, or clear the existing one first.",
        )
    sent = [turn for turn in chat.turns if turn.state != "interrupted" or turn.kept]
    if not sent:
        raise OptionError(
            f"{quote(chat.name, 40)} has no turn that is sent, so there is nothing to summarise.",
            cure=f"Run its cells again, or use %claude_chat {on_line(chat.name)} --keep N.",
        )
    # Asked after the last turn, of its model, and no turn of the old conversation.
    last = sent[-1].reply
    options: dict[str, Any] = {"after": last, "literal": True}
    if last.lineage is not None and last.lineage.requested_model:
        options["model"] = last.lineage.requested_model
    reply = ask_prepared(host, ParsedLine(options=options), SUMMARY, scope=host.scope())
    assert reply is not None  # noqa: S101 - only a dry run has none
    chat.fork_with_summary(new, SUMMARY, reply)
    return f"{quote(new, 40)} starts with this summary."


def _many(chat: Chat) -> str:
    return number_of(len(chat.turns), "turn")
