"""Batch prediction jobs: what is sent, and what of an answer is believed."""

from __future__ import annotations

import pytest

from vertex_claude_magic import errors
from vertex_claude_magic.transport.batch import BatchApi, job_body
from vertex_claude_magic.transport.resources import ModelPlace

NAME = "projects/p/locations/us-east5/batchPredictionJobs/7"


class Service:
    """Answers every call with the same, and holds what was asked."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def __call__(self, request, *, retry=True):
        self.asked.append((request.method, request.url, retry))
        return self.answer

    @property
    def api(self):
        return BatchApi(self, ModelPlace(project="p", region="us-east5"))


def test_a_job_is_created_once_and_asked_for_by_its_name_at_the_host_of_its_location():
    service = Service({"name": NAME, "state": "JOB_STATE_RUNNING"})
    service.api.create(
        job_body(display_name="d", model="m", source="gs://b/i", destination="gs://b/o", labels={})
    )
    service.api.get(NAME)
    base = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5/batchPredictionJobs"
    assert service.asked == [("POST", base, False), ("GET", f"{base}/7", True)]


def test_a_state_that_is_not_known_is_one_under_way():
    job = Service({"name": NAME, "state": "JOB_STATE_REBOOTING"}).api.get(NAME)
    assert (job.state, job.ended) == ("REBOOTING", False)


NO_JOBS = [
    None, [], "x", {}, {"name": 5}, {"name": "projects/p/locations/us-east5/batchPredictionJobs/../x"},
    {"name": "https://evil.example/" + NAME}, {"name": NAME + "\n"}, {"name": NAME + "?x=1"},
]  # fmt: skip


@pytest.mark.parametrize("answer", NO_JOBS, ids=range(len(NO_JOBS)))
def test_an_answer_that_is_not_a_job_is_refused(answer):
    with pytest.raises(errors.ProtocolError):
        Service(answer).api.get(NAME)


@pytest.mark.parametrize(
    "name", ["x", NAME.replace("us-east5", "eu"), f"{NAME}/..", f"https://evil.example/{NAME}"]
)
def test_no_other_address_is_asked_than_that_of_a_job_in_the_location(name):
    service = Service({})
    for ask in (service.api.get, service.api.cancel):
        with pytest.raises(errors.ProtocolError):
            ask(name)
    assert service.asked == []


@pytest.mark.parametrize("counts", [None, [], {"successfulCount": "-5"}, {"successfulCount": "9" * 50},
                                    {"successfulCount": {"a": 1}}])  # fmt: skip
def test_counts_that_are_no_counts_are_0(counts):
    job = Service({"name": NAME, "completionStats": counts, "outputInfo": 5, "error": "x"}).api.get(NAME)
    assert (job.done, job.failed, job.output, job.error, job.state) == (0, 0, "", "", "")


def test_a_list_without_an_end_is_left_and_foreign_entries_are_no_jobs():
    service = Service({"batchPredictionJobs": [5, {"displayName": "other"}], "nextPageToken": "again"})
    assert service.api.find("mine") is None
    assert 0 < len(service.asked) < 100
