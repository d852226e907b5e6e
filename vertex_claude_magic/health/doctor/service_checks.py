"""The checks of what the service says: the one free call read in several ways, and the token that may be spent.

Each kind of error belongs to one check. The checks before it then know that they are well, because the
service looks at things in this order: the token, the API, the permission, the model, the quota.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.health.doctor.cures import Patient, cure_of, quotas
from vertex_claude_magic.health.doctor.finding import Finding
from vertex_claude_magic.models.lifecycle import status
from vertex_claude_magic.models.prices import cost

if TYPE_CHECKING:
    from vertex_claude_magic.health.doctor.case import Case, Probes

__all__ = ["api", "lifecycle", "model", "one_token", "permission", "quota", "service"]

_OF_THE_MODEL = (errors.DataSharingRequired, errors.ModelNotEnabled, errors.ModelNotFound)


def service(case: Case, probes: Probes) -> Finding:
    """Make the authorised call, and look whether Vertex AI itself answered."""
    error = probes.counted.failure()
    if error is not None and _owner(error) == "service":
        if not _is_page(error) or error.status != 404:
            raise error
        seen = f"{case.host} knows no such address ({error.status})."
        cure = f"Set: {case.base_url.origin} to an address that ends in /v1" if case.base_url.value else ""
        return Finding(outcome="failure", seen=seen, cure=cure or cure_of(error, Patient(case=case)))
    return Finding(outcome="ok", seen=f"{case.host} answered an authorised call.")


def _owner(error: errors.ClaudeError) -> str:
    """Name the check that an error belongs to."""
    if isinstance(error, errors.APIDisabled):
        return "API"
    if isinstance(error, _OF_THE_MODEL):
        return "service" if _is_page(error) else "model"
    if isinstance(error, errors.PermissionDenied):
        return "permission"
    return "quota" if isinstance(error, errors.QuotaExceeded) else "service"


def _is_page(error: errors.ClaudeError) -> bool:
    return str(error.details.get("body") or "").lstrip().startswith("<")


def api(case: Case, probes: Probes) -> Finding:  # noqa: ARG001 - all checks are called alike
    """Look whether the API is enabled in the project that pays."""
    _raise_own(probes, "API")
    return Finding(outcome="ok", seen=f"aiplatform.googleapis.com is enabled for {probes.project().value}.")


def permission(case: Case, probes: Probes) -> Finding:  # noqa: ARG001
    """Look whether the account may ask models in the project."""
    _raise_own(probes, "permission")
    return Finding(outcome="ok", seen=f"The account may ask models in {probes.project().value}.")


def _raise_own(probes: Probes, name: str) -> None:
    error = probes.counted.failure()
    if error is not None and _owner(error) == name:
        raise error


def lifecycle(case: Case, probes: Probes) -> Finding:  # noqa: ARG001
    """Look what the table says of the chosen model: in use, deprecated, retired, unknown, served here."""
    row, told = case.row, f"as of {case.catalog.as_of}"
    if row is None:
        near = next(iter(case.catalog.nearest(case.model_id)), "sonnet")
        seen = f"The model table does not know {case.model_id}, {told}."
        return Finding(outcome="warning", seen=seen, cure=f"Use: --model {near}")
    seen, successor = f"{row.name}: {status(row)}, {told}.", f"Use: --model {row.successor or row.family}"
    if row.lifecycle == "retired":
        return Finding(outcome="failure", seen=seen, cure=successor)
    if row.lifecycle == "deprecated":
        return Finding(outcome="warning", seen=seen, cure=successor)
    return Finding(outcome="ok", seen=seen)


def model(case: Case, probes: Probes) -> Finding:
    """Look whether the chosen location serves the chosen model to this project."""
    error = probes.counted.failure()
    if error is None:
        counted = f"{probes.counted()} tokens of a fixed text were counted, free of charge"
        return Finding(outcome="ok", seen=f"{case.model_id} in {case.place}: {counted}.")
    if _owner(error) == "quota" or _counts_nowhere(error):
        why = "the quota for counting" if _owner(error) == "quota" else f"{case.place} counts no tokens"
        return Finding(
            outcome="not checked", seen=f"{case.model_id} in {case.place}: {why}; --probe asks it."
        )
    raise error


def _counts_nowhere(error: errors.ClaudeError) -> bool:
    return "models/count-tokens" in str(error.details.get("message") or "")


def quota(case: Case, probes: Probes) -> Finding:
    """Look whether requests are let through; only a real request shows it."""
    _raise_own(probes, "quota")
    if not case.spends:
        patient = Patient(case=case, project=str(probes.project().value))
        seen = "Only a real request shows it: --probe asks for one token, for a fraction of a cent."
        return Finding(outcome="not checked", seen=seen, cure=quotas(patient))
    error = probes.answered.failure()
    if isinstance(error, errors.QuotaExceeded):
        raise error
    if error is not None:
        return Finding(outcome="not checked", seen="The request was refused for another reason.")
    return Finding(outcome="ok", seen=f"{case.place} let a request through.")


def one_token(case: Case, probes: Probes) -> Finding:
    """Ask for one token, if the user wants that."""
    if not case.spends:
        return Finding(outcome="not checked", seen="--probe asks for one token, for a fraction of a cent.")
    usage = probes.answered()
    price = cost(case.row, case.place, usage) if case.row is not None else None
    paid = "at an unknown price" if price is None else f"for about {price:.6f} USD"
    taken, given = usage.input_tokens, usage.output_tokens
    return Finding(outcome="ok", seen=f"{case.model_id} answered: {taken} tokens in, {given} out, {paid}.")
