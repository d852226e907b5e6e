"""The file of a saved prompt: its top, its keys, and what it may not say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.settings.found_files import text_of
from vertex_claude_magic.settings.saved_prompts import parse_prompt, prompt_names, read_prompt

WHOLE = """+++
description = "Explain a word"
model = "haiku"
[options]
max-tokens = 300
as = "City"
[defaults]
reader = "a biologist"
+++

Explain {{ word }} to {{ reader }}; \\{{ x }} and {{ .Values.y }} stay.
"""


def test_a_saved_prompt_has_options_defaults_description_and_text():
    """Options stand at the top or in a section of their own."""
    found = parse_prompt(WHOLE, "explain", Path())
    assert found.description == "Explain a word"
    assert found.options == {"model": "haiku", "max_tokens": 300, "as_": "City"}
    assert found.defaults == {"reader": "a biologist"}
    assert found.text.startswith("Explain {{ word }}")
    assert found.keys() == ("word", "reader")


# Texts without a top.
PLAIN = {"Hi": "Hi", "\n+++\nHi": "+++\nHi", "Hi\n+++": "Hi\n+++", "++\nHi": "++\nHi", "+++\n+++\nHi": "Hi"}


@pytest.mark.parametrize(("text", "found"), PLAIN.items())
def test_a_file_without_a_top_is_all_text(text, found):
    """The top begins in the first line."""
    assert parse_prompt(text, "a", Path()).text == found


def test_a_key_is_filled_by_the_line_then_by_the_variables_then_by_the_defaults():
    """Each place may leave it to the next."""
    saved = parse_prompt("+++\n[defaults]\na = 1\nb = 1\nc = 1\n+++\n{{ a }}{{ b }}{{ c }}", "p", Path())
    values = saved.filled({"a": 3}, {"a": 2, "b": 2})
    assert [values[key] for key in "abc"] == [3, 2, 1]


def test_the_keys_without_a_value_are_all_listed():
    """With what to write."""
    saved = parse_prompt("{{ word }} {{ reader }} {{ n }}", "explain", Path())
    with pytest.raises(OptionError) as caught:
        saved.filled({}, {"n": 1})
    assert str(caught.value) == (
        "The prompt 'explain' has no value for the keys word, reader. "
        "Give --with word=VALUE --with reader=VALUE, or make a variable of that name."
    )


def test_a_key_may_be_a_word_of_pythons_grammar():
    """As any other name."""
    saved = parse_prompt("{{ class }} of {{ from.in }}", "p", Path())
    assert saved.keys() == ("class", "from")
    assert saved.filled({"class": 3, "from": {}}, {}) == {"class": 3, "from": {}}


def test_a_value_for_no_key_is_refused():
    """It is a slip, and its prompt would be another one than was meant."""
    with pytest.raises(OptionError, match=r"has no key 'wrod'\. Its keys are word\."):
        parse_prompt("{{ word }}", "explain", Path()).filled({"wrod": "x"}, {})


# The top of a file, and how the error begins.
BROKEN = {
    "not closed": ("+++\nmodel = 'haiku'\nHi", "prompts/p.md, line 1: the front matter is not closed."),
    "no TOML": ("+++\nmodel = 'haiku'\nregion = eu\n+++\nHi", "prompts/p.md, line 3: "),
    "unknown option": ("+++\n\nmodell = 'x'\n+++\nHi", "prompts/p.md, line 3: there is no option 'modell'."),
    "wrong kind": ("+++\n[options]\nmodel = 5\n+++\nHi", "prompts/p.md, line 3: model is 5."),
    "description": ("+++\ndescription = 5\n+++\nHi", "prompts/p.md, line 2: the description is not text."),
    "no section": ("+++\ndefaults = 5\n+++\nHi", "prompts/p.md, line 2: defaults is not a section."),
    "twice": ("+++\nmodel = 'a'\n[options]\nmodel = 'b'\n+++\nHi", "prompts/p.md, line 2: model is given twice."),
    "an expression": ("+++\nas = 'list[City]'\n+++\nHi", "prompts/p.md, line 2: as is neither the name of a type"),
    "a call": ("+++\nas = '__import__(\"os\")'\n+++\nHi", "prompts/p.md, line 2: as is neither the name of a type"),
    "attached from elsewhere": ("+++\nattach = ['../secret']\n+++\nHi", "prompts/p.md, line 2: the attachment"),
    "attached from home": ("+++\nattach = ['/root/.ssh/id']\n+++\nHi", "prompts/p.md, line 2: the attachment"),
    "tools by hand": ("+++\nset = {tools = []}\n+++\nHi", "prompts/p.md, line 2: a file may not set the field tools."),
    "tools unasked": ("+++\ntools = ['load']\n+++\nHi", "prompts/p.md, line 2: tools are given without confirm = true."),
    "a confirm of words": ("+++\nconfirm = 'yes'\n+++\nHi", "prompts/p.md, line 2: confirm is 'yes'."),
    "another prompt": ("+++\nprompt = 'x'\n+++\nHi", "prompts/p.md, line 2: prompt is given on the line only."),
    "a secret": ("+++\nmodel = 'sk-ant-invented'\n+++\nHi", "prompts/p.md, line 2: model seems to contain an Anthropic key."),
    **{
        name: (f"+++\n{name} = {value}\n+++\nHi", f"prompts/p.md, line 2: a file may not set {name}.")
        for name, value in {
            "base_url": "'https://x/v1'", "trusted_hosts": "['x']", "project": "'p'", "force": "true",
            "header": "{a = 'b'}", "allow_secrets": "true", "journal": "'off'", "recording": "'x'",
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize(("text", "begins"), BROKEN.values(), ids=BROKEN.keys())
def test_what_a_saved_prompt_may_not_say_is_refused_with_its_line(text, begins):
    """The folder may be somebody else's."""
    with pytest.raises(OptionError) as caught:
        parse_prompt(text, "p", Path())
    assert caught.value.message.startswith(begins)
    assert "invented" not in str(caught.value)


