"""The command line `vertex-claude`; each command has a room of its own that is imported when it runs."""
