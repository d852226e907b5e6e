"""The sources of `--tools web_search`: links below the answer that lead where they say, and nowhere else."""

from __future__ import annotations

import io
from typing import Any

import pytest
from markdown_it import MarkdownIt

from vertex_claude_magic.notebook.display.sources import sources
from vertex_claude_magic.notebook.display.terminal import TerminalAnswer
from vertex_claude_magic.vertex.reply import Reply

PAGE = "https://example.org/penguins?a=1&b=(2)"


def cited(url: Any = PAGE, title: Any = "Penguins") -> dict[str, Any]:
    """A citation as the service gives it (Claude docs, "Web search tool", 2026)."""
    return {
        "type": "web_search_result_location",
        "url": url,
        "title": title,
        "encrypted_index": "Eo8B",
        "cited_text": "Penguins swim.",
    }


def answer(*citations: dict[str, Any]) -> list[dict[str, Any]]:
    found = {
        "type": "web_search_result",
        "url": PAGE,
        "title": "Penguins",
        "encrypted_content": "x",
        "page_age": None,
    }
    return [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "penguins"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [found]},
        {"type": "text", "text": "Penguins "},
        {"type": "text", "text": "swim", "citations": list(citations)},
        {"type": "text", "text": "."},
    ]


def links(markdown: str) -> list[str]:
    tokens = [each for token in MarkdownIt("commonmark").parse(markdown) for each in token.children or ()]
    return [str(token.attrs["href"]) for token in tokens if token.type == "link_open"]


def test_a_page_that_is_cited_is_a_link_below_the_answer(shell):
    """Once, however often it is cited; `Reply.citations` has each as it came."""
    other = "https://example.com/other"
    shell.emulator.answer(answer(cited(), cited(other, None), cited()))
    reply = shell.ok("%%claude --tools web_search\nDo penguins swim?")
    assert reply.text == "Penguins swim."
    assert [each["url"] for each in reply.citations] == [PAGE, other, PAGE]
    assert reply.citations[0]["cited_text"] == "Penguins swim."
    (output,) = shell.page.outputs
    head, _, below = output["text/markdown"].partition("**Sources**")
    assert head.strip() == "Penguins swim."
    assert links(below)[:2] == ["https://example.org/penguins?a=1&b=%282%29", other]
    assert "Sources:\n[1] Penguins · https://example.org/penguins" in output["text/plain"]


HOSTILE = {
    "a script address": cited("javascript:alert(1)"),
    "a data address": cited("data:text/html,<script>alert(1)</script>"),
    "a file": cited("file:///etc/passwd"),
    "a command": cited("command:workbench.action"),
    "no scheme": cited("//evil.example/x"),
    "a user in the address": cited("https://google.com@evil.example/"),
    "a line end": cited("https://example.org/\n2. [x](https://evil.example)"),
    "no address": cited(None),
    "a number": cited(5),
    "mail": cited("mailto:a@example.org"),
}


@pytest.mark.parametrize("citation", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_web_address_is_no_link(citation):
    shown = sources(Reply(blocks=({"type": "text", "text": "x", "citations": [citation]},)))
    assert links(shown.markdown) == []


TITLES = [
    "x](https://evil.example) [y",
    "<img src=x onerror=alert(1)>",
    "</details><script>alert(1)</script>",
    "a\n\n# Heading\n\n![x](https://evil.example/a.png)",
    "`code` $x$ **bold** &#106;avascript:",
    "\u202egnp.exe \x1b[31m",
    "x" * 10_000,
    "",
]


@pytest.mark.parametrize("title", TITLES, ids=lambda title: repr(title)[:20])
def test_a_title_is_text_and_its_link_leads_to_the_page(title):
    shown = sources(Reply(blocks=({"type": "text", "text": "x", "citations": [cited(title=title)]},)))
    assert links(shown.markdown) == ["https://example.org/penguins?a=1&b=%282%29"]
    html = MarkdownIt("commonmark").render(shown.markdown)
    assert not any(tag in html for tag in ("<img", "<script", "<h1", "<code", "<em", "</details"))
    assert html.count("<li>") == 1
    assert "example.org</li>" in html.replace("\n", "")
    assert "\x1b" not in shown.plain
    assert len(shown.markdown) < 2_000


def test_sources_of_all_requests_of_a_question_are_listed(shell):
    """The service may pause a long search, and goes on where the answer is sent back to it."""
    from vertex_claude_magic.emulator import Reply as Scripted

    shell.emulator.answer(
        Scripted(content=answer(cited()), stop_reason="pause_turn"),
        answer(cited("https://example.com/2", "Two")),
    )
    reply = shell.ok("%%claude --tools web_search\nDo penguins swim?")
    assert len(reply.rounds) == 2
    assert len(links(shell.page.outputs[0]["text/markdown"].partition("**Sources**")[2])) >= 2
    sent = shell.asked[-1].body["messages"][-1]
    assert (sent["role"], [block["type"] for block in sent["content"]][:2]) == (
        "assistant",
        ["server_tool_use", "web_search_tool_result"],
    )
    assert sent["content"][3]["citations"] == [cited()]


def test_a_later_turn_sends_searches_results_and_citations_back(shell):
    """Encrypted parts included, without which the service could not read them."""
    shell.emulator.answer(answer(cited(title=None)), "Yes.")
    shell.ok("%%claude -c talk --tools web_search\nDo penguins swim?")
    shell.ok("%%claude -c talk\nSure?")
    content = shell.body["messages"][1]["content"]
    assert content[1]["content"][0]["encrypted_content"] == "x"
    assert content[3]["citations"][0]["title"] is None
    assert shell.body["tools"][0]["type"] == "web_search_20250305"


def test_a_plain_answer_has_no_sources():
    assert sources(
        Reply(blocks=({"type": "text", "text": "x", "citations": [{"type": "char_location"}]},))
    ) == ("", "")


def test_a_terminal_lists_the_addresses():
    out = io.StringIO()
    view = TerminalAnswer(out, clock=lambda: 0.0)
    view.start("m")
    view.finish(Reply(blocks=tuple(answer(cited())), complete=True, stop_reason="end_turn"), metadata={})
    assert "Penguins swim.\n\nSources:\n[1] Penguins · https://example.org/penguins" in out.getvalue()


def test_a_replay_shows_the_same_sources(shell):
    shell.emulator.answer(answer(cited()))
    first = shell.ok("%%claude --tools web_search\nDo penguins swim?")
    again = shell.ok("%%claude --tools web_search --replay only\nDo penguins swim?")
    assert again.citations == first.citations
    assert "**Sources**" in shell.page.outputs[-1]["text/markdown"]
