"""`vertex-claude lesson`: make a folder that students run without an account, or say what keeps it from that."""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from datetime import datetime, timezone
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_claude_magic.cli.arguments import Parser, day
from vertex_claude_magic.cli.lesson.folder import (
    MANIFEST,
    NOTEBOOKS,
    POLICY,
    POLICY_FILE,
    copy_lesson,
    look_at,
)
from vertex_claude_magic.cli.lesson.manifest import (
    SITE,
    changed_files,
    manifest_of,
    read_manifest,
    replace_lesson,
    write_manifest,
)
from vertex_claude_magic.cli.lesson.pages import index_page, readme, requirements
from vertex_claude_magic.cli.lesson.private import known_here
from vertex_claude_magic.cli.lesson.wheel import DISTRIBUTION, write_own_wheel
from vertex_claude_magic.cli.notebook_check import NOT_ASKED, NOT_REHEARSED, check_runner, tag_cure
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.settings.policy_files import read_policies
from vertex_claude_magic.text import number_of, quote, reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.cli.lesson.folder import Lesson

__all__ = ["main"]

_GITHUB = re.compile(r"[\w-]+/[\w.-]+")
_SHOWN = 20
_RECORD = 'To record what is missing or stale, run the notebook with: %config ClaudeMagics.replay = "auto"'
_STATUS = "exit codes: 0 nothing to mend, 1 something keeps it from being handed out, 2 wrong usage"
_SENDING_CURE = "Take it out, or write live = false under [limits] into a claude-policy.toml of the lesson."
_LEAVE_OUT = (
    "Take a cell that is not rehearsed out, or give it the tag raises-exception: it fails without an account."
)
_TAKE_OUT = "Take it out; --allow TEXT lets a name, an address or a project pass."


def main(argv: Sequence[str]) -> int:
    """Build or check a lesson; 0 after a good end, 1 if something keeps it from being handed out.

    Raises:
        OptionError: a folder or a file cannot be used.
        MissingExtra: what runs notebooks or builds the browser edition is not installed.
    """
    parser = Parser(prog="vertex-claude lesson", allow_abbrev=False, description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="build|check")
    about = {
        "build": "make a folder for a computer, Colab, Binder and the browser alone",
        "check": "list what must be recorded again, or must not be handed out",
    }
    build, check = (
        actions.add_parser(
            name, allow_abbrev=False, help=text, epilog=_STATUS,
            description=f"{text[:1].upper()}{text[1:]}. The notebooks run from their recordings; nothing is sent.",
        )
        for name, text in about.items()
    )  # fmt: skip
    for each in (build, check):
        each.add_argument(
            "folder", type=Path, metavar="FOLDER", help="the folder with notebooks and recordings"
        )
        each.add_argument("--allow", action="append", default=[], metavar="TEXT",
                          help="a name, an e-mail address or a project that may be in it; repeatable")  # fmt: skip
    build.add_argument("--to", type=Path, required=True, metavar="OUT", help="the folder to make")
    build.add_argument(
        "--date", type=day, metavar="YYYY-MM-DD", help="the day of the lesson; by default today"
    )
    build.add_argument("--github", type=_repository, metavar="OWNER/REPOSITORY",
                       help="the repository that OUT will be, for the addresses of Colab and Binder")  # fmt: skip
    build.add_argument("--no-browser", action="store_true", help="make no browser edition, which takes 40 MB")
    build.add_argument("--pyodide", type=Path, metavar="FILE.tgz",
                       help="the file of `npm pack pyodide`, in place of calling npm")  # fmt: skip
    options = parser.parse_args(argv)
    check_runner()
    try:
        return _check(options) if options.action == "check" else _build(options)
    except OSError as error:
        why, where = reason_of(error), error.filename or options.folder
        if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
            # Of a folder that was copied: source, target and text for each file that was not.
            where, _, text = error.args[0][0]
            why = re.sub(r"^\[\w+ \d+\] |: .*", "", text)
        raise OptionError(
            f"{quote(str(where))} cannot be read or written ({quote(why)}).",
            cure="Check its permissions, and the space on the disk.",
        ) from None


def _repository(text: str) -> str:
    if not _GITHUB.fullmatch(text):
        raise argparse.ArgumentTypeError("write OWNER/REPOSITORY")
    return text


def _check(options: argparse.Namespace) -> int:
    manifest = read_manifest(options.folder)
    lesson = options.folder / NOTEBOOKS if manifest is not None else options.folder
    with tempfile.TemporaryDirectory(prefix="vertex-claude-") as name:
        found = _staged(lesson, Path(name), options.allow, options.folder if manifest is not None else None)
    changed = changed_files(options.folder, manifest) if manifest is not None else {}
    for line in changed.values():
        print(line)
    _say(found)
    return int(bool(found.private or found.faults or changed))


def _build(options: argparse.Namespace) -> int:
    folder, out = options.folder, options.to
    _check_place(folder, out)
    if not options.no_browser:
        from vertex_claude_magic.cli.lesson.site import check_builder

        # Before the notebooks run, which takes the longest.
        check_builder()
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside it, because a folder is renamed within one file system only.
    with (
        tempfile.TemporaryDirectory(prefix=".vertex-claude-", dir=out.resolve().parent) as name,
        tempfile.TemporaryDirectory(prefix="vertex-claude-") as work,
    ):
        staged = Path(name) / "lesson"
        found = _staged(folder, staged, options.allow, out)
        _say(found)
        if found.private or found.faults:
            print("Nothing was written.")
            return 1
        _finish(staged, found, options, Path(work))
        if out.exists():
            for line in replace_lesson(out, staged):
                print(line)
        else:
            staged.replace(out)
    print(f"Written to {quote(str(out))}; its README.md says how to run it.")
    if options.github is None:
        print("Colab and Binder are not in it; for them, build again with --github OWNER/REPOSITORY.")
    if (out / SITE).is_dir():
        print(
            f"In the browser: python3 -m http.server -d {quote(str(out / SITE))}, then http://localhost:8000"
        )
    return 0


