"""`claude-policy.toml`: what it can say, what is broken, where it is found, and what several files mean together."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from shells import ROOT

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.notebook.display.footer import warnings
from vertex_claude_magic.prompts.compose import to_send_more
from vertex_claude_magic.prompts.parts import ValueLimits
from vertex_claude_magic.records.journal.database import journal_error
from vertex_claude_magic.session.question import prepare
from vertex_claude_magic.settings.limit_cures import priced, spending_unknown, to_fit
from vertex_claude_magic.settings.loaded import policies, present_policy, set_policy
from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.policy import OPEN, Policy
from vertex_claude_magic.settings.policy_files import parse_policy, read_policies
from vertex_claude_magic.settings.registry import OPTIONS
from vertex_claude_magic.settings.target import resolve_target
from vertex_claude_magic.spelling import Change, option, raised, spelled, ways
from vertex_claude_magic.transport.connection import network_error
from vertex_claude_magic.transport.failures import RequestNames, error_from_response
from vertex_claude_magic.vertex.reply import Reply
from vertex_claude_magic.vertex.request import RequestOptions

WHOLE = """
[defaults]
effort = "low"
max-tokens = 300
stop = ["END"]
as = "City"

[locks]
model = ["haiku", "sonnet"]
region = "eu"
beta = ["a-1"]
thinking = 2000
show_thinking = false

[hints]
highest = 2

