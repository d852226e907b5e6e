"""What the panel does in the background: asked and stopped at any moment, counted model by model, found by name."""

from __future__ import annotations

import threading

import pytest

from vertex_claude_magic.client import Claude
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.errors import ClaudeError, OptionError
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.notebook.panel.counting import Counting, countable
from vertex_claude_magic.notebook.panel.jobs import PanelJob
from vertex_claude_magic.notebook.panel.prompts import find_prompt
from vertex_claude_magic.notebook.panel.trial import Trial
from vertex_claude_magic.prompts.scope import Scope
from vertex_claude_magic.session.session import Session
from vertex_claude_magic.settings.options import merge
from vertex_claude_magic.vertex.reply import Reply


class View:
    """A page that remembers what was drawn, and by which thread."""

    def __init__(self):
        self.texts, self.finished, self.threads = [], [], set()
        self.abandoned = False
        self.arrived = threading.Event()

    def start(self, label):
        self.threads.add(threading.current_thread())

    def status(self, text):
        pass

    def text(self, delta):
        self.texts.append(delta)
        self.arrived.set()

    thinking = status

    def draw(self):
        pass

    def due_in(self):
        return None

    def finish(self, reply, *, notes=(), metadata):
        self.threads.add(threading.current_thread())
        self.finished.append(reply)

    def abandon(self):
        self.abandoned = True


@pytest.fixture
def client(claude_emulator):
    """A session against the emulator."""
    with_token = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator"
    )
    yield with_token
    with_token.close()


def trial(client, prompt="Hi", **options):
    """Start a trial and return it with its view and the states that it told."""
    view, states = View(), []
    job = Trial(client._session, client._session.target(options), prompt, view, scope=Scope(),
                on_change=lambda each: states.append(each.state))  # fmt: skip
    job.start()
    return job, view, states


def ended(job):
    assert job.join(120), "the thread did not end"
    return job


def test_a_trial_asks_and_draws_from_its_own_thread(client, claude_emulator):
    """The caller gets its thread back at once."""
    claude_emulator.answer("Good morning.")
    job, view, states = trial(client)
    assert ended(job).reply.text == "Good morning."
    assert view.finished == [job.reply]
    assert threading.current_thread() not in view.threads
    assert states == ["running", "done"]


def test_stopped_in_the_middle_it_keeps_what_had_arrived(client, claude_emulator):
    """As an interrupted cell does; the reply says that it is not all."""
    claude_emulator.answer("word " * 200)
    claude_emulator.fail(Fault(stall_after=900))
    job, view, states = trial(client, "Tell me a long story")
    assert view.arrived.wait(120)
    job.stop()
    assert job.state == "stopped"
    ended(job)
    assert view.finished
    assert view.finished[0].complete is False
    assert job.reply.text == view.finished[0].text != ""
    assert states == ["running", "stopped"]


def test_stopped_before_it_sent_it_sends_nothing(client, claude_emulator):
    """While credentials are looked up, for example."""
    waiting, go = threading.Event(), threading.Event()

    class Slow(Session):
        def project(self, target, notify=None):
            waiting.set()
            assert go.wait(120)
            return claude_emulator.project

    slow = Claude(base_url=claude_emulator.base_url, access_token="emulator")
    slow._session = Slow(slow._session.settings, slow._session.transport.authorizer)
    job, view, _ = trial(slow)
    assert waiting.wait(120)
    job.stop()
    assert job.state == "stopped"
    go.set()
    ended(job)
    assert not claude_emulator.requests
    assert not view.finished


def test_an_error_is_kept_and_nothing_is_raised_in_the_thread(client, claude_emulator):
    """With its cure; the page is left tidy."""
    claude_emulator.fail(403)
    job, view, states = trial(client)
    assert ended(job).error.cure
    assert states == ["running", "failed"]
    assert not view.finished


def test_what_should_not_happen_tells_its_kind_and_nothing_else():
    """A traceback in a thread could show a token."""

    class Broken(PanelJob):
        def work(self):
            raise RuntimeError("ya29.secret")

    job = Broken(on_change=lambda _: None)
    job.start()
    assert "RuntimeError" in str(ended(job).error)
    assert "ya29" not in str(job.error)


def test_a_trial_keeps_the_options_that_it_began_with(client, claude_emulator):
    """A setting that changes meanwhile is for the next one."""
    claude_emulator.answer("Yes.")
    job, _, _ = trial(client, model="haiku", max_tokens=77)
    changed = merge(client._session.settings(), {"max_tokens": 5})
    client._session.settings = lambda: changed
    ended(job)
    assert claude_emulator.requests[-1].body["max_tokens"] == 77


def test_two_trials_and_a_question_do_not_disturb_each_other(client, claude_emulator):
    """One client, three threads."""
    jobs = [trial(client, f"number {number}")[0] for number in (1, 2)]
    third = client.ask("number 3")
    texts = [ended(job).reply.text for job in jobs] + [third.text]
    for number, text in enumerate(texts, 1):
        assert f"number {number}" in text


