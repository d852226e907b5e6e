"""The loop of tools: what an answer calls is run, and the results go back until the model has what it needs.

A step of an `Exchange`. Functions run one after another in the thread of the caller, and only when their arguments
arrived whole; each call is announced before it runs, and its result is shown before the next.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic import errors
from vertex_claude_magic.chats.tools.results import result_of
from vertex_claude_magic.chats.tools.wording import error_text
from vertex_claude_magic.session.exchange import TOOL_CALL, TOOL_RESULT
from vertex_claude_magic.spelling import option, raised, spelled, ways
from vertex_claude_magic.text import number_of, quote
from vertex_claude_magic.transport.waiting import wait_for
from vertex_claude_magic.vertex.blocks import sent_back
from vertex_claude_magic.vertex.events import Event
from vertex_claude_magic.vertex.next_round import NextRound
from vertex_claude_magic.vertex.tool_call import NOBODY, REFUSED, ToolCall

if TYPE_CHECKING:
    from collections.abc import Generator

    from vertex_claude_magic.chats.tools.function import FunctionTool
    from vertex_claude_magic.prompts.parts import ValueLimits
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.request import Request

__all__ = ["NOT_ALLOWED", "NO_YES", "Around", "Confirm", "FunctionTools"]

# Given the name and the arguments of a call, tells whether it may run; only True does, and NOBODY says that it could
# not ask.
Confirm = Callable[[str, Mapping[str, Any]], object]


class CallOutput(Protocol):
    """What a call printed, known once the call is over."""

    @property
    def printed(self) -> str:
        """The text."""


# What a call runs inside of.
Around = Callable[[], AbstractContextManager[CallOutput | None]]

# What a `Confirm` returns for a no that is typed, and for an answer that is neither that nor yes.
NOT_ALLOWED = "not run, because you refused it"
NO_YES = "not run, because the answer was not exactly yes"
_NO_JSON = "The arguments are not valid JSON, so the call was not run."


class FunctionTools:
    """What the model may call in one question, and the loop that calls it.

    Args:
        functions: The functions.
        services: Definitions of tools that the service runs itself.
        limits: What one result may take.
        max_rounds: The most requests of the question.
        confirm: Asked before each call; None runs them all.
        target: The settings of the question.
        around: What a call runs inside of, such as a capture of what it prints.
        clock: Seconds that never run backwards.
        notices: What the user should know beside what the calls say.
    """

    def __init__(
        self,
        functions: Sequence[FunctionTool],
        *,
        services: Sequence[Mapping[str, Any]] = (),
        limits: ValueLimits,
        max_rounds: int,
        confirm: Confirm | None,
        target: Target,
        around: Around = nullcontext,
        clock: Callable[[], float] = time.perf_counter,
        notices: Sequence[str] = (),
    ) -> None:
        self.definitions = [*(tool.definition for tool in functions), *services]
        self._functions = {tool.name: tool for tool in functions}
        self._limits = limits
        self._max_rounds = max_rounds
        self._confirm = confirm
        self._target = target
        self._around = around
        self._clock = clock
        self._notices = list(notices)

    def notices(self) -> list[str]:
        """Return what was left out of results, and whether calls were not run."""
        notices, self._notices = self._notices, []
        return list(dict.fromkeys(notices))

    def __call__(
        self, reply: Reply, request: Request
    ) -> Reply | NextRound | Generator[Event, None, NextRound]:
        """Return the reply where it calls nothing; else run the calls, and give what to send next.

        Raises:
            AnswerTruncated: data were asked for, and the last round that is allowed ended in calls.
            ReplayMiss: the answer is from a record without results, and nothing may be sent.
        """
        last = reply.rounds[-1]
        calls = [block for block in last.blocks if block.get("type") == "tool_use"]
        paused = last.stop_reason == "pause_turn"
        # Cut off by max_tokens, a call has half an input: it is not run, and asking again would cut it again.
        if not paused and (last.stop_reason != "tool_use" or not calls):
            return reply
        if len(reply.rounds) >= self._max_rounds:
            rounds = number_of(self._max_rounds, "request")
            more = spelled("raise {}", raised("max_rounds", self._max_rounds))
            if self._target.wants_data:
                raise errors.AnswerTruncated(
                    f"After {rounds} the answer was still incomplete, so there is no data.",
                    cure=ways(more),
                    reply=reply,
                )
            why = "the service had paused the answer" if paused else "the last calls were not run"
            self._notices.append(spelled("Stopped after {}; {}. {}", rounds, why, ways(more)))
            return reply
        if paused:
            # The service goes on where the answer is sent back to it ("Handling stop reasons", Claude docs, 2026).
            return NextRound(request=_going_on(request, last), why="was paused by the service")
        return self._called(last, calls, request)

    def _called(
        self, last: Reply, calls: Sequence[Mapping[str, Any]], request: Request
    ) -> Generator[Event, None, NextRound]:
        recorded = {call.id: call for call in last.tool_calls}
        if last.replayed and not recorded and self._target.replay == "only":
            raise errors.ReplayMiss(
                spelled(
                    "The results of the tools are not recorded, and {} sends nothing.",
                    option("replay", "only"),
                ),
                cure=self._target.miss_cure,
            )
        done = list[ToolCall]()
        for block in calls:
            given = block.get("input")
            call = ToolCall(
                id=str(block.get("id")),
                name=str(block.get("name")),
                arguments=given if isinstance(given, Mapping) else {},
            )
            if (known := recorded.get(call.id)) is not None:
                done.append(known)
                yield Event(TOOL_RESULT, {"type": TOOL_RESULT, "call": known})
                continue
            yield Event(TOOL_CALL, {"type": TOOL_CALL, "call": call})
            done.append(_failed(call, _NO_JSON) if block.get("partial_json") else self._run(call))
            yield Event(TOOL_RESULT, {"type": TOOL_RESULT, "call": done[-1]})
        answered: list[dict[str, Any]] = [call.block for call in done]
        names = ", ".join(dict.fromkeys(call.name for call in done))
        following = _going_on(request, last, {"role": "user", "content": answered})
        return NextRound(request=following, why=f"called {quote(names, 80)}", tool_calls=tuple(done))

    def _run(self, call: ToolCall) -> ToolCall:
        """Run one call, and return it with its result; only an interrupt leaves it."""
        tool = self._functions.get(call.name)
        if tool is None:
            return _failed(call, f"There is no tool {quote(call.name, 60)!r}.")
        try:
            positional, named = tool.bind(call.arguments)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a validator of the user's own may raise anything
            return self._raised(call, error)
        allowed = True if self._confirm is None else self._confirm(call.name, call.arguments)
        if allowed is not True:
            if allowed is NO_YES or allowed is NOT_ALLOWED:
                self._notices.append(f"{call.name} was {allowed}.")
            return _failed(call, NOBODY if allowed is NOBODY else REFUSED)
        started = self._clock()
        try:
            with self._around() as captured:
                value = tool.function(*positional, **named)
                if inspect.isawaitable(value):
                    value = _awaited(value)
            result = result_of(value, call.name, self._limits, allow_secrets=self._target.allow_secrets)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the model is told
            return replace(self._raised(call, error), seconds=self._clock() - started)
        self._notices += result.notices
        printed = captured.printed if captured is not None else ""
        return replace(
            call,
            content=result.content,
            result=result.content if result.is_error else value,
            is_error=result.is_error,
            seconds=self._clock() - started,
            printed=printed,
        )

    def _raised(self, call: ToolCall, error: BaseException) -> ToolCall:
        """Return a call that an exception ended; what the model reads of it has no secret and no local folder."""
        result = result_of(error_text(error), call.name, self._limits)
        self._notices += result.notices
        return _failed(call, str(result.content))


def _failed(call: ToolCall, text: str) -> ToolCall:
    return replace(call, result=text, content=text, is_error=True)


def _going_on(request: Request, last: Reply, *more: Mapping[str, Any]) -> Request:
    """Return the request that continues an answer: the answer as it came, thinking and its signatures included."""
    blocks = sent_back(last)
    answer = [{"role": "assistant", "content": blocks}] if blocks else []
    return request.with_messages([*request.body["messages"], *answer, *more])


def _awaited(value: Any) -> Any:
    """Return the result of a coroutine, in a loop of its own; where a loop runs in this thread, in another thread."""

    async def whole() -> Any:
        return await value

    # Not `asyncio.run`: nest_asyncio 1.6, which Colab applies, has it use the current loop, which may be closed.
    loop = asyncio.new_event_loop()
    task = loop.create_task(whole())

    def run() -> Any:
        try:
            return loop.run_until_complete(task)
        finally:
            if not task.done():
                # The user stopped it.
                task.cancel()
                with suppress(asyncio.CancelledError):
                    loop.run_until_complete(task)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    # The context holds who asks (settings.origin); a thread of itself starts with an empty one.
    context = contextvars.copy_context()
    try:
        return wait_for(lambda: context.run(run), seconds=math.inf)
    except KeyboardInterrupt:
        # A loop that is over by now is closed.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(task.cancel)
        raise
