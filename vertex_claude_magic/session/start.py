"""What a `Claude` begins with: its options and whoever gives its requests their token."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.records.session_records import missing_recording
from vertex_claude_magic.records.stores import Stores
from vertex_claude_magic.settings.loaded import loaded
from vertex_claude_magic.settings.options import AskOptions, merge
from vertex_claude_magic.transport.auth import ApplicationDefault, Authorizer, FixedToken

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["authorizer_of", "shared_stores", "start_notice", "taken_over"]


def taken_over(
    given: Mapping[str, Any], credentials: object, access_token: str | None
) -> tuple[AskOptions, str | None]:
    """Lay arguments over the settings of the loaded magics; return the options, and the token if there is one.

    An argument that is given takes the place of the setting, also where the options of one question would
    add up. The demo's emulator is asked only where no argument says who is.

    Raises:
        OptionError: an argument has a name that does not exist, or a value that it cannot take.
    """
    known = loaded()
    if known is None:
        return merge(AskOptions(), given), access_token
    elsewhere = credentials is not None or access_token is not None or given.get("base_url")
    if known.demo is None or elsewhere:
        return laid_over(known.options, given), access_token
    return laid_over(known.demo, given), known.token


def laid_over(settings: AskOptions, given: Mapping[str, Any]) -> AskOptions:
    """Put arguments in the place of settings.

    >>> laid_over(AskOptions(beta=("a",), model="opus"), {"beta": ["b"], "model": None})
    ... # doctest: +ELLIPSIS
    AskOptions(...beta=('b',)...model='opus'...)
    """
    usual = AskOptions()
    names = {"as_" if name == "as" else name for name, value in given.items() if value is not None}
    known = {entry.name for entry in fields(AskOptions)}
    return merge(replace(settings, **{name: getattr(usual, name) for name in names & known}), given)


def start_notice(options: AskOptions, given: Mapping[str, Any]) -> str:
    """Return what is to be said of a recording that is not there, unless the magics have said it already."""
    return missing_recording(options) if given.get("recording") or loaded() is None else ""


def shared_stores() -> Stores:
    """Return the open files of the loaded magics, or new ones where none are loaded."""
    known = loaded()
    return known.stores if known is not None and isinstance(known.stores, Stores) else Stores()


def authorizer_of(credentials: Any, access_token: str | None) -> Authorizer:
    """Return what gives requests their token: the fixed one, or that of credentials."""
    if access_token is not None:
        return FixedToken(access_token)
    if isinstance(credentials, ApplicationDefault):
        return credentials
    return ApplicationDefault(credentials=credentials)
