"""The results of a batch as columns of its table: every row in its place, in whatever order results come."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.answers.read import json_values
from vertex_claude_magic.answers.repair import fitted
from vertex_claude_magic.models.prices import sum_of_costs
from vertex_claude_magic.tables.columns import UNANSWERED, error_text, report_names, report_of, values_of
from vertex_claude_magic.tables.values import json_value
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.reply import CacheCreation, Usage, cost
from vertex_claude_magic.vertex.reply_builder import ReplyBuilder

if TYPE_CHECKING:
    from vertex_claude_magic.answers.repair import TypedQuestion
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.tables.columns import Added
    from vertex_claude_magic.tables.rows import Rows

__all__ = ["Cells", "Results", "fingerprint", "read_results"]

_QUOTED = 200
_CHUNK = 1_000


class Cells(Sequence[Any]):
    """The values of a column that is being filled; numbers take eight bytes each.

    >>> cells = Cells("integer", 2)
    >>> cells[0] = 5
    >>> list(cells)
    [5, None]
    """

    def __init__(self, kind: str, size: int) -> None:
        code = {"integer": "q", "number": "d"}.get(kind)
        self._numbers = array(code, bytes(8 * size)) if code is not None else None
        self._known = bytearray(size) if code is not None else None
        self._values: list[Any] = [] if code is not None else [None] * size
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(self._size))]
        if self._numbers is None or self._known is None:
            return self._values[place]
        # The array raises IndexError at the end, which ends a loop.
        number = self._numbers[place]
        return number if self._known[place] else None

    def __setitem__(self, place: int, value: Any) -> None:
        if self._numbers is None or self._known is None:
            self._values[place] = value
            return
        self._known[place] = value is not None
        self._numbers[place] = 0 if value is None else value


@dataclass(eq=False, slots=True)
class Results:
    """The columns of a batch, filled from its results.

    Args:
        place: Returns the row of a `custom_id`, None if it is none of this batch.
        added: The columns.
        rows: How many rows the table has.
        model: The row of the model, for the cost.
        location: Where the jobs ran.
        typed: What an answer must look like, None for text.
        by_schema: Whether `typed` is only the schema of a type that is not known here.

    `undecided` are rows whose answer is JSON that the schema refuses, where the type might take it: it may convert
    values, or have names of its own for them.
    """

    place: Callable[[str], int | None]
    added: Sequence[Added]
    rows: int
    model: Model | None
    location: str
    typed: TypedQuestion | None
    by_schema: bool = False
    undecided: set[int] = field(default_factory=set)
    values: dict[str, Cells] = field(init=False)
    known: bytearray = field(init=False)
    lines: int = 0
    unassigned: int = 0

    def __post_init__(self) -> None:
        self.values = {column.name: Cells(column.kind, self.rows) for column in self.added}
        self.known = bytearray(self.rows)

    @property
    def _error(self) -> Cells:
        return self.values[report_names(self.added)[0]]

    def fail(self, row: int, text: str) -> None:
        """Say why a row has no answer."""
        self._error[row] = text
        self.known[row] = 1

    def copy(self, first: int, rows: Iterable[int]) -> None:
        """Give rows what another one has, if that is known: it cost nothing and took no tokens."""
        if not self.known[first]:
            return
        error, _, *counts = report_names(self.added)
        none = 0 if self.values[error][first] is None else None
        for row in rows:
            for name, cells in self.values.items():
                cells[row] = none if name in counts else cells[first]
            self.known[row] = 1
            if first in self.undecided:
                self.undecided.add(row)

    def failed(self) -> Iterator[int]:
        """Yield the rows that have an error."""
        error = self._error
        return (row for row in range(self.rows) if error[row] is not None)

    def take(self, line: Mapping[str, Any], seen: bytearray) -> tuple[Usage, float | None] | None:
        """Take one line of results, and return what was used and its cost in USD; None where nothing was used.

        Args:
            line: The line.
            seen: For each row whether it came from the same job before.
        """
        row = self.place(str(line.get("custom_id") or ""))
        if row is None or row >= self.rows:
            self.unassigned += 1
            return None
        if seen[row]:
            return None
        seen[row] = 1
        for cells in self.values.values():
            # An earlier attempt may have left an error, and tokens of an answer that did not fit.
            cells[row] = None
        self.known[row] = 1
        self.undecided.discard(row)
        message = _message(line.get("response"))
        if message is None:
            self.fail(row, f"RowFailed: {quote(_reason(line.get('status')), 2 * _QUOTED)}")
            return None
        builder = ReplyBuilder()
        builder.add_message(message)
        reply = builder.reply()
        usage = reply.usage
        price = None
        if self.model is not None and usage.counted:
            price = cost(self.model, self.location, usage, batch=True)
        whole = replace(reply, cost=price)
        shape = self.typed.shape if self.typed is not None else None
        why = UNANSWERED.get(reply.stop_reason or "")
        try:
            if self.typed is not None:
                whole = fitted(whole, self.typed)
            found = values_of(self.added, whole, shape)
        except errors.ClaudeError as error:
            found = report_of(self.added, whole)
            why = error_text(error)
            called = any(block.get("type") == "tool_use" for block in reply.blocks)
            has_json = called or any(True for _ in json_values(reply.text))
            if self.by_schema and isinstance(error, errors.AnswerInvalid) and has_json:
                self.undecided.add(row)
        for name, value in found.items():
            self.values[name][row] = value
        self._error[row] = why
        return usage, price


def _message(response: Json) -> Mapping[str, Json] | None:
    if isinstance(response, str):
        # BigQuery has it as a text.
        try:
            response = json.loads(response)
        except (ValueError, RecursionError):
            return None
    if isinstance(response, Mapping) and isinstance(response.get("content"), list):
        return response
    return None


def _reason(status: Json) -> str:
    """Return the words of a row's status, which may be the error of the service as JSON."""
    text = str(status or "the result contains no message")
    try:
        error = json.loads(text).get("error")
        return str(error["message"])
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return text


