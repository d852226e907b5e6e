"""A last look for secrets: a prompt that carries one stops with a line that says where, and does not repeat it."""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest
from journals import client, rows
from pydantic import BaseModel

from vertex_claude_magic import errors
from vertex_claude_magic.client import Claude
from vertex_claude_magic.prompts.secrets import find_secret, searchable
from vertex_claude_magic.secret_forms import without_secrets

if TYPE_CHECKING:
    from shells import Shell

WORD = "aB3dE6gH9kL2nP5rS8uV1xY4zA7cF0iJ"
# Put together here, so that nobody who looks for secrets finds one in this file.
SECRETS = {
    "a private key": "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIE...",
    "a private key of PGP": "-----BEGIN " + "PGP PRIVATE KEY BLOCK-----",
    "a private key of OpenSSH": "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
    "a private key in JSON": '{"private_key": "-----BEGIN ' + 'PRIVATE KEY-----\\nMIIE"}',
    "a Google access token": "ya29" + "." + WORD,
    "a Google refresh token": "1/" + "/0" + WORD,
    "a Google API key": "AIza" + WORD + "abc",
    "a Google client secret": "GOCSPX" + "-" + WORD[:24],
    "an Anthropic key": "sk-" + "ant-api03-" + WORD,
    "an OpenAI key": "sk-" + "proj-" + WORD,
    "an AWS access key": "AKIA" + "IOSFODNN7EXAMPLE",
    "an AWS access key of a session": "ASIA" + "IOSFODNN7EXAMPLE",
    "a GitHub token": "gh" + "p_" + WORD + "abcd",
    "a GitHub token of one repository": "github" + "_pat_" + WORD + WORD,
    "a GitLab token": "glpat" + "-" + WORD[:20],
    "a Slack token": "xox" + "b-123456789012-" + WORD,
    "a Stripe key": "sk_" + "live_" + WORD,
    "a Hugging Face token": "hf" + "_" + WORD,
    "an npm token": "npm" + "_" + WORD + "abcd",
    "a PyPI token": "pypi" + "-AgEI" + WORD + WORD,
    "a SendGrid key": "SG" + "." + WORD[:22] + "." + WORD + WORD[:11],
    "a storage account key": "Account" + "Key=" + WORD + WORD + "==",
    "a signed web token": "eyJ" + WORD + "." + "eyJ" + WORD + "." + WORD,
    "a signed URL of Google": "https://storage.googleapis.com/b/o.png?X-Goog-Signature="
    + "0123456789abcdef" * 32,
    "a signed URL of Amazon": "https://b.s3.amazonaws.com/o?X-Amz-Date=1&X-Amz-Signature="
    + "0123456789abcdef" * 4,
    "a password in a URL": "postgres" + "://bob:" + WORD + "@db.example/x",
    "an Authorization header": "Authorization" + ": Bearer " + WORD,
    "an Authorization header in capitals": "AUTHORIZATION" + ": BASIC " + WORD,
}
HARMLESS = [
    "sk-learn and sk-something are libraries", "sklearn.ensemble", "AKIA is how the keys of AWS begin", "ghp_ is short",
    "hf_hub_download(repo_id)", "npm_config_registry", "pypi-server", "xoxo-love", "SG.1.2", "eyJ is base64 of {\"",
    "-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", "BEGIN PRIVATE KEY", "Authorization: Bearer $TOKEN",
    "Authorization: Bearer <token>", "ya29.short", "AIzaShort", "rk_live", "task-force-of-thirty-two-people-and-more-today",
    "1//0", "desk-lamp-with-a-very-long-name-that-goes-on", "AccountKey=abc", "glpat-short", "the key is under the mat",
    str(uuid.UUID(int=7)), hashlib.sha256(b"x").hexdigest(), base64.b64encode(b"some long text " * 30).decode(),
    "https://example.com/?q=" + "a" * 100, "GOCSPX", "password = getpass()", "risk-adjusted-returns-of-2019-and-2020-for-all",
    "postgres://user:password@localhost:5432/db", "postgres://bob:hunter2@db", "https://<user>:<password>@host", "git@host:a/b",
    "postgresql://${DB_USER}:${DB_PASSWORD_OF_2026}@host", "https://example.com:8443/@Name2026InMixedCase", "ssh://git@host:22/x",
    "https://mail.example/?to=Bob.Example2026@example.com", "x-goog-signature=SIGNATURE", "mongodb://user:a-long-password@host",
]  # fmt: skip


