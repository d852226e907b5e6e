"""The request builder against the official SDK: the same method, host, path, betas and body.

`sdk_requests_1_17_0.json` holds what `anthropic[vertex]` 1.17.0 sent, the last version with
`vertex-2023-10-16`; `record_sdk_requests.py` records it anew. The newest API version is compared with the
SDK that is installed. One difference is intended: the token-counting endpoint refuses a model id with a version
suffix, and the SDK sends it all the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from record_sdk_requests import SAMPLING, capture
from sdk_cases import CASES, Case

from vertex_claude_magic import Claude
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.vertex.request import Request, build_count_request

RECORDED = json.loads((Path(__file__).parents[1] / "sdk_requests_1_17_0.json").read_text(encoding="utf-8"))
NEWEST_VERSION = "2026-10-21"
MODERN_CASES = [case for case in CASES if not set(SAMPLING) & set(case.body)]
THINKING = {"adaptive": "adaptive", "disabled": "off", "between_tools": "between_tools"}


def options_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Say the body of a case in our options, and in `set` only what has no option of its own."""
    rest = dict(fields)
    options = {name: rest.pop(name) for name in ("max_tokens", "system", *SAMPLING) if name in rest}
    options["stop"] = rest.pop("stop_sequences", ())
    if set(rest.get("output_config", ())) == {"effort"}:
        options["effort"] = rest.pop("output_config")["effort"]
    if "thinking" in rest:
        options |= thinking_of(rest.pop("thinking"))
    return {**options, "set": rest}


def thinking_of(thinking: dict[str, Any]) -> dict[str, Any]:
    """Say a thinking configuration in our options."""
    kind = thinking["budget_tokens"] if thinking["type"] == "enabled" else THINKING[thinking["type"]]
    return {"thinking": kind, "show_thinking": thinking.get("display") == "summarized"}


def ours(case: Case, **settings: Any) -> Request:
    """Build the request of a case with this package."""
    claude = Claude(project=case.project, region=case.region, model=case.model, **settings)
    fields = dict(case.fields)
    messages = fields.pop("messages")
    request = claude.request(messages, no_stream=case.kind != "stream", beta=case.betas, **options_of(fields))
    return build_count_request(request, Catalog.load()) if case.kind == "count" else request


def on_the_wire(request: Request) -> dict[str, Any]:
    """What of a request is compared."""
    parts = urlsplit(request.url)
    beta = request.headers.get("anthropic-beta")
    return {
        "method": request.method,
        "host": parts.hostname,
        "path": parts.path,
        "beta": beta,
        "body": json.loads(request.payload),
    }


def expected(sent: dict[str, Any], case: Case) -> dict[str, Any]:
    """What the SDK sent, with the one intended difference applied."""
    if case.kind != "count":
        return sent
    return {**sent, "body": {**sent["body"], "model": case.model.partition("@")[0]}}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_equals_the_recorded_one(case):
    """Version vertex-2023-10-16: method, host, path, betas and body are those of anthropic 1.17.0."""
    assert on_the_wire(ours(case)) == expected(RECORDED[case.name], case)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("case", MODERN_CASES, ids=lambda case: case.name)
def test_a_request_of_the_newest_version_equals_the_newest_sdk(case):
    """Version 2026-10-21: method, host, path, betas and body are those of the SDK that is installed."""
    assert on_the_wire(ours(case, anthropic_version=NEWEST_VERSION)) == expected(capture(case), case)


def test_the_recording_is_that_of_these_cases():
    """Nobody changed the cases and forgot to record them; at least 36 combinations are compared."""
    assert list(RECORDED) == [case.name for case in CASES]
    assert len(CASES) >= 36
    assert {sent["body"]["anthropic_version"] for sent in RECORDED.values()} == {"vertex-2023-10-16"}


def test_the_sdk_counts_with_the_suffix_and_we_without():
    """The intended difference is really there, so that the comparison above hides nothing else."""
    case = next(case for case in CASES if case.name == "count with a suffix")
    assert RECORDED[case.name]["body"]["model"] == case.model == "claude-haiku-4-5@20251001"
    assert ours(case).body["model"] == "claude-haiku-4-5"


def test_the_cases_cover_every_kind_of_host():
    """Global, both multi-regions and three regions."""
    hosts = {sent["host"] for sent in RECORDED.values()}
    assert hosts == {
        "aiplatform.googleapis.com",
        "aiplatform.us.rep.googleapis.com",
        "aiplatform.eu.rep.googleapis.com",
        "us-east5-aiplatform.googleapis.com",
        "europe-west1-aiplatform.googleapis.com",
        "asia-southeast1-aiplatform.googleapis.com",
    }
