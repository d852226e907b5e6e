"""One module a measure; `run.py` runs them."""
