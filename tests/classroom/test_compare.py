"""A comparison in Python: what goes out, what comes of it, limits, failures, a stop."""

from __future__ import annotations

import pytest

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.classroom.compare import MOST_COLUMNS, ColumnQuestion, Comparison, Replies, variants
from vertex_claude_magic.emulator import Fault, Flood, Reply
from vertex_claude_magic.markdown.sanitize import as_text
from vertex_claude_magic.session.session import open_session
from vertex_claude_magic.transport.retry import RetryPolicy

ONCE = RetryPolicy(retries=0)
MODELS = ["haiku", "sonnet", "opus"]


@pytest.fixture
def claude(claude_emulator):
    """A client of the emulator."""
    made = Claude(
        project=claude_emulator.project,
        base_url=claude_emulator.base_url,
        access_token="emulator",
        policy=ONCE,
    )
    yield made
    made.close()


def asked(emulator):
    """The messages calls that went out."""
    return [each for each in emulator.requests if "/models/" in each.path and "count-tokens" not in each.path]


def test_the_same_prompt_goes_to_each_model(claude, claude_emulator):
    """The replies come in the order of the models, whichever ends first."""
    replies = claude.compare("Hello", models=MODELS, max_tokens=9)
    assert [next(name for name in MODELS if name in reply.model) for reply in replies] == MODELS
    assert {each.body["max_tokens"] for each in asked(claude_emulator)} == {9}
    assert {each.body["messages"][0]["content"] for each in asked(claude_emulator)} == {"Hello"}
    assert replies.labels == ("haiku", "sonnet", "opus")
    assert all(reply.complete for reply in replies)


def test_other_options_can_differ_too(claude, claude_emulator):
    """Each combination is a column."""
    replies = claude.compare("Hello", models=["sonnet", "opus"], vary={"max_tokens": [5, 6]})
    assert replies.labels == (
        "sonnet · max_tokens 5", "sonnet · max_tokens 6", "opus · max_tokens 5", "opus · max_tokens 6",
    )  # fmt: skip
    assert sorted(each.body["max_tokens"] for each in asked(claude_emulator)) == [5, 5, 6, 6]


def test_the_replies_are_a_frame_too(claude):
    """A row for each column."""
    replies = claude.compare("Hello", models=MODELS)
    assert list(replies.df["column"]) == MODELS
    assert list(replies.df["text"]) == [reply.text for reply in replies]
    assert replies.df["error"].isna().all()


def test_a_column_that_fails_leaves_the_others_alone(claude, claude_emulator):
    """Its error is beside its place, and what had arrived is in it."""
    claude_emulator.answer(Reply(content="Cut short", fault=Fault(cut_after=700)), "Whole.", "Whole.")
    replies = claude.compare("Hello", models=MODELS)
    failed = [error for error in replies.errors if error is not None]
    assert [type(error) for error in failed] == [errors.StreamInterrupted]
    assert [reply.text for reply in replies if reply.complete] == ["Whole.", "Whole."]
    assert len(replies) == 3


# What is known of a column before anything is sent.
KNOWN_BEFORE = {
    "a misspelled model": ({"models": ["haiku", "sonet"]}, "There is no model 'sonet'"),
    "a misspelled value": (
        {"models": ["sonnet"], "vary": {"effort": ["low", "hihg"]}},
        "no effort level 'hihg'",
    ),
    "a rule of the model": ({"models": ["haiku-4.5", "haiku"], "temperature": 0.5}, "takes no temperature"),
}


@pytest.mark.parametrize(("options", "said"), KNOWN_BEFORE.values(), ids=KNOWN_BEFORE)
def test_a_column_that_cannot_be_asked_refuses_all_of_them(options, said, claude, claude_emulator):
    """Before anything is sent: a column with nothing beside it would be paid for nothing."""
    with pytest.raises(errors.OptionError, match=said):
        claude.compare("Hello", **options)
    assert not claude_emulator.requests


