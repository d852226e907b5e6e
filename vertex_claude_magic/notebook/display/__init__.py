"""The output of a cell: the streamed answer, its footer, and code put into new cells."""
