"""A secret that was pasted into the wrong setting is refused before it is sent, and nothing of it is shown."""

from __future__ import annotations

import json
import logging
import traceback
from contextlib import suppress
from functools import partial
from traceback import format_exception

import pytest
from journals import client

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.__main__ import main
from vertex_claude_magic.settings.options import AskOptions, merge
from vertex_claude_magic.settings.pasted import refuse_pasted
from vertex_claude_magic.settings.registry import OPTIONS
from vertex_claude_magic.settings.target import resolve_target
from vertex_claude_magic.tables.batch.checks import BATCH_OPTIONS
from vertex_claude_magic.tables.options import MAP_OPTIONS
from vertex_claude_magic.transport.auth import ApplicationDefault

# Invented, in the shapes of what Google and others issue; put together here so that no scanner takes them for real.
LETTERS = "Zq7Kd3wRt9Lp2Xv"
PEM = "-----BEGIN " + "PRIVATE KEY-----\n" + f"MIIEv{LETTERS}\n" * 20 + "-----END " + "PRIVATE KEY-----\n"
SECRETS = {
    "a private key": PEM,
    "a private key in one line": PEM.replace("\n", "\\n"),
    "JSON of a login": json.dumps({"type": "authorized_user", "refresh_token": "1//" + "0g" + LETTERS * 4}),
    "indented JSON of a key": json.dumps({"type": "service_account", "private_key": PEM}, indent=2),
    "JSON in quotes": "'" + json.dumps({"client_secret": LETTERS}) + "'",
    "a refresh token": "1//" + "0g" + LETTERS * 4,
    "a short refresh token": "1//" + "0g" + LETTERS,
    "an access token": "ya" + "29." + LETTERS * 6,
    "an access token and a line end": "ya" + "29." + LETTERS * 6 + "\n",
    "a token behind a mark": "\ufeff" + "ya" + "29." + LETTERS,
    "a header": "Bearer " + LETTERS * 3,
    "an API key": "AI" + "za" + (LETTERS * 3)[:35],
    "a client secret": "GOC" + "SPX-" + LETTERS * 2,
    "a web token": ".".join(["ey" + "J" + LETTERS, "ey" + "J" + LETTERS * 3, LETTERS * 2]),
    "a key of another service": "sk-" + "ant-" + LETTERS * 3,
}
SETTINGS = ["project", "region", "model", "base_url", "journal", "recording", "replay", "format", "effort",
            "anthropic_version", "replay_pace", "models_file"]  # fmt: skip
VARIABLES = [(name, variable) for name, row in OPTIONS.items() for variable in row.variables]


def is_shown(text: str) -> bool:
    return any(LETTERS[at : at + 8] in text for at in range(len(LETTERS) - 7))


def everything_about(error: BaseException) -> str:
    chain = [error, error.__cause__, error.__context__]
    parts = [f"{vars(each)!r} {each.args!r}" for each in chain if each is not None]
    return " ".join([*parts, *traceback.format_exception(error)])


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_secret_as_a_setting_of_a_client_is_named_and_not_shown(name, secret):
    """Message, cure, attributes and what stands behind the error."""
    with pytest.raises(errors.OptionError, match=f"^{name} seems to contain") as caught:
        Claude(**{"access_token": "emulator", name: secret})
    assert not is_shown(everything_about(caught.value))


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize(("name", "variable"), VARIABLES)
def test_a_secret_in_a_variable_is_named_by_its_variable(monkeypatch, name, variable, secret):
    """Whoever reads it looks for the variable, not for a setting of ours."""
    monkeypatch.setenv(variable, secret)
    with pytest.raises(errors.OptionError, match=f"^{variable} seems to contain") as caught:
        resolve_target(AskOptions())
    assert not is_shown(everything_about(caught.value))


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize(
    "variable",
    ["GOOGLE_CLOUD_PROJECT", "CLOUD_ML_REGION", "VERTEX_CLAUDE_JOURNAL", "GOOGLE_CLOUD_QUOTA_PROJECT"],
)
def test_it_is_neither_sent_nor_printed_nor_logged(
    claude_emulator, monkeypatch, capfd, caplog, tmp_path, variable, secret
):
    """A question, the doctor of the command line and its report, with every log on."""
    caplog.set_level(logging.DEBUG)
    for name, value in {**claude_emulator.environment, variable: secret}.items():
        monkeypatch.setenv(name, value)
    if variable == "GOOGLE_CLOUD_PROJECT":
        monkeypatch.delenv("ANTHROPIC_VERTEX_PROJECT_ID", raising=False)
    with pytest.raises(errors.OptionError, match=f"^{variable} seems to contain"):
        Claude().ask("hi")
    assert claude_emulator.requests == []
    report = tmp_path / "report.txt"
    assert main(["doctor", "--report", str(report)]) != 0
    shown = "".join(capfd.readouterr()) + caplog.text
    assert variable in shown
    assert not is_shown(shown + (report.read_text() if report.exists() else ""))


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_secret_as_the_quota_project_of_credentials_is_not_sent(claude_emulator, monkeypatch, secret):
    """The file is the user's own, and edited by hand."""
    file = claude_emulator.credentials_file("authorized_user")
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "quota_project_id": secret}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    login = ApplicationDefault(request=claude_emulator.google_request)
    claude = Claude(project="p-1", base_url=claude_emulator.base_url, credentials=login)
    with pytest.raises(errors.OptionError, match=r"^The quota project of the credentials seems to") as caught:
        claude.ask("hi")
    assert claude_emulator.requests == []
    assert not is_shown(everything_about(caught.value))


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_cell_shows_one_line_without_it(shell, monkeypatch, secret):
    """As pasted on a magic's line of options, and as a variable."""
    monkeypatch.setenv("CLOUD_ML_REGION", secret)
    with pytest.raises(errors.OptionError) as caught:
        shell.magics.claude("-q hi")
    assert not is_shown(everything_about(caught.value))


