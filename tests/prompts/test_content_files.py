"""Files, open files and bytes in prompts: PDFs, notebooks, texts in every encoding, and what is not waited for."""

from __future__ import annotations

import base64
import gzip
import io
import json
import logging
import os
import pathlib
import re
import sys
import threading
import zipfile
from typing import TYPE_CHECKING

import pypdf
import pytest
from PIL import Image

from vertex_claude_magic import errors
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.prompts.parts import Text, ValueLimits
from vertex_claude_magic.prompts.values.convert import parts_of

if TYPE_CHECKING:
    from shells import Shell

MODEL_TABLE = Catalog.load().limits
LIMITS = ValueLimits(image=MODEL_TABLE["image"], pdf=MODEL_TABLE["pdf"])
SMALL = ValueLimits(tokens=20)
POSIX = pytest.mark.skipif(os.name != "posix", reason="devices, pipes and links are of POSIX")


@pytest.fixture
def shell(shell, monkeypatch, tmp_path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return shell


def part(value: object, limits: ValueLimits = LIMITS):
    (only,) = parts_of(value, limits)
    return only


def refused(value: object, limits: ValueLimits = LIMITS) -> errors.OptionError:
    with pytest.raises(errors.OptionError) as caught:
        parts_of(value, limits)
    assert caught.value.cure
    assert "\n" not in str(caught.value)
    return caught.value


def png(size=(4, 2)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, "PNG")
    return out.getvalue()


# Texts


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Grüße, 日本 🙂".encode(), "Grüße, 日本 🙂"),
        ("Grüße 🙂".encode("utf-16"), "Grüße 🙂"),
        ("Grüße 🙂".encode("utf-32"), "Grüße 🙂"),
        (b"\xff\xfe\0\0" + "Grüße".encode("utf-32-le"), "Grüße"),
        (b"\0\0\xfe\xff" + "Grüße".encode("utf-32-be"), "Grüße"),
        (b"\xfe\xff" + "Grüße".encode("utf-16-be"), "Grüße"),
        ("Grüße".encode("utf-8-sig"), "Grüße"),
        ("Grüße".encode("latin-1"), "Grüße"),
        ("“Preis” 5 €".encode("cp1252"), "“Preis” 5 €"),
        (b"caf\xe9 \x81", "café \x81"),
        ("Grüße aus Öster".encode() + b"\xffreich", "Grüße aus Öster\ufffdreich"),
    ],
)
@pytest.mark.parametrize("way", ["path", "bytes", "open file"])
def test_a_text_is_read_in_its_encoding(tmp_path, way, content, text):
    """By its mark, as UTF-8 with a broken byte at most, else as old Windows programs write it."""
    (tmp_path / "notes.txt").write_bytes(content)
    if way == "open file":
        with (tmp_path / "notes.txt").open("rb") as file:
            assert part(file).body == text
    else:
        assert part(tmp_path / "notes.txt" if way == "path" else content).body == text


