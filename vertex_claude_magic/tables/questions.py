"""The question of each row: made ready once, and for every other row only its content."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError, RequestTooLarge
from vertex_claude_magic.prompts.compose import value_limits
from vertex_claude_magic.prompts.parts import estimate_tokens
from vertex_claude_magic.prompts.secrets import SearchedText, check_secrets, searchable
from vertex_claude_magic.session.question import NO_PROJECT, Question, prepare
from vertex_claude_magic.tables.columns import added_columns, check_names
from vertex_claude_magic.tables.row_prompt import read_row_prompt
from vertex_claude_magic.vertex.request import in_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vertex_claude_magic.answers.repair import TypedQuestion
    from vertex_claude_magic.models.observed import Seen
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.tables.columns import Added
    from vertex_claude_magic.tables.row_prompt import Content, RowPrompt
    from vertex_claude_magic.tables.rows import Rows

__all__ = ["RowQuestion", "RowQuestions", "row_questions"]

# Rows that are read and made ready together.
_CHUNK = 64
# A content up to this length cannot make a request too large; of a longer one the builder measures the whole.
_SHORT = 100_000
# Tokens of an answer that is there within a minute at 20 tokens a second; proxies give up a silent connection then
# (nginx, "proxy_read_timeout", 60 s).
_SHORT_ANSWER = 1_000


@dataclass(frozen=True, slots=True)
class RowQuestion:
    """The question of one row, or what keeps it from being asked."""

    index: int
    question: Question | None = None
    error: OptionError | RequestTooLarge | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RowQuestions:
    """The questions of a table.

    Args:
        rows: The table.
        prompt: The template.
        target: Where they go and how.
        added: The columns that the answers become.
        scope: Where types are looked up.
        seen: As for `prepare`.
        first: Made ready for the first row that can be asked; None where no row can.
        project: The project that pays, or what stands for it while it is not known.
    """

    rows: Rows
    prompt: RowPrompt
    target: Target
    added: Sequence[Added]
    scope: Scope | None
    seen: Seen | None
    first: Question | None
    project: str

    @property
    def typed(self) -> TypedQuestion | None:
        """What an answer must look like, None for text."""
        return self.first.typed if self.first is not None else None

    def chunks(self, stop: int, *, backwards: bool = False) -> Iterator[Iterator[RowQuestion]]:
        """Yield the questions of the rows before `stop`, a few at a time, from the first or from the last on.

        A few are read together and made ready one by one.
        """
        begins = range(0, stop, _CHUNK)
        for begin in reversed(begins) if backwards else begins:
            yield self._some(begin, min(begin + _CHUNK, stop))

    def _some(self, start: int, stop: int) -> Iterator[RowQuestion]:
        for index, record in enumerate(self.rows.records(start, stop, self.prompt.places), start=start):
            try:
                row = RowQuestion(index, self._question(index, self.prompt.content(record)))
            except (OptionError, RequestTooLarge) as error:
                row = RowQuestion(index, error=error)
            yield row

    def _question(self, index: int, content: Content) -> Question:
        first = self.first
        texts = [content] if isinstance(content, str) else [block.get("text", "") for block in content]
        short = sum(map(len, texts[len(self.prompt.before) :])) <= _SHORT
        # Half a character is replaced by the builder, and an instruction goes behind the content there.
        plain = short and all(text.isascii() or _is_whole(text) for text in texts)
        if first is None or not plain or (first.typed is not None and first.typed.way == "instruction"):
            made = prepare(
                [{"role": "user", "content": content}],
                self.target,
                project=lambda: self.project,
                scope=self.scope,
                seen=self.seen,
            )
            return made if first is None else made._replace(typed=first.typed)
        if not self.target.allow_secrets:
            check_secrets([SearchedText(f"row {index}", searchable(content))])
        return Question(first.request.with_messages([{"role": "user", "content": content}]), first.typed)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def row_questions(
    rows: Rows,
    template: str,
    target: Target,
    *,
    scope: Scope | None,
    prefix: str = "",
    opening: str = "",
    project: Callable[[], str] = lambda: NO_PROJECT,
    seen: Seen | None = None,
) -> RowQuestions:
    """Make the questions of a table ready, and refuse what is wrong with all of them.

    Args:
        rows: The table.
        template: The prompt of a row.
        target: Where they go and how.
        scope: Where names are looked up that are not columns.
        prefix: What goes before the names of the added columns.
        opening: A text that goes before the prompt of every row.
        project: Returns the project that pays where the settings name none; asked for last.
        seen: As for `prepare`.

    Raises:
        OptionError: the prompt fits no row, a column would be there twice, or no row can be sent.
    """
    row = target.row
    least = row.min_cacheable_tokens if row is not None else None
    system = target.system if isinstance(target.system, str) else searchable(target.system)
    system_tokens = estimate_tokens(system)
    prompt = read_row_prompt(
        template,
        rows,
        scope=scope,
        attach=target.attach,
        opening=opening,
        literal=target.literal,
        limits=value_limits(target.catalog, row, tokens=target.value_tokens, scope=scope),
        cache_from=0 if target.cache else least,
        system_tokens=system_tokens,
    )
    # The mark of a system prompt is set where it is all that the rows share.
    cached = bool(target.system) and not prompt.before
    longest = target.set.get("max_tokens", target.max_tokens)
    target = target.replace(
        attach=(),
        cache=cached and (target.cache or (least is not None and system_tokens >= least)),
        # A short answer comes in one piece, which takes half the work of a stream.
        no_stream=target.no_stream or (isinstance(longest, int) and longest <= _SHORT_ANSWER),
    )
    shape = None
    if target.wants_data:
        from vertex_claude_magic.answers.shape import shape_of
        from vertex_claude_magic.answers.types import read_type

        kind = target.as_
        if isinstance(kind, str):
            kind = read_type(kind, scope.names if scope is not None else {})
        # Once for the table: the type is read again by each `prepare` otherwise.
        target = target.replace(as_=kind)
        shape = shape_of(kind)
    added = added_columns(shape, prefix)
    labels = [*rows.names, *(column.name for column in rows.columns)]
    check_names(added, [column.name for column in added if rows.label(column.name) in labels])
    made = RowQuestions(
        rows=rows, prompt=prompt, target=target, added=added, scope=scope, seen=seen, first=None,
        project=NO_PROJECT,
    )  # fmt: skip
    wrong: OptionError | RequestTooLarge | None = None
    for each in chain.from_iterable(made.chunks(rows.count)):
        if each.question is not None:
            name = target.project or project()
            request = in_project(each.question.request, name)
            return replace(made, first=each.question._replace(request=request), project=name)
        wrong = wrong or each.error
    if wrong is not None:
        raise wrong
    return made
