"""A short prompt, tried in the background with the settings of this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.errors import ClaudeError, ClaudeInterrupt
from vertex_claude_magic.notebook.display.asking import draw_answer
from vertex_claude_magic.notebook.panel.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.notebook.display.live import Answer
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["Trial"]


class Trial(Job):
    """A prompt that is asked with the options of this moment; a later change of settings does not touch it.

    Args:
        session: The session that asks.
        target: Its settings.
        prompt: The prompt.
        view: Where the answer is drawn, by the thread of this job only.
        scope: Where templates of the prompt are looked up.
        on_change: As for `Job`.
    """

    def __init__(
        self,
        session: Session,
        target: Target,
        prompt: str,
        view: Answer,
        *,
        scope: Scope,
        on_change: Callable[[Job], None],
    ) -> None:
        super().__init__(on_change)
        self.reply: Reply | None = None
        self._session = session
        self._target = target
        self._prompt = prompt
        self._view = view
        self._scope = scope

    def work(self) -> None:
        """Ask and draw."""
        try:
            self.reply = draw_answer(
                self._session,
                self._prompt,
                self._target,
                self._view,
                scope=self._scope,
                stopped=self.stopping,
            )
        except (ClaudeError, ClaudeInterrupt) as ended:
            self.reply = ended.reply
            raise
