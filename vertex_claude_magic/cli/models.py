"""`vertex-claude models`: the model table as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.cli.arguments import Parser
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.notebook.pages.models import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Print the table, all of it or one family, with the prices of one location; 1 if the table does not know that."""
    catalog = Catalog.load()
    families = list(dict.fromkeys(model.family for model in catalog.models))
    parser = Parser(prog="vertex-claude models", allow_abbrev=False)
    parser.add_argument("--family", choices=families, help="show one family")
    parser.add_argument("--region", metavar="LOC", help="show what a location serves, with its prices")
    parser.add_argument("--all", action="store_true", help="also models that are not current")
    options = parser.parse_args(argv)
    print(plain(catalog, location=options.region, family=options.family, current=not options.all))
    return int(options.region is not None and options.region not in catalog.locations())
