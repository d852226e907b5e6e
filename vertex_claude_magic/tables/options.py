"""The options that only a run over a table takes, and those of a question that it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.settings.options import check_value
from vertex_claude_magic.settings.registry import Option
from vertex_claude_magic.spelling import option, spelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MAP_OPTIONS", "REFUSED", "MapOptions", "map_options", "refuse_options", "taken_out"]

_COUNT = "a whole number above 0"
MAP_OPTIONS = (
    Option("max_active", "integer", 16, least=1, wanted=_COUNT, value="N",
           help="maximum number of rows asked at the same time (16)"),
    Option("rpm", "number", least=1e-3, wanted="a number of requests above 0", value="N",
           help="maximum number of requests per minute"),
    Option("on_error", default="return", words=("return", "stop"), value="HOW", candidates="words",
           help="when a row fails: return (its error goes into the column error) or stop"),
    Option("limit", "integer", least=1, wanted=_COUNT, value="N", help="ask only the first N rows"),
    Option("prefix", default="", value="TEXT", help="prefix for the names of all added columns"),
    Option("fresh", "flag", False, help="also ask the rows that an earlier run of this cell answered"),
)  # fmt: skip

# By the name of the option, why a table does not take it.
REFUSED: Mapping[str, str] = {
    "chat": "a conversation has one question at a time",
    "new": "a table does not belong to a conversation",
    "after": "a table does not belong to a conversation",
    "tools": "rows are asked in parallel, but your functions must not run in parallel",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class MapOptions:
    """The options of a run over a table; `rpm` counts requests a minute."""

    max_active: int = 16
    rpm: float | None = None
    on_error: str = "return"
    limit: int | None = None
    prefix: str = ""
    fresh: bool = False


def map_options(given: Mapping[str, Any]) -> tuple[MapOptions, dict[str, Any]]:
    """Take the options of a run out of all that are given; the rest are those of a question.

    Raises:
        OptionError: a value cannot be taken.

    >>> map_options({"limit": 5, "model": "haiku"})
    (MapOptions(max_active=16, rpm=None, on_error='return', limit=5, prefix='', fresh=False), {'model': 'haiku'})
    """
    own, asked = taken_out(MAP_OPTIONS, given)
    return MapOptions(**own), asked


def taken_out(rows: Sequence[Option], given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take some options out of all that are given, and return their values and the rest.

    Raises:
        OptionError: a value cannot be taken.
    """
    names = {row.name: row for row in rows}
    own = {name: value for name, value in given.items() if name in names and value is not None}
    for name, value in own.items():
        check_value(names[name], value)
    return own, {name: value for name, value in given.items() if name not in names}


def refuse_options(given: Mapping[str, Any], what: str) -> None:
    """Refuse the options of a question that a table does not take.

    Args:
        given: The options, by name.
        what: Who refuses, such as `%%claude_map`.

    Raises:
        OptionError: one of them is given; it says why.
    """
    for name, why in REFUSED.items():
        if given.get(name):
            raise OptionError(
                spelled(f"{what} does not take {{}}: {why}.", option(name)),
                cure="Leave it out, or ask in a cell of its own.",
            )
    if given.get("format") == "code":
        raise OptionError(
            spelled(
                f"{what} does not take {{}}: a table has no cell for the code of each row.",
                option("format", "code"),
            ),
            cure="Leave it out; the column answer contains the text.",
        )
