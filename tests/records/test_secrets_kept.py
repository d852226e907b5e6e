"""No secret lands in what is stored: journal, recording, logs, tracebacks and pickles of questions."""

from __future__ import annotations

import json
import logging
import pickle
from typing import TYPE_CHECKING

import pytest
from front import living
from journals import client
from journals import rows as rows_of
from leaks import FAULTS, everything_about, in_every_xmode
from shells import loaded_shell

from vertex_claude_magic import errors
from vertex_claude_magic.__main__ import main
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.records.journal.location import default_path
from vertex_claude_magic.vertex.digest import without_secret_fields

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "ya29.a0AfB_byC-s3cret-t0ken-of-the-user-0123456789"
HEADER = "sk-ant-api03-s3cret-of-the-gateway-0123456789"
IN_PROMPT = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
IN_REPLY = "AKIAIOSFODNN7EXAMPLE"
SECRETS = (TOKEN, HEADER, IN_PROMPT, IN_REPLY)


def delta(text: str) -> str:
    return json.dumps(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    )


def stream_of(*texts: str, end: str = '{"type": "message_stop"}') -> bytes:
    start = '{"type": "message_start", "message": {"id": "m", "model": "claude-haiku-5-5", "usage": {"input_tokens": 3}}}'
    return "".join(f"data: {event}\n\n" for event in (start, *map(delta, texts), end)).encode()


ERROR_EVENT = json.dumps({"type": "error", "error": {"type": "api_error", "message": IN_REPLY}})
NEWS_EVENT = json.dumps({"type": "news", "x": {IN_REPLY: 1}}) + '\n\ndata: {"type": "message_stop"}'


def answered(*texts: str, **options: str) -> Fault:
    return Fault(status=200, body=stream_of(*texts, **options), content_type="text/event-stream")


@pytest.fixture
def recording(tmp_path) -> Path:
    return tmp_path / "lesson.claude"


def kept(recording: Path) -> bytes:
    """Every byte of every file that is kept: journal, write-ahead log, shared memory, recording."""
    files = [*default_path().parent.iterdir(), recording]
    assert any(file.name.endswith("-wal") for file in files)
    return b"".join(file.read_bytes() for file in files if file.exists())


def claude(emulator, recording: Path):
    return client(emulator, access_token=TOKEN, header={"X-Api-Key": HEADER}, recording=str(recording), allow_secrets=True,
                  replay_errors=True)  # fmt: skip


