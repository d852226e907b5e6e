"""What the panel knows and does, without widgets: the session's settings, and messages about them.

The settings themselves stay where `%config` has them, so that every panel and every cell sees the same.
"""

from __future__ import annotations

import math
from dataclasses import replace
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeAlias

from traitlets import Any as AnyTrait
from traitlets import HasTraits, Int, TraitError, Unicode
from traitlets.config import Configurable

from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.notebook.panel.line import magic_line
from vertex_claude_magic.notebook.panel.model import field_label, own_options, panel_model
from vertex_claude_magic.notebook.settings import Settings
from vertex_claude_magic.settings.choices import DEPENDENT, chosen_model, is_set, refusal, settled
from vertex_claude_magic.settings.options import merge
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.notebook.panel.model import PanelModel
    from vertex_claude_magic.notebook.shell import Change

__all__ = ["PanelState"]

# What one of the settings below may be.
Setting: TypeAlias = str | float | bool | None
# The settings that the panel shows and Reset takes back.
_SHOWN = ("model", "region", "project", "system", *DEPENDENT)


class PanelState(HasTraits):  # type: ignore[misc]
    """The panel's state: `look` is what to show now, `message` what was just done, as plain text.

    `revision` grows whenever something is to be drawn again. Methods may be called from any thread.

    Args:
        settings: The session's settings, the object that holds the magics.

    Raises:
        OptionError: the settings name a model table that cannot be read.
    """

    look: PanelModel = AnyTrait()
    message: str = Unicode("")
    revision: int = Int(0)

    def __init__(self, settings: Host) -> None:
        super().__init__()
        self.settings = settings
        self.lock = RLock()
        self._writing = False
        self.look = self._look()
        settings.observe(self._changed_elsewhere, names=_watched())

    def close(self) -> None:
        """Look at the settings no longer."""
        self.settings.unobserve(self._changed_elsewhere, names=_watched())

    def choose(self, name: str, value: Setting) -> None:
        """Set one setting for the session; what the model would refuse beside it is dropped, and the message names it.

        Args:
            name: A setting of `%config ClaudeMagics`.
            value: The value; None or "" takes it back to what environment and default say.
        """
        with self.lock:
            session = self.settings.session()
            empty = False if name == "show_thinking" else None
            options = session.settings()
            try:
                changed = merge(options, {name: value}) if is_set(value) else options.replace(**{name: empty})
                before, asked = session.target(), session.target(settings=changed)
            except ClaudeError as error:
                # It seems to be a secret, a policy locks it, or a variable of the environment is not a valid value.
                self.tell(f"Not changed: {error}")
                return
            wanted, dropped = settled(asked, keep=name, seen=self.look.seen)
            refused = refusal(wanted, self.look.seen)
            if refused is None and is_set(value) and not is_set(getattr(wanted, name)):
                refused = refusal(asked, self.look.seen)
            # Settings that are refused already may be put right one by one.
            if refused is not None and refusal(before, self.look.seen) is None:
                self.tell(f"Not changed: {refused}")
                return
            values = {
                each: getattr(wanted if each in dropped else changed, each) for each in {name, *dropped}
            }
            self._write(values)
            text = _change_text(name, values[name], dropped, chosen_model(wanted)[0])
            if name == "model":
                model_id, row = chosen_model(wanted)
                known = row.id if row else model_id
                text += f" {self.settings.status.reminder.tell(wanted.catalog, known, wanted.region) or ''}".rstrip()
            self.tell(text)

    def choose_model(self, value: str) -> None:
        """Choose one of `look.models`; what cannot be chosen changes nothing, and the message says why."""
        with self.lock:
            choice = next(each for each in self.look.models if each.value == value)
            if choice.why:
                self.tell(f"Not changed: {choice.label} is {choice.why}.")
            else:
                self.choose("model", choice.value)

    def choose_thinking(self, kind: str) -> None:
        """Choose a kind of thinking; "budget" begins with half of the answer, 8,000 tokens at most."""
        budgets = self.look.budgets
        budget = max(budgets[0], min(8_000, budgets[-1] // 2))
        self.choose("thinking", str(budget) if kind == "budget" else kind)

    def choose_number(self, name: str, typed: str) -> None:
        """Choose a sampling parameter from what was typed; an empty text means that it is not sent."""
        text = typed.strip().replace(",", ".")
        try:
            value = None if not text else int(text) if name == "top_k" else float(text)
        except ValueError:
            value = -1
        # "Create a Message" of the Messages API reference (Claude docs, 2026). A NaN is in no range.
        if value is not None and not 0 <= value <= (math.inf if name == "top_k" else 1):
            self.tell(
                f"Not changed: {quote(typed, 40)!r} is not valid for {field_label(name)}; {_RANGES[name]}."
            )
            return
        self.choose(name, value)

    def reset(self) -> None:
        """Take what the panel shows back to what `%config`, the config file and the environment say."""
        with self.lock:
            # As a fresh session would have them; configuration finds its section by the name of the class.
            fresh = type(type(self.settings).__name__, (Configurable, Settings), {})
            configured = fresh(config=self.settings.config)
            try:
                self._write({name: getattr(configured, name) for name in _SHOWN})
            except TraitError as error:
                self.tell(f"Not changed: {error}")
                return
            self.tell("Reset to %config and the environment.")

    def tell(self, message: str) -> None:
        """Say what was done, and have everything drawn again, also where nothing changed."""
        with self.lock:
            self.look = self._look()
            self.message = message
            self.revision += 1

    @property
    def system(self) -> str:
        """The system text of the session."""
        return str(self.look.target.system or "")

    @property
    def line(self) -> str:
        """The `%%claude` line with everything on it, the system text included."""
        return magic_line(own_options(self.look.target, emulated=self.look.emulated))

    def _write(self, values: dict[str, Any]) -> None:
        # Else our own change would be reported as one from outside.
        self._writing = True
        try:
            with self.settings.hold_trait_notifications():
                for name, value in values.items():
                    new = self.settings.trait_defaults(name) if value is None else value
                    setattr(self.settings, name, new)
        finally:
            self._writing = False

    def _changed_elsewhere(self, change: Change) -> None:
        with self.lock:
            if not self._writing:
                self.tell(f"Changed outside the panel: {field_label(str(change['name']))}.")

    def _look(self) -> PanelModel:
        settings = self.settings
        try:
            session = settings.session()
            return panel_model(
                session.target(), session.status.sightings, emulated=settings.emulator is not None
            )
        except ClaudeError as error:
            if self.look is None:
                raise
            # A setting that cannot be read must not take the panel away; cells refuse to ask with it.
            return replace(self.look, warning=str(error))


_RANGES = {"temperature": "give 0 to 1", "top_p": "give 0 to 1", "top_k": "enter a whole number, 0 or more"}


def _watched() -> list[str]:
    return [*Settings.class_trait_names(config=True), "emulator"]


def _change_text(name: str, value: Setting, dropped: tuple[str, ...], model_id: str) -> str:
    shown = f"set to {quote(str(value), 60)}" if is_set(value) else "reset to its default"
    if name == "system" and isinstance(value, str) and value:
        shown = f"set ({len(value):,} characters)"
    if name == "model" and value != model_id:
        shown += f" ({quote(model_id, 60)})"
    lowered = ", this model's maximum," if name in dropped else ""
    text = f"{field_label(name).capitalize()} {shown}{lowered} for this session."
    lost = ", ".join(field_label(each) for each in dropped if each != name)
    return f"{text} Removed, because the model does not support it: {lost}." if lost else text
