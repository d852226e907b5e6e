"""Rules that hold for every test: a clean environment, a home of its own, and no network but loopback.

The machine looks like one without a network: names do not resolve and foreign addresses are
unreachable, at once and with the errors that the operating system gives. The fixture
`claude_emulator` comes from the plugin that users of this package have as well.
"""

from __future__ import annotations

import errno
import gc
import itertools
import os
import shutil
import signal
import socket
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from vertex_claude_magic.settings.loaded import set_loaded, set_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from shells import Shell

    from vertex_claude_magic import Claude
    from vertex_claude_magic.emulator import Emulator

pytest_plugins = ["vertex_claude_magic.emulator.pytest_plugin"]
# The search for doctests would import every conftest again, and two of one name are a conflict.
collect_ignore_glob = ["conftest.py", "*/conftest.py"]

# What would change a request, a login or a place for files. Kept: PATH and whatever Python itself needs.
SCRUBBED_PREFIXES = ("ANTHROPIC_", "CLOUD_ML_", "CLOUDSDK_", "GCE_", "GCLOUD_", "GOOGLE_", "IPYTHON", "JUPYTER_",
                     "VERTEX_CLAUDE_", "XDG_")  # fmt: skip
SCRUBBED_NAMES = {"all_proxy", "ftp_proxy", "http_proxy", "https_proxy", "no_proxy", "netrc", "no_gce_check",
                  "requests_ca_bundle", "curl_ca_bundle", "ssl_cert_file", "sslkeylogfile"}  # fmt: skip


def pytest_collection_finish() -> None:
    """Leave what was collected out of the rounds of the garbage collector: they took a tenth to a fifth of all CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_configure(config: pytest.Config) -> None:
    """Clean the process before any test or fixture of any scope runs; doctests have it too."""
    hypothesis.settings.register_profile("suite", deadline=None, database=None, max_examples=60)
    hypothesis.settings.load_profile("suite")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts background jobs that way, and then no interrupt could be tested.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    # Else each of some 150 processes would compile the package anew, and pytest all tests (5 s in each worker).
    patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    patch.setattr(sys, "dont_write_bytecode", False)
    _keep_browsers(patch)
    _use_memory(patch)
    _scrub(patch, os.environ)
    _cut_network(patch)


def _keep_browsers(patch: pytest.MonkeyPatch) -> None:
    # The browser tests find their Chromium below the real home.
    browsers = Path.home() / ".cache" / "ms-playwright"
    if "PLAYWRIGHT_BROWSERS_PATH" not in os.environ and browsers.is_dir():
        patch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(browsers))


def _use_memory(patch: pytest.MonkeyPatch) -> None:
    # Each journal of a test waits for the disk several times; a file system in memory has none to wait for.
    memory = Path("/dev/shm")
    if (
        "PYTEST_DEBUG_TEMPROOT" not in os.environ
        and os.access(memory, os.W_OK)
        and shutil.disk_usage(memory).free > 4e9
    ):
        patch.setenv("PYTEST_DEBUG_TEMPROOT", str(memory))


def _scrub(patch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    for name in list(environment):
        if name.startswith(SCRUBBED_PREFIXES) or name.lower() in SCRUBBED_NAMES:
            patch.delenv(name)
    # google-auth would look for a metadata server with seconds of patience; its own tests unset this.
    patch.setenv("NO_GCE_CHECK", "true")


def _cut_network(patch: pytest.MonkeyPatch) -> None:
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if not _is_local(self.family, address):
            raise OSError(errno.ENETUNREACH, f"tests reach loopback only, not {address}")
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        return connect_ex(self, address) if _is_local(self.family, address) else errno.ENETUNREACH

    def guarded_resolve(host: Any, *rest: Any, **options: Any) -> Any:
        if host is not None and not _is_loopback(host):
            raise socket.gaierror(socket.EAI_NONAME, f"tests resolve loopback names only, not {host!r}")
        return resolve(host, *rest, **options)

    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    patch.setattr(socket, "getaddrinfo", guarded_resolve)


def _is_local(family: int, address: Any) -> bool:
    return family not in {socket.AF_INET, socket.AF_INET6} or _is_loopback(address[0])


def _is_loopback(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    try:
        return name in {"", "localhost"} or ip_address(name).is_loopback or ip_address(name).is_unspecified
    except ValueError:
        return False


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names of folders that nobody has used yet; pytest's own numbering reads a folder of thousands for each."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, homes: Iterator[Path]) -> Iterator[Path]:
    """An empty home directory, where no test finds a login, a .netrc, a setting or a journal of another."""
    folder = next(homes)
    folder.mkdir()
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(folder))
    yield folder
    set_loaded(None)


@pytest.fixture
def shell(claude_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell with the extension, which asks the emulator as the environment says."""
    # Here, so that IPython is read only when the process is clean.
    from shells import loaded_shell

    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    shell = loaded_shell(claude_emulator)
    magics = shell.magics
    yield shell
    panel = magics.panel
    if panel is not None:
        panel.actions.close()
    magics.close()
    if panel is not None:
        from front import panel_ended

        panel_ended()


@pytest.fixture
def under(
    claude_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[str], Shell]]:
    """What loads a shell beside a policy of this text."""
    from shells import loaded_shell

    shells: list[Shell] = []

    def load(text: str) -> Shell:
        (tmp_path / "claude-policy.toml").write_text(text)
        monkeypatch.chdir(tmp_path)
        set_policy(None)
        for name, value in claude_emulator.environment.items():
            monkeypatch.setenv(name, value)
        shells.append(loaded_shell(claude_emulator))
        return shells[-1]

    yield load
    for shell in shells:
        shell.magics.close()
    set_policy(None)


@pytest.fixture
def claude(claude_emulator: Emulator, tmp_path: Path) -> Iterator[Claude]:
    """A client that asks the emulator and has a journal of its own."""
    from vertex_claude_magic import Claude

    client = Claude(
        project=claude_emulator.project,
        base_url=claude_emulator.base_url,
        access_token="emulator",
        model="haiku",
        journal=str(tmp_path / "journal.sqlite"),
    )
    yield client
    client.close()
