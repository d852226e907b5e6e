"""Tab completion on the line of a magic: options, models, regions and the words that an option takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vertex_claude_magic.catalog import Catalog
from vertex_claude_magic.notebook.options import OPTIONS
from vertex_claude_magic.session.options import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["candidates", "complete"]


def complete(shell: Any, event: Any) -> list[str]:  # noqa: ARG001 - the signature of IPython's hook
    """Answer IPython's completion hook.

    IPython's `event.symbol` is only the part after the last `@` or `=`, so what stands before it in the
    word is matched here and not repeated.
    """
    before, _, word = event.text_until_cursor.replace("\t", " ").rpartition(" ")
    option, assigned, value = word.partition("=")
    if assigned and option.startswith("-"):
        before, word = f"{before} {option}", value
    cut = len(word) - len(event.symbol) if word.endswith(event.symbol) else 0
    return [found[cut:] for found in candidates(before, word)]


def candidates(before: str, word: str) -> list[str]:
    """Return what may stand at the end of a line: `before` is the line up to the word that is being typed.

    >>> candidates("%%claude", "--max")
    ['--max-tokens']
    >>> candidates("%%claude -f", "")
    ['markdown', 'text', 'json']
    """
    words = before.split()
    command, last = (words[0], words[-1]) if words else ("", "")
    if command == "%claude_demo":
        choices: Iterable[str] = ("stop",)
    elif last in _VALUES:
        choices = _VALUES[last]()
    elif command == "%claude_models" and not word.startswith("-"):
        choices = _families()
    else:
        known = {option.long for option in OPTIONS} if command != "%claude_models" else {"--region"}
        choices = sorted(known) if word.startswith("-") else ()
    return [choice for choice in choices if choice.startswith(word)]


def _models() -> Iterable[str]:
    catalog = Catalog.load()
    return (*catalog.aliases(), *(model.id for model in catalog.models if model.lifecycle != "retired"))


def _families() -> Iterable[str]:
    return dict.fromkeys(model.family for model in Catalog.load().models)


def _regions() -> Iterable[str]:
    return Catalog.load().locations()


def _efforts() -> Iterable[str]:
    return dict.fromkeys(level for model in Catalog.load().models for level in model.rules.effort)


def _thinking() -> Iterable[str]:
    return ("adaptive", "off", "between_tools")


def _formats() -> Iterable[str]:
    return FORMATS


_VALUES: dict[str, Callable[[], Iterable[str]]] = {
    "-m": _models,
    "--model": _models,
    "-r": _regions,
    "--region": _regions,
    "--effort": _efforts,
    "--thinking": _thinking,
    "-f": _formats,
    "--format": _formats,
}
