"""What a lesson must not contain: secrets, projects, e-mail addresses, and the names and folders of its author."""

from __future__ import annotations

import codecs
import configparser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.characters import safe_plain
from vertex_claude_magic.prompts.secrets import find_secret
from vertex_claude_magic.text import quote, with_home
from vertex_claude_magic.transport.auth import gcloud_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from vertex_claude_magic.json_types import Json

__all__ = ["known_here", "private_parts", "text_of"]

_PROJECTS = ("ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
_EMAIL = re.compile(r"\b[\w.+%-]+@(?:[\w-]+\.)+[A-Za-z]{2,}\b")
# Reserved domains (RFC 2606 and 6761).
_RESERVED = re.compile(
    r"@(?:.+\.)?(?:example|test|invalid|localhost|example\.(?:com|net|org))$", re.IGNORECASE
)
# Placeholders and the project of the emulator are nobody's.
_RESOURCE = re.compile(
    r"\bprojects/(?!your-|my-|emulator-project/)([a-z][a-z0-9-]{4,28}[a-z0-9])/(?:locations|datasets|regions)\b"
)
# Folders of accounts that images and services give to everybody.
_HOME = re.compile(
    r"(?:/home/|/Users/|[A-Za-z]:\\Users\\)(?!(?:jovyan|user|username|me|you|Public|Shared|runner|NAME)\b)[\w.-]+"
)
_FORMS = ((_RESOURCE, "a project id"), (_HOME, "a personal folder"), (_EMAIL, "an e-mail address"))
# What is encoded may contain any letters by chance: pictures and documents of outputs and attachments; `data` and
# `signature` of what says by its `type` or `encoding` that they are no text.
_PICTURE = re.compile(r"image/(?!svg)[\w.+-]+|application/pdf")
_ENCODED = ("base64", "thinking", "redacted_thinking")
# That of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Nothing that is read has them; escape sequences, form feeds and the like may be in a text.
_NO_TEXT = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
# Of a project id ("Creating and managing projects", Google Cloud docs).
_SHORTEST = 6


def known_here() -> dict[str, str]:
    """Return what this machine knows of its user, each text with the word for it ("a project id").

    These are projects and accounts of gcloud, the home folder, name and address in Git.
    """
    texts = {value: "a project id" for name in _PROJECTS if (value := os.environ.get(name, "").strip())}
    for path in gcloud_folder().glob("configurations/config_*"):
        file = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            file.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            # A broken file of gcloud names nobody.
            continue
        for option, word in (("project", "a project id"), ("account", "an account")):
            if value := file.get("core", option, fallback="").strip():
                texts[value] = word
    home = with_home("~")
    if len(Path(home).parts) > 2:
        texts[home] = "your home folder"
    if git := shutil.which("git"):
        for option, word in (("user.name", "your name"), ("user.email", "your e-mail address")):
            done = subprocess.run([git, "config", option], capture_output=True, text=True, check=False)  # noqa: S603
            texts[done.stdout.strip()] = word
    # A first name, or a short text, is also a word that many files have.
    return {
        text: word
        for text, word in texts.items()
        if (" " in text if word == "your name" else len(text) >= _SHORTEST)
    }


def private_parts(
    name: str, data: bytes, known: Mapping[str, str], allowed: Collection[str] = ()
) -> Iterator[str]:
    """Yield one line for each thing of a file that must not be handed out; a secret itself is not repeated.

    Args:
        name: The file.
        data: Its content; one that is no text (`text_of`) is not looked into.
        known: What `known_here` returns.
        allowed: Texts that may be in it, such as the author's name.

    >>> list(private_parts("notes.md", b"Ask Ann Berg.", {"Ann Berg": "your name"}))
    ['notes.md, line 1: your name (Ann Berg)']
    """
    text = text_of(data)
    if text is None:
        return
    for place, written in _parts(name, text):
        # The colours of an output may stand before and inside of a name.
        part = safe_plain(written)
        if (secret := find_secret(part)) is not None:
            kind, line = secret
            yield f"{place or f'{name}, line {line}'}: {kind}"
        for found, (word, line) in _found(part, known).items():
            if found not in allowed:
                yield f"{place or f'{name}, line {line}'}: {word} ({quote(found, 80)})"


def text_of(data: bytes) -> str | None:
    """Return the text of a file, None if it is none, such as an archive, a database or a picture.

    >>> text_of("Brønnøy".encode("utf-16")), text_of("Brønnøy".encode("latin-1"))
    ('Brønnøy', 'Brønnøy')
    """
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Addresses and keys are the same letters in each encoding of one byte a letter.
        text = data.decode("latin-1")
    return None if _NO_TEXT.search(text) else text


def _found(text: str, known: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """Return what identifies a person, with the word for it and its first line (from 1)."""
    names = [(re.compile(rf"(?<![\w-]){re.escape(value)}(?![\w-])"), word) for value, word in known.items()]
    matches = [
        (*match.span(match.lastindex or 0), word)
        for pattern, word in (*names, *_FORMS)
        for match in pattern.finditer(text)
        if pattern is not _EMAIL or not _RESERVED.search(match[0])
    ]
    found: dict[str, tuple[str, int]] = {}
    line, counted, reached = 1, 0, 0
    # The longer one first: the home folder is also a folder of an account, and an address may have a project's name.
    for start, end, word in sorted(matches, key=lambda each: (each[0], -each[1])):
        line, counted = line + text.count("\n", counted, start), start
        if end > reached:
            found.setdefault(text[start:end], (word, line))
            reached = end
    return found


def _parts(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of a file, each with its place; the place is empty where the line number is enough."""
    if not name.endswith((".ipynb", ".claude")):
        yield "", text
        return
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        # Whoever reads it as what it is says what is wrong.
        yield "", text
        return
    groups = (
        content.pop("cells" if name.endswith(".ipynb") else "records", None)
        if isinstance(content, dict)
        else None
    )
    word = "cell" if name.endswith(".ipynb") else "record"
    if isinstance(groups, list):
        for number, group in enumerate(groups, start=1):
            yield f"{name}, {word} {number}", _joined(group)
    yield name, _joined(content)


def _joined(value: Json) -> str:
    """Return all texts below a value, names included; the lines of one text are put together."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        encoded = value.get("type") in _ENCODED or value.get("encoding") in _ENCODED
        texts = []
        for key, each in value.items():
            data = _PICTURE.fullmatch(key) or (encoded and key in {"data", "signature"})
            # What is said about a picture, such as its size, is under the same name.
            texts += [key, "" if data and not isinstance(each, dict) else _joined(each)]
        return "\n".join(texts)
    if isinstance(value, list):
        lines = all(isinstance(each, str) for each in value)
        return ("" if lines and any("\n" in each for each in value) else "\n").join(map(_joined, value))
    return ""
