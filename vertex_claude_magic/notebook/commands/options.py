"""The magics by name, with their options and words: read by parser, Tab completion, hooks and unloading.

A new magic is a row of `COMMANDS`, a file beside this one, and its method with the help page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vertex_claude_magic.settings.registry import LINE_OPTIONS, OPTIONS, Option, by_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "BATCH_FOLLOW_OPTIONS",
    "CHAT_OPTIONS",
    "COMMANDS",
    "DOCTOR_OPTIONS",
    "HINT_OPTIONS",
    "LOGGING_OPTIONS",
    "MODELS_OPTIONS",
    "USAGE_OPTIONS",
    "Command",
    "places",
]

_REGION = OPTIONS["region"]
_MODEL, _PROJECT, _HELP = OPTIONS["model"], OPTIONS["project"], OPTIONS["help"]

MODELS_OPTIONS = (
    _REGION._replace(kind="texts", value="LOC,LOC", help="a location, or several: us,eu"),
    _PROJECT,
    Option("all", "flag", help="also models that are not current"),
    Option(
        "check", "flag", help="check which models this project may call there (free, sends none of your text)"
    ),
    Option("probe", "flag", help="the same with one-token questions (these cost money, but prove more)"),
    Option("live", "flag", help="compare the table with Google's own list of models"),
    _HELP,
)
LOGGING_OPTIONS = (
    Option("table", value="URI", help="the BigQuery table, bq://project.dataset.table"),
    Option("sample", "number", value="RATE", help="the fraction of calls, above 0 and at most 1"),
    _MODEL, _REGION, _PROJECT, _HELP,
)  # fmt: skip
DOCTOR_OPTIONS = (
    _MODEL, _REGION, _PROJECT, _HELP,
    Option("probe", "flag", help="also request one token (costs a fraction of a cent)"),
    Option("report", value="FILE", help="write the result to a text file, with names removed"),
    Option("with_names", "flag", help="keep email, project and paths in the report"),
)  # fmt: skip
USAGE_OPTIONS = (
    Option("days", "integer", least=1, wanted="a number of days above 0", value="N", help="only the last N days"),
    Option("by", words=("day", "model", "notebook"), value="GROUP", candidates="words",
           help="one table: by day, model or notebook"),
    Option("session", "flag", help="only what this kernel asked"),
    _HELP,
)  # fmt: skip
CHAT_OPTIONS = (
    Option("all", "flag", help="list those of all notebooks; with NAME --fork NEW: take over one of another notebook"),
    Option("rename", value="NEW", help="give the conversation another name"),
    Option("fork", value="NEW", help="start a new one with the same turns"),
    Option("summary", "flag", help="with --fork: start from a summary that Claude writes"),
    Option("clear", "flag", help="remove all turns"),
    Option("remove", "integer", least=1, wanted="the number of a turn", value="N", help="remove turn N"),
    Option("keep", "integer", least=1, wanted="the number of a turn", value="N",
           help="send turn N too, which was interrupted or refused"),
    Option("save", value="FILE", candidates="files", help="write a notebook, each turn a cell"),
    Option("load", value="FILE", candidates="files", help="create it from a notebook with answers"),
    Option("export", value="FILE", candidates="files", help="write Markdown (.md) or a page (.html)"),
    _HELP,
)  # fmt: skip
_COMPARE_OPTIONS = (
    _MODEL._replace(value="ID,ID", help="the models to compare, such as haiku,sonnet"),
    Option("vary", value="OPTION=a,b", candidates="varied",
           help="another option whose values are compared, such as effort=low,high"),
)  # fmt: skip
HINT_OPTIONS = (
    Option("level", "integer", words=("1", "2", "3", "4"), value="N", candidates="words",
           help="1 the idea, 2 where to look, 3 a worked example, 4 the fix"),
    Option("reset", "flag", help="begin anew at level 1"),
    Option("check", value="NAME", candidates="exercises",
           help="run the checks of exercises/NAME.toml beside the notebook"),
    # What would change the prompt, such as --system or --set, is none of them: it could ask for a higher level.
    *(OPTIONS[name] for name in ("model", "region", "project", "max_tokens", "effort", "thinking", "timeout", "replay",
                                 "max_cost", "label", "force", "allow_secrets", "dry_run", "help")),
)  # fmt: skip
BATCH_FOLLOW_OPTIONS = (
    Option("wait", "flag", help="follow the jobs until all have ended"),
    Option("cancel", "flag", help="cancel the jobs; finished answers stay available"),
    Option("collect", value="FRAME", help="put the table with the answers into this variable"),
    Option("retry_failed", "flag", help="send only the failed rows again"),
    _HELP,
)  # fmt: skip
_EXPLAIN = Option("explain", "flag", help="only explain the error; no corrected cell")


class Command(NamedTuple):
    """A magic.

    Args:
        name: Its name without percent signs.
        options: Options of its own.
        words: What else its line takes; "families", "chats" and "tables" mean those of the model table, of the
            journal and of the notebook.
        asks: Whether it asks a question: it takes the options of a question too, and is also a cell magic.
        over_rows: Whether it asks one for every row of a table, and is a cell magic alone.
        batches: Whether its cell sends a table as batch prediction.
        refuses: The options of a question that it does not take, beside those that no table takes.
    """

    name: str
    options: Sequence[Option] = ()
    words: tuple[str, ...] = ()
    asks: bool = False
    over_rows: bool = False
    batches: bool = False
    refuses: tuple[str, ...] = ()

    @property
    def by_name(self) -> Mapping[str, Option]:
        """All options that its line reads, by their long and short names; what it refuses is offered at no place.

        >>> COMMANDS["claude_usage"].by_name["--days"].value, "-m" in COMMANDS["claude_fix"].by_name
        ('N', True)
        """
        own, refused = by_name(self.options), {*self.refuses}
        # Read at each use, because an option may be registered later.
        if self.over_rows:
            from vertex_claude_magic.tables.options import MAP_OPTIONS, REFUSED

            own |= by_name(MAP_OPTIONS)
            refused |= REFUSED.keys()
        if self.batches:
            from vertex_claude_magic.tables.batch.checks import BATCH_OPTIONS, NOT_BATCHED

            own |= by_name(BATCH_OPTIONS)
            refused |= NOT_BATCHED.keys()
        read = {**LINE_OPTIONS, **own} if self.asks or self.over_rows else own
        return {
            name: row._replace(places=frozenset()) if row.name in refused else row
            for name, row in read.items()
        }

    @property
    def written(self) -> tuple[str, ...]:
        """The ways to write it, such as `%%claude` and `%claude`."""
        if self.over_rows:
            return (f"%%{self.name}",)
        return (f"%%{self.name}", f"%{self.name}") if self.asks else (f"%{self.name}",)


COMMANDS = {
    command.name: command
    for command in (
        Command("claude", asks=True),
        Command("claude_models", MODELS_OPTIONS, words=("families",)),
        Command("claude_panel", (_HELP,)),
        Command("claude_chat", CHAT_OPTIONS, words=("chats",)),
        Command("claude_fix", (_EXPLAIN,), asks=True, refuses=("prompt", "with_")),
        Command("claude_hint", HINT_OPTIONS),
        Command("claude_compare", _COMPARE_OPTIONS, asks=True, refuses=("chat", "new", "after", "tools")),
        Command("claude_usage", USAGE_OPTIONS),
        Command("claude_logging", LOGGING_OPTIONS, words=("status", "on", "off")),
        Command("claude_doctor", DOCTOR_OPTIONS),
        Command("claude_demo", (_HELP,), words=("stop",)),
        Command("claude_map", words=("tables",), over_rows=True),
        Command("claude_batch", BATCH_FOLLOW_OPTIONS, words=("tables",), asks=True, batches=True),
    )
}


def places(values: Iterable[str]) -> tuple[str, ...]:
    """Return the locations that were named, each once; one value may have several.

    >>> places(["us,eu", "us"])
    ('us', 'eu')
    """
    named = (place.strip() for value in values for place in value.split(","))
    return tuple(dict.fromkeys(place for place in named if place))