[limits]
max_cost = 0.5
max_session_cost = 2
max_daily_cost = 5
max_tokens = 1000
tools = false
attachments = false
live = false
off = false
"""


@pytest.fixture(autouse=True)
def _anew():
    set_policy(None)
    yield
    set_policy(None)


def test_a_policy_has_defaults_locks_hints_and_limits():
    """Each option under its name in Python."""
    policy = parse_policy(WHOLE, "claude-policy.toml", Path())
    assert policy.defaults == {"effort": "low", "max_tokens": 300, "stop": ("END",), "as_": "City"}
    assert policy.locks == {
        "model": ("haiku", "sonnet"), "region": ("eu",), "beta": (("a-1",),), "thinking": (2000,),
        "show_thinking": (False,),
    }  # fmt: skip
    assert policy.hints == 2
    assert policy.ceilings == {
        "max_cost": 0.5,
        "max_session_cost": 2,
        "max_daily_cost": 5,
        "max_tokens": 1000,
    }
    assert policy.forbids == {"tools", "attachments", "live"}
    assert not policy.closed


# The text of a file, and how the error begins.
BROKEN = {
    "no TOML": ("[locks]\nmodel = haiku\n", "p.toml, line 2: "),
    "not closed": ("[locks\n", "p.toml, line 1: "),
    "given twice": ("[locks]\nmodel = 'a'\nmodel = 'b'\n", "p.toml, line 3: "),
    "unknown section": ("\n[lock]\nmodel = 'haiku'\n", "p.toml, line 2: there is no section [lock]."),
    "above all sections": ("model = 'haiku'\n\n[limits]\n", "p.toml, line 1: model is in no section."),
    "no section": ("locks = 5\n", "p.toml, line 1: locks is not a section."),
    "array of tables": ("[[locks]]\nmodel = 'haiku'\n", "p.toml, line 1: locks is not a section."),
    "unknown option": ("[locks]\n\nmodell = 'haiku'\n", "p.toml, line 3: there is no option 'modell'."),
    "only shown": ("[defaults]\nquiet = true\n", "p.toml, line 2: quiet is given on the line only."),
    "only shown, by its long name": ("[locks]\ndry-run = true\n", "p.toml, line 2: dry_run is given on the line only."),
    "for saved prompts": ("[defaults]\nwith = { a = 'b' }\n", "p.toml, line 2: with is given on the line only."),
    "unknown limit": ("[limits]\nmax_costs = 5\n", "p.toml, line 2: [limits] has no 'max_costs'."),
    "unknown hint": ("[hints]\nlowest = 1\n", "p.toml, line 2: [hints] has no 'lowest'."),
    "hint 0": ("[hints]\nhighest = 0\n", "p.toml, line 2: highest is not 1 to 4."),
    "hint 5": ("[hints]\nhighest = 5\n", "p.toml, line 2: highest is not 1 to 4."),
    "hint true": ("[hints]\nhighest = true\n", "p.toml, line 2: highest is not 1 to 4."),
    "hint text": ("[hints]\nhighest = '2'\n", "p.toml, line 2: highest is not 1 to 4."),
    "wrong kind": ("[locks]\nmodel = 5\n", "p.toml, line 2: model is 5."),
    "wrong kind below another section": (
        "[defaults]\nmodel = 'haiku'\n\n[limits]\n[locks]\nmodel = 5\n", "p.toml, line 6: model is 5."),
    "wrong kind in a section of two": (
        "[defaults]\nstop = ['x']\n[locks.label]\nweek = 3\n", "p.toml, line 3: label has a key or a value"),
    "wrong kind, indented": ("\n  [ locks ] \n  model = 5\n", "p.toml, line 3: model is 5."),
    "wrong kind behind a dot": ("# Ours.\nlocks.model = 5\nlocks.region = 'eu'\n", "p.toml, line 2: model is 5."),
    "wrong kind on the line of its section": ("# Ours.\nlocks = { model = 5 }\n", "p.toml, line 2: model is 5."),
    "wrong kind in a name that is written otherwise": (
        "# Ours.\n[locks]\n\"mod\\u0065l\" = 5\n", "p.toml, line 2: model is 5."),
    "wrong kind in a section that is written otherwise": (
        "# Ours.\n[\"lock\\u0073\"]\nmodel = 5\n", "p.toml, line 1: model is 5."),
    "wrong kind in a list": ("[locks]\nmodel = ['haiku', 5]\n", "p.toml, line 2: model is 5."),
    "no value": ("[locks]\nmodel = []\n", "p.toml, line 2: model allows no value."),
    "a flag as text": ("[defaults]\ncache = 'yes'\n", "p.toml, line 2: cache is 'yes'."),
    "a number as flag": ("[limits]\nmax_cost = true\n", "p.toml, line 2: max_cost is True."),
    "a negative limit": ("[limits]\nmax_cost = -1\n", "p.toml, line 2: max_cost is -1."),
    "a limit of nan": ("[limits]\nmax_cost = nan\n", "p.toml, line 2: max_cost is nan."),
    "no tokens": ("[limits]\nmax_tokens = 0\n", "p.toml, line 2: max_tokens is 0."),
    "half a token": ("[limits]\nmax_tokens = 0.5\n", "p.toml, line 2: max_tokens is 0.5."),
    "a switch as text": ("[limits]\nlive = 'false'\n", "p.toml, line 2: live is neither true nor false."),
    "off as text": ("[limits]\noff = 1\n", "p.toml, line 2: off is neither true nor false."),
    "out of its words": ("[locks]\nreplay = 'never'\n", "p.toml, line 2: 'never' is not a value of replay."),
    "a secret": ("[locks]\nregion = 'ya29.invented'\n", "p.toml, line 2: region seems to contain a Google access token."),
    "an expression": ("[defaults]\nas = 'list[City]'\n", "p.toml, line 2: as is neither the name of a type"),
    "a label that is no text": ("[defaults]\nlabel = { week = 3 }\n", "p.toml, line 2: label has a key or a value that is"),
    "a system text that is none": ("[defaults]\nsystem = 5\n", "p.toml, line 2: system is 5"),
    "attached from elsewhere": ("[defaults]\nattach = ['../x']\n", "p.toml, line 2: the attachment '../x' is outside"),
    "attached from the root": ("[defaults]\nattach = ['/etc/hosts']\n", "p.toml, line 2: the attachment '/etc/hosts'"),
    "tools": ("[locks]\ntools = ['f']\n", "p.toml, line 2: tools are given without confirm = true."),
    "tools with confirm = false": (
        "[locks]\ntools = ['f']\nconfirm = false\n", "p.toml, line 2: tools are given without confirm = true."),
    "tools by hand": ("[defaults.set]\ntools = []\n", "p.toml, line 1: a file may not set the field tools."),
    **{
        f"{section} of {name}": (f"[{section}]\n{name} = {value}\n", f"p.toml, line 2: a file may not set {name}.")
        for section in ("defaults", "locks")
        for name, value in {
            "base_url": "'https://x/v1'", "trusted_hosts": "['x']", "project": "'p'", "force": "true",
            "header": "{a = 'b'}", "allow_secrets": "true", "journal": "'off'", "recording": "'x'",
        }.items()
    },
    "deep": ("[locks]\nmodel = " + "[" * 3000 + "]" * 3000, "p.toml"),
    "long": ("# " + "x" * 300_000, "p.toml is longer than 200,000 characters."),
}  # fmt: skip


CONFIRMED = [
    "[locks]\ntools = ['web_search']\nconfirm = true\n",
    "[locks]\nconfirm = true\ntools = ['web_search']\n",
    "[locks]\ntools = ['web_search']\n[defaults]\nconfirm = true\n",
    "[locks]\nconfirm = true\n[defaults]\ntools = ['web_search']\n",
    "[defaults]\ntools = ['web_search']\nconfirm = true\n",
]


@pytest.mark.parametrize("text", CONFIRMED)
def test_a_policy_may_give_tools_where_it_says_that_calls_are_confirmed(text):
    """In whichever of its sections the one and the other are."""
    policy = parse_policy(text, "p.toml", Path())
    assert {**policy.defaults, **policy.locks}["tools"] in (("web_search",), (("web_search",),))
    # A saved prompt is a file that somebody else may have written.
    target = resolve_target(AskOptions(), {}, policy=policy, saved={"confirm": False})
    assert (target.tools, target.confirm) == (("web_search",), True)


# The text of a policy, and the line of what is wrong in it.
LINES = {
    "a dotted key": ("locks.effort = 'low'\nlocks.modell = 'haiku'\n", 2),
    "a dotted key with quotes and blanks": ("locks.effort = 'low'\n'locks' . \"modell\" = 'haiku'\n", 2),
    "a dotted key of a dotted key": ("locks.effort = 'low'\nlocks.labl.team = 'a'\n", 2),
    "a value of a dotted key": ("defaults.effort = 'low'\ndefaults.thinking = 'on'\n", 2),
    "a table of its own": ("[locks.label]\nteam = 'a'\n[locks.labl]\nteam = 'b'\n", 3),
    "a head with a comment": ("[locks] # of the course\neffort = 'low'\nmodell = 'haiku'\n", 3),
    "below a long list": ("[locks]\nmodel = [\n  'haiku',\n]\neffortt = 'low'\n", 5),
    "a table in one line": ("limits.max_cost = 1\nlocks = {modell = 'haiku'}\n", 2),
    "a key of the same name elsewhere": ("[defaults]\neffort = 'low'\n[locks]\neffort = 'lo'\n", 4),
}


@pytest.mark.parametrize(("text", "line"), LINES.values(), ids=LINES.keys())
def test_a_mistake_is_found_in_its_line_however_toml_writes_it(text, line):
    with pytest.raises(OptionError) as caught:
        parse_policy(text, "p.toml", Path())
    assert caught.value.message.startswith(f"p.toml, line {line}: ")


@pytest.mark.parametrize(("text", "begins"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_policy_names_the_line(text, begins):
    """Whatever is unknown or of the wrong kind is broken: a slip must not become a policy that allows more."""
    with pytest.raises(OptionError) as caught:
        parse_policy(text, "p.toml", Path())
    assert caught.value.message.startswith(begins)
    assert "invented" not in str(caught.value)


# The text of a file, and the cure for its mistake.
CURES = {
    "a section nearly right": ("[lock]\nmodel = 'haiku'\n", "Did you mean locks?"),
    "a section": ("[students]\nmodel = 'haiku'\n", "Sections are defaults, locks, hints, limits."),
    "an option nearly right": ("[locks]\nmodell = 'haiku'\n", "Did you mean model?"),
    "an option of two words": ("[defaults]\nmax-token = 5\n", "Did you mean max_tokens?"),
    "an option that no file may set is not offered": ("[locks]\nprojekt = 'p'\n", "See %%claude --help all."),
    "a limit nearly right": ("[limits]\nmax_costs = 5\n", "Did you mean max_cost?"),
    "a hint nearly right": ("[hints]\nhigest = 1\n", "Did you mean highest?"),
    "a number as text": ("[limits]\nmax_cost = '0.05'\n", "Give a number."),
    "an option above all sections": ("model = 'haiku'\n", "Put it under [locks] or [defaults]."),
    "a limit above all sections": ("max_cost = 1\n", "Put it under [limits]."),
    "a name above all sections": ("week = 3\n", "Remove the line."),
    "an option among the limits": ("[limits]\nmodel = 'haiku'\n", "Put it under [locks] or [defaults]."),
    "a switch among the locks": ("[locks]\nattachments = false\n", "Put it under [limits]."),
    "a switch with the name of an option": ("[locks]\ntools = false\n", "Put it under [limits]."),
    "a hint among the defaults": ("[defaults]\nhighest = 2\n", "Put it under [hints]."),
    "no TOML": ("[locks]\nmodel = haiku\n", "Correct the TOML."),
    "a model nearly right": ("[locks]\nmodel = 'haku'\n", "Did you mean haiku?"),
    "one of several models": ("[locks]\nmodel = ['haiku', 'sonet']\n", "Did you mean sonnet?"),
    "a model by default": ("[defaults]\nmodel = 'Opuss'\n", "Did you mean opus?"),
    "a continent": ("[locks]\nregion = 'europe'\n", "Use global, us, eu, or a region such as europe-west1."),
    "a region in capitals": (
        "[defaults]\nregion = 'EU'\n",
        "Use global, us, eu, or a region such as us-east5.",
    ),
    "no name of a host": ("[locks]\nregion = 'U S'\n", "Use global, us, eu, or a region such as us-east5."),
    "an effort level nearly right": ("[defaults]\neffort = 'lo'\n", "Use low, medium, high, xhigh or max."),
    "a thinking mode": (
        "[locks]\nthinking = ['off', 'on']\n",
        "Use adaptive, off, between_tools, or a budget in tokens.",
    ),
}


@pytest.mark.parametrize(("text", "cure"), CURES.values(), ids=CURES.keys())
def test_a_broken_policy_says_what_to_write_and_that_nothing_is_sent(text, cure, tmp_path):
    """To its author the one, to everybody the other."""
    file = tmp_path / "claude-policy.toml"
    file.write_text(text)
    with pytest.raises(OptionError) as caught:
        read_policies([file]).check_open()
    assert re.search(r", line \d: ", caught.value.message)
    assert caught.value.cure == f"{cure} No request is sent until it is fixed; ask the author of the file."


# What the table does not know, and a policy may say all the same.
NEWER = [
    "[locks]\nmodel = ['claude-haiku-9', 'HAIKU', 'claude-sonnet-4-5@20250929']\nregion = ['europe-north2', 'au']\n",
    "[defaults]\neffort = ''\nthinking = '2000'\n",
    "[defaults]\nmodel = 'haku'\nmodels_file = 'ours.json'\n",
]


@pytest.mark.parametrize("text", NEWER)
def test_a_policy_may_name_what_is_newer_than_the_table(text):
    """An id, a location, and whatever a table of its own has."""
    assert parse_policy(text, "p.toml", Path())


# A policy, what is asked for, and the cure where the model does not take a value of the policy's.
NOT_TAKEN = {
    "locked": (
        "[locks]\nthinking = 'off'\n", {"model": "opus"},
        "Use another model, or ask the author of p.toml, which locks thinking."),
    "locked, and given too": (
        "[locks]\nthinking = 'off'\n", {"model": "opus", "thinking": "off"},
        "Use another model, or ask the author of p.toml, which locks thinking."),
    "locked beside the model": (
        "[locks]\nthinking = 'off'\nmodel = 'opus'\n", {}, "Ask the author of p.toml, which locks thinking."),
    "one of several": (
        "[locks]\nthinking = ['off', 'adaptive', 2000]\n", {"model": "opus"},
        "Use --thinking adaptive or 2000, or ask the author of p.toml, which locks thinking."),
    "a default": (
        "[defaults]\nthinking = 'off'\n", {"model": "opus"},
        "Use --thinking with adaptive, or add --force to send it anyway. thinking is a default of p.toml."),
    "a region that serves no such model": (
        "[locks]\nregion = 'asia-southeast1'\n", {"model": "haiku"},
        "Use another model, or ask the author of p.toml, which locks region."),
    "a model that is retired": (
        "[locks]\nmodel = 'claude-3-7-sonnet@20250219'\n", {}, "Ask the author of p.toml, which locks model."),
}  # fmt: skip


@pytest.mark.parametrize(("text", "given", "cure"), NOT_TAKEN.values(), ids=NOT_TAKEN.keys())
def test_the_cure_for_a_value_of_a_policy_is_one_that_its_user_can_follow(text, given, cure):
    """No lock can be changed on the line; whoever wrote it can, and a default may be replaced."""
    set_policy(parse_policy(text, "p.toml", Path()))
    target = resolve_target(AskOptions(project="p"), given)
    with pytest.raises(OptionError) as caught:
        prepare("Hi", target, project=lambda: "p")
    assert caught.value.cure == cure


def refusal(**given):
    """The cure for a question that the table's rules refuse."""
    with pytest.raises(OptionError) as caught:
        prepare("Hi", resolve_target(AskOptions(project="p"), given), project=lambda: "p")
    return caught.value.cure


