"""One question made ready: target, prompt and values in; a request out, and what its answer must look like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.prompts.secrets import SearchedText, check_secrets, searchable
from vertex_claude_magic.records.rehearsal import note_question
from vertex_claude_magic.settings.policy import holds_attachment
from vertex_claude_magic.spelling import field, name_of, option, setting, spelled, ways
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.digest import with_mark
from vertex_claude_magic.vertex.request import Request, build_request, in_project

if TYPE_CHECKING:
    from vertex_claude_magic.answers.repair import TypedQuestion
    from vertex_claude_magic.models.observed import Seen
    from vertex_claude_magic.prompts.compose import Composed
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.records.sources import RecordedAnswer, ReplaySources
    from vertex_claude_magic.session.history import History
    from vertex_claude_magic.settings.target import Target

__all__ = ["NO_PROJECT", "Question", "prepare", "prepare_forms", "prepare_recorded"]

# Stands for the project while nobody has been asked for it; no project of Google's has this form.
NO_PROJECT = "-"


class Question(NamedTuple):
    """A request that is ready to be sent, what its answer must look like if it shall be data, and its record if any."""

    request: Request
    typed: TypedQuestion | None = None
    found: RecordedAnswer | None = None


def prepare(
    prompt: str | Sequence[Any],
    target: Target,
    *,
    project: Callable[[], str],
    scope: Scope | None = None,
    seen: Seen | None = None,
    history: History | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
) -> Question:
    """Build the request of a question; the project is asked for last, because it may take a while.

    Args:
        prompt: A text; a list of strings, Python objects and content blocks; or a list of messages.
        target: Where it goes and how.
        project: Returns the project that pays.
        scope: Where templates, attachments and types are looked up.
        seen: Returns what was last seen live; None if nothing was.
        history: What goes before the prompt; None where it stands alone.
        tools: The definitions of what the model may call.

    Raises:
        OptionError: it cannot be sent as it stands, or names what is not there.
        SecretFound: it seems to carry a secret.
        ProjectNotFound: no project is named anywhere.
    """
    messages, composed, searched = _messages(prompt, target, scope)
    by = target.forbids.get("attachments")
    if by and holds_attachment([each.get("content") for each in messages]):
        raise errors.OptionError(
            f"Attachments are switched off by {by}, and the prompt contains an image or a document.",
            cure="Leave out the image or the document.",
        )
    typed = _typed(target, scope, forced=not tools)
    fields: dict[str, Any] = {"tools": list(tools)} if tools else {}
    if typed is not None:
        from vertex_claude_magic.answers.repair import fields_for

        fields |= fields_for(typed)
        if typed.way == "instruction":
            messages = _with_instruction(messages, typed.shape.instruction())
    if not target.allow_secrets:
        # A default or a description contains a key as easily as a prompt does.
        beside: dict[str, Any] = {"the system prompt": target.system, "the stop sequences": target.stop}
        beside |= {f"the tool {each.get('name')}": each for each in tools}
        beside |= {f"the field {name}": value for name, value in target.set.items()}
        beside |= {"the type of the answer": typed.shape.schema} if typed is not None else {}
        check_secrets([*searched, *(SearchedText(name, searchable(value)) for name, value in beside.items())])
    notices = [*composed.notices] if composed else []
    if prompt and "messages" in target.set:
        notices.append(spelled("{} is sent in place of the prompt.", field("messages")))
    if target.cache:
        messages, fields = _marked(messages, fields, target, composed)
        if not (fields.get("system") or fields.get("tools") or (composed is not None and composed.attached)):
            nothing = "{} had nothing to mark: it marks a system prompt, tools and attachments."
            notices.append(spelled(nothing, name_of("cache")))
    for name, used in (("confirm", target.tools), ("max_rounds", target.tools or target.wants_data)):
        # A saved prompt or a policy is written for many questions.
        if not used and target.origins.get(name) == "option":
            notices.append(spelled("{} has no effect without {}.", name_of(name), name_of("tools")))
    if history is not None:
        messages, fields = _with_history(messages, fields, history, target)
    try:
        request = build_request(
            messages,
            target.request_options,
            model=target.model_id,
            project=target.project or NO_PROJECT,
            region=target.region,
            catalog=target.catalog,
            stream=_streams(target),
            base_url=target.base_url,
            anthropic_version=target.anthropic_version,
            fields=fields,
            notices=notices,
            seen=seen,
        )
    except errors.OptionError as error:
        target.name_origin(error)
        raise
    # Only now: asking may take a while and fail, and what is wrong with the question itself is certain at once.
    if not target.project:
        request = in_project(request, project())
    return Question(request, typed)


def prepare_forms(
    prompt: str | Sequence[Any],
    target: Target,
    *,
    project: Callable[[], str],
    history: History | None,
    recorded: bool,
    scope: Scope | None = None,
    seen: Seen | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
) -> Iterator[Question]:
    """Yield the question in each form in which it may be recorded, last in that in which it is sent.

    Only the last is made unless it may be `recorded`. All else is as for `prepare`.
    """
    for form in [None] if history is None else history.forms(target.base_url, recorded=recorded):
        yield prepare(prompt, target, project=project, scope=scope, seen=seen, history=form, tools=tools)


def prepare_recorded(
    sources: ReplaySources, target: Target, build: Callable[[Target], Iterable[Question]]
) -> Question:
    """Make a question ready in the way in which it is recorded, if it is; its record comes with it.

    What a record answers is not sent, so the table's rules do not stand in its way: a model may have been
    retired since, and an alias may mean another one by now.

    Args:
        sources: The records that may answer.
        target: Where it would go.
        build: Builds the question for a target in each form in which it may be recorded, the one that is sent last,
            without asking for credentials.

    Raises:
        OptionError: it cannot be sent as it stands, and nothing is recorded for it.
        ReplayMiss: nothing is recorded for it, and it may not be sent.
    """
    first: Question | errors.OptionError | None = None

    def variants() -> Iterator[tuple[Target, str]]:
        """Yield targets, each with the model that the alias meant when it was recorded; most need only the first."""
        yield target, ""
        forced = target.replace(force=True)
        # A question that the rules allow is the same with `force`.
        if not isinstance(first, Question):
            yield forced, ""
        for model in sources.meant(target.model):
            yield forced.replace(model=model), model

    for variant, meaning in variants():
        try:
            forms = [*build(variant)]
        except errors.OptionError as error:
            first = first or error
            continue
        for question in forms:
            request = question.request
            if (found := sources.look(request, take=True)) is None:
                continue
            if meaning:
                notice = (f"{quote(target.model, 60)} is replayed as {quote(meaning, 60)}, "
                          "which it meant when this was recorded.")  # fmt: skip
                request = replace(request, notices=(*request.notices, notice))
            return question._replace(request=request, found=found)
        # In the mode "only" what is missed is what would be recorded.
        first = first or forms[0 if sources.mode == "only" else -1]
    if not isinstance(first, Question):
        raise first or errors.OptionError("There is no question.", cure="Write one.")
    if sources.mode == "only":
        note_question(first.request, sources, found=False)
        raise sources.miss(first.request)
    return first


def _typed(target: Target, scope: Scope | None, *, forced: bool) -> TypedQuestion | None:
    """Return what the answer must look like; `forced` says whether a tool may be forced for it."""
    if not target.wants_data:
        return None
    kind = target.as_
    # As a setting, a form is for all questions, and gives way.
    if target.format == "code" and target.origins.get("format") in {"option", "saved prompt"}:
        raise errors.OptionError(
            spelled("{} and {} cannot be combined.", option("as_"), option("format", "code")),
            cure="Leave one of them out.",
        )
    from vertex_claude_magic.answers.repair import TypedQuestion, choose_way
    from vertex_claude_magic.answers.shape import shape_of
    from vertex_claude_magic.answers.types import read_type

    if isinstance(kind, str):
        kind = read_type(kind, scope.names if scope is not None else {})
    by_hand = target.set.get("thinking")
    thinks = bool(target.thinking or target.show_thinking) and target.thinking != "off"
    if isinstance(by_hand, Mapping):
        thinks = by_hand.get("type") != "disabled"
    shape = shape_of(kind)
    way = choose_way(target.row, thinks=thinks, strict=shape.strict)
    # A forced tool would be the only one that is called.
    return TypedQuestion(shape=shape, way="instruction" if way == "tool" and not forced else way)


def _messages(
    prompt: str | Sequence[Any], target: Target, scope: Scope | None
) -> tuple[list[Mapping[str, Any]], Composed | None, Sequence[SearchedText]]:
    """Return the messages, what they were composed of, and the texts in them that may contain a secret."""
    if "messages" in target.set and not prompt:
        return [], None, []
    if isinstance(prompt, str) and not prompt.strip():
        raise _empty()
    if not isinstance(prompt, (list, tuple, str)) or not prompt:
        raise errors.OptionError(
            "The prompt must be text, or a list of strings, objects and content blocks.",
            cure='Use a string, or a list such as ["What is this?", figure].',
        )
    # A text of megabytes is not looked through letter by letter.
    parts = () if isinstance(prompt, str) else prompt
    turns = [part for part in parts if isinstance(part, Mapping) and "role" in part]
    if len(turns) == len(prompt):
        contents = enumerate((part.get("content") for part in turns), start=1)
        searched = [SearchedText(f"message {index}", searchable(content)) for index, content in contents]
        return [dict(part) for part in turns], None, searched
    templated = scope is not None and not target.literal and "{{" in prompt
    if isinstance(prompt, str) and not templated and not target.attach and target.prompt_tokens is None:
        # Nothing but text, as most prompts are: what converts values need not be imported.
        return [{"role": "user", "content": prompt}], None, [SearchedText("the prompt", prompt)]
    from vertex_claude_magic.prompts.compose import compose, estimated, value_limits

    limits = value_limits(target.catalog, target.row, tokens=target.value_tokens, scope=scope)
    composed = compose(prompt, attach=target.attach, scope=scope, limits=limits, literal=target.literal)
    tokens, most = estimated(composed.content), target.prompt_tokens
    if most is not None and tokens > most:
        raise errors.OptionError(
            f"The prompt has about {tokens:,} tokens of text, more than prompt_tokens ({most:,}) allows.",
            cure=ways(
                "send less",
                spelled("lower {}", setting("value_tokens")),
                spelled("raise {}", setting("prompt_tokens")),
            ),
        )
    if not composed.content:
        raise _empty()
    return [{"role": "user", "content": composed.content}], composed, composed.places


def _with_history(
    messages: list[Mapping[str, Any]], fields: dict[str, Any], history: History, target: Target
) -> tuple[list[Mapping[str, Any]], dict[str, Any]]:
    from vertex_claude_magic.session.history import messages_before, with_cache_marks

    tools = target.set.get("tools") or fields.get("tools")
    if not tools and history.tools:
        # The service wants to know the tools whose calls it reads; this question may not call them.
        tools = list(history.tools)
        fields = {**fields, "tools": tools, "tool_choice": {"type": "none"}}
    frame = {"system": fields.get("system", target.system), "tools": tools}
    # A mark needs a block. With it or without, now and in later turns, the prompt has to be the same message.
    blocks = [
        {**each, "content": [{"type": "text", "text": each["content"]}]}
        if each.get("role") == "user" and isinstance(each.get("content"), str)
        else each
        for each in messages
    ]
    messages = [*messages_before(history, frame), *blocks]
    return list(with_cache_marks(messages, history, frame, target.row)), fields


def _empty() -> errors.OptionError:
    return errors.OptionError("The prompt is empty.", cure="Write a question.")


def _with_instruction(messages: list[Mapping[str, Any]], instruction: str) -> list[Mapping[str, Any]]:
    """Put an instruction behind the last message of the user."""
    *before, last = messages
    content = last.get("content")
    longer: Any = (
        f"{content}\n\n{instruction}"
        if isinstance(content, str)
        else [*(content or ()), {"type": "text", "text": instruction}]
    )
    return [*before, {**last, "content": longer}]


def _marked(
    messages: list[Mapping[str, Any]], fields: dict[str, Any], target: Target, composed: Composed | None
) -> tuple[list[Mapping[str, Any]], dict[str, Any]]:
    """Mark what the next question will probably share: the tools, the system prompt, the attachments.

    The service caches all that stands before a mark, in the order tools, system, messages (Claude docs,
    "Prompt caching", 2026).
    """
    tools = target.set.get("tools") or fields.get("tools")
    if tools and "tools" not in target.set:
        fields = {**fields, "tools": with_mark(tools)}
    if target.system:
        system = (
            [{"type": "text", "text": target.system}] if isinstance(target.system, str) else target.system
        )
        fields = {**fields, "system": with_mark(system)}
    if composed is not None and composed.attached and isinstance(composed.content, list):
        blocks = composed.content
        marked = [*with_mark(blocks[: composed.attached]), *blocks[composed.attached :]]
        first = messages[0]
        content = first["content"]
        messages = [{**first, "content": [*marked, *content[len(blocks) :]]}, *messages[1:]]
    return messages, fields


def _streams(target: Target) -> bool:
    """Tell whether to stream: always, but for short answers that the user does not want streamed.

    A long answer that is not streamed may outlast every proxy on the way; the official SDK
    (anthropic 2.12.0) refuses it beyond the limit that the table holds. A field `stream` that is set by hand holds.
    """
    if "stream" in target.set:
        by_hand = target.set["stream"]
        if not isinstance(by_hand, bool):
            # The address and how the answer is read go with it.
            raise errors.OptionError(
                spelled("{} is neither true nor false.", field("stream")), cure="Use true or false."
            )
        return by_hand
    if not target.no_stream:
        return True
    unary, row = target.catalog.limits["unary"], target.row
    limit = unary["by_model"].get(row.id if row else target.model_id, unary["max_tokens"])
    tokens = target.set.get("max_tokens", target.max_tokens)
    return isinstance(tokens, int) and tokens > limit