@pytest.fixture
def shell(shell, monkeypatch, tmp_path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return shell


@pytest.mark.parametrize("kind", list(SECRETS))
def test_a_secret_of_a_known_form_is_found(kind):
    """With the line that it stands in."""
    found = find_secret(f"first line\nsecond: {SECRETS[kind]} and so on")
    assert found is not None
    name, line = found
    assert kind.startswith(name)
    assert line == 2


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_one_passes(text):
    """A false alarm would teach people to switch it off."""
    assert find_secret(text) is None


@pytest.mark.parametrize("kind", list(SECRETS))
def test_an_error_that_quotes_a_secret_names_its_kind_instead(kind):
    """Whole, and with the sentence around it; behind the head of a private key all is taken for its lines."""
    quoted = without_secrets(f"{SECRETS[kind]!r} is not a name.")
    assert SECRETS[kind][-20:] not in quoted
    assert "not shown]" in quoted
    assert quoted.endswith(" is not a name.") == ("PRIVATE KEY" not in SECRETS[kind])


# What is too short or too cut for the form of a key; put together here as above.
CUT = [
    ("-----BEGIN " + "SECRET\nMIIE\n'x'", "[a private key, not shown]"),
    ("'ya29" + ".a0AfH6SM'!", "'[a Google access token, not shown]'!"),
    ("1/" + "/0gabcdefgh, etc.", "[a Google refresh token, not shown] etc."),
    ("AIza" + "SyD4iE2x", "[a Google API key, not shown]"),
    ('"GOCSPX' + '-aB3dE6gH"', '"[a Google client secret, not shown]"'),
    ("\\nsk-" + "ant-api03-aB", "\\n[an Anthropic key, not shown]"),
    ("eyJ" + "hbGciOiJ", "[a signed web token, not shown]"),
    ("Bearer " + "aB3dE6gH9", "[an access token, not shown]"),
    # What ends so early is the word itself.
    ("Bearer of bad news, ya29.short and eyJ", "Bearer of bad news, ya29.short and eyJ"),
]


@pytest.mark.parametrize(("text", "shown"), CUT)
def test_what_begins_like_a_key_is_not_shown_either(text, shown):
    """An error may quote the beginning of a value."""
    assert without_secrets(text) == shown


def test_the_first_of_several_secrets_is_told():
    """Whatever kinds they are of."""
    first, second = SECRETS["a Stripe key"], SECRETS["a Google API key"]
    assert find_secret(f"\n{first}\n{second}") == ("a Stripe key", 2)
    assert find_secret(f"\n\n{second}\n{first}") == ("a Google API key", 3)


# Where it stands

KEY = SECRETS["an AWS access key"]
PLACES = [
    ("%%claude\nWhat is wrong?\nkey = {key}", "Line 2 of the prompt"),
    ("%claude What is {key}?", "Line 1 of the prompt"),
    ("%%claude -s 'Use {key}.'\nHi", "Line 1 of the system prompt"),
    ("%%claude\nWhat is {{{{ cfg }}}}?", "of {{ cfg }}"),
    ("%%claude\nWhat is {{{{ cfg.key }}}}?", "Line 1 of {{ cfg.key }}"),
    ("%%claude\nWhat is {{{{ frame }}}}?", "of {{ frame }}"),
    ("%%claude\nWhat does {{{{ function }}}} do?", "Line 2 of {{ function }}"),
    ("%%claude -a cfg\nHi", "of the attachment cfg"),
    ("%%claude -a .env\nHi", "Line 2 of the attachment .env"),
    ("%%claude --dry-run\nWhat is {key}?", "Line 1 of the prompt"),
    ("%%claude --literal\n{key}", "Line 1 of the prompt"),
]


@pytest.mark.parametrize(("cell", "place"), PLACES, ids=[row[1] for row in PLACES])
def test_the_line_says_where_and_not_what(shell, tmp_path, cell, place):
    """Nothing is sent, and the secret is not written into the notebook once more."""
    import pandas as pd

    (tmp_path / ".env").write_text(f"A=1\nKEY={KEY}\n")
    shell.ip.user_ns.update(cfg={"key": KEY}, frame=pd.DataFrame({"key": [KEY]}))
    shell.ok(f"def function():\n    return '{KEY}'")
    error = shell.error(cell.format(key=KEY))
    assert isinstance(error, errors.SecretFound)
    assert place in str(error)
    assert "looks like an AWS access key, so no request was sent." in str(error)
    assert "--allow-secrets" in error.cure
    assert KEY not in str(error) + repr(error) + str(error.details)
    assert not shell.emulator.requests


def test_allow_secrets_sends_it_all_the_same(shell):
    """Whoever asks about a key that was revoked long ago."""
    shell.ok(f"%%claude --allow-secrets\nIs {KEY} of the right form?")
    assert KEY in shell.body["messages"][0]["content"]


ISSUED = ["an Anthropic key", "a Google access token", "a Google refresh token", "a Google API key",
          "a Google client secret"]  # fmt: skip
CARRIERS = {
    "header": ("the header 'x-api-key'", lambda key: {"header": {"x-api-key": key}}),
    "label": ("the billing label 'team'", lambda key: {"label": {"team": key}}),
    "beta": ("a beta", lambda key: {"beta": ["context-1m-2025-08-07", key]}),
}


@pytest.mark.parametrize("kind", ISSUED)
@pytest.mark.parametrize(("named", "given"), CARRIERS.values(), ids=CARRIERS)
def test_a_key_of_anthropic_or_google_in_a_header_is_not_sent(claude_emulator, named, given, kind):
    """Vertex AI takes the Google login, and whoever pastes a key there follows the manual of another service."""
    key = SECRETS[kind]
    claude = client(claude_emulator, journal="off")
    for ask in (claude.ask, claude.count, lambda _, **options: claude.map(["a"], "{{ item }}", **options)):
        with pytest.raises(errors.SecretFound) as caught:
            ask("Hi", **given(key))
        assert caught.value.message == f"{named.capitalize()} looks like {kind}, so no request was sent."
        assert "allow_secrets=True" in caught.value.cure
        assert key not in repr([caught.value, vars(caught.value)])
    assert claude_emulator.requests == []


def test_a_key_in_a_header_of_a_cell_is_not_sent(shell):
    """The message names the option as a line writes it."""
    error = shell.error(f"%%claude --header 'x-api-key: {SECRETS['an Anthropic key']}'\nHi")
    assert str(error).startswith(
        "The header 'x-api-key' looks like an Anthropic key, so no request was sent."
    )
    assert error.cure.endswith("For a gateway that needs it, add --allow-secrets.")
    assert not shell.emulator.requests


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ({"x-api-key": SECRETS["an Anthropic key"]}, True),
        ({"X-Serverless-Authorization": f"Bearer {SECRETS['a signed web token']}"}, False),
        ({"x-gateway-key": SECRETS["an OpenAI key"]}, False),
    ],
    ids=["allowed", "a gateway on Cloud Run", "a gateway with keys of its own"],
)
def test_a_header_with_what_a_gateway_wants_is_sent(claude_emulator, header, allowed):
    """A header is the place for it; only a key that is of no use on Vertex AI has to be allowed."""
    client(claude_emulator).ask("Hi", header=header, allow_secrets=allowed)
    (sent,) = claude_emulator.requests
    assert {name: sent.headers[name.lower()] for name in header} == header


