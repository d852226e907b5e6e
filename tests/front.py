"""A stand-in for the browser: it sees widgets as the kernel describes them and answers with comm messages.

It works on ipywidgets 7.7.1 and 8: what it sends are the messages of the Jupyter widgets protocol
(version 2), through the comm of the widget.
"""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any

import ipywidgets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shells import Shell

VIEW = "application/vnd.jupyter.widget-view+json"
BUTTONS = (ipywidgets.Button, ipywidgets.ToggleButton)


def living() -> dict[str, Any]:
    """Every widget that is open in this process, by model id."""
    module = ipywidgets.widgets.widget
    return module._instances if hasattr(module, "_instances") else ipywidgets.Widget.widgets


def panel_ended() -> None:
    """Wait until no panel works on anything; only then is all drawn that came of it."""
    for thread in threading.enumerate():
        if thread.name == "vertex-claude-panel":
            thread.join(120)
            assert not thread.is_alive(), "it did not end"


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """What one browser shows of the panel that a cell has opened."""

    root: Any

    @classmethod
    def open(cls, shell: Shell) -> Front:
        """Run `%claude_panel` and take its widgets up."""
        shell.ok("%claude_panel")
        (view,) = (data[VIEW] for data in shell.page.outputs if VIEW in data)
        return cls(root=living()[view["model_id"]])

    def shown(self, widget: Any = None) -> Iterator[Any]:
        """Every widget that is shown, in reading order."""
        widget = widget or self.root
        if widget.layout.display == "none":
            return
        yield widget
        for child in getattr(widget, "children", ()):
            yield from self.shown(child)

    def labels(self) -> list[str]:
        """The labels of all controls that are shown."""
        return [each.description for each in self.shown() if getattr(each, "description", "")]

    def control(self, label: str) -> Any:
        """The first shown control with this label; a field rather than a filter of the same name."""
        found = [each for each in self.shown() if getattr(each, "description", "") == label]
        assert found, f"{label!r} is not among {self.labels()}"
        return min(found, key=lambda each: isinstance(each, ipywidgets.ToggleButton))

    def text(self) -> str:
        """All text between the controls, tags stripped."""
        parts = (each.value for each in self.shown() if isinstance(each, ipywidgets.HTML))
        return "\n".join(unescape(re.sub(r"<[^>]*>", " ", part)) for part in parts)

    def options(self, label: str) -> list[str]:
        """The entries of a list."""
        return [entry.strip("\N{NO-BREAK SPACE}") for entry in self.control(label)._options_labels]

    def chosen(self, label: str) -> str:
        """The entry of a list that is chosen."""
        return self.options(label)[self.control(label).index]

    def picks(self) -> list[str]:
        """The names of the rows that are shown."""
        return list(self._radios()._options_labels)

    def picked(self) -> str:
        """The name of the row that is chosen."""
        return self.picks()[self._radios().index]

    def pick(self, name: str) -> None:
        """Choose the first row whose name begins like this, as a browser without scripts could."""
        if not any(known.startswith(name) for known in self.picks()):
            self.choose("Show", "All current")
        place = next(at for at, known in enumerate(self.picks()) if known.startswith(name))
        send(self._radios(), {"method": "update", "state": {"index": place}, "buffer_paths": []})

    def _radios(self) -> Any:
        return next(each for each in self.shown() if isinstance(each, ipywidgets.RadioButtons))

    def tab(self, title: str) -> None:
        """Open a tab."""
        tabs = next(each for each in self.shown() if isinstance(each, ipywidgets.ToggleButtons))
        place = list(tabs._options_labels).index(title)
        send(tabs, {"method": "update", "state": {"index": place}, "buffer_paths": []})

    def choose(self, label: str, entry: str) -> None:
        """Choose the entry of a list that begins like this."""
        place = next(at for at, known in enumerate(self.options(label)) if known.startswith(entry))
        send(self.control(label), {"method": "update", "state": {"index": place}, "buffer_paths": []})

    def enter(self, label: str, value: Any) -> None:
        """Leave a field with this in it, or tick a box."""
        send(self.control(label), {"method": "update", "state": {"value": value}, "buffer_paths": []})

    def copy_line(self) -> None:
        """Press the icon in the header."""
        icon = next(each for each in self.shown() if getattr(each, "icon", "") == "copy")
        send(icon, {"method": "custom", "content": {"event": "click"}})

    def click(self, label: str) -> None:
        """Press a button."""
        (control, *_) = (
            each for each in self.shown() if isinstance(each, BUTTONS) and each.description == label
        )
        assert not control.disabled, f"{label!r} cannot be pressed"
        if isinstance(control, ipywidgets.ToggleButton):
            send(control, {"method": "update", "state": {"value": not control.value}, "buffer_paths": []})
        else:
            send(control, {"method": "custom", "content": {"event": "click"}})


class _Exceptions(logging.Handler):
    """ipywidgets logs what its callbacks raise; here that fails the test."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            raise record.exc_info[1]


def send(widget: Any, data: dict[str, Any]) -> None:
    """Send a message from the front end's side of a widget's comm."""
    handler = _Exceptions()
    widget.log.addHandler(handler)
    try:
        # What a comm calls with each message; ipykernel 6.17 would look for its kernel first.
        widget._handle_msg({"content": {"comm_id": widget.comm.comm_id, "data": data}, "buffers": []})
    finally:
        widget.log.removeHandler(handler)
