"""What a control may offer: nothing that the request builder would refuse, for every row and every location."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.models.model import Rules
from vertex_claude_magic.models.observed import Sighting, Sightings
from vertex_claude_magic.settings import choices
from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.target import Target, resolve_target

CATALOG = Catalog.load()
LOCATIONS = (*CATALOG.locations(), "mars-north1")
NAMES = (*CATALOG.families(), *(model.id for model in CATALOG.models), "claude-unheard-of")
VERSIONS = tuple(CATALOG.api_versions)


def target(**options):
    return resolve_target(AskOptions(**options))


def refused(options: Target) -> str:
    error = choices.refusal(options)
    return error.message if error else ""


@pytest.mark.parametrize("location", LOCATIONS)
def test_every_model_that_is_offered_can_be_asked(location):
    """What says why it cannot be chosen is not offered; every retired model is among those."""
    entries = choices.model_choices(target(region=location))
    for choice in entries:
        if not choice.why:
            assert not refused(target(region=location, model=choice.value)), choice
    barred = {choice.value for choice in entries if choice.why}
    assert barred >= {model.id for model in CATALOG.models if model.lifecycle == "retired"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_everything_that_is_offered_for_a_model_can_be_sent(name, version):
    """Each control by itself, at each location that is offered for the model."""
    base = target(model=name, anthropic_version=version)
    for place in choices.region_choices(base):
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
    tokens = choices.max_tokens_range(options)
    yield from ({"max_tokens": value} for value in (tokens[0], tokens[-1]))
    yield from ({"effort": each.value or None} for each in choices.effort_choices(options))
    for each in choices.thinking_choices(options):
        if each.value != "budget":
            yield {"thinking": each.value or None}
            continue
        budgets = choices.thinking_budgets(options)
        yield from ({"thinking": str(value)} for value in (budgets[0], budgets[-1]))
    for name, value in (("show_thinking", True), ("temperature", 0.0), ("top_p", 1.0), ("top_k", 3)):
        if choices.takes(options, name):
            yield {name: value}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_offered_would_be_refused(name, version):
    """With the location that is offered first; a model without a row is offered everything."""
    base = target(model=name, anthropic_version=version)
    base = base.replace(region=choices.region_choices(base)[0].value)
    if not refused(base):
        for changes in not_offered(base):
            assert refused(base.replace(**changes)), changes


def not_offered(options):
    """Every change that the panel's controls could offer and do not, one at a time."""
    if choices.chosen_model(options)[1] is not None:
        yield {"max_tokens": choices.max_tokens_range(options)[-1] + 1}
    efforts = {each.value for each in choices.effort_choices(options)}
    yield from ({"effort": level} for level in Rules().effort if level not in efforts)
    kinds = {each.value for each in choices.thinking_choices(options)}
    yield from ({"thinking": kind} for kind in ("adaptive", "off", "between_tools") if kind not in kinds)
    budgets = choices.thinking_budgets(options)
    if "budget" not in kinds:
        yield {"thinking": budgets[0]}
    elif choices.chosen_model(options)[1] is not None:
        yield from ({"thinking": budget} for budget in (budgets[0] - 1, budgets[-1] + 1))
    for name, value in (("show_thinking", True), ("temperature", 0.0), ("top_p", 1.0), ("top_k", 3)):
        if not choices.takes(options, name):
            yield {name: value}


ANYTHING = st.fixed_dictionaries({
    "model": st.sampled_from(NAMES),
    "region": st.sampled_from(LOCATIONS),
    "anthropic_version": st.sampled_from(VERSIONS),
    "effort": st.sampled_from([None, "low", "high", "max", "odd"]),
    "thinking": st.sampled_from([None, "off", "adaptive", "between_tools", "2000", 500, 5000, "odd"]),
    "max_tokens": st.sampled_from([None, 900, 3000, 64_000, 200_000]),
    "show_thinking": st.booleans(),
    "temperature": st.sampled_from([None, 0.0, 1.0]),
    "top_k": st.sampled_from([None, 3]),
    "force": st.booleans(),
    "set": st.sampled_from([{}, {"thinking": {"type": "adaptive"}}, {"max_tokens": 5}, {"output_config": {}}]),
})  # fmt: skip
KEPT = st.sampled_from(["", "thinking", "max_tokens", "effort", "temperature"])


@settings(max_examples=400, deadline=None)
@given(fields=ANYTHING, keep=KEPT)
def test_what_is_offered_can_be_sent_beside_whatever_is_set(fields, keep):
    """Also with fields set by hand; what is refused can be settled, unless the bare question is refused too."""
    options = target(**fields)
    bare = target(**{name: fields[name] for name in ("model", "region", "anthropic_version", "set")})
    if not refused(bare):
        options, _ = choices.settled(options, keep=keep)
        assert not refused(options)
        for changes in offered(options):
            # Going back to a default may contradict the rest; the panel then settles it.
            if None not in changes.values():
                assert not refused(options.replace(**changes)), (options, changes)


# Where a model is served, as the pages of its sources tell; nothing of a retired one, and of one without a source.
REGIONS = [
    ("claude-opus-5-5", ["global", "us", "eu"]),
    ("claude-haiku-4-5@20251001", ["global", "europe-west1", "us-east5"]),
    ("claude-3-opus@20240229", ["global", "us", "eu"]),
    ("claude-unheard-of", ["global", "us", "eu"]),
]  # fmt: skip


