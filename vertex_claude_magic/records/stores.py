"""The journals and recordings that a session has open, one object for each file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.process import at_fork
from vertex_claude_magic.records.journal.journal import Journal
from vertex_claude_magic.records.journal.location import default_path
from vertex_claude_magic.text import with_home

if TYPE_CHECKING:
    from vertex_claude_magic.records.journal.chats import StoredChat
    from vertex_claude_magic.records.recording.recording import Recording

__all__ = ["Stores", "UnansweredQuestion"]


class UnansweredQuestion(NamedTuple):
    """The last question of a cell in a conversation, if it has no turn: it is under way, or has failed.

    Args:
        run: Which run of the cell asked.
        place: Which question of this run it is, from 0.
        prompt: The prompt as it was written.
    """

    run: str
    place: int
    prompt: str


class Stores:
    """The open files of a session; sessions that share them give repeats in one order, and say a notice once.

    A relative path counts from the folder in which it was first used, so that a cell which changes the folder does not
    change the file.

    >>> stores = Stores()
    >>> stores.recording("lesson.claude") is stores.recording("lesson.claude")
    True
    """

    def __init__(self) -> None:
        self._renew_lock()
        self._paths: dict[str, Path] = {}
        self._journals: dict[Path, Journal] = {}
        self._recordings: dict[Path, Recording] = {}
        # Conversations as they were last read, and those that no journal has.
        self.chats: dict[tuple[str, str, str], StoredChat] = {}
        # By the notebook and the name of the conversation, and the cell.
        self.unanswered: dict[tuple[str, str, str], UnansweredQuestion] = {}
        at_fork(self, child=Stores._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def path(self, named: str) -> Path:
        """Return the file that a setting names; the default journal where it is empty."""
        if named not in self._paths:
            found = Path(with_home(named)) if named else default_path()
            try:
                found = found.absolute()
            except OSError:
                # The working folder was deleted; whoever opens the file says that it is not there.
                return found
            self._paths.setdefault(named, found)
        return self._paths[named]

    def journal(self, named: str) -> Journal:
        """Return the journal in a file, or the default one."""
        path = self.path(named)
        with self._lock:
            return self._journals.get(path) or self._journals.setdefault(path, Journal(path))

    def recording(self, named: str) -> Recording:
        """Return the recording in a file."""
        from vertex_claude_magic.records.recording.recording import Recording

        path = self.path(named)
        with self._lock:
            return self._recordings.get(path) or self._recordings.setdefault(
                path, Recording(path, named=named)
            )

    def close(self) -> None:
        """Close all files, and forget what was asked of them; the object stays usable."""
        with self._lock:
            for journal in self._journals.values():
                journal.close()
            self._journals.clear()
            self._recordings.clear()
