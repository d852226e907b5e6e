"""Templates: `{{ path }}` stands for a value, and everything else goes out byte for byte."""

from __future__ import annotations

import contextlib
import dataclasses
import keyword
import re
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shells import Shell, loaded_shell

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.prompts.template import Placeholder, is_path, parse_path, parse_template, value_of


@pytest.fixture(scope="module")
def shell() -> Shell:
    """One shell for the module; every name that the prompts below might mean is there."""
    with pytest.MonkeyPatch.context() as patch, Emulator() as emulator:
        for name, value in emulator.environment.items():
            patch.setenv(name, value)
        shell = loaded_shell(emulator)
        names = (
            "x",
            "a",
            "b",
            "i",
            "df",
            "name",
            "user",
            "item",
            "items",
            "value",
            "env",
            "HOME",
            "secrets",
            "n",
            "d",
        )
        shell.ip.user_ns.update(dict.fromkeys(names, 7))
        yield shell


def sent(shell: Shell, body: str, options: str = "") -> str:
    """What a cell puts on the wire as its prompt."""
    shell.ok(f"%%claude -q {options}\n{body}")
    content = shell.body["messages"][0]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


VERBATIM = [
    # Python
    "f'{x!r:>{n}}' and f\"{df['a']:.2f}\" and f'{{{x}}}'.format()",
    "{x}", "{ x }", "{}", "{0} {1}", "{x!r}", "{x:>10}", "'{:{n}}'.format(x)", "{**a, **b}", "{*a}",
    "{'a': 1, 'b': {'c': 2}}", "{x for x in items}", "{x: {n: d} for x in a}", "d = {1: {2: {}}}", "{{}}", "{{ }}",
    "'%s %d %% %(name)s' % x", "Template('$x ${name} $$')", "lambda: {**{}, 'x': {}}", "{{1, 2}, {3}}",
    "{{'a': 1}}", '{{"a": 1}: 2}', "{{1: 2}}", "{{-1}}", "{{[1, 2]}}", "{{(x)}}", "{{not x}}", "{{ *a }}",
    # JSON
    '{"a": {"b": {}}}', '{"a": [{"b": {"c": [{}]}}]}', '{"x":{"y":{"z":1}}}', '[{"$ref": "#/a"}]', "{\"a\": \"}}\"}",
    # LaTeX and mathematics
    r"$\frac{a}{b}$ and $$x_{i}^{2}$$", r"\begin{align} a &= {{b}^2} \end{align}", r"\{x \mid x > 0\}", r"$\{{x\}}$",
    r"\textbf{\emph{x}}", r"$x_{{i}_{j}}$", r"\newcommand{\R}{{\mathbb R}}", r"$e^{{-x}}$ {{\bf bold}} {{\it x}}",
    # Shell, make, awk
    "${HOME} $(ls) `pwd` $1 $$ $? ${x:-{}} ${a[@]}", "for i in {1..9}; do echo {$i}; done", "awk '{print $1}' x",
    "awk '{{print $1}}'", "find . -exec rm {} \\;", "jq '{a: .b, c: {d}}'", "$(x) ${{}}", "cp {a,b}.txt",
    # Templates of others
    "{{ .Values.x }}", "{{- .x -}}", "{{#if x}}yes{{/if}}", "{{/each}}", "{{> partial}}", "{{{x}}}", "{{{ x }}}",
    "{{{{x}}}}", "{% if x %}a{% endif %}", "{# x #}", "{{ 'quoted' }}", "{{ 5 }}", "{{! a comment }}", "{{ $x }}",
    "{{ x y }}", "{{ if x }}", "{{ range .Items }}", "{{ else if x }}", "{{ rows [0] . n }}", "{{ template \"x\" . }}", "<% x %> <%= {{}} %>",
    "{{ with .Items }}", "{{ not .x }}", "{{ if (eq .x 1) }}", "{{ else with x }}", "{{ for x in items }}", "{{ not x }}",
    "{{ lambda x: n }}", "{{ class x }}", "{{ in.x y }}",
    "{{\nx\n}}", "{{ x", "x }}", "} } { {", "}}{{", "{{ x }", "{ { x } }", "{ {x} }",
    # CSS, C, R, Go, Vue, GraphQL
    "a { b { color: red } }", "@media x {{a{b:c}}", "int main() { if (x) { return {0}; } }", "x <- function(a) {{ 1 }}",
    "`if`(x, {a}, {b})", "map[string]struct{}{}", "type T struct{{ X int }}", "query { user { name } }",
    "<a :style=\"{ color: x }\">", "style={{color: 'red'}}", "${x} `${a}${b}`", "x = {{0}};",
]  # fmt: skip


