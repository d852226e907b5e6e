"""A user's own model table: it adds and corrects, and a broken one says where it is broken."""

from __future__ import annotations

import json
import os

import pytest

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.models.model import Rules
from vertex_claude_magic.models.prices import rate

BROKEN = [
    ("[]", "the file must be an object"),
    ("{", "it is not JSON"),
    ("[" * 100_000, "it is not JSON"),
    ('{"models": {}}', "models must be a list"),
    ('{"model": []}', 'has a field "model"'),
    ('{"as_of": "yesterday"}', "as_of must be a date"),
    ('{"models": [5]}', "models[0] must be an object"),
    ('{"models": [{"id": "a"}, {"name": "B"}]}', "models[1] needs the field id"),
    ('{"models": [{"id": ""}]}', "models[0].id must be a non-empty string"),
    ('{"models": [{"id": "a", "price": {}}]}', 'models[0] has a field "price"'),
    ('{"models": [{"id": "a", "lifecycle": "dead"}]}', "models[0].lifecycle must be one of"),
    ('{"models": [{"id": "a", "released": "2026-13"}]}', "models[0].released must be a date"),
    ('{"models": [{"id": "a", "released": 2026}]}', "models[0].released must be a date"),
    ('{"models": [{"id": "a", "released": "20260101"}]}', "models[0].released must be a date"),
    ('{"models": [{"id": "a", "deprecated_on": "soon"}]}', "models[0].deprecated_on must be a date"),
    ('{"models": [{"id": "a", "retired_on": "soon"}]}', "models[0].retired_on must be a date"),
    ('{"models": [{"id": "a", "not_sooner_than": "soon"}]}', "models[0].not_sooner_than must be a date"),
    ('{"models": [{"id": "a", "api_retired_on": "soon"}]}', "models[0].api_retired_on must be a date"),
    ('{"models": [{"id": "a", "context_tokens": true}]}', "models[0].context_tokens must be a whole number"),
    ('{"models": [{"id": "a", "max_output_tokens": 0}]}', "models[0].max_output_tokens"),
    ('{"models": [{"id": "a", "locations": "us"}]}', "models[0].locations must be a list of strings or null"),
    ('{"models": [{"id": "a", "locations": [5]}]}', "models[0].locations must be a list of strings or null"),
    ('{"models": [{"id": "a", "aliases": [""]}]}', "models[0].aliases must be a list of strings"),
    ('{"models": [{"id": "a", "rules": "opus-9"}]}', 'models[0].rules names "opus-9"'),
    ('{"models": [{"id": "a", "rules": ["x"]}]}', "models[0].rules must be a non-empty string or null"),
    ('{"models": [{"id": "a", "prices": null}]}', "models[0].prices must be an object"),
    ('{"models": [{"id": "a", "prices": {"tiers": [{"input": -1}]}}]}', "models[0].prices.tiers[0].input"),
    ('{"models": [{"id": "a", "prices": {"tiers": [{"input": NaN}]}}]}', "models[0].prices.tiers[0].input"),
    ('{"models": [{"id": "a", "prices": {"tiers": [{"input": Infinity}]}}]}', "prices.tiers[0].input"),
    ('{"models": [{"id": "a", "prices": {"tiers": [{"input": true}]}}]}', "models[0].prices.tiers[0].input"),
    ('{"models": [{"id": "a", "prices": {"tiers": [{"over_input_tokens": -1}]}}]}', "tiers[0].over_input"),
    ('{"models": [{"id": "a", "prices": {"tiers": [{"over_input_tokens": 1.5}]}}]}', "tiers[0].over_input"),
    ('{"models": [{"id": "a", "prices": {"tiers": [2]}}]}', "models[0].prices.tiers[0] must be an object"),
    ('{"models": [{"id": "a", "prices": {"endpoint_premium": "10%"}}]}', "models[0].prices.endpoint_premium"),
    ('{"rule_sets": {"x": {"effort": ["huge"]}}}', 'rule_sets["x"].effort must be a list out of'),
    ('{"rule_sets": {"x": {"effort": [["high"]]}}}', 'rule_sets["x"].effort must be a list out of'),
    ('{"rule_sets": {"x": {"default_effort": "huge"}}}', 'rule_sets["x"].default_effort must be one of'),
    ('{"rule_sets": {"x": {"disabled_max_effort": "huge"}}}', "disabled_max_effort must be one of"),
    ('{"rule_sets": {"x": {"thinking": ["on"]}}}', 'rule_sets["x"].thinking must be a list out of'),
    ('{"rule_sets": {"x": {"thinking_default": "on"}}}', 'rule_sets["x"].thinking_default must be one of'),
    ('{"rule_sets": {"x": {"system_messages": "kept"}}}', 'rule_sets["x"].system_messages must be one of'),
    ('{"rule_sets": {"x": {"preserved_thinking": "all"}}}', "preserved_thinking must be one of"),
    ('{"rule_sets": {"x": {"sampling": 1}}}', 'rule_sets["x"].sampling must be true or false'),
    ('{"rule_sets": {"x": 1}}', 'rule_sets["x"] must be an object'),
    ('{"sources": {"mine": {"title": "A page"}}}', 'sources["mine"] needs the field date'),
    ('{"locations": {"mine": {"note": "here"}}}', 'locations["mine"] needs the field members'),
    ('{"api_versions": {"2027-01-01": {"note": "new"}}}', "needs the field refuses"),
    ('{"limits": {"image": {"by_model": {"a": 0}}}}', "by_model must be an object of whole numbers"),
    (
        '{"limits": {"image": {"by_model": {"a": 5, "b": "5"}}}}',
        "by_model must be an object of whole numbers",
    ),
    ('{"limits": {"image": {"by_model": [5]}}}', "by_model must be an object of whole numbers"),
    ('{"limits": {"request": {"bytes": "30 MB"}}}', 'limits["request"].bytes must be a whole number'),
    ('{"services": {"web_search": {"usd_per_1000": "ten"}}}', "usd_per_1000 must be a number"),
]


