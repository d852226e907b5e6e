"""`vertex-claude doctor`: the diagnosis in a terminal, with an exit code for scripts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vertex_claude_magic.cli.arguments import Parser
from vertex_claude_magic.health.doctor.diagnosis import Diagnosis
from vertex_claude_magic.health.doctor.finding import has_problem
from vertex_claude_magic.notebook.commands.doctor import (
    OF_THE_CALL,
    LineView,
    check_doctor_options,
    diagnose,
    report_line,
)
from vertex_claude_magic.notebook.commands.options import DOCTOR_OPTIONS
from vertex_claude_magic.session.session import Session, open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.health.doctor.examination import TimeLimits

__all__ = ["main"]


def main(argv: Sequence[str], *, session: Session | None = None, limits: TimeLimits | None = None) -> int:
    """Print each check as soon as it is known; 0 if nothing is wrong, 1 if something is.

    Args:
        argv: The arguments behind `vertex-claude doctor`.
        session: The session that is examined; by default the one that the environment makes.
        limits: How long it may take.

    Raises:
        OptionError: the report cannot be written.
    """
    parser = Parser(
        prog="vertex-claude doctor",
        description="Find out why Claude on Vertex AI does not answer. No prompt is sent and nothing is changed.",
        epilog="exit codes: 0 no problems, 1 problems found, 2 wrong usage",
        allow_abbrev=False,
    )
    for row in DOCTOR_OPTIONS:
        if row.kind == "flag":
            parser.add_argument(row.long, action="store_true", help=row.help)
        elif row.kind != "display":
            parser.add_argument(row.long, metavar=row.value, help=row.help)
    parser.add_argument("--trusted-host", action="append", metavar="HOST",
                        help="an https gateway of yours that may receive your Google token; repeatable")  # fmt: skip
    options = vars(parser.parse_args(argv))
    check_doctor_options(options)
    diagnosis = Diagnosis(
        session or open_session(trusted_hosts=options["trusted_host"]),
        {name: options[name] for name in OF_THE_CALL},
        spends=options["probe"],
        limits=limits,
    )
    view = LineView(partial(print, flush=True))
    diagnose(diagnosis, view, options["report"], with_names=options["with_names"])
    if options["report"]:
        print(report_line(options["report"]))
    return 1 if has_problem(diagnosis.findings) else 0
