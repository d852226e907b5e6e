"""The registry of options: one row for each, read by everything that knows options.

A row feeds the parser of the magics, the traits behind `%config ClaudeMagics`, Tab completion, the help page, the
environment, the settings page, the keywords of the Python interface and the checks of a value. A new option is a new
row; what it does is written where its value is used.
"""

from __future__ import annotations

import textwrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DEFAULTS",
    "EMPTY",
    "LINE_OPTIONS",
    "MOST_USED",
    "OPTIONS",
    "USD_LIMITS",
    "Option",
    "by_name",
    "help_lines",
    "keyword_of",
    "register",
    "unregister",
]


class Option(NamedTuple):
    """One option of a question.

    Args:
        name: The keyword of the Python interface, such as `max_tokens`.
        kind: What its value is: "text", "number", "integer", "flag", "texts", "fields" (a mapping that adds up),
            "objects" (a list that adds up), "any", or "display" (a flag that says how the answer is shown, not what
            is asked), or "confirm" (a flag on a line; in Python also a function that decides).
        default: What holds where nothing is given anywhere; None where the service or the model decides.
        variables: Environment variables that give a value; the first that is set holds.
        words: The only values that are taken; empty for all.
        least: The smallest value that is taken, None for no limit.
        wanted: What to give instead of a value that is refused.
        places: Where the option is offered: "line" (of the magics), "python" (a keyword), "setting" (a trait), "page"
            (the settings page).
        short: The short name on a line, such as `-n`.
        value: What the value is called on the help page; empty for an option that takes none.
        help: One line for the help page.
        group: The title above it on the full help page.
        setting: The help text of the trait, if it says more than `help`.
        fields: Body fields and headers that say the same where they are given by hand, beside the field of its name.
        candidates: What Tab completes behind it: "models", "regions", "efforts", "thinking", "words", "attachments",
            "types", "chats", "replies", "tools", "prompts", "prompt_keys", "varied" (an option, then its
            values); empty for nothing.
        unset: What the settings page says where nothing is set.
        unit: What the settings page writes behind a number; "USD" for a limit of costs, and for nothing else.
        secret_free: Whether a text that looks like a secret is refused, because it was pasted there by mistake.
    """

    name: str
    kind: str = "text"
    default: Any = None
    variables: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    least: float | None = None
    wanted: str = ""
    places: frozenset[str] = frozenset({"line", "python", "setting"})
    short: str = ""
    value: str = ""
    help: str = ""
    group: str = "Other API fields"
    setting: str = ""
    fields: tuple[str, ...] = ()
    candidates: str = ""
    unset: str = "not set"
    unit: str = ""
    secret_free: bool = False

    @property
    def long(self) -> str:
        """The name on the line of a magic, such as `--max-tokens`."""
        # `spelling.option` writes it too, whose imports `%load_ext` does without.
        return f"--{self.name.rstrip('_').replace('_', '-')}"

    @property
    def empty(self) -> Any:
        """The value that says nothing: it leaves the choice to the next place that may give one."""
        return {
            "flag": False,
            "display": False,
            "confirm": False,
            "texts": (),
            "objects": (),
            "fields": _NOTHING,
        }.get(self.kind)

    @property
    def repeatable(self) -> bool:
        """Whether the option may be given several times, and its values add up."""
        return self.kind in {"texts", "objects", "fields"}


_NOTHING = MappingProxyType[str, Any]({})


def _grouped(title: str, *rows: Option) -> tuple[Option, ...]:
    return tuple([row._replace(group=title) for row in rows])


_LINE = frozenset({"line"})
_QUESTION = frozenset({"line", "python"})
_SETTING = frozenset({"python", "setting"})
_SHOWN = frozenset({"line", "python", "setting", "page"})
_SHOWN_SETTING = frozenset({"python", "setting", "page"})
_USD = "a number of USD, such as 0.50"
_TOKENS = "a number of tokens above 0"
# Characters of a help text on one line, beside the 25 of the names.
_HELP_WIDTH = 75
_THINKING = "adaptive, off, between_tools, or a budget in tokens"
_SAMPLING = "for models that take sampling parameters"
_SAMPLING_SETTING = "For models that take sampling parameters."

