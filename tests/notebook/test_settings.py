"""Settings: what wins, how `%config` changes them, and the demo that needs none."""

from __future__ import annotations

import re

import pytest
from shells import Shell, bare_shell, loaded_shell
from traitlets.config import Config

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.notebook.commands.settings import setting_text
from vertex_claude_magic.notebook.settings import Settings
from vertex_claude_magic.settings.registry import DEFAULTS, EMPTY, OPTIONS
from vertex_claude_magic.vertex.provenance import ANSWERED_BY_DEMO


def location(shell: Shell) -> str:
    return shell.asked[-1].path.split("/locations/")[1].split("/")[0]


def test_option_beats_config_beats_environment_beats_default(shell, monkeypatch):
    """The region of each request, with one more place saying it each time."""
    monkeypatch.delenv("CLOUD_ML_REGION")
    shell.ok("%claude -q hi")
    assert location(shell) == "global"
    monkeypatch.setenv("CLOUD_ML_REGION", "us")
    shell.ok("%claude -q hi")
    assert location(shell) == "us"
    shell.ok('%config ClaudeMagics.region = "eu"')
    shell.ok("%claude -q hi")
    assert location(shell) == "eu"
    shell.ok("%claude -q -r us hi")
    assert location(shell) == "us"


def test_the_project_comes_from_the_credentials_when_nothing_else_names_it(shell, monkeypatch):
    """Then GOOGLE_CLOUD_PROJECT beats them, ANTHROPIC_VERTEX_PROJECT_ID beats that, and a setting beats all."""
    monkeypatch.delenv("ANTHROPIC_VERTEX_PROJECT_ID")
    shell.ok("%claude -q hi")
    assert f"/projects/{shell.emulator.project}/" in shell.asked[-1].path
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "third-choice")
    assert "/projects/third-choice/" in _refused_path(shell)
    monkeypatch.setenv("ANTHROPIC_VERTEX_PROJECT_ID", "second-choice")
    assert "/projects/second-choice/" in _refused_path(shell)
    shell.ok('%config ClaudeMagics.project = "first-choice"')
    assert "/projects/first-choice/" in _refused_path(shell)


def _refused_path(shell: Shell) -> str:
    """The path of a request that the emulator refuses, because it has one project only."""
    assert isinstance(shell.error("%claude -q hi"), errors.PermissionDenied)
    return shell.asked[-1].path


# The setting, and what of the request it decides.
ON_THE_WIRE = [
    ("max_tokens = 77", lambda request: request.body["max_tokens"] == 77),
    ('system = "Be brief."', lambda request: request.body["system"] == "Be brief."),
    ('effort = "low"', lambda request: request.body["output_config"] == {"effort": "low"}),
    ('thinking = "adaptive"', lambda request: request.body["thinking"] == {"type": "adaptive"}),
    ('model = "haiku"', lambda request: "/models/claude-haiku" in request.path),
    (
        'beta = ["effort-2025-11-24", "compact-2026-01-12"]',
        lambda request: request.headers["anthropic-beta"] == "effort-2025-11-24,compact-2026-01-12",
    ),
    ("no_stream = True\n%config ClaudeMagics.max_tokens = 9", lambda request: "stream" not in request.body),
]


@pytest.mark.parametrize(("setting", "holds"), ON_THE_WIRE, ids=[row[0] for row in ON_THE_WIRE])
def test_config_changes_the_next_request(shell, setting, holds):
    """No restart and no reload is needed, and the change shows on the wire."""
    shell.ok(f"%config ClaudeMagics.{setting}")
    shell.ok("%claude -q hi")
    assert holds(shell.asked[-1])


def test_a_setting_that_is_set_back_leaves_no_trace(shell):
    """The same question gives the same body as before."""
    shell.ok("%claude -q hi")
    before = shell.body
    shell.ok('%config ClaudeMagics.effort = "low"')
    shell.ok('%config ClaudeMagics.effort = ""')
    shell.ok("%claude -q hi")
    assert shell.body == before


