"""Tables of BigQuery that are read, through google-cloud-bigquery."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.storage import client_host, google_login

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from google.cloud.bigquery import BigQueryTable as Found
    from google.cloud.bigquery import Client

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

    def __init__(self, client: Client, found: Found, name: str) -> None:
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
    host = client_host(_GOOGLE, _VARIABLE, base_url, os.environ if environment is None else environment)
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


@contextmanager
def _named(table: str) -> Iterator[None]:
    """Turn the errors of Google's client into ours."""
    import requests
    from google.api_core import exceptions as google
    from google.auth.exceptions import GoogleAuthError

    named = quote(table, 160)
    try:
        yield
    except google.NotFound:
        raise errors.OptionError(
            f"There is no table {named}.", cure="Check the name; %claude_batch makes no table."
        ) from None
    except (google.Forbidden, google.Unauthorized) as error:
        raise errors.PermissionDenied(
            f"The account may not read {named} ({error.code}).",
            cure="Have roles/bigquery.dataViewer granted on it.",
            details={"status": error.code},
        ) from None
    except (google.GoogleAPIError, GoogleAuthError, requests.exceptions.RequestException) as error:
        status = getattr(error, "code", None)
        raise errors.NetworkError(
            f"BigQuery did not answer for {named} ({type(error).__name__}).",
            cure="Try again.",
            details={"status": status} if isinstance(status, int) else {},
        ) from None
