"""The checks of `%claude_doctor`."""
