"""This package as a wheel, made of the files that run here, so that a lesson replays with what it was checked with."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from importlib import metadata
from pathlib import Path

__all__ = ["DISTRIBUTION", "write_own_wheel"]

DISTRIBUTION = "vertex-claude-magic"
# The oldest date that a zip file can hold, so that the same files always make the same wheel.
_DATE = (1980, 1, 1, 0, 0, 0)


def write_own_wheel(folder: Path) -> Path:
    """Write this package as a wheel ("Binary distribution format", packaging.python.org) and return its path.

    Args:
        folder: Where it is written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     zipfile.is_zipfile(write_own_wheel(Path(name)))
    True
    """
    package = Path(__file__).resolve().parents[2]
    distribution = metadata.distribution(DISTRIBUTION)
    stem = f"{package.name}-{distribution.version}"
    files = {
        path.relative_to(package.parent).as_posix(): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    information = f"{stem}.dist-info"
    files |= {
        f"{information}/METADATA": (distribution.read_text("METADATA") or "").encode(),
        f"{information}/WHEEL": b"Wheel-Version: 1.0\nGenerator: vertex-claude lesson\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
        f"{information}/entry_points.txt": (distribution.read_text("entry_points.txt") or "").encode(),
    }
    listed = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        listed.append(f"{name},sha256={digest},{len(data)}")
    files[f"{information}/RECORD"] = "\n".join([*listed, f"{information}/RECORD,,", ""]).encode()
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return wheel
