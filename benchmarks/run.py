"""Run all measures, or some, and print one table with targets met or missed.

    python benchmarks/run.py [--only NAME ...] [--rounds 9] [--former COMMIT | --no-former] [--no-peers]

Each figure is a ratio to a hand-written cell (`baseline.py`) that took turns with it in the same run, and beside it
stands the same of a former build, a clone of `--former`. README.md says how it is measured.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# This checkout, wherever the command runs.
sys.path.insert(0, str(ROOT))

from harness import Bench, Build, Figure, checkout, environment, markdown  # noqa: E402

FORMER = "ea16d66"
MEASURES = ("load", "first_answer", "first_text", "short_answer", "decode", "traffic", "browser", "replay", "panel",
            "memory", "growth", "conversation", "hostile", "peers")  # fmt: skip


def main() -> None:
    """Measure and print; the exit status is 1 if a measure failed, not if a target was missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=MEASURES, metavar="NAME",
                        help=f"one or more of {', '.join(MEASURES)}")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=9, help="rounds of a measure of time")
    parser.add_argument("--former", default=FORMER, metavar="COMMIT", help="the build to compare with")
    parser.add_argument("--no-former", action="store_true", help="compare with no former build")
    parser.add_argument("--no-peers", action="store_true", help="install no peers")
    options = parser.parse_args()
    wanted = [name for name in options.only if name != "peers" or not options.no_peers]
    figures: list[Figure] = []
    failed: list[str] = []
    print(environment())
    with ExitStack() as stack:
        builds = [Build("this", ROOT)]
        if not options.no_former:
            builds.append(stack.enter_context(checkout(options.former)))
        bench = Bench(tuple(builds), options.rounds)
        for name in wanted:
            began = time.monotonic()
            try:
                for figure in importlib.import_module(f"measures.{name}").measure(bench):
                    print(f"  {' | '.join(figure.row())}", flush=True)
                    figures.append(figure)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is printed
                # The others are worth having all the same.
                failed.append(f"{name}: {type(error).__name__}: {error}")
                print(f"  {failed[-1]}", flush=True)
            print(f"  {name}: {time.monotonic() - began:.0f} s", flush=True)
    former = "" if options.no_former else f" {options.former[:7]}"
    print(f"\n{environment()}\n")
    print(
        markdown(
            ["measure", f"former build{former}", "target", "figure", ""], [each.row() for each in figures]
        )
    )
    for table in bench.details:
        print(f"\n{table}")
    for failure in failed:
        print(f"\nFailed: {failure}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
