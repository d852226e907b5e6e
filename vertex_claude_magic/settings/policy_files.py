"""Reading `claude-policy.toml`: each file by itself, then all together, of which the strictest holds.

What cannot be read as it was meant closes everything: a policy with a mistake must not be one that allows more.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.settings.found_files import text_of
from vertex_claude_magic.settings.found_options import read_option, read_options, read_toml
from vertex_claude_magic.settings.policy import Policy
from vertex_claude_magic.settings.registry import OPTIONS, USD_LIMITS, keyword_of
from vertex_claude_magic.spelling import spelled
from vertex_claude_magic.text import alternatives, nearest, quote, quote_path, reason_of, with_home
from vertex_claude_magic.vertex.allowed import allowed_efforts, thinking_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


__all__ = ["parse_policy", "read_policies"]

_SECTIONS = ("defaults", "locks", "hints", "limits")
_CEILINGS = (*USD_LIMITS, "max_tokens")
_SWITCHES = ("tools", "attachments", "live")
# What the sections of these names have; the others have options.
_NAMES = {"limits": (*_CEILINGS, *_SWITCHES, "off"), "hints": ("highest",)}
# The head of a table; a line of a long list begins so too, and has commas.
_HEAD = re.compile(r"\s*\[{1,2}([^\[\],=]+)\]")
_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_CURE = "No request is sent until it is fixed; ask the author of the file."


def read_policies(paths: Sequence[Path], named: str = "", variable: str = "") -> Policy:
    """Read all files and return what holds under all of them; one that is broken closes everything.

    Args:
        paths: The files, the nearest to the notebook first.
        named: The value of an environment variable, without blanks around it, which adds one.
        variable: The variable.
    """
    parts = []
    try:
        if named:
            path = Path(with_home(named))
            if not path.is_file():
                # Not quoted, because anything may have been pasted into it.
                return Policy(closed=(f"{variable} points to a file that does not exist.", _CURE))
            parts.append(_read(path, f"{quote_path(path.name)} ({variable})"))
        return _together([*parts, *(_read(path, _label(path)) for path in paths)])
    except OptionError as error:
        return Policy(closed=(error.message, spelled("{} {}", error.cure, _CURE)))
    except (OSError, RuntimeError) as error:
        return Policy(closed=(f"The policy cannot be read: {quote(reason_of(error))}.", _CURE))


def _label(path: Path) -> str:
    try:
        return quote_path(os.path.relpath(path))
    except (OSError, ValueError):
        # Another drive, or no working folder.
        return quote_path(path.name)


def _read(path: Path, label: str) -> Policy:
    if not path.is_file():
        # Opening a pipe would wait for ever.
        raise OptionError(f"{label} is not a readable file.", cure="Put a text file in its place.")
    return parse_policy(text_of(path, label), label, path.parent)


def parse_policy(text: str, label: str, folder: Path) -> Policy:
    """Read one policy.

    Args:
        text: The content of the file.
        label: What names the file, for messages.
        folder: The folder of the file.

    Raises:
        OptionError: it is not TOML, or says what no policy can say; the message names the line.

    >>> parse_policy('[locks]\\nmodel = ["haiku", "sonnet"]', "claude-policy.toml", Path()).locks
    {'model': ('haiku', 'sonnet')}
    """
    table = read_toml(text, label)

    def where(section: str, name: str = "") -> str:
        return f"{label}, line {_line_of(text, section, name)}"

    _check_names(table, where)
    locks: dict[str, tuple[Any, ...]] = {}
    # Tools need it beside them, in whichever of the two sections it is.
    confirmed = any(table.get(each, {}).get("confirm") is True for each in ("locks", "defaults"))
    confirm = {"confirm": True} if confirmed else {}
    for name, value in table.get("locks", {}).items():
        # The same names are refused as among the defaults.
        row = OPTIONS.get(keyword_of(name.replace("-", "_")))
        is_list_option = row is not None and row.kind in {"texts", "objects"}
        values = value if isinstance(value, list) and not is_list_option else [value]
        beside = confirm if row is not None and row.name == "tools" else {}
        read = [read_options({name: each, **beside}, folder, partial(where, "locks")) for each in values]
        if not read:
            raise OptionError(
                f"{where('locks', name)}: {quote(name, 40)} allows no value.", cure="List one or more."
            )
        key = next(iter(read[0]))
        locks[key] = tuple(each[key] for each in read)
    given = {**table.get("defaults", {}), **(confirm if "tools" in table.get("defaults", {}) else {})}
    defaults = read_options(given, folder, partial(where, "defaults"))
    limits = dict(table.get("limits", {}))
    off = _switch(limits, "off", where, value=True)
    ceilings = {
        name: read_option(OPTIONS[name], limits.pop(name), folder, where("limits", name))
        for name in _CEILINGS
        if name in limits
    }
    forbids = frozenset([name for name in _SWITCHES if _switch(limits, name, where, value=False)])
    highest = table.get("hints", {}).get("highest", 4)
    if type(highest) is not int or not 1 <= highest <= 4:
        raise OptionError(
            f"{where('hints', 'highest')}: highest is not 1 to 4.", cure="Use a number from 1 to 4."
        )
    # A table of its own may have other names.
    if "models_file" not in {*locks, *defaults}:
        values = [("locks", name, each) for name, allowed in locks.items() for each in allowed]
        _check_known([*values, *(("defaults", *each) for each in defaults.items())], where)
    closed = (f"Claude is turned off here by {label}.", "Ask the author of the file.") if off else ()
    return Policy(locks=locks, defaults=defaults, origin=label, ceilings=ceilings, forbids=forbids,
                  hints=highest, closed=closed, files=(label,))  # fmt: skip


def _check_names(table: Mapping[str, Any], where: Callable[..., str]) -> None:
    """Refuse a section that does not exist, and a name in the wrong one; options are checked as they are read."""

    def cure_for(name: str, otherwise: str) -> str:
        named = next((section for section, names in _NAMES.items() if name in names), "")
        is_option = keyword_of(name.replace("-", "_")) in OPTIONS
        place = f"[{named}]" if named else "[locks] or [defaults]" if is_option else ""
        return f"Put it under {place}." if place else otherwise

    for section, content in table.items():
        shown = quote(section, 40)
        if section in _SECTIONS and not isinstance(content, dict):
            raise OptionError(f"{where(section)}: {section} is not a section.", cure=f"Write [{section}].")
        if section not in _SECTIONS and isinstance(content, dict):
            near = nearest(section, _SECTIONS)
            cure = f"Did you mean {near}?" if near else f"Sections are {', '.join(_SECTIONS)}."
            raise OptionError(f"{where(section)}: there is no section [{shown}].", cure=cure)
        if section not in _SECTIONS:
            cure = cure_for(section, "Remove the line.")
            raise OptionError(f"{where(section)}: {shown} is in no section.", cure=cure)
        for name, value in content.items():
            if section in _NAMES:
                wrong = name not in _NAMES[section]
            else:
                # An option may have the name of a limit or a switch.
                switch = name in _SWITCHES and isinstance(value, bool)
                wrong = any(name in names for names in _NAMES.values()) and (switch or name not in OPTIONS)
            if wrong:
                near = nearest(name, _NAMES.get(section, ()))
                cure = cure_for(name, f"Did you mean {near}?" if near else "Remove the line.")
                raise OptionError(
                    f"{where(section, name)}: [{section}] has no {quote(name, 40)!r}.", cure=cure
                )


def _check_known(values: Iterable[tuple[str, str, Any]], where: Callable[..., str]) -> None:
    """Refuse a value that no model and no location takes, as far as names and the table tell that."""
    catalog, levels = Catalog.load(), allowed_efforts(None)
    for section, name, value in values:
        shown, message, cure = quote(str(value), 40), "", ""
        if name == "model":
            if alias := catalog.nearest_alias(value):
                message, cure = f"there is no model {shown!r}.", f"Did you mean {alias}?"
        elif name == "region" and value not in catalog.locations() and not _REGION.fullmatch(value):
            # A word that is like no other may be newer than the table, as may every region.
            near = catalog.nearest_location(value) or ""
            if near or not re.fullmatch(r"[a-z0-9-]+", value):
                message = f"there is no location {shown!r}."
                cure = f"Use global, us, eu, or a region such as {near if '-' in near else 'us-east5'}."
        elif name == "effort" and value and value not in levels:
            message = f"there is no effort level {shown!r}."
            cure = f"Use {alternatives(levels)}."
        elif name == "thinking" and value and thinking_type(value) is None:
            message = f"{shown!r} is not a thinking mode."
            cure = f"Use {OPTIONS['thinking'].help}."
        if message:
            raise OptionError(f"{where(section, name)}: {message}", cure=cure)


def _switch(limits: dict[str, Any], name: str, where: Callable[..., str], *, value: bool) -> bool:
    """Take a switch out of the limits, and return whether it is set; its other value is the default."""
    given = limits.pop(name, not value)
    if not isinstance(given, bool):
        raise OptionError(
            f"{where('limits', name)}: {name} is neither true nor false.", cure="Use true or false."
        )
    return given is value


def _line_of(text: str, section: str, name: str) -> int:
    """Return the line of a name in a section, or that of the section; 1 where neither is found as it is written."""
    of_section, table = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        head = _HEAD.match(line)
        written = head[1] if head else line.partition("=")[0]
        words = [word.strip(" \t\"'") for word in written.split(".")]
        if head:
            table = words[0]
        # A dotted key above all tables may name both.
        path = words if head or not table else [table, *words]
        if path[0] == section:
            if name in path[1:2]:
                return number
            of_section = of_section or number
    return of_section or 1


def _together(parts: Sequence[Policy]) -> Policy:
    """Return what holds under all policies; of their defaults those of the first that has one."""
    if len(parts) == 1:
        return parts[0]
    locks: dict[str, tuple[Any, ...]] = {}
    defaults: dict[str, Any] = {}
    ceilings: dict[str, float] = {}
    # A file may lock what another limits, and a third gives a default of: each is named for its own.
    origins: dict[tuple[str, str], str] = {}
    for part in parts:
        for name, allowed in part.locks.items():
            known = locks.get(name)
            both = allowed if known is None else tuple(each for each in known if each in allowed)
            if not both:
                raise OptionError(
                    f"{origins['locks', name]} and {part.origin} allow no common value of {name}.",
                    cure="Change one of them.",
                )
            if both != known:
                locks[name], origins["locks", name] = both, part.origin
        for name, most in part.ceilings.items():
            if name not in ceilings or most < ceilings[name]:
                ceilings[name] = most
                origins["limits", name] = part.origin
        for switch in part.forbids:
            origins.setdefault(("limits", switch), part.origin)
        for name, value in part.defaults.items():
            defaults.setdefault(name, value)
            origins.setdefault(("defaults", name), part.origin)
    strictest = min(parts, key=lambda part: part.hints)
    origins["hints", "hints"] = strictest.origin
    closed = next((part.closed for part in parts if part.closed), ())
    return Policy(locks=locks, defaults=defaults, origin=parts[0].origin, origins=origins, ceilings=ceilings,
                  forbids=frozenset().union(*(part.forbids for part in parts)), hints=strictest.hints,
                  closed=closed, files=tuple([name for part in parts for name in part.files]))  # fmt: skip
