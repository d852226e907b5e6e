"""A short prompt, tried in the background with the settings of this moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import ClaudeError, ClaudeInterrupt
from vertex_claude_magic.notebook.display.asking import draw_answer
from vertex_claude_magic.notebook.panel.jobs import PanelJob

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.display.live import AnswerView
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["Trial"]


@dataclass(eq=False, repr=False)
class Trial(PanelJob):
    """A prompt that is asked with the options of this moment; a later change of settings does not touch it.

    Args:
        session: The session that asks.
        target: Its settings.
        prompt: The prompt.
        view: Where the answer is drawn, by the thread of this job only.
        scope: Where templates of the prompt are looked up.
        on_change: As for `PanelJob`.
    """

    session: Session
    target: Target
    prompt: str
    view: AnswerView
    scope: Scope = field(kw_only=True)
    reply: Reply | None = field(default=None, init=False)

    def work(self) -> None:
        """Ask and draw."""
        try:
            self.reply = draw_answer(
                self.session,
                self.prompt,
                self.target,
                self.view,
                scope=self.scope,
                stopped=self.stopping,
            )
        except (ClaudeError, ClaudeInterrupt) as ended:
            self.reply = ended.reply
            raise
