"""The object that asks: one session with its settings, credentials and open connections."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.catalog import Catalog
from vertex_claude_magic.session.options import AskOptions, find_setting, merge
from vertex_claude_magic.session.stream import Stream, StreamContext
from vertex_claude_magic.vertex.auth import ApplicationDefault, Authorizer, FixedToken
from vertex_claude_magic.vertex.request import Request, build_count_request, build_request
from vertex_claude_magic.vertex.retry import RetryPolicy
from vertex_claude_magic.vertex.transport import Transport, wait_for

if TYPE_CHECKING:
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.transport import Exchange

__all__ = ["Claude", "Prompt"]

Prompt = str | Sequence[Mapping[str, Any]]


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
        clock: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        self.options = merge(AskOptions(), {"project": project, "region": region, "model": model, **options})
        self._clock = clock
        self._policy = policy or RetryPolicy()
        self._transport = Transport(
            authorizer=_authorizer(credentials, access_token), policy=self._policy, clock=clock
        )

    def __repr__(self) -> str:
        region, model = find_setting("region", self.options).value, find_setting("model", self.options).value
        return f"Claude(model={model!r}, region={region!r})"

    def ask(self, prompt: Prompt, **options: Any) -> Reply:
        """Ask, wait for the whole answer, and return it.

        Args:
            prompt: A text, a list of content blocks, or a list of messages.
            options: Long option names of the magic with `_`: `model=`, `region=`, `max_tokens=`,
                `system=`, `effort=`, `set={"field": value}` and so on.

        Raises:
            ClaudeError: every error says what to do about it in `.cure`.
            ClaudeInterrupt: the user stopped it; the partial answer is in `.reply`.
        """
        with self.stream(prompt, **options) as stream:
            return stream.reply

    def stream(
        self, prompt: Prompt, *, notify: Callable[[str], None] | None = None, **options: Any
    ) -> Stream:
        """Ask, and return at once an object to iterate over the events of the answer.

        Args:
            prompt: As for `ask`.
            notify: Called with what is being waited for (credentials, a retry), from the asking thread.
            options: As for `ask`.
        """
        merged = merge(self.options, options)
        return self.send(self.build(prompt, merged, notify), merged, notify=notify)

    def build(
        self, prompt: Prompt, options: AskOptions, notify: Callable[[str], None] | None = None
    ) -> Request:
        """Build the request for options that are merged already; `request` is this after merging."""
        messages = _messages(prompt, options)
        catalog = self.catalog(options)
        region = str(find_setting("region", options).value)
        model = catalog.resolve(str(find_setting("model", options).value), region)
        return build_request(
            messages,
            options,
            model=model,
            project=self.project(options, notify),
            region=region,
            catalog=catalog,
            stream=_streams(options, model, catalog),
            base_url=find_setting("base_url", options).value,
            anthropic_version=find_setting("anthropic_version", options).value,
        )

    def send(
        self, request: Request, options: AskOptions, *, notify: Callable[[str], None] | None = None
    ) -> Stream:
        """Send a request that has been built; `stream` is this after `request`."""
        exchange = self._exchange(request, options)
        context = StreamContext(
            request=request,
            catalog=self.catalog(options),
            format=options.format or "markdown",
            clock=self._clock,
            notify=notify,
        )
        return Stream(exchange, context)

    def request(
        self, prompt: Prompt, *, notify: Callable[[str], None] | None = None, **options: Any
    ) -> Request:
        """Build the request that `ask` would send, and send nothing; `.headers` hold no token.

        Raises:
            OptionError: it cannot be sent as it stands.
            ProjectNotFound: no project is named anywhere.
        """
        return self.build(prompt, merge(self.options, options), notify)

    def count(self, prompt: Prompt, **options: Any) -> int:
        """Return the exact number of input tokens; the service counts them free of charge.

        The prompt goes to the chosen region and nowhere else, so this raises `ModelNotFound` where the
        region does not count tokens.
        """
        merged = merge(self.options, options)
        return self.count_request(self.build(prompt, merged), merged)

    def count_request(self, request: Request, options: AskOptions) -> int:
        """Count the input tokens of a request that has been built; `count` is this after `request`."""
        counting = build_count_request(request)
        return _counted(self._exchange(counting, options).whole())

    def catalog(self, options: AskOptions | None = None) -> Catalog:
        """Return the model table, with the user's own file on top if a setting names one."""
        return Catalog.load((options or self.options).models_file)

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
        return project

    def close(self) -> None:
        """Close idle connections; the object stays usable."""
        self._transport.close()

    def _exchange(self, request: Request, options: AskOptions) -> Exchange:
        return self._transport.send(
            request, self.catalog(options), timeout=_timeout(options), trusted_hosts=options.trusted_hosts
        )


def _authorizer(credentials: Any, access_token: str | None) -> Authorizer:
    if access_token is not None:
        return FixedToken(access_token)
    if isinstance(credentials, ApplicationDefault):
        return credentials
    return ApplicationDefault(credentials=credentials)


def _timeout(options: AskOptions) -> float:
    return float(find_setting("timeout", options).value)


def _streams(options: AskOptions, model: str, catalog: Catalog) -> bool:
    """Tell whether to stream: always, but for short answers that the user does not want streamed.

    A long answer that is not streamed may outlast every proxy on the way; the official SDK
    (anthropic 2.12.0) refuses it beyond the limit that the table holds.
    """
    if not options.no_stream:
        return True
    unary, row = catalog.limits["unary"], catalog.find(model)
    limit = unary["by_model"].get(row.id if row else model, unary["max_tokens"])
    wanted = options.set.get("max_tokens", options.max_tokens)
    return isinstance(wanted, int) and wanted > limit


def _messages(prompt: Prompt, options: AskOptions) -> list[Mapping[str, Any]]:
    if "messages" in options.set and not prompt:
        return []
    if isinstance(prompt, str):
        if not prompt.strip():
            raise errors.OptionError("The prompt is empty.", cure="Write a question.")
        return [{"role": "user", "content": prompt}]
    parts = list(prompt)
    if not parts or not all(isinstance(part, Mapping) for part in parts):
        raise errors.OptionError(
            "The prompt is neither a text nor a list of content blocks.",
            cure='Give a string, or blocks such as {"type": "text", "text": "..."}.',
        )
    return parts if all("role" in part for part in parts) else [{"role": "user", "content": parts}]


def _counted(data: Any) -> int:
    count = data.get("input_tokens") if isinstance(data, Mapping) else None
    if not isinstance(count, int):
        raise errors.ProtocolError(
            "The token count did not come as expected.",
            cure="Look for a proxy between this machine and Google.",
        )
    return count
