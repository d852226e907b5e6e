"""Files that are written whole or not at all, and in place of nothing else than a former one of their kind."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.text import quote_path, reason_of, with_home

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_former", "replace_former", "write_whole"]


def write_whole(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write a file so that it is the old or the new one at any moment, also after a crash.

    Args:
        path: The file.
        data: Its new content.
        mode: Its permissions; None leaves those of the old file, and gives a new one those that any new file of
            this process has (its umask).

    Raises:
        OSError: it cannot be written; the old file is as it was, and no other one is left.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "notes.txt"), b"Hello")
    ...     os.listdir(folder)
    ['notes.txt']
    """
    if mode is None and path.exists():
        mode = stat.S_IMODE(path.stat().st_mode)
    # In the same folder, because a file system is the most that `replace` works within. A name may have 255 bytes.
    name = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    # The system itself subtracts the umask: to ask for it would change it, for all threads.
    how = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)
    handle = os.open(name, how, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            # Some file systems write the new name before the content; after a crash the file would be empty.
            os.fsync(file.fileno())
        if mode is not None:
            name.chmod(mode)
        name.replace(path)
    except BaseException:
        with suppress(OSError):
            name.unlink()
        raise


def replace_former(path: Path, data: bytes, is_former: Callable[[bytes], bool]) -> None:
    """Write a file that a user has named, in place of a former one of its kind and of no other.

    Args:
        path: The file, below `~` too; a symbolic link stays one.
        data: Its new content.
        is_former: Whether a content is that of a former one.

    Raises:
        OptionError: another file is there, or it cannot be written.
    """
    file = check_former(path, is_former)
    try:
        write_whole(file, data)
    except OSError as error:
        raise _unwritable(path, error) from None


def check_former(path: Path, is_former: Callable[[bytes], bool]) -> Path:
    """Check that `replace_former` would not write over anything else, and return the file without links.

    Raises:
        OptionError: another file is there, or it cannot be read.
    """
    file = Path(with_home(path))
    try:
        # To read a pipe or a terminal might never end; behind the link of one (/dev/stdout) there may be no name.
        if file.exists() and not (file.is_file() and is_former(file.read_bytes())):
            raise OptionError(
                f"{quote_path(str(path))} already exists with other content.", cure="Choose another name."
            )
    except OSError as error:
        raise _unwritable(path, error) from None
    # Not by pathlib, whose error is none of the system where links lead to one another.
    return Path(os.path.realpath(file))


def _unwritable(path: Path, error: OSError) -> OptionError:
    return OptionError(
        f"{quote_path(str(path))} cannot be written: {reason_of(error)}.",
        cure="Choose a file in a folder that you can write to.",
    )
