"""The line of a magic: which variable, which options of the registry, which prompt.

A parser of our own, because the prompt of `%claude` must survive to the letter: after the options the
rest of the line is not split, unquoted or expanded. Quotes group only where a word or the value after
an equals sign begins, so that apostrophes inside words are letters.
"""

from __future__ import annotations

import json
import keyword
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.settings.registry import EMPTY, LINE_OPTIONS, Option, by_name
from vertex_claude_magic.text import nearest, quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vertex_claude_magic.json_types import Json

__all__ = [
    "ParsedLine",
    "parse_cell_line",
    "parse_options",
    "parse_prompt_line",
    "parse_table_line",
    "parse_words",
    "read_value",
    "variable_name",
]


class ParsedLine(NamedTuple):
    """A line as it was read: the variable for the reply, the options by key, and for `%claude` the prompt."""

    name: str | None = None
    options: Mapping[str, Any] = MappingProxyType({})
    prompt: str = ""

    @property
    def asked(self) -> dict[str, Any]:
        """The options that say what is asked, not how it is shown."""
        return {name: value for name, value in self.options.items() if name in EMPTY}

    def shows(self, name: str) -> bool:
        """Tell whether an option that says how the answer is shown was given, such as "quiet"."""
        return bool(self.options.get(name))


class _Word(NamedTuple):
    text: str
    start: int
    end: int
    quoted: bool


def parse_cell_line(
    line: str, known: Mapping[str, Option] = LINE_OPTIONS, *, one_line: str = ""
) -> ParsedLine:
    """Read the line of a `%%claude` cell: an optional variable name, then options, and nothing else.

    Args:
        line: The line.
        known: The options that it takes, by name.
        one_line: The magic that takes a prompt on its line, where the cell has no other lines.

    Raises:
        OptionError: an option is unknown, abbreviated, repeated without sense, or has no or a wrong value.

    >>> parse_cell_line('answer -m opus --system "it\\'s short"').options
    {'model': 'opus', 'system': "it's short"}
    """
    words = _words(line)
    name = None
    below = "on the lines below" + (f", or in one line after {one_line}" if one_line else "")
    if words and not words[0].quoted and not words[0].text.startswith("-"):
        name = variable_name(
            words[0].text, f"The first word is the variable for the reply; the prompt goes {below}."
        )
        words = words[1:]
    options, rest = _options(words, known)
    if options.get("help") and [word.text for word in rest] == ["all"]:
        return ParsedLine(name=name, options=options, prompt="all")
    if rest:
        first = "" if name else "The variable for the reply goes before the options. "
        raise _no_option(line, rest[0].text, f"{first}The prompt goes {below}; quote values with spaces.")
    return ParsedLine(name=name, options=options)


def variable_name(text: str, cure: str) -> str:
    """Return a word that can be a variable of the user's.

    Args:
        text: The word.
        cure: What to write instead of a word that is no name at all.

    Raises:
        OptionError: it cannot.
    """
    import builtins

    if not text.isidentifier():
        raise OptionError(f"{quote(text, 40)!r} is not a valid variable name.", cure=cure)
    if keyword.iskeyword(text) or hasattr(builtins, text) or text in {"In", "Out", "_", "__", "___"}:
        raise OptionError(
            f"{text!r} is a reserved name in Python or IPython.",
            cure="Choose another variable.",
        )
    return text


def parse_table_line(line: str, options: Mapping[str, Option], written: str) -> tuple[ParsedLine, str]:
    """Read the line of a magic that takes a variable and a table, then options, and return both.

    Args:
        line: The line.
        options: The options that it takes, by name.
        written: How the magic is written, for errors.

    Raises:
        OptionError: a word is missing, the result would take the place of the table, or as `parse_cell_line`.

    >>> parsed, table = parse_table_line("labels reviews -m haiku", LINE_OPTIONS, "%%claude_map")
    >>> parsed.name, table, parsed.options
    ('labels', 'reviews', {'model': 'haiku'})
    """
    words = _words(line)
    leading = [word.text for word in words[:2] if word.quoted or not word.text.startswith("-")]
    wanted = f"Write {written} NAME TABLE, such as {written} labels reviews."
    if len(leading) < 2 and not any(word.text in {"-h", "--help"} for word in words):
        missing = "the table" if leading else "the variable for the result, and the table"
        raise OptionError(f"The line is missing {missing}.", cure=wanted)
    name = variable_name(leading[0], wanted) if leading else None
    table = leading[1] if len(leading) > 1 else ""
    if name is not None and re.split(r"[.\[]", table, maxsplit=1)[0] == name:
        # Then the cell could not be run again, and a failure would leave no table.
        raise OptionError(
            f"The result would replace its own table {quote(name, 60)}.",
            cure=f"Write another name for it: {written} {name}_result {quote(table, 60)}",
        )
    found, rest = _options(words[len(leading) :], options)
    if rest:
        raise _no_option(line, rest[0].text, "The prompt goes on the lines below; quote values with spaces.")
    return ParsedLine(name=name, options=found), table


