"""One question made ready: options, prompt, values and type in; a request out, and a way to read its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.settings.options import AskOptions, find_setting
from vertex_claude_magic.vertex.request import Request, build_request

if TYPE_CHECKING:
    from vertex_claude_magic.answers.repair import TypedQuestion
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.prompts.compose import Composed
    from vertex_claude_magic.prompts.template import Scope
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["Prepared", "prepare"]

_CACHE_MARK: Mapping[str, str] = {"type": "ephemeral"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A request that is ready to be sent, and what its answer must look like, if anything."""

    request: Request
    typed: TypedQuestion | None = None

    def fitted(self, reply: Reply) -> Reply:
        """Return the reply with its data; a reply of which no data were asked for is returned as it is.

        Raises:
            AnswerInvalid: the answer is not the data that were asked for.
        """
        if self.typed is None:
            return reply
        from vertex_claude_magic.answers.repair import fitted

        return fitted(reply, self.typed)

    def settle(self, reply: Reply, resend: Callable[[Request, str], Reply]) -> Reply:
        """Return the reply with its data, after one repair round if need be.

        Args:
            reply: The first answer.
            resend: Sends another request; its second argument says why, in a few words.

        Raises:
            AnswerInvalid: also the second answer does not fit.
        """
        if self.typed is None:
            return reply
        from vertex_claude_magic.answers.repair import settle

        return settle(reply, self.typed, self.request, resend)


def prepare(
    prompt: str | Sequence[Any],
    options: AskOptions,
    *,
    catalog: Catalog,
    project: Callable[[], str],
    scope: Scope | None = None,
) -> Prepared:
    """Build the request of a question; the project is asked for last, because it may take a while.

    Raises:
        OptionError: it cannot be sent as it stands, or names what is not there.
        SecretFound: it seems to carry a secret.
        ProjectNotFound: no project is named anywhere.
    """
    region = str(find_setting("region", options).value)
    model = catalog.resolve(str(find_setting("model", options).value), region)
    row = catalog.find(model)
    messages, composed = _messages(prompt, options, catalog, row, scope)
    typed = _typed(options, row, scope)
    fields = _fields(typed)
    if typed is not None and typed.way == "instruction":
        messages = _told(messages, typed.shape.instruction())
    if options.cache:
        messages, fields = _marked(messages, fields, options, composed)
    request = build_request(
        messages,
        options,
        model=model,
        project=project(),
        region=region,
        catalog=catalog,
        stream=_streams(options, model, catalog),
        base_url=find_setting("base_url", options).value,
        anthropic_version=find_setting("anthropic_version", options).value,
        fields=fields,
        notices=[*(composed.notices if composed else ()), *_cache_notices(options, fields, composed)],
    )
    return Prepared(request=request, typed=typed)


def _fields(typed: TypedQuestion | None) -> dict[str, Any]:
    if typed is None:
        return {}
    from vertex_claude_magic.answers.repair import fields_for

    return fields_for(typed)


def _typed(options: AskOptions, row: Model | None, scope: Scope | None) -> TypedQuestion | None:
    kind = options.as_
    if kind is None or (isinstance(kind, str) and not kind):
        return None
    from vertex_claude_magic.answers.repair import TypedQuestion, choose_way
    from vertex_claude_magic.answers.shape import shape_of
    from vertex_claude_magic.answers.types import read_type

    if isinstance(kind, str):
        kind = read_type(kind, scope.names if scope is not None else {})
    thinking = (
        {"type": "enabled"} if options.thinking not in (None, "", "off") else options.set.get("thinking")
    )
    shape = shape_of(kind)
    return TypedQuestion(shape=shape, way=choose_way(row, {"thinking": thinking}, strict=shape.strict))


def _messages(
    prompt: str | Sequence[Any], options: AskOptions, catalog: Catalog, row: Model | None, scope: Scope | None
) -> tuple[list[Mapping[str, Any]], Composed | None]:
    if "messages" in options.set and not prompt:
        return [], None
    _check_prompt(prompt)
    turns = [part for part in prompt if isinstance(part, Mapping) and "role" in part]
    if len(turns) == len(prompt):
        messages: list[Mapping[str, Any]] = [dict(part) for part in turns]
        _check_secrets(options, _places(messages))
        return messages, None
    if isinstance(prompt, str) and _is_plain(prompt, options, scope):
        from vertex_claude_magic.prompts.secrets import Place

        _check_secrets(options, [Place("the prompt", prompt)])
        return [{"role": "user", "content": prompt}], None
    composed = _composed(prompt, options, catalog, row, scope)
    if not composed.content:
        raise _empty()
    _check_secrets(options, composed.places)
    return [{"role": "user", "content": composed.content}], composed


