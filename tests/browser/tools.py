"""What a browser test needs to know of a panel of widgets: where the focus is, what fits, what axe-core says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import axe_playwright_python

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Locator, Page

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
GRAVE = {"moderate", "serious", "critical"}


def axe_problems(page: Page, selector: str) -> list[str]:
    """What axe-core finds moderate, serious or critical below the first element of a selector, one line each."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("selector => axe.run(document.querySelector(selector))", selector)
    assert found["passes"], "axe-core looked at nothing"
    return [
        f"{rule['impact']} {rule['id']}: {node['target']} {node.get('failureSummary', '')}"
        for rule in found["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]


def tab_to(page: Page, wanted: Locator, most: int = 30) -> None:
    """Press Tab until the element has the focus, so that its place in the order is proven too."""
    for _ in range(most):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not come to {wanted}")


def ring(element: Locator) -> Any:
    """What shows the focus of an element."""
    return element.evaluate(
        """element => { const style = getComputedStyle(element);
            return [style.outlineStyle === 'none' ? '' : style.outline, style.boxShadow, style.borderColor]; }"""
    )


def ring_contrast(element: Locator) -> float:
    """How much the ring around an element that has the focus stands out from the page, by WCAG 2.2."""
    return element.evaluate(
        """element => {
            const rgb = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
            const light = colour => rgb(colour).map(each => each / 255).map(
                each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4
            ).reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
            const style = getComputedStyle(element);
            const page = getComputedStyle(element.closest('.jp-Notebook')).getPropertyValue('--jp-layout-color0');
            const probe = document.body.appendChild(document.createElement('i'));
            probe.style.color = page;
            const ring = light(style.outlineStyle === 'none' ? style.borderColor : style.outlineColor);
            const around = light(getComputedStyle(probe).color);
            probe.remove();
            return (Math.max(ring, around) + 0.05) / (Math.min(ring, around) + 0.05);
        }"""
    )


def too_wide(page: Page, selector: str, width: int) -> list[str]:
    """Elements that stick out when the panel gets so many pixels."""
    return list(
        page.evaluate(
            """([selector, width]) => {
                const panel = document.querySelector(selector);
                panel.style.width = width + 'px';
                const right = panel.getBoundingClientRect().right + 1;
                // The words of a tick box are for screen readers: they are cut by a box that is as wide as the tick.
                const cut = each => each.closest('.widget-checkbox')?.clientWidth < 40;
                const out = [...panel.querySelectorAll('*')].filter(each =>
                    each.getBoundingClientRect().right > right && !cut(each));
                const inner = [...panel.querySelectorAll('*')].filter(each =>
                    each.scrollWidth > each.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(each).overflowX));
                panel.style.width = '';
                return [...out, ...inner].map(each => each.tagName + '.' + each.className + ' ' + each.textContent.slice(0, 40));
            }""",
            [selector, width],
        )
    )


def places(elements: Sequence[Locator]) -> list[float]:
    """How far below the top of the panel each element stands, in pixels."""
    return [
        element.evaluate(
            "element => element.getBoundingClientRect().top"
            " - element.closest('.jp-OutputArea-output').getBoundingClientRect().top"
        )
        for element in elements
    ]
