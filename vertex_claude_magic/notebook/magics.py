"""The magics, thin: each reads its line, calls one thing, and hands the result back.

This module is all that `%load_ext` imports, so it imports nothing heavy; what a magic needs is imported
when it first runs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from IPython.core.magic import (
    Magics,
    cell_magic,
    line_cell_magic,
    line_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from traitlets import Any as AnyTrait
from traitlets import TraitError
from traitlets.config import Config

from vertex_claude_magic.notebook.cells import (
    CellThreads,
    CellWatch,
    PrintedText,
    SeenCells,
    cell_message,
    cell_metadata,
)
from vertex_claude_magic.notebook.settings import Settings, refused_value
from vertex_claude_magic.settings.loaded import Demo, policies, set_loaded
from vertex_claude_magic.settings.registry import MOST_USED, OPTIONS, help_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

    from vertex_claude_magic.classroom.compare import Replies
    from vertex_claude_magic.emulator import Emulator
    from vertex_claude_magic.notebook.commands.usage import UsageReport
    from vertex_claude_magic.notebook.panel.view import Panel
    from vertex_claude_magic.notebook.troubles import Troubles
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.records.budget import Budget
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.session.status import SessionStatus
    from vertex_claude_magic.settings.options import AskOptions
    from vertex_claude_magic.settings.policy import Policy
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["ClaudeMagics", "load", "unload"]

_budgets: WeakKeyDictionary[InteractiveShell, Budget] = WeakKeyDictionary()


@magics_class
class ClaudeMagics(Magics, Settings):  # type: ignore[misc]
    """Ask Claude on Google Vertex AI; the settings below hold for every question of this session."""

    # A trait, so that whoever shows the settings sees the demo begin and end.
    emulator: Emulator | None = AnyTrait(None, allow_none=True)
    _ruled = True

    def __init__(self, shell: InteractiveShell) -> None:
        # `load` hands in what the configuration says: a value that is refused here would leave half an object.
        super().__init__(shell=shell, config=Config())
        self.printed = PrintedText(shell)
        self.cells = CellWatch(
            self._notebook,
            lambda: cell_metadata(shell),
            SeenCells(self._note_cell),
            lambda: cell_message(shell),
            before=self._begin,
            threads=CellThreads(),
            after=self._note_end,
        )
        self.panel: Panel | None = None
        # The error that a %claude_fix which failed itself was about.
        self.unfixed: BaseException | None = None
        # None until a cell fails, or a hint is asked for.
        self.troubles: Troubles | None = None
        self._session: Session | None = None
        self._shown: tuple[int, Any] | None = None
        # What was said last of the recording.
        self._missing = ""

    def update_config(self, config: Config) -> None:
        """Take the settings of `%config` or of a configuration file.

        Raises:
            SettingRefused: one cannot be taken; those behind it are not looked at.
        """
        section = type(self).__name__
        for name, value in config.get(section, {}).items():
            try:
                super().update_config(Config({section: {name: value}}))
            except (TraitError, TypeError, ValueError) as error:  # noqa: PERF203 - one try for each setting
                # The last two are of traits that take a list or a dict.
                from vertex_claude_magic.errors import SettingRefused

                refused = refused_value(name, value, error)
                raise SettingRefused(refused.message, refused.cure) from None

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def claude(
        self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None
    ) -> Reply | None:
        """Ask a Claude model on Google Vertex AI; the answer streams in below as Markdown.

        The prompt is in the lines below, and `answer`, if given, is the variable that gets the reply::

            %%claude answer -m opus -r eu --max-tokens 2000
            Which columns of {{ df }} have outliers? Look at {{ figure }} too.

        `answer.text`, `.code`, `.data`, `.usage`, `.cost` (USD, an estimate). `{{ name }}` is replaced by
        a variable. In one line: `%claude -m haiku What's the capital of Mongolia?`

        The most used options::

            {options}

        `%claude` alone shows the current settings, `%claude_panel` changes them. No account? `%claude_demo`.
        All options and more examples: `%%claude --help all`
        """
        # Before the line is parsed, which may fail too.
        self._guard()
        from vertex_claude_magic.notebook.commands.ask import ask_from_cell, ask_from_line
        from vertex_claude_magic.notebook.plain_errors import telling_locals

        with telling_locals(local_ns):
            return ask_from_line(self, line) if cell is None else ask_from_cell(self, line, cell)

    @no_var_expand
    @line_magic
    def claude_models(self, line: str) -> None:
        """Show the model table, ask what this project may call, or compare the table with Google's list.

        The table with lifecycle, limits, prices and locations; with a location, the prices there::

            %claude_models
            %claude_models sonnet
            %claude_models -r eu
            %claude_models --all

        What this project may call, asked now::

            %claude_models --check                  (in the chosen location, and nowhere else)
            %claude_models haiku --check -r us,eu
            %claude_models sonnet --probe           (one token each, which costs, and proves more)
            %claude_models --live                   (what Google lists and the table lacks)

        Options::

            -r, --region LOC         a location, or several: us,eu (repeatable)
            -p, --project ID         the project to check
            --all                    also models that are not current
            --check                  count the tokens of a fixed word with every model: free, at most 60
                                     calls, eight at a time, no text of yours
            --probe                  ask each model for one token instead; it costs, and shows quota too
            --live                   read Google's list of Anthropic's models
            -h, --help               show this page

        A check that is interrupted keeps what it knows. What it found is kept with its date, and named by
        errors and by the region list of `%claude_panel`.
        """
        from vertex_claude_magic.notebook.commands.models import show_models

        show_models(self, line)

    @no_var_expand
    @line_magic
    def claude_panel(self, line: str) -> None:
        """Choose the model and the other settings of this session by price, context, region and lifecycle.

        A choice applies at once to every question whose own options say nothing else. A terminal shows a short
        list, and the lines that change a setting.
        """
        from vertex_claude_magic.notebook.panel.show import show_panel

        show_panel(self, line)

    @no_var_expand
    @line_magic
    def claude_chat(self, line: str) -> None:
        """List, show and change the conversations of this notebook, which `%%claude -c NAME` begins.

        Examples::

            %claude_chat                        (all of this notebook; --all for all notebooks)
            %claude_chat stats                  (its turns)
            %claude_chat stats --remove 2
            %claude_chat stats --fork shorter --summary
            %claude_chat stats --save stats.ipynb

        Options::

            --all                    list those of all notebooks; with NAME --fork NEW: take over one of
                                     another notebook, such as this one before it was renamed
            --rename NEW             give the conversation another name
            --fork NEW               start a new one with the same turns
            --summary                with --fork: start from a summary that Claude writes
            --clear                  remove all turns
            --remove N               remove turn N; those behind it move up, and are stale
            --keep N                 send turn N too, which was interrupted or refused, as far as its answer had come
            --save FILE.ipynb        write a notebook, each turn a cell that runs
            --load FILE.ipynb        create it from a notebook with answers
            --export FILE            write Markdown (.md) or a page (.html)

        A turn belongs to the cell that asked it: running the cell again puts the new answer in the place of the
        former one, and later turns are stale until their cells run again. A turn that fails leaves no trace; one that
        was interrupted or refused is stored, and not sent. Conversations are in the journal, and are not dropped with
        old calls.
        """
        from vertex_claude_magic.notebook.commands.chat import run_chat

        run_chat(self, line)

    @no_var_expand
    @line_cell_magic
    def claude_fix(self, line: str, cell: str = "") -> Reply | None:
        """Explain the last error and add the corrected cell below; it is not run.

        `%claude_fix` sends the last exception, the cell that it came from and the values that the failing
        line names; `%claude_fix --explain` only asks for an explanation. It takes the options of
        `%%claude`; the text behind them, or the body of a `%%claude_fix` cell, is a hint for Claude.
        """
        from vertex_claude_magic.notebook.commands.fix import fix_from_line

        return fix_from_line(self, f"{line} {cell}".rstrip())

    @no_var_expand
    @line_magic
    def claude_hint(self, line: str) -> Reply | None:
        """Give a hint about the last error or failed check, a step further each time: 1 the idea to 4 the fix.

        Examples::

            %claude_hint                    (the next hint about the cell that failed last)
            %claude_hint --level 3          (1 the idea, 2 where to look, 3 a worked example, 4 the fix)
            %claude_hint --reset            (begin anew at level 1)
            %claude_hint --check mean       (run the checks of exercises/mean.toml; no model is asked)
            %claude_hint --dry-run          (what would be sent)

        Only the code that failed and its error are sent; for a failed check the task, the code that the check is
        about, and what the check says. The steps begin anew once the cell runs without error, or the checks pass.
        Below level 4 the solution of an exercise is not sent, and lines of it, or corrected lines of your code,
        are withheld from the answer. A course may end hints earlier: `[hints] highest` of claude-policy.toml.

        Options::

            --level N                1 the idea, 2 where to look, 3 a worked example, 4 the fix
            --reset                  begin anew at level 1
            --check NAME             run the checks of exercises/NAME.toml beside the notebook
            --dry-run                show what would be sent, and ask no model

        and -m, -r, -p, -n, --effort, --thinking, --timeout, --replay, --max-cost, --label, --force, --allow-secrets
        of `%%claude`. Checks are Python of whoever wrote the exercise, and run only when you name it.
        """
        self._guard()
        from vertex_claude_magic.notebook.commands.hint import hint_from_line

        return hint_from_line(self, line)

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def claude_compare(
        self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None
    ) -> Replies | None:
        """Ask the same question of several models, or with several values of an option, side by side.

        Examples::

            %%claude_compare -m haiku,sonnet,opus
            Explain overfitting in three sentences.

            %%claude_compare replies -m sonnet --vary effort=low,high
            Which test fits these data? {{ df }}

            %%claude_compare --vary 'system="Be brief, please.","Be thorough."'
            What is a p-value?

        Up to 8 columns stream at once; on a narrow page they are below each other. At the end each has first token,
        time, tokens, cost and what differs. A column that fails leaves the others alone. `replies` holds the list of
        Replies, with `.df`, `.labels` and `.errors`.

        It takes the options of `%%claude`, and these::

            -m, --model ID,ID        the models to compare, such as haiku,sonnet
            --vary OPTION=a,b        another option whose values are compared; a value with a comma goes
                                     between double quotes

        `--max-cost` holds for all columns together. `-c`, `--new`, `--after`, `--tools` and `-f code` are refused.
        """
        self._guard()
        from vertex_claude_magic.notebook.commands.compare import compare_from_line
        from vertex_claude_magic.notebook.plain_errors import telling_locals

        with telling_locals(local_ns):
            return compare_from_line(self, line, cell)

    @no_var_expand
    @line_magic
    def claude_usage(self, line: str) -> UsageReport | None:
        """Show calls, tokens and cost by day, model and notebook.

        Examples::

            %claude_usage                       (the days that the journal keeps, all notebooks)
            %claude_usage --days 7 --by model   (one table, by day, model or notebook)
            %claude_usage --session             (only what this kernel asked)
            usage = %claude_usage
            usage.df.groupby("model")["cost"].sum()

        Every figure in USD is an estimate from the price table; the bill is Google's. "up to" counts answers
        that were stopped or have not ended, at their maximum cost; "unknown" counts calls whose price the table
        does not know. "Saved" is what replayed answers would have cost. Answers of a server
        on this machine, such as the demo's emulator, stand apart, because they cost nothing in fact.

        The report has `.rows`, one for each day, notebook and model, and `.df`, the same as a pandas frame. The figures
        come from the journal; the last lines say where it is and how to switch it off.
        """
        from vertex_claude_magic.notebook.commands.usage import show_usage

        return show_usage(self, line)

    @no_var_expand
    @line_magic
    def claude_logging(self, line: str) -> None:
        """Show or change Google's request-response logging for one model in one location.

        Google then writes calls, prompts and answers included, to a BigQuery table of yours::

            %claude_logging status
            %claude_logging on --table bq://my-project.claude_logs.requests --sample 0.1
            %claude_logging off
            %claude_logging status -m opus-4.6 -r us-east5

        Options::

            --table URI              the BigQuery table, bq://project.dataset.table (for on)
            --sample RATE            the fraction of calls, above 0 and at most 1 (default 1: every call)
            -m, --model ID           the model; the session's by default
            -r, --region LOC         the location; the session's by default
            -p, --project ID         the project
            -h, --help               show this page

        Every other setting of the same configuration is kept as it is; data sharing and safety switches
        are never touched. The result is read back from Google and shown beside what the local journal
        keeps. Changing it needs roles/aiplatform.admin.
        """
        from vertex_claude_magic.notebook.commands.logging import run_logging

        run_logging(self, line)

    @no_var_expand
    @line_magic
    def claude_doctor(self, line: str) -> None:
        """Find out why Claude on Vertex AI does not answer: one line for each check, one cure for each failure.

        It looks at versions, settings, credentials, project, network, clock and token, makes one free call
        that counts the tokens of a fixed text, and reads from the answer whether the API is enabled and the
        account, the model and the region are right. No prompt of yours is sent and nothing is changed::

            %claude_doctor
            %claude_doctor -m opus -r eu            (another choice than that of the session)
            %claude_doctor --probe                  (asks for one token too, for a fraction of a cent)
            %claude_doctor --report doctor.txt      (a text to paste in public: no names, no paths)

        Options::

            -m, --model ID        a model id, or an alias: sonnet, opus, haiku, sonnet-4.5 ...
            -r, --region LOC      global (default), us, eu, or a region such as us-east5
            -p, --project ID      the Google Cloud project to bill
            --probe               ask for one token, which shows whether the quota lets a request through
            --report FILE         write the result to a text file
            --with-names          keep email, project and paths in the report
            -h, --help            show this page

        `skipped` is what another failure made pointless, `not checked` what nobody could look at. In a
        terminal, `vertex-claude doctor` does the same and ends with 1 if something is wrong.
        """
        from vertex_claude_magic.notebook.commands.doctor import run_doctor

        run_doctor(self, line)

    @no_var_expand
    @line_magic
    def claude_demo(self, line: str) -> None:
        """Answer from an emulator in this kernel, without account or network; `%claude_demo stop` ends it.

        The emulator is not Claude and says so. It gets a fixed token; your credentials are not looked up. It answers
        every `Claude()` of this kernel too, but those that were given credentials, a token or a base URL.
        """
        from vertex_claude_magic.notebook.commands.demo import run_demo

        run_demo(self, line)

    @no_var_expand
    @cell_magic
    def claude_map(self, line: str, cell: str) -> None:
        """Ask a prompt for every row of a table; the answers become columns of a new table.

        The variable for the result, the table, options; the prompt of a row in the lines below::

            %%claude_map labels reviews --as Label -m haiku
            Is this review positive? {{ text }}

        `{{ column }}` is a field of the row, `{{ row['Customer name'] }}` one with any other name, `{{ row }}` all of
        it as JSON, `{{ item }}` an element of a list of strings. A table is a data frame of pandas, polars,
        pyarrow, DuckDB or another library that narwhals reads, a list of dicts, or a list of strings. The result is of
        the same kind; a DuckDB relation gives a table of pyarrow, strings give dicts.

        Added are the fields of the type after --as (or the column `answer`), then `error`, `stop_reason`,
        `input_tokens`, `output_tokens` and `cost` (USD, an estimate). A row that fails has its error there, and the
        others go on. A row that is the same question as another one is asked once; its copy has no tokens.

        Options::

            --max-active N           maximum number of rows asked at the same time (16)
            --rpm N                  maximum number of requests per minute
            --on-error HOW           when a row fails: return (its error goes into the column error)
                                     or stop
            --limit N                ask only the first N rows
            --prefix TEXT            prefix for the names of all added columns
            --fresh                  also ask the rows that an earlier run of this cell answered
            --max-cost USD           stop before the row with which the whole run could cost more (an estimate)
            --dry-run                show the first prompts, their tokens, and what all rows would cost

        and those of `%%claude`, but -c, --new, --after, --tools and -f code. In a saved prompt (--prompt) a column is
        used before a value of --with, and that before a variable. Run the cell again after an interrupt, a limit or a
        killed kernel: answered rows are not asked again, whatever --replay says; rows that failed are. That holds as
        long as the journal keeps them.
        """
        self._guard()
        from vertex_claude_magic.notebook.commands.map import map_from_cell

        map_from_cell(self, line, cell)

    @no_var_expand
    @line_cell_magic
    def claude_batch(self, line: str, cell: str | None = None) -> None:
        """Send a prompt for every row of a table as Vertex batch prediction: half the price, within hours.

        The variable for the jobs, the table, the place for rows and results; the prompt of a row in the lines below::

            %%claude_batch labels reviews --to gs://my-bucket/labels --as Label -m sonnet
            Is this review positive? {{ text }}

        It needs google-cloud-storage (pip install "vertex-claude-magic[batch]") and a bucket of yours in one region;
        the jobs run there. Later, also in another kernel::

            %claude_batch                          (the batches that the journal knows)
            %claude_batch labels                   (how far one is)
            %claude_batch labels --wait
            %claude_batch labels --collect frame   (the table with the answers as columns, as of %%claude_map)
            %claude_batch labels --retry-failed    (sends the rows again that failed, and only those)
            %claude_batch labels --cancel          (keeps what is answered by then)

        Options of the cell::

            --to PLACE               where rows and results go: gs://bucket/prefix, or bq://project.dataset.table
            --via PLACE              gs://bucket/prefix for the rows, where results go to BigQuery
            --rows-per-job N         how many rows a job has at most; without it, one job has all of them
            --prefix TEXT            prefix for the names of all added columns
            --max-cost USD           refuse a batch that may cost more than this (an estimate, at half price)
            --dry-run                show the first prompts, their tokens, and what all rows would cost

        and those of `%%claude`, but --timeout, --replay, --no-stream, --header and what belongs to conversations. Four
        jobs may be under way in a project; the others wait until a kernel looks. An answer that is not of the type
        after --as is an error of its row; it is not asked for once more.

        Rows that are finished requests, with the columns custom_id and request, may come from BigQuery. There is no
        prompt then, and the result has the custom_id of each row (pip install google-cloud-bigquery)::

            %%claude_batch answers bq://my-project.rows.requests --to gs://my-bucket/answers -m sonnet
        """
        self._guard()
        from vertex_claude_magic.notebook.commands.batch import batch_from_cell, batch_from_line

        if cell is None:
            batch_from_line(self, line)
        else:
            batch_from_cell(self, line, cell)

    def _begin(self) -> None:
        self._guard()
        self.printed.begin()

    def _guard(self) -> None:
        from vertex_claude_magic.notebook.plain_errors import guard_errors

        guard_errors(self.shell)

    def _notebook(self) -> str:
        from vertex_claude_magic.notebook.display.frontends import notebook_name

        return notebook_name(self.shell)

    def session(self) -> Session:
        """Return the session that asks; it reads the settings as they are when it is asked."""
        from vertex_claude_magic.session.session import Session
        from vertex_claude_magic.settings.origin import set_origin
        from vertex_claude_magic.transport.auth import ApplicationDefault

        # A traceback tool may have been installed since the last question.
        self._guard()
        set_origin(self.cells.origin)
        if self._session is None:
            self._session = Session(
                super().options,
                ApplicationDefault(),
                stores=self.stores,
                budget=self.budget,
                follows_demo=True,
            )
        return self._session.present()

    @property
    def status(self) -> SessionStatus:
        """What checks have found, now and earlier, and what was shown in this session already."""
        return self.session().status

    @property
    def budget(self) -> Budget:
        """The sums of what this kernel has spent, also before the extension was loaded again."""
        from vertex_claude_magic.records.budget import Budget

        if self.shell not in _budgets:
            _budgets[self.shell] = Budget()
        return _budgets[self.shell]

    @property
    def demo(self) -> Demo | None:
        """Where the emulator of the demo is asked, None while no demo runs."""
        return None if self.emulator is None else Demo(self.emulator.base_url, self.emulator.project)

    def options(self) -> AskOptions:
        """Return the settings, which a `Claude()` of this kernel takes over."""
        # A `Claude()` of the cell that loaded the extension may fail before any magic has run.
        self._guard()
        options: AskOptions = super().options()
        return options

    def scope(self) -> Scope:
        """Return where prompts find their values: the user's variables, and how IPython shows an object."""
        from vertex_claude_magic.prompts.scope import Scope

        def present(value: Any) -> dict[str, Any]:
            from vertex_claude_magic.notebook.representations import representations

            return representations(self.shell.display_formatter, value)

        return Scope(names=self.shell.user_ns, present=present)

    def _note_end(self, error: BaseException | None, source: str, cell_id: str, run: str) -> None:
        if self.troubles is None:
            if error is None:
                return
            from vertex_claude_magic.notebook.troubles import Troubles

            self.troubles = Troubles()
        self.troubles.note_end(error, source, cell_id, run)

    def _note_cell(self, key: str, cell: str) -> None:
        from vertex_claude_magic.notebook.display.inserted import note_cell

        note_cell(self.status.notes, key, cell)

    def pass_over(self, value: Reply | Replies | UsageReport) -> None:
        """Keep the displayhook from showing a second time what a magic is about to return."""
        self._shown = (self.shell.execution_count, value)

    def was_shown(self, value: object) -> bool:
        """Tell once whether this value was just shown by the magic that returned it."""
        shown, self._shown = self._shown, None
        return shown is not None and shown[1] is value and shown[0] == self.shell.execution_count

    def tell_missing_recording(self) -> None:
        """Print one line if the recording that is set, here or in the environment, is not there; a line comes once."""
        if not (self.recording or os.environ.get("VERTEX_CLAUDE_RECORDING")):
            return
        from vertex_claude_magic.errors import ClaudeError
        from vertex_claude_magic.records.session_records import missing_recording

        try:
            target = self.session().target()
        except ClaudeError:
            # Another setting cannot be used, which the next question says; the extension loads all the same.
            return
        former, self._missing = self._missing, missing_recording(target, self.stores)
        if self._missing and self._missing != former:
            print(self._missing)

    def close(self) -> None:
        """Close the panel and idle connections, and stop the emulator if it runs."""
        if self.panel is not None:
            self.panel.close()
            self.panel = None
        if self.emulator is not None:
            self.emulator.close()
            self.emulator = None
        if self._session is not None:
            self._session.close()
            self._session = None
        from vertex_claude_magic.settings.origin import set_origin

        set_origin(None)


