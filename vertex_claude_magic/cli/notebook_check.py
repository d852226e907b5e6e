"""`vertex-claude notebook check`: run a lesson from its recording alone, and list what is not recorded.

The kernel gets no network where the system lets us take it away (`unshare`), no credentials, and answers
from records only whatever its cells set. The notebook's file is read and not written.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.cli.kernels import run_without_network
from vertex_claude_magic.errors import MissingExtra, OptionError
from vertex_claude_magic.records.notebook_file import read_notebook
from vertex_claude_magic.records.provenance import answers_in, find_provenance
from vertex_claude_magic.records.recording.difference import differences
from vertex_claude_magic.records.recording.recording import Recording
from vertex_claude_magic.settings.environment import REHEARSAL
from vertex_claude_magic.settings.origin import cell_key
from vertex_claude_magic.text import number_of, quote
from vertex_claude_magic.vertex.blocks import content_blocks
from vertex_claude_magic.vertex.digest import digest_of, former_digest_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from nbformat import NotebookNode


__all__ = [
    "NOT_ASKED",
    "NOT_REHEARSED",
    "CheckedQuestion",
    "Rehearsal",
    "check_notebooks",
    "check_runner",
    "rehearse",
    "sort_questions",
    "tag_cure",
]

# How alike two prompts are (0 to 1) before one counts as the other, edited.
_ALIKE = 0.6
NOT_ASKED = "not asked"
_STATES = ("recorded", "missing", "stale")
NOT_REHEARSED = "not rehearsed"
# What a cell ends in that looks for the login that a rehearsal has not.
_NO_LOGIN = ("CredentialsNotFound", "ProjectNotFound")
_NAME, _WORD = re.compile(r"'(\w+)'"), re.compile(r"\w+")
_TO_SHARE = """\
  {count} only in your journal: others cannot replay it. To record what it has, run the notebook with:
  %config ClaudeMagics.recording = "{name}.claude"
  %config ClaudeMagics.replay = "auto\""""
# What ends the run, whatever the tags of the cell are.
_ENDED = ("DeadKernelError", "CellTimeoutError")
# What a login or another place to ask may come from.
_LEFT_OUT = ("ANTHROPIC_", "GOOGLE_", "GCLOUD_", "CLOUDSDK_", "GCE_")


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedQuestion:
    """One question of a notebook: the number of its cell (from 1, all cells count), its state, and the reason.

    `state` is "recorded", "missing", "stale" (another question of the same cell is recorded), "journal" (no recording
    is set, and the journal of this machine has the answer) or "not rehearsed" (the cell needs more than answers).
    `expected` says that its cell is meant to fail (the tag raises-exception).
    """

    cell: int
    state: str
    why: str = ""
    expected: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """What one run of a notebook has shown.

    `failed` are the cells, by number, that failed for another reason than a question that is not recorded; `recordings`
    the files that were asked for answers, `digests` the questions that were answered. `emulated` says that the emulator
    gave every answer.
    """

    questions: Sequence[CheckedQuestion]
    failed: dict[int, str]
    recordings: Sequence[Path]
    digests: Sequence[str]
    emulated: bool = False


def check_runner() -> None:
    """Check that what runs a notebook is installed.

    Raises:
        MissingExtra: it is not.
    """
    if any(find_spec(module) is None for module in ("nbclient", "ipykernel")):
        raise MissingExtra(
            "Running a notebook needs Jupyter.", cure='Run: pip install "vertex-claude-magic[demo]"'
        )


def check_notebooks(files: Sequence[Path], *, recording: Path | None, as_json: bool) -> int:
    """Rehearse notebooks; 0 if every question is recorded and every cell that can be rehearsed runs, else 1.

    Args:
        files: The notebooks.
        recording: The recording, None for the one that is set or that lies beside a notebook.
        as_json: Whether JSON is printed.

    Raises:
        OptionError: a file cannot be read or is not a notebook, or the recording is not there.
        MissingExtra: what runs a notebook is not installed.
    """
    check_runner()
    if recording is not None and not recording.is_file():
        raise OptionError(f"There is no recording {quote(str(recording))}.", cure="Check the path.")
    notebooks = {path: read_notebook(path).content for path in dict.fromkeys(files)}
    found = {
        path: rehearse(path, content, recording=recording or _recording_of(path))
        for path, content in notebooks.items()
    }
    if as_json:
        listed = [
            {
                "file": quote(str(path)),
                "questions": [asdict(each) for each in run.questions],
                "failed": run.failed,
            }
            for path, run in found.items()
        ]
        print(json.dumps({"notebooks": listed}, indent=1))
    else:
        texts = []
        for path, run in found.items():
            lines = [quote(str(path))]
            # A table is a question for each row.
            alike = Counter(
                f"  cell {each.cell}: {each.state}{f' ({each.why})' if each.why else ''}"
                for each in run.questions
            )
            lines += [line if count == 1 else f"{line}, {count:,} questions" for line, count in alike.items()]
            lines += [f"  cell {number} failed: {why}" for number, why in run.failed.items()]
            lines += [f"  {cure}" for cure in [tag_cure([run])] if cure]
            states = [each.state for each in run.questions]
            counted = [state for state in (*_STATES, NOT_REHEARSED) if state in states or state in _STATES]
            lines.append("  " + ", ".join(f"{states.count(state)} {state}" for state in counted))
            if count := states.count("journal"):
                lines.append(_TO_SHARE.format(count=number_of(count, "answer"), name=quote(path.stem, 80)))
            texts.append("\n".join(lines))
        print("\n\n".join(texts))
    every = (each for run in found.values() for each in run.questions)
    failed = any(run.failed for run in found.values())
    right = {"recorded", NOT_REHEARSED}
    return int(failed or any(each.state not in right and not each.expected for each in every))


