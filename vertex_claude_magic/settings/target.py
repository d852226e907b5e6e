"""A question's settings, resolved once: `resolve_target` decides which place gives each value, and nobody asks again.

Order: the question's own option; the session's setting (`%config`, the panel, or the arguments of `Claude`); the
environment; a saved prompt; the defaults of a policy; what Google credentials say (the project, asked for last); our
default. What a policy locks holds over all of them.
"""

from __future__ import annotations

import os
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.prompts.secrets import check_headers
from vertex_claude_magic.settings.environment import environment_notices, is_rehearsal, with_version
from vertex_claude_magic.settings.loaded import loaded, present_policy
from vertex_claude_magic.settings.options import AskOptions, check_value, merge
from vertex_claude_magic.settings.pasted import refuse_pasted, refuse_word
from vertex_claude_magic.settings.policy import OPEN
from vertex_claude_magic.settings.registry import DEFAULTS, OPTIONS
from vertex_claude_magic.spelling import Change, Spelling, option, set_holder, spelled
from vertex_claude_magic.text import trimmed
from vertex_claude_magic.vertex.allowed import max_tokens_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.settings.policy import Policy

__all__ = ["Target", "resolve_target"]

_NOTHING = MappingProxyType[str, Any]({})


class Target(AskOptions):
    """Where a question goes and how it is asked: every option with the value that holds.

    `model` is what was asked for, an id or an alias; `model_id` is what it means on Vertex AI. `project` is None while
    only the Google credentials can tell it. `origins` names for each option the place that gave its value: "option",
    "setting", an environment variable, "saved prompt", "policy" or "default". `forbids` names what a policy switches
    off and by whom: "attachments", "live".
    """

    if TYPE_CHECKING:
        model: str
        region: str
        anthropic_version: str
        timeout: float
        format: str
        value_tokens: int
        context_tokens: int
        replay: str
        replay_pace: str
        journal_days: int
        journal_megabytes: int
        max_rounds: int
        origins: Mapping[str, str]
        notices: tuple[str, ...]
        forbids: Mapping[str, str]

    def __init__(
        self,
        *,
        origins: Mapping[str, str] = _NOTHING,
        notices: tuple[str, ...] = (),
        forbids: Mapping[str, str] = _NOTHING,
        **values: Any,
    ) -> None:
        super().__init__(**values)
        vars(self).update(origins=origins, notices=notices, forbids=forbids)

    def __reduce__(self) -> tuple[Any, ...]:
        restore, (kind, given) = super().__reduce__()
        more = {"origins": dict(self.origins), "notices": self.notices, "forbids": dict(self.forbids)}
        return restore, (kind, {**given, **more})

    def replace(self, **changes: Any) -> Target:
        """Return the same target with some values changed; their origins stay."""
        values = {**self._options(), **changes}
        return Target(origins=self.origins, notices=self.notices, forbids=self.forbids, **values)

    def name_origin(self, error: OptionError) -> None:
        """Name in an error the place that gives the value which is refused, where the question itself does not.

        The error has the name of the option in `details["option"]`.

        >>> error = OptionError("There is no model 'opuss'.", cure="Did you mean opus?", details={"option": "model"})
        >>> resolve_target(AskOptions(model="opuss")).name_origin(error)
        >>> error.cure
        'Did you mean opus? model is a setting: %config ClaudeMagics.model = "" clears it.'
        """
        name = error.details.pop("option", "")
        origin, policy = self.origins.get(name, ""), present_policy()
        if name in policy.locks or origin == "policy":
            error.cure = policy.cure_for(name, getattr(self, name), origin, error.cure)
        elif origin.isupper():
            error.message = spelled("{}: {}", origin, error.message)
        elif origin == "setting":
            unset = {"number": "None", "integer": "None", "texts": "[]"}.get(OPTIONS[name].kind, '""')
            cell = f"{name} is a setting: %config ClaudeMagics.{name} = {unset} clears it."
            error.cure = spelled("{} {}", error.cure, Spelling(cell, f"{name} is a setting of the client."))

    @property
    def miss_cure(self) -> str:
        """What to do where nothing is recorded: ask for it, where the user may."""
        if by := self.forbids.get("live"):
            return f"Live calls are switched off by {by}; only recorded answers are available here."
        policy = present_policy()
        if mode := policy.sending_mode:
            way = option("replay", mode)
            return spelled("Ask with {} to send it and keep the answer.", way)
        by = policy.who("replay", "locks")
        return f"replay is locked to only by {by}; only recorded answers are available here."

    @property
    def journal_cure(self) -> str:
        """How a journal that is off is switched on, as for `ways`: where it was switched off."""
        place, default = self.origins["journal"], Change("journal", ("",))
        if place.isupper():
            return spelled("unset {}", Spelling(place, place, default))
        cell = '%config ClaudeMagics.journal = ""'
        return spelled("switch it on with {}", Spelling(cell, 'journal=""', default))

    @property
    def is_standalone(self) -> bool:
        """Whether the question is neither a turn of a conversation nor has tools."""
        return not (self.in_conversation or self.tools)

    @property
    def in_conversation(self) -> bool:
        """Whether something goes before the prompt: the turns of a conversation, or what led to a reply."""
        return bool(self.chat or self.new) or self.after is not None

    @cached_property
    def catalog(self) -> Catalog:
        """The model table, with the user's own file on top if `models_file` names one."""
        return Catalog.load(self.models_file)

    @cached_property
    def model_id(self) -> str:
        """The id on Vertex AI that the asked model means.

        Raises:
            OptionError: an alias means no model that the location serves.
        """
        try:
            return self.catalog.model_id(self.model, self.region)
        except OptionError as error:
            self.name_origin(error)
            raise

    @cached_property
    def row(self) -> Model | None:
        """The row of the model in the table, None if the table does not know it."""
        return self.catalog.find(self.model_id)

    @property
    def known_row(self) -> Model | None:
        """`row`; None also for an alias that means nothing here, which is a reason to refuse only a question."""
        try:
            return self.row
        except OptionError:
            return None


