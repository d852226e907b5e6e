"""The public client: thin methods over a session."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import ClaudeError, PickleRefused
from vertex_claude_magic.records.session_records import missing_recording
from vertex_claude_magic.session.asking import (
    answer_of,
    scope_of,
    scope_with,
    spelled_for_python,
    started,
    streamed,
)
from vertex_claude_magic.session.exchange import Exchange
from vertex_claude_magic.session.session import Session, open_session
from vertex_claude_magic.settings.loaded import loaded
from vertex_claude_magic.settings.options import wrong_type
from vertex_claude_magic.spelling import in_python

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.auth.credentials import Credentials
    from typing_extensions import Self, Unpack

    from vertex_claude_magic.chats.chat import Chat
    from vertex_claude_magic.classroom.compare import Replies
    from vertex_claude_magic.settings.keywords import (
        AskKeywords,
        BatchKeywords,
        MapKeywords,
        QuestionKeywords,
    )
    from vertex_claude_magic.settings.options import AskOptions
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.tables.batch.job import BatchJob
    from vertex_claude_magic.tables.progress import Progress
    from vertex_claude_magic.tables.rows import IntoRows
    from vertex_claude_magic.transport.auth import ApplicationDefault
    from vertex_claude_magic.transport.retry import RetryPolicy
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Claude"]

_log = logging.getLogger("vertex_claude_magic")


class Claude:
    """Ask Claude on Vertex AI.

    Args:
        credentials: A google-auth credentials object, or an `ApplicationDefault` with a transport of its
            own; by default the application default credentials.
        access_token: A ready access token instead of credentials.
        policy: How patient to be with a service that is slow or refuses.
        clock: Monotonic seconds; for tests.
        options: Settings for all questions, under the names of `ask`: `project=`, `region=`, `model=` and so on.

    What is not given comes from the settings that the loaded magics have now, from the environment
    (`ANTHROPIC_VERTEX_PROJECT_ID`, `CLOUD_ML_REGION` and so on), then from the credentials. While `%claude_demo` is on,
    its emulator is asked, unless credentials, a token or a base URL is given here.

    Leaving a `with` block calls `close`.

    Raises:
        OptionError: a setting has a name that does not exist, or a value that it cannot take.

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
        credentials: Credentials | ApplicationDefault | None = None,
        access_token: str | None = None,
        policy: RetryPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
        **options: Unpack[AskKeywords],
    ) -> None:
        # Each question takes the `present` one, once: the demo may begin or end meanwhile.
        with spelled_for_python():
            self._session = open_session(
                credentials=credentials,
                access_token=access_token,
                retry_policy=policy,
                clock=clock,
                **options,
            )
            # The magics have said it already of a recording that they name.
            says = bool(options.get("recording")) or loaded() is None
            if says and (notice := missing_recording(self._session.target(), self._session.records.stores)):
                _log.warning("%s", in_python(notice))

    def __repr__(self) -> str:
        try:
            target = self._session.present().target()
        except ClaudeError:
            # Such as a policy that turns everything off: a question says so, a look at the object may not fail.
            return "Claude()"
        return f"Claude(model={target.model!r}, region={target.region!r})"

    def ask(
        self,
        prompt: str | Sequence[Any],
        *,
        names: Mapping[str, Any] | None = None,
        **options: Unpack[AskKeywords],
    ) -> Reply:
        """Ask, wait for the whole answer, and return it.

        Args:
            prompt: A text; a list of strings, Python objects and content blocks; or a list of messages.
            names: The values that `{{ name }}` in the prompt stands for; without it braces are only braces.
            options: Long option names of the magic with `_`: `model=`, `region=`, `max_tokens=`,
                `system=`, `effort=`, `attach=[frame, "report.pdf"]`, `set={"field": value}` and so on. `as_=`
                asks for data: a type, a JSON schema or "df"; the reply's `data` holds them. `tools=[f, g]` are
                functions that Claude may call, `confirm=` a function (name, arguments) that has to return True before
                each call, `after=` a reply that this question follows.

        Raises:
            AnswerInvalid: the answer is not the data that `as_` asks for, also after one repair.
            ClaudeError: every error says what to do about it in `.cure`.
            ClaudeInterrupt: the user stopped it; the partial answer is in `.reply`.
        """
        with spelled_for_python():
            return answer_of(self._exchange(prompt, names, options, None))

    def stream(
        self,
        prompt: str | Sequence[Any],
        *,
        names: Mapping[str, Any] | None = None,
        notify: Callable[[str], None] | None = None,
        **options: Unpack[AskKeywords],
    ) -> Exchange:
        """Ask, and return at once an object that iterates over the events of the answer; `.reply` is the answer.

        Args:
            prompt: As for `ask`.
            names: As for `ask`.
            notify: Called with what is being waited for (credentials, a retry), from the asking thread.
            options: As for `ask`. Where the answer is not the data of `as_`, an event of the type "round" comes, and
                then the events of the repair. Around each call of a function come "tool_call" and "tool_result", with
                a `ToolCall` in `data["call"]`.
        """
        with spelled_for_python():
            return started(self._exchange(prompt, names, streamed(options), notify))

    def compare(
        self,
        prompt: str | Sequence[Any],
        models: Sequence[str] = (),
        *,
        vary: Mapping[str, Sequence[Any]] | None = None,
        names: Mapping[str, Any] | None = None,
        **options: Unpack[QuestionKeywords],
    ) -> Replies:
        """Ask the same question of several models at once, or with several values of other options.

        Args:
            prompt: As for `ask`.
            models: The models to compare.
            vary: Values by option, such as `{"effort": ["low", "high"]}`; of several options each combination.
            names: As for `ask`.
            options: As for `ask`, the same for all; `max_cost` holds for all together.

        Returns:
            The replies in order, a list with `.df`, `.labels` and `.errors`; one that failed holds what had arrived.

        Raises:
            OptionError: one of them cannot be asked as it stands.
            CostLimitExceeded: all together may cost more than `max_cost`.
            ClaudeError: all of them failed; this is the first error.
            ClaudeInterrupt: the user stopped it.
        """
        from vertex_claude_magic.classroom.compare import (
            ColumnQuestion,
            Comparison,
            check_varied,
            log_failures,
            variants,
        )

        with spelled_for_python():
            if vary is not None and not isinstance(vary, Mapping):
                raise wrong_type(
                    "vary",
                    vary,
                    'Give a dict of options and their values, such as vary={"effort": ["low", "high"]}.',
                )
            if models and "model" in (vary or {}):
                check_varied("model", {"model": models})
            varied = {**({"model": models} if models else {}), **(vary or {})}
            for name in varied:
                check_varied(name, options)
            session = self._session.present({**options, **varied})
            targets = [(head, session.target({**options, **own})) for head, own in variants(varied)]
            asked = [
                ColumnQuestion(head, prompt, target, scope_of(session, prompt, names, target))
                for head, target in targets
            ]
            replies = Comparison(session, asked).run()
            log_failures(replies)
            return replies

    def map(
        self,
        table: IntoRows,
        prompt: str,
        *,
        names: Mapping[str, Any] | None = None,
        progress: Callable[[Progress], None] | bool = True,
        **options: Unpack[MapKeywords],
    ) -> Any:
        """Ask a prompt for every row of a table, and return the table with the answers as columns.

        Args:
            table: A data frame of any library that narwhals reads (a lazy one is computed), a list of dicts, or a list
                of strings.
            prompt: The prompt of a row: `{{ column }}` is its field, `{{ row['any name'] }}` too, `{{ item }}` an
                element of a list of strings.
            names: What other names in the prompt stand for.
            progress: Whether to draw a bar on stderr; or called with the progress, at most four times a second.
            options: As for `ask`, and those of a run: `max_active=16`, `rpm=`, `on_error="stop"`, `limit=`,
                `prefix=`, `fresh=True`. `as_=` makes the fields of a type typed columns; `max_cost=` (USD) bounds the
                whole run.

        Returns:
            A table of the same kind (pyarrow for a DuckDB relation, dicts for strings) with its own columns, those of
            the answer, `error`, `stop_reason`, `input_tokens`, `output_tokens` and `cost` (USD). A row that was
            answered by an earlier call in the same working folder is not asked again.

        Raises:
            ClaudeError: something that concerns every row; what is done is in `.details["table"]`.
            ClaudeInterrupt: the user stopped it; what is done is in `.table`.
        """
        from vertex_claude_magic.tables.map import map_in_python

        with spelled_for_python():
            return map_in_python(
                self._session.present(options),
                table,
                prompt,
                options,
                scope=scope_with(names),
                progress=progress,
                log=_log,
            )

    def batch(
        self,
        table: IntoRows | str,
        prompt: str,
        *,
        to: str,
        name: str = "",
        names: Mapping[str, Any] | None = None,
        **options: Unpack[BatchKeywords],
    ) -> BatchJob:
        """Send a prompt for every row of a table as Vertex batch prediction, at half price, and return its jobs.

        Args:
            table: As for `map`; or `bq://project.dataset.table`, whose rows are finished requests (`custom_id`,
                `request`).
            prompt: As for `map`; empty where the rows are finished requests.
            to: Where rows and results go: `gs://bucket/prefix`. With `via="gs://..."` results go to a table,
                `bq://project.dataset.table`.
            name: What `%claude_batch` shows it as, and finds it by in another process.
            names: What other names in the prompt stand for.
            options: As for `ask`, and `rows_per_job=`, `prefix=`, `via=`. `max_cost=` (USD) bounds the whole batch.

        Raises:
            OptionError: it cannot be sent as it stands; nothing was uploaded.
            CostLimitExceeded: it could cross a limit; nothing was uploaded.
            MissingExtra: google-cloud-storage is not installed.
        """
        from vertex_claude_magic.tables.batch.checks import batch_options
        from vertex_claude_magic.tables.batch.submit import submit

        with spelled_for_python():
            named = table if isinstance(table, str) else ""
            own, asked = batch_options({**options, "to": to}, "Claude.batch", named)
            session = self._session.present(asked)
            made = submit(session, table, prompt, session.target(asked), own, name=name, scope=scope_with(names),
                          warn=lambda text: _log.warning("%s", in_python(text)))  # fmt: skip
            if waiting := made.waiting:
                _log.warning("%s", in_python(waiting))
            return made

    def count(
        self,
        prompt: str | Sequence[Any],
        *,
        names: Mapping[str, Any] | None = None,
        **options: Unpack[AskKeywords],
    ) -> int:
        """Return the exact number of input tokens; the service counts them free of charge.

        The prompt goes to the chosen region and nowhere else, so this raises `ModelNotFound` where the
        region does not count tokens.
        """
        with spelled_for_python():
            session = self._session.present(options)
            target = session.target(options)
            return session.count(_request(session, prompt, target, names), target)

    def request(
        self,
        prompt: str | Sequence[Any],
        *,
        names: Mapping[str, Any] | None = None,
        notify: Callable[[str], None] | None = None,
        **options: Unpack[AskKeywords],
    ) -> Request:
        """Build the request that `ask` would send, and send nothing; `.headers` contains no token.

        Raises:
            OptionError: it cannot be sent as it stands.
            ProjectNotFound: no project is named anywhere.
        """
        with spelled_for_python():
            session = self._session.present(options)
            return _request(session, prompt, session.target(options), names, notify)

    def chat(self, name: str) -> Chat:
        """Return the conversation of this name, with its turns if it has any; it belongs to the notebook or folder.

        Args:
            name: Such as "stats": at most 80 visible characters, with single blanks between them. It is no path.

        >>> from vertex_claude_magic.emulator import Emulator
        >>> with Emulator() as emulator:
        ...     emulator.answer("Four.", "Eight.")
        ...     claude = Claude(project=emulator.project, base_url=emulator.base_url, access_token="emulator")
        ...     chat = claude.chat("sums")
        ...     first, second = chat.ask("What is 2 + 2?"), chat.ask("And twice that?")
        >>> second.text, second.turn, [turn.prompt for turn in chat.turns]
        ('Eight.', 2, ['What is 2 + 2?', 'And twice that?'])
        """
        from vertex_claude_magic.chats.chat import Chat

        with spelled_for_python():
            return Chat(self._session, name)

    def close(self) -> None:
        """Close idle connections and the journal's file; the object stays usable."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, failure: object, trace: object) -> None:
        self.close()

    def _exchange(
        self,
        prompt: str | Sequence[Any],
        names: Mapping[str, Any] | None,
        options: Mapping[str, Any],
        notify: Callable[[str], None] | None,
    ) -> Exchange:
        session = self._session.present(options)
        target = session.target(options)
        scope = scope_of(session, prompt, names, target)
        if target.is_standalone:
            return Exchange(session, prompt, target, scope=scope, notify=notify)
        from vertex_claude_magic.chats.opening import open_exchange

        return open_exchange(session, prompt, target, scope=scope, notify=notify)

    def __copy__(self) -> Self:
        """Return a client of the same session: it shares login, settings, sums and notices, but no connection."""
        copied = object.__new__(type(self))
        copied._session = self._session.with_own_connections()
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return what `copy.copy` returns: settings are values, and there is one login."""
        return copy.copy(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how another process makes this client: with the same settings, and a login and journal of its own.

        Raises:
            PickleRefused: a secret would travel, or what was handed over in code; or the demo is on.
        """
        from vertex_claude_magic.session.copies import not_to_be_sent

        session = self._session
        settings = session.settings()
        held = not_to_be_sent(session.transport.authorizer, settings)
        if held is not None:
            raise PickleRefused(
                f"A Claude client with {held} cannot be sent to another process.",
                cure="Make the client in the worker, or use threads (concurrent.futures.ThreadPoolExecutor).",
            )
        if session.present() is not session:
            raise PickleRefused(
                "A Claude client cannot be sent to another process while the demo is on: it would ask Vertex AI there.",
                cure="Use threads (concurrent.futures.ThreadPoolExecutor), or end the demo with %claude_demo stop.",
            )
        return _restore, (type(self), settings, session.retry_policy, session.follows_demo)


def _restore(
    kind: type[Claude], settings: AskOptions, policy: RetryPolicy, follows_demo: bool = True
) -> Claude:
    client = kind(policy=policy)
    made = client._session  # noqa: SLF001 - of its own kind
    client._session = Session(  # noqa: SLF001
        lambda: settings,
        made.transport.authorizer,
        retry_policy=policy,
        clock=made.clock,
        stores=made.records.stores,
        budget=made.records.budget,
        follows_demo=follows_demo,
    )
    return client


def _request(
    session: Session,
    prompt: str | Sequence[Any],
    target: Target,
    names: Mapping[str, Any] | None,
    notify: Callable[[str], None] | None = None,
) -> Request:
    scope = scope_of(session, prompt, names, target)
    if target.is_standalone:
        return session.request(prompt, target, scope=scope, notify=notify)
    from vertex_claude_magic.chats.opening import request_of

    return request_of(session, prompt, target, scope=scope, notify=notify)[1]