def test_the_table_of_plain_prompts_is_long_enough():
    """At least sixty, all different."""
    assert len(set(VERBATIM)) == len(VERBATIM) >= 60


@pytest.mark.parametrize("body", VERBATIM)
def test_what_is_no_template_goes_out_byte_for_byte(shell, body):
    """Whatever it is, and although its names are there."""
    assert sent(shell, body) == body


@pytest.mark.parametrize("body", ["{{ x }}", "{{x}} {{ df.nope }}", r"\{{ x }}", "{{ x() }}", "{{ nobody }}"])
def test_literal_sends_templates_too(shell, body):
    """One word on the line, for prompts about templates."""
    assert sent(shell, body, "--literal") == body


# Templates


@dataclasses.dataclass
class Config:
    title: str = "Prices"
    limits: tuple[int, ...] = (1, 2, 3)


NAMES = {
    "n": 5, "pi": 3.5, "no": None, "yes": True, "text": "one", "größe": 4, "名": 6, "_hidden": 8, "_": 9,
    "rows": [{"n": 1, "name": "Ada"}, {"n": 2, "name": "Bo"}],
    "cfg": Config(), "space": SimpleNamespace(inner=SimpleNamespace(deep=11)),
    "keys": {"a b": 12, "title": 13, "}}": 14, "it's": 15, "0": 16, 0: 17, -1: 18, "größe": 19, "items": 20, "": 21},
    "nested": {"rows": [[1, 2], [3, 4]]}, "pair": (21, 22), "big": 10**30, "z": 1 + 2j,
    "trick": "{{ n }}", "tricky": {"a": "{{ n }} \\{{ n }}"}, "In": ["", "first = 1"], "Out": {1: 23},
}  # fmt: skip
TEXT = '<data name="{}" kind="text">{}</data>'

