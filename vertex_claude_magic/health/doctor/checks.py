"""The diagnosis as a whole: which checks, in which order, and what each depends on.

What can be told on this machine comes first, then the way to Google, then what the service says. The clock
stands before the token, because a token that is refused for it would be blamed on the login.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vertex_claude_magic.health.doctor import service_checks, setup_checks
from vertex_claude_magic.health.doctor.cures import Patient, cure_of
from vertex_claude_magic.health.doctor.examination import Check

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.errors import ClaudeError
    from vertex_claude_magic.health.doctor.case import Case, Probes

__all__ = ["all_checks", "cure_for"]

_CHECKS = (
    ("versions", setup_checks.versions, ()),
    ("runtime", setup_checks.runtime, ()),
    ("settings", setup_checks.settings, ()),
    ("credentials", setup_checks.credentials, ("runtime",)),
    ("project", setup_checks.project, ()),
    ("network", setup_checks.network, ("runtime", "settings")),
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


def all_checks(case: Case, probes: Probes) -> tuple[Check, ...]:
    """Return the checks of a diagnosis in their order.

    Args:
        case: The settings.
        probes: What is looked with.
    """
    return tuple(
        Check(name=name, look=partial(look, case, probes), needs=_needs(name, needs, case))
        for name, look, needs in _CHECKS
    )


def _needs(name: str, needs: tuple[str, ...], case: Case) -> tuple[str, ...]:
    # Only where nobody names the project are the credentials asked for it.
    return (*needs, "credentials") if name == "project" and not case.project.value else needs


def cure_for(case: Case, probes: Probes) -> Callable[[ClaudeError], str]:
    """Return what names the cure of an error, with what the probes know of the user by then."""

    def cure(error: ClaudeError) -> str:
        named = probes.project.known or case.project
        identity = probes.renewed.known or probes.identity.known
        project = str(named.value) if named.value else None
        return cure_of(error, Patient(case=case, project=project, identity=identity))

    return cure
