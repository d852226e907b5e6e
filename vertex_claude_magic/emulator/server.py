"""The public object `Emulator`: a service and its wire in a thread of its own."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_claude_magic.emulator.google.credentials import CredentialKind, google_request, write_credentials
from vertex_claude_magic.emulator.google.endpoints import Google
from vertex_claude_magic.emulator.google.setup_problems import NO_PROBLEM, SetupProblem, setup_problem
from vertex_claude_magic.emulator.http.delivery import Delivery, plan
from vertex_claude_magic.emulator.http.faults import Fault, as_fault
from vertex_claude_magic.emulator.http.guard import refuse_foreign
from vertex_claude_magic.emulator.messages.problems import Problem
from vertex_claude_magic.emulator.messages.script import Answerable, Script, as_reply, load_script
from vertex_claude_magic.emulator.service import Service
from vertex_claude_magic.errors import MissingExtra, OptionError, ThreadUnavailable
from vertex_claude_magic.process import at_fork, check_connect, start_thread
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from google.auth.transport.requests import Request
    from typing_extensions import Self

    from vertex_claude_magic.emulator.batch import BatchJobs
    from vertex_claude_magic.emulator.bigquery import Tables
    from vertex_claude_magic.emulator.google.barred import Barred
    from vertex_claude_magic.emulator.google.publisher import PublisherConfigs
    from vertex_claude_magic.emulator.http.response import Received
    from vertex_claude_magic.emulator.storage.objects import Buckets

__all__ = ["Emulator"]

_LOOPBACK = "127.0.0.1"
# The bucket that every emulator has.
_BUCKET = "emulator-bucket"
_JOIN_SECONDS = 10.0


class Emulator:
    """A look-alike of Claude on Vertex AI on this machine's loopback address.

    It serves from the moment it is made until `close`, in a daemon thread. It never forwards
    anything, and answers only requests that are addressed to it by its own loopback address.

    Args:
        port: The port to listen on; 0 takes a free one.
        project: The only project that it knows.
        script: A file of replies, see `vertex_claude_magic.emulator.messages.script`.
        pace: Seconds between two deltas of a streamed answer; None sends them at once.
        demo: Give the prompts of the examples their written answers, and describe no request.

    Raises:
        MissingExtra: tornado is not installed.
        OptionError: The script cannot be used, or a number is out of range.
        OSError: The port is taken, or too many files are open.
        ThreadUnavailable: No thread can start here.

    >>> with Emulator() as emulator:
    ...     emulator.answer("Hello")
    ...     emulator.base_url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(
        self,
        *,
        port: int = 0,
        project: str = "emulator-project",
        script: str | os.PathLike[str] | None = None,
        pace: float | None = None,
        demo: bool = False,
    ) -> None:
        try:
            import tornado  # noqa: F401 - only looked for
        except ImportError as error:
            raise MissingExtra(
                "The emulator needs tornado, which is not installed.",
                cure='Run: pip install "vertex-claude-magic[demo]"',
            ) from error
        if not 0 <= port <= 65_535:
            raise OptionError(f"There is no port {port}.", cure="Use one up to 65535, or 0 for a free one.")
        if pace is not None and not 0 <= pace < float("inf"):
            raise OptionError(f"A pace of {pace} s is not possible.", cure="Give seconds, such as 0.02.")
        # Before the socket, which Pyodide does not have either.
        check_connect()
        loaded = Script() if script is None else load_script(script)
        self.project = project
        # Bound here and not in the thread, so that the address is known when the constructor returns.
        self._socket = socket.create_server((_LOOPBACK, port))
        self._socket.setblocking(False)
        self.origin = f"http://{_LOOPBACK}:{self._socket.getsockname()[1]}"
        self.base_url = f"{self.origin}/v1"
        self.google = Google(origin=self.origin, project=project)
        self._service = Service(project=project, google=self.google, script=loaded, pace=pace, demo=demo)
        # So that a batch can be tried without making one first.
        self._service.storage.buckets.make(_BUCKET, "us-east5")
        self._lock = threading.Lock()
        self._requests: list[Received] = []
        # Also at the end of the process, where `close` was forgotten.
        self._folder = Path(tempfile.mkdtemp(prefix="claude-emulator-"))
        self._remove_files = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        at_fork(self, child=Emulator._leave_to_parent)
        self._ready = threading.Event()
        self._failure: Exception | None = None
        try:
            self._thread = start_thread(self._run, "claude-emulator")
        except ThreadUnavailable:
            self._socket.close()
            self._remove_files()
            raise
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            self.close()
            raise self._failure

    def _leave_to_parent(self) -> None:
        # The files are the parent's, also when the fork ends.
        self._remove_files.detach()

    def _run(self) -> None:
        try:
            from vertex_claude_magic.emulator.http.wire import serve

            # A selector loop on every system, because tornado asks for one on Windows.
            self._loop = asyncio.SelectorEventLoop()
            asyncio.set_event_loop(self._loop)
            try:
                self._stop = asyncio.Event()
                self._loop.run_until_complete(serve(self._socket, self._handle, self._ready.set, self._stop))
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            finally:
                asyncio.set_event_loop(None)
                self._loop.close()
        except Exception as failure:
            if self._ready.is_set():
                raise
            self._failure = failure
        finally:
            # Also after a failure, because the constructor waits for it.
            self._ready.set()

    def _handle(self, received: Received) -> Delivery:
        with self._lock:
            self._requests.append(received)
        if (refused := refuse_foreign(received, self.origin)) is not None:
            return plan(refused)
        try:
            return plan(*self._service.handle(received))
        except Exception as error:  # noqa: BLE001 - a client must see a fault of the emulator, not a silence
            return plan(Problem(code=500, message=f"The emulator failed: {error!r}").response())

    @property
    def requests(self) -> list[Received]:
        """Every request that has come in so far, oldest first; a copy."""
        with self._lock:
            return list(self._requests)

    @property
    def environment(self) -> dict[str, str]:
        """The environment that points a client here, with a service-account key file and what is simulated."""
        environment = {
            "ANTHROPIC_VERTEX_BASE_URL": self.base_url,
            "ANTHROPIC_VERTEX_PROJECT_ID": self.project,
            "CLOUD_ML_REGION": "global",
            "GOOGLE_APPLICATION_CREDENTIALS": str(self.credentials_file()),
        }
        return self._service.setup_problem.surroundings(environment, self.origin)

    def credentials_file(self, kind: CredentialKind = "service_account") -> Path:
        """Write a credential file of a kind that points here, and return its path; `close` removes it.

        The kinds are `service_account`, `authorized_user`, `external_account` (with impersonation) and
        `impersonated_service_account`.
        """
        file = write_credentials(kind, origin=self.origin, project=self.project, folder=self._folder)
        self._service.setup_problem.apply(file)
        return file

    def google_request(self) -> Request:
        """A google-auth transport that sends requests for Google here, for kinds with fixed hosts."""
        return google_request(self.origin)

    def answer(self, *replies: Answerable) -> None:
        """Queue replies for the next messages calls, one each.

        A reply is a text, content blocks, a whole message, a list of stream events, the raw bytes of a
        stream, or a `Reply`, `Flood` or `Fault`.

        Raises:
            OptionError: A reply is none of these.
        """
        self._service.answer([as_reply(reply) for reply in replies])

    def fail(self, *faults: Fault | int) -> None:
        """Queue faults for the next calls, one each; a bare number is an HTTP status."""
        self._service.fail([as_fault(fault) for fault in faults])

    def simulate(self, name: str) -> None:
        """Simulate one of `SETUP_PROBLEMS` until `stop_simulating`; it replaces any other.

        What is wrong on this machine and not at the service (no login, a wrong address) is wrong in
        `environment` and in the files of `credentials_file` from now on.

        Raises:
            OptionError: there is no set-up problem of that name.

        >>> with Emulator() as emulator:
        ...     emulator.simulate("no_credentials")
        ...     "GOOGLE_APPLICATION_CREDENTIALS" in emulator.environment
        False
        """
        self._simulate(setup_problem(name))

    def stop_simulating(self) -> None:
        """Have no set-up problem again."""
        self._simulate(NO_PROBLEM)

    def _simulate(self, problem: SetupProblem) -> None:
        self._service.setup_problem = problem
        self.google.denial = problem.denial

    @property
    def configs(self) -> PublisherConfigs:
        """The models' configurations (`setPublisherModelConfig`), and what shall go wrong with them."""
        return self._service.configs

    @property
    def buckets(self) -> Buckets:
        """The buckets of its Cloud Storage; `make` one before files go there."""
        return self._service.storage.buckets

    @property
    def tables(self) -> Tables:
        """The tables of its BigQuery."""
        return self._service.tables

    @property
    def batches(self) -> BatchJobs:
        """The batch prediction jobs, and what shall go wrong with them."""
        return self._service.batches

    def bar(self, model: str, location: str, why: Barred) -> None:
        """Refuse a model in a location from now on: "not enabled", "no quota", "not served" or "retired".

        `location` may be `*` for every location. A quota bars questions and not counts, which have
        a quota of their own.

        Raises:
            OptionError: the table knows no such model.
        """
        row = self._service.catalog.find(model)
        if row is None:
            raise OptionError(
                f"The emulator has no model {quote(model, 60)!r}.", cure="Use one from the model table."
            )
        self._service.places.bar(row, location, why)

    def list_model(self, model: str, stage: str | None = "GA") -> None:
        """Put a model into the publisher's list, with its launch stage; None takes one of the table's away."""
        self._service.listed[model] = stage

    def close(self) -> None:
        """Stop serving, close every connection and remove the credential files; may be called twice."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_JOIN_SECONDS)
        self._socket.close()
        self._remove_files()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
