"""Below the fix, a hint shows no line of the solution and no corrected line of the student's code."""

from __future__ import annotations

import pytest

from vertex_claude_magic.classroom.hint_guard import guarded

SOLUTION = """def mean(values):
    total = 0
    for value in values:
        total += value
    return total / len(values)"""
OWN = """def mean(values):
    total = 0
    for value in values:
        total = value
    return total / len(value)"""
TASK = "Write mean(values)."
SECRET = "returntotal/len(values)"

# Ways in which a model writes a line of the solution.
QUOTED = {
    "as it is": "    return total / len(values)",
    "in a fence": "Do this:\n```python\nreturn total / len(values)\n```",
    "in a fence of tildes": "~~~\nreturn total / len(values)\n~~~",
    "in backticks": "Write `return total / len(values)` at the end.",
    "its value alone": "The end is `total / len(values)`, you know.",
    "without blanks": "return total/len(values)",
    "with more blanks": "return  total   /   len( values )",
    "with tabs": "return\ttotal\t/\tlen(values)",
    "over two lines": "```python\nreturn total / \\\n    len(values)\n```",
    "over lines of a quotation": "> return total /\n> len(values)",
    "a letter a line": "\n".join("return total / len(values)"),
    "as a diff": "```diff\n-    return total / len(value)\n+    return total / len(values)\n```",
    "in a list": "1. return total / len(values)",
    "in bold": "**return** total / **len**(values)",
    "with escapes of Markdown": r"return total / len\(values\)",
    "as entities": "return total &#47; len&#40;values&#41;",
    "in wide letters": "ｒｅｔｕｒｎ total ／ len（values）",
    "with characters nobody sees": "return to\u200btal / len(val\u00adues)",
    "with a comment": "return total / len(values)  # the mean",
    "as a comment": "# return total / len(values)",
    "in a table": "| line | code |\n|---|---|\n| 5 | return total / len(values) |",
    "in a heading": "### return total / len(values)",
    "in a link": "[return total / len(values)](https://example.org)",
    "in HTML": "<b>return</b> <code>total / len(values)</code>",
}


def bare(text: str) -> str:
    """A text as a reader might copy it: without blanks and marks."""
    import html
    import unicodedata

    flat = unicodedata.normalize("NFKC", html.unescape(text))
    return "".join(each for each in flat if each.isalnum() or each in "()/")


@pytest.mark.parametrize("text", QUOTED.values(), ids=QUOTED.keys())
def test_a_line_of_the_solution_is_withheld(text):
    """However it is laid out; what is around it stays."""
    found = guarded(f"Before.\n{text}\n\nAfter.", solutions=[SOLUTION], task=TASK)
    assert found.solution
    assert "total/len(values)" not in bare(found.text)
    assert found.text.startswith("Before.\n")
    assert found.text.endswith("\nAfter.")


# What a good hint says.
HARMLESS = {
    "words": "The total is thrown away in each step. What should happen to it instead?",
    "a short line": "`total = 0` is where you begin.",
    "a part of theirs": "What is `total / len(value)`?",
    "a line of theirs": "Look at line 4: `        total = value`.",
    "all of theirs": f"You wrote\n```python\n{OWN}\n```\nWhat is `value` after the loop?",
    "the head that the task has": "Keep `def mean(values):`.",
    "another problem": "```python\nprice_sum = 0.0\nfor price in basket:\n    price_sum = price_sum + price\n"
    "print(price_sum)\n```",
    "a comment on theirs": "```python\n    total = value  # what was in total before?\n```",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_gives_nothing_away_is_shown(text):
    """To the letter."""
    assert guarded(text, solutions=[SOLUTION], own=[OWN], task=TASK) == (text, 0, 0)


# Ways in which a model corrects code that has no reference solution.
CORRECTED = {
    "the line": "Write `return total / len(values)`.",
    "the line alone": "return total / len(values)",
    "the line in a fence": "```python\n    return total / len(values)\n```",
    "the whole": f"```python\n{SOLUTION}\n```",
    "the whole, differently": "```python\ndef mean(values):\n    total = 0\n    for value in values:\n"
    "        total = total + value\n    return total / max(1, len(values))\n```",
    "the whole, in a fence that never ends": f"```python\n{SOLUTION}",
    "the whole, without a fence": SOLUTION,
}


@pytest.mark.parametrize("text", CORRECTED.values(), ids=CORRECTED.keys())
def test_a_corrected_line_of_the_students_code_is_withheld(text):
    """A line very like one of theirs, and every other line of a block that repeats theirs."""
    found = guarded(f"Before.\n{text}\n", own=[OWN])
    assert found.corrected
    assert "len(values)" not in bare(found.text).replace("mean(values)", "")
    assert "Before." in found.text


def test_a_line_that_the_student_has_found_is_no_secret():
    """It is quoted back to them."""
    text = "`return total / len(values)` is right now; look at the loop."
    assert guarded(text, solutions=[SOLUTION], own=[SOLUTION.replace("+=", "=")]) == (text, 0, 0)


@pytest.mark.parametrize(
    "line", ["result = []", "return result", "for value in values:", "counter = 0", "    return x"]
)
def test_a_line_that_is_in_every_program_is_no_secret(line):
    """An example of another problem may have it."""
    assert guarded(line, solutions=[f"def f(values):\n    {line}\n    return sum(values)"]) == (line, 0, 0)


def test_the_fence_around_a_withheld_line_stays():
    """Else what follows would be read as code, or code as text."""
    found = guarded("```python\nreturn total / len(values)\n```\nAfter.", solutions=[SOLUTION])
    assert found.text == "```python\n[…]\n```\nAfter."


@pytest.mark.parametrize("code", ["", "def (", "\x00", "(" * 500, "x = '''\n" * 50, "\n" * 1000])
def test_code_that_cannot_be_parsed_is_compared_all_the_same(code):
    """A hint is for code that does not work."""
    found = guarded(
        "return total / len(values)", solutions=[f"{code}\nreturn total / len(values)"], own=[code]
    )
    assert found.text == "[…]"


def test_a_long_answer_takes_no_long_time():
    """The work grows with the lines of the answer times those of the code."""
    text = "\n".join(f"`value_{number} = compute({number})`" for number in range(2_000))
    assert guarded(text, solutions=[SOLUTION], own=[OWN]).text == text
