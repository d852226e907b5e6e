"""Tab completion on the line of a magic: options, models, regions and the words that an option takes."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.catalog import Catalog
from vertex_claude_magic.notebook.admin_options import DOCTOR_OPTIONS, LOGGING_OPTIONS, MODELS_OPTIONS
from vertex_claude_magic.notebook.options import OPTIONS, Option
from vertex_claude_magic.notebook.usage import USAGE_OPTIONS
from vertex_claude_magic.session.options import FORMATS, REPLAY_MODES
from vertex_claude_magic.session.usage import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["candidates", "complete"]

_OF_IPYTHON = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})
_MOST_FILES = 1_000


def complete(shell: Any, event: Any) -> list[str]:
    """Answer IPython's completion hook.

    IPython's `event.symbol` is only the part after the last `@` or `=`, so what stands before it in the
    word is matched here and not repeated.
    """
    before, _, word = event.text_until_cursor.replace("\t", " ").rpartition(" ")
    option, assigned, value = word.partition("=")
    if assigned and option.startswith("-"):
        before, word = f"{before} {option}", value
    cut = len(word) - len(event.symbol) if word.endswith(event.symbol) else 0
    return [found[cut:] for found in candidates(before, word, shell.user_ns)]


def candidates(before: str, word: str, names: Mapping[str, Any] = MappingProxyType({})) -> list[str]:
    """Return what may stand at the end of a line.

    Args:
        before: The line up to the word that is being typed.
        word: That word, as far as it goes.
        names: The user's variables.

    >>> candidates("%%claude", "--max-t")
    ['--max-tokens']
    >>> candidates("%claude_doctor", "--p")
    ['--probe', '--project']
    >>> candidates("%%claude -f", "")
    ['markdown', 'text', 'json', 'code']
    >>> candidates("%%claude -a", "fra", {"frame": 1, "n": 2})
    ['frame']
    """
    words = before.split()
    command, last = (words[0], words[-1]) if words else ("", "")
    if command in _WORDS and not word.startswith("-") and last not in _VALUES:
        own = tuple(_WORDS[command]())
        choices: Iterable[str] = () if set(own) & set(words) else own
    elif last in {"-a", "--attach"}:
        choices = (*_variables(names), *_files(word))
    elif last == "--as":
        choices = ("df", *(name for name in _variables(names) if isinstance(names[name], type)))
    elif command == "%claude_usage":
        choices = GROUPS if last == "--by" else USAGE_OPTIONS if word.startswith("-") else ()
    elif last in _VALUES:
        choices = _VALUES[last]()
    else:
        known = {option.long for option in _OPTIONS.get(command, OPTIONS)}
        choices = sorted(known) if word.startswith("-") else ()
    return [choice for choice in choices if choice.startswith(word)]


def _variables(names: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in names if not name.startswith("_") and name not in _OF_IPYTHON)


def _files(word: str) -> list[str]:
    """Return the files and folders whose path begins so."""
    folder = Path(word).expanduser() if word.endswith("/") else Path(word).expanduser().parent
    start = word.rpartition("/")[0] + "/" if "/" in word else ""
    try:
        found = sorted(folder.iterdir())[:_MOST_FILES]
    except OSError:
        return []
    shown = [each for each in found if not each.name.startswith(".") and " " not in each.name]
    return [f"{start}{each.name}{'/' if each.is_dir() else ''}" for each in shown]


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


def _modes() -> Iterable[str]:
    return REPLAY_MODES


_OPTIONS: Mapping[str, Sequence[Option]] = {
    "%claude_models": MODELS_OPTIONS,
    "%claude_logging": LOGGING_OPTIONS,
    "%claude_doctor": DOCTOR_OPTIONS,
    "%claude_demo": (),
}
_WORDS: Mapping[str, Callable[[], Iterable[str]]] = {
    "%claude_demo": lambda: ("stop",),
    "%claude_models": _families,
    "%claude_logging": lambda: ("status", "on", "off"),
}
_VALUES: dict[str, Callable[[], Iterable[str]]] = {
    "-m": _models,
    "--model": _models,
    "-r": _regions,
    "--region": _regions,
    "--effort": _efforts,
    "--thinking": _thinking,
    "-f": _formats,
    "--format": _formats,
    "--replay": _modes,
}
