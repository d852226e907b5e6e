"""A client goes to another process as its settings, without secrets; a live object says what to do instead."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from journals import QUICK, client, rows

from vertex_claude_magic import Claude, ClaudeError, errors
from vertex_claude_magic.records.journal.journal import Journal
from vertex_claude_magic.records.journal.location import default_path
from vertex_claude_magic.records.recording.recording import Recording
from vertex_claude_magic.transport.auth import ApplicationDefault, FixedToken

SECRET = "ya29.only-for-this-test"


@pytest.fixture
def login(claude_emulator, monkeypatch):
    """A login and a project in the environment, as a worker finds them too."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    return claude_emulator


def ask(claude: Claude, prompt: str) -> str:
    return claude.ask(prompt).text


def test_a_pickled_client_asks_with_the_same_settings(login):
    login.answer("fine")
    claude = Claude(model="haiku", max_tokens=77, system="Be short.", policy=QUICK, header={"X-Team": "a"})
    again = pickle.loads(pickle.dumps(claude))
    assert again.ask("Hello").text == "fine"
    body = login.requests[-1].body
    assert (body["max_tokens"], body["system"]) == (77, "Be short.")
    assert login.requests[-1].headers["x-team"] == "a"
    assert (again._session.settings(), again._session.retry_policy) == (claude._session.settings(), QUICK)


@pytest.mark.slow
def test_a_process_pool_that_spawns_asks_in_its_workers(login):
    login.answer("fine", "fine", "fine")
    claude = Claude(model="haiku")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(ask, [claude] * 3, ["a", "b", "c"], timeout=120)) == ["fine"] * 3
    assert {row["state"] for row in rows()} == {"done"}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_token_is_in_a_pickle(login, protocol):
    claude = Claude(model="haiku")
    claude.ask("Hello")
    token = claude._session.transport.authorizer.headers()["authorization"].removeprefix("Bearer ")
    assert token.encode() not in pickle.dumps(claude, protocol)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"access_token": SECRET}, "access_token"),
        ({"credentials": object()}, "credentials"),
        ({"credentials": ApplicationDefault(request=object)}, "credentials"),
        ({"header": {"X-Api-Key": SECRET}}, "header"),
        ({"header": {"Cookie": SECRET}}, "header"),
        ({"header": {"x-goog-iap": "AKIAIOSFODNN7EXAMPLE"}}, "key"),
        ({"system": "Use AKIAIOSFODNN7EXAMPLE."}, "key"),
        ({"base_url": f"https://me:{SECRET}@gateway.example/v1"}, "base URL"),
    ],
    ids=["token", "credentials", "own way to Google", "api key", "cookie", "key", "prompt", "password"],
)
def test_a_client_that_holds_a_secret_is_not_pickled(settings, named):
    """The error names what it holds, not the value, and points to a client in the worker or to threads."""
    with pytest.raises(errors.PickleRefused) as caught:
        pickle.dumps(Claude(**settings))
    text = str(caught.value)
    assert named in text
    assert "worker" in caught.value.cure
    assert "thread" in caught.value.cure
    assert SECRET not in text
    assert "AKIA" not in text
    assert "\n" not in text


def test_while_the_demo_is_on_a_client_is_not_pickled_and_the_demo_is_the_reason(shell):
    """Another process has no demo: the client would ask Vertex AI there, which costs. After it the client goes as ever."""
    claude = Claude(project="my-project")
    before = pickle.dumps(claude)
    shell.ok("%claude_demo")
    for each in (claude, Claude()):
        with pytest.raises(errors.PickleRefused) as caught:
            pickle.dumps(each)
        assert "while the demo is on" in str(caught.value)
        assert "access_token" not in str(caught.value)
        assert "thread" in caught.value.cure
        assert "%claude_demo stop" in caught.value.cure
    shell.ok("%claude_demo stop")
    assert pickle.dumps(claude) == before


def test_a_client_that_does_not_ask_the_demo_is_pickled_while_it_is_on(shell):
    """One that was told an address goes; one that holds a secret says which."""
    shell.ok("%claude_demo")
    again = pickle.loads(pickle.dumps(Claude(base_url=shell.emulator.base_url)))
    assert again.ask("Hello").complete
    assert not shell.magics.emulator.requests
    for settings, named in (
        ({"access_token": SECRET}, "access_token"),
        ({"header": {"Cookie": SECRET}}, "header"),
    ):
        with pytest.raises(errors.PickleRefused, match=f"with .*{named}"):
            pickle.dumps(Claude(**settings))
    shell.ok("%claude_demo stop")


def test_a_client_that_was_pickled_before_the_demo_asks_the_demo_as_any_other(shell):
    """Joblib hands back what it has pickled; the page of the demo says that nothing leaves the machine."""
    asking = pickle.loads(pickle.dumps(Claude(model="haiku")))
    elsewhere = pickle.loads(pickle.dumps(Claude(base_url=shell.emulator.base_url)))
    shell.ok("%claude_demo")
    assert asking.ask("Hello").lineage.answered_by == "emulator"
    assert len(shell.magics.emulator.requests) == 1
    elsewhere.ask("Hello")
    assert len(shell.magics.emulator.requests) == 1
    shell.ok("%claude_demo stop")


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("token", [None, "emulator"])
def test_a_copy_in_the_same_process_asks_and_shares_login_and_sums(login, how, token):
    claude = Claude(model="haiku", access_token=token, max_session_cost=100.0)
    again = how(claude)
    again.ask("Hello")
    assert claude._session.records.budget.spent(local=True) > 0
    assert again._session.transport.authorizer is claude._session.transport.authorizer
    claude.close()
    assert again.ask("Hello").complete


def test_one_client_serves_many_threads(login):
    login.answer(*["fine"] * 8)
    claude = Claude(model="haiku")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda n: ask(claude, str(n)), range(8))) == ["fine"] * 8


@pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_live_object_says_in_one_line_what_to_do_instead(claude_emulator, how, tmp_path):
    claude = client(claude_emulator)
    with claude.stream("Hello") as stream:
        live = [
            stream,
            claude.chat("talk"),
            stream._streams[-1]._response,
            claude._session.transport,
            FixedToken(SECRET),
            ApplicationDefault(),
            Journal(default_path()),
            Recording(tmp_path / "lesson.json"),
        ]
        for value in live:
            with pytest.raises(ClaudeError, match="cannot be copied or sent to another process") as caught:
                how(value)
            assert isinstance(caught.value, TypeError)
            assert "\n" not in str(caught.value)
            assert SECRET not in str(caught.value)
        assert stream.reply.complete


def test_the_refusal_to_pickle_can_itself_be_pickled():
    """A pool sends the error of a worker back."""
    error = errors.PickleRefused("It stays.", cure="Leave it.")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
