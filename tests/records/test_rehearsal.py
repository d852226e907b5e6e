"""What a lesson relies on: `Claude()` takes over the settings, `only` means the recording, and misses name their cures."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from journals import asked, client, offline, told

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.records.recording.recording import Recording
from vertex_claude_magic.records.sources import ReplaySources
from vertex_claude_magic.settings.environment import REHEARSAL
from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.target import resolve_target
from vertex_claude_magic.transport.auth import ApplicationDefault
from vertex_claude_magic.vertex.provenance import ANSWERED_BY_DEMO

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def recorded(claude_emulator, tmp_path) -> Path:
    """A recording that answers "Hello" with "Hi.", made with the journal off."""
    path = tmp_path / "lesson.claude"
    claude_emulator.answer("Hi.")
    client(claude_emulator, recording=str(path), journal="off").ask("Hello")
    return path


SETTINGS = (
    ("replay", "only"),
    ("recording", "lesson.claude"),
    ("journal", "off"),
    ("replay_pace", "recorded"),
    ("replay_errors", True),
    ("model", "opus"),
    ("region", "eu"),
    ("max_tokens", 77),
    ("system", "Be brief."),
    ("max_cost", 0.5),
    ("beta", ["a"]),
)


@pytest.mark.parametrize(("name", "value"), SETTINGS, ids=[name for name, _ in SETTINGS])
def test_claude_takes_over_a_setting_of_the_loaded_magics(shell, name, value):
    """Whatever the setting is, as it is when the object is made."""
    shell.ok(f"%config ClaudeMagics.{name} = {value!r}")
    found = getattr(Claude()._session.settings(), name)
    assert (list(found) if isinstance(value, list) else found) == value


@pytest.mark.parametrize(
    ("arguments", "setting", "seen"),
    [
        ({"replay": "off"}, "replay = 'only'", "off"),
        ({"model": "haiku"}, "model = 'opus'", "haiku"),
        ({"beta": ["b"]}, "beta = ['a']", ("b",)),
        ({"label": {"b": "2"}}, "label = {'a': '1'}", {"b": "2"}),
    ],
    ids=["replay", "model", "beta", "label"],
)
def test_an_argument_takes_the_place_of_the_setting(shell, arguments, setting, seen):
    """Also of one that would add up with the option of a question."""
    shell.ok(f"%config ClaudeMagics.{setting}")
    assert getattr(Claude(**arguments)._session.settings(), next(iter(arguments))) == seen


def test_without_the_extension_nothing_is_taken_over(shell):
    """After %unload_ext a Claude() is what it is in a script."""
    shell.ok("%config ClaudeMagics.model = 'opus'")
    shell.ok("%unload_ext vertex_claude_magic")
    assert Claude()._session.settings() == AskOptions()


ASKED = {
    "a question": "claude.ask('Hi')",
    "a stream": "claude.stream('Hi').reply",
    "a count": "claude.count('Hi')",
    "a table": "claude.map(['a'], '{{ item }}', progress=False, fresh=True)",
    "a comparison": "claude.compare('Hi', ['haiku', 'opus'])",
    "a turn": "chat.ask('Hi')",
    "a copy": "copied.ask('Hi')",
}
MADE = "import copy\nfrom vertex_claude_magic import Claude\nclaude = Claude()\nchat, copied = claude.chat('t'), copy.copy(claude)"


@pytest.mark.parametrize("cell", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("before", [True, False], ids=["made before", "made in it"])
def test_while_the_demo_is_on_its_emulator_answers_every_client_of_the_kernel(shell, cell, before):
    """And not one request leaves the machine, whenever the client was made; after it, Vertex AI answers again."""
    shell.ok(MADE if before else "None")
    for _ in range(2):
        shell.ok("%claude_demo")
        demo = shell.magics.emulator
        if not before:
            shell.ok(MADE)
        shell.ok(cell)
        assert demo.requests
        assert {each.headers["authorization"] for each in demo.requests} == {"Bearer emulator"}
        assert not shell.emulator.requests
        shell.ok("%claude_demo stop")
    shell.ok(cell)
    asked = [each for each in shell.emulator.requests if "/models/" in each.path]
    assert asked
    assert "Bearer emulator" not in {each.headers["authorization"] for each in asked}


@pytest.mark.parametrize(
    "arguments",
    ["credentials=mine", "access_token='emulator'", "base_url=address"],
    ids=["credentials", "a token", "an address"],
)
def test_a_client_that_was_told_who_is_asked_goes_on_asking_there_in_the_demo(shell, arguments):
    """What it was told holds."""
    shell.ip.user_ns.update(mine=ApplicationDefault(), address=shell.emulator.base_url)
    shell.ok(f"from vertex_claude_magic import Claude\nclaude = Claude({arguments})")
    shell.ok("%claude_demo")
    shell.ok("claude.ask('Hi')")
    assert not shell.magics.emulator.requests
    assert len(shell.asked) == 1
    shell.ok("%claude_demo stop")


# What is asked in the demo, with an address of its own.
ELSEWHERE = {
    "a question": "claude.ask('Hi', base_url=address)",
    "a stream": "claude.stream('Hi', base_url=address).reply",
    "a count": "claude.count('Hi', base_url=address)",
    "a table": "claude.map(['a'], '{{ item }}', progress=False, fresh=True, base_url=address)",
    "a batch": "claude.batch(['a'], '{{ item }}', to='gs://rows/x', base_url=address, region='us-east5', model='haiku')",
    "a comparison": "claude.compare('Hi', ['haiku', 'opus'], base_url=address)",
    "compared addresses": "claude.compare('Hi', vary={'base_url': [address, address + '/']})",
    "a turn": "chat.ask('Hi', base_url=address)",
    "a streamed turn": "chat.stream('Hi', base_url=address).reply",
    "a copy": "copied.ask('Hi', base_url=address)",
    "the address of the environment": "claude.ask('Hi', base_url='')",
}


@pytest.mark.parametrize("cell", ELSEWHERE.values(), ids=ELSEWHERE)
def test_in_the_demo_a_question_with_an_address_of_its_own_goes_there_with_the_login_of_its_client(
    shell, cell
):
    """The emulator of the demo gets nothing, and its token goes nowhere else."""
    shell.emulator.buckets.make("rows", "us-east5")
    shell.ip.user_ns["address"] = shell.emulator.base_url
    shell.ok("%claude_demo")
    demo = shell.magics.emulator
    shell.ok(MADE)
    shell.ok(cell)
    assert not demo.requests
    asked = [each for each in shell.emulator.requests if "/projects/" in each.path]
    assert asked
    assert "Bearer emulator" not in {each.headers["authorization"] for each in asked}
    shell.ok("%claude_demo stop")


def test_in_the_demo_a_request_with_an_address_of_its_own_is_that_of_its_client(shell):
    """With the project of the client; and an answer from there is not said to be the emulator's."""
    shell.ok("%claude_demo")
    shell.ok("from vertex_claude_magic import Claude\nclaude = Claude(project='my-project')")
    google = "https://us-east5-aiplatform.googleapis.com/v1"
    built = shell.ok(f"claude.request('Hi', base_url='{google}')")
    assert built.url.startswith(f"{google}/projects/my-project/")
    address = shell.emulator.base_url
    stream = shell.ok(f"stream = Claude().stream('Hi', base_url='{address}'); stream.reply; stream")
    assert ANSWERED_BY_DEMO not in [notice.text for notice in stream.notices()]
    shell.ok("%claude_demo stop")


