"""Where a question may find its answer without being asked: a recording first, then the journal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import ClaudeError, CredentialsNotFound, JournalError, ReplayMiss
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.records.recorded_reply import read_recorded_reply
from vertex_claude_magic.spelling import Spelling, option, setting, spelled, ways
from vertex_claude_magic.text import quote_path
from vertex_claude_magic.vertex.endpoint import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vertex_claude_magic.records.journal.calls import StoredCall
    from vertex_claude_magic.records.journal.journal import Journal
    from vertex_claude_magic.records.recorded_reply import RecordedReply
    from vertex_claude_magic.records.recording.recording import Recording
    from vertex_claude_magic.records.store import Store
    from vertex_claude_magic.vertex.request import Request

__all__ = ["RecordedAnswer", "ReplaySources"]

_SHOWN_PARTS = 4
# What was read anew, written to the cache and read from it ("Prompt caching", Claude docs, 2026).
_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_SENDS_NOTHING = spelled(", and {} sends nothing", option("replay", "only"))


class RecordedAnswer(NamedTuple):
    """An answer that was given before: the record, the reply in it, and whether it is in a recording."""

    stored: StoredCall
    recorded: RecordedReply
    in_recording: bool


class ReplaySources(NamedTuple):
    """The records that one question may be answered from.

    Args:
        mode: "off", "auto", "only" or "refresh".
        journal: The journal, None where it is off.
        recording: The recording, None where none is named.
        errors: Whether an error that is recorded counts as an answer.
        cure: What to do where nothing is recorded, and nothing may be sent.
    """

    mode: str = "off"
    journal: Journal | None = None
    recording: Recording | None = None
    errors: bool = False
    cure: str = ""

    @property
    def answers(self) -> bool:
        """Whether a question may be answered from here at all."""
        return self.mode in {"auto", "only"}

    @property
    def _stores(self) -> list[Store]:
        """Where an answer may be, in the order in which it is looked for."""
        # What the journal of this machine knows would hide what the recording lacks on every other one.
        recording_alone = self.mode == "only" and self.recording is not None
        journal = None if recording_alone else self.journal
        return [store for store in (self.recording, journal) if store is not None]

    def look(self, request: Request, *, take: bool = False) -> RecordedAnswer | None:
        """Return the answer to give again, or None; `take` turns to the next repeat.

        Raises:
            JournalError: the recording cannot be read, or in the mode "only" the journal.
        """
        # A question to Google must not get the answer of an emulator as Claude's.
        local = self.mode == "only" or is_loopback(request.url)
        for store in self._stores:
            try:
                stored = store.find(
                    request.digest, former=request.former_digest, errors=self.errors, local=local, take=take
                )
                if stored is not None:
                    recorded = read_recorded_reply(stored.answer)
                    return RecordedAnswer(stored, recorded, in_recording=store is self.recording)
            except JournalError as error:  # noqa: PERF203 - there are two at most
                # A question can be sent without the journal of this machine, but a recording was named.
                if self.mode == "only" or store is not self.journal:
                    raise
                self.journal.tell(str(error))
        return None

    def counted(self, request: Request) -> int | None:
        """Return the input tokens of a request if the recording knows them, None if they may be asked for.

        Raises:
            ReplayMiss: they are not known, and nothing may be sent.
        """
        known = None
        if self.answers and self.recording is not None:
            known = self.recording.counted(request.digest, former=request.former_digest)
        found = self.look(request) if self.answers and known is None else None
        # Where the service ran tools itself, its figure includes their results and is not a count of the request.
        if found is not None and all(b.get("type") != "server_tool_use" for b in found.recorded.content):
            parts = [found.recorded.usage.get(name) for name in _INPUT]
            known = sum(part for part in parts if type(part) is int and part >= 0) or None
        if known is None and self.mode == "only":
            raise ReplayMiss(
                spelled("The token count of this request is not recorded{}.", _SENDS_NOTHING), cure=self.cure
            )
        return known

    def meant(self, alias: str) -> tuple[str, ...]:
        """Return the models that an alias meant when the recording was made."""
        return self.recording.meant(alias) if self.recording is not None else ()

    @contextmanager
    def missed_without_login(self, request: Request | None = None) -> Iterator[None]:
        """Where records may answer, or have the answer, say so in place of the error that there are no credentials."""
        try:
            yield
        except CredentialsNotFound as error:
            raise self.without_login(error, request) from None

    def without_login(self, error: CredentialsNotFound, request: Request | None) -> ClaudeError:
        """Return the error for a question that no record was given for, and for which there are no credentials.

        Args:
            error: What the login says.
            request: The question, None for a count of tokens.
        """
        if not self.answers:
            recording = self.recording
            if recording is None or request is None or recording.find(request.digest) is None:
                return error
            only = option("replay", "only")
            replayed = Spelling('%config ClaudeMagics.replay = "only"', only.python, only.change)
            return CredentialsNotFound(
                spelled(
                    "{} The answer to this question is in {}.", error.message, quote_path(recording.named)
                ),
                cure=ways(spelled("without an account it is replayed with: {}", replayed), end=""),
            )
        found = self.miss(request) if request is not None else None
        differs = found is not None and "differences" in found.details
        what = found.message if found is not None else "The token count of this request is not recorded."
        return ReplayMiss(
            f"{what.replace(_SENDS_NOTHING, '')} There are no Google credentials to ask with.",
            cure=f"{'Change it back to what is recorded, or log' if differs else 'Log'} in to send it: "
            "gcloud auth application-default login",
            details=dict(found.details) if found is not None else {},
        )

    def miss(self, request: Request) -> ReplayMiss:
        """Return the error that says that nothing is recorded for a request, and how the nearest record differs."""
        from vertex_claude_magic.records.recording.difference import differences, nearest

        stored = nearest(request.canonical, [call for store in self._stores for call in store.recent()])
        if stored is None:
            searched = [f"in {quote_path(self.recording.named)}"] if self.recording is not None else []
            searched += ["in the journal"] if self.journal in self._stores else []
            where = " or ".join(searched) or "anywhere"
            return ReplayMiss(spelled("Nothing is recorded {}{}.", where, _SENDS_NOTHING), cure=self.cure)
        parts = differences(request.canonical, stored.canonical)
        if not parts:
            if stored.answer.get("error") is None:
                # It would go elsewhere.
                by = "the emulator" if stored.source == "emulator" else "a local server"
                return ReplayMiss(f"For this request only an answer of {by} is recorded.", cure=self.cure)
            replayed = ways(spelled("set {} to replay it", setting("replay_errors")))
            return ReplayMiss(
                "For this request only an error is recorded.", cure=spelled("{} {}", replayed, self.cure)
            )
        more = f" and {len(parts) - _SHOWN_PARTS} more" if len(parts) > _SHOWN_PARTS else ""
        listed = "; ".join(parts[:_SHOWN_PARTS])
        return ReplayMiss(
            f"Nothing is recorded for this request. The nearest ({stored.recorded[:10]}) differs in {listed}{more}.",
            cure=spelled("{} To get the recorded answer, change the request back.", self.cure),
            details={"differences": parts, "recorded": stored.recorded},
        )
