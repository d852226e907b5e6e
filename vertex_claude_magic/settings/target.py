"""A question's settings, resolved once: `resolve_target` decides which place gives each value, and nobody asks again.

Order: the question's own option; the session's setting (`%config`, the panel, or the arguments of `Claude`); the
environment; the defaults of a policy; what Google credentials say (the project, asked for last); our default. What
a policy locks holds over all of them.
"""

from __future__ import annotations

import os
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.settings.environment import environment_notices, with_version
from vertex_claude_magic.settings.options import AskOptions, merge
from vertex_claude_magic.settings.pasted import refuse_pasted
from vertex_claude_magic.settings.policy import OPEN
from vertex_claude_magic.settings.registry import EMPTY, OPTIONS
from vertex_claude_magic.text import trimmed

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
    "setting", an environment variable, "policy" or "default".
    """

    if TYPE_CHECKING:
        model: str
        region: str
        anthropic_version: str
        timeout: float
        format: str
        value_tokens: int
        replay: str
        replay_pace: str
        journal_days: int
        journal_megabytes: int
        max_rounds: int
        origins: Mapping[str, str]
        notices: tuple[str, ...]

    def __init__(
        self, *, origins: Mapping[str, str] = _NOTHING, notices: tuple[str, ...] = (), **values: Any
    ) -> None:
        super().__init__(**values)
        vars(self).update(origins=origins, notices=notices)

    def __reduce__(self) -> tuple[Any, ...]:
        restore, (kind, given) = super().__reduce__()
        return restore, (kind, {**given, "origins": dict(self.origins), "notices": self.notices})

    def replace(self, **changes: Any) -> Target:
        """Return the same target with some values changed; their origins stay."""
        return Target(origins=self.origins, notices=self.notices, **{**self._options(), **changes})

    @property
    def stands_alone(self) -> bool:
        """Whether the question is neither a turn of a conversation nor has tools."""
        return not (self.chat or self.new or self.tools or self.after is not None)

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
        return self.catalog.model_id(self.model, self.region)

    @cached_property
    def row(self) -> Model | None:
        """The row of the model in the table, None if the table does not know it."""
        return self.catalog.find(self.model_id)


# The variables hold the same for one question as for the next, and the forms of a secret are many.
@lru_cache(maxsize=64)
def _as_meant(name: str, text: str, variable: str) -> str:
    """Return the value of a variable without what is around it; refuse one that seems to be a secret."""
    value = trimmed(text)
    if value:
        refuse_pasted(name, value, variable)
    return value


def resolve_target(
    session: AskOptions,
    given: Mapping[str, Any] = _NOTHING,
    *,
    environment: Mapping[str, str] | None = None,
    policy: Policy = OPEN,
) -> Target:
    """Decide for every option which place gives its value; credentials are not asked.

    Args:
        session: The settings.
        given: The options of one question, by name.
        environment: The variables; those of this process if not given.
        policy: What is locked, and defaults in place of ours.

    Raises:
        OptionError: a value cannot be taken, seems to be a pasted secret, or is locked.

    >>> target = resolve_target(AskOptions(model="opus"), {"model": "haiku"}, environment={"CLOUD_ML_REGION": "eu"})
    >>> target.model, target.region, target.timeout, target.origins["region"]
    ('haiku', 'eu', 600.0, 'CLOUD_ML_REGION')
    """
    merged = merge(session, given) if given else session
    known = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    overruled: list[str] = []
    for name, row in OPTIONS.items():
        if row.kind == "display":
            # How an answer is displayed decides nothing about the question.
            continue
        # An empty value is not given: it leaves the choice to the next place.
        value, origin = getattr(merged, name), "option" if given.get(name) is not None else "setting"
        if value is None or value == "" or value == EMPTY[name]:
            value, origin = (
                policy.defaults.get(name, row.default),
                "policy" if name in policy.defaults else "default",
            )
            for variable in row.variables:
                if (text := known.get(variable)) and (text := _as_meant(name, text, variable)):
                    value, origin = text, variable
                    break
            if value is None:
                value = EMPTY[name]
        if name in policy.locks:
            value, notice = policy.locked(name, value, origin)
            overruled += [notice] if notice else []
        values[name], origins[name] = value, origin
    given_url = values["base_url"] or None
    notices = environment_notices(
        given_url, region_is_default=origins["region"] == "default", environment=known
    )
    if given_url is not None:
        values["base_url"] = with_version(given_url)
    return Target(origins=origins, notices=(*notices, *overruled), **values)