def failed(status, message):
    """The cure for an answer of the service."""
    asked = RequestNames(model="claude-opus-5-5", project="p", region="us-east5", catalog=Catalog.load())
    error = {"error": {"code": status, "message": message}}
    return error_from_response(status, json.dumps(error).encode(), asked).cure


def journal_off():
    return resolve_target(AskOptions(journal="off")).journal_cure


QUOTA = (
    "Waiting does not help if the quota is 0, as it is on many new projects. Ask for more under IAM & Admin, "
    "Quotas, for project p"
)
# What is locked, what happens, and what it is cured with: without the lock, and under it.
CURES_UNDER_LOCKS = {
    "the journal": (
        {"journal": ("off",)}, lambda: ways(journal_off()),
        'Switch it on with %config ClaudeMagics.journal = "".', "Ask the author of p.toml, which fixes journal."),
    "the journal, for a limit of the day": (
        {"journal": ("off",)}, lambda: spending_unknown("It is off.", journal_off()).cure,
        'Switch it on with %config ClaudeMagics.journal = "", or clear max_daily_cost.', "Clear max_daily_cost."),
    "the journal, for a file that cannot be opened": (
        {"journal": ("off",)}, lambda: journal_error(Path("j"), sqlite3.OperationalError("unable to open")).cure,
        "Check the folder's permissions, or set journal to another file.", "Check the folder's permissions."),
    "max_tokens, for a cost": (
        {"max_tokens": (500,)}, lambda: to_fit("max_cost", 0.1, "shorten the prompt"),
        "Lower --max-tokens, shorten the prompt, or raise --max-cost.", "Shorten the prompt, or raise --max-cost."),
    "the model, for a cost of a policy": (
        {"model": ("haiku",), "max_cost": (0.1,)}, lambda: to_fit("max_cost", 0.1),
        "Lower --max-tokens, or raise --max-cost.", "Lower --max-tokens: p.toml sets this limit."),
    "all that would help, for a cost of a policy": (
        {"model": ("haiku",), "max_tokens": (500,), "max_cost": (0.1,)}, lambda: to_fit("max_cost", 0.1),
        "Lower --max-tokens, or raise --max-cost.", "Ask the author of p.toml, which fixes max_tokens."),
    "what follows a way that is not left": (
        {"region": ("us-east5",)}, lambda: ways(spelled("use {}", option("region", "global")), end="; it is free."),
        "Use --region global; it is free.", "Ask the author of p.toml, which fixes region."),
    "max_tokens, for a budget of thinking": (
        {"max_tokens": (2_000,)}, lambda: refusal(model="sonnet-4.5", max_tokens=2_000, thinking=4_000),
        "Raise --max-tokens above 4000, or add --force to send it anyway.", "Add --force to send it anyway."),
    "max_tokens of a policy with a higher one": (
        {"max_tokens": (2_000, 9_000)}, lambda: refusal(model="sonnet-4.5", max_tokens=2_000, thinking=4_000),
        "Raise --max-tokens above 4000, or add --force to send it anyway.",
        "Raise --max-tokens above 4000, or add --force to send it anyway."),
    "the model, for one that is retired": (
        {"model": ("claude-3-opus@20240229",)}, lambda: failed(429, "Too many requests"),
        "Ask again in a moment, try another --region, or try another model.",
        "Ask again in a moment, or try another --region."),
    "the region, for a model that is busy": (
        {"region": ("us-east5",)}, lambda: failed(529, "Overloaded"),
        "Ask again in a moment, try another --region, or try another model.",
        "Ask again in a moment, or try another model."),
    "the region, for a quota": (
        {"region": ("us-east5",), "model": ("opus",)}, lambda: failed(429, "Quota exceeded"),
        f"{QUOTA}, try another model, or try --region global.",
        f"{QUOTA}."),
    "a region that is allowed": (
        {"region": ("us-east5", "global"), "model": ("opus",)}, lambda: failed(429, "Quota exceeded"),
        f"{QUOTA}, try another model, or try --region global.",
        f"{QUOTA}, or try --region global."),
    "the timeout": (
        {"timeout": (60.0,)}, lambda: network_error(TimeoutError(), "host", 60.0).cure,
        "Ask again, or raise --timeout.", "Ask again."),
    "max_tokens, for an answer that was cut off": (
        {"max_tokens": (500,)}, lambda: warnings(Reply(stop_reason="max_tokens", complete=True))[0],
        "Cut off at max_tokens. Ask again with a larger --max-tokens, or continue with %%claude --after NAME.",
        "Cut off at max_tokens. Continue with %%claude --after NAME."),
    "value_tokens": (
        {"value_tokens": (4_000,)}, lambda: to_send_more(ValueLimits(tokens=4_000)),
        "To send more: %config ClaudeMagics.value_tokens = 8000", "Ask the author of p.toml, which fixes value_tokens"),
    "models_file, which a lock of the model fixes": (
        {"model": ("haiku",)}, lambda: priced("max_cost", 1.0),
        "Add the model's prices with models_file, or clear --max-cost.", "Clear --max-cost."),
}  # fmt: skip


