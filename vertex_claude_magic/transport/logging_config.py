"""Google's request-response logging as a value: read from a model's configuration, and laid into one.

The layout is that of the page "Log requests and responses" (Google Cloud docs, 2026-11). Everything beside
`loggingConfig`, and every field in it that is not known here, is left as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.text import quote

__all__ = ["LoggingConfig", "check_sample", "check_table", "is_table"]

_KEY = "loggingConfig"
# Project ids (with a domain in front where the project has one), then BigQuery's names of data sets and tables.
_PARTS = {
    "project": (
        r"(?:[a-z0-9.-]{1,255}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "6 to 30 lowercase letters, digits and hyphens",
    ),
    "dataset": (r"[A-Za-z0-9_]{1,1024}", "letters, digits and underscores"),
    "table": (r"[A-Za-z0-9_-]{1,1024}", "letters, digits, underscores and hyphens"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggingConfig:
    """Whether requests and responses are logged, what share of them (0 to 1), and to which BigQuery table."""

    enabled: bool = False
    sample: float | None = None
    table: str | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> LoggingConfig:
        """Read it from a model's configuration; what is missing is off, as in Google's own JSON.

        >>> LoggingConfig.of({"loggingConfig": {"enabled": True, "samplingRate": 0.5}}).sample
        0.5
        """
        logging = _part(config, _KEY)
        rate, uri = logging.get("samplingRate"), _part(logging, "bigqueryDestination").get("outputUri")
        return cls(
            enabled=logging.get("enabled") is True,
            sample=float(rate) if isinstance(rate, (int, float)) else None,
            table=uri if isinstance(uri, str) else None,
        )

    @property
    def share(self) -> str:
        """Which calls are logged, in words.

        >>> LoggingConfig(sample=0.1).share, LoggingConfig(sample=1.0).share, LoggingConfig().share
        ('10 % of calls', 'every call', 'a share of calls that is not stated')
        """
        if self.sample is None:
            return "a share of calls that is not stated"
        return "every call" if self.sample == 1 else f"{self.sample * 100:g} % of calls"

    def merged_into(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the configuration with this logging in it and every other field as it was.

        Switched off, the table and the share stay, so that it can be switched on again as it was.

        >>> LoggingConfig(enabled=False).merged_into({"dataSharingEnabledProvider": "ANTHROPIC"})
        {'dataSharingEnabledProvider': 'ANTHROPIC', 'loggingConfig': {'enabled': False}}
        """
        logging = {**_part(config, _KEY), "enabled": self.enabled}
        if self.sample is not None:
            logging["samplingRate"] = self.sample
        if self.table is not None:
            target = _part(logging, "bigqueryDestination")
            logging["bigqueryDestination"] = {**target, "outputUri": self.table}
        return {**config, _KEY: logging}

    def holds_in(self, config: Mapping[str, Any]) -> bool:
        """Tell whether a configuration logs as this says; Google keeps the share in single precision.

        >>> LoggingConfig(enabled=False).holds_in({})
        True
        """
        found = LoggingConfig.of(config)
        same_table = self.table in (None, found.table)
        same_share = self.sample is None or (
            found.sample is not None and math.isclose(self.sample, found.sample, rel_tol=1e-6)
        )
        return self.enabled == found.enabled and same_table and same_share


def check_table(text: str) -> str:
    """Return the address of a BigQuery table as Google wants it.

    Raises:
        OptionError: it names no project, data set and table.

    >>> check_table("bq://my-project.claude_logs.requests")
    'bq://my-project.claude_logs.requests'
    """
    what = f"{quote(text, 80)!r} is not a BigQuery table"
    # A domain before the project has dots of its own.
    parts = text.removeprefix("bq://").rsplit(".", 2)
    if not text.startswith("bq://") or len(parts) < len(_PARTS):
        raise OptionError(f"{what}.", cure="Use --table bq://project.dataset.table.")
    for part, (name, (form, allowed)) in zip(parts, _PARTS.items(), strict=True):
        if not re.fullmatch(form, part):
            raise OptionError(
                f"{what}: its {name} {quote(part, 40)!r} is not {allowed}.",
                cure="Correct it, or look it up in BigQuery.",
            )
    return text


def is_table(text: str) -> bool:
    """Tell whether a text is the address of a BigQuery table, and of nothing else.

    >>> is_table("bq://my-project.logs.rows"), is_table("bq://my-project.logs.rows'; rm")
    (True, False)
    """
    try:
        return check_table(text) == text
    except OptionError:
        return False


def check_sample(rate: float) -> float:
    """Return the share of calls to log.

    Raises:
        OptionError: it is not above 0 and at most 1.

    >>> check_sample(0.1)
    0.1
    """
    if not 0 < rate <= 1:
        raise OptionError(
            f"{rate:g} is not a valid fraction of calls.",
            cure="Use --sample with a number above 0, 1 for every call.",
        )
    return rate


def _part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = config.get(name)
    return part if isinstance(part, Mapping) else {}
