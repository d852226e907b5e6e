"""The input tokens of one prompt for several models, counted by the service, free of charge.

Models count differently, so each is asked. The prompt goes to the chosen location and to no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vertex_claude_magic.notebook.panel.jobs import PanelJob
from vertex_claude_magic.settings.registry import EMPTY
from vertex_claude_magic.vertex.request import RequestOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target

__all__ = ["Count", "Counting", "countable"]

# What is asked for beside the prompt: it may not fit every model, and but for the system text it counts nothing.
_LEFT_OUT = {
    name: EMPTY[name]
    for name in (*RequestOptions._fields, "attach", "as_", "cache", "prompt_tokens")
    if name != "system"
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """Input tokens; an upper bound where `exact` is False."""

    tokens: int
    exact: bool


def countable(catalog: Catalog, location: str, chosen: str) -> tuple[str, ...]:
    """Return the models to compare: the chosen one, then the active ones that the location serves, newest first.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> countable(Catalog.load(), "us-east5", "claude-opus-4-6")[:2]
    ('claude-opus-4-6', 'claude-sonnet-4-6')
    """
    served = [row for row in catalog.models if row.lifecycle == "active" and row.served_in(location)]
    served.sort(key=lambda row: row.released or "", reverse=True)
    return tuple(dict.fromkeys((chosen, *(row.id for row in served))))


@dataclass(eq=False, repr=False)
class Counting(PanelJob):
    """Counts one model after the other; `counts` has the counts so far, by model id.

    Args:
        session: The session that asks.
        target: Its settings.
        prompt: The prompt.
        models: Model ids.
        scope: Where templates of the prompt are looked up.
        on_change: As for `PanelJob`; also called after each model.
    """

    session: Session
    target: Target
    prompt: str
    models: Sequence[str]
    scope: Scope = field(kw_only=True)
    counts: Mapping[str, Count] = field(default_factory=dict, init=False)

    def work(self) -> None:
        """Count."""
        for model in self.models:
            # A count that is under way cannot be cut short; the next one is not begun.
            if self.stopping():
                return
            target = self.target.replace(**{**_LEFT_OUT, "model": model})
            request = self.session.request(self.prompt, target, scope=self.scope)
            tokens, exact = self.session.count_or_bound(request, target)
            # A new mapping each time, because other threads read it.
            self.counts = {**self.counts, model: Count(tokens=tokens, exact=exact)}
            self.changed()
