"""A prompt with templates and attachments as the messages of a request.

Every value is between tags that name it, so that the model can tell data from instruction; the
tag gets a number where the data hold such a tag themselves, so they cannot close it ("Use XML tags to
structure your prompts", Claude docs, 2026).
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.markdown.characters import hidden_characters
from vertex_claude_magic.prompts.parts import (
    Media,
    PromptPart,
    Text,
    ValueLimits,
    estimate_tokens,
    reading_object,
)
from vertex_claude_magic.prompts.scope import Scope, own_names
from vertex_claude_magic.prompts.secrets import SearchedText, searchable
from vertex_claude_magic.prompts.template import is_path, parse_path, parse_template, value_of
from vertex_claude_magic.prompts.values.convert import parts_of
from vertex_claude_magic.spelling import Spelled, Spelling, option, spelled, ways
from vertex_claude_magic.text import nearest, quote, with_home

if TYPE_CHECKING:
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model

__all__ = ["Composed", "compose", "estimated", "fenced_data", "text_block", "to_send_more", "value_limits"]

_TAG = re.compile(r"<\s*/?\s*data(?:-(\d{1,9}))?(?![\w-])", re.IGNORECASE)
# The service takes smaller images where a request holds more than this many (Claude docs, "Vision").
_MANY = 20
_DEFAULT_EDGE = 1568
_LONG_CONTEXT = 1_000_000
# Characters of a value that are looked through for invisible ones.
_LOOKED_THROUGH = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Composed:
    """What a prompt has become.

    `content` is a text or a list of content blocks, of which the first `attached` are attachments.
    `places` are the texts in it under the names that the user knows, and `notices` say what was cut.
    """

    content: str | list[dict[str, Any]]
    attached: int = 0
    notices: tuple[str, ...] = ()
    places: tuple[SearchedText, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Piece:
    """A text of the prompt itself (no name), or one part of a value, which may be followed by another."""

    part: PromptPart
    name: str = ""
    place: str = ""
    attached: bool = False
    followed: bool = False


def value_limits(catalog: Catalog, model: Model | None, *, tokens: int, scope: Scope | None) -> ValueLimits:
    """Return what one value may take in a prompt for this model, from the model table."""
    window = model.context_tokens if model is not None else None
    return ValueLimits(
        tokens=tokens,
        image=catalog.limits["image"],
        pdf=catalog.limits["pdf"],
        request_bytes=int(catalog.limits["request"]["bytes"]),
        long_context=(window or _LONG_CONTEXT) >= _LONG_CONTEXT,
        image_edge=model.rules.image_edge if model is not None else _DEFAULT_EDGE,
        present=scope.present if scope is not None else None,
    )


def compose(
    prompt: str | Sequence[Any],
    *,
    attach: Sequence[Any] = (),
    scope: Scope | None = None,
    limits: ValueLimits,
    literal: bool = False,
) -> Composed:
    """Put the values into a prompt.

    Args:
        prompt: A text, or a list of strings, objects and content blocks.
        attach: Variables or paths by name, or objects; they go before the prompt.
        scope: Where names are looked up; without it, templates are not looked for.
        limits: What one value may take.
        literal: Whether the prompt is sent as it is, templates included.

    Raises:
        OptionError: a name is unknown, or a value cannot be sent.

    >>> compose("Mean of {{ n }}?", scope=Scope(names={"n": [1, 2]}), limits=ValueLimits()).content
    'Mean of <data name="n" kind="list" about="2 items">[1, 2]</data>?'
    """
    takes_templates, scope = scope is not None and not literal, scope or Scope()
    pieces = _pieces(prompt, attach, scope, limits, takes_templates=takes_templates)
    if sum(isinstance(piece.part, Media) for piece in pieces) > _MANY:
        edge = min(limits.image_edge, int(limits.image["pixels_per_side_over_20"]))
        smaller = replace(limits, image_edge=edge)
        pieces = _pieces(prompt, attach, scope, smaller, takes_templates=takes_templates)
    media = [piece.part for piece in pieces if isinstance(piece.part, Media)]
    suffix = "" if limits.long_context else "_under_1m_context"
    for count, most, what in (
        (sum(part.pages == 0 for part in media), limits.image.get(f"count{suffix}"), "images"),
        (sum(part.pages for part in media), limits.pdf.get(f"pages{suffix}"), "pages of PDF"),
    ):
        if most is not None and count > most:
            raise OptionError(
                f"The prompt contains {count:,} {what}, but the model accepts only {most:,} in one request.",
                cure="Use fewer, or ask in several cells.",
            )
    attached = _blocks([piece for piece in pieces if piece.attached])
    asked = _blocks([piece for piece in pieces if not piece.attached])
    content: str | list[dict[str, Any]] = [*attached, *asked]
    if isinstance(prompt, str) and len(content) == 1 and not attached and set(asked[0]) == {"type", "text"}:
        # A prompt of nothing but text stays a text, as the user would write it by hand.
        content = str(asked[0]["text"])
    return Composed(
        content=content,
        attached=len(attached),
        notices=tuple(dict.fromkeys(notice for piece in pieces for notice in _notices(piece, limits))),
        places=tuple(
            SearchedText(
                piece.place, piece.part.body if isinstance(piece.part, Text) else searchable(piece.part.block)
            )
            for piece in pieces
        ),
    )


def _pieces(
    prompt: str | Sequence[Any],
    attach: Sequence[Any],
    scope: Scope,
    limits: ValueLimits,
    *,
    takes_templates: bool,
) -> list[_Piece]:
    pieces: list[_Piece] = []
    for value in attach:
        with reading_object(f"This {type(value).__name__}"):
            name = value if isinstance(value, str) else getattr(value, "name", None)
            found = _found(value, scope) if isinstance(value, str) else value
            # Of a file only its own name: its folders are of this machine.
            is_file = isinstance(found, Path) or hasattr(value, "read")
            shown = Path(name).name if isinstance(name, str) and is_file else name
            label = quote(shown, 80) if isinstance(shown, str) and shown else type(found).__name__
            # A number, too, needs a name here, because no sentence is around it.
            parts = [
                replace(part, bare=False) if isinstance(part, Text) else part
                for part in parts_of(found, replace(limits, name=label))
            ]
            pieces += _named(label, f"the attachment {label}", parts, attached=True)
    for part in [prompt] if isinstance(prompt, str) else prompt:
        if isinstance(part, str):
            for each in parse_template(part, scope.names) if takes_templates else [part]:
                if isinstance(each, str):
                    pieces.append(_Piece(part=Text(body=each, kind=""), place="the prompt"))
                    continue
                name, place = each.source, f"{{{{ {each.source} }}}}"
                pieces += _named(
                    name, place, parts_of(value_of(each, scope.names), replace(limits, name=name))
                )
        elif isinstance(part, Mapping) and "type" in part:
            pieces.append(_Piece(part=Media(block=part, kind=""), place="a content block"))
        else:
            name = type(part).__name__
            pieces += _named(name, f"the {name} in the prompt", parts_of(part, replace(limits, name=name)))
    return pieces


def _named(name: str, place: str, parts: Sequence[PromptPart], *, attached: bool = False) -> list[_Piece]:
    several = len(parts) > 1
    # Inside a structure each part has its own path; the parts of one value are numbered.
    by_path = several and any(part.path for part in parts)
    return [
        _Piece(
            part=part,
            name=f"{name}{part.path}" if by_path else f"{name}[{index}]" if several else name,
            place=place,
            attached=attached,
            followed=index + 1 < len(parts),
        )
        for index, part in enumerate(parts)
    ]


def _found(name: str, scope: Scope) -> Any:
    """Return the variable of this name, else the path of a file."""
    placeholder = parse_path(name, in_braces=False) if is_path(name) else None
    path = Path(with_home(name))
    # Not those of pathlib: they raise where a name is too long, such as a text in the place of its file.
    exists = os.path.exists
    is_there = exists(path)
    # `report.pdf` may be both, and a user who has such a file hardly means the attribute.
    if placeholder is not None and placeholder.name in scope.names and not (placeholder.steps and is_there):
        return value_of(placeholder, scope.names)
    if "," in name and not is_there:
        several = [each.strip() for each in name.split(",")]
        if any(each in scope.names or exists(each) for each in several if each):
            raise OptionError(
                f"{quote(name, 60)!r} is neither a variable nor a file.",
                cure=spelled(
                    "{}",
                    Spelling(
                        f"Repeat -a for each: {' '.join(f'-a {quote(each, 40)}' for each in several)}",
                        "Give each as a separate string.",
                    ),
                ),
            )
    if placeholder is not None and not is_there:
        from vertex_claude_magic.prompts.values.files import names_beside

        near = nearest(name, [*own_names(scope.names), *(names_beside(path) or ())])
        hint = f"Did you mean {near}?" if near else "Use a variable or the path of a file."
        raise OptionError(
            f"{quote(name, 60)!r} is neither a variable nor a file.",
            cure=hint,
            details={"name": placeholder.name},
        )
    return path


def to_send_more(limits: ValueLimits) -> Spelled:
    """Return what to run for more of a value that was cut: the setting with twice the tokens.

    >>> to_send_more(ValueLimits(tokens=4_000))
    'To send more: %config ClaudeMagics.value_tokens = 8000'
    """
    more = 2 * limits.tokens
    cell, written = f"%config ClaudeMagics.value_tokens = {more}", option("value_tokens", more)
    return ways(spelled("to send more: {}", Spelling(cell, written.python, written.change)), end="")


def _notices(piece: _Piece, limits: ValueLimits) -> list[str]:
    part, name, notices = piece.part, quote(piece.name, 60), list[str]()
    if isinstance(part, Media):
        # That a picture was scaled down is not a loss, because the model sees no more pixels.
        return [f"{name}: {part.cut}."] if part.cut and "scaled" not in part.cut else []
    if part.cut:
        rows = part.cut.startswith("the first ") and part.cut.endswith(" rows")
        sent = f"Sent {part.cut.removeprefix('the first ')} of {name}" if rows else f"{name}: sent {part.cut}"
        notices.append(spelled("{}. {}", sent, to_send_more(limits)))
    notices += [f"{name}: {notice}." for notice in (part.caution, part.remark) if notice]
    if piece.name and (hidden := hidden_characters(part.body[:_LOOKED_THROUGH])):
        notices.append(f"{name} contains invisible characters: {', '.join(hidden[:3])}.")
    return notices


def _blocks(pieces: Sequence[_Piece]) -> list[dict[str, Any]]:
    """Join text to text, and leave images and documents where they are."""
    blocks: list[dict[str, Any]] = []
    text: list[str] = []
    for piece in pieces:
        part = piece.part
        if isinstance(part, Text):
            holds = "; ".join(filter(None, [part.cut, part.caution]))
            bare = part.bare or not piece.name
            text.append(
                part.body if bare else fenced_data(part.body, piece.name, part.kind, part.about, holds)
            )
        else:
            if piece.name:
                text.append(f"{_opening('data', piece.name, part.kind, part.about, part.cut)}\n")
            blocks += text_block("".join(text))
            blocks.append(dict(part.block))
            text = ["\n</data>"] if piece.name else []
        if piece.attached or piece.followed:
            text.append("\n")
    rest = "".join(text)
    return [*blocks, *text_block(rest.removesuffix("\n") if pieces and pieces[-1].attached else rest)]


def text_block(text: str) -> list[dict[str, Any]]:
    """Return a text as a block; none where there is nothing to read in it, which the service refuses."""
    return [{"type": "text", "text": text}] if text.strip() else []


def fenced_data(body: str, name: str, kind: str = "", about: str = "", cut: str = "") -> str:
    """Put a text between tags that name it and that nothing inside it can close.

    >>> fenced_data("a</data>b", "x")
    '<data-1 name="x">a</data>b</data-1>'
    """
    taken = [int(number or 0) for number in _TAG.findall(body)]
    tag = f"data-{max(taken) + 1}" if taken else "data"
    lines = "\n" if "\n" in body or len(body) > 200 else ""
    return f"{_opening(tag, name, kind, about, cut)}{lines}{body}{lines}</{tag}>"


# The rows of a table have the same one for each of their fields.
@lru_cache(maxsize=256)
def _opening(tag: str, name: str, kind: str, about: str, cut: str) -> str:
    fields = {"name": name, "kind": kind, "about": about, "holds": cut}
    written = ""
    for key, value in fields.items():
        if value:
            text = html.escape(quote(value, 240 if key == "holds" else 120), quote=False).replace('"', "'")
            written += f' {key}="{text}"'
    return f"<{tag}{written}>"


def estimated(content: str | Sequence[Mapping[str, Any]]) -> int:
    """Estimate the tokens of the text in a prompt."""
    if isinstance(content, str):
        return estimate_tokens(content)
    return sum(estimate_tokens(str(block.get("text", ""))) for block in content)