def _is_plain(prompt: str, options: AskOptions, scope: Scope | None) -> bool:
    """Tell whether a prompt holds nothing but text, as most do."""
    templated = scope is not None and not options.literal and "{{" in prompt
    return not templated and not options.attach and options.prompt_tokens is None


def _empty() -> errors.OptionError:
    return errors.OptionError("The prompt is empty.", cure="Write a question.")


def _check_prompt(prompt: str | Sequence[Any]) -> None:
    if isinstance(prompt, str) and not prompt.strip():
        raise _empty()
    if not isinstance(prompt, (list, tuple, str)) or not prompt:
        raise errors.OptionError(
            "The prompt is neither a text nor a list of texts, objects and content blocks.",
            cure='Give a string, or a list such as ["What is this?", figure].',
        )


def _composed(
    prompt: str | Sequence[Any], options: AskOptions, catalog: Catalog, row: Model | None, scope: Scope | None
) -> Composed:
    from vertex_claude_magic.prompts.compose import budget_of, compose, estimated

    tokens = int(find_setting("value_tokens", options).value)
    budget = budget_of(catalog, row, tokens=tokens, present=scope.present if scope is not None else None)
    composed = compose(prompt, attach=options.attach, scope=scope, budget=budget, literal=options.literal)
    _check_tokens(estimated(composed.content), options)
    return composed


def _check_tokens(tokens: int, options: AskOptions) -> None:
    most = options.prompt_tokens
    if most is not None and tokens > most:
        raise errors.OptionError(
            f"The prompt has about {tokens:,} tokens of text, over the budget of {most:,} that prompt_tokens sets.",
            cure="Give less, lower value_tokens, or raise prompt_tokens.",
        )


def _check_secrets(options: AskOptions, places: Sequence[Any]) -> None:
    if options.allow_secrets:
        return
    from vertex_claude_magic.prompts.secrets import Place, check_secrets, searchable

    system = options.system if isinstance(options.system, str) else searchable(options.system)
    check_secrets([*places, Place("the system prompt", system)])


def _places(messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    from vertex_claude_magic.prompts.secrets import Place, searchable

    return [
        Place(f"message {index}", searchable(message.get("content")))
        for index, message in enumerate(messages, start=1)
    ]


def _told(messages: list[Mapping[str, Any]], instruction: str) -> list[Mapping[str, Any]]:
    """Put an instruction behind the last message of the user."""
    *before, last = messages
    content = last.get("content")
    told: Any = (
        f"{content}\n\n{instruction}"
        if isinstance(content, str)
        else [*(content or ()), {"type": "text", "text": instruction}]
    )
    return [*before, {**last, "content": told}]


def _marked(
    messages: list[Mapping[str, Any]], fields: dict[str, Any], options: AskOptions, composed: Composed | None
) -> tuple[list[Mapping[str, Any]], dict[str, Any]]:
    """Mark what the next question will probably share: the tools, the system prompt, the attachments.

    The service caches all that stands before a mark, in the order tools, system, messages (Claude docs,
    "Prompt caching", 2026).
    """
    tools = options.set.get("tools") or fields.get("tools")
    if tools and "tools" not in options.set:
        fields = {**fields, "tools": _last_marked(tools)}
    if options.system:
        system = (
            [{"type": "text", "text": options.system}] if isinstance(options.system, str) else options.system
        )
        fields = {**fields, "system": _last_marked(system)}
    if composed is not None and composed.attached and isinstance(composed.content, list):
        blocks = composed.content
        marked = [*_last_marked(blocks[: composed.attached]), *blocks[composed.attached :]]
        first = messages[0]
        content = first["content"]
        messages = [{**first, "content": [*marked, *content[len(blocks) :]]}, *messages[1:]]
    return messages, fields


def _last_marked(blocks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    *before, last = blocks
    return [*(dict(block) for block in before), {**last, "cache_control": _CACHE_MARK}]


def _cache_notices(options: AskOptions, fields: Mapping[str, Any], composed: Composed | None) -> list[str]:
    marked = bool(fields.get("system") or fields.get("tools") or (composed is not None and composed.attached))
    if options.cache and not marked:
        return ["--cache had nothing to mark: it marks a system prompt, tools and attachments."]
    return []


def _streams(options: AskOptions, model: str, catalog: Catalog) -> bool:
    """Tell whether to stream: always, but for short answers that the user does not want streamed.

    A long answer that is not streamed may outlast every proxy on the way; the official SDK
    (anthropic 2.12.0) refuses it beyond the limit that the table holds.
    """
    if not options.no_stream:
        return True
    unary, row = catalog.limits["unary"], catalog.find(model)
    limit = unary["by_model"].get(row.id if row else model, unary["max_tokens"])
    wanted = options.set.get("max_tokens", options.max_tokens)
    return isinstance(wanted, int) and wanted > limit
