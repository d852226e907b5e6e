"""How long the commands wait for the kernels that run their notebooks."""

from nbclient import NotebookClient
from traitlets import Integer

from vertex_claude_magic.cli.kernels import TIMEOUTS


def test_no_limit_of_nbclient_is_short_on_a_busy_machine():
    """A kernel that starts after a minute, and an output that comes after four seconds, still count."""
    limits = [
        name
        for name, trait in NotebookClient.class_traits().items()
        if name.endswith("timeout") and isinstance(trait, Integer)
    ]
    assert {"startup_timeout", "iopub_timeout", "timeout"} <= set(limits)
    assert [name for name in limits if TIMEOUTS[name] < 300] == []