SETTINGS_DEFAULTS = Settings().trait_defaults()
SETTINGS = [row for row in OPTIONS.values() if "setting" in row.places]
WRONG = [
    *[(row.name, "...", f"{row.name} is Ellipsis") for row in SETTINGS],
    ("format", "'html'", "'html' is not a value of format. Use markdown, text, json or code."),
    ("replay", "'on'", "'on' is not a value of replay. Use off, auto, only or refresh."),
    ("max_tokens", "0", "max_tokens is 0. Give a number of tokens above 0."),
    ("max_tokens", "'many'", "max_tokens is 'many'. Give a whole number."),
    ("max_cost", "'0.0001'", "max_cost is '0.0001'. Give a number."),
    ("max_cost", "-1", "max_cost is -1. Give a number of USD, such as 0.50."),
    ("timeout", "-1", "timeout is -1. Give seconds above 0, such as 120."),
    ("no_stream", "3", "no_stream is 3. Give True or False."),
    ("thinking", "2.5", "thinking is 2.5. Give adaptive, off, between_tools, or a budget in tokens."),
    ("max_cost", "float('inf')", "max_cost is inf. Give a number of USD, such as 0.50."),
    ("temperature", "float('nan')", "temperature is nan. Give a number."),
    ("max_cost", "10**400", "max_cost is 10000"),
    ("journal_days", "10**5000", "journal_days is of the type int. Give a number of days above 0."),
    ("label", "{'a': 1}", "label has a key or a value that is not a string."),
    ("model", "None", "model is None. Give a string."),
    ("model", "'sonet'", "There is no model 'sonet'. Did you mean sonnet?"),
    ("model", "'OPUSS'", "There is no model 'OPUSS'. Did you mean opus?"),
]


@pytest.mark.parametrize(
    "model", ["sonnet", "Opus", "sonnet-4.5", "claude-sonet-9", "gpt-neo", "claude-haiku-5-5"]
)
def test_a_model_that_a_question_would_send_may_be_set(shell, model):
    """Also one that the table does not know: it may be newer."""
    shell.ok(f"%config ClaudeMagics.model = {model!r}")
    assert shell.magics.model == model


def test_a_short_name_of_ones_own_table_may_be_set(shell, tmp_path):
    file = tmp_path / "models.json"
    file.write_text('{"models": [{"id": "claude-haiku-5-5", "aliases": ["hiku"]}]}')
    assert "no model 'hiku'" in str(shell.error("%config ClaudeMagics.model = 'hiku'"))
    shell.ok(f"%config ClaudeMagics.models_file = {str(file)!r}\n%config ClaudeMagics.model = 'hiku'")


def test_a_configuration_file_may_give_the_model_above_its_table(tmp_path):
    file = tmp_path / "models.json"
    file.write_text('{"models": [{"id": "claude-haiku-5-5", "aliases": ["hiku"]}]}')
    ip = bare_shell()
    ip.config.merge(Config({"ClaudeMagics": {"model": "hiku", "models_file": str(file)}}))
    ip.run_line_magic("load_ext", "vertex_claude_magic")
    assert Shell(ip=ip).magics.model == "hiku"


@pytest.mark.parametrize(("name", "value", "said"), WRONG, ids=[f"{row[0]}={row[1]}" for row in WRONG])
def test_a_value_that_a_setting_cannot_take_fails_its_cell(shell, caplog, name, value, said):
    """So that Run All ends before a question goes out without it; the old value stays, also after loading again."""
    shell.ok("%config ClaudeMagics.max_daily_cost = 3")
    old = shell.magics.values()
    error = shell.error(f"%config ClaudeMagics.{name} = {value}")
    assert isinstance(error, errors.SettingRefused)
    assert str(error).startswith(said)
    assert error._render_traceback_() == [f"SettingRefused: {error}"]
    assert error.cure
    assert not caplog.records
    assert shell.magics.values() == old
    shell.ok("%reload_ext vertex_claude_magic")
    assert shell.magics.values() == old


@pytest.mark.parametrize("name", ["project", "region", "model", "journal", "base_url"])
def test_a_secret_is_not_taken_as_a_setting(shell, capsys, name):
    """The list of the settings and the panel show each value, and a saved notebook carries them."""
    secret = "ya" + "29.sesame4711sesame4711"
    error = shell.error(f"%config ClaudeMagics.{name} = {secret!r}")
    assert isinstance(error, errors.SettingRefused)
    assert str(error).startswith(f"{name} seems to contain a Google access token.")
    assert name not in shell.magics.values()
    shell.ok("%config ClaudeMagics")
    assert "sesame" not in f"{error!r} {capsys.readouterr()}"


@pytest.mark.parametrize(("name", "value", "said"), WRONG, ids=[f"{row[0]}={row[1]}" for row in WRONG])
def test_one_wrong_line_of_a_configuration_file_takes_nothing_else_away(capsys, name, value, said):
    """The extension loads, also again; one line names the setting; the other settings hold."""
    ip = bare_shell()
    # Before the extension is there: what `c.ClaudeMagics.NAME = VALUE` in ipython_config.py leaves.
    given = {"journal_days": 9, "effort": "low"}
    ip.config.merge(Config({"ClaudeMagics": {**given, name: eval(value)}}))
    shell = Shell(ip=ip)
    for command in ("load_ext", "reload_ext"):
        shell.ok(f"%{command} vertex_claude_magic")
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith(f"ClaudeMagics.{name} of IPython's configuration is not used: {said}")
        assert shell.magics.values() == {key: given[key] for key in given if key != name}
    shell.ok(f"%config ClaudeMagics.{name} = {SETTINGS_DEFAULTS[name]!r}")
    shell.ok("%claude")


