"""Twenty cells of every kind, run one after the other in a shell of this process; what came of each is printed as JSON.

Run as a script: the first run asks what the environment points at, a later one may do with what was kept.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

WEATHER = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
CALL = {"type": "tool_use", "id": "toolu_01", "name": "weather", "input": {"city": "Oslo"}}
CITIES = {"items": [{"name": "Oslo", "people": 717_710}, {"name": "Bergen", "people": 291_940}]}
CITED = {
    "type": "text",
    "text": "It is green.",
    "citations": [{"type": "char_location", "cited_text": "green", "document_index": 0, "start_char_index": 0,
                   "end_char_index": 5, "document_title": None}],
}  # fmt: skip

# What each cell is answered, in their order; what is no text is a whole reply, or a fault.
ANSWERS: tuple[Any, ...] = (
    "Plain.", "With a system prompt.", "## Heading\n\n- one\n- two\n", "A frame of three rows.", "A red square.", "A page.",
    "```python\nx = 41 + 1\n```", '{"a": [1, 2]}', json.dumps(CITIES), json.dumps({"columns": ["n"], "rows": [[1], [2]]}),
    [CALL], "Sunny in Oslo.", "First.", "Second.", "Your name is Ada.", [{"type": "thinking", "thinking": "Let me see.",
    "signature": "c2ln"}, {"type": "text", "text": "Seen."}], "Not streamed.", [CITED], "A very long answer " * 20,
)  # fmt: skip

SETUP = """
from dataclasses import dataclass
from pathlib import Path
import pandas as pd
from PIL import Image
from pypdf import PdfWriter
from vertex_claude_magic import Claude

@dataclass
class City:
    name: str
    people: int

frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
square = Image.new("RGB", (32, 32), "red")
pages = PdfWriter()
pages.add_blank_page(72, 72)
pages.write("page.pdf")
Path("note.txt").write_text("The sky is green.")
"""
CELLS = (
    "%%claude\nSay something plain.",
    '%%claude -m haiku -s "Be brief."\nSay something else.',
    "%claude -n 500 Is this one line?",
    "%%claude\nDescribe {{ frame }}.",
    "%%claude\nWhat is in {{ square }}?",
    "%%claude -a page.pdf\nSummarise the page.",
    "%%claude -f code\nWrite a cell.",
    "%%claude -f json\nGive JSON.",
    "%%claude --as list[City]\nTwo cities of Norway.",
    "%%claude --as df\nTwo rows.",
    f"%%claude --set 'tools={json.dumps([WEATHER])}'\nWhat is the weather in Oslo?",
    (
        "Claude().ask([{'role': 'user', 'content': 'Weather in Oslo?'}, {'role': 'assistant', 'content': [CALL]},"
        " {'role': 'user', 'content': [{'type': 'tool_result', 'tool_use_id': 'toolu_01', 'content': 'sun'}]}],"
        " set={'tools': [WEATHER]})"
    ),
    "[Claude().ask('Again?'), Claude().ask('Again?')]",
    (
        "Claude().ask([{'role': 'user', 'content': 'I am Ada.'}, {'role': 'assistant', 'content': 'Hello Ada.'},"
        " {'role': 'user', 'content': 'Who am I?'}])"
    ),
    "%%claude --thinking adaptive --show-thinking\nThink first.",
    "%%claude --no-stream -n 300\nAll at once.",
    "%%claude -a note.txt\nWhat colour is the sky?",
    "%%claude -n 20\nGo on and on.",
    "%%claude\nThis one is refused.",
    "%%claude --temperature 0.5 -m claude-opus-5-5\nThis one is not even sent.",
)


def told(value: Any) -> Any:
    """What a cell came to, as JSON: all of a reply that must be the same the second time."""
    from vertex_claude_magic import Reply

    if isinstance(value, list):
        return [told(each) for each in value]
    if not isinstance(value, Reply):
        return value
    data = (
        [asdict(each) if is_dataclass(each) else each for each in value.data]
        if isinstance(value.data, list)
        else None
    )
    return {
        "text": value.text, "blocks": [dict(block) for block in value.blocks], "thinking": value.thinking, "data": data,
        "code": list(value.code), "citations": [dict(each) for each in value.citations], "stop": value.stop_reason,
        "usage": dict(value.usage.raw), "model": value.model, "complete": value.complete,
    }  # fmt: skip


def run_all(settings: list[str]) -> list[dict[str, Any]]:
    """Run the cells in a shell of this process, as Run All does, but past errors."""
    from shells import loaded_shell

    shell = loaded_shell()
    shell.ip.user_ns.update(CALL=CALL, WEATHER=WEATHER)
    shell.ok(SETUP)
    for setting in settings:
        shell.ok(f"%config ClaudeMagics.{setting}")
    results = []
    for cell in CELLS:
        done = shell.run(cell)
        error = done.error_in_exec or done.error_before_exec
        answer = {"error": [type(error).__name__, str(error)]} if error else told(done.result)
        last = done.result[-1] if isinstance(done.result, list) else done.result
        replayed = getattr(last, "replayed", None)
        results.append({"answer": answer, "replayed": replayed})
    return results


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    print(json.dumps(run_all(sys.argv[1:])))
