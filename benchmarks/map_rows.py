"""What a prompt over the rows of a table costs, beside the official SDK, chatlas and a bare loop of requests.

The emulator runs in a process of its own, and every answer takes half a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 0.5
ACTIVE = 64
MODEL = "claude-haiku-4-5"

# Serves the emulator, with its answers late by so many seconds, and with faults for a share of the calls.
SERVER = """
import json, pathlib, random, sys, tempfile
from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.emulator.http.delivery import plan
from vertex_claude_magic.emulator.http.faults import Fault

seconds, faulty, slim = float(sys.argv[1]), sys.argv[2] == "faulty", sys.argv[3] == "slim"
chance = random.Random(0)
script = pathlib.Path(tempfile.mkdtemp()) / "script.json"
script.write_text(json.dumps([{"match": "Review", "reply": "Positive, because it calls the film good."}]))
emulator = Emulator(script=script)
emulator.credentials_file()
service, handle = emulator._service, emulator._service.handle

def late(received):
    response, fault = handle(received)
    asks = b"Predict" in received.path.encode() and "count-tokens" not in received.path
    if not asks:
        return response, fault
    counts["calls"] += 1
    drawn = chance.random()
    if faulty and drawn < 0.05:
        return response_of(429), None
    if faulty and drawn < 0.06:
        return response_of(500), None
    if faulty and drawn < 0.065:
        return response, Fault(delay=seconds, cut_after=300)
    return response, Fault(delay=seconds)

def response_of(status):
    from vertex_claude_magic.emulator.messages.problems import Problem
    return Problem(code=status, message="On purpose.").response()

counts = {"calls": 0}
service.handle = late
if slim:
    class Nothing(list):
        def append(self, item): pass
    emulator._requests = Nothing()
print(json.dumps({**emulator.environment, "BASE": emulator.base_url, "PROJECT": emulator.project}), flush=True)
for line in sys.stdin:
    print(counts["calls"], flush=True)
    counts["calls"] = 0