@pytest.mark.parametrize("before", range(8_188, 8_193))
def test_a_letter_on_the_edge_of_what_is_looked_at_stays_whole(tmp_path, before):
    """Only the beginning tells what a file is."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"x" * before + "🙂 ende".encode())
    assert part(path).body.endswith("x🙂 ende")


@pytest.mark.parametrize("text", ["x" * 50_000, "🙂" * 50_000, "é" * 50_000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_letter_on_the_edge_of_what_goes_out_stays_whole(tmp_path, text, encoding):
    """And the tag says how much went out."""
    path = tmp_path / "notes.txt"
    path.write_bytes(text.encode(encoding))
    told = part(path, SMALL)
    assert set(told.body) == {text[0]}
    assert told.cut == f"the first {len(told.body):,} characters of {path.stat().st_size:,} bytes"


@pytest.mark.parametrize("begin", [b"line\n", b'{"a": ["', b'{"metadata": ["'])
def test_of_a_file_of_two_gigabytes_only_the_beginning_is_read(tmp_path, begin):
    """Of a text, and of JSON that could be a notebook and is none; the disk holds next to nothing of it."""
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.write(begin + b"line\n" * 20_000)
        file.truncate(2_000_000_000)
    told = part(path)
    assert told.body.startswith(begin.decode().strip())
    assert told.cut.endswith(" characters of 2,000,000,000 bytes")


@POSIX
@pytest.mark.parametrize(
    ("name", "begin", "size", "said"),
    [
        ("huge.pdf", b"%PDF-1.7\n", 900_000_000, "The PDF is 900 MB, but Vertex AI accepts only 31 MB"),
        ("huge.zip", b"PK\3\4", 5_000_000_000, "not an image, PDF or text"),
        ("huge.ipynb", b'{"cells": [', 2_000_000_000, "larger than 200 MB"),
    ],
)
def test_a_file_that_cannot_be_sent_is_not_read_to_its_end(tmp_path, name, begin, size, said):
    """It would not fit into memory."""
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(begin)
        file.truncate(size)
    assert said in refused(path).message


@pytest.mark.skipif(not pathlib.Path("/proc/version").exists(), reason="Linux only")
def test_a_file_whose_size_is_only_known_by_reading_is_read():
    """The kernel's own files say that they are empty."""
    assert part(pathlib.Path("/proc/version")).body.startswith("Linux version")


# Paths


@pytest.mark.parametrize(
    "address",
    ["https://example.com/a.pdf", "gs://bucket/a.csv", "file:///etc/passwd", "https://e.com/" + "x" * 300],
)
def test_nothing_is_fetched_from_an_address(shell, address):
    """The line says what to do instead."""
    error = shell.error(f"%%claude -q -a {address}\nSum it up.")
    assert error.message.startswith("There is no file")
    assert "download the file" in error.cure
    assert not shell.asked


@pytest.mark.parametrize("path", ["a\0b", "x" * 300, "no/such/folder/x", "~nobody-here/x", "C:/x"])
def test_a_path_that_leads_nowhere_is_one_clear_line(path):
    """Whatever the operating system makes of it."""
    refused(pathlib.Path(path))


def test_of_a_path_that_leads_nowhere_the_cure_is_about_this_path(tmp_path, home):
    """One that starts at the root or at home has nothing to do with the notebook's folder."""
    (tmp_path / "full").mkdir()
    assert refused(pathlib.Path("nope.csv")).cure == "Paths start at the notebook's folder; see %pwd."
    assert refused(tmp_path / "full/nope.csv").cure == f"Check the path: {tmp_path}/full has no such file."
    assert (
        refused(tmp_path / "none/nope.csv").cure
        == f"Check the path: {tmp_path}/none is no folder that can be read."
    )
    assert (
        refused(pathlib.Path("~/none/nope.csv")).cure
        == "Check the path: ~/none is no folder that can be read."
    )


def test_a_path_may_start_at_home(shell, home):
    """As a variable and as an attachment."""
    (home / "notes.txt").write_text("At home.")
    shell.ip.user_ns["path"] = pathlib.Path("~/notes.txt")
    shell.ok("%%claude -q -a ~/notes.txt\nSee {{ path }}.")
    first, second = shell.body["messages"][0]["content"]
    assert first["text"] == '<data name="notes.txt" kind="text file" about="8 bytes">At home.</data>'
    assert second["text"] == 'See <data name="path" kind="text file" about="8 bytes">At home.</data>.'


@POSIX
def test_a_link_is_what_it_leads_to(tmp_path):
    """Unless it leads back to itself."""
    (tmp_path / "real.txt").write_text("real")
    (tmp_path / "link").symlink_to("real.txt")
    (tmp_path / "dead").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    assert part(tmp_path / "link").body == "real"
    assert "There is no file" in refused(tmp_path / "dead").message
    refused(tmp_path / "loop")


class Remote(os.PathLike):
    """A path of another library."""

    def __init__(self, path):
        self._path = path

    def __fspath__(self):
        return self._path


