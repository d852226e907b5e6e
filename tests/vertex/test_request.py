"""The request builder: options to the wire, what is refused, and the value that comes out."""

from __future__ import annotations

import base64
import copy
import json
import math
import pickle
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_claude_magic import Claude
from vertex_claude_magic.errors import ModelRuleError, OptionError, RequestTooLarge
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.vertex.request import RequestOptions, build_count_request, build_request, in_project

CATALOG = Catalog.load()
HELLO = [{"role": "user", "content": "Hello"}]
HAIKU, OPUS = "claude-haiku-4-5@20251001", "claude-opus-5-5"
PLAIN = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 16_000, "messages": HELLO, "stream": True}


def build(
    messages=HELLO, *, model=HAIKU, project="p", region="global", stream=True, base_url=None, **options
):
    """A request with defaults for all that a test does not care about."""
    return build_request(messages, RequestOptions(**options), model=model, project=project, region=region,
                         catalog=CATALOG, stream=stream, base_url=base_url)  # fmt: skip


# Every option that goes into the body, and what it adds there.
BODY = [
    (HAIKU, {}, {}),
    (HAIKU, {"system": "Be brief."}, {"system": "Be brief."}),
    (HAIKU, {"system": [{"type": "text", "text": "x"}]}, {"system": [{"type": "text", "text": "x"}]}),
    (HAIKU, {"system": ""}, {}),
    (HAIKU, {"max_tokens": 1}, {"max_tokens": 1}),
    ("claude-3-5-haiku@20241022", {"force": True}, {"max_tokens": 8192}),
    ("claude-unknown", {}, {}),
    (HAIKU, {"stop": ["END", "\n\n"]}, {"stop_sequences": ["END", "\n\n"]}),
    (HAIKU, {"stop": ()}, {}),
    (OPUS, {"effort": "low"}, {"output_config": {"effort": "low"}}),
    (OPUS, {"effort": ""}, {}),
    (OPUS, {"effort": "low", "set": {"output_config": {"format": {"type": "json_schema"}}}},
     {"output_config": {"effort": "low", "format": {"type": "json_schema"}}}),
    (OPUS, {"effort": "low", "set": {"output_config": {"effort": "max"}}}, {"output_config": {"effort": "max"}}),
    (OPUS, {"thinking": "adaptive"}, {"thinking": {"type": "adaptive"}}),
    (HAIKU, {"thinking": "off"}, {"thinking": {"type": "disabled"}}),
    ("claude-sonnet-5-5", {"thinking": "between_tools"}, {"thinking": {"type": "between_tools"}}),
    (HAIKU, {"thinking": 2048}, {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
    (HAIKU, {"thinking": "2048"}, {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
    (HAIKU, {"thinking": ""}, {}),
    (OPUS, {"show_thinking": True}, {"thinking": {"type": "adaptive", "display": "summarized"}}),
    (OPUS, {"show_thinking": True, "thinking": "adaptive"}, {"thinking": {"type": "adaptive", "display": "summarized"}}),
    (HAIKU, {"show_thinking": True}, {"thinking": {"type": "enabled", "budget_tokens": 8000}}),
    (HAIKU, {"show_thinking": True, "max_tokens": 5000}, {"max_tokens": 5000, "thinking": {"type": "enabled", "budget_tokens": 2500}}),
    (HAIKU, {"show_thinking": True, "thinking": "off"}, {"thinking": {"type": "disabled"}}),
    (HAIKU, {"show_thinking": True, "thinking": 1024}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
    ("claude-unknown", {"show_thinking": True}, {"thinking": {"type": "adaptive", "display": "summarized"}}),
    (HAIKU, {"temperature": 0.0}, {"temperature": 0.0}),
    (HAIKU, {"top_p": 0.9, "top_k": 40}, {"top_p": 0.9, "top_k": 40}),
    (HAIKU, {"set": {"metadata": {"user_id": "u"}}}, {"metadata": {"user_id": "u"}}),
    (HAIKU, {"set": {"max_tokens": 0}}, {"max_tokens": 0}),
    (HAIKU, {"set": {"messages": []}}, {"messages": []}),
    (HAIKU, {"set": {"service_tier": None}}, {"service_tier": None}),
    (HAIKU, {"set": {"stream": False}}, {}),
    (HAIKU, {"set": {"model": "x", "brand_new": [1, {"a": None}]}}, {"model": "x", "brand_new": [1, {"a": None}]}),
]  # fmt: skip

HEADERS = [
    ({}, {}),
    ({"beta": ["a-1"]}, {"anthropic-beta": "a-1"}),
    ({"beta": ("a-1", "b-2")}, {"anthropic-beta": "a-1,b-2"}),
    ({"header": {"X-Trace": "1 2"}}, {"X-Trace": "1 2"}),
    ({"header": {"X-Empty": ""}}, {"X-Empty": ""}),
    ({"header": {"x-goog-user-project": "payer"}}, {"x-goog-user-project": "payer"}),
]
BAD_HEADERS = [
    ("Authorization", "Bearer x"), ("authorization", "x"), ("AUTHORIZATION ", "x"), ("Proxy-Authorization", "x"),
    ("Host", "evil.example"), ("Content-Length", "5"), ("Transfer-Encoding", "chunked"), ("content-type", "text/html"),
    ("Content-Type", "text/html"), ("Connection", "close"),
    ("", "x"), (" ", "x"), ("X Y", "x"), ("X:Y", "x"), ("X\r\nHost", "x"), ("X\x00", "x"), ("Ünïcode", "x"),
    ("X", "a\r\nHost: evil"), ("X", "a\nb"), ("X", "a\x00"), ("X", "ü"), ("X", "\ud800"), ("X", "a\tb"),
    ("X", " leading"), ("X", "trailing "), ("X", 5), ("X", None),
]  # fmt: skip

LABELS = [
    {"team": "data"}, {"a": ""}, {"a-b_c9": "0-x_"}, {"k" * 63: "v" * 63}, {"équipe": "données"}, {"a1": "1", "b": "2"},
    {f"k{i}": "v" for i in range(32)},
]  # fmt: skip
BAD_LABELS = [
    {"": "x"}, {"A": "x"}, {"1a": "x"}, {"_a": "x"}, {"-a": "x"}, {"a b": "x"}, {"a": "X"}, {"a": "x y"}, {"a": "x.y"},
    {"a": "\n"}, {"a": "x\n"}, {"a\n": "x"}, {"k" * 64: "x"}, {"a": "v" * 64}, {f"k{i}": "v" for i in range(33)},
]  # fmt: skip

NOT_JSON = [math.nan, math.inf, -math.inf, b"bytes", {1, 2}, object(), 1j, HELLO.__iter__]


def looped():
    """A list that holds itself."""
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(("model", "options", "expected"), BODY)
def test_options_become_body_fields(model, options, expected):
    """Every option, exactly; what is not said is not sent."""
    assert build(model=model, **options).body == {**PLAIN, **expected}


@pytest.mark.parametrize(("options", "expected"), HEADERS)
def test_options_become_headers(options, expected):
    """Betas in one header, own headers as they are, and never an Authorization."""
    assert build(**options).headers == {"Content-Type": "application/json", **expected}


@pytest.mark.parametrize(("name", "value"), BAD_HEADERS)
def test_headers_that_would_break_or_steal_the_request_are_refused(name, value):
    """Fixed names in any case, and what HTTP cannot carry; the value may be a secret and is not shown."""
    with pytest.raises(OptionError, match="header") as caught:
        build(header={name: value})
    assert "Bearer" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("beta", ["a\r\nAuthorization: x", "ü", "a\nb"])
def test_a_beta_cannot_smuggle_a_header(beta):
    """It goes through the same check."""
    with pytest.raises(OptionError, match="anthropic-beta"):
        build(beta=[beta])


@pytest.mark.parametrize("labels", LABELS)
def test_labels_travel_as_base64_of_a_json_object(labels):
    """As the page on custom metadata labels says (Google Cloud docs, 2026)."""
    header = build(label=labels).headers["X-Vertex-AI-Labels"]
    assert json.loads(base64.b64decode(header, validate=True)) == labels
    assert header.isascii()


@pytest.mark.parametrize("labels", BAD_LABELS)
def test_labels_that_google_refuses_are_refused(labels):
    """Characters, lengths and their number."""
    with pytest.raises(OptionError, match="label"):
        build(label=labels)


@pytest.mark.parametrize(("stream", "verb"), [(True, "streamRawPredict"), (False, "rawPredict")])
def test_the_verb_and_the_body_agree_about_streaming(stream, verb):
    """`stream` stands in the body when, and only when, the verb says so."""
    request = build(stream=stream, set={"stream": not stream})
    assert request.url.endswith(f"/models/{HAIKU}:{verb}")
    assert request.streamed is stream
    assert ("stream" in request.body) is stream
    assert request.method == "POST"


@pytest.mark.parametrize(
    "base_url", ["http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1/", "https://gw.example/projects/x/v1"]
)
def test_a_base_url_replaces_the_host_of_the_location(base_url):
    """Also for counting, and with a path of its own."""
    request = build(base_url=base_url)
    assert request.url.startswith(base_url.rstrip("/") + "/projects/p/locations/global/")
    assert build_count_request(request, CATALOG).url.startswith(
        base_url.rstrip("/") + "/projects/p/locations/global/"
    )


@pytest.mark.parametrize(
    "value", ["..", "a/b", "a?b#c", ";x", "a;x", "%3B", "m:otherVerb;x", "", " ", "x" * 1000, "日本"]
)
@pytest.mark.parametrize("name", ["model", "project", "region"])
def test_no_name_changes_host_or_verb(name, value):
    """Case 42: encoded or refused, for asking and for counting."""
    try:
        request = build(**{name: value})
    except OptionError:
        return
    for url, verb in (
        (request.url, "streamRawPredict"),
        (build_count_request(request, CATALOG).url, "rawPredict"),
    ):
        parts = urlsplit(url)
        assert parts.netloc == "aiplatform.googleapis.com"
        assert parts.path.endswith(":" + verb)
        assert parts.path.count("/") == 9
        assert (parts.query, parts.fragment) == ("", "")


@pytest.mark.parametrize("value", NOT_JSON, ids=lambda value: repr(value).partition(" at 0x")[0])
@pytest.mark.parametrize("place", ["set", "messages", "system", "deep"])
def test_what_json_cannot_carry_is_refused(place, value):
    """NaN and Infinity are no JSON; Python's own encoder would send them."""
    options = {
        "set": {"set": {"x": value}},
        "deep": {"set": {"x": [{"y": (value,)}]}},
        "system": {"system": [value]},
    }
    messages = [{"role": "user", "content": value}] if place == "messages" else HELLO
    with pytest.raises(OptionError, match="cannot be sent as JSON"):
        build(messages, **options.get(place, {}))


def test_an_object_whose_code_raises_is_refused_by_its_type():
    """Its repr is not asked for."""

    class Odd:
        def __repr__(self):
            raise RuntimeError

    with pytest.raises(OptionError, match=r"^A value of the type Odd cannot be sent as JSON\. "):
        build(HELLO, set={"x": Odd()})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_sampling_values_are_numbers(value):
    """The same for an option of its own."""
    with pytest.raises(OptionError):
        build(temperature=value)


def test_a_value_that_holds_itself_is_refused():
    """One line, not a RecursionError."""
    with pytest.raises(OptionError, match="nested too deeply"):
        build(set={"x": looped()})


@pytest.mark.parametrize("max_tokens", [0, -1])
def test_max_tokens_is_at_least_one(max_tokens):
    """Also with force; zero can still be set by hand."""
    with pytest.raises(OptionError, match="max_tokens"):
        build(max_tokens=max_tokens, force=True)


@pytest.mark.parametrize("thinking", ["on", "max", "-5", "2.5", "Adaptive", "\x1b[31m"])
def test_unknown_kinds_of_thinking_are_refused(thinking):
    """The cure lists the kinds."""
    with pytest.raises(OptionError, match="not a thinking mode") as caught:
        build(thinking=thinking)
    assert "between_tools" in caught.value.cure
    assert str(caught.value).isprintable()


@given(st.text(st.characters(), max_size=30))
def test_any_text_travels(text):
    """The payload is UTF-8 JSON that reads back as the body; lone surrogates become a replacement character."""
    request = build([{"role": "user", "content": text}])
    assert json.loads(request.payload) == request.body
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert request.body["messages"][0]["content"] == text


def test_lone_surrogates_do_not_stop_a_request():
    """A broken string from a data frame is sent with a replacement character, and a split pair is joined."""
    request = build([{"role": "user", "content": "a\ud800b \ud83c\udf89"}], set={"k\udfff": 1})
    assert request.body["messages"][0]["content"] == "a\ufffdb 🎉"
    assert "k\ufffd" in request.body
    assert len(request.digest) == 64


def test_a_request_over_the_limit_is_refused_before_sending():
    """30 MB of JSON, counted in bytes as they travel; the error says the size."""
    limit = CATALOG.limits["request"]["bytes"]
    frame = len(build([{"role": "user", "content": ""}]).payload)
    assert len(build([{"role": "user", "content": "x" * (limit - frame)}]).payload) == limit
    with pytest.raises(RequestTooLarge, match=r"31\.5 MB") as caught:
        build([{"role": "user", "content": "é" * (limit // 2)}])
    assert caught.value.details["limit"] == limit


@pytest.mark.parametrize(
    ("model", "region", "word"),
    [("claude-from-mars", "global", "does not know"), (OPUS, "us-east5", "does not list"), (HAIKU, "mars-1", "does not list")],
)  # fmt: skip
def test_what_the_table_does_not_know_is_sent_with_a_notice(model, region, word):
    """Facts age: an unknown model, or a known one in another location, is sent, and said."""
    (notice,) = build(model=model, region=region).notices
    assert word in notice
    assert build(model=HAIKU, region="us-east5").notices == ()


def test_an_id_that_resembles_no_other_is_sent_with_a_notice_that_names_none():
    """It may be that of a model tuned by its owner."""
    (notice,) = build(model="publishers-of-their-own").notices
    assert notice == "The model table does not know publishers-of-their-own; it is sent unchanged."


def test_counting_keeps_what_counts_and_nothing_else():
    """The fields that the counting endpoint takes, the betas, and the bare model id in the body."""
    extra = {"tools": [], "tool_choice": {"type": "auto"}, "metadata": {"user_id": "u"}, "service_tier": "auto",
             "context_management": {"edits": []}, "cache_control": {"type": "ephemeral"}, "compaction": {"type": "summarize"},
             "mcp_servers": [], "speed": "fast", "output_config": {"effort": "low"}}  # fmt: skip
    request = build(system="s", thinking=2048, stop=["x"], temperature=0.5, beta=["b"], set=extra)
    count = build_count_request(request, CATALOG)
    assert set(count.body) == {"anthropic_version", "messages", "system", "tools", "tool_choice", "thinking",
                               "context_management", "cache_control", "compaction", "mcp_servers", "speed",
                               "output_config", "model"}  # fmt: skip
    assert count.body["model"] == "claude-haiku-4-5"
    assert count.headers == request.headers
    assert count.url.endswith(
        "/projects/p/locations/global/publishers/anthropic/models/count-tokens:rawPredict"
    )
    assert not count.streamed


def test_the_digest_is_stable():
    """Equal content has an equal digest whatever the order of keys and the way of sending; other content has not."""
    one = build([{"role": "user", "content": "x"}], set={"a": 1, "b": {"c": 2, "d": 3}})
    two = build(
        [{"content": "x", "role": "user"}], set={"b": {"d": 3, "c": 2}, "a": 1}, stream=False, region="eu"
    )
    assert one.digest == two.digest
    others = [build([{"role": "user", "content": "y"}]), build(model="claude-haiku-4-5"), build(max_tokens=5)]
    assert len({one.digest, *(other.digest for other in others)}) == 4
    assert one.digest == one.digest.lower()


def test_a_request_is_a_value():
    """It can be pickled, copied, compared, hashed and printed; notices are no part of its identity."""
    request = build(system="ü", beta=["b"], label={"a": "b"}, header={"X": "y"})
    for twin in (pickle.loads(pickle.dumps(request)), copy.copy(request), copy.deepcopy(request)):
        assert (twin, hash(twin), repr(twin), twin.payload) == (
            request,
            hash(request),
            repr(request),
            request.payload,
        )
    assert request != build(system="u")
    assert "authorization" not in repr(request).lower()


def test_the_callers_objects_stay_as_they_are():
    """What is built shares nothing with what was given."""
    message = {"role": "user", "content": [{"type": "text", "text": "a"}]}
    extra = {"metadata": {"user_id": "u"}}
    request = build([message], set=extra)
    message["content"][0]["text"] = "changed"
    extra["metadata"]["user_id"] = "changed"
    assert b"changed" not in request.payload


def test_a_rule_is_checked_before_anything_is_encoded():
    """A request that the model refuses never gets as far as its size."""
    with pytest.raises(ModelRuleError):
        build(max_tokens=10**6)


def test_a_request_in_its_own_project_is_not_built_again():
    """In another one only the address differs."""
    request = build(project="p")
    assert in_project(request, "p") is request
    other = in_project(request, "q")
    assert (other.url, other.payload) == (request.url.replace("/p/", "/q/"), request.payload)
    assert (other.project, in_project(other, "q")) == ("q", other)


def test_a_table_of_the_users_own_also_holds_for_headers(claude_emulator, tmp_path):
    """Betas that counting refuses and the number of labels are facts of the table, as all others."""
    table = {
        "services": {"betas": {"refused_in_count": ["compact-2026-01-12"]}},
        "limits": {"request": {"labels": 1}},
    }
    file = tmp_path / "models.json"
    file.write_text(json.dumps(table))
    claude = Claude(
        project=claude_emulator.project,
        base_url=claude_emulator.base_url,
        access_token="emulator",
        models_file=str(file),
    )
    claude.count("Hello", beta=["compact-2026-01-12", "context-management-2025-06-27"])
    assert claude_emulator.requests[-1].headers["anthropic-beta"] == "context-management-2025-06-27"
    with pytest.raises(OptionError, match="2 billing labels are too many") as caught:
        claude.request("Hello", label={"a": "1", "b": "2"})
    assert caught.value.cure == "Use 1 at most."
    claude.close()