def test_a_column_that_is_not_recorded_leaves_those_alone_that_are(claude, claude_emulator):
    """They cost nothing."""
    claude.compare("Hello", models=["haiku", "sonnet"])
    replies = claude.compare("Hello", models=MODELS, replay="only")
    assert [type(error) for error in replies.errors] == [type(None), type(None), errors.ReplayMiss]
    assert len(asked(claude_emulator)) == 2


def test_where_every_column_fails_the_error_of_the_first_is_raised(claude, claude_emulator):
    """There is nothing to compare."""
    claude_emulator.fail(*[Fault(status=403)] * 3)
    with pytest.raises(errors.PermissionDenied):
        claude.compare("Hello", models=MODELS)


def test_a_stop_keeps_what_had_arrived(claude_emulator):
    """In every column: they all speak at once, and none of these answers would ever end."""
    session = open_session(project=claude_emulator.project, base_url=claude_emulator.base_url,
                           access_token="emulator", retry_policy=ONCE)  # fmt: skip
    claude_emulator.answer(*[Flood(count=1_000_000, text="word ", per_second=100)] * 3)
    targets = [(name, session.target({"model": name})) for name in MODELS]
    comparison = Comparison(session, [ColumnQuestion(name, "Hi", target) for name, target in targets])

    def stop_once_all_speak() -> None:
        if all(column.text for column in comparison.columns):
            raise KeyboardInterrupt

    with pytest.raises(errors.ClaudeInterrupt, match=r"The answers up to here are saved\."):
        comparison.run(stop_once_all_speak)
    replies = Replies(comparison.columns)
    assert all(reply.text.startswith("word") and not reply.complete for reply in replies)
    session.close()


def test_a_stop_before_any_text_says_that_there_is_none(claude_emulator):
    """Nothing is saved then."""
    session = open_session(project=claude_emulator.project, base_url=claude_emulator.base_url,
                           access_token="emulator", retry_policy=ONCE)  # fmt: skip
    claude_emulator.fail(*[Fault(delay=60)] * 3)
    comparison = Comparison(
        session, [ColumnQuestion(name, "Hi", session.target({"model": name})) for name in MODELS]
    )

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(errors.ClaudeInterrupt, match=r"Stopped before an answer arrived\."):
        comparison.run(stop)
    session.close()


@pytest.mark.parametrize(("models", "count"), [(["haiku"], 1), ([], 1), (["haiku"] * 9, 9)])
def test_there_are_two_to_eight_columns(models, count, claude, claude_emulator):
    """More are not read side by side."""
    with pytest.raises(errors.OptionError, match=rf"2 to {MOST_COLUMNS} columns, not {count}"):
        claude.compare("Hello", models=models)
    assert not claude_emulator.requests


def test_what_to_give_for_a_second_column_is_said_in_options_that_exist(claude):
    """Its text can be copied behind `compare(prompt, `."""
    with pytest.raises(errors.OptionError) as caught:
        claude.compare("Hello", models=["haiku"])
    cure = 'Give models=["haiku", "sonnet"], or vary={"effort": ["low", "high"]}, for example.'
    assert caught.value.cure == cure


def test_eight_columns_are_asked(claude, claude_emulator):
    """As many as there may be."""
    assert len(claude.compare("Hello", models=["haiku"] * 8)) == 8
    assert len(asked(claude_emulator)) == 8


def test_max_cost_holds_for_all_columns_together(claude, claude_emulator):
    """A limit that each column keeps by itself may be crossed by all."""
    one = claude.ask("Hello", model="sonnet", max_tokens=1000, max_cost=0.02)
    assert one.complete
    before = len(asked(claude_emulator))
    with pytest.raises(errors.CostLimitExceeded, match="The columns may cost up to"):
        claude.compare("Hello", models=["sonnet"] * 8, max_tokens=1000, max_cost=0.02)
    assert len(asked(claude_emulator)) == before


