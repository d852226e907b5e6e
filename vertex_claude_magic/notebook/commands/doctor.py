"""`%claude_doctor`: the diagnosis of this session, line by line while it is made, and one table that stays."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic.errors import ClaudeInterrupt, OptionError
from vertex_claude_magic.health.doctor.diagnosis import Diagnosis
from vertex_claude_magic.health.doctor.finding import line as as_line
from vertex_claude_magic.health.doctor.finding import verdict
from vertex_claude_magic.health.doctor.report import check_report, write_report
from vertex_claude_magic.notebook.commands.help import show_help
from vertex_claude_magic.notebook.commands.options import DOCTOR_OPTIONS
from vertex_claude_magic.notebook.display.frontends import front_end
from vertex_claude_magic.notebook.display.live_page import LivePage
from vertex_claude_magic.notebook.options import parse_options
from vertex_claude_magic.notebook.pages import doctor as doctor_page
from vertex_claude_magic.notebook.pages.show import show_line
from vertex_claude_magic.text import quote_path
from vertex_claude_magic.vertex.endpoint import check_location

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vertex_claude_magic.health.doctor.examination import TimeLimits
    from vertex_claude_magic.health.doctor.finding import Finding
    from vertex_claude_magic.notebook.host import Host

__all__ = [
    "OF_THE_CALL",
    "LineView",
    "PageView",
    "check_doctor_options",
    "diagnose",
    "report_line",
    "run_doctor",
]

# Options of the line that are settings of the one diagnosis.
OF_THE_CALL = ("model", "region", "project")


class View(Protocol):
    """Where a diagnosis is shown while it is made."""

    def begin(self, name: str) -> None:
        """Say what is being looked at."""

    def add(self, finding: Finding) -> None:
        """Show what was found."""

    def tick(self) -> None:
        """Show that it is still being waited for."""

    def finish(self, findings: Sequence[Finding]) -> None:
        """Show all of it, for good."""


def run_doctor(host: Host, line: str, *, limits: TimeLimits | None = None) -> None:
    """Run `%claude_doctor [--probe] [-m MODEL] [-r REGION] [-p PROJECT] [--report FILE] [--with-names]`.

    Raises:
        OptionError: an option is none of these, or the report cannot be written.
        ClaudeInterrupt: the user stopped it; what was known is on the page.
    """
    options = parse_options(line, DOCTOR_OPTIONS)
    if options.get("help"):
        show_help(host, "claude_doctor")
        return
    front = front_end(host.shell)
    if front.kind == "terminal":
        view: View = LineView(print)
    else:
        view = PageView(LivePage(host.shell))
    check_doctor_options(options)
    diagnosis = Diagnosis(
        host.session(),
        {name: options[name] for name in OF_THE_CALL if name in options},
        front_end=front.name,
        spends=bool(options.get("probe")),
        limits=limits,
        tick=view.tick,
    )
    diagnose(diagnosis, view, options.get("report"), with_names=bool(options.get("with_names")))
    if file := options.get("report"):
        show_line(host.shell, report_line(file))


def report_line(file: str) -> str:
    """Return the line that says where the report is."""
    return f"The report is in {quote_path(file)}."


def check_doctor_options(options: Mapping[str, Any]) -> None:
    """Refuse what no diagnosis could be made with, before anything is looked at.

    Raises:
        OptionError: the location is none, or the report could not be written.
    """
    if options.get("region"):
        check_location(options["region"])
    if options.get("with_names") and not options.get("report"):
        raise OptionError("--with-names needs --report.", cure="Add --report FILE.")
    if options.get("report"):
        check_report(options["report"])


def diagnose(diagnosis: Diagnosis, view: View, file: str | None = None, *, with_names: bool = False) -> None:
    """Run a diagnosis, show it, and write its report if a file is named.

    Raises:
        ClaudeInterrupt: the user stopped it, after what was known has been shown and written.
    """
    stopped = False
    try:
        for finding in diagnosis.run(view.begin):
            view.add(finding)
    except KeyboardInterrupt:
        stopped = True
        diagnosis.stop()
    try:
        view.finish(diagnosis.findings)
    except KeyboardInterrupt:
        # Pressed again, or at the last moment: the page shows the end all the same.
        stopped = True
        view.finish(diagnosis.findings)
    # Also when it was stopped: what was found is what somebody else shall look at.
    if file is not None:
        write_report(file, diagnosis.report(with_names=with_names))
    if stopped:
        raise ClaudeInterrupt from None


class PageView:
    """A diagnosis on a notebook page.

    Args:
        page: Where it is drawn.
        clock: Monotonic seconds.
    """

    def __init__(self, page: LivePage, clock: Callable[[], float] = time.monotonic) -> None:
        self._page = page
        self._clock = clock
        self._findings: list[Finding] = []
        self._running = ""
        self._began = clock()

    def begin(self, name: str) -> None:
        """Say what is being looked at."""
        self._running, self._began = name, self._clock()
        self.tick()

    def add(self, finding: Finding) -> None:
        """Take in what was found; it is drawn with what is looked at next."""
        self._findings.append(finding)

    def tick(self) -> None:
        """Draw what is known, unless that was done a moment ago."""
        seconds = int(self._clock() - self._began)
        running = f"{self._running} · {seconds} s" if seconds else self._running
        self._page.draw(lambda: _page(self._findings, running), done=False)

    def finish(self, findings: Sequence[Finding]) -> None:
        """Show all of it, for good."""
        self._page.draw(lambda: _page(findings), done=True)


def _page(findings: Sequence[Finding], running: str = "") -> tuple[str, str]:
    return doctor_page.html(findings, running), doctor_page.plain(findings, running)


class LineView:
    """A diagnosis in a terminal: each line as soon as it is known, the verdict last.

    >>> from vertex_claude_magic.health.doctor.finding import Finding
    >>> LineView(print).finish([Finding(name="clock", outcome="ok", seen="Right.")])
    ✓ clock             ok           Right.
    No problems found (1 passed).
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lines = 0

    def begin(self, name: str) -> None:
        """Nothing is written before it is known."""

    def tick(self) -> None:
        """Nothing is written while waiting."""

    def add(self, finding: Finding) -> None:
        """Write what was found."""
        self._lines += 1
        self._write(as_line(finding))

    def finish(self, findings: Sequence[Finding]) -> None:
        """Write what was not reached, and the verdict."""
        for finding in findings[self._lines :]:
            self._write(as_line(finding))
        self._write(verdict(findings))
