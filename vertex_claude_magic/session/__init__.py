"""The session floor: the object that asks, its options, and what an answer cost; nothing of notebooks."""
