"""What the panel does beside showing settings: it tries a prompt and counts what one would cost.

Both go on in threads of their own, so that a cell that runs neither holds them up nor is held up.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from traitlets import HasTraits, Int, Unicode

from vertex_claude_magic.errors import ClaudeError, OptionError
from vertex_claude_magic.notebook.panel.health_actions import PanelHealth

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.notebook.panel.counting import Counting
    from vertex_claude_magic.notebook.panel.jobs import PanelJob
    from vertex_claude_magic.notebook.panel.model import PanelModel
    from vertex_claude_magic.notebook.panel.output import StaticOutput
    from vertex_claude_magic.notebook.panel.state import PanelState
    from vertex_claude_magic.notebook.panel.trial import Trial

__all__ = ["PanelActions"]

_FIRST_PROMPT = "Say hello in one sentence, and name the model that you are."


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What was counted: the panel's look at that time, the ids, and where the text came from."""

    look: PanelModel
    models: tuple[str, ...]
    source: str


class PanelActions(HasTraits):  # type: ignore[misc]
    """The try and the count of one panel; `revision` grows whenever something is to be drawn again.

    Prompts stay in this object: no trait and no widget holds one. `prompt_tokens` is the length of the last prompt that
    was answered, in a cell or here, and 0 before the first; models count differently, so it is an estimate for others.

    Args:
        host: The object that holds settings, shell and client.
        state: The panel's state.
        output: Where the answer streams.
    """

    revision: int = Int(0)
    trial_note: str = Unicode("")
    count_note: str = Unicode("")

    def __init__(self, host: Host, state: PanelState, output: StaticOutput) -> None:
        super().__init__()
        self._host = host
        self._state = state
        self._output = output
        self._prompt = ""
        self._trial: Trial | None = None
        self._counting: Counting | None = None
        self._counted: _Asked | None = None
        self.prompt_tokens = 0
        self.health = PanelHealth(host, state, self._note)

    def close(self) -> None:
        """Stop what runs."""
        self.stop_trial()
        self.stop_count()
        self.health.close()

    @property
    def trying(self) -> bool:
        """Whether an answer is on its way."""
        return self._trial is not None and self._trial.running

    @property
    def counting(self) -> bool:
        """Whether tokens are being counted."""
        return self._counting is not None and self._counting.running

    @property
    def next_prompt(self) -> str:
        """What an empty field would send, in words; never the prompt itself."""
        return (
            f"Empty: your last prompt again ({len(self._prompt):,} characters)"
            if self._prompt
            else _FIRST_PROMPT
        )

    def try_prompt(self, typed: str) -> bool:
        """Ask in the background with the present settings; an empty text asks the last prompt again.

        Returns:
            Whether it was asked; if not, `trial_note` says why.
        """
        # Here and below: what only a button needs is not imported when the panel opens.
        from vertex_claude_magic.notebook.display.frontends import front_end
        from vertex_claude_magic.notebook.display.live import LiveAnswer
        from vertex_claude_magic.notebook.panel.trial import Trial

        host, prompt = self._host, typed.strip() or self._prompt or _FIRST_PROMPT
        try:
            if self.trying:
                raise OptionError("An answer is still streaming.", cure="Stop it first.")
            session = host.session()
            target = session.target()
            view = LiveAnswer(
                self._output,
                clock=time.monotonic,
                in_cell=False,
                show_thinking=target.show_thinking,
                # Not `updates`: a button's callback sends no cell id, but the panel draws into an output of its own.
                live=front_end(host.shell).name != "spyder",
            )
            self._trial = Trial(
                session,
                target,
                prompt,
                view,
                scope=host.scope(),
                on_change=self._trial_changed,
            )
        except ClaudeError as error:
            self._note(trial_note=str(error))
            return False
        # Only now: a prompt that could not be asked is still in its field.
        self._prompt = prompt
        self._trial.start()
        return True

    def stop_trial(self) -> None:
        """Stop the answer; what has arrived remains."""
        if self._trial is not None:
            self._trial.stop()

    def count(self, typed: str) -> bool:
        """Count the tokens of a prompt, a variable or a cell for every model that the region serves.

        Returns:
            Whether counting began; if not, `count_note` says why.
        """
        from vertex_claude_magic.notebook.panel.counting import Counting, countable
        from vertex_claude_magic.notebook.panel.prompts import find_prompt

        host, look = self._host, self._state.look
        try:
            if self.counting:
                raise OptionError("Tokens are being counted.", cure="Stop that first.")
            found = find_prompt(typed, host.shell.user_ns, host.shell.history_manager.input_hist_raw)
            session = host.session()
            target = session.target()
        except ClaudeError as error:
            self._note(count_note=str(error))
            return False
        models = countable(look.catalog, look.region, look.model_id)
        self._counted = _Asked(
            look=look, models=models, source=f"Counted: {found.origin}, {len(found.text):,} characters"
        )
        self._counting = Counting(
            session, target, found.text, models, scope=host.scope(), on_change=self._counting_changed
        )
        self._counting.start()
        return True

    def stop_count(self) -> None:
        """Stop counting; what has been counted stays."""
        if self._counting is not None:
            self._counting.stop()

    def price_table(self) -> str:
        """Return what was counted last as HTML, the model first that was chosen then; empty before the first count."""
        if self._counted is None or self._counting is None:
            return ""
        from vertex_claude_magic.notebook.panel.tabs.tables import price_row, price_table

        look, counts = self._counted.look, self._counting.counts
        rows = []
        for model in self._counted.models:
            count = counts.get(model)
            tokens, exact = (count.tokens, count.exact) if count else (None, True)
            rows.append(
                price_row(look.catalog, model, look.region, tokens, exact=exact, max_tokens=look.max_tokens)
            )
        return price_table(rows, location=look.region, chosen=look.model_id)

    def _trial_changed(self, trial: PanelJob) -> None:
        from vertex_claude_magic.notebook.panel.trial import Trial

        if isinstance(trial, Trial) and trial.reply is not None:
            self.prompt_tokens = trial.reply.usage.total_input_tokens
        notes = {
            "running": "The answer appears below …",
            "done": "Done: the answer is below the panel.",
            # Whether some of an answer is below is not known yet; there it is marked as partial.
            "stopped": "Stopped.",
            "failed": str(trial.error),
        }
        self._note(trial_note=notes[trial.state])

    def _counting_changed(self, counting: PanelJob) -> None:
        from vertex_claude_magic.notebook.panel.counting import Counting

        asked = self._counted
        if asked is None or not isinstance(counting, Counting):
            return
        progress = f"{len(counting.counts)} of {len(asked.models)} models counted."
        self._note(count_note=str(counting.error) if counting.error else f"{asked.source}. {progress}")

    def _note(self, **notes: str) -> None:
        # Under the state's lock, because the panel draws from it.
        with self._state.lock:
            for name, text in notes.items():
                setattr(self, name, text)
            self.revision += 1
