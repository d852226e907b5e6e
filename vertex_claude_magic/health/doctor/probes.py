"""The probes of a real session: what goes over the network, and how long it may take.

Nothing here changes anything: a GET without token or body, a new token as every question gets one,
and calls with a fixed text. No prompt of the user's is ever sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from vertex_claude_magic import errors
from vertex_claude_magic.health.doctor.case import Case, Once, Probes
from vertex_claude_magic.health.doctor.examination import NotLookedAt, Timer
from vertex_claude_magic.process import start_thread
from vertex_claude_magic.settings.options import Found, find_setting
from vertex_claude_magic.transport.auth import ApplicationDefault, Authorizer
from vertex_claude_magic.transport.retry import RetryPolicy
from vertex_claude_magic.transport.transport import Transport
from vertex_claude_magic.transport.waiting import wait_for
from vertex_claude_magic.vertex.endpoint import is_loopback
from vertex_claude_magic.vertex.request import RequestOptions, build_count_request, build_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.transport.connectivity import Reached
    from vertex_claude_magic.transport.identity import Identity
    from vertex_claude_magic.vertex.reply import Usage
    from vertex_claude_magic.vertex.request import Request

__all__ = ["FIXED_TEXT", "Patience", "real_probes"]

T = TypeVar("T")
FIXED_TEXT = "Is this working?"
_BY_MACHINE = "The base URL is on this machine, so nothing outside of it is asked; this would ask {host}."


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a diagnosis may take, in seconds: as a whole, and for a look-up, a host and an answer."""

    whole: float = 14.0
    credentials: float = 5.0
    host: float = 4.0
    answer: float = 5.0


def real_probes(
    case: Case,
    authorizer: Authorizer,
    *,
    timer: Timer,
    patience: Patience,
    tick: Callable[[], None] = lambda: None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
) -> Probes:
    """Return the probes for a session's settings and credentials; nothing is looked at before it is asked for."""
    wait = _Waiter(timer=timer, tick=tick)
    project = Once(lambda: _project(case, authorizer, wait, patience))
    service = _Service(
        case=case, authorizer=authorizer, project=project, timer=timer, patience=patience, tick=tick
    )
    return Probes(
        installed=_version,
        identity=Once(lambda: _identity(case, authorizer, wait, patience)),
        project=project,
        reached=Once(lambda: _reach(case, wait, patience, now)),
        renewed=Once(lambda: _renew(case, authorizer, wait, patience)),
        counted=Once(service.count),
        answered=Once(service.answer),
        now=now,
        threads=_threads,
    )


def _threads() -> bool:
    try:
        start_thread(lambda: None, "doctor").join()
    except errors.ThreadUnavailable:
        return False
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class _Waiter:
    """Waits for what may block, within the time of the diagnosis."""

    timer: Timer
    tick: Callable[[], None]

    def __call__(
        self,
        work: Callable[[], T],
        seconds: float,
        late: Callable[[float], errors.ClaudeError] | None = None,
    ) -> T:
        left = self.timer.left(seconds)
        return wait_for(work, seconds=left, clock=self.timer.clock, tick=self.tick, late=late)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _identity(case: Case, authorizer: Authorizer, wait: _Waiter, patience: Patience) -> Identity:
    if isinstance(authorizer, ApplicationDefault):
        _stay_here(case, authorizer.asked_on_the_way())
    return wait(authorizer.identity, patience.credentials)


def _project(case: Case, authorizer: Authorizer, wait: _Waiter, patience: Patience) -> Found:
    if case.project.value:
        return case.project
    named = wait(authorizer.project, patience.credentials)
    if not named:
        raise errors.ProjectNotFound(
            "No Google Cloud project is named, and the credentials name none.", cure=""
        )
    return Found(named, "the credentials")


def _reach(case: Case, wait: _Waiter, patience: Patience, now: Callable[[], datetime]) -> Reached:
    from vertex_claude_magic.transport.connectivity import reach

    look = partial(reach, case.address, case.model_id, seconds=patience.host, now=now)
    # A little longer than the look itself, whose own error tells more.
    return wait(look, patience.host + 0.5, lambda seconds: _silent(case.host, seconds))


def _renew(case: Case, authorizer: Authorizer, wait: _Waiter, patience: Patience) -> Identity:
    _stay_here(case, authorizer.identity().renewed_at)
    return wait(
        lambda: authorizer.identity(renew=True),
        patience.credentials,
        lambda seconds: _silent("Google's token service", seconds),
    )


def _stay_here(case: Case, address: str | None) -> None:
    """Look no further if the base URL is on this machine and the next address is not."""
    if case.on_this_machine and address is not None and not is_loopback(address):
        raise NotLookedAt(_BY_MACHINE.format(host=urlsplit(address).netloc))


def _silent(who: str, seconds: float) -> errors.DeadlineExceeded:
    return errors.DeadlineExceeded(f"{who} did not answer within {seconds:g} seconds.", cure="")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Service:
    """The two authorised calls, with a fixed text."""

    case: Case
    authorizer: Authorizer
    project: Once[Found]
    timer: Timer
    patience: Patience
    tick: Callable[[], None]

    def count(self) -> int:
        """Count the tokens of the fixed text."""
        data = self._send(build_count_request(self._request()))
        return int(_field(data, "input_tokens", int))

    def answer(self) -> Usage:
        """Ask for an answer of one token."""
        from vertex_claude_magic.vertex.reply import usage_from

        return usage_from(_field(self._send(self._request()), "usage", dict))

    def _request(self) -> Request:
        case = self.case
        # A model that the table calls retired is asked for all the same: the question is what the service says.
        return build_request(
            [{"role": "user", "content": FIXED_TEXT}],
            RequestOptions(max_tokens=1, force=True),
            model=case.model_id,
            project=str(self.project().value),
            region=case.place,
            catalog=case.catalog,
            stream=False,
            base_url=case.base_url.value,
            anthropic_version=find_setting("anthropic_version", case.options).value,
        )

    def _send(self, request: Request) -> Any:
        patience = self.patience
        policy = RetryPolicy(
            retries=0, connect=patience.host, silence=patience.answer, credentials=patience.answer
        )
        transport = Transport(authorizer=self.authorizer, policy=policy, clock=self.timer.clock)
        seconds = self.timer.left(patience.answer)
        exchange = transport.send(
            request, self.case.catalog, timeout=seconds, trusted_hosts=self.case.options.trusted_hosts
        )
        try:
            return exchange.whole(self.tick)
        finally:
            transport.close()


def _field(data: Any, name: str, kind: type) -> Any:
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, kind):
        raise errors.ProtocolError("What came back is not an answer of Vertex AI.", cure="")
    return value
