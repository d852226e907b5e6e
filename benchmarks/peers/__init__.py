"""Other ways to ask Claude from a notebook, each in an environment of its own."""
