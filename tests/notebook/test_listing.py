"""Pages that a magic shows at once: models, settings, help."""

from __future__ import annotations

import json

import pytest
from page_html import QUIET_HTML, Elements
from shells import loaded_shell

from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.notebook.commands.settings import settings_rows
from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.target import resolve_target


@pytest.fixture
def shell():
    """A shell without login, network and emulator: these pages need none."""
    return loaded_shell()


@pytest.mark.parametrize(
    "cell", ["%claude_models", "%claude_models sonnet", "%claude_models -r eu", "%claude", "%claude -h"]
)
def test_each_page_reads_well_with_and_without_html(shell, cell):
    """One static output of inert elements, and the same as text."""
    shell.ok(cell)
    (data,) = shell.page.outputs
    seen = Elements(data["text/html"])
    assert seen.elements <= QUIET_HTML
    assert not {name for name in seen.attributes if name.startswith("on") or name in {"id", "src", "href"}}
    assert len(data["text/plain"].splitlines()) > 3
    assert max(map(len, data["text/plain"].splitlines())) <= 130


def test_the_models_of_one_family_are_shown(shell):
    """All rows of the table that belong to it, and no other."""
    shell.ok("%claude_models haiku --all")
    models = Catalog.load().models
    assert all((model.id in shell.page.text) == (model.family == "haiku") for model in models)


def test_the_prices_of_a_location_are_shown(shell):
    """`--region` puts the location into the head."""
    shell.ok("%claude_models --region eu")
    assert "eu" in shell.page.text.splitlines()[0]


@pytest.mark.parametrize("cell", ["%claude_models gemini", "%claude_models -m opus", "%claude_models sonnet opus",
                                  "%claude_models --regi eu"])  # fmt: skip
def test_what_cannot_be_listed_is_refused(shell, cell):
    """One line that says what can."""
    error = shell.error(cell)
    assert error.cure


def test_a_table_file_of_the_user_shows_in_the_list(shell, tmp_path):
    """The setting `models_file` adds rows."""
    file = tmp_path / "models.json"
    row = {"id": "claude-test-9", "name": "Test 9", "family": "test"}
    file.write_text(json.dumps({"models": [row]}))
    shell.ok(f"%config ClaudeMagics.models_file = {str(file)!r}")
    shell.ok("%claude_models test")
    assert "claude-test-9" in shell.page.text


def test_settings_name_their_origin(monkeypatch):
    """The call's own option, the session's setting, the variable, the default."""
    monkeypatch.setenv("CLOUD_ML_REGION", "eu")
    rows = settings_rows(resolve_target(AskOptions(effort="low"), {"max_tokens": 5}))
    origins = {name: (value, origin) for name, value, origin in rows}
    assert origins["max_tokens"] == ("5", "option")
    assert origins["effort"] == ("low", "setting")
    assert origins["region"] == ("eu", "CLOUD_ML_REGION")
    assert origins["timeout"] == ("600 s", "default")
    assert origins["model"][0].startswith("sonnet → claude-sonnet")


def test_settings_name_everything_that_a_policy_sets(under):
    """Also what the page has no line for otherwise, so that whoever wrote the policy sees that it holds."""
    shell = under(
        "[defaults]\nvalue_tokens = 500\nshow_thinking = true\n"
        '[locks]\nlabel = { course = "stat-101" }\njournal_days = 90\n'
    )
    shell.ok("%claude")
    lines = shell.page.text.splitlines()
    for name, value in {
        "label": "course=stat-101", "journal_days": "90", "value_tokens": "500", "show_thinking": "True"
    }.items():  # fmt: skip
        assert [line.split()[1:] for line in lines if line.startswith(f"{name} ")] == [
            [value, "(claude-policy.toml)"]
        ]
    assert "journal_megabytes" not in shell.page.text


def test_settings_of_the_user_are_shown_literally(shell):
    """A long system prompt is shortened, markup stays text."""
    shell.ip.user_ns["text"] = "<script>alert(1)</script>\x1b[31m" + "long " * 100
    shell.magics.system = shell.ip.user_ns["text"]
    shell.ok("%claude")
    assert "<script>" not in shell.page.outputs[0]["text/html"]
    assert "\x1b" not in shell.page.text


def test_an_alias_that_means_nothing_is_said_and_not_raised(shell):
    """The page of settings is where one looks for the mistake."""
    shell.ok('%config ClaudeMagics.region = "us-east5"')
    shell.ok("%claude -m sonnet-99")
    assert "sonnet-99" in shell.page.text


@pytest.mark.parametrize("line", ["%claude --quiet", "%claude --dry-run -m haiku"])
def test_options_of_showing_do_not_keep_the_settings_from_being_shown(line, claude_emulator):
    """Without a prompt there is nothing to be quiet about; what would be asked is shown all the same."""
    shell = loaded_shell(claude_emulator)
    assert shell.ip.run_cell(line).success
