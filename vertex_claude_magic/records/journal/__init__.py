"""The journal: every call of this user in one SQLite file."""