# `%%claude?` shows the docstring, so the options of the registry are written into it.
_DOC = ClaudeMagics.claude.__doc__ or ""
_USED = help_lines(OPTIONS[name] for name in MOST_USED)
ClaudeMagics.claude.__doc__ = _DOC.replace("{options}", _USED.replace("\n", "\n            "))


def load(shell: InteractiveShell) -> None:
    """Register the magics, Tab completion and the `?` rule; loading again replaces what was there."""
    from vertex_claude_magic.notebook.hooks import add_hooks

    unload(shell)
    found = policies(_notebook_folder(shell))
    magics = ClaudeMagics(shell)
    section = ClaudeMagics.__name__
    if section in shell.config:
        from vertex_claude_magic.errors import SettingRefused

        # A table of the user's own may have the name of the model.
        for name, value in sorted(shell.config[section].items(), key=lambda item: item[0] != "models_file"):
            try:
                magics.update_config(Config({section: {name: value}}))
            except SettingRefused as error:  # noqa: PERF203 - the others hold all the same
                print(f"{section}.{name} of IPython's configuration is not used: {error}")
    # Only now: of what was set so far, it is told when all is loaded.
    magics.observe(lambda _: magics.tell_missing_recording(), ["recording", "replay"])
    shell.register_magics(magics)
    set_loaded(magics)
    add_hooks(shell, magics)
    if found:
        from vertex_claude_magic.settings.loaded import present_policy

        # Read now, so that a file that is changed from here on changes nothing.
        if present_policy().closed:
            _close_magics(shell, present_policy())
            return
    magics.tell_missing_recording()


