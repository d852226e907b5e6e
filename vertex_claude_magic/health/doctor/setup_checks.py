"""The checks of what is on this machine and of the way to Google: each reads what a probe saw."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from vertex_claude_magic.health.doctor.cures import SIGN_IN
from vertex_claude_magic.health.doctor.finding import Finding
from vertex_claude_magic.records.journal.health import examine
from vertex_claude_magic.records.session_records import journal_of
from vertex_claude_magic.records.usage import size
from vertex_claude_magic.settings.options import find_setting, notices_of
from vertex_claude_magic.settings.target import resolve
from vertex_claude_magic.text import without_home
from vertex_claude_magic.vertex.endpoint import check_location, check_token_host, model_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from vertex_claude_magic.health.doctor.case import Case, Probes
    from vertex_claude_magic.transport.connectivity import Reached

__all__ = [
    "clock",
    "credentials",
    "journal",
    "network",
    "project",
    "runtime",
    "settings",
    "token",
    "versions",
    "widgets",
]

DISTRIBUTION = "vertex-claude-magic"
_SHOWN = ("ipython", "ipywidgets", "requests", "google-auth")
# What questions cannot do without; ipywidgets are for the panel, and have a check of their own.
_NEEDED = ("ipython", "requests", "google-auth")
_FIXED = "fixed token"
_MOST_AHEAD = 300.0  # seconds; Google refuses signed tokens beyond
_ON = {
    "linux": "sudo timedatectl set-ntp true",
    "darwin": "sudo sntp -sS time.apple.com",
    "win32": "w32tm /resync",
}
# jupyterlab_widgets 3 shows ipywidgets 8 and 1 shows 7 (ipywidgets documentation, "Migrating custom widgets to 8").
_SHOWS = {"8": "3", "7": "1"}


def versions(case: Case, probes: Probes) -> Finding:
    """Look at this package, Python, the libraries that questions need, and who shows the answers."""
    least = _least()
    found = {name: probes.installed(name) for name in _SHOWN}
    listed = ", ".join(f"{name} {version or 'missing'}" for name, version in found.items())
    own = f"{DISTRIBUTION} {probes.installed(DISTRIBUTION) or '(not installed)'}"
    python = ".".join(str(part) for part in sys.version_info[:3])
    seen = f"{own}, Python {python}, {listed}; shown by {case.front_end}."
    old = [f'"{name}>={least[name]}"' for name in _NEEDED if _older(found[name], least.get(name, "0"))]
    if old:
        return Finding(outcome="failure", seen=seen, cure=f"Run: pip install {' '.join(old)}")
    return Finding(outcome="ok", seen=seen)


def runtime(case: Case, probes: Probes) -> Finding:  # noqa: ARG001 - all checks are called alike
    """Look whether questions can be asked here at all: they wait in a thread, and Pyodide has none."""
    if probes.threads():
        return Finding(outcome="ok", seen="Threads can start, so questions can be asked.")
    return Finding(
        outcome="failure",
        seen="No thread can start here: recorded answers only.",
        cure="Set: replay to only, with a recording; or ask where Python has threads.",
    )


def _least() -> dict[str, str]:
    """Return the oldest version of each dependency that this package names for itself."""
    try:
        named = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return {}
    found = (re.match(r"([\w.-]+)\s*>=\s*([\d.]+)\s*$", text) for text in named)
    return {match[1].lower(): match[2] for match in found if match}


def _older(version: str | None, least: str) -> bool:
    return version is None or _numbers(version) < _numbers(least)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def settings(case: Case, probes: Probes) -> Finding:  # noqa: ARG001 - all checks are called alike
    """Look at model, region and address, and at the place that each comes from."""
    check_location(case.place)
    check_token_host(case.address, case.options.trusted_hosts)
    model = case.model_id
    said = f"{case.model.value}, " if model != case.model.value else ""
    address = f"; base URL of {case.host} ({_from(case.base_url.origin)})" if case.base_url.value else ""
    seen = (
        f"{model} ({said}{_from(case.model.origin)}) in {case.place} ({_from(case.region.origin)}){address}."
    )
    notices = [
        notice
        for notice in notices_of(case.options)
        if case.region.origin == "default" or not notice.startswith("GOOGLE_CLOUD_LOCATION")
    ]
    if notices:
        cure = "Correct the setting, or leave it as it is if that is meant."
        return Finding(outcome="warning", seen=" ".join([seen, *notices]), cure=cure)
    return Finding(outcome="ok", seen=seen)


def _from(origin: str) -> str:
    return (
        origin
        if origin in {"default", "option"}
        else f"from {'a setting' if origin == 'setting' else origin}"
    )


def credentials(case: Case, probes: Probes) -> Finding:  # noqa: ARG001
    """Look where the credentials come from and whose they are."""
    found = probes.identity()
    if found.kind == _FIXED:
        return Finding(outcome="ok", seen=f"A {_FIXED}, {found.source}.")
    whose = f" of {found.account}" if found.account else " of an account that it does not name"
    return Finding(outcome="ok", seen=f"{_capital(found.kind)}{whose}, {found.source}.")


def project(case: Case, probes: Probes) -> Finding:
    """Look which project is asked and which one pays, and where each came from."""
    named = probes.project()
    model_path(project=str(named.value), location=case.place, model="m", verb="v")
    identity = probes.identity.known
    quota = identity.quota_project if identity else None
    seen = f"{named.value} ({_from(named.origin)}); " + (
        f"quota project {quota} (from the credentials)." if quota else "no quota project in the credentials."
    )
    if identity is not None and identity.kind == "user login" and not quota:
        cure = f"Run: gcloud auth application-default set-quota-project {shlex.quote(str(named.value))}"
        return Finding(outcome="warning", seen=seen, cure=cure)
    return Finding(outcome="ok", seen=seen)


def network(case: Case, probes: Probes) -> Finding:
    """Look whether the host can be reached, through which proxy, and who signed its certificate."""
    found = probes.reached()
    if found.is_page and found.host.partition(":")[0] in case.options.trusted_hosts:
        # A gateway may show strangers a page, and no token is sent to find out.
        return Finding(outcome="not checked", seen=f"{found.host} shows whoever has no token a web page.")
    if found.is_page:
        where = f" that leads to {found.location!r}" if found.location else ""
        seen = f"{found.host} answered with a web page ({found.status}){where}, not with a service."
        return Finding(outcome="failure", seen=seen, cure=SIGN_IN)
    return Finding(outcome="ok", seen=f"{found.host} answered {', '.join(_way(found))}.")


def _way(found: Reached) -> Iterable[str]:
    yield f"over {found.tls}" if found.tls else "without TLS"
    if found.issuer:
        yield f"certificate by {found.issuer}"
    yield f"through the proxy {found.proxy}" if found.proxy else "without a proxy"


def clock(case: Case, probes: Probes) -> Finding:
    """Compare this machine's clock with the one of who answers; signed tokens fail where they differ."""
    ahead = probes.reached().ahead
    if ahead is None:
        return Finding(outcome="not checked", seen="The answer tells no time.")
    seen = f"This machine's clock is {_span(ahead)} the service's."
    if abs(ahead) > _MOST_AHEAD:
        return Finding(outcome="failure", seen=seen, cure=f"Run: {_ON.get(case.platform, _ON['linux'])}")
    return Finding(outcome="ok", seen=seen)