def test_a_path_of_any_library_is_a_path(tmp_path):
    """As far as it leads to a file of this machine."""
    (tmp_path / "notes.txt").write_text("text")
    own = type("OwnPath", (type(tmp_path),), {})
    assert part(own(tmp_path / "notes.txt")).body == "text"
    assert part(Remote(str(tmp_path / "notes.txt"))).body == "text"
    refused(Remote(os.fsencode(tmp_path / "notes.txt")))
    refused(pathlib.PureWindowsPath("C:/nowhere"))


@pytest.mark.parametrize(
    ("error", "cure"),
    [(PermissionError(13, "Permission denied"), "permissions"), (OSError(5, "I/O"), "complete")],
)
def test_a_file_that_cannot_be_opened_says_why(monkeypatch, tmp_path, error, cure):
    """In the words of the operating system."""

    def fails(*_, **__):
        raise error

    path = tmp_path / "notes.txt"
    path.write_text("text")
    monkeypatch.setattr(pathlib.Path, "open", fails)
    found = refused(path)
    assert error.strerror in found.message
    assert cure in found.cure


NAMES = [
    'a"b.txt',
    "it's.txt",
    "<data>.txt",
    "</data>.txt",
    "a\nb.txt",
    "a\u202eb.txt",
    "a\x1b[31m.txt",
    "&lt;.txt",
]


@POSIX
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_name_of_a_file_is_data(shell, name):
    """It neither closes its tag nor hides anything."""
    path = pathlib.Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("text")
    shell.ip.user_ns["path"] = path
    shell.ok("%%claude -q -a path\nSee {{ path }}.")
    content = shell.body["messages"][0]["content"]
    shape = r'<data name="[^"<>\n\x1b\u202e]*" kind="text file" about="4 bytes">text</data>'
    assert re.fullmatch(shape, content[0]["text"])
    assert re.fullmatch(rf"See {shape}\.", content[1]["text"])


# Bytes and open files


@pytest.mark.parametrize("way", ["path", "text of a path", "open file", "open file of bytes", "packed file"])
def test_the_folders_of_an_attached_file_stay_on_this_machine(claude, tmp_path, way):
    """Its own name is what the model gets, so that a question is the same on another machine."""
    path = tmp_path / "notes.txt"
    path.write_text("Hello.")
    with gzip.open(tmp_path / "notes.gz", "wt") as packed:
        packed.write("Hello.")
    with path.open() as text, path.open("rb") as data, gzip.open(tmp_path / "notes.gz") as packed:
        ways = {
            "path": path,
            "text of a path": str(path),
            "open file": text,
            "open file of bytes": data,
            "packed file": packed,
        }
        body = claude.request("Sum up.", attach=[ways[way]]).body
    assert str(tmp_path) not in str(body)
    assert 'name="notes.' in str(body)


def test_bytes_in_any_container_are_read(tmp_path):
    """Also where they do not lie side by side."""
    for value in (b"text", bytearray(b"text"), memoryview(b"text"), memoryview(b"t_e_x_t")[::2]):
        assert part(value).body == "text"
    for value in (b"", bytearray(), memoryview(b""), io.BytesIO()):
        assert "empty" in refused(value).message


def test_bytes_that_tell_of_pdf_are_no_pdf():
    """A program that writes them, for example."""
    told = part(b"file.write(b'%PDF-1.7')")
    assert (told.kind, told.body) == ("text", "file.write(b'%PDF-1.7')")


@pytest.mark.parametrize(
    ("name", "content"),
    [("notes.txt", b"Some text."), ("picture.png", png()), ("large.png", png((3000, 5))), ("book.ipynb", b'{"cells": []}')],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 3])
def test_an_open_file_stays_open_and_where_it_was(tmp_path, name, content, place):
    """Whoever opened it goes on reading."""
    (tmp_path / name).write_bytes(content)
    with (tmp_path / name).open("rb") as file, (tmp_path / name).open("rb", buffering=0) as raw:
        for each in (file, raw, io.BytesIO(content)):
            each.seek(place)
            assert part(each).kind in {"text file", "text", "image", "Jupyter notebook"}
            assert each.tell() == place
            assert each.read() == content[place:]


