"""One prompt asked several times at once, with something different in each column.

Each column is an `Exchange`; the pool looks at them in turn, in the thread of the caller, so drawing needs no
lock. What goes wrong in a column is that column's. Limits hold for all together.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from vertex_claude_magic import errors
from vertex_claude_magic.models.prices import usd_estimate, usd_limit
from vertex_claude_magic.records.budget import RunBudget
from vertex_claude_magic.session.exchange import ROUND, Exchange
from vertex_claude_magic.session.pool import Pool
from vertex_claude_magic.settings.limit_cures import priced, to_fit
from vertex_claude_magic.settings.registry import USD_LIMITS
from vertex_claude_magic.spelling import Spelling, name_of, option, spelled
from vertex_claude_magic.text import message_of, quote
from vertex_claude_magic.vertex.provenance import who_answered
from vertex_claude_magic.vertex.reply import Reply, answerer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.session.pool import Finished
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.registry import Option
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.events import Event

__all__ = [
    "MOST_COLUMNS",
    "ColumnQuestion",
    "ComparedColumn",
    "Comparison",
    "Replies",
    "check_asked",
    "check_varied",
    "log_failures",
    "variants",
]

# More columns are not read side by side.
MOST_COLUMNS = 8
# Why an option of a question is none of a comparison.
_REFUSED = {
    "chat": "a conversation continues from one answer, but a comparison has several",
    "new": "a conversation continues from one answer, but a comparison has several",
    "after": "a comparison asks each model the same question with nothing before it",
    "tools": "your functions would run once for each column",
}
_NEVER_VARIED = frozenset({*USD_LIMITS, "context", "with_"})
# A list in Python, and names between commas on a line.
_MODELS_OR_VARY = Spelling(
    "-m haiku,sonnet, or --vary effort=low,high",
    'models=["haiku", "sonnet"], or vary={"effort": ["low", "high"]}',
)
_log = logging.getLogger("vertex_claude_magic")


class ColumnQuestion(NamedTuple):
    """What one column asks.

    Args:
        label: What heads it: the values that differ.
        prompt: The prompt.
        target: Where it goes and how.
        scope: Where names are looked up.
    """

    label: str
    prompt: str | Sequence[Any]
    target: Target
    scope: Scope | None = None


class ComparedColumn:
    """One column while it is asked: its text so far, then its reply or its error."""

    def __init__(self, asked: ColumnQuestion) -> None:
        self.label = asked.label
        self.target = asked.target
        self.text = ""
        self.waits = ""
        self.reply: Reply | None = None
        self.error: Exception | None = None
        self.exchange: Exchange | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self.reply is not None or self.error is not None

    def add(self, events: Sequence[Event]) -> None:
        """Take in what has arrived."""
        for event in events:
            if event.type == "content_block_delta":
                kind, text = event.piece
                # Data come as JSON in place of text.
                if kind in {"text_delta", "input_json_delta"}:
                    self.text += text
            elif event.type == ROUND:
                self.text += f"\n\nThe first answer {event.data['reason']}.\n\n"

    def settled(self) -> Reply:
        """Return the reply, or as much of it as there is."""
        if self.reply is not None:
            return self.reply
        partial = getattr(self.error, "reply", None)
        if not isinstance(partial, Reply) and self.exchange is not None:
            partial = self.exchange.partial()
        if isinstance(partial, Reply):
            return partial
        return Reply(model=self.target.model, region=self.target.region)


class Replies(list[Reply]):
    """The replies of a comparison, in the order of its columns.

    Args:
        columns: The columns; one that failed has as much of a reply as had arrived.

    `labels` are the heads of the columns, and `errors` says for a column what went wrong, None where nothing did.
    """

    def __init__(self, columns: Sequence[ComparedColumn]) -> None:
        super().__init__(column.settled() for column in columns)
        self.labels = tuple(column.label for column in columns)
        self.errors = tuple(column.error for column in columns)
        self._made = tuple(self)

    def _heads(self) -> list[str]:
        """Return what to call each reply, also where the list was sorted or cut."""
        heads = {id(reply): label for reply, label in zip(self._made, self.labels, strict=True)}
        return [heads.get(id(reply), reply.model) for reply in self]

    def __repr__(self) -> str:
        return f"Replies({', '.join(map(repr, self._heads()))})"

    def _repr_markdown_(self) -> str:
        from vertex_claude_magic.markdown.sanitize import as_text, safe_markdown

        failed = {id(reply): error for reply, error in zip(self._made, self.errors, strict=True)}
        parts = []
        for head, reply in zip(self._heads(), self, strict=True):
            error = failed.get(id(reply))
            parts += [f"**{as_text(head)}**", safe_markdown(reply.text)]
            parts += [f"⚠ {as_text(message_of(error))}"] if error is not None else []
        # Each line once: mostly all columns were answered by the same.
        parts += dict.fromkeys(as_text(who_answered(answerer_of(reply))) for reply in self)
        return "\n\n".join(filter(None, parts))

    @property
    def df(self) -> pd.DataFrame:
        """A row for each column, as a pandas frame.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from vertex_claude_magic.frames.make import text_frame

        names = ("column", "model", "region", "text", "stop_reason", "first_token_seconds", "seconds",
                 "input_tokens", "output_tokens", "cost", "error")  # fmt: skip
        rows = [
            [label, reply.model, reply.region, reply.text, reply.stop_reason, reply.first_token_seconds, reply.seconds,
             reply.usage.input_tokens, reply.usage.output_tokens, reply.cost, None if error is None else str(error)]
            for label, reply, error in zip(self.labels, self, self.errors, strict=True)
        ]  # fmt: skip
        return text_frame(names, rows)


