"""The model table: ids, aliases by location, the schema of every row, and a user's own table."""

from __future__ import annotations

import importlib
import json
import typing
from datetime import date

import pytest

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.models.lifecycle import status
from vertex_claude_magic.models.model import Rules, short_count
from vertex_claude_magic.models.table_checks import table_problems
from vertex_claude_magic.models.table_file import bundled_table

CATALOG = Catalog.load()
ROWS = {model.id: model for model in CATALOG.models}

DOCUMENTED_2025 = {
    "claude-sonnet-4-5@20250929": "Claude Sonnet 4.5",
    "claude-sonnet-4@20250514": "Claude Sonnet 4",
    "claude-3-7-sonnet@20250219": "Claude Sonnet 3.7",
    "claude-3-5-sonnet-v2@20241022": "Claude Sonnet 3.5 v2",
    "claude-opus-4-1@20250805": "Claude Opus 4.1",
    "claude-opus-4@20250514": "Claude Opus 4",
    "claude-3-opus@20240229": "Claude Opus 3",
    "claude-haiku-4-5@20251001": "Claude Haiku 4.5",
    "claude-3-5-haiku@20241022": "Claude Haiku 3.5",
    "claude-3-haiku@20240307": "Claude Haiku 3",
}
NEWER = {
    "claude-fable-5-2": "fable",
    "claude-fable-5-1": "fable",
    "claude-fable-5": "fable",
    "claude-opus-5-5": "opus",
    "claude-opus-5": "opus",
    "claude-opus-4-8": "opus",
    "claude-opus-4-7": "opus",
    "claude-opus-4-6": "opus",
    "claude-opus-4-5@20251101": "opus",
    "claude-sonnet-5-5": "sonnet",
    "claude-sonnet-5": "sonnet",
    "claude-sonnet-4-6": "sonnet",
    "claude-haiku-5-5": "haiku",
}
LIMITED = ("claude-mythos-5-2", "claude-mythos-5-1", "claude-mythos-5", "claude-mythos-preview")
OLDER = ("claude-3-5-sonnet@20240620", "claude-3-sonnet@20240229")

# Ids of the SDK's lists that the table leaves out, each with the reason.
NOT_ON_VERTEX = {
    "claude-1.3": "older than Claude 3, never a row of Vertex AI's table",
    "claude-1.3-100k": "older than Claude 3",
    "claude-instant-1.1": "older than Claude 3",
    "claude-instant-1.1-100k": "older than Claude 3",
    "claude-instant-1.2": "older than Claude 3",
    "claude-2.0": "older than Claude 3",
    "claude-2.1": "older than Claude 3",
}

FAMILY_BY_LOCATION = [
    ("sonnet", "global", "claude-sonnet-5-5"),
    ("sonnet", "us", "claude-sonnet-5-5"),
    ("sonnet", "eu", "claude-sonnet-5-5"),
    ("sonnet", "asia-southeast1", "claude-sonnet-5"),
    ("sonnet", "us-east5", "claude-sonnet-4-6"),
    ("sonnet", "europe-west1", "claude-sonnet-4-6"),
    ("sonnet", "antarctica-south1", "claude-sonnet-5-5"),
    ("Sonnet", "global", "claude-sonnet-5-5"),
    ("opus", "global", "claude-opus-5-5"),
    ("opus", "us-east5", "claude-opus-4-6"),
    ("opus", "asia-southeast1", "claude-opus-5"),
    ("haiku", "global", "claude-haiku-5-5"),
    ("haiku", "europe-west1", "claude-haiku-4-5@20251001"),
    ("fable", "global", "claude-fable-5-2"),
    ("fable", "asia-southeast1", "claude-fable-5"),
    ("fable", "antarctica-south1", "claude-fable-5-2"),
]

TYPED = [
    ("sonnet-4.5", "claude-sonnet-4-5@20250929"),
    ("Opus-5.5", "claude-opus-5-5"),
    ("sonnet-3.5", "claude-3-5-sonnet-v2@20241022"),
    ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5@20250929"),
    ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet-v2@20241022"),
    ("claude-sonnet-4-5%4020250929", "claude-sonnet-4-5@20250929"),
    ("claude-sonnet-4.5", "claude-sonnet-4-5@20250929"),
    ("CLAUDE-OPUS-5-5", "claude-opus-5-5"),
    ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5@20250929"),
    ("claude-sonnet-4-5", "claude-sonnet-4-5"),
    ("claude-sonnet-4-5@default", "claude-sonnet-4-5@default"),
    ("claude-opus-4-8@default", "claude-opus-4-8@default"),
    ("claude-sonnet-4-5@20991231", "claude-sonnet-4-5@20991231"),
    ("claude-opus-9", "claude-opus-9"),
    ("", ""),
]

