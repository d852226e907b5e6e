"""Limits in USD: the call that could cross one is refused before it reaches a model; what every ending counts for."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from datetime import date

import google.auth.credentials
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import DAY, KEEP, NOON, a_call, an_ending, asked, client, opened, rows, told
from shells import ROOT, interrupt_while_waiting

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.__main__ import main
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.records.budget import Budget, RunBudget, token_bound, worst_case
from vertex_claude_magic.records.journal.calls import LOCAL, day_of
from vertex_claude_magic.records.journal.location import default_path
from vertex_claude_magic.records.journal.upkeep import Keep, drop_old
from vertex_claude_magic.settings.policy import Policy
from vertex_claude_magic.transport.retry import RetryPolicy
from vertex_claude_magic.vertex.request import RequestOptions, build_request

CATALOG = Catalog.load()
K = 1_000
SEARCH = [{"type": "web_search_20250305", "name": "web_search"}]
# Tools that run where the user is, of which the service takes only the tokens.
USERS_TOOLS = ["custom", "bash_20250124", "computer_20251124", "memory_20250818", "text_editor_20250728"]
CACHED = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def request(content="Hi", *, model="claude-sonnet-5-5", region="global", **options):
    usual = {"max_tokens": 1 * K, "force": True, **options}
    return build_request([{"role": "user", "content": content}], RequestOptions(**usual), model=model, project="p",
                         region=region, catalog=CATALOG)  # fmt: skip


# request, input tokens, USD; the arithmetic stands beside each.
WORST = [
    ({}, 500, 0.011),  # 500 x 2 + 1,000 x 10, in millionths
    ({"region": "eu"}, 500, 0.0121),  # 10 % more
    ({"max_tokens": 5}, 0, 0.00005),
    ({"set": {"max_tokens": 2 * K}}, 500, 0.021),  # --set has the last word
    ({"set": CACHED}, 500, 0.01125),  # 500 x 2.50: all written for five minutes
    ({"set": HOUR}, 500, 0.012),  # 500 x 4.00: all written for an hour
    ({"set": {"system": [{"type": "text", "text": "x", **HOUR}]}, "region": "us"}, 500, 0.0132),  # (.002 + .01) x 1.1
    ({"content": 'Is "cache_control" a word?'}, 500, 0.011),  # words of the prompt mark nothing
    ({"model": "claude-haiku-5-5"}, 100 * K, 0.0105),  # .01 + .0005: exactly 100,000 is the lower tier
    ({"model": "claude-haiku-5-5"}, 100 * K + 1, 0.0525005),  # .0500005 + .0025
    ({"model": "claude-haiku-5-5", "set": HOUR}, 200 * K, 0.2025),  # .2 x 1.00 + .0025
    ({"model": "claude-sonnet-4-5@20250929", "region": "us-east5"}, 300 * K, 2.00475),  # (1.8 + .0225) x 1.1
    ({"model": "claude-opus-4-1@20250805", "region": "us-east5"}, 10 * K, 0.225),  # .15 + .075, no premium then
    ({"set": {"tools": [{"name": "f", "input_schema": {}}]}}, 500, 0.011),
    ({"set": {"tools": [{"type": "custom", "name": "f", "input_schema": {}}]}}, 500, 0.011),
    ({"set": {"tools": [{"type": kind, "name": "x"} for kind in USERS_TOOLS]}}, 500, 0.011),
    ({"set": {"tools": ["x", {"name": "f", "input_schema": {}}]}}, 500, 0.011),
    ({"set": {"max_tokens": 0}}, 500, 0.001),  # only the cache is filled
    ({"model": "claude-fable-5-2", "set": {"speed": "fast"}}, 1 * K, 0.096),  # twice .008 + .04
    ({"model": "claude-fable-5-2", "set": {"speed": "fast", **CACHED}}, 1 * K, 0.1),  # twice .01 + .04
    ({"model": "claude-fable-5-2", "set": {"speed": "standard"}}, 1 * K, 0.048),
    ({"model": "claude-opus-5", "set": {"speed": "fast"}}, 1 * K, None),
    # What is not known before.
    ({"set": {"tools": SEARCH}}, 500, None),
    ({"set": {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}}, 500, None),
    ({"set": {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}}, 500, None),
    ({"set": {"tools": [{"type": "a_new_tool_of_the_service", "name": "x"}]}}, 500, None),
    ({"set": {"mcp_servers": [{"type": "url", "url": "https://mcp.example", "name": "x"}]}}, 500, None),
    ({"set": {"context_management": {"edits": [{"type": "compact_20260112"}]}}}, 500, None),
    ({"set": {"compaction": {"type": "summarize"}}}, 500, None),
    ({"set": {"fallback_credit_token": "x"}}, 500, None),
    ({"set": {"fallbacks": [{"model": "claude-opus-5-5"}]}}, 500, None),
    ({"set": {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}}, 500, 0.011),
    ({"content": 'What does {"type": "compact_20260112"} do?'}, 500, 0.011),
    ({"model": "claude-3-sonnet@20240229", "set": CACHED}, 900, None),
    ({"model": "claude-of-tomorrow"}, 500, None),
    ({"set": {"max_tokens": "many"}}, 500, None),
    ({"set": {"max_tokens": 1e9}}, 500, None),
    ({"set": {"max_tokens": -1}}, 500, None),
    ({"set": {"max_tokens": True}}, 500, None),
    ({"set": {"max_tokens": None}}, 500, None),
    ({"model": "claude-3-sonnet@20240229", "set": CACHED}, 500, None),  # no source tells the price of writes
]  # fmt: skip


@pytest.mark.parametrize(("options", "tokens", "usd"), WORST, ids=[str(row[:2])[:60] for row in WORST])
def test_the_worst_case_is_what_the_arithmetic_says(options, tokens, usd):
    """The dearest way that the tokens may be counted, and an answer of max_tokens tokens."""
    found = worst_case(request(**options), CATALOG, tokens)
    assert found is None if usd is None else found == pytest.approx(usd, rel=1e-9)


def picture(data):
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


BOUNDS = [
    ({}, 2 * K, 3 * K),
    ({"content": "ü" * 50_000}, 102 * K, 103 * K),  # a token has at least one byte
    ({"content": [picture("aGk=")]}, 6 * K, 8 * K),
    # Its bytes are no text, and the text beside it is counted in bytes as well.
    ({"content": [picture("aGkh" * 500_000)]}, 6 * K, 8 * K),
    ({"content": [picture("aGk="), {"type": "text", "text": "ü" * 50_000}]}, 106 * K, 108 * K),
    ({"content": [picture("aGk="), picture("aGkh")]}, 11 * K, 13 * K),
    ({"content": [{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}}]},
     1000 * K, 1000 * K),  # a small file may have many pages
    ({"content": [{"type": "image", "source": {"type": "url", "url": "https://a.example/b"}}]}, 1000 * K, 1000 * K),
    ({"content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}, 1000 * K, 1000 * K),
    ({"content": "x" * 3_000_000}, 1000 * K, 1000 * K),  # never more than the window
    ({"content": "x" * 3_000_000, "model": "claude-sonnet-4-5@20250929"}, 200 * K, 200 * K),
    ({"content": "x" * 3_000_000, "model": "claude-sonnet-4-5@20250929", "beta": ["context-1m-2025-08-07"]}, 1000 * K, 1000 * K),
    ({"content": "x" * 3_000_000, "model": "claude-sonnet-4-5@20250929", "beta": ["files-api-2025-04-14"]}, 200 * K, 200 * K),
    ({"content": "x" * 3_000_000, "model": "claude-of-tomorrow"}, 1000 * K, 1000 * K),
]  # fmt: skip


@pytest.mark.parametrize(("options", "least", "most"), BOUNDS, ids=[str(row[0])[:70] for row in BOUNDS])
def test_a_bound_on_the_tokens_is_never_below_them(options, least, most):
    """Where they are not counted: bytes, the most that a picture has, and the window for what may be long."""
    assert least <= token_bound(request(**options), CATALOG) <= most


@given(st.text())
def test_the_bound_holds_for_every_text(text):
    """One token for each byte, and some for the service."""
    assert token_bound(request(text + "."), CATALOG) >= len(text.encode("utf-8", "replace"))


def paths(emulator) -> list[str]:
    return [each.path.rpartition("/")[2] for each in emulator.requests]


LIMITS = ["max_cost", "max_session_cost", "max_daily_cost"]


@pytest.mark.parametrize("limit", LIMITS)
def test_a_call_that_could_cross_a_limit_is_refused_before_it_is_sent(claude_emulator, limit):
    """The tokens are counted, which is free; no model is asked, nothing is spent, and the error says what to do."""
    claude = client(claude_emulator)
    with pytest.raises(errors.CostLimitExceeded) as caught:
        claude.ask("Hello", max_tokens=2 * K, **{limit: 0.001})
    assert paths(claude_emulator) == ["count-tokens:rawPredict"]
    assert "$0.0010" in str(caught.value)
    assert "estimate" in str(caught.value)
    assert "max_tokens=" in caught.value.cure
    assert claude._session.records.budget.spent(local=True) == 0
    # 1,000 tokens at 0.50 a million, and the prompt.
    assert claude.ask("Hello", max_tokens=1 * K, **{limit: 0.00051}).complete


# Sums of an error: neither with an exponent nor as a row of zeros.
BADLY_WRITTEN = re.compile(r"[0-9]e-?[0-9]|\$?0\.0+(?![0-9])")


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("amount", [0.00001, 0.000001, 0.0000123])
def test_a_small_limit_is_written_as_it_was_given(claude_emulator, limit, amount):
    """And what was spent so far is $0, where nothing was."""
    with pytest.raises(errors.CostLimitExceeded) as caught:
        client(claude_emulator).ask("Hello", **{limit: amount})
    said = str(caught.value)
    assert f"{amount:.7f}".rstrip("0") in said
    assert not BADLY_WRITTEN.search(said), said
    sums = {"max_cost": False, "max_session_cost": "$0 for this session", "max_daily_cost": "$0 for today"}
    assert not sums[limit] or f"; with {sums[limit]} so far, that exceeds the" in said


def test_the_limits_of_a_table_and_of_a_comparison_are_written_so_too(claude_emulator):
    claude = client(claude_emulator)
    with pytest.raises(
        errors.CostLimitExceeded, match=r"exceed the limit of \$0\.00001: \$0 is spent"
    ) as refused:
        claude.map(["a", "b"], "{{ item }}", max_cost=0.00001)
    with pytest.raises(errors.CostLimitExceeded, match=r"limit of \$0\.00001 ") as caught:
        claude.compare("Hello", models=["haiku", "sonnet"], max_cost=0.00001)
    assert not BADLY_WRITTEN.search(f"{refused.value} {caught.value}")
    assert asked(claude_emulator) == []


def test_a_ceiling_of_a_policy_is_written_so_too():
    for name, most, written in [("max_cost", 0.00001, "$0.00001"), ("max_tokens", 1_234_567, "1,234,567")]:
        with pytest.raises(
            errors.OptionError, match=f"{name} is limited to {re.escape(written)} by the course"
        ):
            Policy(ceilings={name: most}, origin="the course").admit(name, most * 2, "option")


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(
    "options", [{"model": "claude-of-tomorrow"}, {"set": {"tools": SEARCH}, "model": "sonnet"}], ids=str
)
def test_what_is_not_known_crosses_every_limit(claude_emulator, limit, options):
    """However high it is."""
    with pytest.raises(errors.CostLimitExceeded, match="not known"):
        client(claude_emulator).ask("Hello", **options, **{limit: 1_000_000})
    assert asked(claude_emulator) == []


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "1", True])
def test_a_limit_that_is_none_is_refused(claude_emulator, limit, value):
    """A limit that never holds would be worse than none."""
    with pytest.raises(errors.OptionError, match=limit):
        client(claude_emulator).ask("Hello", **{limit: value})
    assert claude_emulator.requests == []


def test_a_limit_of_nothing_lets_nothing_through(claude_emulator):
    """Zero is a limit like any other."""
    for limit in LIMITS:
        with pytest.raises(errors.CostLimitExceeded):
            client(claude_emulator).ask("Hello", **{limit: 0})
    assert asked(claude_emulator) == []


def test_the_exact_number_of_tokens_is_used(claude_emulator):
    """The bound would be some 2,000 tokens higher, which would cross this limit."""
    claude = client(claude_emulator, model="claude-sonnet-5-5")
    tokens = claude.count("Hello", max_tokens=10)
    most = tokens * 2e-6 + 10 * 10e-6
    assert claude.ask("Hello", max_tokens=10, max_cost=most + 1e-9).complete
    with pytest.raises(errors.CostLimitExceeded):
        claude.ask("Hello", max_tokens=10, max_cost=most - 1e-9)


FAILURES = [
    ("not served there", {"region": "europe-west1"}, None),
    ("a bad request", {}, Fault(status=400)),
    ("too many requests", {}, Fault(status=429, headers={"x-should-retry": "false"})),
    ("no service", {}, Fault(status=500, headers={"x-should-retry": "false"})),
    ("a web page", {}, Fault(status=200, body=b"<html>", content_type="text/html")),
]


@pytest.mark.parametrize(
    ("options", "fault"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
def test_where_tokens_are_not_counted_the_bound_is_used(claude_emulator, options, fault):
    """The prompt goes to no other location for that; and the call is not lost for it."""
    claude = client(claude_emulator, model="claude-haiku-4-5@20251001", max_tokens=10)
    # Some 2,000 tokens at 1.10 a million at most, and 10 at 5.50.
    for limit in (0.001, 0.01):
        if fault is not None:
            claude_emulator.fail(fault)
        with contextlib.suppress(errors.CostLimitExceeded):
            claude.ask("Hello", max_cost=limit, **options)
        assert len(asked(claude_emulator)) == (limit == 0.01)
    assert all("/locations/europe-west1/" in each.path for each in claude_emulator.requests if options)


def test_a_question_that_would_be_refused_as_well_is_not_sent(claude_emulator):
    """Whoever may not count may not ask."""
    claude_emulator.fail(Fault(status=403))
    with pytest.raises(errors.PermissionDenied):
        client(claude_emulator).ask("Hello", max_cost=1)
    assert asked(claude_emulator) == []


def test_eight_threads_at_once_never_cross_a_session_limit(claude_emulator):
    """Calls under way count with their worst case until their cost is known."""
    claude = client(claude_emulator, model="claude-sonnet-5-5", max_tokens=10 * K)
    most = worst_case(claude.request("Hello"), CATALOG, claude.count("Hello"))
    refused: list[errors.CostLimitExceeded] = []
    started = threading.Barrier(8)
    streams = []

    def ask() -> None:
        started.wait(120)
        try:
            streams.append(claude.stream("Hello", max_session_cost=most * 3.5))
        except errors.CostLimitExceeded as error:
            refused.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(streams), len(refused)) == (3, 5)
    for stream in streams:
        assert stream.reply.complete
    # What they did not use is free again.
    assert claude._session.records.budget.spent(local=True) == pytest.approx(
        sum(stream.reply.cost for stream in streams)
    )
    assert claude.ask("Hello", max_session_cost=most * 1.5).complete


ASK = """
import sys
from journals import QUICK, opened
from vertex_claude_magic import Claude, errors
from vertex_claude_magic.__main__ import main
base_url, project, limit = sys.argv[1:]
claude = Claude(project=project, base_url=base_url, access_token="emulator", model="claude-sonnet-5-5", policy=QUICK)
print("ready", flush=True)
sys.stdin.read()
for number in range(6):
    try:
        claude.ask(f"question {number}", max_tokens=10_000, max_daily_cost=float(limit))
    except errors.CostLimitExceeded:
        print("refused")
    else:
        print("answered")
