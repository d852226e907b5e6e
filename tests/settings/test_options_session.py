"""Options of one question: what they may be, how they add up, and where a value comes from."""

from __future__ import annotations

import re
from collections import OrderedDict
from fractions import Fraction
from types import MappingProxyType

import numpy as np
import pytest

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.settings.options import AskOptions, check_value, merge
from vertex_claude_magic.settings.registry import OPTIONS
from vertex_claude_magic.settings.target import resolve_target
from vertex_claude_magic.settings.unknown_options import _ALSO_CALLED, _OF_TABLES, unknown_option
from vertex_claude_magic.tables.batch.checks import BATCH_OPTIONS
from vertex_claude_magic.tables.options import MAP_OPTIONS

MERGED = [
    ({}, {}, "model", None),
    ({"model": "opus"}, {}, "model", "opus"),
    ({"model": "opus"}, {"model": "haiku"}, "model", "haiku"),
    ({"model": "opus"}, {"model": None}, "model", "opus"),
    ({"max_tokens": 5}, {"max_tokens": 9}, "max_tokens", 9),
    ({"temperature": 0.5}, {"temperature": 0.0}, "temperature", 0.0),
    ({"timeout": 60}, {"timeout": Fraction(1, 2)}, "timeout", Fraction(1, 2)),
    ({"no_stream": True}, {"no_stream": False}, "no_stream", False),
    ({"system": "a"}, {"system": "b"}, "system", "b"),
    ({"stop": ["a"]}, {"stop": ["b"]}, "stop", ("a", "b")),
    ({"stop": "ab"}, {"stop": "c"}, "stop", ("ab", "c")),
    ({"beta": ("a",)}, {"beta": ()}, "beta", ("a",)),
    ({"trusted_hosts": ["a"]}, {"trusted_hosts": "b"}, "trusted_hosts", ("a", "b")),
    ({"set": {"a": 1, "b": 2}}, {"set": {"b": 3}}, "set", {"a": 1, "b": 3}),
    ({"header": {"A": "1"}}, {"header": OrderedDict(B="2")}, "header", {"A": "1", "B": "2"}),
    ({"label": {"a": "1"}}, {"label": MappingProxyType({"a": "2"})}, "label", {"a": "2"}),
]


@pytest.mark.parametrize(("session", "call", "name", "value"), MERGED)
def test_values_replace_and_lists_and_mappings_add_up(session, call, name, value):
    """The question's options over the session's; None says nothing."""
    assert getattr(merge(merge(AskOptions(), session), call), name) == value


def test_merging_leaves_the_session_as_it_is():
    """Options are values."""
    session = merge(AskOptions(), {"set": {"a": 1}, "stop": ["x"]})
    merge(session, {"set": {"a": 2}, "stop": ["y"]})
    assert (session.set, session.stop) == ({"a": 1}, ("x",))
    with pytest.raises(AttributeError, match="cannot be changed"):
        session.model = "x"


UNKNOWN = [
    ("modle", "Did you mean model?"),
    ("max_token", "Did you mean max_tokens?"),
    ("max-tokens", "Did you mean max_tokens?"),
    ("temprature", "Did you mean temperature?"),
    ("systen", "Did you mean system?"),
    ("max_activ", "Did you mean max_active?"),
    ("acess_token", "Did you mean access_token?"),
    ("zzz", "The page Options of the documentation lists all of them."),
    ("promt", "The page Options of the documentation lists all of them."),
    ("__class__", "The page Options"),
    ("x" * 500, "The page Options"),
    ("stop_sequences", "Use stop=."),
    ("max_output_tokens", "Use max_tokens=."),
    ("system_prompt", "Use system=."),
    ("response_format", "Use as_=."),
    ("extra_headers", "Use header=."),
    ("thinking_budget", "Use thinking=2000, a number of tokens."),
    ("tool_choice", 'Use set={"tool_choice": ...}.'),
    ("api_key", "Claude(access_token=...) takes a ready access token."),
    ("messages", "Give them as the prompt."),
    ("dry_run", "Claude.request returns what would be sent"),
    ("stream", "Call Claude.stream"),
    ("max_workers", "Claude.map(..., max_active=...)"),
    ("max_retries", "Claude(policy=RetryPolicy(retries=...))"),
]


@pytest.mark.parametrize(("name", "cure"), UNKNOWN, ids=[row[0][:20] for row in UNKNOWN])
def test_an_unknown_option_is_refused_with_the_nearest_name(name, cure):
    """In the constructor and in every question."""
    for work in (lambda: Claude(**{name: 1}), lambda: Claude().ask("Hello", **{name: 1})):
        with pytest.raises(errors.OptionError) as caught:
            work()
        assert cure in caught.value.cure
        assert len(str(caught.value)) < 200


def test_only_what_python_takes_is_offered():
    """Not what is given on a line alone, and each name that other software has leads to an option that is there."""
    takes = {row.name for row in OPTIONS.values() if "python" in row.places}
    only_on_a_line = {row.name for row in OPTIONS.values()} - takes
    for name in only_on_a_line:
        for misspelt in (f"{name}s", f"x{name}", name[1:], name[:-1]):
            assert not only_on_a_line & set(re.findall(r"\w+", unknown_option(misspelt).cure)), misspelt
    assert set(_ALSO_CALLED) <= takes
    assert not {name for names in _ALSO_CALLED.values() for name in names} & takes


