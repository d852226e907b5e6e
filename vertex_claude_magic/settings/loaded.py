"""What a process takes over: the settings of the loaded magics, and the files of the policy that it keeps to.

The notebook layer knows the settings and hands them in through `set_loaded`; a script has none. This module is all
that `%load_ext` needs of policies where there is none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vertex_claude_magic.settings.options import AskOptions
    from vertex_claude_magic.settings.policy import Policy

__all__ = [
    "POLICY_VARIABLE",
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

POLICY_VARIABLE = "VERTEX_CLAUDE_POLICY"
_POLICY = "claude-policy.toml"


class OpenFiles(Protocol):
    """The journals and recordings that the magics have open (`records.stores.Stores`)."""

    def close(self) -> None:
        """Close them."""


class Loaded(NamedTuple):
    """What the loaded magics ask with.

    `demo` holds the same settings pointed at the demo's emulator, None while no demo runs; the emulator
    takes the fixed `token` and no other. `stores` are the files that all sessions of the kernel share.
    """

    options: AskOptions
    demo: AskOptions | None = None
    token: str | None = None
    stores: OpenFiles | None = None


_finders: list[Callable[[], Loaded]] = []


def set_loaded(finder: Callable[[], Loaded] | None) -> None:
    """Set where the settings of the loaded magics are found; None when they are unloaded."""
    _finders[:] = [] if finder is None else [finder]


def loaded() -> Loaded | None:
    """Return the settings of the loaded magics as they are now, None where none are loaded."""
    for finder in _finders:
        return finder()
    return None


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
    from vertex_claude_magic.settings.registry import EMPTY

    known = loaded()
    if known is None:
        return merge(AskOptions(), given)
    names = {
        f"{name}_" if name in {"as", "with"} else name for name, value in given.items() if value is not None
    }
    cleared = {name: EMPTY[name] for name in names & EMPTY.keys()}
    return merge(known.options.replace(**cleared), given)


class PolicyFiles(NamedTuple):
    """The policies of a process: those beside the notebook and above it, the nearest first, and the variable's."""

    paths: tuple[Path, ...] = ()
    named: str = ""

    def __bool__(self) -> bool:
        return bool(self.paths or self.named)


_policies: list[PolicyFiles] = []


def policies(folders: Iterable[Path] = ()) -> PolicyFiles:
    """Return the policy files of this process; they are looked for once.

    Args:
        folders: Where to look beside the working folder, at the first call; the folders above each are looked through.
    """
    if not _policies:
        starts = [*folders]
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
        _policies.append(PolicyFiles(tuple(paths), os.environ.get(POLICY_VARIABLE, "")))
    return _policies[0]


_read: list[Policy] = []


def present_policy() -> Policy:
    """Return the policy of this process; it is read once, so that a file that is changed later changes nothing."""
    if not _read:
        if found := policies():
            # Hardly anybody has one.
            from vertex_claude_magic.settings.policy_files import read_policies

            _read.append(read_policies(found.paths, found.named, POLICY_VARIABLE))
        else:
            from vertex_claude_magic.settings.policy import OPEN

            _read.append(OPEN)
    return _read[0]


def set_policy(policy: Policy | None) -> None:
    """Set what holds in this process; None has it found anew when it is next asked for."""
    _read[:] = [] if policy is None else [policy]
    _policies.clear()
