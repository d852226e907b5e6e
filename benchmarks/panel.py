"""What `%claude_panel` costs: CPU of the kernel to open it, messages, bytes, and one change.

    python benchmarks/panel.py

Each figure is the median of fresh processes; `import ipywidgets` stands beside it for comparison.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

RUNS = 7
OPEN = """
import json, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "vertex_claude_magic")
class Page(type(shell.display_pub)):
    def publish(self, *args, **options): pass
shell.display_pub = Page(shell=shell)
{before}
started = time.process_time()
shell.run_line_magic("claude_panel", "")
opened = time.process_time() - started
panel = shell.find_line_magic("claude_panel").__self__.panel
for toggle in panel._toggles.values():
    toggle.value = True
started = time.process_time()
panel._model.index = 5
changed = time.process_time() - started
import ipywidgets
state = ipywidgets.Widget.get_manager_state(drop_defaults=True)
print(json.dumps([opened, changed, len(state["state"]), len(json.dumps(state))]))
"""
IMPORT = (
    "import time; started = time.process_time(); import ipywidgets; print([time.process_time() - started])"
)


def medians(code: str) -> list[float]:
    """Run code in fresh processes and return the median of each figure that it prints."""
    runs = [
        json.loads(
            subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        )
        for _ in range(RUNS)
    ]
    return [statistics.median(column) for column in zip(*runs, strict=True)]


def main() -> None:
    """Print the figures."""
    opened, changed, widgets, size = medians(OPEN.format(before=""))
    (alone,) = medians(IMPORT)
    again, *_ = medians(OPEN.format(before="import ipywidgets"))
    print(f"open, first time:          {opened * 1000:6.0f} ms CPU")
    print(f"  import ipywidgets, bare: {alone * 1000:6.0f} ms CPU")
    print(f"  the rest:                {again * 1000:6.0f} ms CPU")
    print(f"one change:                {changed * 1000:6.1f} ms CPU")
    print(f"state, all sections open:  {size / 1000:6.1f} kB in {widgets:.0f} models (defaults left out)")


if __name__ == "__main__":
    main()
