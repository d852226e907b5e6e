"""The picker of the panel: which rows there are, what each says, two beside each other, and that nothing moves."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import ipywidgets
import pytest
from front import Front, living, panel_ended

from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.notebook.panel.picker.chart import chart
from vertex_claude_magic.notebook.panel.picker.compare import comparison

CATALOG = Catalog.load()
TABS = ("Settings", "Try", "Cost", "System prompt", "Status")


@pytest.fixture
def front(shell):
    """Its panel."""
    return Front.open(shell)


def pages(front):
    return "".join(each.value for each in front.shown() if isinstance(each, ipywidgets.HTML))


def test_the_header_shows_model_region_and_prices(front):
    """With the lifecycle as a dot that has a name."""
    text = " ".join(front.text().split())
    assert text.startswith("● Sonnet 5.5 · global · $ 2 / $ 10")
    assert 'aria-label="active"' in pages(front)
    front.choose("Region", "eu")
    assert "● Sonnet 5.5 · eu · $ 2.20 / $ 11" in " ".join(front.text().split())


def test_the_cheapest_model_with_1m_context_in_eu_takes_two_choices(shell, front):
    """Region, then its row, whose price is the smallest that is shown."""
    front.choose("Region", "eu")
    front.pick("Latest Haiku")
    assert (shell.magics.region, shell.magics.model) == ("eu", "haiku")
    here = [
        (model.prices.tiers[0].output, model.id)
        for model in CATALOG.models
        if model.served_in("eu") and model.context_tokens == 1_000_000 and model.prices.tiers
    ]
    assert min(here)[1] == CATALOG.newest("haiku", "eu").id


FILTERS = [
    ({}, {"Latest Haiku (5.5)"}, {"Sonnet 4.5", "Haiku 3"}),
    ({"Show": "All current"}, {"Latest Haiku (5.5)", "Sonnet 4.5", "Mythos 5"}, {"Haiku 3"}),
    ({"Show": "Retired"}, {"Haiku 3"}, {"Latest Haiku (5.5)", "Sonnet 4.5"}),
]


@pytest.mark.parametrize(("chosen", "there", "gone"), FILTERS, ids=["Latest", "All current", "Retired"])
def test_show_decides_which_models_there_are(front, chosen, there, gone):
    """The chosen one stays in any case."""
    for label, entry in chosen.items():
        front.choose(label, entry)
    names = set(front.picks())
    assert there <= names
    assert not gone & names
    assert front.picked() == "Latest Sonnet (5.5)"


def test_filters_and_text_leave_what_fits_and_the_chosen_row(front):
    """All of them together."""
    front.choose("Show", "All current")
    front.click("Temperature")
    assert "Sonnet 4.5" in front.picks()
    assert "Opus 5.5" not in front.picks()
    front.enter("Find", "HAIKU-4")
    assert front.picks() == ["Latest Sonnet (5.5)", "Haiku 4.5"]
    assert "No other model" not in front.text()
    front.enter("Find", "nothing like it")
    assert front.picks() == ["Latest Sonnet (5.5)"]
    assert "No other model has all of this." in front.text()


def test_a_filter_changes_no_setting(shell, front):
    """It only changes what is shown."""
    before = shell.magics.options()
    front.choose("Show", "Retired")
    front.click("Images")
    front.enter("Find", "3.7")
    front.choose("Sort by", "Name")
    assert shell.magics.options() == before
    assert not shell.emulator.requests


def test_a_model_that_the_region_does_not_serve_says_so_in_its_row(front):
    """The page greys its button; `data-off` tells which."""
    front.choose("Show", "All current")
    front.choose("Region", "eu")
    assert "not served in eu" in front.text()
    off = [int(at) for at in re.search(r'data-off="([\d ]*)"', pages(front))[1].split()]
    assert [front.picks()[at] for at in off][:2] == ["Sonnet 4.6", "Sonnet 4.5"]


def test_the_bar_is_for_the_last_prompt(shell, front):
    """Until there is one, for 1,000 tokens; then for as many as the service counted."""
    assert "a prompt of 1,000 tokens and an answer of 1,000" in pages(front)
    reply = shell.ok("%%claude\n" + "word " * 3_000)
    tokens = reply.usage.total_input_tokens
    assert tokens > 1_000
    assert f"your last prompt ({tokens:,} tokens) and an answer of 1,000" in pages(front)


def test_two_ticked_rows_are_compared_and_a_third_takes_the_place_of_the_first(front):
    """In the place of the chart."""
    front.choose("Show", "All current")
    front.enter("Compare Opus 5", True)
    assert "<svg" in pages(front)
    front.enter("Compare Opus 5.5", True)
    assert "<svg" not in pages(front)
    assert "What differs is bold." in front.text()
    front.enter("Compare Haiku 5.5", True)
    ticked = [label for label in front.labels() if label.startswith("Compare") and front.control(label).value]
    assert ticked == ["Compare Opus 5.5", "Compare Haiku 5.5"]
    front.enter("Compare Haiku 5.5", False)
    assert "<svg" in pages(front)


def test_a_tick_belongs_to_its_model_and_not_to_its_place(front):
    """A filter may move the rows."""
    front.choose("Show", "All current")
    front.enter("Compare Opus 5", True)
    front.enter("Find", "opus")
    front.choose("Sort by", "Name")
    ticked = [label for label in front.labels() if label.startswith("Compare") and front.control(label).value]
    assert ticked == ["Compare Opus 5"]


def test_only_what_differs_is_strong():
    """Of two models of one price only the rest."""
    html = comparison(CATALOG, "claude-opus-5", "claude-opus-4-8", "global")
    rows = {
        match[1]: "<strong>" in match[2]
        for match in re.finditer(r"<th scope=.row.[^>]*><span[^>]*>([^<]*)</span></th>(.*?)</tr>", html)
    }
    assert rows["Input"] is False
    assert rows["Context"] is False
    assert rows["Released"] is True


class Drawing(HTMLParser):
    """Collects elements and attributes of the chart."""

    def __init__(self, svg):
        super().__init__()
        self.tags, self.attributes = [], set()
        self.feed(svg)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("location", [*CATALOG.locations(), "mars-north1"])
def test_the_chart_has_a_dot_for_every_current_model_with_a_price(location):
    """Hollow when deprecated, with a ring when chosen, and nothing that acts or loads."""
    svg = chart(CATALOG, location, "claude-opus-5")
    current = [model for model in CATALOG.models if model.lifecycle != "retired" and model.prices.tiers]
    drawing = Drawing(svg)
    assert drawing.tags.count("circle") == len(current) + 1
    hollow = len(re.findall(r'r="4"[^>]*fill="none"', svg))
    assert hollow == sum(model.lifecycle == "deprecated" for model in current)
    assert set(drawing.tags) == {"svg", "text", "path", "circle"}
    assert not {name for name in drawing.attributes if name.startswith("on") or name == "href"}
    assert "chosen: Opus 5, " in svg
    assert len(svg) < 6_000


def test_a_chart_of_one_model_and_of_none_can_be_drawn(tmp_path):
    """A table of the user's own may be anything."""
    extra = tmp_path / "models.json"
    row = {
        "id": "claude-x",
        "name": "<b>X",
        "family": "x",
        "context_tokens": 1,
        "prices": {"tiers": [{"output": 3}]},
    }
    extra.write_text(json.dumps({"models": [row]}), encoding="utf-8")
    assert "<b>" not in chart(Catalog.load(extra), "eu", "claude-x")


