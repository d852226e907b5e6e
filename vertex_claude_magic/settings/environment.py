"""Values of environment variables as they are meant, and what to say of those that are not quite right.

Nothing here quotes a value: a variable may hold a secret that was pasted into the wrong one.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vertex_claude_magic.settings.registry import OPTIONS
from vertex_claude_magic.spelling import name_of, spelled
from vertex_claude_magic.text import character_name, trimmed

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REHEARSAL", "environment_notices", "is_rehearsal", "with_version"]

# Names a file of notes, where a process only rehearses (`records.rehearsal`).
REHEARSAL = "VERTEX_CLAUDE_REHEARSAL"

_LOCATION = r"[a-z][a-z0-9-]{1,30}"
_READ = (*(name for row in OPTIONS.values() for name in row.variables), "GOOGLE_APPLICATION_CREDENTIALS")


def is_rehearsal() -> bool:
    """Tell whether this process only rehearses, so that no setting of a cell can make it send anything."""
    return bool(os.environ.get(REHEARSAL))


def with_version(base_url: str) -> str:
    """Return a base URL with the version that every method of the service begins with, where it has no path at all.

    >>> with_version("https://us-east5-aiplatform.googleapis.com"), with_version("http://127.0.0.1:8000/v1/")
    ('https://us-east5-aiplatform.googleapis.com/v1', 'http://127.0.0.1:8000/v1/')
    """
    try:
        bare = not urlsplit(base_url).path.strip("/") and "://" in base_url
    except ValueError:
        return base_url
    return f"{base_url.rstrip('/')}/v1" if bare else base_url


def environment_notices(
    base_url: str | None, *, region_is_default: bool, environment: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what to say of the environment and the base URL, a line each.

    Args:
        base_url: The base URL as it was set, None if none is.
        region_is_default: Whether nothing names a location.
        environment: The variables.

    >>> environment_notices("http://127.0.0.1:8000", region_is_default=False, environment={})
    ('The base URL has no /v1 at its end; it was added.',)
    >>> environment_notices(None, region_is_default=False, environment={"CLOUD_ML_REGION": "eu\\n"})
    ('CLOUD_ML_REGION has a line feed around its value; it was removed.',)
    """
    values = tuple([environment.get(name, "") for name in _READ])
    return _notices(base_url, region_is_default, environment.get("GOOGLE_CLOUD_LOCATION", ""), values)


# Asked after every answer, and what is set has hardly ever changed.
@lru_cache(maxsize=8)
def _notices(
    base_url: str | None, region_is_default: bool, named: str, values: tuple[str, ...]
) -> tuple[str, ...]:
    notices = []
    for name, value in zip(_READ, values, strict=True):
        if value and (whole := trimmed(value)) != value:
            # The first character that does not belong to the value.
            what = character_name(value.replace(whole, "", 1)[0])
            notices.append(f"{name} has a {what} around its value; it was removed.")
    location = trimmed(named)
    if region_is_default and location not in {"", "global"}:
        shown = f" ({location})" if re.fullmatch(_LOCATION, location) else ""
        notices.append(
            spelled(
                f"GOOGLE_CLOUD_LOCATION{shown} is not used: the location is global. "
                "To ask there, set CLOUD_ML_REGION or {}.",
                name_of("region"),
            )
        )
    if base_url:
        if with_version(base_url) != base_url:
            notices.append("The base URL has no /v1 at its end; it was added.")
        elif not base_url.rstrip("/").endswith("/v1"):
            notices.append("The base URL does not end in /v1; most gateways need it.")
    return tuple(notices)
