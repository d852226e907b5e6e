"""The options of the magics that ask no question; parser, Tab completion and help read them here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.settings.registry import OPTIONS, Option

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DOCTOR_OPTIONS", "LOGGING_OPTIONS", "MODELS_OPTIONS", "places"]

_REGION = OPTIONS["region"]
_MODEL, _PROJECT, _HELP = OPTIONS["model"], OPTIONS["project"], OPTIONS["help"]

MODELS_OPTIONS = (
    _REGION._replace(kind="texts", help="a location, or several: us,eu"),
    _PROJECT,
    Option("check", "flag", help="ask which models this project may call there; free, no text of yours"),
    Option("probe", "flag", help="the same by one-token questions, which cost and prove more"),
    Option("live", "flag", help="hold the table against Google's own list of models"),
)
LOGGING_OPTIONS = (
    Option("table", value="URI", help="the BigQuery table, bq://project.dataset.table"),
    Option("sample", "number", value="RATE", help="the share of calls, above 0 and at most 1"),
    _MODEL, _REGION, _PROJECT,
)  # fmt: skip
DOCTOR_OPTIONS = (
    _MODEL, _REGION, _PROJECT, _HELP,
    Option("probe", "flag", help="also ask for one token, which costs a fraction of a cent"),
    Option("report", value="FILE", help="write the result to a text file without names"),
    Option("with_names", "flag", help="keep email, project and paths in the report"),
)  # fmt: skip


def places(given: Iterable[str]) -> tuple[str, ...]:
    """Return the locations that were named, each once; several may stand in one value.

    >>> places(["us,eu", "us"])
    ('us', 'eu')
    """
    named = (place.strip() for value in given for place in value.split(","))
    return tuple(dict.fromkeys(place for place in named if place))