# The variables hold the same for one question as for the next, and the forms of a secret are many.
@lru_cache(maxsize=64)
def _as_meant(name: str, text: str, variable: str) -> str:
    """Return the value of a variable without what is around it; refuse one that its option cannot take."""
    value = trimmed(text)
    if value:
        # These two do not quote it.
        refuse_pasted(name, value, variable)
        refuse_word(name, value, variable)
        try:
            check_value(OPTIONS[name], value)
        except OptionError as error:
            error.message = spelled("{}: {}", variable, error.message)
            raise
    return value


def resolve_target(
    session: AskOptions,
    given: Mapping[str, Any] = _NOTHING,
    *,
    environment: Mapping[str, str] | None = None,
    saved: Mapping[str, Any] | None = None,
    policy: Policy | None = None,
) -> Target:
    """Decide for every option which place gives its value; credentials are not asked.

    Args:
        session: The settings.
        given: The options of one question, by name.
        environment: The variables; those of this process if not given.
        saved: The options of a saved prompt, by name; None where no file was read.
        policy: What is locked, and defaults in place of ours; that of this process if not given.

    Raises:
        OptionError: a value cannot be taken, seems to be a pasted secret, or is locked; or the policy allows nothing.

    >>> target = resolve_target(AskOptions(model="opus"), {"model": "haiku"}, environment={"CLOUD_ML_REGION": "eu"})
    >>> target.model, target.region, target.timeout, target.origins["region"]
    ('haiku', 'eu', 600.0, 'CLOUD_ML_REGION')
    """
    policy = present_policy() if policy is None else policy
    policy.check_open()
    merged = merge(session, given) if given else session
    known = os.environ if environment is None else environment
    values, origins = dict(DEFAULTS), dict.fromkeys(DEFAULTS, "default")
    # From the last place to the first, each over those before it.
    for place, found in (("policy", policy.defaults), ("saved prompt", saved or _NOTHING)):
        # No file takes back that the user is asked before a call: another one may have given the tools.
        says = {name: value for name, value in found.items() if name != "confirm" or value}
        values.update(says)
        origins.update(dict.fromkeys(says, place))
    here = merged.given()
    for name in values:
        for variable in () if name in here else OPTIONS[name].variables:
            if (text := known.get(variable)) and (text := _as_meant(name, text, variable)):
                values[name], origins[name] = text, variable
                break
    for name, value in here.items():
        values[name], origins[name] = value, "option" if given.get(name) is not None else "setting"
    if given.get("system") == "":
        # It says that there is none: also not that of the conversation, of a saved prompt or of a policy's defaults.
        values["system"], origins["system"] = "", "option"
    overruled: list[str] = []
    ruled = policy is not OPEN
    if ruled:
        for name, origin in origins.items():
            value, notice = policy.admit(name, values[name], origin)
            if value is not values[name]:
                values[name], origins[name] = value, "policy"
            overruled += [notice] if notice else []
    if saved is None and (values["prompt"] or values["with_"]):
        raise OptionError("Saved prompts work only in the magics.", cure="Give the text as the prompt.")
    if values["context"]:
        raise OptionError("Only the magics know which cells ran.", cure="Put their content into the prompt.")
    check_headers(values["header"], values["label"], values["beta"], allowed=values["allow_secrets"])
    given_url = values["base_url"] or None
    notices = environment_notices(
        given_url, region_is_default=origins["region"] == "default", environment=known
    )
    if given_url is not None:
        values["base_url"] = with_version(given_url)
    if ruled:
        target = _under_policy(values, origins, (*notices, *overruled), policy)
    else:
        target = Target(origins=origins, notices=notices, **values)
    # Only now, so that a rehearsal also finds what a policy refuses.
    return target.replace(replay="only") if is_rehearsal() else target


def _under_policy(
    values: dict[str, Any], origins: dict[str, str], notices: tuple[str, ...], policy: Policy
) -> Target:
    """Return the target of these values, less what the policy switches off, and with its ceiling of `max_tokens`."""
    forbids = {name: policy.who(name, "limits") for name in policy.forbids}
    known = loaded()
    if known is not None and known.demo is not None and values["base_url"] == known.demo.base_url:
        # The demo's emulator is on this machine, and gets a fixed token.
        forbids.pop("live", None)
    if "live" in forbids:
        replay, notice = policy.live(values["replay"], origins["replay"])
        if replay != values["replay"]:
            values["replay"], origins["replay"] = replay, "policy"
        notices = (*notices, notice) if notice else notices
    policy.check_by_hand(values["set"], values["header"])
    target = Target(origins=origins, notices=notices, forbids=forbids, **values)
    most = policy.ceilings.get("max_tokens")
    if most is None or target.max_tokens is not None:
        return target
    if max_tokens_of(target.known_row) <= most:
        return target
    values["max_tokens"], origins["max_tokens"] = int(most), "policy"
    return Target(origins=origins, notices=notices, forbids=forbids, **values)


# What a policy fixes, no cure tells to change.
set_holder(lambda change: present_policy().holder(change))