@pytest.mark.parametrize(
    ("locks", "cause", "free", "locked"), CURES_UNDER_LOCKS.values(), ids=CURES_UNDER_LOCKS.keys()
)
def test_no_cure_tells_to_change_what_a_policy_fixes(locks, cause, free, locked):
    """What is left is said; where nothing is, who can change it."""
    set_policy(OPEN)
    assert cause() == free
    set_policy(Policy(locks=locks, origin="p.toml"))
    assert cause() == locked


@pytest.mark.parametrize("name", ["max_cost", "max_session_cost", "max_daily_cost"])
def test_a_limit_is_not_to_be_cleared_below_a_ceiling(name):
    """The ceiling holds then, and the cost or what was spent is as little known as before."""
    set_policy(Policy(ceilings={name: 9.0}, origin="p.toml"))
    assert to_fit(name, 1.0).startswith("Lower --max-tokens, or raise ")
    assert priced(name, 1.0) == "Use a model whose price the table knows: p.toml sets a limit."
    if name == "max_daily_cost":
        assert spending_unknown("It is off.", "unset J").cure == "Unset J: p.toml sets a limit."
        assert spending_unknown("It is full.", cure="Free space.").cure == "Free space. p.toml sets a limit."


def test_a_ceiling_that_is_reached_is_not_to_be_raised():
    """Below it an option may be raised."""
    set_policy(Policy(ceilings={"max_tokens": 500}, origin="p.toml"))
    assert ways(spelled("raise {}", raised("max_tokens", 499))) == "Raise --max-tokens."
    assert (
        ways(spelled("raise {}", raised("max_tokens", 500)))
        == "Ask the author of p.toml, which fixes max_tokens."
    )


# A value of each option that becomes a part of the request.
SENT = {
    "system": "Be kind.", "max_tokens": 9, "stop": ["END"], "effort": "low", "thinking": 2_000, "show_thinking": True,
    "temperature": 0.5, "top_p": 0.5, "top_k": 5, "beta": ["a-1"], "label": {"team": "lab"},
}  # fmt: skip


def test_a_lock_knows_what_its_option_becomes():
    """Each body field and header, so that none of them is given by hand in its place."""

    def parts(**options):
        made = resolve_target(AskOptions(model="sonnet-4.5", force=True, project="p"), options)
        request = prepare("Hi", made, project=lambda: "p").request
        return {**request.body, **{name.lower(): value for name, value in request.headers.items()}}

    plain = parts()
    assert {*SENT, "set", "header", "force"} == {*RequestOptions._fields}
    for name, value in SENT.items():
        written = parts(**{name: value})
        becomes = {each for each in written if written[each] != plain.get(each)}
        assert becomes
        assert becomes <= {name, *OPTIONS[name].fields}, name


