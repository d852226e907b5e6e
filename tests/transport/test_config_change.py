"""Changing a part of a model's configuration and losing no other, and the logging that is laid into it."""

from __future__ import annotations

import re
import threading

import pytest
from test_admin import LOGGING, MODEL, OFF, ON, REGION, SIBLINGS, TABLE, Clock, admin_of, change, sent

from vertex_claude_magic import errors
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.transport.logging_config import LoggingConfig, check_sample, check_table


@pytest.fixture
def admin(claude_emulator):
    return admin_of(claude_emulator, Clock())


# Read, merge, write


@pytest.mark.parametrize("wanted", [ON, OFF])
@pytest.mark.parametrize(
    "before", [{}, SIBLINGS, {"loggingConfig": LOGGING}, {**SIBLINGS, "loggingConfig": LOGGING}]
)
def test_no_sibling_is_lost_by_any_change(admin, claude_emulator, before, wanted):
    """Known or not, deep or flat; switching off keeps the table too."""
    claude_emulator.configs.put(REGION, MODEL, before)
    result = change(admin, wanted)
    after = claude_emulator.configs.get(REGION, MODEL)
    siblings = {name: value for name, value in before.items() if name != "loggingConfig"}
    assert {name: value for name, value in after.items() if name != "loggingConfig"} == siblings
    assert wanted.holds_in(after)
    assert result.config == after
    old = before.get("loggingConfig", {})
    kept = {name: old[name] for name in old.keys() - {"enabled", "samplingRate", "bigqueryDestination"}}
    assert kept.items() <= after.get("loggingConfig", {}).items()


def test_it_reads_right_before_it_writes_and_right_after(admin, claude_emulator):
    """Three requests in this order, and nothing between reading and writing."""
    change(admin, ON)
    fetch, write = (f"{MODEL}:{verb}PublisherModelConfig" for verb in ("fetch", "set"))
    assert sent(claude_emulator) == [("GET", fetch), ("POST", write), ("GET", fetch)]


@pytest.mark.parametrize(("before", "wanted"), [({}, OFF), ({"loggingConfig": {"enabled": False}}, OFF)])
def test_what_holds_already_is_not_written(admin, claude_emulator, before, wanted):
    """A write that changes nothing could still undo somebody else's."""
    if before:
        claude_emulator.configs.put(REGION, MODEL, before)
    result = change(admin, wanted)
    assert not result.written
    assert {each.method for each in claude_emulator.requests} == {"GET"}


def test_single_precision_is_not_taken_for_a_change(admin, claude_emulator):
    """Google keeps the share as a float of 32 bits."""
    logging = {
        "enabled": True,
        "samplingRate": 0.10000000149011612,
        "bigqueryDestination": {"outputUri": TABLE},
    }
    claude_emulator.configs.put(REGION, MODEL, {"loggingConfig": logging})
    assert not change(admin, ON).written


def others_sharing(config):
    """Somebody who switches data sharing on, keeping the rest."""
    return {**config, "dataSharingEnabledProvider": "ANTHROPIC"}


def others_from_scratch(config):
    """Somebody whose tool writes its own setting and nothing else."""
    return {"claudeFeatureConfig": {"advancedAiEnabled": True}}


def test_what_somebody_else_adds_at_the_same_time_is_kept_and_said(admin, claude_emulator):
    """Logging holds, so there is nothing to write again."""
    claude_emulator.configs.meanwhile(others_sharing)
    result = change(admin, ON)
    assert result.changed_meanwhile == ("dataSharingEnabledProvider",)
    assert claude_emulator.configs.get(REGION, MODEL)["dataSharingEnabledProvider"] == "ANTHROPIC"
    assert ON.holds_in(result.config)
    assert sum(each.method == "POST" for each in claude_emulator.requests) == 1


def test_a_write_that_wiped_ours_is_met_with_one_more_on_top_of_it(admin, claude_emulator):
    """The second write holds the other's setting; what the other took away is not brought back."""
    claude_emulator.configs.put(REGION, MODEL, {"dataSharingEnabledProvider": "ANTHROPIC"})
    claude_emulator.configs.meanwhile(others_from_scratch)
    result = change(admin, ON)
    after = claude_emulator.configs.get(REGION, MODEL)
    assert after.keys() == {"claudeFeatureConfig", "loggingConfig"}
    assert result.changed_meanwhile == ("claudeFeatureConfig", "dataSharingEnabledProvider")
    assert ON.holds_in(after)