@pytest.mark.parametrize(("name", "method"), [("max_active", "Claude.map"), ("rows_per_job", "Claude.batch")])
def test_an_option_of_a_table_is_none_of_a_question(name, method):
    """The other method is named."""
    with pytest.raises(errors.OptionError) as caught:
        Claude().ask("Hello", **{name: 1})
    assert str(caught.value) == f"{name} is an option of {method}. Leave it out here."


def test_the_options_of_tables_are_those_that_they_take():
    """Their modules lie below the one that names them."""
    taken = {row.name: "Claude.map" for row in MAP_OPTIONS} | {
        row.name: "Claude.batch" for row in BATCH_OPTIONS
    }
    assert {*taken, "progress"} == {*_OF_TABLES}
    assert all(taken.get(name, "") in method for name, method in _OF_TABLES.items())


UNFIT = [
    ("timeout", 0), ("timeout", -1), ("timeout", float("inf")), ("timeout", float("nan")), ("timeout", "60"),
    ("timeout", True), ("format", "html"), ("format", 5), ("model", 5), ("region", ["us"]), ("project", {}),
    ("base_url", b"http://127.0.0.1"), ("max_tokens", "5"), ("max_tokens", 5.5), ("max_tokens", True), ("top_k", 1.5),
    ("temperature", "hot"), ("top_p", [1]), ("effort", 3), ("set", "a=1"), ("set", [("a", 1)]), ("header", "A: b"),
    ("label", 5), ("stop", 5), ("beta", {"a": 1}), ("trusted_hosts", 3.5), ("label", {"week": 3}), ("label", {1: "a"}),
    ("header", {"X": 5}), ("header", {5: "X"}), ("beta", [5]), ("stop", [None]), ("thinking", [1]), ("thinking", 1.5),
    ("thinking", True), ("system", 5), ("system", ["text"]), ("system", {"type": "text"}),
]  # fmt: skip


NUMBERS = [row for row in (*OPTIONS.values(), *MAP_OPTIONS) if row.kind in {"number", "integer"}]


@pytest.mark.parametrize("value", [10**400, -(10**400), 10**5_000, float("inf"), float("nan")],
                         ids=["400 digits", "minus 400 digits", "5000 digits", "inf", "nan"])  # fmt: skip
@pytest.mark.parametrize("row", NUMBERS, ids=lambda row: row.name)
def test_a_number_that_nothing_can_be_done_with_is_refused(row, value):
    """No float holds it, and Python does not even write one of 5000 digits."""
    with pytest.raises(errors.OptionError) as caught:
        check_value(row, value)
    caught.value.spell_for_python()
    assert caught.value.message.startswith(f"{row.name} is ")
    assert caught.value.cure.startswith("Give ")


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("row", [row for row in NUMBERS if row.kind == "number"], ids=lambda row: row.name)
def test_a_number_of_numpy_is_taken_as_one_of_python_whatever_its_width(row, kind):
    check_value(row, kind(1))
    for value in (kind("inf"), kind("nan")):
        with pytest.raises(errors.OptionError):
            check_value(row, value)


class Unprintable:
    """Its text cannot be had."""

    def __repr__(self) -> str:
        raise RuntimeError


def test_a_value_whose_text_cannot_be_had_is_refused_by_its_type():
    """One line all the same."""
    with pytest.raises(errors.OptionError, match="model is of the type Unprintable"):
        merge(AskOptions(), {"model": Unprintable()})


@pytest.mark.parametrize(("name", "value"), UNFIT, ids=[f"{name}={value!r}" for name, value in UNFIT])
def test_a_value_that_an_option_cannot_take_is_refused_by_name(name, value):
    """One line that names the option, and a cure that shows what it takes."""
    with pytest.raises(errors.OptionError) as caught:
        merge(AskOptions(), {name: value})
    caught.value.spell_for_python()
    assert name in caught.value.message
    assert caught.value.cure
    assert isinstance(caught.value, ValueError)


FLAGS = [row for row in (*OPTIONS.values(), *MAP_OPTIONS) if row.kind == "flag"]


@pytest.mark.parametrize("value", ["no", "False", "true", "", 0, 1, []], ids=repr)
@pytest.mark.parametrize("row", FLAGS, ids=lambda row: row.name)
def test_a_flag_is_true_or_false_and_nothing_that_python_takes_for_it(row, value):
    """A text that says no is true for Python. As for `%config`, a number is no flag."""
    with pytest.raises(errors.OptionError) as caught:
        check_value(row, value)
    caught.value.spell_for_python()
    assert str(caught.value) == f"{row.name} is {value!r}. Give True or False."


def test_python_code_is_told_the_keyword():
    """In the constructor and in every question."""
    for work in (lambda: Claude(region=5), lambda: Claude().ask("Hello", region=5)):
        with pytest.raises(errors.OptionError) as caught:
            work()
        assert caught.value.message == "region is 5."