TEMPLATES = [
    ("{{ n }}", "5"), ("{{n}}", "5"), ("{{   n   }}", "5"), ("{{\tn\t}}", "5"), ("a{{n}}b", "a5b"),
    ("{{ n }}{{ n }}", "55"), ("{{ n }} and {{ pi }}", "5 and 3.5"), ("{n} {{ n }} {{{n}}}", "{n} 5 {{{n}}}"),
    ("({{n}})", "(5)"), ("${{n}}", "$5"), ("%{{n}}%", "%5%"), ("\n{{ n }}\n", "\n5\n"), ("{{ no }}", "None"),
    ("{{ yes }}", "True"), ("{{ big }}", str(10**30)), ("{{ z }}", "(1+2j)"), ("{{ größe }}", "4"), ("{{ 名 }}", "6"),
    ("{{ _hidden }}", "8"), ("{{ _ }}", "9"),
    ("{{ rows[0].n }}", "1"), ("{{ rows[-1].n }}", "2"), ("{{ rows[1]['n'] }}", "2"), ('{{ rows[1]["n"] }}', "2"),
    ("{{ rows[0]['n'] }}/{{ rows[1]['n'] }}", "1/2"),
    ("{{ cfg.limits[2] }}", "3"), ("{{ cfg.limits[-3] }}", "1"), ("{{ space.inner.deep }}", "11"),
    ("{{ keys['a b'] }}", "12"), ("{{ keys.title }}", "13"), ("{{ keys['}}'] }}", "14"), ('{{ keys["it\'s"] }}', "15"),
    ("{{ keys['0'] }}", "16"), ("{{ keys[0] }}", "17"), ("{{ keys[-1] }}", "18"), ("{{ keys['größe'] }}", "19"),
    ("{{ keys.items }}", "20"), ("{{ keys[''] }}", "21"), ("{{ nested.rows[1][0] }}", "3"), ("{{ pair[1] }}", "22"),
    ("{{ n.real }}", "5"), ("{{ Out[1] }}", "23"), ("{{ pi.imag }}", "0.0"),
    ("{{ text }}", TEXT.format("text", "one")), ("{{ cfg.title }}", TEXT.format("cfg.title", "Prices")),
    ("{{ rows[0].name }}", TEXT.format("rows[0].name", "Ada")), ("{{ In[1] }}", TEXT.format("In[1]", "first = 1")),
    ("{{ rows[0]['name'] }}", TEXT.format("rows[0]['name']", "Ada")),
    (r"\{{ n }}", "{{ n }}"), (r"\{{n}} is {{n}}", "{{n}} is 5"), (r"\\{{ n }}", r"\{{ n }}"),
    # A value is never expanded a second time.
    ("{{ trick }}", TEXT.format("trick", "{{ n }}")),
    ("{{ tricky.a }}", TEXT.format("tricky.a", "{{ n }} \\{{ n }}")),
]  # fmt: skip


@pytest.fixture(scope="module")
def named(shell) -> Shell:
    """A shell with the values that the templates name."""
    other = loaded_shell(shell.emulator)
    other.ip.user_ns.update(NAMES)
    return other


def test_the_table_of_templates_is_long_enough():
    """At least forty, all different."""
    assert len({body for body, _ in TEMPLATES}) == len(TEMPLATES) >= 40


@pytest.mark.parametrize(("body", "expected"), TEMPLATES, ids=[row[0] for row in TEMPLATES])
def test_a_template_stands_for_a_value(shell, body, expected):
    """Numbers stand in the sentence as they are; texts between tags that name them."""
    request = shell_request(shell, body)
    assert request == expected


def shell_request(shell: Shell, body: str) -> str:
    request = Claude().request(body, names=NAMES)
    return request.body["messages"][0]["content"]


def test_in_and_out_are_those_of_the_session(claude_emulator, monkeypatch):
    """`{{ In[2] }}` is what was typed, `{{ Out[2] }}` what came of it."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    shell = loaded_shell(claude_emulator)
    shell.ok("x = 20")
    shell.ok("x + 1")
    assert sent(shell, "Why is {{ Out[2] }} the value of {{ In[2] }}?") == (
        'Why is 21 the value of <data name="In[2]" kind="text">x + 1</data>?'
    )


@pytest.mark.parametrize(
    ("body", "shown"), [("%claude -q Is {{ n }} odd?", "Is 5 odd?"), ("%%claude -q\n{{ n }}", "5")]
)
def test_the_line_magic_and_the_cell_magic_agree(named, body, shown):
    """Also in the one-line form."""
    named.ok(body)
    assert named.body["messages"][0]["content"] == shown


@pytest.mark.parametrize("word", keyword.kwlist)
def test_a_word_of_pythons_grammar_is_a_name_like_any_other(named, word):
    """Of a variable, a key, an attribute and a column; within quotes nothing of it changes."""
    frame = pd.DataFrame({word: [10]})
    names = {word: [7], "keys": {word: 8, f"a.{word}": 9}, "space": SimpleNamespace(**{word: 6}), "df": frame}
    body = f"{{{{ {word}[0] }}}} {{{{ keys.{word} }}}} {{{{ keys['a.{word}'] }}}} {{{{space.{word}.real}}}} {{{{ df.{word}[0] }}}}"
    assert Claude().request(body, names=names).body["messages"][0]["content"] == "7 8 9 6 10"


# What is refused, before anything is sent


class Trouble:
    """An object of the user's own, with properties that fail."""

    good = 1
    _secret = "hidden"

    @property
    def bad(self):
        raise RuntimeError("no\nline \x1b[31mhere")

    @property
    def worse(self):
        raise type("Odd", (Exception,), {"__str__": lambda self: 1 / 0})

    @property
    def attribute(self):
        raise AttributeError("inner")

    def __getitem__(self, key):
        raise OSError(28, "No space left on device")


