"""The options of one question, and where each value comes from when several places could give it.

Order: the question's own option, then the session's setting (`%config`, the panel, or the arguments of
`Claude`), then the environment, then what Google credentials say, then the default.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.settings.environment import environment_notices, with_version
from vertex_claude_magic.settings.pasted import refuse_pasted
from vertex_claude_magic.text import quote, trimmed
from vertex_claude_magic.vertex.request import DEFAULT_VERSION, RequestOptions

__all__ = ["DEFAULTS", "ENVIRONMENT", "AskOptions", "Found", "find_setting", "merge", "notices_of"]

# Named as the official SDK (anthropic 2.12.0) and gcloud name them, the last three our own; the first that is set wins.
ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "project": ("ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT"),
    "region": ("CLOUD_ML_REGION",),
    "base_url": ("ANTHROPIC_VERTEX_BASE_URL",),
    "journal": ("VERTEX_CLAUDE_JOURNAL",),
    "replay": ("VERTEX_CLAUDE_REPLAY",),
    "recording": ("VERTEX_CLAUDE_RECORDING",),
}
DEFAULTS: Mapping[str, Any] = {
    "model": "sonnet",
    "region": "global",
    "anthropic_version": DEFAULT_VERSION,
    "timeout": 600.0,
    "format": "markdown",
    "value_tokens": 4_000,
    "replay": "off",
    "replay_pace": "instant",
    # Anthropic advises to keep at least 30 rolling days of activity ("Claude on Google Cloud", Claude docs, 2026).
    "journal_days": 30,
    "journal_megabytes": 500,
}
FORMATS = ("markdown", "text", "json", "code")
REPLAY_MODES = ("off", "auto", "only", "refresh")
REPLAY_PACES = ("instant", "recorded")


@dataclass(frozen=True, kw_only=True, slots=True)
class AskOptions(RequestOptions):
    """Everything that can be said of one question; names are those of the magic's long options.

    `timeout` is in seconds, for the whole answer. `attach` holds names, paths or objects that stand before
    the prompt; `as_` is the type of the answer (`--as`); `value_tokens` and `prompt_tokens` are budgets in
    tokens, for one value in a prompt and for all of its text. `replay` says whether an answer that is
    kept may be given again, `recording` names the file that keeps a notebook's, `journal` the file that keeps
    all ("off" for none) for `journal_days` days and up to `journal_megabytes` (10^6 bytes); `replay_pace` is
    "instant" or "recorded". `max_cost`, `max_session_cost` and `max_daily_cost` are limits in USD.
    None or an empty value means: not said here.
    """

    model: str | None = None
    region: str | None = None
    project: str | None = None
    base_url: str | None = None
    anthropic_version: str | None = None
    no_stream: bool = False
    timeout: float | None = None
    format: str | None = None
    trusted_hosts: Sequence[str] = ()
    models_file: str | None = None
    attach: Sequence[Any] = ()
    as_: Any = None
    cache: bool = False
    literal: bool = False
    allow_secrets: bool = False
    value_tokens: int | None = None
    prompt_tokens: int | None = None
    replay: str | None = None
    replay_pace: str | None = None
    replay_errors: bool = False
    recording: str | None = None
    journal: str | None = None
    journal_days: int | None = None
    journal_megabytes: int | None = None
    max_cost: float | None = None
    max_session_cost: float | None = None
    max_daily_cost: float | None = None
    show_spend: bool = False


class Found(NamedTuple):
    """A value and the place that gave it."""

    value: Any
    origin: str


def find_setting(name: str, session: AskOptions, call: AskOptions | None = None) -> Found:
    """Return the value that holds for one name, and where it comes from; credentials are not asked.

    >>> find_setting("model", AskOptions())
    Found(value='sonnet', origin='default')
    >>> find_setting("model", AskOptions(model="opus"), AskOptions(model="haiku"))
    Found(value='haiku', origin='option')

    Raises:
        OptionError: the value seems to be a secret that was pasted there by mistake.
    """
    found = _set_value(name, session, call)
    refuse_pasted(name, found.value, found.origin if found.origin in ENVIRONMENT.get(name, ()) else "")
    if name == "base_url" and isinstance(found.value, str):
        return found._replace(value=with_version(found.value))
    return found


def notices_of(options: AskOptions) -> tuple[str, ...]:
    """Return what to say of the environment and the base URL that hold for these options, a line each."""
    base_url = _set_value("base_url", options, None).value
    return environment_notices(
        base_url, region_is_default=_set_value("region", options, None).origin == "default"
    )


def _set_value(name: str, session: AskOptions, call: AskOptions | None) -> Found:
    for options, origin in ((call, "option"), (session, "setting")):
        value = getattr(options, name, None)
        if value is not None and value not in ("", ()):
            return Found(value, origin)
    for variable in ENVIRONMENT.get(name, ()):
        if value := trimmed(os.environ.get(variable, "")):
            return Found(value, variable)
    return Found(DEFAULTS.get(name), "default")


def merge(session: AskOptions, options: Mapping[str, Any]) -> AskOptions:
    """Lay the options of one question over those of the session; mappings and lists add up, values replace.

    Raises:
        OptionError: an option has a name that does not exist, or a value that it cannot take.

    >>> merge(AskOptions(max_tokens=5, beta=["a"]), {"beta": ["b"], "effort": "low"}).beta
    ('a', 'b')
    """
    known = {entry.name for entry in dataclasses.fields(AskOptions)}
    # `as` is the option's name and a keyword of Python.
    options = {"as_" if name == "as" else name: value for name, value in options.items()}
    for name in options:
        if name not in known:
            raise _unknown(name, known)
    given = {name: value for name, value in options.items() if value is not None}
    changes = {name: _joined(getattr(session, name), value, name) for name, value in given.items()}
    merged = dataclasses.replace(session, **changes)
    _check(merged)
    return merged


def _joined(old: Any, new: Any, name: str) -> Any:
    if name in {"set", "header", "label"}:
        if not isinstance(new, Mapping):
            raise _unfit(name, new, "a dict")
        return {**old, **new}
    if name in {"stop", "beta", "trusted_hosts"}:
        if not isinstance(new, (str, Sequence)):
            raise _unfit(name, new, "a text or a list of texts")
        return (*old, *((new,) if isinstance(new, str) else new))
    if name == "attach":
        return (*old, *(new if isinstance(new, (list, tuple)) else (new,)))
    return new


def _unknown(name: str, known: set[str]) -> OptionError:
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    cure = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(sorted(known))}."
    return OptionError(f"There is no option {quote(name, 40)!r}.", cure=cure)


def _unfit(name: str, value: Any, wanted: str) -> OptionError:
    return OptionError(f"{name} is {quote(repr(value), 60)}.", cure=f"Give {wanted}.")


_TYPES: tuple[tuple[tuple[str, ...], type, str], ...] = (
    (
        (
            "model",
            "region",
            "project",
            "base_url",
            "anthropic_version",
            "format",
            "effort",
            "replay",
            "replay_pace",
            "recording",
            "journal",
        ),
        str,
        "a text",
    ),
    (("timeout", "temperature", "top_p", "max_cost", "max_session_cost", "max_daily_cost"), Real, "a number"),
    (
        ("max_tokens", "top_k", "value_tokens", "prompt_tokens", "journal_days", "journal_megabytes"),
        Integral,
        "a whole number",
    ),
)


def _check(options: AskOptions) -> None:
    for name in (*_TYPES[0][0], "models_file"):
        refuse_pasted(name, getattr(options, name))
    for names, kind, wanted in _TYPES:
        for name in names:
            value = getattr(options, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
                raise _unfit(name, value, wanted)
    if options.timeout is not None and not 0 < options.timeout < float("inf"):
        raise OptionError(
            f"timeout is {options.timeout}.", cure="Give seconds above 0, such as --timeout 120."
        )
    for name, (least, wanted) in _AT_LEAST.items():
        value = getattr(options, name)
        if value is not None and not least <= value < float("inf"):
            raise _unfit(name, value, wanted)
    for name, words in _WORDS.items():
        value = getattr(options, name)
        if value is not None and value not in words:
            said = "format" if name == "format" else f"value of {name}"
            raise OptionError(f"{quote(value, 40)!r} is no {said}.", cure=f"Use {', '.join(words)}.")


_AT_LEAST = {
    "value_tokens": (1, "a number of tokens above 0"),
    "prompt_tokens": (1, "a number of tokens above 0"),
    "journal_days": (1, "a number of days above 0"),
    "journal_megabytes": (1, "a number of megabytes above 0"),
    **dict.fromkeys(("max_cost", "max_session_cost", "max_daily_cost"), (0, "a number of USD, such as 0.50")),
}
_WORDS = {"format": FORMATS, "replay": REPLAY_MODES, "replay_pace": REPLAY_PACES}
