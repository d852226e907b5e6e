#!/usr/bin/env bash
# IPython 9.18.1: the outputs that the history of a shell stores are one dict for all shells of a process.
#
# Expected: `shell.history_manager.outputs` holds the outputs of that shell, by execution count, as `input_hist_raw` and
# `output_hist` beside it do. All of them are documented as attributes of the history of a session.
#
# Happens: `outputs` and `exceptions` are attributes of the class `HistoryManager`. What one shell prints is found in
# the other under the same count, two shells write over each other's entries, and `%reset` in one keeps them all.
#
# Concerns: processes with several shells, such as embedded shells, servers that make one shell a user, and test suites:
# whoever reads the outputs of a shell may get those of another one.
#
# Known? No report was found when searched in 2026-11.
#
# This product reads them for `--context` only; a kernel has one shell, so there they are its own.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "ipython==9.18.1"

IPYTHONDIR="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import sys

import IPython
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

print("IPython", IPython.__version__)
config = Config({"HistoryManager": {"enabled": False}})
first, second = InteractiveShell(config=config), InteractiveShell(config=config)
first.run_cell("print('from the first shell')", store_history=True)
shared = first.history_manager.outputs is second.history_manager.outputs
own = first.history_manager.input_hist_raw is not second.history_manager.input_hist_raw
print("inputs of their own:", own, "· outputs shared:", shared)
print("the second shell, which ran nothing, has:", dict(second.history_manager.outputs))
if not (own and shared):
    sys.exit("No longer as described: each shell has outputs of its own.")
print("As described.")
PYTHON