@pytest.mark.parametrize("option", ["project='other-project'", "base_url=None", "region='eu'"])
def test_in_the_demo_a_question_that_names_no_address_goes_to_the_emulator(shell, option):
    """Whatever else it names."""
    shell.ok("%claude_demo")
    demo = shell.magics.emulator
    # It has no other project, and says so.
    shell.run(f"from vertex_claude_magic import Claude\nClaude().ask('Hi', {option})")
    assert {each.headers["authorization"] for each in demo.requests} == {"Bearer emulator"}
    assert not shell.emulator.requests
    shell.ok("%claude_demo stop")


def test_a_stream_of_the_demo_says_how_to_go_back(shell):
    """As below a cell; the project is the emulator's, the model that of the client."""
    shell.ok("from vertex_claude_magic import Claude\nclaude = Claude(project='my-project', model='opus')")
    shell.ok("%claude_demo")
    stream = shell.ok("stream = claude.stream('Hi'); stream.reply; stream")
    assert ANSWERED_BY_DEMO in [notice.text for notice in stream.notices()]
    path = shell.magics.emulator.requests[-1].path
    assert f"/projects/{shell.magics.emulator.project}/" in path
    assert "claude-opus" in path
    shell.ok("%claude_demo stop")


@pytest.mark.parametrize("prompt", ["Hello", "Name three rivers.", "What is 2 + 2?"])
def test_only_with_a_recording_does_not_look_into_the_journal(claude_emulator, tmp_path, prompt):
    """Or the lesson would work on the machine of its author and nowhere else."""
    client(claude_emulator).ask(prompt)
    with pytest.raises(errors.ReplayMiss, match=r'lesson\.claude, and replay="only" sends nothing'):
        offline(replay="only", recording=str(tmp_path / "lesson.claude")).ask(prompt)
    assert offline(replay="only").ask(prompt).replayed


