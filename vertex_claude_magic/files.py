"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_whole"]


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
