"""What a question may cost before it is asked, and the limits that a user sets.

Every sum is an estimate in USD from the price table. A limit holds against the worst case: every input
token at its dearest price and an answer of `max_tokens` tokens. What is not known crosses every limit.
"""

from __future__ import annotations

import itertools
import json
import math
import threading
from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.models.prices import usd_estimate, usd_limit
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.process import at_fork
from vertex_claude_magic.vertex.reply import CacheCreation, Usage, cost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.vertex.request import Request

__all__ = [
    "HELD",
    "Budget",
    "Limits",
    "RunBudget",
    "asked_speed",
    "count_or_bound",
    "read_count",
    "token_bound",
    "worst_case",
]

# Tools that run where the user is; of others nobody here knows what they cost (Claude docs, "Tool use", 2026).
_USERS_TOOLS = ("custom", "bash_", "computer_", "memory_", "text_editor_")
# Fields that have the service do more than to answer once, with this model (anthropic 2.14.0, `MessageCreateParams`).
_SERVICE_WORK = ("mcp_servers", "compaction", "fallbacks", "fallback_credit_token")
# The numbers of what is set aside.
HELD = itertools.count(1)
# What the service may put before a model by itself, for tools and formats; generous.
_SERVICE_TOKENS = 2_000


class Limits(NamedTuple):
    """Limits in USD for one call, for a session and for a day of all notebooks; None for no limit."""

    call: float | None = None
    session: float | None = None
    day: float | None = None

    def __bool__(self) -> bool:
        return any(limit is not None for limit in self)


def token_bound(request: Request, catalog: Catalog) -> int:
    """Return how many input tokens a request can have at most, without asking anybody.

    A token of text has at least one byte; a picture has at most what the page "Vision" says, and a PDF
    may fill the context window (Claude docs, 2026), as may whatever the service fetches itself.
    """
    attached = request.mentions(b'"base64"', b'"url"', b'"file"')
    content = (
        json.dumps(request.canonical, ensure_ascii=False).encode("utf-8", "replace") if attached else b""
    )
    text = len(content or request.payload)
    row = catalog.find(request.model)
    window = (row.context_tokens if row is not None else None) or _largest_window(catalog)
    if [beta for beta in request.canonical.get("beta", ()) if beta.startswith("context-")]:
        window = _largest_window(catalog)
    bound = text + _SERVICE_TOKENS
    for kind in _sources(request.canonical) if attached else ():
        bound += int(catalog.limits["image"]["tokens"]) if kind.startswith("image/") else window
    return min(bound, window)


def _largest_window(catalog: Catalog) -> int:
    return max(row.context_tokens or 0 for row in catalog.models)


