"""One question from a cell or a line: parse, ask, draw while it comes, hand the reply over."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.notebook.options import ParsedLine, parse_cell_line, parse_prompt_line
from vertex_claude_magic.session.options import AskOptions, find_setting, merge
from vertex_claude_magic.vertex.endpoint import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vertex_claude_magic.notebook.live import Answer
    from vertex_claude_magic.session.claude import Claude
    from vertex_claude_magic.session.stream import Stream
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Question", "ask_from_cell", "ask_from_line"]

# Options that say how the answer is shown, not what is asked.
_SHOWN = ("quiet", "dry_run", "help")
_IDLE = 0.25


def ask_from_cell(magics: Any, line: str, cell: str) -> Reply | None:
    """Run `%%claude`: the options stand on the line, the prompt is the body as it stands.

    Raises:
        ClaudeError: as `Claude.ask`; the variable that should hold the reply keeps its old value.
        ClaudeInterrupt: the variable holds the partial reply.
    """
    parsed = parse_cell_line(line)
    return _run(magics, parsed, cell.removesuffix("\n"), in_cell=magics.cells.is_one_question())


def ask_from_line(magics: Any, line: str) -> Reply | None:
    """Run `%claude`: options, then the prompt; without a prompt, show the settings."""
    parsed = parse_prompt_line(line)
    if not parsed.prompt and not parsed.options.get("help"):
        from vertex_claude_magic.notebook.listing import show_settings

        show_settings(magics, _asked(parsed))
        return None
    return _run(magics, parsed, parsed.prompt, in_cell=False)


def _run(magics: Any, parsed: ParsedLine, prompt: str, *, in_cell: bool) -> Reply | None:
    shown = {name: parsed.options.get(name, False) for name in _SHOWN}
    if shown["help"]:
        from vertex_claude_magic.notebook.listing import show_help

        show_help(magics)
        return None
    client = magics.client()
    options = merge(client.options, _asked(parsed))
    if shown["dry_run"]:
        from vertex_claude_magic.notebook.dry_run import show_dry_run

        show_dry_run(magics, client, prompt, options)
        return None
    if not shown["quiet"]:
        _check_thread(magics)
    view = _view(magics, options, in_cell=in_cell, quiet=shown["quiet"])
    question = Question(client, options, prompt, view, emulated=magics.emulator is not None)
    try:
        reply = question.answer()
    except errors.ClaudeInterrupt as interrupt:
        if parsed.name and interrupt.reply is not None and interrupt.reply.blocks:
            magics.shell.user_ns[parsed.name] = interrupt.reply
        raise
    if parsed.name:
        magics.shell.user_ns[parsed.name] = reply
    if not shown["quiet"] or magics.cells.ends_in_question():
        magics.pass_over(reply)
    return reply


def _asked(parsed: ParsedLine) -> dict[str, Any]:
    return {name: value for name, value in parsed.options.items() if name not in _SHOWN}


def _check_thread(magics: Any) -> None:
    """Refuse to draw from a thread of the user's own: what it draws would land in whichever cell runs by then."""
    if not magics.cells.may_draw():
        raise errors.OptionError(
            "This thread runs no cell, so its answer would appear in the wrong place.",
            cure="In threads use --quiet, or Claude().ask(prompt) of vertex_claude_magic.",
        )


def _view(magics: Any, options: AskOptions, *, in_cell: bool, quiet: bool) -> Answer:
    from vertex_claude_magic.notebook.screens import make_answer

    return make_answer(
        magics.shell,
        in_cell=in_cell,
        format=options.format or "markdown",
        show_thinking=options.show_thinking,
        quiet=quiet,
    )


