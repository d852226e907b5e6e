"""The command line `vertex-claude`; each command has a module of its own that is imported when it runs."""
