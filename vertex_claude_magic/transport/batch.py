"""Batch prediction jobs of Vertex AI: create, look, find, cancel.

The methods are those of the v1 REST reference of Vertex AI (`projects.locations.batchPredictionJobs`, Google Cloud
docs, 2026-11) and of the page "Batch predictions with Claude models" (Google Cloud docs, 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vertex_claude_magic.transport.resources import pages, unexpected_form
from vertex_claude_magic.vertex.endpoint import check_location, check_project

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.transport.resources import JsonCall, ModelPlace

__all__ = ["FINAL", "BatchApi", "RemoteJob", "job_body"]

_NAME = re.compile(
    r"projects/[A-Za-z0-9._:-]+/locations/(?P<location>[a-z0-9-]+)/batchPredictionJobs/[A-Za-z0-9_-]+"
)
_WHAT = "The batch job"
# Without the prefix JOB_STATE_; google-cloud-aiplatform 2.7.0 has the same set of states that a job does not leave.
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"})


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteJob:
    """A job as Google reports it.

    Args:
        name: Its resource name.
        state: Its state without `JOB_STATE_`, such as "RUNNING"; empty if Google names none.
        done: How many rows were answered; 0 until the job has ended.
        failed: How many rows failed.
        output: Where the results are, `gs://...` or `bq://...`; empty until the job has ended.
        error: What Google says of a job that failed.
    """

    name: str
    state: str
    done: int = 0
    failed: int = 0
    output: str = ""
    error: str = ""

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.state in FINAL


def job_body(
    *, display_name: str, model: str, source: str, destination: str, labels: Mapping[str, str]
) -> dict[str, Json]:
    """Return the body that creates a job.

    Args:
        display_name: What the job is called, by which it is found again.
        model: The id on Vertex AI.
        source: The rows: a file `gs://...` of JSON lines, or a table `bq://project.dataset.table`.
        destination: Where results go: a folder `gs://...`, or a table `bq://...`.
        labels: Labels for billing.

    >>> job_body(display_name="d", model="m", source="bq://p.d.t", destination="gs://b/o", labels={})["outputConfig"]
    {'predictionsFormat': 'jsonl', 'gcsDestination': {'outputUriPrefix': 'gs://b/o'}}
    """
    input_config: dict[str, Json] = {"instancesFormat": "jsonl", "gcsSource": {"uris": [source]}}
    if source.startswith("bq://"):
        input_config = {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": source}}
    output_config: dict[str, Json] = {
        "predictionsFormat": "jsonl",
        "gcsDestination": {"outputUriPrefix": destination},
    }
    if destination.startswith("bq://"):
        output_config = {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": destination}}
    body: dict[str, Json] = {
        "displayName": display_name,
        "model": f"publishers/anthropic/models/{model}",
        "inputConfig": input_config,
        "outputConfig": output_config,
    }
    return {**body, "labels": dict(labels)} if labels else body


class BatchApi:
    """The jobs of one project in one location, which is never `global`.

    Args:
        call: Sends a request and returns its answer as JSON.
        place: The project and the location; its model is for the errors that may come back.
    """

    def __init__(self, call: JsonCall, place: ModelPlace) -> None:
        self._call, self._place = call, place
        project, location = check_project(place.project), check_location(place.region)
        self._jobs = f"{place.v1}/projects/{project}/locations/{location}/batchPredictionJobs"

    def create(self, body: Mapping[str, Json]) -> RemoteJob:
        """Create a job. It is sent once, because a second one would be paid too; `find` shows whether it arrived."""
        return _read(self._call(self._place.request("POST", self._jobs, body), retry=False))

    def get(self, name: str) -> RemoteJob:
        """Return a job as it is now."""
        return _read(self._call(self._place.request("GET", self._url(name))))

    def cancel(self, name: str) -> None:
        """Ask for the end of a job, which keeps the results that it has."""
        self._call(self._place.request("POST", f"{self._url(name)}:cancel"))

    def find(self, display_name: str) -> RemoteJob | None:
        """Return the newest job of a name, None if there is none."""
        wanted = {"filter": f'displayName="{display_name}"'}
        for page in pages(self._call, self._place, self._jobs, what=_WHAT, query=wanted):
            listed = page.get("batchPredictionJobs")
            for each in listed if isinstance(listed, list) else ():
                # Compared here too, in case that the filter is not applied.
                if isinstance(each, Mapping) and each.get("displayName") == display_name:
                    return _read(each)
        return None

    def _url(self, name: str) -> str:
        # The name becomes part of an address that gets a token.
        found = _NAME.fullmatch(name)
        if found is None or found["location"] != self._place.region or ".." in name:
            raise unexpected_form(_WHAT)
        return f"{self._place.v1}/{name}"


def _read(found: Json) -> RemoteJob:
    if not isinstance(found, Mapping) or not _NAME.fullmatch(str(found.get("name") or "")):
        raise unexpected_form(_WHAT)
    parts = (found.get(name) for name in ("completionStats", "outputInfo", "error"))
    counts, info, error = (part if isinstance(part, Mapping) else {} for part in parts)
    output = str(info.get("gcsOutputDirectory") or "")
    if not output and info.get("bigqueryOutputDataset"):
        table = info.get("bigqueryOutputTable")
        output = f"{info['bigqueryOutputDataset']}.{table}" if table else str(info["bigqueryOutputDataset"])
    return RemoteJob(
        name=str(found["name"]),
        state=str(found.get("state") or "").removeprefix("JOB_STATE_"),
        done=_count(counts.get("successfulCount")),
        failed=_count(counts.get("failedCount")),
        output=output,
        error=str(error.get("message") or ""),
    )


def _count(value: Json) -> int:
    # 64-bit numbers are texts in Google's JSON.
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 16 else 0
