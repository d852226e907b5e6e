"""Calls of functions as a model writes them, for the emulator to answer with."""

from __future__ import annotations

from typing import Any

__all__ = ["use"]


def use(number: int, name: str, **arguments: Any) -> dict[str, Any]:
    """A call as the model writes it."""
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": arguments}
