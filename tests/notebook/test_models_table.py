"""The model table as text and as HTML."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest

from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.notebook.pages.models import html, plain

CATALOG = Catalog.load()
HOSTILE = "<img src=x onerror=alert(1)>\"'&\x1b[31m\u202e"
ALLOWED = {
    "p",
    "div",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "br",
    "small",
    "span",
    "details",
    "summary",
    "ul",
    "li",
}
TODAY = date(2026, 11, 26)
VIEWS = [
    (None, None),
    ("global", None),
    ("us-east5", None),
    (None, "haiku"),
    ("eu", "fable"),
    ("nowhere", None),
]


class Page(HTMLParser):
    """Collects tags, attributes and cell texts."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.cells = [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag in ("td", "th"):
            self.cells.append("")
        elif tag == "br":
            self.cells[-1] += "\n"

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data.strip()

    @property
    def ids(self):
        """The second line of each row's head."""
        return [
            cell.partition("\n")[2] for cell in self.cells if cell.partition("\n")[2].startswith("claude-")
        ]


def line_of(text, model):
    return next(line for line in text.splitlines() if line.startswith(f"{model} "))


@pytest.mark.parametrize(("location", "family"), VIEWS)
def test_the_text_fits_a_terminal(location, family):
    """No line is longer than 100 columns, none ends in spaces, no control character is in it."""
    every = [plain(CATALOG, location, family, current=current) for current in (True, False)]
    for line in (line for text in every for line in text.splitlines()):
        assert len(line) <= 100
        assert line == line.rstrip()
        assert line.isprintable()


def test_every_model_is_in_both_tables():
    """Without a filter nothing is left out."""
    text, ids = plain(CATALOG), Page(html(CATALOG)).ids
    for model in CATALOG.models:
        assert f"\n{model.id} " in text
        assert model.id in ids


@pytest.mark.parametrize("show", [plain, html])
def test_current_models_are_active_ones_and_the_rest_is_counted(show):
    """A newcomer chooses among these; nothing about sources is in sight."""
    text = show(CATALOG, current=True)
    for model in CATALOG.models:
        shown = bool(re.search(rf"(^|>){re.escape(model.id)}[ <]", text, re.MULTILINE))
        assert shown == (model.lifecycle == "active")
    hidden = sum(model.lifecycle != "active" for model in CATALOG.models)
    assert f"{hidden} more are deprecated, retired or by invitation: --all shows them." in text
    assert "--all shows" not in show(CATALOG)
    assert "active" not in show(CATALOG, family="haiku", current=True)


def test_what_the_sources_differ_on_is_folded():
    """Below the table, and in text only where everything is asked for."""
    page = html(CATALOG, family="haiku", current=True)
    assert "<details><summary>Where the sources differ</summary><ul><li>Haiku 5.5: " in page
    assert "sources differ" not in plain(CATALOG, family="haiku", current=True)


def test_both_tables_have_the_same_order_with_retired_models_last():
    """Families stand together, the newest first, and what is over comes at the end."""
    order = [each for each in Page(html(CATALOG)).ids if CATALOG.find(each)]
    text = plain(CATALOG)
    assert order == sorted(order, key=lambda model: text.index(f"\n{model} "))
    retired = [CATALOG.find(model).lifecycle == "retired" for model in order]
    assert retired == sorted(retired)
    assert order[:2] == ["claude-sonnet-5-5", "claude-sonnet-5"]


@pytest.mark.parametrize(
    ("location", "model", "price"),
    [
        (None, "claude-sonnet-5-5", "2 / 10"),
        ("global", "claude-haiku-5-5", "0.1 / 0.5"),
        ("eu", "claude-haiku-5-5", "0.11 / 0.55"),
        ("us-east5", "claude-sonnet-4-6", "3.3 / 16.5"),
        ("us-east5", "claude-opus-4@20250514", "15 / 75"),
    ],
)
def test_prices_are_those_of_the_location(location, model, price):
    """The premium is in, and only where it applies."""
    assert price in line_of(plain(CATALOG, location), model)


def test_a_second_price_tier_is_shown():
    """The price of long prompts stands under that of short ones."""
    assert "over 200K" in plain(CATALOG, "us-east5")
    assert "6.6 / 24.75" in plain(CATALOG, "us-east5")
    cells = Page(html(CATALOG, "eu")).cells
    assert "0.11 / 0.55\nover 100K\n0.55 / 2.75" in cells
    assert sum("over 100K" in cell for cell in cells) == 1


def test_a_location_shows_only_what_it_serves():
    """Models served elsewhere are left out."""
    assert "claude-sonnet-5-5 " not in plain(CATALOG, "us-east5").replace("use claude-sonnet-5-5", "")
    assert "claude-sonnet-4-6" in plain(CATALOG, "us-east5")


