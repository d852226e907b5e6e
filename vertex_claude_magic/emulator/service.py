"""The service behind the HTTP server: from a `Received` to a response and a fault.

It holds what a service holds (queued replies, the prompt cache, issued tokens) under one lock, and
knows no sockets.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.emulator.batch import BatchJobs, is_batch_path
from vertex_claude_magic.emulator.bigquery import Tables, is_table_path
from vertex_claude_magic.emulator.google.barred import Places
from vertex_claude_magic.emulator.google.listing import is_listing, listing
from vertex_claude_magic.emulator.google.publisher import PublisherConfigs, is_config_path
from vertex_claude_magic.emulator.google.setup_problems import NO_PROBLEM
from vertex_claude_magic.emulator.http.faults import Fault
from vertex_claude_magic.emulator.http.response import Received, Response, json_response
from vertex_claude_magic.emulator.messages.ask import Ask, Route, route
from vertex_claude_magic.emulator.messages.cache import PromptCache
from vertex_claude_magic.emulator.messages.checks import refusal, unservable
from vertex_claude_magic.emulator.messages.history import History
from vertex_claude_magic.emulator.messages.problems import Problem, fault_response, not_found
from vertex_claude_magic.emulator.messages.replies import respond
from vertex_claude_magic.emulator.messages.script import Reply, Script, Scripted
from vertex_claude_magic.emulator.messages.tokens import input_tokens
from vertex_claude_magic.emulator.storage.routes import Storage, is_storage_path
from vertex_claude_magic.models.catalog import Catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vertex_claude_magic.emulator.google.endpoints import Google
    from vertex_claude_magic.json_types import Json

__all__ = ["Service"]

_UNKNOWN_MINIMUM = 1024  # tokens; the shortest prefix that is cached where the table does not say
_CANNED = Reply()
_NOT_FOUND = Response(
    status=404,
    pieces=(b"<!DOCTYPE html><title>Error 404 (Not Found)</title><p>The requested URL was not found.</p>",),
    content_type="text/html; charset=utf-8",
)
Outcome = tuple[Response, Fault | None]


class Service:
    """Answers calls; `pace` is the number of seconds between the deltas of a streamed answer, `demo` as in `Ask`."""

    def __init__(
        self,
        *,
        project: str,
        google: Google,
        script: Script,
        pace: float | None,
        demo: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.project = project
        self.google = google
        self.places = Places()
        # Ids that the publisher's list has beside the table's, each with its launch stage; None takes one away.
        self.listed: dict[str, str | None] = {}
        self.configs = PublisherConfigs(project=project)
        self.storage = Storage(origin=google.origin)
        self.tables = Tables()
        self.batches = BatchJobs(
            project=project,
            buckets=self.storage.buckets,
            tables=self.tables,
            answer=self._answer_row,
            refusal=self._batch_refusal,
        )
        self.catalog = Catalog.load()
        self._script = script
        self._pace = pace or 0.0
        self._demo = demo
        self._lock = threading.Lock()
        self._replies: deque[Scripted] = deque()
        self._faults: deque[Fault] = deque()
        self._ordered: deque[Reply] = deque(script.ordered)
        self._cache = PromptCache(clock=clock)
        self._history = History()
        self.setup_problem = NO_PROBLEM

    def answer(self, replies: Iterable[Scripted]) -> None:
        """Queue replies for the next messages calls."""
        with self._lock:
            self._replies.extend(replies)

    def fail(self, faults: Iterable[Fault]) -> None:
        """Queue faults for the next calls."""
        with self._lock:
            self._faults.extend(faults)

    def handle(self, received: Received) -> Outcome:
        """Answer one request."""
        setup, path = self.setup_problem, received.path
        if (google := self.google.handle(received)) is not None:
            return google, setup.metadata if "metadata-flavor" in received.headers else None
        found = route(path) or self._other(received)
        if found is None:
            return _NOT_FOUND, None
        with self._lock:
            fault = self._faults.popleft() if self._faults else setup.fault()
        if fault is not None and fault.replaces_reply:
            return fault_response(fault), fault
        # Google's clients of files and tables send no token to an emulator.
        anonymous = (is_storage_path(path) or is_table_path(path)) and "authorization" not in received.headers
        if not anonymous and (problem := self.google.unauthenticated(received)) is not None:
            return problem.response(streaming=isinstance(found, Route) and found.streaming), fault
        if not isinstance(found, Route):
            return found(received), fault
        asked = received.body.get("model") if isinstance(received.body, dict) else None
        named = str(asked or "") if found.counting else found.model
        ask = setup.refuse(found, named) or unservable(found, received, self.catalog, self.project)
        if isinstance(ask, Ask):
            ask = replace(ask, history=self._history, demo=self._demo)
            ask = self.places.refusal(found, ask.model) or refusal(ask) or ask
        if isinstance(ask, Problem):
            return ask.response(streaming=found.streaming), fault
        if found.counting:
            return json_response({"input_tokens": input_tokens(ask.body)}), fault
        answered, own = self._reply(ask)
        return answered, own if own is not None and own.replaces_reply else fault or own

    def _other(self, received: Received) -> Callable[[Received], Response] | None:
        """Return what answers a request that is none for a model, by its path; None where nothing does."""
        if is_storage_path(received.path):
            return self.storage.handle
        if is_table_path(received.path):
            return self.tables.handle
        if is_batch_path(received.path):
            return self.batches.handle
        if is_config_path(received.path):
            return self.configs.handle
        return partial(listing, self.catalog, dict(self.listed)) if is_listing(received) else None

    def _reply(self, ask: Ask) -> Outcome:
        """Answer a question that breaks no rule."""
        # Queued replies come before those of the script file, so that a test can override one.
        matched = self._script.match(ask.prompt, ask.model.id)
        with self._lock:
            if self._replies:
                scripted = self._replies.popleft()
            else:
                scripted = matched or (self._ordered.popleft() if self._ordered else _CANNED)
        own = scripted.fault if isinstance(scripted, Reply) else None
        if own is not None and own.replaces_reply:
            return fault_response(own), own
        minimum = ask.model.min_cacheable_tokens or _UNKNOWN_MINIMUM
        usage = self._cache.usage(ask.body, scope=f"{ask.route.location}/{ask.model.id}", minimum=minimum)
        if ask.model.prices.fast_factor:
            usage["speed"] = ask.body.get("speed", "standard")
        frame = {"message_id": "msg_vrtx_" + secrets.token_hex(12), "model": ask.model.api_id, "usage": usage}
        return respond(ask, scripted, frame=frame, pace=self._pace), own

    def _answer_row(
        self, location: str, model: str, body: Mapping[str, Json]
    ) -> tuple[dict[str, Any] | None, str]:
        """Answer a row of a batch as a question of its own."""
        row = self.catalog.find(model)
        if row is None or not body:
            return None, "INVALID_ARGUMENT: the row contains no request."
        asked = Route(project=self.project, location=location, model=model)
        ask = Ask(route=asked, body=body, model=row, catalog=self.catalog, demo=self._demo)
        if (problem := refusal(ask)) is not None:
            return None, json.dumps(problem.body(), ensure_ascii=False)
        response, _ = self._reply(ask)
        try:
            answer = json.loads(b"".join(response.pieces))
        except ValueError:
            # A script may hold the bytes of a stream, or a web page.
            return None, "INTERNAL: the answer is not a message."
        return (answer, "") if response.status == 200 else (None, json.dumps(answer, ensure_ascii=False))

    def _batch_refusal(self, model: str, location: str) -> Problem | None:
        row = self.catalog.find(model)
        asked = Route(project=self.project, location=location, model=model)
        if row is None or row.lifecycle not in {"active", "deprecated"}:
            return not_found(asked.resource(model))
        return self.places.refusal(asked, row)
