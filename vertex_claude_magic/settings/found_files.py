"""The text of a file in a folder beside a notebook, found by its name."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.text import nearest, quote, reason_of

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["found_names", "found_text", "text_of"]

_NAME = re.compile(r"\w[\w .-]*")
_MOST_FILES = 1_000


def found_names(folder: Path, ending: str) -> list[str]:
    """Return the names of the files in a folder, sorted and without their ending; none where there is no folder."""
    try:
        paths = sorted(folder.glob(f"*{ending}"))[:_MOST_FILES]
    except OSError:
        return []
    return [path.stem for path in paths if _NAME.fullmatch(path.stem)]


def found_text(name: str, folder: Path, ending: str, *, kind: str, place: str) -> str:
    """Return the text of a file.

    Args:
        name: Its name, without the ending.
        folder: The folder.
        ending: The ending, such as `.md`.
        kind: What the file is, for messages, such as "a saved prompt".
        place: The folder as its user knows it, for messages, such as `prompts`.

    Raises:
        OptionError: there is none of this name, it cannot be read, or it is a link to a file elsewhere.
    """
    path = folder / f"{name}{ending}"
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"{quote(name, 40)!r} is not a valid name for {kind}.", cure="Use letters, digits, - and _."
        )
    label = f"{place}/{quote(name, 40)}{ending}"
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib raises where a name is too long
        known = found_names(folder, ending)
        near = nearest(name, known)
        listed = ", ".join(quote(each, 40) for each in known[:10])
        cure = (
            f"Did you mean {quote(near, 40)}?"
            if near
            else f"There are {listed}."
            if known
            else "Write the file first."
        )
        raise OptionError(f"There is no {label} beside the notebook.", cure=cure)
    if not path.resolve().is_relative_to(folder.resolve()):
        # A link in a folder of somebody else's could send any file of this machine.
        raise OptionError(f"{label} is a link to a file elsewhere.", cure="Put the file itself there.")
    return text_of(path, label)


def text_of(path: Path, label: str) -> str:
    """Return the text of a file.

    Args:
        path: The file.
        label: What names it, for messages.

    Raises:
        OptionError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise OptionError(f"{label} is not UTF-8.", cure="Save it as UTF-8 text.") from None
    except OSError as error:
        raise OptionError(
            f"{label} cannot be read ({reason_of(error)}).", cure="Check its permissions."
        ) from None