def _notebook_folder(shell: InteractiveShell) -> list[Path]:
    """Return the folder of the notebook, where the front end names its file; the kernel may run elsewhere."""
    if not (os.environ.get("JPY_SESSION_NAME") or "__vsc_ipynb_file__" in shell.user_ns):
        return []
    from vertex_claude_magic.notebook.display.frontends import notebook_file

    file = notebook_file(shell)
    return [] if file is None else [file.parent]


def _close_magics(shell: InteractiveShell, policy: Policy) -> None:
    """Have every magic say why nothing is asked here, those that ask nothing included."""

    def refuse(line: str = "", cell: str | None = None) -> None:  # noqa: ARG001 - the arguments of any magic
        policy.check_open()

    for kind in ("line", "cell"):
        for name in ClaudeMagics.magics[kind]:
            shell.magics_manager.magics[kind][name] = refuse


def unload(shell: InteractiveShell) -> None:
    """Take the magics and hooks away again; harmless if they are not there."""
    from vertex_claude_magic.notebook.hooks import remove_hooks

    # Compared by name, because importlib.reload makes a new class.
    for old in [each for each in shell.configurables if type(each).__name__ == ClaudeMagics.__name__]:
        shell.configurables.remove(old)
        shell.magics_manager.registry.pop(ClaudeMagics.__name__, None)
        if old.emulator is not None:
            # IPython loads again by unloading, and the next question must not go to Vertex AI without a word.
            print("Demo mode is off, because the extension was unloaded. %claude_demo starts it again.")
        old.close()
        set_loaded(None)
    for kind in ("line", "cell"):
        # IPython keeps the names of the methods that are magics.
        for name in ClaudeMagics.magics[kind]:
            shell.magics_manager.magics[kind].pop(name, None)
    remove_hooks(shell)
