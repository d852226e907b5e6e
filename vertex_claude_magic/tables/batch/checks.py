"""What a batch cannot do, said before anything is uploaded, and where its jobs run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import ModelRuleError, OptionError, ReplayMiss
from vertex_claude_magic.records.rehearsal import refusal
from vertex_claude_magic.session.session import check_live
from vertex_claude_magic.settings.environment import is_rehearsal
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.settings.registry import Option
from vertex_claude_magic.spelling import Change, Spelling, field, flag, option, spelled, ways
from vertex_claude_magic.tables.options import REFUSED, refuse_options, taken_out
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.storage import parse_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.settings.target import Target

__all__ = [
    "BATCH_OPTIONS",
    "NOT_BATCHED",
    "BatchOptions",
    "batch_options",
    "check_batch",
    "check_sending",
    "location_of",
    "unknowns",
]

BATCH_OPTIONS = (
    Option("to", value="PLACE", help="where rows and results go: gs://bucket/prefix, or bq://project.dataset.table"),
    Option("via", value="PLACE", help="gs://bucket/prefix for the rows, where results go to BigQuery"),
    Option("rows_per_job", "integer", least=1, wanted="a whole number above 0", value="N",
           help="how many rows a job has at most; without it, one job has all of them"),
    Option("prefix", default="", value="TEXT", help="prefix for the names of all added columns"),
)  # fmt: skip
# By the name of the option, why a batch does not take it; what no table takes is among them.
NOT_BATCHED: Mapping[str, str] = {
    **REFUSED,
    "max_rounds": "every row has one round",
    "replay": "a job answers all of its rows",
    "no_stream": "nothing is streamed",
    "timeout": "a job ends when Google ends it",
    "header": "a row carries no headers",
}
# By the name of a body field that is set by hand, why a row cannot carry it.
_REFUSED_FIELDS: Mapping[str, str] = {
    "model": "the job names the model of all its rows",
    "stream": "nothing is streamed",
}
_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_MULTI_REGIONS = frozenset({"us", "eu"})
_TABLE = re.compile(r"bq://[A-Za-z0-9._:-]+\.[A-Za-z0-9_]+\.[A-Za-z0-9_-]+")
# What a batch of finished requests takes beside `to` and `via`: what does not belong into a request.
_BESIDE_REQUESTS = frozenset(
    {"model", "region", "project", "label", "max_cost", "prefix", "force", "quiet", "dry_run"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchOptions:
    """The options of a batch: where it goes, and how many rows a job has.

    `source` is the table of BigQuery whose rows are finished requests; empty where a prompt is sent for every row.
    """

    to: str
    via: str = ""
    rows_per_job: int | None = None
    prefix: str = ""
    source: str = ""

    @property
    def files(self) -> str:
        """Where the files of rows go."""
        return self.via or self.to

    @property
    def to_table(self) -> str:
        """The table of BigQuery that the results go to; empty where they go to files."""
        return self.to if self.to.startswith("bq://") else ""


def batch_options(
    given: Mapping[str, Any], what: str, table: str = ""
) -> tuple[BatchOptions, dict[str, Any]]:
    """Take the options of a batch out of all that are given; the rest are those of a question.

    Args:
        given: Options by name.
        what: Who takes them, such as `%%claude_batch`.
        table: The table, where it is a text: `bq://project.dataset.table` contains finished requests, which take few
            options.

    Raises:
        OptionError: there is no place, a value cannot be taken, or a batch does not take an option.

    >>> batch_options({"to": "gs://rows/run", "model": "haiku"}, "Claude.batch")[1]
    {'model': 'haiku'}
    """
    own, asked = taken_out(BATCH_OPTIONS, given)
    to, via = str(own.get("to") or ""), str(own.get("via") or "")
    if to.startswith("bq://"):
        if not _TABLE.fullmatch(to):
            raise _no_table(to)
        if not via:
            raise OptionError(
                "The rows need a place in Cloud Storage, also where results go to BigQuery.",
                cure=spelled("Add {}.", option("via", "gs://bucket/prefix")),
            )
    elif not to:
        raise OptionError(
            f"{what} needs a place for rows and results.",
            cure=spelled("Add {}.", option("to", "gs://bucket/prefix")),
        )
    parse_uri(via or to)
    refuse_options(asked, what)
    refused = [(option(name), why) for name, why in NOT_BATCHED.items() if asked.get(name)]
    refused += [
        (field(name), why) for name, why in _REFUSED_FIELDS.items() if name in (asked.get("set") or ())
    ]
    for given_as, why in refused:
        raise OptionError(spelled(f"{what} does not take {{}}: {why}.", given_as), cure="Leave it out.")
    source = table if table.startswith("bq://") else ""
    if source and not _TABLE.fullmatch(source):
        raise _no_table(source)
    # Where the requests are finished, the options of a question have no effect.
    for name, value in given.items() if source else ():
        if name in {"to", "via"} or name in _BESIDE_REQUESTS or value is None or value is False:
            continue
        why = "goes to one job" if name == "rows_per_job" else "contains finished requests"
        raise OptionError(
            spelled(f"{quote(source, 120)} {why}, so {{}} has no effect.", option(name)),
            cure="Leave it out.",
        )
    return BatchOptions(**own, source=source), asked


def _no_table(text: str) -> OptionError:
    return OptionError(
        f"{quote(text, 80)!r} is not a BigQuery table.", cure="Write bq://project.dataset.table."
    )


def check_batch(target: Target) -> None:
    """Refuse what batch prediction does not take.

    Raises:
        ModelRuleError: the question asks for fast mode, or for a beta.
        ReplayMiss: as `check_sending`.
    """
    check_sending(target)
    if target.set.get("speed") == "fast":
        raise ModelRuleError(
            "Batch prediction has no fast mode.", cure=spelled("Leave {} out.", field("speed"))
        )
    if target.beta and not target.force:
        raise ModelRuleError(
            f"A row of a batch carries no headers, so the beta {quote(target.beta[0], 60)} cannot be asked for.",
            cure=spelled(
                "Leave {} out, or add {} to put it into each row, which may be ignored.",
                option("beta"),
                flag("force"),
            ),
        )


def check_sending(target: Target) -> None:
    """Refuse where nothing may be sent.

    Raises:
        ReplayMiss: the setting `replay` or a rehearsal says so.
        OptionError: a policy says so.
    """
    if is_rehearsal():
        raise refusal()
    # Before `replay`, which is only where live calls are off and cannot be set to anything else.
    check_live(target)
    if target.replay == "only":
        # A batch takes no option `replay`, so its setting is what can be changed.
        policy = present_policy()
        mode = policy.sending_mode if "replay" in policy.locks else "off"
        cell = f'%config ClaudeMagics.replay = "{mode}"'
        sending = Spelling(cell, f'Claude(replay="{mode}")', Change("replay", (mode,)))
        raise ReplayMiss(
            "replay is set to only, so nothing is sent; a batch is never replayed.",
            cure=ways(spelled("write {}", sending), "leave the batch out"),
        )


def location_of(bucket: str, place: str, target: Target) -> str:
    """Return where the jobs run: where the bucket is.

    Args:
        bucket: The bucket.
        place: Its location, in lower case.
        target: With any location but `global`, the bucket must be there.

    Raises:
        OptionError: it is elsewhere, or no jobs run there.
    """
    named = f"The bucket {quote(bucket, 80)} is in {quote(place, 40)}"
    if target.region not in {"global", place}:
        raise OptionError(
            f"{named}, and the chosen location is {quote(target.region, 40)}.",
            cure=ways(f"use a bucket in {target.region}", spelled("use {}", option("region", place))),
        )
    if not (_REGION.fullmatch(place) or place in _MULTI_REGIONS):
        raise OptionError(
            f"{named}, where no jobs run.",
            cure="Use a bucket in one region, such as us-east5, and not in several.",
        )
    return place


def unknowns(target: Target, place: str) -> tuple[str, ...]:
    """Return what is not known of a model and a location in batch; the batch is sent all the same.

    As long as no source names any location, that says nothing about this one.
    """
    known = target.catalog.services.get("batch", {})
    model = target.row.name if target.row is not None else quote(target.model_id, 60)
    if target.model_id not in known.get("models", ()):
        return (f"No source says whether {model} takes batches; if it does not, the job fails.",)
    if known.get("locations") and place not in known["locations"]:
        return (f"No source says whether {model} takes batches in {place}; if it does not, the job fails.",)
    return ()
