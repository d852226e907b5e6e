"""What a control may offer: nothing that the request builder would refuse, for every row and every location."""

from __future__ import annotations

import pytest

from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.settings import choices
from vertex_claude_magic.settings.options import AskOptions

CATALOG = Catalog.load()
LOCATIONS = (*CATALOG.locations(), "mars-north1")
NAMES = (*CATALOG.families(), *(model.id for model in CATALOG.models), "claude-unheard-of")
VERSIONS = tuple(CATALOG.api_versions)


def refused(options: AskOptions) -> str:
    error = choices.refusal(CATALOG, options)
    return error.message if error else ""


@pytest.mark.parametrize("location", LOCATIONS)
def test_every_model_that_is_offered_can_be_asked(location):
    """Retired ones are there, and stand for their successor."""
    for choice in choices.model_choices(CATALOG, AskOptions(region=location)):
        assert not refused(AskOptions(region=location, model=choice.value)), choice


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_everything_that_is_offered_for_a_model_can_be_sent(name, version):
    """Each control by itself, at each location that is offered for the model."""
    base = AskOptions(model=name, anthropic_version=version)
    for place in choices.region_choices(CATALOG, base):
        here = base.replace(region=place.value)
        if refused(here):
            assert name in retired_or_absent(place.value), (name, place)
            continue
        for changes in offered(here):
            assert not refused(here.replace(**changes)), (place.value, changes)


def retired_or_absent(location):
    """Names that only a setting made elsewhere can bring into the panel."""
    retired = {model.id for model in CATALOG.models if model.lifecycle == "retired"}
    return retired | {family for family in CATALOG.families() if CATALOG.newest(family, location) is None}


def offered(options):
    """Every change that the panel's controls offer for these options, one at a time."""
    tokens = choices.max_tokens_range(CATALOG, options)
    yield from ({"max_tokens": value} for value in (tokens[0], tokens[-1]))
    yield from ({"effort": each.value or None} for each in choices.effort_choices(CATALOG, options))
    for each in choices.thinking_choices(CATALOG, options):
        if each.value != "budget":
            yield {"thinking": each.value or None}
            continue
        budgets = choices.thinking_budgets(CATALOG, options)
        yield from ({"thinking": str(value)} for value in (budgets[0], budgets[-1]))
    for name, value in (("show_thinking", True), ("temperature", 0.0), ("top_p", 1.0), ("top_k", 3)):
        if choices.takes(CATALOG, options, name):
            yield {name: value}


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda model: model.id)
def test_the_regions_of_a_model_are_those_of_the_table(model):
    """`global` first; where no source tells, the locations that are no single region."""
    found = [
        each.value for each in choices.region_choices(CATALOG, AskOptions(model=model.id, region="global"))
    ]
    if model.lifecycle == "retired" or not model.locations:
        assert found == ["global", "us", "eu"]
    else:
        assert sorted(found) == sorted({*model.locations, "global"})
    assert found[0] == "global"


def test_models_stand_by_family_the_newest_first_and_the_retired_last():
    """A family's own name opens its group."""
    values = [each.value for each in choices.model_choices(CATALOG, AskOptions())]
    assert values[:4] == ["sonnet", "claude-sonnet-5-5", "claude-sonnet-5", "claude-sonnet-4-6"]
    labels = [each.label.strip() for each in choices.model_choices(CATALOG, AskOptions())]
    for family in ("Sonnet", "Haiku"):
        group = [label for label in labels if label.startswith(family)]
        states = ["retired" in label for label in group]
        assert states == sorted(states)


@pytest.mark.parametrize(
    ("model", "mark"),
    [
        ("Haiku 3.5", "retired 2026-07-05, use claude-haiku-5-5"),
        ("Sonnet 4 ", "deprecated, use claude-sonnet-5-5 (on the Claude API 2026-06-15)"),
        ("Mythos 5.2", "invited customers only"),
    ],
)
def test_what_is_not_plainly_active_is_marked_with_date_and_successor(model, mark):
    """In the list itself, where it is chosen."""
    labels = [each.label.strip() for each in choices.model_choices(CATALOG, AskOptions())]
    (label,) = (each for each in labels if f"{each} ".startswith(model))
    assert mark in label


def test_a_setting_that_cannot_be_sent_stays_in_its_list_and_is_marked():
    """Hiding it would hide why cells are refused."""
    options = AskOptions(model="haiku-4.5", effort="max", thinking="adaptive", region="mars-north1")
    assert choices.effort_choices(CATALOG, options)[-1].label == "max · not taken"
    assert choices.thinking_choices(CATALOG, options)[-1].label == "adaptive · not taken"
    assert choices.region_choices(CATALOG, options)[-1].label == "mars-north1 · not served here"


@pytest.mark.parametrize(
    ("options", "dropped"),
    [
        ({"model": "opus", "temperature": 0.0}, ("temperature",)),
        ({"model": "sonnet-4.5", "effort": "high", "temperature": 1.0}, ("effort",)),
        ({"model": "haiku-4.5", "max_tokens": 500_000}, ("max_tokens",)),
        ({"model": "opus", "effort": "low", "max_tokens": 100}, ()),
        ({"model": "haiku-4.5", "thinking": "9000", "max_tokens": 2000}, ("thinking",)),
    ],
    ids=str,
)
def test_settling_drops_only_what_is_refused(options, dropped):
    """And what is left can be sent."""
    result, lost = choices.settled(CATALOG, AskOptions(**options))
    assert lost == dropped
    assert not refused(result)


def test_settling_keeps_what_was_just_chosen():
    """The later choice wins over the earlier one that contradicts it."""
    both = AskOptions(model="haiku-4.5", thinking="9000", max_tokens=2000)
    assert choices.settled(CATALOG, both, keep="thinking")[0].thinking == "9000"
    assert choices.settled(CATALOG, both, keep="max_tokens")[0].max_tokens == 2000


@pytest.mark.parametrize("location", CATALOG.locations())
def test_the_note_on_a_region_tells_the_premium_of_this_model(location):
    """Computed from the table's prices, for the model that is chosen."""
    said = choices.region_note(CATALOG, AskOptions(model="claude-opus-4-6", region=location))
    served = location in CATALOG.find("claude-opus-4-6").locations
    if not served:
        assert "not served here" in said
    elif location == "global":
        assert "no premium" in said
    else:
        assert "Opus 4.6 costs 10 % more than at global." in said


def test_what_the_user_wrote_does_not_slow_the_search():
    """A long system text is left out of the probes."""
    options = AskOptions(system="x" * 5_000_000)
    assert choices.max_tokens_range(CATALOG, options)[-1] == 128_000
