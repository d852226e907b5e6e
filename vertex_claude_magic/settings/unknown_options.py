"""What is meant by an option that does not exist: a slip of the hand, or the name that other software has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.settings.registry import OPTIONS
from vertex_claude_magic.spelling import field, spelled
from vertex_claude_magic.text import nearest, quote

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["unknown_option"]

# Arguments of `Claude` that are no options.
_OF_CLAUDE = ("access_token", "clock", "credentials", "policy")
# Those of a run over a table, whose modules lie below this one.
_OF_TABLES: Mapping[str, str] = {
    **dict.fromkeys(("max_active", "rpm", "on_error", "limit", "fresh", "progress"), "Claude.map"),
    **dict.fromkeys(("to", "via", "rows_per_job"), "Claude.batch"),
    "prefix": "Claude.map and Claude.batch",
}
# By our name, what the Messages API, its SDKs, google-genai, OpenAI and LangChain call the same.
_ALSO_CALLED: Mapping[str, tuple[str, ...]] = {
    "as_": ("response_format", "response_model", "response_schema", "output_format", "output_type", "schema"),
    "attach": ("attachments", "documents", "files", "images"),
    "beta": ("betas",),
    "effort": ("reasoning_effort",),
    "header": ("headers", "extra_headers", "default_headers"),
    "label": ("labels",),
    "max_tokens": ("max_output_tokens", "max_completion_tokens", "max_tokens_to_sample", "max_new_tokens"),
    "model": ("model_name", "model_id"),
    "project": ("project_id",),
    "region": ("location",),
    "set": ("extra_body",),
    "stop": ("stop_sequences", "stop_sequence"),
    "system": ("system_prompt", "system_instruction", "instructions"),
    "temperature": ("temp",),
    "timeout": ("request_timeout",),
    "tools": ("functions",),
}
_USED = {name: our for our, others in _ALSO_CALLED.items() for name in others}
# Fields of the Messages API that have no option ("Create a Message", Claude docs, 2026).
_FIELDS = frozenset(
    {"container", "context_management", "inference_geo", "mcp_servers", "metadata", "output_config", "service_tier",
     "speed", "tool_choice"}
)  # fmt: skip
_INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(
        ("api_key", "auth_token", "token"),
        "Vertex AI takes your Google login; Claude(access_token=...) takes a ready access token.",
    ),
    **dict.fromkeys(
        ("max_concurrency", "max_workers", "n_jobs", "workers"),
        "Claude.map(..., max_active=...) says how many.",
    ),
    **dict.fromkeys(("thinking_budget", "budget_tokens"), "Use thinking=2000, a number of tokens."),
    "dry_run": "Claude.request returns what would be sent, and Claude.count its tokens.",
    "max_retries": "Give Claude(policy=RetryPolicy(retries=...)), from vertex_claude_magic.transport.retry.",
    "messages": "Give them as the prompt.",
    "quiet": "Nothing is shown but what your code shows.",
    "stream": "Call Claude.stream to read the answer while it comes.",
}


def unknown_option(name: str) -> OptionError:
    """Return the error for an option of Python code that does not exist.

    >>> unknown_option("stop_sequences").cure, unknown_option("modle").cure
    ('Use stop=.', 'Did you mean model?')
    """
    if name in _OF_CLAUDE:
        return OptionError(f"{name} is not an option of a question.", cure=f"Give it to Claude({name}=...).")
    if name in _OF_TABLES:
        return OptionError(f"{name} is an option of {_OF_TABLES[name]}.", cure="Leave it out here.")
    if name in _INSTEAD:
        cure = _INSTEAD[name]
    elif name in _USED:
        cure = f"Use {_USED[name]}=."
    elif name in _FIELDS:
        cure = spelled("Use {}.", field(name))
    else:
        takes = [row.name for row in OPTIONS.values() if "python" in row.places]
        takes += [*_OF_CLAUDE, *_OF_TABLES, "names"]
        near = nearest(name, takes, cutoff=0.7)
        cure = f"Did you mean {near}?" if near else "The page Options of the documentation lists all of them."
    return OptionError(f"There is no option {quote(name, 40)!r}.", cure=cure)
