"""The checks of what is on this machine and of the way to Google."""

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
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.text import without_home
from vertex_claude_magic.vertex.endpoint import check_location, check_token_host, model_path

if TYPE_CHECKING:
    from vertex_claude_magic.health.doctor.setup import Setup

__all__ = [
    "clock",
    "credentials",
    "journal",
    "network",
    "policy",
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
_SET_CLOCK = {
    "linux": "sudo timedatectl set-ntp true",
    "darwin": "sudo sntp -sS time.apple.com",
    "win32": "w32tm /resync",
}
# jupyterlab_widgets 3 shows ipywidgets 8 and 1 shows 7 (ipywidgets documentation, "Migrating custom widgets to 8").
_SHOWS = {"8": "3", "7": "1"}


def versions(setup: Setup) -> Finding:
    """Look at this package, Python, the libraries that questions need, and the front end."""
    found = {name: setup.installed(name) for name in _SHOWN}
    listed = ", ".join(f"{name} {version or 'missing'}" for name, version in found.items())
    own = f"{DISTRIBUTION} {setup.installed(DISTRIBUTION) or '(not installed)'}"
    python = ".".join(str(part) for part in sys.version_info[:3])
    seen = f"{own}, Python {python}, {listed}; shown by {setup.front_end}."
    least = _least_versions()
    # Where nothing can be sent, nobody needs what sends.
    needed = _NEEDED if setup.connects else _NEEDED[:1]
    old = [f'"{name}>={least[name]}"' for name in needed if _is_older(found[name], least.get(name, "0"))]
    return Finding("failure", seen, f"Run: pip install {' '.join(old)}") if old else Finding("ok", seen)


def _least_versions() -> dict[str, str]:
    """Return the oldest version of each dependency that this package names for itself."""
    try:
        named = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return {}
    found = (re.match(r"([\w.-]+)\s*>=\s*([\d.]+)\s*$", text) for text in named)
    return {match[1].lower(): match[2] for match in found if match}


def _is_older(version: str | None, least: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", text)[:3]]

    return version is None or numbers(version) < numbers(least)


def runtime(setup: Setup) -> Finding:
    """Look whether questions can be asked here at all: they wait in a thread, and Pyodide has none."""
    if setup.connects:
        return Finding("ok", "Threads can start, so questions can be asked.")
    return Finding(
        "failure",
        "No thread can start here: recorded answers only.",
        "Set: replay to only, with a recording; or use a Python that has threads (Pyodide has none).",
    )


def policy(_setup: Setup) -> Finding:
    """Look whether the policy can be read; one that cannot turns everything off."""
    if present_policy().closed:
        message, cure = present_policy().closed
        return Finding("failure", message, cure)
    return Finding("ok", "A policy is in force; %claude without a prompt shows what it sets.")


def settings(setup: Setup) -> Finding:
    """Look at model, region and address, and at the place that each comes from."""
    target = setup.target
    check_location(target.region)
    check_token_host(setup.address, target.trusted_hosts)
    alias = f"{target.model}, " if target.model_id != target.model else ""
    model = f"{target.model_id} ({alias}{_from(setup, 'model')})"
    base_url = f"; base URL of {setup.host} ({_set_by_demo(setup, 'base_url')})" if target.base_url else ""
    seen = f"{model} in {target.region} ({_from(setup, 'region')}){base_url}."
    about = ""
    if setup.session.demo:
        about = "The demo's emulator answers, not Google and not Claude; %claude_demo stop ends demo mode."
    elif setup.answered_by:
        about = "A local server answers, not Google (see base_url)."
    if target.region not in setup.catalog.locations():
        near = setup.catalog.nearest_location(target.region) or "global, us or eu"
        unknown = f"The model table, as of {setup.catalog.as_of}, knows no location of this name."
        return Finding(
            "warning", f"{seen} {unknown}", f"Use: --region {near}, if this is a typo.", about=about
        )
    if target.notices:
        cure = "Correct the setting, or leave it as it is if this is intended."
        return Finding("warning", " ".join([seen, *target.notices]), cure, about=about)
    return Finding("ok", seen, about=about)


def _from(setup: Setup, name: str) -> str:
    origin = present_policy().giver(name, getattr(setup.target, name), setup.target.origins[name])
    if origin in {"default", "option"}:
        return origin
    return f"from {'a setting' if origin == 'setting' else origin}"


def _set_by_demo(setup: Setup, name: str) -> str:
    """Return where a setting comes from that the demo puts its own value in the place of."""
    origin = setup.target.origins[name]
    return "from %claude_demo" if setup.session.demo and origin == "setting" else _from(setup, name)


def credentials(setup: Setup) -> Finding:
    """Look where the credentials come from and whose they are."""
    found = setup.identity
    if setup.session.demo:
        return Finding("ok", "A fixed demo token; your Google credentials were not used.")
    if found.kind == _FIXED:
        return Finding("ok", f"A {_FIXED}, {found.source}.")
    whose = f" of {found.account}" if found.account else " of an unnamed account"
    return Finding("ok", f"{found.kind[:1].upper()}{found.kind[1:]}{whose}, {found.source}.")


def project(setup: Setup) -> Finding:
    """Look which project is asked and which one pays, and where each came from."""
    name = setup.project
    # Raises OptionError for a name that cannot be part of a path.
    model_path(project=name, location=setup.target.region, model="m", verb="v")
    identity = setup.known_identity
    quota = identity.quota_project if identity else None
    paid = f"quota project {quota} (from the credentials)" if quota else "no quota project in the credentials"
    origin = _set_by_demo(setup, "project") if setup.target.project else "from the credentials"
    seen = f"{name} ({origin}){'' if setup.session.demo else f'; {paid}'}."
    if identity is not None and identity.kind == "user login" and not quota:
        cure = f"Run: gcloud auth application-default set-quota-project {shlex.quote(name)}"
        return Finding("warning", seen, cure)
    return Finding("ok", seen)


def network(setup: Setup) -> Finding:
    """Look whether the host can be reached, through which proxy, and who signed its certificate."""
    found = setup.reached
    if found.is_page and found.host.partition(":")[0] in setup.target.trusted_hosts:
        # A gateway may show strangers a page, and no token is sent to find out.
        return Finding("not checked", f"{found.host} shows a web page to requests without a token.")
    if found.is_page:
        where = f" that leads to {found.location!r}" if found.location else ""
        seen = f"{found.host} answered with a web page ({found.status}){where}, not with a service."
        return Finding("failure", seen, SIGN_IN)
    parts = [
        f"over {found.tls}" if found.tls else "without TLS",
        f"certificate by {found.issuer}" if found.issuer else "",
        f"through the proxy {found.proxy}" if found.proxy else "without a proxy",
    ]
    return Finding("ok", f"{found.host} answered {', '.join(filter(None, parts))}.")


def clock(setup: Setup) -> Finding:
    """Compare this machine's clock with the service's; signed tokens fail where they differ."""
    ahead = setup.reached.ahead
    if ahead is None:
        return Finding("not checked", "The response has no date.")
    if abs(ahead) < 60:
        differs = f"within {max(1.0, abs(ahead)):.0f} s of"
    else:
        differs = f"{abs(ahead) / 60:.0f} minutes {'behind' if ahead > 0 else 'ahead of'}"
    seen = f"This machine's clock is {differs} the service's."
    if abs(ahead) > _MOST_AHEAD:
        return Finding("failure", seen, f"Run: {_SET_CLOCK.get(setup.platform, _SET_CLOCK['linux'])}")
    return Finding("ok", seen)


def token(setup: Setup) -> Finding:
    """Get a new token, as every question does when the old one ends."""
    found = setup.renewed
    if found.kind == _FIXED:
        return Finding("ok", "A fixed token, which is never renewed.")
    whose, until = f" for {found.account}" if found.account else "", ""
    if found.expires is not None:
        minutes = (found.expires - setup.now()).total_seconds() / 60
        until = f", good for {minutes:.0f} minutes, until {found.expires:%H:%M} UTC"
    return Finding("ok", f"Google gave a new one{whose}{until}.")


def widgets(setup: Setup) -> Finding:
    """Look whether ipywidgets are there, new enough, and of the version that JupyterLab's part shows."""
    found = setup.installed("ipywidgets")
    # Colab and VS Code bring their own.
    part = setup.installed("jupyterlab_widgets") if setup.front_end == "jupyter" else None
    least = _least_versions().get("ipywidgets", "0")
    if _is_older(found, least):
        seen = f"ipywidgets {found or 'missing'}: no panel."
        return Finding("warning", seen, f'Run: pip install "ipywidgets>={least}"')
    wanted = _SHOWS.get(str(found).partition(".")[0])
    if part and wanted and part.partition(".")[0] != wanted:
        seen = f"ipywidgets {found} does not work with jupyterlab_widgets {part}: no panel."
        return Finding("warning", seen, f'Run: pip install "jupyterlab_widgets=={wanted}.*"')
    if setup.front_end == "terminal":
        return Finding("not checked", f"ipywidgets {found}; terminals do not show widgets.")
    return Finding("ok", f"ipywidgets {found}{f', jupyterlab_widgets {part}' if part else ''}.")


def journal(setup: Setup) -> Finding:
    """Look whether questions and answers can be stored; nothing is made or written for it."""
    used = journal_of(setup.target, setup.session.records.stores)
    if used is None:
        origin = _from(setup, "journal")
        return Finding("not checked", f"The journal is off ({origin}), so nothing is saved.")
    found = examine(used.path)
    where = without_home(str(used.path))
    if not found.schema:
        return Finding("ok", f"None yet; the next question creates {where}.")
    old = ", of an older version; the next question upgrades it" if found.outdated else ""
    return Finding("ok", f"{where} can be written, {size(found.size)}, schema {found.schema}{old}.")
