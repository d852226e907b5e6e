"""The prices that the panel shows, against ones computed by hand from the table's raw numbers."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

import vertex_claude_magic
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.notebook.panel.picker.compare import comparison
from vertex_claude_magic.notebook.panel.picker.facts import row_facts
from vertex_claude_magic.notebook.panel.picker.rows import ORDERS, Filters, pick_rows
from vertex_claude_magic.notebook.panel.tabs.card import card
from vertex_claude_magic.notebook.panel.tabs.tables import PriceRow, price_row, price_table
from vertex_claude_magic.settings.choices import model_choices
from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.target import resolve_target

RAW = json.loads(
    (Path(vertex_claude_magic.__file__).parent / "models" / "models.json").read_text(encoding="utf-8")
)
CATALOG = Catalog.load()
LOCATIONS = (*CATALOG.locations(), "mars-north1")
ALLOWED = {
    "div",
    "strong",
    "br",
    "code",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "span",
    "ul",
    "li",
    "i",
}
VOID = {"br"}


class Cells(HTMLParser):
    """Reads tables into rows of text, and checks that tags are balanced and allowed."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.stack = [], []
        self.feed(html)
        assert not self.stack

    def handle_starttag(self, tag, attrs):
        assert tag in ALLOWED
        if tag in VOID:
            self.handle_data("\n")
            return
        self.stack.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.stack):
            self.rows[-1][-1] += data


def by_hand(row, location, name):
    """The price of a row's first tier in USD per million tokens, its premium added everywhere but at `global`."""
    tiers = row["prices"].get("tiers") or [{}]
    price = min(tiers, key=lambda tier: tier.get("over_input_tokens", 0)).get(name)
    premium = 0 if location == "global" else row["prices"].get("endpoint_premium", 0)
    return None if price is None else price * (1 + premium)


def shown(text):
    return None if text == "?" else float(text)


@pytest.mark.parametrize("location", LOCATIONS)
def test_the_card_shows_every_price_with_the_premium_in(location):
    """Input, output, both cache writes and the cache read, for every row of the table."""
    for row in RAW["models"]:
        html = card(CATALOG, CATALOG.find(row["id"]), row["id"], location)
        facts = {cells[0]: cells[1].split("\n") for cells in Cells(html).rows}
        if not row["prices"].get("tiers"):
            assert facts["Prices"] == ["not known"]
            continue
        taken, given = re.fullmatch(r"\$?(\S+) in · \$?(\S+) out", facts["Prices"][0]).groups()
        writes = re.fullmatch(
            r"write \$?(\S+) \(5 min\), \$?(\S+) \(1 h\), read \$?([^\s,]+).*", facts["Cache"][0]
        )
        names = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
        for name, text in zip(names, (taken, given, *writes.groups()), strict=True):
            assert shown(text) == pytest.approx(by_hand(row, location, name)), (row["id"], name)


def rows_at(location, models_file=None, **filters):
    options = resolve_target(AskOptions(region=location, models_file=models_file))
    return pick_rows(
        options.catalog,
        model_choices(options),
        location=location,
        filters=Filters(**{"show": "all current", **filters}),
        prompt_tokens=3_000,
    )


@pytest.mark.parametrize("location", LOCATIONS)
def test_the_rows_show_the_price_of_the_last_prompt(location):
    """With 1,000 tokens of answer, for every model, whatever they are sorted by."""
    prices = {
        row["id"]: [by_hand(row, location, name) for name in ("input", "output")] for row in RAW["models"]
    }
    for order in ORDERS:
        rows = [*rows_at(location, order=order), *rows_at(location, order=order, show="retired")]
        assert {row.id for row in rows} == set(prices)
        for row in rows:
            taken, given = prices[row.id]
            wanted = None if taken is None or given is None else (3_000 * taken + 1_000 * given) / 1e6
            assert row.price == (None if wanted is None else pytest.approx(wanted)), row.id


@pytest.mark.parametrize("location", LOCATIONS)
def test_what_a_prompt_costs_is_tokens_times_price(location):
    """Alone, with an answer of 1,000 tokens, and with the longest; the tier is the prompt's."""
    for row in RAW["models"]:
        if not row["prices"].get("tiers"):
            continue
        found = price_row(CATALOG, row["id"], location, 2_000, exact=True, max_tokens=3_000)
        taken, given = by_hand(row, location, "input"), by_hand(row, location, "output")
        longest = min(3_000, row["max_output_tokens"] or 3_000)
        if taken is not None and given is not None:
            assert found.input_cost == pytest.approx(2_000 * taken / 1e6)
            assert found.answer_cost == pytest.approx((2_000 * taken + 1_000 * given) / 1e6)
            assert found.most_cost == pytest.approx((2_000 * taken + longest * given) / 1e6)