# What lies in the place of the file, and what is said of it.
UNREADABLE = {
    "a folder": (lambda path: path.mkdir(), "is not a readable file"),
    "a pipe": (os.mkfifo, "is not a readable file"),
    "a broken link": (lambda path: path.symlink_to("nowhere"), "is not a readable file"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "is not a readable file"),
    "other characters": (lambda path: path.write_bytes(b"\xff\xfe[locks]"), "is not UTF-8"),
    "a mistake": (lambda path: path.write_text("[locks"), "line 1"),
}


@pytest.mark.parametrize(("make", "said"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_policy_that_cannot_be_read_closes_everything(make, said, tmp_path, monkeypatch):
    """No question is asked, whoever asks."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "claude-policy.toml")
    with pytest.raises(OptionError, match=said):
        resolve_target(AskOptions())


@pytest.mark.parametrize("folder", ["/nowhere", "~nobody-of-this-name"])
def test_a_file_that_the_variable_names_and_that_is_not_there_closes_everything(
    tmp_path, monkeypatch, folder
):
    """It adds a policy and never replaces one; its value is not shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VERTEX_CLAUDE_POLICY", f"{folder}/ya29.invented")
    with pytest.raises(
        OptionError, match="VERTEX_CLAUDE_POLICY points to a file that does not exist"
    ) as caught:
        resolve_target(AskOptions())
    assert "invented" not in str(caught.value)


def test_the_file_that_the_variable_names_holds_together_with_the_one_beside_the_notebook(
    tmp_path, monkeypatch
):
    """It adds what it fixes, and its defaults come first."""
    (tmp_path / "claude-policy.toml").write_text('[defaults]\neffort = "low"\n[limits]\nmax_cost = 2\n')
    school = tmp_path / "school.toml"
    school.write_text('[locks]\nregion = "eu"\n[defaults]\neffort = "high"\n[limits]\nmax_cost = 1\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VERTEX_CLAUDE_POLICY", str(school))
    policy = present_policy()
    assert policy.files == ("school.toml (VERTEX_CLAUDE_POLICY)", "claude-policy.toml")
    assert policy.locks == {"region": ("eu",)}
    assert policy.defaults == {"effort": "high"}
    assert policy.ceilings == {"max_cost": 1}


@pytest.mark.parametrize(
    ("policy", "change", "is_held"),
    [
        (Policy(locks={"max_tokens": (100, 200)}), Change("max_tokens", above=150), False),
        (Policy(locks={"max_tokens": (100, 200)}), Change("max_tokens", above=200), True),
        (Policy(forbids=frozenset({"live"})), Change("replay", ("only",)), False),
        (Policy(forbids=frozenset({"live"})), Change("replay", ("auto",)), True),
        (Policy(forbids=frozenset({"tools"})), Change("tools", ("only",)), True),
        (Policy(ceilings={"max_daily_cost": 1}), Change("journal", ("",)), False),
        (Policy(ceilings={"max_daily_cost": 1}), Change("journal", ("my.sqlite",)), True),
        (Policy(ceilings={"max_daily_cost": 1}), Change("journal"), True),
    ],
)
def test_a_cure_is_held_only_where_the_policy_refuses_every_value_that_would_do(policy, change, is_held):
    assert bool(policy.holder(change)) is is_held


@pytest.mark.parametrize("value", ["", " ", "\t \n", "\u200b", " \u200b "])
def test_a_variable_that_is_blank_names_no_file(tmp_path, monkeypatch, value):
    """As one that is empty, and as every other variable; a policy beside the notebook holds all the same."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VERTEX_CLAUDE_POLICY", value)
    assert present_policy() is OPEN
    set_policy(None)
    (tmp_path / "claude-policy.toml").write_text('[locks]\nregion = "eu"\n')
    assert present_policy().files == ("claude-policy.toml",)


def test_a_name_that_no_file_can_have_closes_everything_too(tmp_path, monkeypatch):
    """The system says so by an error of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VERTEX_CLAUDE_POLICY", "a" * 5_000)
    with pytest.raises(OptionError, match="The policy cannot be read: File name too long") as caught:
        resolve_target(AskOptions())
    assert "aaa" not in str(caught.value)


def test_a_file_below_the_home_of_a_user_who_does_not_exist_is_one_that_is_not_there(tmp_path, monkeypatch):
    """The tilde is then a name like any other, as everywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VERTEX_CLAUDE_POLICY", "~nobody-of-this-name/claude-policy.toml")
    with pytest.raises(OptionError, match="VERTEX_CLAUDE_POLICY points to a file that does not exist"):
        resolve_target(AskOptions())


def test_where_there_is_no_policy_nothing_is_fixed(tmp_path, monkeypatch):
    """As for nearly everybody."""
    monkeypatch.chdir(tmp_path)
    assert present_policy() is OPEN


def test_policies_are_found_beside_the_notebook_and_above_it(tmp_path, monkeypatch):
    """The nearest first, from the working folder and from the notebook's own."""
    nearest, other = tmp_path / "course" / "week", tmp_path / "elsewhere"
    for folder in (nearest, other):
        folder.mkdir(parents=True)
    files = [folder / "claude-policy.toml" for folder in (nearest, tmp_path, other)]
    for file in files:
        file.write_text("")
    monkeypatch.chdir(other)
    assert list(policies([nearest]).paths) == files


# How a program is started from another folder, and whether the policy beside it is found.
STARTED = {
    "a script": (["course/t.py"], True),
    "a script below the policy": (["course/week/t.py"], True),
    "a script that changes the folder": (["course/moves.py"], True),
    "no file": (["-c", "from t import *"], False),
    # Such as a kernel: the program is somebody else's, and no part of the course.
    "a module": (["-m", "t"], False),
    "a command": (["course/command"], False),
}


@pytest.mark.parametrize(("arguments", "is_found"), STARTED.values(), ids=STARTED.keys())
def test_a_policy_is_found_beside_the_script_that_runs_and_above_it(arguments, is_found, tmp_path):
    """Wherever it is started."""
    code = "from vertex_claude_magic.settings.loaded import policies\nprint(*policies().paths)\n"
    (tmp_path / "course/week").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for name in ("t.py", "week/t.py", "command"):
        (tmp_path / "course" / name).write_text(code)
    (tmp_path / "course/moves.py").write_text(f"import os\nos.chdir('elsewhere')\n{code}")
    policy = tmp_path / "course/claude-policy.toml"
    policy.write_text("")
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path / "course")])}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env=surroundings,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ([str(policy)] if is_found else [])


