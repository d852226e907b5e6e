"""Which place gives the value of an option: resolved once, as one value that is handed on."""

from __future__ import annotations

import pickle

import pytest

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.settings.options import AskOptions, merge
from vertex_claude_magic.settings.policy import Policy
from vertex_claude_magic.settings.registry import EMPTY, OPTIONS
from vertex_claude_magic.settings.target import resolve_target

NOTHING: dict[str, str] = {}


def test_a_target_names_for_every_option_the_place_of_its_value():
    """No option is left to be looked up later."""
    target = resolve_target(
        AskOptions(effort="low"), {"max_tokens": 5}, environment={"CLOUD_ML_REGION": "eu"}
    )
    assert {name: target.origins[name] for name in ("effort", "max_tokens", "region", "timeout")} == {
        "effort": "setting",
        "max_tokens": "option",
        "region": "CLOUD_ML_REGION",
        "timeout": "default",
    }
    assert target.origins.keys() >= EMPTY.keys()


def test_a_target_is_a_value():
    """It prints what it holds, equals its like, can be hashed and pickled, and cannot be changed."""
    one, two = (resolve_target(AskOptions(model="opus"), environment=NOTHING) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert "model='opus'" in repr(one)
    assert one != one.replace(model="haiku")
    again = pickle.loads(pickle.dumps(one))
    assert (again, dict(again.origins)) == (one, dict(one.origins))
    with pytest.raises(AttributeError, match="cannot be changed"):
        one.model = "haiku"


def test_a_target_that_is_changed_means_another_model():
    """What was worked out for the former one does not stay."""
    target = resolve_target(AskOptions(model="opus"), environment=NOTHING)
    assert target.model_id.startswith("claude-opus")
    assert target.replace(model="haiku").model_id.startswith("claude-haiku")
    assert target.replace(model="haiku").row.family == "haiku"


def test_the_base_url_has_its_version_and_the_notices_say_so():
    target = resolve_target(AskOptions(base_url="http://127.0.0.1:1"), environment=NOTHING)
    assert target.base_url == "http://127.0.0.1:1/v1"
    assert target.notices == ("The base URL has no /v1 at its end; it was added.",)


@pytest.mark.parametrize("name", sorted(EMPTY))
def test_an_empty_value_says_nothing(name):
    """Whatever the option: the next place is asked."""
    target = resolve_target(AskOptions(**{name: OPTIONS[name].empty}), environment=NOTHING)
    assert target.origins[name] == "default"


def test_an_empty_system_text_of_a_question_is_none_at_all():
    """It takes the place of that of the settings, of a saved prompt and of a policy, unless that is locked."""
    given, saved, policy = {"system": ""}, {"system": "saved"}, Policy(defaults={"system": "policy"})
    target = resolve_target(
        AskOptions(system="setting"), given, environment=NOTHING, saved=saved, policy=policy
    )
    assert (target.system, target.origins["system"]) == ("", "option")
    with pytest.raises(OptionError, match="locked"):
        resolve_target(AskOptions(), given, environment=NOTHING, policy=Policy(locks={"system": ("policy",)}))


# The gate of a policy. What is locked, what is given, and what comes of it: the value and its origin, or the error.
LOCKED = [
    ({"model": ("haiku",)}, {}, {}, {}, ("haiku", "policy")),
    ({"model": ("haiku", "sonnet")}, {}, {}, {}, ("haiku", "policy")),
    ({"model": ("haiku", "opus")}, {"model": "opus"}, {}, {}, ("opus", "setting")),
    ({"model": ("haiku",)}, {}, {"model": "haiku"}, {}, ("haiku", "option")),
    ({"region": ("eu",)}, {}, {}, {"CLOUD_ML_REGION": "us-east5"}, ("eu", "policy")),
]


@pytest.mark.parametrize(("locks", "setting", "option", "environment", "found"), LOCKED)
def test_what_a_policy_locks_holds_over_default_and_environment(locks, setting, option, environment, found):
    """The first allowed value, unless an allowed one is given."""
    (name,) = locks
    target = resolve_target(
        AskOptions(**setting), option, environment=environment, policy=Policy(locks=locks)
    )
    assert (getattr(target, name), target.origins[name]) == found


def test_a_variable_that_a_policy_overrules_is_named_and_its_value_is_not():
    """It may hold anything."""
    policy = Policy(locks={"region": ("eu",)}, origin="claude-policy.toml")
    target = resolve_target(AskOptions(), environment={"CLOUD_ML_REGION": "us-east5"}, policy=policy)
    assert target.notices == ("CLOUD_ML_REGION is overruled: region is locked to eu by claude-policy.toml.",)


@pytest.mark.parametrize(("setting", "option"), [({"model": "opus"}, {}), ({}, {"model": "opus"})])
def test_an_option_or_a_setting_that_a_policy_forbids_is_refused(setting, option):
    """With who locked it."""
    with pytest.raises(OptionError, match=r"^model is locked to haiku by the course\."):
        resolve_target(AskOptions(**setting), option, environment=NOTHING,
                policy=Policy(locks={"model": ("haiku",)}, origin="the course"))  # fmt: skip


def test_the_defaults_of_a_policy_hold_where_nobody_says_anything():
    """Below the environment, above ours."""
    policy = Policy(defaults={"region": "eu", "max_tokens": 300})
    target = resolve_target(AskOptions(), environment={"CLOUD_ML_REGION": "us"}, policy=policy)
    assert (target.region, target.max_tokens, target.origins["max_tokens"]) == ("us", 300, "policy")


@pytest.mark.parametrize("word", ["none", "None", " false ", "0", "no", "of", "on", "./none", "off.sqlite3"])
@pytest.mark.parametrize("name", ["journal", "recording"])
def test_a_word_is_no_file_to_save_questions_in(name, word):
    """`journal = "none"` saved every question in a file of that name; `./none` is one."""
    variable = OPTIONS[name].variables[0]
    places = (
        lambda: resolve_target(AskOptions(**{name: word}), environment=NOTHING),
        lambda: merge(AskOptions(), {name: word}),
        lambda: resolve_target(AskOptions(), environment={variable: word}),
    )
    if "." in word:
        assert [getattr(place(), name) for place in places] == [word] * 3
        return
    for place in places[1:]:
        with pytest.raises(OptionError, match="not a file"):
            place()
    with pytest.raises(OptionError, match=f"{variable} is not a file"):
        places[2]()


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [("journal", False, "off to save nothing"), ("recording", False, "empty"), ("recording", "off", "empty")],
)
def test_the_cure_says_what_saves_nothing(name, value, cure):
    """A journal has a word for it, a recording has none."""
    with pytest.raises(OptionError, match=cure):
        merge(AskOptions(), {name: value})
    assert merge(AskOptions(), {"journal": "off"}).journal == "off"