def parse_prompt_line(line: str, options: Mapping[str, Option] = LINE_OPTIONS) -> ParsedLine:
    """Read the line of `%claude`: options, then the prompt to the letter.

    Args:
        line: The line.
        options: The options that it takes, by name.

    >>> parse_prompt_line("-m haiku What's {x} in $5?").prompt
    "What's {x} in $5?"
    """
    found, rest = _options(_words(line, lenient=True), options)
    prompt = line[rest[0].start :].rstrip() if rest else ""
    return ParsedLine(options=found, prompt=prompt)


def parse_words(line: str, options: Sequence[Option]) -> ParsedLine:
    """Read the line of a magic that asks nothing: words and its own options in any order; `prompt` has the words.

    >>> parse_words("on --force", [Option("force", "flag")])
    ParsedLine(name=None, options={'force': True}, prompt='on')
    """
    known = by_name(options)
    found, typed = dict[str, Any](), list[str]()
    words = _words(line)
    while words:
        _, words = _options(words, known, found)
        typed += [word.text for word in words[:1]]
        words = words[1:]
    return ParsedLine(options=found, prompt=" ".join(typed))


def parse_options(line: str, options: Sequence[Option]) -> dict[str, Any]:
    """Read the line of a magic that takes options of its own and nothing else.

    Raises:
        OptionError: as `parse_cell_line`.

    >>> parse_options("-m opus", [Option("model", short="-m", value="ID", help="a model")])
    {'model': 'opus'}
    """
    parsed = parse_words(line, options)
    if parsed.prompt:
        word = parsed.prompt.partition(" ")[0]
        raise _no_option(line, word, "Leave it out, or quote the value of an option that has spaces.")
    return dict(parsed.options)


def _no_option(line: str, word: str, cure: str) -> OptionError:
    """Return the error of a word behind an option and its value; mostly a space has parted it from the value."""
    before = line.partition(word)[0].rstrip()
    if before.endswith(","):
        cure = "Write no space after the comma."
    elif any(before.count(opened) > before.count(closed) for opened, closed in ("[]", "()", "{}")):
        cure = "Quote the whole value, because it has spaces."
    return OptionError(f"{quote(word, 40)!r} is not an option.", cure=cure)


def _options(
    words: list[_Word], known: Mapping[str, Option] = LINE_OPTIONS, found: dict[str, Any] | None = None
) -> tuple[dict[str, Any], list[_Word]]:
    found = {} if found is None else found
    position = 0
    while position < len(words):
        word = words[position]
        # As in shells: behind it a prompt may begin with a dash.
        if word.text == "--" and not word.quoted:
            return found, words[position + 1 :]
        if word.quoted or not word.text.startswith("-") or len(word.text) < 2:
            break
        name, assigned, value = word.text.partition("=")
        option = known.get(name) or _refuse(name, known)
        position += 1
        if option.kind in {"flag", "display", "confirm"}:
            if assigned:
                raise OptionError(f"{option.long} takes no value.", cure=f"Write {option.long} alone.")
            found[option.name] = True
            continue
        if not assigned:
            following = words[position] if position < len(words) else None
            if following is None or (not following.quoted and following.text.partition("=")[0] in known):
                raise OptionError(
                    f"{option.long} needs a value.", cure=f"Write {option.long} {option.value}."
                )
            value = following.text
            position += 1
        read = read_value(option, value)
        if not option.repeatable:
            if option.name in found:
                raise OptionError(f"{option.long} is given twice.", cure="Set it once.")
            found[option.name] = read
        # Options that may come several times add up.
        elif isinstance(read, dict):
            found[option.name] = {**found.get(option.name, {}), **read}
        else:
            found[option.name] = (*found.get(option.name, ()), read)
    return found, words[position:]


