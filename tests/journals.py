"""What the tests of journal, replay and recordings share: a client, a call, and the raw rows of the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import Claude
from vertex_claude_magic.records.journal.calls import ANSWER, Call, Ending
from vertex_claude_magic.records.journal.journal import Journal
from vertex_claude_magic.records.journal.location import default_path
from vertex_claude_magic.records.journal.upkeep import Keep
from vertex_claude_magic.transport.retry import RetryPolicy
from vertex_claude_magic.vertex.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vertex_claude_magic.emulator import Emulator, Received
    from vertex_claude_magic.settings.origin import Origin
    from vertex_claude_magic.vertex.reply import Reply

QUICK = RetryPolicy(first_wait=0.001, longest_backoff=0.002, silence=20)
KEEP = Keep()
# 2026-11-26, noon in UTC.
NOON = 1_795_694_400.0
DAY = 24 * 3600.0


def client(emulator: Emulator, **options: Any) -> Claude:
    settings = {"project": emulator.project, "access_token": "emulator", "model": "haiku", "policy": QUICK}
    return Claude(base_url=emulator.base_url, **{**settings, "replay_pace": "instant", **options})


def offline(**options: Any) -> Claude:
    """A client that knows no project, whose credentials fail when they are touched, and that has nowhere to send."""
    return Claude(credentials=Untouchable(), **{"model": "haiku", "replay_pace": "instant", **options})


class Untouchable:
    """Credentials that nobody may look at."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"credentials were asked for {name}")


def told(claude: Claude, prompt: Any = "Hello", **options: Any) -> tuple[Reply, tuple[str, ...]]:
    """Ask, and return the answer and what was told beside it."""
    with claude.stream(prompt, **options) as stream:
        reply = stream.reply
    return reply, tuple(notice.text for notice in stream.notices() if notice.kind == "records")


def opened(path: Path, **options: Any) -> Journal:
    """A journal of its own, which is closed when nobody has it any more, as those of the package are."""
    return Journal(path, **options)


@contextmanager
def run_of(journal: Journal, kind: str, *, session: str, origin: Origin) -> Iterator[int | None]:
    """The number of a run that begins here and ends with the block."""
    number = journal.open_run(kind, session=session, origin=origin)
    try:
        yield number
    finally:
        journal.close_run(number)


def asked(emulator: Emulator) -> list[Received]:
    """The requests that reached a model, without those that count tokens."""
    return [each for each in emulator.requests if "count-tokens" not in each.path]


def rows(table: str = "calls", path: Path | None = None) -> list[dict[str, Any]]:
    """Read a table as it is in the file, past all of our code."""
    with closing(sqlite3.connect(path or default_path())) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]


def a_call(text: str = "Hello", *, at: float = NOON, **changes: Any) -> Call:
    canonical = {"model": "claude-x", "body": {"messages": [{"role": "user", "content": text}]}}
    usual = {"at": at, "session": "s1", "key": digest_of(canonical), "canonical": canonical, "asked": "x",
             "model": "claude-x", "region": "global", "project": "p", "source": "vertex"}  # fmt: skip
    return Call(**{**usual, **changes})


def an_ending(text: str = "Hi", **changes: Any) -> Ending:
    answer = {"content": [{"type": "text", "text": text}], "model": "claude-x"}
    return Ending(**{"state": "done", "source": "vertex", "answer": answer, "replayable": ANSWER, "cost": 0.25,
                     **changes})  # fmt: skip