def test_max_cost_holds_for_the_repairs_of_the_columns_too(claude, claude_emulator):
    """A repair that could cross it is not asked; its column keeps what came, and what that cost."""
    long = {"type": "message", "content": [{"type": "text", "text": "No."}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 500, "output_tokens": 1000}}  # fmt: skip
    claude_emulator.answer(*[long] * 8)
    with pytest.raises(
        errors.CostLimitExceeded,
        match=r"request of this comparison may cost up to .* and so could exceed the limit of",
    ) as caught:
        claude.compare("Repeat 2", models=["sonnet"] * 3, as_=int, max_tokens=1000, max_cost=0.04)
    assert len(asked(claude_emulator)) == 3
    assert caught.value.reply.text == "No."
    assert claude._session.records.budget.spent(local=True) == pytest.approx(3 * caught.value.reply.cost)


def test_the_tokens_of_a_limited_column_are_counted_once(claude, claude_emulator):
    """The count that the limit is checked with is that of the request which is then sent."""
    claude.compare("Hello", models=["sonnet", "opus"], max_tokens=1000, max_cost=0.1)
    counts = [each for each in claude_emulator.requests if "count-tokens" in each.path]
    assert len(counts) == 2


def test_the_replies_show_who_answered_and_what_failed(claude, claude_emulator):
    """As a reply by itself does; what the service says is shown literally."""
    claude_emulator.answer("*Two.*", Fault(status=400, message="<b>odd</b> $5 or $6"))
    replies = claude.compare("Hello", models=["haiku", "sonnet"])
    shown = replies._repr_markdown_()
    assert "*Two.*" in shown
    assert shown.count("Answered by the emulator, not by Claude.") == 1
    (error,) = filter(None, replies.errors)
    assert f"⚠ {as_text(error.message)}" in shown
    assert "<b>" not in shown


def test_the_limit_of_a_session_holds_for_the_columns(claude_emulator):
    """What one column may cost is set aside while the others are asked."""
    claude = Claude(project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator",
                    policy=ONCE, max_session_cost=0.025)  # fmt: skip
    replies = claude.compare("Hello", models=["sonnet"] * 4, max_tokens=1000)
    assert {type(error) for error in replies.errors} == {errors.CostLimitExceeded, type(None)}
    claude.close()


def test_a_recorded_comparison_is_given_again(claude, claude_emulator):
    """Each column by itself, and nothing is sent."""
    first = claude.compare("Hello", models=MODELS, replay="auto")
    again = claude.compare("Hello", models=MODELS, replay="only", max_cost=0.0)
    assert [reply.text for reply in again] == [reply.text for reply in first]
    assert all(reply.replayed for reply in again)
    assert len(asked(claude_emulator)) == 3


# Options that a comparison does not take, and the reason.
REFUSED = {
    "vary chat": (
        {"vary": {"chat": ["a", "b"]}},
        "does not support chat: a conversation continues from one answer",
    ),
    "vary tools": ({"vary": {"tools": ["a", "b"]}}, "does not support tools"),
    "vary after": ({"vary": {"after": ["a", "b"]}}, "does not support after"),
    "vary max_cost": ({"vary": {"max_cost": [1, 2]}}, "max_cost is the same for all columns"),
    "code": (
        {"models": MODELS, "format": "code"},
        'does not support format="code": there are several answers',
    ),
    "an unknown option": ({"vary": {"tone": ["a", "b"]}}, "There is no option 'tone'"),
    "a wrong value": ({"vary": {"max_tokens": [0, 5]}}, "max_tokens is 0"),
    "an option twice": (
        {"models": MODELS, "vary": {"effort": ["low", "high"]}, "effort": "low"},
        "effort is given twice",
    ),
    "the models twice": ({"models": MODELS, "vary": {"model": ["opus", "haiku"]}}, "model is given twice"),
    "a text for a list": ({"models": "haiku"}, "The values of model are not a list"),
    "a number for a list": ({"vary": {"max_tokens": 5}}, "The values of max_tokens are not a list"),
}


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_comparison_does_not_take_is_refused_with_the_reason(options, said, claude, claude_emulator):
    """Before anything is sent."""
    with pytest.raises(errors.OptionError, match=said):
        claude.compare("Hello", **options)
    assert not claude_emulator.requests


def test_so_many_combinations_are_not_even_made():
    """A slip must not make millions."""
    assert len(list(variants({"model": ["a"] * 1000, "effort": ["b"] * 1000}))) == MOST_COLUMNS + 1
