"""What the extension adds to IPython beside magics, and takes back on unload.

A prompt of `%claude` may end in a question mark, which IPython would take for a request for help; a
reply is shown as Markdown, but not a second time by the magic that returns it; Tab completes the line.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import (
    TokenTransformBase,
    assemble_continued_line,
    find_end_of_continued_line,
)

from vertex_claude_magic.notebook.cells import CellWatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from tokenize import TokenInfo
    from types import SimpleNamespace

    from IPython.core.completer import CompletionContext
    from IPython.core.displayhook import DisplayHook
    from IPython.core.formatters import BaseFormatter
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.lib.pretty import RepresentationPrinter

    from vertex_claude_magic.classroom.compare import Replies
    from vertex_claude_magic.notebook.host import Host, Report
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["PromptQuestion", "add_hooks", "keep_empty_body", "remove_hooks"]

_MATCHER = "vertex_claude_magic"
# The line of one of our magics; and a template, wherever it is.
_LINE = r"\s*%%?claude(?:_\w+)?\s"
_TEMPLATE = r".*\{\{[^}]*$"
# Those whose line takes a prompt.
_ASKING = frozenset({"claude", "claude_fix", "claude_compare"})
_REPLY = ("vertex_claude_magic.vertex.reply", "Reply")
# What a magic shows and then returns.
_SHOWN = (
    _REPLY,
    ("vertex_claude_magic.notebook.commands.usage", "UsageReport"),
    ("vertex_claude_magic.classroom.compare", "Replies"),
)


class PromptQuestion(TokenTransformBase):  # type: ignore[misc]
    """`%claude Is it late?` is a prompt, also behind `answer =`; `%claude?` stays a request for help.

    The prompts of `%claude_fix` and `%claude_compare` are as well.
    """

    # Before HelpEnd, whose priority is 5.
    priority = 1

    def __init__(self, start: tuple[int, int], magic: tuple[int, int], name: str) -> None:
        super().__init__(start)
        self.name = name
        self.magic_line, self.magic_col = magic[0] - 1, magic[1]

    @classmethod
    def find(cls, tokens_by_line: list[list[TokenInfo]]) -> PromptQuestion | None:
        """Find the first line that asks and ends in a question mark."""
        for line in tokens_by_line:
            tokens = [token for token in line if token.string.strip()]
            words = [token.string for token in tokens]
            # Every cell that runs is looked through, and hardly any has it.
            if _ASKING.isdisjoint(words):
                continue
            # It is first on the line, or right after the `=` of an assignment.
            places = [0, *[at + 1 for at, word in enumerate(words) if word == "="]]
            starts = (at for at in places[:2] if words[at : at + 1] == ["%"])
            at = next((at for at in starts if not _ASKING.isdisjoint(words[at + 1 : at + 2])), None)
            if at is None or len(tokens) < at + 4 or tokens[-1].string != "?":
                continue
            if tokens[at + 2].start != tokens[at + 1].end:
                return cls(tokens[0].start, tokens[at].start, words[at + 1])
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """Write the line as the call that IPython makes of every other line magic."""
        last = find_end_of_continued_line(lines, self.magic_line)
        rest = assemble_continued_line(lines, (self.magic_line, self.magic_col), last)
        prompt = rest[1 + len(self.name) :].strip()
        before = lines[self.magic_line][: self.magic_col]
        call = f"{before}get_ipython().run_line_magic({self.name!r}, {prompt!r})\n"
        return [*lines[: self.magic_line], call, *lines[last + 1 :]]


class _PromptOnce:
    """The displayhook, without `Out[n]: ` for a value that a magic has shown and then returned.

    IPython writes that prompt before it asks how the value is shown (`DisplayHook.__call__`, 7.34 to 9.18), so
    a formatter that shows nothing leaves it empty. A kernel has no prompt, but flushes both streams, which takes longer
    than all else that it does with such a value. `_` and `Out[n]` get the value all the same.
    """

    def __init__(self, hook: DisplayHook, magics: Host) -> None:
        self._hook = hook
        self._magics = magics

    def __call__(self, result: object = None) -> None:
        kind = (type(result).__module__, type(result).__qualname__)
        hook = self._hook
        if kind in _SHOWN and not hook.quiet() and self._magics.was_shown(result):
            hook.check_for_underscore()
            hook.update_user_ns(result)
            hook.fill_exec_result(result)
        else:
            hook(result)


def _put_displayhook(shell: InteractiveShell, hook: DisplayHook | _PromptOnce) -> None:
    trap = shell.display_trap
    # The cell that is running has it in place already.
    if sys.displayhook is trap.hook:
        sys.displayhook = hook
    trap.hook = hook


def keep_empty_body(lines: list[str]) -> list[str]:
    """Give a `%%claude` cell without a body an empty line, so that the magic answers and not IPython's usage error."""
    first = lines[0].strip() if lines else ""
    # `%%claude?` asks for help.
    word = first.partition(" ")[0]
    if not first.startswith("%%claude") or word.endswith("?") or "".join(lines[1:]).strip():
        return lines
    # Imported when such a cell runs, not at `%load_ext`.
    from vertex_claude_magic.notebook.commands.options import COMMANDS

    ours = any(word in command.written for command in COMMANDS.values())
    return [f"{first}\n", "\n"] if ours else lines


