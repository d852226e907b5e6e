"""The tabs of the panel, each in a place of one height."""
