"""The configuration of publisher models: `fetchPublisherModelConfig`, `setPublisherModelConfig`, operations.

As Google does, a write replaces the whole configuration of one model in one location, returns a
long-running operation, and a configuration that was never set is not found.
"""

from __future__ import annotations

import copy
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from vertex_claude_magic.emulator.http.response import Received, Response, json_response
from vertex_claude_magic.emulator.messages.problems import google_error, permission_denied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["PublisherConfigs", "is_config_path"]

_PLACE = r"/v1beta1/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
_CONFIG = re.compile(
    _PLACE + r"/publishers/anthropic/models/(?P<model>[^/:]+):(?P<verb>(?:fetch|set)PublisherModelConfig)"
)
_OPERATION = re.compile(_PLACE + r"/operations/(?P<operation>\w+)")

Config = dict[str, Any]
Key = tuple[str, str]


def is_config_path(path: str) -> bool:
    """Tell whether a path is one of these methods."""
    return bool(_CONFIG.fullmatch(path) or _OPERATION.fullmatch(path))


@dataclass(kw_only=True, eq=False)
class PublisherConfigs:
    """The stored configurations, and what shall go wrong with them in a test or a lesson.

    Args:
        project: The only project that it knows.
        denied: Verbs that the account has no permission for, such as `setPublisherModelConfig`.
        polls: How often an operation is polled before it is done.
        failure: The `google.rpc.Status` that operations end with from now on, or None; nothing is written then.
        ignores_writes: Whether operations end well and change nothing.
    """

    project: str
    denied: frozenset[str] = frozenset()
    polls: int = 0
    failure: Mapping[str, Any] | None = None
    ignores_writes: bool = False
    _configs: dict[Key, Config] = field(default_factory=dict, init=False, repr=False)
    _operations: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    _others: deque[Callable[[Config], Config]] = field(default_factory=deque, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def put(self, location: str, model: str, config: Mapping[str, Any]) -> None:
        """Set a configuration as if somebody had done so before."""
        with self._lock:
            self._configs[location, model] = copy.deepcopy(dict(config))

    def get(self, location: str, model: str) -> Config | None:
        """Return a configuration, None if none was ever set; a copy."""
        with self._lock:
            # A copy, so that nothing changes here without a write.
            return copy.deepcopy(self._configs.get((location, model)))

    def meanwhile(self, *changes: Callable[[Config], Config]) -> None:
        """Have somebody else write right after each of the next writes: a function of the configuration."""
        with self._lock:
            self._others.extend(changes)

    def handle(self, received: Received) -> Response:
        """Answer one of the methods."""
        if found := _OPERATION.fullmatch(received.path):
            number = found["operation"]
            with self._lock:
                if number not in self._operations or received.method != "GET":
                    return google_error(404, f"Operation {number} is not found.").response()
                self._operations[number] -= 1
            return self._operation(number, unquote(found["location"]))
        found = _CONFIG.fullmatch(received.path)
        if found is None or received.method != ("GET" if found["verb"].startswith("fetch") else "POST"):
            return google_error(404, "Method not found.").response()
        if unquote(found["project"]) != self.project or found["verb"] in self.denied:
            resource = received.path.removeprefix("/v1beta1/").partition(":")[0]
            return permission_denied(f"aiplatform.endpoints.{found['verb']}", resource).response()
        key = (unquote(found["location"]), unquote(found["model"]))
        if received.method == "GET":
            config = self.get(*key)
            if config is None:
                return google_error(404, "Publisher model config is not found.").response()
            return json_response(config)
        wanted = received.body.get("publisherModelConfig") if isinstance(received.body, dict) else None
        if not isinstance(wanted, dict):
            return google_error(400, "Required field publisher_model_config is not set.").response()
        with self._lock:
            if self.failure is None and not self.ignores_writes:
                self._configs[key] = copy.deepcopy(wanted)
            # As a colleague in the console would do between a write and the look at it.
            if self._others:
                self._configs[key] = self._others.popleft()(self._configs.get(key, {}))
            number = str(1_000 + len(self._operations))
            self._operations[number] = self.polls
        return self._operation(number, key[0])

    def _operation(self, number: str, location: str) -> Response:
        name = f"projects/{self.project}/locations/{location}/operations/{number}"
        if self._operations[number] > 0:
            return json_response({"name": name, "done": False})
        outcome = {"error": dict(self.failure)} if self.failure is not None else {"response": {}}
        return json_response({"name": name, "done": True, **outcome})