def heights(front):
    """The heights that the panel asks for, and those of our own HTML in flow: everything that could move."""
    fixed = []
    for each in front.shown():
        if isinstance(each, ipywidgets.VBox) and each.layout.height:
            fixed.append(each.layout.height)
    header, message = [each.value for each in front.shown() if isinstance(each, ipywidgets.HTML)][:2]
    return fixed, re.search(r"height: [^;]*", message)[0], re.search(r"min-height: [^;\"]*", header)[0]


def test_model_region_and_tab_change_no_height(front):
    """A browser measures it for all of them; here is that no height depends on what is shown."""
    before = heights(front)
    for title in TABS:
        front.tab(title)
        assert heights(front) == before
    for entry in ("eu", "us-east5", "global"):
        front.choose("Region", entry)
        assert heights(front) == before


def test_what_a_model_does_not_take_is_greyed_in_its_place(front):
    """No field comes or goes."""
    labels = front.labels()
    assert front.control("Temperature").disabled
    assert front.control("Budget, tokens").disabled
    front.pick("Haiku 4.5")
    assert [label for label in front.labels() if not label.startswith("Compare")] == [
        label for label in labels if not label.startswith("Compare")
    ]
    assert not front.control("Temperature").disabled
    assert front.control("Effort").disabled
    front.choose("Thinking", "a budget")
    assert not front.control("Budget, tokens").disabled


def test_one_choice_sends_only_what_changed(front):
    """The tick boxes, the filters and the fields that stay as they are send nothing."""
    sent = []
    front.choose("Show", "All current")
    for key, widget in living().items():
        widget.observe(lambda change, key=key: sent.append((type(change["owner"]).__name__, change["name"])))
    front.pick("Opus 5")
    touched = {kind for kind, _ in sent}
    assert touched <= {"RadioButtons", "HTML", "Dropdown"}, sent


def test_without_a_kernel_chart_and_chosen_row_are_in_the_page(shell, front):
    """As HTML that a sanitizer of notebooks leaves alone: an image with its own data."""
    (panel,) = (
        data for data in shell.page.outputs if "text/html" in data and "widget-view" in str(data.keys())
    )
    text = panel["text/html"].replace("<span>$</span>", "$")
    assert "Sonnet 5.5 (claude-sonnet-5-5) at global, $2 in / $10 out per million tokens" in text
    assert 'src="data:image/svg+xml;base64,' in panel["text/html"]
    assert "<svg" not in panel["text/html"]


def test_a_try_tells_the_length_of_its_prompt_too(shell, front):
    """The bars follow it when it has ended."""
    front.tab("Try")
    front.enter("Prompt", "word " * 3_000)
    front.click("Send")
    panel_ended()
    assert shell.magics.panel.actions.prompt_tokens > 1_000
    assert f"your last prompt ({shell.magics.panel.actions.prompt_tokens:,} tokens)" in pages(front)
