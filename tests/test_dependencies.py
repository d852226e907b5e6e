"""Every third-party package that the code imports is declared, and every declared one is imported or has a reason."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from vertex_claude_magic.__main__ import main

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]

# Distributions whose module has another name.
MODULES = {
    "axe-playwright-python": {"axe_playwright_python"},
    "google-auth": {"google.auth", "google.oauth2"},
    "google-api-core": {"google.api_core"},
    "google-cloud-storage": {"google.cloud"},
    "ipython": {"IPython"},
    "markdown-it-py": {"markdown_it"},
    "pillow": {"PIL"},
    "pytest-randomly": {"pytest_randomly"},
    "pytest-xdist": {"xdist"},
    "scikit-learn": {"sklearn"},
    "vl-convert-python": {"vl_convert"},
}
NOT_IMPORTED = {
    "lab": {"jupyterlab": "run as `python -m jupyterlab`"},
    "lesson": {
        "jupyterlite-core": "run as `python -m jupyterlite_core`",
        "jupyter-server": "jupyterlite-core lists the files of a site with it",
        "pip": "run as `python -m pip`",
    },
}
# With what is a part of Python since 3.11; before, tomli is in its place.
STANDARD = sys.stdlib_module_names | {"tomllib"}
# What is imported only where the user has made a value with it, or runs our plugin in it.
BY_THE_VALUE = {
    "kaleido": "a plotly figure is drawn with it",
    "vl_convert": "an Altair chart is drawn with it",
    "polars": "a table of it gets columns",
    "pyarrow": "a table of it gets columns",
    "rich": "an answer in a terminal is laid out by it where it is installed",
    "pytest": "it loads our plugin",
    "google.colab": "Colab has it, and nobody else can install it",
    "cryptography": "google-auth signs with it; only the emulator's test logins need it",
}


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower()


def modules_of(requirements: list[str]) -> dict[str, set[str]]:
    names = {name_of(each) for each in requirements} - {"vertex-claude-magic"}
    return {name: MODULES.get(name, {name.replace("-", "_")}) for name in names}


def imports_of(source: str) -> set[str]:
    """Return the third-party modules that code imports, wherever it does; not for type checkers only."""
    found: set[str] = set()

    def look(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                for other in child.orelse:
                    look(ast.Module([other], []))
                continue
            if isinstance(child, ast.Import):
                names = [each.name for each in child.names]
            elif isinstance(child, ast.ImportFrom) and not child.level:
                names = [f"{child.module}.{each.name}" for each in child.names]
            else:
                look(child)
                continue
            for name in names:
                parts = name.split(".")
                if parts[0] not in STANDARD and parts[0] != "vertex_claude_magic":
                    found.add(".".join(parts[:2]) if parts[0] == "google" else parts[0])

    look(ast.parse(source))
    return found


@pytest.fixture(scope="module")
def imported() -> set[str]:
    files = (ROOT / "vertex_claude_magic").rglob("*.py")
    return set().union(*(imports_of(file.read_text(encoding="utf-8")) for file in files))


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import pandas as pd", {"pandas"}),
        ("def f():\n    from PIL import Image", {"PIL"}),
        ("try:\n    import yaml\nexcept ImportError:\n    yaml = None", {"yaml"}),
        ("if TYPE_CHECKING:\n    import polars\nelse:\n    import numpy.linalg", {"numpy"}),
        (
            "from google.auth import default\nimport google.oauth2.credentials",
            {"google.auth", "google.oauth2"},
        ),
        ("import os, json\nfrom . import x\nfrom vertex_claude_magic import y", set()),
        ('"""from nowhere import nothing"""', set()),
    ],
)
def test_an_import_is_found_wherever_it_is_run(source, modules):
    assert imports_of(source) == modules


def test_every_imported_package_is_declared(imported):
    declared = [
        *PROJECT["dependencies"],
        *(each for name in ("data", "batch", "demo", "lab", "lesson") for each in EXTRAS[name]),
    ]
    assert imported - set().union(*modules_of(declared).values()) == set(BY_THE_VALUE) & imported
    assert set(BY_THE_VALUE) <= imported


@pytest.mark.parametrize("extra", ["core", "data", "batch", "demo", "lab", "lesson"])
def test_every_declared_package_is_imported_or_has_a_reason(imported, extra):
    declared = modules_of(PROJECT["dependencies"] if extra == "core" else EXTRAS[extra])
    unused = {name for name, modules in declared.items() if not modules & imported}
    assert unused == set(NOT_IMPORTED.get(extra, {}))


def test_what_the_value_brings_is_installed_for_the_tests():
    tested = set().union(*modules_of(EXTRAS["test"]).values())
    assert set(BY_THE_VALUE) - {"google.colab"} <= tested


def test_the_demo_needs_no_browser_and_no_data_library():
    assert not {name_of(each) for each in EXTRAS["demo"]} & {
        "jupyterlab",
        "notebook",
        "pandas",
        "vertex-claude-magic",
    }


@pytest.mark.parametrize(
    ("missing", "arguments", "install"),
    [
        ("jupyterlab", ["--lab"], '"vertex-claude-magic[demo,lab]"'),
        ("nbclient", ["--lab"], '"vertex-claude-magic[demo]"'),
        ("nbclient", [], '"vertex-claude-magic[demo]"'),
        ("nbconvert", [], '"vertex-claude-magic[demo]"'),
    ],
)
def test_a_demo_without_a_package_names_it_and_the_install_line(
    capsys, monkeypatch, tmp_path, missing, arguments, install
):
    # None is how Python itself marks a module that cannot be imported.
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["demo", *arguments, "--output", str(tmp_path / "out")]) == 2
    assert f"needs {missing}, not installed here. Run: pip install {install}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