def rehearse(
    path: Path, content: dict[str, Any], *, recording: Path | None = None, journal: Path | None = None
) -> Rehearsal:
    """Run one notebook without network and login, from records only; the file is not written.

    Args:
        path: Its file; it runs in the folder of that.
        content: Its JSON.
        recording: The recording, where the notebook itself sets none.
        journal: The journal in place of the user's own.
    """
    import nbformat

    # Read as nbformat reads it, which joins the lines of a cell.
    notebook = nbformat.reads(json.dumps(content), as_version=4)
    # By the number that `notebook audit` gives them too.
    cells = {number: cell for number, cell in enumerate(notebook.cells, start=1) if cell.cell_type == "code"}
    # What each cell was answered when it was saved.
    digests: dict[int, frozenset[str]] = {}
    for number, cell in cells.items():
        saved = cell.get("outputs", ())
        answers = (each for output in saved for each in answers_in(find_provenance(output) or {}))
        hashes = (answer.get("prompt_hash") for answer in answers)
        digests[number] = frozenset(each for each in hashes if isinstance(each, str))
        # A cell that is skipped keeps its outputs, and an old error does not belong to this run.
        cell.outputs = []
    every, stopped = _run_noted(notebook, path.resolve().parent, recording, journal)
    noted = [note for note in every if "refused" not in note]
    skipped = _not_rehearsed(cells, {note["number"] for note in every if "refused" in note})
    asked_for = dict.fromkeys(Path(note["recording"]) for note in noted if note["recording"])
    recorded = [record for file in filter(Path.is_file, asked_for) for record in Recording(file).all()]
    records = {digest_of(record.canonical): record for record in recorded}
    questions = sort_questions(noted, digests, {digest: each.canonical for digest, each in records.items()})
    failed = dict([stopped]) if stopped else {}
    meant = {
        number
        for number, cell in cells.items()
        if "raises-exception" in cell.get("metadata", {}).get("tags", ())
    }
    questions = [
        replace(each, expected=True, why="its cell is meant to fail")
        if each.cell in meant and each.state in {"missing", "stale"}
        else each
        for each in questions
    ]
    questions += [
        CheckedQuestion(cell=number, state=NOT_REHEARSED, why=why, expected=number in meant)
        for number, why in skipped.items()
    ]
    for number in sorted(cells.keys() - meant - skipped.keys()):
        for output in cells[number].outputs:
            if output.get("output_type") == "error":
                # The first error is the one that stopped the cell.
                failed.setdefault(number, quote(f"{output.get('ename')}: {output.get('evalue')}", 160))
    # A cell that failed before it could ask counts as missing: it is not known to be recorded.
    asked = {each.cell for each in questions}
    ended = f"cell {stopped[0]} ended the run" if stopped else ""
    below = {number: ended for number in cells if stopped and number > stopped[0]}
    questions += [
        CheckedQuestion(cell=number, state="missing", why=f"{NOT_ASKED}: {why}")
        for number, why in {**failed, **below}.items()
        if number not in asked and "claude" in cells[number].source.lower()
    ]
    known = {each.cell for each in questions if each.state != "recorded"}
    answered = list(dict.fromkeys(note["digest"] for note in noted if note["found"]))
    return Rehearsal(
        questions=sorted(questions, key=lambda each: each.cell),
        failed={at: why for at, why in failed.items() if at not in known and "ReplayMiss" not in why},
        recordings=list(asked_for),
        digests=answered,
        emulated=bool(answered)
        and all(digest in records and records[digest].source == "emulator" for digest in answered),
    )


def _not_rehearsed(cells: Mapping[int, NotebookNode], refused: Collection[int]) -> dict[int, str]:
    """Return why cells failed that need more than answers, by number: Vertex AI, or a variable of such a cell."""
    found: dict[int, str] = {}
    # The first such cell that mentions a name is taken for the one that would have set it.
    setters: dict[str, int] = {}
    for number, cell in cells.items():
        error: Mapping[str, Any] = next(
            (each for each in cell.outputs if each.get("output_type") == "error"), {}
        )
        name = _NAME.search(error.get("evalue", ""))
        if error.get("ename") in _NO_LOGIN or (number in refused and error.get("ename") == "ReplayMiss"):
            found[number] = "needs Vertex AI itself"
        elif error.get("ename") == "NameError" and name and name[1] in setters:
            found[number] = f"needs {name[1]} from cell {setters[name[1]]}"
        if number in found:
            setters = dict.fromkeys(_WORD.findall(cell.source), number) | setters
    return found


