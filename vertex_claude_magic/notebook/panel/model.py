"""What the panel shows at one moment, worked out from the settings: one frozen value, no widgets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vertex_claude_magic.models.observed import Sightings
from vertex_claude_magic.notebook.panel.line import magic_line
from vertex_claude_magic.settings import choices
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.models.observed import Seen
    from vertex_claude_magic.settings.choices import Choice
    from vertex_claude_magic.settings.target import Target

__all__ = ["PanelModel", "field_label", "own_options", "panel_model"]

# Settings whose names are no words.
_WORDS = {
    "max_tokens": "max tokens", "top_p": "top-p", "top_k": "top-k", "show_thinking": "show thinking",
    "system": "system prompt", "emulator": "demo mode",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelModel:
    """Everything that the controls show; lists contain only what a question could be sent with.

    `sampling` holds the parameters that the model takes, None where one is not set. `max_tokens` and
    `budget` are in tokens. `warning` says why a question would be refused now. `locked` says for each setting that a
    policy locks to what and by whom; those of `fixed` are locked to one value, the others leave a choice.
    """

    target: Target
    emulated: bool
    catalog: Catalog = field(repr=False)
    seen: Seen = field(repr=False)
    row: Model | None
    model_id: str
    model: str
    models: tuple[Choice, ...]
    region: str
    regions: tuple[Choice, ...]
    region_note: str
    project: str
    project_note: str
    max_tokens: int
    max_tokens_range: range
    effort: str
    efforts: tuple[Choice, ...]
    thinking: str
    thinkings: tuple[Choice, ...]
    budget: int
    budgets: range
    offers_show_thinking: bool
    sampling: Mapping[str, float | None]
    line: str
    line_note: str
    warning: str
    locked: Mapping[str, str] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What people call the chosen model; its id where the table has none."""
        return self.row.short_name if self.row is not None else self.model_id

    @property
    def listed_id(self) -> str:
        """The id of the chosen model in the table; the one that is sent where the table has none."""
        return self.row.id if self.row is not None else self.model_id

    @property
    def summary(self) -> str:
        """The settings in one plain line.

        >>> from vertex_claude_magic.settings.options import AskOptions
        >>> from vertex_claude_magic.settings.target import resolve_target
        >>> panel_model(resolve_target(AskOptions(model="opus", region="eu"))).summary
        'model claude-opus-5-5, region eu, at most 16,000 tokens, effort default (medium), thinking default (always on)'
        """
        parts = [
            f"model {quote(self.model_id, 60)}",
            f"region {quote(self.region, 40)}",
            f"at most {self.max_tokens:,} tokens",
            f"effort {_label(self.efforts, self.effort)}",
            f"thinking {_label(self.thinkings, self.thinking)}",
            *(f"{name} {value:g}" for name, value in self.sampling.items() if value is not None),
        ]
        if self.target.system:
            parts.append(f"a system prompt of {len(str(self.target.system)):,} characters")
        return ", ".join(parts)


def _label(offered: tuple[Choice, ...], value: str) -> str:
    return next((choice.label for choice in offered if choice.value == value), value)


def panel_model(target: Target, seen: Seen = Sightings, *, emulated: bool = False) -> PanelModel:
    """Work out what the panel shows for the settings of a session.

    Args:
        target: The settings.
        seen: Returns what was last seen live.
        emulated: Whether the demo's emulator answers.
    """
    model_id, row = choices.chosen_model(target)
    budgets = choices.thinking_budgets(target)
    kind = choices.thinking_kind(target)
    refused = choices.refusal(target, seen)
    policy = present_policy()
    origin, project_from = (
        policy.giver(name, getattr(target, name), target.origins[name]) for name in ("region", "project")
    )
    if emulated:
        project_note = "The demo needs no project."
    elif project_from == "setting":
        project_note = "Set for this session."
    elif target.project:
        project_note = f"{quote(target.project, 60)}, from {project_from}."
    else:
        project_note = "Taken from the Google credentials; or enter one here."
    line_note = "Copy line includes the system prompt." if target.system else ""
    if len(str(target.system or "").splitlines()) > 1:
        line_note = "The system prompt has several lines and does not fit on the line: it remains a setting."
    return PanelModel(
        target=target,
        emulated=emulated,
        catalog=target.catalog,
        seen=seen,
        row=row,
        model_id=model_id,
        model=choices.model_value(target),
        models=_allowed(choices.model_choices(target, seen())),
        region=target.region,
        regions=choices.region_choices(target, seen()),
        # A lock names its file in its own sentence.
        region_note=(
            "" if origin in {"setting", "default"} or "region" in policy.locks else f"From {origin}. "
        )
        + choices.region_note(target),
        project="" if emulated else target.project or "",
        project_note=project_note,
        max_tokens=choices.default_max_tokens(target),
        max_tokens_range=choices.max_tokens_range(target),
        effort=target.effort or "",
        efforts=choices.effort_choices(target),
        thinking=kind,
        thinkings=choices.thinking_choices(target),
        budget=int(target.thinking or 0) if kind == "budget" else budgets[0],
        budgets=budgets,
        offers_show_thinking=target.show_thinking or choices.takes(target, "show_thinking"),
        sampling={
            name: value
            for name in choices.SAMPLING
            if (value := getattr(target, name)) is not None or choices.takes(target, name)
        },
        line=magic_line(own_options(target, emulated=emulated), hide_system=True),
        line_note=line_note,
        warning=str(refused) if refused is not None else "",
        locked=_locked(),
        fixed=frozenset(name for name, allowed in policy.locks.items() if len(allowed) == 1),
    )


def field_label(name: str) -> str:
    """Return what the panel calls a setting within a sentence.

    >>> field_label("top_p"), field_label("as_")
    ('top-p', 'as')
    """
    return _WORDS.get(name, name.rstrip("_").replace("_", " "))


def _locked() -> dict[str, str]:
    """Return what a policy fixes of the settings, and by whom, a sentence each."""
    policy = present_policy()
    found = {
        name: f"{name} is locked to {' or '.join(quote(str(value), 40) for value in allowed)} by {policy.who(name)}."
        for name, allowed in policy.locks.items()
    }
    for name in policy.ceilings:
        found.setdefault(name, f"{policy.limited(name)}.")
    # Named as the fields of the panel are.
    for name, sentence in found.items():
        found[name] = f"{field_label(name).capitalize()}{sentence.removeprefix(name)}"
    for name in sorted(policy.forbids):
        what = "live calls" if name == "live" else name
        found[name] = f"{what.capitalize()} are switched off by {policy.who(name, 'limits')}."
    if policy.hints < 4:
        found["hints"] = f"Hints end at level {policy.hints}, by {policy.who('hints')}."
    return found


def _allowed(models: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """Return the models, those that a policy does not allow with who locked them."""
    policy = present_policy()
    allowed = policy.locks.get("model")
    if allowed is None:
        return models
    why = f"locked by {quote(policy.who('model'), 40)}"
    return tuple(each if each.why or each.value in allowed else each._replace(why=why) for each in models)


def own_options(target: Target, *, emulated: bool) -> Target:
    """Return the settings without the project that the demo put in its place."""
    return target.replace(project=None) if emulated else target
