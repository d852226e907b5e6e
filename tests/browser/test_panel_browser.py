"""The panel in JupyterLab 4 and Notebook 7: by mouse, by keyboard, in two views, beside a busy cell."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import ipywidgets
import pytest
from conftest import chromium
from lab import CHROMIUM_FLAGS, LabPage, NotebookPage, write_notebook
from tools import axe_problems, places, ring, ring_contrast, tab_to, too_wide

from vertex_claude_magic.notebook.panel.scripts import Scripts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator

# An emulator with a login of its own: the demo would take no project from the panel.
START = """%load_ext vertex_claude_magic
import os
from vertex_claude_magic.emulator import Emulator
emulator = Emulator(pace=0.02)
os.environ.update(emulator.environment)"""
ALL_COUNTED = re.compile(r"(\d+) of \1 models counted\.")
CELLS = [START, "%claude_panel", "%claude_panel"]
TABS = ("Settings", "Try", "Cost", "System prompt", "Status")
FRESH = "magics = get_ipython().find_line_magic('claude').__self__"


@pytest.fixture(scope="module", params=[LabPage, NotebookPage], ids=["lab", "notebook"])
def front(request, lab_server) -> Iterator[LabPage]:
    """A notebook with two views of one panel."""
    from playwright.sync_api import sync_playwright

    path = write_notebook(lab_server.root / f"panel-{request.param.__name__}.ipynb", CELLS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        context = browser.new_context(
            viewport={"width": 1200, "height": 1000}, permissions=["clipboard-read", "clipboard-write"]
        )
        page = request.param(page=context.new_page(), server=lab_server).start()
        try:
            page.open(path)
            page.run_all()
            page.execute(FRESH)
            yield page
        finally:
            browser.close()


@pytest.fixture(autouse=True)
def anew(front):
    """Every test begins with the settings of a fresh session and closed sections."""
    front.execute(
        "magics.config.pop('ClaudeMagics', None)\nmagics.panel.state.reset()\nmagics.panel.actions.close()\n"
        "emulator.configs.put('global', 'claude-sonnet-5-5', {})"
    )
    front.wait_idle()
    tab(front, "Settings")
    field(front, "Find").fill("")
    field(front, "Show").select_option("All current")
    front.wait_idle()
    # The kernel takes the clicks in order; only then is what it changes no longer found by a test.
    front.execute("pass")
    front.settle()


def button(front, name) -> Locator:
    """A button, or the tab of that name."""
    return views(front)[0].get_by_role("tab" if name in TABS else "button", name=name, exact=True)


def views(front) -> list[Locator]:
    """The panel, wherever it is shown."""
    panels = front.page.locator(".vertex-claude-panel")
    return [panels.nth(0), panels.nth(1)]


def tab(front, title) -> None:
    button(front, title).click()


def row(front, name, view=0) -> Locator:
    """The radio button of a row."""
    return views(front)[view].get_by_role("radio", name=name, exact=True)


def picked(front, view=0) -> Locator:
    return views(front)[view].locator("input[type=radio]:checked")


def height(front) -> float:
    return views(front)[0].evaluate("element => element.getBoundingClientRect().height")


def field(front, label, view=0) -> Locator:
    return views(front)[view].get_by_label(label, exact=True)


def said(front, view=0) -> str:
    return views(front)[view].locator("[role=status]").first.inner_text()


def eventually(front, expression: str, wanted: str) -> None:
    """Wait until the kernel says so."""
    for _ in range(100):
        if front.execute(f"print({expression})").strip() == wanted:
            return
        front.page.wait_for_timeout(50)
    assert front.execute(f"print({expression})").strip() == wanted


def emptied(front, control: Locator) -> None:
    """Wait until the panel has taken the text out of a field."""
    front.page.wait_for_function("element => element.value === ''", arg=control.element_handle())


def asked(front) -> dict[str, Any]:
    """Ask with a cell that says nothing itself, and return what went over the wire."""
    code = (
        "import json\n"
        "try: get_ipython().run_line_magic('claude', '-q hi')\n"
        "except Exception: pass\n"
        "last = emulator.requests[-1]\n"
        "print(json.dumps({'path': last.path, 'body': last.body}))"
    )
    return json.loads(front.execute(code).splitlines()[-1])


def choose(control: Locator, beginning: str) -> None:
    """Choose the entry of a list that begins like this."""
    entries = control.locator("option").all_inner_texts()
    place = next(
        at for at, entry in enumerate(entries) if entry.replace("\xa0", " ").strip().startswith(beginning)
    )
    control.select_option(index=place)


def leave(front, control: Locator, text: str) -> None:
    """Click into a field, write, and click elsewhere."""
    control.click()
    control.fill(text)
    control.blur()


def with_health(front) -> None:
    """Fill the open health section: a whole grid, logging that is on, spend and its limits."""
    front.execute(
        "budget = magics.session().records.budget\n"
        "budget.commit(budget.reserve(0.0412, local=False), 0.0412)\n"
        "magics.max_session_cost = 1\n"
        "table = 'bq://a-very-long-project-id.a_data_set_of_many_words.requests_and_responses'\n"
        "logging = {'enabled': True, 'samplingRate': 0.1, 'bigqueryDestination': {'outputUri': table}}\n"
        "look = magics.panel.state.look\n"
        "emulator.configs.put(look.region, look.model_id, {'loggingConfig': logging})"
    )
    tab(front, "Status")
    button(front, "Check").click()
    front.page.get_by_text("Checked.").first.wait_for()
    button(front, "Read logging").click()
    front.page.get_by_text("Read just now.").first.wait_for()
    front.page.get_by_text("Google logs 10 % of calls").first.wait_for()
    front.settle()


MOUSE = {
    "model": (lambda front: row(front, "Opus 5.5").click(), "model", "claude-opus-5-5",
              lambda sent: "claude-opus-5-5:" in sent["path"]),
    "region": (lambda front: choose(field(front, "Region"), "eu"), "region", "eu",
               lambda sent: "/locations/eu/" in sent["path"]),
    "project": (lambda front: leave(front, field(front, "Project"), "a-project"), "project", "a-project",
                lambda sent: "/projects/a-project/" in sent["path"]),
    "max tokens": (lambda front: leave(front, field(front, "Max tokens"), "321"), "max_tokens", "321",
                   lambda sent: sent["body"]["max_tokens"] == 321),
    "effort": (lambda front: choose(field(front, "Effort"), "low"), "effort", "low",
               lambda sent: sent["body"]["output_config"] == {"effort": "low"}),
    "thinking": (lambda front: choose(field(front, "Thinking"), "adaptive"), "thinking", "adaptive",
                 lambda sent: sent["body"]["thinking"] == {"type": "adaptive"}),
    "show thinking": (lambda front: field(front, "Show thinking").click(), "show_thinking", "True",
                      lambda sent: sent["body"]["thinking"]["display"] == "summarized"),
}  # fmt: skip


@pytest.mark.parametrize(("act", "setting", "value", "carried"), MOUSE.values(), ids=MOUSE.keys())
def test_each_control_works_by_mouse_and_the_next_request_carries_it(front, act, setting, value, carried):
    """Asked by a cell that says nothing itself."""
    act(front)
    eventually(front, f"magics.{setting}", value)
    assert carried(asked(front))


def test_sampling_and_budget_are_greyed_where_the_model_does_not_take_them(front):
    """In their places; and go over the wire where it does."""
    assert field(front, "Temperature").is_disabled()
    row(front, "Sonnet 4.5").click()
    eventually(front, "magics.model", "claude-sonnet-4-5@20250929")
    front.settle()
    leave(front, field(front, "Temperature"), "0.3")
    eventually(front, "magics.temperature", "0.3")
    assert asked(front)["body"]["temperature"] == 0.3
    leave(front, field(front, "Temperature"), "")
    eventually(front, "magics.temperature", "None")
    choose(field(front, "Thinking"), "a budget")
    eventually(front, "magics.thinking", "7999")
    front.settle()
    leave(front, field(front, "Budget, tokens"), "2048")
    eventually(front, "magics.thinking", "2048")
    assert asked(front)["body"]["thinking"] == {"type": "enabled", "budget_tokens": 2048}


def test_the_cheapest_model_with_1m_context_in_eu_takes_two_clicks(front):
    """The region, and anywhere on its row."""
    choose(field(front, "Region"), "eu")
    eventually(front, "magics.region", "eu")
    row(front, "Latest Haiku (5.5)").scroll_into_view_if_needed()
    box = row(front, "Latest Haiku (5.5)").bounding_box()
    # Over the id, which lies below the label of the button.
    front.page.mouse.click(box["x"] + 220, box["y"] + box["height"] / 2)
    eventually(front, "magics.model", "haiku")
    assert "Haiku 5.5 · eu · $0.11 / $0.55" in views(front)[0].inner_text()


def test_a_row_that_cannot_be_chosen_is_disabled_and_says_why(front):
    """Its radio button is grey; the arrows pass it."""
    choose(field(front, "Region"), "eu")
    eventually(front, "magics.region", "eu")
    front.settle()
    assert row(front, "Sonnet 4.6").is_disabled()
    assert "not served in eu" in views(front)[0].inner_text()
    row(front, "Sonnet 5").click()
    eventually(front, "magics.model", "claude-sonnet-5")
    front.settle()
    picked(front).focus()
    front.page.keyboard.press("ArrowDown")
    eventually(front, "magics.model", "claude-opus-5-5")


@pytest.mark.parametrize("width", [320, 480, 1000])
def test_the_reason_of_a_row_covers_neither_its_icon_nor_its_box(front, width):
    """Those of retired models are the longest: a date and a successor."""
    field(front, "Show").select_option("Retired")
    front.wait_idle()
    front.settle()
    ends = views(front)[0].evaluate(
        """(panel, width) => {
            panel.style.width = width + 'px';
            const found = [...panel.querySelectorAll('li:not([aria-current])')].map(line => {
                const range = document.createRange();
                const [reason, icon] = [...line.children].slice(-2);
                range.selectNodeContents(reason);
                const shown = Math.min(range.getBoundingClientRect().right, reason.getBoundingClientRect().right);
                const cut = getComputedStyle(reason).overflowX === 'hidden';
                return (cut ? shown : range.getBoundingClientRect().right) - icon.getBoundingClientRect().left;
            });
            panel.style.width = '';
            return found;
        }""",
        width,
    )
    assert len(ends) > 5
    assert max(ends) <= 0


def test_nothing_moves_over_every_model_region_and_tab(front):
    """Not a pixel, whatever the panel shows."""
    before, seen = height(front), set()
    for title in TABS:
        tab(front, title)
        front.wait_idle()
        front.settle()
        seen.add(height(front))
    tab(front, "Settings")
    names = [
        name.strip()
        for name in views(front)[0]
        .locator(".vertex-claude-rows label:has(input[type=radio])")
        .all_inner_texts()
    ]
    for name in names:
        row(front, name).click()
        front.wait_idle()
        seen.add(height(front))
    for place in ("us", "eu", "us-east5", "europe-west1", "asia-southeast1", "global"):
        choose(field(front, "Region"), place)
        eventually(front, "magics.region", place)
        front.settle()
        seen.add(height(front))
    for shown in ("Latest", "Retired", "All current"):
        field(front, "Show").select_option(shown)
        front.wait_idle()
        front.settle()
        seen.add(height(front))
    assert len(names) > 20
    assert seen == {before}


def test_the_heads_of_the_columns_stay_where_the_rows_are_scrolled(front):
    """Above the radio buttons, which come later in the page."""
    field(front, "Show").select_option("All current")
    front.settle()
    seen = """element => {
        const head = element.querySelector('li[aria-hidden]'), box = head.getBoundingClientRect();
        const top = element.getBoundingClientRect().top;
        const words = [...head.children].map(each => each.textContent).filter(Boolean);
        const at = document.elementFromPoint(box.left + 40, box.top + 12);
        return [words, Math.round(box.top - top), head.contains(at)];
    }"""
    window = views(front)[0].locator(".vertex-claude-rows")
    words = ["Model", "USD", "Context", "State", "Compare"]
    assert window.evaluate(seen) == [words, 0, True]
    window.evaluate("element => { element.scrollTop = 130; }")
    assert window.evaluate(seen) == [words, 0, True]
    window.evaluate("element => { element.scrollTop = 0; }")


def test_two_rows_are_compared_in_the_place_of_the_chart(front):
    """By their boxes, with the arrows from one to the next."""
    panel, page = views(front)[0], front.page
    first = panel.get_by_label("Compare Latest Sonnet (5.5)", exact=True)
    first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    panel.get_by_text("What differs is bold.").wait_for()
    assert panel.locator("[role=region][aria-label=Comparison] strong").count() > 3
    first.uncheck()
    panel.get_by_label("Compare Latest Opus (5.5)", exact=True).uncheck()
    panel.locator("svg[role=img]").wait_for()


def test_the_icon_of_a_row_copies_its_id(front):
    """By mouse, and by keyboard for the chosen row."""
    panel, page = views(front)[0], front.page
    icon = panel.locator("li").filter(has_text="claude-opus-4-8").locator("[data-copy]")
    icon.click()
    page.wait_for_timeout(200)
    assert page.evaluate("navigator.clipboard.readText()") == "claude-opus-4-8"
    field(front, "Sort by").focus()
    tab_to(page, panel.locator("li[aria-current] [data-copy]"))
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    assert page.evaluate("navigator.clipboard.readText()") == "claude-sonnet-5-5"


def test_every_control_is_reached_and_worked_by_keyboard_alone(front):
    """In the order in which it is read, each with a focus that shows."""
    page = front.page
    button(front, "Try it").focus()
    for label, keys, setting, value in (
        ("Region", ["ArrowDown"], "region", "us"),
        ("Max tokens", ["Control+a", *"123"], "max_tokens", "123"),
        ("Effort", ["ArrowDown"], "effort", "low"),
        ("Thinking", ["ArrowDown"], "thinking", "adaptive"),
        ("Show thinking", ["Space"], "show_thinking", "True"),
        ("Project", [*"p-1"], "project", "p-1"),
    ):
        control = field(front, label)
        before = ring(control)
        tab_to(page, control, most=40)
        assert ring(control) != before, label
        for key in keys:
            page.keyboard.press(key)
        if label in {"Project", "Max tokens"}:
            page.keyboard.press("Enter")
        eventually(front, f"magics.{setting}", value)
    picked(front).focus()
    page.keyboard.press("ArrowDown")
    eventually(front, "magics.model", "opus")
    tab_to(page, button(front, "Reset"), most=40)
    page.keyboard.press("Enter")
    eventually(front, "magics.model", "")
    button(front, "Try it").focus()
    page.keyboard.press("Enter")
    tab_to(page, field(front, "Prompt"), most=60)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_ring_around_what_has_the_focus_stands_out(front, theme):
    """At least 3 to 1 (WCAG 2.2, 1.4.11), around a button, a list and a field."""
    front.theme(theme)
    try:
        button(front, "Try it").focus()
        for control in (button(front, "Copy line"), field(front, "Region"), field(front, "Find")):
            tab_to(front.page, control)
            assert ring_contrast(control) >= 3
    finally:
        front.theme("JupyterLab Light")


def test_the_rows_are_one_stop_of_the_tab_key(front):
    """Arrows lead from one to the next, in each view for itself; Tab goes on to the boxes."""
    page = front.page
    for panel in views(front):
        panel.locator("input[type=radio]:checked").focus()
        page.keyboard.press("ArrowDown")
        eventually(front, "magics.model", "opus")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.type") == "checkbox"
        page.keyboard.press("Shift+Tab")
        assert page.evaluate("document.activeElement.matches('input[type=radio]:checked')")
        page.keyboard.press("ArrowUp")
        eventually(front, "magics.model", "sonnet")
        front.wait_idle()


def test_the_tabs_are_one_stop_of_the_tab_key(front):
    """Arrows open the one beside, in a circle; what is open is said, and a screen reader has the name of its panel."""
    panel, page = views(front)[0], front.page
    button(front, "Settings").focus()
    for key, title in (("ArrowRight", "Try"), ("ArrowLeft", "Settings"), ("ArrowLeft", "Status")):
        page.keyboard.press(key)
        chosen = panel.get_by_role("tab", name=title, exact=True, selected=True)
        chosen.wait_for()
        assert chosen.evaluate("element => element === document.activeElement")
        assert panel.get_by_role("tab", selected=True).count() == 1
        panel.get_by_role("tabpanel", name=title, exact=True).wait_for()
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.matches('[role=tab]')")
    # Wherever it was opened, the one that is open is the stop.
    button(front, "Try it").click()
    panel.get_by_role("tab", name="Try", exact=True, selected=True).wait_for()
    page.keyboard.press("Tab")
    tab_to(page, button(front, "Try"), most=40)


def test_a_screen_reader_hears_what_is_pressed_and_what_the_rows_are(front):
    """By itself ipywidgets only colours a button that is down, and its radio buttons are no group."""
    panel = views(front)[0]
    for pressed in (False, True, False):
        panel.get_by_role("button", name="Images", exact=True, pressed=pressed).click()
    models = panel.get_by_role("radiogroup", name="Model", exact=True)
    assert models.get_by_role("radio").count() > 10


def test_tabs_work_by_keyboard_alone(front):
    """Try, count, system prompt."""
    page = front.page
    button(front, "System prompt").focus()
    page.keyboard.press("Enter")
    field(front, "Instructions").wait_for()
    tab_to(page, field(front, "Instructions"))
    page.keyboard.type("Be brief.")
    tab_to(page, button(front, "Apply"))
    page.keyboard.press("Enter")
    eventually(front, "magics.system", "Be brief.")
    assert asked(front)["body"]["system"] == "Be brief."
    tab_to(page, button(front, "Clear"))
    page.keyboard.press("Enter")
    eventually(front, "magics.system", "")
    page.get_by_text("No system prompt set.").first.wait_for()
    button(front, "Cost").focus()
    page.keyboard.press("Enter")
    field(front, "Count what").wait_for()
    tab_to(page, field(front, "Count what"))
    page.keyboard.type("How large is Mongolia?")
    tab_to(page, button(front, "Count tokens"))
    page.keyboard.press("Enter")
    emptied(front, field(front, "Count what"))
    page.get_by_text(ALL_COUNTED).first.wait_for()


def test_the_status_tab_works_by_keyboard_alone(front):
    """Check, stop and logging in the order in which they are read; the grid and the state come below them."""
    page = front.page
    button(front, "Status").focus()
    page.keyboard.press("Enter")
    button(front, "Check").wait_for()
    tab_to(page, button(front, "Check"))
    page.keyboard.press("Enter")
    page.get_by_text("Checked.").first.wait_for()
    assert "claude-sonnet-5-5 in global: usable when last checked" in views(front)[0].inner_text()
    tab_to(page, button(front, "Read logging"))
    page.keyboard.press("Enter")
    page.get_by_text("Google does not log claude-sonnet-5-5 in global.").first.wait_for()
    assert "%claude_logging on --table bq://project.dataset.table" in views(front)[0].inner_text()


def test_a_check_moves_no_control(front):
    """Neither those above nor its own buttons; the region list is marked and stays where it is."""
    tab(front, "Status")
    button(front, "Check").wait_for()
    controls = [picked(front), field(front, "Region"), button(front, "Status")]
    controls += [button(front, name) for name in ("Check", "Read logging")]
    before = places(controls)
    button(front, "Check").click()
    page = front.page
    page.get_by_text("Checked.").first.wait_for()
    front.settle()
    assert places(controls) == before
    chosen = field(front, "Region").locator("option:checked").inner_text().replace("\xa0", " ")
    assert chosen.startswith("global · usable")
    assert front.execute("print(repr(magics.region))").strip() == "''"


def test_config_moves_the_panel_and_two_views_agree(front):
    """Whoever changes a setting, all places show it."""
    front.execute("%config ClaudeMagics.model = 'haiku-4.5'")
    for view in (0, 1):
        row(front, "Haiku 4.5", view).and_(picked(front, view)).wait_for()
    choose(field(front, "Region", 1), "us-east5")
    eventually(front, "magics.region", "us-east5")
    assert field(front, "Region", 0).input_value() == field(front, "Region", 1).input_value()
    assert "Region set to us-east5" in said(front, 0)
    assert said(front, 0) == said(front, 1)


def test_copy_puts_the_line_into_the_clipboard(front):
    """With the system text, which the panel itself does not show."""
    front.execute("%config ClaudeMagics.system = 'Be \"brief\".'")
    button(front, "Copy line").click()
    front.page.wait_for_timeout(300)
    line = front.page.evaluate("navigator.clipboard.readText()")
    assert line == '%%claude -m sonnet -r global -s "Be \\"brief\\"."'


def test_a_try_streams_while_a_cell_is_busy_and_stops(front):
    """The button is heard beside the cell, the answer grows beside it, and Stop ends it before the cell does."""
    button(front, "Try it").click()
    prompt = field(front, "Prompt")
    prompt.wait_for()
    front.execute("busy = True")
    front.begin("import time\nwhile busy: time.sleep(0.05)")
    prompt.fill("Tell me of the emulator")
    button(front, "Send").click()
    below = front.page.locator(".jp-OutputArea-output").filter(has_text="Settings of this session").first
    below.filter(has_text="An answer from the emulator").wait_for()
    button(front, "Stop").click()
    below.filter(has_text="Stopped. This is a partial answer").wait_for()
    assert "Stopped." in views(front)[0].inner_text()
    emptied(front, prompt)
    front.page.evaluate(
        """() => { const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
            return kernel.interrupt(); }"""
    )


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_axe_finds_nothing_serious_in_the_panel(front, theme):
    """On every tab, with rows that cannot be chosen, in both themes."""
    front.theme(theme)
    views(front)[0].evaluate("element => element.id = 'the-panel'")
    choose(field(front, "Region"), "eu")
    eventually(front, "magics.region", "eu")
    try:
        for title in TABS:
            tab(front, title)
            front.wait_idle()
            if title == "Cost":
                field(front, "Count what").fill("Hi")
                button(front, "Count tokens").click()
                emptied(front, field(front, "Count what"))
                front.page.get_by_text(ALL_COUNTED).first.wait_for()
            if title == "Status":
                with_health(front)
            front.settle()
            assert axe_problems(front.page, "#the-panel") == [], title
    finally:
        front.theme("JupyterLab Light")


@pytest.mark.parametrize("width", [320, 480, 1000])
def test_nothing_sticks_out_of_the_panel(front, width):
    """On every tab, with the longest model chosen and a long line."""
    row(front, "Sonnet 4.5").click()
    leave(front, field(front, "Project"), "a-very-long-project-id-of-thirty")
    eventually(front, "magics.project", "a-very-long-project-id-of-thirty")
    leave(front, field(front, "Project"), "")
    eventually(front, "magics.project", "")
    views(front)[0].evaluate("element => element.id = 'the-panel'")
    for title in TABS:
        tab(front, title)
        front.wait_idle()
        if title == "Status":
            with_health(front)
        front.settle()
        assert too_wide(front.page, "#the-panel", width) == [], title


def test_what_the_status_says_is_read_whole_in_a_narrow_panel(front):
    """A line that has to be scrolled looks like one that ends too early."""
    row(front, "Sonnet 4.5").click()
    eventually(front, "magics.model", "claude-sonnet-4-5@20250929")
    with_health(front)
    views(front)[0].evaluate("element => { element.style.width = '560px'; }")
    line = views(front)[0].get_by_role("status").filter(has_text="when last checked")
    line.wait_for()
    hidden = line.evaluate("line => line.scrollHeight - line.clientHeight")
    views(front)[0].evaluate("element => { element.style.width = ''; }")
    assert hidden == 0


@pytest.mark.parametrize("width", [320, 480, 680, 740, 800, 1000])
def test_what_stands_below_the_chart_is_read_whole(front, width):
    """The narrower the chart, the lower it is, and the more lines the text has."""
    views(front)[0].evaluate("(element, width) => { element.style.width = `${width}px`; }", width)
    front.settle()
    box = views(front)[0].get_by_role("region", name="Chart", exact=True)
    hidden = box.evaluate("box => box.scrollHeight - box.clientHeight")
    views(front)[0].evaluate("element => { element.style.width = ''; }")
    assert hidden == 0


@pytest.mark.parametrize("width", [480, 1000])
def test_a_region_with_what_a_check_found_is_read_whole(front, width):
    """The list that is closed has room for it."""
    views(front)[0].evaluate("(element, width) => { element.style.width = `${width}px`; }", width)
    front.settle()
    room, taken = field(front, "Region").evaluate(
        """element => {
            const canvas = document.createElement('canvas').getContext('2d');
            canvas.font = getComputedStyle(element).font;
            return [element.clientWidth, canvas.measureText('global\u00a0·\u00a0usable\u00a02026-11-30').width];
        }"""
    )
    views(front)[0].evaluate("element => { element.style.width = ''; }")
    # The arrow and the padding.
    assert taken + 30 < room


def test_a_message_moves_no_control(front):
    """Its place is kept free."""
    controls = [field(front, label) for label in ("Region", "Project", "Max tokens")]
    controls += [button(front, "Copy line"), button(front, "Try it"), picked(front)]
    before = places(controls)
    choose(field(front, "Effort"), "low")
    eventually(front, "magics.effort", "low")
    front.settle()
    assert places(controls) == before


def test_a_saved_notebook_carries_little_and_nothing_that_was_written(front):
    """Saving of widget state is on: no prompt, no system text, no token, under 60 kB with every tab opened."""
    field(front, "Show").select_option("Latest")
    for title, label, press in (
        ("Settings", "", ""),
        ("Status", "", ""),
        ("Cost", "Count what", "Count tokens"),
        ("System prompt", "Instructions", "Apply"),
        ("Try", "Prompt", "Send"),
    ):
        tab(front, title)
        if not label:
            continue
        field(front, label).fill(f"sesame {label}")
        button(front, press).click()
        emptied(front, field(front, label))
    front.page.get_by_text("Done:").first.wait_for()
    front.settle()
    front.save()
    path = front.server.root / f"panel-{type(front).__name__}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    saved = json.dumps(notebook["metadata"]["widgets"])
    assert "Try it" in saved
    assert len(saved) < 60_000
    for secret in ("sesame", "Bearer", "emulator-token", "ya29."):
        assert secret not in saved
    below = notebook["cells"][1]["outputs"][-1]["data"]["text/markdown"]
    assert "Settings of this session: model claude-sonnet-5-5, region global" in "".join(below)


def test_the_panel_asks_for_nothing_from_outside(front):
    """Every address is the server's own."""
    assert front.strangers() == []
    assert front.dialogs == []


def test_a_row_of_tabs_that_is_drawn_before_what_is_below_it_is_one_already(front):
    """A front end makes the views of a panel one by one, and the script runs at each of them."""
    page = front.page.context.new_page()
    mistakes: list[str] = []
    page.on("pageerror", lambda mistake: mistakes.append(str(mistake)))
    page.set_content(
        "<div class='panel'><div class='rows'></div><div class='widget-toggle-buttons'>"
        "<button class='widget-toggle-button mod-active'>Try</button></div></div>"
    )
    (output,) = Scripts(ipywidgets.Output(), "panel", "rows").widget.outputs
    page.add_script_tag(content=output["data"]["application/javascript"])
    assert page.get_by_role("tab", name="Try", selected=True).count() == 1
    page.evaluate("() => document.querySelector('.panel').append(document.createElement('div'))")
    page.get_by_role("tabpanel", name="Try", include_hidden=True).wait_for(state="attached")
    assert mistakes == []
    page.close()
