"""The headers of a request: betas, billing labels, and what the user adds."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.spelling import Spelling, option, spelled
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.digest import BETA_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vertex_claude_magic.models.catalog import Catalog

__all__ = ["Headers", "counting_headers", "headers_of", "shown_headers"]

_HEADER = Spelling("--header 'Name: value'", 'header={"Name": "value"}')

_FIXED_HEADERS = {"authorization", "proxy-authorization", "host", "content-length", "transfer-encoding",
                  "content-type", "connection"}  # fmt: skip
# Patterns as texts: few questions have headers or labels of their own, and compiling takes time when imported.
_HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
# "Add custom metadata labels" (Google Cloud docs, 2026): keys and values of billing labels.
_LABEL_KEY = r"[^\W\dA-Z_](?:[^\WA-Z]|-){0,62}"
_LABEL_VALUE = r"(?:[^\WA-Z]|-){0,63}"
_LABELS_HEADER = "X-Vertex-AI-Labels"
# What this package writes; the value of any other header may be a key.
_SHOWN_HEADERS = {"content-type", BETA_HEADER, _LABELS_HEADER.lower()}
_NOT_SHOWN = "[not shown]"


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as anybody may see them.

    >>> shown_headers({"Content-Type": "application/json", "X-Key": "secret"})
    {'Content-Type': 'application/json', 'X-Key': '[not shown]'}
    """
    return {
        name: value if str(name).lower() in _SHOWN_HEADERS else _NOT_SHOWN for name, value in headers.items()
    }


class Headers(dict[str, str]):
    """Headers by name, which print their values only where no user has given them.

    >>> Headers({"X-Key": "secret"})
    {'X-Key': '[not shown]'}
    >>> Headers({"X-Key": "secret"})["X-Key"]
    'secret'
    """

    def __repr__(self) -> str:
        return repr(shown_headers(self))


def headers_of(
    betas: Sequence[str], header: Mapping[str, str], label: Mapping[str, str], catalog: Catalog
) -> Headers:
    """Return the headers of a request, all but the token.

    Betas of both kinds share one header without duplicates, because Google reads one header only.

    Args:
        betas: Names of betas.
        header: Headers that the user gives, `anthropic-beta` in any case among them.
        label: Billing labels.
        catalog: The model table, for the number of labels.

    Raises:
        OptionError: HTTP or Vertex AI cannot carry it, or the header is not for users to set.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> headers_of(["a"], {"Anthropic-Beta": "b, a"}, {}, Catalog.load())["anthropic-beta"]
    'a,b'
    """
    headers = Headers({"Content-Type": "application/json"})
    given = {name: value for name, value in header.items() if name.lower() != BETA_HEADER}
    by_hand = [str(value) for name, value in header.items() if name not in given]
    if (joined := ",".join((*betas, *by_hand))) and (names := _beta_names(joined)):
        headers[BETA_HEADER] = ",".join(names)
    if label:
        headers[_LABELS_HEADER] = _labels(label, int(catalog.limits["request"]["labels"]))
    headers.update(given)
    for name, value in headers.items():
        by_user = name in header
        if by_user and name.strip().lower() in _FIXED_HEADERS:
            raise OptionError(
                f"The header {quote(name, 60)!r} is set by this package.",
                cure=spelled("Leave it out of {}.", option("header")),
            )
        named = not by_user or re.fullmatch(_HEADER_NAME, name)
        plain = isinstance(value, str) and value.isascii() and value.isprintable() and value == value.strip()
        if not (named and plain):
            # The value may be a secret, so it is not quoted; it may stand where the name should end.
            which = f"The header {quote(name, 60)!r}" if named else "A header"
            raise OptionError(
                f"{which} has a name or a value that HTTP cannot carry.",
                cure=spelled("Use {} in printable ASCII.", _HEADER),
            )
    return headers


def _beta_names(joined: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in joined.split(",") if name.strip()))


def counting_headers(headers: Mapping[str, str], catalog: Catalog) -> Headers:
    """Return the headers with which the same request is counted: without the betas that are refused there."""
    refused = catalog.services["betas"]["refused_in_count"]
    betas = [name for name in _beta_names(headers.get(BETA_HEADER, "")) if name not in refused]
    others = {name: value for name, value in headers.items() if name != BETA_HEADER}
    return Headers({**others, BETA_HEADER: ",".join(betas)} if betas else others)


def _labels(labels: Mapping[str, str], most: int) -> str:
    for key, value in labels.items():
        if not re.fullmatch(_LABEL_KEY, key) or not re.fullmatch(_LABEL_VALUE, value):
            raise OptionError(
                f"{quote(key, 40)}={quote(value, 40)} is not a valid billing label.",
                cure="Keys start with a lowercase letter; keys and values contain only lowercase letters, digits, "
                "_ and -, 63 characters at most.",
            )
    if len(labels) > most:
        raise OptionError(f"{len(labels)} billing labels are too many.", cure=f"Use {most} at most.")
    return base64.b64encode(json.dumps(dict(labels)).encode()).decode("ascii")
