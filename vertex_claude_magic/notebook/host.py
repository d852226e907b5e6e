"""What commands, displays and the panel use of the object that holds the magics, and of its IPython shell.

The magics import a command when it first runs, so a command cannot name their class; it names these protocols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from vertex_claude_magic.classroom.compare import Replies
    from vertex_claude_magic.emulator import Emulator
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.notebook.cells import CellWatch, PrintedText
    from vertex_claude_magic.notebook.shell import Change, Shell
    from vertex_claude_magic.notebook.troubles import Troubles
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.records.stores import Stores
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.session.status import SessionStatus
    from vertex_claude_magic.settings.options import AskOptions
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["Host", "OpenPanel", "Report"]


class Report(Protocol):
    """A result that a magic shows and returns."""

    def _repr_mimebundle_(self) -> dict[str, str]: ...


class OpenPanel(Protocol):
    """The panel, for those who only keep it."""

    @property
    def closed(self) -> bool:
        """Whether its widgets are gone."""

    def close(self) -> None:
        """Take it away."""

    def draw(self) -> None:
        """Show what has changed."""

    def answered(self, reply: Reply) -> None:
        """Show what was spent, and what a prompt of this length costs with each model."""


class Host(Protocol):
    """The magics object: the settings of the session, its shell, and the session that asks."""

    shell: Shell
    cells: CellWatch
    printed: PrintedText
    emulator: Emulator | None
    panel: OpenPanel | None
    # The error that a %claude_fix which failed itself was about.
    unfixed: BaseException | None
    # What went wrong last, and the hints about it; None until a cell fails, or a hint is asked for.
    troubles: Troubles | None
    stores: Stores
    format: str
    # The configuration of traitlets, from which a fresh session would start.
    config: Mapping[str, Any]

    @property
    def status(self) -> SessionStatus:
        """What checks have found, now and earlier, and what was shown in this session already."""

    def session(self) -> Session:
        """Return the session that asks, with the settings as they are now."""

    def options(self) -> AskOptions:
        """Return the settings as options."""

    def scope(self) -> Scope:
        """Return where prompts find their values."""

    def pass_over(self, value: Reply | Replies | Report) -> None:
        """Keep the displayhook from showing a second time what a magic is about to return."""

    def was_shown(self, value: object) -> bool:
        """Tell once whether this value was just shown by the magic that returned it."""

    def observe(self, handler: Callable[[Change], None], names: Sequence[str]) -> None:
        """Call a handler when one of these settings changes."""

    def unobserve(self, handler: Callable[[Change], None], names: Sequence[str]) -> None:
        """Call it no longer."""

    def hold_trait_notifications(self) -> AbstractContextManager[None]:
        """Check several settings together, and report them after."""

    def trait_defaults(self, name: str) -> Json:
        """Return the value that a setting has if nobody sets it."""