@pytest.fixture
def load(tmp_path):
    """Write a table file and load the catalog with it."""

    def write_and_load(table):
        path = tmp_path / "mine.json"
        path.write_text(table if isinstance(table, str) else json.dumps(table), encoding="utf-8")
        return Catalog.load(path)

    return write_and_load


def test_a_row_with_a_new_id_is_added(load):
    """An id is enough; everything else is unknown until said."""
    catalog = load({"models": [{"id": "claude-opus-9"}]})
    model = catalog.find("claude-opus-9")
    assert (model.name, model.locations, model.max_output_tokens) == ("claude-opus-9", None, None)
    assert model.rules == Rules()
    assert len(catalog.models) == len(Catalog.load().models) + 1


def test_an_added_row_takes_part_in_families(load):
    """A newer active model becomes what its family means."""
    row = {"id": "claude-sonnet-9", "family": "sonnet", "released": "2027-01-01", "locations": ["us-west8"]}
    catalog = load({"models": [row]})
    assert catalog.model_id("sonnet", "us-west8") == "claude-sonnet-9"
    assert catalog.model_id("sonnet", "global") == "claude-sonnet-5-5"
    assert catalog.locations()[-1] == "us-west8"


SONNETS = [
    ({"released": "2027-01-01", "lifecycle": "deprecated"}, "claude-sonnet-5-5"),
    ({"released": "2027-01-01", "lifecycle": "limited"}, "claude-sonnet-5-5"),
    ({"released": "2027-01-01", "locations": None}, "claude-sonnet-5-5"),
    ({"released": "2025-01-01"}, "claude-sonnet-5-5"),
    ({"released": None}, "claude-sonnet-5-5"),
    ({"released": "2027-01-01"}, "claude-sonnet-9"),
]


