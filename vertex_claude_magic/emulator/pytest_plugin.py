"""A pytest fixture that gives each test an emulator of its own.

Put `pytest_plugins = ["vertex_claude_magic.emulator.pytest_plugin"]` into your `conftest.py`, then:

    def test_my_notebook_helper(claude_emulator):
        claude_emulator.answer("Forty-two.")
        assert my_helper(base_url=claude_emulator.base_url, token="emulator") == "Forty-two."
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vertex_claude_magic.emulator.server import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["claude_emulator"]


@pytest.fixture
def claude_emulator() -> Iterator[Emulator]:
    """A fresh emulator on a free loopback port, closed when the test is over."""
    with Emulator() as emulator:
        yield emulator
