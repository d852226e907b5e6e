"""The rows of a table of BigQuery, through google-cloud-bigquery."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.storage import client_host, google_login

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vertex_claude_magic.transport.auth import Authorizer

__all__ = ["table_rows"]

_GOOGLE = "https://bigquery.googleapis.com"
_VARIABLE = "BIGQUERY_EMULATOR_HOST"
# What a result needs; other columns of the table are not read.
_COLUMNS = ("custom_id", "response", "status")


def table_rows(
    authorizer: Authorizer,
    project: str,
    table: str,
    base_url: str | None,
    *,
    environment: Mapping[str, str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table of results, a page at a time.

    Args:
        authorizer: Gives requests to Google their token.
        project: The project that pays.
        table: The table, `bq://project.dataset.table`.
        base_url: Where questions go; None for Google.
        environment: The variables; those of this process if not given.

    Raises:
        MissingExtra: google-cloud-bigquery is not installed.
        OptionError: there is no such table, or the account may not read it.
    """
    host = client_host(_GOOGLE, _VARIABLE, base_url, os.environ if environment is None else environment)
    try:
        from google.cloud.bigquery import Client
    except ImportError as error:
        raise errors.MissingExtra(
            "Results in BigQuery need google-cloud-bigquery, which is not installed.",
            cure="Run: pip install google-cloud-bigquery",
        ) from error
    from google.api_core.exceptions import GoogleAPIError, NotFound

    session, login = google_login(authorizer, host)
    client = Client(project=project, credentials=login, _http=session, client_options={"api_endpoint": host})
    named = quote(table, 160)
    try:
        found = client.get_table(table.removeprefix("bq://"))
        fields = [field for field in found.schema if field.name in _COLUMNS]
        for row in client.list_rows(found, selected_fields=fields):
            yield dict(row.items())
    except NotFound:
        raise errors.OptionError(f"There is no table {named}.", cure="Look for it in the console.") from None
    except GoogleAPIError as error:
        raise errors.NetworkError(
            f"BigQuery did not give the rows of {named} ({type(error).__name__}).",
            cure="Try again, or grant roles/bigquery.dataViewer to the account.",
        ) from None
    finally:
        client.close()
