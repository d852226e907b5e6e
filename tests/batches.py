"""What the tests of batches share: a client, a batch of one row, and what goes on while that is sent."""

from __future__ import annotations

import contextlib

import pytest

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator.http.faults import Fault
from vertex_claude_magic.tables.batch.checks import batch_options
from vertex_claude_magic.tables.batch.find import find_batch
from vertex_claude_magic.tables.batch.submit import submit
from vertex_claude_magic.transport.auth import FixedToken
from vertex_claude_magic.transport.retry import RetryPolicy

TO = "gs://rows/run"
PROMPT = "Repeat {{ n }}."


def make_claude(emulator, **more):
    return Claude(project=emulator.project, base_url=emulator.base_url, access_token="emulator", model="sonnet",
                  region="global", **more)  # fmt: skip


def finished(job):
    return job.wait(pause=lambda _: None)


def created(emulator):
    return [
        each.body
        for each in emulator.requests
        if each.method == "POST" and each.path.endswith("/batchPredictionJobs")
    ]


def found(emulator, journal, name):
    """The batch of a name, in another session of the same journal."""
    other = make_claude(emulator, journal=journal)
    return find_batch(other._session, name)


def quick(emulator, journal):
    """A session that tries nothing twice by itself."""
    return make_claude(emulator, journal=journal, policy=RetryPolicy(retries=0))


def retried_in_vain(emulator, job):
    """The results are listed and read, and the file of the first time, and the upload is refused."""
    emulator.fail(Fault(), Fault(), Fault(), 403)
    with pytest.raises(errors.PermissionDenied):
        job.retry()


class Meanwhile(FixedToken):
    """Does something once while a job has a state, before the next request gets its token or is told of."""

    def __init__(self, job_of, state, work):
        super().__init__("emulator")
        self.job_of, self.state, self.work = job_of, state, work

    def look(self, _=""):
        job = self.job_of()
        if self.work is not None and job is not None and any(each.state == self.state for each in job.jobs):
            work, self.work = self.work, None
            work(job)

    def headers(self):
        self.look()
        return super().headers()


def sent_and_meanwhile(emulator, claude, journal, state, work):
    """Send a batch, and do something with it from another session of this process while its job has a state.

    It is WRITING while its file goes up, and CREATING while the request that creates it is on its way.
    """

    def job_of():
        with contextlib.suppress(errors.OptionError):
            return found(emulator, journal, "labels")

    session, meanwhile = claude._session, Meanwhile(job_of, state, work)
    session.transport.authorizer = meanwhile
    options, given = batch_options({"to": TO, "max_tokens": 200}, "batch")
    target = session.target(given)
    return submit(session, [{"n": 1}], PROMPT, target, options, name="labels", notify=meanwhile.look)
