"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from vertex_claude_magic.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
@pytest.mark.parametrize(("umask", "given"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_a_new_file_has_the_mode_that_the_umask_gives(tmp_path, umask, given):
    """As a file of any other program; unless a mode is named."""
    former = os.umask(umask)
    try:
        write_whole(tmp_path / "a", b"a")
        write_whole(tmp_path / "b", b"b", mode=0o604)
    finally:
        os.umask(former)
    assert (mode(tmp_path / "a"), mode(tmp_path / "b")) == (given, 0o604)


def test_an_old_file_keeps_its_mode_and_no_other_file_is_left(tmp_path):
    """Its content is replaced to the byte."""
    path = tmp_path / "a"
    path.write_bytes(b"old\r\n")
    path.chmod(0o640)
    write_whole(path, b"new\n\r\n")
    assert (path.read_bytes(), mode(path), list(tmp_path.iterdir())) == (b"new\n\r\n", 0o640, [path])


@pytest.mark.parametrize("name", ["folder", "none/file", "x" * 300])
def test_what_cannot_be_written_leaves_all_as_it_was(tmp_path, name):
    """A folder in its place, no folder, or a name that is too long."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        write_whole(tmp_path / name, b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