@pytest.mark.parametrize(("fields", "meant"), SONNETS)
@pytest.mark.parametrize("location", ["global", "antarctica-south1"])
def test_a_family_means_its_newest_active_row_whose_locations_are_known(load, fields, meant, location):
    """By the date of its release, wherever it stands in the file, and also where nobody knows the location."""
    row = {"id": "claude-sonnet-9", "family": "sonnet", "locations": ["global"], **fields}
    assert load({"models": [row]}).model_id("sonnet", location) == meant


def test_only_places_of_its_active_models_are_named_for_a_family_that_a_location_does_not_serve(load):
    """The others would be refused next."""
    rows = [
        {"id": "claude-nova-1", "family": "nova", "locations": ["us-east5"], "lifecycle": "deprecated"},
        {"id": "claude-nova-2", "family": "nova", "locations": ["eu"]},
        {"id": "claude-nova-3", "family": "nova"},
    ]
    with pytest.raises(OptionError, match="No active model of the family nova") as refused:
        load({"models": rows}).model_id("nova", "global")
    assert "Choose a region that does (eu), or" in refused.value.cure


def test_the_id_of_a_model_wins_over_an_alias_of_another(load):
    """Also where that one stands first."""
    rows = [{"id": "claude-a", "aliases": ["claude-b"]}, {"id": "claude-b"}]
    assert load({"models": rows}).find("claude-b").id == "claude-b"


def test_a_row_with_a_known_id_overrides_the_fields_that_it_names(load):
    """What the user's row leaves out stays as it was."""
    catalog = load({"models": [{"id": "claude-fable-5-2", "locations": ["global"], "lifecycle": "active"}]})
    model = catalog.find("claude-fable-5-2")
    assert model.locations == ("global",)
    assert model.name == "Claude Fable 5.2"
    assert catalog.model_id("fable", "global") == "claude-fable-5-2"


def test_prices_are_replaced_as_a_whole_and_tiers_may_stand_in_any_order(load):
    """A user with own prices states them all."""
    tiers = [{"over_input_tokens": 1000, "input": 4}, {"input": 2}]
    model = load({"models": [{"id": "claude-opus-5", "prices": {"tiers": tiers}}]}).find("claude-opus-5")
    assert (rate(model, "eu").input, rate(model, "eu", 1001).input) == (2, 4)
    assert rate(model, "eu").output is None


def test_one_field_of_a_rule_set_can_be_corrected(load):
    """Entries of the other sections are laid over field by field."""
    catalog = load({"rule_sets": {"opus-5.5": {"forced_tool_choice": True}}})
    rules = catalog.find("claude-opus-5-5").rules
    assert (rules.forced_tool_choice, rules.thinking_default) == (True, "always")


def test_a_rule_set_can_be_added_and_used(load):
    """Rules that are not stated accept everything."""
    table = {"rule_sets": {"mine": {"sampling": False}}, "models": [{"id": "claude-x", "rules": "mine"}]}
    rules = load(table).find("claude-x").rules
    assert (rules.sampling, rules.prefill) == (False, True)


def test_limits_keep_what_the_user_leaves_out(load):
    """A corrected limit does not remove its neighbours."""
    limits = load({"limits": {"request": {"labels": 64}}}).limits["request"]
    assert limits["labels"] == 64
    assert limits["bytes"] == Catalog.load().limits["request"]["bytes"]


def test_an_entry_of_the_package_need_not_be_given_in_full(load):
    """What a new entry must have, this one has."""
    catalog = load({"locations": {"region": {"note": "Ours."}}})
    assert catalog.location_note("us-east5") == "Ours."
    assert catalog.locations() == Catalog.load().locations()


