"""The object that asks: one session with its settings, credentials and open connections."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.catalog import Catalog
from vertex_claude_magic.session.control_room import ControlRoom
from vertex_claude_magic.session.options import AskOptions, find_setting, merge
from vertex_claude_magic.session.prompt import Scope
from vertex_claude_magic.session.question import Prepared, prepare
from vertex_claude_magic.session.stream import Stream, StreamContext
from vertex_claude_magic.vertex.admin import Admin, Place
from vertex_claude_magic.vertex.auth import ApplicationDefault, Authorizer, FixedToken
from vertex_claude_magic.vertex.request import build_count_request
from vertex_claude_magic.vertex.retry import RetryPolicy
from vertex_claude_magic.vertex.transport import Transport
from vertex_claude_magic.vertex.waiting import pause, wait_for

if TYPE_CHECKING:
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.request import Request
    from vertex_claude_magic.vertex.transport import Exchange

__all__ = ["Claude", "Prompt"]

Prompt = str | Sequence[Any]
_log = logging.getLogger("vertex_claude_magic")


class Claude:
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
        options: Defaults for all questions, under the names of `ask`.

    What is not given comes from the environment (`ANTHROPIC_VERTEX_PROJECT_ID`, `CLOUD_ML_REGION`,
    `ANTHROPIC_VERTEX_BASE_URL` and so on), then from the credentials.

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
        **options: Any,
    ) -> None:
        self.options = merge(AskOptions(), {"project": project, "region": region, "model": model, **options})
        self._clock = clock
        self._policy = policy or RetryPolicy()
        self._transport = Transport(
            authorizer=_authorizer(credentials, access_token), policy=self._policy, clock=clock
        )
        self.control = control or ControlRoom()

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
        with self.send(prepared.request, merged) as stream:
            reply = stream.reply
        return prepared.settle(reply, lambda request, _: self._whole(request, merged))

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
        return prepare(
            prompt,
            options,
            catalog=self.catalog(options),
            project=lambda: self.project(options, notify),
            scope=scope,
        )

    def send(
        self,
        request: Request,
        options: AskOptions,
        *,
        notify: Callable[[str], None] | None = None,
        read: Callable[[Reply], Reply] | None = None,
    ) -> Stream:
        """Send a request that has been built; `stream` is this after `request`."""
        exchange = self.exchange(request, options)
        context = StreamContext(
            request=request,
            catalog=self.catalog(options),
            format=options.format or "markdown",
            clock=self._clock,
            notify=notify,
            read=read,
        )
        return Stream(exchange, context)

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
        merged = merge(self.options, options)
        return self.prepare(prompt, merged, scope=_scope(names), notify=notify).request

    def count(self, prompt: Prompt, *, names: Mapping[str, Any] | None = None, **options: Any) -> int:
        """Return the exact number of input tokens; the service counts them free of charge.

        The prompt goes to the chosen region and nowhere else, so this raises `ModelNotFound` where the
        region does not count tokens.
        """
        merged = merge(self.options, options)
        return self.count_request(self.prepare(prompt, merged, scope=_scope(names)).request, merged)

    def count_request(self, request: Request, options: AskOptions) -> int:
        """Count the input tokens of a request that has been built; `count` is this after `request`."""
        counting = build_count_request(request)
        return _counted(self.exchange(counting, options).whole())

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
            _log.warning(notice)

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
        """Close idle connections; the object stays usable."""
        self._transport.close()

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
        return self._transport.send(
            request,
            self.catalog(options),
            timeout=_timeout(options) if timeout is None else timeout,
            trusted_hosts=options.trusted_hosts,
            retry=retry,
        )


def _authorizer(credentials: Any, access_token: str | None) -> Authorizer:
    if access_token is not None:
        return FixedToken(access_token)
    if isinstance(credentials, ApplicationDefault):
        return credentials
    return ApplicationDefault(credentials=credentials)


def _scope(names: Mapping[str, Any] | None) -> Scope | None:
    return None if names is None else Scope(names=names)


def _timeout(options: AskOptions) -> float:
    return float(find_setting("timeout", options).value)


def _counted(data: Any) -> int:
    count = data.get("input_tokens") if isinstance(data, Mapping) else None
    if not isinstance(count, int):
        raise errors.ProtocolError(
            "The token count did not come as expected.",
            cure="Look for a proxy between this machine and Google.",
        )
    return count