def test_somebody_who_always_wipes_it_is_told_of_after_two_tries(admin, claude_emulator):
    """An error with its cure; no third write, no war."""
    claude_emulator.configs.meanwhile(*[others_from_scratch] * 5)
    with pytest.raises(errors.ConfigChanged, match="set twice") as lost:
        change(admin, ON)
    assert "administers" in lost.value.cure
    assert sum(each.method == "POST" for each in claude_emulator.requests) == 2


def test_a_location_that_ignores_the_setting_is_not_believed(admin, claude_emulator):
    """Its operation ends well and nothing was set: the read-back tells."""
    claude_emulator.configs.ignores_writes = True
    with pytest.raises(errors.ConfigChanged, match="does not support it"):
        change(admin, ON)


@pytest.mark.parametrize("status", [409, 500, 503])
def test_a_failed_write_is_not_sent_again_by_itself(admin, claude_emulator, status):
    """Between two tries somebody else may write, and the second would be stale."""
    claude_emulator.fail(Fault(delay=0, status=200, body=b"{}"), Fault(status=status))
    with pytest.raises(errors.ClaudeError):
        change(admin, ON)
    assert [method for method, _ in sent(claude_emulator)] == ["GET", "POST"]


def test_a_failed_reading_is_tried_again(admin, claude_emulator):
    """Reading twice does no harm."""
    claude_emulator.fail(503)
    assert admin.config() == {}
    assert len(claude_emulator.requests) == 2


# Values


@pytest.mark.parametrize(
    "table",
    ["", "x", "project.dataset.table", "bq://project", "bq://my-project.dataset", "bq://my-project.d.t.more",
     "bq://my-project.d.t;x", "bq://my-project.d.t' OR 1", "bq://My-Project.d.t", "bq://my-project.d-x.t", "bq://my-project..t",
     "bq://my-project.d.", "gs://my-project.d.t", "bq://my-project.d.t\n", "bq://p.d.t", "bq://my-project.d.`t`"],
)  # fmt: skip
def test_what_is_no_table_is_refused(table):
    """Before anything is sent."""
    with pytest.raises(errors.OptionError, match="BigQuery table"):
        check_table(table)


WRONG_PARTS = [
    ("bq://a.b.c", "its project 'a' is not 6 to 30 lowercase letters, digits and hyphens"),
    ("bq://My-Project.d.t", "its project 'My-Project' is not"),
    ("bq://my-project.d.t.more", "its project 'my-project.d' is not"),
    ("bq://my-project.d-x.t", "its dataset 'd-x' is not letters, digits and underscores"),
    ("bq://my-project..t", "its dataset '' is not"),
    ("bq://my-project.d.t;x", "its table 't;x' is not letters, digits, underscores and hyphens"),
]


@pytest.mark.parametrize(("table", "why"), WRONG_PARTS, ids=[table for table, _ in WRONG_PARTS])
def test_where_the_address_of_a_table_has_all_parts_the_wrong_one_is_named(table, why):
    """The form alone would be no help: it has that form."""
    with pytest.raises(errors.OptionError, match=re.escape(f"'{table}' is not a BigQuery table: {why}")):
        check_table(table)


@pytest.mark.parametrize("table", [TABLE, "bq://my-project.d.t-1", "bq://example.com:my-project.d.t"])
def test_the_address_of_a_table_is_taken(table):
    """Domains before the project included."""
    assert check_table(table) == table


@pytest.mark.parametrize("rate", [0, -0.1, 1.0001, float("nan"), float("inf"), float("-inf")])
def test_what_is_no_share_is_refused(rate):
    """Nothing, everything twice, and what is no number."""
    with pytest.raises(errors.OptionError, match="fraction"):
        check_sample(rate)


ODD_CONFIGS = [
    {"loggingConfig": None},
    {"loggingConfig": []},
    {"loggingConfig": {"enabled": "true"}},
    {"loggingConfig": {"samplingRate": "x", "bigqueryDestination": "y"}},
    {"loggingConfig": {"bigqueryDestination": {"outputUri": 7}}},
]


@pytest.mark.parametrize("config", ODD_CONFIGS)
def test_an_odd_configuration_reads_as_off(config):
    """And can be switched on all the same."""
    assert LoggingConfig.of(config) == OFF
    assert ON.holds_in(ON.merged_into(config))


def test_requests_at_once_share_nothing(claude_emulator):
    """Two administrators of two models do not meet."""
    admins = [
        admin_of(claude_emulator, Clock(), model=model) for model in ("claude-opus-4-6", "claude-sonnet-4-6")
    ]
    threads = [threading.Thread(target=change, args=(each, ON)) for each in admins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert all(ON.holds_in(each.config()) for each in admins)
