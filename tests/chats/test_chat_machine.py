"""Whatever is done to a conversation, what goes before the next prompt is valid for the service and for the SDK."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from tempfile import mkdtemp

import pytest
from anthropic.types import MessageParam
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from journals import client
from pydantic import TypeAdapter

from vertex_claude_magic import Chat, errors
from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.emulator.http.faults import Fault
from vertex_claude_magic.emulator.messages.script import Reply as Scripted
from vertex_claude_magic.settings.origin import Origin, asking_for

SDK = TypeAdapter(list[MessageParam])
# Models that check the conversation before a thinking block, for all or for new accounts, and one that does not.
MODELS = ["claude-fable-5-2", "claude-opus-5-5", "claude-haiku-4-5@20251001"]
TOOL = {"name": "look", "description": "Look.", "input_schema": {"type": "object"}}
CELLS = ["a", "b", "c", "d"]
_numbers = itertools.count()


def thought(text: str) -> list[dict[str, str]]:
    """An answer that the model thought about; each signature is sent once."""
    return [
        {"type": "thinking", "thinking": f"On {text}.", "signature": f"sig-{next(_numbers)}"},
        {"type": "text", "text": text},
    ]


class Conversations(RuleBasedStateMachine):
    """One conversation, asked from four cells, beside a model of its turns: cell, place, prompt and state."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp())
        self.emulator = Emulator()
        self.claude = client(self.emulator, journal=str(self.folder / "journal.sqlite3"))
        self.chat = self.claude.chat("talk")
        self.turns: list[tuple[str, int, str, str]] = []
        self.runs = itertools.count(1)
        self.forks = itertools.count(1)

    def teardown(self) -> None:
        self.claude.close()
        self.emulator.close()

    def in_cell(self, cell: str):
        origin = Origin(cell=cell, run=str(next(self.runs)), cell_id=cell)
        return asking_for(origin)

    def expect(self, cell: str, place: int, prompt: str, state: str = "ok") -> None:
        known = [turn[:2] for turn in self.turns]
        if (cell, place) in known:
            self.turns[known.index((cell, place))] = (cell, place, prompt, state)
            return
        own = [index for index, turn in enumerate(self.turns) if turn[0] == cell]
        later = [index for index in own if self.turns[index][1] > place]
        at = later[0] if later else own[-1] + 1 if own else len(self.turns)
        self.turns.insert(at, (cell, place, prompt, state))

    @rule(cell=st.sampled_from(CELLS), model=st.sampled_from(MODELS), text=st.sampled_from("xyz"))
    def ask(self, cell: str, model: str, text: str) -> None:
        self.emulator.answer(thought(f"Answer {text}"))
        self.drop_leftovers(cell)
        with self.in_cell(cell):
            reply = self.chat.ask(f"Question {text}", model=model)
        self.expect(cell, 0, f"Question {text}")
        assert self.turns[reply.turn - 1][:2] == (cell, 0)

    @rule(cell=st.sampled_from(CELLS), many=st.integers(2, 3), text=st.sampled_from("xyz"))
    def loop(self, cell: str, many: int, text: str) -> None:
        self.drop_leftovers(cell)
        with self.in_cell(cell):
            for place in range(many):
                self.emulator.answer(thought("In a loop"))
                self.chat.ask(f"Round {place} {text}", model=MODELS[0])
                self.expect(cell, place, f"Round {place} {text}")
        self.last_loop[cell] = many

    @precondition(lambda self: any(turn[:2] == (cell, 2) for turn in self.turns for cell in CELLS))
    @rule(data=st.data(), failing=st.integers(0, 1))
    def loop_again_while_one_fails(self, data: st.DataObject, failing: int) -> None:
        """What fails keeps its place and the turn that it had, and what is asked after it goes where it belongs."""
        cell = data.draw(st.sampled_from([turn[0] for turn in self.turns if turn[0] and turn[1] == 2]))
        self.drop_leftovers(cell)
        with self.in_cell(cell):
            for place in range(3):
                if place == failing:
                    self.emulator.fail(400)
                    with pytest.raises(errors.BadRequest):
                        self.chat.ask(f"Round {place} fails", model=MODELS[0])
                    continue
                self.emulator.answer(thought("In a loop"))
                self.chat.ask(f"Round {place} again", model=MODELS[0])
                self.expect(cell, place, f"Round {place} again")
        self.last_loop[cell] = 3

    @initialize()
    def begin(self) -> None:
        # How many questions the last run of each cell asked.
        self.last_loop: dict[str, int] = {}

    def drop_leftovers(self, cell: str) -> None:
        """What an earlier run of a cell asked beyond its last one goes when the next cell asks."""
        self.turns = [
            turn for turn in self.turns if turn[0] == "" or turn[1] < self.last_loop.get(turn[0], 99)
        ]
        self.last_loop[cell] = 1

    @rule(cell=st.sampled_from(CELLS))
    def fail(self, cell: str) -> None:
        self.emulator.fail(400)
        with self.in_cell(cell), pytest.raises(errors.BadRequest):
            self.chat.ask("This fails", model=MODELS[1])

    @rule(cell=st.sampled_from(CELLS))
    def interrupt(self, cell: str) -> None:
        self.emulator.answer(Scripted(content="Half of an answer " * 200, fault=Fault(stall_after=2_000)))

        def stop() -> None:
            with self.chat.stream("Stopped", model=MODELS[1]) as stream:
                while not stream.partial().text:
                    stream.wait(5)
                raise KeyboardInterrupt

        with self.in_cell(cell), pytest.raises(errors.ClaudeInterrupt) as stopped:
            stop()
        former = [turn for turn in self.turns if turn[:2] == (cell, 0)]
        if not former or former[0][3] == "interrupted":
            self.drop_leftovers(cell)
            self.expect(cell, 0, "Stopped", "interrupted")
            assert stopped.value.reply.turn == [turn[:2] for turn in self.turns].index((cell, 0)) + 1

    @rule(cell=st.sampled_from(CELLS))
    def call_a_tool_that_is_not_run(self, cell: str) -> None:
        call = {"type": "tool_use", "id": f"toolu_{next(_numbers)}", "name": "look", "input": {}}
        self.emulator.answer([thought("x")[0], call])
        self.drop_leftovers(cell)
        with self.in_cell(cell):
            self.chat.ask("Use the tool", model=MODELS[1], set={"tools": [TOOL]})
        self.expect(cell, 0, "Use the tool")

    @rule(cell=st.sampled_from(CELLS), fails=st.booleans())
    def call_a_function(self, cell: str, fails: bool) -> None:
        def measure(at: str) -> str:
            """Measure."""
            if fails:
                raise KeyError(at)
            return f"2.5 at {at}"

        number = next(_numbers)
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "measure", "input": {"at": "x"}}
        self.emulator.answer([thought("x")[0], call], thought("Measured"))
        self.drop_leftovers(cell)
        with self.in_cell(cell):
            reply = self.chat.ask("Measure it", model=MODELS[0], tools=[measure])
        self.expect(cell, 0, "Measure it")
        assert [each.is_error for each in reply.tool_calls] == [fails]

    @rule(cell=st.sampled_from(CELLS), title=st.sampled_from([None, "Penguins"]), pauses=st.booleans())
    def search_the_web(self, cell: str, title: str | None, pauses: bool) -> None:
        number = next(_numbers)
        found = {
            "type": "web_search_result",
            "url": "https://example.org",
            "title": "x",
            "encrypted_content": "e",
            "page_age": None,
        }
        cited = {
            "type": "web_search_result_location",
            "url": "https://example.org",
            "title": title,
            "encrypted_index": "i",
            "cited_text": "c",
        }
        searched = [
            {
                "type": "server_tool_use",
                "id": f"srvtoolu_{number}",
                "name": "web_search",
                "input": {"query": "x"},
            },
            {"type": "web_search_tool_result", "tool_use_id": f"srvtoolu_{number}", "content": [found]},
        ]
        answer = {"type": "text", "text": "Found", "citations": [cited]}
        if pauses:
            self.emulator.answer(Scripted(content=searched, stop_reason="pause_turn"), [answer])
        else:
            self.emulator.answer([*searched, answer])
        self.drop_leftovers(cell)
        with self.in_cell(cell):
            reply = self.chat.ask("Search for it", model=MODELS[1], tools=["web_search"])
        self.expect(cell, 0, "Search for it")
        assert reply.citations == (cited,)

    @rule(cell=st.sampled_from(CELLS), system=st.sampled_from(["Be brief.", "Be kind."]))
    def name_a_system(self, cell: str, system: str) -> None:
        self.emulator.answer(thought("Yes"))
        self.drop_leftovers(cell)
        with self.in_cell(cell):
            self.chat.ask("With a system text", model=MODELS[0], system=system)
        self.expect(cell, 0, "With a system text")

    @rule(cell=st.sampled_from(CELLS))
    def begin_anew(self, cell: str) -> None:
        self.emulator.answer(thought("Anew"))
        self.drop_leftovers(cell)
        with self.in_cell(cell):
            self.chat.ask("Anew", model=MODELS[0], new=True)
        self.turns = [turn for turn in self.turns if turn[0] == cell]
        self.expect(cell, 0, "Anew")

    @precondition(lambda self: self.turns)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(self.turns)))
        self.chat.remove(number)
        if self.turns[number - 1][1] == 0:
            # How often the last run of its cell asked is known by its first question only.
            self.last_loop.pop(self.turns[number - 1][0], None)
        del self.turns[number - 1]

    @precondition(lambda self: any(turn[3] == "interrupted" for turn in self.turns))
    @rule()
    def keep(self) -> None:
        number = next(index for index, turn in enumerate(self.turns, 1) if turn[3] == "interrupted")
        self.chat.keep(number)
        self.turns[number - 1] = (*self.turns[number - 1][:3], "sent")

    @rule()
    def clear(self) -> None:
        self.chat.clear()
        self.turns = []

    @precondition(lambda self: self.turns)
    @rule()
    def fork(self) -> None:
        self.chat = self.chat.fork(f"talk-{next(self.forks)}")
        self.turns = [("", *turn[1:]) for turn in self.turns]

    @precondition(lambda self: any(turn[3] != "interrupted" for turn in self.turns))
    @rule()
    def save_and_load(self) -> None:
        path = self.folder / f"saved-{next(self.forks)}.ipynb"
        said = [turn.reply.text for turn in self.chat.turns if turn.reply.text]
        prompts = [turn.prompt for turn in self.chat.turns if turn.reply.text]
        if not said:
            return
        self.chat.save(path)
        self.chat = Chat.load(path, session=self.claude)
        assert [turn.reply.text for turn in self.chat.turns] == said
        assert [turn.prompt for turn in self.chat.turns] == prompts
        left = [turn for turn, was in zip(self.turns, prompts_of(self.turns), strict=True) if was in prompts]
        states = {"sent": "interrupted"}
        self.turns = [("", turn[1], turn[2], states.get(turn[3], turn[3])) for turn in left]
        if "Use the tool" not in prompts:
            self.turns = [turn for turn in self.turns if turn[2] != "Use the tool"]

    @invariant()
    def the_turns_are_those_of_the_cells(self) -> None:
        found = [(turn.cell, turn.prompt) for turn in self.chat.turns]
        assert found == [(turn[0], turn[2]) for turn in self.turns]
        stopped = [turn.state == "interrupted" for turn in self.chat.turns]
        assert stopped == [turn[3] != "ok" for turn in self.turns]

    @invariant()
    def what_is_sent_next_is_taken(self) -> None:
        """By the types of the SDK, and by the emulator's rules for each model, thinking included."""
        for model in MODELS:
            request = self.claude.request("And now?", model=model, chat=self.chat.name)
            SDK.validate_python(json.loads(request.payload)["messages"], strict=False)
            assert self.claude.count("And now?", model=model, chat=self.chat.name) > 0


def prompts_of(turns: list[tuple[str, int, str, str]]) -> list[str]:
    return [turn[2] for turn in turns]


Conversations.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
TestConversations = Conversations.TestCase
