"""The request that the doctor and the check of models send: a fixed text and one token, nothing of the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.vertex.request import RequestOptions, build_request

if TYPE_CHECKING:
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.request import Request

__all__ = ["FIXED_TEXT", "fixed_request"]

FIXED_TEXT = "Is this working?"


def fixed_request(target: Target, *, model: str, project: str, region: str) -> Request:
    """Return the request for one model in one location; of the settings it has where requests go, and how.

    A model that the table calls retired is asked for all the same: the question is what the service says.
    """
    return build_request(
        [{"role": "user", "content": FIXED_TEXT}],
        RequestOptions(max_tokens=1, force=True),
        model=model,
        project=project,
        region=region,
        catalog=target.catalog,
        stream=False,
        base_url=target.base_url,
        anthropic_version=target.anthropic_version,
    )
