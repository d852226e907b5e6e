"""A short prompt, tried in the background with the settings of this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.errors import ClaudeError, ClaudeInterrupt
from vertex_claude_magic.notebook.commands.ask import Question
from vertex_claude_magic.notebook.panel.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.notebook.display.live import Answer
    from vertex_claude_magic.prompts.template import Scope
    from vertex_claude_magic.session.claude import Claude
    from vertex_claude_magic.settings.options import AskOptions
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["Trial"]


class Trial(Job):
    """A prompt that is asked with the options of this moment; a later change of settings does not touch it.

    Args:
        client: The session that asks.
        options: Its options, merged.
        prompt: The prompt.
        view: Where the answer is drawn, by the thread of this job only.
        emulated: Whether the demo's emulator answers.
        scope: Where templates of the prompt are looked up.
        on_change: As for `Job`.
    """

    def __init__(
        self,
        client: Claude,
        options: AskOptions,
        prompt: str,
        view: Answer,
        *,
        emulated: bool,
        scope: Scope,
        on_change: Callable[[Job], None],
    ) -> None:
        super().__init__(on_change)
        self.reply: Reply | None = None
        self._question = Question(
            client, options, prompt, view, emulated=emulated, scope=scope, stopped=self.stopping
        )

    def work(self) -> None:
        """Ask and draw."""
        try:
            self.reply = self._question.answer()
        except (ClaudeError, ClaudeInterrupt) as ended:
            self.reply = ended.reply
            raise
