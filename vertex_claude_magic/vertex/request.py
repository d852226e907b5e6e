"""The request builder: options in, one frozen `Request` out. It sends nothing and reads nothing.

The wire format is that of the page "Claude on Google Cloud" (Claude docs, 2026-09-26): the model stands
in the URL, `anthropic_version` in the body, betas in a header; counting tokens has a path of its own
and keeps the model in the body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import ModelRuleError, OptionError, RequestTooLarge
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.spelling import Spelling, changing, flag, option, spelled, ways
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.allowed import (
    THINKING_TYPES,
    allowed_thinking,
    default_budget,
    max_tokens_of,
    thinking_type,
)
from vertex_claude_magic.vertex.digest import (
    SentMessage,
    canonical,
    former_digest_of,
    parts_of,
    with_messages,
    without_secret_fields,
)
from vertex_claude_magic.vertex.encoding import clean, encoded
from vertex_claude_magic.vertex.endpoint import base_url_of, check_location, model_path
from vertex_claude_magic.vertex.headers import counting_headers, headers_of
from vertex_claude_magic.vertex.rules import check_rules

if TYPE_CHECKING:
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.models.observed import Seen
    from vertex_claude_magic.vertex.digest import Parts

__all__ = ["Request", "RequestOptions", "build_count_request", "build_request", "in_project"]

# The value in every sample of Google, and the only one that leaves sampling parameters to the models that
# take them.
DEFAULT_VERSION = "vertex-2023-10-16"

# Fields that the token-counting endpoint takes (anthropic 2.12.0, messages.count_tokens; the last four are beta).
_COUNT_FIELDS = ("anthropic_version", "messages", "system", "tools", "tool_choice", "thinking", "output_config",
                 "cache_control", "compaction", "context_management", "mcp_servers", "speed")  # fmt: skip
_COMPARE = Spelling("%%claude_compare", "compare()")

_NONE: Mapping[str, Any] = MappingProxyType({})


class RequestOptions(NamedTuple):
    """What a request asks for beside its messages; None means: leave it to the service.

    `thinking` is "adaptive", "off", "between_tools" or a budget in tokens; `set` holds further body
    fields, which are sent unchecked; `header` and `label` hold extra headers and billing labels.
    """

    system: str | Sequence[Mapping[str, Any]] | None = None
    max_tokens: int | None = None
    stop: Sequence[str] = ()
    effort: str | None = None
    thinking: str | int | None = None
    show_thinking: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    set: Mapping[str, Any] = _NONE
    beta: Sequence[str] = ()
    header: Mapping[str, str] = _NONE
    label: Mapping[str, str] = _NONE
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request, complete but for the token.

    `body` is the JSON object that is sent, `payload` the same as it goes over the wire (UTF-8 JSON
    without spaces, nothing for a GET); `headers` never hold an Authorization. Two requests are equal
    when everything that goes over the wire is equal. Of `notices` the first `about_model` are about the model, and
    the same for each of its questions.
    """

    url: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    model: str
    project: str
    region: str
    notices: tuple[str, ...] = field(default=(), compare=False)
    about_model: int = field(default=0, compare=False)
    method: str = "POST"
    # Encoded once: with attachments a body has megabytes.
    payload: bytes = field(init=False, repr=False, compare=False)
    # The same without the messages that are known to hold neither attachments nor cache marks.
    _telling: bytes = field(init=False, repr=False, compare=False, default=b"")
    _canonical: Mapping[str, Any] | None = field(init=False, repr=False, compare=False, default=None)
    _parts: Parts | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        payload, telling = (b"", b"") if self.method == "GET" else encoded(self.body)
        object.__setattr__(self, "payload", payload)
        object.__setattr__(self, "_telling", telling)

    def __repr__(self) -> str:
        shown = {each.name: getattr(self, each.name) for each in fields(self) if each.repr}
        shown["body"] = without_secret_fields(self.body)
        return f"Request({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def mentions(self, *words: bytes) -> bool:
        """Tell whether one of the words stands in the payload, such as `b'"cache_control"'`.

        It is for words that attachments and cache marks are known by; a text has them with its quotes escaped.
        """
        return any(word in self._telling for word in words)

    @property
    def streamed(self) -> bool:
        """Whether the answer comes as server-sent events."""
        return self.body.get("stream") is True

    @property
    def canonical(self) -> Mapping[str, Any]:
        """What decides the answer: model, betas and body, attachments as hashes."""
        found = self._canonical
        if found is None:
            found = canonical(self.model, self.headers, self.body)
            object.__setattr__(self, "_canonical", found)
        return found

    @property
    def digest(self) -> str:
        """The digest of `canonical`, 64 hexadecimal digits; the same question has the same digest."""
        return self.parts.digest.hex()

    @property
    def parts(self) -> Parts:
        """`canonical` in the parts that it shares with other requests."""
        found = self._parts
        if found is None:
            found = parts_of(self.canonical, may_have_marks=False)
            object.__setattr__(self, "_parts", found)
        return found

    def with_messages(self, messages: Sequence[Mapping[str, Any]]) -> Request:
        """Return the same request, without its notices, for other messages; it has a list of them.

        >>> request = Request(url="u", headers={}, body={"messages": [], "max_tokens": 9}, model="m", project="p",
        ...     region="global")
        >>> request.with_messages([{"role": "user", "content": "Hi"}]).body["messages"]
        [{'role': 'user', 'content': 'Hi'}]
        """
        made = Request(
            url=self.url,
            headers=self.headers,
            body={**self.body, "messages": list(messages)},
            model=self.model,
            project=self.project,
            region=self.region,
            method=self.method,
        )
        parts = with_messages(self.parts, made.body["messages"])
        object.__setattr__(made, "_parts", parts)
        object.__setattr__(made, "_canonical", parts.content)
        return made

    def former_digest(self) -> str:
        """Return the digest under which records of versions before the chain have this question."""
        return former_digest_of(canonical(self.model, self.headers, self.body, keep_marks=True))

    def __hash__(self) -> int:
        return hash((self.url, self.digest))


