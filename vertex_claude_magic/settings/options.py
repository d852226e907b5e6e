"""What is given for a question in one place: by the line of a magic, by the settings, or by Python keywords.

Every name is a row of the registry. `merge` lays the options of one question over the settings; `resolve_target`
decides which of all places holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, cast

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.settings.pasted import refuse_pasted, refuse_word
from vertex_claude_magic.settings.registry import EMPTY, OPTIONS, keyword_of
from vertex_claude_magic.spelling import Spelling, name_of, spelled
from vertex_claude_magic.text import alternatives, quote
from vertex_claude_magic.vertex.digest import without_secret_fields
from vertex_claude_magic.vertex.headers import Headers
from vertex_claude_magic.vertex.reply import Reply
from vertex_claude_magic.vertex.request import RequestOptions

if TYPE_CHECKING:
    from typing_extensions import Self

    from vertex_claude_magic.settings.registry import Option

__all__ = ["AskOptions", "check_value", "merge", "wrong_type"]


class AskOptions:
    """Options of a question as attributes, under the names of the registry; an empty value is not given.

    A value: it cannot be changed, and two with the same options are equal. `timeout` is in seconds, for the whole
    answer; `value_tokens` and `prompt_tokens` are tokens, for one value in a prompt and for all of its text;
    `journal_megabytes` counts 10^6 bytes; `max_cost`, `max_session_cost` and `max_daily_cost` are USD.

    >>> AskOptions(model="opus", max_tokens=100)
    AskOptions(model='opus', max_tokens=100)
    >>> AskOptions().max_tokens is None
    True

    Raises:
        TypeError: the registry has no option of this name.
    """

    if TYPE_CHECKING:
        model: str | None
        region: str | None
        project: str | None
        base_url: str | None
        anthropic_version: str | None
        system: str | Sequence[Mapping[str, Any]] | None
        max_tokens: int | None
        stop: Sequence[str]
        effort: str | None
        thinking: str | int | None
        show_thinking: bool
        temperature: float | None
        top_p: float | None
        top_k: int | None
        set: Mapping[str, Any]
        beta: Sequence[str]
        header: Mapping[str, str]
        label: Mapping[str, str]
        force: bool
        no_stream: bool
        timeout: float | None
        format: str | None
        trusted_hosts: Sequence[str]
        models_file: str | None
        attach: Sequence[Any]
        as_: Any
        context: int | None
        context_tokens: int | None
        prompt: str | None
        with_: Mapping[str, str]
        cache: bool
        chat: str | None
        new: bool
        after: Any
        tools: Sequence[Any]
        confirm: bool | Callable[[str, Mapping[str, Any]], object]
        max_rounds: int | None
        literal: bool
        allow_secrets: bool
        value_tokens: int | None
        prompt_tokens: int | None
        replay: str | None
        replay_pace: str | None
        replay_errors: bool
        recording: str | None
        journal: str | None
        journal_days: int | None
        journal_megabytes: int | None
        max_cost: float | None
        max_session_cost: float | None
        max_daily_cost: float | None
        show_spend: bool

    def __init__(self, **given: Any) -> None:
        # As Python itself refuses a keyword that no parameter has.
        if unknown := given.keys() - EMPTY.keys():
            raise TypeError(f"there is no option {min(unknown)!r}")
        vars(self).update(EMPTY, **given)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed; use replace({name}=...)")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._options() == other._options()

    def __hash__(self) -> int:
        # Mappings and lists among the values have no hash of their own.
        return hash(repr(self))

    def __repr__(self) -> str:
        options = {**self._options(), "set": without_secret_fields(self.set or {})}
        given = [f"{name}={value!r}" for name, value in options.items() if value != EMPTY[name]]
        return f"{type(self).__name__}({', '.join(given)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (
            type(self),
            {name: value for name, value in self._options().items() if value != EMPTY[name]},
        )

    def _options(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name in EMPTY}

    def given(self) -> dict[str, Any]:
        """Return the options that are given by name; an empty value leaves the choice to the next place.

        >>> AskOptions(model="opus", system="").given()
        {'model': 'opus'}
        """
        mine = vars(self)
        return {
            name: value
            for name, empty in EMPTY.items()
            if (value := mine.get(name)) is not empty
            and value is not None
            # A table as a value would be compared with each of its elements.
            and not (isinstance(value, (str, tuple, Mapping)) and value in ("", empty))
        }

    @property
    def wants_data(self) -> bool:
        """Whether the answer shall be data of a type (`as_`)."""
        return self.as_ is not None and not (isinstance(self.as_, str) and not self.as_)

    @property
    def request_options(self) -> RequestOptions:
        """What the request builder wants to know beside messages, model and location."""
        return RequestOptions(**{name: getattr(self, name) for name in RequestOptions._fields})

    def replace(self, **changes: Any) -> Self:
        """Return the same options with some of them changed.

        >>> AskOptions(model="opus").replace(effort="low")
        AskOptions(model='opus', effort='low')
        """
        return type(self)(**{**self._options(), **changes})


def _restore(kind: type[AskOptions], given: Mapping[str, Any]) -> AskOptions:
    return kind(**given)


def merge(session: AskOptions, given: Mapping[str, Any]) -> AskOptions:
    """Lay the options of one question over those of the session; mappings and lists add up, values replace.

    Args:
        session: What holds for every question.
        given: Options by name; None leaves the session's value.

    Raises:
        OptionError: an option has a name that does not exist, or a value that it cannot take.

    >>> merge(AskOptions(max_tokens=5, beta=["a"]), {"beta": ["b"], "effort": "low"}).beta
    ('a', 'b')
    """
    changes: dict[str, Any] = {}
    for name, value in given.items():
        name = keyword_of(name)  # noqa: PLW2901
        if name not in EMPTY:
            # Imported only here, because most questions have no such option.
            from vertex_claude_magic.settings.unknown_options import unknown_option

            raise unknown_option(name)
        if value is not None:
            row = OPTIONS[name]
            with _reading(name) if row.kind == "objects" else nullcontext():
                changes[name] = _joined(getattr(session, name), value, row)
                check_value(row, changes[name])
    return session.replace(**changes)


def _reading(name: str) -> AbstractContextManager[None]:
    # Few questions have an option that takes objects of the user's own classes.
    from vertex_claude_magic.prompts.parts import reading_object

    return reading_object(f"A value of {name}")


def _joined(old: Any, new: Any, row: Option) -> Any:
    if row.kind == "fields":
        if not isinstance(new, Mapping):
            raise _unfit(row, new, "a dict")
        joined = {**old, **new}
        return Headers(joined) if row.name == "header" else joined
    if row.kind == "texts":
        if not isinstance(new, (str, Sequence)):
            raise _unfit(row, new, "a string or a list of strings")
        return (*old, *((new,) if isinstance(new, str) else new))
    if row.kind == "objects":
        return (*old, *(new if isinstance(new, (list, tuple)) else (new,)))
    return new


# What a value of a kind must be; `bool` is a number of Python and none of ours.
_TYPES: Mapping[str, tuple[type, str]] = {
    "flag": (bool, "True or False"),
    "text": (str, "a string"),
    "number": (Real, "a number"),
    "integer": (Integral, "a whole number"),
}
# Those of several types: what they take, as a test and in words.
_FORMS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "after": (
        lambda value: isinstance(value, (str, Reply)),
        "the reply that this question follows: after=reply",
    ),
    "thinking": (
        lambda value: isinstance(value, (str, Integral)) and not isinstance(value, bool),
        OPTIONS["thinking"].help,
    ),
    "system": (
        lambda value: (
            isinstance(value, str)
            or (isinstance(value, (list, tuple)) and all(isinstance(each, Mapping) for each in value))
        ),
        "a string, or a list of content blocks",
    ),
}


def _has_texts_only(value: Any) -> bool:
    parts: Iterable[Any] = [*value, *value.values()] if isinstance(value, Mapping) else value
    return all(isinstance(each, str) for each in parts)


def check_value(row: Option, value: Any) -> None:
    """Refuse a value that an option cannot take, wherever it was given.

    Raises:
        OptionError: it has the wrong type, is out of range, none of the words, a word in place of a file, or seems to
            be a pasted secret.

    >>> check_value(OPTIONS["journal_days"], 0)
    Traceback (most recent call last):
    vertex_claude_magic.errors.OptionError: journal_days is 0. Give a number of days above 0.
    """
    if row.secret_free:
        for each in value if isinstance(value, (list, tuple)) else [value]:
            refuse_pasted(row.name, each)
    refuse_word(row.name, value)
    if row.kind == "confirm" and not isinstance(value, bool) and not callable(value):
        raise _unfit(row, value, "True, False, or a function (name, arguments) -> bool")
    kind, wanted = _TYPES.get(row.kind, (object, ""))
    if not isinstance(value, kind) or (isinstance(value, bool) and row.kind in {"number", "integer"}):
        raise _unfit(row, value, wanted)
    if row.kind == "texts" and not _has_texts_only(value):
        raise _unfit(row, value, "a string or a list of strings")
    fits, form = _FORMS.get(row.name, (None, ""))
    if fits is not None and not fits(value):
        raise _unfit(row, value, form)
    if row.name in {"label", "header"} and not _has_texts_only(value):
        # Not quoted: a header may be a key.
        raise OptionError(
            spelled("{} has a key or a value that is not a string.", _named(row)),
            cure='Give a dict of strings, such as {"team": "lab"}.',
        )
    if row.kind in {"number", "integer"}:
        number = cast("float", value)
        try:
            enough = math.isfinite(number) and (row.least is None or number >= row.least)
        except OverflowError:
            # No float holds it.
            enough = False
        if not enough:
            raise _unfit(row, value, row.wanted or wanted)
    if row.words and value not in row.words:
        raise OptionError(
            spelled("{!r} is not a value of {}.", quote(str(value), 40), _named(row)),
            cure=f"Use {alternatives(row.words)}.",
        )


def _unfit(row: Option, value: Any, wanted: str) -> OptionError:
    shown = f"of the type {quote(type(value).__name__, 40)}"
    # A header may be a key, so only its type is named.
    if row.name != "header":
        # An object of the user's may raise anything, and Python writes no number of more than 4,300 digits.
        with suppress(Exception):
            shown = quote(repr(value), 60)
    return OptionError(spelled("{} is {}.", _named(row), shown), cure=f"Give {wanted}.")


def _named(row: Option) -> str | Spelling:
    # What is only a setting has no name on a line.
    return name_of(row.name) if "line" in row.places else row.name


def wrong_type(what: str, value: object, cure: str) -> OptionError:
    """Return the error for an argument whose type is none that it takes.

    Args:
        what: The argument.
        value: What was given.
        cure: What to give.

    >>> wrong_type("names", 3, "Give a dict.").message
    'names is of the type int.'
    """
    return OptionError(f"{what} is of the type {quote(type(value).__name__, 40)}.", cure=cure)
