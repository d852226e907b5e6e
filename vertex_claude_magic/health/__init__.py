"""Whether the set-up works and which models answer."""
