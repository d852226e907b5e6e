"""`vertex-claude journal`: look into the journal, make it smaller, and carry answers from one to another."""

from __future__ import annotations

import argparse
import os
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_claude_magic.cli import journal_text
from vertex_claude_magic.cli.arguments import Parser, day
from vertex_claude_magic.errors import JournalError, OptionError
from vertex_claude_magic.json_types import objects
from vertex_claude_magic.records.journal import review, upkeep
from vertex_claude_magic.records.journal.location import file_bytes
from vertex_claude_magic.records.session_records import journal_of
from vertex_claude_magic.records.usage import size
from vertex_claude_magic.session.session import open_session
from vertex_claude_magic.settings.options import check_value
from vertex_claude_magic.settings.registry import OPTIONS
from vertex_claude_magic.text import number_of, quote, reason_of
from vertex_claude_magic.vertex.digest import ATTACHMENT_HASH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vertex_claude_magic.records.journal.calls import StoredCall
    from vertex_claude_magic.records.journal.journal import Journal

__all__ = ["main"]

_STEP = 500
_MOST_SHOWN = 10_000
# What the names of written attachments end in; whatever else a request says of its media is not a name.
_ENDS = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp",
         "application/pdf": ".pdf", "text/plain": ".txt"}  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Run one of the commands `show`, `stats`, `prune`, `export` and `import`.

    Raises:
        ClaudeError: the journal or the recording is not there, is none, or cannot be used.
    """
    options = _parser().parse_args(argv)
    journal = _opened(options.journal, new=options.run is _import)
    try:
        options.run(journal, options)
    finally:
        journal.close()
    return 0


def _parser() -> Parser:
    """Return the parser; `run` of what it has read is the function of the command."""
    parser = Parser(prog="vertex-claude journal", allow_abbrev=False, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="show|stats|prune|export|import")

    def command(
        name: str, run: Callable[[Journal, argparse.Namespace], None], text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.add_argument("--journal", metavar="PATH", help="path of the journal; default: VERTEX_CLAUDE_JOURNAL, "
                           "then the one in your data folder")  # fmt: skip
        added.set_defaults(run=run)
        return added

    show = command("show", _show, "list the last calls, or show one in full")
    show.add_argument("id", nargs="?", type=_number, metavar="ID", help="the number of a call")
    show.add_argument("--last", type=_number, default=20, metavar="N", help="how many to list (20)")
    show.add_argument("--attachments", type=Path, metavar="DIR", help="write the call's attachments there")
    command("stats", _stats, "show the size and contents of the journal")
    prune = command("prune", _prune, "delete old calls, or all of them, and shrink the file")
    what = prune.add_mutually_exclusive_group()
    what.add_argument("--days", type=_number, metavar="N",
                      help="delete calls older than this many days (30, or journal_days of a policy)")  # fmt: skip
    what.add_argument("--all", action="store_true", help="drop everything")
    export = command("export", _export, "write answers into a recording")
    export.add_argument("file", type=Path, metavar="FILE", help="the recording to write")
    export.add_argument("--notebook", default="", metavar="NAME", help="only what this notebook asked")
    export.add_argument("--since", type=day, metavar="DATE", help="only from this day on, YYYY-MM-DD")
    export.add_argument("--model", default="", metavar="ID", help="only what was asked of it or by this name")
    export.add_argument("--force", action="store_true", help="overwrite the file")
    imports = command("import", _import, "add the answers of a recording, for --replay")
    imports.add_argument("file", type=Path, metavar="FILE", help="the recording")
    return parser


def _opened(path: str | None, *, new: bool) -> Journal:
    """Return the journal in a file, by default that of the settings.

    Args:
        path: The file, as it was given.
        new: Whether it may be a new one.

    Raises:
        OptionError: the path cannot be one.
        JournalError: there is no journal.
    """
    session = open_session()
    target = session.target()
    if path is not None:
        # Not as a setting: a policy that keeps questions to one journal keeps nobody from looking into another.
        check_value(OPTIONS["journal"], path)
        target = target.replace(journal=path)
    journal = journal_of(target, session.records.stores)
    if journal is None:
        raise JournalError(
            "The journal is off (VERTEX_CLAUDE_JOURNAL).", cure="Give its path with --journal PATH."
        )
    try:
        missing = not new and not journal.path.exists()
    except OSError:
        # A folder that may not be entered: opening the file says what is wrong.
        missing = False
    if missing:
        raise JournalError(
            f"There is no journal at {quote(str(journal.path), 200)}.",
            cure="Ask a question first, or use another journal with --journal PATH.",
        )
    return journal


def _number(text: str) -> int:
    # SQLite holds no integer above 2^63.
    if not text.isdecimal() or not text.isascii() or not 0 < int(text[:19]) < 10**18:
        raise argparse.ArgumentTypeError(f"{quote(text, 40)!r} is not a number above 0")
    return int(text[:19])


def _stats(journal: Journal, _: argparse.Namespace) -> None:
    print(journal_text.numbers(journal.path, journal.database.read(upkeep.stats)))


def _show(journal: Journal, options: argparse.Namespace) -> None:
    if options.id is None:
        if options.attachments is not None:
            raise OptionError("--attachments needs the id of a call.", cure="Give the id: journal show ID.")
        count = min(options.last, _MOST_SHOWN)
        print(journal_text.listing(journal.database.read(lambda connection: review.last(connection, count))))
        return
    entry = journal.database.read(lambda connection: review.entry(connection, options.id))
    if entry is None:
        raise OptionError(
            f"The journal has no call {options.id}.", cure="List the last ones: vertex-claude journal show"
        )
    print(journal_text.whole(entry))
    if options.attachments is None:
        return
    folder: Path = options.attachments
    found = journal.database.read(lambda connection: review.attachments(connection, entry.id))
    print(f"--- attachments: {len(found)}")
    media = {
        str(part.get(ATTACHMENT_HASH)): str(part.get("media_type"))
        for part in objects(entry.request)
        if part.get("type") == "base64"
    }
    # A file that is there already is left as it is, and the new ones are their user's alone.
    new = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in found.items():
            path = folder / f"{name}{_ENDS.get(media.get(name, ''), '.bin')}"
            note = ""
            try:
                with os.fdopen(os.open(path, new, 0o600), "wb") as file:
                    file.write(content)
            except FileExistsError:
                note = " (already exists, left unchanged)"
            print(f"{quote(str(path), 400)}{note}")
    except OSError as failure:
        raise OptionError(
            f"Attachments cannot be written to {quote(str(folder), 120)} ({quote(reason_of(failure), 80)}).",
            cure="Choose another folder.",
        ) from None


def _prune(journal: Journal, options: argparse.Namespace) -> None:
    before = file_bytes(journal.path)
    if options.all:
        older = ""
        dropped = journal.database.write(review.clear)
    else:
        days = options.days or open_session().target().journal_days
        today = datetime.now().astimezone().date()
        keep = upkeep.Keep(days=days)
        older, dropped = f" older than {number_of(days, 'day')}", 0
        # In steps, so that a kernel which asks meanwhile does not wait for the whole.
        while step := journal.database.write(
            lambda connection: upkeep.drop_old(connection, today, keep, _STEP)
        ):
            dropped += step
    journal.database.shrink()
    # The last one to close the file writes its log back.
    journal.close()
    after = file_bytes(journal.path)
    print(f"Dropped {number_of(dropped, 'call')}{older}.")
    print(f"The file was {size(before)} and is now {size(after)}.")


def _export(journal: Journal, options: argparse.Namespace) -> None:
    from vertex_claude_magic.records.recording.file_text import MOST_RECORDS
    from vertex_claude_magic.records.recording.recording import export_records

    catalog = open_session().target().catalog
    row = catalog.newest(options.model.lower()) or catalog.find(options.model)
    records = journal.database.read(
        lambda connection: review.answers(
            connection,
            notebook=options.notebook,
            since=options.since or "",
            model=row.id if row else options.model,
            asked=options.model,
            most=MOST_RECORDS + 1,
        )
    )
    if not records:
        raise OptionError(
            "The journal has no matching answer.",
            cure="See its contents: vertex-claude journal show",
        )
    export_records(options.file, records, overwrite=options.force)
    count = number_of(len(records), "answer")
    print(f"Wrote {count} to {quote(str(options.file), 200)}{_from_here(records)}.")


def _from_here(records: Sequence[StoredCall]) -> str:
    local = sum(record.source in {"local", "emulator"} for record in records)
    return f"; from a server on this machine, not from Claude: {local:,}" if local else ""


def _import(journal: Journal, options: argparse.Namespace) -> None:
    from vertex_claude_magic.records.journal.importing import add_records
    from vertex_claude_magic.records.recording.recording import Recording

    if not os.path.lexists(options.file):
        raise OptionError(f"There is no file {quote(str(options.file), 200)}.", cure="Check the path.")
    records = Recording(options.file).all()
    done = journal.database.write(lambda connection: add_records(connection, records, time.time()))
    print(f"Added {number_of(done.added, 'answer')}; already there: {done.known:,}{_from_here(records)}.")
