"""Our errors stay one line, whatever else shows the errors of this shell.

Traceback tools print every frame with its local variables; an error of ours names its cure instead. They
get hold of errors in two ways: they replace IPython's `showtraceback`, or they call `set_custom_exc`, whose
handler IPython asks first. So our errors are custom exceptions too, in front of those of any tool.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from vertex_claude_magic.errors import ClaudeError, ClaudeInterrupt, OptionError, SettingRefused
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["OURS", "guard_errors", "release_errors", "telling_locals"]

# Errors that say themselves what to do.
OURS = (ClaudeError, ClaudeInterrupt, SettingRefused)
ExcInfo: TypeAlias = "tuple[type[BaseException], BaseException, TracebackType | None]"


@contextmanager
def telling_locals(names: Mapping[str, Any] | None) -> Iterator[None]:
    """Say of a name that is not found that it is a variable of the function in which a magic runs.

    Args:
        names: The variables where the magic runs, as IPython gives them; in a cell those of the notebook.
    """
    try:
        yield
    except OptionError as error:
        if (name := str(error.details.get("name"))) in (names or {}):
            error.cure = (
                f"{quote(name, 40)} is a variable of a function, and a magic uses only those of the notebook; in a "
                "function write Claude().ask(prompt, names=locals())."
            )
        raise


class _PlainErrors:
    """Stands where a shell's `showtraceback` was; shows our errors, and hands every other error on."""

    def __init__(self, shell: InteractiveShell, other: Callable[..., None]) -> None:
        self._shell = shell
        self.other = other

    def __call__(self, exc_tuple: ExcInfo | None = None, *args: Any, **kwargs: Any) -> None:
        try:
            kind, error, _ = self._shell._get_exc_info(exc_tuple)  # noqa: SLF001 - IPython has no public name for it
        except ValueError:
            # There is no exception, and IPython says so in its own words.
            self.other(exc_tuple, *args, **kwargs)
            return
        if isinstance(error, OURS):
            _show(self._shell, kind, error)
        else:
            self.other(exc_tuple, *args, **kwargs)


class _PlainHandler:
    """Stands where a shell's custom handler was, with our errors among its exceptions."""

    def __init__(
        self,
        shell: InteractiveShell,
        other: Callable[..., list[str] | None],
        exceptions: tuple[type[BaseException], ...],
    ) -> None:
        self._shell = shell
        self.other = other
        self.exceptions = exceptions

    def __call__(
        self,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
        *args: Any,
        **kwargs: Any,
    ) -> list[str] | None:
        if not isinstance(error, OURS):
            return self.other(kind, error, trace, *args, **kwargs)
        # IPython notes here which error `%tb` and `%debug` are about.
        self._shell._get_exc_info()  # noqa: SLF001 - as above
        _show(self._shell, kind, error)
        return None


class _GuardedInstall:
    """Stands where a shell's `set_custom_exc` was, so that a tool's handler comes behind ours."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def __call__(
        self, exc_tuple: tuple[type[BaseException], ...], handler: Callable[..., list[str] | None]
    ) -> None:
        type(self._shell).set_custom_exc(self._shell, exc_tuple, handler)
        _guard_handler(self._shell)


def _show(
    shell: InteractiveShell, kind: type[BaseException], error: ClaudeError | ClaudeInterrupt | SettingRefused
) -> None:
    # The class's own method: a tool may have replaced that of the instance.
    show = type(shell)._showtraceback  # noqa: SLF001 - what subclasses of the shell override
    show(shell, kind, error, error._render_traceback_())
    if getattr(shell, "call_pdb", False):
        # `%pdb on` holds for our errors too.
        shell.debugger(force=True)


# What of a shell is guarded, and by the name of which class.
_GUARDED = {
    "showtraceback": _PlainErrors.__name__,
    "CustomTB": _PlainHandler.__name__,
    "set_custom_exc": _GuardedInstall.__name__,
}


def guard_errors(shell: InteractiveShell) -> None:
    """Put the guard in front of what shows errors now; harmless if it is there."""
    # Looked at three times a cell, and all of it is nearly always there.
    if [type(getattr(shell, name, None)).__name__ for name in _GUARDED] == list(_GUARDED.values()):
        return
    shown = getattr(shell, "showtraceback", None)
    if shown is not None and not _is(shown, _PlainErrors):
        shell.showtraceback = _PlainErrors(shell, shown)
    if not _is(getattr(shell, "CustomTB", None), _PlainHandler):
        _guard_handler(shell)
    if not _is(getattr(shell, "set_custom_exc", None), _GuardedInstall):
        shell.set_custom_exc = _GuardedInstall(shell)


def _guard_handler(shell: InteractiveShell) -> None:
    exceptions = tuple(getattr(shell, "custom_exceptions", ()))
    # None in shells that never had a handler; then IPython asks for our errors only.
    former: Any = getattr(shell, "CustomTB", None)
    shell.CustomTB = _PlainHandler(shell, former, exceptions)
    shell.custom_exceptions = (*OURS, *exceptions)


def release_errors(shell: InteractiveShell) -> None:
    """Take the guard away; where something was put in front of it since, that stays."""
    shown: Any = getattr(shell, "showtraceback", None)
    if _is(shown, _PlainErrors):
        shell.showtraceback = shown.other
    handler: Any = getattr(shell, "CustomTB", None)
    if _is(handler, _PlainHandler):
        shell.CustomTB, shell.custom_exceptions = handler.other, handler.exceptions
    if _is(getattr(shell, "set_custom_exc", None), _GuardedInstall):
        del shell.set_custom_exc


def _is(thing: Callable[..., Any] | None, kind: type) -> bool:
    # By name, because importlib.reload makes a new class.
    return type(thing).__name__ == kind.__name__