class _Asking:
    """A column as a call of the pool; a failure of it, the first one included, is raised by `poll`."""

    def __init__(self, column: ComparedColumn, changed: Callable[[], None]) -> None:
        self._column = column
        self._changed = changed
        try:
            # All are on their way before any is waited for.
            if column.exchange is not None:
                column.exchange.start()
        except errors.ClaudeError as error:
            column.error = error

    def poll(self, seconds: float) -> bool:
        exchange = self._column.exchange
        if exchange is None or self._column.error is not None:
            return True
        events = exchange.wait(seconds)
        if events:
            self._column.add(events)
            self._changed()
        return exchange.done

    def result(self) -> Reply:
        if self._column.error is not None:
            raise self._column.error
        assert self._column.exchange is not None  # noqa: S101 - else it has an error
        return self._column.exchange.reply

    def cancel(self) -> None:
        if self._column.exchange is not None:
            self._column.exchange.close()


class Comparison:
    """One prompt in several columns; `columns` has what has arrived so far.

    Args:
        session: The session that asks.
        asked: What each column asks.

    Raises:
        OptionError: there are fewer than two columns or more than eight, or nothing may be asked so.
    """

    def __init__(self, session: Session, asked: Sequence[ColumnQuestion]) -> None:
        if not 2 <= len(asked) <= MOST_COLUMNS:
            raise errors.OptionError(
                f"A comparison has 2 to {MOST_COLUMNS} columns, not {len(asked)}.",
                cure=spelled("Give {}, for example.", _MODELS_OR_VARY)
                if len(asked) < 2
                else "Compare fewer at once.",
            )
        for each in asked:
            check_asked(each.target)
        self._session = session
        alone = {"chat": None, "new": False, "after": None, "tools": ()}
        self._asked = [each._replace(target=each.target.replace(**alone)) for each in asked]
        self.columns = [ComparedColumn(each) for each in self._asked]

    def run(
        self, on_change: Callable[[], None] = lambda: None, stopped: Callable[[], bool] = lambda: False
    ) -> Replies:
        """Ask all columns and return their replies; one that fails leaves the others alone.

        What can be known before sending refuses all of them, so that no column is paid that has nothing beside it.

        Args:
            on_change: Called several times a second, in this thread.
            stopped: Asked now and then; once it says yes, what is still under way is cancelled.

        Raises:
            OptionError: a column cannot be asked as it stands.
            CostLimitExceeded: all columns together may cost more than `max_cost`.
            ClaudeError: every column failed; this is the error of the first.
            ClaudeInterrupt: the user stopped it; the columns hold what had arrived.
        """
        limits = [each.target.max_cost for each in self._asked if each.target.max_cost is not None]
        # The limit of a question holds for all columns together.
        limit = min(limits, default=None)
        budget = RunBudget(self._session.records.budget, limit=limit, name="comparison")
        for column, asked in zip(self.columns, self._asked, strict=True):

            def notify(reason: str, column: ComparedColumn = column) -> None:
                column.waits = reason

            target = asked.target.replace(max_cost=None)
            try:
                column.exchange = Exchange(
                    self._session, asked.prompt, target, scope=asked.scope, notify=notify, budget=budget
                )
            except errors.ReplayMiss as error:
                # Nothing is paid for the others, which are recorded.
                column.error = error
        if limit is not None:
            self._check_cost(limit)
        waiting = [column for column in self.columns if column.error is None]
        pool = Pool[ComparedColumn, Reply](lambda column: _Asking(column, on_change), at_once=MOST_COLUMNS)
        try:
            pool.run(waiting, self._take, tick=on_change, stopped=stopped)
        except errors.ClaudeInterrupt:
            if any(column.settled().text for column in self.columns):
                raise errors.ClaudeInterrupt(done="The answers up to here are saved.") from None
            raise
        finally:
            for column in waiting:
                if column.exchange is not None:
                    column.exchange.close()
        failed = [column.error for column in self.columns if column.error is not None]
        if len(failed) == len(self.columns):
            raise failed[0]
        return Replies(self.columns)

    def notices(self) -> list[str]:
        """Return what to say below the columns, each line once."""
        found = dict[str, None]()
        for column in self.columns:
            if column.exchange is not None and column.error is None:
                found.update((notice.text, None) for notice in column.exchange.notices())
        return [*found]

    def _take(self, finished: Finished[ComparedColumn, Reply]) -> None:
        column = finished.item
        column.reply, column.error, column.waits = finished.value, finished.error, ""

    def _check_cost(self, limit: float) -> None:
        total = 0.0
        for column in self.columns:
            cost = column.exchange.worst_case() if column.exchange is not None else 0.0
            if cost is None:
                raise errors.CostLimitExceeded(
                    f"The cost of {quote(column.label, 60)} is not known, so it may exceed the limit.",
                    cure=priced("max_cost", limit, "leave it out"),
                )
            total += cost
        if total > limit:
            raise errors.CostLimitExceeded(
                f"The columns may cost up to {usd_estimate(total)} together, more than the limit of "
                f"{usd_limit(limit)} (estimates).",
                cure=to_fit("max_cost", limit, "compare fewer"),
            )


