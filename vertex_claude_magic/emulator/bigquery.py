"""BigQuery: tables, and the two routes of BigQuery's REST API that google-cloud-bigquery reads a table with (3.47).

A column is a text (STRING), or JSON where one of its values is a dict or a list.
"""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING
from urllib.parse import unquote

from vertex_claude_magic.emulator.http.response import Received, Response, json_response
from vertex_claude_magic.emulator.messages.problems import google_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vertex_claude_magic.json_types import Json

__all__ = ["Tables", "is_table_path"]

_PATH = re.compile(
    r"/bigquery/v2/projects/(?P<project>[^/]+)/datasets/(?P<dataset>[^/]+)/tables/(?P<table>[^/]+)(?P<data>/data)?"
)
_PAGE = 1_000


def is_table_path(path: str) -> bool:
    """Tell whether a path is one of these routes."""
    return _PATH.fullmatch(path) is not None


class Tables:
    """All tables by their name, `project.dataset.table`.

    Args:
        page: How many rows a page has at most.
        location: Where all of them are.

    >>> tables = Tables()
    >>> tables.add("p.d.t", [{"custom_id": "a", "response": "{}"}])
    >>> len(tables.rows("p.d.t"))
    1
    """

    def __init__(self, page: int = _PAGE, location: str = "us-east5") -> None:
        self.page = page
        self.location = location
        self._tables: dict[str, list[Mapping[str, Json]]] = {}
        self._lock = threading.Lock()

    def add(self, name: str, rows: Sequence[Mapping[str, Json]]) -> None:
        """Add rows to a table, which is made if it is not there; all have the same columns."""
        with self._lock:
            self._tables.setdefault(name, []).extend(rows)

    def rows(self, name: str) -> list[Mapping[str, Json]]:
        """Return the rows of a table; none of one that is not there."""
        with self._lock:
            return list(self._tables.get(name, ()))

    def handle(self, received: Received) -> Response:
        """Answer one request."""
        found = _PATH.fullmatch(received.path)
        parts = [unquote(found[name]) if found else "" for name in ("project", "dataset", "table")]
        rows = self.rows(".".join(parts))
        if found is None or received.method != "GET" or not rows:
            return google_error(404, f"Not found: Table {':'.join(parts)}").response()
        columns = list(rows[0])
        if not found["data"]:
            reference = dict(zip(("projectId", "datasetId", "tableId"), parts, strict=True))
            nested = {name for row in rows for name, value in row.items() if isinstance(value, (dict, list))}
            fields: Json = [
                {"name": name, "type": "JSON" if name in nested else "STRING", "mode": "NULLABLE"}
                for name in columns
            ]
            schema: Json = {"fields": fields}
            return json_response(
                {
                    "tableReference": reference,
                    "schema": schema,
                    "numRows": str(len(rows)),
                    "location": self.location,
                }
            )
        chosen = received.query.get("selectedFields", "")
        columns = [name for name in columns if not chosen or name in chosen.split(",")]
        start = received.query.get("pageToken", "0")
        if not start.isdecimal():
            return google_error(400, "Invalid page token.").response()
        end = int(start) + self.page
        page = [{"f": [{"v": _text(row.get(name))} for name in columns]} for row in rows[int(start) : end]]
        more = {"pageToken": str(end)} if end < len(rows) else {}
        return json_response(
            {"kind": "bigquery#tableDataList", "totalRows": str(len(rows)), "rows": page, **more}
        )


def _text(value: Json) -> str | None:
    """Return a value as the REST API writes it."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