# Counting


def count(client, prompt, models, **options):
    """Start counting and wait for the end."""
    told = []
    job = Counting(client._session, client._session.target(options), prompt, models, scope=Scope(),
                   on_change=lambda each: told.append(len(each.counts)))  # fmt: skip
    job.start()
    return ended(job), told


def test_each_model_is_counted_for_itself_and_told_as_it_comes(client, claude_emulator):
    """Models count differently, so one count would not do."""
    job, told = count(client, "How large is Mongolia?", ("claude-opus-5-5", "claude-haiku-4-5@20251001"))
    assert [each.body["model"] for each in claude_emulator.requests] == [
        "claude-opus-5-5",
        "claude-haiku-4-5",
    ]
    assert all(each.exact for each in job.counts.values())
    assert told == [0, 1, 2, 2]


def test_options_that_another_model_refuses_do_not_stop_the_count(client, claude_emulator):
    """Only what counts and where it goes is kept: the region and the system text."""
    job, _ = count(client, "Hi", ("claude-opus-5-5",), temperature=0.5, system="Be brief.", region="eu")
    assert job.state == "done"
    (request,) = claude_emulator.requests
    assert "/locations/eu/" in request.path
    assert request.body["system"] == "Be brief."
    assert "temperature" not in request.body


def test_where_the_region_does_not_count_it_is_an_upper_bound(client, claude_emulator):
    """The prompt goes to no other region for it."""
    claude_emulator.fail(404)
    job, _ = count(client, "Hi", ("claude-opus-5-5",))
    assert job.counts["claude-opus-5-5"].exact is False
    assert job.counts["claude-opus-5-5"].tokens >= 2


def test_an_error_that_concerns_all_ends_it_once(client, claude_emulator):
    """With its cure, after the first model."""
    claude_emulator.fail(403)
    job, _ = count(client, "Hi", ("claude-opus-5-5", "claude-haiku-5-5"))
    assert isinstance(job.error, ClaudeError)
    assert len(claude_emulator.requests) == 1


def test_the_chosen_model_is_compared_with_those_that_the_region_serves():
    """Newest first; what is retired, deprecated or elsewhere is left out."""
    catalog = Catalog.load()
    found = countable(catalog, "europe-west1", "claude-unheard-of")
    assert found[0] == "claude-unheard-of"
    assert all(catalog.find(name).served_in("europe-west1") for name in found[1:])
    assert {catalog.find(name).lifecycle for name in found[1:]} == {"active"}


# Prompts


class Trap:
    """Runs code on every touch."""

    def __getattribute__(self, name):
        if name != "__class__":
            pytest.fail(f"{name} was read")
        return object.__getattribute__(self, name)


NAMES = {
    "notes": "Summarize this.",
    "reply": Reply(blocks=({"type": "text", "text": "It is large."},)),
    "numbers": [1, 2],
    "empty": " ",
    "trap": Trap(),
}
CELLS = ["", "x = 1", "%%claude -m opus\nExplain\nthis.\n", "%claude -m haiku What's up?", "%claude_panel"]


@pytest.mark.parametrize(
    ("typed", "text", "origin"),
    [
        ("How large is Mongolia?", "How large is Mongolia?", "the text as typed"),
        ("hello", "hello", "the text as typed"),
        ("notes", "Summarize this.", "the variable notes"),
        (" notes ", "Summarize this.", "the variable notes"),
        ("reply", "It is large.", "the variable reply"),
        ("In[1]", "x = 1", "the cell In[1]"),
        ("In[2]", "Explain\nthis.\n", "the cell In[2]"),
        ("In[3]", "What's up?", "the cell In[3]"),
        ("In[-1]", "%claude_panel", "the cell In[-1]"),
        ("In[1] and more", "In[1] and more", "the text as typed"),
        ("notes.upper()", "notes.upper()", "the text as typed"),
    ],
)
def test_a_name_a_cell_or_the_text_itself(typed, text, origin):
    """Nothing is evaluated."""
    found = find_prompt(typed, NAMES, CELLS)
    assert (found.text.strip(), found.origin) == (text.strip(), origin)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "nothing to count"),
        (" \n", "nothing to count"),
        ("numbers", "numbers is a list"),
        ("empty", "empty is an empty text"),
        ("trap", "trap is a Trap"),
        ("In[99]", "no cell In[99]"),
        ("In[0]", "no cell In[0]"),
        ("In[-6]", "no cell In[-6]"),
    ],
)
def test_what_holds_no_text_is_refused_with_a_cure(typed, said):
    """And no property of a stranger's object is run."""
    with pytest.raises(OptionError, match=said.replace("[", r"\[")) as refused:
        find_prompt(typed, NAMES, CELLS)
    assert refused.value.cure
