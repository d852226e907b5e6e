"""Safe text: model text made fit for a page or a terminal; knows nothing of the floors above."""
