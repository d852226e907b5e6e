"""The pages of a lesson: `README.md` for whoever gets the folder, and `index.html` of the browser edition."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote as encoded

from vertex_claude_magic.cli.lesson.folder import NOTEBOOKS
from vertex_claude_magic.cli.lesson.manifest import SITE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["index_page", "readme", "requirements"]

# As the extra `data` has it; prompts with tables and pictures need some of them.
_DATA = {
    "pandas",
    "polars",
    "pyarrow",
    "numpy",
    "narwhals",
    "pydantic",
    "PIL",
    "matplotlib",
    "pypdf",
    "duckdb",
}
# Only where the address is known: who gets the folder cannot put it into a repository.
_ONLINE = """\

## Colab

Open a notebook with its badge, and run this as the first cell.

```
!git clone --depth 1 https://github.com/{place} lesson
%cd lesson
%pip install -q -r requirements.txt
%cd {folder}
```

## Binder

[![Binder](https://mybinder.org/badge_logo.svg)](https://mybinder.org/v2/gh/{place}/HEAD?labpath={notebooks})
"""
_BROWSER_EDITION = """\

## In the browser alone

```bash
python3 -m http.server -d {site}
```

Then open <http://localhost:8000>. Any web server can serve `{site}` over https; no other host is asked.{limits}
"""
_LIVE = """\

## Ask Claude yourself

With a Google Cloud project that has Claude, add `--replay {mode}` to a cell. This costs.
"""


def requirements(
    wheel: str, imports: Mapping[str, Sequence[str]], distributions: Mapping[str, Sequence[str]]
) -> str:
    """Return `requirements.txt`: this package, and what the notebooks import.

    Args:
        wheel: The path of this package's wheel in the lesson.
        imports: The packages that each notebook imports.
        distributions: Which distributions each package comes from, as far as that is known.

    >>> print(requirements("wheels/m.whl", {"a.ipynb": ["sklearn"]}, {"sklearn": ["scikit-learn"]}), end="")
    ./wheels/m.whl
    scikit-learn
    """
    modules = {each for names in imports.values() for each in names}
    extra = "[data]" if modules & _DATA else ""
    named = {distributions[each][0] for each in modules if distributions.get(each)}
    return "\n".join([f"./{wheel}{extra}", *sorted(named), ""])


def readme(
    imports: Mapping[str, Sequence[str]],
    *,
    date: str,
    package: str,
    github: str | None,
    browser: Sequence[str] | None,
    mode: str,
) -> str:
    """Return the README of a lesson.

    Args:
        imports: The notebooks, with the packages that each imports.
        date: The day of the lesson.
        package: The version of this package.
        github: OWNER/REPOSITORY, None where it is not known.
        browser: The notebooks of the browser edition, None where there is none.
        mode: The way to replay that sends what is not recorded, empty where the lesson's policy allows none.
    """
    colab = "https://colab.research.google.com"
    badge = (
        ""
        if github is None
        else f" [![Open in Colab]({colab}/assets/colab-badge.svg)]({colab}/github/{github}/blob/main/"
    )
    listed = "\n".join(
        f"- [{name}]({NOTEBOOKS}/{encoded(name)})" + (badge and f"{badge}{NOTEBOOKS}/{encoded(name)})")
        for name in imports
    )
    folder, _, _ = f"{NOTEBOOKS}/{next(iter(imports))}".rpartition("/")
    online = "" if github is None else _ONLINE.format(place=github, notebooks=NOTEBOOKS, folder=folder)
    limits = ""
    if browser is not None and (without := [name for name in imports if name not in browser]):
        needs = "needs" if len(without) == 1 else "need"
        limits = f" Not there: {', '.join(without)}, which {needs} other packages."
    edition = "" if browser is None else _BROWSER_EDITION.format(site=SITE, limits=limits)
    live = _LIVE.format(mode=mode) if mode else ""
    return f"""\
# Lesson

The answers in this folder are recorded: no account, no costs, no request to Claude. Made on {date} with
vertex_claude_magic {package}.

{listed}

## On your computer

```bash
python3 -m venv .venv && .venv/bin/pip install -r requirements.txt jupyterlab
.venv/bin/jupyter lab {NOTEBOOKS}
```

On Windows it is `py` for `python3` and `.venv\\Scripts\\` for `.venv/bin/`.
{online}{edition}{live}"""


def index_page(imports: Mapping[str, Sequence[str]], *, date: str, browser: Sequence[str]) -> str:
    """Return the first page of the browser edition, which says that answers are recorded.

    All pages of JupyterLite read the settings of the first one, in a data block that it must have.

    Args:
        imports: The notebooks, with the packages that each imports.
        date: The day of the lesson.
        browser: Those that run there.
    """
    items = []
    for name, needed in imports.items():
        if name in browser:
            address = f"notebooks/index.html?path={encoded(f'{NOTEBOOKS}/{name}', safe='')}"
            items.append(f'<li><a href="{escape(address)}">{escape(name)}</a></li>')
        else:
            items.append(
                f"<li>{escape(name)}: not in the browser, because it needs {escape(', '.join(needed))}</li>"
            )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Lesson</title>\n'
        '<meta name="viewport" content="width=device-width">\n<meta name="color-scheme" content="light dark">\n'
        '<script id="jupyter-config-data" type="application/json" data-jupyter-lite-root=".">{}</script>\n'
        "</head>\n"
        f"<body>\n<h1>Lesson</h1>\n<ul>\n{chr(10).join(items)}\n</ul>\n"
        "<p>Python runs in your browser. Answers are recorded: a question that you change or add gets none, and "
        "nothing is sent to Claude.</p>\n"
        "<p>The first start takes up to a minute. Your changes stay in this browser.</p>\n"
        f"<p>Made on {escape(date)}.</p>\n</body>\n</html>\n"
    )
