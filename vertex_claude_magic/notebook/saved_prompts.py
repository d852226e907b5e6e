"""Saved prompts of the notebook that runs: where they are, how a question takes one, what Tab offers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.display.frontends import named_notebook
from vertex_claude_magic.settings.saved_prompts import prompt_names, read_prompt

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from vertex_claude_magic.prompts.scope import Scope

__all__ = ["key_texts", "load_prompt", "name_texts", "notebook_folder"]


def notebook_folder(names: Mapping[str, Any]) -> Path:
    """Return the folder of the notebook that runs; the working folder where the front end does not tell its file.

    Args:
        names: The user's variables, in which VS Code names the file.
    """
    named = named_notebook(names)
    folder = Path(named).parent
    return folder if named.endswith(".ipynb") and folder.is_absolute() and folder.is_dir() else Path()


def load_prompt(
    options: Mapping[str, Any], body: str, scope: Scope, *, columns: Collection[str] = ()
) -> tuple[str, Scope, dict[str, Any]]:
    """Return the whole prompt, where its names are looked up, and the options that the file gives.

    Args:
        options: The options of the line.
        body: What the user wrote beside it; it goes below.
        scope: Where the names of the user are looked up.
        columns: The keys that each row of a table fills.

    Raises:
        OptionError: there is no such prompt, its file is broken, or a key has no value.
    """
    name, given = options.get("prompt"), options.get("with_", {})
    if not name:
        raise OptionError(
            "--with sets values of a saved prompt, but there is no --prompt.", cure="Add --prompt NAME."
        )
    saved = read_prompt(name, notebook_folder(scope.names) / "prompts")
    if not saved.text.strip():
        raise OptionError(f"prompts/{name}.md has no text.", cure="Write the prompt below the front matter.")
    values = dict(scope.names)
    if not (options.get("literal") or saved.options.get("literal")):
        values = saved.filled(given, scope.names, body, columns=columns)
    prompt = f"{saved.text}\n\n{body}" if body.strip() else saved.text
    return prompt, scope._replace(names=values), dict(saved.options)


def name_texts(names: Mapping[str, Any]) -> list[str]:
    """Return the names of the saved prompts that Tab offers."""
    return [name for name in prompt_names(notebook_folder(names) / "prompts") if " " not in name]


def key_texts(words: Sequence[str], names: Mapping[str, Any]) -> list[str]:
    """Return the keys of the prompt that a line names, each with `=` behind it.

    Args:
        words: The words of the line so far.
        names: The user's variables.
    """
    after = dict(pairwise(words))
    joined = [word.partition("=")[2] for word in words if word.startswith("--prompt=")]
    name = after.get("--prompt") or next(iter(joined), "")
    try:
        keys = read_prompt(name, notebook_folder(names) / "prompts").keys()
    except OptionError:
        # Tab says nothing of a file that cannot be read; the question does.
        return []
    given = {word.partition("=")[0] for word in words}
    return [f"{key}=" for key in keys if key not in given]