def test_an_unknown_setting_is_answered_with_the_nearest(shell):
    """It warns, and names what may have been meant."""
    with pytest.warns(UserWarning, match="Did you mean .*`?model"):
        shell.run('%config ClaudeMagics.modle = "opus"')


@pytest.mark.parametrize(
    "setting", ['effort = "huge"', 'model = "claude-3-opus"', 'thinking = "sometimes"', 'region = "a b"']
)
def test_a_value_that_no_model_takes_fails_the_next_question(shell, setting):
    """What depends on the model is checked when a question is asked, in one line with a cure."""
    shell.ok(f"%config ClaudeMagics.{setting}")
    error = shell.error("%claude -q hi")
    assert isinstance(error, errors.ClaudeError)
    assert error.cure


def test_a_configuration_file_sets_them_before_the_extension_loads():
    """`c.ClaudeMagics.model = "haiku"` in ipython_config.py."""
    ip = bare_shell()
    ip.config.merge(Config({"ClaudeMagics": {"model": "haiku", "max_tokens": 9}}))
    ip.run_line_magic("load_ext", "vertex_claude_magic")
    assert Shell(ip=ip).magics.values() == {"model": "haiku", "max_tokens": 9}


def test_every_setting_explains_itself_and_is_an_option():
    """`%config ClaudeMagics` lists the help; the names are those of the Python interface, so no token is among them."""
    options = set(EMPTY)
    for name, trait in Settings.class_traits(config=True).items():
        assert trait.help.endswith("."), name
        assert name in options


def test_a_line_without_prompt_shows_the_present_settings(shell):
    """Value and origin of each, and nothing is sent."""
    shell.ok('%config ClaudeMagics.effort = "low"')
    shell.ok("%claude -m haiku")
    rows = {line.split()[0]: line for line in shell.page.text.splitlines()}
    assert "haiku →" in rows["model"]
    assert "(option)" in rows["model"]
    assert "(CLOUD_ML_REGION)" in rows["region"]
    assert "(setting)" in rows["effort"]
    assert "(default)" in rows["timeout"]
    assert "<table>" in shell.page.outputs[0]["text/html"]
    assert not shell.emulator.requests


SHOWN = {
    "model": "sonnet", "max_tokens": "16,000, or the model's limit if lower", "system": "not set", "label": "not set",
    "timeout": "600 s", "max_cost": "no limit", "no_stream": "False", "journal_days": "30", "value_tokens": "4,000",
}  # fmt: skip


@pytest.mark.parametrize(
    "row", [row for row in OPTIONS.values() if "setting" in row.places], ids=lambda row: row.name
)
def test_every_setting_has_a_default_in_words(row):
    """The reference pages and the page of `%claude` say it alike; never the `None` or `()` of the code."""
    text = setting_text(row, DEFAULTS[row.name])
    assert text == SHOWN.get(row.name, text)
    assert text
    assert not set(text) & set("(){}[]")
    assert "None" not in text


WRONG = [
    ("model", "claude-3-opus@20240229"), ("region", "x y"), ("project", ".."), ("effort", "huge"),
    ("thinking", "sometimes"), ("thinking", "5"), ("max_tokens", 10_000_000), ("temperature", 0.5), ("top_k", 5),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
@pytest.mark.parametrize(
    "cell", ["%%claude\nHi", "%%claude --dry-run\nHi", "%%claude_map out rows\n{{ item }}"]
)
def test_a_question_that_a_setting_breaks_names_the_setting_and_the_line_that_clears_it(
    shell, name, value, cell
):
    """It was set cells ago, perhaps in a file; the line, run as it stands, mends every later question."""
    shell.ip.user_ns["rows"] = ["a"]
    shell.ok(f"%config ClaudeMagics.{name} = {value!r}")
    error = shell.error(cell)
    assert isinstance(error, errors.OptionError)
    undo = re.search(rf"{name} is a setting: (%config ClaudeMagics\.{name} = \S+) clears it\.$", error.cure)
    assert undo, error.cure
    assert error.cure.count("is a setting") == 1
    shell.ok(undo[1])
    shell.ok(cell)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_an_option_of_the_line_or_of_python_is_not_called_a_setting_of_the_notebook(shell, name, value):
    written = f"'{value}'" if isinstance(value, str) else value
    assert "setting" not in shell.error(f"%%claude --{name.replace('_', '-')} {written}\nHi").cure
    with pytest.raises(errors.OptionError) as caught:
        Claude().ask("Hi", **{name: value})
    assert "is a setting" not in caught.value.cure
    with pytest.raises(errors.OptionError) as caught:
        Claude(**{name: value}).ask("Hi")
    assert caught.value.cure.endswith(f" {name} is a setting of the client.")


@pytest.fixture
def demo(monkeypatch, tmp_path):
    """A shell without any usable login, in which the demo runs."""
    broken = tmp_path / "broken.json"
    broken.write_text("not a key file")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(broken))
    shell = loaded_shell()
    shell.ok("%claude_demo")
    yield shell
    shell.ok("%claude_demo stop")


