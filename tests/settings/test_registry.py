"""One row makes an option: the parser, Tab, the help page, the settings and Python all read the registry."""

from __future__ import annotations

import pytest
from shells import loaded_shell
from traitlets import TraitError

from vertex_claude_magic import Claude
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.completion import Candidate, call_candidates, candidates
from vertex_claude_magic.notebook.options import parse_cell_line
from vertex_claude_magic.notebook.settings import Settings, trait_of
from vertex_claude_magic.settings.options import AskOptions, merge
from vertex_claude_magic.settings.registry import OPTIONS, Option, help_lines, register, unregister
from vertex_claude_magic.settings.target import resolve_target

TONE = Option(
    "tone",
    default="plain",
    variables=("CLAUDE_TONE",),
    words=("plain", "formal", "cheerful"),
    places=frozenset({"line", "python", "setting", "page"}),
    value="WORD",
    candidates="words",
    help="how the answer sounds",
    group="How it is shown",
)


@pytest.fixture
def tone():
    """An option that exists for one test, by its row alone."""
    register(TONE)
    yield TONE
    unregister("tone")


@pytest.mark.usefixtures("tone")
def test_a_new_option_is_one_row():
    """Parser, completion, help page, settings page, trait, environment, Python keyword and checks."""
    assert parse_cell_line("answer --tone formal").options == {"tone": "formal"}
    assert [each.text for each in candidates("%%claude", "--ton")] == ["--tone"]
    assert [each.text for each in candidates("%%claude --tone", "")] == ["plain", "formal", "cheerful"]
    assert call_candidates("Claude(ton", {"Claude": Claude})[1] == [Candidate("tone=", "option")]
    assert "--tone WORD              how the answer sounds" in help_lines()
    shell = loaded_shell()
    shell.ok("%claude -h all")
    assert "--tone WORD" in shell.page.text.partition("How it is shown")[2].partition("Cost and re-runs")[0]
    shell.ok("%claude --tone formal")
    assert any(line.split() == ["tone", "formal", "(option)"] for line in shell.page.text.splitlines())
    assert merge(AskOptions(), {"tone": "formal"}).tone == "formal"
    assert resolve_target(AskOptions(), environment={"CLAUDE_TONE": "cheerful"}).tone == "cheerful"
    assert "tone='formal'" in repr(Claude(tone="formal", project="p")._session.target())
    with pytest.raises(OptionError, match="'shrill' is not a value of tone"):
        Claude(tone="shrill")
    with pytest.raises(OptionError, match="CLAUDE_TONE: 'shrill' is not a value of --tone"):
        resolve_target(AskOptions(), environment={"CLAUDE_TONE": "shrill"})
    assert trait_of(TONE).values == ("", "plain", "formal", "cheerful")


def test_an_option_that_is_taken_away_is_unknown_again(tone):
    """Nothing keeps a copy of the table."""
    unregister("tone")
    with pytest.raises(OptionError, match="no option '--tone'"):
        parse_cell_line("--tone formal")
    with pytest.raises(OptionError, match="no option 'tone'"):
        merge(AskOptions(), {"tone": "formal"})
    register(tone)


@pytest.mark.parametrize("row", OPTIONS.values(), ids=OPTIONS)
def test_every_row_is_whole(row):
    """It explains itself where it is offered, and its default is a value that it takes."""
    assert row.places <= {"line", "python", "setting", "page"}
    assert row.help or "line" not in row.places
    assert row.value or row.kind in {"flag", "display", "confirm"} or "line" not in row.places
    assert row.default is None or not row.words or row.default in row.words
    assert ("setting" in row.places) == (row.name in Settings.class_trait_names(config=True))


@pytest.mark.parametrize(
    "row", [row for row in OPTIONS.values() if row.least is not None], ids=lambda row: row.name
)
def test_a_number_below_the_least_is_refused_wherever_it_is_given(row):
    """As an option, by Python and by %config, with one wording of what is wanted."""
    below = row.least - 1
    with pytest.raises(OptionError, match=row.wanted):
        merge(AskOptions(), {row.name: below})
    if "setting" in row.places:
        with pytest.raises(TraitError, match=row.wanted):
            Settings(**{row.name: below})