def build_request(
    messages: Sequence[Mapping[str, Any]],
    options: RequestOptions,
    *,
    model: str,
    project: str,
    region: str,
    catalog: Catalog,
    stream: bool = True,
    base_url: str | None = None,
    anthropic_version: str = DEFAULT_VERSION,
    fields: Mapping[str, Any] | None = None,
    notices: Sequence[str] = (),
    seen: Seen | None = None,
) -> Request:
    """Build a request for one answer.

    Args:
        messages: Messages of the Messages API.
        options: What is asked for beside them.
        model: The id on Vertex AI.
        project: The project that pays.
        region: The location.
        catalog: The model table, for the rules.
        stream: Whether the answer shall come as server-sent events.
        base_url: Another host, such as an emulator or a gateway.
        anthropic_version: The API version in the body.
        fields: Further body fields, checked like those of the options.
        notices: What the user should know about the request.
        seen: Returns what was last seen live, which may speak against a model that the table calls retired; None if
            nothing was.

    Raises:
        ModelRuleError: the table says that the model or the API version refuses it (`force` lifts this).
        OptionError: a value cannot be sent at all.
        RequestTooLarge: the body is over the service's limit.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> request = build_request([{"role": "user", "content": "Hi"}], RequestOptions(max_tokens=9),
    ...     model="claude-haiku-4-5", project="p", region="global", catalog=Catalog.load())
    >>> request.url.rpartition("/")[2]
    'claude-haiku-4-5:streamRawPredict'
    >>> sorted(request.body)
    ['anthropic_version', 'max_tokens', 'messages', 'stream']
    """
    row = catalog.find(model)
    about_model = _notices(model, row, region, catalog, seen, force=options.force)
    body = _body(messages, options, fields or {}, row, anthropic_version)
    # What the table does not know has no rules, and is sent with a notice.
    if row is not None and not options.force:
        check_rules(body, model=row, region=region, catalog=catalog, given=options.set)
    if stream:
        body["stream"] = True
    else:
        body.pop("stream", None)
    verb = "streamRawPredict" if stream else "rawPredict"
    base = (base_url or base_url_of(region)).rstrip("/")
    path = model_path(project=project, location=check_location(region), model=model, verb=verb)
    headers = headers_of(options.beta, options.header, options.label, catalog)
    request = Request(url=base + path, headers=headers, body=body, model=model, project=project,
                      region=region, notices=(*about_model, *notices), about_model=len(about_model))  # fmt: skip
    limit, size = int(catalog.limits["request"]["bytes"]), len(request.payload)
    if size > limit:
        raise RequestTooLarge(
            f"The request is {size / 1e6:.1f} MB, but Vertex AI accepts only {limit / 1e6:.0f} MB.",
            cure="Attach fewer or smaller files.",
            details={"bytes": size, "limit": limit},
        )
    return request


def build_count_request(request: Request, catalog: Catalog) -> Request:
    """Build the request that counts the input tokens of another request; counting is free of charge.

    The endpoint refuses the version suffix of the model and some betas, so both are left out
    (page "Count tokens for Claude models", Google Cloud docs, 2026).

    Args:
        request: The request whose tokens are counted.
        catalog: The model table, for the betas.
    """
    body = {name: request.body[name] for name in _COUNT_FIELDS if name in request.body}
    body["model"] = request.model.partition("@")[0]
    base = request.url.rpartition("/projects/")[0]
    path = model_path(
        project=request.project, location=request.region, model="count-tokens", verb="rawPredict"
    )
    headers = counting_headers(request.headers, catalog)
    return Request(url=base + path, headers=headers, body=body, model=request.model,
                   project=request.project, region=request.region)  # fmt: skip