def test_an_answer_of_the_journal_that_joins_the_recording_says_so(claude_emulator, tmp_path):
    """Once, when it is taken over; the next time it comes from the recording."""
    claude, path = client(claude_emulator), tmp_path / "lesson.claude"
    claude.ask("Hello")
    _, first = told(claude, replay="auto", recording=str(path))
    _, again = told(claude, replay="auto", recording=str(path))
    assert len(first) == 1
    assert "was in the journal" in first[0]
    assert "lesson.claude" in first[0]
    assert again == ()


@pytest.mark.parametrize("options", [{}, {"max_tokens": 9}, {"system": "Be brief."}], ids=str)
def test_auto_without_credentials_misses_in_one_line_with_both_cures(recorded, options):
    """A lesson that lacks an answer says that, and not only that there is no login."""
    claude = Claude(model="haiku", replay="auto", recording=str(recorded))
    with pytest.raises(errors.ReplayMiss) as caught:
        claude.ask("Bye", **options)
    text = str(caught.value)
    assert "\n" not in text
    assert all(
        part in text for part in ("Nothing is recorded", "no Google credentials", "Change it back", "gcloud")
    )


def test_where_nothing_is_recorded_the_cure_is_to_log_in():
    """There is nothing that the question could be changed back to."""
    with pytest.raises(errors.ReplayMiss) as caught:
        Claude(replay="auto").request("Hello")
    assert (
        caught.value.message
        == "Nothing is recorded in the journal. There are no Google credentials to ask with."
    )
    assert caught.value.cure == "Log in to send it: gcloud auth application-default login"


def test_auto_without_credentials_misses_where_the_project_is_named_too(recorded):
    """Then it is the request itself that finds no token."""
    claude = Claude(project="p", model="haiku", replay="auto", recording=str(recorded))
    with pytest.raises(errors.ReplayMiss, match="no Google credentials"):
        claude.ask("Bye")
    assert claude.ask("Hello").text == "Hi."


@pytest.mark.parametrize("project", [{}, {"project": "p"}], ids=["no project", "a project"])
@pytest.mark.parametrize("replay", [{}, {"replay": "refresh"}], ids=["off", "refresh"])
def test_without_credentials_the_line_that_replays_a_recorded_question_is_named(recorded, project, replay):
    """Whoever got notebook and recording has no use for gcloud; another question still needs it."""
    claude = Claude(model="haiku", recording=str(recorded), **project, **replay)
    with pytest.raises(errors.CredentialsNotFound) as caught:
        claude.ask("Hello")
    assert "The answer to this question is in" in caught.value.message
    assert caught.value.cure == 'Without an account it is replayed with: replay="only"'
    assert claude.ask("Hello", replay="only").text == "Hi."
    with pytest.raises(errors.CredentialsNotFound, match="gcloud"):
        claude.ask("Bye")


def test_a_cell_is_told_the_line_for_the_whole_notebook(recorded):
    request = Claude(model="haiku", project="p", replay="only", recording=str(recorded)).request("Hello")
    missing = errors.CredentialsNotFound("No credentials.", cure="Log in.")
    error = ReplaySources(recording=Recording(recorded)).without_login(missing, request)
    assert error.cure.endswith('it is replayed with: %config ClaudeMagics.replay = "only"')


def test_off_without_credentials_is_still_an_error_of_the_login(recorded):
    """Nothing recorded could have answered."""
    with pytest.raises(errors.CredentialsNotFound):
        Claude(recording=str(recorded)).ask("Hello")


@pytest.mark.parametrize("mode", ["auto", "only"])
@pytest.mark.parametrize("place", ["journal", "recording"])
def test_a_count_is_answered_from_the_record(claude_emulator, tmp_path, mode, place):
    """By what the service counted for the answer, without a network."""
    where = {} if place == "journal" else {"recording": str(tmp_path / "r.claude"), "journal": "off"}
    reply = client(claude_emulator, **where).ask("Hello there")
    sent = len(claude_emulator.requests)
    claude = client(claude_emulator, replay=mode, **where)
    assert claude.count("Hello there") == reply.usage.total_input_tokens
    assert len(claude_emulator.requests) == sent


def test_a_dry_run_counts_from_the_record(shell):
    """The page shows the figure, and nothing goes out."""
    reply = shell.ok("%%claude\nHello there")
    sent = len(shell.emulator.requests)
    shell.ok("%%claude --dry-run --replay only\nHello there")
    assert f"{reply.usage.total_input_tokens} input tokens" in shell.page.text
    assert len(shell.emulator.requests) == sent


