"""In demo mode the emulator has an answer for every prompt that this project shows to a newcomer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NamedTuple

import nbformat
import pytest
from kernel import ROOT
from pydantic import BaseModel, Field

from vertex_claude_magic import Claude
from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.emulator.messages.demo import PROMPTS, demo_text
from vertex_claude_magic.markdown.sanitize import safe_markdown
from vertex_claude_magic.prompts.ran_cells import RanCell, context_text

# Their answers are written beside the notebook, which plays them.
OWN = {
    path.name
    for path in (ROOT / "notebooks").glob("*.ipynb")
    if "_answers.play()" in path.read_text(encoding="utf-8")
}
ANSWERS = (ROOT / "vertex_claude_magic/emulator/messages/demo.md").read_text(encoding="utf-8")


def prompts_of_the_notebooks() -> list[str]:
    found = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = [] if path.name in OWN else nbformat.read(path, as_version=4).cells
        for cell in (cell for cell in cells if cell.cell_type == "code"):
            head, _, body = cell.source.partition("\n")
            refused = "--temperature" in head or "--replay only" in head
            if head.startswith("%%claude") and not refused:
                found.append(body)
            found += re.findall(r"^%claude .*?([A-Z].*)$", cell.source, re.MULTILINE)
            found += re.findall(r'\.ask\("(.+?)"\)', cell.source)
    return found


@pytest.fixture
def claude():
    with Emulator(demo=True) as emulator:
        yield Claude(
            project=emulator.project, base_url=emulator.base_url, access_token="emulator", journal="off"
        )


@pytest.mark.parametrize("prompt", [*PROMPTS, *prompts_of_the_notebooks()])
def test_a_prompt_of_the_examples_has_a_written_answer(claude, prompt):
    text = claude.ask(prompt).text
    assert "emulator" not in text
    assert text.strip() in ANSWERS


README_VALUES = {
    "What does the writer of this review think of the product? {{ item }}": [
        ({"item": "It arrived broken."}, "Disappointed"),
        ({"item": "My best purchase this year!"}, "Delighted"),
    ],
    "Summarise {{ penguins }} by species. Does {{ figure }} show the same?": [
        ({"penguins": [{"species": "Adelie"}], "figure": "a figure"}, "Gentoo stand apart")
    ],
    "Sum {{ n }}.": [({"n": [1, 2]}, "3")],
}


@pytest.mark.parametrize("prompt", README_VALUES)
def test_the_prompts_of_the_readme_with_variables_have_written_answers(claude, prompt):
    """Whatever tags stand around the values."""
    assert prompt.removesuffix(".") in (ROOT / "README.md").read_text(encoding="utf-8")
    for names, says in README_VALUES[prompt]:
        text = claude.ask(prompt, names=names).text
        assert says in text
        assert text.strip() in ANSWERS


def test_an_example_among_the_cells_of_context_is_not_what_is_asked(claude):
    ran = [RanCell(f"%%claude\n{PROMPTS[0]}", output=PROMPTS[1], error=PROMPTS[2])]
    context, _ = context_text(ran, 4_000)
    short, _ = context_text(ran, 60)
    assert "beginning of cell" in short
    for before in (context, short):
        assert claude.ask([before, "What did I do?"]).text.startswith("This is the emulator")
        assert claude.ask([before, PROMPTS[1]]).text == claude.ask(PROMPTS[1]).text


def test_the_table_of_the_readme_has_written_answers(claude):
    rows = claude.map(
        ["It arrived broken.", "My best purchase this year!"], next(iter(README_VALUES)), progress=False
    )
    assert [row["answer"].partition(":")[0] for row in rows] == ["Disappointed", "Delighted"]


def test_the_sum_of_the_readme_is_right(claude):
    """Also where a type is asked for; another sum is no prompt of the README."""
    assert claude.ask("Sum {{ n }}.", names={"n": [1, 2]}, as_=int).data == 3
    assert claude.ask("Sum {{ n }}.", names={"n": [1, 3]}, as_=int).data == 1


def test_the_prompts_of_the_readme_have_written_answers():
    """Those without variables of the reader."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    asked = [block.partition("\n")[2] for block in blocks if block.startswith("%%claude")]
    asked = [prompt for prompt in asked if prompt.strip() and "{{" not in prompt]
    assert asked
    assert [prompt for prompt in asked if "emulator" in demo_text(prompt, 1)] == []


@pytest.mark.parametrize("prompt", ["Hello", "", "# What is `this` | and <b>that</b>?", "{prompt} {tokens}"])
def test_every_other_prompt_gets_two_lines(claude, prompt):
    """They say that this is not Claude, what to ask, and where the report on the request is."""
    text = demo_text(prompt, 1234)
    assert len(text.splitlines()) == 2
    assert text.startswith("This is the emulator, not Claude")
    assert "1,234 tokens" in text
    assert "--dry-run" in text
    assert PROMPTS[0] in text


def test_a_written_table_is_the_data_of_a_typed_question(claude):
    @dataclass
    class Country:
        country: str
        area: float

    prompt = "The five largest countries by area, with their capitals."
    assert claude.ask(prompt, as_=list[Country]).data[1] == Country("Canada", 10.0)
    assert list(claude.ask(prompt, as_="df").df.columns) == ["country", "capital", "area"]
    assert len(claude.ask(prompt, as_="df").df) == 5


def test_a_typed_question_without_a_written_table_gets_a_value_of_its_type(claude):
    assert claude.ask("How many?", as_=int).data == 1
    assert claude.ask("The five largest countries by area?", as_=int).data == 1


def test_without_demo_mode_the_request_is_described():
    with Emulator() as emulator:
        claude = Claude(
            project=emulator.project, base_url=emulator.base_url, access_token="emulator", journal="off"
        )
        assert "max_tokens" in claude.ask(PROMPTS[0]).text


def test_the_written_answers_are_shown_as_they_are_written():
    """Nothing in them that the sanitizer takes out; none of them speaks as Claude."""
    for answer in re.split(r"^<!-- .* -->\n", ANSWERS, flags=re.MULTILINE)[1:]:
        assert "<" not in answer
        assert "Claude" not in answer
        shown = safe_markdown(answer)
        assert len(re.findall(r"^\| ", shown, re.MULTILINE)) >= len(re.findall(r"^\| ", answer, re.MULTILINE))
        assert json.dumps("&lt;") not in shown


@pytest.mark.parametrize("schema", ["[" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000, "{]}"])
def test_a_prompt_that_only_seems_to_end_with_a_schema_is_answered(claude, schema):
    assert claude.ask(f"What is this JSON schema:\n{schema}").complete


class Pair(NamedTuple):
    x: int
    y: str


class Bounded(BaseModel):
    title: str = Field(min_length=10, max_length=12)
    year: int = Field(ge=1900)
    share: float = Field(gt=0, lt=0.5)
    low: int = Field(lt=-3)
    even: int = Field(multiple_of=2, gt=2)
    tags: list[str] = Field(min_length=2)


TYPES = [
    dict[str, int],
    tuple[int, str],
    tuple[int, ...],
    Pair,
    list,
    dict,
    Bounded,
    list[Bounded],
    list[Pair],
]


@pytest.mark.parametrize("model", ["sonnet", "claude-sonnet-4@20250514"])
@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_every_type_gets_data_that_fits(claude, kind, model):
    """Also a type, or a model, of which structured outputs know nothing, and limits that they do not take."""
    reply = claude.ask("How many?", as_=kind, model=model)
    assert reply.data is not None
    assert len(reply.rounds) == 1
