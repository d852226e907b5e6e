"""The settings of the loaded magics, which a `Claude()` in the same process takes over.

The notebook layer knows them and hands them in through `set_loaded`; a script has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vertex_claude_magic.settings.options import AskOptions

__all__ = ["Loaded", "OpenFiles", "loaded", "set_loaded", "settings_of"]


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


def settings_of(
    given: Mapping[str, Any], credentials: object, access_token: str | None
) -> tuple[AskOptions, str | None]:
    """Lay arguments over the settings of the loaded magics; return the settings, and the token if there is one.

    An argument that is given takes the place of the setting, also where the options of one question would
    add up. The demo's emulator is asked only where no argument says who is.

    Raises:
        OptionError: an argument has a name that does not exist, or a value that it cannot take.

    >>> settings_of({"model": "opus"}, None, None)
    (AskOptions(model='opus'), None)
    """
    from vertex_claude_magic.settings.options import AskOptions, merge
    from vertex_claude_magic.settings.registry import EMPTY

    known = loaded()
    if known is None:
        return merge(AskOptions(), given), access_token
    elsewhere = credentials is not None or access_token is not None or given.get("base_url")
    settings, token = known.options, access_token
    if known.demo is not None and not elsewhere:
        settings, token = known.demo, known.token
    names = {"as_" if name == "as" else name for name, value in given.items() if value is not None}
    cleared = {name: EMPTY[name] for name in names & EMPTY.keys()}
    return merge(settings.replace(**cleared), given), token