def test_a_family_shows_only_its_models_and_what_the_sources_differ_on():
    """The disagreements are worth their lines when the table is short."""
    text = plain(CATALOG, family="haiku")
    assert "claude-opus" not in text
    assert "asia-east1" in text


def test_a_floor_is_not_shown_as_an_end():
    """Nor as a beginning: "not before" reads as "not yet available". The words are explained below."""
    text = plain(CATALOG, today=TODAY)
    assert "at least until 2026-12-24" in text
    assert "not before" not in text
    assert "the earliest possible one" in text
    assert "retired 2026-07-05" in text
    assert "use claude-haiku-5-5" in text


@pytest.mark.parametrize("show", [plain, html])
def test_a_floor_that_is_past_says_what_it_means(show):
    """Sonnet 4.5 was to stay until 2026-09-29; a reader of November must not take that for a promise."""
    text = show(CATALOG, family="sonnet", today=TODAY)
    assert "may end any day" in text
    assert "that date is past" in text
    assert "2026-09-29" not in re.sub(r'title="[^"]*"', "", text).partition("Where the sources differ")[0]
    assert "that date is past" not in show(CATALOG, family="sonnet", today=date(2026, 9, 28))


@pytest.mark.parametrize("show", [plain, html])
def test_no_mark_is_on_every_row(show):
    """A star on each says nothing; what the sources differ on is told where there is space for it."""
    assert "*" not in show(CATALOG)
    assert "Where the sources differ:" in plain(CATALOG, family="sonnet")


def test_unknown_facts_read_as_unknown():
    """Neither a blank nor a zero."""
    assert "not known" in line_of(plain(CATALOG), "claude-mythos-5-2")
    bare = CATALOG.find("claude-mythos-preview")._replace(context_tokens=None, max_output_tokens=None)
    assert "? / ?" in line_of(plain(replace(CATALOG, models=(bare,))), "claude-mythos-preview")


@pytest.mark.parametrize("show", [plain, html])
def test_nothing_to_show_is_said_with_the_nearest_location(show):
    """An empty table would look like a fault."""
    assert "no model in us-east4" in show(CATALOG, "us-east4")
    assert "us-east5" in show(CATALOG, "us-east4")
    assert "no model of the family fable in us-east5" in show(CATALOG, "us-east5", "fable")


@pytest.mark.parametrize("show", [plain, html])
def test_no_dollar_sign_is_in_the_table(show):
    """A notebook would take what stands between two of them for a formula."""
    assert "$" not in show(CATALOG)
    assert "USD" in show(CATALOG)


@pytest.mark.parametrize(("location", "family"), VIEWS)
def test_the_html_is_a_plain_table(location, family):
    """Only table elements, and no attributes but scope, title and the alignment."""
    page = Page(html(CATALOG, location, family))
    assert set(page.tags) <= ALLOWED
    assert {name for name, _ in page.attributes} <= {"scope", "style", "title"}


def test_names_dates_and_ids_of_models_in_use_are_not_broken():
    """A browser breaks at hyphens too, so that a date reads as two numbers, and a word of a place as another place."""
    rows = re.findall("<tr>(.*?)</tr>", html(CATALOG))[1:]
    cells = [re.findall(r"<t[hd]([^>]*)>(.*?)</t[hd]>", row) for row in rows]
    used = {model.id for model in CATALOG.models if model.lifecycle != "retired"}
    in_use = [row for row in cells if any(f">{model}<" in row[0][1] for model in used)]
    assert len(in_use) == len(used)
    assert not [text for row in in_use for style, text in row if "white-space: nowrap" not in style]


def test_the_html_fits_beside_a_file_browser():
    """JupyterLab leaves 750 pixels there, which hold some 115 letters of a table with its margins."""
    rows = re.findall("<tr>(.*?)</tr>", html(CATALOG))
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    lines = [[re.sub("<[^>]*>", "\n", cell).split("\n") for cell in row] for row in cells]
    widths = [max(len(line) for row in lines for line in row[at]) for at in range(len(lines[0]))]
    assert sum(widths) + 2 * len(widths) <= 115


def test_a_hostile_table_of_a_user_stays_text(tmp_path):
    """Cases 51 and 57: names from a file can neither become markup nor move the cursor."""
    row = {
        "id": HOSTILE,
        "name": HOSTILE,
        "family": "sonnet",
        "locations": [HOSTILE],
        "disagreements": [HOSTILE],
    }
    (tmp_path / "mine.json").write_text(json.dumps({"models": [row]}), encoding="utf-8")
    catalog = Catalog.load(tmp_path / "mine.json")
    page = Page(html(catalog))
    assert set(page.tags) <= ALLOWED
    assert {name for name, _ in page.attributes} <= {"scope", "style", "title"}
    for text in (plain(catalog), plain(catalog, HOSTILE), html(catalog, HOSTILE)):
        assert all(line.isprintable() for line in text.splitlines())
