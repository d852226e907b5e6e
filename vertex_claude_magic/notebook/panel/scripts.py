"""The few things that a panel cannot do without a script in the page; nothing that anybody wrote is code here.

Each script works on every panel of the page and may run twice. Without scripts the panel works: what cannot be
chosen is refused by the kernel with its reason, and a narrow row shows less.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets

__all__ = ["Scripts"]

# JupyterLab takes arrows and letters typed in a list for commands on cells ("m" makes Markdown of one).
# Lumino leaves the keys of an element alone that has this attribute (@lumino/commands 2).
_KEEP_KEYS = """
panel.addEventListener('focusin', event => event.target.setAttribute('data-lm-suppress-shortcuts', 'true'));"""
# The arrow of ipywidgets' lists is a black picture, which a dark theme hides; this variable is how ipywidgets lets
# others draw it (ipywidgets pull request 1251). Grey is seen on black and on white.
_SHOW_ARROWS = """
panel.style.setProperty('--jp-widgets-dropdown-arrow', `url("data:image/svg+xml,%3Csvg \
xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18' fill='none' stroke='%23808080' stroke-width='2'%3E%3Cpath \
d='M5 7l4 4 4-4'/%3E%3C/svg%3E")`);"""
# The ring of ipywidgets around what has the focus is a light blue, of 2.2 to 1 on white; WCAG 2.2, 1.4.11 asks for 3.
_SHOW_FOCUS = """
panel.style.setProperty('--jp-widgets-input-focus-border-color', 'var(--jp-brand-color1, #1976d2)');"""
# Rows fold into two lines where they are narrow. A container query needs no watching of sizes.
_FOLD = """
const rows = panel.querySelector('.{rows}');
if (rows) {
  rows.style.containerType = 'inline-size';
  rows.style.setProperty('--vertex-claude-fold', '560px');
  rows.style.setProperty('--jp-widgets-radio-item-height',
    'clamp(24px, (var(--vertex-claude-fold) - 100cqw) * 999, 48px)');
}"""
# A row that cannot be chosen: ipywidgets can disable all radio buttons of a group or none. Nor do they have a name,
# and without one each is a stop of the Tab key.
_ROWS = """
const group = `vertex-claude-${Math.random()}`;
const mark = () => {
  const facts = panel.querySelector('[data-off]');
  const off = facts ? facts.getAttribute('data-off').split(' ') : [];
  panel.querySelectorAll('.{rows} input[type=radio]').forEach((radio, at) => {
    const barred = off.includes(String(at)) && !radio.checked;
    if (radio.disabled !== barred) radio.disabled = barred;
    radio.name = group;
    radio.style.height = radio.parentElement.style.lineHeight = '24px';
    radio.parentElement.style.display = 'flex';
    radio.style.order = '-1';
    const list = radio.closest('.widget-radio-box');
    list.role = 'radiogroup';
    list.ariaLabel = 'Model';
  });
  // Where a row has two lines, its icon is below its box, under the list of boxes.
  panel.querySelectorAll('.{rows} .widget-checkbox').forEach(box => {
    box.style.pointerEvents = 'auto';
    box.parentElement.style.pointerEvents = 'none';
  });
  // A button with an icon alone would be called by the letter that draws the icon.
  panel.querySelectorAll('button[title]').forEach(button => {
    if (!button.textContent.trim()) button.setAttribute('aria-label', button.title);
  });
};
watch(mark);"""
# The icon beside an id copies it, by click, Enter or Space; a check mark says so for a second.
_COPY = """
const copy = event => {
  const icon = event.target.closest && event.target.closest('[data-copy]');
  if (!icon || (event.type === 'keydown' && event.key !== 'Enter' && event.key !== ' ')) return;
  event.preventDefault();
  event.stopPropagation();
  navigator.clipboard.writeText(icon.parentElement.querySelector('code').textContent).then(() => {
    icon.textContent = '✓';
    icon.style.backgroundSize = '0';
    setTimeout(() => { icon.textContent = icon.style.backgroundSize = ''; }, 1000);
  });
};
panel.addEventListener('click', copy);
panel.addEventListener('keydown', copy);"""
# One Tab comes to the boxes, and the arrows lead from one to the next, as in the group beside them.
_ROVE = """
const boxes = () => [...panel.querySelectorAll('.{rows} input[type=checkbox]')];
const rove = to => boxes().forEach(box => { box.tabIndex = box === to ? 0 : -1; });
panel.addEventListener('focusin', event => { if (boxes().includes(event.target)) rove(event.target); });
panel.addEventListener('keydown', event => {
  const all = boxes(), at = all.indexOf(event.target);
  const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
  if (at < 0 || !step) return;
  event.preventDefault();
  all[(at + step + all.length) % all.length].focus();
});
const settle = () => {
  const all = boxes();
  if (all.length && all.filter(box => box.tabIndex === 0).length !== 1)
    rove(all.find(box => box === document.activeElement) || all[0]);
};
watch(settle);"""
# ipywidgets only colours a button that is down. The tabs are one stop of the Tab key, and arrows open the one beside.
_TABS = """
const tabs = () => [...panel.querySelectorAll('.widget-toggle-buttons button')];
const tell = () => panel.querySelectorAll('.widget-toggle-button').forEach(button => {
  const down = button.classList.contains('mod-active'), row = button.closest('.widget-toggle-buttons');
  button[row ? 'ariaSelected' : 'ariaPressed'] = down;
  if (!row) return;
  [button.role, button.parentElement.role, button.tabIndex] = ['tab', 'tablist', down ? 0 : -1];
  const below = row.nextElementSibling;
  if (!below) return;
  below.role = 'tabpanel';
  if (down) below.ariaLabel = button.textContent.trim();
});
panel.addEventListener('keydown', event => {
  const all = tabs(), at = all.indexOf(event.target);
  const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  if (at < 0 || !step) return;
  event.preventDefault();
  const next = all[(at + step + all.length) % all.length];
  next.focus();
  next.click();
});
watch(tell, {attributeFilter: ['class']});"""

_EACH = "".join(
    f"{{{code}\n}}" for code in (_KEEP_KEYS, _SHOW_ARROWS, _SHOW_FOCUS, _FOLD, _ROWS, _COPY, _ROVE, _TABS)
)
_BEGIN = """
const begin = () => document.querySelectorAll('.{panel}').forEach(panel => {
  if (panel.dataset.vertexClaude || !panel.querySelector('.{rows}')) return;
  panel.dataset.vertexClaude = 'ready';
  const watch = (act, more) => {
    act();
    new MutationObserver(act).observe(panel, {childList: true, subtree: true, ...more});
  };
  {each}
});
begin();
[100, 500, 2000].forEach(wait => setTimeout(begin, wait));"""


class Scripts:
    """A hidden output of the panel that carries scripts.

    Args:
        output: The output.
        panel: The class of the panel.
        rows: The class of the window with the rows.
    """

    def __init__(self, output: ipywidgets.Output, panel: str, rows: str) -> None:
        self.widget = output
        # Once a panel, and again when a view that is being made has come.
        code = _BEGIN.replace("{each}", _EACH).replace("{panel}", panel).replace("{rows}", rows)
        # Without indentation and comments, on few lines, because a notebook saves it.
        code = re.sub(r"\s*\n\s*(?://.*\n\s*)?", "\n", code).replace(";\n", ";").replace("{\n", "{")
        self._always = (_script(code),)
        self.widget.outputs = self._always

    def copy(self, text: str) -> None:
        """Put a text into the clipboard of the user; a kernel does not learn if the browser refuses."""
        # In JSON "</script>" and line separators could end the script in a page that writes it out.
        literal = json.dumps(text).replace("<", "\\u003c")
        self.widget.outputs = (*self._always, _script(f"navigator.clipboard.writeText({literal})"))
        # The page runs it as it arrives; a saved notebook must not carry the text.
        self.widget.outputs = self._always


def _script(code: str) -> dict[str, Any]:
    data = {"application/javascript": code, "text/plain": ""}
    return {"output_type": "display_data", "data": data, "metadata": {}}
