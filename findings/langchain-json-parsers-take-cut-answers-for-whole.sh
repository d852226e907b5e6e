#!/usr/bin/env bash
# langchain-core 1.8.3: `JsonOutputParser` and `PydanticOutputParser` take an answer that was cut
# off for a whole one: of `{"to": "A", "amount": 125` that broke off after 12, the amount is 12.
#
# Expected: an `OutputParserException`. The docstring of `parse_result` says that it is raised "if
# the output is not valid JSON", and that without `partial=True` the output "will be the full JSON
# object". Partial objects are told of for streaming only.
#
# Happens: the parser completes what is open, and leaves out what does not parse, in every mode.
# `partial` changes nothing but what becomes of an error. A number keeps its first digits, a text
# its first words, a list its first items, and a model of pydantic is valid if each later field
# has a default: an approval whose "unless" was still to come has none. That the service said
# `max_tokens` or `length` is in the message, which the parser does not look at.
#
# Concerns: extraction with a long list as its answer, from each model, since `max_tokens` is the
# usual end of it. Counts and sums over what was extracted are too small, and nothing tells which
# rows. A way out is a step before the parser that looks at the message's reason for its end, or
# `json.loads`.
#
# Known? Not found as such. Cut answers have been asked about where they raise another error
# (https://github.com/langchain-ai/langchain/pull/30936; searched 2026-12).
#
# This product reads no data out of an answer that was cut off (answers/repair.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "langchain-core==1.8.3" "pydantic==2.14.4"

"$folder/venv/bin/python" - <<'PYTHON'
import json
import sys
from importlib.metadata import version

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from pydantic import BaseModel

print(*(f"{name} {version(name)}" for name in ("langchain-core", "pydantic")))


class Payment(BaseModel):
    to: str
    amount: int


class Decision(BaseModel):
    approved: bool
    reason: str
    unless: str | None = None


def answered(text, parser):
    """What a chain returns of an answer that ended at its limit."""
    message = AIMessage(text, response_metadata={"stop_reason": "max_tokens"})
    try:
        return (FakeMessagesListChatModel(responses=[message]) | parser).invoke("Go on.")
    except OutputParserException as error:
        return type(error).__name__


def cut(value, after):
    text = json.dumps(value)
    return text[: text.index(after) + len(after)]


PAYMENT = cut({"to": "A", "amount": 125}, "12")
DECISION = cut({"approved": True, "reason": "All is paid.", "unless": "The seller objects."}, "All is paid")
NAMES = cut(["Ann", "Bob", "Cid", "Dee"], '"Bob"')
seen = {
    PAYMENT: answered(PAYMENT, PydanticOutputParser(pydantic_object=Payment)),
    DECISION: answered(DECISION, PydanticOutputParser(pydantic_object=Decision)),
    NAMES: answered(NAMES, JsonOutputParser()),
    "Sorry, no.": answered("Sorry, no.", JsonOutputParser()),
}
for text, found in seen.items():
    print(f"{text:45} -> {found!r}")
    try:
        json.loads(text)
    except ValueError:
        continue
    sys.exit("No longer as described: the answer is JSON.")
expected = [Payment(to="A", amount=12), Decision(approved=True, reason="All is paid"), ["Ann", "Bob"]]
if list(seen.values())[:3] != expected:
    sys.exit("No longer as described: a cut answer is an error, or another value.")
if seen["Sorry, no."] != "OutputParserException":
    sys.exit("No longer as described: what is no JSON at all raises no error.")
print("As described: each cut answer is taken for a whole one.")
PYTHON
