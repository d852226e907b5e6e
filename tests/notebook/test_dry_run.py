"""`--dry-run`: the request, its tokens and its price, and no prompt to a model."""

from __future__ import annotations

import base64
import html
import io
import json
import os
import re
import subprocess

import pytest
from markdown_it import MarkdownIt
from PIL import Image
from shells import interrupt_while_waiting

from vertex_claude_magic.client import Claude
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.errors import ClaudeInterrupt, PermissionDenied
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.notebook.commands.dry_run import estimate
from vertex_claude_magic.notebook.pages.request import block_rows, blocks_html, blocks_plain, curl_command


def test_only_a_count_goes_over_the_wire(shell):
    """No call of a model; the variable is not touched, and nothing is returned."""
    shell.ip.user_ns["answer"] = "old"
    assert shell.ok("%%claude answer --dry-run -m haiku\nHello there") is None
    assert not shell.asked
    assert [each.path.rpartition("/")[2] for each in shell.emulator.requests if "/models/" in each.path] == [
        "count-tokens:rawPredict"
    ]
    assert shell.ip.user_ns["answer"] == "old"


def test_the_request_is_shown_as_it_would_go_out(shell):
    """URL, headers without the token, and the body as JSON."""
    shell.ok("%claude --dry-run -m claude-haiku-4-5@20251001 -n 50 --beta a-1 What's $5 and {x}?")
    shell_text = shell.page.text
    assert "/publishers/anthropic/models/claude-haiku-4-5@20251001:streamRawPredict" in shell_text
    assert "anthropic-beta: a-1" in shell_text
    assert "authorization" not in shell_text.partition("curl")[0].lower()
    body, _ = json.JSONDecoder().raw_decode(shell_text[shell_text.index("{\n") :])
    assert body["messages"] == [{"role": "user", "content": "What's $5 and {x}?"}]
    assert "at most 50 output tokens; between" in shell_text


HOSTILE = [
    "</code><script>alert(1)</script>",
    "```\n<img src=x onerror=alert(1)>\n```",
    "\x1b]52;c;x\x07",
    "\x9b31m",
    "\u202eabc",
]


@pytest.mark.parametrize("prompt", HOSTILE, ids=ascii)
def test_a_prompt_cannot_break_out_of_the_page(shell, prompt):
    """It may come from data; it stands in a fence that it cannot close, and the text has no control characters."""
    shell.ok(f"%%claude --dry-run\n{prompt}")
    (output,) = shell.page.outputs
    tokens = MarkdownIt("commonmark").parse(output["text/markdown"])
    assert [token.info for token in tokens if token.type == "fence"] == ["", "json", "sh"]
    blocks, *folds = [token.content.strip() for token in tokens if token.type == "html_block"]
    assert folds == [
        "<details open><summary>The request as JSON</summary>", "</details>",
        "<details><summary>As a curl command</summary>", "</details>",
    ]  # fmt: skip
    inline = [each.content for token in tokens for each in token.children or () if each.type == "html_inline"]
    assert set(inline) <= {"<span>", "</span>"}
    assert not set(re.findall(r"<(\w+)", blocks)) - {
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
    }
    assert not set(shell.page.text) & set("\x1b\x07\x9b\u202e")


def test_where_tokens_are_not_counted_an_upper_bound_is_said(shell):
    """The prompt goes to no other location for it."""
    shell.emulator.fail(Fault(status=404))
    shell.ok("%%claude --dry-run\nHello")
    assert "upper bound" in shell.page.text
    assert len([each for each in shell.emulator.requests if "/models/" in each.path]) == 1


