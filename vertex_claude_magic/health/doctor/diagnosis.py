"""One diagnosis of a session: the settings of one call, the checks that run, what they found, the report."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.health.doctor.case import Case
from vertex_claude_magic.health.doctor.checks import all_checks, cure_for
from vertex_claude_magic.health.doctor.examination import Timer, examine, unfinished
from vertex_claude_magic.health.doctor.probes import Patience, real_probes
from vertex_claude_magic.health.doctor.report import names_of, report
from vertex_claude_magic.settings.options import AskOptions, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from vertex_claude_magic.health.doctor.finding import Finding
    from vertex_claude_magic.session.session import Session

__all__ = ["Diagnosis"]


class Diagnosis:
    """Examine a session with the settings of one call; nothing is sent before `run`.

    Args:
        session: The session.
        call: The options of this call: `model`, `region`, `project`.
        front_end: The name of who shows the result.
        spends: Whether one token may be asked for.
        patience: How long it may take.
        tick: Called several times a second while something is waited for.
        clock: Monotonic seconds.
        now: The time of this machine, with its time zone.

    >>> from vertex_claude_magic.session.session import open_session
    >>> from vertex_claude_magic.emulator import Emulator
    >>> with Emulator() as emulator:
    ...     session = open_session(project=emulator.project, base_url=emulator.base_url, access_token="emulator")
    ...     found = {each.name: each.outcome for each in Diagnosis(session).run()}
    >>> found["token"], found["model"], found["quota"]
    ('ok', 'ok', 'not checked')
    """

    def __init__(
        self,
        session: Session,
        call: Mapping[str, Any] | None = None,
        *,
        front_end: str = "terminal",
        spends: bool = False,
        patience: Patience | None = None,
        tick: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        patience = patience or Patience()
        asked = merge(AskOptions(), call or {})
        self.findings: list[Finding] = []
        self._now = now
        self._timer = Timer(clock, patience.whole)
        self._case = Case.of(
            session.settings(),
            asked,
            session.catalog(session.target()),
            front_end=front_end,
            platform=sys.platform,
            spends=spends,
        )
        self._probes = real_probes(
            self._case,
            session.transport.authorizer.apart(),
            timer=self._timer,
            patience=patience,
            tick=tick,
            now=now,
        )
        self._checks = all_checks(self._case, self._probes)

    def run(self, begin: Callable[[str], None] = lambda _: None) -> Iterator[Finding]:
        """Run the checks and yield each finding as soon as it is known; `begin` hears of each check before."""
        cure = cure_for(self._case, self._probes)
        for finding in examine(self._checks, timer=self._timer, cure=cure, begin=begin):
            self.findings.append(finding)
            yield finding

    def stop(self) -> None:
        """Note that the user stopped it: what was not reached is not checked."""
        self.findings += unfinished(self._checks, self.findings)

    def report(self, *, with_names: bool = False) -> str:
        """Return the findings as a text to paste in public, unless `with_names`."""
        names = None if with_names else names_of(self._case, self._probes)
        return report(self.findings, when=self._now(), names=names)
