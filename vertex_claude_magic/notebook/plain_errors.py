"""Our errors stay one line, whatever replaces IPython's `showtraceback`.

Traceback tools print every frame with its local variables; an error of ours names its cure instead.
"""

from __future__ import annotations

from typing import Any

from vertex_claude_magic.errors import ClaudeError, ClaudeInterrupt

__all__ = ["guard_errors", "release_errors"]


class _PlainErrors:
    """Shows our errors as one line and hands every other error to what was there before."""

    def __init__(self, shell: Any, other: Any) -> None:
        self._shell = shell
        self.other = other

    def __call__(self, exc_tuple: Any = None, *args: Any, **kwargs: Any) -> Any:
        try:
            kind, error, _ = self._shell._get_exc_info(exc_tuple)  # noqa: SLF001 - IPython has no public name for it
        except ValueError:
            # There is no exception, and IPython says so in its own words.
            return self.other(exc_tuple, *args, **kwargs)
        if not isinstance(error, (ClaudeError, ClaudeInterrupt)):
            return self.other(exc_tuple, *args, **kwargs)
        # The class's own method: a tool may have replaced that of the instance.
        show = type(self._shell)._showtraceback  # noqa: SLF001 - what subclasses of the shell override
        return show(self._shell, kind, error, error._render_traceback_())


def guard_errors(shell: Any) -> None:
    """Put the guard in front of what shows errors now; harmless if it is there."""
    shown = getattr(shell, "showtraceback", None)
    if shown is not None and type(shown).__name__ != _PlainErrors.__name__:
        shell.showtraceback = _PlainErrors(shell, shown)


def release_errors(shell: Any) -> None:
    """Take the guard away if nothing was put in front of it since."""
    shown: Any = getattr(shell, "showtraceback", None)
    # By name, because importlib.reload makes a new class.
    if type(shown).__name__ == _PlainErrors.__name__:
        shell.showtraceback = shown.other
