"""Which tools a question has: the names of `--tools` looked up, or the functions given in Python."""

from __future__ import annotations

import builtins
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.chats.tools.function import function_tool
from vertex_claude_magic.chats.tools.loop import NO_YES, NOT_ALLOWED, FunctionTools
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.prompts.compose import value_limits
from vertex_claude_magic.prompts.parts import reading_object
from vertex_claude_magic.prompts.scope import of_ipython, own_names
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.spelling import Spelling, changing, field, name_of, option, spelled, ways
from vertex_claude_magic.text import nearest, quote
from vertex_claude_magic.vertex.tool_call import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vertex_claude_magic.chats.tools.function import FunctionTool
    from vertex_claude_magic.chats.tools.loop import Around, Confirm
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.settings.target import Target

__all__ = ["ask_on_the_line", "tools_of"]

_WEB_SEARCH = "web_search"
_NO = frozenset({"no", "n"})
_FUNCTIONS = Spelling("--tools load,plot", "tools=[load, plot]")


def tools_of(
    target: Target,
    scope: Scope | None,
    *,
    around: Around = nullcontext,
    ask: Confirm | None = None,
    inherited: bool = False,
) -> FunctionTools | None:
    """Return the tools that the settings of a question name, as the step that runs them.

    Args:
        target: The settings.
        scope: Where names are looked up.
        around: What each call runs inside of.
        ask: Asks the user where `--confirm` is set; on the line if it is None.
        inherited: Whether the names are those of the turn before; those that are gone are then left out.

    Returns:
        The tools, None where all of them are gone.

    Raises:
        OptionError: a name is unknown, given twice, or is not a function that a model can call.
        MissingExtra: what describes functions is not installed.
    """
    names: Mapping[str, Any] = scope.names if scope is not None else {}
    functions: dict[str, FunctionTool] = {}
    services: dict[str, dict[str, Any]] = {}
    if inherited and "tools" in present_policy().forbids:
        return None
    gone = list[str]()
    for given in _each(target.tools):
        if inherited and given != _WEB_SEARCH and not callable(names.get(given)):
            gone.append(given)
            continue
        if isinstance(given, str) and (given not in names or of_ipython(given, names[given])):
            name, definition = given, _service(given, target, names)
            taken = name in services
            services[name] = definition
        else:
            called, function = (given, names[given]) if isinstance(given, str) else ("tool", given)
            with reading_object(f"The tool {quote(called, 40)!r}", "Write a plain function that calls it."):
                tool = function_tool(called, function)
            name, taken = tool.name, tool.name in functions
            functions[name] = tool
        if taken or (name in services and name in functions):
            raise OptionError(f"Two tools have the name {quote(name, 40)!r}.", cure="Use each name once.")
    if "tools" in target.set:
        raise OptionError(
            "Tools are set twice.", cure=spelled("Leave {} or {} out.", name_of("tools"), field("tools"))
        )
    if not functions and not services:
        if target.tools and not gone:
            raise OptionError(
                spelled("{} names no tool.", name_of("tools")),
                cure=spelled("Write {} or {}.", _FUNCTIONS, option("tools", "web_search")),
            )
        return None
    confirm = target.confirm
    return FunctionTools(
        list(functions.values()),
        services=list(services.values()),
        limits=value_limits(target.catalog, target.row, tokens=target.value_tokens, scope=scope),
        max_rounds=target.max_rounds,
        confirm=(ask or ask_on_the_line) if confirm is True else confirm or None,
        target=target,
        around=around,
        notices=[
            f"No function named {quote(name, 40)!r} here, so Claude cannot call it any more." for name in gone
        ],
    )


def _each(given: Any) -> list[Any]:
    """Return tools one by one; a text may name several, with commas."""
    each: list[Any] = []
    for tool in given:
        if isinstance(tool, str):
            each += [word.strip() for word in tool.split(",") if word.strip()]
        else:
            each.append(tool)
    return each


def _service(name: str, target: Target, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition of a tool that the service runs itself.

    Raises:
        OptionError: there is none of this name, or Vertex AI does not serve it.
    """
    services = target.catalog.services
    if name == _WEB_SEARCH:
        row = target.row
        if row is not None and row.capabilities and _WEB_SEARCH not in row.capabilities:
            raise OptionError(
                f"{row.name} has no web search on Vertex AI.",
                cure=ways(changing("model", "choose another model")),
            )
        return {"type": services[_WEB_SEARCH]["tool"], "name": _WEB_SEARCH}
    if any(name.startswith(start.rstrip("_")) for start in services["tools_not_served"]["refused_tools"]):
        raise OptionError(
            f"{quote(name, 40)} is not available on Vertex AI, only on Anthropic's own API.",
            cure="Write a function that does it, or use web_search.",
        )
    if not name.isidentifier():
        raise OptionError(
            f"{quote(name, 40)!r} is not a name.", cure=spelled("Use function names: {}", _FUNCTIONS)
        )
    if hasattr(builtins, name) or name in names:
        raise OptionError(
            f"{quote(name, 40)!r} is a function of Python or IPython itself, not one of yours.",
            cure="Write a function that calls it, with types and a docstring.",
        )
    near = nearest(name, [*(each for each in own_names(names) if callable(names[each])), _WEB_SEARCH])
    raise OptionError(
        f"No function named {quote(name, 40)!r}.",
        cure=f"Did you mean {near}?" if near else "Define it in a cell above, or use web_search.",
    )


def ask_on_the_line(
    name: str, arguments: Mapping[str, Any], show: Callable[[str], bool] | None = None
) -> bool | str:
    """Ask for an exact yes (a `Confirm`), and once more where the answer is neither that nor a no.

    Where no answer can be read, NOBODY is returned, for a no NOT_ALLOWED, and for any other answer NO_YES.

    Args:
        name: The name of the function.
        arguments: The arguments of the call.
        show: Shows the call in full, and tells whether it did; where it is not shown, the line that asks has it.
    """
    from vertex_claude_magic.chats.tools.wording import call_in_full

    call = call_in_full(name, arguments)
    shown = show is not None and show(call)
    line = f"Type yes to run {name}: " if shown else f"Run {call}? Type yes to run it: "
    try:
        answer = input(line)
        if answer not in {"yes", ""} and answer.strip().lower() not in _NO:
            answer = input(f"Type yes to run {name}, no to refuse: ")
    except Exception:  # noqa: BLE001 - a front end without input raises an error of its own, a script EOFError
        return NOBODY
    if answer == "yes":
        return True
    return NOT_ALLOWED if answer.strip().lower() in _NO else NO_YES
