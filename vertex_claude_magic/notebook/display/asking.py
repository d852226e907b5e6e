"""Drawing an exchange: the loop that a cell and the panel share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from itertools import groupby
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.notebook.display.footer import Repeated
from vertex_claude_magic.records.provenance import provenance
from vertex_claude_magic.session.exchange import ROUND, TOOL_CALL, TOOL_RESULT, Exchange

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.display.live import AnswerView
    from vertex_claude_magic.notebook.display.tool_calls import CallOutputs
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.events import Event
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["Deliver", "draw_answer"]

Deliver = Callable[["Reply"], "tuple[Reply, tuple[str, ...]]"]

# What happens between the requests of a question.
_STEPS = frozenset({ROUND, TOOL_CALL, TOOL_RESULT})
# How long (seconds) to wait for an event where nothing is due to be drawn.
_IDLE = 0.25


def draw_answer(
    session: Session,
    prompt: str | Sequence[Any],
    target: Target,
    view: AnswerView,
    *,
    scope: Scope | None = None,
    source: str | None = None,
    deliver: Deliver | None = None,
    stopped: Callable[[], bool] | None = None,
    quiet: bool = False,
    notes: Sequence[str] = (),
    outputs: CallOutputs | None = None,
) -> Reply:
    """Ask, and draw the answer while it comes; whatever happens, the page is left tidy.

    Args:
        session: The session that asks.
        prompt: The prompt, to the letter.
        target: Where it goes and how.
        view: Where the answer is drawn, by the calling thread and no other.
        scope: Where templates, attachments and types are looked up; without it braces are only braces.
        source: The source of the cell, if the question is all that it holds.
        deliver: What is done with a whole answer; it returns what to show of it, and notes.
        stopped: Asked now and then; once it says yes, the answer ends as if it had been interrupted.
        quiet: Leave the notices to a question that shows them.
        notes: What to say below the answer about how the prompt was read.
        outputs: Takes what functions print and display while the answer is drawn.

    Raises:
        ClaudeError: as `Claude.ask`.
        ClaudeInterrupt: it was stopped; the partial reply is in `.reply`.
    """
    drawing = _Drawing(target, view, stopped, outputs)
    exchange: Exchange | None = None

    def finish(reply: Reply, more: Sequence[str] = ()) -> None:
        notices = exchange.notices() if exchange is not None and not quiet else ()
        first = session.status.first_time
        view.finish(
            reply,
            notes=(
                *notes,
                *more,
                # What concerns this very answer is always in sight; what the table says of a model was read the first
                # time.
                *[
                    Repeated(notice.text)
                    if notice.kind == "model" and not first(notice.text)
                    else notice.text
                    for notice in notices
                ],
            ),
            metadata=provenance(reply, source=source),
        )

    def leave(partial: Reply | None) -> None:
        if partial is not None and partial.blocks and exchange is not None:
            finish(partial)
        elif drawing.started:
            view.abandon()

    try:
        if target.is_standalone:
            exchange = Exchange(session, prompt, target, scope=scope, notify=drawing.wait)
        else:
            from vertex_claude_magic.chats.opening import open_exchange

            around = outputs.capture if outputs is not None else nullcontext
            exchange = open_exchange(
                session, prompt, target, scope=scope, notify=drawing.wait, around=around, ask=drawing.ask
            )
        reply = drawing.follow(exchange)
        shown, more = deliver(reply) if deliver is not None else (reply, ())
        finish(shown, more)
    except errors.ClaudeError as error:
        leave(error.reply)
        raise
    except KeyboardInterrupt:
        partial = exchange.partial() if exchange is not None else None
        partial = partial if partial is not None and partial.blocks else None
        try:
            leave(partial)
        except KeyboardInterrupt:
            # Pressed twice: what there is is shown all the same.
            leave(partial)
        raise errors.ClaudeInterrupt(partial) from None
    return reply


class _Drawing:
    """The view of one exchange while its events come."""

    def __init__(
        self,
        target: Target,
        view: AnswerView,
        stopped: Callable[[], bool] | None,
        outputs: CallOutputs | None,
    ) -> None:
        self.started = False
        self._target = target
        self._view = view
        self._stopped = stopped
        self._outputs = outputs
        self._label = f"{target.model_id} · {target.region}"

    def start(self) -> None:
        if not self.started:
            self.started = True
            self._view.start(self._label)

    def wait(self, reason: str) -> None:
        """Show what is being waited for; what follows may block, so it is drawn now."""
        self._check_stopped()
        self.start()
        self._view.status(reason)
        self._view.draw()

    def follow(self, exchange: Exchange) -> Reply:
        """Send the question, and draw its events until it is settled."""
        view = self._view
        # A replay that comes at once is drawn once, as what it will be.
        at_once = exchange.replayed and self._target.replay_pace == "instant"
        held: list[Event] = []
        if exchange.replayed:
            self._label = f"⟲ replayed · {self._label}"
        if "requests" not in sys.modules and not at_once:
            # The first question of a kernel loads the HTTP stack, which would hold the page up.
            self.start()
        self._check_stopped()
        with exchange:
            exchange.start(blocks_at_once=at_once)
            # The request is on its way, and the page is drawn while it travels.
            if not at_once:
                self.start()
            while not exchange.done:
                self._check_stopped()
                due = view.due_in()
                events = exchange.wait(_IDLE if due is None else min(due, _IDLE))
                for event in events:
                    if event.type == TOOL_RESULT and self._outputs is not None:
                        self._outputs.take(event.data["call"])
                if at_once:
                    held += events
                    kinds = {event.type for event in events}
                    if TOOL_CALL not in kinds and (ROUND not in kinds or exchange.replayed):
                        continue
                    # Not all of it is recorded: what follows takes its time.
                    at_once, events = False, held
                    self.start()
                # Of the exchange, because a turn may take tools and --confirm from the one before.
                self._take(events, confirm=bool(exchange.target.confirm))
                if self.started and not exchange.done:
                    view.draw()
            return exchange.reply

    def _take(self, events: Sequence[Event], *, confirm: bool) -> None:
        """Hand the view what events say, in their order; pieces of a kind that came together go as one."""
        view, streams = self._view, not self._target.no_stream
        for kind, group in groupby(events, lambda event: event.piece[0] or event.type):
            together = list(group)
            text = "".join([event.piece[1] for event in together])
            if streams and (kind == "text_delta" or (kind == "input_json_delta" and self._target.wants_data)):
                view.text(text)
            elif streams and kind == "thinking_delta":
                view.thinking(text)
            for event in together if kind in _STEPS else ():
                if kind == TOOL_CALL and not confirm:
                    self._announce(event.data["call"].name, event.data["call"].arguments)
                elif kind == ROUND and event.data["replaces"]:
                    view.between(f"The first answer {event.data['reason']}.")
                elif kind == TOOL_RESULT and streams:
                    view.called(event.data["call"])
                elif kind == TOOL_RESULT:
                    # The answer is shown once, with its calls.
                    view.status("")

    def ask(self, name: str, arguments: Mapping[str, Any]) -> bool | str:
        """Ask whether a call may run (a `Confirm`), and say that it does."""
        from vertex_claude_magic.chats.tools.chosen import ask_on_the_line

        allowed = ask_on_the_line(name, arguments, self._view.asks)
        if allowed is True:
            self._announce(name, arguments)
        return allowed

    def _announce(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Show which function runs; it may take long, so it is drawn now."""
        from vertex_claude_magic.chats.tools.wording import call_text

        call = call_text(name, arguments)
        if self._target.no_stream:
            self._view.status(f"Running {call}")
        else:
            self._view.runs(call)
        self._view.draw()

    def _check_stopped(self) -> None:
        if self._stopped is not None and self._stopped():
            raise errors.ClaudeInterrupt