def _staged(folder: Path, staged: Path, allowed: Sequence[str], built: Path | None) -> Lesson:
    """Copy a lesson as it is handed out, with the policy that it has where it was built before, and run it there."""
    copy_lesson(folder, staged / NOTEBOOKS)
    own = built / POLICY_FILE if built is not None else None
    policy = own.read_bytes() if own is not None and own.is_file() else POLICY.encode()
    (staged / POLICY_FILE).write_bytes(policy)
    with tempfile.TemporaryDirectory(prefix="vertex-claude-") as name:
        # The run may write files, which are none of the lesson.
        trial = Path(name) / "lesson"
        shutil.copytree(staged, trial)
        return look_at(trial, Path(name) / "journal.sqlite", known_here(), allowed)


def _finish(staged: Path, lesson: Lesson, options: argparse.Namespace, work: Path) -> None:
    """Write what makes a folder of notebooks a lesson."""
    day = options.date or datetime.now(timezone.utc).date().isoformat()
    package = version(DISTRIBUTION)
    wheels = staged / "wheels"
    wheels.mkdir()
    wheel = write_own_wheel(wheels)
    lines = requirements(
        wheel.relative_to(staged).as_posix(), lesson.imports, packages_distributions()
    ).encode()
    own = staged / NOTEBOOKS / "requirements.txt"
    (staged / "requirements.txt").write_bytes(lines + (own.read_bytes() if own.is_file() else b""))
    browser = None if options.no_browser else [name for name, needed in lesson.imports.items() if not needed]
    if browser == []:
        needed = sorted({each for names in lesson.imports.values() for each in names})
        print(f"There is no browser edition, because no notebook runs there without {', '.join(needed)}.")
        browser = None
    if browser is not None:
        from platformdirs import user_cache_path

        from vertex_claude_magic.cli.lesson.site import build_site

        print("Building the browser edition ...", flush=True)
        build_site(
            staged, staged / SITE, work=work, wheel=wheel, archive=options.pyodide,
            cache=user_cache_path(DISTRIBUTION, appauthor=False) / "lesson",
        )  # fmt: skip
        page = index_page(lesson.imports, date=day, browser=browser)
        (staged / SITE / "index.html").write_text(page, encoding="utf-8")
    policy = read_policies(sorted(staged.rglob(POLICY_FILE)))
    mode = "" if "live" in policy.forbids else policy.sending_mode
    text = readme(
        lesson.imports, date=day, package=package, github=options.github, browser=browser, mode=mode
    )
    (staged / "README.md").write_text(text, encoding="utf-8")
    write_manifest(staged, manifest_of(staged, lesson, date=day, package=package, browser=browser or ()))


def _say(lesson: Lesson) -> None:
    for name, run in lesson.runs.items():
        skipped = sum(each.state == NOT_REHEARSED for each in run.questions)
        recorded = sum(each.state == "recorded" for each in run.questions)
        meant = sum(each.state != "recorded" and each.expected for each in run.questions)
        also = f", {meant} meant to fail" if meant else ""
        also += f", {number_of(skipped, 'cell')} not rehearsed" if skipped else ""
        also += "; all answers are the emulator's, not Claude's" if run.emulated else ""
        print(
            f"{quote(name)}: {number_of(len(run.questions) - skipped, 'question')}, {recorded} recorded{also}"
        )
    # What failed before it could ask is not cured by a recording, and its line says why it failed.
    states = {
        each.state
        for run in lesson.runs.values()
        for each in run.questions
        if not each.expected and not each.why.startswith(NOT_ASKED)
    }
    cures = [
        _RECORD if states - {"recorded", NOT_REHEARSED} else "",
        _LEAVE_OUT if NOT_REHEARSED in states else "",
        tag_cure(lesson.runs.values()),
    ]
    for lines, cure in ((lesson.private, _TAKE_OUT), (lesson.faults, "\n".join(filter(None, cures)))):
        for line in lines[:_SHOWN]:
            print(f"  {quote(line, 400)}")
        if len(lines) > _SHOWN:
            print(f"  and {len(lines) - _SHOWN:,} more")
        if lines and cure:
            print(cure)
    for line in lesson.sending[:_SHOWN]:
        print(
            f"{quote(line, 400)} sets replay: a reader who has an account and changes the question sends it."
        )
    if lesson.sending:
        print(_SENDING_CURE)
    if lesson.unsearched:
        more = len(lesson.unsearched) - _SHOWN
        names = ", ".join(quote(name, 80) for name in lesson.unsearched[:_SHOWN])
        print(f"Not searched, because it is no text: {names}{f' and {more:,} more' if more > 0 else ''}")


def _check_place(folder: Path, out: Path) -> None:
    """Refuse to write over anything but a former lesson."""
    if out.exists():
        if not out.is_dir():
            raise OptionError(f"{quote(str(out))} is a file.", cure="Name a folder.")
        if any(out.iterdir()) and read_manifest(out) is None:
            raise OptionError(
                f"{quote(str(out))} is not empty and has no {MANIFEST}.", cure="Name a new folder."
            )
    if folder.resolve().is_relative_to(out.resolve()):
        raise OptionError(f"{quote(str(out))} contains the lesson itself.", cure="Choose another folder.")
    if out.resolve().is_relative_to(folder.resolve()):
        raise OptionError(f"{quote(str(out))} is inside of the lesson.", cure="Choose a folder beside it.")
