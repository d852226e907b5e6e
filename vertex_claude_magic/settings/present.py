"""The policy of this process: found at the first load of the extension, or at the first question before it.

It is read once, so that neither a changed file nor a changed folder lifts it later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.settings.loaded import forget_policies, policies
from vertex_claude_magic.settings.policy import OPEN

if TYPE_CHECKING:
    from vertex_claude_magic.settings.policy import Policy

__all__ = ["present_policy", "set_policy"]

_read: list[Policy] = []


def present_policy() -> Policy:
    """Return the policy of this process."""
    if not _read:
        found = policies()
        if found:
            # Hardly anybody has one.
            from vertex_claude_magic.settings.policy_files import read_policies

            _read.append(read_policies(found.paths, found.named))
        else:
            _read.append(OPEN)
    return _read[0]


def set_policy(policy: Policy | None) -> None:
    """Set what holds in this process; None has it found anew when it is next asked for."""
    _read[:] = [] if policy is None else [policy]
    forget_policies()