def _sources(value: Json) -> Iterator[str]:
    """Return the kind of each attachment whose tokens cannot be told from its text."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict) and value.get("type") == "base64":
        yield str(value.get("media_type"))
    elif isinstance(value, dict) and value.get("type") in {"url", "file"}:
        yield str(value["type"])
    for part in parts:
        yield from _sources(part)


def count_or_bound(
    request: Request, catalog: Catalog, count: Callable[[Request], int] | None
) -> tuple[int, bool]:
    """Return the input tokens of a request and whether they are exact; an upper bound where none are counted.

    Args:
        request: The request.
        catalog: The model table.
        count: Counts exactly, at the chosen location and at no other; None where a bound will do.
    """
    if count is not None:
        try:
            return count(request), True
        except (errors.AuthenticationFailed, errors.PermissionDenied):
            # The question itself would be refused as well.
            raise
        except (errors.APIError, errors.ProtocolError, errors.ReplayMiss):
            # Whatever else keeps the service from counting, the bound holds.
            pass
    return token_bound(request, catalog), False


def read_count(answer: Json) -> int:
    """Return the tokens that the service has counted.

    Raises:
        ProtocolError: this is not an answer to a count.

    >>> read_count({"input_tokens": 25})
    25
    """
    count = answer.get("input_tokens") if isinstance(answer, dict) else None
    if not isinstance(count, int):
        from vertex_claude_magic.transport.resources import unexpected_form

        raise unexpected_form("The token count")
    return count


def worst_case(request: Request, catalog: Catalog, input_tokens: int, *, batch: bool = False) -> float | None:
    """Return the most that a request can cost in USD, in batch prediction if `batch`; None where a price is unknown.

    The service's own tools search as often as they like and read what they find, and a conversation may be
    compacted again and again within one answer, so their cost is not known before.

    >>> from vertex_claude_magic.vertex.request import RequestOptions, build_request
    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> request = build_request([{"role": "user", "content": "Hi"}], RequestOptions(max_tokens=1_000),
    ...     model="claude-sonnet-5-5", project="p", region="global", catalog=Catalog.load())
    >>> worst_case(request, Catalog.load(), 500), worst_case(request, Catalog.load(), 500, batch=True)
    (0.011, 0.0055)
    """
    row = catalog.find(request.model)
    output = request.body.get("max_tokens")
    tools = request.body.get("tools")
    kinds = [tool.get("type") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    foreign = [kind for kind in kinds if kind is not None and not str(kind).startswith(_USERS_TOOLS)]
    foreign += [name for name in _SERVICE_WORK if request.body.get(name)]
    compacts = "compact" in str(request.body.get("context_management"))
    if row is None or type(output) is not int or output < 0 or foreign or compacts:
        return None
    # The input is read as it is, or written to the cache for as long as was asked.
    speed = asked_speed(request)
    usages = [Usage(input_tokens=input_tokens, output_tokens=output, speed=speed)]
    if request.mentions(b'"cache_control"'):
        hour = input_tokens if request.mentions(b'"1h"') else 0
        written = CacheCreation(ephemeral_5m_input_tokens=input_tokens - hour, ephemeral_1h_input_tokens=hour)
        usages.append(
            Usage(cache_creation_input_tokens=input_tokens, output_tokens=output, speed=speed,
                  cache_creation=written)
        )  # fmt: skip
    prices = [cost(row, request.region, usage, batch=batch) for usage in usages]
    known = [price for price in prices if price is not None]
    return max(known) if len(known) == len(prices) else None


def asked_speed(request: Request) -> str | None:
    """Return the speed that a request asks for and may be billed at, "fast" or None.

    What is asked for may be served at the ordinary pace; the worst case is that it is served as asked.
    """
    return "fast" if request.body.get("speed") == "fast" else None


class Budget:
    """What one session has spent and may still spend on calls under way; safe under threads.

    A fork is a session of its own and begins at zero; a limit for the day counts all processes, from the journal.

    Answers of a server on this machine are summed apart, because they cost nothing in fact.

    >>> budget = Budget()
    >>> held = budget.reserve(0.25, local=False, limit=1.0)
    >>> budget.commit(held, 0.10)
    >>> held = budget.reserve(0.25, local=False, limit=1.0)
    >>> budget.sums(local=False), budget.spent(local=False)
    ((0.1, 0.25), 0.35)
    """

    def __init__(self) -> None:
        self._begin_anew()
        at_fork(self, child=Budget._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._known = {False: 0.0, True: 0.0}
        # The worst cases of calls that are over and whose cost is not known.
        self._open = {False: 0.0, True: 0.0}
        self._held: dict[int, tuple[bool, float]] = {}

    def reserve(
        self, most: float | None, *, local: bool, limit: float | None = None, held: int | None = None
    ) -> int:
        """Set aside the worst case of a call (USD) while it is under way; return what `commit` wants.

        Args:
            most: The worst case; None where it is not known.
            local: Whether this machine answers.
            limit: What the session may cost.
            held: What `commit` gets, one of `HELD`, for whoever must know it also where stop is pressed meanwhile.

        Raises:
            CostLimitExceeded: with it the session could exceed its limit.
        """
        with self._lock:
            # What is not known crosses every limit.
            usd = math.inf if most is None else most
            spent = sum(self._sums(local=local)) if limit is not None else 0.0
            if limit is not None and not spent + usd <= limit:
                # Few questions cross a limit.
                from vertex_claude_magic.settings.limit_cures import limit_exceeded, priced

                if math.isinf(spent + usd):
                    raise errors.CostLimitExceeded(
                        "The cost of this session is not known, so it may exceed its limit.",
                        cure=priced("max_session_cost", limit),
                    )
                raise limit_exceeded("max_session_cost", limit, usd, spent, local=local)
            held = next(HELD) if held is None else held
            self._held[held] = (local, usd)
            return held

    def commit(self, held: int, usd: float | None, *, known: bool = True) -> None:
        """Replace what was set aside by what the call cost in USD; None keeps the worst case.

        With `known` False it is only the most that the call may have cost. Where nothing is set aside any more, this
        does nothing.
        """
        with self._lock:
            if held in self._held:
                local, most = self._held[held]
                sums = self._known if known and usd is not None else self._open
                # With no call in between: an interrupt is seen after one.
                sums[local] += most if usd is None else usd
                del self._held[held]

    def spent(self, *, local: bool) -> float:
        """Return what the session has spent, in USD, with the worst case of calls and batches that are under way.

        It is infinite where the price of a call is not known.
        """
        return sum(self.sums(local=local))

    def sums(self, *, local: bool) -> tuple[float, float]:
        """Return what `spent` is the sum of: what is known, and the most that the other calls may cost."""
        with self._lock:
            return self._sums(local=local)

    def _sums(self, *, local: bool) -> tuple[float, float]:
        # Called with the lock held.
        return self._known[local], self._open[local] + self._under_way(local=local)

    def _under_way(self, *, local: bool | None = None) -> float:
        # Called with the lock held. Without `local` it is the sum of both.
        return sum([usd for kind, usd in self._held.values() if local is None or kind is local])


class RunBudget(Budget):
    """What the calls of one run cost together, rounds that repair an answer included; each counts for its session too.

    Args:
        session: The sums of the session.
        limit: What the run may cost at most, in USD; None for no limit.
        rounds: How many requests a question may take. What the calls under way may cost is set aside so many times,
            because without its repair an answer would be paid for nothing.
        name: What it is called where it refuses a request.

    >>> session = Budget()
    >>> run = RunBudget(session, limit=0.50)
    >>> run.commit(run.reserve(0.30, local=False), 0.10)
    >>> run.cost, session.spent(local=False), run.fits(0.40), run.fits(0.41)
    (0.1, 0.1, True, False)
    """

    def __init__(self, session: Budget, *, limit: float | None, rounds: int = 1, name: str = "run") -> None:
        self.limit = limit
        self._name = name
        self._rounds = rounds
        self._session = session
        super().__init__()

    def fits(self, most: float | None, *, first: bool = True) -> bool:
        """Tell whether a request that may cost so much (USD) stays within the limit; unknown never does.

        `first` is False for a later round of a question: what it may cost was set aside with the question.
        """
        with self._lock:
            over, under_way = self._over(), self._under_way()
        if self.limit is None or most is None:
            return self.limit is None
        # What is asked alone is asked as long as its first round fits, like a question that is no part of a run.
        rounds = self._rounds if first and under_way else 1
        return over + self._rounds * under_way + rounds * most <= self.limit

    def reserve(
        self, most: float | None, *, local: bool, limit: float | None = None, held: int | None = None
    ) -> int:
        """Set aside the worst case of a call, in the run and in the session, whose `limit` holds too.

        Raises:
            CostLimitExceeded: with it the run or the session could exceed its limit.
        """
        if not (self.limit is None or self.fits(most, first=False)):
            from vertex_claude_magic.settings.limit_cures import to_fit

            raise errors.CostLimitExceeded(
                self.refusal(f"request of this {self._name}", most),
                cure=to_fit("max_cost", self.limit),
            )
        held = self._session.reserve(most, local=local, limit=limit, held=held)
        return super().reserve(most, local=local, held=held)

    def commit(self, held: int, usd: float | None, *, known: bool = True) -> None:
        """Replace what was set aside by what the call cost in USD, in both; None keeps the worst case."""
        super().commit(held, usd, known=known)
        self._session.commit(held, usd, known=known)

    def refusal(self, what: str, most: float | None) -> str:
        """Return why the next of something is not asked, such as a row: the run could cross its limit.

        Args:
            what: What is not asked.
            most: What it may cost at most, in USD; None where that is not known.
        """
        limit, spent = usd_limit(self.limit or 0.0), usd_estimate(self.cost or 0.0)
        with self._lock:
            under_way = self._under_way()
        may = f"may cost up to {usd_estimate(most)} and so " if most is not None else ""
        more = f", and what is under way may cost up to {usd_estimate(under_way)}" if under_way else ""
        return f"The next {what} {may}could exceed the limit of {limit}: {spent} is spent{more} (estimates)."

    @property
    def open_cost(self) -> float:
        """What of `cost` is the most that answers which broke off or were stopped may have cost."""
        with self._lock:
            return sum(self._open.values())

    @property
    def cost(self) -> float | None:
        """What the calls that are over have cost, in USD, at most where their answer broke off; None if not known."""
        with self._lock:
            cost = self._over()
        return cost if math.isfinite(cost) else None

    def _over(self) -> float:
        # Called with the lock held: the calls that are over, at most where their cost is not known.
        return sum([*self._known.values(), *self._open.values()])