"""


def test_two_processes_never_cross_a_daily_limit(claude_emulator):
    """They share the journal, and a call is added to it in the moment in which the limit is checked."""
    limit = 0.25
    arguments = [claude_emulator.base_url, claude_emulator.project, str(limit)]
    surroundings = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    processes = [subprocess.Popen([sys.executable, "-c", ASK, *arguments], env=surroundings, text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) for _ in range(2)]  # fmt: skip
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.close()
    said = []
    for process in processes:
        with process:
            said += process.stdout.read().split()
    assert len(said) == 12
    assert said.count("answered") == len(asked(claude_emulator)) == len(rows())
    # Row by row, with the worst case of each that was under way: never above.
    spent = 0.0
    for row in rows():
        spent += row["cost"]
        assert spent <= limit


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "end", "end at once", "replay", "prune"]),
        st.sampled_from(["vertex", "gateway", "local", "emulator"]),
        st.none() | st.integers(0, 10**9).map(lambda units: units / 10**12),
        st.integers(0, 2),
    ),
    max_size=12,
)


def summed(path) -> dict[tuple[str, bool], tuple[float, float, int]]:
    """The sums of days, made from the rows of calls as they are in the file."""
    found = {}
    for row in rows(path=path):
        if row["state"] not in {"replayed", "imported"}:
            place = row["day"], row["source"] in LOCAL
            cost, most, unknown = found.get(place, (0.0, 0.0, 0))
            open_cost = row["cost_most"] or 0.0 if row["cost"] is None else 0.0
            unpriced = row["cost"] is None and row["cost_most"] is None
            found[place] = cost + (row["cost"] or 0.0), most + open_cost, unknown + unpriced
    return found


@given(OPERATIONS)
def test_the_sum_of_a_day_is_that_of_its_calls_whatever_happens_to_them(tmp_path_factory, operations):
    """It is kept beside them, because a sum over all of them takes longer with each."""
    journal, under_way = opened(tmp_path_factory.mktemp("sums") / "j"), []
    for number, (what, source, cost, day) in enumerate(operations):
        call = a_call(str(number), at=NOON + day * DAY, source=source, cost_most=cost)
        if what == "begin":
            under_way.append((journal.begin(call), call))
        elif what == "end" and under_way:
            journal.end(*under_way.pop(0), an_ending(cost=cost, cost_most=cost, source=source), KEEP)
        elif what == "end at once":
            journal.end(
                None, call, an_ending(state="stopped", cost=None, cost_most=cost, source=source), KEEP
            )
        elif what == "replay":
            journal.replayed(call, None, error=False)
        elif what == "prune":
            today = date.fromisoformat(day_of(NOON + 2 * DAY))
            journal.database.write(
                lambda connection, today=today: drop_old(connection, today, Keep(days=1), 100)
            )
    expected = summed(journal.path) if journal.path.exists() else {}
    for place in {(day_of(NOON + day * DAY), local) for day in range(3) for local in (False, True)}:
        spent = journal.spent(place[0], local=place[1])
        assert tuple(spent) == pytest.approx(expected.get(place, (0.0, 0.0, 0)), abs=1e-12)
    journal.close()


def test_a_limit_of_the_day_adds_up_no_calls(tmp_path):
    """The lock of the file is held meanwhile, and there may be a hundred thousand."""
    journal, statements = opened(tmp_path / "j"), []
    journal.begin(a_call(cost_most=0.1))
    journal.database.read(lambda connection: connection.set_trace_callback(statements.append))
    journal.begin(a_call("And now?", cost_most=0.5), day_limit=1.0)
    assert any("FROM day_sums" in each for each in statements)
    assert not any("SUM(" in each for each in statements)
    journal.database.read(lambda connection: connection.set_trace_callback(None))


@pytest.mark.parametrize("how", ["removed", "emptied", "replaced by an older one"])
def test_a_day_does_not_begin_anew_where_the_journal_goes_meanwhile(claude_emulator, tmp_path, how):
    """What this process has spent today it knows itself."""
    path = tmp_path / "kept" / "journal"
    claude_emulator.answer(*["word " * 2_000] * 9)
    claude = client(claude_emulator, journal=str(path), max_tokens=3 * K, max_daily_cost=0.01)
    spent, former = list[float](), {}

    def ask_on() -> None:
        for number in range(20):
            spent.append(claude.ask(f"Question {number}").cost)
            if how == "emptied":
                assert main(["journal", "prune", "--all", "--journal", str(path)]) == 0
                continue
            found = {each: each.read_bytes() for each in path.parent.iterdir()}
            former.update({} if former else found)
            for each in found:
                each.unlink()
            for each, data in former.items() if how == "replaced by an older one" else ():
                each.write_bytes(data)

    with pytest.raises(errors.CostLimitExceeded, match="exceeds the daily limit"):
        ask_on()
    assert 0.007 < sum(spent) < 0.01


def test_a_day_that_is_nearly_spent_refuses_what_could_cross_it(claude_emulator):
    """Also in another session, and not the next day's."""
    claude = client(claude_emulator, model="claude-sonnet-5-5", max_tokens=10 * K)
    claude_emulator.fail(Fault(stall_after=1200))
    with claude.stream("Hello") as stream:
        next(event for event in stream if event.text)
    # Stopped: it counts with 10,000 tokens at 10 a million.
    other = client(claude_emulator, model="claude-sonnet-5-5", max_tokens=10 * K)
    with pytest.raises(errors.CostLimitExceeded, match=r"with ≈\$0.10 for today so far"):
        other.ask("Hello", max_daily_cost=0.15)
    assert other.ask("Hello", max_daily_cost=0.25).complete