_ROWS = (
    *_grouped(
        "Model and location",
        Option("model", default="sonnet", places=_SHOWN, short="-m", value="ID", candidates="models", secret_free=True,
               help="a model id, or an alias: sonnet, opus, haiku, sonnet-4.5 ...",
               setting="Model id or alias (sonnet, opus, haiku, sonnet-4.5 ...); empty means sonnet."),
        # Variables are named as the official SDK (anthropic 2.12.0) and gcloud name them; VERTEX_CLAUDE_* are ours.
        Option("region", default="global", variables=("CLOUD_ML_REGION",), places=_SHOWN, short="-r", value="LOC",
               candidates="regions", secret_free=True, help="global (default), us, eu, or a region such as us-east5",
               setting="global, us, eu or a region; empty means CLOUD_ML_REGION, then global."),
        Option("project", variables=("ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"), places=_SHOWN, short="-p",
               value="ID", secret_free=True, unset="from the Google credentials",
               help="the Google Cloud project to bill",
               setting="Google Cloud project; empty means the environment, then the credentials."),
    ),
    *_grouped(
        "What is sent",
        Option("system", "any", places=_SHOWN, short="-s", value="TEXT",
               help="the system prompt; '' removes that of a conversation", setting="The system prompt."),
        Option("attach", "objects", places=_QUESTION, short="-a", value="X", secret_free=True, candidates="attachments",
               help="a variable, or the path of an image, PDF or text file"),
        Option("cache", "flag", places=_QUESTION, fields=("cache_control",),
               help="mark system prompt, tools and attachments for the prompt cache"),
        Option("literal", "flag", places=_QUESTION, help="send the prompt unchanged, {{ }} included"),
        Option("context", "integer", least=1, wanted="a number of cells above 0", places=_LINE, value="N",
               fields=("messages",), help="also send the last N cells that ran: source, text output, error"),
        Option("prompt", places=_LINE, value="NAME", candidates="prompts",
               help="a saved prompt: prompts/NAME.md beside the notebook"),
        Option("with_", "fields", places=_LINE, value="KEY=VALUE", candidates="prompt_keys",
               help="a value for {{ KEY }} in a saved prompt"),
    ),
    *_grouped(
        "Conversations and tools",
        Option("chat", places=_QUESTION, short="-c", value="NAME", candidates="chats", secret_free=True,
               help="ask as a turn of this conversation; %claude_chat lists them"),
        Option("new", "flag", places=_QUESTION, help="with -c: start the conversation over"),
        Option("after", "any", places=_QUESTION, value="NAME", secret_free=True, candidates="replies",
               help="a follow-up to the Reply in NAME, sent with the messages that led to it"),
        Option("tools", "objects", places=_QUESTION, value="NAMES", secret_free=True, candidates="tools",
               fields=("mcp_servers", "tool_choice"),
               help="functions that Claude may call, such as load,plot; or web_search"),
        Option("confirm", "confirm", places=_QUESTION, help="ask before each call of a function"),
        Option("max_rounds", "integer", default=10, least=1, wanted="a number of requests above 0", places=_QUESTION,
               value="N", help="maximum requests for one question with tools (10)"),
    ),
    *_grouped(
        "The answer",
        Option("as_", "any", places=_QUESTION, value="TYPE", secret_free=True, candidates="types",
               fields=("output_config", "output_format", "tool_choice", "tools"),
               help="the answer as data: a type, list[Type], a JSON schema, or df"),
        Option("max_tokens", "integer", least=1, wanted=_TOKENS, places=_SHOWN, short="-n", value="N",
               unset="16,000, or the model's limit if lower", help="maximum answer length in tokens",
               setting="Maximum answer length in tokens; None means 16,000, or the model's limit if lower."),
        Option("stop", "texts", places=_QUESTION, value="TEXT", fields=("stop_sequences",),
               help="stop sequence: the answer ends before this text"),
        Option("effort", places=_SHOWN, value="LEVEL", candidates="efforts", secret_free=True,
               fields=("output_config",), help="low, medium, high, xhigh or max, as the model takes them",
               setting="Effort: low, medium, high, xhigh or max, as the model takes them."),
        Option("thinking", "any", places=_SHOWN, value="KIND", candidates="thinking",
               help=_THINKING, setting=f"Thinking: {_THINKING}."),
        Option("show_thinking", "flag", fields=("thinking",),
               help="ask for a summary of the thinking and show it folded"),
    ),
    *_grouped(
        "Sampling",
        Option("temperature", "number", short="-t", value="X", help=_SAMPLING, setting=_SAMPLING_SETTING),
        Option("top_p", "number", value="X", help=_SAMPLING, setting=_SAMPLING_SETTING),
        Option("top_k", "integer", value="N", help=_SAMPLING, setting=_SAMPLING_SETTING),
    ),
    *_grouped(
        "How it is shown",
        Option("format", default="markdown", words=("markdown", "text", "json", "code"), places=_SHOWN, short="-f",
               value="FORMAT", candidates="words", secret_free=True,
               help="markdown (default), text, json, or code (into one new cell, not run)",
               setting="How answers are shown; code also goes into a new cell."),
        Option("no_stream", "flag", fields=("stream",), help="show the answer only when it is complete",
               setting="Show answers only when they are complete."),
        Option("quiet", "display", places=_LINE, short="-q", help="show nothing but errors"),
        Option("timeout", "number", default=600.0, least=1e-3, wanted="seconds above 0, such as 120",
               places=_SHOWN, value="S", unit="s",
               help="seconds for the whole answer (600)", setting="Seconds for a whole answer."),
        Option("help", "display", places=_LINE, short="-h", help="show this page"),
    ),
    *_grouped(
        "Cost and re-runs",
        Option("dry_run", "display", places=_LINE,
               help="show the request, its tokens and its price range; ask no model"),
        Option("max_cost", "number", least=0, wanted=_USD, unit="USD", unset="no limit", value="USD",
               help="refuse a question that may cost more than this (an estimate)",
               setting="Refuse a question that may cost more than this (USD, estimate)."),
        Option("replay", default="off", variables=("VERTEX_CLAUDE_REPLAY",), words=("off", "auto", "only", "refresh"),
               places=_SHOWN, value="MODE", candidates="words", secret_free=True,
               help="use saved answers: off (default), auto (send what is not saved), only (send nothing), "
               "refresh (send, and save the new answer)",
               setting="Whether saved answers are used: off, auto (send what is not saved), only (send nothing) or "
               "refresh (send, and save the new answer); empty means VERTEX_CLAUDE_REPLAY, then off."),
    ),
    Option("set", "fields", places=_QUESTION, value="KEY=JSON", help="any other body field, sent unchecked"),
    Option("beta", "texts", value="NAME", fields=("anthropic_beta", "anthropic-beta"), help="a beta feature",
           setting="Beta features, sent as anthropic-beta header."),
    Option("header", "fields", places=_QUESTION, value="'Name: value'", help="an extra HTTP header"),
    Option("label", "fields", value="KEY=VALUE", fields=("x-vertex-ai-labels",), help="a billing label",
           setting="Billing labels, key to value."),
    Option("force", "flag", places=_QUESTION, help="send even if the model table says that it will be rejected"),
    Option("allow_secrets", "flag", places=_QUESTION, help="send even if the prompt seems to contain a key or a token"),
    Option("anthropic_version", default="vertex-2023-10-16", places=_SHOWN_SETTING, secret_free=True,
           fields=("anthropic-version",),
           setting="API version in the body; empty means vertex-2023-10-16."),
    Option("base_url", variables=("ANTHROPIC_VERTEX_BASE_URL",), places=_SHOWN_SETTING, secret_free=True,
           unset="Google's host for the region",
           setting="Base URL that ends in /v1; empty means ANTHROPIC_VERTEX_BASE_URL, then Google's."),
    Option("trusted_hosts", "texts", places=_SETTING,
           setting="Hosts of https gateways that may receive your Google token, in addition to Google's own."),
    Option("recording", variables=("VERTEX_CLAUDE_RECORDING",), places=_SHOWN_SETTING, secret_free=True, unset="none",
           setting="File for the questions and answers of this notebook, to ship beside it; empty means "
           "VERTEX_CLAUDE_RECORDING, then none."),
    Option("replay_pace", default="instant", words=("instant", "recorded"), places=_SETTING, secret_free=True,
           setting="Whether replayed answers appear at once or at their original pace (for demonstrations)."),
    Option("replay_errors", "flag", places=_SETTING, setting="Save and replay errors of the service too."),
    Option("journal", variables=("VERTEX_CLAUDE_JOURNAL",), places=_SHOWN_SETTING, secret_free=True,
           unset="a file in your data folder",
           setting="File for all questions and answers on this machine, or off; empty means "
           "VERTEX_CLAUDE_JOURNAL, then one in your data folder."),
    # Anthropic advises to keep at least 30 rolling days of activity ("Claude on Google Cloud", Claude docs, 2026).
    Option("journal_days", "integer", default=30, least=1, wanted="a number of days above 0", places=_SETTING,
           setting="Days after which the journal deletes an answer."),
    Option("journal_megabytes", "integer", default=500, least=1, wanted="a number of megabytes above 0",
           places=_SETTING, setting="Maximum size of the journal in megabytes."),
    Option("max_session_cost", "number", least=0, wanted=_USD, unit="USD", unset="no limit", places=_SETTING,
           setting="Refuse a question that could take the session's cost above this (USD, estimate)."),
    Option("max_daily_cost", "number", least=0, wanted=_USD, unit="USD", unset="no limit", places=_SETTING,
           setting="Refuse a question that could take today's cost above this (USD, estimate)."),
    Option("show_spend", "flag", places=_SETTING,
           setting="Show the cost of the session and of the day so far below each answer."),
    Option("value_tokens", "integer", default=4_000, least=1, wanted=_TOKENS, places=_SETTING,
           setting="Maximum tokens of text for one value in a prompt; the rest is left out, with a note."),
    Option("prompt_tokens", "integer", least=1, wanted=_TOKENS, unset="no limit", places=_SETTING,
           setting="Maximum tokens of text for a whole prompt; None for no limit."),
    Option("context_tokens", "integer", default=4_000, least=1, wanted=_TOKENS, places=_SETTING,
           setting="Maximum tokens for the cells of --context; older ones are left out, with a note."),
    Option("models_file", places=_SETTING, secret_free=True,
           setting="JSON file that adds or corrects rows of the model table."),
)  # fmt: skip