ROWS = {row.name: row for row in (*OPTIONS.values(), *MAP_OPTIONS, *BATCH_OPTIONS)}
SHAPES = {"alone": lambda key: key, "in a list": lambda key: [key], "in a dict": lambda key: {key: key}}
ARGUMENTS = {
    "chat": lambda claude, key: claude.chat(key),
    "fork": lambda claude, key: claude.chat("a").fork(key),
    "remove": lambda claude, key: claude.chat("a").remove(key),
    "a name in a prompt": lambda claude, key: claude.ask("{{ " + key + " }}", names={}),
    "a column": lambda claude, key: claude.map([{"a": 1}], "{{ row['" + key + "'] }}", progress=False),
    "a table": lambda claude, key: claude.map(key, "{{ item }}", progress=False),
    "what varies": lambda claude, key: claude.compare("Hi", vary={key: ["a", "b"]}),
    "models": lambda claude, key: claude.compare("Hi", [key, key]),
    "an unknown option": lambda claude, key: claude.ask("Hi", **{key: 1}),
    "the name of a header": lambda claude, key: claude.ask("Hi", header={key: "x"}),
}


# A client secret of the old form has no prefix that it could be known by.
PREFIXED = {name: secret for name, secret in SECRETS.items() if name != "JSON in quotes"}


@pytest.mark.parametrize("secret", PREFIXED.values(), ids=PREFIXED)
def test_no_error_quotes_a_secret_whatever_it_was_given_for(claude_emulator, secret):
    """Every option, in each shape that a value has, and what is no option; nothing stands behind the error either."""
    claude = client(claude_emulator, journal="off")
    given = [{row: shape(secret)} for row in ROWS for shape in SHAPES.values()]
    asked = [partial(claude.ask, "Hi", **each) for each in given if not each.keys() & {"set", "stop"}]
    asked += [partial(claude.map, ["a"], "{{ item }}", **{row.name: secret}) for row in MAP_OPTIONS]
    asked += [
        partial(claude.batch, ["a"], "{{ item }}", **{"to": "gs://rows/run", row.name: secret})
        for row in BATCH_OPTIONS
    ]
    refused = []
    for ask in (*asked, *(partial(ask, claude, secret) for ask in ARGUMENTS.values())):
        with suppress(Exception):
            try:
                ask()
            except errors.ClaudeError as error:
                refused.append(error)
                raise
    assert len(refused) > 100
    assert [
        str(error) for error in refused if is_shown("".join(format_exception(error)) + repr(vars(error)))
    ] == []


@pytest.mark.parametrize("name", ["tools", "attach", "as_", "chat", "after"])
def test_a_secret_in_place_of_a_name_is_named_by_its_option(name):
    """With the words that a setting has for it."""
    with pytest.raises(errors.OptionError) as caught:
        merge(AskOptions(), {name: SECRETS["a key of another service"]})
    assert caught.value.message == f"{name} seems to contain an Anthropic key."
    assert caught.value.cure.endswith("; its current value is not shown.")


@pytest.mark.parametrize(
    ("name", "value"),
    [("project", "my-project-1"), ("project", "example.com:my-project"), ("project", "123456789012"),
     ("region", "us-east5"), ("region", "us east5"), ("model", "claude-haiku-4-5@20251001"), ("model", "sonet"),
     ("base_url", "https://gateway.example:8443/vertex/v1"), ("journal", "/home/me/a {b}/journal.db"),
     ("as_", '{"type": "object", "properties": {' + '"a": 1,\n' * 80), ("attach", "long/" * 80 + "page.pdf"),
     ("journal", "~/" + "long/" * 80 + "journal.db"), ("recording", "lesson one.jsonl"), ("replay", "atuo")],
)  # fmt: skip
def test_a_usual_value_and_a_slip_of_the_hand_are_not_taken_for_a_secret(name, value):
    """Whoever misspelt a name wants to see it, from the check that knows the name."""
    refuse_pasted(name, value)


@pytest.mark.parametrize("text", ["x" * 2_000, "Line one.\nLine two.", '{"role": "a reviewer"}'])
def test_a_system_prompt_is_free_text(text):
    """It is long, has lines and may be JSON; what it holds is looked through before it is sent."""
    assert resolve_target(AskOptions(system=text)).system == text
