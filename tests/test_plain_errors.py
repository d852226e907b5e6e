"""An error of ours is one line, whatever else shows tracebacks."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from tests.shells import loaded_shell
from vertex_claude_magic.notebook import audit
from vertex_claude_magic.notebook.frontends import front_end
from vertex_claude_magic.notebook.provenance import DRAFT

TOOLS = MappingProxyType(
    {
        "a tool that replaces showtraceback": "ip.showtraceback = lambda *a, **k: print('REPORT', len('x'))",
        "a tool that replaces both": "ip.showtraceback = ip._showtraceback = lambda *a, **k: print('REPORT')",
        "xmode Verbose": "ip.run_line_magic('xmode', 'Verbose')",
    }
)


@pytest.mark.parametrize("install", TOOLS.values(), ids=TOOLS.keys())
@pytest.mark.parametrize("question", ["%%claude --as nosuch\nhi", "%%claude --nosuch\nhi"])
def test_an_error_of_ours_is_one_line_with_any_traceback_tool(install, question, capsys):
    """The tool does not see it, and the cell fails."""
    shell = loaded_shell().ip
    shell.run_cell(f"ip = get_ipython()\n{install}")
    capsys.readouterr()
    result = shell.run_cell(question)
    shown = capsys.readouterr()
    assert not result.success
    assert "nosuch" in shown.out + shown.err
    assert "REPORT" not in shown.out
    assert len((shown.out + shown.err).strip().splitlines()) == 1


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