def test_a_session_limit_does_not_say_that_an_emulator_was_paid():
    """It refuses there too, so that it can be tried; the sum is one that Google would have billed."""
    ends = "that exceeds the session limit of $1 (estimates)."
    for local, said in (
        (
            True,
            f"At Google's prices this question may cost up to ≈$0.75; with ≈$0.50 for this session so far, {ends}",
        ),
        (False, f"This question may cost up to ≈$0.75; with ≈$0.50 spent this session, {ends}"),
    ):
        budget = Budget()
        budget.commit(budget.reserve(0.5, local=local), 0.5)
        with pytest.raises(errors.CostLimitExceeded) as caught:
            budget.reserve(0.75, local=local, limit=1.0)
        assert caught.value.message == said


def test_without_a_journal_a_daily_limit_refuses(claude_emulator, tmp_path):
    """Nobody could tell what the day has cost; the other limits need none."""
    claude = client(claude_emulator, journal="off")
    with pytest.raises(errors.CostLimitExceeded, match="the journal is off") as caught:
        claude.ask("Hello", max_daily_cost=1)
    assert caught.value.cure == 'Switch it on with journal="", or clear max_daily_cost.'
    (tmp_path / "j").write_text("Dear diary")
    with pytest.raises(errors.CostLimitExceeded, match="is not a journal") as caught:
        client(claude_emulator, journal=str(tmp_path / "j")).ask("Hello", max_daily_cost=1)
    # The cure of the journal has several sentences, or alternatives of its own.
    assert (
        caught.value.cure == "Move the file away; a new one is created. Alternatively, clear max_daily_cost."
    )
    assert asked(claude_emulator) == []
    assert claude._session.records.budget.spent(local=True) == 0
    assert claude.ask("Hello", max_cost=1, max_session_cost=1).complete


