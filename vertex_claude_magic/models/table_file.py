"""Reading the model table: the file that comes with the package, and a user's own on top of it.

The package's file is trusted, because the tests check it. A user's file is checked field by field, and
what is wrong with it is said with the file and the place in it, so that it can be mended.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.text import quote, reason_of, with_home

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["FileStamp", "bundled_table", "file_stamp", "with_user_table"]

# The parts of the file that map names to objects, beside the rows of models.
_SECTIONS = ("sources", "locations", "api_versions", "limits", "services", "rule_sets")
_BUNDLED = Path(__file__).with_name("models.json")


@cache
def bundled_table() -> Mapping[str, Any]:
    """Return the table that comes with the package as parsed JSON; it is shared and not to be changed."""
    table: Mapping[str, Any] = json.loads(_BUNDLED.read_bytes())
    return table


class FileStamp(NamedTuple):
    """What changes when a file is written or replaced; device and inode also tell relative paths apart."""

    device: int
    inode: int
    bytes: int
    modified_ns: int


def file_stamp(path: str | os.PathLike[str]) -> FileStamp:
    """Return the stamp of a user's table file.

    Raises:
        OptionError: There is no such file.
    """
    try:
        # Asked for every question, so one system call and no reading.
        found = Path(with_home(path)).stat()
    except (OSError, ValueError) as error:
        raise _unusable(path, reason_of(error)) from error
    return FileStamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def with_user_table(base: Mapping[str, Any], path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the base table with a user's file laid over it.

    A row whose id is known overrides the fields that it names, each as a whole; other rows are added.
    The entries of the other sections, such as a rule set, do the same by their name.

    Raises:
        OptionError: The file cannot be read, or something in it cannot be used.
    """
    # Only those who name a file of their own pay for the checks.
    from vertex_claude_magic.models.table_checks import table_problems

    try:
        user = json.loads(Path(with_home(path)).read_bytes())
    except OSError as error:
        raise _unusable(path, reason_of(error)) from error
    except (ValueError, RecursionError) as error:
        raise _unusable(path, f"it is not JSON: {error}") from error
    for problem in table_problems(user, base):
        raise _unusable(path, problem)
    sections = {name: _overlaid(base[name], user.get(name, {})) for name in _SECTIONS}
    base_rows = {row["id"]: row for row in base["models"]}
    user_rows = {row["id"]: row for row in user.get("models", ())}
    unnamed = {model: {"name": model, "family": "other"} for model in user_rows if model not in base_rows}
    rows = _overlaid({**base_rows, **unnamed}, user_rows)
    return {"as_of": user.get("as_of", base["as_of"]), **sections, "models": list(rows.values())}


def _overlaid(base: Mapping[str, Any], user: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {**base.get(name, {}), **user.get(name, {})} for name in {**base, **user}}


def _unusable(path: str | os.PathLike[str], problem: str) -> OptionError:
    message = f"The model table {quote(str(path))} cannot be used: {quote(problem)}."
    return OptionError(message, cure="Correct the file, or clear the setting that points to it.")
