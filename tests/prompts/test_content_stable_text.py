"""The same value makes the same prompt in every process: no memory address, no order of a set, no clock."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from shells import run_python

from vertex_claude_magic.prompts.values.stable_text import is_elided, is_name_only, named_only, stable_text

# Code that makes `x`; the libraries that it needs are imported on its first line.
KINDS = {
    "set of texts": "x = {'delta', 'alpha', 'bravo', 'charlie'}",
    "sets in a dict": "x = {'a': {'x', 'y', 'z'}, 'b': [{'q', 'r', 's', 't'}]}",
    "set of mixed types": "x = {1, 'a', None, (2, 'b'), b'c', 2.5, float('nan')}",
    "set of frozensets": "x = {frozenset({'a', 'b'}), frozenset({'c'}), frozenset({'d', 'e', 'f'})}",
    "a set of what begins alike": (
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass P:\n    text: str\n    id: int\n"
        "x = {P('x' * 1_100, n) for n in range(6)}"
    ),
    "a set of texts that begin alike": "x = {('x' * 1_100 + str(n), None) for n in range(6)}",
    "a set of what the user has ordered": (
        "class Job:\n    def __init__(self, name): self.name = name\n    def __repr__(self): return f'Job {self.name}'\n"
        "    def __lt__(self, other): return False\nx = {'jobs': {Job('a'), Job('b'), Job('c'), Job('d')}}"
    ),
    "a set of decimals": "from decimal import Decimal\nx = {Decimal('NaN'), Decimal(1), Decimal(2), Decimal('1e3')}",
    "keys that are sets": "x = {frozenset({'a', 'b', 'c'}): 1, (1, frozenset('xyz')): 2, None: 3, 4: 4}",
    "set of tuples": "x = {('b', 1), ('a', 2), ('c', 0)}",
    "a large set": "x = {str(n) for n in range(200_000)}",
    "sets in a repr": (
        "class Bag:\n    def __init__(self, of): self.of = of\n    def __repr__(self): return f'Bag({self.of!r}, n=1)'\n"
        "x = [Bag({'b', 'a', 'c'}), Bag({'k': {'m', 'n'}}), Bag(frozenset({'r', 's', frozenset({'t', 'u'})}))]"
    ),
    "own objects": "class Run:\n    def __init__(self, n): self.n = n\nx = {Run(1), Run(2), Run(3)}",
    "an address within a repr": (
        "class Node:\n    def __init__(self, f): self.f = f\n    def __repr__(self): return f'Node({self.f})'\n"
        "x = [Node(lambda n: n), Node(len), Node(Node(print))]"
    ),
    "an identity within a repr": (
        "class Node:\n    def __repr__(self): return f'Node #{id(self)} {hex(id(self))}'\nx = Node()"
    ),
    "functions": "import functools, json\ndef f(a, b=object()): return a\n"
    "x = {'f': f, 'l': lambda n: n, 'p': functools.partial(f, f, b={'y', 'x'}), 'm': [].append, 'j': json, 'c': dict}",
    "a partial": "import functools\ndef f(a, b=1): return a\nx = functools.partial(f, f, b={'y', 'x', 'z'})",
    "a lambda": "x = lambda n: n",
    "a function without source": "exec('def x(a=object(), b=frozenset({\"q\", \"r\"})): pass')",
    "a pipeline": (
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import FunctionTransformer\n"
        "from sklearn.feature_extraction.text import CountVectorizer\ndef clean(v): return v\n"
        "x = make_pipeline(FunctionTransformer(clean), CountVectorizer(stop_words={'the', 'an', 'of'}))"
    ),
    "a search": (
        "from sklearn.model_selection import GridSearchCV\nfrom sklearn.svm import SVC\n"
        "def score(e, a, b): return 1\nx = {'search': GridSearchCV(SVC(), {'C': [1, 2]}, scoring=score)}"
    ),
    "a summary": (
        "import statsmodels.api as sm\nx = sm.OLS([1., 2., 3.5], [1., 2., 3.]).fit().summary()"
    ),
    "an exception": "x = TypeError(f'{object()!r} is not callable')",
    "a frame of objects": (
        "import pandas as pd\nx = pd.DataFrame({'a': [{'q', 'r', 's'}, frozenset({'t', 'u'}), print]})"
    ),
    "a frame of sets whose elements begin alike": (
        "import pandas as pd\nx = pd.DataFrame({'a': [{('x' * 250, str(n)) for n in range(6)}]})"
    ),
    "an array of objects": "import numpy as np\nx = np.array([{'q', 'r', 's'}, frozenset({'t', 'u'})], dtype=object)",
    "an enumeration": "import enum\nclass E(enum.Enum):\n    A = frozenset({'a', 'b', 'c'})\nx = E.A",
}  # fmt: skip
# All of them in one process, each in a module of its own; `filler` moves what is made after it in memory.
RUN = """
import json, sys, types, warnings
warnings.simplefilter("ignore")
from vertex_claude_magic import Claude
kinds, texts, filler = json.loads(sys.stdin.read()), {}, []
for name, code in kinds.items():
    filler += [object() for _ in range(int(%r) * 1_000)]
    space = {"__name__": "__main__"}
    try:
        exec(code, space)
    except ImportError:
        continue
    texts[name] = Claude(project="p").request("{{ x }}", names={"x": space["x"]}).body["messages"][0]["content"]
