"""`%%claude` and `%claude`: read the line and the body, ask, and hand the reply over."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.notebook.cells import value_name
from vertex_claude_magic.notebook.display.asking import draw_answer
from vertex_claude_magic.notebook.options import ParsedLine, parse_cell_line, parse_prompt_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.notebook.display.asking import Deliver
    from vertex_claude_magic.notebook.display.live import AnswerView
    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["ask_from_cell", "ask_from_line", "ask_prepared"]


def ask_from_cell(host: Host, line: str, cell: str) -> Reply | None:
    """Run `%%claude`: the options are on the line, the prompt is the body to the letter.

    Raises:
        ClaudeError: as `Claude.ask`; the variable that should hold the reply keeps its old value.
        AnswerInvalid: the variable holds the reply as it came, without data.
        ClaudeInterrupt: the variable holds the partial reply.
    """
    from vertex_claude_magic.notebook.tool_lines import read_body

    parsed = parse_cell_line(line, one_line="" if cell.strip() else "%claude")
    if parsed.shows("help"):
        return _run(host, parsed, parsed.prompt, in_cell=False)
    body = read_body(cell.removesuffix("\n"), literal="literal" in parsed.options)
    asks_something = parsed.options.get("prompt") or "messages" in parsed.options.get("set", {})
    if body.tool_lines and not body.prompt.strip() and not asks_something:
        raise errors.OptionError(
            "The prompt is empty: the lines below the magic are for other tools.",
            cure="Write a question below them, or send them with --literal.",
        )
    return _run(host, parsed, body.prompt, in_cell=host.cells.is_one_question(), notes=body.notes)


def ask_from_line(host: Host, line: str) -> Reply | None:
    """Run `%claude`: options, then the prompt; without a prompt, show the settings."""
    parsed = parse_prompt_line(line)
    if not parsed.prompt and not parsed.shows("help") and "prompt" not in parsed.options:
        from vertex_claude_magic.notebook.commands.settings import show_settings

        show_settings(host, parsed.asked)
        return None
    from vertex_claude_magic.notebook.tool_lines import unfilled_notes

    notes = unfilled_notes(parsed.prompt, host.shell.user_ns)
    return _run(host, parsed, parsed.prompt, in_cell=False, notes=notes)


def _run(
    host: Host, parsed: ParsedLine, prompt: str, *, in_cell: bool, notes: tuple[str, ...] = ()
) -> Reply | None:
    if parsed.shows("help"):
        from vertex_claude_magic.notebook.commands.help import show_help

        show_help(host, whole=prompt.strip() == "all")
        return None
    deliver, scope, saved = None, host.scope(), dict[str, Any]()
    if "prompt" in parsed.options or "with_" in parsed.options:
        from vertex_claude_magic.notebook.saved_prompts import load_prompt

        prompt, scope, saved = load_prompt(parsed.options, prompt, scope)
    as_data = parsed.options.get("as_") or saved.get("as_")
    if parsed.options.get("format", saved.get("format", host.format)) == "code" and not as_data:
        from vertex_claude_magic.notebook.display.insert import deliver_code

        deliver = partial(deliver_code, host)
    return ask_prepared(
        host, parsed, prompt, scope=scope, deliver=deliver, in_cell=in_cell, notes=notes, saved=saved
    )


def ask_prepared(
    host: Host,
    parsed: ParsedLine,
    prompt: str,
    *,
    scope: Scope,
    deliver: Deliver | None = None,
    in_cell: bool = False,
    notes: tuple[str, ...] = (),
    saved: Mapping[str, Any] | None = None,
) -> Reply | None:
    """Ask with the options of a line, and hand the reply over.

    Args:
        host: The magics, for the session and the page.
        parsed: The line.
        prompt: The prompt, to the letter.
        scope: Where names are looked up.
        deliver: What is done with a whole answer before it is shown.
        in_cell: Whether the cell holds nothing but this question.
        notes: What to say below the answer about how the prompt was read.
        saved: The options of a saved prompt; None where the command reads none.

    Raises:
        ClaudeError: as `Claude.ask`.
    """
    session = host.session()
    asked = parsed.asked
    asks: str | list[Any] = prompt
    if (count := asked.pop("context", None)) is not None:
        from vertex_claude_magic.notebook.context import with_context

        tokens = session.target(asked, saved=saved).context_tokens
        asks, more = with_context(host, prompt, count, tokens)
        notes = (*notes, *more)
    target = session.target(asked, saved=saved)
    if parsed.shows("dry_run"):
        from vertex_claude_magic.notebook.commands.dry_run import show_dry_run

        show_dry_run(host, session, asks, target, scope=scope, notes=notes)
        return None
    quiet = parsed.shows("quiet")
    if not quiet:
        host.cells.check_may_draw("%%claude", "Claude().ask(prompt)")
    names, name = host.shell.user_ns, parsed.name
    outputs = None
    # A conversation may bring tools along. In a thread of the user's own, what is printed may be another one's.
    if (target.tools or target.chat) and host.cells.may_draw():
        from vertex_claude_magic.notebook.display.tool_calls import CallOutputs

        outputs = CallOutputs(host.shell.display_pub)
    try:
        reply = draw_answer(
            session,
            asks,
            target,
            _make_view(host, target, in_cell=in_cell, quiet=quiet, name=name),
            scope=scope,
            source=host.cells.source if in_cell else None,
            deliver=deliver,
            quiet=quiet,
            notes=notes,
            outputs=outputs,
        )
    except (errors.AnswerInvalid, errors.ClaudeInterrupt) as error:
        # What came was paid for, and a cell has no hold of the error.
        if name and error.reply is not None and error.reply.blocks:
            names[name] = error.reply
            if type(error) is errors.AnswerInvalid:
                from vertex_claude_magic.answers.repair import raw_text_cure

                error.cure = raw_text_cure(f"{name}.text")
        raise
    finally:
        if outputs is not None and not quiet:
            outputs.show()
    if name:
        names[name] = reply
    if host.panel is not None:
        host.panel.answered(reply)
    if not quiet or host.cells.ends_in_question():
        host.pass_over(reply)
    return reply


def _make_view(host: Host, target: Target, *, in_cell: bool, quiet: bool, name: str | None) -> AnswerView:
    """Return the view for an answer: data appear as a growing table, anything else as it comes."""
    from vertex_claude_magic.notebook.display.screens import make_answer

    typed = target.wants_data
    view = make_answer(
        host.shell,
        in_cell=in_cell,
        format="markdown" if typed else target.format,
        show_thinking=target.show_thinking,
        quiet=quiet,
        # The value of a cell that only asks is what its magic returns.
        kept_in=name or (value_name(host.shell) if in_cell else ""),
    )
    if typed:
        from vertex_claude_magic.notebook.display.table_answer import TableAnswer

        return TableAnswer(view)
    return view
