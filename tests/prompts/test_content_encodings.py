"""Bytes that are not UTF-8: decoded with a word about how, or refused with a cure; never guessed silently."""

from __future__ import annotations

import codecs
import io

import pytest

from vertex_claude_magic import errors
from vertex_claude_magic.client import Claude

ROWS = "Stadt;Straße\nKöln;Große Straße 5 €\nŒuvres;“x”\n"
WINDOWS = "not UTF-8, read as Windows-1252, which is a guess"


def sent(value: object) -> tuple[str, tuple[str, ...]]:
    """The text of an attachment, and the notices below the answer."""
    request = Claude(project="p").request("Sum up.", attach=[value])
    return request.body["messages"][0]["content"][0]["text"], request.notices


GUESSED = [
    ("cp1252", ROWS.encode("cp1252"), "Große Straße 5 €", WINDOWS),
    ("latin-1", "Köln;Größe\n".encode("latin-1"), "Köln;Größe", WINDOWS),
    ("one letter", b"name\ncaf\xe9\n", "café", WINDOWS),
    ("beyond cp1252", b"caf\xe9 \x81\n", "café", "not UTF-8, read as ISO 8859-1, which is a guess"),
    ("another script", "Москва;Тверь\n".encode("cp1251"), ";", WINDOWS),
    ("Japanese", "日本;東京\n".encode("shift-jis"), ";", "which is a guess"),
    ("UTF-8 with one other byte", "Köln;Größe;Öl\n".encode() + b"Stra\xdfe\n", "Stra\ufffde",
     "1 byte that is not UTF-8 shown as \ufffd"),
    ("UTF-8 with two other bytes", "Köln;Größe;Öl;Ähre\n".encode() + b"Stra\xdfe M\xfcller\n", "Stra\ufffde",
     "2 bytes that are not UTF-8 shown as \ufffd"),
    ("one letter at the end", b"name\ncaf\xe9", "café", WINDOWS),
    ("UTF-8 that ends in half a letter", "Köln;Stra".encode() + b"\xc3", "Köln;Stra\ufffd",
     "1 byte that is not UTF-8 shown as \ufffd"),
    ("UTF-16 that ends in half a letter", codecs.BOM_UTF16_LE + "Köln".encode("utf-16-le") + b"a", "Köln\ufffd",
     "1 characters shown as"),
    ("UTF-16 with half a letter", codecs.BOM_UTF16_LE + "Köln".encode("utf-16-le") + b"\x00\xd8a\x00", "Köln",
     "characters shown as"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "inside", "said"), [row[1:] for row in GUESSED], ids=[row[0] for row in GUESSED]
)
@pytest.mark.parametrize("way", ["path", "bytes", "open file"])
def test_a_guess_is_said_to_the_model_and_to_the_user(tmp_path, way, data, inside, said):
    """In the tag, and below the answer."""
    path = tmp_path / "cities.csv"
    path.write_bytes(data)
    if way == "open file":
        with path.open("rb") as file:
            text, notices = sent(file)
    else:
        text, notices = sent(path if way == "path" else data)
    assert inside in text
    assert said in text.partition(">")[0]
    assert any(said in notice for notice in notices)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_guess_and_is_named_to_the_user(tmp_path, encoding):
    """The model needs no word about it."""
    (tmp_path / "cities.csv").write_bytes(ROWS.encode(encoding))
    text, notices = sent(tmp_path / "cities.csv")
    assert "Große Straße 5 €" in text
    assert "holds=" not in text
    assert f"read as {encoding.upper()}, as its byte order mark says" in notices[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf_8_needs_no_word(tmp_path, encoding):
    """With a mark or without."""
    (tmp_path / "cities.csv").write_bytes(ROWS.encode(encoding))
    text, notices = sent(tmp_path / "cities.csv")
    assert text.endswith(f"{ROWS}\n</data>")
    assert not [notice for notice in notices if "read as" in notice or "UTF" in notice]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("name", ["cities.csv", "notes.txt", "data.json", ""])
def test_a_text_of_wide_letters_without_a_mark_is_refused_with_the_way_to_read_it(tmp_path, encoding, name):
    """Nobody can tell which it is."""
    data = ROWS.encode(encoding)
    if name:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(errors.OptionError) as caught:
        sent(tmp_path / name if name else data)
    if name:
        assert "save it as UTF-8, or assign path.read_text(encoding=...)" in caught.value.cure


def test_text_from_a_file_that_is_open_as_text_is_what_python_made_of_it(tmp_path):
    """The user named the encoding."""
    (tmp_path / "a.csv").write_bytes(ROWS.encode("cp1252"))
    with (tmp_path / "a.csv").open(encoding="cp1252") as file:
        text, notices = sent(file)
    assert "Große" in text
    assert notices == ()
    assert sent(io.StringIO("Köln"))[1] == ()
