"""Batch prediction jobs: `batchPredictionJobs` create, get, list, cancel and delete, as the v1 REST reference has them.

A job moves on by one step each time that somebody looks at it, so that nothing depends on time: it is queued, it waits,
it answers some of its rows at each look, and it ends. Results come in another order than the rows.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from vertex_claude_magic.emulator.http.response import Received, Response, at, json_response
from vertex_claude_magic.emulator.messages.problems import google_error, permission_denied
from vertex_claude_magic.emulator.storage.objects import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from vertex_claude_magic.emulator.bigquery import Tables
    from vertex_claude_magic.emulator.messages.problems import Problem
    from vertex_claude_magic.emulator.storage.objects import Buckets
    from vertex_claude_magic.json_types import Json

__all__ = ["BatchJobs", "is_batch_path"]

_PATH = re.compile(
    r"/v1/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/batchPredictionJobs"
    r"(?:/(?P<number>[^/:]+)(?P<cancel>:cancel)?)?"
)
_MODEL = re.compile(r"publishers/anthropic/models/(?P<model>[^/]+)")
_GS = re.compile(r"gs://(?P<bucket>[^/]+)/?(?P<name>.*)")
_BQ = re.compile(r"bq://(?P<table>[^/]+\.[^/.]+\.[^/.]+)")
_FINAL = {"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"}
# Jobs that end so have answered only the first half of their rows.
_HALF = {"FAILED", "EXPIRED", "PARTIALLY_SUCCEEDED"}
_PAGE = 10
_FILTER = re.compile(r'display_?[nN]ame="([^"]*)"')


@dataclass(kw_only=True, eq=False)
class _Job:
    number: str
    location: str
    model: str
    given: dict[str, Any]
    created: str
    state: str = "QUEUED"
    looks: int = 0
    lines: Iterator[Mapping[str, Json] | bytes] | None = None
    rows: int = 0
    results: list[bytes] = field(default_factory=list)
    failed: int = 0
    error: str = ""
    directory: str = ""


def is_batch_path(path: str) -> bool:
    """Tell whether a path is one of these methods."""
    return _PATH.fullmatch(path) is not None


@dataclass(kw_only=True, eq=False)
class BatchJobs:
    """The jobs of a project, and what shall go wrong with them in a test or a lesson.

    Args:
        project: The only project that it knows.
        buckets: Where inputs are read and results are written.
        tables: The same in BigQuery.
        answer: Answers the request of one row, given location and model: the message and an empty text, or None and
            why not.
        refusal: Tells why a model cannot be used in a location, None if it can.
        looks: For how many looks a job waits before it answers rows.
        rows_per_look: How many rows it answers between two looks.
        most: How many jobs may be under way.
        shards: Into how many files the results go.
        fails: Which rows fail, by their `custom_id`.
        ending: How jobs end: SUCCEEDED, or after half of their rows FAILED, EXPIRED or PARTIALLY_SUCCEEDED.
    """

    project: str
    buckets: Buckets
    tables: Tables
    answer: Callable[[str, str, Mapping[str, Json]], tuple[dict[str, Any] | None, str]]
    refusal: Callable[[str, str], Problem | None]
    looks: int = 1
    rows_per_look: int = 20_000
    most: int = 4
    shards: int = 1
    fails: Callable[[str], bool] = lambda _: False
    ending: str = "SUCCEEDED"
    _jobs: dict[str, _Job] = field(default_factory=dict, init=False, repr=False)
    _numbers: Iterator[int] = field(
        default_factory=partial(count, 4_000_000_000_000_000_000), init=False, repr=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def handle(self, received: Received) -> Response:
        """Answer one of the methods."""
        found = _PATH.fullmatch(received.path)
        project, location = (unquote(found[part]) if found else "" for part in ("project", "location"))
        if found is None or project != self.project:
            resource = f"projects/{project}/locations/{location}"
            return permission_denied("aiplatform.batchPredictionJobs.create", resource).response()
        with self._lock:
            number = found["number"]
            if number is None:
                if received.method == "GET":
                    return self._list(received, location)
                return self._create(received, location)
            job = self._jobs.get(number)
            if job is None or job.location != location:
                return google_error(404, f"BatchPredictionJob {number} is not found.").response()
            if found["cancel"]:
                if job.state in _FINAL:
                    return google_error(400, "The job has ended.", "FAILED_PRECONDITION").response()
                job.state = "CANCELLING"
                return json_response({})
            if received.method == "DELETE":
                del self._jobs[number]
                return json_response({"name": self._name(job) + "/operations/1", "done": True})
            self._look(job)
            return json_response(self._resource(job))

    def _create(self, received: Received, location: str) -> Response:
        given = received.body if isinstance(received.body, dict) else {}
        if location == "global":
            return google_error(400, "BatchPredictionJob is not supported in region global.").response()
        named = _MODEL.fullmatch(str(given.get("model") or ""))
        if named is None:
            return google_error(404, f"Model {given.get('model')} is not found.").response()
        if (refused := self.refusal(named["model"], location)) is not None:
            return refused.response()
        for uri in (*_inputs(given), _output(given)):
            if (table := _BQ.fullmatch(uri)) is not None:
                if (problem := self._table_problem(table["table"], location, given)) is not None:
                    return problem.response()
                continue
            if (bucket := _GS.fullmatch(uri)) is None:
                return google_error(400, f"Invalid Cloud Storage URI {uri!r}.").response()
            place = self.buckets.location(bucket["bucket"])
            if place is None:
                return google_error(404, f"Bucket {bucket['bucket']} is not found.").response()
            if place != location:
                text = (
                    f"The bucket {bucket['bucket']} is in {place} and the job in {location}; use one region."
                )
                return google_error(400, text, "FAILED_PRECONDITION").response()
        if sum(job.state not in _FINAL for job in self._jobs.values()) >= self.most:
            text = "Quota exceeded for aiplatform.googleapis.com/concurrent_batch_prediction_jobs."
            return google_error(
                429, text, reason="RATE_LIMIT_EXCEEDED", quota_limit_value=str(self.most)
            ).response()
        created = datetime.now(timezone.utc).isoformat()
        number = str(next(self._numbers))
        job = _Job(number=number, location=location, model=named["model"], given=given, created=created)
        self._jobs[number] = job
        return json_response(self._resource(job))

    def _table_problem(self, table: str, location: str, given: dict[str, Any]) -> Problem | None:
        """Tell what is wrong with a table of BigQuery: a source must be there, and one for results must not."""
        there = bool(self.tables.rows(table))
        is_source = f"bq://{table}" != _output(given)
        if is_source and not there:
            return google_error(404, f"Not found: Table {table}")
        if not is_source and there:
            return google_error(400, f"Already Exists: Table {table}", "FAILED_PRECONDITION")
        if self.tables.location != location:
            text = f"The dataset of {table} is in {self.tables.location} and the job in {location}; use one region."
            return google_error(400, text, "FAILED_PRECONDITION")
        return None

    def _list(self, received: Received, location: str) -> Response:
        wanted = _FILTER.search(received.query.get("filter", ""))
        jobs = [job for job in reversed(self._jobs.values()) if job.location == location]
        if wanted is not None:
            jobs = [job for job in jobs if job.given.get("displayName") == wanted[1]]
        start, size = received.query.get("pageToken", "0"), received.query.get("pageSize", str(_PAGE))
        if not (start.isdecimal() and size.isdecimal()):
            return google_error(400, "Request contains an invalid argument.").response()
        end = int(start) + int(size)
        page = [self._resource(job) for job in jobs[int(start) : end]]
        more = {"nextPageToken": str(end)} if end < len(jobs) else {}
        return json_response({"batchPredictionJobs": page, **more})

    def _look(self, job: _Job) -> None:
        """Let a job take its next step."""
        if job.state in _FINAL:
            return
        if job.state == "CANCELLING":
            self._end(job, "CANCELLED")
            return
        job.looks += 1
        if job.looks <= self.looks:
            job.state = "PENDING" if job.looks > 1 else "QUEUED"
            return
        if job.lines is None:
            try:
                found = self._read(job)
            except Refused as error:
                job.error = str(error)
                self._end(job, "FAILED")
                return
            job.lines, job.rows, job.state = iter(found), len(found), "RUNNING"
            return
        most = job.rows // 2 if self.ending in _HALF else job.rows
        for line in islice(job.lines, max(min(self.rows_per_look, most - len(job.results)), 0)):
            row = _object(line)
            name = str(row.get("custom_id") or "")
            if self.fails(name):
                message, status = None, "INTERNAL: the emulator was set to fail this row."
            else:
                message, status = self.answer(job.location, job.model, _object(row.get("request")))
            job.failed += bool(status)
            moment = datetime.now(timezone.utc).isoformat()
            result = {
                "custom_id": name,
                "response": message or "",
                "status": status,
                "processed_time": moment,
            }
            job.results.append(json.dumps(result, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if len(job.results) >= most:
            job.error = "The job was ended by the emulator." if self.ending != "SUCCEEDED" else ""
            self._end(job, self.ending)

    def _read(self, job: _Job) -> Sequence[Mapping[str, Json] | bytes]:
        """Return the rows of the inputs: objects from a table, lines from files."""
        uris = _inputs(job.given)
        if (table := _BQ.fullmatch(uris[0])) is not None:
            return self.tables.rows(table["table"])
        files = [
            self.buckets.get(found["bucket"], found["name"]) for found in map(_GS.fullmatch, uris) if found
        ]
        return [line for file in files for line in file.content.split(b"\n") if line.strip()]

    def _end(self, job: _Job, state: str) -> None:
        job.state = state
        found, table = _GS.fullmatch(_output(job.given)), _BQ.fullmatch(_output(job.given))
        if table is not None and job.results:
            job.directory = table[0]
            # The column of responses is of the type JSON.
            rows = [json.loads(result) for result in job.results[::-1]]
            self.tables.add(table["table"], [{**row, "response": row["response"] or None} for row in rows])
        if found is None or not job.results:
            return
        prefix = f"{found['name'].rstrip('/')}/prediction-{job.model.partition('@')[0]}-{job.number}".lstrip(
            "/"
        )
        job.directory = f"gs://{found['bucket']}/{prefix}"
        # Rows come back in any order.
        results = job.results[::-1]
        for shard in range(self.shards):
            name = "predictions.jsonl" if self.shards == 1 else f"predictions_{shard + 1:04}.jsonl"
            part = results[shard :: self.shards]
            self.buckets.write(found["bucket"], f"{prefix}/{name}", b"".join(line + b"\n" for line in part))

    def _name(self, job: _Job) -> str:
        return f"projects/{self.project}/locations/{job.location}/batchPredictionJobs/{job.number}"

    def _resource(self, job: _Job) -> dict[str, Any]:
        resource: dict[str, Any] = {
            **job.given,
            "name": self._name(job),
            "state": f"JOB_STATE_{job.state}",
            "createTime": job.created,
        }
        if job.state in _FINAL:
            done = len(job.results) - job.failed
            resource["completionStats"] = {
                "successfulCount": str(done),
                "failedCount": str(job.failed),
                "incompleteCount": str(job.rows - len(job.results)),
            }
            dataset, _, table = job.directory.rpartition(".")
            if job.directory.startswith("bq://"):
                info = {"bigqueryOutputDataset": dataset, "bigqueryOutputTable": table}
            else:
                info = {"gcsOutputDirectory": job.directory} if job.directory else {}
            resource["outputInfo"] = info
        if job.error:
            resource["error"] = {"code": 13, "message": job.error}
        return resource


def _inputs(given: Mapping[str, Json]) -> list[str]:
    if table := at(given, "inputConfig", "bigquerySource", "inputUri"):
        return [str(table)]
    uris = at(given, "inputConfig", "gcsSource", "uris")
    return [str(uri) for uri in uris] if isinstance(uris, list) and uris else [""]


def _output(given: Mapping[str, Json]) -> str:
    table = at(given, "outputConfig", "bigqueryDestination", "outputUri")
    return str(table or at(given, "outputConfig", "gcsDestination", "outputUriPrefix") or "")


def _object(value: Mapping[str, Json] | Json | bytes) -> Mapping[str, Json]:
    """Return a row, or the request of one, which are JSON or a text of it; an empty object for anything else."""
    try:
        found = json.loads(value) if isinstance(value, (str, bytes)) else value
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}
