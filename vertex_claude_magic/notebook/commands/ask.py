"""One question from a cell or a line: parse, ask, draw while it comes, hand the reply over."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.notebook.options import ParsedLine, parse_cell_line, parse_prompt_line
from vertex_claude_magic.notebook.provenance import provenance
from vertex_claude_magic.settings.options import AskOptions, find_setting, merge
from vertex_claude_magic.vertex.endpoint import is_loopback

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.display.live import Answer
    from vertex_claude_magic.prompts.template import Scope
    from vertex_claude_magic.session.claude import Claude
    from vertex_claude_magic.session.stream import Stream
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Deliver", "Question", "ask_from_cell", "ask_from_line", "ask_prepared", "make_view", "wants_data"]

Deliver = Callable[["Reply"], "tuple[Reply, tuple[str, ...]]"]

# Options that say how the answer is shown, not what is asked.
_SHOWN = ("quiet", "dry_run", "help")
_IDLE = 0.25


def ask_from_cell(magics: Any, line: str, cell: str) -> Reply | None:
    """Run `%%claude`: the options stand on the line, the prompt is the body as it stands.

    Raises:
        ClaudeError: as `Claude.ask`; the variable that should hold the reply keeps its old value.
        ClaudeInterrupt: the variable holds the partial reply.
    """
    from vertex_claude_magic.notebook.tool_lines import Body, read_body

    parsed = parse_cell_line(line)
    text = cell.removesuffix("\n")
    body = Body(prompt=text) if parsed.options.get("literal") else read_body(text)
    if body.tool_lines and not body.prompt.strip() and "messages" not in parsed.options.get("set", {}):
        raise errors.OptionError(
            "The prompt is empty: the lines below the magic are for other tools.",
            cure="Write a question below them, or send them with --literal.",
        )
    return _run(magics, parsed, body.prompt, in_cell=magics.cells.is_one_question(), notes=body.notes)


def ask_from_line(magics: Any, line: str) -> Reply | None:
    """Run `%claude`: options, then the prompt; without a prompt, show the settings."""
    parsed = parse_prompt_line(line)
    if not parsed.prompt and not parsed.options.get("help"):
        from vertex_claude_magic.notebook.commands.settings import show_settings

        show_settings(magics, _asked(parsed))
        return None
    from vertex_claude_magic.notebook.tool_lines import unfilled_notes

    notes = unfilled_notes(parsed.prompt, magics.shell.user_ns)
    return _run(magics, parsed, parsed.prompt, in_cell=False, notes=notes)


def _run(
    magics: Any, parsed: ParsedLine, prompt: str, *, in_cell: bool, notes: tuple[str, ...] = ()
) -> Reply | None:
    if parsed.options.get("help"):
        from vertex_claude_magic.notebook.commands.help import show_help

        show_help(magics)
        return None
    deliver = None
    if parsed.options.get("format") == "code" or (magics.format == "code" and "format" not in parsed.options):
        from vertex_claude_magic.notebook.display.insert import deliver_code

        deliver = partial(deliver_code, magics)
    return ask_prepared(
        magics, parsed, prompt, scope=magics.scope(), deliver=deliver, in_cell=in_cell, notes=notes
    )


def ask_prepared(
    magics: Any,
    parsed: ParsedLine,
    prompt: str,
    *,
    scope: Scope,
    deliver: Deliver | None = None,
    in_cell: bool = False,
    notes: tuple[str, ...] = (),
) -> Reply | None:
    """Ask with the options of a line, and hand the reply over.

    Args:
        magics: The magics, for the session and the page.
        parsed: The line.
        prompt: The prompt, to the letter.
        scope: Where names are looked up.
        deliver: What is done with a whole answer before it is shown.
        in_cell: Whether the cell holds nothing but this question.
        notes: What to say below the answer about how the prompt was read.

    Raises:
        ClaudeError: as `Claude.ask`.
    """
    shown = {name: parsed.options.get(name, False) for name in _SHOWN}
    client = magics.client()
    options = merge(client.options, _asked(parsed))
    if shown["dry_run"]:
        from vertex_claude_magic.notebook.commands.dry_run import show_dry_run

        show_dry_run(magics, client, prompt, options, scope=scope, notes=notes)
        return None
    if not shown["quiet"]:
        _check_thread(magics)
    view = make_view(magics, options, in_cell=in_cell, quiet=shown["quiet"])
    question = Question(
        client,
        options,
        prompt,
        view,
        emulated=magics.emulator is not None,
        source=magics.cells.source if in_cell else None,
        scope=scope,
        deliver=deliver,
        remind=not shown["quiet"],
        notes=notes,
    )
    reply = _answer_into(magics.shell.user_ns, parsed.name, question)
    if magics.panel is not None:
        # It shows what was spent.
        magics.panel.draw()
    if not shown["quiet"] or magics.cells.ends_in_question():
        magics.pass_over(reply)
    return reply


def _answer_into(names: dict[str, Any], name: str | None, question: Question) -> Reply:
    """Ask, and put the reply under its name; the part of one that was stopped too."""
    try:
        reply = question.answer()
    except errors.ClaudeInterrupt as interrupt:
        if name and interrupt.reply is not None and interrupt.reply.blocks:
            names[name] = interrupt.reply
        raise
    if name:
        names[name] = reply
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


def wants_data(options: AskOptions) -> bool:
    """Tell whether the answer shall be data of a type (`--as`)."""
    return options.as_ is not None and not (isinstance(options.as_, str) and not options.as_)


def make_view(magics: Any, options: AskOptions, *, in_cell: bool, quiet: bool) -> Answer:
    """Return the view for an answer: data appear as a growing table, anything else as it comes."""
    from vertex_claude_magic.notebook.display.screens import make_answer

    typed = wants_data(options)
    view = make_answer(
        magics.shell,
        in_cell=in_cell,
        format="markdown" if typed else options.format or "markdown",
        show_thinking=options.show_thinking,
        quiet=quiet,
    )
    if typed:
        from vertex_claude_magic.notebook.display.table_answer import TableAnswer

        return TableAnswer(view)
    return view


class Question:
    """A question that is being asked, and the view that shows it.

    Args:
        client: The session that asks.
        options: Merged options.
        prompt: The prompt, to the letter.
        view: Where the answer is drawn, by the thread that calls `answer` and no other.
        emulated: Whether the demo's emulator answers.
        source: The source of the cell, if the question is all that it holds.
        scope: Where templates, attachments and types are looked up; without it braces are only braces.
        deliver: What is done with a whole answer; it returns what to show of it, and notes.
        stopped: Asked now and then; once it says yes, the answer ends as if it had been interrupted.
        remind: Whether to say, once a session, that the model is near its end.
        notes: What to say below the answer about how the prompt was read.
    """

    def __init__(
        self,
        client: Claude,
        options: AskOptions,
        prompt: str,
        view: Answer,
        *,
        emulated: bool,
        source: str | None = None,
        scope: Scope | None = None,
        deliver: Deliver | None = None,
        stopped: Callable[[], bool] = lambda: False,
        remind: bool = False,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._client = client
        self._options = options
        self._prompt = prompt
        self._view = view
        self._emulated = emulated
        self._source = source
        self._scope = scope
        self._typed = wants_data(options)
        self._deliver = deliver
        self._stopped = stopped
        self._remind = remind
        self._label = self._make_label()
        self._started = False
        # A replay that comes at once is drawn once, as what it will be.
        self._at_once = False
        self._stream: Stream | None = None
        self._remarks = list(notes)

    def answer(self) -> Reply:
        """Ask and draw; whatever happens, the page is left tidy.

        Raises:
            ClaudeError: as `Claude.ask`.
            ClaudeInterrupt: it was stopped; the partial reply is in `.reply`.
        """
        request: Request | None = None
        try:
            prepared = self._client.prepare(self._prompt, self._options, scope=self._scope, notify=self._wait)
            request = prepared.request
            if self._client.is_kept(request, self._options):
                self._label = f"⟲ replayed · {self._label}"
                self._at_once = find_setting("replay_pace", self._options).value == "instant"
            if "requests" not in sys.modules and not self._at_once:
                # The first question of a kernel loads the HTTP stack, which would hold the page up.
                self._start()
            self._check_stopped()
            reply = prepared.settle(self._ask(request), self._ask_again)
            self._finish(self._delivered(reply), request)
        except errors.ClaudeError as error:
            self._leave(error.reply, request)
            raise
        except KeyboardInterrupt:
            partial = _arrived(self._stream)
            try:
                self._leave(partial, request)
            except KeyboardInterrupt:
                # Whoever presses stop twice still wants to keep what there is.
                self._leave(partial, request)
            raise errors.ClaudeInterrupt(partial) from None
        return reply

    def _delivered(self, reply: Reply) -> Reply:
        if self._deliver is None:
            return reply
        shown, notes = self._deliver(reply)
        self._remarks += notes
        return shown

    def _ask(self, request: Request) -> Reply:
        with self._client.send(request, self._options, notify=self._wait) as self._stream:
            # The request is on its way, and the page is drawn while it travels.
            if not self._at_once:
                self._start()
            return self._follow(self._stream)

    def _ask_again(self, request: Request, why: str) -> Reply:
        self._remarks.append(f"The first answer {why}.")
        self._at_once = False
        self._start()
        self._view.again(self._remarks[-1])
        return self._ask(request)

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
        hold = self._options.no_stream or self._at_once
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
                elif self._typed and (partial := event.partial_json):
                    view.text(partial)
            if not stream.done:
                view.draw()
        return stream.partial()

    def _finish(self, reply: Reply, request: Request) -> None:
        self._view.finish(
            reply,
            notes=(
                *self._remarks,
                *self._cache_notes(request, reply),
                *self._lifecycle_notes(request),
                *_notes(request, reply, emulated=self._emulated),
                *self._spend_notes(request),
                *self._client.notices(self._options),
            ),
            metadata=provenance(reply, source=self._source),
        )

    def _cache_notes(self, request: Request, reply: Reply) -> list[str]:
        """Say that a mark had no effect; the service ignores what is too short without a word."""
        marked = self._options.cache and b'"cache_control"' in request.payload
        if not marked or reply.usage.cached or not reply.complete:
            return []
        row = self._client.catalog(self._options).find(request.model)
        least = row.min_cacheable_tokens if row is not None else None
        why = f": {request.model} caches from {least:,} tokens on" if least else ""
        return [f"The prompt was not cached{why}."]

    def _spend_notes(self, request: Request) -> list[str]:
        if not self._options.show_spend:
            return []
        from vertex_claude_magic.models.prices import usd_estimate

        local, keeping = is_loopback(request.url), self._client.keeping
        today = keeping.spent_today(self._options, local=local)
        return [
            f"Session {usd_estimate(keeping.tally.spent(local=local))} · today {usd_estimate(today)} (estimates)."
        ]

    def _lifecycle_notes(self, request: Request) -> list[str]:
        notice = self._client.lifecycle_notice(request, self._options) if self._remind else None
        return [notice] if notice else []

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
    if reply.replayed:
        notes += _RECORDED.get(reply.recorded_from or "", ())
    elif emulated:
        notes.append("Answered by the emulator, not by Claude; %claude_demo stop goes back.")
    elif is_loopback(request.url):
        notes.append("Answered by a server on this machine, not by Google (see base_url).")
    return tuple(notes)


_RECORDED = {
    "emulator": ("The emulator gave this answer, not Claude.",),
    "local": ("A server on a machine gave this answer, not Google.",),
}