class Question:
    """A question that is being asked, and the view that shows it.

    Args:
        client: The session that asks.
        options: Merged options.
        prompt: The prompt, to the letter.
        view: Where the answer is drawn, by the thread that calls `answer` and no other.
        emulated: Whether the demo's emulator answers.
        stopped: Asked now and then; once it says yes, the answer ends as if it had been interrupted.
    """

    def __init__(
        self,
        client: Claude,
        options: AskOptions,
        prompt: str,
        view: Answer,
        *,
        emulated: bool,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client = client
        self._options = options
        self._prompt = prompt
        self._view = view
        self._emulated = emulated
        self._stopped = stopped
        self._label = self._make_label()
        self._started = False

    def answer(self) -> Reply:
        """Ask and draw; whatever happens, the page is left tidy.

        Raises:
            ClaudeError: as `Claude.ask`.
            ClaudeInterrupt: it was stopped; the partial reply is in `.reply`.
        """
        request: Request | None = None
        stream: Stream | None = None
        try:
            request = self._client.build(self._prompt, self._options, notify=self._wait)
            if "requests" not in sys.modules:
                # The first question of a kernel loads the HTTP stack, which would hold the page up.
                self._start()
            self._check_stopped()
            with self._client.send(request, self._options, notify=self._wait) as stream:
                # Later ones are sent first, and the page is drawn while the request travels.
                self._start()
                return self._finish(self._follow(stream), request)
        except errors.ClaudeError as error:
            self._leave(error.reply, request)
            raise
        except KeyboardInterrupt:
            partial = _arrived(stream)
            try:
                self._leave(partial, request)
            except KeyboardInterrupt:
                # Whoever presses stop twice still wants to keep what there is.
                self._leave(partial, request)
            raise errors.ClaudeInterrupt(partial) from None

    def _make_label(self) -> str:
        region = str(find_setting("region", self._options).value)
        name = str(find_setting("model", self._options).value)
        model = self._client.catalog(self._options).resolve(name, region)
        return f"{model} · {region}"

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._view.start(self._label)

    def _wait(self, reason: str) -> None:
        self._check_stopped()
        self._start()
        self._view.status(reason)
        # What follows may block, so it is drawn now.
        self._view.draw()

    def _check_stopped(self) -> None:
        if self._stopped():
            raise errors.ClaudeInterrupt

    def _follow(self, stream: Stream) -> Reply:
        view = self._view
        hold = self._options.no_stream
        while not stream.done:
            self._check_stopped()
            due = view.due_in()
            for event in stream.wait(_IDLE if due is None else min(due, _IDLE)):
                if hold:
                    continue
                if text := event.text:
                    view.text(text)
                elif thinking := event.thinking:
                    view.thinking(thinking)
            if not stream.done:
                view.draw()
        return stream.partial()

    def _finish(self, reply: Reply, request: Request) -> Reply:
        self._view.finish(
            reply,
            notes=_notes(request, reply, emulated=self._emulated),
            metadata=_metadata(request, reply, emulated=self._emulated),
        )
        return reply

    def _leave(self, partial: Reply | None, request: Request | None) -> None:
        if partial is not None and partial.blocks and request is not None:
            self._finish(partial, request)
        elif self._started:
            self._view.abandon()


def _arrived(stream: Stream | None) -> Reply | None:
    partial = stream.partial() if stream is not None else None
    return partial if partial is not None and partial.blocks else None


def _notes(request: Request, reply: Reply, *, emulated: bool) -> tuple[str, ...]:
    notes = list(request.notices)
    unknown = sorted({str(data.get("type")) for data in reply.other_events})
    if unknown:
        notes.append(f"The answer also held events of kinds unknown here: {', '.join(unknown)}.")
    if emulated:
        notes.append("Answered by the emulator, not by Claude; %claude_demo stop goes back.")
    elif is_loopback(request.url):
        notes.append("Answered by a server on this machine, not by Google (see base_url).")
    return tuple(notes)


def _metadata(request: Request, reply: Reply, *, emulated: bool) -> Mapping[str, Any]:
    return {
        "model": reply.model,
        "requested_model": request.model,
        "region": reply.region,
        "usage": dict(reply.usage.raw),
        "cost_usd": reply.cost,
        "seconds": round(reply.seconds, 3),
        "stop_reason": reply.stop_reason,
        "complete": reply.complete,
        "message_id": reply.message_id,
        "request_id": reply.request_id,
        "prompt_hash": request.digest,
        "emulated": emulated,
    }
