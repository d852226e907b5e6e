"""One module for each magic."""
