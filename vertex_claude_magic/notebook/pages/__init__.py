"""Pages that a magic shows: models, usage, requests, diagnosis."""
