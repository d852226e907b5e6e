"""`%claude_hint`: a hint about the last error or failed check, a level further each time; and the checks themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.classroom.exercise import read_exercise, readable_exercises, run_checks
from vertex_claude_magic.classroom.failure import read_failure
from vertex_claude_magic.classroom.hint_guard import guarded
from vertex_claude_magic.classroom.hints import (
    LEVELS,
    check_prompt,
    check_trouble,
    error_prompt,
    hint_system,
    trouble_of,
)
from vertex_claude_magic.errors import ClaudeError, ClaudeInterrupt, OptionError, ReplayMiss
from vertex_claude_magic.notebook.commands.fix import cell_source
from vertex_claude_magic.notebook.commands.help import show_help
from vertex_claude_magic.notebook.commands.options import HINT_OPTIONS
from vertex_claude_magic.notebook.display.asking import draw_answer
from vertex_claude_magic.notebook.display.hint_answer import HintAnswer
from vertex_claude_magic.notebook.display.insert import with_text
from vertex_claude_magic.notebook.display.screens import make_answer
from vertex_claude_magic.notebook.exercises import cells_of, exercise_folder
from vertex_claude_magic.notebook.options import parse_words
from vertex_claude_magic.notebook.pages.show import show_line, show_page
from vertex_claude_magic.notebook.troubles import FailedCell, FailedCheck, Given, Troubles
from vertex_claude_magic.records.provenance import provenance
from vertex_claude_magic.settings.loaded import present_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.policy import Policy
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["hint_from_line"]

_TOP = len(LEVELS)


def hint_from_line(host: Host, line: str) -> Reply | None:
    """Run `%claude_hint [--level N] [--reset] [options]`, or `%claude_hint --check NAME`.

    Raises:
        OptionError: the line cannot be read, a level is above what the policy allows, or there is no such exercise.
        ClaudeError: as `Claude.ask`; the next run asks for the same level again.
    """
    parsed = parse_words(line, HINT_OPTIONS)
    options = parsed.options
    if parsed.shows("help"):
        show_help(host, "claude_hint")
        return None
    if parsed.prompt:
        raise OptionError(
            "A hint takes no text.",
            cure="Write %claude_hint alone, or %claude_hint --check NAME for an exercise.",
        )
    troubles = host.troubles = host.troubles or Troubles()
    if (name := options.get("check")) is not None:
        if len(options) > 1:
            raise OptionError(
                "--check runs checks and gives no hint.", cure="Give it alone, then %claude_hint."
            )
        _check(host, troubles, name)
        return None
    policy = present_policy()
    wanted = options.get("level")
    if wanted is not None:
        if not 1 <= wanted <= _TOP:
            raise OptionError(f"There is no level {wanted}.", cure=f"Give a level from 1 to {_TOP}.")
        policy.check_hint(wanted)
    about = troubles.present()
    if options.get("reset"):
        troubles.levels.clear()
        troubles.given = None
        if wanted is None:
            show_line(host.shell, "The next hint is of level 1.")
            return None
    if about is None:
        if troubles.of_ours:
            line = "The last error came from %claude itself and says what to do, so there is no hint."
        else:
            none = "No cell has failed yet, so there is no hint."
            line = "What failed has succeeded since." if troubles.solved else none
        show_line(host.shell, line)
        return None
    return _Hint(host, troubles, policy, about).give(parsed.asked, wanted, dry_run=parsed.shows("dry_run"))


def _check(host: Host, troubles: Troubles, name: str) -> None:
    names = host.shell.user_ns
    exercise = read_exercise(name, exercise_folder(names))
    if not exercise.checks:
        raise OptionError(f"{exercise.label} has no checks.", cure="Write [[checks]] with code and message.")
    # The user has named the file: Python of a file beside a notebook runs nowhere else.
    results = run_checks(exercise, names)
    failed = next((each for each in results if not each.passed), None)
    about = None if failed is None else FailedCheck(exercise, failed, cells_of(host.shell, failed.check.code))
    troubles.note_checks(exercise, results, about)
    # Imported here, as a hint shows no table.
    from vertex_claude_magic.notebook.pages.checks import checks_table

    table = checks_table(exercise, results)
    show_page(host.shell, table.html(), table.plain())


class _Hint:
    """A hint about one error or failed check."""

    def __init__(
        self, host: Host, troubles: Troubles, policy: Policy, about: FailedCell | FailedCheck
    ) -> None:
        self._host = host
        self._troubles = troubles
        self._policy = policy
        self._about = about
        error = about.error if isinstance(about, FailedCell) else about.result.error
        self._failure = None if error is None else read_failure(error, self._cell_of)
        own = (
            ()
            if self._failure is None
            else (self._failure.cell, *(each.text for each in self._failure.sources))
        )
        self._own = own if isinstance(about, FailedCell) else (*own, *about.code)
        self._guarded: tuple[Reply, tuple[Reply, tuple[str, ...]]] | None = None

    def give(self, asked: Mapping[str, Any], wanted: int | None, *, dry_run: bool) -> Reply | None:
        """Ask for the next level, or the wanted one, and show it; at the highest, show the last hint again."""
        host, troubles, about = self._host, self._troubles, self._about
        trouble = (
            check_trouble(about.exercise, about.result)
            if isinstance(about, FailedCheck)
            else trouble_of(about.error, self._cell_of, about.cell_id)
        )
        seen = troubles.levels.last(trouble)
        level = wanted or min(seen + 1, self._policy.hints)
        session = host.session()
        target = _target(session, asked, level, self._policy)
        if isinstance(about, FailedCheck):
            prompt = check_prompt(about.exercise, about.result, about.code, self._failure, level)
        else:
            assert self._failure is not None  # noqa: S101 - an error always has one
            prompt = error_prompt(self._failure)
        if dry_run:
            from vertex_claude_magic.notebook.commands.dry_run import show_dry_run

            show_dry_run(host, session, prompt, target, notes=(f"Hint {level} of {self._policy.hints}.",))
            return None
        host.cells.check_may_draw("%claude_hint")
        given, key = troubles.given, (prompt, str(target.system))
        if wanted is None and seen >= self._policy.hints and given is not None and given.asked == key:
            reply = given.reply
            view = make_answer(host.shell, in_cell=False)
            note = f"{_progress(level, self._policy)}, shown again: no request sent"
            view.finish(_under(reply, level), notes=(note,), metadata=provenance(reply))
        else:
            reply = self._ask(session, prompt, target, level)
            # A refusal is not a hint, and the page says so: the level is still to come.
            if reply.text.strip() and reply.stop_reason != "refusal":
                troubles.levels.note(trouble, level, about.key)
                troubles.given = Given(key, reply)
        host.pass_over(reply)
        return reply

    def _ask(self, session: Session, prompt: str, target: Target, level: int) -> Reply:
        def shown(reply: Reply) -> tuple[Reply, tuple[str, ...]]:
            safe, notes = self._guard(reply, level)
            return _under(safe, level), (_progress(level, self._policy), *notes)

        view = HintAnswer(
            make_answer(self._host.shell, in_cell=False), _head(level), shown, streams=level == _TOP
        )
        try:
            reply = draw_answer(session, prompt, target, view)
        except ReplayMiss as miss:
            # How the request differs from a recorded one is of no use to a student, who did not write it.
            about = "error" if isinstance(self._about, FailedCell) else "check"
            live = target.replay == "only" and not target.forbids.get("live")
            mode = self._policy.sending_mode if live else ""
            raise ReplayMiss(
                f"Hint {level} of {self._policy.hints} on this {about} is not recorded.",
                cure=f"Run %claude_hint --replay {mode} to send it and keep the answer."
                if mode
                else miss.cure,
                details=miss.details,
            ) from None
        except (ClaudeError, ClaudeInterrupt) as error:
            # What had arrived is on the exception, where a student would look next.
            if error.reply is not None:
                error.reply = self._guard(error.reply, level)[0]
            raise
        if self._host.panel is not None:
            self._host.panel.answered(reply)
        return self._guard(reply, level)[0]

    def _guard(self, reply: Reply, level: int) -> tuple[Reply, tuple[str, ...]]:
        """Return a reply with its text alone, and without what its level does not show."""
        # The page and whoever asked get the same one, and a long cell takes up to a second.
        if self._guarded is not None and self._guarded[0] is reply:
            return self._guarded[1]
        text, notes = reply.text, list[str]()
        if level < _TOP:
            exercises = readable_exercises(exercise_folder(self._host.shell.user_ns))
            found = guarded(
                text,
                solutions=[each.solution for each in exercises],
                own=self._own,
                task="\n".join(each.task for each in exercises),
            )
            text = found.text
            for count, what in ((found.solution, "the solution"), (found.corrected, "your code, corrected")):
                if count:
                    lines = "1 line was" if count == 1 else f"{count} lines were"
                    notes.append(f"{lines} withheld: below level {_TOP} a hint shows no line of {what}.")
        blocks = ({"type": "text", "text": text},) if text else ()
        shown = replace(reply, blocks=blocks, parts=(), tool_calls=()), tuple(notes)
        self._guarded = reply, shown
        return shown

    def _cell_of(self, filename: str) -> str | None:
        return cell_source(self._host.shell, filename)


def _target(session: Session, asked: Mapping[str, Any], level: int, policy: Policy) -> Target:
    """Return where the hint goes and how: the level is in the system prompt, and nothing else goes along."""
    target = session.target(asked)
    # Where hints are limited, a system prompt of the student's own could ask for more.
    free = policy.hints == _TOP or target.origins["system"] == "policy" or "system" in policy.locks
    own = target.system if free and isinstance(target.system, str) else ""
    return target.replace(
        system=hint_system(level, own),
        set={name: value for name, value in target.set.items() if name not in {"system", "messages"}},
        format="markdown",
        as_=None,
        attach=(),
        chat=None,
        new=False,
        after=None,
        tools=(),
        stop=(),
        literal=True,
        show_thinking=False,
    )


def _head(level: int) -> str:
    name = LEVELS[level - 1]
    return f"**{name[:1].upper()}{name[1:]}**\n\n"


def _under(reply: Reply, level: int) -> Reply:
    return with_text(reply, f"{_head(level)}{reply.text}")


def _progress(level: int, policy: Policy) -> str:
    """Return the line that says how far the hints have gone."""
    top = policy.hints
    if level < top:
        after = f"next run: {LEVELS[level]}"
    else:
        after = "the last one" if top == _TOP else f"the last one that {policy.who('hints')} allows"
    return f"Hint {level} of {top} · {after}"
