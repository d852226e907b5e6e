"""Who is examined and what was learned: the settings as a value, and probes that look once each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import urlsplit

from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.settings.options import AskOptions, Found, find_setting
from vertex_claude_magic.vertex.endpoint import base_url_of, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.transport.connectivity import Reached
    from vertex_claude_magic.transport.identity import Identity
    from vertex_claude_magic.vertex.reply import Usage

__all__ = ["Case", "Once", "Probes"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """The settings that are examined, each with the place that gave it, and where this runs.

    `front_end` is the name of who shows the result; `platform` is `sys.platform`. `spends` says that one
    token may be asked for.
    """

    options: AskOptions
    catalog: Catalog
    model: Found
    region: Found
    project: Found
    base_url: Found
    front_end: str = "terminal"
    platform: str = "linux"
    spends: bool = False

    @classmethod
    def of(cls, session: AskOptions, call: AskOptions, catalog: Catalog, **more: str | bool) -> Case:
        """Read the settings of a session and of one call.

        >>> from vertex_claude_magic.models.catalog import Catalog
        >>> Case.of(AskOptions(region="eu"), AskOptions(), Catalog.load()).address
        'https://aiplatform.eu.rep.googleapis.com/v1'
        """
        names = ("model", "region", "project", "base_url")
        found = {name: find_setting(name, session, call) for name in names}
        return cls(options=session, catalog=catalog, **found, **more)  # type: ignore[arg-type]

    @property
    def place(self) -> str:
        """The location."""
        return str(self.region.value)

    @property
    def address(self) -> str:
        """The base URL; raises OptionError where the location can be no part of a host name."""
        return str(self.base_url.value or base_url_of(self.place)).rstrip("/")

    @property
    def host(self) -> str:
        """The host of the base URL, without a user name."""
        return urlsplit(self.address).netloc.rpartition("@")[2]

    @property
    def on_this_machine(self) -> bool:
        """Whether the base URL is a loopback address; then nothing goes anywhere else."""
        return is_loopback(str(self.base_url.value or ""))

    @property
    def model_id(self) -> str:
        """The id that is sent for the chosen model; raises OptionError where the location has none."""
        return self.catalog.resolve(str(self.model.value), self.place)

    @property
    def row(self) -> Model | None:
        """The row of the chosen model, if the table has one."""
        return self.catalog.find(self.model_id)


class Once(Generic[T]):
    """A probe that looks at its first call and then repeats what it saw, its error too.

    >>> calls = []
    >>> look = Once(lambda: calls.append(1) or len(calls))
    >>> look(), look(), look.failure()
    (1, 1, None)
    """

    def __init__(self, look: Callable[[], T]) -> None:
        self._look = look
        self._seen: list[T] = []
        self._error: ClaudeError | None = None

    def __call__(self) -> T:
        """Return what is seen, or raise the `ClaudeError` that the first look raised."""
        error = self.failure()
        if error is not None:
            raise error
        return self._seen[0]

    def failure(self) -> ClaudeError | None:
        """Look, and return the error that this raised, or None."""
        if not self._seen and self._error is None:
            try:
                self._seen.append(self._look())
            except ClaudeError as error:
                self._error = error
        return self._error

    @property
    def known(self) -> T | None:
        """What was seen, if somebody has looked and saw it; this does not look."""
        return self._seen[0] if self._seen else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Probes:
    """What a diagnosis looks with; every one of them may block, and raises `ClaudeError` where it fails.

    Args:
        installed: The version of a distribution, or None; looks at this Python's own files.
        identity: Whose credentials were found.
        project: The project and the place that named it.
        reached: Who answers at the base URL, without a token.
        renewed: The identity after it got a new token.
        counted: How many tokens the service counts in the fixed text, free of charge.
        answered: What an answer of one token used; only asked for where the user wants it.
        now: The time of this machine.
        threads: Whether a thread can start, which every question needs.
    """

    installed: Callable[[str], str | None]
    identity: Once[Identity]
    project: Once[Found]
    reached: Once[Reached]
    renewed: Once[Identity]
    counted: Once[int]
    answered: Once[Usage]
    now: Callable[[], datetime]
    threads: Callable[[], bool]
