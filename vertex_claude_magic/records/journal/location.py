"""Where the journal lies, who may read it, and whether its file system can share memory between processes."""

from __future__ import annotations

import os
import re
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.text import quote, without_home

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "OFF",
    "default_path",
    "file_bytes",
    "is_there",
    "make_private_file",
    "private_folder",
    "refuse_link",
    "shares_memory",
]

OFF = "off"
_NAME = "journal.sqlite3"
# File systems of the machine itself; on any other, two machines may have the file open, and SQLite's
# write-ahead log needs memory that they share ("Write-Ahead Logging", sqlite.org/wal.html, section 2).
_LOCAL = frozenset({
    "apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "exfat", "f2fs", "hfs", "hfsplus", "jfs", "ntfs", "ntfs3",
    "overlay", "ramfs", "reiserfs", "tmpfs", "ufs", "vfat", "xfs", "zfs",
})  # fmt: skip
_OCTAL = r"\\([0-7]{3})"


def default_path() -> Path:
    """Return where the journal lies unless the user says otherwise: in the data folder of the user."""
    from platformdirs import user_data_dir

    return Path(user_data_dir("vertex-claude-magic", appauthor=False)) / _NAME


def is_there(path: Path) -> bool:
    """Tell whether there is something at a path; one that cannot be looked at is taken for nothing."""
    return os.path.lexists(path) if "\0" not in str(path) else False


def file_bytes(path: Path) -> int:
    """Return the size of a journal in bytes, what SQLite's log still holds included; 0 where there is none."""
    size = 0
    for part in (path, path.with_name(f"{path.name}-wal")):
        with suppress(OSError):
            size += part.stat().st_size
    return size


def private_folder(folder: Path) -> None:
    """Make a folder that only the user can enter; one that is there already is left as it is."""
    if folder.is_dir():
        return
    private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def refuse_link(path: Path, what: str, named: str = "") -> os.stat_result | None:
    """Refuse a path that is a symbolic link, which would let somebody else choose what is written to.

    Args:
        path: The path.
        what: What the file is for the message, such as "journal".
        named: What its user calls it, for the message.

    Returns:
        The state of the file, None if there is none.

    Raises:
        JournalError: it is one, or is not a regular file.
        OSError: it cannot be looked at.
    """
    try:
        state = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(state.st_mode):
        kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder"}
        kind = kinds.get(stat.S_IFMT(state.st_mode), "not a regular file")
        where = quote(named or without_home(str(path)), 120)
        raise JournalError(f"The {what} {where} is {kind}.", cure="Use a regular file.")
    return state


def make_private_file(path: Path, check: Callable[[], None] = lambda: None) -> None:
    """Make an empty file that only its owner can read, or take other readers' rights from the one there.

    Args:
        path: The path.
        check: Called before rights are taken; it raises where the file is somebody else's, and keeps them.

    Raises:
        JournalError: the path is a symbolic link.
        OSError: it cannot be made.
    """
    refuse_link(path, "journal")
    private_folder(path.parent)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        state = path.stat()
        if os.name == "posix" and state.st_mode & 0o077 and state.st_uid == os.getuid():
            check()
            path.chmod(stat.S_IMODE(state.st_mode) & 0o700)


def shares_memory(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    r"""Tell whether all processes that open this file run on one machine, as far as can be told.

    Args:
        path: The file.
        mounts: The table of mounts (Linux, proc(5)); where there is none, only paths that are remote by
            their form are taken for remote.
    """
    text = str(path.absolute())
    if sys.platform == "win32":
        return not text.startswith("\\\\")
    try:
        table = mounts.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return not text.startswith(("/Volumes/", "/net/", "/Network/"))
    return _kind(os.path.realpath(path), table) in _LOCAL


def _kind(path: str, table: str) -> str:
    """Return the file system of a path: that of the longest mount point above it."""
    found, longest = "", -1
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.partition(" ")[0]
        if len(fields) < 5 or not kind:
            continue
        point = fields[4]
        if "\\" in point:
            point = re.sub(_OCTAL, lambda octal: chr(int(octal[1], 8)), point)
        point = point.rstrip("/")
        if (path == point or path.startswith(f"{point}/")) and len(point) >= longest:
            found, longest = kind, len(point)
    return found