ENDINGS = [
    # what happens, and what it counts for: "cost", "worst" or nothing
    ("it is answered", None, "cost"),
    ("it is refused", Fault(status=400), 0),
    ("the service fails", Fault(status=500, headers={"x-should-retry": "false"}), 0),
    ("it breaks off", Fault(cut_after=1200, ending="reset"), "worst"),
    ("it breaks off at once", Fault(cut_after=0), "worst"),
    ("the connection is dropped", Fault(drop=True), "worst"),
    ("an error comes inside of it", Fault(error_after=5), "worst"),
    ("it is no answer", Fault(status=200, body=b"<html>", content_type="text/html"), "worst"),
    ("a login page is in between", Fault(location="https://portal.example"), 0),
]


@pytest.mark.parametrize(("fault", "counts"), [row[1:] for row in ENDINGS], ids=[row[0] for row in ENDINGS])
def test_every_ending_counts_for_what_it_may_have_cost(claude_emulator, fault, counts):
    """In the session's sum and in the day's, which are the same."""
    claude_emulator.answer("word " * 100)
    if fault is not None:
        claude_emulator.fail(*[fault] * 5)
    claude = client(claude_emulator, model="claude-sonnet-5-5", max_tokens=10 * K)
    reply = None
    with contextlib.nullcontext() if fault is None else pytest.raises(errors.ClaudeError):
        reply = claude.ask("Hello")
    [row] = rows()
    spent = claude._session.records.budget.spent(local=True)
    if counts == "worst":
        # 10,000 tokens at 10 a million, and the prompt, counted or bounded.
        assert 0.1 < spent < 0.106
    else:
        assert spent == (reply.cost if counts == "cost" else 0)
    assert spent == (row["cost"] if row["cost"] is not None else row["cost_most"])
    assert opened(default_path()).spent(row["day"], local=True).usd == spent


