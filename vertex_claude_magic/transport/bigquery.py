"""Tables of BigQuery that are read, through google-cloud-bigquery."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.transport.google_clients import client_host, google_failures, google_login

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from google.cloud.bigquery import Client, Table

    from vertex_claude_magic.transport.auth import Authorizer

__all__ = ["BigQueryTable", "open_table"]

_GOOGLE = "https://bigquery.googleapis.com"
_VARIABLE = "BIGQUERY_EMULATOR_HOST"


class BigQueryTable:
    """A table of BigQuery.

    Args:
        client: Google's client.
        found: What it says of the table.
        name: The table, `bq://project.dataset.table`.
    """

    def __init__(self, client: Client, found: Table, name: str) -> None:
        self._client, self._found = client, found
        self.name = name

    @property
    def location(self) -> str:
        """Where it is, in lower case, such as "us-east5" or "us"."""
        return str(self._found.location or "").lower()

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return [field.name for field in self._found.schema]

    def rows(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield its rows, a page at a time, with those of the columns that it has; JSON comes as Python values."""
        fields = [field for field in self._found.schema if field.name in columns]
        with _named(self.name):
            for row in self._client.list_rows(self._found, selected_fields=fields):
                yield dict(row.items())


@contextmanager
def open_table(
    authorizer: Authorizer,
    project: str,
    table: str,
    base_url: str | None,
    *,
    environment: Mapping[str, str] | None = None,
) -> Iterator[BigQueryTable]:
    """Look a table up, and close the connections at the end.

    Args:
        authorizer: Gives requests to Google their token.
        project: The project that pays.
        table: The table, `bq://project.dataset.table`.
        base_url: Where questions go; None for Google.
        environment: The variables; those of this process if not given.

    Raises:
        MissingExtra: google-cloud-bigquery is not installed.
        OptionError: there is no such table.
        PermissionDenied: the account may not read it.
        UntrustedHost: BIGQUERY_EMULATOR_HOST names another machine.
    """
    host = client_host(_GOOGLE, _VARIABLE, base_url, environment)
    try:
        from google.cloud.bigquery import Client
    except ImportError as error:
        raise errors.MissingExtra(
            "Reading a table of BigQuery needs google-cloud-bigquery, which is not installed.",
            cure="Run: pip install google-cloud-bigquery",
        ) from error
    session, login = google_login(authorizer, host)
    client = Client(project=project, credentials=login, _http=session, client_options={"api_endpoint": host})
    try:
        with _named(table):
            found = client.get_table(table.removeprefix("bq://"))
        yield BigQueryTable(client, found, table)
    finally:
        client.close()


def _named(table: str) -> AbstractContextManager[None]:
    return google_failures(
        "BigQuery",
        f"table {table}",
        missing="Check the name; %claude_batch makes no table.",
        denied="Have roles/bigquery.dataViewer granted on it.",
    )