# IPython leaves such a function out where a console asks whether a cell is complete (`check_complete`, 7.34 to 9.18):
# with the line that is added here, the first line of a cell would run before there is a second.
vars(keep_empty_body).update(has_side_effects=True)


def add_hooks(shell: InteractiveShell, magics: Host) -> None:
    """Add the hooks; `remove_hooks` takes them back."""
    # The cell that loads the extension; None if a configuration loads it.
    under_way = getattr(getattr(shell.displayhook, "exec_result", None), "info", None)
    source = getattr(under_way, "raw_cell", None) or ""
    asks = "?" in source and "%claude" in source
    translated = shell.transform_cell(source) if asks else ""
    shell.input_transformer_manager.token_transformers.append(PromptQuestion)
    shell.input_transformers_cleanup.append(keep_empty_body)
    _add_completion(shell)
    if asks:
        from vertex_claude_magic.notebook.first_cell import help_as_questions

        help_as_questions(shell, translated, shell.transform_cell(source))
    magics.cells.load(under_way)
    shell.events.register("pre_run_cell", magics.cells.begin)
    shell.events.register("post_run_cell", magics.cells.end)

    def show_once(value: Reply | Replies | Report) -> None:
        # NotImplementedError makes IPython go on to the other representations.
        if not magics.was_shown(value):
            raise NotImplementedError

    def markdown(reply: Reply) -> tuple[str, dict[str, Any]]:
        from vertex_claude_magic.markdown.sanitize import safe_markdown
        from vertex_claude_magic.notebook.display.footer import ending_without_cell
        from vertex_claude_magic.notebook.display.table_answer import shown_text
        from vertex_claude_magic.records.provenance import provenance, stamped

        text = f"{safe_markdown(shown_text(reply))}\n\n{ending_without_cell(reply).markdown}"
        # As the shell shows it, whatever is set for plain text.
        plain = shell.display_formatter.formatters["text/plain"](reply)
        return text, stamped(provenance(reply), {"text/markdown": text, "text/plain": plain})

    trap = shell.display_trap
    if trap.hook is shell.displayhook:
        _put_displayhook(shell, _PromptOnce(shell.displayhook, magics))
    once, plain = _formatters(shell)[::2]
    for kind in _SHOWN:
        once.for_type_by_name(*kind, show_once)
    shell.display_formatter.formatters["text/markdown"].for_type_by_name(*_REPLY, markdown)
    plain.for_type_by_name(*_REPLY, _pretty)


