"""What a process takes over: the settings of the loaded magics, and the files of the policy that it keeps to.

The notebook layer knows the settings and hands them in through `set_loaded`; a script has none. This module is all
that `%load_ext` needs of policies where there is none.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vertex_claude_magic.settings.options import AskOptions
    from vertex_claude_magic.settings.policy import Policy

__all__ = [
    "Demo",
    "Loaded",
    "OpenFiles",
    "PolicyFiles",
    "loaded",
    "policies",
    "present_policy",
    "set_loaded",
    "set_policy",
    "settings_of",
]

_POLICY_VARIABLE = "VERTEX_CLAUDE_POLICY"
_POLICY = "claude-policy.toml"


class OpenFiles(Protocol):
    """The journals and recordings that the magics have open (`records.stores.Stores`)."""

    def close(self) -> None:
        """Close them."""


class Demo(NamedTuple):
    """The emulator of the demo that runs; it takes the fixed `token` and no other."""

    base_url: str
    project: str
    token: str = "emulator"  # noqa: S105 - the fixed one


class Loaded(Protocol):
    """What a process takes over from the loaded magics (`notebook.magics.ClaudeMagics`)."""

    @property
    def demo(self) -> Demo | None:
        """Where the emulator of the demo is asked, None while no demo runs."""

    @property
    def stores(self) -> OpenFiles:
        """The files that all sessions of the kernel share."""

    @property
    def budget(self) -> object:
        """The sums of what all sessions of the kernel have spent (`records.budget.Budget`)."""

    def options(self) -> AskOptions:
        """Return the settings as they are now."""


_loaded: list[Loaded] = []


def set_loaded(magics: Loaded | None) -> None:
    """Set the loaded magics; None when they are unloaded."""
    _loaded[:] = [] if magics is None else [magics]


def loaded() -> Loaded | None:
    """Return the loaded magics, None where there are none."""
    return _loaded[0] if _loaded else None


def settings_of(given: Mapping[str, Any]) -> AskOptions:
    """Lay arguments over the settings of the loaded magics.

    An argument that is given takes the place of the setting, also where the options of one question would
    add up.

    Raises:
        OptionError: an argument has a name that does not exist, or a value that it cannot take.

    >>> settings_of({"model": "opus"})
    AskOptions(model='opus')
    """
    from vertex_claude_magic.settings.options import AskOptions, merge
    from vertex_claude_magic.settings.registry import EMPTY, keyword_of

    known = loaded()
    if known is None:
        return merge(AskOptions(), given)
    names = {keyword_of(name) for name, value in given.items() if value is not None}
    cleared = {name: EMPTY[name] for name in names & EMPTY.keys()}
    return merge(known.options().replace(**cleared), given)


class PolicyFiles(NamedTuple):
    """The policies of a process: those beside the notebook and above it, the nearest first, and the variable's."""

    paths: tuple[Path, ...] = ()
    named: str = ""

    def __bool__(self) -> bool:
        return bool(self.paths or self.named)


_policies: list[PolicyFiles] = []


def policies(folders: Iterable[Path] = ()) -> PolicyFiles:
    """Return the policy files of this process; they are looked for once.

    They are looked for in the working folder, in that of the script that runs, and in all folders above each.

    Args:
        folders: Where else to look, at the first call.
    """
    if not _policies:
        starts = [*folders]
        main = sys.modules.get("__main__")
        script = getattr(main, "__file__", None) or ""
        # A kernel, a server or a command is somebody else's program: a module, or without the ending.
        if script.endswith(".py") and getattr(main, "__spec__", None) is None:
            starts.append(Path(script).parent)
        try:
            starts.append(Path.cwd())
        except OSError:
            # The working folder was deleted.
            starts = [folder for folder in starts if folder.is_absolute()]
        paths = dict.fromkeys(
            path
            for start in map(Path.absolute, starts)
            for folder in (start, *start.parents)
            # One that cannot be read, such as a broken link, is there all the same.
            if os.path.lexists(path := folder / _POLICY)
        )
        named = os.environ.get(_POLICY_VARIABLE, "")
        if named:
            # Hardly anybody has one.
            from vertex_claude_magic.text import trimmed

            named = trimmed(named)
        _policies.append(PolicyFiles(tuple(paths), named))
    return _policies[0]


_read: list[Policy] = []


def present_policy() -> Policy:
    """Return the policy of this process; it is read once, so that a file that is changed later changes nothing."""
    if not _read:
        if found := policies():
            # Hardly anybody has one.
            from vertex_claude_magic.settings.policy_files import read_policies

            _read.append(read_policies(found.paths, found.named, _POLICY_VARIABLE))
        else:
            from vertex_claude_magic.settings.policy import OPEN

            _read.append(OPEN)
    return _read[0]


def set_policy(policy: Policy | None) -> None:
    """Set what holds in this process; None has it found anew when it is next asked for."""
    _read[:] = [] if policy is None else [policy]
    _policies.clear()
