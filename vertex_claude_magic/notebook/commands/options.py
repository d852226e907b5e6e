"""The options of the magics that ask no question; parser, Tab completion and help read them here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.options import OPTIONS, Option
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DOCTOR_OPTIONS", "LOGGING_OPTIONS", "MODELS_OPTIONS", "places"]

_SHARED = {option.long: option for option in OPTIONS}


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"{quote(text, 40)!r} is no number.", cure="Write a number such as 0.1.") from None


MODELS_OPTIONS = (
    Option(long="--region", short="-r", value="LOC", repeatable=True, help="a location, or several: us,eu"),
    _SHARED["--project"],
    Option(long="--check", help="ask which models this project may call there; free, no text of yours"),
    Option(long="--probe", help="the same by one-token questions, which cost and prove more"),
    Option(long="--live", help="hold the table against Google's own list of models"),
)
LOGGING_OPTIONS = (
    Option(long="--table", value="URI", help="the BigQuery table, bq://project.dataset.table"),
    Option(long="--sample", value="RATE", read=_share, help="the share of calls, above 0 and at most 1"),
    *(_SHARED[name] for name in ("--model", "--region", "--project")),
)
DOCTOR_OPTIONS = (
    *(_SHARED[name] for name in ("--model", "--region", "--project", "--help")),
    Option(long="--probe", help="also ask for one token, which costs a fraction of a cent"),
    Option(long="--report", value="FILE", help="write the result to a text file without names"),
    Option(long="--with-names", help="keep email, project and paths in the report"),
)


def places(given: Iterable[str]) -> tuple[str, ...]:
    """Return the locations that were named, each once; several may stand in one value.

    >>> places(["us,eu", "us"])
    ('us', 'eu')
    """
    named = (place.strip() for value in given for place in value.split(","))
    return tuple(dict.fromkeys(place for place in named if place))