SPELLINGS_FOUND = [
    ("claude-haiku-4-5", "claude-haiku-4-5@20251001"),
    ("claude-haiku-4-5@default", "claude-haiku-4-5@20251001"),
    ("claude-haiku-4-5-20251001", "claude-haiku-4-5@20251001"),
    ("Claude-Haiku-4-5%4020251001 ", "claude-haiku-4-5@20251001"),
    ("haiku-4.5", "claude-haiku-4-5@20251001"),
    ("claude-opus-4-0", "claude-opus-4@20250514"),
    ("claude-opus-5-5@default", "claude-opus-5-5"),
]

ALL = "low medium high xhigh max"
# model, accepted thinking, default thinking, sampling, effort levels, limit for disabled, prefill, forced tools
RULES = [
    ("claude-3-opus@20240229", "disabled", "off", True, "", None, True, True),
    ("claude-haiku-4-5@20251001", "enabled disabled", "off", True, "", None, True, True),
    ("claude-opus-4-5@20251101", "enabled disabled", "off", True, "low medium high", None, True, True),
    ("claude-opus-4-6", "adaptive enabled disabled", "off", True, "low medium high max", None, False, True),
    ("claude-opus-4-8", "adaptive disabled", "off", False, ALL, None, False, True),
    ("claude-sonnet-5", "adaptive disabled", "adaptive", False, ALL, None, False, True),
    ("claude-opus-5", "adaptive disabled", "adaptive", False, ALL, "high", False, True),
    ("claude-opus-5-5", "adaptive", "always", False, ALL, None, False, False),
    ("claude-fable-5-1", "adaptive", "always", False, ALL, None, False, False),
    ("claude-fable-5", "adaptive", "always", False, ALL, None, False, True),
    ("claude-sonnet-5-5", "adaptive between_tools", "adaptive", False, ALL, "high", False, False),
    ("claude-haiku-5-5", "adaptive disabled", "adaptive", False, ALL, "high", False, True),
]


@pytest.mark.parametrize(("model", "name"), DOCUMENTED_2025.items())
def test_every_row_of_the_2025_page_is_there_by_its_exact_id(model, name):
    """The ten ids of the Vertex page of 2025 are found and are sent as typed."""
    assert ROWS[model].name == name
    assert CATALOG.model_id(model, "us-east5") == model


@pytest.mark.parametrize(("model", "family"), NEWER.items())
def test_every_newer_public_model_is_there(model, family):
    """Each public model since the 2025 page is an active row of its family."""
    assert (ROWS[model].family, ROWS[model].lifecycle) == (family, "active")


def test_the_table_holds_these_rows_and_no_others():
    """A row that is added or lost shows up here."""
    assert set(ROWS) == {*DOCUMENTED_2025, *NEWER, *LIMITED, *OLDER}
    assert {model for model, row in ROWS.items() if row.lifecycle == "limited"} == set(LIMITED)


def sdk_ids() -> set[str]:
    from anthropic.resources.messages import messages
    from anthropic.types import model

    literal = typing.get_args(model.Model)[0]
    return {*typing.get_args(literal), *messages.DEPRECATED_MODELS}


def test_every_model_that_the_installed_sdk_names_is_known():
    """A new SDK that names a model which the table lacks fails here and says which."""
    missing = {name for name in sdk_ids() if CATALOG.find(name) is None} - NOT_ON_VERTEX.keys()
    assert not missing, f"add rows to models.json, or reasons to NOT_ON_VERTEX: {sorted(missing)}"


def test_models_that_the_sdk_calls_deprecated_have_their_end_in_the_table():
    """A model that the SDK warns of carries the end on the Claude API, or is off the table's active list."""
    sdk_ids()
    deprecated = importlib.import_module("anthropic.resources.messages.messages").DEPRECATED_MODELS
    rows = [CATALOG.find(name) for name in deprecated if name not in NOT_ON_VERTEX]
    unmarked = [row.id for row in rows if row.lifecycle == "active" and row.api_retired_on is None]
    assert not unmarked


