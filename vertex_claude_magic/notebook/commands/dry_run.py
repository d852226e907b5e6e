"""`--dry-run`: what would go out, how many tokens it has, and what it would cost; no model is asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.markdown.sanitize import as_text, fenced
from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.notebook.display.footer import folded
from vertex_claude_magic.notebook.pages.html import literal
from vertex_claude_magic.notebook.pages.request import (
    block_rows,
    blocks_html,
    blocks_plain,
    curl_command,
    shown_body,
)
from vertex_claude_magic.notebook.pages.show import show_dry_run_page
from vertex_claude_magic.notebook.pages.table import Column, Row, Table
from vertex_claude_magic.records.budget import count_or_bound, worst_case
from vertex_claude_magic.records.session_records import sources_of
from vertex_claude_magic.text import message_of
from vertex_claude_magic.vertex.digest import without_secret_fields
from vertex_claude_magic.vertex.headers import shown_headers
from vertex_claude_magic.vertex.reply import Usage, cost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vertex_claude_magic.classroom.compare import ColumnQuestion
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.records.stores import Stores
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Estimate", "estimate", "show_compare_dry_run", "show_dry_run"]

# Stands for the project where none is known.
_PROJECT = "PROJECT"
# Characters of a body that is shown unfolded.
_SHORT = 1_500
_FILE = (
    "The body is long; write it to a file first: "
    'open("request.json", "wb").write(Claude().request(prompt, names=globals()).payload)'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Input tokens and the price range in USD; `exact` is False where the service did not count."""

    input_tokens: int
    exact: bool
    least: float | None
    most: float | None


