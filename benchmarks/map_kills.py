"""A run over a table that is killed (SIGKILL) at random moments: what is asked twice, and whether a row is lost.

Each kill is followed by a run of the same table, which is killed too, until the last one goes through. The moments are
random in the progress of the whole.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from map_rows import MODEL, served, verdict

RUN = """
import sys
from vertex_claude_magic import Claude

project, base_url, journal, rows, active, model = sys.argv[1:]
claude = Claude(project=project, base_url=base_url, access_token="emulator", journal=journal, model=model,
                max_tokens=100)
table = [{"number": number} for number in range(int(rows))]
out = claude.map(table, "Is this positive? Review {{ number }}", max_active=int(active), progress=False)
numbers = [row["number"] for row in out]
assert numbers == list(range(int(rows))), "a row is missing, twice or moved"
assert all(row["answer"] and row["error"] is None for row in out), "a row has no answer"
print(sum(row["cost"] > 0 for row in out))
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--active", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    moments = sorted(chance.randrange(options.rows) for _ in range(options.kills))
    folder = tempfile.mkdtemp()
    print("| figure | measured | limit | |\n| --- | --: | --: | --- |")
    with served(0.1, slim=True) as server:
        asked, command = 0, [
            sys.executable, "-c", RUN, server.project, server.base_url, str(Path(folder) / "journal.sqlite3"),
            str(options.rows), str(options.active), MODEL,
        ]  # fmt: skip
        surroundings = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        for killed, moment in enumerate(moments):
            with subprocess.Popen(
                command, cwd=folder, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as run:
                # Not before it has asked anything; and what earlier kills had asked twice comes on top.
                aim = max(moment + killed, asked + 1)
                while asked < aim and run.poll() is None:
                    asked += server.calls()
                    time.sleep(0.002)
                time.sleep(chance.random() * 0.1)
                run.kill()
            asked += server.calls()
            print(f"  killed after {asked:,} requests", file=sys.stderr)
        last = subprocess.run(
            command, cwd=folder, env=surroundings, capture_output=True, text=True, check=True
        )
        asked += server.calls()
    print(f"  the last run asked {last.stdout.strip()} rows", file=sys.stderr)
    most = options.rows + options.kills * options.active
    verdict(f"{options.rows:,} rows, killed {options.kills} times: requests", asked, most)


if __name__ == "__main__":
    main()
