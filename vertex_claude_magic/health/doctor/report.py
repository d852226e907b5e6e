"""The report: the findings as a text file that can be pasted in public, unless names are asked for."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote as encoded

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.files import check_former, replace_former
from vertex_claude_magic.health.doctor.finding import line, verdict
from vertex_claude_magic.text import quote, with_home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from vertex_claude_magic.health.doctor.finding import Finding
    from vertex_claude_magic.health.doctor.setup import Setup

__all__ = ["check_report", "names_of", "public", "report", "write_report"]

_TITLE = "vertex-claude doctor"
_PUBLIC_HOSTS = re.compile(r"(?:[a-z0-9-]+\.)*googleapis\.com|127\.0\.0\.1|localhost|\[::1\]")
# A file by its whole path: on Unix and Windows, below a home folder, relative with dots, or the end of a path that was
# cut. Names of files hold spaces, so all goes up to the next sign that is seldom in one. Not what the API calls a path.
_PATH = re.compile(
    r"""(?: (?<![\w./<\]-]) (?: file:// | \.\.? | ~[\w.-]* )? (?: / | (?<!:)// )
            (?! v1\b | [\w.-]+\.googleapis\.com\b ) [\w.~-]
        | (?<!\w) [A-Za-z]: [\\/] [^/]
        | \\\\ \w
        | (?<=…) [^\s/\\]* [/\\]
        ) [^'",;()\n]* (?<!\s)""",
    re.VERBOSE,
)
# Whatever a server may have put into its message, beside the names that are known.
_PATTERNS = (
    (re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"), "[email]"),
    (re.compile(r"ya29\.[\w.-]+|\bey[\w-]+\.[\w-]+\.[\w-]*"), "[token]"),
    (re.compile(r"\bprojects/[^/\s'\"`]+"), "projects/[project]"),
    # The first half of a name that was cut off.
    (re.compile(r"[^\s'\"`]*…"), "…"),
    # Digits of a model's id are its date.
    (re.compile(r"(\bclaude-[\w@.-]+)|(?<![\w.])\d{6,}\b"), lambda found: found[1] or "[number]"),
)  # fmt: skip


def names_of(setup: Setup) -> dict[str, str]:
    """Return the names that identify a person, each with the word that replaces it in public."""
    identity, reached = setup.known_identity, setup.known_reached
    quota = identity.quota_project if identity else None
    projects = (setup.known_project, setup.target.project, quota)
    names = {str(name): "[project]" for name in projects if name}
    # It may be relative, and is quoted where there is no such file.
    if key_file := os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        names[key_file] = "[path]"
    if identity and identity.account:
        names[identity.account] = "[email]"
    # The user's own gateway and proxy, each with and without its port.
    for host in (setup.host if setup.target.base_url else None, reached.proxy if reached else None):
        bare = re.sub(r":\d+$", "", host or "")
        if host and not _PUBLIC_HOSTS.fullmatch(bare):
            names |= {host: "[host]", bare: "[host]"}
    return names


def public(text: str, names: dict[str, str]) -> str:
    """Return a text without what identifies a person.

    Args:
        text: The text.
        names: The names that are known, each with the word that replaces it.

    >>> public("project p-1 of me@example.com, '/data/my keys/key.json'", {"p-1": "[project]"})
    "project [project] of [email], '[path]'"
    """
    text = _PATH.sub("[path]", text)
    for name in sorted(names, key=len, reverse=True):
        for form in dict.fromkeys((name, encoded(name, safe=""), encoded(name, safe=":"))):
            text = re.sub(rf"(?<![\w.-]){re.escape(form)}(?![\w-])", names[name], text)
    for pattern, word in _PATTERNS:
        text = pattern.sub(word, text)
    return text


def report(findings: Sequence[Finding], *, when: datetime, names: dict[str, str] | None = None) -> str:
    """Return the report as text.

    Args:
        findings: What was found.
        when: The time of the diagnosis, with its time zone.
        names: The names to leave out; None keeps all of them.
    """
    lines = [verdict(findings), *map(line, findings)]
    if names is not None:
        lines = [public(each, names) for each in lines]
    return "\n".join([f"{_TITLE}, {when:%Y-%m-%d %H:%M} UTC", *lines]) + "\n"


def check_report(path: str) -> None:
    """Refuse a file that cannot be written, or that is something else than a former report.

    Raises:
        OptionError: it is such a file.
    """
    folder = Path(with_home(path)).parent
    if not folder.is_dir():
        raise OptionError(
            f"There is no folder {quote(str(folder), 80)!r}.", cure="Choose a file in an existing folder."
        )
    check_former(Path(path), _is_report)


def write_report(path: str, text: str) -> None:
    """Write the report.

    Raises:
        OptionError: the file cannot be written, or is something else than a former report by now.
    """
    replace_former(Path(path), text.encode(), _is_report)


def _is_report(data: bytes) -> bool:
    return data.startswith(_TITLE.encode())
