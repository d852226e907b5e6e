"""In a terminal an answer ends as Markdown that rich has laid out."""

from __future__ import annotations

import re

import pytest

from vertex_claude_magic.notebook.display.terminal_markdown import RenderedBlocks

STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """What a terminal shows of what was written, by the few sequences that are used."""

    def __init__(self, columns=60, rows=20):
        self.columns, self.rows = columns, rows
        self.lines, self.row, self.column = [""], 0, 0

    def size(self):
        return self.columns, self.rows

    def write(self, text):
        for piece in re.findall(r"\x1b\[\d*[A-Z]|[\r\n]|[^\x1b\r\n]+|\x1b", STYLE.sub("", text)):
            if piece == "\r":
                self.column = 0
            elif piece == "\n":
                self.down()
            elif piece == "\x1b[J":
                self.lines[self.row :] = [self.lines[self.row][: self.column]]
            elif piece.startswith("\x1b["):
                self.row -= int(piece[2:-1])
            else:
                assert "\x1b" not in piece
                self.letters(piece)

    def letters(self, text):
        for letter in text:
            if self.column == self.columns:
                self.down()
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + letter + line[self.column + 1 :]
            self.column += 1

    def down(self):
        self.row, self.column = self.row + 1, 0
        if self.row == len(self.lines):
            self.lines.append("")

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.lines)


ANSWER = """# A title

Some **bold** words and `code`, in a paragraph that is longer than one line of this terminal and has to be wrapped.

- one
- two

```python
x = 1

y = 2
```

| a | b |
|---|---|
| 1 | 2 |
"""


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_it_ends_the_same_however_it_came(step):
    """Each block gives way to its rendered form; no mark of Markdown is left, and no word is broken."""
    terminal = Terminal()
    blocks = RenderedBlocks(terminal.write, size=terminal.size)
    for at in range(0, len(ANSWER), step):
        blocks.add(ANSWER[at : at + step])
    blocks.finish()
    assert terminal.text.count("A title") == 1
    assert "Some bold words and code, in a paragraph that is longer than\n" in terminal.text
    assert " • one\n" in terminal.text
    for mark in ("**", "```", "|---", "# A"):
        assert mark not in terminal.text
    assert terminal.text.index("x = 1") < terminal.text.index("y = 2") < terminal.text.index(" 1  2")


def test_a_block_that_is_taller_than_the_screen_stays_as_it_came():
    """Its first lines cannot be written over any more; nothing is shown twice, and nothing is lost."""
    terminal = Terminal(rows=5)
    blocks = RenderedBlocks(terminal.write, size=terminal.size)
    for at in range(30):
        blocks.add(f"- point {at}\n")
    blocks.finish()
    for at in range(30):
        assert len(re.findall(rf"point {at}$", terminal.text, re.MULTILINE)) == 1


def test_a_link_is_no_control_sequence():
    """The address is shown, and the terminal is not asked to open anything."""
    written = []
    blocks = RenderedBlocks(written.append, size=lambda: (80, 24))
    blocks.add("See [this](https://example.com/a).\n\n")
    blocks.finish()
    assert "\x1b]" not in "".join(written)
    assert "https://example.com/a" in "".join(written)
