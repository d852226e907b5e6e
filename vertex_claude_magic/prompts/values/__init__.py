"""One module for each kind of value that can stand in a prompt."""