def test_a_long_prompt_has_the_price_of_its_tier():
    """Haiku 5.5 asks five times as much from 100,000 tokens on."""
    assert (
        price_row(CATALOG, "claude-haiku-5-5", "global", 100_000, exact=True, max_tokens=1).input_cost == 0.01
    )
    long = price_row(CATALOG, "claude-haiku-5-5", "global", 100_001, exact=True, max_tokens=1).input_cost
    assert long == pytest.approx(0.0500005)
    assert "prompts over 100,000 tokens" in card(
        CATALOG, CATALOG.find("claude-haiku-5-5"), "claude-haiku-5-5", "global"
    )


def test_prices_side_by_side_tell_bounds_and_gaps_from_counts():
    """An upper bound is called one, and what is not counted yet is not 0."""
    rows = [
        PriceRow(name="A", id="a", input_tokens=1_234, input_cost=0.00213, answer_cost=1.5, most_cost=None),
        PriceRow(
            name="B", id="b", input_tokens=99, exact=False, input_cost=0.0, answer_cost=0.0, most_cost=0.0
        ),
        PriceRow(name="C", id="c", input_tokens=None),
    ]
    assert Cells(price_table(rows, location="eu", chosen="b")).rows[1:] == [
        ["A", "1,234", "0.0021", "1.50", "?"],
        ["● B", "≤ 99", "0", "0", "0"],
        ["C", "…", "…", "…", "…"],
    ]


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("by family", "Latest Sonnet (5.5)"),
        ("newest first", "Latest Fable (5.2)"),
        ("input price", "Latest Haiku (5.5)"),
        ("largest context", "Latest Sonnet (5.5)"),
        ("name", "Latest Fable (5.2)"),
    ],
)
def test_rows_are_sorted_and_what_cannot_be_chosen_comes_last(order, first):
    """In every order but that by family, where each stays beside its like."""
    rows = rows_at("eu", order=order)
    if order != "name":
        assert rows[0].name == first
    barred = [bool(row.why) for row in rows]
    assert any(barred)
    if order != "by family":
        assert barred == sorted(barred)


@pytest.mark.parametrize("model", CATALOG.models, ids=lambda model: model.id)
def test_a_card_is_small_and_holds_no_pair_of_dollars(model):
    """JupyterLab would set the text between two of them as a formula."""
    html = card(CATALOG, model, model.id, "eu")
    assert len(html) < 3_500
    assert "$" not in html.replace("<span>$</span>", "")
    assert model.id in unescape(html)
    floor = ("vailable until at least" in html) or ("may end any day since" in html)
    assert floor or not model.not_sooner_than or model.lifecycle == "retired"


def test_a_date_of_the_card_is_not_broken():
    """A browser breaks lines at hyphens too."""
    model = CATALOG.find("claude-haiku-4-5@20251001")
    assert f'<span style="white-space: nowrap">{model.not_sooner_than}</span>' in card(
        CATALOG, model, model.id, "eu"
    )


HOSTILE = [
    "<script>alert(1)</script>",
    '" onclick="x',
    "a\nb\x1b[31m",
    "\ud800",
    "x" * 10_000,
    "</td></table>",
    "$a$ $$b$$",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_name_from_a_table_of_the_users_own_stays_text(name, tmp_path):
    """The file may have come from anybody."""
    extra = tmp_path / "models.json"
    extra.write_text(
        json.dumps({"models": [{"id": "claude-x", "name": name, "family": "sonnet"}]}), encoding="utf-8"
    )
    catalog = Catalog.load(extra)
    for html in (
        card(catalog, catalog.find("claude-x"), "claude-x", "eu"),
        card(catalog, None, name, "eu"),
        comparison(catalog, "claude-x", "claude-opus-5", "eu"),
        row_facts(rows_at("eu", str(extra)), "claude-x", name),
        price_table([price_row(catalog, "claude-x", name, 5, exact=True, max_tokens=9)], location=name),
    ):
        Cells(html)
        assert "<script" not in html
        assert "onclick=" not in html.replace("&quot; onclick=", "")
        assert len(html) < 20_000


def test_tables_and_rows_are_small():
    """They are part of the state that a notebook saves."""
    assert len(row_facts(rows_at("europe-west1"), "sonnet", "Price")) < 16_000
    rows = [price_row(CATALOG, model.id, "eu", 9, exact=True, max_tokens=9) for model in CATALOG.models]
    assert len(price_table(rows, location="eu")) < 6_000
