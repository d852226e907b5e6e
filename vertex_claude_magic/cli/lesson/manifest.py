"""`lesson.json`: what a lesson is made of, with the SHA-256 of each file, so that a change is seen."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.cli.lesson.folder import MANIFEST, NOTEBOOKS
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from vertex_claude_magic.cli.lesson.folder import Lesson

__all__ = ["SITE", "changed_files", "manifest_of", "read_manifest", "replace_lesson", "write_manifest"]

SITE = "site"
_FORMAT = "vertex_claude_magic lesson"


def manifest_of(
    staged: Path, lesson: Lesson, *, date: str, package: str, browser: Sequence[str]
) -> dict[str, Any]:
    """Return what `lesson.json` says.

    Args:
        staged: The folder that is handed out.
        lesson: What its notebooks have shown.
        date: The day of the lesson, as YYYY-MM-DD.
        package: The version of this package.
        browser: The notebooks that run in the browser too.
    """
    notebooks = [
        {
            "file": f"{NOTEBOOKS}/{name}",
            "recordings": [f"{NOTEBOOKS}/{each}" for each in lesson.recordings[name]],
            "questions": list(run.digests),
            "imports": list(lesson.imports[name]),
            "browser": name in browser,
        }
        for name, run in lesson.runs.items()
    ]
    return {
        "format": _FORMAT,
        "version": 1,
        "date": date,
        "package": package,
        "notebooks": notebooks,
        "files": _files(staged),
    }


def write_manifest(staged: Path, manifest: Mapping[str, Any]) -> None:
    """Write `lesson.json`."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (staged / MANIFEST).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return what `lesson.json` says, None where a folder has none.

    Raises:
        OptionError: it exists and is not a manifest.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    files = found.get("files") if isinstance(found, dict) and found.get("format") == _FORMAT else None
    if not isinstance(files, dict) or not isinstance(found.get("date"), str):
        raise OptionError(f"{quote(str(path))} is not the list of a lesson.", cure="Build the lesson again.")
    return dict(found)


def changed_files(folder: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return each file that was changed, added or taken out after the lesson was built, with a line that says so."""
    before, now = manifest["files"], _files(folder)
    words = {
        name: "is gone" if name not in now else "was added" if name not in before else "was changed"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    }
    return {name: f"{name} {word} after {quote(manifest['date'], 20)}" for name, word in words.items()}


def replace_lesson(out: Path, staged: Path) -> list[str]:
    """Put a lesson in the place of the former one, whose files go; what the former one does not list stays.

    Args:
        out: The folder of the former lesson, or an empty one.
        staged: The new lesson, in the same file system; it is empty afterwards.

    Returns:
        A line for each file that is replaced though it was changed or added after the former lesson was built.

    Raises:
        OptionError: what stays is a file where the lesson has a folder, or in a folder where it has a file.
    """
    former = read_manifest(out) or {"files": {}, "date": ""}
    now, new = _files(out), _files(staged)
    # Before anything is touched: half of each lesson would be none.
    files = [PurePosixPath(path.relative_to(out).as_posix()) for path in out.rglob("*") if path.is_file()]
    stays = [own for own in files if str(own) not in former["files"] and own.parts[0] != SITE]
    for name in map(PurePosixPath, new):
        for own in stays:
            if name in own.parents or own in name.parents:
                raise OptionError(
                    f"{quote(str(own), 100)} is in the way of {quote(str(name), 100)} of the lesson.",
                    cure="Move or rename it, and build again.",
                )
    changed = changed_files(out, former)
    replaced = [
        f"{changed[name]}, and is replaced."
        for name, digest in new.items()
        if name in changed and now.get(name, digest) != digest
    ]
    # Only what was found in the folder: the list is a file that anybody may have written.
    for name in (now.keys() & former["files"].keys()) - new.keys():
        (out / name).unlink()
        for above in (out / name).relative_to(out).parents:
            # Another file may be in it.
            with suppress(OSError):
                (out / above).rmdir()
    if (out / SITE).exists():
        shutil.rmtree(out / SITE)
    if (staged / SITE).exists():
        (staged / SITE).replace(out / SITE)
    for path in sorted(staged.rglob("*")):
        target = out / path.relative_to(staged)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            path.replace(target)
    return replaced


def _files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file but those of the site, which is made of them, and what is hidden."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.parts)
        if path.is_file() and not hidden and name.parts[0] != SITE and name.as_posix() != MANIFEST:
            found[name.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
