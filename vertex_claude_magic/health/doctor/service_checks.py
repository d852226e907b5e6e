"""The checks of what the service says: the one free call read in several ways, and the token that may be spent.

Each kind of error belongs to one check. The checks before it then know that they are well, because the
service looks at things in this order: the token, the API, the permission, the model, the quota.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.health.doctor.cures import cure_of, other_location, quotas, unless_held
from vertex_claude_magic.health.doctor.finding import Finding
from vertex_claude_magic.models.lifecycle import status
from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.vertex.reply import cost

if TYPE_CHECKING:
    from vertex_claude_magic.health.doctor.setup import Setup

__all__ = ["api", "lifecycle", "model", "one_token", "permission", "quota", "service"]

_OF_THE_MODEL = (errors.DataSharingRequired, errors.ModelNotEnabled, errors.ModelNotFound)
_PROBE = "--probe asks for one token, for a fraction of a cent."


def _raise_if_of(check: str, setup: Setup) -> None:
    """Raise the refusal of the free call if it belongs to this check."""
    if isinstance(setup.counted, errors.ClaudeError) and _check_of(setup.counted) == check:
        raise setup.counted


def _check_of(error: errors.ClaudeError) -> str:
    """Return the name of the check that an error belongs to."""
    if isinstance(error, errors.APIDisabled):
        return "API"
    if isinstance(error, _OF_THE_MODEL):
        return "service" if _is_page(error) else "model"
    if isinstance(error, errors.PermissionDenied):
        return "permission"
    return "quota" if isinstance(error, errors.QuotaExceeded) else "service"


def _is_page(error: errors.ClaudeError) -> bool:
    # Google's errors are JSON; a page is of a proxy, or of a base URL that leads elsewhere.
    return str(error.details.get("body") or "").lstrip().startswith("<")


def service(setup: Setup) -> Finding:
    """Make the authorised call, and look whether Vertex AI itself answered."""
    error = setup.counted
    if isinstance(error, errors.ClaudeError) and _is_page(error) and error.status == 404:
        cure = cure_of(error, setup)
        if setup.target.base_url:
            cure = f"Set: {setup.target.origins['base_url']} to an address that ends in /v1"
        return Finding("failure", f"{setup.host} has no such address ({error.status}).", cure)
    _raise_if_of("service", setup)
    return Finding("ok", f"The service accepted the credentials ({setup.host}).")


def _by(setup: Setup) -> str:
    """Return whose word it is, where it is not Google's."""
    return f", says {setup.answered_by}" if setup.answered_by else ""


def api(setup: Setup) -> Finding:
    """Look whether the API is enabled in the project that pays."""
    _raise_if_of("API", setup)
    return Finding("ok", f"aiplatform.googleapis.com is enabled for {setup.project}{_by(setup)}.")


def permission(setup: Setup) -> Finding:
    """Look whether the account may ask models in the project."""
    _raise_if_of("permission", setup)
    return Finding("ok", f"The account may call models in {setup.project}{_by(setup)}.")


def lifecycle(setup: Setup) -> Finding:
    """Look the chosen model up in the table: in use, deprecated, retired, unknown."""
    row, date = setup.target.row, f"as of {setup.catalog.as_of}"
    if row is None:
        near = next(iter(setup.catalog.nearest(setup.target.model_id)), "sonnet")
        seen = f"The model table does not know {setup.target.model_id}, {date}."
        return Finding("warning", seen, unless_held(f"Use: --model {near}", "model"))
    seen = f"{row.name}: {status(row)}, {date}."
    successor = unless_held(f"Use: --model {row.successor or row.family}", "model")
    if row.lifecycle == "retired":
        return Finding("failure", seen, successor)
    return Finding("warning", seen, successor) if row.lifecycle == "deprecated" else Finding("ok", seen)


def model(setup: Setup) -> Finding:
    """Look whether the chosen location serves the chosen model to this project."""
    counted, what = setup.counted, f"{setup.target.model_id} in {setup.target.region}"
    uncounted = ""
    if isinstance(counted, errors.ClaudeError):
        if _check_of(counted) == "quota":
            uncounted = "the quota for counting tokens is used up"
        # The service then says that it is the model of this name that it does not find.
        elif "models/count-tokens" in str(counted.details.get("message") or ""):
            uncounted = f"{setup.target.region} does not count tokens"
        else:
            raise counted
    listed = (setup.target.row.locations if setup.target.row is not None else None) or (setup.target.region,)
    # To count is not to ask, and some places only count.
    if setup.target.region not in listed and (
        not setup.spends or isinstance(setup.answered, errors.ClaudeError)
    ):
        seen = f"{what}: the model table lists it only in {', '.join(listed)}, as of {setup.catalog.as_of}."
        return Finding(
            "not checked", seen, f"Use: --region {other}" if (other := other_location(setup)) else ""
        )
    if uncounted:
        return Finding("not checked", f"{what}: {uncounted}; --probe asks the model itself.")
    return Finding("ok", f"{what}: {counted} tokens of a fixed text were counted, free of charge.")


def quota(setup: Setup) -> Finding:
    """Look whether requests are let through; only a real request shows it."""
    _raise_if_of("quota", setup)
    if not setup.spends:
        # The demo's project has no page in Google's console.
        where = "" if setup.session.demo else quotas(setup)
        return Finding("not checked", f"Only a real request shows it: {_PROBE}", where)
    error = setup.answered
    if isinstance(error, errors.QuotaExceeded):
        raise error
    if isinstance(error, errors.ClaudeError):
        # The check "one token" shows that reason.
        return Finding("not checked", "The request was refused for another reason.")
    return Finding("ok", f"{setup.target.region} accepted a request.")


def one_token(setup: Setup) -> Finding:
    """Ask for one token, if the user wants that."""
    if not setup.spends:
        return Finding("not checked", _PROBE)
    usage = setup.answered
    if isinstance(usage, errors.ClaudeError):
        raise usage
    price = cost(setup.target.row, setup.target.region, usage) if setup.target.row is not None else None
    paid = "at an unknown price" if price is None else f"for {usd_estimate(price)}"
    taken, given = usage.input_tokens, usage.output_tokens
    return Finding("ok", f"{setup.target.model_id} answered: {taken} tokens in, {given} out, {paid}.")
