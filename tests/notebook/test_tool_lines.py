"""Lines of other tools directly below `%%claude` are not sent; everything else is, to the letter."""

from __future__ import annotations

import pytest

from vertex_claude_magic import errors
from vertex_claude_magic.notebook.tool_lines import read_body

TOOL_LINES = [
    "#| echo: false",
    "#|export",
    "# | label: fig-answer",
    "#| fig-cap:\n#|   - a caption\n#|   - another",
    "#|",
    '#@title Ask Claude { run: "auto" }',
    "# @title",
    "#@markdown Choose a *topic*.",
    '#@param ["a", "b"] {allow-input: true}',
    "# NBVAL_IGNORE_OUTPUT",
    "#NBVAL_SKIP",
    "# NBVAL_TEST_NAME: answers",
    "#PYTEST_VALIDATE_IGNORE_OUTPUT",
    "# %%",
    "#%%",
    "# %% A title",
    "# %% [markdown]",
    "#%%% Part",
    "# In[12]:",
    "# In[ ]:",
    "# <codecell>",
    "# +",
    "# -",
    "#+",
    '# + tags=["hide-input"]',
    '# + {"tags": ["a"]}',
    "# + [markdown]",
    "#| a: 1\n# NBVAL_SKIP\n#@title Mixed\n# %%",
]
PROMPTS = [
    "# Title",
    "#hashtag and more",
    "## %% of users",
    "# + and - are operators",
    "# -1 is negative",
    "# - a list",
    "# %%claude is a magic; what does it do?",
    "#1 question: why?",
    "# @titles of books",
    "#export the table",
    "# In [1] the list",
    "#!/bin/sh is what?",
    "| a | b |",
    "x = 5  # what is it?",
    "x == '#@param'  # why?",
    " #| indented text",
    "NBVAL_SKIP",
    "# nbval_skip",
    "### BEGIN SOLUTION",
    "#",
    "\n#| echo: false",
    "Why?\n#| echo: false\n# %%",
    "",
]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("lines", TOOL_LINES)
def test_lines_of_other_tools_are_not_part_of_the_prompt(lines, end):
    """With and without a blank line below them."""
    above = lines.replace("\n", end)
    for gap in (end, end * 2, f"{end} {end}"):
        body = read_body(f"{above}{gap}Why?{end}#| part of it{end}")
        assert body.prompt == f"Why?{end}#| part of it{end}"
        assert body.tool_lines == tuple(lines.split("\n"))
        assert not body.notes


@pytest.mark.parametrize("prompt", PROMPTS)
def test_anything_else_is_the_prompt_to_the_letter(prompt):
    """A heading, a hashtag, a line of Python, and what follows a first line that no tool reads."""
    assert read_body(prompt).prompt == prompt
    assert read_body(prompt).tool_lines == ()


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ('topic = "t-tests" #@param {type:"string"}', "topic"),
        ('n=5 # @param {type:"slider", min:0}', "n"),
        ("día = True #@param", "día"),
    ],
)
def test_a_form_field_is_left_out_and_named(shell, field, name):
    """Colab writes its value there; no Python runs in this cell, so the user is told where it belongs."""
    shell.emulator.answer("Yes.")
    shell.ok(f"%%claude\n#@title Ask\n{field}\nWhy?")
    assert shell.body["messages"][0]["content"] == "Why?"
    assert f"The form field {name} was not sent" in shell.page.text
    assert f"{{{{ {name} }}}}" in shell.page.text


def test_tool_lines_change_no_digest(shell):
    """An answer is found again when a cell gets another label."""
    shell.emulator.answer("Yes.")
    shell.ok("%%claude\nWhy?")
    shell.ok("%%claude --replay only\n#| label: fig-1\n# NBVAL_SKIP\n\nWhy?")
    assert "replayed" in shell.page.text
    assert len(shell.asked) == 1


def test_literal_sends_them(shell):
    """`--literal` is the body as it is."""
    shell.emulator.answer("Yes.")
    shell.ok("%%claude --literal\n#| echo: false\nWhy?")
    assert shell.body["messages"][0]["content"] == "#| echo: false\nWhy?"


@pytest.mark.parametrize("body", ["#| echo: false", "#@title Ask\n\n", "# %%\n# NBVAL_SKIP\n  \n"])
def test_a_prompt_of_tool_lines_alone_is_empty(shell, body):
    """Nothing is sent, and the message says why."""
    error = shell.error(f"%%claude\n{body}")
    assert isinstance(error, errors.OptionError)
    assert "The prompt is empty" in str(error)
    assert "--literal" in str(error)
    assert not shell.asked


def test_a_dry_run_shows_what_would_go_out(shell):
    """The lines are left out there too."""
    shell.ok("%%claude --dry-run\n#| echo: false\ntopic = 1 #@param\nWhy is it blue?")
    assert "Why is it blue?" in shell.page.text
    assert "echo: false" not in shell.page.text
    assert "The form field topic was not sent" in shell.page.text


def test_a_line_magic_is_not_read_this_way(shell):
    """What is behind `%claude` is the prompt."""
    shell.emulator.answer("Yes.")
    shell.ok("%claude #| what is this?")
    assert shell.body["messages"][0]["content"] == "#| what is this?"
