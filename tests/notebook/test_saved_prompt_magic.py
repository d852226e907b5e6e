"""`--prompt NAME --with KEY=VALUE`, on the wire and under Tab."""

from __future__ import annotations

import pytest

from vertex_claude_magic.notebook.completion import candidates
from vertex_claude_magic.settings.loaded import set_policy
from vertex_claude_magic.settings.policy import Policy

EXPLAIN = """+++
model = "haiku"
max_tokens = 77
[defaults]
n = 2
+++
Explain {{ word }} in {{ n }} lines.
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A notebook's folder with a saved prompt."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "explain.md").write_text(EXPLAIN)
    return tmp_path


def prompt_of(shell) -> str:
    return str(shell.body["messages"][0]["content"])


def test_a_saved_prompt_is_asked_with_its_options_and_keys(shell, folder):
    """The line fills the keys; a value is between tags as any other."""
    shell.ok("%%claude answer --prompt explain --with word=bias -q\n")
    assert prompt_of(shell) == 'Explain <data name="word" kind="text">bias</data> in 2 lines.'
    assert shell.body["max_tokens"] == 77
    assert "haiku" in shell.asked[-1].path
    assert shell.ip.user_ns["answer"].complete


def test_the_line_and_the_settings_hold_over_the_file(shell, folder):
    """Front matter is below what the user says."""
    shell.magics.max_tokens = 55
    shell.ok("%%claude -m sonnet --prompt explain --with word=x -q\n")
    assert ("sonnet" in shell.asked[-1].path, shell.body["max_tokens"]) == (True, 55)


def test_a_file_may_confirm_tools_that_the_line_does_not_name(shell, folder):
    """It is written for many cells; only an option of the line is pointed out where it has no effect."""
    (folder / "prompts" / "careful.md").write_text("+++\nconfirm = true\nmax_rounds = 3\n+++\nExplain it.")
    shell.ok("%%claude --prompt careful -q\n")
    assert len(shell.asked) == 1


def test_a_policy_may_confirm_tools_that_a_question_does_not_name(under):
    """It is written for all of them."""
    shell = under("[defaults]\nconfirm = true\nmax_rounds = 3\n")
    shell.ok("%%claude -q\nHi")
    assert len(shell.asked) == 1


def test_what_is_written_in_the_cell_goes_below(shell, folder):
    """And may use the same keys."""
    shell.ok("%%claude --prompt explain --with word=bias -q\nFor {{ word }}, give an example.")
    assert prompt_of(shell).startswith("Explain ")
    assert "\n\nFor " in prompt_of(shell)


def test_a_file_that_says_literal_has_no_keys(shell, folder):
    """As with `--literal` on the line, nothing in it is filled."""
    (folder / "prompts" / "as_it_is.md").write_text("+++\nliteral = true\n+++\nExplain {{ nothing }}.")
    shell.ok("%%claude -q --prompt as_it_is\n")
    assert prompt_of(shell) == "Explain {{ nothing }}."


def test_a_line_asks_a_saved_prompt(shell, folder):
    """With nothing behind the options."""
    shell.ok("word = 'bias'")
    shell.ok("%claude -q --prompt explain")
    assert "bias" in prompt_of(shell)


def test_a_missing_key_is_an_error_and_nothing_is_sent(shell, folder):
    """It lists all of them."""
    error = shell.error("%%claude --prompt explain\n")
    assert "has no value for the key word." in str(error)
    assert not shell.asked


def test_a_secret_in_a_saved_prompt_is_found(shell, folder):
    """As in any prompt."""
    (folder / "prompts" / "leak.md").write_text("Key: sk-ant-api03-" + "x" * 93 + "AA")
    assert "sk-ant" not in str(shell.error("%%claude --prompt leak\n"))
    assert not shell.asked


# Lines that are refused, and why.
REFUSED = {
    "%%claude --with word=x\nHi": "there is no --prompt",
    "%%claude --prompt nosuch\n": "There is no prompts/nosuch.md",
    "%%claude --prompt ../explain\n": "is not a valid name",
    "%%claude --prompt explain --with word\n": "is not KEY=VALUE",
    "from vertex_claude_magic import Claude\nClaude(prompt='explain').ask('Hi')": "Saved prompts work only in the magics",
    "from vertex_claude_magic import Claude\nClaude().ask('Hi', with_={'a': 'b'})": "Saved prompts work only in the magics",
}


@pytest.mark.parametrize(("cell", "said"), REFUSED.items())
def test_a_line_that_cannot_be_meant_is_refused(cell, said, shell, folder):
    """Before anything is sent."""
    assert said in str(shell.error(cell))
    assert not shell.asked


def test_a_policy_holds_over_a_saved_prompt(shell, folder):
    """The lock and the place are named."""
    set_policy(Policy(locks={"model": ("sonnet",)}, origin="claude-policy.toml"))
    try:
        error = shell.error("%%claude --prompt explain --with word=x\n")
    finally:
        set_policy(None)
    assert "model is locked to sonnet by claude-policy.toml (in the saved prompt)" in str(error)
    assert not shell.asked


def test_the_name_of_a_type_in_a_file_is_one_of_the_users(shell, folder):
    """It is looked up and not evaluated."""
    (folder / "prompts" / "city.md").write_text("+++\nas = 'City'\n+++\nA city.")
    shell.ok("from dataclasses import dataclass\n@dataclass\nclass City:\n    name: str")
    shell.emulator.answer('{"name": "Bergen"}')
    assert shell.ok("%%claude --prompt city -q\n").data.name == "Bergen"


def test_a_dry_run_shows_the_filled_prompt(shell, folder):
    """And asks no model."""
    shell.ok("%%claude --prompt explain --with word=bias --dry-run\n")
    assert "bias" in shell.page.text
    assert not shell.asked


def test_tab_offers_names_and_keys(folder):
    """Keys of the prompt on the line that have no value yet."""
    assert [each.text for each in candidates("%%claude --prompt", "ex")] == ["explain"]
    assert [each.text for each in candidates("%%claude --prompt explain --with", "")] == ["word=", "n="]
    assert [each.text for each in candidates("%%claude --prompt explain --with word=x --with", "")] == ["n="]
    assert candidates("%%claude --prompt nosuch --with", "") == []
