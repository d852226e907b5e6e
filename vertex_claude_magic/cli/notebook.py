"""`vertex-claude notebook`: list or remove the AI answers in notebook files, or rehearse a lesson.

What an answer says of itself is in the metadata of its output. It is a note and no proof: an edit of the
file can change it too. Only `check` runs a notebook.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.cli.arguments import Parser
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.audit import AuditEntry, entries, stripped, table, total, total_line
from vertex_claude_magic.records.notebook_file import check_notebook, read_notebook, write_notebook
from vertex_claude_magic.text import number_of, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Audit, strip or check notebooks.

    Returns:
        0 after a good end, 1 if a question is not recorded or a cell fails, 2 if a file cannot be read or written.

    Raises:
        OptionError: a file to check cannot be read or is not a notebook.
    """
    parser = Parser(prog="vertex-claude notebook", allow_abbrev=False, description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="audit|strip|check")
    audit = actions.add_parser(
        "audit", allow_abbrev=False, help="list every AI answer: model, date, tokens, cost, edited since?"
    )
    audit.add_argument("file", nargs="+", type=Path, metavar="FILE.ipynb")
    audit.add_argument("--json", action="store_true", help="print JSON, all costs in USD")
    strip = actions.add_parser(
        "strip",
        allow_abbrev=False,
        help="remove what our magics show of AI answers; values that are printed or computed from them stay",
    )
    strip.add_argument("file", nargs="+", type=Path, metavar="FILE.ipynb")
    strip.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help="write the result of one FILE here and leave that unchanged",
    )
    check = actions.add_parser(
        "check",
        allow_abbrev=False,
        help="run a lesson from its recording, without network or login, and list what is not recorded",
    )
    check.add_argument("file", nargs="+", type=Path, metavar="FILE.ipynb")
    check.add_argument(
        "--recording", type=Path, metavar="FILE.claude",
        help="the recording; by default VERTEX_CLAUDE_RECORDING, then the file beside the notebook",
    )  # fmt: skip
    check.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    if options.action == "check":
        from vertex_claude_magic.cli.notebook_check import check_notebooks

        return check_notebooks(options.file, recording=options.recording, as_json=options.json)
    if options.action == "audit":
        return _audit(options.file, as_json=options.json)
    if options.output is not None and len(options.file) > 1:
        strip.error("-o takes the result of one FILE")
    readable = True
    for path in dict.fromkeys(options.file):
        try:
            _strip(path, options.output)
        except OptionError as error:  # noqa: PERF203 - the other files are stripped all the same
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            readable = False
    return 0 if readable else 2


def _strip(file: Path, output: Path | None) -> None:
    """Remove the answers of a notebook, and say how many there were."""
    source = read_notebook(file, exact=True)
    check_notebook(source.content, file)
    content, removed = stripped(source.content)
    # What was taken out must not leave a file that Jupyter does not open.
    check_notebook(content, file)
    changed = content != source.content
    if changed or output is not None:
        write_notebook(content if changed else source.content, source, output)
    place = "" if output is None else f", written to {_name(output)}"
    answers = number_of(removed, "answer") if removed else "no answers"
    print(f"{_name(file)}: {answers} removed{place}.")
    if any(cell.get("outputs") for cell in content["cells"]):
        print("Other outputs stay: values printed or computed from answers cannot be told from them.")


def _audit(files: Sequence[Path], *, as_json: bool) -> int:
    found: dict[Path, list[AuditEntry]] = {}
    seen: set[Any] = set()
    readable = True
    for path in dict.fromkeys(files):
        try:
            found[path] = entries(read_notebook(path).content, seen)
        except OptionError as error:  # noqa: PERF203 - the other files are listed all the same
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            readable = False
    every = [answer for answers in found.values() for answer in answers]
    if found and as_json:
        notebooks = [
            {
                "file": _name(path),
                "answers": [asdict(each) for each in answers],
                "total": asdict(total(answers)),
            }
            for path, answers in found.items()
        ]
        listed = {"notebooks": notebooks, "total": asdict(total(every))}
        print(json.dumps(listed, indent=1, allow_nan=False))
    elif found:
        parts = [f"{_name(path)}\n{table(answers)}" for path, answers in found.items()]
        if len(found) > 1:
            parts.append(f"All {len(found)} notebooks. {total_line(total(every))}")
        print("\n\n".join(parts))
    return 0 if readable else 2


def _name(path: Path) -> str:
    return quote(str(path))