@pytest.mark.parametrize(
    "cell", ["%%claude --dry-run", "%%claude_compare -m haiku,opus --dry-run", "%%claude -c talk --dry-run"]
)
@pytest.mark.parametrize("project", [True, False])
@pytest.mark.parametrize("replay", ["off", "auto", "only"])
def test_without_an_account_a_dry_run_shows_the_request(shell, monkeypatch, cell, project, replay):
    """With an upper bound of its tokens, and what is missing to send it."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", *(() if project else ("ANTHROPIC_VERTEX_PROJECT_ID",))):
        monkeypatch.delenv(name)
    shell.ok(f"{cell} --replay {replay}\nWhat is 2 + 2?")
    text = shell.page.text
    assert "What is 2 + 2?" in text
    named = shell.emulator.project if project else "PROJECT" if replay != "only" else "-"
    assert f"/projects/{named}/" in text
    assert ("≤" if "compare" in cell else "upper bound") in text
    # Where records may answer, their lack is no lack of an account.
    if replay == "off" or (replay == "auto" and not project):
        assert "Google credentials" in text
        assert "gcloud auth application-default login" in text
    assert "Change it back" not in text
    assert not shell.emulator.requests


def test_a_refusal_of_the_service_is_an_error(shell):
    """Permission is missing for the question, too."""
    shell.emulator.fail(403)
    assert isinstance(shell.error("%%claude --dry-run\nHello"), PermissionDenied)


def test_the_price_range_goes_from_no_answer_to_the_longest():
    """In USD, from the table: one million tokens each way for Haiku 4.5."""
    request = Claude(project="p").request("hi", model="claude-haiku-4-5@20251001", max_tokens=10_000)
    result = estimate(request, Catalog.load(), 100_000, exact=True)
    assert (result.least, result.most) == (pytest.approx(0.1), pytest.approx(0.15))
    bound = estimate(request, Catalog.load(), 100_000, exact=False)
    assert (bound.least, bound.most) == (0.0, pytest.approx(0.15))


def test_writing_to_the_cache_raises_the_upper_end():
    """Cache writes cost more than reading."""
    block = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
    request = Claude(project="p").request([block], model="claude-haiku-4-5@20251001", max_tokens=1)
    result = estimate(request, Catalog.load(), 1_000_000, exact=True)
    assert result.most > 1.2 * result.least


def test_the_price_of_an_unknown_model_is_unknown(shell):
    """It says so and does not guess."""
    request = Claude(project="p").request("hi", model="claude-new-9@20990101")
    assert estimate(request, Catalog.load(), 100, exact=True).most is None


def test_an_interrupt_while_counting_is_one_line(shell, capsys):
    """The same as everywhere."""
    shell.emulator.fail(Fault(delay=3600))
    with interrupt_while_waiting(shell.emulator):
        assert isinstance(shell.error("%%claude --dry-run\nhi"), ClaudeInterrupt)
    assert len(capsys.readouterr().out.splitlines()) == 1


# What goes out, block by block


def test_every_block_is_shown_with_its_size_and_images_as_small_pictures(shell):
    """In the order in which the model reads them; nobody reads base64, so the JSON leaves it out."""
    image = Image.new("RGB", (1200, 800), "red")
    shell.ip.user_ns.update(image=image, table={"a": [1, 2]})
    shell.ok("%%claude --dry-run -s 'Be brief.' --cache\nWhat is {{ image }} beside {{ table }}?")
    (output,) = shell.page.outputs
    # How many bytes a PNG takes is pillow's affair.
    plain = re.sub(r"[\d,]+ (bytes|characters of)", r"N \1", output["text/plain"])
    assert plain.splitlines()[2:6] == [
        "system: text, 9 characters, ≈3 tokens, cached up to here",
        "message 1, user: text, 68 characters, ≈20 tokens",
        "message 1, user: image, N bytes, image/png, at most 4,784 tokens",
        "message 1, user: text, 83 characters, ≈24 tokens",
    ]
    (source,) = re.findall(r'src="data:image/png;base64,([^"]+)"', output["text/markdown"])
    with Image.open(io.BytesIO(base64.b64decode(source))) as thumbnail:
        assert thumbnail.size == (160, 107)
    assert "… (N characters of base64)" in plain
    assert "A" * 200 not in output["text/plain"]


def test_what_a_block_begins_with_is_its_own_text(shell):
    """The tags around data are not it; what is cut says so, and a message is named at the first of its blocks."""
    image = Image.new("RGB", (9, 9), "red")
    shell.ip.user_ns.update(image=image, short="a < b", long="word " * 99, odd="</data> it")
    shell.ok("%%claude --dry-run -s Brief.\nSee {{ image }}, {{ short }}, {{ odd }} and {{ long }}.")
    table = shell.page.outputs[-1]["text/markdown"].partition("<tbody>")[2].partition("</tbody>")[0]
    cells = [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<code>.*?</code>", table)]
    assert cells[:2] == ["Brief.", "See image:"]
    assert re.fullmatch(r", short: a &lt; b , odd: .*it and long: (word )+wo…|.*word…", cells[2])
    assert len(html.unescape(cells[2])) <= 101
    assert re.findall(r'<th scope="row"[^>]*>(.*?)</th>', table) == [
        "system",
        "message\xa01,\xa0user",
        "",
        "",
    ]


def test_no_block_of_text_is_shown_as_if_it_were_empty(shell):
    """Behind a picture at the end of a prompt there is only the tag that ends it."""
    shell.ip.user_ns.update(image=Image.new("RGB", (9, 9), "red"))
    shell.ok("%%claude --dry-run\nSee {{ image }}")
    rows = re.findall(r"<tr>.*?</tr>", shell.page.outputs[0]["text/markdown"], re.DOTALL)
    last = [html.unescape(cell) for cell in re.findall(r"<code>(.*?)</code>", rows[-1])]
    assert last == ["</data>"]


def test_the_curl_line_sends_the_very_request(shell):
    """Pasted into a shell it does what the magic would do; quotes and surrogates survive."""
    shell.ok('%%claude --dry-run -m haiku\nIt\'s "$HOME" `ls` \\n é \U0001f600')
    (page,) = shell.page.outputs
    command = page["text/plain"][page["text/plain"].index("curl -N") :]
    done = subprocess.run(
        ["sh", "-c", f"{command} --silent"],
        env={**os.environ, "TOKEN": "emulator"},
        capture_output=True,
        timeout=300,
    )
    assert b"event: message_stop" in done.stdout
    (sent,) = shell.asked
    assert sent.body["messages"] == [{"role": "user", "content": 'It\'s "$HOME" `ls` \\n é \U0001f600'}]


def test_for_google_the_curl_line_asks_gcloud_for_a_token_and_holds_none():
    """Only Google's own hosts over TLS get a Google token; a gateway only where it is trusted."""
    request = Claude(project="p").request("hi")
    assert "Bearer $(gcloud auth application-default print-access-token)" in curl_command(request)
    gateway = Claude(project="p", base_url="https://gateway.example/v1").request("hi")
    assert "Bearer $TOKEN" in curl_command(gateway)
    assert "gcloud" in curl_command(gateway, ["gateway.example"])


def test_a_long_body_is_read_from_a_file(shell):
    """The page says how to write it."""
    shell.ok("%%claude --dry-run\n" + "word " * 5_000)
    assert "--data-binary @request.json" in shell.page.text
    assert 'open("request.json", "wb")' in shell.page.text


def test_only_so_many_blocks_are_listed():
    """A page that never ends helps nobody."""
    blocks = [{"type": "text", "text": "x"}] * 150
    rows = block_rows({"messages": [{"role": "user", "content": blocks}]})
    assert blocks_plain(rows).endswith("… and 50 more blocks")
    assert blocks_html(rows).endswith("<p>… and 50 more blocks</p>")
