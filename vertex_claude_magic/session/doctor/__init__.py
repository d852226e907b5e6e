"""The diagnosis: what is checked, in which order, what was seen, and the one cure of each failure."""