def test_a_file_may_switch_tools_on_where_each_call_is_confirmed():
    text = "+++\ntools = ['load']\nconfirm = true\n+++\nHi"
    assert parse_prompt(text, "p", Path()).options == {"tools": ("load",), "confirm": True}


def test_an_attachment_is_taken_from_the_folder_of_the_file(tmp_path):
    """Not through a link that leads elsewhere."""
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "link.txt").symlink_to("/etc/hosts")
    text = "+++\nattach = ['{}']\n+++\nHi"
    assert parse_prompt(text.format("notes.txt"), "p", tmp_path).options["attach"] == (
        tmp_path / "notes.txt",
    )
    with pytest.raises(OptionError, match="outside the folder"):
        parse_prompt(text.format("link.txt"), "p", tmp_path)


# Names that are no file of the folder.
NAMES = ["../secret", "/etc/hosts", "a/b", ".hidden", "", "a\x00b", "a\nb", "..", "C:x"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_name_and_no_path(name, tmp_path):
    """Nothing outside the folder is read."""
    with pytest.raises(OptionError, match="is not a valid name for a saved prompt"):
        read_prompt(name, tmp_path)


# What lies in the place of the file.
FILES = {
    "a link to a file elsewhere": (
        lambda path: path.symlink_to("/etc/hosts"),
        "is a link to a file elsewhere",
    ),
    "a pipe": (os.mkfifo, "There is no prompts/p.md"),
    "a folder": (lambda path: path.mkdir(), "There is no prompts/p.md"),
    "other characters": (lambda path: path.write_bytes(b"\xff\xfe"), "is not UTF-8"),
    "too long": (lambda path: path.write_text("x" * 500_000), "is longer than 400,000 characters"),
}


@pytest.mark.parametrize(("make", "said"), FILES.values(), ids=FILES.keys())
def test_a_file_that_is_no_prompt_is_refused(make, said, tmp_path):
    """In one line."""
    make(tmp_path / "p.md")
    with pytest.raises(OptionError, match=said):
        read_prompt("p", tmp_path)


def test_a_wrong_name_lists_the_prompts_that_are_there(tmp_path):
    """Or names the nearest."""
    for name in ("explain", "summary", ".hidden"):
        (tmp_path / f"{name}.md").write_text("Hi")
    assert prompt_names(tmp_path) == ["explain", "summary"]
    with pytest.raises(OptionError, match=r"Did you mean explain\?"):
        read_prompt("explian", tmp_path)
    with pytest.raises(OptionError, match=r"There are explain, summary\."):
        read_prompt("zzz", tmp_path)


def test_a_file_that_cannot_be_read_is_not_said_to_be_of_a_wrong_encoding(tmp_path):
    """Its permissions may forbid it, or it is something else than a file."""
    with pytest.raises(OptionError, match=r"^prompts/p.md cannot be read \(.*\)\. Check its permissions\.$"):
        text_of(tmp_path, "prompts/p.md")


def test_a_name_that_is_too_long_for_a_file_is_no_prompt(tmp_path):
    """As one that is not there."""
    with pytest.raises(OptionError, match=r"There is no prompts/a+…\.md beside the notebook"):
        read_prompt("a" * 400, tmp_path)