def show_dry_run(
    host: Host,
    session: Session,
    prompt: str | Sequence[Any],
    target: Target,
    *,
    scope: Scope | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Show the request of a question without asking it; `notes` say how its prompt was read."""

    def build(asked: Target) -> Request:
        if asked.is_standalone:
            return session.request(prompt, asked, scope=scope)
        from vertex_claude_magic.chats.opening import request_of

        return request_of(session, prompt, asked, scope=scope)[1]

    request, result, missing = _estimated(session, target, build)
    counted = f"{result.input_tokens:,} input tokens"
    if not result.exact:
        counted = f"at most {counted} (an upper bound: they were not counted)"
    limit = f"at most {int(request.body.get('max_tokens') or 0):,} output tokens"
    price = "the price is unknown."
    if result.least is not None and result.most is not None:
        price = f"between {usd_estimate(result.least)} and {usd_estimate(result.most)} (an estimate)."
    shown = without_secret_fields(request.body)
    rows = block_rows(shown, int(target.catalog.limits["image"]["tokens"]))
    lines = [
        f"{counted}, {limit}; {price}",
        *missing,
        *notes,
        *_recorded(request, target, session.records.stores),
        *request.notices,
    ]
    body = json.dumps(shown_body(shown), indent=2, ensure_ascii=False)
    headers = shown_headers(request.headers).items()
    head = "\n".join([f"{request.method} {request.url}", *(f"{name}: {value}" for name, value in headers)])
    curl = curl_command(request, target.trusted_hosts)
    hint = [_FILE] if "@request.json" in curl else []
    markdown = [
        *map(as_text, lines),
        blocks_html(rows),
        folded("The request as JSON", fenced(head), fenced(body, "json"), opened=len(body) <= _SHORT),
        folded("As a curl command", *map(as_text, hint), fenced(curl, "sh")),
    ]
    plain = [*lines, blocks_plain(rows), head, body, *hint, curl]
    show_dry_run_page(host.shell, markdown, plain)


def show_compare_dry_run(
    host: Host, session: Session, asked: Sequence[ColumnQuestion], *, notes: Sequence[str] = ()
) -> None:
    """Show the requests of a comparison without asking: the first one whole, and what differs in the others.

    Args:
        host: The magics, for the page.
        session: The session, which counts tokens free of charge.
        asked: What each column asks.
        notes: How the prompt was read.
    """
    rows, found, shown = list[Row](), list[Estimate](), list[tuple[str, str, str]]()
    lines = dict.fromkeys(notes)
    first: Request | None = None
    for column in asked:
        build = partial(session.request, column.prompt, scope=column.scope)
        try:
            request, result, missing = _estimated(session, column.target, build)
        except errors.ClaudeError as error:
            rows.append(Row((column.label, f"Cannot be asked: {message_of(error)}")))
            continue
        found.append(result)
        costs = [usd_estimate(value) for value in (result.least, result.most)]
        tokens = f"{'' if result.exact else '≤ '}{result.input_tokens:,}"
        rows.append(Row((column.label, request.model, request.region, tokens, *costs)))
        recorded = _recorded(request, column.target, session.records.stores)
        lines.update(dict.fromkeys([*missing, *recorded, *request.notices]))
        shown.append(_request_text(column.label, request, first))
        first = first or request
    if not shown:
        raise errors.OptionError("No column can be asked.", cure=f"The first one: {rows[0].cells[1]}")
    heads = ("Column", "Model", "Region", "Tokens in", "At least", "At most")
    table = Table(
        columns=[Column(head, "right" if at > 2 else "left") for at, head in enumerate(heads)], rows=rows
    )
    least = [each.least for each in found if each.least is not None]
    most = [each.most for each in found if each.most is not None]
    together = "What all columns together cost is unknown, because a price is unknown."
    if len(found) < len(rows):
        together = "The comparison would be refused: a column cannot be asked."
    elif len(least) == len(most) == len(found):
        low, high = usd_estimate(sum(least)), usd_estimate(sum(most))
        together = f"All columns together: between {low} and {high} (an estimate)."
    said = [together, *lines]
    markdown = [table.markdown(), *map(as_text, said)]
    markdown += [folded(literal(title), fenced(head), fenced(body, "json")) for title, head, body in shown]
    plain = [table.plain(), *said, *("\n".join(parts) for parts in shown)]
    show_dry_run_page(host.shell, markdown, plain)


def _estimated(
    session: Session, target: Target, build: Callable[[Target], Request]
) -> tuple[Request, Estimate, list[str]]:
    """Return a request, what it would cost, and what is missing to send it, such as an account.

    Args:
        session: The session, which counts tokens.
        target: The settings.
        build: Builds the request.
    """
    try:
        request = build(target)
        tokens, exact = session.count_or_bound(request, target)
        missing = []
    except (errors.CredentialsNotFound, errors.ProjectNotFound, errors.ReplayMiss) as error:
        missing = [str(error)]
        request = build(target if target.project else target.replace(project=_PROJECT))
        tokens, exact = count_or_bound(request, target.catalog, None)
    return request, estimate(request, target.catalog, tokens, exact=exact), missing


def _request_text(label: str, request: Request, first: Request | None) -> tuple[str, str, str]:
    """Return a title, the lines before the body, and the body; of a later request only what the first one has not."""
    headers = request.headers.items() if first is None else request.headers.items() - first.headers.items()
    title, body = f"{label}: the request as JSON", request.body
    if first is not None:
        title = f"{label}: what differs from the first request"
        names = [name for name in {**first.body, **body} if body.get(name) != first.body.get(name)]
        body = {name: body.get(name) for name in names}
    shown = sorted(shown_headers(dict(headers)).items())
    lines = [f"{request.method} {request.url}", *(f"{name}: {value}" for name, value in shown)]
    return (
        title,
        "\n".join(lines),
        json.dumps(shown_body(without_secret_fields(body)), indent=2, ensure_ascii=False),
    )


def _recorded(request: Request, target: Target, stores: Stores) -> list[str]:
    try:
        # Only looked up, because a dry run records nothing.
        found = sources_of(target, stores).look(request)
    except errors.JournalError as error:
        return [str(error)]
    if found is None:
        return []
    asks = target.replay in {"off", "refresh"}
    how = "--replay auto would use it" if asks else "it would be used"
    return [f"A saved answer from {found.stored.recorded[:10]} exists: {how}, free of charge."]


def estimate(request: Request, catalog: Catalog, input_tokens: int, *, exact: bool) -> Estimate:
    """Compute the price range of a request: from an empty answer to one of `max_tokens` tokens.

    The upper end prices every input token at the dearer of reading and cache writing.
    """
    row = catalog.find(request.model)
    least = 0.0 if row is None or not exact else cost(row, request.region, Usage(input_tokens=input_tokens))
    most = worst_case(request, catalog, input_tokens)
    return Estimate(input_tokens=input_tokens, exact=exact, least=least, most=most)
