"""Safe text: model text made fit for a page or a terminal; imports nothing of the other folders."""