REFUSED = [
    ("{{ tabel }}", "No variable named 'tabel'", "Did you mean table?"),
    ("{{ TABLE }}", "No variable named 'TABLE'", "Did you mean table?"),
    ("{{ zzzz }}", "No variable named 'zzzz'", "--literal"),
    ("{{ table.prise }}", "This dict has no key 'prise'", "Did you mean price?"),
    ("{{ table['prise'] }}", "This dict has no item at 'prise'", "Did you mean price?"),
    ("{{ rows[9] }}", "This list has no item at 9 (it has 2)", ""),
    ("{{ trouble.god }}", "This Trouble has no attribute 'god'", "Did you mean good?"),
    ("{{ trouble.bad }}", "failed with RuntimeError: no line [31mhere", "a cell of its own"),
    ("{{ trouble.worse }}", "failed with Odd: (no message)", "a cell of its own"),
    ("{{ trouble.attribute }}", "failed with AttributeError: inner", "a cell of its own"),
    ("{{ trouble['x'] }}", "failed with OSError", "a cell of its own"),
    ("{{ trouble._secret }}", "'_secret' is private", "a name with .attributes"),
    ("{{ rows.__class__ }}", "'__class__' is private", "a name with .attributes"),
    ("{{ __builtins__ }}", "'__builtins__' is private", "a name with .attributes"),
    ("{{ __import__('os') }}", "a call", "a variable first"),
    ("{{ table.keys() }}", "a call", "a variable first"),
    ("{{ rows[0].n + 1 }}", "an operator", "a variable first"),
    ("{{ n + 1 }}", "an operator", "a variable first"),
    ("{{ n == 1 }}", "an operator", "a variable first"),
    ("{{ x|upper }}", "an operator", "a variable first"),
    ("{{ n if n else 0 }}", "an operator", "a variable first"),
    ("{{ n and n }}", "an operator", "a variable first"),
    ("{{ table.class() }}", "a call", "a variable first"),
    ("{{ class + 1 }}", "an operator", "a variable first"),
    ("{{ table.from.__class__ }}", "'__class__' is private", "a name with .attributes"),
    ("{{ table.class }}", "This dict has no key 'class'", r"\{{"),
    ("{{ else }}", "No variable named 'else'", r"\{{ sends the braces themselves, and --literal"),
    ("{{ None }}", "No variable named 'None'", r"\{{ sends the braces themselves, and --literal"),
    ("{{ rows[0:1] }}", "an index is a whole number or a quoted string", ""),
    ("{{ rows[n] }}", "an index is a whole number or a quoted string", ""),
    ("{{ rows[1.5] }}", "an index is a whole number or a quoted string", ""),
    ("{{ rows[True] }}", "an index is a whole number or a quoted string", ""),
    ("{{ rows[-'a'] }}", "an index is a whole number or a quoted string", ""),
    ("{{ rows[+1] }}", "an index is a whole number or a quoted string", ""),
    ("{{ rows[0, 1] }}", "an index is a whole number or a quoted string", ""),
    ("{{ n.real.x }}", "This int has no attribute 'x'", ""),
    ("{{ n[0] }}", "This int has no item at 0", ""),
    ("{{ n:.2f }}", "a format", "a variable first"),
    ("{{n:8}}", "a format", r"\{{ sends the braces themselves"),
    ("{{ n:>10 }}", "a format", ""),
    ("{{ n:,}}", "a format", ""),
    ("{{ n:*^12,.3e }}", "a format", ""),
    ("{{ n:% }}", "a format", ""),
    ("{{ n:%Y-%m-%d %H:%M }}", "a format", ""),
    ("{{ n!r }}", "a format", ""),
    ("{{ n!s:>10 }}", "a format", ""),
    ("{{ n= }}", "a format", ""),
    ("{{ n=:.2f }}", "a format", ""),
    ("{{ rows[0].n:.2f }}", "a format", ""),
    ("{{ table['price']!r }}", "a format", ""),
]


