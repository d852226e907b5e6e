"""Simulated set-up problems on the wire: they last until the emulator stops them, and only they are changed."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from vertex_claude_magic.emulator import SETUP_PROBLEMS, Emulator
from vertex_claude_magic.emulator.__main__ import main
from vertex_claude_magic.errors import OptionError

MODEL = "claude-sonnet-5-5"
BODY = {
    "anthropic_version": "vertex-2023-10-16",
    "max_tokens": 1,
    "messages": [{"role": "user", "content": "Hello"}],
}


def ask(
    emulator: Emulator, location: str = "global", *, counting: bool = False, token: str = "emulator"
) -> Any:
    name = "count-tokens" if counting else MODEL
    url = f"{emulator.base_url}/projects/{emulator.project}/locations/{location}/publishers/anthropic/models/{name}:rawPredict"
    body = {"model": MODEL, "messages": BODY["messages"]} if counting else BODY
    headers = {"Authorization": f"Bearer {token}"}
    return requests.post(url, json=body, headers=headers, timeout=120, allow_redirects=False)


OF_THE_SERVICE = [name for name, each in SETUP_PROBLEMS.items() if each.refusal is not None]


@pytest.mark.parametrize("name", OF_THE_SERVICE)
def test_a_set_up_problem_lasts_until_it_is_stopped(claude_emulator, name):
    """Twice the same status, and then an answer."""
    location = SETUP_PROBLEMS[name].location or "global"
    expected = ask(claude_emulator, location).status_code
    claude_emulator.simulate(name)
    refusal = SETUP_PROBLEMS[name].refusal
    assert [ask(claude_emulator, location).status_code for _ in range(2)] == [refusal.code] * 2
    claude_emulator.stop_simulating()
    assert ask(claude_emulator, location).status_code == expected


@pytest.mark.parametrize("name", OF_THE_SERVICE)
def test_the_message_names_what_was_asked_for(claude_emulator, name):
    """No placeholder is left, in the message or in the facts beside it."""
    claude_emulator.simulate(name)
    text = ask(claude_emulator, SETUP_PROBLEMS[name].location or "global").text
    assert "{" not in json.dumps(json.loads(text)["error"]["message"])
    assert "{project}" not in text
    assert "{model}" not in text


def test_a_quota_of_zero_in_one_region_is_not_zero_elsewhere(claude_emulator):
    """And tokens are still counted."""
    claude_emulator.simulate("quota_zero_in_region")
    refused = ask(claude_emulator, "us-east5")
    assert refused.status_code == 429
    facts = refused.json()["error"]["details"][0]["metadata"]
    assert facts["quota_metric"].endswith("online_prediction_input_tokens_per_minute_per_base_model")
    assert ask(claude_emulator).status_code == 200
    assert ask(claude_emulator, counting=True).status_code == 200


def test_whoever_has_no_token_is_told_that_first(claude_emulator):
    """As at Google, where the token is looked at before everything else."""
    claude_emulator.simulate("api_disabled")
    assert ask(claude_emulator, token="wrong").status_code == 401


def test_a_slow_clock_is_seen_in_the_date_of_every_answer(claude_emulator):
    """An hour ahead of this machine's, also where the token is refused."""
    before = parsedate_to_datetime(ask(claude_emulator).headers["Date"])
    claude_emulator.simulate("clock_off")
    for token in ("emulator", "wrong"):
        ahead = parsedate_to_datetime(ask(claude_emulator, token=token).headers["Date"])
        assert 3590 < (ahead - before).total_seconds() < 3700


def test_what_is_wrong_on_the_machine_is_wrong_in_its_environment(claude_emulator):
    """A variable that is gone, one that is wrong, and a key file that is none."""
    claude_emulator.simulate("no_credentials")
    assert "GOOGLE_APPLICATION_CREDENTIALS" not in claude_emulator.environment
    claude_emulator.simulate("tls_broken")
    assert claude_emulator.environment["ANTHROPIC_VERTEX_BASE_URL"].startswith("https://127.0.0.1:")
    claude_emulator.simulate("key_file_unreadable")
    assert claude_emulator.credentials_file().read_text() == "-----BEGIN"
    claude_emulator.simulate("project_missing")
    assert "project_id" not in json.loads(claude_emulator.credentials_file().read_text())
    claude_emulator.stop_simulating()
    assert json.loads(claude_emulator.credentials_file().read_text())["project_id"] == claude_emulator.project


def test_one_set_up_problem_replaces_another(claude_emulator):
    """A login that was revoked works again when something else is wrong."""
    claude_emulator.simulate("login_expired")
    assert claude_emulator.google.denial == "revoked"
    claude_emulator.simulate("overloaded")
    assert claude_emulator.google.denial is None


def test_an_unknown_set_up_problem_is_refused_with_the_list(claude_emulator, capsys):
    """In Python and on the command line."""
    with pytest.raises(OptionError, match="quota_zero"):
        claude_emulator.simulate("nosuch")
    assert main(["--simulate", "nosuch"]) == 2
    assert "nosuch" in capsys.readouterr().err


def test_every_set_up_problem_says_what_it_is():
    """One line each, in small letters, for a list."""
    for each in SETUP_PROBLEMS.values():
        assert each.about
        assert not each.about.endswith(".")
        assert len(each.about) < 90