def test_the_packaged_table_is_left_alone(load):
    """A user's table changes nothing for those who load without it."""
    before = Catalog.load().find("claude-opus-5-5")
    load({"as_of": "2027-01-01", "models": [{"id": "claude-opus-5-5", "name": "Mine"}]})
    assert Catalog.load().find("claude-opus-5-5") is before
    assert Catalog.load().as_of == "2026-11-28"


def test_an_empty_table_changes_nothing(load):
    """Every section may be left out."""
    assert load({}).models == Catalog.load().models


@pytest.mark.parametrize(("text", "place"), BROKEN)
def test_a_broken_table_names_the_file_and_the_place(load, text, place):
    """The error is one line, with a cure."""
    with pytest.raises(OptionError) as caught:
        load(text)
    assert "mine.json" in caught.value.message
    assert place in caught.value.message
    assert "\n" not in str(caught.value)
    assert caught.value.cure


@pytest.mark.parametrize("path", ["missing.json", "."])
def test_a_table_that_cannot_be_read_is_named(tmp_path, path):
    """A missing file and a folder are errors of the setting, not of Python."""
    with pytest.raises(OptionError, match="cannot be used"):
        Catalog.load(tmp_path / path)


def test_a_table_that_is_not_text_is_named(tmp_path):
    """Bytes that are no UTF-8 are no table."""
    (tmp_path / "mine.json").write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(OptionError, match=r"mine\.json"):
        Catalog.load(str(tmp_path / "mine.json"))


def test_control_characters_of_a_file_do_not_reach_the_error(load):
    """What a file holds cannot move the cursor of a terminal."""
    with pytest.raises(OptionError) as caught:
        load('{"models": [{"id": "a", "lifecycle": "\\u001b[31m\\u202e"}]}')
    assert str(caught.value).isprintable()


# Reading it when it changed


def test_a_file_that_did_not_change_is_read_once(load, tmp_path):
    """By any spelling that names the same text."""
    first = load({"models": [{"id": "claude-x"}]})
    assert Catalog.load(tmp_path / "mine.json") is first
    assert Catalog.load(str(tmp_path / "mine.json")) is first


def test_a_file_written_in_place_is_read_again(tmp_path):
    """The same length, another time."""
    path = tmp_path / "mine.json"
    for number in (1, 2):
        path.write_text(json.dumps({"models": [{"id": f"claude-x{number}"}]}))
        os.utime(path, ns=(number, number))
        assert Catalog.load(path).find(f"claude-x{number}")


def test_a_file_put_in_its_place_is_read_again(tmp_path):
    """The same length and the same time: editors write beside it and rename."""
    for number in (1, 2):
        new = tmp_path / f"new{number}.json"
        new.write_text(json.dumps({"models": [{"id": f"claude-x{number}"}]}))
        os.utime(new, ns=(1, 1))
        # The former file stays, so that the new one cannot get its inode.
        if number == 2:
            (tmp_path / "mine.json").rename(tmp_path / "former.json")
        new.rename(tmp_path / "mine.json")
        assert Catalog.load(tmp_path / "mine.json").find(f"claude-x{number}")


def test_a_relative_path_follows_the_working_folder(tmp_path, monkeypatch):
    """One name, two files."""
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "mine.json").write_text(json.dumps({"models": [{"id": f"claude-x{number}"}]}))
        os.utime(folder / "mine.json", ns=(1, 1))
        monkeypatch.chdir(folder)
        assert Catalog.load("mine.json").find(f"claude-x{number}")


def test_a_broken_file_is_told_again_until_it_is_mended(load):
    """No error is remembered."""
    for _ in range(2):
        with pytest.raises(OptionError, match="not JSON"):
            load("{")
    assert load({"models": [{"id": "claude-x"}]}).find("claude-x")


@pytest.mark.parametrize("path", ["missing.json", "a\0b.json", "~nobody-of-this-name/a.json"])
def test_a_path_that_cannot_be_read_is_named(path):
    """With what the system says of it."""
    with pytest.raises(OptionError, match="cannot be used"):
        Catalog.load(path)
