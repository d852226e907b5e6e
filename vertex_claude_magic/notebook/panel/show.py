"""`%claude_panel`: the panel where widgets can be shown, and the same facts as text where they cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.display.frontends import front_end
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host

__all__ = ["show_panel"]

_LEAST = (7, 7)
_VIEW = "application/vnd.jupyter.widget-view+json"


def show_panel(host: Host, line: str) -> None:
    """Run `%claude_panel`: show the one panel of this session, or text where there are no widgets.

    Raises:
        OptionError: the line is not empty, or the settings name a model table that cannot be read.
    """
    if line.strip() in {"-h", "--help"}:
        from vertex_claude_magic.notebook.commands.help import show_help

        show_help(host, "claude_panel")
        return
    if line.strip():
        raise OptionError(
            f"%claude_panel takes no arguments; this line has {quote(line.strip(), 40)!r}.",
            cure='Choose in the panel, or use %config ClaudeMagics.model = "opus".',
        )
    try:
        import ipywidgets

        version = tuple(int(part) for part in ipywidgets.__version__.split(".")[:2])
        missing = "" if version >= _LEAST else f"ipywidgets {ipywidgets.__version__} is too old"
    except ImportError:
        missing = "ipywidgets is not installed"
    if missing or front_end(host.shell).kind == "terminal":
        from vertex_claude_magic.notebook.panel.text import choice_as_text

        session = host.session()
        print(choice_as_text(session.target(), session.status.sightings()))
        print(
            "Settings of this session, where '' and None leave the choice to the default; to change one, run its line:"
        )
        for name in ("model", "region", "project", "max_tokens", "effort", "thinking", "system"):
            print(f"%config ClaudeMagics.{name} = {getattr(host, name)!r}")
        print("All models: %claude_models. All settings: %claude.")
        if missing:
            print(f'No panel: {missing}. Install it with: pip install "ipywidgets>=7.7.1"')
        return
    from vertex_claude_magic.notebook.display.screens import NotebookScreen
    from vertex_claude_magic.notebook.panel.output import StaticOutput
    from vertex_claude_magic.notebook.panel.text import NEEDS_KERNEL, WITHOUT_PAGE, without_kernel
    from vertex_claude_magic.notebook.panel.view import Panel

    panel = host.panel
    # ipywidgets itself closes widgets; and after a reload the class is another.
    if panel is not None and (panel.closed or not isinstance(panel, Panel)):
        panel.close()
        panel = None
    if panel is None:
        panel = host.panel = Panel(host, StaticOutput(NotebookScreen(host.shell.display_pub)))
    # A front end shows the richest form of a bundle that it can, so the rest appears only where the widgets do not.
    view = {"version_major": 2, "version_minor": 0, "model_id": panel.widget.model_id}
    host.shell.display_pub.publish(
        data={
            _VIEW: view,
            "text/html": without_kernel(panel.state.look),
            "text/plain": f"{NEEDS_KERNEL} {WITHOUT_PAGE}",
        },
        metadata={},
    )
    panel.output.open(panel.state.look.summary)
