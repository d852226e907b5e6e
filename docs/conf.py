"""How Sphinx builds the documentation: offline, warnings as errors, notebooks with their stored outputs.

sphinx-build -W -b html docs docs/_build/html
"""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

# The notebooks live where readers of the repository and the demo find them; Sphinx reads its own folder only.
EXAMPLES = HERE / "examples"
EXAMPLES.mkdir(exist_ok=True)
for notebook in sorted((HERE.parent / "notebooks").glob("*.ipynb")):
    there = notebook.read_text(encoding="utf-8").replace("../docs/images/", "../images/")
    (EXAMPLES / notebook.name).write_text(there, encoding="utf-8")
# One of them links to the source of its data.
(EXAMPLES / "data").mkdir(exist_ok=True)
about = (HERE.parent / "notebooks" / "data" / "README.md").read_text(encoding="utf-8")
(EXAMPLES / "data" / "README.md").write_text(f"---\norphan: true\n---\n\n{about}", encoding="utf-8")

project = "vertex_claude_magic"
author = "The authors of vertex_claude_magic"
project_copyright = author
version = release = version_of("vertex-claude-magic")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "registry_pages", "front_ends"]
exclude_patterns = ["_build", "_ext"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
root_doc = "index"

nb_execution_mode = "off"
# With formulas, as front ends show them.
nb_render_markdown_format = "myst"
# A widget needs a kernel; what stands in for it in the notebook stands in for it here.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Docstrings are written in Markdown's way: one backtick is code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "pydata_sphinx_theme"
html_title = project
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["wrap.css"]
html_theme_options = {
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    # Both themes of JupyterLab have their like.
    "pygments_light_style": "default",
    "pygments_dark_style": "monokai",
}
