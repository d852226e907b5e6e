"""What an administrator asks of Vertex AI: the publisher's model list, a model's configuration, operations.

The methods are those of the v1beta1 REST reference of Vertex AI (Google Cloud docs, 2026-11):
`publishers.models.list`, `fetchPublisherModelConfig`, `setPublisherModelConfig` and `operations.get`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from vertex_claude_magic import errors
from vertex_claude_magic.spelling import option, spelled, ways
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.resources import pages, unexpected_form
from vertex_claude_magic.vertex.endpoint import check_project, model_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.transport.resources import JsonCall, ModelPlace

__all__ = ["Admin", "ListedModel"]

Config = Mapping[str, Any]

_OPERATION_NAME = re.compile(r"projects/[A-Za-z0-9._:-]+(?:/[A-Za-z0-9._@:-]+)*/operations/[A-Za-z0-9._-]+")
# Seconds between two looks at an operation: the first wait, its growth, the longest.
_FIRST_LOOK, _GROWTH, _LONGEST_LOOK = 1.0, 1.5, 10.0
_DENIED_CODE = 7  # PERMISSION_DENIED of google.rpc.Code
# The reasons that Google gives where a role is missing; proxies and older services give none.
_ROLE_REASONS = ("", "IAM_PERMISSION_DENIED")
_NO_HOST_FOR_LISTS = frozenset({404, 501})


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedModel:
    """One entry of the publisher's list: the model's name, its version ("default" for none), its launch stage."""

    name: str
    version: str
    stage: str

    @property
    def id(self) -> str:
        """The id as a request names it.

        >>> ListedModel(name="claude-sonnet-4-5", version="20250929", stage="GA").id
        'claude-sonnet-4-5@20250929'
        """
        return self.name if self.version in {"", "default"} else f"{self.name}@{self.version}"


class Admin:
    """Asks and sets, one request at a time.

    Args:
        call: Sends a request and returns its answer as JSON.
        place: What it is about.
        clock: Seconds that never run backwards.
        pause: Waits for so many seconds; raises `ClaudeInterrupt` if the user stops it.
    """

    def __init__(
        self, call: JsonCall, place: ModelPlace, *, clock: Callable[[], float], pause: Callable[[float], None]
    ) -> None:
        self.place = place
        self._call = call
        self._clock = clock
        self._pause = pause

    def models(self) -> list[ListedModel]:
        """Return the models that Google lists for the publisher Anthropic; it is not a list of what one may call.

        Raises:
            APIError: the host of the location has no such list, or the account may not read it.
        """
        listed: list[ListedModel] = []
        place = self.place
        # The list has no project in its path, so Google would ask the one that the login belongs to.
        payer = {"x-goog-user-project": check_project(place.project)}
        url = f"{place.v1beta1}/publishers/anthropic/models"
        try:
            for page in pages(self._call, place, url, what="The model list", headers=payer):
                entries = page.get("publisherModels")
                for entry in entries if isinstance(entries, list) else ():
                    known = entry if isinstance(entry, Mapping) else {}
                    path, version, stage = (
                        str(known.get(key) or "") for key in ("name", "versionId", "launchStage")
                    )
                    if name := path.rpartition("/")[2]:
                        listed.append(ListedModel(name=name, version=version, stage=stage))
        except errors.PermissionDenied as error:
            _refuse(error, "read the publisher's model list", "roles/serviceusage.serviceUsageConsumer")
        except errors.APIError as error:
            if error.status not in _NO_HOST_FOR_LISTS:
                raise
            raise errors.APIError(
                f"The host of {quote(place.region, 40)} has no list of models ({error.status}).",
                cure=ways(
                    spelled("use {}", option("region", "global")),
                    end="; this request contains none of your text.",
                ),
                details=error.details,
            ) from None
        return listed

    def config(self) -> Config:
        """Return the model's configuration in this location, empty if none was ever set.

        Raises:
            PermissionDenied: the account may not read it; the cure names the role.
        """
        try:
            found = self._call(self.place.request("GET", self._method("fetchPublisherModelConfig")))
        except errors.PermissionDenied as error:
            _refuse(error, f"read the configuration of {self.place.model}", "roles/aiplatform.viewer")
        except errors.ModelNotFound as error:
            # Google answers so where nothing was ever set; any other 404 is not Google's.
            if error.details.get("code") == "NOT_FOUND":
                return {}
            raise
        if not isinstance(found, Mapping):
            raise unexpected_form("The configuration")
        return found

    def set_config(self, config: Config, *, seconds: float) -> None:
        """Replace the model's whole configuration, and follow the operation to its end.

        It is sent once: what somebody else wrote between two tries would be lost.

        Args:
            config: All of it; what is left out is deleted by Google.
            seconds: How long to follow the operation.

        Raises:
            PermissionDenied: the account may not change it; the cure names the role.
            OperationFailed: Google could not do it.
            DeadlineExceeded: the operation is not over yet; it goes on.
        """
        url = self._method("setPublisherModelConfig")
        request = self.place.request("POST", url, {"publisherModelConfig": dict(config)})
        try:
            operation = self._call(request, retry=False)
        except errors.PermissionDenied as error:
            _refuse(error, f"change the configuration of {self.place.model}", "roles/aiplatform.admin")
        end, wait = self._clock() + seconds, _FIRST_LOOK
        while not _is_over(operation):
            if self._clock() + wait > end:
                raise errors.DeadlineExceeded(
                    "Google's operation has not finished yet; it continues at Google.",
                    cure="Run %claude_logging status in a few minutes to see the current state.",
                    details={"operation": operation["name"]},
                )
            self._pause(wait)
            wait = min(wait * _GROWTH, _LONGEST_LOOK)
            url = f"{self.place.v1beta1}/{operation['name']}"
            operation = self._call(self.place.request("GET", url))
        if isinstance(failure := operation.get("error"), Mapping):
            raise _failed(failure, self.place)

    def _method(self, verb: str) -> str:
        """Return the address of a method of the model."""
        place = self.place
        path = model_path(project=place.project, location=place.region, model=place.model, verb=verb)
        return place.v1beta1 + path


def _is_over(operation: Json) -> bool:
    if not isinstance(operation, Mapping):
        raise unexpected_form("The operation")
    if operation.get("done") is True:
        return True
    name = str(operation.get("name") or "")
    # The name becomes part of an address that gets a token.
    if not _OPERATION_NAME.fullmatch(name) or ".." in name:
        raise unexpected_form("The operation")
    return False


def _failed(failure: Mapping[str, Any], place: ModelPlace) -> errors.ClaudeError:
    reason = quote(str(failure.get("message") or "no reason"))
    kind = errors.PermissionDenied if failure.get("code") == _DENIED_CODE else errors.OperationFailed
    return kind(
        f"Google could not change the configuration of {place.model} in {place.region}: {reason!r}.",
        cure="Check that the BigQuery data set exists and that you may write to it (roles/bigquery.dataEditor); "
        "%claude_logging status shows the current state.",
        details={"code": failure.get("code"), "message": reason},
    )


def _refuse(error: errors.PermissionDenied, what: str, role: str) -> NoReturn:
    """Say which role is missing; other reasons for a 403 keep their own cure."""
    if type(error) is not errors.PermissionDenied or error.details.get("reason") not in _ROLE_REASONS:
        raise error
    project = quote(str(error.details.get("project")), 80)
    raise errors.PermissionDenied(
        f"The account may not {what} in project {project} (403). "
        f"Vertex AI said: {quote(str(error.details.get('message'))).removesuffix('.')!r}.",
        cure=f"Grant {role} to the account: gcloud projects add-iam-policy-binding {project} "
        f"--member=user:YOU --role={role}",
        details=error.details,
    ) from None
