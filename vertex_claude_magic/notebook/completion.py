"""Tab completion: on the line of a magic, of the names between double braces in a prompt, and in calls from Python.

IPython 8.6 brought matchers that type and order what they offer and can suppress all others; older
releases have a hook that can do neither, and sees one line. Both get the same candidates for magics and prompts.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.models.prices import usd_limit
from vertex_claude_magic.notebook.commands.options import COMMANDS, Command
from vertex_claude_magic.notebook.python_calls import open_argument
from vertex_claude_magic.prompts.scope import own_names
from vertex_claude_magic.settings.registry import LINE_OPTIONS
from vertex_claude_magic.text import on_line, with_home
from vertex_claude_magic.vertex.allowed import THINKING_TYPES, allowed_efforts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import SimpleNamespace

    from IPython.core.completer import CompletionContext
    from IPython.core.interactiveshell import InteractiveShell

__all__ = [
    "Candidate",
    "call_candidates",
    "candidates",
    "complete",
    "field_candidates",
    "match",
    "template_candidates",
    "varied_candidates",
]

# In a larger folder Tab would take long, and nobody reads so many names.
_MOST_FILES = 1_000
# Libraries of tables whose names of columns are there at once; a LazyFrame of polars may have to read files for them.
_FRAMES = frozenset({"pandas", "geopandas", "polars", "pyarrow", "duckdb", "_duckdb"})
# `{{`, not `{{{` and not escaped, then a path as far as it was typed.
_OPEN_TEMPLATE = re.compile(r"(?<![{\\])\{\{[ \t]*(?P<path>(?:\w+(?:\.\w+)*\.?)?)$")
_LINE = re.compile(r"\s*(?:[\w.,\s\[\]]+=\s*)?(?P<line>%%?claude\w*\s.*)$", re.DOTALL)


class Candidate(NamedTuple):
    """What may be inserted, and its type: the one word, or few words, that a front end shows beside it."""

    text: str
    type: str


def match(shell: InteractiveShell, context: CompletionContext) -> dict[str, Any]:
    """Answer IPython's matcher interface (API v2); where we offer something, all other matchers are silent.

    Only beside keywords of a call they are not: a variable may come there as well.

    Args:
        shell: The shell whose variables may be named.
        context: IPython's `CompletionContext`.

    Returns:
        A `SimpleMatcherResult`.
    """
    from IPython.core.completer import SimpleCompletion

    before = context.text_until_cursor
    fragment, found, alone = "", list[Candidate](), True
    if context.cursor_line == 0 and (line := _LINE.match(before)):
        start, fragment = _split(line["line"])
        found = candidates(start, fragment, shell.user_ns)
    is_prompt = context.full_text.lstrip().startswith("%%claude")
    if not found and is_prompt and context.cursor_line > 0:
        fields = field_candidates(context.full_text.lstrip().partition("\n")[0], shell.user_ns)
        fragment, found = template_candidates(before, shell.user_ns, fields)
    if not found and not is_prompt:
        above = context.full_text.split("\n")[: context.cursor_line]
        fragment, found, alone = call_candidates("\n".join([*above, before]), shell.user_ns)
    # JupyterLab breaks a type at its spaces, and then prints its lines over those of the rows around.
    types = [each.type.replace(" ", "\u00a0") for each in found]
    return {
        "completions": [
            SimpleCompletion(each.text, type=kind) for each, kind in zip(found, types, strict=True)
        ],
        "matched_fragment": fragment,
        "ordered": True,
        "suppress": alone and bool(found),
    }


def complete(shell: InteractiveShell, event: SimpleNamespace) -> list[str]:
    """Answer IPython's older completion hook.

    IPython's `event.symbol` is only the part after the last `@` or `=`, so the part before it in the
    word is matched here and not repeated.
    """
    before, word = _split(event.text_until_cursor)
    found = candidates(before, word, shell.user_ns)
    if not found:
        word, found = template_candidates(event.text_until_cursor, shell.user_ns)
    cut = len(word) - len(event.symbol) if word.endswith(event.symbol) else 0
    return [each.text[cut:] for each in found]


def _split(line: str) -> tuple[str, str]:
    """Return the line up to the word that is being typed, and that word; in `--model=so` it is `so`."""
    before, _, word = line.replace("\t", " ").rpartition(" ")
    option, assigned, value = word.partition("=")
    if assigned and option.startswith("-"):
        return f"{before} {option}", value
    return before, word


def candidates(before: str, word: str, names: Mapping[str, Any] = MappingProxyType({})) -> list[Candidate]:
    """Return what may come next on the line of a magic.

    Args:
        before: The line up to the word that is being typed.
        word: That word, as far as it goes.
        names: The user's variables.

    >>> candidates("%%claude", "--max-t")
    [Candidate(text='--max-tokens', type='option')]
    >>> [each.text for each in candidates("%%claude -f", "")]
    ['markdown', 'text', 'json', 'code']
    >>> candidates("%%claude -a", "fra", {"frame": 1, "n": 2})
    [Candidate(text='frame', type='int')]
    """
    words = before.split()
    command, last = (words[0], words[-1]) if words else ("", "")
    offered: Iterable[Candidate] = ()
    known = COMMANDS.get(command.lstrip("%"), _UNKNOWN)
    row = known.by_name.get(last)
    takes = row.candidates if row is not None else ""
    if row is not None and takes == "words":
        offered = _typed(row.name, row.words)
    elif takes == "attachments":
        offered = (*_variables(names), *_files(word))
    elif takes == "tools":
        callables = (name for name in own_names(names) if callable(names[name]))
        functions = sorted(name for name in callables if not isinstance(names[name], type))
        offered = _typed("tool", (*functions, "web_search"))
    elif takes == "varied":
        offered = varied_candidates(word, names)
    elif takes == "replies":
        offered = [each for each in _variables(names) if each.type == "Reply"]
    elif takes == "files":
        offered = _files(word)
    elif takes == "types":
        types = [each for each in _variables(names) if isinstance(names[each.text], type)]
        offered = (Candidate("df", "type"), *(Candidate(each.text, "type") for each in types))
    elif takes in {"prompts", "prompt_keys"}:
        from vertex_claude_magic.notebook.saved_prompts import key_texts, name_texts

        texts = name_texts(names) if takes == "prompts" else key_texts(words, names)
        offered = _typed("prompt" if takes == "prompts" else "key", texts)
    elif takes == "exercises":
        from vertex_claude_magic.notebook.exercises import exercise_texts

        offered = _typed("exercise", exercise_texts(names))
    elif takes == "chats":
        offered = _chats_on_line()
    elif takes:
        offered = _VALUES[takes]()
    elif word.startswith("-"):
        rows = [each for each in known.by_name.values() if "line" in each.places]
        offered = _typed("option", dict.fromkeys(each.long for each in rows))
    elif known.words:
        finder = _WORDS.get(known.words[0])
        own = finder(words, names) if finder is not None else _typed("command", known.words)
        offered = () if {each.text for each in own} & set(words) else own
    # Some options take several values between commas: `-m haiku,sonnet`.
    several = row is not None and ("," in row.value or takes == "tools")
    before_it = word[: word.rfind(",") + 1] if several else ""
    taken = before_it.split(",")
    # Behind quotes that are open the word is only the rest of a name or a text.
    is_whole = re.sub(r"\\.", "", before).count('"') % 2 == 0
    return [
        Candidate(f"{before_it}{text}", kind)
        for text, kind in offered
        # A name that needs quotes is also found by its own beginning.
        if is_whole and text not in taken and f"{before_it}{text}".startswith((word, f'"{word}'))
    ]


def varied_candidates(word: str, names: Mapping[str, Any] = MappingProxyType({})) -> list[Candidate]:
    """Return what may come next behind `--vary`: an option, and behind its `=` the values that it takes.

    >>> varied_candidates("effort=low,")[:2]
    [Candidate(text='medium', type='effort'), Candidate(text='high', type='effort')]
    """
    from vertex_claude_magic.classroom.compare import can_vary

    name, assigned, values = word.partition("=")
    if not assigned:
        rows = [each for each in dict.fromkeys(LINE_OPTIONS.values()) if can_vary(each)]
        return _typed("option", (f"{each.long.lstrip('-')}=" for each in rows))
    row = LINE_OPTIONS.get(f"--{name}")
    if row is None or not can_vary(row):
        return []
    flags = _typed(name, ("true", "false") if row.kind == "flag" else ())
    *chosen, _ = values.split(",")
    # The values that are there already are put before by the caller, as for all options that take several.
    head = "" if chosen else f"{name}="
    found = [*flags, *candidates(f"%%claude {row.long}", "", names)]
    return [Candidate(f"{head}{text}", kind) for text, kind in found if text not in chosen]


def field_candidates(line: str, names: Mapping[str, Any]) -> list[Candidate]:
    """Return what a template may take of a row, for the magics that ask one question for each.

    Args:
        line: The line of the magic, which names the table.
        names: The user's variables.

    >>> [each.text for each in field_candidates("%%claude_map out rows", {"rows": [{"text": "a", "a b": 1}]})]
    ['text', "row['a b']", 'row']
    >>> field_candidates("%%claude answer", {"answer": [{"text": "a"}]})
    []
    """
    command, *words = line.split()
    if len(words) < 2 or command not in {"%%claude_map", "%%claude_batch"}:
        return []
    table = names.get(words[1])
    library = type(table).__module__.partition(".")[0]
    if isinstance(table, list):
        first = table[0] if table else None
        if isinstance(first, str):
            return [Candidate("item", "str")]
        columns = [*first] if isinstance(first, dict) else []
    elif library in _FRAMES and type(table).__name__ != "LazyFrame":
        # What others call so are the values in pyarrow.
        columns = [*getattr(table, "column_names" if library == "pyarrow" else "columns", ())]
    else:
        columns = []
    columns = [each for each in columns if isinstance(each, str) and "'" not in each]
    fields = [each if each.isidentifier() else f"row[{each!r}]" for each in columns]
    return [*(Candidate(each, "column") for each in fields), *([Candidate("row", "row")] if fields else [])]


def template_candidates(
    before: str, names: Mapping[str, Any], fields: Sequence[Candidate] = ()
) -> tuple[str, list[Candidate]]:
    """Return the path that is being typed behind `{{`, and what may take its place.

    A name is completed from the user's variables; behind a dot, from the keys of a mapping or from the
    public attributes that are not methods, because nothing is called in a template. What a row of the table
    has (`fields`) comes before the variables.

    >>> template_candidates("Look at {{ fr", {"frame": 1, "n": 2})
    ('fr', [Candidate(text='frame', type='int')])
    >>> template_candidates("Look at {{ cfg.ti", {"cfg": {"title": "A"}})
    ('cfg.ti', [Candidate(text='cfg.title', type='str')])
    """
    template = _OPEN_TEMPLATE.search(before)
    if template is None:
        return "", []
    path = template["path"]
    parent, dot, start = path.rpartition(".")
    if not dot:
        own = [each for each in _variables(names) if each.text not in {field.text for field in fields}]
        return path, [each for each in (*fields, *own) if each.text.startswith(start)]
    import inspect

    first, *rest = parent.split(".")
    value = names.get(first)
    for name in rest:
        # Static, because Tab must not run the code of a property; what one returns is not known here.
        value = value.get(name) if isinstance(value, dict) else inspect.getattr_static(value, name, None)
    if isinstance(value, dict):
        members = {key: each for key, each in value.items() if isinstance(key, str) and key.isidentifier()}
    else:
        found = {name: inspect.getattr_static(value, name, None) for name in dir(value)}
        members = {name: each for name, each in sorted(found.items()) if not callable(each)}
    return path, [
        Candidate(f"{parent}.{name}", type(each).__name__)
        for name, each in members.items()
        if name.startswith(start) and not name.startswith("_")
    ]


def call_candidates(before: str, names: Mapping[str, Any]) -> tuple[str, list[Candidate], bool]:
    """Return the keyword or the text that is being typed in a call of a client, and what may take its place.

    Args:
        before: The cell up to the cursor.
        names: The user's variables.

    Returns:
        The part of `before` that is replaced, the candidates, and whether nothing else may come there.

    >>> from vertex_claude_magic import Claude
    >>> call_candidates("Claude().ask('Hi', max_t", {"Claude": Claude})
    ('max_t', [Candidate(text='max_tokens=', type='option')], False)
    """
    argument = open_argument(before, names)
    if argument is None:
        return "", [], False
    if argument.option is None:
        offered = _typed("option", (f"{name}=" for name in argument.keywords))
    elif argument.option.words:
        offered = _typed(argument.option.name, argument.option.words)
    elif argument.option.candidates == "attachments":
        offered = _files(argument.word)
    elif argument.option.candidates in _VALUES:
        offered = _VALUES[argument.option.candidates]()
    else:
        offered = []
    word = argument.word
    return word, [each for each in offered if each.text.startswith(word)], argument.option is not None


def _typed(kind: str, texts: Iterable[str]) -> list[Candidate]:
    return [Candidate(text, kind) for text in texts]


def _variables(names: Mapping[str, Any]) -> list[Candidate]:
    return [Candidate(name, type(names[name]).__name__) for name in sorted(own_names(names))]


def _files(word: str) -> list[Candidate]:
    """Return the files and folders whose path begins so."""
    path = Path(with_home(word))
    folder = path if word.endswith("/") else path.parent
    start = word.rpartition("/")[0] + "/" if "/" in word else ""
    try:
        found = sorted(folder.iterdir())[:_MOST_FILES]
    except OSError:
        return []
    shown = [each for each in found if not each.name.startswith(".") and " " not in each.name]
    return [
        Candidate(f"{start}{each.name}/", "folder")
        if each.is_dir()
        else Candidate(f"{start}{each.name}", "file")
        for each in shown
    ]


def _catalog() -> Catalog:
    """Return the model table that the settings name; that of the package where they cannot be used."""
    from vertex_claude_magic.session.session import open_session

    try:
        return open_session().target().catalog
    except ClaudeError:
        # Tab is not the place for an error; the question says what is wrong.
        return Catalog.load()


def _models() -> list[Candidate]:
    """Aliases first, then ids; JupyterLab shows only the type beside a text, so the price is part of it."""
    catalog = _catalog()
    aliases = [alias for alias in catalog.families() if alias in catalog.aliases()]
    by_alias = {alias: catalog.newest(alias) for alias in aliases}
    by_alias |= {alias: catalog.find(alias) for alias in catalog.aliases() if alias not in by_alias}
    by_id = {model.id: model for model in catalog.models if model.lifecycle != "retired"}
    found = []
    for text, model in {**by_alias, **by_id}.items():
        tier = next(iter(model.prices.tiers), None) if model is not None else None
        if tier is None or tier.input is None or tier.output is None:
            found.append(Candidate(text, "model"))
        else:
            found.append(Candidate(text, f"model {usd_limit(tier.input)} / {usd_limit(tier.output)}"))
    return found


def _chats() -> list[Candidate]:
    from vertex_claude_magic.chats.listing import chat_rows

    return _typed("conversation", [row.name for row in chat_rows()])


def _chats_on_line() -> list[Candidate]:
    return [each._replace(text=on_line(each.text)) for each in _chats()]


def _tables(words: Sequence[str], names: Mapping[str, Any]) -> list[Candidate]:
    # NAME comes first, then TABLE: whatever has rows and is no text. `%claude_batch` takes no table.
    if len(words) != 2 or not words[0].startswith("%%"):
        return []
    sized = [each for each in _variables(names) if hasattr(type(names[each.text]), "__len__")]
    return [each for each in sized if each.type not in {"str", "bytes"}]


# A line that is none of ours offers nothing.
_UNKNOWN = Command("")
# What the rest of a line takes, by the words of its command.
_WORDS: Mapping[str, Callable[[Sequence[str], Mapping[str, Any]], list[Candidate]]] = {
    "chats": lambda _words, _names: _chats_on_line(),
    "families": lambda _words, _names: _typed(
        "family", dict.fromkeys(model.family for model in _catalog().models)
    ),
    "tables": _tables,
}
_VALUES: Mapping[str, Callable[[], list[Candidate]]] = {
    "models": _models,
    "regions": lambda: _typed("region", _catalog().locations()),
    "efforts": lambda: _typed("effort", allowed_efforts(None)),
    "chats": _chats,
    "thinking": lambda: _typed("thinking", (word for word in THINKING_TYPES if word != "budget")),
}