def _span(ahead: float) -> str:
    """Say how far the clock here is from the other.

    >>> _span(3600.0), _span(-400.0), _span(0.4)
    ('60 minutes behind', '7 minutes ahead of', 'within 1 s of')
    """
    if abs(ahead) < 60:
        return f"within {abs(ahead):.0f} s of" if abs(ahead) >= 1 else "within 1 s of"
    return f"{abs(ahead) / 60:.0f} minutes {'behind' if ahead > 0 else 'ahead of'}"


def token(case: Case, probes: Probes) -> Finding:  # noqa: ARG001
    """Get a new token, as every question does when the old one ends."""
    found = probes.renewed()
    if found.kind == _FIXED:
        return Finding(outcome="ok", seen="A fixed token, which is never renewed.")
    whose = f" for {found.account}" if found.account else ""
    return Finding(outcome="ok", seen=f"Google gave a new one{whose}{_until(found.expires, probes.now())}.")


def _until(expires: datetime | None, now: datetime) -> str:
    if expires is None:
        return ""
    return f", good for {(expires - now).total_seconds() / 60:.0f} minutes, until {expires:%H:%M} UTC"


def widgets(case: Case, probes: Probes) -> Finding:
    """Look whether ipywidgets are there, new enough, and of the version that JupyterLab's part shows."""
    found = probes.installed("ipywidgets")
    # Colab and VS Code bring their own.
    part = probes.installed("jupyterlab_widgets") if case.front_end == "jupyter" else None
    least = _least().get("ipywidgets", "0")
    if _older(found, least):
        cure = f'Run: pip install "ipywidgets>={least}"'
        return Finding(outcome="warning", seen=f"ipywidgets {found or 'missing'}: no panel.", cure=cure)
    wanted = _SHOWS.get(str(found).partition(".")[0])
    if part and wanted and part.partition(".")[0] != wanted:
        seen = f"ipywidgets {found} is not shown by jupyterlab_widgets {part}: no panel."
        return Finding(
            outcome="warning", seen=seen, cure=f'Run: pip install "jupyterlab_widgets=={wanted}.*"'
        )
    if case.front_end == "terminal":
        return Finding(outcome="not checked", seen=f"ipywidgets {found}; a terminal shows no widgets.")
    return Finding(outcome="ok", seen=f"ipywidgets {found}{f', jupyterlab_widgets {part}' if part else ''}.")


def journal(case: Case, probes: Probes) -> Finding:  # noqa: ARG001
    """Look whether questions and answers can be kept; nothing is made or written for it."""
    kept = journal_of(resolve(case.options))
    if kept is None:
        origin = find_setting("journal", case.options).origin
        return Finding(
            outcome="not checked", seen=f"The journal is off ({_from(origin)}), so nothing is kept."
        )
    found = examine(kept.path)
    where = without_home(str(kept.path))
    if not found.schema:
        return Finding(outcome="ok", seen=f"None yet; the next question begins {where}.")
    old = ", of an older version; the next question brings it up to date" if found.outdated else ""
    return Finding(
        outcome="ok", seen=f"{where} can be written, {size(found.size)}, schema {found.schema}{old}."
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
