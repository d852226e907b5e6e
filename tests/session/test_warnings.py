"""The user's filters of warnings, which belong to the process, are as they were after whatever threads did at once."""

from __future__ import annotations

import os
import threading
import warnings
from contextlib import suppress

import pytest
from journals import client
from processes import needs_fork

from vertex_claude_magic import errors
from vertex_claude_magic.process import ignored_warnings
from vertex_claude_magic.prompts.template import parse_template

# Seconds that a test waits for another thread before it fails.
LONG = 20


def heard() -> bool:
    """Whether the user hears of a warning: in these tests each is an error."""
    try:
        warnings.warn("A warning of the user's.", stacklevel=1)
    except UserWarning:
        return True
    return False


# A capital letter begins to ignore warnings, its small one ends that.
@pytest.mark.parametrize("steps", ["Aa", "ABba", "ABab", "ABaCbc", "ABCabc", "ABCbca", "AaBb"])
def test_whoever_ends_last_puts_the_filters_back(steps):
    """Nobody hears of a warning while one of them ignores all, and the user does after the last."""
    before, ways, inside = list(warnings.filters), {}, set()
    for step in steps:
        if step.isupper():
            ways[step] = ignored_warnings()
            ways[step].__enter__()
            inside.add(step)
        else:
            ways[step.upper()].__exit__(None, None, None)
            inside.remove(step.upper())
        assert heard() == (not inside)
    assert warnings.filters == before


def test_some_warnings_can_be_ignored_beside_others():
    """Of a category, or of a module."""
    with ignored_warnings(DeprecationWarning):
        assert heard()
        warnings.warn("Old.", DeprecationWarning, stacklevel=1)
        with ignored_warnings(module="somebody"):
            assert heard()
        with ignored_warnings(module=__name__):
            assert not heard()


class Slow(dict):
    """A value that is read until it is let go."""

    def __init__(self) -> None:
        super().__init__(a=1)
        self.reading, self.go_on = threading.Event(), threading.Event()

    def items(self):
        self.reading.set()
        assert self.go_on.wait(LONG)
        return super().items()


def test_two_threads_that_make_a_prompt_at_once_leave_the_filters_as_they_were(claude_emulator):
    """The one that began first ends first."""
    before, claude, values = list(warnings.filters), client(claude_emulator), [Slow(), Slow()]
    made = []

    def ask(value: Slow) -> None:
        made.append(claude.request("What is {{ v }}?", names={"v": value}).body["messages"])

    threads = [threading.Thread(target=ask, args=[value]) for value in values]
    for thread, value in zip(threads, values, strict=True):
        thread.start()
        assert value.reading.wait(LONG)
    for thread, value in zip(threads, values, strict=True):
        value.go_on.set()
        thread.join(LONG)
    assert made[0] == made[1]
    assert '<data name="v"' in made[0][0]["content"]
    assert (warnings.filters == before, heard()) == (True, True)
    claude.close()


def test_a_path_is_read_without_a_look_at_the_filters(monkeypatch):
    """A thread of the user's may be changing them; only what the parser could warn of needs them."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the filters were changed")

    with monkeypatch.context() as patch:
        patch.setattr(warnings, "catch_warnings", refuse)
        for path in ("df", "cfg.title", "rows[0].n", "cfg['a b']", "x2.mean", "rows[-1]"):
            assert [part.source for part in parse_template(f"{{{{ {path} }}}}")] == [path]
        with pytest.raises(AssertionError, match="the filters were changed"):
            parse_template(r"{{ cfg['\d'] }}")


@pytest.mark.parametrize("path", [r"cfg['\d']", "rows[1or 2]", "rows[0x1for x]", "f(1.in x)", "x if 1jor y"])
def test_what_the_parser_warns_of_is_not_said(path):
    """The text is a prompt and not Python; each warning would be an error here."""
    with suppress(errors.OptionError):
        parse_template(f"{{{{ {path} }}}}")


@needs_fork
def test_a_fork_has_the_filters_of_before():
    """Those who ignored warnings are threads of the parent; one that comes from there ends nothing."""
    with ignored_warnings():
        # By hand, because what else forks in tests saves the filters too.
        child = os.fork()
        if child == 0:
            found = [heard()]
            with ignored_warnings():
                found.append(heard())
            os._exit([*found, heard()] != [True, False, True])
        assert not heard()
    assert heard()
    assert os.waitpid(child, 0)[1] == 0