def read_value(option: Option, text: str) -> str | float | dict[str, Json]:
    """Read the text of a value, by the kind of the option; fields by what their value is called.

    Raises:
        OptionError: the option cannot have this value.

    >>> read_value(LINE_OPTIONS["--max-tokens"], "1,000")
    1000
    """
    match option.value if option.kind == "fields" else option.kind:
        case "integer":
            # A list such as 1,2 is not a number with commas.
            grouped = re.fullmatch(r"-?[0-9]{1,3}(,[0-9]{3})+", text)
            try:
                return int(text.replace(",", "") if grouped else text)
            except ValueError:
                raise OptionError(
                    f"The value of {option.long} is not a whole number: {quote(text, 40)!r}.",
                    cure=f"Give {option.wanted or 'a whole number'}.",
                ) from None
        case "number":
            try:
                return float(text)
            except ValueError:
                raise OptionError(
                    f"The value of {option.long} is not a number: {quote(text, 40)!r}.",
                    cure=f"Give {option.wanted or 'a number such as 0.5'}.",
                ) from None
        case "KEY=JSON":
            key, separator, value = text.partition("=")
            if not separator or not key.strip():
                raise OptionError(
                    f"{quote(text, 60)!r} is not KEY=JSON.",
                    cure='Write --set \'metadata={"user_id": "u1"}\'.',
                )
            try:
                return {key.strip(): json.loads(value)}
            except ValueError:
                raise OptionError(
                    f"The value of {quote(key, 40)!r} is not JSON: {quote(value, 60)!r}.",
                    cure=f"Text needs quotes: --set '{quote(key, 40)}=\"text\"'.",
                ) from None
        case "'Name: value'":
            name, separator, value = text.partition(":")
            if not separator:
                raise OptionError("A header needs a colon.", cure="Write --header 'Name: value'.")
            return {name.strip(): value.strip()}
        case "KEY=VALUE":
            key, separator, value = text.partition("=")
            if not separator:
                key = quote(text, 40)
                raise OptionError(f"{key!r} is not KEY=VALUE.", cure=f"Write {option.long} {key}=VALUE.")
            value = value.strip()
            quoted = len(value) > 1 and value[0] == value[-1] == '"'
            return {key.strip(): value[1:-1] if quoted else value}
    return text


def _refuse(name: str, known: Mapping[str, Option]) -> Option:
    long = name.startswith("--")
    # What the command reads only to refuse it, is no advice; and two dashes with a letter resemble any short option.
    offered = [
        each for each, row in known.items() if "line" in row.places and (each.startswith("--") or not long)
    ]
    if name == "--stream" and "--no-stream" in offered:
        raise OptionError(
            "There is no option '--stream': answers stream by default.",
            cure="Leave it out; --no-stream shows the answer only when it is complete.",
        )
    longer = [each for each in offered if long and each.startswith(name)]
    near = " or ".join(longer) or nearest(name, offered)
    short = "Options cannot be abbreviated: " if longer else "There is no option "
    own = (
        "%%claude --help all lists all options; -- ends them."
        if LINE_OPTIONS.keys() <= known.keys()
        else f"Known are {', '.join(offered)}."
    )
    cure = f"Did you mean {near}?" if near else own
    raise OptionError(f"{short}{quote(name, 40)!r}.", cure=cure)


def _words(line: str, *, lenient: bool = False) -> list[_Word]:
    """Split at spaces; a quote groups where a word, or the value after its `=`, begins."""
    words: list[_Word] = []
    position = 0
    while position < len(line):
        if line[position].isspace():
            position += 1
            continue
        word = _word(line, position, lenient=lenient)
        words.append(word)
        position = word.end
    return words


def _word(line: str, start: int, *, lenient: bool) -> _Word:
    if line[start] in "'\"":
        text, end = _quoted(line, start, lenient=lenient)
        return _Word(text, start, end, quoted=True)
    end = start
    while end < len(line) and not line[end].isspace():
        if line[end] in "'\"" and line[end - 1] == "=" and end > start:
            value, stop = _quoted(line, end, lenient=lenient)
            of_option = line[start] == "-" and "=" not in line[start : end - 1]
            # In KEY="text" the quotes stay, because JSON needs them.
            text = value if of_option or line[end] == "'" else line[end:stop]
            return _Word(line[start:end] + text, start, stop, quoted=False)
        end += 1
    return _Word(line[start:end], start, end, quoted=False)


def _quoted(line: str, start: int, *, lenient: bool) -> tuple[str, int]:
    """Read a quoted word; inside double quotes a backslash protects a quote or a backslash."""
    mark, position = line[start], start + 1
    text: list[str] = []
    while position < len(line):
        letter = line[position]
        if letter == "\\" and line[position + 1 : position + 2] in (mark, "\\"):
            position += 1
            letter = line[position]
        elif letter == mark:
            return "".join(text), position + 1
        text.append(letter)
        position += 1
    if lenient:
        end = next((at for at in range(start, len(line)) if line[at].isspace()), len(line))
        return line[start:end], end
    raise OptionError(f"Unclosed quote: {quote(line[start:], 40)!r}.", cure="Close it.")