USD_LIMITS = tuple(row.name for row in _ROWS if row.unit == "USD")
# Those on the short help page, which takes no more.
MOST_USED = (
    "model",
    "region",
    "system",
    "max_tokens",
    "effort",
    "attach",
    "as_",
    "format",
    "max_cost",
    "dry_run",
)

# By the keyword of the Python interface, by the names on a line, the value of each option that says nothing, and the
# one that holds where no place gives one; those of the display decide nothing about a question and have neither.
OPTIONS: dict[str, Option] = {}
LINE_OPTIONS: dict[str, Option] = {}
EMPTY: dict[str, Any] = {}
DEFAULTS: dict[str, Any] = {}


def by_name(rows: Iterable[Option]) -> dict[str, Option]:
    """Return options by their long and short names.

    >>> list(by_name([Option("tone", value="WORD", help="how the answer sounds", short="-x")]))
    ['--tone', '-x']
    """
    return {name: row for row in rows for name in (row.long, row.short) if name}


def keyword_of(written: str) -> str:
    """Return the keyword of an option that is written without an underscore at its end.

    >>> keyword_of("as"), keyword_of("as_"), keyword_of("model"), keyword_of("nothing")
    ('as_', 'as_', 'model', 'nothing')
    """
    return f"{written}_" if f"{written}_" in OPTIONS else written


