"""`--dry-run`: what would go out, how many tokens it has, and what it would cost; no model is asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.markdown.sanitize import as_text, fenced, safe_plain
from vertex_claude_magic.notebook.footer import dollars
from vertex_claude_magic.notebook.request_page import (
    block_rows,
    blocks_html,
    blocks_plain,
    curl_command,
    shown_body,
)
from vertex_claude_magic.prices import cost
from vertex_claude_magic.vertex.reply import Usage

if TYPE_CHECKING:
    from vertex_claude_magic.catalog import Catalog
    from vertex_claude_magic.session.claude import Claude
    from vertex_claude_magic.session.options import AskOptions
    from vertex_claude_magic.session.prompt import Scope
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Estimate", "count_or_bound", "estimate", "show_dry_run"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Input tokens and the price range in USD; `exact` is False where the service did not count."""

    input_tokens: int
    exact: bool
    least: float | None
    most: float | None


def show_dry_run(
    magics: Any, client: Claude, prompt: str, options: AskOptions, *, scope: Scope | None = None
) -> None:
    """Show the request of a question without asking it."""
    request = client.prepare(prompt, options, scope=scope).request
    tokens, exact = count_or_bound(client, request, options)
    summary = _summary(estimate(request, client.catalog(options), tokens, exact=exact), request)
    rows = block_rows(request.body)
    said = [summary, *request.notices]
    markdown, plain = _request_page(request, options)
    heading = ["**Dry run**, nothing was asked.", *map(as_text, said), blocks_html(rows)]
    bundle = {
        "text/markdown": "\n\n".join([*heading, markdown]),
        "text/plain": safe_plain("\n".join([_TITLE, *said, blocks_plain(rows), plain])),
    }
    magics.shell.display_pub.publish(data=bundle, metadata={})


_TITLE = "Dry run, nothing was asked."


def _request_page(request: Request, options: AskOptions) -> tuple[str, str]:
    head = [
        f"{request.method} {request.url}",
        *(f"{name}: {value}" for name, value in request.headers.items()),
    ]
    lines = "\n".join(head)
    body = json.dumps(shown_body(request.body), indent=2, ensure_ascii=False)
    curl = curl_command(request, options.trusted_hosts or ())
    hint = [] if "@request.json" not in curl else [_FILE]
    markdown = [
        _folded("The request as JSON", fenced(lines), fenced(body, "json"), opened=len(body) <= _SHORT),
        _folded("As a curl command", *map(as_text, hint), fenced(curl, "sh")),
    ]
    return "\n\n".join(markdown), "\n".join([lines, body, *hint, curl])


_SHORT = 1_500
_FILE = (
    "The body is long; write it to a file first: "
    'open("request.json", "wb").write(Claude().request(prompt, names=globals()).payload)'
)


def _folded(title: str, *parts: str, opened: bool = False) -> str:
    # The blank lines end the HTML block, so that what is between is read as Markdown (CommonMark 0.31.2, 4.6).
    tag = "<details open>" if opened else "<details>"
    return "\n\n".join([f"{tag}<summary>{title}</summary>", *parts, "</details>"])


def estimate(request: Request, catalog: Catalog, input_tokens: int, *, exact: bool) -> Estimate:
    """Compute the price range of a request: from an empty answer to one of `max_tokens` tokens.

    The upper end prices every input token at the dearer of reading and cache writing.
    """
    row = catalog.find(request.model)
    most_out = int(request.body.get("max_tokens") or 0)

    def price(usage: Usage) -> float | None:
        return cost(row, request.region, usage) if row is not None else None

    writes = '"cache_control"' in json.dumps(request.body)
    dearest = (
        Usage(cache_creation_input_tokens=input_tokens, output_tokens=most_out)
        if writes
        else Usage(input_tokens=input_tokens, output_tokens=most_out)
    )
    least = price(Usage(input_tokens=input_tokens)) if exact else 0.0
    return Estimate(input_tokens=input_tokens, exact=exact, least=least, most=price(dearest))


def count_or_bound(client: Claude, request: Request, options: AskOptions) -> tuple[int, bool]:
    """Return the input tokens of a request and whether they are exact; an upper bound where none are counted.

    The prompt goes to the chosen location and to no other, also for counting.
    """
    try:
        return client.count_request(request, options), True
    except (errors.ModelNotFound, errors.BadRequest):
        # A token has one byte at least.
        return len(json.dumps(request.body, ensure_ascii=False).encode("utf-8")), False


def _summary(result: Estimate, request: Request) -> str:
    counted = f"{result.input_tokens:,} input tokens"
    if not result.exact:
        counted = f"at most {counted} (an upper bound: {request.region} does not count tokens)"
    limit = f"at most {int(request.body.get('max_tokens') or 0):,} output tokens"
    if result.least is None or result.most is None:
        return f"{counted}, {limit}; the price is unknown."
    return f"{counted}, {limit}; between {dollars(result.least)} and {dollars(result.most)} (an estimate)."
