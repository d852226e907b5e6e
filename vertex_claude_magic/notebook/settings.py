"""The settings of a notebook session: traits that `%config ClaudeMagics`, a config file and the panel share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Bool, Dict, Enum, Float, HasTraits, Int, List, TraitError, Unicode, observe, validate

if TYPE_CHECKING:
    from vertex_claude_magic.records.stores import Stores
    from vertex_claude_magic.settings.options import AskOptions

__all__ = ["Settings"]


class Settings(HasTraits):
    """What holds for every question of this session, unless its own line says otherwise.

    An empty text or None means that the environment, the Google credentials or the default decide.
    No secret is ever kept here.
    """

    # Not of one object, because a configuration file may name a recording while it is made.
    _stores: Stores | None = None

    model = Unicode(
        "", help="Model id or alias (sonnet, opus, haiku, sonnet-4.5 ...); empty means sonnet."
    ).tag(config=True)
    region = Unicode("", help="global, us, eu or a region; empty means CLOUD_ML_REGION, then global.").tag(
        config=True
    )
    project = Unicode(
        "", help="Google Cloud project; empty means the environment, then what the credentials say."
    ).tag(config=True)
    system = Unicode("", help="System prompt.").tag(config=True)
    max_tokens = Int(
        None,
        allow_none=True,
        help="Longest answer in tokens; None means 16,000, or the model's limit if lower.",
    ).tag(config=True)
    effort = Unicode("", help="low, medium, high, xhigh or max, as the model takes them.").tag(config=True)
    thinking = Unicode("", help="adaptive, off, between_tools, or a budget in tokens.").tag(config=True)
    show_thinking = Bool(False, help="Ask for a summary of the thinking and show it folded.").tag(config=True)
    temperature = Float(None, allow_none=True, help="For models that take sampling parameters.").tag(
        config=True
    )
    top_p = Float(None, allow_none=True, help="For models that take sampling parameters.").tag(config=True)
    top_k = Int(None, allow_none=True, help="For models that take sampling parameters.").tag(config=True)
    beta = List(Unicode(), help="Beta features, sent as anthropic-beta header.").tag(config=True)
    label = Dict(help="Billing labels, key to value.").tag(config=True)
    format = Enum(
        ("markdown", "text", "json", "code"),
        "markdown",
        help="How answers are shown; code also goes into a new cell.",
    ).tag(config=True)
    no_stream = Bool(False, help="Show answers only when they are complete.").tag(config=True)
    timeout = Float(600.0, help="Seconds for a whole answer.").tag(config=True)
    anthropic_version = Unicode("", help="API version in the body; empty means vertex-2023-10-16.").tag(
        config=True
    )
    base_url = Unicode(
        "", help="Base URL that ends in /v1; empty means ANTHROPIC_VERTEX_BASE_URL, then Google's."
    ).tag(config=True)
    trusted_hosts = List(
        Unicode(), help="Hosts of https gateways that may see your Google token, beside Google's own."
    ).tag(config=True)
    value_tokens = Int(
        4_000,
        help="How many tokens of text one value in a prompt may take; the rest is left out, and said so.",
    ).tag(config=True)
    prompt_tokens = Int(
        None, allow_none=True, help="How many tokens of text a whole prompt may take; None for no limit."
    ).tag(config=True)
    replay = Enum(
        ("", "off", "auto", "only", "refresh"),
        "",
        help="Whether answers that are kept are given again: off, auto (ask for what is not kept), only (send nothing) "
        "or refresh (ask, and keep the new answer); empty means VERTEX_CLAUDE_REPLAY, then off.",
    ).tag(config=True)
    replay_pace = Enum(
        ("instant", "recorded"),
        "instant",
        help="Whether replayed answers come at once, or at the pace at which they came (for demonstrations).",
    ).tag(config=True)
    replay_errors = Bool(False, help="Keep and replay errors of the service too.").tag(config=True)
    recording = Unicode(
        "",
        help="File that keeps the questions and answers of this notebook, to ship beside it; empty means "
        "VERTEX_CLAUDE_RECORDING, then none.",
    ).tag(config=True)
    journal = Unicode(
        "",
        help="File that keeps all questions and answers on this machine, or off; empty means VERTEX_CLAUDE_JOURNAL, "
        "then one in your data folder.",
    ).tag(config=True)
    journal_days = Int(30, help="How many days the journal keeps.").tag(config=True)
    journal_megabytes = Int(500, help="How many megabytes the journal takes at most.").tag(config=True)
    max_cost = Float(
        None, allow_none=True, help="Refuse a question that may cost more than this (USD, estimate)."
    ).tag(config=True)
    max_session_cost = Float(
        None, allow_none=True, help="Refuse a question with which this session may cost more (USD, estimate)."
    ).tag(config=True)
    max_daily_cost = Float(
        None,
        allow_none=True,
        help="Refuse a question with which today's questions may cost more (USD, estimate).",
    ).tag(config=True)
    show_spend = Bool(False, help="Tell below each answer what session and day have cost so far.").tag(
        config=True
    )
    models_file = Unicode("", help="JSON file that adds or corrects rows of the model table.").tag(
        config=True
    )

    def values(self) -> dict[str, Any]:
        """Return the settings that say something, under the option names of the Python interface."""
        found = {name: getattr(self, name) for name in Settings.class_trait_names(config=True)}
        return {name: value for name, value in found.items() if value != self.trait_defaults(name)}

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

    @observe("recording", "replay")
    def _check_recording(self, change: Any) -> None:
        if change["new"]:
            self.tell_missing_recording()

    def tell_missing_recording(self) -> None:
        """Print one line if the recording that is set, here or in the environment, is not there."""
        import os

        if not (self.recording or os.environ.get("VERTEX_CLAUDE_RECORDING")):
            return
        from vertex_claude_magic.records.session_records import missing_recording

        if line := missing_recording(self.options(), self.stores):
            print(line)

    @validate("max_tokens")
    def _check_max_tokens(self, proposal: Any) -> Any:
        return _at_least(proposal, 1, "a number of tokens above 0, or None")

    @validate("value_tokens", "prompt_tokens")
    def _check_tokens(self, proposal: Any) -> Any:
        return _at_least(proposal, 1, "a number of tokens above 0")

    @validate("journal_days", "journal_megabytes")
    def _check_keep(self, proposal: Any) -> Any:
        return _at_least(proposal, 1, "a whole number above 0")

    @validate("max_cost", "max_session_cost", "max_daily_cost")
    def _check_limits(self, proposal: Any) -> Any:
        return _at_least(proposal, 0, "USD, such as 0.50, or None")

    @validate("timeout")
    def _check_timeout(self, proposal: Any) -> Any:
        return _at_least(proposal, 1e-3, "seconds above 0")


def _at_least(proposal: Any, least: float, wanted: str) -> Any:
    value = proposal["value"]
    if value is not None and value < least:
        raise TraitError(f"{proposal['trait'].name} takes {wanted}, not {value}.")
    return value
