"""What the notebook folder uses of IPython and traitlets, as protocols: neither has types of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Change", "Publisher", "Shell"]

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


class ShellHistory(Protocol):
    """`history_manager` of a shell: the cells that ran, as they were compiled and as they were written."""

    input_hist_parsed: Sequence[str]
    input_hist_raw: Sequence[str]


class ShellDisplayHook(Protocol):
    """`displayhook` of a shell: what shows the value of a cell."""

    @property
    def prompt_count(self) -> int:
        """The number of the cell that runs, under which `Out` gets its value."""


class Shell(Protocol):
    """An IPython shell, in a kernel or a terminal."""

    user_ns: dict[str, Any]
    display_pub: Publisher
    history_manager: ShellHistory
    execution_count: int
    displayhook: ShellDisplayHook

    def should_run_async(self, raw_cell: str, *, transformed_cell: str | None = None) -> bool:
        """Tell whether the code of a cell has an `await` outside of its functions."""

    def set_next_input(self, s: str, replace: bool = False) -> None:
        """Hand code to the front end, which makes a cell or the next prompt of it."""
