"""What a model table file must look like, field by field.

The checks are data: for each kind of object a table of its fields and what each may hold. They run over
a user's own table file when it is read, and over the package's file in the tests.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, NamedTuple

from vertex_claude_magic.models.model import Model, Prices, Rules, Tier
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from vertex_claude_magic.json_types import Json

__all__ = ["table_problems"]


def table_problems(table: Json, base: Mapping[str, Mapping[str, Json]] | None = None) -> Iterator[str]:
    """Say what is wrong with a parsed table, place by place; nothing for a sound one.

    Args:
        table: The parsed JSON of a table file.
        base: The table that it is laid over, whose entries need not be given in full.

    >>> list(table_problems({"models": [{"id": "claude-x", "family": 5}]}))
    ['models[0].family must be a non-empty string, not 5']
    """
    base = base or {}
    yield from _check(table, _TABLE, "the file")
    if not isinstance(table, dict):
        return
    for section, kinds in _SECTIONS.items():
        known = base.get(section, {})
        for name, entry in _object(table.get(section)).items():
            needed = () if name in known else _REQUIRED.get(section, ())
            yield from _check(entry, kinds, f"{section}[{_shown(name)}]", needed)
    # A row may name a rule set of the same file or one of the package.
    rules = {*base.get("rule_sets", ()), *_object(table.get("rule_sets"))}
    for number, row in enumerate(_list(table.get("models"))):
        place = f"models[{number}]"
        yield from _check(row, _ROW, place, ("id",))
        fields = _object(row)
        named = fields.get("rules")
        if isinstance(named, str) and named not in rules:
            yield f"{place}.rules names {_shown(named)}, which is not a rule set"
        prices = _object(fields.get("prices"))
        yield from _check(prices, _PRICES, f"{place}.prices")
        for index, tier in enumerate(_list(prices.get("tiers"))):
            yield from _check(tier, _TIER, f"{place}.prices.tiers[{index}]")


class _Kind(NamedTuple):
    expected: str
    holds: Callable[[Json], bool]


def _is_texts(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _is_date(value: Json) -> bool:
    from datetime import date

    # date.fromisoformat of Python 3.11 takes more forms than 3.10.
    if not isinstance(value, str) or len(value) not in (4, 7, 10):
        return False
    try:
        return bool(date.fromisoformat((value + "-01-01")[:10]))
    except ValueError:
        return False


def _or_null(kind: _Kind) -> _Kind:
    return _Kind(f"{kind.expected} or null", lambda value: value is None or kind.holds(value))


def _one_of(*words: str) -> _Kind:
    return _Kind(f"one of {', '.join(words)}", lambda value: value in words)


def _list_of(*words: str) -> _Kind:
    return _Kind(
        f"a list out of {', '.join(words)}", lambda value: _is_texts(value) and {*_list(value)} <= {*words}
    )


_TEXT = _Kind("a non-empty string", lambda value: isinstance(value, str) and bool(value))
_TEXTS = _Kind("a list of strings", _is_texts)
_FLAG = _Kind("true or false", lambda value: isinstance(value, bool))
_COUNT = _Kind("a whole number above 0", lambda value: type(value) is int and value > 0)
_COUNTS = _Kind(
    "an object of whole numbers above 0",
    lambda value: isinstance(value, dict) and all(_COUNT.holds(item) for item in value.values()),
)
_FLOOR = _Kind("a whole number", lambda value: type(value) is int and value >= 0)
_NUMBER = _Kind(
    "a number, 0 or more",
    # True and False are ints in Python; NaN and infinity pass json.loads.
    lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf,
)
_DATE = _Kind("a date (YYYY, YYYY-MM or YYYY-MM-DD)", _is_date)
_OBJECT = _Kind("an object", lambda value: isinstance(value, dict))
_LIST = _Kind("a list", lambda value: isinstance(value, list))
_LEVELS = ("low", "medium", "high", "xhigh", "max")
# By the annotations of the rows that are made of the file.
_BY_TYPE = {
    "str": _TEXT,
    "str | None": _or_null(_TEXT),
    "tuple[str, ...]": _TEXTS,
    "tuple[str, ...] | None": _or_null(_TEXTS),
    "bool": _FLAG,
    "bool | None": _or_null(_FLAG),
    "int": _COUNT,
    "int | None": _or_null(_COUNT),
    "float": _NUMBER,
    "float | None": _or_null(_NUMBER),
}


def _fields(row: type, **narrower: _Kind) -> dict[str, _Kind]:
    return {name: narrower.get(name) or _BY_TYPE[kind] for name, kind in row.__annotations__.items()}


_DATES = ("released", "deprecated_on", "retired_on", "not_sooner_than", "api_retired_on")
_ROW = _fields(
    Model,
    lifecycle=_one_of("active", "deprecated", "retired", "limited"),
    rules=_or_null(_TEXT),
    prices=_OBJECT,
    **dict.fromkeys(_DATES, _or_null(_DATE)),
)
_PRICES = _fields(Prices, tiers=_LIST)
# The fee of all models is a fact about the service.
del _PRICES["web_search"]
_TIER = _fields(Tier, over_input_tokens=_FLOOR)
_RULES = _fields(
    Rules,
    thinking=_list_of("enabled", "adaptive", "disabled", "between_tools"),
    thinking_default=_one_of("off", "adaptive", "always"),
    disabled_max_effort=_or_null(_one_of(*_LEVELS)),
    effort=_list_of(*_LEVELS),
    default_effort=_or_null(_one_of(*_LEVELS)),
    system_messages=_one_of("obeyed", "ignored", "refused"),
    preserved_thinking=_or_null(_one_of("every account", "new accounts")),
)
_LIMITS = (
    *("bytes", "messages", "labels", "tokens", "base64_bytes", "count", "count_under_1m_context"),
    *("pixels_per_side", "pixels_per_side_over_20", "pages", "pages_under_1m_context", "max_tokens", "jobs"),
)
_SERVICE_LISTS = (
    *("locations", "older_locations", "refused_tools", "accepted", "refused_in_count", "sources"),
    *("disagreements", "models"),
)
_SECTIONS: Mapping[str, Mapping[str, _Kind]] = {
    "sources": {"title": _TEXT, "date": _DATE},
    "locations": {"members": _TEXTS, "note": _TEXT, "sources": _TEXTS},
    "api_versions": {"refuses": _TEXTS, "note": _TEXT, "sources": _TEXTS},
    "limits": {**dict.fromkeys(_LIMITS, _COUNT), "by_model": _COUNTS, "types": _TEXTS, "sources": _TEXTS},
    "services": {
        "usd_per_1000": _NUMBER,
        "tool": _TEXT,
        **dict.fromkeys(_SERVICE_LISTS, _TEXTS),
    },
    "rule_sets": _RULES,
}
_TABLE = {"as_of": _DATE, "models": _LIST, **dict.fromkeys(_SECTIONS, _OBJECT)}
_REQUIRED = {"sources": ("title", "date"), "locations": ("members", "note"), "api_versions": ("refuses",)}


def _check(value: Json, kinds: Mapping[str, _Kind], place: str, needed: Iterable[str] = ()) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place} must be an object, not {_shown(value)}"
        return
    prefix = "" if place == "the file" else f"{place}."
    for name, item in value.items():
        kind = kinds.get(name)
        if kind is None:
            yield f"{place} has a field {_shown(name)}, which is not one of {', '.join(kinds)}"
        elif not kind.holds(item):
            yield f"{prefix}{name} must be {kind.expected}, not {_shown(item)}"
    for name in needed:
        if name not in value:
            yield f"{place} needs the field {name}"


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else []


def _shown(value: Json) -> str:
    return quote(json.dumps(value, ensure_ascii=False), 40)
