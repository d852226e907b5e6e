"""What the model table and the API version forbid, for each class of models, and what lifts it."""

from __future__ import annotations

import pytest

from vertex_claude_magic.errors import ModelRuleError
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.vertex.request import RequestOptions, build_request

CATALOG = Catalog.load()
HELLO = [{"role": "user", "content": "Hello"}]
OLD, NEW = "vertex-2023-10-16", "2026-10-21"

# One model of each class of rules.
BUDGET, BUDGET_AND_EFFORT = "claude-haiku-4-5@20251001", "claude-opus-4-5@20251101"
BOTH, ADAPTIVE_OR_OFF = "claude-opus-4-6", "claude-opus-4-8"
OFF_BELOW, ALWAYS, BETWEEN = "claude-opus-5", "claude-opus-5-5", "claude-sonnet-5-5"
CLASSES = (BUDGET, BUDGET_AND_EFFORT, BOTH, ADAPTIVE_OR_OFF, OFF_BELOW, ALWAYS, BETWEEN)

TAKES = {
    "adaptive": {BOTH, ADAPTIVE_OR_OFF, OFF_BELOW, ALWAYS, BETWEEN},
    "2048": {BUDGET, BUDGET_AND_EFFORT, BOTH},
    "off": {BUDGET, BUDGET_AND_EFFORT, BOTH, ADAPTIVE_OR_OFF, OFF_BELOW},
    "between_tools": {BETWEEN},
}
SAMPLES = {BUDGET, BUDGET_AND_EFFORT, BOTH}
EFFORT = {
    BUDGET: "",
    BUDGET_AND_EFFORT: "low medium high",
    BOTH: "low medium high max",
    ADAPTIVE_OR_OFF: "low medium high xhigh max",
    ALWAYS: "low medium high xhigh max",
}
LEVELS = ("low", "medium", "high", "xhigh", "max", "extreme")

# What is refused, and a word of the error that says so.
REFUSED = [
    (BUDGET, {"max_tokens": 64_001}, "at most 64,000"),
    (ALWAYS, {"max_tokens": 128_001}, "at most 128,000"),
    ("claude-opus-4-1@20250805", {"max_tokens": 32_001}, "at most 32,000"),
    (BUDGET, {"thinking": 1023}, "at least 1,024"),
    (BUDGET, {"thinking": 0}, "at least 1,024"),
    (BUDGET, {"thinking": -5}, "at least 1,024"),
    (BUDGET, {"thinking": "2000", "max_tokens": 2000}, "leaves nothing"),
    (BUDGET, {"thinking": 4000, "max_tokens": 2000}, "leaves nothing"),
    (OFF_BELOW, {"thinking": "off", "effort": "xhigh"}, "without thinking"),
    (OFF_BELOW, {"thinking": "off", "effort": "max"}, "without thinking"),
    ("claude-haiku-5-5", {"thinking": "off", "effort": "max"}, "without thinking"),
    (ALWAYS, {"temperature": 1.0}, "temperature"),
    (ALWAYS, {"temperature": 0.0}, "temperature"),
    (ALWAYS, {"top_p": 0.9, "top_k": 3}, "top_p or top_k"),
    (BUDGET, {"effort": "low"}, "does not support effort levels"),
]
# What stands just inside the same rules.
TAKEN = [
    (BUDGET, {"max_tokens": 64_000}),
    (ALWAYS, {"max_tokens": 128_000}),
    (BUDGET, {"thinking": 1024}),
    (BUDGET, {"thinking": 1999, "max_tokens": 2000}),
    (OFF_BELOW, {"thinking": "off", "effort": "high"}),
    (OFF_BELOW, {"thinking": "adaptive", "effort": "max"}),
    (BOTH, {"temperature": 0.0, "top_p": 1.0, "top_k": 0}),
    (
        "claude-of-the-future",
        {"max_tokens": 10**9, "temperature": 0.1, "effort": "warp", "thinking": "between_tools"},
    ),
]


def body(model, *, version=OLD, messages=HELLO, **options):
    """The body that is sent, or the error."""
    request = build_request(messages, RequestOptions(**options), model=model, project="p", region="global",
                            catalog=CATALOG, anthropic_version=version)  # fmt: skip
    return request.body


@pytest.mark.parametrize("model", CLASSES)
@pytest.mark.parametrize("thinking", TAKES)
def test_each_class_takes_its_kinds_of_thinking(model, thinking):
    """The table of thinking kinds; the error says which kinds the model does take."""
    if model in TAKES[thinking]:
        assert body(model, thinking=thinking)["thinking"]
        return
    with pytest.raises(ModelRuleError, match="does not take --thinking") as caught:
        body(model, thinking=thinking)
    assert "Use --thinking" in caught.value.cure
    assert caught.value.cure.count(" or ") <= 2, "one before the last kind, one before --force"


@pytest.mark.parametrize("model", CLASSES)
@pytest.mark.parametrize("option", ["temperature", "top_p", "top_k"])
def test_sampling_is_for_older_models(model, option):
    """Models since 4.7 answer 400 to sampling parameters; it is said before sending."""
    if model in SAMPLES:
        assert body(model, **{option: 1})[option] == 1
        return
    with pytest.raises(ModelRuleError, match=option):
        body(model, **{option: 1})