print(json.dumps(texts))
"""


def texts_in_process(seed: str) -> dict[str, str]:
    """What goes out for each of the kinds in a process of its own."""
    code = f"import io, sys\nsys.stdin = io.StringIO({json.dumps(KINDS)!r})\n{RUN % seed}"
    return json.loads(run_python(code, PYTHONHASHSEED=seed).splitlines()[-1])


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, str], dict[str, str]]:
    """The texts of two processes whose hashes and addresses differ."""
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(texts_in_process, ["1", "2"])
    return one, other


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_make_the_same_prompt(both, kind):
    """A recording is found again by a digest of the request."""
    one, other = both
    if kind not in one:
        pytest.skip("a library is not installed")
    assert one[kind] == other[kind]
    assert len(one[kind]) > 30
    assert not re.search(r"0x[0-9a-fA-F]{6,}", one[kind])


def test_no_path_of_a_module_goes_out(both):
    """It holds the name of who made the notebook."""
    assert "<module 'json'>" in both[0]["functions"]


STEADY = [
    ("<function f at 0x7f22f8408a40>", "<function f>"),
    ("Step(<function <lambda> at 0x000001F2A8C4D3A0>)", "Step(<function <lambda>>)"),
    ("<bound method A.b of <A object at 0x7f22f8408a40>>", "<bound method A.b of <A object>>"),
    ("<weakref at 0x7f22f8408a40; to 'A' at 0x7f22f8408a41>", "<weakref; to 'A'>"),
    ("<Widget 0x7f22f8408a40>", "<Widget>"),
    ("<MagicMock name='m' id='139789'>", "<MagicMock name='m'>"),
    ("{'b', 'a'}", "{'a', 'b'}"),
    # Printed, and not a repr: Python's compiler warns of the escape.
    (r"{'\d', 'b', 'a'}", r"{'\d', 'a', 'b'}"),
    ("A({'b': {'d', 'c'}}, frozenset({'z', 'y'}))", "A({'b': {'c', 'd'}}, frozenset({'y', 'z'}))"),
    ("{('b', 1), ('a', 2)}", "{('a', 2), ('b', 1)}"),
]
UNCHANGED = [
    "", "{3, 1}", "{b, a}", "{'b': 1, 'a': 2}", "{'unclosed', 'a'", "}{", "f'{x}'", "colour 0xff00ff", "jump to 0x7f22",
    "{'é', 'ü'}", "'{' and '}'", "{" * 500, "it's {'a'} or {\"b\"}", "{'a', *b}", "\\{'b'\\}",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), STEADY)
def test_addresses_go_and_sets_are_in_order(text, expected):
    """Whatever library made the text; and once is enough."""
    assert stable_text(text) == expected
    assert stable_text(expected) == expected


@pytest.mark.parametrize("text", UNCHANGED)
def test_what_does_not_differ_between_processes_stays(text):
    """Numbers are in the same order everywhere, and other braces are no sets."""
    assert stable_text(text) == text


def test_what_looks_like_a_huge_set_takes_no_time():
    """Nothing that long is taken apart."""
    text = "{" + ", ".join(f"'{n}'" for n in range(300_000)) + "}"
    assert stable_text(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("tensor([0, ..., 9])", True), ("a\n...\nb", True), ("[1 2 ... 8 9]", True), ("(…)", True), ("a 1\n ⋮ \nb", True),
     ("wait...", False), ("a...b", False), ("'...'", False), ("", False)],
)  # fmt: skip
def test_dots_that_stand_for_values_are_known(text, expected):
    """As an element of their own, not as the end of a sentence."""
    assert is_elided(text) is expected


def test_a_name_is_told_from_a_text():
    """And the objects that a text only names are found in it."""
    assert is_name_only("<_thread.lock object>")
    assert is_name_only("<a.b.<locals>.C object at 0x7f22f8408a40>")
    assert not is_name_only("<b>bold</b>")
    assert named_only("P(<a.B object at 0x7f22f8408a40>, <c.D object at 0x7f22f8408a41>)") == ["B", "D"]
    assert named_only("P(<function f at 0x7f22f8408a40>)") == []
