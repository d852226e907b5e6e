"""The files of a batch: one line of JSON for each row, written to disk as it is made."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from vertex_claude_magic.models.prices import cost
from vertex_claude_magic.spelling import in_python
from vertex_claude_magic.vertex.reply import CacheCreation, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.tables.questions import RowQuestions

__all__ = ["LineFile", "Lines", "MostCost", "custom_id", "question_lines", "row_of", "write_lines"]

# What the service may put before a prompt by itself, for tools and formats; generous.
_SERVICE_TOKENS = 2_000
# What a live call needs and a row does not have: the model is named by the job, and nothing is streamed.
_LEFT_OUT = frozenset({"stream", "model"})


def custom_id(batch: str, row: int) -> str:
    """Return the id of a row, by which its result is found: results come in any order.

    >>> custom_id("5f1a", 12), row_of("5f1a", "5f1a-12")
    ('5f1a-12', 12)
    """
    return f"{batch}-{row}"


def row_of(batch: str, name: str) -> int | None:
    """Return the row of an id, None if it is not of this batch."""
    found, _, number = name.rpartition("-")
    return int(number) if found == batch and number.isdecimal() and len(number) < 12 else None


@dataclass(eq=False, slots=True)
class LineFile:
    """One temporary file without a name, which is deleted when it is closed.

    Args:
        rows: How many lines it has.
        size: How many bytes.
        cost: The most that its rows may cost, in USD; None where a price is not known.
    """

    rows: int = 0
    size: int = 0
    cost: float | None = 0.0
    content: IO[bytes] = field(default_factory=tempfile.TemporaryFile, repr=False)

    def add(self, line: bytes, most: float | None) -> None:
        """Add a line, and the most that its row may cost."""
        self.content.write(line)
        self.rows += 1
        self.size += len(line)
        self.cost = None if self.cost is None or most is None else self.cost + most


@dataclass(eq=False, slots=True)
class Lines:
    """The files of a batch, and the rows that cannot be sent, each with the reason."""

    files: list[LineFile] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows go up."""
        return sum(file.rows for file in self.files)

    @property
    def cost(self) -> float | None:
        """The most that all rows may cost, in USD; None where a price is not known."""
        costs = [file.cost for file in self.files]
        return None if None in costs else sum(each or 0.0 for each in costs)


@contextmanager
def write_lines(
    rows: Iterable[tuple[int, bytes | str]], rows_per_job: int | None, most: MostCost
) -> Iterator[Lines]:
    """Write files of at most so many rows, and close them at the end.

    Args:
        rows: The place of each row, with its line, or why it cannot be sent.
        rows_per_job: The most rows of a file; None for one file.
        most: Tells what a line may cost.
    """
    lines = Lines()
    try:
        for row, line in rows:
            if isinstance(line, str):
                lines.errors[row] = line
                continue
            if not lines.files or (rows_per_job is not None and lines.files[-1].rows >= rows_per_job):
                lines.files.append(LineFile())
            lines.files[-1].add(line, most(line))
        yield lines
    finally:
        for file in lines.files:
            file.content.close()


class MostCost:
    """Tells the most that a line may cost in batch, in USD.

    Args:
        model: The row of the model, None if the table does not know it.
        location: Where the job runs.
        max_tokens: The longest answer, in tokens.
    """

    def __init__(self, model: Model | None, location: str, max_tokens: int) -> None:
        self._model, self._location, self._max_tokens = model, location, max_tokens
        self._window = (model.context_tokens if model is not None else None) or 1_000_000

    def __call__(self, line: bytes, max_tokens: int | None = None) -> float | None:
        """Return it: a token of text has at least one byte, and nothing is longer than the context window.

        Args:
            line: The line.
            max_tokens: Its longest answer, where it has one of its own.
        """
        if self._model is None:
            return None
        longest = self._max_tokens if max_tokens is None else max_tokens
        # A picture or a PDF may have more tokens than its text has bytes.
        attached = b'"base64"' in line or b'"url"' in line
        tokens = self._window if attached else min(len(line) + _SERVICE_TOKENS, self._window)
        usage = Usage(input_tokens=tokens, output_tokens=longest)
        if b'"cache_control"' in line:
            hour = tokens if b'"1h"' in line else 0
            written = CacheCreation(ephemeral_5m_input_tokens=tokens - hour, ephemeral_1h_input_tokens=hour)
            usage = Usage(cache_creation_input_tokens=tokens, output_tokens=longest, cache_creation=written)
        return cost(self._model, self._location, usage, batch=True)


def question_lines(
    questions: RowQuestions, batch: str, more: Mapping[str, Any]
) -> Iterator[tuple[int, bytes | str]]:
    """Yield the line of each row, or why it cannot be sent.

    Args:
        questions: The questions of the table.
        batch: The id of the batch.
        more: Fields that go into every row.
    """
    for chunk in questions.chunks(0, questions.rows.count):
        for each in chunk:
            if each.question is None:
                error = each.error
                yield each.index, f"{type(error).__name__}: {in_python(error.message) if error else ''}"
                continue
            body = {name: part for name, part in each.question.request.body.items() if name not in _LEFT_OUT}
            line = {"custom_id": custom_id(batch, each.index), "request": {**body, **more}}
            text = json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            yield each.index, text.encode("utf-8", "replace") + b"\n"
