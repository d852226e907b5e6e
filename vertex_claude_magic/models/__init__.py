"""The model ID table: rows, prices, lifecycle, and which models were seen live."""
