"""The emulator as an administrator meets it: configurations, operations, and models that are barred."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from vertex_claude_magic.errors import OptionError

if TYPE_CHECKING:
    from vertex_claude_magic.emulator import Emulator

AUTHORIZED = {"Authorization": "Bearer emulator"}
MODEL = "claude-sonnet-5-5"
CONFIG = {"loggingConfig": {"enabled": True}, "claudeFeatureConfig": {"advancedAiEnabled": True}}


@pytest.fixture
def emulator(claude_emulator):
    return claude_emulator


def url(
    emulator: Emulator, verb: str, *, model: str = MODEL, location: str = "global", version: str = "v1beta1"
) -> str:
    place = f"projects/{emulator.project}/locations/{location}/publishers/anthropic/models/{model}"
    return f"{emulator.origin}/{version}/{place}:{verb}PublisherModelConfig"


def fetch(emulator: Emulator, **place: Any) -> requests.Response:
    return requests.get(url(emulator, "fetch", **place), headers=AUTHORIZED, timeout=120)


def put(emulator: Emulator, config: Any, **place: Any) -> requests.Response:
    body = {"publisherModelConfig": config}
    return requests.post(url(emulator, "set", **place), json=body, headers=AUTHORIZED, timeout=120)


def test_a_configuration_that_was_never_set_is_not_found(emulator):
    """As Google answers it."""
    response = fetch(emulator)
    assert (response.status_code, response.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_a_write_replaces_everything_of_one_model_in_one_location(emulator):
    """A tool that forgets a sibling loses it here too."""
    put(emulator, CONFIG)
    put(emulator, {"loggingConfig": {"enabled": False}})
    assert fetch(emulator).json() == {"loggingConfig": {"enabled": False}}
    assert fetch(emulator, location="eu").status_code == 404
    assert fetch(emulator, model="claude-opus-5-5").status_code == 404


def test_a_write_is_a_long_running_operation(emulator):
    """Looked at as often as it was told, then done."""
    emulator.configs.polls = 2
    operation = put(emulator, CONFIG).json()
    assert operation["done"] is False
    states = [_look(emulator, operation["name"])["done"] for _ in range(3)]
    assert states == [False, True, True]


def _look(emulator: Emulator, name: str) -> Any:
    return requests.get(f"{emulator.origin}/v1beta1/{name}", headers=AUTHORIZED, timeout=120).json()


def test_a_failure_writes_nothing(emulator):
    """Its status is in the operation, and HTTP says 200."""
    emulator.configs.failure = {"code": 9, "message": "no such data set"}
    response = put(emulator, CONFIG)
    assert (response.status_code, response.json()["error"]["code"]) == (200, 9)
    assert emulator.configs.get("global", MODEL) is None


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"headers": {}}, 401),
        ({"headers": {"Authorization": "Bearer foreign"}}, 401),
        ({"json": {}}, 400),
        ({"json": {"publisherModelConfig": []}}, 400),
        ({"json": None, "data": b"x"}, 400),
    ],
)
def test_a_write_that_google_would_refuse_is_refused(emulator, change, status):
    """Without a good token or a configuration."""
    given = {"json": {"publisherModelConfig": CONFIG}, "headers": AUTHORIZED, "timeout": 10, **change}
    assert requests.post(url(emulator, "set"), **given).status_code == status
    assert emulator.configs.get("global", MODEL) is None


@pytest.mark.parametrize("verb", ["fetch", "set"])
def test_a_method_has_one_http_verb_and_one_version(emulator, verb):
    """v1 does not have it."""
    other = requests.post if verb == "fetch" else requests.get
    assert other(url(emulator, verb), headers=AUTHORIZED, timeout=120).status_code == 404
    assert requests.get(url(emulator, verb, version="v1"), headers=AUTHORIZED, timeout=120).status_code == 404


@pytest.mark.parametrize(
    "place", ["projects/other/locations/global", "projects/emulator-project/locations/global"]
)
def test_a_missing_permission_is_a_403_of_google(emulator, place):
    """Of another project, or of a verb that was taken away."""
    emulator.configs.denied = frozenset({"fetchPublisherModelConfig"})
    address = (
        f"{emulator.origin}/v1beta1/{place}/publishers/anthropic/models/{MODEL}:fetchPublisherModelConfig"
    )
    error = requests.get(address, headers=AUTHORIZED, timeout=120).json()["error"]
    assert (error["code"], error["details"][0]["reason"]) == (403, "IAM_PERMISSION_DENIED")


def test_an_unknown_operation_is_not_found(emulator):
    """There is nothing to follow."""
    name = f"projects/{emulator.project}/locations/global/operations/77"
    assert _look(emulator, name)["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("why", "asked", "counted"),
    [("not enabled", 400, 400), ("no quota", 429, 200), ("not served", 400, 400), ("retired", 404, 404)],
)
def test_a_barred_model_is_refused_in_its_location_alone(emulator, why, asked, counted):
    """With Google's status; a quota does not bar counting, which has its own."""
    emulator.bar(MODEL, "eu", why)
    assert (_ask(emulator, "eu"), _count(emulator, "eu")) == (asked, counted)
    assert (_ask(emulator, "us"), _count(emulator, "us")) == (200, 200)


def test_a_model_can_be_barred_everywhere(emulator):
    """A location of its own goes before."""
    emulator.bar(MODEL, "*", "retired")
    emulator.bar(MODEL, "eu", "not enabled")
    assert (_ask(emulator, "us"), _ask(emulator, "eu")) == (404, 400)


def test_what_the_table_does_not_know_cannot_be_barred(emulator):
    """A slip of the pen would bar nothing."""
    with pytest.raises(OptionError):
        emulator.bar("claude-sonet", "eu", "retired")


def _ask(emulator: Emulator, location: str) -> int:
    body = {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    return _call(emulator, location, MODEL, body)


def _count(emulator: Emulator, location: str) -> int:
    return _call(
        emulator, location, "count-tokens", {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
    )


def _call(emulator: Emulator, location: str, model: str, body: dict[str, Any]) -> int:
    place = f"projects/{emulator.project}/locations/{location}/publishers/anthropic/models/{model}:rawPredict"
    return requests.post(
        f"{emulator.base_url}/{place}", json=body, headers=AUTHORIZED, timeout=120
    ).status_code


def test_the_list_can_have_more_and_fewer_models(emulator):
    """Than the table does."""
    emulator.list_model("claude-next-9", "PUBLIC_PREVIEW")
    emulator.list_model("claude-opus-5-5", None)
    address = f"{emulator.origin}/v1beta1/publishers/anthropic/models?pageSize=100"
    listed = requests.get(address, headers=AUTHORIZED, timeout=120).json()["publisherModels"]
    stages = {entry["name"].rpartition("/")[2]: entry["launchStage"] for entry in listed}
    assert stages["claude-next-9"] == "PUBLIC_PREVIEW"
    assert "claude-opus-5-5" not in stages