def register(*rows: Option) -> None:
    """Add options; one of the same name is replaced.

    >>> register(Option("tone", value="WORD", help="how the answer sounds"))
    >>> LINE_OPTIONS["--tone"].help
    'how the answer sounds'
    >>> unregister("tone")
    """
    for row in rows:
        OPTIONS[row.name] = row
        if row.kind != "display":
            EMPTY[row.name] = row.empty
            DEFAULTS[row.name] = row.empty if row.default is None else row.default
        if "line" in row.places:
            LINE_OPTIONS.update(by_name([row]))


def unregister(name: str) -> None:
    """Take an option away again.

    Raises:
        KeyError: there is none of this name.
    """
    row = OPTIONS.pop(name)
    EMPTY.pop(name, None)
    DEFAULTS.pop(name, None)
    for each in (row.long, row.short):
        LINE_OPTIONS.pop(each, None)


def help_lines(rows: Iterable[Option] | None = None) -> str:
    """Return the part of a help page that lists options, one or more lines for each.

    Args:
        rows: The options; those of the line of `%%claude` if not given.

    >>> print(help_lines([Option("stop", "texts", value="TEXT", help="end the answer before this text")]))
    --stop TEXT              end the answer before this text (repeatable)
    """
    listed = dict.fromkeys(LINE_OPTIONS.values()) if rows is None else rows
    lines = list[str]()
    for row in listed:
        names = ", ".join(name for name in (row.short, row.long) if name)
        repeatable = " (repeatable)" if row.repeatable else ""
        whole = f"{row.help}{repeatable}"
        # Most are one line, and to find that out by wrapping takes a third of a millisecond of %load_ext.
        text = textwrap.wrap(whole, _HELP_WIDTH) if len(whole) > _HELP_WIDTH else [whole]
        head = f"{names} {row.value}".rstrip()
        lines += [f"{head:<24} {text[0]}", *(f"{'':<24} {line}" for line in text[1:])]
    return "\n".join(lines)


register(*_ROWS)
