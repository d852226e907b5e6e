"""One diagnosis of a session: which checks in which order, what they found, and the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from vertex_claude_magic.health.doctor import service_checks, setup_checks
from vertex_claude_magic.health.doctor.cures import cure_of
from vertex_claude_magic.health.doctor.examination import DoctorCheck, examine, unfinished
from vertex_claude_magic.health.doctor.report import names_of, report
from vertex_claude_magic.health.doctor.setup import Setup
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.settings.policy import OPEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vertex_claude_magic.health.doctor.finding import Finding

__all__ = ["Diagnosis"]

# What can be seen on this machine comes first, then the way to Google, then what the service says. The clock
# comes before the token, because a token that is refused for it would be blamed on the login.
_CHECKS: tuple[tuple[str, Callable[[Setup], Finding], tuple[str, ...]], ...] = (
    ("versions", setup_checks.versions, ()),
    ("runtime", setup_checks.runtime, ()),
    ("policy", setup_checks.policy, ()),
    ("settings", setup_checks.settings, ()),
    ("credentials", setup_checks.credentials, ("runtime",)),
    ("project", setup_checks.project, ()),
    ("network", setup_checks.network, ("runtime", "policy", "settings")),
    ("clock", setup_checks.clock, ("network",)),
    ("token", setup_checks.token, ("credentials", "clock")),
    ("service", service_checks.service, ("settings", "project", "token")),
    ("API", service_checks.api, ("service",)),
    ("permission", service_checks.permission, ("API",)),
    ("lifecycle", service_checks.lifecycle, ("settings",)),
    ("model", service_checks.model, ("permission", "lifecycle")),
    ("quota", service_checks.quota, ("model",)),
    ("one token", service_checks.one_token, ("quota",)),
    ("widgets", setup_checks.widgets, ()),
    ("journal", setup_checks.journal, ()),
)


@dataclass(kw_only=True, eq=False)
class Diagnosis(Setup):
    """Examine a session with the settings of one call; nothing is sent before `run`.

    >>> from vertex_claude_magic.session.session import open_session
    >>> from vertex_claude_magic.emulator import Emulator
    >>> with Emulator() as emulator:
    ...     session = open_session(project=emulator.project, base_url=emulator.base_url, access_token="emulator")
    ...     found = {each.name: each.outcome for each in Diagnosis(session).run()}
    >>> found["token"], found["model"], found["quota"]
    ('ok', 'ok', 'not checked')
    """

    findings: list[Finding] = field(default_factory=list, init=False)

    @cached_property
    def checks(self) -> tuple[DoctorCheck, ...]:
        """The checks in their order; that of the policy only where there is one."""
        # Only where nothing else names the project are the credentials asked for it.
        more = {} if self.target.project else {"project": ("credentials",)}
        return tuple(
            DoctorCheck(name=name, look=partial(look, self), needs=(*needs, *more.get(name, ())))
            for name, look, needs in _CHECKS
            if name != "policy" or present_policy() is not OPEN
        )

    def run(self, begin: Callable[[str], None] = lambda _: None) -> Iterator[Finding]:
        """Run the checks and yield each finding as soon as it is known; `begin` hears of each check before."""
        cure = partial(cure_of, setup=self)
        for finding in examine(self.checks, timer=self.timer, cure=cure, begin=begin):
            self.findings.append(finding)
            yield finding

    def stop(self) -> None:
        """Note that the user stopped it: what was not reached is not checked."""
        self.findings += unfinished(self.checks, self.findings)

    def report(self, *, with_names: bool = False) -> str:
        """Return the findings as a text to paste in public, unless `with_names`."""
        return report(self.findings, when=self.now(), names=None if with_names else names_of(self))
