"""The rows of the model table: a model, its rules and its prices.

They are named tuples, because a data class takes half a millisecond to build when it is imported.
"""

from __future__ import annotations

from vertex_claude_magic.named_tuple import NamedTuple

__all__ = ["Model", "Prices", "Rules", "Tier", "short_count"]


class Tier(NamedTuple):
    """Prices in USD per million tokens for prompts of more than `over_input_tokens` tokens.

    None stands for a price that no source gives. `cache_write_5m` and `cache_write_1h` are for tokens
    written to the prompt cache for five minutes or one hour.
    """

    over_input_tokens: int = 0
    input: float | None = None
    output: float | None = None
    cache_write_5m: float | None = None
    cache_write_1h: float | None = None
    cache_read: float | None = None


class Prices(NamedTuple):
    """All prices of one model.

    `tiers` rise by `over_input_tokens`. `endpoint_premium` is the share added to every token price at
    endpoints other than `global` (0.1 is 10 %). `batch_factor` multiplies token prices in batch
    prediction, `fast_factor` in fast mode (None where the model has none). `web_search` is USD per thousand
    searches.
    """

    tiers: tuple[Tier, ...] = ()
    endpoint_premium: float = 0.0
    batch_factor: float | None = None
    fast_factor: float | None = None
    web_search: float | None = None


class Rules(NamedTuple):
    """What requests a model accepts; the defaults accept everything, for models whose rules are unknown.

    `thinking` holds the accepted types. `thinking_default` says what happens without the field: "off",
    "adaptive" (the model decides) or "always" (it cannot be turned off). `disabled_max_effort` is the
    highest effort at which thinking may be disabled (or limited to the time
    between tools), None for no limit. `default_effort` is what the service takes without the field; it is shown
    and never sent. `sampling` covers temperature,
    top_p and top_k. An empty `effort` means that the field is refused. `structured_outputs` is None
    where no source tells. `min_thinking_budget` is in tokens. `image_edge` is the longest edge in pixels
    that the model looks at; the service scales larger images down. `system_messages` says what becomes of a
    message of the role `system` ("obeyed", "ignored" or "refused"); `computer_tools` holds the only types of
    computer tools that are taken, None for no restriction. `preserved_thinking` says for whom the service
    checks that nothing before a thinking block of the history has changed: "every account" of Google Cloud,
    "new accounts" (made since 2026-08-31), or None for nobody.
    """

    thinking: tuple[str, ...] = ("enabled", "adaptive", "disabled", "between_tools")
    thinking_default: str = "off"
    disabled_max_effort: str | None = None
    sampling: bool = True
    effort: tuple[str, ...] = ("low", "medium", "high", "xhigh", "max")
    default_effort: str | None = None
    prefill: bool = True
    forced_tool_choice: bool = True
    structured_outputs: bool | None = None
    min_thinking_budget: int = 1024
    image_edge: int = 1568
    system_messages: str = "obeyed"
    computer_tools: tuple[str, ...] | None = None
    preserved_thinking: str | None = None
    sources: tuple[str, ...] = ()


class Model(NamedTuple):
    """One row of the table. None means that no source has the value.

    Args:
        id: The id on Vertex AI.
        other_ids: Other ids that Vertex AI takes for the same model.
        api_ids: Ids of the Claude API; the first is the one that replies carry.
        aliases: Short names of this package, such as `sonnet-4.5`.
        lifecycle: "active", "deprecated", "retired" or "limited" (open to invited customers).
        not_sooner_than: A promise that the model stays until then; not a retirement date.
        retired_on: When Vertex AI ended it.
        api_retired_on: When the Claude API ended it or will; Google sets its own dates.
        successor: The id that the table suggests instead, the newest of the family.
        locations: Where it is served, or was until it ended; None where no source tells, empty for a model that
            ended somewhere that no source tells.
        sources: Keys into the table's sources.
        disagreements: One sentence for each point on which the sources differ.
    """

    id: str
    name: str
    family: str
    released: str | None = None
    other_ids: tuple[str, ...] = ()
    api_ids: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    lifecycle: str = "active"
    deprecated_on: str | None = None
    retired_on: str | None = None
    not_sooner_than: str | None = None
    api_retired_on: str | None = None
    successor: str | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    min_cacheable_tokens: int | None = None
    locations: tuple[str, ...] | None = None
    prices: Prices = Prices()
    rules: Rules = Rules()
    capabilities: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    disagreements: tuple[str, ...] = ()

    @property
    def api_id(self) -> str:
        """The id that replies of the service carry, such as `claude-sonnet-4-5-20250929`."""
        # The service answers with a hyphen where Vertex AI has an at sign.
        return self.api_ids[0] if self.api_ids else self.id.replace("@", "-")

    @property
    def short_name(self) -> str:
        """The name without the word that all of them share, such as "Sonnet 5.5"."""
        return self.name.removeprefix("Claude ")

    def served_in(self, location: str) -> bool:
        """Tell whether the table knows that a location serves this model."""
        return location in (self.locations or ())


def short_count(tokens: int | None) -> str:
    """Write a number of tokens as people say it; "?" where it is unknown.

    >>> short_count(1_000_000), short_count(200_000), short_count(512), short_count(None)
    ('1M', '200K', '512', '?')
    """
    if tokens is None:
        return "?"
    if tokens >= 1_000_000:
        return f"{tokens / 1_000_000:g}M"
    return f"{tokens // 1_000}K" if tokens >= 1_000 else str(tokens)
