"""The session of one user: settings, credentials, open connections and records."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.records.budget import Budget, count_or_bound, read_count
from vertex_claude_magic.records.rehearsal import refusal
from vertex_claude_magic.records.session_records import SessionRecords, journal_of, sources_of
from vertex_claude_magic.records.stores import Stores
from vertex_claude_magic.session.question import NO_PROJECT, prepare_forms
from vertex_claude_magic.session.status import JournalNotes, SessionStatus
from vertex_claude_magic.settings.environment import is_rehearsal
from vertex_claude_magic.settings.loaded import loaded, present_policy, settings_of
from vertex_claude_magic.settings.options import wrong_type
from vertex_claude_magic.settings.target import resolve_target
from vertex_claude_magic.spelling import Spelling, spelled
from vertex_claude_magic.transport.auth import ApplicationDefault, FixedToken
from vertex_claude_magic.transport.retry import RetryPolicy
from vertex_claude_magic.transport.transport import Transport
from vertex_claude_magic.transport.waiting import pause, wait_for
from vertex_claude_magic.vertex.request import build_count_request, in_project

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.auth.credentials import Credentials

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.session.history import History
    from vertex_claude_magic.settings.loaded import Demo
    from vertex_claude_magic.settings.options import AskOptions
    from vertex_claude_magic.settings.policy import Policy
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.transport.admin import Admin
    from vertex_claude_magic.transport.auth import Authorizer
    from vertex_claude_magic.transport.transport import PendingResponse, Start
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Session", "authorizer_of", "check_live", "open_session", "project_missing"]


class Session:
    """What asks: one user's settings, transport and records.

    Args:
        settings: Returns the settings as they are now.
        authorizer: Gives each request its token.
        retry_policy: Retries, and how long to wait for a silent service.
        status: What checks have found so far; errors and notices tell of it.
        clock: Seconds that never run backwards.
        demo: The demo whose emulator answers, which the notices of each answer say.
        stores: The open journals and recordings, where other sessions share them.
        budget: The sums of what was spent, where another session adds to the same.
        follows_demo: Whether the demo's emulator is asked while it runs (`present`).
    """

    def __init__(
        self,
        settings: Callable[[], AskOptions],
        authorizer: Authorizer,
        *,
        retry_policy: RetryPolicy | None = None,
        status: SessionStatus | None = None,
        clock: Callable[[], float] = time.monotonic,
        demo: Demo | None = None,
        stores: Stores | None = None,
        budget: Budget | None = None,
        follows_demo: bool = False,
    ) -> None:
        self.settings = settings
        self.demo = demo
        self.records = SessionRecords(stores=stores, budget=budget)
        self.transport = Transport(authorizer, retry_policy, clock=clock)
        stores = self.records.stores
        # Without the session itself, so that one that is dropped goes at once, with its thread and its connections.
        self.status = status or SessionStatus(
            notes=JournalNotes(lambda: journal_of(_resolved(settings()), stores))
        )
        self.follows_demo = follows_demo
        # What asked the emulator last.
        self._in_demo: Session | None = None

    @property
    def retry_policy(self) -> RetryPolicy:
        """Retries, and how long to wait for a silent service."""
        return self.transport.policy

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds that never run backwards."""
        return self.transport.clock

    def present(self, given: Mapping[str, Any] = MappingProxyType({})) -> Session:
        """Return what asks now: this session, or one that asks the emulator of the demo that runs.

        A question is asked by one of them from its beginning to its end, so that no token of the user's goes to the
        address of an emulator that has ended, and none of the emulator's to Google.

        Args:
            given: The options of the question; one that has a `base_url`, or clears it, is not for the emulator.
        """
        elsewhere = given.get("base_url") is not None
        known = loaded() if self.follows_demo and not elsewhere else None
        demo = None if known is None else known.demo
        if demo is None:
            return self
        if self._in_demo is None or self._in_demo.demo != demo:
            settings = self.settings
            # For a user who starts and stops the demo it is one session with one sum.
            self._in_demo = Session(
                lambda: settings().replace(base_url=demo.base_url, project=demo.project),
                FixedToken(demo.token),
                retry_policy=self.retry_policy,
                status=self.status,
                clock=self.clock,
                demo=demo,
                stores=self.records.stores,
                budget=self.records.budget,
            )
        return self._in_demo

    def with_own_connections(self) -> Session:
        """Return a session that shares all with this one but its connections."""
        return self._over(self.transport.with_own_connections())

    def apart(self, policy: RetryPolicy, clock: Callable[[], float]) -> Session:
        """Return a session whose login has a state of its own too, to be tried without touching this one."""
        return self._over(self.transport.apart(policy, clock))

    def _over(self, transport: Transport) -> Session:
        copied = copy.copy(self)
        copied.transport = transport
        copied._in_demo = None  # noqa: SLF001 - of its own kind
        return copied

    def target(
        self,
        given: Mapping[str, Any] | None = None,
        settings: AskOptions | None = None,
        *,
        saved: Mapping[str, Any] | None = None,
        policy: Policy | None = None,
    ) -> Target:
        """Resolve the settings, with the options of one question over them.

        Args:
            given: Options by name.
            settings: What to resolve in place of the present settings.
            saved: The options of a saved prompt, by name.
            policy: What is locked; that of this process if not given.

        Raises:
            OptionError: an option or a setting has a value that it cannot take.
        """
        return _resolved(self.settings() if settings is None else settings, given, saved, policy)

    def request(
        self,
        prompt: str | Sequence[Any],
        target: Target,
        *,
        scope: Scope | None = None,
        notify: Callable[[str], None] | None = None,
        history: History | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> Request:
        """Build the request of a question as it would be sent, whatever is recorded, and send nothing.

        Where a record answers it or nothing may be sent, and no project is named, nobody is asked for one.

        Raises:
            OptionError: it cannot be sent as it stands.
            ProjectNotFound: no project is named anywhere.
        """
        sources = sources_of(target, self.records.stores)
        unnamed = sources.answers and target.project is None
        forms = prepare_forms(
            prompt,
            target,
            project=lambda: NO_PROJECT if unnamed else self.project(target, notify),
            history=history,
            recorded=sources.answers,
            scope=scope,
            seen=self.status.sightings,
            tools=tools,
        )
        *recorded, request = [form.request for form in forms]
        for other in recorded:
            if sources.look(other) is not None:
                return other
        if request.project != NO_PROJECT or sources.mode == "only" or sources.look(request) is not None:
            return request
        with sources.missed_without_login(request):
            return in_project(request, self.project(target, notify))

    def send(
        self,
        request: Request,
        target: Target,
        *,
        timeout: float | None = None,
        retry: bool = True,
        start: Start | None = None,
        before: Callable[[PendingResponse], None] = lambda _: None,
    ) -> PendingResponse:
        """Start sending a request, and return at once.

        Args:
            request: What is sent.
            target: The settings that it was built with.
            timeout: Seconds for the whole answer; None means that of the target.
            retry: Whether it may be sent again if it fails.
            start: Runs the sending in a thread, instead of one that the transport has.
            before: Takes the response before anything is sent.

        Raises:
            UntrustedHost: a token would go where it must not.
            ReplayMiss: this process only rehearses.
            OptionError: a policy allows recorded answers only.
        """
        check_live(target)
        if "live" in present_policy().forbids and not isinstance(self.transport.authorizer, FixedToken):
            # The demo's address may be given by hand, and then credentials would be asked for a token.
            raise _no_live(present_policy().who("live"))
        if is_rehearsal():
            raise refusal()
        return self.transport.send(
            request,
            target.catalog,
            timeout=target.timeout if timeout is None else timeout,
            trusted_hosts=target.trusted_hosts,
            retry=retry,
            seen=self.status.sightings,
            start=start,
            before=before,
        )

    def count(self, request: Request, target: Target) -> int:
        """Return the exact input tokens of a request; the service counts them free of charge.

        Raises:
            ReplayMiss: nothing may be sent, and the recording does not know the number.
            ModelNotFound: the location counts no tokens.
        """
        sources = sources_of(target, self.records.stores)
        try:
            known = sources.counted(request)
        except errors.ReplayMiss:
            # A policy is the reason that its reader can do something about.
            check_live(target)
            raise
        if known is None:
            with sources.missed_without_login():
                if request.project == NO_PROJECT:
                    request = in_project(request, self.project(target))
                known = read_count(self.send(build_count_request(request, target.catalog), target).whole())
            self.records.keep_count(sources, request, known)
        return known

    def count_or_bound(self, request: Request, target: Target) -> tuple[int, bool]:
        """Return the input tokens of a request and whether they are exact; an upper bound where none are counted."""
        table = target.catalog
        if "live" in target.forbids:
            return count_or_bound(request, table, None)
        with suppress(errors.ThreadUnavailable):
            return count_or_bound(request, table, partial(self.count, target=target))
        return count_or_bound(request, table, None)

    def project(self, target: Target, notify: Callable[[str], None] | None = None) -> str:
        """Return the project that pays: the target's, or the one that the credentials name.

        Raises:
            ProjectNotFound: none of them names one.
            CredentialsNotFound: there are no credentials to ask.
            ClaudeInterrupt: the user stopped the wait for them.
        """
        if target.project:
            return target.project
        check_live(target)
        if notify is not None:
            notify("looking for Google credentials")
        try:
            project = wait_for(
                self.transport.authorizer.project, seconds=self.retry_policy.credentials, clock=self.clock
            )
        except KeyboardInterrupt:
            raise errors.ClaudeInterrupt from None
        if not project:
            raise project_missing()
        self.status.project = project
        return project

    def admin(self, target: Target) -> Admin:
        """Return who asks and sets what belongs to the chosen model in the chosen location."""
        # Questions do without it, and the first one should not wait for its import.
        from vertex_claude_magic.transport.admin import Admin
        from vertex_claude_magic.transport.resources import ModelPlace

        place = ModelPlace(
            project=self.project(target),
            region=target.region,
            model=target.model_id,
            base_url=target.base_url,
        )

        def call(request: Request, *, retry: bool = True) -> Json:
            return self.send(request, target, retry=retry).whole()

        return Admin(call, place, clock=self.clock, pause=pause)

    def close(self) -> None:
        """Close idle connections and the journal's file; the object stays usable."""
        self.transport.close()
        if self._in_demo is not None:
            self._in_demo.transport.close()
        with suppress(errors.OptionError):
            # A setting that cannot be taken names no journal.
            journal = journal_of(self.target(), self.records.stores)
            if journal is not None:
                journal.close()


def _resolved(
    settings: AskOptions,
    given: Mapping[str, Any] | None = None,
    saved: Mapping[str, Any] | None = None,
    policy: Policy | None = None,
) -> Target:
    return resolve_target(settings, given or {}, saved=saved, policy=policy)


def open_session(
    *,
    credentials: Credentials | ApplicationDefault | None = None,
    access_token: str | None = None,
    retry_policy: RetryPolicy | None = None,
    clock: Callable[[], float] = time.monotonic,
    **options: Any,
) -> Session:
    """Return a session with settings of its own; what is not given comes from the loaded magics, if there are any.

    What it spends is added to the sum of these magics. Unless an argument says who is asked (credentials, a token, a
    base URL), it follows their demo.

    Args:
        credentials: As for `authorizer_of`.
        access_token: As for `authorizer_of`.
        retry_policy: How patient to be with a service that is slow or refuses.
        clock: Monotonic seconds.
        options: Settings by name.

    Raises:
        OptionError: a setting has a name that does not exist, or a value that it cannot take.
    """
    if retry_policy is not None and not isinstance(retry_policy, RetryPolicy):
        raise wrong_type(
            "policy",
            retry_policy,
            "Give a vertex_claude_magic.transport.retry.RetryPolicy; VERTEX_CLAUDE_POLICY names a policy file.",
        )
    settings = settings_of(options)
    elsewhere = credentials is not None or access_token is not None or options.get("base_url")
    known = loaded()
    # All clients of a kernel share its open files, so that repeats come in one order and a notice comes once.
    stores = known.stores if known is not None and isinstance(known.stores, Stores) else Stores()
    # And one sum, because a limit for the session is one for the kernel.
    budget = known.budget if known is not None and isinstance(known.budget, Budget) else Budget()
    return Session(
        lambda: settings,
        authorizer_of(credentials, access_token),
        retry_policy=retry_policy,
        clock=clock,
        stores=stores,
        budget=budget,
        follows_demo=not elsewhere,
    )


def project_missing() -> errors.ProjectNotFound:
    """Return the error where neither a setting nor the credentials name a project."""
    return errors.ProjectNotFound(
        "No Google Cloud project is set, and the credentials do not contain one.",
        cure=spelled("Use {}, or set GOOGLE_CLOUD_PROJECT.", Spelling("--project ID", "project=")),
    )


def check_live(target: Target) -> None:
    """Refuse whatever would leave this machine, a request for a token included, where a policy says so.

    Raises:
        OptionError: it does.
    """
    if by := target.forbids.get("live"):
        raise _no_live(by)


def _no_live(by: str) -> errors.OptionError:
    return errors.OptionError(
        f"Live calls are switched off by {by}, so no request was sent.",
        cure="Only recorded answers are available here.",
    )


def authorizer_of(
    credentials: Credentials | ApplicationDefault | None, access_token: str | None
) -> Authorizer:
    """Return what gives requests their token.

    Args:
        credentials: A google-auth credentials object or an `ApplicationDefault`; None for those that google-auth finds.
        access_token: A ready token, which is used instead.

    Raises:
        OptionError: one of them is something else; the message shows nothing of it.
    """
    if access_token is not None:
        if not isinstance(access_token, str) or access_token.lower().startswith("bearer "):
            raise errors.OptionError(
                "access_token is not a bare token.", cure="Give the token alone, as a string."
            )
        return FixedToken(access_token)
    if isinstance(credentials, ApplicationDefault):
        return credentials
    if isinstance(credentials, (str, bytes, PathLike, Mapping)):
        raise errors.OptionError(
            f"credentials is a {type(credentials).__name__}, not a credentials object of google-auth.",
            cure="For a key file, set GOOGLE_APPLICATION_CREDENTIALS to its path, or use "
            "google.oauth2.service_account.Credentials.from_service_account_file.",
        )
    return ApplicationDefault(credentials=credentials)