"""


class Served:
    """The emulator's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.environment: dict[str, str] = json.loads(process.stdout.readline())
        self.base_url, self.project = self.environment.pop("BASE"), self.environment.pop("PROJECT")

    def calls(self) -> int:
        """Return how many questions have come since the last time."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def served(seconds: float = SECONDS, *, faulty: bool = False, slim: bool = False) -> Iterator[Served]:
    command = [sys.executable, "-c", SERVER, str(seconds), "faulty" if faulty else "", "slim" if slim else ""]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Served(process)
    finally:
        process.terminate()
        process.wait()


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds and the CPU seconds of some work."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def prompts(rows: int, salt: str) -> list[str]:
    return [
        f"Is this review positive? Review {salt} {number}: The film is long and good."
        for number in range(rows)
    ]


def ours(server: Served, rows: int, salt: str, *, journal: str, **options: Any) -> Callable[[], object]:
    import pandas as pd

    from vertex_claude_magic import Claude

    frame = pd.DataFrame({"text": prompts(rows, salt)})
    claude = Claude(
        project=server.project,
        base_url=server.base_url,
        access_token="emulator",
        journal=journal,
        model=MODEL,
    )

    def work() -> object:
        found = claude.map(
            frame, "{{ text }}", max_active=ACTIVE, max_tokens=100, **{"progress": False, **options}
        )
        missing = int(found["answer"].isna().sum())
        assert not missing, (missing, found["error"].value_counts())
        return found

    return work


def bare(server: Served, rows: int, salt: str, *, stream: bool) -> Callable[[], object]:
    """The loop that everybody writes first: threads, one session, the answer read and its text taken."""
    import requests

    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=ACTIVE))
    session.trust_env = False
    verb = "streamRawPredict" if stream else "rawPredict"
    url = (f"{server.base_url}/projects/{server.project}/locations/global/publishers/anthropic/models/"
           f"{MODEL}:{verb}")  # fmt: skip

    def ask(prompt: str) -> str:
        body = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 100,
                "messages": [{"role": "user", "content": prompt}]}  # fmt: skip
        if not stream:
            response = session.post(url, json=body, headers={"Authorization": "Bearer emulator"})
            response.raise_for_status()
            return str(response.json()["content"][0]["text"])
        text = []
        with session.post(
            url, json={**body, "stream": True}, headers={"Authorization": "Bearer emulator"}, stream=True
        ) as r:
            r.raise_for_status()
            for line in r.iter_lines():
                if line.startswith(b"data: "):
                    data = json.loads(line[6:])
                    if data["type"] == "content_block_delta":
                        text.append(data["delta"].get("text", ""))
        return "".join(text)

    def work() -> object:
        with ThreadPoolExecutor(ACTIVE) as pool:
            return list(pool.map(ask, prompts(rows, salt)))

    return work


def sdk(server: Served, rows: int, salt: str) -> Callable[[], object]:
    """The official SDK as its documentation shows it: the asynchronous client, gathered, a semaphore."""
    os.environ.update(server.environment)
    os.environ["ANTHROPIC_VERTEX_BASE_URL"] = server.base_url
    from anthropic import AsyncAnthropicVertex

    async def run() -> None:
        async with AsyncAnthropicVertex(
            project_id=server.project, region="global", base_url=server.base_url
        ) as client:
            gate = asyncio.Semaphore(ACTIVE)

            async def ask(prompt: str) -> str:
                async with gate:
                    message = await client.messages.create(
                        model=MODEL, max_tokens=100, messages=[{"role": "user", "content": prompt}]
                    )
                    return str(message.content[0].text)

            await asyncio.gather(*[ask(prompt) for prompt in prompts(rows, salt)])

    return lambda: asyncio.run(run())


def chatlas_chat(server: Served, rows: int, salt: str) -> Callable[[], object]:
    """What chatlas offers for many prompts; it speaks to Vertex AI through the SDK."""
    os.environ.update(server.environment)
    from anthropic import AnthropicVertex, AsyncAnthropicVertex
    from chatlas import ChatAnthropic, parallel_chat_text

    client = ChatAnthropic(model=MODEL, max_tokens=100, api_key="x")
    client.provider._client = AnthropicVertex(
        project_id=server.project, region="global", base_url=server.base_url, access_token="emulator"
    )
    client.provider._async_client = AsyncAnthropicVertex(
        project_id=server.project, region="global", base_url=server.base_url, access_token="emulator"
    )

    async def run() -> None:
        await parallel_chat_text(client, prompts(rows, salt), max_active=ACTIVE, rpm=1_000_000)

    return lambda: asyncio.run(run())


def memory() -> float:
    """Return the largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def verdict(what: str, value: float, limit: float) -> None:
    print(f"| {what} | {value:.2f} | {limit:g} | {'met' if value <= limit else '**MISSED**'} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--only", default="")
    options = parser.parse_args()

    def wanted(name: str) -> bool:
        return not options.only or name in options.only.split(",")

    folder = Path(tempfile.mkdtemp())
    print("| figure | measured | limit | |\n| --- | --: | --: | --- |")
    if wanted("whole"):
        with served() as server:
            measured(ours(server, 64, "warm", journal=str(folder / "warm.sqlite3")))
            ideal = options.rows * SECONDS / ACTIVE
            walls = []
            for number in range(options.rounds):
                wall, cpu = measured(
                    ours(server, options.rows, f"w{number}", journal=str(folder / "w.sqlite3"))
                )
                print(f"  {wall:.2f} s, {cpu / options.rows * 1e3:.2f} ms CPU a row", file=sys.stderr)
                walls.append(wall)
            verdict(
                f"{options.rows:,} rows, seconds to the ideal {ideal:.1f} s (best of {options.rounds})",
                min(walls) / ideal,
                1.05,
            )
            clean = min(walls)
        with served(faulty=True) as server:
            wall, _ = measured(ours(server, options.rows, "faults", journal=str(folder / "f.sqlite3")))
            calls = server.calls()
            verdict("with 5 % 429, 1 % 500, 0.5 % cut: seconds to those without", wall / clean, 2.0)
            verdict("the same: requests a row", calls / options.rows, 1.1)
    if wanted("peers"):
        with served() as server:
            rows, best = 200, {"ours": 99.0, "sdk": 99.0, "chatlas": 99.0}
            for number in range(options.rounds + 1):
                salt = f"p{number}"
                ways = {
                    "ours": ours(server, rows, salt, journal=str(folder / "p.sqlite3")),
                    "sdk": sdk(server, rows, salt),
                    "chatlas": chatlas_chat(server, rows, salt),
                }
                for name, work in ways.items():
                    wall, cpu = measured(work)
                    print(f"  {name}: {wall:.2f} s, {cpu / rows * 1e3:.2f} ms CPU a row", file=sys.stderr)
                    if number:
                        best[name] = min(best[name], wall)
            verdict("200 rows, seconds to those of the async official SDK", best["ours"] / best["sdk"], 0.6)
            verdict("200 rows, seconds to those of chatlas", best["ours"] / best["chatlas"], 1.0)
    if wanted("cpu"):
        with served() as server:
            ratios: dict[str, list[float]] = {"rawPredict": [], "streamRawPredict": []}
            for number in range(options.rounds + 1):
                _, own = measured(ours(server, 400, f"c{number}", journal=str(folder / "c.sqlite3")))
                for verb, found in ratios.items():
                    _, other = measured(bare(server, 400, f"c{number}", stream=verb != "rawPredict"))
                    print(
                        f"  ours {own / 0.4:.2f} ms, {verb} {other / 0.4:.2f} ms CPU a row", file=sys.stderr
                    )
                    if number:
                        found.append(own / other)
            for verb, found in ratios.items():
                verdict(
                    f"CPU a row to that of a bare threaded requests loop ({verb})",
                    sorted(found)[len(found) // 2],
                    1.5,
                )
    if wanted("many"):
        with served(0.0, slim=True) as server:
            seen: list[float] = []
            work = ours(
                server,
                options.many,
                "m",
                journal=str(folder / "m.sqlite3"),
                progress=lambda _: seen.append(time.perf_counter()),
            )
            # Table, result and what the first rows load are there already.
            measured(ours(server, 200, "m0", journal=str(folder / "m.sqlite3")))
            before, found = memory(), []
            wall, cpu = measured(lambda: found.append(work()))
            print(f"  {wall:.0f} s, {cpu / options.many * 1e3:.2f} ms CPU a row", file=sys.stderr)
            result = found[0].drop(columns="text").memory_usage(deep=True).sum() / 2**20
            verdict(
                f"{options.many:,} rows: growth of memory above the result, MB",
                memory() - before - result,
                60,
            )
            most = max(sum(start <= moment < start + 1 for moment in seen) for start in seen)
            verdict("reports of progress in any second", most, 5)
    assert threading.active_count() < 10


if __name__ == "__main__":
    main()