@pytest.mark.parametrize("model", EFFORT)
@pytest.mark.parametrize("level", LEVELS)
def test_each_class_has_its_effort_levels(model, level):
    """The error names the levels that the model has."""
    levels = EFFORT[model].split()
    if level in levels:
        assert body(model, effort=level)["output_config"] == {"effort": level}
        return
    with pytest.raises(ModelRuleError, match="effort level") as caught:
        body(model, effort=level)
    assert ", ".join(levels) in caught.value.cure


@pytest.mark.parametrize(("model", "options", "word"), REFUSED)
def test_what_the_table_forbids_is_said_before_sending(model, options, word):
    """One line that names the rule, and a cure that also names the way around it."""
    with pytest.raises(ModelRuleError, match=word) as caught:
        body(model, **options)
    assert "--force" in caught.value.cure
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("model", "options", "word"), REFUSED)
def test_force_sends_it_all_the_same(model, options, word):
    """Tables age: the user has the last word."""
    assert body(model, force=True, **options)["max_tokens"] >= 1


@pytest.mark.parametrize(("model", "options"), TAKEN)
def test_what_the_table_allows_is_sent(model, options):
    """The limits themselves are legal, and an unknown model has no rules."""
    assert body(model, **options)["messages"] == HELLO


@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (ALWAYS, "temperature", 0.5),
        (ALWAYS, "thinking", {"type": "disabled"}),
        (ALWAYS, "thinking", "nonsense"),
        (BUDGET, "thinking", {"type": "enabled", "budget_tokens": 1}),
        (BUDGET, "output_config", {"effort": "low"}),
        (BUDGET, "max_tokens", 10**6),
    ],
)
def test_set_is_never_second_guessed(model, field, value):
    """A field that was set by hand is sent as it stands, whatever the table says."""
    assert body(model, set={field: value})[field] == value


@pytest.mark.parametrize("option", ["temperature", "top_p", "top_k"])
def test_the_newest_api_version_refuses_sampling_for_every_model(option):
    """Version 2026-10-21 answers 400 even to default values; the old version takes them."""
    with pytest.raises(ModelRuleError, match=f"{NEW} takes no {option}") as caught:
        body(BUDGET, version=NEW, **{option: 1})
    assert OLD in caught.value.cure
    assert body(BUDGET, version=OLD, **{option: 1})[option] == 1
    assert body(BUDGET, version=NEW, force=True, **{option: 1})[option] == 1
    assert body(BUDGET, version=NEW, set={option: 1})[option] == 1


@pytest.mark.parametrize("content", ["{", [{"type": "text", "text": "{"}]])
def test_a_prefilled_answer_is_for_older_models(content):
    """Models since 4.6 answer 400 when the last turn is the beginning of their own answer."""
    turns = [*HELLO, {"role": "assistant", "content": content}]
    assert body(BUDGET, messages=turns)["messages"] == turns
    assert body(BOTH, messages=turns, force=True)["messages"] == turns
    with pytest.raises(ModelRuleError, match="prefilled"):
        body(BOTH, messages=turns)


def test_a_paused_turn_is_no_prefill():
    """A turn that stopped with pause_turn is sent back as it is, and the model goes on."""
    paused = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    turns = [*HELLO, {"role": "assistant", "content": [{"type": "text", "text": "I look."}, paused]}]
    assert body(ALWAYS, messages=turns)["messages"] == turns


@pytest.mark.parametrize("value", ["many", None, [1]])
def test_rules_leave_strange_values_that_were_set_alone(value):
    """A budget cannot be compared with them, and the service will say what is wrong."""
    assert body(BUDGET, thinking=2048, set={"max_tokens": value})["max_tokens"] == value
    assert body(OFF_BELOW, thinking="off", set={"output_config": {"effort": value}})["thinking"]


def test_an_unknown_api_version_has_no_rules():
    """What the table does not know is sent."""
    assert body(BUDGET, version="2031-01-01", temperature=0.5)["anthropic_version"] == "2031-01-01"
    assert body(BUDGET, set={"anthropic_version": "2031-01-01"})["anthropic_version"] == "2031-01-01"


def test_a_version_set_by_hand_brings_its_rules():
    """The rules are those of the version that is really sent."""
    with pytest.raises(ModelRuleError, match=NEW):
        body(BUDGET, temperature=1.0, set={"anthropic_version": NEW})


@pytest.mark.parametrize("model", CLASSES)
def test_every_spelling_of_a_model_has_its_rules(model):
    """With a date, bare, and at @default."""
    bare = model.partition("@")[0]
    for spelling in (model, bare, f"{bare}@default"):
        with pytest.raises(ModelRuleError):
            body(spelling, max_tokens=10**6)


def test_a_retired_model_is_refused_with_its_successor():
    """The error says since when and what to use; `force` sends it all the same."""
    with pytest.raises(ModelRuleError, match="retired") as caught:
        body("claude-3-opus@20240229")
    assert "claude-" in caught.value.cure
    assert body("claude-3-opus@20240229", force=True)["max_tokens"] == 4096
