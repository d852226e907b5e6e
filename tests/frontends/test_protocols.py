"""VS Code and Colab, by what they send to a kernel and what they do with its messages.

Neither runs here. VS Code names the file in a variable, Colab is known by its environment; neither names the cell as
JupyterLab does, and both change an output that is there. What a page has in the end is what the display messages leave.
"""

from __future__ import annotations

import pytest
from cells import CELLS, outcomes
from kernel import running_kernel
from matrix import check
from shown import output_text

WIDGET = "application/vnd.jupyter.widget-view+json"
VSCODE = {"before": "__vsc_ipynb_file__ = '/course/lesson.ipynb'", "metadata": {},
          "environment": {"VSCODE_PID": "4242"}}  # fmt: skip
COLAB = {
    "before": "",
    "metadata": {},
    "environment": {"COLAB_RELEASE_TAG": "release-colab-external", "COLAB_GPU": ""},
}


@pytest.mark.parametrize(("name", "rules"), [("VS Code", VSCODE), ("Colab", COLAB)])
def test_the_messages_of_a_kernel_leave_each_answer_once(name, rules, place, demo):
    """Drafts are gone at the end; a panel is a widget, which both show."""
    seen = {}
    with running_kernel(place.folder, **demo.environment, **rules["environment"]) as kernel:
        kernel.ok(rules["before"])
        for cell in CELLS:
            if cell.before:
                kernel.ok(cell.before, metadata=rules["metadata"])
            ran = kernel.ok(cell.source, metadata=rules["metadata"])
            seen[cell.name] = "\n".join(map(shown, left(ran)))
    check(name, outcomes(seen), "ipykernel", "ipython", "ipywidgets")


def shown(message):
    """Return what both show of one output: a widget where there is one."""
    return "A widget." if WIDGET in message.content.get("data", ()) else output_text(message.content)


def left(ran):
    """Return what a front end has below a cell: updates change what is there, and a cleared page begins anew."""
    outputs = []
    for message in ran.outputs:
        identity = message.content.get("transient", {}).get("display_id")
        later = [
            each
            for each in ran.of("update_display_data")
            if identity and each.content["transient"]["display_id"] == identity
        ]
        outputs.append(later[-1] if later else message)
    return outputs