@pytest.mark.parametrize(("model", "regions"), REGIONS)
def test_the_regions_of_a_model_are_offered_with_global_first(model, regions):
    """Where no source tells, the locations that are no single region; the others follow and say why."""
    found = choices.region_choices(target(model=model, region="global"))
    assert [each.value for each in found if not each.why] == regions
    assert {each.value for each in found} == set(CATALOG.locations())
    assert [each.why for each in found[len(regions) :]] == ["not served here"] * (len(found) - len(regions))


@pytest.mark.parametrize("model", [row.id for row in CATALOG.models if row.lifecycle == "active"])
def test_a_region_that_is_not_offered_does_not_serve_the_model(model):
    """The list and the note below it agree."""
    regions = {each.value for each in choices.region_choices(target(model=model)) if not each.why}
    for place in CATALOG.locations():
        note = choices.region_note(target(model=model, region=place))
        assert (place in regions) == ("not served here" not in note)


def test_the_latest_of_each_family_come_first_then_models_by_family_the_retired_last():
    """The name of a family means its newest, which the label tells."""
    entries = choices.model_choices(target())
    assert entries[:4] == (
        ("sonnet", "Latest Sonnet (5.5)", ""),
        ("opus", "Latest Opus (5.5)", ""),
        ("haiku", "Latest Haiku (5.5)", ""),
        ("fable", "Latest Fable (5.2)", ""),
    )
    assert [each.value for each in entries[4:7]] == [
        "claude-sonnet-5-5",
        "claude-sonnet-5",
        "claude-sonnet-4-6",
    ]
    for family in ("Sonnet", "Haiku"):
        states = [each.why.startswith("retired") for each in entries if each.label.startswith(family)]
        assert any(states)
        assert states == sorted(states)


@pytest.mark.parametrize(
    ("model", "region", "why"),
    [
        ("claude-3-5-haiku@20241022", "global", "retired 2026-07-05, use claude-haiku-5-5"),
        ("claude-opus-4-6", "eu", "not served in eu"),
        ("claude-opus-4-6", "us-east5", ""),
        # A location that the table does not know may serve anything.
        ("claude-opus-4-6", "mars-north1", ""),
        # No source says where it is served.
        ("claude-mythos-5-2", "eu", ""),
    ],
)
def test_a_model_that_cannot_be_chosen_says_why(model, region, why):
    """With date and successor; the panel greys its row."""
    entries = choices.model_choices(target(region=region))
    (entry,) = (each for each in entries if each.value == model)
    assert entry.why == why


def test_a_location_where_a_check_found_the_model_usable_bars_it_no_longer():
    """What was seen live wins over the table."""
    seen = Sightings(
        cells=(Sighting("p", "eu", "claude-opus-4-6", "usable", proof="answer", day="2026-11-26"),)
    )
    for project, why in (("p", ""), ("another", "not served in eu")):
        entries = choices.model_choices(target(region="eu", project=project), seen)
        assert {each.value: each.why for each in entries}["claude-opus-4-6"] == why


def test_a_setting_that_cannot_be_sent_stays_in_its_list_and_is_marked():
    """Hiding it would hide why cells are refused."""
    options = target(model="haiku-4.5", effort="max", thinking="adaptive", region="mars-north1")
    assert choices.effort_choices(options)[-1].label == "max · not taken"
    assert choices.thinking_choices(options)[-1].label == "adaptive · not taken"
    assert choices.region_choices(options)[-1].label == "mars-north1 · not served here"


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
    result, lost = choices.settled(target(**options))
    assert lost == dropped
    assert not refused(result)


def test_settling_keeps_what_was_just_chosen():
    """The later choice wins over the earlier one that contradicts it."""
    both = target(model="haiku-4.5", thinking="9000", max_tokens=2000)
    assert choices.settled(both, keep="thinking")[0].thinking == "9000"
    assert choices.settled(both, keep="max_tokens")[0].max_tokens == 2000


NOTES = [
    ("claude-opus-4-6", "global", "no surcharge"),
    ("claude-opus-4-6", "us-east5", "; Opus 4.6 costs 10 % more than at global."),
    ("claude-opus-4-6", "europe-west1", "; Opus 4.6 costs 10 % more than at global."),
    ("claude-opus-4@20250514", "us-east5", "; Opus 4 costs the same as at global."),
    ("claude-opus-5-5", "us-east5", "Opus 5.5 is not served here; choose another region or model."),
    ("claude-opus-5-5", "mars-north1", "Opus 5.5 is not served here; choose another region or model."),
    ("claude-unheard-of", "us", "The table does not know claude-unheard-of."),
]


@pytest.mark.parametrize(("model", "location", "said"), NOTES)
def test_the_note_on_a_region_tells_the_premium_of_this_model(model, location, said):
    """Computed from the table's prices, for the model that is chosen."""
    assert said in choices.region_note(target(model=model, region=location))


def test_what_the_user_wrote_does_not_slow_the_search():
    """A long system text is left out of the probes."""
    options = target(system="x" * 5_000_000)
    assert choices.max_tokens_range(options)[-1] == 128_000
