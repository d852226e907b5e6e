"""The settings of the loaded magics, which a `Claude()` in the same process takes over.

The notebook layer knows them and hands them in through `set_loaded`; a script has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.settings.options import AskOptions

__all__ = ["Loaded", "OpenFiles", "loaded", "set_loaded"]


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