CASES = {
    "an answer": (answered("yes"), "Hello"),
    "a prompt with a key": (answered("yes"), f"Is {IN_PROMPT} a key?"),
    "a reply with a key": (answered("It is ", IN_REPLY), "Hello"),
    "a reply with a key in two pieces": (answered(IN_REPLY[:8], IN_REPLY[8:]), "Hello"),
    "an error that repeats the token": (Fault(status=401, message=f"Bad token {TOKEN}"), "Hello"),
    "an error that repeats a header": (Fault(status=400, message=f"Bad X-Api-Key: {HEADER}"), "Hello"),
    "an error event with a key": (answered("half", end=ERROR_EVENT), "Hello"),
    "an unknown event with a key": (answered("yes", end=NEWS_EVENT), "Hello"),
    **{name: (fault, "Hello") for name, fault in FAULTS.items() if name != "silent"},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_no_secret_is_in_what_is_kept_or_logged(claude_emulator, recording, caplog, name):
    """Case 64: not the token, not the value of a header, nor a key that a prompt or a reply quotes."""
    caplog.set_level(logging.DEBUG)
    fault, prompt = CASES[name]
    claude_emulator.fail(*[fault] * 3)
    asking = claude(claude_emulator, recording)
    error, reply = None, None
    try:
        reply = asking.ask(prompt)
    except errors.ClaudeError as failure:
        error = failure
    found = [secret for secret in SECRETS if secret.encode() in kept(recording)]
    assert found == []
    logged = [secret for secret in SECRETS if secret in caplog.text]
    assert logged == []
    if error is not None:
        everything = everything_about(error) + in_every_xmode(error)
        # What the service itself repeats is shown, but for what the user's own machine added.
        own = (TOKEN,) if "repeats" not in name else ()
        assert [secret for secret in own if secret in everything] == []
    if reply is not None:
        assert TOKEN.encode() not in pickle.dumps(reply)
        assert HEADER.encode() not in pickle.dumps(reply)


@pytest.mark.parametrize(
    "name", ["a prompt with a key", "a reply with a key", "a reply with a key in two pieces"]
)
def test_what_is_left_out_is_said_and_still_counted(claude_emulator, recording, name):
    """The ledger knows the call, the memory does not."""
    fault, prompt = CASES[name]
    claude_emulator.fail(fault)
    asking = claude(claude_emulator, recording)
    with asking.stream(prompt) as stream:
        assert stream.reply.complete
    [notice] = asking._session.records.notices(asking._session.target())
    assert "saved" in notice
    assert not any(secret in notice for secret in SECRETS)
    with pytest.raises(errors.ReplayMiss):
        asking.ask(prompt, replay="only")
    assert not recording.exists()


@pytest.mark.parametrize("place", ["system", "set"])
def test_a_secret_that_all_rows_share_keeps_each_of_them_out(claude_emulator, recording, place):
    """What they share is looked at once; a frame in which one was found is looked at again, and a harmless one is not."""
    shared = (
        {"system": f"Use {IN_PROMPT}."}
        if place == "system"
        else {"set": {"metadata": {"user_id": IN_PROMPT}}}
    )
    claude = client(claude_emulator, recording=str(recording))
    rows = [{"text": f"row {number}"} for number in range(5)]
    claude.map(rows, "{{ text }}", allow_secrets=True, progress=False, **shared)
    claude.map(rows, "{{ text }}", system="Be short.", progress=False)
    mixed = [*rows[:2], {"text": IN_PROMPT}]
    claude.map(mixed, "So: {{ text }}", system="Be short.", allow_secrets=True, progress=False)
    found = kept(recording)
    claude.close()
    assert IN_PROMPT.encode() not in found
    assert len(claude_emulator.requests) == 13
    # In the journal as what was paid for, with or without their content.
    stored = [bool(row["answer"]) for row in rows_of("contents")]
    assert (len(stored), sum(stored)) == (13, 7)


def test_no_secret_is_in_an_export(claude_emulator, recording, tmp_path, capsys):
    """Nor the project, an id of a request, or an address: it is made to be passed on."""
    claude_emulator.fail(answered("yes"), answered("no"))
    asking = claude(claude_emulator, recording)
    asking.ask("Hello")
    asking.ask(f"Is {IN_PROMPT} a key?")
    asking.close()
    assert main(["journal", "export", str(tmp_path / "export.claude")]) == 0
    exported = (tmp_path / "export.claude").read_text(encoding="utf-8")
    found = [
        each for each in (*SECRETS, claude_emulator.project, "msg_", "req_", "127.0.0.1") if each in exported
    ]
    assert found == []
    assert "Hello" in exported
    assert not any(secret in capsys.readouterr().out for secret in SECRETS)


def test_no_secret_is_in_a_notebook_that_asked_replayed_and_summed_up(claude_emulator, monkeypatch):
    """Outputs, their metadata and the state of widgets, with a real login and a header that is a key."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    shell, stored = loaded_shell(claude_emulator), []
    cells = [f"%%claude a --allow-secrets --header 'X-Api-Key: {HEADER}'\nHello", "%%claude b --replay auto\nHello", "a", "%claude_usage",
             "%claude_doctor", "%claude_logging", "%claude_models --check", "%claude_panel"]  # fmt: skip
    for cell in cells:
        shell.ok(cell)
        stored += [shell.page.outputs, shell.page.metadata]
    stored += [widget.get_state() for widget in living().values()]
    tokens = {each.headers["authorization"].removeprefix("Bearer ") for each in claude_emulator.requests
              if "authorization" in each.headers}  # fmt: skip
    assert tokens
    text = json.dumps(stored, default=str)
    assert [secret for secret in (*tokens, HEADER, "BEGIN PRIVATE KEY") if secret in text] == []
    shell.magics.close()


OF_USER = "u7Qm-s3cret-of-mine-42"
FIELDS = {
    "the token of an MCP server": {"mcp_servers": [{"type": "url", "url": "https://mcp.example/sse", "name": "tracker",
                                                    "authorization_token": OF_USER}]},
    "a header of a tool": {"tools": [{"type": "remote", "name": "tracker", "headers": {"Authorization": OF_USER}}]},
    "a key of a gateway": {"gateway": {"api_key": OF_USER, "apiKey": OF_USER, "X-Api-Key": OF_USER}},
    "a login": {"login": {"user": "bob", "password": OF_USER, "client_secret": OF_USER}},
    "a token of a gateway": {"access_token": OF_USER},
}  # fmt: skip


@pytest.mark.parametrize("fault", [None, Fault(status=400)], ids=["answered", "refused"])
@pytest.mark.parametrize("name", FIELDS)
def test_the_value_of_a_secret_field_is_sent_and_neither_kept_nor_shown(
    claude_emulator, recording, name, fault
):
    """Its form tells nobody that it is a secret; its name does."""
    asking = claude(claude_emulator, recording)
    claude_emulator.fail(*[fault or answered("yes")] * 2)
    given = {"set": FIELDS[name], "force": True, "max_tokens": 100}
    failed = None
    try:
        asking.ask("Hello", **given)
    except errors.ClaudeError as error:
        failed = error
    assert (failed is None) is (fault is None)
    assert OF_USER in json.dumps(claude_emulator.requests[-1].body)
    assert OF_USER.encode() not in kept(recording)
    [row] = rows_of("contents")
    assert bool(row["answer"]) is True
    shown = repr(asking.request("Hello", **given)) + repr(asking._session.target(given))
    assert OF_USER not in shown + ("" if failed is None else repr(failed) + repr(vars(failed)))
    assert "[not shown]" in shown


NAMED_AS_SECRETS = [
    "authorization", "Authorization", "set-cookie", "session_cookie", "credential", "passphrase", "Password", "dbPasswd",
    "client_secret", "token", "refresh_token", "apiKey", "X-Api-Key", "AWS_ACCESS_KEY", "auth-key", "private_key", "SecretKey",
    "credentials", "cookies", "passwords", "secrets", "API_KEYS", "access-keys", "authorizations", "refresh_tokens",
]  # fmt: skip
OTHER_NAMES = [
    "key",
    "sort_key",
    "token_type",
    "tokens",
    "stop_tokens",
    "tokenizer",
    "secretary",
    "password_hint",
    "cookie_policy",
    "model",
]


@pytest.mark.parametrize("name", NAMED_AS_SECRETS)
def test_the_names_of_fields_whose_value_is_a_secret(name):
    """By how they end, however they are written and however deep; an empty value and one that is no text are none."""
    for value in (OF_USER, [OF_USER], ({"x": {name: OF_USER}},)):
        assert OF_USER not in repr(without_secret_fields({"x": {name: value}}))
    for value in ("", 9, True, None):
        assert without_secret_fields({name: value}) == {name: value}


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_fields_and_messages_are_kept(name):
    """What a message says is content, which another check looks through."""
    assert without_secret_fields({name: OF_USER}) == {name: OF_USER}
    messages = [{"role": "user", "content": [{"type": "tool_use", "input": {"password": OF_USER}}]}]
    assert without_secret_fields({"messages": messages}) == {"messages": messages}


def test_a_question_is_found_again_whatever_its_token_is_now(claude_emulator, recording):
    """Tokens run out; whoever has a recording without them gets its answers all the same."""
    asking = claude(claude_emulator, recording)
    claude_emulator.fail(answered("yes"))
    server = {"type": "url", "url": "https://mcp.example/sse", "name": "tracker"}
    for token, mode in ((OF_USER, "off"), ("another", "only")):
        given = {"set": {"mcp_servers": [{**server, "authorization_token": token}]}, "force": True}
        assert asking.ask("Hello", replay=mode, journal="off", **given).text == "yes"
    assert len(claude_emulator.requests) == 1


def test_a_recording_with_a_field_that_is_left_out_now_still_answers(claude_emulator, recording):
    """One of a version that knew fewer names of secrets."""
    asking = claude(claude_emulator, recording)
    claude_emulator.fail(answered("yes"))
    given = {"set": {"metadata": {"cookies": [OF_USER]}}, "force": True, "journal": "off"}
    assert asking.ask("Hello", **given).text == "yes"
    former = recording.read_text().replace("[not shown]", OF_USER)
    assert OF_USER in former
    other = recording.with_name("former.claude")
    other.write_text(former)
    assert asking.ask("Hello", replay="only", **given | {"recording": str(other)}).text == "yes"
    assert len(claude_emulator.requests) == 1


def test_a_schema_with_the_name_of_a_secret_is_kept_whole(claude_emulator, recording):
    """Only a text is a secret: a tool may take a password, and its schema says so."""
    asking = claude(claude_emulator, recording)
    schema = {"type": "object", "properties": {"password": {"type": "string"}}, "required": ["password"]}
    tools = [{"name": "login", "input_schema": schema}]
    request = asking.request("Hello", set={"tools": tools})
    assert request.canonical["body"]["tools"] == tools


def test_a_dry_run_shows_no_secret_field(claude_emulator):
    """Neither among the blocks, nor in the body, nor in the curl command."""
    shell = loaded_shell(claude_emulator)
    for name, fields in FIELDS.items():
        shell.page.outputs.clear()
        options = " ".join(f"--set '{field}={json.dumps(value)}'" for field, value in fields.items())
        shell.ok(f"%%claude --dry-run --force {options}\nHello")
        text = json.dumps(shell.page.outputs, default=str)
        assert "[not shown]" in text, name
        assert OF_USER not in text, name
    shell.magics.close()
