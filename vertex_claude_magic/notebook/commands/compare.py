"""`%%claude_compare`: one prompt, several columns; the list of replies goes into the variable."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.classroom.compare import (
    ColumnQuestion,
    Comparison,
    Replies,
    can_vary,
    check_varied,
    variants,
)
from vertex_claude_magic.errors import ClaudeInterrupt, OptionError
from vertex_claude_magic.notebook.cells import value_name
from vertex_claude_magic.notebook.commands.help import show_help
from vertex_claude_magic.notebook.commands.options import COMMANDS
from vertex_claude_magic.notebook.display.columns import ColumnsView
from vertex_claude_magic.notebook.options import parse_cell_line, parse_prompt_line, read_value
from vertex_claude_magic.settings.registry import OPTIONS, by_name, keyword_of
from vertex_claude_magic.spelling import option
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.notebook.options import ParsedLine
    from vertex_claude_magic.settings.target import Target

__all__ = ["compare_from_line", "read_varied"]

# A list of numbers is none, and its cure is the option that compares them.
_ONE_NUMBER = by_name(
    [
        row._replace(wanted=f"{row.wanted or 'one number'}; --vary {row.long[2:]}=A,B compares several")
        for row in OPTIONS.values()
        if row.kind in {"number", "integer"} and can_vary(row)
    ]
)


def compare_from_line(host: Host, line: str, cell: str | None) -> Replies | None:
    """Run `%%claude_compare [NAME] -m a,b [--vary OPTION=a,b] [options]`, or `%claude_compare` with the prompt behind.

    Raises:
        OptionError: an option cannot be compared, or is none of a comparison, or a column cannot be asked.
        ClaudeError: every column failed.
        ClaudeInterrupt: the user stopped it; the variable holds what had arrived.
    """
    known = {**COMMANDS["claude_compare"].by_name, **_ONE_NUMBER}
    if cell is None:
        parsed = parse_prompt_line(line, known)
        prompt, notes = parsed.prompt, tuple[str, ...]()
    else:
        from vertex_claude_magic.notebook.tool_lines import read_body

        parsed = parse_cell_line(line, known, one_line="" if cell.strip() else "%claude_compare")
        body = read_body(cell.removesuffix("\n"), literal="literal" in parsed.options)
        prompt, notes = body.prompt, body.notes
    if parsed.shows("help"):
        show_help(host, "claude_compare")
        return None
    for name in COMMANDS["claude_compare"].refuses:
        if name in parsed.options:
            check_varied(name)
    session = host.session()
    asked, cut = _asked(host, parsed, prompt)
    comparison = Comparison(session, asked)
    if parsed.shows("dry_run"):
        from vertex_claude_magic.notebook.commands.dry_run import show_compare_dry_run

        show_compare_dry_run(host, session, asked, notes=(*notes, *cut))
        return None
    quiet = parsed.shows("quiet")
    if not quiet:
        host.cells.check_may_draw("%%claude_compare", "Claude().compare(prompt)")
    names, variable = host.shell.user_ns, parsed.name
    source = host.cells.source or ""
    whole = source if source.lstrip().startswith("%%claude_compare") else None
    # The value of a cell that only asks is what its magic returns.
    output = value_name(host.shell) if whole is not None else ""
    view = ColumnsView(host.shell, quiet=quiet, kept_in=variable or output)
    try:
        replies = comparison.run(lambda: view.draw(comparison.columns))
    except ClaudeInterrupt:
        view.finish(
            comparison.columns,
            ("Stopped here. Run the cell again for the whole answers.", *comparison.notices()),
            source=whole,
        )
        if variable:
            names[variable] = Replies(comparison.columns)
        raise
    view.finish(comparison.columns, (*notes, *cut, *comparison.notices()), source=whole)
    if variable:
        names[variable] = replies
    if host.panel is not None:
        host.panel.draw()
    if not quiet or host.cells.ends_in_question():
        host.pass_over(replies)
    return replies


def read_varied(text: str) -> tuple[str, list[Any]]:
    """Return the option of `--vary OPTION=a,b` and its values.

    Raises:
        OptionError: it is not of this form, or no option that can be compared.

    >>> read_varied("max-tokens=100,200")
    ('max_tokens', [100, 200])
    >>> read_varied('system="Be brief, please.",Be thorough.')
    ('system', ['Be brief, please.', 'Be thorough.'])
    """
    name, assigned, values = text.partition("=")
    key = keyword_of(name.strip().lstrip("-").replace("-", "_"))
    check_varied(key)
    row = OPTIONS.get(key)
    if not assigned or row is None or not can_vary(row):
        why = "is not OPTION=a,b" if not assigned else "is not an option whose values can be compared"
        raise OptionError(
            f"--vary {quote(text, 60)} {why}.", cure="Write --vary effort=low,high, for example."
        )
    try:
        texts = [each.strip() for each in next(csv.reader([values], skipinitialspace=True, strict=True), [])]
    except csv.Error:
        raise OptionError(
            f"The values of --vary {quote(name, 40)} cannot be read.", cure='Write \'system="a, b","c"\'.'
        ) from None
    if len(texts) < 2 or not all(texts):
        raise OptionError(
            f"--vary {quote(name, 40)} has fewer than two values.", cure="Separate them with commas."
        )
    if row.kind == "flag":
        words = {"true": True, "false": False}
        if odd := [each for each in texts if each.lower() not in words]:
            raise OptionError(f"{quote(odd[0], 40)!r} is neither true nor false.", cure="Write true,false.")
        return row.name, [words[each.lower()] for each in texts]
    return row.name, [read_value(row, each) for each in texts]


def _asked(host: Host, parsed: ParsedLine, prompt: str) -> tuple[list[ColumnQuestion], tuple[str, ...]]:
    """Return what each column asks, and what to say of cells that were left out of the context."""
    given = {name: value for name, value in parsed.asked.items() if name not in {"model", "context"}}
    varied: dict[str, list[Any]] = {}
    if model := parsed.options.get("model"):
        varied["model"] = [each.strip() for each in model.split(",") if each.strip()]
    if text := parsed.options.get("vary"):
        name, values = read_varied(text)
        if name in given or len(varied.get(name, ())) > 1:
            raise OptionError(f"{option(name).cell} is given twice.", cure="Set it once.")
        varied[name] = values
    asked, notes = list[ColumnQuestion](), dict[str, None]()
    questions: list[tuple[str | list[Any], Target]] = []
    for head, own in variants(varied):
        options = {**given, **own}
        scope, saved, whole = host.scope(), dict[str, Any](), prompt
        if "prompt" in options or "with_" in options:
            from vertex_claude_magic.notebook.saved_prompts import load_prompt

            whole, scope, saved = load_prompt(options, prompt, scope)
        target = host.session().target(options, saved=saved)
        sent: str | list[Any] = whole
        if (count := parsed.options.get("context")) is not None:
            from vertex_claude_magic.notebook.context import with_context

            sent, cut = with_context(host, whole, count, target.context_tokens)
            notes.update(dict.fromkeys(cut))
        # An alias and the id that it means are one model. In Python, `["haiku"] * 3` is written on purpose.
        question = sent, target.replace(model=target.model_id)
        if question in questions:
            raise OptionError(
                f"The column {quote(head, 60)} asks the same as another one.", cure="Leave one of them out."
            )
        questions.append(question)
        asked.append(ColumnQuestion(head, sent, target, scope))
    return asked, tuple(notes)
