"""What has come of the rows of a run: the values of the added columns, and the sums."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.tables.columns import UNANSWERED, error_text, report_names, report_of, values_of
from vertex_claude_magic.tables.result import with_columns

if TYPE_CHECKING:
    from vertex_claude_magic.tables.questions import RowQuestion, RowQuestions
    from vertex_claude_magic.tables.rows import MadeTable
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["Outcome"]


class Outcome:
    """The outcome of a run so far.

    Identical questions are asked once, by the first row that has them; the others get what that one gets.

    Args:
        questions: The questions of the rows.
    """

    def __init__(self, questions: RowQuestions) -> None:
        self.answered = self.asked = self.earlier = self.copied = self.replayed = 0
        # By the kind of the error.
        self.failed: Counter[str] = Counter()
        self.input_tokens = self.output_tokens = 0
        self._questions = questions
        rows = questions.rows.count
        self._values: dict[str, list[Any]] = {column.name: [None] * rows for column in questions.added}
        report = report_names(questions.added)
        self._error, self._stop_reason, self._input, self._output, self._cost = report
        # By the digest of a question, the first row that asks it; and the rows that wait for the outcome of that one.
        self._first: dict[bytes, int] = {}
        self._waiting: dict[int, list[int]] = {}
        # Whether each row is over.
        self._over = bytearray(rows)

    def table(self) -> MadeTable:
        """Return the table with what is known so far; the rows without an answer are empty there."""
        return with_columns(self._questions.rows, self._questions.added, self._values)

    def is_new(self, row: RowQuestion) -> bool:
        """Tell whether a row has to be asked; any other has its outcome, or gets that of the row that asks the same."""
        if row.question is None:
            assert row.error is not None  # noqa: S101 - one of the two is there
            self.fail(row.index, row.error)
            return False
        first = self._first.setdefault(row.question.request.parts.digest, row.index)
        if first == row.index:
            return True
        if self._over[first]:
            self._copy(first, row.index)
        else:
            self._waiting.setdefault(first, []).append(row.index)
        return False

    def add(self, index: int, reply: Reply) -> None:
        """Put a whole answer into the columns."""
        if not reply.replayed:
            self._count(reply)
        typed, added = self._questions.typed, self._questions.added
        try:
            values = values_of(added, reply, typed.shape if typed is not None else None)
        except errors.OptionError as error:
            # It is paid all the same.
            for name, value in report_of(added, reply).items():
                self._values[name][index] = value
            self.fail(index, error)
            return
        for name, value in values.items():
            self._values[name][index] = value
        why = UNANSWERED.get(reply.stop_reason or "")
        if why is None:
            self.answered += 1
        else:
            self._values[self._error][index] = why
            self.failed[why.partition(":")[0]] += 1
        self._end(index)

    def fail(self, index: int, error: errors.ClaudeError) -> None:
        """Put an error into the columns, with what is known of an answer that ended in it."""
        partial = error.reply
        if partial is not None:
            self._count(partial)
            self._values[self._stop_reason][index] = partial.stop_reason
            self._values[self._input][index] = partial.usage.total_input_tokens
            # Of an answer that broke off the service has not counted them.
            counted = partial.complete or partial.cost is not None
            self._values[self._output][index] = partial.usage.output_tokens if counted else None
            self._values[self._cost][index] = partial.cost
        self._values[self._error][index] = error_text(error)
        self.failed[type(error).__name__] += 1
        self._end(index)

    def _count(self, reply: Reply) -> None:
        self.input_tokens += reply.usage.total_input_tokens
        self.output_tokens += reply.usage.output_tokens

    def _end(self, index: int) -> None:
        self._over[index] = True
        for copy in self._waiting.pop(index, ()):
            self._copy(index, copy)

    def _copy(self, first: int, index: int) -> None:
        """Give a row the outcome of another one that asks the same, which cost nothing and took no tokens."""
        for values in self._values.values():
            values[index] = values[first]
        error = self._values[self._error][first]
        if error is not None:
            self.failed[error.partition(":")[0]] += 1
            for name in (self._input, self._output, self._cost):
                self._values[name][index] = None
            return
        self._values[self._input][index] = self._values[self._output][index] = 0
        self._values[self._cost][index] = 0.0
        self.copied += 1
        self.answered += 1
