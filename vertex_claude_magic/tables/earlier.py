"""The rows that earlier runs of the same place have answered, read from the journal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.records.playback import Playback
from vertex_claude_magic.records.recorded_reply import read_recorded_reply
from vertex_claude_magic.records.recorder import attempt
from vertex_claude_magic.records.sources import RecordedAnswer
from vertex_claude_magic.session.exchange import sum_of_rounds
from vertex_claude_magic.session.stream import Stream, StreamContext
from vertex_claude_magic.settings.origin import current_origin
from vertex_claude_magic.vertex.endpoint import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vertex_claude_magic.answers.repair import TypedQuestion
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.records.journal.calls import StoredCall
    from vertex_claude_magic.records.journal.journal import Journal
    from vertex_claude_magic.records.recording.recording import Recording
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.request import Request

__all__ = ["EarlierRows"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierRows:
    """What earlier runs of a place have answered.

    Args:
        journal: The journal, None where it is off.
        recording: The recording that what is found goes into too; None for none.
        place: The place.
        typed: What an answer must look like, None for text.
        local: Whether an emulator's answers count where the question goes to Google.
        catalog: The model table.
        tell: Takes a notice for the user, and whether saying it once is enough.
    """

    journal: Journal | None
    recording: Recording | None
    place: str
    typed: TypedQuestion | None
    local: bool
    catalog: Catalog
    tell: Callable[[str, bool], None]

    def replies(self, requests: Sequence[Request]) -> dict[str, Reply]:
        """Return the good answers to requests, by their digest; what does not fit is asked again."""
        found = self._look(requests)
        replies: dict[str, Reply] = {}
        for request in requests:
            stored = found.get(request.digest)
            reply = self._reply(request, stored) if stored is not None else None
            if reply is not None:
                replies[request.digest] = reply
        return replies

    def _look(self, requests: Sequence[Request]) -> dict[str, StoredCall]:
        if self.journal is None or not requests:
            return {}
        # A question to Google must not get the answer of an emulator as Claude's.
        local = self.local or is_loopback(requests[0].url)
        return self.journal.earlier("map", self.place, [request.digest for request in requests], local=local)

    def _reply(self, request: Request, stored: StoredCall) -> Reply | None:
        first = self._played(request, stored)
        if first is None or self.typed is None:
            return first
        from vertex_claude_magic.answers.repair import fitted, fitted_or_repair
        from vertex_claude_magic.vertex.next_round import NextRound

        try:
            reply = fitted_or_repair(first, self.typed, request)
            if not isinstance(reply, NextRound):
                return reply
            # The first answer did not fit, and its repair is a question of its own.
            repaired = self._look([reply.request]).get(reply.request.digest)
            last = self._played(reply.request, repaired) if repaired is not None else None
            return fitted(sum_of_rounds([first], last), self.typed) if last is not None else None
        except errors.AnswerInvalid:
            return None

    def _played(self, request: Request, stored: StoredCall) -> Reply | None:
        """Return a stored answer as a reply, and have it in the recording too."""
        try:
            found = RecordedAnswer(stored, read_recorded_reply(stored.answer), in_recording=False)
            playback = Playback(
                found.recorded, paced=False, message_id=stored.message_id, request_id=stored.request_id
            )
            reply = Stream(playback, StreamContext(request=request, catalog=self.catalog, found=found)).reply
        except errors.ClaudeError:
            return None
        recording = self.recording
        if recording is not None and recording.find(request.digest) is None:
            whole = stored._replace(canonical=request.canonical)
            attempt(partial(recording.add, request.digest, whole, current_origin()), self.tell)
        return reply