def _run_noted(
    notebook: NotebookNode, place: Path, recording: Path | None, journal: Path | None
) -> tuple[list[dict[str, Any]], tuple[int, str] | None]:
    """Run a notebook; return what was noted of each question, with the number of its cell, and what ended the run."""
    with tempfile.TemporaryDirectory(prefix="vertex-claude-") as name:
        notes = Path(name) / "questions"
        notes.touch()
        environment = _environment(Path(name), notes, recording, journal)
        # How much had been noted when each cell began, and its number.
        begun: list[tuple[int, int]] = []
        stopped = run_without_network(
            notebook, place, Path(name), environment,
            began=lambda number: begun.append((notes.stat().st_size, number)),
        )  # fmt: skip
        lines = notes.read_bytes().splitlines(keepends=True)
    noted = [json.loads(line) for line in lines]
    for at, note in zip(accumulate(map(len, lines), initial=0), noted, strict=False):
        # Of cells with the same source the one that had begun last.
        same = (
            number
            for start, number in begun
            if start <= at and cell_key(notebook.cells[number - 1].source) == note["cell"]
        )
        note["number"] = max(same, default=0)
    return noted, stopped


def tag_cure(runs: Iterable[Rehearsal]) -> str:
    """Return what a cell needs that is meant to fail, empty where none failed or a tag cures none."""
    failures = (why for run in runs for why in run.failed.values())
    if all(why.startswith(_ENDED) for why in failures):
        return ""
    return "If a cell is meant to fail, give it the tag raises-exception (JupyterLab: Property Inspector, Cell Tags)."


def sort_questions(
    noted: Sequence[Mapping[str, Any]],
    saved: Mapping[int, frozenset[str]],
    records: Mapping[str, Mapping[str, Any]],
) -> list[CheckedQuestion]:
    """Tell of each question whether it is recorded, missing, stale, or in the journal only.

    Args:
        noted: What the kernel noted of each question, with the number of its cell.
        saved: The digests that the saved outputs of a cell name.
        records: The recorded requests by their digest.
    """
    played = {note["digest"] for note in noted if note["found"]}
    # A record that no question was answered from is what a changed question has left behind.
    left = {digest: request for digest, request in records.items() if digest not in played}
    questions = []
    for note in noted:
        number = note["number"]
        if note["found"]:
            # With a recording, `only` is answered from that alone.
            state, why = ("recorded", "") if note["recording"] else ("journal", "others do not have it")
            questions.append(CheckedQuestion(cell=number, state=state, why=why))
            continue
        # The cell's saved output names the question that it asked before it was changed; outputs that a version before
        # the chain of digests has saved name its former digest.
        named = saved.get(number, frozenset())
        former = next((each for each in left if each in named or former_digest_of(left[each]) in named), None)
        if former is None:
            # Where the outputs were cleared, the most alike of those left over counts.
            prompt = _prompt(note["canonical"])
            scored = [
                (SequenceMatcher(None, prompt, _prompt(request), autojunk=False).ratio(), digest)
                for digest, request in left.items()
            ]
            likeness, best = max(scored, default=(0.0, ""))
            former = best if likeness >= _ALIKE else None
        if former is None:
            questions.append(CheckedQuestion(cell=number, state="missing"))
            continue
        differ = "; ".join(differences(note["canonical"], left.pop(former))[:4])
        questions.append(
            CheckedQuestion(cell=number, state="stale", why=f"differs from the recorded one in {differ}")
        )
    return questions


def _prompt(request: Mapping[str, Any]) -> str:
    """Return the texts of a request's messages, without what JSON adds and all prompts share."""
    texts: list[str] = []
    for message in request.get("body", {}).get("messages") or ():
        texts += [str(block.get("text", "")) for block in content_blocks(message.get("content"))]
    return "\n".join(texts)[-2_000:]


def _recording_of(notebook: Path) -> Path | None:
    """Return the recording beside a notebook, None where the environment names one or there is none."""
    beside = notebook.resolve().with_suffix(".claude")
    return beside if not os.environ.get("VERTEX_CLAUDE_RECORDING") and beside.is_file() else None


def _environment(folder: Path, notes: Path, recording: Path | None, journal: Path | None) -> dict[str, str]:
    """Return the kernel's environment: no login, records only, and the recording."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_LEFT_OUT) and not name.upper().endswith("_PROXY")
    }
    if journal is not None:
        # Whoever gets the notebook has none of this machine's settings either.
        environment = {
            name: value for name, value in environment.items() if not name.startswith("VERTEX_CLAUDE_")
        }
        environment |= {"VERTEX_CLAUDE_JOURNAL": str(journal), "IPYTHONDIR": str(folder / "ipython")}
    environment |= {"VERTEX_CLAUDE_REPLAY": "only", REHEARSAL: str(notes), "NO_GCE_CHECK": "true",
             "CLOUDSDK_CONFIG": str(folder / "gcloud")}  # fmt: skip
    if recording is not None:
        environment["VERTEX_CLAUDE_RECORDING"] = str(recording.resolve())
    return environment
