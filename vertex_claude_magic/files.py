"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write a file so that it is the old or the new one at any moment, also after a crash.

    Args:
        path: The file.
        data: Its new content.
        mode: Its permissions; None leaves those of the old file, and gives a new one to its owner only.

    Raises:
        OSError: it cannot be written; the old file is as it was, and no other one is left.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "notes.txt"), b"Hello")
    ...     os.listdir(folder)
    ['notes.txt']
    """
    if mode is None:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    # In the same folder, because a file system is the most that `replace` works within. A name may have 255 bytes.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            # Some file systems write the new name before the content; after a crash the file would be empty.
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
