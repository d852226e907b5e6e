"""The panel where no widget can be shown, and the `%%claude` line that it writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shells import bare_shell, loaded_shell, run_python

from vertex_claude_magic.notebook.options import parse_cell_line
from vertex_claude_magic.notebook.panel.line import magic_line
from vertex_claude_magic.notebook.panel.state import PanelState
from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.target import resolve_target

WITHOUT = """
import sys
sys.modules["ipywidgets"] = {module}
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.display_pub = type("Page", (type(shell.display_pub),), {{}})(shell=shell)
shell.run_line_magic("load_ext", "vertex_claude_magic")
shell.run_cell("%claude_panel").raise_error()
shell.run_cell("%config ClaudeMagics.model = 'opus'").raise_error()
"""


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("None", "ipywidgets is not installed"),
        (
            "type(sys)('ipywidgets'); sys.modules['ipywidgets'].__version__ = '7.6.5'",
            "ipywidgets 7.6.5 is too old",
        ),
    ],
)
def test_without_ipywidgets_the_same_facts_come_as_text(module, said):
    """Case 72: the table, the settings, the lines that change them, and what to install."""
    printed = run_python(WITHOUT.format(module=module))
    assert "Models at global, prices in USD per million tokens." in printed
    assert "claude-sonnet-5-5" in printed
    assert "%config ClaudeMagics.model = ''" in printed
    assert said in printed
    assert 'pip install "ipywidgets>=7.7.1"' in printed


def test_in_a_terminal_it_is_text_too(capsys):
    """A terminal can show no widget, and need not be told to install any."""
    shell = bare_shell()
    shell.run_line_magic("load_ext", "vertex_claude_magic")
    shell.run_cell("%claude_panel").raise_error()
    printed = capsys.readouterr().out
    assert "%config ClaudeMagics.region = ''" in printed
    assert "pip install" not in printed


def test_loading_the_extension_imports_neither_the_panel_nor_ipywidgets():
    """Only whoever opens it pays for it."""
    code = (
        "import sys\nfrom IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell.instance().run_line_magic('load_ext', 'vertex_claude_magic')\n"
        "print([name for name in sys.modules if 'ipywidgets' in name or 'panel' in name])"
    )
    assert run_python(code).strip() == "[]"


@given(
    system=st.text(max_size=40).filter(lambda text: len(text.splitlines()) < 2),
    project=st.sampled_from(["", "a-project"]),
    temperature=st.sampled_from([None, 0.0, 0.5]),
    label=st.dictionaries(st.sampled_from(["team", "task"]), st.sampled_from(["a", "b-c"])),
    beta=st.lists(st.sampled_from(["x-1", "y-2"]), unique=True),
    quiet=st.booleans(),
)
def test_the_line_gives_exactly_the_options_that_it_was_made_from(
    system, project, temperature, label, beta, quiet
):
    """Quotes, backslashes and spaces survive the way through the parser."""
    options = AskOptions(model="opus", region="eu", system=system or None, project=project or None, max_tokens=5,
                         temperature=temperature, label=label, beta=tuple(beta), no_stream=quiet)  # fmt: skip
    parsed = dict(parse_cell_line(magic_line(resolve_target(options)).removeprefix("%%claude")).options)
    wanted = {"model": "opus", "region": "eu", "max_tokens": 5, "system": system, "project": project,
              "temperature": temperature, "label": label, "beta": tuple(beta), "no_stream": quiet}  # fmt: skip
    assert parsed == {
        name: value
        for name, value in wanted.items()
        if value or (name == "temperature" and value is not None)
    }


def test_a_system_text_of_several_lines_cannot_stand_on_it():
    """The panel says so beside the line."""
    assert "-s" not in magic_line(resolve_target(AskOptions(system="one\ntwo")))
    shell = loaded_shell()
    shell.magics.system = "one\ntwo"
    assert "several lines" in PanelState(shell.magics).look.line_note
