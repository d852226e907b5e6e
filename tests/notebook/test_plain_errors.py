"""An error of ours is one line, whatever else shows tracebacks."""

from __future__ import annotations

import sys
from types import MappingProxyType

import pytest
from shells import bare_shell, loaded_shell

from vertex_claude_magic.notebook import audit
from vertex_claude_magic.notebook.display.frontends import front_end
from vertex_claude_magic.records.provenance import DRAFT

RICH = "from rich import traceback\ntraceback.install(show_locals=True)"
HANDLER = "def handler(self, kind, error, trace, tb_offset=None):\n    print('REPORT', kind)\n    return ['REPORT']\n"
FAILING = "def handler(self, kind, error, trace, tb_offset=None):\n    raise RuntimeError('REPORT')\n"
TOOLS = MappingProxyType(
    {
        "none": "pass",
        "showtraceback replaced": "ip.showtraceback = lambda *a, **k: print('REPORT', len('x'))",
        "both methods replaced": "ip.showtraceback = ip._showtraceback = lambda *a, **k: print('REPORT')",
        "a handler for all errors": f"{HANDLER}ip.set_custom_exc((Exception,), handler)",
        "a handler for interrupts too": f"{HANDLER}ip.set_custom_exc((BaseException,), handler)",
        "a handler for ValueError": f"{HANDLER}ip.set_custom_exc((ValueError, OSError), handler)",
        "a handler that fails": f"{FAILING}ip.set_custom_exc((Exception,), handler)",
        "rich": RICH,
        "rich and a handler": f"{RICH}\n{HANDLER}ip.set_custom_exc((Exception,), handler)",
        "xmode Verbose": "ip.run_line_magic('xmode', 'Verbose')",
        "xmode Minimal": "ip.run_line_magic('xmode', 'Minimal')",
    }
)
# Each fails in another way, and before anything is sent.
FAILING_CELLS = MappingProxyType(
    {
        "a type of the answer": "%%claude --as nosuch\nhi",
        "an option": "%%claude --nosuch\nhi",
        "a line": "%claude --nosuch hi",
        "a library": "from vertex_claude_magic import Claude\nClaude(model='nosuch').ask('hi', max_tokens='nosuch')",
        "an error that is raised again": "from vertex_claude_magic.errors import OptionError\n"
        "raise OptionError('nosuch', cure='None.')",
    }
)
LOAD = "%load_ext vertex_claude_magic"


def one_line(result: object, shown: object) -> None:
    """The cell failed, and one line was printed, by nobody but us."""
    printed = shown.out + shown.err
    assert not result.success
    assert "nosuch" in printed
    assert "REPORT" not in printed
    assert "Traceback" not in printed
    assert len(printed.strip().splitlines()) == 1


@pytest.mark.parametrize("install", TOOLS.values(), ids=TOOLS.keys())
@pytest.mark.parametrize("question", FAILING_CELLS.values(), ids=FAILING_CELLS.keys())
@pytest.mark.parametrize("first", ["tool", "extension"])
def test_an_error_of_ours_is_one_line_with_any_traceback_tool(first, install, question, capsys):
    """The tool does not see it, whichever came first, and the cell fails."""
    shell = bare_shell()
    cells = [f"ip = get_ipython()\n{install}", LOAD]
    for cell in cells if first == "tool" else cells[::-1]:
        shell.run_cell(cell)
    capsys.readouterr()
    one_line(shell.run_cell(question), capsys.readouterr())


@pytest.mark.parametrize("install", TOOLS.values(), ids=TOOLS.keys())
@pytest.mark.parametrize("question", [FAILING_CELLS["a line"], FAILING_CELLS["a library"]])
@pytest.mark.parametrize("order", ["tool, extension", "extension, tool"])
def test_also_when_one_cell_installs_the_tool_loads_and_asks(order, install, question, capsys):
    """No magic has run and no other cell has begun when the error comes."""
    parts = {"tool": install, "extension": LOAD}
    lines = "\n".join(parts[name] for name in order.split(", "))
    shell = bare_shell()
    shell.run_cell("ip = get_ipython()\nip.run_line_magic('xmode', 'Context')")
    capsys.readouterr()
    result = shell.run_cell(f"{lines}\n{question}")
    shown = capsys.readouterr()
    lines = [line for line in shown.out.splitlines() if "Exception reporting mode" not in line]
    one_line(result, shown._replace(out="\n".join(lines)))


@pytest.mark.parametrize("install", [each for each in TOOLS.values() if "REPORT" in each])
def test_a_tool_shows_the_errors_of_the_user(install, capsys):
    """Also after an error of ours."""
    shell = loaded_shell().ip
    shell.run_cell(f"ip = get_ipython()\n{install}")
    shell.run_cell("%%claude --nosuch\nhi")
    capsys.readouterr()
    shell.run_cell("int('x')")
    shown = capsys.readouterr()
    assert "REPORT" in shown.out + shown.err


def test_the_error_that_tb_and_the_debugger_look_at_is_ours(monkeypatch):
    """As with any other error."""
    for name in ("last_type", "last_value", "last_traceback"):
        monkeypatch.setattr(sys, name, None, raising=False)
    shell = loaded_shell().ip
    result = shell.run_cell("%%claude --nosuch\nhi")
    assert sys.last_value is result.error_in_exec


def test_unloading_gives_every_method_back():
    """What a tool installed is there as before."""
    shell = bare_shell()
    before = shell.custom_exceptions
    shell.run_cell(f"ip = get_ipython()\n{HANDLER}ip.set_custom_exc((ZeroDivisionError,), handler)\n{LOAD}")
    shell.run_cell("%%claude --nosuch\nhi")
    shell.run_cell("%unload_ext vertex_claude_magic")
    assert before == ()
    assert shell.custom_exceptions == (ZeroDivisionError,)
    assert not {"set_custom_exc", "showtraceback"} & {
        name for name, value in vars(shell).items() if type(value).__module__.startswith("vertex_claude")
    }


def test_a_draft_is_known_to_audit_and_strip():
    """What a killed kernel leaves is reported as unfinished, and is removed."""
    draft = {"output_type": "display_data", "data": {"text/plain": "half"}, "metadata": dict(DRAFT)}
    notebook = {"cells": [{"source": "%%claude\nhi", "outputs": [draft], "execution_count": None}]}
    (entry,) = audit.entries(notebook)
    assert entry.unfinished
    assert "unfinished" in audit.table([entry])
    assert audit.stripped(notebook)[1] == 1


class Kernel:
    """A shell whose parent message has this metadata."""

    kernel = object()
    user_ns: dict[str, object] = {}  # noqa: RUF012

    def __init__(self, metadata):
        self.metadata = metadata

    def get_parent(self):
        """Return the message that is being answered."""
        return {"header": {"msg_id": "1"}, "metadata": self.metadata}


@pytest.mark.parametrize(
    ("metadata", "updates"),
    [({"cellId": "a"}, True), ({"cellId": "a", "deletedCells": []}, True), ({}, False), (None, False)],
)
def test_a_client_that_sends_no_cell_id_gets_one_final_output(metadata, updates):
    """Consoles, runners and callbacks of widgets know no update."""
    assert front_end(Kernel(metadata), environ={}, modules=()).updates is updates