def test_the_demo_answers_without_looking_for_credentials(demo):
    """A broken key file does not matter, and the answer says who wrote it."""
    emulator = demo.magics.emulator
    emulator.answer("From the demo.")
    reply = demo.ok("%%claude\nhi")
    assert reply.text == "From the demo."
    assert "emulator, not by Claude" in demo.page.text
    assert demo.page.metadata[0]["vertex_claude_magic"]["answered_by"] == "emulator"
    assert {each.headers["authorization"] for each in emulator.requests} == {"Bearer emulator"}


ASKED = {
    "a question": "%%claude\nhi",
    "a table": "%%claude_map out rows\n{{ item }}",
    "a batch": "%%claude_batch out rows --to gs://rows/x\n{{ item }}",
    "a comparison": "%%claude_compare -m haiku,sonnet\nhi",
}


@pytest.mark.parametrize("cell", ASKED.values(), ids=ASKED.keys())
def test_whatever_the_demo_answers_ends_with_the_same_line(demo, cell):
    """And it says how to go back."""
    demo.magics.emulator.buckets.make("rows", "us-east5")
    demo.ok("rows = ['one', 'two']")
    demo.ok(cell)
    assert demo.page.text.count(ANSWERED_BY_DEMO) == 1


def test_a_reply_of_the_demo_says_so_wherever_it_is_shown(demo):
    """By its name in a later cell too: a picture of that output must not pass for an answer of Claude."""
    demo.ok("%%claude answer\nhi")
    data, _ = demo.ip.display_formatter.format(demo.ip.user_ns["answer"])
    assert "Answered by the emulator, not by Claude." in data["text/markdown"]
    assert "Answered by the emulator, not by Claude." in data["text/plain"]


def test_the_demo_overrides_where_questions_go_but_not_what_is_asked(demo):
    """Base URL and project are the emulator's; the other settings hold."""
    demo.ok('%config ClaudeMagics.base_url = "https://example.com/v1"')
    demo.ok("%config ClaudeMagics.max_tokens = 7")
    demo.ok("%claude -q hi")
    assert demo.magics.emulator.requests[-1].body["max_tokens"] == 7


def test_the_demo_says_where_it_stands(demo):
    """Started twice, stopped twice, asked for something else."""
    demo.ok("%claude_demo")
    assert "already on" in demo.page.text
    demo.ok("%claude")
    assert "emulator, not Claude" in demo.page.text
    assert demo.page.text.count("(%claude_demo)") == 3
    assert "stop" in str(demo.error("%claude_demo now"))
    emulator = demo.magics.emulator
    demo.ok("%claude_demo stop")
    assert "is off" in demo.page.text
    assert not emulator._thread.is_alive()
    demo.ok("%claude_demo stop")
    assert "not on" in demo.page.text


@pytest.mark.parametrize("again", ["%reload_ext", "%unload_ext", "%load_ext"])
def test_a_demo_that_ends_with_the_extension_is_told(demo, capsys, again):
    """The next question would go to Vertex AI; where IPython does nothing, the demo stays on in silence."""
    demo.ok(f"{again} vertex_claude_magic")
    said = capsys.readouterr().out
    if again == "%load_ext":
        assert "is already loaded" in said
        assert demo.ok("%claude -q hi").text
    else:
        assert said == "Demo mode is off, because the extension was unloaded. %claude_demo starts it again.\n"
    demo.ok("%reload_ext vertex_claude_magic")
    capsys.readouterr()
    demo.ok("%reload_ext vertex_claude_magic")
    assert capsys.readouterr().out == ""


def test_after_the_demo_questions_go_to_vertex_again(demo):
    """With the login of the user, which here is broken."""
    demo.ok("%claude_demo stop")
    error = demo.error("%%claude\nhi")
    assert isinstance(error, errors.CredentialsError)
    assert "broken.json" in str(error)