def test_the_packaged_table_passes_the_checks_that_users_files_pass():
    """Types, dates, lifecycles and rule names of every row are sound."""
    assert list(table_problems(bundled_table())) == []


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda model: model.id)
def test_every_row_is_consistent(model):
    """Sources exist, tiers start at 0, dates fit the lifecycle, successors are active rows."""
    assert model.sources
    assert set(model.sources) | set(model.rules.sources) <= CATALOG.sources.keys()
    assert [tier.over_input_tokens for tier in model.prices.tiers[:1]] in ([0], [])
    assert model.prices.endpoint_premium in (0, 0.1)
    assert model.lifecycle == "retired" or model.retired_on is None
    assert not (model.retired_on and model.not_sooner_than)
    assert model.api_id in model.api_ids
    if model.lifecycle in ("deprecated", "retired"):
        assert ROWS[model.successor].lifecycle == "active"
        assert ROWS[model.successor].family == model.family


def test_only_the_generations_from_4_5_on_carry_the_premium():
    """The 10 % apply to Claude 4.5 and later, and to nothing before."""
    free = {model.id for model in CATALOG.models if model.prices.endpoint_premium == 0}
    before = {*DOCUMENTED_2025, *OLDER} - {"claude-sonnet-4-5@20250929", "claude-haiku-4-5@20251001"}
    assert free == before


def test_no_two_rows_answer_to_one_spelling():
    """Every id and short name belongs to one row."""
    names = [
        name
        for model in CATALOG.models
        for name in {model.id, *model.other_ids, *model.api_ids, *model.aliases}
    ]
    assert len(names) == len(set(names))


def test_unknown_facts_are_none():
    """Where no source tells, the table says so and does not guess."""
    preview = ROWS["claude-mythos-preview"]
    assert (preview.min_cacheable_tokens, preview.not_sooner_than, preview.locations) == (None, None, None)
    assert preview.rules == Rules()
    assert ROWS["claude-mythos-5-2"].locations is None
    assert ROWS["claude-3-7-sonnet@20250219"].locations == ()


def test_the_fields_that_an_api_version_refuses_are_in_the_table():
    """Version 2026-10-21 refuses sampling parameters, the default version does not."""
    assert CATALOG.api_versions["2026-10-21"]["refuses"] == ["temperature", "top_p", "top_k"]
    assert CATALOG.api_versions["vertex-2023-10-16"]["refuses"] == []


@pytest.mark.parametrize(("family", "location", "expected"), FAMILY_BY_LOCATION)
def test_a_family_means_its_newest_active_model_at_the_location(family, location, expected):
    """An unknown location gets the newest of all; the caller gives notice."""
    assert CATALOG.model_id(family, location) == expected


@pytest.mark.parametrize(("typed", "expected"), TYPED)
def test_a_typed_name_becomes_an_id(typed, expected):
    """Short names and Claude API ids become Vertex ids; Vertex ids and unknown names are sent as typed."""
    assert CATALOG.model_id(typed, "global") == expected


@pytest.mark.parametrize(("typed", "expected"), SPELLINGS_FOUND)
def test_a_row_is_found_by_any_spelling(typed, expected):
    """Bare, dated, dashed, `@default`, encoded, in any case: one row."""
    assert CATALOG.find(typed).id == expected


@pytest.mark.parametrize(
    "name", ["sonnet", "claude-sonnet-4-5@20991231", "gpt-4", "", "@default", "a" * 100_000]
)
def test_what_is_no_model_is_not_found(name):
    """A family is not a model, and another version is another model."""
    assert CATALOG.find(name) is None


def test_a_family_that_a_location_does_not_serve_is_refused_with_the_locations_that_do():
    """No other location is chosen silently."""
    with pytest.raises(OptionError, match="fable is served in us-east5") as caught:
        CATALOG.model_id("fable", "us-east5")
    assert "global, us, eu, asia-southeast1" in caught.value.cure


def test_a_family_of_invited_models_asks_for_an_id():
    """A limited model is never chosen for the user."""
    with pytest.raises(OptionError) as caught:
        CATALOG.model_id("mythos", "global")
    assert "claude-mythos-5-2" in caught.value.cure


