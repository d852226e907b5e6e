"""The model table: which Claude models Vertex AI serves, where, at what price and under which rules.

The facts are in `models.json` beside this module, because facts age and code should not. A user may
name a file of the same layout that adds rows or corrects them. The table advises: what it does not know
is sent all the same, with a notice.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.models.model import Model, Prices, Rules, Tier
from vertex_claude_magic.models.table_file import FileStamp, bundled_table, file_stamp, with_user_table
from vertex_claude_magic.spelling import changing, ways

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Catalog"]

# Names are compared up to this many characters, because comparing takes quadratic time.
_LONGEST = 80
# The order in which lists show them; other families follow in the order of the table.
_MOST_USED = ("sonnet", "opus", "haiku")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Catalog:
    """The whole table, and the questions that are asked of it.

    `as_of` is the day on which the facts were gathered (YYYY-MM-DD). `api_versions` tells for each
    `anthropic_version` which fields it `refuses`. `limits` and `services` hold the limits of a request
    and the facts about web search and token counting; `sources` maps keys to titles and dates.

    >>> catalog = Catalog.load()
    >>> catalog.model_id("sonnet", "global")
    'claude-sonnet-5-5'
    >>> catalog.model_id("sonnet", "us-east5")
    'claude-sonnet-4-6'
    """

    as_of: str
    models: tuple[Model, ...]
    api_versions: Mapping[str, Mapping[str, Any]]
    limits: Mapping[str, Mapping[str, Any]]
    services: Mapping[str, Mapping[str, Any]]
    sources: Mapping[str, Mapping[str, str]]
    location_kinds: Mapping[str, Mapping[str, Any]]
    _spellings: Mapping[str, Model]

    @classmethod
    def load(cls, extra: str | os.PathLike[str] | None = None) -> Catalog:
        """Return the table that comes with the package, with a user's own file on top of it.

        A file is read again when it changed, not for every question.

        Args:
            extra: A JSON file of the layout of `models.json`. Rows with a known id override the fields
                that they name, other rows are added; the entries of other sections do the same.

        Raises:
            OptionError: The file cannot be read or used; the message names the file and the place in it.
        """
        return _load(None, None) if extra is None else _load(os.fspath(extra), file_stamp(extra))

    def find(self, name: str) -> Model | None:
        """Return the row of a model by any spelling of its id or by its short name, or None.

        Case does not matter, `@` may be percent-encoded, and `@default` stands for the dated version.

        >>> Catalog.load().find("claude-sonnet-4-5-20250929").id
        'claude-sonnet-4-5@20250929'
        """
        if (row := self._spellings.get(name)) is not None:
            # Most names come as the table spells them.
            return row
        key = _key(name)
        return self._spellings.get(key) or self._spellings.get(key.removesuffix("@default"))

    def model_id(self, name: str, location: str) -> str:
        """Return the model id to send for what a user typed.

        A family (`sonnet`) means its newest active model that the location serves, or the newest of all
        where the table does not know the location. A short name or a Claude API id gives the id on
        Vertex AI. Every other name is returned as typed, known or not.

        Raises:
            OptionError: No active model of the family is served in the location.
        """
        return _model_id(self, name, location)

    def newest(self, family: str, location: str | None = None) -> Model | None:
        """Return the newest active model of a family, at a location if one is given, or None.

        A model whose locations no source tells is never chosen.
        """
        rows = [row for row in self.models if row.family == family and row.lifecycle == "active"]
        # Without a source for its locations nobody knows whether it answers.
        served = [row for row in rows if row.locations and (location is None or row.served_in(location))]
        return max(served, key=lambda row: row.released or "", default=None)

    def nearest(self, name: str, count: int = 3) -> tuple[str, ...]:
        """Return up to `count` model ids or family names that look like `name`, the likest first.

        Retired models come after all others, because naming one of them seldom helps.

        >>> Catalog.load().nearest("claude-sonet-5.5", 1)
        ('claude-sonnet-5-5',)
        """
        import difflib

        known = {key: model.id for key, model in self._spellings.items()}
        known |= {family: family for family in self._active_families()}
        # More than are wanted, because retired models among them go to the end.
        close = difflib.get_close_matches(_key(name)[:_LONGEST], known, n=count * 4, cutoff=0.6)
        names = dict.fromkeys(known[key] for key in close)
        retired = {model.id for model in self.models if model.lifecycle == "retired"}
        return tuple(sorted(names, key=retired.__contains__))[:count]

    def nearest_alias(self, name: str) -> str | None:
        """Return the short name that a bare word was probably meant to be, or None.

        Every id of a Claude model on Vertex AI begins with `claude-`, so that a word that does not, and
        looks like a short name, is taken for a slip.

        >>> catalog = Catalog.load()
        >>> catalog.nearest_alias("sonet"), catalog.nearest_alias("claude-sonet"), catalog.nearest_alias("gpt")
        ('sonnet', None, None)
        """
        import difflib

        if _key(name).startswith("claude") or _key(name) in self.families() or self.find(name) is not None:
            return None
        known = {_key(alias): alias for alias in self.aliases()}
        close = difflib.get_close_matches(_key(name)[:_LONGEST], known, n=1, cutoff=0.7)
        return known[close[0]] if close else None

    def locations(self) -> tuple[str, ...]:
        """Return every location that some row names: global, us, eu, then the regions by name."""
        first = [name for kind in self.location_kinds.values() for name in kind["members"]]
        named = {place for model in self.models for place in model.locations or ()}
        return (*(place for place in first if place in named), *sorted(named.difference(first)))

    def families(self) -> tuple[str, ...]:
        """Return the families, the most used first, the others in the table's order.

        >>> Catalog.load().families()[:3]
        ('sonnet', 'opus', 'haiku')
        """
        named = tuple(dict.fromkeys(model.family for model in self.models))
        return tuple(sorted(named, key=lambda name: (*_MOST_USED, name).index(name)))

    def location_note(self, location: str) -> str:
        """Return one line on what a location of this kind means for data and availability."""
        for kind in self.location_kinds.values():
            if location in kind["members"]:
                return str(kind["note"])
        return str(self.location_kinds["region"]["note"])

    def nearest_location(self, location: str) -> str | None:
        """Return the known location that looks most like `location` or shares its continent, or None.

        >>> Catalog.load().nearest_location("us-eats5"), Catalog.load().nearest_location("europe-north2")
        ('us-east5', 'europe-west1')
        """
        import difflib

        wanted = location.strip().lower()[:_LONGEST]
        close = difflib.get_close_matches(wanted, self.locations(), n=1, cutoff=0.75)
        # Where no name is alike, a location nearby keeps the data on its continent.
        continent = wanted.partition("-")[0]
        same = [place for place in self.locations() if continent == place.partition("-")[0]]
        return next(iter(close + sorted(same, key=len, reverse=True)), None)

    def aliases(self) -> tuple[str, ...]:
        """Return the short names that `model_id` understands: families, then `sonnet-4.5` and its like."""
        return (*self._active_families(), *(alias for model in self.models for alias in model.aliases))

    def _active_families(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model.family for model in self.models if model.lifecycle == "active"))


def _key(name: str) -> str:
    return name.strip().lower().replace("%40", "@").replace(".", "-")


# The caches of functools are bounded, safe between threads, and keep no error: a bad file is read each time.


# Asked for every question, and a family is looked for in all rows and locations: 20 microseconds.
@lru_cache(maxsize=64)
def _model_id(catalog: Catalog, name: str, location: str) -> str:
    key = _key(name)
    rows = [row for row in catalog.models if row.family == key]
    if rows:
        newest = catalog.newest(key, location if location in catalog.locations() else None)
        if newest is not None:
            return newest.id
        served = {place for row in rows if row.lifecycle == "active" for place in row.locations or ()}
        places = ", ".join(place for place in catalog.locations() if place in served)
        raise OptionError(
            f"No active model of the family {key} is served in {location}.",
            cure=ways(
                changing("region", f"choose a region that does ({places})") if places else "",
                changing(
                    "model", "give a model id" if places else f"give a model id, for example {rows[0].id}"
                ),
            ),
            details={"option": "region"},
        )
    model = catalog.find(name)
    if model is None or name in (model.id, *model.other_ids) or name.endswith("@default"):
        return name
    return model.id


@lru_cache(maxsize=8)
def _load(path: str | None, stamp: FileStamp | None) -> Catalog:  # noqa: ARG001 - the stamp is part of the key
    table = bundled_table() if path is None else with_user_table(bundled_table(), path)
    rules = {name: Rules(**_tuples(fields)) for name, fields in table["rule_sets"].items()}
    # One fee for all models; it is stored with each, so that prices of a model are whole.
    search = table["services"].get("web_search", {}).get("usd_per_1000")
    models = []
    for row in table["models"]:
        prices = dict(row.get("prices") or {})
        tiers = sorted(
            (Tier(**tier) for tier in prices.get("tiers", ())), key=lambda tier: tier.over_input_tokens
        )
        more = {
            "rules": rules[row["rules"]] if row.get("rules") else Rules(),
            "prices": Prices(**{**prices, "tiers": tuple(tiers)}, web_search=search),
        }
        models.append(Model(**{**_tuples(row), **more}))
    spellings = {_key(model.id): model for model in models}
    for model in models:
        for name in (*model.other_ids, *model.api_ids, *model.aliases):
            # The id of a model wins over an alias of another.
            spellings.setdefault(_key(name), model)
    return Catalog(
        as_of=table["as_of"],
        models=tuple(models),
        api_versions=table["api_versions"],
        limits=table["limits"],
        services=table["services"],
        sources=table["sources"],
        location_kinds=table["locations"],
        _spellings=spellings,
    )


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    # Rows are shared and hashable, so nothing of them may be changed.
    return {name: tuple(value) if type(value) is list else value for name, value in fields.items()}
