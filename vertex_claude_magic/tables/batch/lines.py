"""The files of a batch: one line of JSON for each row that asks something new, written to disk as it is made."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from vertex_claude_magic.models.prices import sum_of_costs
from vertex_claude_magic.records.budget import token_bound, worst_case
from vertex_claude_magic.tables.columns import error_text
from vertex_claude_magic.vertex.digest import BETA_HEADER
from vertex_claude_magic.vertex.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.tables.questions import RowQuestion, RowQuestions

__all__ = [
    "Line",
    "LineFile",
    "Lines",
    "Prepared",
    "custom_id",
    "first_rows",
    "most_of",
    "question_lines",
    "row_of",
    "row_request",
    "write_lines",
]

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


def row_request(body: Mapping[str, Any], model: str, location: str) -> Request:
    """Return the request of a row as one of its own, at the location of its job.

    Args:
        body: What the row has of it; betas are a field of it, because it carries no headers.
        model: The id on Vertex AI.
        location: Where the job runs.
    """
    betas = body.get("anthropic_beta")
    headers = {BETA_HEADER: ",".join(map(str, betas))} if isinstance(betas, list) else {}
    return Request(url="", headers=headers, body=body, model=model, project="", region=location)


def most_of(request: Request, catalog: Catalog) -> float | None:
    """Return the most that a row may cost, in USD; None where that is not known.

    One without messages or a longest answer fails, and costs nothing.
    """
    body = request.body
    if not isinstance(body.get("messages"), list) or body.get("max_tokens") is None:
        return 0.0
    try:
        return worst_case(request, catalog, token_bound(request, catalog), batch=True)
    except RecursionError:
        # JSON may be nested more deeply than it can be searched for attachments.
        return None


@dataclass(frozen=True, slots=True)
class Line:
    """The request of a row.

    Args:
        name: Its `custom_id`, by which its result is found.
        request: What is asked.
    """

    name: str
    request: Request

    @property
    def content(self) -> bytes:
        """The line of the file: one JSON object."""
        name = json.dumps(self.name, ensure_ascii=False).encode("utf-8", "replace")
        return b'{"custom_id":' + name + b',"request":' + self.request.payload + b"}\n"


# The place of a row, and its line, why it cannot be sent, or the place of the first row that asks the same.
Prepared: TypeAlias = tuple[int, Line | str | int]


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
        self.cost = sum_of_costs((self.cost, most))


@dataclass(eq=False, slots=True)
class Lines:
    """The files of a batch.

    Args:
        files: The files.
        errors: The rows that cannot be sent, each with the reason.
        copies: By a row, the later ones that ask the same, which are not sent.
    """

    files: list[LineFile] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)
    copies: dict[int, list[int]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows go up."""
        return sum(file.rows for file in self.files)

    @property
    def notice(self) -> str:
        """The notice on rows that ask the same as another one; empty if there are none."""
        same = sum(map(len, self.copies.values()))
        if same == 1:
            return "1 row asks the same as an earlier row, whose answer it gets."
        return f"{same:,} rows ask the same as an earlier row, whose answer they get." if same else ""


@contextmanager
def write_lines(rows: Iterable[Prepared], rows_per_job: int | None, catalog: Catalog) -> Iterator[Lines]:
    """Write files of at most so many rows, and close them at the end.

    Args:
        rows: The rows.
        rows_per_job: The most rows of a file; None for one file.
        catalog: The model table, for what a row may cost.
    """
    lines = Lines()
    try:
        for row, line in rows:
            if isinstance(line, str):
                lines.errors[row] = line
                continue
            if isinstance(line, int):
                lines.copies.setdefault(line, []).append(row)
                continue
            if not lines.files or (rows_per_job is not None and lines.files[-1].rows >= rows_per_job):
                lines.files.append(LineFile())
            lines.files[-1].add(line.content, most_of(line.request, catalog))
        yield lines
    finally:
        for file in lines.files:
            file.content.close()


def first_rows(questions: RowQuestions) -> Iterator[tuple[RowQuestion, int]]:
    """Yield each row with the place of the first one that asks the same, which may be its own."""
    # In a temporary file, because the digests of a million rows would take more memory than all else. What is stopped
    # half way may be closed in any thread.
    with closing(sqlite3.connect("", check_same_thread=False)) as file:
        file.execute("CREATE TABLE first (digest BLOB PRIMARY KEY, place INTEGER) WITHOUT ROWID")
        for chunk in questions.chunks(questions.rows.count):
            for row in chunk:
                if row.question is None:
                    yield row, row.index
                    continue
                digest = row.question.request.parts.digest
                file.execute("INSERT OR IGNORE INTO first VALUES (?, ?)", (digest, row.index))
                ((first,),) = file.execute("SELECT place FROM first WHERE digest = ?", (digest,))
                yield row, first


def question_lines(
    questions: RowQuestions, batch: str, location: str, more: Mapping[str, Any]
) -> Iterator[Prepared]:
    """Yield each row, made ready.

    Args:
        questions: The questions of the table.
        batch: The id of the batch.
        location: Where its jobs run.
        more: Fields that go into every row.
    """
    for each, first in first_rows(questions):
        if each.question is None:
            yield each.index, error_text(each.error) if each.error is not None else ""
            continue
        if first != each.index:
            yield each.index, first
            continue
        asked = each.question.request
        body = {name: part for name, part in asked.body.items() if name not in _LEFT_OUT}
        request = row_request({**body, **more}, asked.model, location)
        yield each.index, Line(custom_id(batch, each.index), request)