def test_a_policy_that_is_changed_or_left_behind_still_holds(tmp_path, monkeypatch):
    """It is read once a process."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "claude-policy.toml"
    file.write_text("[locks]\nmodel = 'haiku'\n")
    assert resolve_target(AskOptions()).model == "haiku"
    file.unlink()
    monkeypatch.chdir("/")
    assert resolve_target(AskOptions()).model == "haiku"


def several(folder: Path, *texts: str):
    files = []
    for number, text in enumerate(texts):
        part = folder / str(number) / "claude-policy.toml"
        part.parent.mkdir()
        part.write_text(text)
        files.append(part)
    return read_policies(files)


def test_of_several_policies_the_strictest_holds(tmp_path):
    """Values that all allow, the lowest limits, all that any of them switches off; defaults of the nearest."""
    policy = several(
        tmp_path,
        "[locks]\nmodel = ['haiku', 'sonnet']\n[limits]\nmax_tokens = 900\ntools = false\n[defaults]\neffort = 'low'\n",
        "[locks]\nmodel = ['sonnet', 'opus']\nregion = 'eu'\n[limits]\nmax_tokens = 500\nlive = false\n"
        "[hints]\nhighest = 1\n[defaults]\neffort = 'high'\nmax_tokens = 5\n",
    )
    assert policy.locks == {"model": ("sonnet",), "region": ("eu",)}
    assert (policy.ceilings, policy.forbids, policy.hints) == ({"max_tokens": 500}, {"tools", "live"}, 1)
    assert policy.defaults == {"effort": "low", "max_tokens": 5}
    first, second = (os.path.relpath(tmp_path / str(number) / "claude-policy.toml") for number in (0, 1))
    wanted = {"tools": first, "region": second, "model": second, "max_tokens": second, "live": second}
    assert {name: policy.who(name) for name in wanted} == wanted


# What one file says, what another says of the same option, an option that is asked for, and what the other is named for.
SAME_OPTION = {
    "a default and a lock": (
        "[defaults]\nmodel = 'haiku'", "[locks]\nmodel = 'haiku'", {"model": "opus"}, "model is locked to haiku by {}."),
    "a default and a limit": (
        "[defaults]\nmax_tokens = 9", "[limits]\nmax_tokens = 50", {"max_tokens": 60}, "max_tokens is limited to 50 by {}."),
    "a default and a switch": (
        "[defaults]\ntools = ['web_search']\nconfirm = true", "[limits]\ntools = false", {"tools": ("f",)},
        "Tools are switched off by {}."),
    "a lock and a switch": (
        "[locks]\ntools = ['web_search']\nconfirm = true", "[limits]\ntools = false", {"tools": ("web_search",)},
        "Tools are switched off by {}."),
    "a lock and a higher limit": (
        "[limits]\nmax_cost = 2", "[locks]\nmax_cost = 0.5", {"max_cost": 1.0}, "max_cost is locked to 0.5 by {}."),
    "a lock and a lower limit": (
        "[locks]\nmax_tokens = [100, 20]", "[limits]\nmax_tokens = 50", {"max_tokens": 100},
        "max_tokens is limited to 50 by {}."),
    "a default and a field by hand": (
        "[defaults]\nmax_tokens = 9", "[limits]\nmax_tokens = 50", {"set": {"max_tokens": 9}},
        "max_tokens is fixed by {}, so"),
}  # fmt: skip


@pytest.mark.parametrize("first", [0, 1], ids=["nearest", "above"])
@pytest.mark.parametrize(("one", "other", "given", "said"), SAME_OPTION.values(), ids=SAME_OPTION.keys())
def test_a_refusal_names_the_file_that_refuses(one, other, given, said, first, tmp_path):
    """Whatever another file says of the same option, and whichever of the two is nearer to the notebook."""
    policy = several(tmp_path, *((other, one) if first == 0 else (one, other)))
    by = os.path.relpath(tmp_path / str(first) / "claude-policy.toml")
    with pytest.raises(OptionError) as caught:
        resolve_target(AskOptions(), given, policy=policy)
    assert caught.value.message.startswith(said.format(by))


LIMIT, LOCK = "[limits]\nmax_cost = 5\nmax_tokens = 500", "[locks]\nregion = ['eu', 'us']"
# The two files, the user's settings, a variable's region, an option, its value, and which place or file gave it.
GIVERS = {
    "a default": ("[defaults]\nmax_tokens = 9", "", {}, "", "max_tokens", 9, 0),
    "a default below the limit of another": ("[defaults]\nmax_tokens = 9", LIMIT, {}, "", "max_tokens", 9, 0),
    "a default above the limit of another": ("[defaults]\nmax_tokens = 900", LIMIT, {}, "", "max_tokens", 500, 1),
    "a default among those that another allows": ("[defaults]\nregion = 'us'", LOCK, {}, "", "region", "us", 0),
    "a default that another allows alone": (
        "[defaults]\nregion = 'eu'", "[locks]\nregion = 'eu'", {}, "", "region", "eu", 1),
    "a default that another does not allow": ("[defaults]\nregion = 'global'", LOCK, {}, "", "region", "eu", 1),
    "the first of those allowed": (LOCK, "", {}, "", "region", "eu", 0),
    "the first in place of a variable": (LOCK, "", {}, "us-east5", "region", "eu", 0),
    "the only one allowed, and set too": ("[locks]\nregion = 'eu'", "", {"region": "eu"}, "eu", "region", "eu", 0),
    "the only one allowed, as a text": ("[locks]\nthinking = 2000", LIMIT, {"thinking": "2000"}, "", "thinking", "2000", 0),
    "a setting among those allowed": (LOCK, "", {"region": "us"}, "", "region", "us", "setting"),
    "a variable among those allowed": (LOCK, "", {}, "us", "region", "us", "CLOUD_ML_REGION"),
    "a limit where nothing is set": ("", LIMIT, {}, "", "max_cost", 5, 1),
    "a setting below a limit": (LIMIT, "", {"max_cost": 0.5}, "", "max_cost", 0.5, "setting"),
    "a limit below that of the model": ("", LIMIT, {}, "", "max_tokens", 500, 1),
    "a limit above that of the model": (
        "[limits]\nmax_tokens = 50000", "", {"model": "haiku"}, "", "max_tokens", None, "default"),
    "a setting of tokens below a limit": (LIMIT, "", {"max_tokens": 9}, "", "max_tokens", 9, "setting"),
    "a lock that the limit of another lowers": ("[locks]\nmax_cost = 9", LIMIT, {}, "", "max_cost", 5, 1),
    "tools that are off": (
        "[defaults]\ntools = ['web_search']\nconfirm = true", "[limits]\ntools = false", {}, "", "tools", (), 1),
    "attachments that are off": (
        "[defaults]\nattach = ['a.md']", "[limits]\nattachments = false", {}, "", "attach", (), 1),
    "replay where live calls are off": ("", "[limits]\nlive = false", {}, "", "replay", "only", 1),
    "replay that is set so": ("", "[limits]\nlive = false", {"replay": "only"}, "", "replay", "only", "setting"),
    "what no file names": (LOCK, LIMIT, {"effort": "low"}, "", "effort", "low", "setting"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "settings", "region", "name", "value", "by"), GIVERS.values(), ids=GIVERS.keys()
)
def test_a_value_is_attributed_to_the_place_that_gives_it(
    one, other, settings, region, name, value, by, tmp_path
):
    """To a file where it gives the value or allows no other; what the user chose among others remains the user's."""
    policy = several(tmp_path, one, other)
    environment = {"CLOUD_ML_REGION": region}
    target = resolve_target(AskOptions(**settings), policy=policy, environment=environment)
    files = [os.path.relpath(tmp_path / str(number) / "claude-policy.toml") for number in (0, 1)]
    assert getattr(target, name) == value
    assert policy.giver(name, value, target.origins[name]) == (files[by] if isinstance(by, int) else by)


