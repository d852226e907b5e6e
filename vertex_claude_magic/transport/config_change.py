"""Changing one part of a model's configuration and losing no other: read, lay in, write, read back.

Google's method replaces the whole configuration and has no lock and no field mask, so what somebody else
writes after ours can only be noticed afterwards, and what somebody writes between our reading and our writing
is lost, as with every tool; nothing is done between the two. What is found is never undone: the switches of data
sharing and of safety belong to those who set them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vertex_claude_magic.transport.admin import Admin
    from vertex_claude_magic.transport.logging_config import LoggingConfig

__all__ = ["ConfigChange", "change_logging"]

_TRIES = 2
# Fields that a service changes with every write; they are sent back as they came and are nobody's setting.
_STAMPS = frozenset({"etag", "updateTime"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigChange:
    """What came of a change.

    Args:
        config: The configuration as it was read back.
        written: Whether anything had to be written.
        changed_meanwhile: Names of other settings that somebody else changed at the same time; left as found.
    """

    config: Mapping[str, Any]
    written: bool = False
    changed_meanwhile: tuple[str, ...] = ()


def change_logging(
    admin: Admin, wanted: LoggingConfig, *, seconds: float, tell: Callable[[str], None]
) -> ConfigChange:
    """Set the logging of one model in one location, and return what holds afterwards.

    Args:
        admin: Reads and writes the configuration.
        wanted: The logging.
        seconds: How long to follow each of Google's operations.
        tell: Called with what is being waited for.

    Raises:
        ConfigChanged: after two tries the logging is still not as it was set.
        PermissionDenied: the account may not read or change it.
        OperationFailed: Google could not do it.
        DeadlineExceeded: the operation is not over yet.
    """
    tell("reading the configuration")
    found, meanwhile, writes = admin.config(), set[str](), 0
    while not wanted.holds_in(found):
        if writes == _TRIES:
            place = admin.place
            raise errors.ConfigChanged(
                f"Logging of {place.model} in {place.region} was set twice, but Google reports other values: "
                "somebody is changing it at the same time, or the location does not support it.",
                cure="Ask who else administers the project, and run %claude_logging status.",
            )
        meant = wanted.merged_into(found)
        tell("waiting for Google to change it, which may take minutes")
        admin.set_config(meant, seconds=seconds)
        writes += 1
        tell("reading it back")
        found = admin.config()
        names = (meant.keys() | found.keys()) - _STAMPS - {"loggingConfig"}
        meanwhile |= {name for name in names if (meant.get(name) or None) != (found.get(name) or None)}
    return ConfigChange(config=found, written=writes > 0, changed_meanwhile=tuple(sorted(meanwhile)))
