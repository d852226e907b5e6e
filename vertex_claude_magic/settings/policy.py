"""What a teacher or an administrator fixes: values that hold for everybody, and defaults in place of ours."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OPEN", "Policy"]

T = TypeVar("T")
_NONE = MappingProxyType[str, Any]({})


class Policy(NamedTuple):
    """Values that are fixed, by option name.

    Args:
        locks: For each locked option the values that are allowed; the first holds where nothing is given.
        defaults: What holds where neither the user nor the environment says anything.
        origin: Who fixed them, for messages: a file's name, for example.

    >>> Policy(locks={"model": ("haiku",)}, origin="the course").locked("model", "opus", "option")
    Traceback (most recent call last):
    vertex_claude_magic.errors.OptionError: model is locked to haiku by the course. Leave it out.
    """

    locks: Mapping[str, tuple[Any, ...]] = _NONE
    defaults: Mapping[str, Any] = _NONE
    origin: str = "a policy"

    def locked(self, name: str, value: T, origin: str) -> tuple[T, str]:
        """Return the value of a locked option that holds, and what to say of one that was overruled.

        Args:
            name: The option.
            value: What holds without the policy.
            origin: Which place gave it: "option", "setting", "default", or the name of an environment variable.

        Raises:
            OptionError: an option or a setting gives what is not allowed.
        """
        allowed = self.locks[name]
        if value in allowed:
            return value, ""
        words = " or ".join(quote(str(each), 40) for each in allowed)
        if origin in {"option", "setting"}:
            raise OptionError(f"{name} is locked to {words} by {self.origin}.", cure="Leave it out.")
        notice = (
            ""
            if origin == "default"
            else f"{origin} is overruled: {name} is locked to {words} by {self.origin}."
        )
        return allowed[0], notice


OPEN = Policy()