# A lock of several values, an option, and the value that holds where nobody gives one.
FIRSTS = [
    ("model = ['haiku', 'sonnet']", "model", "haiku"),
    ("model = ['opus', 'sonnet', 'haiku']", "model", "opus"),
    ("region = ['eu', 'global']", "region", "eu"),
    ("format = ['text', 'markdown']", "format", "text"),
    ("timeout = [60, 600]", "timeout", 60),
    ("replay = ['only', 'off']", "replay", "only"),
    ("effort = ['high', 'low']", "effort", "high"),
]


@pytest.mark.parametrize(("line", "name", "first"), FIRSTS, ids=[row[0] for row in FIRSTS])
def test_the_first_of_several_values_holds_where_nothing_is_given(line, name, first):
    """Also where the package's own default is among them; any choice of the user's may be another one."""
    policy = parse_policy(f"[locks]\n{line}\n", "p.toml", Path())
    target = resolve_target(AskOptions(), policy=policy, environment={})
    assert (getattr(target, name), target.origins[name]) == (first, "policy")
    for other in policy.locks[name]:
        assert getattr(resolve_target(AskOptions(), {name: other}, policy=policy), name) == other
        by_default = policy._replace(defaults={name: other})
        assert getattr(resolve_target(AskOptions(), policy=by_default, environment={}), name) == other


def test_policies_that_allow_no_common_value_close_everything(tmp_path):
    """Nobody can say which of them was meant."""
    policy = several(tmp_path, "[locks]\nmodel = 'haiku'\n", "[locks]\nmodel = 'opus'\n")
    with pytest.raises(OptionError, match="allow no common value of model"):
        policy.check_open()


def test_one_policy_that_turns_everything_off_is_enough(tmp_path):
    """Wherever it lies."""
    policy = several(tmp_path, "[locks]\nmodel = 'haiku'\n", "[limits]\noff = true\n")
    with pytest.raises(OptionError, match=r"Claude is turned off here by .*claude-policy\.toml"):
        policy.check_open()


# A limit of max_tokens, the model, and what is asked for: 0 where the default stays.
CEILINGS = [(500, "haiku", 500), (50_000, "haiku", None), (8_000, "unknown-model", 8_000)]


@pytest.mark.parametrize(("most", "model", "sent"), CEILINGS)
def test_the_ceiling_of_max_tokens_lowers_the_default(most, model, sent):
    """And leaves it alone where it is lower already."""
    policy = parse_policy(f"[limits]\nmax_tokens = {most}\n", "p", Path())
    assert resolve_target(AskOptions(model=model), policy=policy).max_tokens == sent


# An option that is fixed, and the fields and headers that say the same as it by hand.
BY_HAND = [
    ("model", {"model": "opus"}, {}),
    ("cache", {"cache_control": {"type": "ephemeral"}}, {}),
    ("beta", {"anthropic_beta": ["a-1"]}, {}),
    ("beta", {}, {" Anthropic-Beta ": "a-1"}),
    ("anthropic_version", {"anthropic_version": "x"}, {}),
    ("anthropic_version", {}, {"anthropic-version": "x"}),
    ("label", {}, {"X-Vertex-AI-Labels": "team=a"}),
    ("stop", {"stop_sequences": ["END"]}, {}),
    ("no_stream", {"stream": False}, {}),
    ("effort", {"output_config": {"effort": "max"}}, {}),
    ("as_", {"output_config": {"format": {}}}, {}),
    ("as_", {"output_format": {}}, {}),
    ("as_", {"tools": []}, {}),
    ("as_", {"tool_choice": {"type": "auto"}}, {}),
    ("thinking", {"thinking": {"type": "adaptive"}}, {}),
    ("show_thinking", {"thinking": {"type": "adaptive"}}, {}),
    ("tools", {"tools": []}, {}),
    ("tools", {"tool_choice": {"type": "any"}}, {}),
    ("tools", {"mcp_servers": []}, {}),
    ("context", {"messages": []}, {}),
    ("attachments", {"messages": []}, {}),
]


@pytest.mark.parametrize(("name", "fields", "headers"), BY_HAND)
def test_a_field_or_a_header_by_hand_does_not_get_around_an_option(name, fields, headers):
    """Whether a lock, a ceiling or a switch fixes it; under a policy that fixes something else it is the user's."""
    for policy in (
        Policy(locks={name: ("x",)}, origin="the course"),
        Policy(ceilings={name: 1}, origin="the course"),
        Policy(forbids=frozenset({name}), origin="the course"),
    ):
        with pytest.raises(OptionError, match=f"{name} is fixed by the course"):
            policy.check_by_hand(fields, headers)
    Policy(locks={"region": ("eu",)}, ceilings={"max_cost": 1}).check_by_hand(fields, headers)