def check_asked(target: Target) -> None:
    """Refuse options that a comparison does not take, with the reason.

    Raises:
        OptionError: one is given.
    """
    for name, why in _REFUSED.items():
        # A policy is written for all magics, and no user can leave out what it sets.
        if getattr(target, name, None) and target.origins.get(name) != "policy":
            raise _unsupported(name, why)
    if target.format == "code" and target.origins.get("format") in {"option", "saved prompt"}:
        raise errors.OptionError(
            spelled(
                "A comparison does not support {}: there are several answers but one new cell.",
                option("format", "code"),
            ),
            cure="Leave it out; each reply has its code in .code.",
        )


def can_vary(row: Option) -> bool:
    """Tell whether the values of an option can be compared: one value is one column.

    >>> from vertex_claude_magic.settings.registry import OPTIONS
    >>> can_vary(OPTIONS["effort"]), can_vary(OPTIONS["max_cost"]), can_vary(OPTIONS["stop"])
    (True, False, False)
    """
    if row.name in {*_REFUSED, *_NEVER_VARIED}:
        return False
    return "line" in row.places and row.kind != "display" and not row.repeatable


def check_varied(name: str, options: Mapping[str, Any] = MappingProxyType({})) -> None:
    """Refuse an option that cannot differ between columns.

    Args:
        name: The option.
        options: What is the same for all columns.

    Raises:
        OptionError: it cannot, or is among them.
    """
    if options.get(name) is not None:
        raise errors.OptionError(spelled("{} is given twice.", name_of(name)), cure="Set it once.")
    if why := _REFUSED.get(name):
        raise _unsupported(name, why)
    if name in _NEVER_VARIED:
        raise errors.OptionError(
            spelled("{} is the same for all columns.", name_of(name)), cure="Set it once."
        )


def _unsupported(name: str, why: str) -> errors.OptionError:
    return errors.OptionError(
        spelled("A comparison does not support {}: {}.", name_of(name), why),
        cure="Leave it out.",
    )


def variants(varied: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return for each column its head and the options that it has of its own.

    Raises:
        OptionError: values are not a list.

    >>> list(variants({"model": ["haiku", "sonnet"], "effort": ["low"]}))
    [('haiku · low', {'model': 'haiku', 'effort': 'low'}), ('sonnet · low', {'model': 'sonnet', 'effort': 'low'})]
    """
    from itertools import islice, product

    for name, values in varied.items():
        # Each letter of a text would be a column.
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise errors.OptionError(
                f"The values of {name} are not a list.",
                cure=spelled("Give {}, for example.", _MODELS_OR_VARY),
            )
    names = [*varied]
    # Enough to see that there are too many.
    for values in islice(product(*varied.values()), MOST_COLUMNS + 1):
        given = dict(zip(names, values, strict=True))
        heads = [
            f"{'' if isinstance(value, str) else f'{name} '}{quote(str(value), 40)}"
            for name, value in given.items()
        ]
        yield " · ".join(heads), given


def log_failures(replies: Replies) -> None:
    """Tell the log of a program which columns failed; a notebook shows it in the column."""
    for label, error in zip(replies.labels, replies.errors, strict=True):
        if error is not None:
            # The program has it too, in `errors`.
            if isinstance(error, errors.ClaudeError):
                error.spell_for_python()
            _log.warning("%s: %s", label, message_of(error))