UNCOUNTED = {
    "no usage": None,
    "an empty one": {},
    "only the prompt": {"input_tokens": 3},
    "only the answer": {"output_tokens": 3},
    "nulls": {"input_tokens": None, "output_tokens": None},
    "no numbers": {"input_tokens": 3, "output_tokens": "many"},
}


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("usage", UNCOUNTED.values(), ids=UNCOUNTED)
def test_an_answer_without_its_tokens_counts_for_its_worst_case(claude_emulator, usage, streamed):
    """Some gateways report none; if that were free of charge, no limit would ever be reached."""
    reported = {} if usage is None else {"usage": usage}
    message = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [],
        **reported,
    }
    if streamed:
        events = [
            {"type": "message_start", "message": message},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, **reported},
            {"type": "message_stop"},
        ]
        body, kind = "".join(f"data: {json.dumps(event)}\n\n" for event in events), "text/event-stream"
    else:
        body, kind = json.dumps({**message, "stop_reason": "end_turn"}), "application/json"
    claude_emulator.fail(*[Fault(status=200, body=body.encode(), content_type=kind)] * 9)
    claude = client(claude_emulator, model="claude-sonnet-5-5", max_tokens=10 * K, no_stream=not streamed)
    reply = claude.ask("Hello")
    assert (reply.complete, reply.cost) == (True, None)
    [row] = rows()
    assert (row["state"], row["cost"], row["cost_most"]) == ("done", None, pytest.approx(0.1, rel=0.06))
    assert claude._session.records.budget.spent(local=True) == row["cost_most"]
    with pytest.raises(errors.CostLimitExceeded):
        claude.ask("Hello", max_session_cost=0.15)


