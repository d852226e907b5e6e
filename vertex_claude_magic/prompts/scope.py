"""Where the values of a prompt come from; apart from the templates, which most prompts have none of."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Scope", "of_ipython", "own_names"]

# What IPython puts among the variables of its user (`InteractiveShell.init_user_ns`, IPython 7.34 to 9.18), beside
# private names.
_OF_IPYTHON = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})


class Scope(NamedTuple):
    """Where the values of a prompt come from.

    Args:
        names: The variables that templates and attachments may name.
        present: Gives the display representations of an object by MIME type.
    """

    names: Mapping[str, Any] = MappingProxyType({})
    present: Callable[[Any], Mapping[str, Any]] | None = None


def of_ipython(name: str, value: object) -> bool:
    """Tell whether a public variable is IPython's and not its user's, who may have a function of the same name.

    >>> of_ipython("open", open), of_ipython("In", []), of_ipython("open", of_ipython)
    (True, True, False)
    """
    # The name first: an attribute of a proxy or of a lazy module of the user's may raise anything.
    if name not in _OF_IPYTHON:
        return False
    # The lists of inputs and outputs have no module, and `open` has that of Python's own.
    module = getattr(value, "__module__", None) or "IPython"
    return str(module).partition(".")[0] in {"IPython", "ipykernel", "io", "_io"}


def own_names(names: Mapping[str, Any]) -> list[str]:
    """Return the names that a user has given, which may be suggested: none that is private, or IPython's.

    >>> own_names({"frame": 1, "_": 2, "Out": {}})
    ['frame']
    """
    return [
        name
        for name, value in names.items()
        if isinstance(name, str) and not name.startswith("_") and not of_ipython(name, value)
    ]