def test_a_text_file_in_use_is_read_from_its_beginning(tmp_path):
    """And goes on where it was."""
    (tmp_path / "notes.txt").write_text("first\nsecond\n", encoding="utf-8")
    with (tmp_path / "notes.txt").open(encoding="utf-8") as file:
        file.readline()
        assert part(file).body == "first\nsecond\n"
        assert file.readline() == "second\n"


def test_an_open_file_that_cannot_be_read_is_one_clear_line(tmp_path):
    """Closed, or open for writing only."""
    with (tmp_path / "out.txt").open("w") as file:
        assert "could not be read" in refused(file).message
    refused(file)


def test_of_a_packed_file_no_more_is_unpacked_than_goes_out(tmp_path):
    """What it unpacks to may be without measure."""
    path = tmp_path / "notes.txt.gz"
    with gzip.open(path, "wb") as packed:
        packed.write(b"line\n" * 1_000_000)
    with gzip.open(path) as packed:
        told = part(packed, SMALL)
        assert (told.body[:9], told.cut, told.about) == (
            "line\nline",
            f"the first {len(told.body)} characters",
            "",
        )
        assert packed.tell() == 0
    assert refused(path).cure == "Unpack it and use the file."


def test_a_picture_within_an_archive_is_a_picture(tmp_path):
    """It cannot be read from a file of its own."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("picture.png", png((3000, 5)))
    with zipfile.ZipFile(tmp_path / "all.zip") as archive, archive.open("picture.png") as file:
        assert part(file).about == "1,568 × 3 pixels"


@POSIX
def test_a_pipe_is_read_to_its_end():
    """It has no place to go back to, and what comes is not known before."""
    reading, writing = os.pipe()

    def write():
        with os.fdopen(writing, "wb") as file:
            file.write(png())

    threading.Thread(target=write).start()
    with os.fdopen(reading, "rb") as file:
        assert part(file).about == "4 × 2 pixels"


def test_an_open_file_has_the_cure_of_its_name(tmp_path):
    """As its path has."""
    (tmp_path / "table.xlsx").write_bytes(b"PK\3\4\0\0")
    with (tmp_path / "table.xlsx").open("rb") as file:
        error = refused(file)
    assert "table.xlsx" in error.message
    assert "read_excel" in error.cure


# Notebooks


def notebook(*cells: dict, **more) -> bytes:
    return json.dumps({"metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more, "cells": cells}).encode()


def code(source, *outputs) -> dict:
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def test_a_notebook_as_attachment(shell):
    """Cells of the old format too: their pictures are left out and said, their errors are one line."""
    image = {"output_type": "display_data", "png": "iVBORw0KGgo=" * 100}
    error = {"output_type": "pyerr", "ename": "KeyError", "evalue": "'a'", "traceback": ["\x1b[31mlong"]}
    out = {"output_type": "pyout", "text": ["2"], "prompt_number": 1}
    cells = [{"cell_type": "code", "input": ["1 + ", "1"], "outputs": [out, image, error]}]
    pathlib.Path("old.ipynb").write_text(json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]}))
    shell.ok("%%claude -q -a old.ipynb\nWhat went wrong?")
    assert shell.body["messages"][0]["content"][0]["text"] == (
        '<data name="old.ipynb" kind="Jupyter notebook" about="1 cell">\n# cell 1 (code)\n1 + 1\n'
        "# output: 2\n# output: an image, left out\n# output: KeyError: 'a'\n</data>"
    )


@pytest.mark.parametrize("prefix", ["", "\ufeff", " \n"])
def test_a_notebook_is_known_by_what_it_holds(tmp_path, prefix):
    """Also under another name, and as bytes."""
    data = prefix.encode() + notebook(code("x = 1"))
    (tmp_path / "book.json").write_bytes(data)
    for value in (data, tmp_path / "book.json"):
        assert part(value).body == "# cell 1 (code)\nx = 1"


@pytest.mark.parametrize("data", [b'{"metadata": {"a": 1}}', b'{"cells": 3}', b'{"nbformat": 4}', b"{cells}"])
def test_json_that_only_begins_as_a_notebook_is_text(tmp_path, data):
    """Its name does not say that it is one."""
    (tmp_path / "data.json").write_bytes(data)
    told = part(tmp_path / "data.json")
    assert (told.kind, told.body) == ("text file", data.decode())


BROKEN = [
    b"{", b"[]", b"null", b"<<<<<<< HEAD\n{}", b'{"cells": null}', b'{"cells": [1]}', b'{"cells": [{"outputs": 5}]}',
    b'{"cells": [{"outputs": [{"data": "x"}]}]}', b'{"worksheets": [{}]}', b'{"cells": "\xff"}', b"[" * 100_000,
    b'{"cells": [{"execution_count": ' + b"9" * 5_000 + b"}]}",
]  # fmt: skip


@pytest.mark.parametrize("data", BROKEN, ids=lambda data: ascii(data[:40]))
def test_a_broken_notebook_is_one_clear_line(tmp_path, data):
    """It has conflicts, or was cut."""
    path = tmp_path / "book.ipynb"
    path.write_bytes(data)
    error = refused(path)
    assert error.message == "book.ipynb cannot be read as a notebook."
    assert error.cure == "Open it in Jupyter and save it."


@pytest.mark.parametrize("letter", ["x", "日"])
def test_a_notebook_keeps_to_the_limit_and_says_what_it_left_out(letter):
    """In tokens, which other scripts take more of; the first cell is cut where nothing else would be left."""
    few = part(notebook(*[code(letter * 20)] * 10), ValueLimits(tokens=60))
    kept = few.body.count("# cell")
    assert few.cut == f"the first {kept} of 10 cells"
    assert 0 < kept < 10
    long = part(notebook(code(letter * 5_000), code("y")), SMALL)
    assert long.cut.startswith("the first 1 of 2 cells; of cell 1 the first ")
    assert len(long.body.encode()) <= SMALL.characters
    only = part(notebook(code(letter * 5_000)), SMALL)
    assert only.cut.startswith("of cell 1 the first ")


# PDFs


def pdf(pages: int = 2, **encrypted) -> bytes:
    writer, out = pypdf.PdfWriter(), io.BytesIO()
    for _ in range(pages):
        writer.add_blank_page(72, 72)
    if encrypted:
        writer.encrypt(**encrypted)
    writer.write(out)
    return out.getvalue()


def without_pypdf(patch: pytest.MonkeyPatch, *, without: bool) -> None:
    if without:
        patch.setitem(sys.modules, "pypdf", None)


def test_a_pdf_as_attachment_and_as_variable(shell):
    """It stands between its tags, whole."""
    pathlib.Path("report.pdf").write_bytes(pdf())
    shell.ip.user_ns["old"] = pathlib.Path("report.pdf")
    shell.ok("%%claude -q -a report.pdf\nCompare with {{ old }}.")
    before, document, after, asked, again, end = shell.body["messages"][0]["content"]
    assert before["text"] == '<data name="report.pdf" kind="PDF" about="2 pages">\n'
    assert document == again
    assert base64.b64decode(document["source"]["data"]) == pdf()
    assert (after["text"], end["text"]) == ("\n</data>", "\n</data>.")
    assert asked["text"].endswith('<data name="old" kind="PDF" about="2 pages">\n')


@pytest.mark.parametrize("without", [False, True])
def test_the_pages_of_all_documents_count_together(shell, monkeypatch, without):
    """Against the limit of the model, before anything is sent."""
    shell.ip.user_ns.update(a=pdf(60), b=pdf(41), c=pdf(2_000))
    without_pypdf(monkeypatch, without=without)
    error = shell.error("%%claude -q -m claude-haiku-4-5 -a a -a b\nCompare.")
    assert "101 pages of PDF, but the model accepts only 100 in one request" in error.message
    assert (
        "2,000 pages, but the model accepts only 600"
        in shell.error("%%claude -q -m opus -a c\nRead.").message
    )
    assert not shell.asked
    shell.ok("%%claude -q -m claude-haiku-4-5 -a a\nRead.")


@pytest.mark.parametrize("without", [False, True])
@pytest.mark.parametrize("password", [{"user_password": "x"}, {"user_password": "", "owner_password": "x"}])
def test_a_locked_pdf_is_refused(monkeypatch, without, password):
    """Also one that only may not be changed: the service takes none that is encrypted."""
    data = pdf(**password)
    without_pypdf(monkeypatch, without=without)
    error = refused(data)
    assert (error.message, error.cure) == ("The PDF has a password.", "Save it without one.")


def test_a_pdf_that_tells_of_locks_is_not_locked(monkeypatch):
    """Its text may hold any word."""
    data = pdf(2).replace(b"%%EOF", b"% see /Encrypt and /Encrypted\n%%EOF")
    monkeypatch.setitem(sys.modules, "pypdf", None)
    assert part(data).pages == 2


@pytest.mark.parametrize("without", [False, True])
@pytest.mark.parametrize("claim", [b"9", b"-2", b"0", b"999999999", b"null", b"(x)"])
def test_a_pdf_that_lies_about_its_pages_is_counted(monkeypatch, without, claim):
    """What its page tree says of itself is not what the service counts."""
    data = pdf(2).replace(b"/Count 2", b"/Count " + claim)
    without_pypdf(monkeypatch, without=without)
    assert part(data).pages == 2


def test_a_page_tree_that_goes_in_circles_ends():
    """And costs no more than a short walk."""
    data = re.sub(rb"/Kids \[[^\]]*\]", b"/Kids [ 2 0 R 4 0 R 2 0 R ]", pdf(2))
    assert part(data).pages == 1


def test_a_page_that_was_changed_counts_once(monkeypatch):
    """A PDF that was saved again holds the old page as well."""
    data = pdf(3)
    page = re.search(rb"\d+ 0 obj\n<<\n/Type /Page\n.*?endobj\n", data, re.DOTALL)[0]
    monkeypatch.setitem(sys.modules, "pypdf", None)
    assert part(data.replace(b"%%EOF", page * 700 + b"%%EOF")).pages == 3


def test_pages_that_cannot_be_counted_are_not_called_none(monkeypatch):
    """Without pypdf, packed pages are only known to the service."""
    monkeypatch.setitem(sys.modules, "pypdf", None)
    told = part(b"%PDF-1.7\n" + bytes(200))
    assert (told.about, told.pages) == ("", 1)


def test_what_pypdf_thinks_of_a_file_stays_off_the_page(capfd, caplog):
    """And its logger is as it was."""
    logger = logging.getLogger("pypdf")
    before = (logger.propagate, list(logger.handlers), logger.disabled)
    part(pdf().replace(b"startxref\n", b"startxref\n1"))
    refused(b"%PDF-1.7\nnothing")
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert (logger.propagate, list(logger.handlers), logger.disabled) == before


# What else there is


class Plotted:
    """An object that IPython shows as a picture."""

    def __init__(self, shown):
        self.shown = shown

    def _repr_png_(self):
        return self.shown

    def __repr__(self):
        return "Plotted"


@pytest.mark.parametrize("shown", [png(), base64.b64encode(png()).decode()], ids=["bytes", "base64"])
def test_what_ipython_shows_as_a_picture_is_one(shell, shown):
    """As bytes, or as base64."""
    shell.ip.user_ns["plot"] = Plotted(shown)
    shell.ok("%%claude -q\nSee {{ plot }}.")
    before, image, _ = shell.body["messages"][0]["content"]
    assert before["text"].endswith('Plotted" about="4 × 2 pixels">\n')
    assert base64.b64decode(image["source"]["data"]) == png()


def test_the_kind_of_a_text_is_told_by_where_it_came_from(tmp_path):
    """A file has a name; bytes have none."""
    (tmp_path / "page.svg").write_text("<svg/>")
    told = part(tmp_path / "page.svg")
    assert isinstance(told, Text)
    assert (told.kind, part(b"<svg/>").kind) == ("text file", "text")
