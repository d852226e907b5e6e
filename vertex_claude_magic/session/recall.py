"""A question that may be answered from a record: made ready without credentials, and as it was meant when recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.records.recording.rehearsal import note_question, replay_mode
from vertex_claude_magic.settings.options import AskOptions, find_setting
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vertex_claude_magic.records.sources import Memory
    from vertex_claude_magic.session.question import Prepared

__all__ = ["NO_PROJECT", "recall", "unrecorded"]

# Stands for the project while nobody has been asked for it; no project of Google's has this form.
NO_PROJECT = "-"


def recall(memory: Memory, options: AskOptions, build: Callable[[AskOptions], Prepared]) -> Prepared:
    """Make a question ready, in the way in which it is recorded if it is.

    What a record answers is not sent, so the table's rules do not stand in its way: a model may have been
    retired since, and an alias may mean another one by now.

    Raises:
        OptionError: it cannot be sent as it stands, and nothing is recorded for it.
        ReplayMiss: nothing is recorded for it, and it may not be sent.
    """
    outcomes: list[Prepared | OptionError] = []
    for variant, notice in _variants(memory, options):
        if outcomes and not notice and not isinstance(outcomes[0], OptionError):
            # The rules did not stand in its way, so without them it is the same question.
            continue
        try:
            prepared = build(variant)
        except OptionError as error:
            outcomes.append(error)
            continue
        if memory.look(prepared.request) is not None:
            return _told(prepared, notice)
        outcomes.append(prepared)
    # The first is the question as it was asked.
    if isinstance(outcomes[0], OptionError):
        raise outcomes[0]
    if memory.mode == "only":
        note_question(outcomes[0].request, memory, found=False)
        raise memory.miss(outcomes[0].request)
    return outcomes[0]


def unrecorded(options: AskOptions) -> AskOptions:
    """Return the options that build a request as it would be sent, whatever is recorded.

    Where a record may answer, nobody is asked for the project yet.
    """
    answers = replay_mode(options) in {"auto", "only"}
    named = find_setting("project", options).value
    return replace(options, replay="off", project=NO_PROJECT if answers and not named else named)


def _variants(memory: Memory, options: AskOptions) -> Iterator[tuple[AskOptions, str]]:
    yield options, ""
    forced = replace(options, force=True)
    yield forced, ""
    alias = str(find_setting("model", options).value)
    for model in memory.meant(alias):
        yield (
            replace(forced, model=model),
            f"{quote(alias, 60)} is answered by {quote(model, 60)}, which it meant when this was recorded.",
        )


def _told(prepared: Prepared, notice: str) -> Prepared:
    if not notice:
        return prepared
    request = prepared.request
    return replace(prepared, request=replace(request, notices=(*request.notices, notice)))
