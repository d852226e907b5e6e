"""Python objects as content blocks of a prompt: each kind of value in a room of its own."""
