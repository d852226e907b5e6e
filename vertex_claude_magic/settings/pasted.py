"""What is no value of a setting: a secret, or a word in place of a file.

People paste a key into the wrong variable, and no error may show it to others. And `journal = "none"` would save every
question in a file of that name.
"""

from __future__ import annotations

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.secret_forms import BEGINNINGS, find_secret
from vertex_claude_magic.text import quote, trimmed

__all__ = ["refuse_pasted", "refuse_word"]

# What the user writes there goes to the model, and has a check of its own before it does (`check_secrets`).
_FREE_TEXT = frozenset({"system"})
_PATHS = frozenset({"journal", "recording", "models_file"})
# These may be long and have lines; a type may be a JSON schema.
_LONG = _PATHS | {"attach", "as_"}
# Names of projects, models, locations and hosts are shorter (RFC 1035: 253 letters of a host), and have no line ends.
_LONGEST = 300
_WANTED = {
    "project": "the id of a Google Cloud project",
    "region": "a location such as global or us-east5",
    "model": "a model id or an alias",
    "base_url": "an https address that ends in /v1",
    **dict.fromkeys(_PATHS, "the path of a file"),
    "attach": "a variable or the path of a file",
    "after": "a reply",
    "as_": "a type or a JSON schema",
    "chat": "a name such as stats",
    "tools": "functions, or their names",
}
_SWITCHES = frozenset({
    "0", "1", "auto", "default", "disable", "disabled", "false", "n", "never", "no", "none", "nothing", "null", "of",
    "on", "true", "y", "yes",
})  # fmt: skip
_NO_FILES = {
    "journal": (_SWITCHES, "Use off to save nothing, or the path of a file."),
    "recording": (_SWITCHES | {"off"}, "Leave it empty for no recording, or use the path of a file."),
}


def refuse_pasted(name: str, value: object, origin: str = "") -> None:
    """Refuse the value of a setting that seems to be a secret; the error contains nothing of the value.

    Args:
        name: The setting, such as "project".
        value: What it holds; only text is looked at.
        origin: The environment variable that gave it, or nothing.

    Raises:
        OptionError: the value seems to be a key, a token or the content of a credentials file.

    >>> refuse_pasted("project", "my-project")
    >>> refuse_pasted("project", "ya29.invented", "GOOGLE_CLOUD_PROJECT")
    Traceback (most recent call last):
    vertex_claude_magic.errors.OptionError: GOOGLE_CLOUD_PROJECT seems to contain a Google access token. ...
    """
    if not isinstance(value, str) or name in _FREE_TEXT:
        return
    bare = trimmed(value, "\"'")
    held = next((what for start, what in BEGINNINGS.items() if bare.startswith(start)), "")
    if not held and (found := find_secret(bare)) is not None:
        held = found[0]
    if not held and name != "as_" and bare.startswith("{"):
        held = "JSON, as in a credentials file"
    if not held and name not in _LONG and "\n" in bare:
        held = "something else, with line ends"
    if not held and name not in _LONG and len(bare) > _LONGEST:
        held = f"something else, of {len(bare)} characters"
    if held:
        setting, wanted = origin or name, _WANTED.get(name, "one of its values")
        raise OptionError(
            f"{setting} seems to contain {held}.",
            cure=f"Set it to {wanted}; its current value is not shown.",
            details={"setting": setting, "wanted": wanted},
        )


def refuse_word(name: str, value: object, variable: str = "") -> None:
    """Refuse a word or a truth value where a setting takes a file.

    Args:
        name: The setting; any but `journal` and `recording` is passed.
        value: What it holds.
        variable: The environment variable that gave it, or nothing; its value is not quoted.

    Raises:
        OptionError: the value is such a word. A file of that name is `./none`.

    >>> refuse_word("journal", "off"), refuse_word("journal", "./none"), refuse_word("model", "none")
    (None, None, None)
    >>> refuse_word("journal", "None")
    Traceback (most recent call last):
    vertex_claude_magic.errors.OptionError: journal is 'None', not a file. Use off to save nothing, or ...
    """
    words, cure = _NO_FILES.get(name, (frozenset(), ""))
    if words and str(value).strip().lower() in words:
        shown = f"{variable} is" if variable else f"{name} is {quote(repr(value), 60)},"
        raise OptionError(f"{shown} not a file.", cure=cure)
