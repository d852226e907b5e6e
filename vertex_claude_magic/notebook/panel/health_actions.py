"""What the panel's health section asks of Google, in threads of its own: a check, and the state of logging."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.notebook.panel.jobs import PanelJob

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.health.check import AvailabilityCheck, Grid
    from vertex_claude_magic.models.observed import Sighting
    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.notebook.pages.logging import Status
    from vertex_claude_magic.notebook.panel.state import PanelState
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target

__all__ = ["Checking", "PanelHealth"]

# Seconds: between two drawings of a check under way, and for the reading of the logging's state.
_REDRAW, _READING = 0.25, 30.0


@dataclass(eq=False, repr=False)
class Checking(PanelJob):
    """A check of the chosen location; `grid` is what is known so far.

    Args:
        session: The session that asks.
        target: Its settings.
        on_change: As for `PanelJob`; also called while answers come in.
        clock: Seconds that never run backwards.
    """

    session: Session
    target: Target
    clock: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    grid: Grid | None = field(default=None, init=False)
    progress: tuple[int, int] = field(default=(0, 0), init=False)
    _drawn: float = field(default=float("-inf"), init=False)

    def work(self) -> None:
        """Check."""
        # Only the button needs it, and the panel is opened without.
        from vertex_claude_magic.health.check import AvailabilityCheck

        check = AvailabilityCheck(self.session, self.target, locations=[self.target.region])
        try:
            check.run(lambda: self._look(check), self.stopping)
        finally:
            self.grid, self.progress = check.grid, check.progress

    def _look(self, check: AvailabilityCheck) -> None:
        if check.progress != self.progress and self.clock() - self._drawn >= _REDRAW:
            self._drawn = self.clock()
            self.grid, self.progress = check.grid, check.progress
            self.changed()


@dataclass(eq=False, repr=False)
class _Reading(PanelJob):
    """Reads the state of Google's logging for the chosen model and location."""

    host: Host
    session: Session
    target: Target
    status: Status | None = field(default=None, init=False)

    def work(self) -> None:
        from vertex_claude_magic.notebook.commands.logging import logging_status
        from vertex_claude_magic.transport.config_change import ConfigChange

        admin = self.session.admin(self.target)
        row = self.target.catalog.find(admin.place.model)
        self.status = logging_status(self.host, admin, row, ConfigChange(config=admin.config()), None)


@dataclass(eq=False, repr=False)
class PanelHealth:
    """The check and the reading of one panel.

    Args:
        host: The object that holds settings, shell and client.
        state: The panel's state.
        changed: Has everything drawn again.
    """

    host: Host
    state: PanelState
    changed: Callable[[], None]
    check_note: str = field(default="", init=False)
    logging_note: str = field(default="", init=False)
    _checking: Checking | None = field(default=None, init=False)
    _reading: _Reading | None = field(default=None, init=False)

    def close(self) -> None:
        """Stop what runs, and forget what came of it; the notes of the session keep what a check found."""
        for job in (self._checking, self._reading):
            if job is not None:
                job.stop()
        self._checking = self._reading = None
        self.check_note = self.logging_note = ""

    @property
    def checking(self) -> bool:
        """Whether a check is under way."""
        return self._checking is not None and self._checking.running

    @property
    def grid(self) -> Grid | None:
        """What the check knows by now."""
        return self._checking.grid if self._checking is not None else None

    @property
    def status(self) -> Status | None:
        """Google's logging as it was read last, unless another model or location is chosen by now."""
        status, look = self._reading.status if self._reading is not None else None, self.state.look
        fits = status is not None and (status.place.model, status.place.region) == (
            look.model_id,
            look.region,
        )
        return status if fits else None

    @property
    def last_check(self) -> Sighting | None:
        """What the last check found for the chosen model in the chosen location."""
        look = self.state.look
        return look.seen().find(look.listed_id, look.region, look.target.project)

    def check(self) -> None:
        """Begin to ask which models the project may call in the chosen location."""
        if not self.checking and (target := self._target_or_note("check_note")) is not None:
            self._checking = Checking(self.host.session(), target, on_change=self._checked)
            self._checking.start()

    def stop(self) -> None:
        """Stop the check; what is known stays."""
        if self._checking is not None:
            self._checking.stop()

    def read_logging(self) -> None:
        """Begin to read the state of Google's logging for the chosen model and location."""
        busy = self._reading is not None and self._reading.running
        if not busy and (target := self._target_or_note("logging_note")) is not None:
            # The session is made here, because the host belongs to the thread of the button.
            session, quick = self.host.session(), target.replace(timeout=min(_READING, target.timeout))
            self._reading = _Reading(self.host, session, quick, on_change=self._read)
            self._reading.start()

    def _target_or_note(self, note: str) -> Target | None:
        try:
            target: Target = self.host.session().target()
        except ClaudeError as error:
            self._say(note, str(error))
            return None
        return target

    def _checked(self, job: PanelJob) -> None:
        done, of = self._checking.progress if self._checking is not None else (0, 0)
        ended = {"done": "Checked.", "stopped": "Stopped. Results so far remain.", "failed": str(job.error)}
        if not job.running:
            # The region list shows what was found, before anybody reads that the check is over.
            self.state.tell(self.state.message)
        self._say("check_note", ended.get(job.state) or f"{done} of {of or '…'} answers …")

    def _read(self, job: PanelJob) -> None:
        notes = {"running": "Reading …", "failed": str(job.error), "stopped": "Stopped."}
        self._say("logging_note", notes.get(job.state, "Read just now."))

    def _say(self, note: str, text: str) -> None:
        # Under the state's lock, because the panel draws from it.
        with self.state.lock:
            setattr(self, note, text)
            self.changed()
