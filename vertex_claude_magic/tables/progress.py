"""How far a run over a table is: a value, the lines that say it, and the bar of terminals and logs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.text import number_of

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["Bar", "Progress", "Show"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is.

    Args:
        rows: How many rows there are to ask.
        answered: How many have an answer, by whatever way.
        asked: How many were sent in this run and are over, answered or failed.
        earlier: How many of them were answered by an earlier run.
        copies: How many of them are the same question as another row.
        replayed: How many of them are recorded answers.
        failed: How many failed, by the kind of the error.
        input_tokens: Input tokens so far.
        output_tokens: Output tokens so far.
        stopped: How many were under way when the run ended.
        cost: What was spent so far, in USD, at most where an answer broke off; None where a price is not known.
        open_cost: What of it is only the most that answers which broke off or were stopped may have cost.
        active: How many calls are under way.
        allowed: How many may be.
        pause: Seconds until the next call, because the service asked to wait; 0 if it did not.
        seconds: Seconds since the run began.
        paused: Seconds for which the service had the run wait.
        median: Seconds that half of the answers took at most, None before the first.
        errors_in: The column that has the errors of rows.
    """

    rows: int
    answered: int = 0
    asked: int = 0
    earlier: int = 0
    copies: int = 0
    replayed: int = 0
    failed: Mapping[str, int] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0
    stopped: int = 0
    cost: float | None = 0.0
    open_cost: float = 0.0
    active: int = 0
    allowed: int = 0
    pause: float = 0.0
    seconds: float = 0.0
    paused: float = 0.0
    median: float | None = None
    errors_in: str = "error"

    @property
    def failures(self) -> int:
        """How many rows failed."""
        return sum(self.failed.values())

    @property
    def done(self) -> int:
        """How many rows have an answer or an error."""
        return self.answered + self.failures

    @property
    def rate(self) -> float:
        """Rows a second that were asked in this run."""
        return self.asked / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take at this rate; None where that is not known yet."""
        return (self.rows - self.done) / self.rate if self.rate > 0 else None

    @property
    def expected(self) -> float | None:
        """What all rows will have cost in the end at this rate, in USD; None where that is not known."""
        if self.cost is None or not self.asked:
            return None
        return self.cost + self.cost / self.asked * (self.rows - self.done)

    @property
    def cost_text(self) -> str:
        """What was spent, and in brackets what it may be at most.

        >>> Progress(rows=2, cost=0.25, open_cost=0.05).cost_text
        '≈$0.20 (up to ≈$0.25)'
        """
        most = usd_estimate(self.cost)
        if self.cost is None or not self.open_cost:
            return most
        # Without the noise of binary fractions.
        return f"{usd_estimate(round(self.cost - self.open_cost, 12))} (up to {most})"

    def line(self) -> str:
        """Return one line for a run that goes on.

        >>> Progress(rows=10, answered=5, asked=5, cost=0.5, active=2, allowed=4, seconds=2.0).line()
        '5 of 10 rows · ≈$0.50 so far, ≈$1.00 expected · 2.5 rows/s · 2 of 4 active · 2.0 s left'
        """
        parts = [f"{self.done:,} of {number_of(self.rows, 'row')}{self._failed}"]
        if self.input_tokens or self.output_tokens:
            parts.append(f"{self.input_tokens:,} + {self.output_tokens:,} tokens")
        spent = f"{self.cost_text} so far"
        parts.append(spent if self.expected is None else f"{spent}, {usd_estimate(self.expected)} expected")
        if self.rate:
            parts.append(f"{self.rate:,.1f} rows/s")
        parts.append(f"{self.active:,} of {self.allowed:,} active")
        if self.pause >= 0.5:
            parts.append(f"paused for {math.ceil(self.pause):,} s, as the service asked")
        return " · ".join(filter(None, [*parts, self._left]))

    def beside_bar(self) -> str:
        """Return what goes beside a bar that counts the rows itself, on a line of 80 characters.

        >>> Progress(rows=10, answered=4, asked=5, failed={"BadRequest": 1}, cost=0.5, seconds=2.0).beside_bar()
        '1 failed · ≈$0.50 · 2.0 s left'
        """
        wait = f"paused for {math.ceil(self.pause):,} s" if self.pause >= 0.5 else self._left
        return " · ".join(filter(None, [self._failed.lstrip(", "), usd_estimate(self.cost), wait]))

    @property
    def _failed(self) -> str:
        return f", {self.failures:,} failed" if self.failures else ""

    @property
    def _left(self) -> str:
        return f"{_duration(self.left)} left" if self.left is not None else ""

    def summary(self) -> str:
        """Return one line for a run that is over: rows, failures by kind, cost, where the time went.

        >>> Progress(rows=2, answered=1, earlier=1, failed={"BadRequest": 1}, cost=0.25, seconds=2).summary()
        '2 rows: 1 answered (1 by an earlier run), 1 failed (BadRequest 1: see the column error). ≈$0.25. 2.0 s.'
        """
        ways = [
            f"{count:,} {what}"
            for count, what in (
                (self.earlier, "by an earlier run"),
                (self.replayed, "replayed"),
                (self.copies, "the same as another row"),
            )
            if count
        ]
        parts = [f"{self.answered:,} answered" + (f" ({', '.join(ways)})" if ways else "")]
        if self.failures:
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in Counter(self.failed).most_common())
            parts.append(f"{self.failures:,} failed ({kinds}: see the column {self.errors_in})")
        if self.stopped:
            parts.append(f"{self.stopped:,} stopped")
        if rest := self.rows - self.done - self.stopped:
            parts.append(f"{rest:,} not asked")
        time = _duration(self.seconds)
        if self.paused >= 0.5:
            time += f", {_duration(self.paused)} of it paused as the service asked"
        if self.median is not None:
            time += f", median {self.median:.1f} s per answer"
        return f"{number_of(self.rows, 'row')}: {', '.join(parts)}. {self.cost_text}. {time}."


Show = Callable[[Progress], None]


def _duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> _duration(0.62), _duration(59.2), _duration(61), _duration(7300)
    ('0.6 s', '59 s', '1 min 1 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


# Of tqdm: its own rate and times would say what the text beside the bar says.
_FORMAT = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"
# A log gets a line now and then, because it cannot take one back.
_LOG = {"mininterval": 10.0}


class Bar:
    """The bar of a terminal, or lines of a log, by tqdm.

    Args:
        file: Where it is written to.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._bar: Any = None

    def __call__(self, progress: Progress) -> None:
        """Draw it."""
        from tqdm import tqdm  # type: ignore[import-untyped]

        if self._bar is None:
            how: Mapping[str, object] = (
                {"mininterval": 0.25, "bar_format": _FORMAT} if self._file.isatty() else _LOG
            )
            self._bar = tqdm(total=progress.rows, file=self._file, unit="row", leave=True, **how)
        beside = progress.beside_bar() if self._file.isatty() else progress.line().partition(" · ")[2]
        self._bar.set_postfix_str(beside, refresh=False)
        self._bar.update(progress.done - self._bar.n)

    def close(self) -> None:
        """Leave it as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