@pytest.mark.parametrize(("body", "message", "cure"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_cannot_be_looked_up_fails_before_anything_is_sent(shell, body, message, cure):
    """With one line that names the place and the cure."""
    shell.ip.user_ns.update(table={"price": 1}, rows=[{"n": 1}, {"n": 2}], trouble=Trouble(), n=1)
    before = len(shell.emulator.requests)
    error = shell.error(f"%%claude -q\nWhat is {body}?")
    assert isinstance(error, errors.OptionError)
    assert message in error.message
    assert cure in error.cure
    assert "\n" not in str(error)
    assert "\x1b" not in str(error)
    assert len(shell.emulator.requests) == before


# The names are there; braces of others have a colon or a mark behind them too.
NO_FORMATS = [
    "{{ n: n }}", "{{ n: 5 }}", "{{n: 'red'}}", "{{n:'red'}}", "{{ n, rows }}", "{{n!}}", "{{ n! }}", "{{ n ? 1 : 2 }}", "{{ n:rows }}", "{{ n::n }}",
    "{{ n := 1 }}", "{{n!rows}}", "{{ n:{}", "{n:.2f}", "{n!r}", "{{{n:.2f}}}", r"{{\n:.2f}}", "{{ 5:.2f }}", "{{ n; n }}", "{{n }:.2f}",
    "{{ nobody:.2f }}", "{{nobody!r}}", "{{ nobody= }}", "{{ user:1000 }}",
]  # fmt: skip


@pytest.mark.parametrize("body", NO_FORMATS)
def test_braces_are_no_format_where_no_name_or_no_format_is_in_them(claude_emulator, body):
    claude = Claude(project="p", base_url=claude_emulator.base_url)
    request = claude.request(body, names={"n": 1, "rows": [1], "table": {"price": 1}})
    assert request.body["messages"][0]["content"] == body


def test_of_a_frame_columns_are_suggested_and_no_methods(shell):
    shell.ip.user_ns["table"] = pd.DataFrame({"price": [1]})
    assert "Did you mean price?" in shell.error("%%claude -q\n{{ table.prise }}").cure
    # The frame has a method `ne`.
    assert "Did you mean" not in shell.error("%%claude -q\n{{ table.nope }}").cure


def test_for_a_level_of_the_index_the_cure_is_to_make_it_a_column(shell):
    shell.ip.user_ns["table"] = pd.DataFrame({"g": [1], "v": [2]}).set_index("g")
    for path in ("table.g", "table['g']"):
        assert (
            "'g' is in the index: assign the table with .reset_index()"
            in shell.error(f"%%claude -q\n{{{{ {path} }}}}").cure
        )


def test_of_an_attachment_nothing_is_said_about_templates(shell):
    """It stands in no braces."""
    shell.ip.user_ns["table"] = {"price": 1}
    error = shell.error("%%claude -q -a table.prise\nHi")
    assert str(error) == "This dict has no key 'prise' (in table.prise). Did you mean price?"


def test_stop_passes_through_a_property():
    """It belongs to the user, not to the prompt."""

    class Slow:
        @property
        def value(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        value_of(parse_path("slow.value"), {"slow": Slow()})


def test_nothing_is_evaluated(tmp_path):
    """Not even where it looks like a path."""
    target = tmp_path / "made"
    for body in (f"open({str(target)!r}, 'w')", "[open][0]", f"x[open({str(target)!r}, 'w')]"):
        with contextlib.suppress(errors.OptionError):
            parse_template(f"{{{{ {body} }}}}")
        assert not target.exists()


def test_integers_find_rows_of_a_frame_by_position_where_there_is_no_such_column():
    """`{{ df.price[0] }}` and `{{ df[0] }}` mean what one expects."""
    import pandas as pd

    frame = pd.DataFrame({"price": [3, 4]}, index=["a", "b"])
    assert value_of(parse_path("df.price[0]"), {"df": frame}) == 3
    assert value_of(parse_path("df[1].price"), {"df": frame}) == 4
    assert list(value_of(parse_path("df['price']"), {"df": frame})) == [3, 4]


@pytest.mark.parametrize(
    ("text", "path"),
    [("df", True), ("df.a[0]", True), ("report.pdf", True), ("a b.txt", False), ("../x", False), ("", False),
     ("x()", False), ("1", False), ("x; y", False), ("x\ny", False), ("x #", False), ("ünï", True), ("x" * 500, False)],
)  # fmt: skip
def test_a_path_is_a_name_with_attributes_and_indexes(text, path):
    """Anything else may be the name of a file."""
    assert is_path(text) is path


# Whatever the text

PIECES = st.lists(
    st.one_of(
        st.sampled_from(["{", "}", "{{", "}}", "\\", "$", "%", "'", '"', "\n", " ", "x", ".", "[", "]", "0", "(", ")",
                         "{{ ", " }}", "{{x", "x}}", "|", "#", "-"]),
        st.text(max_size=5),
    ),
    max_size=30,
).map("".join)  # fmt: skip
TEMPLATE = re.compile(r"(?<!\{)\{\{(?!\{).*?\}\}")


@given(text=PIECES)
@settings(max_examples=600)
def test_a_text_without_a_template_does_not_change(text):
    """Taken apart it is one text, the same; what is refused has braces that look like a template."""
    try:
        parts = parse_template(text)
    except errors.OptionError:
        assert TEMPLATE.search(text)
        return
    if not any(isinstance(part, Placeholder) for part in parts) and "\\{{" not in text:
        assert "".join(parts) == text


@given(text=PIECES)
@settings(max_examples=300)
def test_what_stands_between_templates_does_not_change(text):
    """Texts and templates in their order are the whole prompt."""
    try:
        parts = parse_template(text)
    except errors.OptionError:
        return
    if "\\{{" in text:
        return
    pattern = "".join(
        r"\{\{\s*" + re.escape(part.source) + r"\s*\}\}" if isinstance(part, Placeholder) else re.escape(part)
        for part in parts
    )
    assert re.fullmatch(pattern, text)


@pytest.mark.parametrize(
    "text",
    ["{{" * 50_000, "{" * 100_000, "{{'" * 30_000, '{{ "' * 30_000, "{{ x " * 30_000, "\\{{" * 30_000, "}}" * 50_000,
     "{{ " + "x." * 50_000 + " }}", "{{ " + "[" * 50_000 + " }}", "{{" + "(" * 300 + "x" + ")" * 300 + "}}",
     "{{ x" + "[0]" * 100 + " }}", "{{ " + "-" * 390 + "x }}", "{{ x" + ".y" * 50_000 + " }}", "{{ x" + "[" * 50_000 + " }}",
     "{{ x:" + "0" * 50_000 + " }}", "{{ x" + " " * 50_000 + "? }}"],
    ids=lambda text: f"{text[:8]}...",
)  # fmt: skip
def test_no_text_takes_long_to_take_apart(text):
    """Whatever it repeats; a pattern that looks back again and again would not come to an end."""
    with contextlib.suppress(errors.OptionError):
        parse_template(text)