UNKNOWN_BEFORE = {
    "a search": {"tools": SEARCH},
    "a search of tools": {
        "tools": [{"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}]
    },
}


@pytest.mark.parametrize("fields", UNKNOWN_BEFORE.values(), ids=UNKNOWN_BEFORE)
def test_what_was_unknown_before_stays_unknown_where_the_answer_breaks_off(claude_emulator, fields):
    """The tokens of its first event are not those of what the service read on the way."""
    claude_emulator.answer("word " * 100)
    claude_emulator.fail(*[Fault(cut_after=1200, ending="reset")] * 5)
    claude = client(claude_emulator)
    with pytest.raises(errors.ClaudeError):
        claude.ask("Hello", set=fields, force=True)
    [row] = rows()
    assert (row["state"], row["input_tokens"] > 0, row["cost_most"]) == ("failed", True, None)
    assert claude._session.records.budget.spent(local=True) == float("inf")


UNREACHED = [
    ("nobody listens", {"base_url": "http://127.0.0.1:1/v1", "access_token": "t"}),
    ("no name", {"access_token": "t"}),
    ("no credentials", {"base_url": "http://127.0.0.1:1/v1"}),
]


@pytest.mark.parametrize("settings", [row[1] for row in UNREACHED], ids=[row[0] for row in UNREACHED])
def test_what_reached_nobody_costs_nothing(settings):
    """A day without a network must not use up the day's limit."""
    from journals import QUICK

    claude = Claude(project="p", model="haiku", policy=QUICK, **settings)
    for _ in range(3):
        with pytest.raises(errors.ClaudeError):
            claude.ask("Hello")
    for local in (False, True):
        assert claude._session.records.budget.spent(local=local) == 0
    assert {row["cost_most"] for row in rows()} == {0.0}


STOPPED_UNSENT = {
    "while a retry is waited for": [Fault(status=429, headers={"Retry-After": "30"})] * 9,
    "while the service is silent": [Fault(delay=60)],
}


@pytest.mark.parametrize(
    ("faults", "worst"), [*zip(STOPPED_UNSENT.values(), (False, True), strict=True)], ids=STOPPED_UNSENT
)
def test_a_stop_costs_the_worst_case_only_where_the_service_may_be_at_work(claude_emulator, faults, worst):
    """What it has refused is not billed, however long the next attempt was waited for."""
    claude_emulator.fail(*faults)
    claude = client(claude_emulator, policy=RetryPolicy(longest_wait=60.0))
    with interrupt_while_waiting(claude_emulator), pytest.raises(errors.ClaudeInterrupt):
        claude.ask("Hello")
    [row] = rows()
    assert row["state"] == "stopped"
    assert (row["cost_most"] > 0) == worst
    assert (claude._session.records.budget.spent(local=True) > 0) == worst


class SlowCredentials(google.auth.credentials.Credentials):
    """They get their token when they are told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting, self.go_on = threading.Event(), threading.Event()

    def refresh(self, request: object) -> None:
        self.waiting.set()
        self.go_on.wait(60)
        self.token = "t"


def test_a_stop_while_credentials_are_looked_for_costs_nothing(claude_emulator):
    """Nothing was sent."""
    credentials = SlowCredentials()
    claude = Claude(project="p", base_url=claude_emulator.base_url, credentials=credentials, model="haiku")
    with claude.stream("Hello"):
        assert credentials.waiting.wait(60)
    credentials.go_on.set()
    assert [(row["state"], row["cost_most"]) for row in rows()] == [("stopped", 0.0)]
    assert claude._session.records.budget.spent(local=True) == 0


def test_what_is_given_again_costs_nothing_and_meets_no_limit(claude_emulator):
    """Nothing is counted either."""
    claude = client(claude_emulator)
    claude.ask("Hello")
    spent = claude._session.records.budget.spent(local=True)
    limits = dict.fromkeys(LIMITS, 0)
    assert claude.ask("Hello", replay="auto", **limits).replayed
    assert claude._session.records.budget.spent(local=True) == spent
    assert len(claude_emulator.requests) == 1


def test_answers_of_this_machine_and_of_google_are_summed_apart(claude_emulator):
    """A demo does not use up the limit of the day."""
    told(client(claude_emulator, model="claude-sonnet-5-5"))
    [row] = rows()
    journal = opened(default_path())
    assert journal.spent(row["day"], local=True).usd > 0
    assert journal.spent(row["day"], local=False).usd == 0


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1) | st.none()), max_size=30), st.floats(0, 20))
def test_a_tally_never_holds_more_than_its_limit(calls, limit):
    """Whatever is asked and however it ends, as long as no call costs more than its worst case."""
    budget, held = Budget(), []
    for number, (most, share) in enumerate(calls):
        try:
            held.append((budget.reserve(most, local=False, limit=limit), most, share))
        except errors.CostLimitExceeded:
            continue
        if number % 2:
            key, worst, part = held.pop(0)
            budget.commit(key, None if part is None else part * worst)
        assert budget.spent(local=False) <= limit + 1e-9


def test_a_limit_may_be_reached_and_not_crossed():
    """By calls under way and calls that are over alike; what Google and this machine answer is apart."""
    budget = Budget()
    budget.commit(budget.reserve(0.5, local=False, limit=1.0), 0.25)
    budget.reserve(0.25, local=False, limit=1.0)
    budget.reserve(1.0, local=True, limit=1.0)
    with pytest.raises(errors.CostLimitExceeded):
        budget.reserve(0.625, local=False, limit=1.0)
    budget.reserve(0.5, local=False, limit=1.0)
    assert (budget.sums(local=False), budget.sums(local=True)) == ((0.25, 0.75), (0.0, 1.0))


@pytest.mark.parametrize(
    ("usd", "known", "sums"),
    [
        (0.25, True, (0.25, 0.0)),
        (0.25, False, (0.0, 0.25)),
        (None, True, (0.0, 0.5)),
        (None, False, (0.0, 0.5)),
    ],
)
def test_a_call_that_is_over_counts_for_its_cost_or_for_the_most_that_it_may_have_cost(usd, known, sums):
    """Once, however often it is told that it is over."""
    session = Budget()
    run = RunBudget(session, limit=None)
    held = run.reserve(0.5, local=False)
    for _ in range(2):
        run.commit(held, usd, known=known)
    assert session.sums(local=False) == run.sums(local=False) == sums
    assert (run.cost, run.open_cost) == (sum(sums), sums[1])


# A run of questions with two rounds and a limit of 1 USD: what calls that are over have cost, what one that is under
# way may cost, whether a question or a later round of one is next, and the most that this may cost.
FITS = [
    # Alone it is asked as long as its first round fits.
    (0.0, None, True, 1.0, 1.125),
    (0.5, None, True, 0.5, 0.625),
    # Beside others each is set aside with all its rounds.
    (0.0, 0.125, True, 0.375, 0.5),
    (0.25, 0.125, True, 0.25, 0.375),
    # A later round was set aside with its question.
    (0.0, 0.125, False, 0.75, 0.875),
    (0.0, None, False, 1.0, 1.125),
]


@pytest.mark.parametrize(("over", "under_way", "first", "fits", "crosses"), FITS)
def test_what_is_under_way_in_a_run_leaves_room_for_its_repairs(over, under_way, first, fits, crosses):
    """Without its repair an answer would be paid for nothing."""
    run = RunBudget(Budget(), limit=1.0, rounds=2)
    run.commit(run.reserve(over, local=False), over)
    if under_way is not None:
        run.reserve(under_way, local=False)
    assert (run.fits(fits, first=first), run.fits(crosses, first=first)) == (True, False)
    if not first:
        with pytest.raises(errors.CostLimitExceeded):
            run.reserve(crosses, local=False)
        run.reserve(fits, local=False)


def test_what_is_not_known_fits_into_no_limit_of_a_run():
    """And into a run without one, whose cost is then not known either."""
    assert not RunBudget(Budget(), limit=1_000_000.0).fits(None)
    run = RunBudget(Budget(), limit=None)
    assert run.fits(None)
    run.commit(run.reserve(None, local=False), None)
    assert run.cost is None
    with pytest.raises(errors.CostLimitExceeded, match="cost of this session is not known"):
        RunBudget(run._session, limit=None).reserve(0.25, local=False, limit=1_000_000.0)


def test_a_run_holds_the_limit_of_its_session_too():
    """A call that it refuses is set aside nowhere."""
    session = Budget()
    session.commit(session.reserve(0.5, local=False), 0.5)
    run = RunBudget(session, limit=10.0)
    with pytest.raises(errors.CostLimitExceeded, match=r"exceeds the session limit of \$1 "):
        run.reserve(0.75, local=False, limit=1.0)
    assert (run.spent(local=False), session.spent(local=False)) == (0.0, 0.5)


def test_a_run_refuses_what_is_not_known_without_naming_a_sum():
    with pytest.raises(errors.CostLimitExceeded) as refused:
        RunBudget(Budget(), limit=0.0, name="chat").reserve(None, local=False)
    assert refused.value.message == (
        "The next request of this chat could exceed the limit of $0: $0 is spent (estimates)."
    )


@pytest.mark.parametrize(
    ("under_way", "says"),
    [
        (0.0, "$0.10 is spent (estimates)."),
        (0.5, "$0.10 is spent, and what is under way may cost up to ≈$0.50 (estimates)."),
    ],
)
def test_why_a_run_refuses_a_request_names_what_is_under_way(under_way, says):
    """Else a limit that is far above what is spent would seem to refuse for no reason."""
    run = RunBudget(Budget(), limit=1.0)
    run.commit(run.reserve(0.3, local=False), 0.1)
    if under_way:
        run.reserve(under_way, local=False)
    with pytest.raises(errors.CostLimitExceeded) as refused:
        run.reserve(0.95, local=False)
    assert refused.value.message.endswith(says)