def in_project(request: Request, project: str) -> Request:
    """Return the same request for another project that pays.

    Raises:
        OptionError: the project cannot stand in a URL.
    """
    if project == request.project:
        return request
    base, verb = request.url.rpartition("/projects/")[0], request.url.rpartition(":")[2]
    path = model_path(project=project, location=request.region, model=request.model, verb=verb)
    return replace(request, url=base + path, project=project)


def _body(
    messages: Sequence[Mapping[str, Any]],
    options: RequestOptions,
    fields: Mapping[str, Any],
    row: Model | None,
    version: str,
) -> dict[str, Any]:
    max_tokens = max_tokens_of(row, options.max_tokens)
    if max_tokens < 1:
        raise OptionError(
            f"max_tokens is {max_tokens}.",
            cure=ways(spelled("use {} or more", option("max_tokens", 1))),
            details={"option": "max_tokens"},
        )
    named: dict[str, Any] = {
        "anthropic_version": version,
        "max_tokens": max_tokens,
        "messages": [message if type(message) is SentMessage else dict(message) for message in messages],
        "system": options.system,
        "stop_sequences": list(options.stop) or None,
        "thinking": _thinking(options, row, max_tokens),
        "output_config": {"effort": options.effort} if options.effort else {},
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
    }
    for given in (fields, options.set):
        config = given.get("output_config")
        # Effort, format and what is set by hand share this field.
        joined = {**(named["output_config"] or {}), **config} if isinstance(config, Mapping) else config
        named.update({**given, **({"output_config": joined} if "output_config" in given else {})})
    body = {
        # What was set by hand is sent as it is, null included.
        name: value
        for name, value in named.items()
        if name in options.set or value not in (None, "", {})
    }
    try:
        cleaned: dict[str, Any] = clean(body)
    except RecursionError as error:
        raise OptionError(
            "The request is nested too deeply, or contains itself.", cure="Use plain lists and dicts."
        ) from error
    return cleaned


def _thinking(options: RequestOptions, row: Model | None, max_tokens: int) -> dict[str, Any] | None:
    wanted, kind = options.thinking, thinking_type(options.thinking)
    if wanted in (None, ""):
        if not options.show_thinking:
            return None
        kind = "adaptive" if "adaptive" in allowed_thinking(row) else "enabled"
        wanted = default_budget(row, max_tokens)
    elif kind is None:
        raise OptionError(
            f"{quote(str(wanted), 60)!r} is not a thinking mode.",
            cure=f"Use {', '.join(word for word in THINKING_TYPES if word != 'budget')}, or a budget in tokens.",
            details={"option": "thinking"},
        )
    if kind == "enabled":
        return {"type": kind, "budget_tokens": int(wanted or 0)}
    # Since 4.7 the service leaves the text of thinking out unless the summary is asked for.
    shown = {"display": "summarized"} if options.show_thinking and kind == "adaptive" else {}
    return {"type": kind, **shown}


def _notices(
    model: str, row: Model | None, region: str, catalog: Catalog, seen: Seen | None, *, force: bool
) -> tuple[str, ...]:
    if row is None:
        # An id that the table does not know may be newer than the table; a word that is not an id is a slip.
        alias = None if force else catalog.nearest_alias(model)
        if alias is not None:
            raise OptionError(
                f"There is no model {quote(model, 60)!r}.",
                cure=spelled("Did you mean {}? With {} the name is sent as it is.", alias, flag("force")),
                details={"option": "model"},
            )
        if "," in model and not force:
            raise OptionError(
                f"{quote(model, 60)!r} is several models, and a question goes to one.",
                cure=spelled("Name one, or ask all of them with {}.", _COMPARE),
                details={"option": "model"},
            )
        near = ", ".join(catalog.nearest(model))
        similar = f" Similar: {near}." if near else ""
        return (f"The model table does not know {quote(model, 60)}; it is sent unchanged.{similar}",)
    if row.lifecycle == "retired" and not force:
        # Google's list or a check knows it: then the table is wrong or old, and the service decides.
        if seen is not None and seen().knows(row.id):
            return (
                f"The model table lists {row.name} as retired, but it has answered since; the request is sent anyway.",
            )
        date = f" since {row.retired_on}" if row.retired_on else ""
        raise ModelRuleError(
            f"{row.name} is retired{date} and no longer answers.",
            cure=ways(
                changing("model", f"use {row.successor or 'a newer model'}"),
                spelled("add {} to send it anyway", flag("force")),
            ),
            details={"option": "model"},
        )
    # Only a notice: locations change more often than the table.
    if row.locations and not row.served_in(region):
        served = ", ".join(row.locations)
        return (
            f"The model table does not list {row.name} in {region} (it lists {served}); the request is sent anyway.",
        )
    return ()