def test_locations_begin_with_the_wide_ones():
    """global, us and eu come first, regions follow by name."""
    assert CATALOG.locations() == ("global", "us", "eu", "asia-southeast1", "europe-west1", "us-east5")


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("us-central1", "us-east5"),
        ("us-eats5", "us-east5"),
        ("europe-west4", "europe-west1"),
        ("EU", "eu"),
        ("glbal", "global"),
        ("asia-east1", "asia-southeast1"),
        ("antarctica-south1", None),
        ("", None),
    ],
)
def test_the_nearest_location_is_on_the_same_continent(typed, nearest):
    """A typo gets its neighbour; nothing is suggested for what resembles nothing."""
    assert CATALOG.nearest_location(typed) == nearest


@pytest.mark.parametrize(
    ("typed", "first"),
    [("claude-sonnet-5.6", "claude-sonnet-5-5"), ("sonet", "sonnet"), ("claude-opus-4-9", "claude-opus-4-6")],
)
def test_the_nearest_names_are_those_that_look_alike(typed, first):
    """A suggestion can be typed as it stands, and at most the number asked for comes."""
    assert first in CATALOG.nearest(typed)
    assert len(CATALOG.nearest(typed, 2)) == 2


def test_retired_models_are_suggested_last():
    """The likest name may be retired; what can be used stands before it."""
    nearest = CATALOG.nearest("claude-3-opuss")
    assert ROWS[nearest[0]].lifecycle == "active"
    assert CATALOG.nearest("gpt-4") == ()


def test_aliases_resolve_and_start_with_the_families():
    """What completion offers is understood."""
    aliases = CATALOG.aliases()
    assert set(aliases[:4]) == {"fable", "opus", "sonnet", "haiku"}
    assert all(CATALOG.find(CATALOG.model_id(alias, "global")) for alias in aliases)


@pytest.mark.parametrize(
    ("model", "thinking", "default", "sampling", "effort", "disabled_to", "prefill", "forced"), RULES
)
def test_rules_by_class(model, thinking, default, sampling, effort, disabled_to, prefill, forced):
    """Each class of models takes the requests that its documentation says."""
    rules = ROWS[model].rules
    assert (rules.thinking, rules.effort) == (tuple(thinking.split()), tuple(effort.split()))
    assert (rules.thinking_default, rules.sampling) == (default, sampling)
    assert (rules.disabled_max_effort, rules.prefill, rules.forced_tool_choice) == (
        disabled_to,
        prefill,
        forced,
    )
    assert rules.min_thinking_budget == 1024


@pytest.mark.parametrize(("model", "effort"), [("claude-opus-5-5", "medium"), ("claude-sonnet-5-5", "high")])
def test_the_default_effort_is_in_the_table(model, effort):
    """The level that a request without one gets."""
    assert ROWS[model].rules.default_effort == effort


def test_a_floor_is_worded_as_a_floor():
    """A promise to stay never reads like a retirement date."""
    assert status(ROWS["claude-sonnet-5"], date(2026, 11, 26)) == "active, no end before 2026-12-24"
    assert status(ROWS["claude-opus-4@20250514"]) == "deprecated, use claude-opus-5-5"


def test_a_location_is_explained_by_its_kind():
    """No note names a place that was not chosen; unknown regions are explained as regions."""
    assert "no surcharge" in CATALOG.location_note("global")
    assert CATALOG.location_note("us") == "Data stays within the United States."
    assert CATALOG.location_note("eu") == "Data stays within the European Union."
    assert CATALOG.location_note("us-east5") == CATALOG.location_note("antarctica-south1")


def test_counts_are_written_as_people_say_them():
    """Round thousands and millions."""
    assert [short_count(n) for n in (0, 999, 8192, 1_500_000)] == ["0", "999", "8K", "1.5M"]


def test_the_packaged_table_is_read_once():
    """A second load costs nothing."""
    assert Catalog.load() is Catalog.load()


def test_the_table_is_json_without_duplicate_keys():
    """A key given twice would silently hide a fact."""

    def unique(pairs):
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    from vertex_claude_magic.models import table_file

    json.loads(table_file._BUNDLED.read_text(encoding="utf-8"), object_pairs_hook=unique)
