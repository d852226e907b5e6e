"""The settings of a notebook session: traits that `%config ClaudeMagics`, a config file and the panel share."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Dict, Enum, Float, HasTraits, Int, List, TraitError, TraitType, Unicode, validate

from vertex_claude_magic.settings.loaded import policies
from vertex_claude_magic.settings.registry import OPTIONS, Option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.emulator import Emulator
    from vertex_claude_magic.errors import OptionError
    from vertex_claude_magic.records.stores import Stores
    from vertex_claude_magic.settings.options import AskOptions

__all__ = ["Settings", "refused_value", "trait_of"]


def trait_of(row: Option) -> TraitType:
    """Return the trait of an option: an empty text or None leaves the value to the environment and the default.

    >>> trait_of(OPTIONS["replay"]).values
    ('', 'off', 'auto', 'only', 'refresh')
    """
    text = row.setting or f"{row.help[:1].upper()}{row.help[1:]}."
    default = None if row.variables else row.default
    trait: TraitType
    if row.words:
        # What the environment may say needs a word for "not set here".
        trait = Enum(("", *row.words), "") if row.variables else Enum(row.words, row.default)
    elif row.kind == "number":
        trait = _Number(default, allow_none=default is None)
    elif row.kind == "integer":
        trait = Int(default, allow_none=default is None)
    elif row.kind == "flag":
        trait = Bool(False)
    elif row.kind == "texts":
        trait = List(Unicode())
    elif row.kind == "fields":
        trait = Dict()
    elif row.name == "thinking":
        trait = _WordOrNumber("")
    else:
        trait = Unicode("")
    trait.help = text
    return trait.tag(config=True, option=row)


class _Number(Float):  # type: ignore[misc]
    def validate(self, owner: HasTraits, value: object) -> float | None:
        try:
            checked: float | None = super().validate(owner, value)
        except OverflowError:
            # Which `%config` would write to the log, and go on.
            raise TraitError(f"{self.name} is out of range.") from None
        return checked


class _WordOrNumber(Unicode):  # type: ignore[misc]
    """A text; a whole number is stored as its digits."""

    def validate(self, owner: HasTraits, value: object) -> str:
        checked: str = super().validate(owner, str(value) if type(value) is int else value)
        return checked


class Settings(HasTraits):
    """The settings of every question of this session, unless its own line changes them.

    An empty text or None means that the environment, the Google credentials or the default decide.
    No secret is ever stored here.
    """

    _stores: Stores | None = None
    emulator: Emulator | None = None

    # The body of a class is a namespace, so a new option in the registry is a new trait.
    locals().update({row.name: trait_of(row) for row in OPTIONS.values() if "setting" in row.places})

    # Whether what is set here is what questions are asked with: only that is held against the policy.
    _ruled = False

    @validate(*(row.name for row in OPTIONS.values() if "setting" in row.places))
    def _admitted(self, proposal: Mapping[str, Any]) -> Any:
        value = proposal["value"]
        row: Option = proposal["trait"].metadata["option"]
        # An empty value leaves the choice to the next place.
        if value == self.trait_defaults(row.name):
            return value
        from vertex_claude_magic.errors import OptionError
        from vertex_claude_magic.settings.loaded import present_policy
        from vertex_claude_magic.settings.options import check_value

        try:
            check_value(row, value)
            if row.name == "model":
                self._check_model(value)
            if not (policies() and self._ruled):
                return value
            policy = present_policy()
            policy.admit(row.name, value, "setting")
            if row.name == "replay" and "live" in policy.forbids and self.emulator is None:
                policy.live(value, "setting")
        except OptionError as error:
            raise TraitError(str(error)) from None
        return value

    def _check_model(self, model: str) -> None:
        """Refuse a slip at once, as a question would; a table of the user's own may have more short names.

        Raises:
            OptionError: a bare word is nearly a short name, or the table cannot be read.
        """
        from vertex_claude_magic.errors import OptionError
        from vertex_claude_magic.models.catalog import Catalog
        from vertex_claude_magic.text import quote

        if alias := Catalog.load(self.models_file or None).nearest_alias(model):
            raise OptionError(f"There is no model {quote(model, 60)!r}.", cure=f"Did you mean {alias}?")

    def values(self) -> dict[str, Any]:
        """Return the settings that say something, under the option names of the Python interface."""
        return {name: value for name, unset in _unset().items() if (value := getattr(self, name)) != unset}

    def options(self) -> AskOptions:
        """Return the settings as the options that a session starts from."""
        from vertex_claude_magic.settings.options import AskOptions, merge

        return merge(AskOptions(), self.values())

    @property
    def stores(self) -> Stores:
        """The journals and recordings that all sessions of this kernel have open."""
        if self._stores is None:
            from vertex_claude_magic.records.stores import Stores

            self._stores = Stores()
        return self._stores


def refused_value(name: str, value: object, error: Exception) -> OptionError:
    """Return in our words why a setting does not take a value.

    >>> refused_value("max_cost", "0.5", TraitError()).message
    "max_cost is '0.5'."
    >>> refused_value("beta", "a-1", TraitError()).cure
    'Give a list of strings.'
    """
    from vertex_claude_magic.errors import OptionError
    from vertex_claude_magic.settings.options import AskOptions, merge
    from vertex_claude_magic.text import quote

    # The command line gives a subclass of `str`.
    given, row = str(value) if isinstance(value, str) else value, OPTIONS[name]
    reason: BaseException | None
    try:
        merge(AskOptions(), {name: given})
    except OptionError as found:
        reason = found
    else:
        # Of the policy, which has its own.
        reason = error.__context__
    if not isinstance(reason, OptionError):
        # An option of a question takes it, or leaves it out.
        kinds = {"flag": "True or False", "texts": "a list of strings", "fields": "a dict"}
        wanted = row.wanted or kinds.get(row.kind, "a string")
        reason = OptionError(f"{name} is {quote(repr(given), 60)}.", cure=f"Give {wanted}.")
    reason.spell_for_python()
    return reason


@cache
def _unset() -> dict[str, Any]:
    """Return what each setting is while nobody has set it; traitlets works that out anew each time it is asked."""
    defaults: dict[str, Any] = Settings().trait_defaults()
    return defaults
