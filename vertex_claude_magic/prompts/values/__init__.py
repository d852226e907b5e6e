"""One module for each kind of value that can be put into a prompt."""
