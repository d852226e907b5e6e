#!/usr/bin/env bash
# IPython 9.18.1: one custom matcher that is an object or a `functools.partial` ends all completion, even if it has
# the identifier for whose default alone `__qualname__` is wanted.
#
# Expected: any callable will do. The documentation of `IPython.core.completer` ("Matcher API") describes a matcher
# as Callable[[CompletionContext], SimpleMatcherResult], and the comment at the protocol says that `__qualname__` is
# used to construct the default matcher identifier. A matcher with an identifier of its own needs no default.
#
# Happens: the identifier is read with the default worked out beside it, so a matcher without `__qualname__` raises
# AttributeError, `matcher_identifier` or not. Appending it to `custom_matchers` raises nothing; from then on each
# completion raises, and there is no candidate of anybody, neither names nor magics. In a kernel (ipykernel 7.4.0) the
# front end gets no reply to its request, and cells go on running.
#
# Concerns: authors of extensions who bind a matcher to their state by a partial or a class with `__call__`. A way out
# is a plain function or a bound method around it.
#
# Known? Not found in the project's issues (searched 2026-11).
#
# This product gives IPython a plain function (notebook/hooks.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "ipython==9.18.1"

# No configuration of the user's own.
HOME="$folder" IPYTHONDIR="$folder/ipython" "$folder/venv/bin/python" - <<'PYTHON'
import functools
import sys

import IPython
from IPython.core.completer import SimpleCompletion, context_matcher
from IPython.core.interactiveshell import InteractiveShell


def colours(names, context):
    return {"completions": [SimpleCompletion(name) for name in names if name.startswith(context.token)]}


class Colours:
    def __call__(self, context):
        return colours(["crimson"], context)


def plain(context):
    return colours(["crimson"], context)


shell = InteractiveShell.instance()
shell.user_ns["crane"] = 1
completer = shell.Completer
completer.use_jedi = False
named = context_matcher(identifier="colours")
seen = {}
print("IPython", IPython.__version__)
for name, matcher in {
    "no matcher": None,
    "function": named(plain),
    "partial": named(functools.partial(colours, ["crimson"])),
    "object": named(Colours()),
}.items():
    completer.custom_matchers = [] if matcher is None else [matcher]
    try:
        found = completer.complete("cr")[1]
        seen[name] = [word for word in ("crane", "crimson") if word in found]
    except AttributeError as error:
        seen[name] = str(error).rpartition("attribute ")[2]
    print(f"{name:10} identifier {getattr(matcher, 'matcher_identifier', None)}: {seen[name]}")
lost = "'__qualname__'"
if seen != {"no matcher": ["crane"], "function": ["crane", "crimson"], "partial": lost, "object": lost}:
    sys.exit("No longer as described: a matcher with an identifier works without `__qualname__`.")
print("As described: with such a matcher even the user's own variable is no longer completed.")
PYTHON
