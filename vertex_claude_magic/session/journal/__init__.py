"""The journal: every request and reply in one SQLite file of the user's, and what is asked of it."""