@pytest.mark.parametrize(
    ("name", "value", "cell", "python"),
    [
        ("max_cost", -1.0, "--max-cost is -1.0.", "max_cost is -1.0."),
        ("timeout", 0.0, "--timeout is 0.0.", "timeout is 0.0."),
        ("replay", "maybe", "'maybe' is not a value of --replay.", "'maybe' is not a value of replay."),
        ("trusted_hosts", 3.5, "trusted_hosts is 3.5.", "trusted_hosts is 3.5."),
    ],
)
def test_a_refused_value_names_the_option_as_its_reader_writes_it(name, value, cell, python):
    """What is only a setting has no name on a line."""
    with pytest.raises(errors.OptionError) as caught:
        merge(AskOptions(), {name: value})
    assert caught.value.message == cell
    caught.value.spell_for_python()
    assert caught.value.message == python


ORDER = [
    ("model", {}, {}, {}, ("sonnet", "default")),
    ("model", {"model": "opus"}, {}, {}, ("opus", "setting")),
    ("model", {"model": "opus"}, {"model": "haiku"}, {}, ("haiku", "option")),
    ("model", {"model": ""}, {"model": ""}, {}, ("sonnet", "default")),
    ("region", {}, {}, {"CLOUD_ML_REGION": "eu"}, ("eu", "CLOUD_ML_REGION")),
    ("region", {"region": "us"}, {}, {"CLOUD_ML_REGION": "eu"}, ("us", "setting")),
    ("region", {"region": "us"}, {"region": "global"}, {"CLOUD_ML_REGION": "eu"}, ("global", "option")),
    ("region", {}, {}, {"CLOUD_ML_REGION": ""}, ("global", "default")),
    ("project", {}, {}, {}, (None, "default")),
    ("project", {}, {}, {"GOOGLE_CLOUD_PROJECT": "g"}, ("g", "GOOGLE_CLOUD_PROJECT")),
    ("project", {}, {}, {"GOOGLE_CLOUD_PROJECT": "g", "ANTHROPIC_VERTEX_PROJECT_ID": "a"},
     ("a", "ANTHROPIC_VERTEX_PROJECT_ID")),
    ("project", {"project": "s"}, {}, {"ANTHROPIC_VERTEX_PROJECT_ID": "a"}, ("s", "setting")),
    ("base_url", {}, {}, {"ANTHROPIC_VERTEX_BASE_URL": "http://127.0.0.1:1/v1"},
     ("http://127.0.0.1:1/v1", "ANTHROPIC_VERTEX_BASE_URL")),
    ("base_url", {}, {}, {}, (None, "default")),
    ("timeout", {}, {}, {}, (600.0, "default")),
    ("timeout", {"timeout": 5}, {}, {}, (5, "setting")),
    ("anthropic_version", {}, {}, {}, ("vertex-2023-10-16", "default")),
    ("format", {}, {"format": "text"}, {}, ("text", "option")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "session", "call", "environment", "found"), ORDER)
def test_the_option_beats_the_setting_beats_the_environment_beats_the_default(
    monkeypatch, name, session, call, environment, found
):
    """And the place that gave the value is told."""
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    target = resolve_target(AskOptions(**session), call)
    assert (getattr(target, name), target.origins[name]) == found


class Credentials:
    """Just enough of a google-auth object to name a project."""

    project_id = "of-the-credentials"


def test_the_project_of_the_credentials_comes_last(monkeypatch):
    """After the option, the setting and the environment."""
    claude = Claude(credentials=Credentials())
    steps = [claude.request("Hi").project]
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "of-the-environment")
    steps.append(claude.request("Hi").project)
    claude = Claude(credentials=Credentials(), project="of-the-setting")
    steps += [claude.request("Hi").project, claude.request("Hi", project="of-the-option").project]
    assert steps == ["of-the-credentials", "of-the-environment", "of-the-setting", "of-the-option"]


def test_a_location_that_is_none_is_refused_by_the_name_of_its_variable(monkeypatch):
    """Whoever reads it has typed no such thing on the line."""
    monkeypatch.setenv("CLOUD_ML_REGION", "us_east5")
    with pytest.raises(
        errors.OptionError, match=r"^CLOUD_ML_REGION: 'us_east5' is not a Google Cloud location"
    ):
        Claude(project="p").request("Hi")
    with pytest.raises(errors.OptionError, match=r"^'us_east' is not a Google Cloud location"):
        Claude(project="p").request("Hi", region="us_east")


def test_the_environment_points_a_bare_object_at_the_emulator(claude_emulator, monkeypatch):
    """All of it, credentials included."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    assert Claude().ask("Hello").complete


@pytest.mark.parametrize("model", ["sonnet", "opus", "haiku"])
def test_a_family_means_its_newest_model_that_the_region_serves(model):
    """So an older region gives an older model."""
    newest = Claude(project="p", model=model).request("Hi").model
    older = Claude(project="p", model=model, region="us-east5").request("Hi").model
    assert newest != older
    assert re.match(rf"claude-{model}-", newest)