WAYS = {
    "Claude": lambda claude, no: Claude(allow_secrets=no).ask(KEY),
    "ask": lambda claude, no: claude.ask(KEY, allow_secrets=no),
    "stream": lambda claude, no: claude.stream(KEY, allow_secrets=no).reply,
    "count": lambda claude, no: claude.count(KEY, allow_secrets=no),
    "chat": lambda claude, no: claude.chat("keys").ask(KEY, allow_secrets=no),
    "map": lambda claude, no: claude.map([KEY], "{{ item }}", allow_secrets=no, progress=False),
    "batch": lambda claude, no: claude.batch([KEY], "{{ item }}", to="gs://rows/run", allow_secrets=no),
    "compare": lambda claude, no: claude.compare(KEY, ["haiku", "sonnet"], allow_secrets=no),
    "vary": lambda claude, no: claude.compare(KEY, vary={"allow_secrets": [no, False]}),
}


@pytest.mark.parametrize("no", ["no", "False"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_text_that_says_no_allows_nothing(claude_emulator, monkeypatch, way, no):
    """Whatever Python takes a text for."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(errors.OptionError, match=f"^allow_secrets is '{no}'\\. Give True or False"):
        way(Claude(), no)
    assert claude_emulator.requests == []


@pytest.mark.parametrize(
    "prompt",
    [
        f"Use {KEY}",
        ["Use", {"key": KEY}],
        [{"type": "text", "text": f"Use {KEY}"}],
        [{"role": "user", "content": f"Use {KEY}"}],
        [{"role": "user", "content": [{"type": "text", "text": KEY}]}],
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": KEY},
            {"role": "user", "content": "?"},
        ],
        [
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {KEY: 1}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "1"}]},
        ],
        ["Read.", {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": KEY}}],
    ],
    ids=[
        "text",
        "object",
        "block",
        "message",
        "blocks of a message",
        "a turn before",
        "a name in an input",
        "a document of text",
    ],
)
def test_questions_from_python_are_looked_at_too(prompt):
    """Whatever their form."""
    claude = Claude(project="p")
    with pytest.raises(errors.SecretFound):
        claude.request(prompt)
    assert KEY in str(claude.request(prompt, allow_secrets=True).body)


class Account(BaseModel):
    """An account."""

    key: str = KEY


def described(city: str) -> str:
    return city


described.__doc__ = f"The weather. Calls the service with {KEY}."


def chosen(key: Literal[KEY]) -> str:  # type: ignore[valid-type]
    """A choice of one."""
    return key


SERVICE = {"name": "f", "description": KEY, "input_schema": {"type": "object"}}
FIELDS = [
    ({"tools": [described]}, "the tool described"),
    ({"tools": [chosen]}, "the tool chosen"),
    ({"as_": Account}, "the type of the answer"),
    ({"as_": Account, "model": "claude-opus-4"}, "the type of the answer"),
    ({"as_": Account, "model": "claude-opus-4", "thinking": "2000"}, "the type of the answer"),
    ({"set": {"metadata": {"user_id": KEY}}}, "the field metadata"),
    ({"set": {"tools": [SERVICE]}}, "the field tools"),
    ({"stop": [KEY]}, "the stop sequences"),
]


@pytest.mark.parametrize(("options", "place"), FIELDS)
def test_what_goes_beside_the_prompt_is_looked_at_too(claude_emulator, options, place):
    """A key in a description, a default or a field; no request goes out, whoever asks."""
    claude = client(claude_emulator, model="claude-opus-4-5")
    asked = [lambda more: claude.ask("Hi.", **options, **more)]
    if "tools" not in options:
        asked += [
            lambda more: claude.map(["a"], "{{ item }}", progress=False, **options, **more),
            lambda more: claude.batch(["a"], "{{ item }}", to="gs://rows/x", **options, **more),
        ]
    for ask in asked:
        with pytest.raises(errors.SecretFound, match=f"of {place} looks like an AWS access key"):
            ask({})
    assert not claude_emulator.requests
    if options.get("model") is None:
        asked[0]({"allow_secrets": True})
        assert KEY in str(claude_emulator.requests[-1].body)


def test_the_system_prompt_is_looked_at_where_messages_are_set_by_hand(claude_emulator):
    """Then there is no prompt beside which it is read."""
    messages = [{"role": "user", "content": "Hi."}]
    with pytest.raises(errors.SecretFound, match="of the system prompt looks like an AWS access key"):
        client(claude_emulator).ask("", system=f"Use {KEY}.", set={"messages": messages})
    assert not claude_emulator.requests


@dataclass
class Login:
    """How to sign in."""

    user: str = "me"
    key: str = KEY


def forecast(city: str, days: int = 3, api_key: str = KEY, login: Login = Login()) -> str:  # noqa: B008
    """The weather of a city."""
    return f"{city}, {days}, {api_key == login.key == KEY}"


def test_a_default_that_is_a_key_stays_here_and_the_function_has_it(claude_emulator):
    """Its parameter may still be left out by the model, which reads no more of it than its type."""
    claude = client(claude_emulator)
    call = {"type": "tool_use", "id": "toolu_1", "name": "forecast", "input": {"city": "Oslo"}}
    claude_emulator.answer([call], "Sunny.")
    reply = claude.ask("Hi.", tools=[forecast])
    assert reply.tool_calls[0].result == "Oslo, 3, True"
    first, second = (request.body for request in claude_emulator.requests)
    schema = first["tools"][0]["input_schema"]
    assert schema["properties"]["days"] == {"default": 3, "type": "integer"}
    assert schema["properties"]["api_key"] == {"type": "string"}
    assert schema["$defs"]["Login"]["properties"]["user"] == {"default": "me", "type": "string"}
    assert schema["required"] == ["city"]
    assert KEY not in str(first) + str(second)


def test_the_data_of_pictures_are_not_searched(claude_emulator, tmp_path):
    """Base64 holds any letters by chance; a question with them is sent, and it is stored as a call and as a turn."""
    path = tmp_path / "journal.sqlite3"
    claude = client(claude_emulator, journal=str(path))
    image = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": f"AAA/{KEY}AAA/"},
    }
    claude.chat("talk").ask(["Look.", image])
    assert KEY in str(claude_emulator.requests[-1].body)
    claude.close()
    assert len(rows("calls", path)) == len(rows("chat_turns", path)) == 1
    assert KEY.encode() not in path.read_bytes()


def test_a_tool_that_was_called_with_a_value_of_any_depth_is_looked_at():
    """Without an end of the stack."""
    deep: list = [KEY]
    for _ in range(100_000):
        deep = [deep]
    assert find_secret(searchable(deep)) == ("an AWS access key", 1)


@pytest.mark.parametrize(
    "piece", ["a", "sk-", "eyJ", "-----BEGIN ", "A" * 20 + " ", "SG.", "authorization: "]
)
def test_five_megabytes_are_looked_through(piece):
    """Once, whatever they repeat; a pattern that looks back again and again would take hours."""
    assert find_secret(piece * (5_000_000 // len(piece))) is None
