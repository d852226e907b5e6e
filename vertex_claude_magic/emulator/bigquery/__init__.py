"""BigQuery as far as the results of a batch are read from it."""
