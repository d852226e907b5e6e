"""What commands, displays and the panel use of the object that holds the magics, and of its IPython shell.

The magics import a command when it first runs, so a command cannot name their class; it names these protocols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from vertex_claude_magic.emulator import Emulator
    from vertex_claude_magic.notebook.cells import CellWatch
    from vertex_claude_magic.prompts.template import Scope
    from vertex_claude_magic.records.budget import Tally
    from vertex_claude_magic.session.control_room import ControlRoom
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.options import AskOptions
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["Change", "Host", "Publisher", "Report", "Shell"]


# What traitlets say of a setting that changed.
Change: TypeAlias = "Mapping[str, Any]"


class Publisher(Protocol):
    """`display_pub` of a shell, in IPython 7.34 and later."""

    # Called with `wait`, it takes the outputs of the cell away as soon as the next one comes.
    clear_output: Callable[..., None]

    def publish(
        self,
        data: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
        *,
        transient: Mapping[str, str] | None = None,
        update: bool = False,
    ) -> None:
        """Send an output to the front end."""


class History(Protocol):
    """`history_manager` of a shell: the cells that ran, as they were compiled and as they were written."""

    input_hist_parsed: Sequence[str]
    input_hist_raw: Sequence[str]


class Shell(Protocol):
    """An IPython shell, in a kernel or a terminal."""

    user_ns: dict[str, Any]
    display_pub: Publisher
    history_manager: History
    execution_count: int

    def set_next_input(self, s: str, replace: bool = False) -> None:
        """Hand code to the front end, which makes a cell or the next prompt of it."""


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


class Host(Protocol):
    """The magics object: the settings of the session, its shell, and the session that asks."""

    shell: Shell
    cells: CellWatch
    emulator: Emulator | None
    panel: OpenPanel | None
    # The error that a %claude_fix which failed itself was about.
    unfixed: BaseException | None
    models_file: str
    # The configuration of traitlets, from which a fresh session would start.
    config: Mapping[str, Any]

    @property
    def control(self) -> ControlRoom:
        """What checks have found, and what journal and limits tell."""

    def session(self) -> Session:
        """Return the session that asks, with the settings as they are now."""

    def options(self) -> AskOptions:
        """Return the settings as options."""

    def scope(self) -> Scope:
        """Return where prompts find their values."""

    def tallies(self) -> list[Tally]:
        """Return the sums of this session, those of the demo beside those of Vertex AI."""

    def pass_over(self, value: Reply | Report) -> None:
        """Keep the displayhook from showing a second time what a magic is about to return."""

    def was_shown(self, value: Reply | Report) -> bool:
        """Tell once whether this value was just shown by the magic that returned it."""

    def observe(self, handler: Callable[[Change], None], names: Sequence[str]) -> None:
        """Call a handler when one of these settings changes."""

    def unobserve(self, handler: Callable[[Change], None], names: Sequence[str]) -> None:
        """Call it no longer."""

    def hold_trait_notifications(self) -> AbstractContextManager[None]:
        """Check several settings together, and report them after."""

    def trait_defaults(self, name: str) -> Any:
        """Return the value that a setting has if nobody sets it."""
