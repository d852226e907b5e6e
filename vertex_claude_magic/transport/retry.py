"""When a refused request is tried again, and after how long. Pure: the headers and a random number come in.

The rules are those of the official SDK (anthropic 2.12.0): 408, 409, 429 and 5xx are tried again, the
header `x-should-retry` decides first, `retry-after-ms` and `retry-after` name the wait. Other than there, a
`retry-after` of 0 means at once (RFC 9110, 10.2.3).
"""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["RetryPolicy", "asked_wait", "backoff", "http_date", "may_retry"]


# Seconds, some thirty years: a number that is larger is no wait that makes sense.
_LONGEST_ASKED = 1e9


# A tuple, because a data class takes four times as long to be made, and every first question waits for it.
class RetryPolicy(NamedTuple):
    """How patient the transport is; all times in seconds.

    Args:
        retries: How often a request is sent again at most.
        first_wait: The wait before the first of them, where the server names none.
        longest_backoff: The longest such wait; it doubles each time.
        longest_wait: The longest wait that the server may ask for; a longer one is an error that names it.
        connect: For a connection.
        silence: Without a byte.
        credentials: For a token.
    """

    retries: int = 2
    first_wait: float = 0.5
    longest_backoff: float = 8.0
    longest_wait: float = 60.0
    connect: float = 10.0
    silence: float = 300.0
    credentials: float = 12.0


def may_retry(status: int, headers: Mapping[str, str], error: errors.ClaudeError) -> bool:
    """Tell whether a refused request may be sent again.

    A quota that is used up may be zero, so it is tried again only where the server names a wait.
    """
    should = headers.get("x-should-retry", "").strip().lower()
    if should in {"true", "false"}:
        return should == "true"
    if isinstance(error, errors.QuotaExceeded):
        return "retry-after" in headers or "retry-after-ms" in headers
    # 511 is a captive portal (RFC 6585): it lets nothing through until somebody signs in.
    return status in {408, 409, 429} or (status >= 500 and status != 511)


def asked_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the wait in seconds that the server asks for; None if it names none that makes sense.

    >>> asked_wait({"retry-after": "5"}, datetime.now(timezone.utc))
    5.0
    >>> asked_wait({"retry-after": "-1"}, datetime.now(timezone.utc)) is None
    True
    """
    named = headers.get("retry-after")
    seconds = _number(headers.get("retry-after-ms"), 1000.0)
    if seconds is None:
        seconds = _number(named, 1.0)
    if seconds is not None:
        return seconds
    moment = http_date(named)
    left = (moment - now).total_seconds() if moment is not None else 0.0
    return left if left > 0 else None


def http_date(text: str | None) -> datetime | None:
    """Read the date of a header, with its time zone; None where there is none.

    >>> http_date("Sun, 06 Nov 1994 08:49:37 GMT").isoformat()
    '1994-11-06T08:49:37+00:00'
    """
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def _number(text: str | None, unit: float) -> float | None:
    try:
        value = float(text or "") / unit
    except ValueError:
        return None
    return value if 0 <= value <= _LONGEST_ASKED else None


def backoff(attempt: int, policy: RetryPolicy, random: Callable[[], float]) -> float:
    """Return the wait in seconds before the next attempt: doubled each time, up to a quarter less by chance.

    >>> backoff(0, RetryPolicy(), lambda: 0.0), backoff(9, RetryPolicy(), lambda: 1.0)
    (0.5, 6.0)
    """
    wait = min(policy.first_wait * 2.0**attempt, policy.longest_backoff)
    return wait * (1 - 0.25 * random())
