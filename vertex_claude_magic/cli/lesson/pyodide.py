"""Pyodide and the wheels that replaying needs, fetched once and kept in the cache folder of this user.

Pyodide's core comes from npm, the wheels from the package index; at run time nothing is fetched. The list of packages,
`pyodide-lock.json`, is written anew: it has the SHA-256 of Pyodide's own builds, which wheels of the index
do not have.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypedDict

from vertex_claude_magic.cli.lesson.wheel import DISTRIBUTION
from vertex_claude_magic.errors import MissingExtra, OptionError
from vertex_claude_magic.files import write_whole
from vertex_claude_magic.text import quote, reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["ADDED", "fetch_pyodide", "write_pyodide"]

# What loads without any package, of the npm package's files.
_LOCK = "pyodide-lock.json"
_CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", _LOCK)
# What the kernel asks for when it starts, and what replaying imports. Everything that these depend on is in the lock.
_LOCKED = ("micropip", "ipython", "jedi", "platformdirs")
# Not in the lock: the releases that the site was tried with, and what each needs of the others.
ADDED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "comm": ("0.2.3", ()),
    "mdurl": ("0.1.2", ()),
    "markdown-it-py": ("4.3.0", ("mdurl",)),
    "ipywidgets": ("8.1.9", ("comm", "ipython", "traitlets")),
}
# What this package imports there; ipywidgets draw the panel.
_REPLAYING = ("markdown-it-py", "platformdirs", "ipywidgets")


class Package(TypedDict, total=False):
    """A package in the lock; it may have more keys, which are left as they are."""

    name: str
    version: str
    depends: list[str]
    imports: list[str]
    install_dir: str
    package_type: str
    unvendored_tests: bool
    file_name: str
    sha256: str


def fetch_pyodide(release: str, cache: Path, archive: Path | None = None) -> Path:
    """Return a folder with Pyodide's core and all wheels, which is filled at the first call.

    Args:
        release: The release of Pyodide, such as 314.0.6.
        cache: Where downloads are kept.
        archive: The file of `npm pack pyodide@VERSION`, where npm is not to be asked.

    Raises:
        MissingExtra: npm or pip is not there.
        OptionError: something cannot be downloaded, or the archive is not that release.
    """
    folder = cache / f"pyodide-{release}"
    folder.mkdir(parents=True, exist_ok=True)
    if archive is None and not all((folder / name).is_file() for name in _CORE):
        npm = shutil.which("npm")
        if npm is None:
            raise MissingExtra(
                "The browser edition needs Pyodide, and npm, which fetches it, is not installed.",
                cure=f"Install Node.js; or run `npm pack pyodide@{release}` elsewhere and add --pyodide FILE.tgz; "
                "or add --no-browser.",
            )
        _run([npm, "pack", "--silent", f"pyodide@{release}", "--pack-destination", str(folder)], "Pyodide")
        archive = folder / f"pyodide-{release}.tgz"
    if archive is not None:
        _unpack(archive, release, folder)
    lock = json.loads((folder / _LOCK).read_text(encoding="utf-8"))
    wanted = _wanted(lock["packages"])
    missing = {name: each["version"] for name, each in wanted.items() if _wheel(folder, each) is None}
    if not missing:
        return folder
    python = lock["info"]["python"]
    if find_spec("pip") is None:
        raise MissingExtra(
            "The browser edition needs pip to fetch wheels.",
            cure="Run: python -m ensurepip; or add --no-browser.",
        )
    # Nothing but the very wheels: what they depend on is in the list of their names.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary=:all:", "--platform", "any", "--abi", "none", "--implementation", "py",
               "--python-version", python, "--dest", str(folder)]  # fmt: skip
    _run(
        [*command, *(f"{name}=={number}" for name, number in sorted(missing.items()))],
        "wheels for the browser",
    )
    return folder


def write_pyodide(fetched: Path, out: Path, own: Path) -> None:
    """Write the folder that the browser loads Pyodide from.

    Args:
        fetched: What `fetch_pyodide` has returned.
        out: The new folder.
        own: This package's wheel.
    """
    out.mkdir(parents=True)
    for name in _CORE:
        shutil.copyfile(fetched / name, out / name)
    lock = json.loads((fetched / _LOCK).read_text(encoding="utf-8"))
    packages = _wanted(lock["packages"])
    wheels = {name: wheel for name, package in packages.items() if (wheel := _wheel(fetched, package))}
    packages[DISTRIBUTION] = _package(DISTRIBUTION, own.name.split("-")[1], _REPLAYING)
    wheels[DISTRIBUTION] = own
    for name, package in packages.items():
        wheel = wheels[name]
        shutil.copyfile(wheel, out / wheel.name)
        package["file_name"] = wheel.name
        package["sha256"] = hashlib.sha256(wheel.read_bytes()).hexdigest()
    # What has no entry is not asked for anywhere: an import of it fails at once.
    lock["packages"] = packages
    (out / _LOCK).write_text(json.dumps(lock), encoding="utf-8")


def _wanted(packages: Mapping[str, Package]) -> dict[str, Package]:
    """Return the entries of all packages that are bundled, by name."""
    known = {_same(name): package for name, package in packages.items()}
    found: dict[str, Package] = {}
    todo = list(_LOCKED)
    while todo:
        name = _same(todo.pop())
        if name not in found:
            found[name] = {**known[name]}
            todo += known[name]["depends"]
    return found | {name: _package(name, *each) for name, each in ADDED.items()}


def _package(name: str, number: str, needed: Sequence[str]) -> Package:
    """Return the entry of a package that is not in Pyodide's list."""
    return {
        "name": name,
        "version": number,
        "depends": list(needed),
        "imports": [],
        "install_dir": "site",
        "package_type": "package",
        "unvendored_tests": False,
    }


def _same(name: str) -> str:
    """Return the normal form of a package's name (packaging.python.org, "Names and normalization")."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _wheel(folder: Path, package: Package) -> Path | None:
    """Return the wheel of a package, None where it has not been fetched."""
    for path in folder.glob("*-none-any.whl"):
        name, number = path.name.split("-")[:2]
        if (_same(name), number) == (_same(package["name"]), package["version"]):
            return path
    return None


def _unpack(archive: Path, release: str, folder: Path) -> None:
    try:
        with tarfile.open(archive) as files:
            found = {name: _member(files, f"package/{name}") for name in (*_CORE, "package.json")}
    except (OSError, tarfile.TarError, KeyError) as error:
        raise OptionError(
            f"{quote(str(archive))} is not the npm package of Pyodide ({quote(reason_of(error), 80)}).",
            cure=f"Get it with: npm pack pyodide@{release}",
        ) from None
    number = json.loads(found["package.json"]).get("version")
    if number != release:
        raise OptionError(
            f"{quote(str(archive))} is Pyodide {quote(str(number), 20)}, and JupyterLite's kernel needs {release}.",
            cure=f"Get it with: npm pack pyodide@{release}",
        )
    for name in _CORE:
        write_whole(folder / name, found[name], mode=0o644)


def _member(files: tarfile.TarFile, name: str) -> bytes:
    member = files.extractfile(name)
    if member is None:
        raise KeyError(name)
    return member.read()


def _run(command: Sequence[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed names and versions
    if done.returncode:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no reason given")
        raise OptionError(
            f"Fetching {what} failed: {quote(last).rstrip('.')}.",
            cure="Check the network; or add --no-browser.",
        )
