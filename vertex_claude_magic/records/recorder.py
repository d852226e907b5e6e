"""What is kept of one call: its row in the journal, its pair in a recording, its sum in the session's budget."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import APIError, CredentialsError, JournalError, NetworkError, OptionError
from vertex_claude_magic.process import at_fork
from vertex_claude_magic.prompts.secrets import find_secret, searchable
from vertex_claude_magic.records.journal.calls import ANSWER, ERROR, Call, Ending, StoredCall, utc_second
from vertex_claude_magic.records.recorded_reply import error_fields, recorded_reply
from vertex_claude_magic.vertex.digest import SentMessage
from vertex_claude_magic.vertex.provenance import EMULATOR_SERVER
from vertex_claude_magic.vertex.reply import Reply, cost

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.errors import ClaudeError
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.records.budget import Budget
    from vertex_claude_magic.records.journal.upkeep import Keep
    from vertex_claude_magic.records.recorded_reply import Pace
    from vertex_claude_magic.records.sources import ReplaySources

__all__ = ["CallRecorder", "attempt"]


class CallRecorder:
    """Keeps one call; `begin` while it is under way, `end` when it is over.

    Args:
        call: The call.
        sources: Where it is kept.
        budget: The session's sums.
        held: What the budget reserves for this call.
        catalog: The model table, for the worst case of a call that was stopped.
        max_tokens: The longest answer, in tokens.
        speed: The speed that was asked for, where the service does not say how fast it answered.
        keep: How much the journal keeps.
        tell: Takes a notice for the user, and whether saying it once is enough.
        clock: Seconds since 1970 (UTC).
    """

    def __init__(
        self,
        *,
        call: Call,
        sources: ReplaySources,
        budget: Budget,
        held: int,
        catalog: Catalog,
        max_tokens: int,
        speed: str | None,
        keep: Keep,
        tell: Callable[[str, bool], None],
        clock: Callable[[], float],
    ) -> None:
        self.call = call
        self.sources = sources
        self.budget = budget
        self.held = held
        self.catalog = catalog
        self.max_tokens = max_tokens
        self.speed = speed
        self.keep = keep
        self.tell = tell
        self.clock = clock
        self.begun = self.ended = False
        self._number: int | None = None
        # Whether the answer was counted among the repeats of its question, and what the recording has of it.
        self._counted = False
        self._kept: StoredCall | None = None
        at_fork(self, child=CallRecorder._leave_to_parent)

    def _leave_to_parent(self) -> None:
        # The row and the sum are the parent's, which says how its call ended.
        self.begun = self.ended = True

    def begin(self, day_limit: float | None = None) -> None:
        """Add the call to the journal.

        Raises:
            CostLimitExceeded: with its worst case the day could cross `day_limit` (USD).
            JournalError: there is a limit, and the journal cannot tell what was spent.
        """
        self._leave_secrets_out()
        self.begun = True
        if self.sources.journal is not None:
            self._number = self.sources.journal.begin(self.call, day_limit=day_limit, later=self._added)

    def _added(self, number: int) -> None:
        self._number = number

    def _leave_secrets_out(self) -> None:
        body, parts = self.call.canonical["body"], self.call.parts
        messages = body.get("messages")
        each = messages if isinstance(messages, (list, tuple)) else ()
        # All but the messages has a digest of its own, so that what the rows of a table share is looked at once.
        frame = parts.frame_hash if parts is not None else b""
        rest = [{**body, "messages": None} if each else body, self.call.canonical.get("beta")]
        # One by one, because those of the turns before were looked at before.
        looked_at = filter(None, (*each, *(() if frame in _harmless else rest)))
        found = next(filter(None, map(_secret_in, looked_at)), None)
        if found is not None:
            self.tell(f"Neither prompt nor answer is saved: the prompt seems to contain {found[0]}.", False)
            left_out = {"model": self.call.model, "body": {}}
            self.call = self.call._replace(canonical=left_out, attachments={}, parts=None)
        elif frame:
            if len(_harmless) >= _MOST_HARMLESS:
                _harmless.clear()
            _harmless.add(frame)

    def end(
        self,
        reply: Reply,
        *,
        error: ClaudeError | None = None,
        stopped: bool = False,
        pace: Pace = (),
        server: str = "",
        sent: bool = True,
    ) -> None:
        """Say how the call ended; once that is said, a second end says nothing.

        Args:
            reply: What arrived.
            error: What ended it, if it did not end well.
            stopped: Whether the user ended it.
            pace: How the pieces came.
            server: What the server says of itself.
            sent: Whether it was sent at all; else it cost nothing.
        """
        if self.ended:
            return
        stored = self.sources.journal is not None or self.sources.recording is not None
        if not self.begun:
            # It goes into the journal with its end: one transaction in place of two.
            if stored:
                self._leave_secrets_out()
            self.begun = True
        source = "emulator" if self.call.source == "local" and server == EMULATOR_SERVER else self.call.source
        ending = self._ending(reply, error, stopped=stopped, source=source, sent=sent)
        if stored and self.call.canonical["body"]:
            failed = error_fields(error, self.call.project) if error is not None else None
            answer = recorded_reply(reply, pace, failed).as_json()
            # The pace is nothing but numbers, hundreds or thousands of them.
            found = _secret_in({name: part for name, part in answer.items() if name != "pace"})
            if found is not None:
                self.tell(f"The answer is not saved: it seems to contain {found[0]}.", False)
            else:
                # Only what the service said is an answer; what the network did to it is none.
                answered_by_error = ending.state == "failed" and isinstance(error, APIError)
                replayable = ANSWER if ending.state == "done" else ERROR if answered_by_error else 0
                ending = ending._replace(answer=answer, replayable=replayable)
        known = ending.cost is not None
        self.budget.commit(self.held, ending.cost if known else ending.cost_most, known=known)
        self._keep(ending)
        # Only now: where stop is pressed before, whoever closes the answer says it again; nothing of it counts twice.
        self.ended = True

    def end_unsent(self, error: ClaudeError | None) -> None:
        """Say that the call was not sent after all; it cost nothing, and is no call unless it has begun."""
        if self.begun:
            self.end(Reply(), error=error, stopped=error is None, sent=False)
        else:
            self.budget.commit(self.held, 0.0)
            self.begun = self.ended = True

    def _keep(self, ending: Ending) -> None:
        """Write the call into the journal, and what may be given again into the recording."""
        journal, recording = self.sources.journal, self.sources.recording
        # Only a good answer that is kept: a question that failed takes nothing away.
        replaces = ending.replayable == ANSWER and self.sources.mode == "refresh"
        wanted = ending.replayable == ANSWER or (ending.replayable == ERROR and self.sources.errors)
        try:
            if journal is not None:
                journal.end(self._number, self.call, ending, self.keep, replaces=replaces, later=self._added)
                # The rows of a table are asked once each, and there may be more of them than should be remembered.
                counts = ending.replayable and not replaces and self.call.run_id is None
                if counts and not self._counted:
                    self._counted = True
                    journal.count_turn(self.call.key)
        finally:
            # Also where stop is pressed while the journal is written.
            if recording is not None and wanted and ending.answer is not None:
                again = self._kept is not None
                self._kept = self._kept or StoredCall(
                    canonical=self.call.canonical,
                    answer=ending.answer,
                    recorded=utc_second(self.clock()),
                    asked=self.call.asked,
                    source=ending.source,
                )
                add = partial(
                    recording.add,
                    self.call.key,
                    self._kept,
                    self.call.origin,
                    replaces=replaces,
                    again=again,
                )
                attempt(add, self.tell)

    def _ending(
        self, reply: Reply, error: ClaudeError | None, *, stopped: bool, source: str, sent: bool
    ) -> Ending:
        usage = reply.usage
        counted = bool(usage.raw)
        state = "done" if reply.complete else "stopped" if stopped else "failed"
        row = self.catalog.find(self.call.model)
        # A login page that answers in place of the service leads elsewhere, with a status.
        unreached = isinstance(error, NetworkError) and (
            "status" in error.details or str(error.details.get("cause", "")).startswith(_UNREACHED)
        )
        # In USD: what the call cost, and what it may have cost at most.
        usd, most = None, self.call.cost_most
        if reply.complete:
            # An answer whose tokens the service did not report stays at the worst case.
            usd = reply.cost
            most = most if usd is None else usd
        elif not sent or (
            not reply.blocks and (unreached or isinstance(error, (APIError, CredentialsError, OptionError)))
        ):
            # What the service refuses, or never saw, it does not bill.
            usd = most = 0.0
        elif counted and row is not None and most is not None:
            # Where the worst case is unknown, the tokens so far are not all there is to pay.
            longest = replace(usage, output_tokens=self.max_tokens, speed=usage.speed or self.speed)
            most = cost(row, self.call.region, longest)
        return Ending(
            state=state,
            source=source,
            input_tokens=usage.input_tokens if counted else None,
            cache_write_tokens=usage.cache_creation_input_tokens if counted else None,
            cache_read_tokens=usage.cache_read_input_tokens if counted else None,
            output_tokens=usage.output_tokens if reply.complete else None,
            cost=usd,
            cost_most=most,
            seconds=round(reply.seconds, 3),
            stop_reason=reply.stop_reason,
            error=type(error).__name__ if error is not None else None,
            message_id=reply.message_id,
            request_id=reply.request_id or (error.request_id if error is not None else None),
        )


def attempt(work: Callable[[], None], tell: Callable[[str, bool], None]) -> bool:
    """Keep something, and tell whether that worked; if not, the user gets a notice, once, and that is all.

    >>> def full() -> None:
    ...     raise JournalError("The disk is full.", cure="Free some space.")
    >>> attempt(full, lambda notice, once: print(notice, once))
    The disk is full. Free some space. True
    False
    """
    try:
        work()
    except JournalError as error:
        tell(str(error), True)
        return False
    return True


# How the causes begin of which nobody can have read the request.
_UNREACHED = ("ConnectionRefusedError", "gaierror", "SSLCertVerificationError", "SSLError")


def _secret_in(value: Json) -> tuple[str, int] | None:
    if type(value) is SentMessage:
        found = None if value.harmless else _secret_in(dict(value))
        value.harmless = found is None
        return found
    if isinstance(value, dict) and len(value) == 2 and value.get("role") in {"user", "assistant"}:
        # A message of text, by the key under which it was looked at before it was sent.
        value = value.get("content")
        if isinstance(value, list) and len(value) == 1 and value[0].keys() == {"type", "text"}:
            value = value[0]["text"]
    return find_secret(searchable(value))


# Digests of requests without their messages in which no secret was found.
_harmless: set[bytes] = set()
_MOST_HARMLESS = 4_096
