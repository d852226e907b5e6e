"""The set-up that is examined: the settings with their origin, and what is seen when looking at it.

Nothing here changes anything: a GET without token or body, a new token as every question gets one,
and calls with a fixed text. No prompt of the user's is ever sent.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property, partial
from importlib import metadata
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from vertex_claude_magic import errors
from vertex_claude_magic.health.doctor.examination import NotLookedAt, TimeLimits, Timer
from vertex_claude_magic.health.probe import fixed_request
from vertex_claude_magic.process import can_connect, start_thread
from vertex_claude_magic.session.session import project_missing
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.settings.policy import OPEN
from vertex_claude_magic.transport.auth import ApplicationDefault
from vertex_claude_magic.transport.retry import RetryPolicy
from vertex_claude_magic.transport.waiting import wait_for
from vertex_claude_magic.vertex.endpoint import base_url_of, is_loopback
from vertex_claude_magic.vertex.request import build_count_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vertex_claude_magic.process import StartThread
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.transport.connectivity import Reached
    from vertex_claude_magic.transport.identity import Identity
    from vertex_claude_magic.vertex.reply import Usage
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Setup"]

T = TypeVar("T")


@dataclass(kw_only=True, eq=False)
class Setup:
    """A session with the settings of one call. Each cached property looks once, when a check first asks for it.

    A cached property may block, and raises `ClaudeError` where it fails, or `NotLookedAt`.

    Args:
        session: The session.
        call: The options of this call: `model`, `region`, `project`.
        front_end: The name of the front end that shows the result.
        spends: Whether one token may be asked for.
        limits: How long it may take.
        tick: Called several times a second while something is waited for.
        clock: Monotonic seconds.
        now: The time of this machine, with its time zone.
        platform: As `sys.platform`.
        start: Starts a thread and returns it.

    >>> from vertex_claude_magic.session.session import open_session
    >>> Setup(open_session(region="eu", access_token="t")).address
    'https://aiplatform.eu.rep.googleapis.com/v1'
    """

    session: Session = field(kw_only=False)
    call: Mapping[str, str | None] | None = field(default=None, kw_only=False)
    front_end: str = "terminal"
    spends: bool = False
    limits: TimeLimits | None = None
    tick: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    platform: str = sys.platform
    start: StartThread = start_thread

    def __post_init__(self) -> None:
        # A policy that cannot be read is found by a check, and the others still look.
        ruling = OPEN if present_policy().closed else present_policy()
        self.target = self.session.target(self.call, policy=ruling)
        self.catalog = self.target.catalog
        self._most = self.limits or TimeLimits()
        self.timer = Timer(self.clock, self._most.whole)
        policy = RetryPolicy(
            retries=0, connect=self._most.host, silence=self._most.answer, credentials=self._most.answer
        )
        # Without retries and with short waits, so that a diagnosis ends before its reader gives up.
        self._apart = self.session.apart(policy, self.clock)

    @property
    def address(self) -> str:
        """The base URL; raises OptionError where the location cannot be part of a host name."""
        return (self.target.base_url or base_url_of(self.target.region)).rstrip("/")

    @property
    def host(self) -> str:
        """The host of the base URL, without a user name."""
        return urlsplit(self.address).netloc.rpartition("@")[2]

    @property
    def answered_by(self) -> str:
        """What answers in the place of Google, on this machine; empty where Google or a gateway does."""
        if self.session.demo:
            return "the demo's emulator"
        return f"a server on this machine ({self.host})" if is_loopback(self.address) else ""

    @property
    def known_identity(self) -> Identity | None:
        """Whose credentials were found, if a check has looked already; this does not look."""
        # A cached property leaves its value under its own name in the object's dict.
        return vars(self).get("renewed") or vars(self).get("identity")

    @property
    def known_project(self) -> str | None:
        """The project, as far as it is known without looking."""
        return vars(self).get("project") or self.target.project

    @property
    def known_reached(self) -> Reached | None:
        """What answered at the base URL, if a check has looked already; this does not look."""
        return vars(self).get("reached")

    def installed(self, distribution: str) -> str | None:
        """Return the version of a distribution in this Python, or None."""
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            return None

    @cached_property
    def connects(self) -> bool:
        """Whether anything can be sent here, which every question needs that is not recorded."""
        return can_connect(self.start)

    @cached_property
    def identity(self) -> Identity:
        """Whose credentials are found."""
        login = self._apart.transport.authorizer
        if isinstance(login, ApplicationDefault):
            self._stay_here(login.asked_on_the_way())
        return self._wait(login.identity, self._most.credentials)

    @cached_property
    def project(self) -> str:
        """The project that is asked; the credentials name it where nothing else does."""
        if self.target.project:
            return self.target.project
        named = self._wait(self._apart.transport.authorizer.project, self._most.credentials)
        if not named:
            raise project_missing()
        return named

    @cached_property
    def reached(self) -> Reached:
        """What answers at the base URL, without a token."""
        from vertex_claude_magic.transport.connectivity import reach

        look = partial(reach, self.address, self.target.model_id, seconds=self._most.host, now=self.now)
        # A little longer than the look itself, whose own error tells more.
        return self._wait(look, self._most.host + 0.5, self.host)

    @cached_property
    def renewed(self) -> Identity:
        """Whose credentials they are after getting a new token."""
        login = self._apart.transport.authorizer
        self._stay_here(login.identity().renewed_at)
        renew = partial(login.identity, renew=True)
        return self._wait(renew, self._most.credentials, "Google's token service")

    @cached_property
    def counted(self) -> int | errors.ClaudeError:
        """How many tokens the service counts in the fixed text, free of charge; or its refusal."""
        try:
            return self._send(build_count_request(self._request(), self.catalog), "input_tokens", int)
        except errors.ClaudeError as error:
            return error

    @cached_property
    def answered(self) -> Usage | errors.ClaudeError:
        """What an answer of one token used, or the refusal; only asked for where the user wants it."""
        from vertex_claude_magic.vertex.reply import usage_from

        try:
            return usage_from(self._send(self._request(), "usage", dict))
        except errors.ClaudeError as error:
            return error

    def _wait(self, work: Callable[[], T], seconds: float, asked: str = "") -> T:
        """Wait for what may block, within the time of the diagnosis; `asked` names who is slow if it is late."""

        def late(seconds: float) -> errors.ClaudeError:
            return errors.DeadlineExceeded(f"{asked} did not answer within {seconds:g} seconds.", cure="")

        self._check_live()
        left = self.timer.left(seconds)
        return wait_for(work, seconds=left, clock=self.clock, tick=self.tick, late=late if asked else None)

    def _check_live(self) -> None:
        """Look no further where a policy allows recorded answers only: a look for a token may send something too."""
        if by := self.target.forbids.get("live"):
            raise NotLookedAt(f"Live calls are switched off by {by}, so nothing is sent.")

    def _stay_here(self, address: str | None) -> None:
        """Look no further if the base URL is on this machine and the next address is not."""
        here = is_loopback(self.target.base_url or "")
        if here and address is not None and not is_loopback(address):
            raise NotLookedAt(
                "The base URL is on this machine, so no other host is contacted; "
                f"this check would contact {urlsplit(address).netloc}."
            )

    def _request(self) -> Request:
        target = self.target
        return fixed_request(target, model=target.model_id, project=self.project, region=target.region)

    def _send(self, request: Request, name: str, kind: type[T]) -> T:
        """Send a request and return one field of its answer."""
        self._check_live()
        seconds = self.timer.left(self._most.answer)
        try:
            answer = self._apart.send(request, self.target, timeout=seconds).whole(self.tick)
        finally:
            self._apart.transport.close()
        value = answer.get(name) if isinstance(answer, dict) else None
        if not isinstance(value, kind):
            raise errors.ProtocolError("The response is not from Vertex AI.", cure="")
        return value
