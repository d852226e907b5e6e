"""What a teacher or an administrator fixes: values that hold for everybody, limits, and defaults in place of ours.

`policy_files` reads the files, and `loaded` holds what was read for the whole of a process.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.settings.registry import OPTIONS, USD_LIMITS
from vertex_claude_magic.spelling import Change, spelled
from vertex_claude_magic.spelling import option as named
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.json_types import Json

__all__ = ["OPEN", "Policy", "holds_attachment"]

T = TypeVar("T")
_NONE = MappingProxyType[str, Any]({})
# What an option of the user's own could undo: a table of models decides what a model is and what it costs, and
# in another journal nothing is spent today.
_UNDOING: Mapping[str, frozenset[str]] = {
    "models_file": frozenset({"model", *USD_LIMITS}),
    "journal": frozenset({"max_daily_cost"}),
}
# The switch or the limit that decides the value of an option.
_SWITCHED = {"tools": "tools", "attach": "attachments", "replay": "live", "journal": "max_daily_cost"}
_ATTACHED = frozenset({"container_upload", "document", "file", "image"})


class Policy(NamedTuple):
    """Values that are fixed, by option name.

    Args:
        locks: For each locked option the values that are allowed; the first holds where nothing is given.
        defaults: What holds where neither the user nor the environment says anything.
        origin: Who fixed them, for messages: a file's name, for example.
        origins: Who wrote one of them, by section of the file and name, where that is another than `origin`.
        ceilings: The largest values of options that count tokens or USD.
        forbids: What is off: "tools", "attachments", "live".
        hints: The highest level of hints that students may see, 1 to 4.
        closed: Why nothing works at all, as message and cure; empty where something does.
        files: What names each file that was read: that of the variable, then the nearest to the notebook first.

    >>> Policy(locks={"model": ("haiku",)}, origin="the course").locked("model", "opus", "option")
    Traceback (most recent call last):
    vertex_claude_magic.errors.OptionError: model is locked to haiku by the course. Leave out --model.
    """

    locks: Mapping[str, tuple[Any, ...]] = _NONE
    defaults: Mapping[str, Any] = _NONE
    origin: str = "a policy"
    origins: Mapping[tuple[str, str], str] = MappingProxyType({})
    ceilings: Mapping[str, float] = _NONE
    forbids: frozenset[str] = frozenset()
    hints: int = 4
    closed: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def who(self, name: str, *sections: str) -> str:
        """Return who fixed an option or a limit.

        Args:
            name: The option, the limit or the switch.
            sections: The sections of the file in which to look for it, the first that has it decides.

        >>> policy = Policy(origins={("locks", "max_cost"): "the course", ("limits", "max_cost"): "the school"})
        >>> policy.who("max_cost"), policy.who("max_cost", "limits"), policy.who("region")
        ('the course', 'the school', 'a policy')
        """
        found = [self.origins.get((section, name)) for section in sections or ("locks", "limits", "hints")]
        return next(filter(None, found), self.origin)

    def giver(self, name: str, value: Json, origin: str) -> str:
        """Return which place gives the value of an option, for messages: who wrote it where a policy does.

        A value that is the only one allowed is the policy's, whoever else gives it.

        Args:
            name: The option.
            value: The value that holds.
            origin: The place, as for `locked`.

        >>> policy = Policy(locks={"region": ("eu",), "model": ("haiku", "opus")}, origin="the course")
        >>> policy.giver("region", "eu", "setting"), policy.giver("model", "opus", "setting")
        ('the course', 'setting')
        """
        fixed = len(self.locks.get(name, ())) == 1
        if origin != "policy" and not fixed:
            return origin
        if not fixed and name in self.defaults and value == self.defaults[name]:
            return self.who(name, "defaults")
        sections = ("locks",) if self._allows(name, value) else ("limits", "locks")
        return self.who(_SWITCHED.get(name, name), *sections)

    def holder(self, change: Change) -> str:
        """Return who keeps the user from changing an option so; empty where nobody does.

        >>> policy = Policy(locks={"effort": ("low",)}, ceilings={"max_cost": 0.5}, origin="the course")
        >>> policy.holder(Change("effort")), policy.holder(Change("effort", ("low",))), policy.holder(Change("model"))
        ('the course', '', '')
        >>> policy.holder(Change("max_cost", above=0.5)), policy.holder(Change("max_cost", above=0.1))
        ('the course', '')
        """
        name, above = change.name, change.above
        allowed = self.locks.get(name)
        if allowed is not None:
            # The only value that is allowed is the one that holds.
            is_free = len(allowed) > 1 and (above is None or any(value > above for value in allowed))
            if change.values:
                is_free = any(self._allows(name, value) for value in change.values)
            if not is_free:
                return self.who(name, "locks")
        if above is not None and name in self.ceilings and above >= self.ceilings[name]:
            return self.who(name, "limits")
        undone = self._undone(name)
        if undone and any(change.values or (True,)):
            return self.who(undone)
        switch = _SWITCHED.get(name, "")
        is_switched_off = switch in self.forbids and (switch != "live" or "only" not in change.values)
        return self.who(switch, "limits") if is_switched_off else ""

    def cure_for(self, name: str, value: Json, origin: str, cure: str) -> str:
        """Return the cure for a value that is refused, where this policy gives it or allows few others.

        Args:
            name: The option.
            value: The value that holds.
            origin: As for `giver`.
            cure: What helps where there is no policy.

        >>> Policy(locks={"effort": ("max",)}, origin="the course").cure_for("effort", "max", "policy", "Use low.")
        'Use another model, or ask the author of the course, which locks effort.'
        >>> Policy(defaults={"effort": "max"}, origin="the course").cure_for("effort", "max", "policy", "Use low.")
        'Use low. effort is a default of the course.'
        """
        if name not in self.locks:
            return spelled("{} {} is a default of {}.", cure, name, self.giver(name, value, origin))
        by = f"the author of {self.who(name)}, which locks {name}"
        others = [each for each in self.locks[name] if str(each) != str(value)]
        if others:
            return spelled("Use {}, or ask {}.", named(name, *others), by)
        is_free = name != "model" and not self.holder(Change("model"))
        return f"Use another model, or ask {by}." if is_free else f"Ask {by}."

    def check_open(self) -> None:
        """Refuse everything where nothing may be asked, or the policy cannot be read.

        Raises:
            OptionError: who turned it off, or what is wrong in which line of which file.
        """
        if self.closed:
            message, cure = self.closed
            raise OptionError(message, cure=cure)

    def locked(self, name: str, value: T, origin: str) -> tuple[T, str]:
        """Return the value of a locked option that holds, and what to say of one that was overruled.

        Args:
            name: The option.
            value: What holds without the policy.
            origin: Which place gave it: "option", "setting", "saved prompt", "policy", "default", or the name of an
                environment variable.

        Raises:
            OptionError: an option, a setting or a saved prompt gives what is not allowed.
        """
        # Our own default is nobody's choice, also where it is among several that are allowed.
        if self._allows(name, value) and origin != "default":
            return value, ""
        allowed = self.locks[name]
        words = " or ".join(quote(str(each), 40) for each in allowed)
        return allowed[0], _overruled(name, f"{name} is locked to {words} by {self.who(name)}", origin)

    def admit(self, name: str, value: Any, origin: str) -> tuple[Any, str]:
        """Return the value of any option that holds under this policy, and what to say of one that was overruled.

        Args:
            name: The option.
            value: What holds without the policy.
            origin: As for `locked`.

        Raises:
            OptionError: the user's own value is not allowed.

        >>> Policy(ceilings={"max_tokens": 500}).admit("max_tokens", 100, "option")
        (100, '')
        """
        notice = ""
        if name in self.locks:
            value, notice = self.locked(name, value, origin)
        most = self.ceilings.get(name)
        if most is not None and value is not None and value > most:
            value, notice = most, _overruled(name, self.limited(name), origin)
        # Where no `max_tokens` is given the model's own limit may be lower, which `resolve_target` knows.
        elif most is not None and value is None and name != "max_tokens":
            value = most
        undone = self._undone(name)
        # Without any journal a limit for the day refuses every question.
        is_off = name == "journal" and str(value).strip().lower() == "off"
        if undone and value and origin not in {"default", "policy"} and not is_off:
            said = f"{name} is locked by {self.who(undone)}, because it could undo {undone}"
            value, notice = None, _overruled(name, said, origin)
        switch = _SWITCHED.get(name, "")
        if switch in self.forbids and switch != "live" and value:
            value = ()
            said = f"{switch.capitalize()} are switched off by {self.who(switch, 'limits')}"
            notice = _overruled(name, said, origin)
        return value, notice

    def limited(self, name: str) -> str:
        """Return what the ceiling of an option is, and whose.

        >>> Policy(ceilings={"max_tokens": 1_000_000}, origin="the course").limited("max_tokens")
        'max_tokens is limited to 1,000,000 by the course'
        """
        from vertex_claude_magic.models.prices import usd_limit

        most = self.ceilings[name]
        number = f"{int(most):,}" if name == "max_tokens" else usd_limit(most)
        return f"{name} is limited to {number} by {self.who(name, 'limits')}"

    def live(self, replay: str, origin: str) -> tuple[str, str]:
        """Return the way to replay where nothing may be sent, and what to say of one that was overruled.

        Raises:
            OptionError: the user's own choice would send something.
        """
        if replay == "only":
            return replay, ""
        said = f"Live calls are switched off by {self.who('live')}, so replay is only"
        return "only", _overruled("replay", said, origin)

    @property
    def sending_mode(self) -> str:
        """The way to replay that sends what is not recorded, empty where a lock allows none.

        >>> Policy().sending_mode, Policy(locks={"replay": ("only", "refresh")}).sending_mode
        ('auto', 'refresh')
        """
        modes = ("auto", "refresh", "off")
        return next((mode for mode in modes if mode in self.locks.get("replay", modes)), "")

    def check_hint(self, level: int) -> None:
        """Refuse a hint above the highest level.

        Args:
            level: The level, from 1 to 4.

        Raises:
            OptionError: it is above; the message says who decided so.

        >>> Policy(hints=2, origin="the course").check_hint(3)
        Traceback (most recent call last):
        vertex_claude_magic.errors.OptionError: Hints end at level 2 here, by the course. Use %claude_hint.
        """
        if level > self.hints:
            raise OptionError(
                f"Hints end at level {self.hints} here, by {self.who('hints')}.", cure="Use %claude_hint."
            )

    def check_by_hand(self, fields: Mapping[str, Any], headers: Mapping[str, Any]) -> None:
        """Refuse body fields and headers that say the same as an option which is fixed.

        Raises:
            OptionError: one does.
        """
        fixed = {*self.locks, *self.ceilings, *self.forbids}
        given = [(field, f"the field {quote(field, 40)!r}") for field in fields]
        # The headers of the service have a hyphen, as no option and no field has; others are for a gateway.
        given += [
            (name.strip().lower(), f"the header {quote(name, 40)!r}") for name in headers if "-" in name
        ]
        for written, what in given:
            for name, row in OPTIONS.items():
                if name in fixed and written in {name, *row.fields}:
                    self._refuse(name, what)
            if written == "messages" and "attachments" in fixed:
                self._refuse("attachments", what)
        if "attachments" in self.forbids and holds_attachment([*fields.values()]):
            self._refuse("attachments", "a field that contains one")

    def _allows(self, name: str, value: Any) -> bool:
        allowed = self.locks.get(name, ())
        # A number on a line is a text, and in a file a number.
        return value in allowed or (isinstance(value, (str, int)) and str(value) in map(str, allowed))

    def _undone(self, name: str) -> str:
        """Return what is fixed and could be undone by an option, empty where nothing is."""
        return min(_UNDOING.get(name, frozenset()) & {*self.locks, *self.ceilings}, default="")

    def _refuse(self, name: str, what: str) -> NoReturn:
        raise OptionError(
            f"{name} is fixed by {self.who(name)}, so {what} is refused.", cure=f"Leave out {what}."
        )


def _overruled(name: str, said: str, origin: str) -> str:
    """Refuse a value that is the user's own choice; return what to say of one of another place, which is replaced."""
    cures = {
        "option": spelled("Leave out {}.", named(name)),
        "setting": spelled("Leave the setting {} as it is.", name),
        "saved prompt": spelled("Leave {} out of the saved prompt.", name),
    }
    if origin in cures:
        where = f" (in the {origin})" if origin == "saved prompt" else ""
        raise OptionError(f"{said}{where}.", cure=cures[origin], details={"option": name})
    return "" if origin in {"default", "policy"} else f"{origin} is overruled: {said}."


def holds_attachment(value: Json) -> bool:
    """Tell whether content of the Messages API has an image or a document anywhere in it.

    >>> holds_attachment([{"type": "text", "text": "image"}]), holds_attachment([{"type": "image"}])
    (False, True)
    """
    # Only a field that is given by hand needs the search.
    from vertex_claude_magic.json_types import objects

    kinds = (part.get("type") for part in objects(value))
    return any(isinstance(kind, str) and kind in _ATTACHED for kind in kinds)


OPEN = Policy()