@pytest.mark.parametrize("replay", ["", "auto", "only", "refresh"])
def test_a_missing_recording_is_reported_when_it_is_set(shell, capsys, tmp_path, replay):
    """In one line that names the file."""
    if replay:
        shell.ok(f"%config ClaudeMagics.replay = {replay!r}")
    shell.ok(f"%config ClaudeMagics.recording = {str(tmp_path / 'lessn.claude')!r}")
    (line,) = capsys.readouterr().out.strip().splitlines()
    assert "lessn.claude" in line
    assert "does not exist" in line


def test_of_a_missing_recording_is_told_once_while_nothing_changes(shell, capsys, tmp_path):
    """Another way to replay that makes no difference says nothing; another file, or an answer that is gone, does."""
    path = tmp_path / "lessn.claude"

    def said(name: str, value: object) -> str:
        shell.ok(f"%config ClaudeMagics.{name} = {str(value)!r}")
        return capsys.readouterr().out

    assert "does not exist yet" in said("recording", path)
    assert said("replay", "auto") == said("replay", "refresh") == ""
    assert "nothing to answer from" in said("replay", "only")
    assert "does not exist yet" in said("replay", "auto")
    assert "other.claude" in said("recording", tmp_path / "other.claude")
    assert "lessn.claude" in said("recording", path)
    shell.ok("%claude -q hi")
    assert said("replay", "refresh") == ""
    path.unlink()
    assert "does not exist yet" in said("replay", "auto")


def test_a_recording_that_is_there_is_set_without_a_word(shell, capsys, recorded):
    """Nothing is wrong."""
    shell.ok(f"%config ClaudeMagics.recording = {str(recorded)!r}")
    assert capsys.readouterr().out == ""


def test_a_missing_recording_of_the_environment_is_reported_on_load(shell, capsys, monkeypatch):
    """With the name of the variable."""
    shell.ok("%unload_ext vertex_claude_magic")
    monkeypatch.setenv("VERTEX_CLAUDE_RECORDING", "lessn.claude")
    shell.ok("%load_ext vertex_claude_magic")
    (line,) = capsys.readouterr().out.strip().splitlines()
    assert "lessn.claude (from VERTEX_CLAUDE_RECORDING) does not exist" in line


def test_beside_a_value_that_cannot_be_used_nothing_is_said_of_the_recording(shell, capsys, monkeypatch):
    """The setting is taken, and the extension loads; the next question names the wrong value."""
    monkeypatch.setenv("CLOUD_ML_REGION", "ya29.invented")
    shell.ok("%config ClaudeMagics.recording = 'lessn.claude'")
    shell.ok("%reload_ext vertex_claude_magic")
    assert capsys.readouterr().out == ""
    assert shell.magics.recording == "lessn.claude"
    assert "CLOUD_ML_REGION" in str(shell.error("%claude -q hi"))


def test_a_missing_recording_of_an_argument_is_reported_at_once(caplog, tmp_path):
    """In the log, as all notices of Python code are; a folder is not a recording either."""
    with caplog.at_level(logging.WARNING):
        Claude(recording=str(tmp_path / "lessn.claude"), replay="only")
        Claude(recording=str(tmp_path))
    missing, folder = caplog.messages
    assert 'lessn.claude does not exist, so replay="only" has nothing' in missing
    assert "is a folder" in folder


def test_a_recording_whose_name_is_too_long_is_one_that_is_missing(caplog):
    """The system says so in an error of its own."""
    with caplog.at_level(logging.WARNING):
        Claude(recording="a" * 400, project="p")
    assert "does not exist yet" in caplog.text


def test_a_replay_comes_at_once_unless_its_pace_is_asked_for():
    """The default; `recorded` is a choice."""
    assert resolve_target(AskOptions()).replay_pace == "instant"
    assert resolve_target(AskOptions(replay_pace="recorded")).replay_pace == "recorded"


def test_what_is_recorded_is_not_asked_of_anybody(claude_emulator, recorded):
    """The check of this file's own fixture."""
    assert offline(replay="only", recording=str(recorded)).ask("Hello").text == "Hi."
    assert len(asked(claude_emulator)) == 1


def test_a_rehearsal_runs_no_function_whatever_the_cell_says(claude_emulator, tmp_path, monkeypatch):
    """Its results are not recorded, because the call was the last one that was allowed."""
    called = []

    def spend(amount: int) -> str:
        """Spend."""
        called.append(amount)
        return "spent"

    path = tmp_path / "lesson.claude"
    claude_emulator.answer([{"type": "tool_use", "id": "toolu_1", "name": "spend", "input": {"amount": 5}}])
    claude = client(claude_emulator, recording=str(path), journal="off")
    claude.ask("Hello", tools=[spend], max_rounds=1)
    monkeypatch.setenv(REHEARSAL, str(tmp_path / "notes"))
    with pytest.raises(errors.ReplayMiss, match="The results of the tools are not recorded"):
        claude.ask("Hello", tools=[spend], replay="auto")
    assert not called
