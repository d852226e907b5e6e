"""The object that asks: one session with its settings, credentials and open connections."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.prompts.template import Scope
from vertex_claude_magic.records.budget import count_or_bound, read_count
from vertex_claude_magic.records.recording.rehearsal import is_rehearsal, note_question, refusal
from vertex_claude_magic.records.session_records import Keeping, journal_of, limits_of, memory_of
from vertex_claude_magic.session.control_room import ControlRoom, JournalNotes
from vertex_claude_magic.session.copies import CopiedAsSettings
from vertex_claude_magic.session.question import Prepared, prepare
from vertex_claude_magic.session.recall import NO_PROJECT, recall, unrecorded
from vertex_claude_magic.session.start import authorizer_of, shared_stores, start_notice, taken_over
from vertex_claude_magic.session.stream import Stream, StreamContext
from vertex_claude_magic.settings.options import AskOptions, find_setting, merge
from vertex_claude_magic.transport.admin import Admin, Place
from vertex_claude_magic.transport.retry import RetryPolicy
from vertex_claude_magic.transport.transport import Transport
from vertex_claude_magic.transport.waiting import pause, wait_for
from vertex_claude_magic.vertex.request import build_count_request, in_project

if TYPE_CHECKING:
    from vertex_claude_magic.records.recorder import Recorder
    from vertex_claude_magic.records.sources import Memory
    from vertex_claude_magic.transport.auth import Authorizer
    from vertex_claude_magic.transport.transport import Exchange
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Claude", "Prompt"]

Prompt = str | Sequence[Any]
_log = logging.getLogger("vertex_claude_magic")


class Claude(CopiedAsSettings):
    """Ask Claude on Vertex AI.

    Args:
        project: The Google Cloud project that pays.
        region: `global`, `us`, `eu` or a region.
        model: A model id or an alias such as `sonnet`.
        credentials: A google-auth credentials object, or an `ApplicationDefault` with a transport of its
            own; by default the application default credentials.
        access_token: A ready access token instead of credentials.
        policy: How patient to be with a service that is slow or refuses.
        control: What checks have found so far; the errors of this object tell of it.
        clock: Monotonic seconds; for tests.
        settings: All options at once, in place of those below and of the magics.
        options: Defaults for all questions, under the names of `ask`.

    What is not given comes from the settings that the loaded magics have now, from the environment
    (`ANTHROPIC_VERTEX_PROJECT_ID`, `CLOUD_ML_REGION` and so on), then from the credentials.

    >>> from vertex_claude_magic.emulator import Emulator
    >>> with Emulator() as emulator:
    ...     emulator.answer("Four.")
    ...     claude = Claude(project=emulator.project, base_url=emulator.base_url, access_token="emulator")
    ...     claude.ask("What is 2 + 2?", model="haiku").text
    'Four.'
    """

    def __init__(
        self,
        *,
        project: str | None = None,
        region: str | None = None,
        model: str | None = None,
        credentials: Any = None,
        access_token: str | None = None,
        policy: RetryPolicy | None = None,
        control: ControlRoom | None = None,
        clock: Callable[[], float] = time.monotonic,
        settings: AskOptions | None = None,
        **options: Any,
    ) -> None:
        given = {"project": project, "region": region, "model": model, **options}
        if settings is None:
            settings, access_token = taken_over(given, credentials, access_token)
        self.options = settings
        if notice := start_notice(settings, given):
            _log.warning("%s", notice)
        self._clock = clock
        self.keeping = Keeping(stores=shared_stores())
        self._policy = policy or RetryPolicy()
        login = authorizer_of(credentials, access_token)
        self._transport = Transport(authorizer=login, policy=self._policy, clock=clock)
        self.control = control or ControlRoom(
            notes=JournalNotes(lambda: journal_of(self.options, self.keeping.stores))
        )

    def __repr__(self) -> str:
        region, model = find_setting("region", self.options).value, find_setting("model", self.options).value
        return f"Claude(model={model!r}, region={region!r})"

    def ask(self, prompt: Prompt, *, names: Mapping[str, Any] | None = None, **options: Any) -> Reply:
        """Ask, wait for the whole answer, and return it.

        Args:
            prompt: A text; a list of texts, Python objects and content blocks; or a list of messages.
            names: The values that `{{ name }}` in the prompt stands for; without it braces are only braces.
            options: Long option names of the magic with `_`: `model=`, `region=`, `max_tokens=`,
                `system=`, `effort=`, `attach=[frame, "report.pdf"]`, `set={"field": value}` and so on. `as_=`
                asks for data: a type, a JSON schema or "df"; the reply's `data` holds them.

        Raises:
            AnswerInvalid: the answer is not the data that `as_` asks for, also after one repair.
            ClaudeError: every error says what to do about it in `.cure`.
            ClaudeInterrupt: the user stopped it; the partial answer is in `.reply`.
        """
        merged = merge(self.options, options)
        prepared = self.prepare(prompt, merged, scope=_scope(names))
        self._log_notice(prepared.request, merged)
        try:
            reply = self._whole(prepared.request, merged)
            return prepared.settle(reply, lambda request, _: self._whole(request, merged))
        finally:
            self._log_notices(merged)

    def _whole(self, request: Request, options: AskOptions) -> Reply:
        with self.send(request, options) as stream:
            return stream.reply

    def stream(
        self,
        prompt: Prompt,
        *,
        names: Mapping[str, Any] | None = None,
        notify: Callable[[str], None] | None = None,
        **options: Any,
    ) -> Stream:
        """Ask, and return at once an object to iterate over the events of the answer.

        Args:
            prompt: As for `ask`.
            names: As for `ask`.
            notify: Called with what is being waited for (credentials, a retry), from the asking thread.
            options: As for `ask`; an answer that is not the data of `as_` is an error without a repair.
        """
        merged = merge(self.options, options)
        prepared = self.prepare(prompt, merged, scope=_scope(names), notify=notify)
        self._log_notice(prepared.request, merged)
        return self.send(prepared.request, merged, notify=notify, read=prepared.fitted)

    def prepare(
        self,
        prompt: Prompt,
        options: AskOptions,
        *,
        scope: Scope | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> Prepared:
        """Make a question ready to be sent, for options that are merged already; nothing is sent.

        Args:
            prompt: As for `ask`.
            options: Merged options.
            scope: Where templates, attachments and types are looked up.
            notify: Called with what is being waited for.
        """
        memory = memory_of(options, self.keeping.stores)
        if not memory.answers:
            return self._prepared(prompt, options, scope, lambda: self.project(options, notify))
        # Whether anything is recorded is known before anybody asks for credentials.
        named = str(find_setting("project", options).value or NO_PROJECT)
        return recall(memory, options, lambda variant: self._prepared(prompt, variant, scope, lambda: named))

    def _prepared(
        self, prompt: Prompt, options: AskOptions, scope: Scope | None, project: Callable[[], str]
    ) -> Prepared:
        return prepare(prompt, options, catalog=self.catalog(options), project=project, scope=scope)

    def send(
        self,
        request: Request,
        options: AskOptions,
        *,
        notify: Callable[[str], None] | None = None,
        read: Callable[[Reply], Reply] | None = None,
    ) -> Stream:
        """Send a request that has been built, or play its answer if it is recorded and may be given again.

        Raises:
            CostLimitExceeded: it could cross a limit that the user set.
            ReplayMiss: it may not be sent, and nothing is recorded.
        """
        memory = memory_of(options, self.keeping.stores)
        found = memory.look(request, take=True) if memory.answers else None
        note_question(request, memory, found=found is not None)
        context = StreamContext(
            request=request,
            catalog=self.catalog(options),
            format=options.format or "markdown",
            clock=self._clock,
            notify=notify,
            read=read,
            found=found,
        )
        if found is not None:
            return Stream(self.keeping.play(request, options, memory, found, self._clock), context)
        if memory.mode == "only":
            raise memory.miss(request)
        if memory.answers:
            context = replace(context, without_login=partial(memory.miss_without_login, request))
        if request.project == NO_PROJECT:
            with memory.missed_without_login(request):
                request = in_project(request, self.project(options, notify))
        return self._sent(replace(context, request=request), options, memory)

    def is_kept(self, request: Request, options: AskOptions) -> bool:
        """Tell whether `send` would give an answer again that is kept."""
        memory = memory_of(options, self.keeping.stores)
        return memory.answers and memory.look(request) is not None

    def _sent(self, context: StreamContext, options: AskOptions, memory: Memory) -> Stream:
        def recorder() -> Recorder:
            count = partial(self.count_request, options=options)
            return self.keeping.recorder(context.request, options, memory, context.catalog, count)

        # Without a limit nothing needs to be known before, and the request travels meanwhile.
        checked = recorder() if limits_of(options) else None
        exchange = self.exchange(context.request, options)
        try:
            return Stream(exchange, replace(context, recorder=checked or recorder()))
        except BaseException:
            exchange.cancel()
            raise

    def notices(self, options: AskOptions | None = None) -> tuple[str, ...]:
        """Return what there is to know of journal and recordings and was not told yet, a line each."""
        return self.keeping.notices(options or self.options)

    def _log_notices(self, options: AskOptions) -> None:
        for notice in self.notices(options):
            _log.warning("%s", notice)

    def request(
        self,
        prompt: Prompt,
        *,
        names: Mapping[str, Any] | None = None,
        notify: Callable[[str], None] | None = None,
        **options: Any,
    ) -> Request:
        """Build the request that `ask` would send, and send nothing; `.headers` hold no token.

        Raises:
            OptionError: it cannot be sent as it stands.
            ProjectNotFound: no project is named anywhere.
        """
        return self.unsent(prompt, merge(self.options, options), scope=_scope(names), notify=notify)

    def unsent(
        self,
        prompt: Prompt,
        options: AskOptions,
        *,
        scope: Scope | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> Request:
        """Build a request as it would be sent, for options that are merged already.

        Where a record answers it or nothing may be sent, and no project is named, nobody is asked for one.
        """
        sent = unrecorded(options)
        request = self._prepared(prompt, sent, scope, lambda: self.project(sent, notify)).request
        memory = memory_of(options, self.keeping.stores)
        if request.project != NO_PROJECT or memory.mode == "only" or memory.look(request) is not None:
            return request
        with memory.missed_without_login():
            return in_project(request, self.project(options, notify))

    def count(self, prompt: Prompt, *, names: Mapping[str, Any] | None = None, **options: Any) -> int:
        """Return the exact number of input tokens; the service counts them free of charge.

        The prompt goes to the chosen region and nowhere else, so this raises `ModelNotFound` where the
        region does not count tokens.
        """
        merged = merge(self.options, options)
        return self.count_request(self.unsent(prompt, merged, scope=_scope(names)), merged)

    def count_request(self, request: Request, options: AskOptions) -> int:
        """Count the input tokens of a request that has been built; `count` is this after `request`.

        Raises:
            ReplayMiss: nothing may be sent, and the recording does not know the number.
        """
        memory = memory_of(options, self.keeping.stores)
        known = memory.counted(request)
        if known is None:
            with memory.missed_without_login():
                known = read_count(self.exchange(build_count_request(request), options).whole())
            self.keeping.keep_count(memory, request, known)
        return known

    def count_or_bound(self, request: Request, options: AskOptions) -> tuple[int, bool]:
        """Return the input tokens of a request and whether they are exact; an upper bound where none are counted."""
        table, count = self.catalog(options), partial(self.count_request, options=options)
        with suppress(errors.ThreadUnavailable):
            return count_or_bound(request, table, count)
        return count_or_bound(request, table, None)

    @property
    def authorizer(self) -> Authorizer:
        """What gives requests their token; it can be used for other requests to Google."""
        return self._transport.authorizer

    def catalog(self, options: AskOptions | None = None) -> Catalog:
        """Return the model table, with the user's own file on top if a setting names one."""
        table = Catalog.load((options or self.options).models_file)
        return table.with_sightings(self.control.sightings)

    def lifecycle_notice(self, request: Request, options: AskOptions) -> str | None:
        """Return what is to be said of the end of a request's model; of each model once a session."""
        catalog = self.catalog(options)
        row = catalog.find(request.model)
        name = row.id if row is not None else request.model
        return self.control.reminder.tell(catalog, name, request.region)

    def _log_notice(self, request: Request, options: AskOptions) -> None:
        if notice := self.lifecycle_notice(request, options):
            _log.warning("%s", notice)

    def admin(self, options: AskOptions, notify: Callable[[str], None] | None = None) -> Admin:
        """Return who asks and sets what belongs to the chosen model in the chosen location.

        Args:
            options: Merged options.
            notify: Called with what is being waited for.
        """
        region = str(find_setting("region", options).value)
        place = Place(
            project=self.project(options, notify),
            region=region,
            model=self.catalog(options).resolve(str(find_setting("model", options).value), region),
            base_url=find_setting("base_url", options).value,
        )

        def call(request: Request, *, retry: bool = True) -> Any:
            return self.exchange(request, options, retry=retry).whole()

        return Admin(call, place, clock=self._clock, pause=pause)

    def project(self, options: AskOptions, notify: Callable[[str], None] | None = None) -> str:
        """Return the project that pays: said, from the environment, or from the credentials.

        Raises:
            ProjectNotFound: none of them names one.
            CredentialsNotFound: there are no credentials to ask.
        """
        found = find_setting("project", options)
        if found.value:
            return str(found.value)
        if notify is not None:
            notify("looking for Google credentials")
        try:
            project = wait_for(
                self._transport.authorizer.project, seconds=self._policy.credentials, clock=self._clock
            )
        except KeyboardInterrupt:
            raise errors.ClaudeInterrupt from None
        if not project:
            raise errors.ProjectNotFound(
                "No Google Cloud project is named, and the credentials name none.",
                cure="Use --project ID, or set GOOGLE_CLOUD_PROJECT.",
            )
        self.control.project = project
        return project

    def close(self) -> None:
        """Close idle connections and the journal's file; the object stays usable."""
        self._transport.close()
        journal = journal_of(self.options, self.keeping.stores)
        if journal is not None:
            journal.close()

    def exchange(
        self, request: Request, options: AskOptions, *, timeout: float | None = None, retry: bool = True
    ) -> Exchange:
        """Start sending a request that has been built, and return at once.

        Args:
            request: What is sent.
            options: Merged options.
            timeout: Seconds for the whole answer; None means those of the options.
            retry: Whether it may be sent again if it fails.
        """
        if is_rehearsal():
            raise refusal()
        return self._transport.send(
            request,
            self.catalog(options),
            timeout=float(find_setting("timeout", options).value) if timeout is None else timeout,
            trusted_hosts=options.trusted_hosts,
            retry=retry,
        )


def _scope(names: Mapping[str, Any] | None) -> Scope | None:
    return None if names is None else Scope(names=names)
