"""What `%%claude_map` and `%%claude_batch` read alike: a saved prompt, its keys, and the cells before."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from vertex_claude_magic import errors

LABEL = """+++
max_tokens = 77
[defaults]
style = "plain"
text = "a default"
+++
Label {{ text }} in {{ style }} words of {{ language }}.
"""
MAP = "%%claude_map labels reviews -m sonnet"
BATCH = "%%claude_batch labels reviews -m sonnet --to gs://rows/run"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A notebook's folder with a saved prompt."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "label.md").write_text(LABEL)
    return tmp_path


@pytest.fixture(autouse=True)
def shell(shell):
    shell.emulator.buckets.make("rows", "us-east5")
    shell.emulator.batches.looks = 0
    shell.ip.user_ns["reviews"] = pd.DataFrame({"text": ["one", "two"]})
    return shell


def sent(shell, line: str) -> list[dict]:
    """The bodies of the rows on the wire, in the order of the table."""
    if "batch" not in line:
        return sorted((each.body for each in shell.asked), key=lambda body: str(body["messages"]))
    buckets = shell.emulator.buckets
    names = [name for name in buckets.names("rows") if name.endswith(".jsonl") and "predictions" not in name]
    lines = b"".join(buckets.get("rows", name).content for name in names).splitlines()
    return [json.loads(each)["request"] for each in lines]


def contents(shell, line: str) -> list:
    return [body["messages"][0]["content"] for body in sent(shell, line)]


@pytest.mark.parametrize("line", [MAP, BATCH])
def test_a_saved_prompt_is_the_template_of_a_row(shell, folder, line):
    """Columns win over --with, --with over variables, variables over defaults; its options hold."""
    shell.ip.user_ns |= {"style": "a variable", "language": "Latin"}
    shell.ok(f"{line} --prompt label --with style=short --with text=unused\n")
    assert contents(shell, line) == [
        f'Label <data name="text">{text}</data> in <data name="style" kind="text">short</data> words of '
        '<data name="language" kind="text">Latin</data>.'
        for text in ("one", "two")
    ]
    assert {body["max_tokens"] for body in sent(shell, line)} == {77}
    assert "--with text is not used: text is a column of the table." in shell.page.text


@pytest.mark.parametrize("line", [MAP, BATCH])
def test_what_is_below_the_line_goes_below_a_saved_prompt(shell, folder, line):
    shell.ok(f"{line} --prompt label --with language=Latin\nOne word.")
    assert [content[-12:] for content in contents(shell, line)] == [".\n\nOne word."] * 2


@pytest.mark.parametrize("line", [MAP, BATCH])
def test_the_cells_before_open_every_prompt(shell, line):
    """They are no template, and a dry run shows them."""
    shell.ok("a = '{{ nosuch }}'")
    shell.ok(f"{line} --context 1\nLabel {{{{ text }}}}")
    for content, text in zip(contents(shell, line), ("one", "two"), strict=True):
        opening, prompt = (block["text"] for block in content)
        assert "a = '{{ nosuch }}'" in opening
        assert prompt == f'Label <data name="text">{text}</data>'
    shell.ok(f"{line} --context 1 --dry-run\nLabel {{{{ text }}}}")
    assert "a = '{{ nosuch }}'" in shell.page.text
    assert "Row 0:\nBefore the question, the last cells" in shell.page.text
    assert '\n\nLabel <data name="text">one</data>' in shell.page.text


TOOLS = '+++\ntools = ["load"]\nconfirm = true\n+++\nLabel {{ text }}'
WRONG = {
    "--prompt nosuch": "There is no prompts/nosuch.md",
    "--prompt label": "no value for the key language",
    "--prompt label --with language=Latin --with nosuch=1": "no key 'nosuch'",
    "--with language=Latin": "Add --prompt NAME",
    "--prompt tools": "does not take --tools",
    "--context 3": "No cell has run",
    "--context 0": "a number of cells above 0",
}


@pytest.mark.parametrize("line", [MAP, BATCH])
@pytest.mark.parametrize("more", WRONG, ids=str)
def test_what_cannot_be_read_is_one_error_and_sends_nothing(shell, folder, line, more):
    (folder / "prompts" / "tools.md").write_text(TOOLS)
    error = shell.error(f"{line} {more}\nLabel {{{{ text }}}}")
    assert isinstance(error, errors.OptionError)
    assert WRONG[more] in str(error)
    assert shell.emulator.requests == []
    assert "labels" not in shell.ip.user_ns


def test_a_row_with_a_saved_prompt_and_context_is_found_again(shell, folder):
    """The cell that asks is no part of what goes out."""
    shell.ok("a = 1")
    line = f"{MAP} --prompt label --with language=Latin --context 1 -n 1000\n"
    shell.ok(line)
    shell.ok(line)
    assert len(shell.asked) == 2
    assert "2 by an earlier run" in shell.page.text
