"""The sources of a web search below an answer: a link for each page that its texts cite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.sanitize import as_text
from vertex_claude_magic.notebook.display.segments import OutputBody
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["sources"]

_HEADING = "**Sources**"
_MOST = 50
_LONGEST_TITLE = 120


def sources(reply: Reply) -> OutputBody:
    """Return the pages that the answer cites, in the order in which it does, each once; empty if there are none.

    Title and address are written by strangers: the title is shown literally, followed by the host, and only an http or
    https address becomes a link, with the rules of the sanitizer.

    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> cited = {"type": "web_search_result_location", "url": "https://example.org/a", "title": "*Penguins*"}
    >>> print(sources(Reply(blocks=({"type": "text", "text": "Swim.", "citations": [cited]},))).markdown)
    **Sources**
    <BLANKLINE>
    1. [\\*Penguins\\*](<https://example.org/a>) · example.org
    """
    titles: dict[str, str] = {}
    for each in reply.rounds:
        for citation in each.citations:
            url, title = citation.get("url"), citation.get("title")
            if citation.get("type") == "web_search_result_location" and isinstance(url, str):
                titles.setdefault(url, title if isinstance(title, str) and title.strip() else url)
    if not titles:
        return OutputBody(markdown="", plain="")
    from vertex_claude_magic.markdown.inline import safe_url

    markdown, plain = list[str](), list[str]()
    for number, (url, title) in enumerate(list(titles.items())[:_MOST], start=1):
        address, host = safe_url(url) if url[:4].lower() == "http" else ("", "")
        named = as_text(quote(title, _LONGEST_TITLE))
        markdown.append(
            f"{number}. [{named}](<{address}>) · {as_text(host)}" if address else f"{number}. {named}"
        )
        plain.append(f"[{number}] {quote(title, _LONGEST_TITLE)}{f' · {quote(url, 400)}' if address else ''}")
    if (more := len(titles) - _MOST) > 0:
        rest = f"… and {more:,} more in `Reply.citations`"
        markdown, plain = [*markdown, "", rest], [*plain, rest]
    return OutputBody(markdown="\n".join([_HEADING, "", *markdown]), plain="\n".join(["Sources:", *plain]))