@pytest.mark.parametrize("header", ["Model", "timeout", "messages"])
def test_a_header_that_is_called_like_an_option_or_a_field_says_nothing_of_it(header):
    """A gateway may want it; `anthropic-beta` and others of the service are what an option becomes."""
    fixed = {"model": ("haiku",), "timeout": (60,), "context": (0,)}
    Policy(locks=fixed, forbids=frozenset({"attachments"})).check_by_hand({}, {header: "x"})


@pytest.mark.parametrize("kind", ["container_upload", "document", "file", "image"])
@pytest.mark.parametrize("nested", [False, True])
def test_where_attachments_are_off_no_field_may_contain_one(kind, nested):
    """However deep; where they are on it may."""
    block = {"type": kind, "source": {}}
    fields = {"system": [{"type": "text", "text": "x", "more": ({"content": [block]},)} if nested else block]}
    with pytest.raises(OptionError, match="attachments is fixed by the course"):
        Policy(forbids=frozenset({"attachments"}), origin="the course").check_by_hand(fields, {})
    Policy(forbids=frozenset({"tools"})).check_by_hand(fields, {})
    Policy(forbids=frozenset({"attachments"})).check_by_hand({"metadata": {"type": [kind], "x": kind}}, {})


def test_a_field_without_an_end_is_looked_through_for_attachments():
    """One that contains itself, and one that is nested deeper than Python may call."""
    endless: dict[str, object] = {"type": "text"}
    endless["more"] = [endless, endless]
    deep: list[object] = [{"type": "image"}]
    for _ in range(100_000):
        deep = [deep]
    policy = Policy(forbids=frozenset({"attachments"}), origin="the course")
    policy.check_by_hand({"metadata": endless}, {})
    for value in ([endless, {"type": "image"}], deep):
        with pytest.raises(OptionError, match="attachments is fixed by the course"):
            policy.check_by_hand({"metadata": value}, {})


# What is locked or limited, and the option of the user's own that could undo it.
UNDONE = [
    ({"locks": {"model": ("haiku",)}}, "models_file", "mine.json", "model"),
    ({"ceilings": {"max_cost": 1.0}}, "models_file", "mine.json", "max_cost"),
    ({"ceilings": {"max_session_cost": 1.0}}, "models_file", "mine.json", "max_session_cost"),
    ({"locks": {"max_daily_cost": (1.0,)}}, "models_file", "mine.json", "max_daily_cost"),
    ({"ceilings": {"max_daily_cost": 1.0}}, "journal", "mine.sqlite3", "max_daily_cost"),
    # A journal that is off refuses every question; a table of the name is a table.
    ({"ceilings": {"max_daily_cost": 1.0}}, "journal", " OFF ", None),
    ({"locks": {"model": ("haiku",)}}, "models_file", "off", "model"),
    ({"ceilings": {"max_daily_cost": 1.0}}, "journal", "", None),
    ({"ceilings": {"max_cost": 1.0}}, "journal", "mine.sqlite3", None),
    ({"locks": {"region": ("eu",)}}, "models_file", "mine.json", None),
]


@pytest.mark.parametrize(("fixed", "name", "value", "undoes"), UNDONE)
def test_an_option_that_could_undo_a_lock_or_a_limit_is_locked_with_it(fixed, name, value, undoes):
    """As the user's own choice it is refused, from a variable it is passed over; the policy may give it itself."""
    policy = Policy(**fixed, origin="the course")
    assert policy.admit(name, value, "policy") == (value, "")
    assert policy.admit(name, value, "default") == (value, "")
    if undoes is None:
        assert policy.admit(name, value, "setting") == (value, "")
        return
    said = f"{name} is locked by the course, because it could undo {undoes}"
    with pytest.raises(OptionError, match=said):
        policy.admit(name, value, "setting")
    assert policy.admit(name, value, "A_VARIABLE") == (None, f"A_VARIABLE is overruled: {said}.")


def test_a_ceiling_may_be_reached():
    """And not crossed by the user; what another place gives is lowered to it."""
    policy = Policy(ceilings={"max_cost": 0.5}, origin="the course")
    assert policy.admit("max_cost", 0.5, "option") == (0.5, "")
    for origin in ("option", "setting", "saved prompt"):
        with pytest.raises(OptionError, match=r"max_cost is limited to \$0\.50 by the course"):
            policy.admit("max_cost", 0.51, origin)
    assert policy.admit("max_cost", 9.0, "policy") == (0.5, "")
    assert policy.admit("max_cost", 9.0, "A_VARIABLE")[0] == 0.5


@pytest.mark.parametrize(("highest", "allowed"), [(4, [1, 2, 3, 4]), (2, [1, 2]), (1, [1])])
def test_hints_end_with_the_highest_level_that_is_allowed(highest, allowed):
    """Without a policy there are four."""
    policy = OPEN if highest == 4 else Policy(hints=highest)
    for level in range(1, 6):
        if level in allowed:
            policy.check_hint(level)
        else:
            with pytest.raises(OptionError, match=f"Hints end at level {highest}"):
                policy.check_hint(level)


def test_a_limit_of_cost_holds_where_nobody_sets_one():
    """A lower one of the user's own stays."""
    policy = parse_policy("[limits]\nmax_cost = 0.5\n", "p", Path())
    assert resolve_target(AskOptions(), policy=policy).max_cost == 0.5
    assert resolve_target(AskOptions(max_cost=0.1), policy=policy).max_cost == 0.1


def test_a_saved_prompt_holds_below_the_environment_and_above_the_defaults_of_a_policy():
    """The order of the places."""
    policy = parse_policy("[defaults]\nregion = 'us'\neffort = 'low'\nmax_tokens = 9\n", "p", Path())
    saved = {"region": "eu", "effort": "high"}
    target = resolve_target(
        AskOptions(), environment={"CLOUD_ML_REGION": "global"}, saved=saved, policy=policy
    )
    assert (target.region, target.effort, target.max_tokens) == ("global", "high", 9)
    assert target.origins["effort"] == "saved prompt"
