"""The options of a question, where their values come from, and who asks."""