def read_results(results: Results, lines: Iterator[bytes]) -> tuple[Usage, float | None]:
    """Take the lines of a job, and return what was used together and its cost in USD (None where it is not known).

    A line that is not JSON cannot be assigned; its row counts as not answered.
    """
    seen = bytearray(results.rows)
    counted: Counter[str] = Counter()
    total: float | None = 0.0
    for line in lines:
        results.lines += 1
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            results.unassigned += bool(line.strip())
            continue
        taken = results.take(found if isinstance(found, Mapping) else {}, seen)
        if taken is None:
            continue
        used, price = taken
        one_hour = used.cache_creation.ephemeral_1h_input_tokens if used.cache_creation else 0
        counted += Counter(
            input=used.input_tokens, output=used.output_tokens, write=used.cache_creation_input_tokens,
            read=used.cache_read_input_tokens, hour=one_hour,
        )  # fmt: skip
        total = sum_of_costs((total, price))
    creation = CacheCreation(ephemeral_1h_input_tokens=counted["hour"]) if counted["hour"] else None
    whole = Usage(
        input_tokens=counted["input"],
        output_tokens=counted["output"],
        cache_creation_input_tokens=counted["write"],
        cache_read_input_tokens=counted["read"],
        cache_creation=creation,
    )
    return whole, total


def fingerprint(rows: Rows, names: Sequence[str]) -> str:
    """Return the hash of the columns of a table that a prompt used, in the order of the rows.

    Raises:
        OptionError: the table lacks one of the columns, or has it twice.
    """
    places = []
    for name in names:
        place = rows.place(name)
        if place is None:
            raise errors.OptionError(
                f"The table has no column {quote(name, 60)!r}.", cure="Use the table of the batch."
            )
        places.append(place)
    digest = sha256(str(rows.count).encode())
    for start in range(0, rows.count, _CHUNK):
        for record in rows.records(start, min(start + _CHUNK, rows.count), places):
            digest.update(_record(record).encode("utf-8", "replace"))
    return digest.hexdigest()


def _record(record: Mapping[str, Any]) -> str:
    try:
        return json.dumps([json_value(value, "") for value in record.values()])
    except errors.OptionError:
        # What has no form in JSON was not sent.
        return "[]"