def remove_hooks(shell: InteractiveShell) -> None:
    """Remove the hooks; harmless if they are not there."""
    guards = sys.modules.get("vertex_claude_magic.notebook.plain_errors")
    if guards is not None:
        guards.release_errors(shell)
    screens = sys.modules.get("vertex_claude_magic.notebook.display.screens")
    if screens is not None:
        screens.release_clears(shell.display_pub)
    first_cell = sys.modules.get("vertex_claude_magic.notebook.first_cell")
    if first_cell is not None:
        first_cell.restore_help(shell)
    if type(shell.display_trap.hook).__name__ == _PromptOnce.__name__:
        _put_displayhook(shell, shell.displayhook)
    transformers = shell.input_transformer_manager.token_transformers
    transformers[:] = [each for each in transformers if each.__name__ != PromptQuestion.__name__]
    cleanups = shell.input_transformers_cleanup
    cleanups[:] = [each for each in cleanups if getattr(each, "__name__", "") != keep_empty_body.__name__]
    matchers = _matchers(shell)
    if matchers is not None:
        matchers[:] = [each for each in matchers if getattr(each, "matcher_identifier", "") != _MATCHER]
    completers = shell.strdispatchers.get("complete_command")
    if completers is not None:
        # Not looked up by our patterns, which would be compiled at every load and are there before IPython 8.6 only.
        for ours in [each for each in completers.regexs if each.pattern in {_LINE, _TEMPLATE}]:
            del completers.regexs[ours]
    for event in ("pre_run_cell", "post_run_cell"):
        callbacks = shell.events.callbacks[event]
        # By name, because importlib.reload makes a new class.
        callbacks[:] = [
            each for each in callbacks if type(getattr(each, "__self__", None)).__name__ != CellWatch.__name__
        ]
    for formatter in _formatters(shell):
        for module, name in _SHOWN:
            formatter.deferred_printers.pop((module, name), None)
            formatter.type_printers.pop(getattr(sys.modules.get(module), name, None), None)


def _formatters(shell: InteractiveShell) -> tuple[BaseFormatter, BaseFormatter, BaseFormatter]:
    formatter = shell.display_formatter
    kinds = formatter.formatters
    return formatter.ipython_display_formatter, kinds["text/markdown"], kinds["text/plain"]


def _pretty(reply: Reply, printer: RepresentationPrinter, cycle: bool) -> None:  # noqa: ARG001 - IPython's signature
    from vertex_claude_magic.markdown.sanitize import safe_plain
    from vertex_claude_magic.notebook.display.footer import ending_without_cell
    from vertex_claude_magic.notebook.display.table_answer import shown_text

    # Inside a list, a reply is one of many: there its fields say more than its text.
    alone = len(printer.stack) <= 1
    printer.text(
        f"{safe_plain(shown_text(reply))}\n\n{ending_without_cell(reply).plain}" if alone else repr(reply)
    )


def _add_completion(shell: InteractiveShell) -> None:
    """Add a matcher where IPython has matchers (from 8.6 on), else the older hook."""
    matchers = _matchers(shell)
    if matchers is None:
        for pattern in (_LINE, _TEMPLATE):
            shell.set_hook("complete_command", _complete, re_key=pattern)
        return

    # A function, because IPython reads __qualname__ of a matcher (seen in 9.18). What it needs is imported at the
    # first Tab, not at `%load_ext`.
    def matcher(context: CompletionContext) -> dict[str, Any]:
        from vertex_claude_magic.notebook.completion import match

        return match(shell, context)

    vars(matcher).update(
        matcher_api_version=2,
        matcher_identifier=_MATCHER,
        # Before Jedi, whose first call in a kernel takes longer than JupyterLab waits for an answer.
        matcher_priority=1_000,
    )
    matchers.append(matcher)


def _matchers(shell: InteractiveShell) -> list[Callable[..., dict[str, Any]]] | None:
    """Return IPython's list of matchers; None up to 8.5, whose list of that name takes functions of a text."""
    from IPython.core import completer

    return shell.Completer.custom_matchers if hasattr(completer, "SimpleCompletion") else None


def _complete(shell: InteractiveShell, event: SimpleNamespace) -> list[str]:
    from vertex_claude_magic.notebook.completion import complete

    return complete(shell, event)
